#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build tools/guestcaps, a static program, unless it is there already.
# usage: guestcaps.sh x86|arm64 [test]   (test: its tests and lints as well, on this machine)
# Makes $CACHE/tools-guestcaps/ARCH/guestcaps. Crates are fetched into $CACHE/cargo.
. "$(dirname "$0")/common.sh"

arch=${1:?}
crate=$ROOT/tools/guestcaps
out=$CACHE/tools-guestcaps
export CARGO_TARGET_DIR=$out/target

cargo_in() { (cd "$crate" && cargo "$@"); }
build() {
	static_cargo "$arch"
	cargo_in build --release --target "$target"
	install -D "$CARGO_TARGET_DIR/$target/release/guestcaps" "$out/$arch/guestcaps"
}
test_crate() {
	cargo_in test
	cargo_in clippy --all-targets -- -D warnings
}

state() {
	(cd "$crate" && find . -path ./target -prune -o -type f ! -name Cargo.lock -print0 | sort -z | xargs -0 cat)
	cat "$0"
	"$RUSTC" --version
}
now=$(set -e && state | sha256sum)
if [ "$now" != "$(cat "$out/$arch/state" 2>/dev/null)" ]; then
	rm -rf "${out:?}/$arch"
	step "guestcaps-$arch" 60 "Building guestcaps for $arch" build
	echo "$now" >"$out/$arch/state"
fi
[ "${2:-}" != test ] || step guestcaps-test 60 "Testing guestcaps" test_crate
