#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build a checkout of kvm-unit-tests, a copy of it, and run them on the unmodified kernel and on ours.
# usage: kut.sh x86|arm64 DIR [TEST...]
# CPU and APPEND say what the emulated host is, as for boot.sh; LIMIT is for each test, in seconds.
. "$(dirname "$0")/common.sh"

arch=${1:?} checkout=${2:-}
[ -n "$checkout" ] || die "where is your checkout of kvm-unit-tests? make kut DIR=folder"
[ -d "$checkout" ] || die "DIR=$checkout is no folder"
case $arch in
x86) lane=amd folder=x86 configure=(--arch=x86_64) ;;
arm64)
	lane=arm64 folder=arm
	configure=(--arch=arm64 --cross-prefix=aarch64-linux-gnu-)
	;;
*) die "no architecture $arch: x86 or arm64" ;;
esac
for file in configure run_tests.sh $folder/unittests.cfg; do
	[ -f "$checkout/$file" ] || die "DIR=$checkout is no checkout of kvm-unit-tests: it has no $file"
done

"$ROOT/scripts/setup.sh" kernel "$arch" inside
"$ROOT/scripts/source.sh"
"$ROOT/scripts/source.sh" base

dir=$LAB/kut/$arch
build() {
	# Without what was built there, if anything was.
	if [ -e "$checkout/.git" ]; then
		git -C "$checkout" ls-files -z -co --exclude-standard |
			rsync -a --from0 --files-from=- --ignore-missing-args "$checkout/" "$dir/src/"
	else
		rsync -a --exclude='*.[oad]' --exclude='*.elf' --exclude='*.flat' --exclude='*-run' \
			--exclude=/lib/asm --exclude=/lib/config.h --exclude=/config.mak "$checkout/" "$dir/src/"
	fi
	cd "$dir/src"
	./configure "${configure[@]}" --disable-pretty-print-stacks
	make -j"$JOBS"
}
rm -rf "$dir"
mkdir -p "$dir/src" "$dir/root/debian/kut/$folder"
step "kut-$arch" 60 "Building kvm-unit-tests" build || die "DIR=$checkout doesn't build for $arch"

# What run_tests.sh needs.
cd "$dir/src"
cp -rL config.mak errata.txt run_tests.sh scripts "$dir/root/debian/kut/"
cp -L $folder/run $folder/unittests.cfg $folder/*.flat "$dir/root/debian/kut/$folder/"
install -m 755 "$ROOT/scripts/guest/kut-qemu" "$dir/root/debian/kut/qemu"
git -C "$checkout" rev-parse --short HEAD >"$dir/root/debian/kut/build-head" 2>/dev/null || true
sed -i 's/^ERRATATXT=.*/ERRATATXT=errata.txt/' "$dir/root/debian/kut/config.mak"
./run_tests.sh -l >"$dir/tests"

"$ROOT/scripts/rootfs.sh" "$dir/rootfs.cpio" "$(busybox_of "$arch")" "$CACHE/tools/inside-$arch" "$dir/root"

"$ROOT/scripts/kernel.sh" "$arch"
"$ROOT/scripts/kernel.sh" "$arch" base
image=$(image_of "$arch")
exec "$ROOT/scripts/kut.py" "$lane" "$dir" "$BASE/build/$arch/$image" "$LAB/build/$arch/$image" "${@:3}"
