#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build the KVM selftests, upstream's and ours, and the root file system that the lanes boot.
# usage: selftests.sh x86|arm64 [demo]   (demo: only what make run and make bench show)
# Makes $LAB/selftests/ARCH/rootfs.cpio, or demo.cpio.
. "$(dirname "$0")/common.sh"

arch=${1:?}
what=${2:-rootfs}
out=$LAB/selftests/$arch
vmm=$CACHE/vmm/$arch
kselftest=$LAB/linux/tools/testing/selftests
case $arch in
x86) cross='' ;;
arm64) cross=aarch64-linux-gnu- ;;
*) die "no architecture $arch: x86 or arm64" ;;
esac

# ccache would make the targets of dependency files relative to its base folder, which make does not
# know as its own: an edited header would rebuild nothing.
kvm_selftests() {
	env -u CCACHE_BASEDIR make -C "$kselftest/kvm" ARCH="$arch" OUTPUT="$out/kvm" LLVM='' \
		CC="${cross}gcc" CROSS_COMPILE="$cross" KHDR_INCLUDES="-isystem $out/headers/usr/include" \
		EXTRA_CFLAGS=-static LDFLAGS='-static -pthread -no-pie' "$@"
}

build() {
	local root=$out/$what
	rm -rf "$root"
	mkdir -p "$root" "$out/kvm"
	kmake "$LAB" "../selftests/$arch/headers" "$arch" headers_install
	if [ "$what" = demo ]; then
		mkdir -p "$out/kvm/$arch" "$root/bin"
		kvm_selftests "${demo[@]/#/$out/kvm/$arch/}"
		cp "${demo[@]/#/$out/kvm/$arch/}" "$root/bin/"
	else
		mkdir -p "$root/kselftest/kselftest" "$root/bin"
		kvm_selftests -j"$JOBS" install INSTALL_PATH="$root/kselftest/kvm"
		kvm_selftests -s --no-print-directory COLLECTION=kvm emit_tests |
			grep ^kvm: >"$root/kselftest/kselftest-list.txt"
		cp "$kselftest"/kselftest/{runner.sh,ktap_helpers.sh} "$root/kselftest/kselftest/"
		cp "$kselftest/run_kselftest.sh" "$root/kselftest/"
		[ ! -e "$vmm/alioth" ] || cp "$vmm/alioth" "$vmm/vmm-guest" "$root/bin/"
	fi
	cp "$CACHE/tools-guestcaps/$arch/guestcaps" "$root/bin/"
	# What is unpacked at every boot had better be small.
	find "$root" -type f -perm /111 -exec "${cross}strip" --strip-debug {} + 2>/dev/null || true
	"$ROOT/scripts/rootfs.sh" "$out/$what.cpio" "$(busybox_of "$arch")" "$root"
}

demo=(guest_caps guest_caps_bench)
[ "$arch" = x86 ] || demo=(idregs_bench)

state() {
	git -C "$LAB/linux" rev-parse 'HEAD^{tree}'
	git -C "$LAB/linux" diff HEAD | sha256sum
	cat "$ROOT"/scripts/{rootfs.sh,guest/*} "$0" "$CACHE/tools-guestcaps/$arch/state" | sha256sum
	[ "$what" = demo ] || cat "$vmm/state"
}

"$ROOT/scripts/guestcaps.sh" "$arch"
[ "$what" = demo ] || "$ROOT/scripts/vmm.sh" "$arch"
mkdir -p "$out"
now=$(set -e && state)
[ ! -s "$out/$what.cpio" ] || [ "$now" != "$(cat "$out/$what.state" 2>/dev/null)" ] || exit 0
rm -f "$out/$what.state"
step "selftests-$arch-$what" 60 "Building the selftests for $arch" build
echo "$now" >"$out/$what.state"
