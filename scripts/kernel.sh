#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Configure and build a kernel of the lab, unless it is there already.
# usage: kernel.sh CONFIG [base | SERIES]   base: the unmodified kernel; SERIES: with those up to that one
# CONFIG: x86 or arm64, or one of these with what a file of scripts/configs adds, e.g. x86-m.
# Builds in $LAB/build/CONFIG, $BASE/build/CONFIG, or $BASE/SERIES/build/CONFIG.
. "$(dirname "$0")/common.sh"

config=${1:?}
tree=$LAB
case ${2:-} in
"") ;;
base) tree=$BASE which=unmodified ;;
*) tree=$BASE/$2 which="up to $2" ;;
esac
build=$tree/build/$config
name=kernel-$config${2:+-$2}

case $config in
x86*) arch=x86 seconds=600 ;;
arm64*) arch=arm64 seconds=720 ;;
*) die "no configuration $config: x86, arm64, or one of these, a dash, and a name in scripts/configs" ;;
esac

image=$(image_of $arch)
fragments_of "$config"

# What the build depends on. Equal to the last one: nothing to do.
state() {
	git -C "$tree/linux" ls-tree HEAD . tools/ | grep -vP '\t(Documentation|tools|tools/testing)$'
	git -C "$tree/linux" diff HEAD | sha256sum
	{ how_built && cat "${fragments[@]}" "$ROOT/scripts/host.c"; } | sha256sum
	"$RUSTC" --version
	"$BINDGEN" --version
	"clang$LLVM" --version | sed -n 1p
}

compile() {
	configure "$tree" "$config"
	kmake "$tree" "$config" $arch -j"$JOBS" "$(basename "$image")"
	if grep -q =m "$build/.config"; then
		kmake "$tree" "$config" $arch -j"$JOBS" modules
	fi
}

# Most objects are the same under another configuration: make finds which.
seed() {
	cp -a "$tree/build/$arch" "$build.part"
	rm -f "$build.part/state" "$build.part/$image"
	mv "$build.part" "$build"
}

rm -rf "$build.part"
[ -e "$build" ] || [ ! -e "$tree/build/$arch/state" ] || seed
mkdir -p "$build"
now=$(set -e && state)
if [ -s "$build/$image" ] && [ "$now" = "$(cat "$build/state" 2>/dev/null)" ]; then
	exit 0
fi
rm -f "$build/state"
[ ! -s "$build/$image" ] || name=re$name seconds=60
step "$name" $seconds "Building the $config kernel${2:+, $which}" compile
echo "$now" >"$build/state"
