#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build Alioth, a VMM that crates.io has, with the patch in vmm/, and a guest for it, unless they are
# there already.
# usage: vmm.sh x86|arm64
# Makes $CACHE/vmm/ARCH/alioth, a static program, and vmm-guest; nothing, with an older compiler than
# Alioth takes.
. "$(dirname "$0")/common.sh"

VMM=0.12.0
VMM_RUST_MIN=1.88.0

arch=${1:?}
out=$CACHE/vmm
case $arch in
x86) cpu=x86_64 link=-Ttext=0x100000 ;;
arm64) cpu=aarch64 link=-Ttext=0,--oformat=binary ;;
*) die "no architecture $arch: x86 or arm64" ;;
esac

build() {
	local src=$out/$arch/src crate
	static_cargo "$arch"
	mkdir -p "$src"
	cd "$src"
	for crate in alioth alioth-cli; do
		cargo info -q "$crate@$VMM" >/dev/null
		cp -r "$CACHE"/cargo/registry/src/*/"$crate-$VMM" "$crate"
	done
	# A crate's Cargo.toml is not the repository's, which the patch is for.
	GIT_CEILING_DIRECTORIES=$src git apply --exclude='*/Cargo.toml' "$ROOT"/vmm/*.patch
	(cd alioth && cargo add -q --target 'cfg(target_os = "linux")' --no-default-features \
		--path "$ROOT/tools/guestcaps" guestcaps)
	cd alioth-cli
	CARGO_TARGET_DIR=$out/target CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_STRIP=true \
		cargo build --release --target "$target" --config 'patch.crates-io.alioth.path="../alioth"'
	"clang$LLVM" --target=$cpu-unknown-linux -nostdlib -static -fuse-ld=lld "-Wl,-N,$link" \
		-o "$out/$arch/vmm-guest" "$ROOT/scripts/guest/vmm.S"
	install "$out/target/$target/release/alioth" "$out/$arch/alioth"
}

"$ROOT/scripts/guestcaps.sh" "$arch"
now=$(cat "$0" "$ROOT/scripts/guest/vmm.S" "$ROOT"/vmm/*.patch "$CACHE/tools-guestcaps/$arch/state" | sha256sum)
[ "$now" != "$(cat "$out/$arch/state" 2>/dev/null)" ] || exit 0
rm -rf "${out:?}/$arch"
mkdir -p "$out/$arch"
version=$(version_of "$RUSTC")
if at_least "$version" $VMM_RUST_MIN; then
	step "vmm-$arch" 90 "Building Alioth for $arch" build
else
	say "  Alioth takes Rust $VMM_RUST_MIN, $RUSTC is $version: it is left out"
fi
echo "$now" >"$out/$arch/state"
