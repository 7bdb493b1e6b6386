#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Count instructions on the unmodified kernel and on ours, and show both with their ratio.
# usage: bench.sh x86|arm64 [SERIES]   SERIES: with those up to that one, instead of with all
# Each instruction of the emulated machine is one tick of its counter, so the same kernel gives the
# same figures on any machine.
. "$(dirname "$0")/common.sh"

arch=${1:?}
case $arch in
x86) lane=amd config=x86-bench program=guest_caps_bench what=kvm_amd ;;
arm64) lane=arm64 config=arm64 program=idregs_bench what=arm64 ;;
*) die "no architecture $arch: x86 or arm64" ;;
esac

"$ROOT/scripts/setup.sh" kernel "$arch"
"$ROOT/scripts/source.sh"
"$ROOT/scripts/source.sh" base
ours=ours tree=$LAB
if [ -n "${2:-}" ]; then
	ours=$2 tree=$BASE/$2
	"$ROOT/scripts/source.sh" "$2"
fi
"$ROOT/scripts/kernel.sh" $config ${2:+"$2"}
"$ROOT/scripts/kernel.sh" $config base
"$ROOT/scripts/selftests.sh" "$arch" demo

job=$LAB/bench.job
echo /bin/$program >"$job"

count() {
	local log=$LOGS/bench-$2.log
	say "  Counting on $1."
	SMP=1 CPU=max OPTIONS='-icount shift=0,sleep=off' TIMEOUT=${TIMEOUT:-600} \
		boot_or_die "$log" $lane "$3/build/$config/$(image_of "$arch")" "$LAB/selftests/$arch/demo.cpio" "$job"
	grep -E '^[0-9]+ [K0-9]' "$log" >"$LAB/bench-$arch.$2"
}

# What would be kvm.ko, if KVM were a module: code and constants, in bytes. The arm64 kernel has KUnit
# suites in it.
text() {
	local build=$1/build/$config
	[ "$arch" = x86 ] || return 0
	(cd "$build" && "llvm-ar$LLVM" t arch/x86/kvm/built-in.a | grep -vE '/(vmx|svm)/' |
		xargs "llvm-size$LLVM" | awk 'NR > 1 { sum += $1 } END { print sum, "kvm.ko, bytes of text" }')
}

# sizes TREE - what the compiler makes of structures, in bytes.
sizes() {
	local dir=$1/sizes
	mkdir -p "$dir"
	echo 'obj-m := sizes.o' >"$dir/Kbuild"
	printf '#include <linux/kvm_host.h>\nchar kvm[sizeof(struct kvm)], kvm_vcpu[sizeof(struct kvm_vcpu)];\n' >"$dir/sizes.c"
	kmake "$1" "$config" "$arch" M="$dir" sizes.o >"$LOGS/sizes.log" 2>&1 || die "see $LOGS/sizes.log"
	"llvm-nm$LLVM" -S --radix=d "$dir/sizes.o" | awk '$3 ~ /[BDC]/ { print $2 + 0, "struct " $4 ", bytes" }'
}

count "the unmodified kernel" base "$BASE"
count "$ours" "$ours" "$tree"
[ "$ours" != ours ] || PYTHONPATH=$ROOT/scripts python3 -c 'import left; print(left.commit())' >"$LAB/bench-$arch.commit"
{ text "$BASE" && sizes "$BASE"; } >>"$LAB/bench-$arch.base"
{ text "$tree" && sizes "$tree"; } >>"$LAB/bench-$arch.$ours"

say
awk -v what="instructions (icount), $what" -v ours="$ours" \
	'BEGIN { printf "%-62s %10s %10s %7s\n", what, "unmodified", ours, "ratio" }
	{ count = $1; sub(/^[0-9]+ /, "") }
	FNR == NR { base[$0] = count; next }
	$0 in base { printf "%-62s %10d %10d %7.3f\n", $0, base[$0], count, count / base[$0]; next }
	{ printf "%-62s %10s %10d %7s\n", $0, "-", count, "-" }' \
	"$LAB/bench-$arch.base" "$LAB/bench-$arch.$ours"
