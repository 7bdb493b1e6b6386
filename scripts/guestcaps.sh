#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build tools/guestcaps, a static program, unless it is there already.
# usage: guestcaps.sh x86|arm64 [test]   (test: its tests and lints as well, on this machine)
# Makes $CACHE/tools-guestcaps/ARCH/guestcaps. Crates are fetched into $CACHE/cargo.
. "$(dirname "$0")/common.sh"

arch=${1:?}
crate=$ROOT/tools/guestcaps
out=$CACHE/tools-guestcaps
export CARGO_HOME=$CACHE/cargo CARGO_TARGET_DIR=$out/target
# Nothing of the builder's gets into the program.
flags="-Ctarget-feature=+crt-static --remap-path-prefix=$CARGO_HOME=cargo --remap-path-prefix=$crate=."
case $arch in
x86) target=x86_64-unknown-linux-gnu ;;
arm64)
	target=aarch64-unknown-linux-gnu
	export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
	[ "$RUSTC" != /usr/bin/rustc ] || flags+=" --sysroot=$CACHE/tools/rust-arm64/usr"
	;;
*) die "no architecture $arch: x86 or arm64" ;;
esac

cargo_in() { (cd "$crate" && "$(dirname "$RUSTC")/cargo" "$@"); }
build() {
	local variable=CARGO_TARGET_${target^^}_RUSTFLAGS
	export "${variable//-/_}=$flags"
	cargo_in build --release --target "$target"
	install -D "$CARGO_TARGET_DIR/$target/release/guestcaps" "$out/$arch/guestcaps"
}
test_crate() {
	cargo_in test
	cargo_in clippy --all-targets -- -D warnings
}

state() {
	(cd "$crate" && git ls-files -co --exclude-standard -z | xargs -0 cat)
	cat "$0"
	"$RUSTC" --version
}
now=$(state | sha256sum)
if [ "$now" != "$(cat "$out/$arch/state" 2>/dev/null)" ]; then
	rm -rf "${out:?}/$arch"
	step "guestcaps-$arch" 60 "Building guestcaps for $arch" build
	echo "$now" >"$out/$arch/state"
fi
[ "${2:-}" != test ] || step guestcaps-test 60 "Testing guestcaps" test_crate
