#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Count instructions on the unmodified kernel and on ours, and show both with their ratio.
# usage: bench.sh
# Each instruction of the emulated machine is one tick of its TSC, so the same kernel gives the same
# figures on any machine.
. "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" kernel x86
"$ROOT/scripts/source.sh"
"$ROOT/scripts/source.sh" base
"$ROOT/scripts/kernel.sh" x86
"$ROOT/scripts/kernel.sh" x86 base
"$ROOT/scripts/selftests.sh" x86 demo

job=$LAB/bench.job
echo /bin/guest_caps_bench >"$job"

count() {
	local log=$LOGS/bench-$2.log
	say "  Counting on $1."
	SMP=1 CPU=max OPTIONS='-icount shift=0,sleep=off' TIMEOUT=${TIMEOUT:-600} \
		boot_or_die "$log" amd "$3/build/x86/arch/x86/boot/bzImage" \
		"$LAB/selftests/x86/demo.cpio" "$job"
	grep -E '^[0-9]+ [K0-9]' "$log" >"$LAB/bench.$2"
}

# What would be kvm.ko, if KVM were a module: code and constants, in bytes.
text() {
	local build=$1/build/x86
	(cd "$build" && "llvm-ar$LLVM" t arch/x86/kvm/built-in.a | grep -vE '/(vmx|svm)/' |
		xargs "llvm-size$LLVM" | awk 'NR > 1 { sum += $1 } END { print sum, "kvm.ko, bytes of text" }')
}

count "the unmodified kernel" base "$BASE"
count "ours" lab "$LAB"
text "$BASE" >>"$LAB/bench.base"
text "$LAB" >>"$LAB/bench.lab"

say
awk 'BEGIN { printf "%-62s %10s %10s %7s\n", "instructions (icount), kvm_amd", "unmodified", "ours", "ratio" }
	{ count = $1; sub(/^[0-9]+ /, "") }
	FNR == NR { base[$0] = count; next }
	$0 in base { printf "%-62s %10d %10d %7.3f\n", $0, base[$0], count, count / base[$0] }' \
	"$LAB/bench.base" "$LAB/bench.lab"
