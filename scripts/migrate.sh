#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Move VMs between the unmodified kernel and ours, with QEMU: of several models, and ones that have VMs
# of their own.
# usage: migrate.sh x86|arm64
# CPU, APPEND and QEMU say what the emulated host is, as for boot.sh; without APPEND an arm64 one has
# no AArch32, as 7.3.4 takes no VM with EL2 from ours on a host that has. A VM is moved well if it
# runs on, and reads in each register what it read before, or, on arm64, where KVM ignores that, what a
# new VM reads.
. "$(dirname "$0")/common.sh"

arch=${1:?}
case $arch in
x86)
	lane=amd target=x86_64-unknown-linux start=0x100000
	# VMs that don't idle leave little to the host's own threads, and an emulated timer may be late.
	export APPEND="rcupdate.rcu_cpu_stall_suppress=1 no_timer_check ${APPEND:-}"
	;;
arm64)
	lane=arm64 target=aarch64-none-elf start=0x40100000
	export APPEND="kvm-arm.mode=nested ${APPEND:-arm64.no32bit_el0}"
	;;
*) die "no architecture $arch: x86 or arm64" ;;
esac
"$ROOT/scripts/setup.sh" kernel "$arch" inside
"$ROOT/scripts/source.sh"
"$ROOT/scripts/source.sh" base
"$ROOT/scripts/kernel.sh" "$arch"
"$ROOT/scripts/kernel.sh" "$arch" base

dir=$LAB/migrate/$arch
rm -rf "$dir"
mkdir -p "$dir/root/debian" "$dir/vms"
"clang$LLVM" --target=$target -nostdlib -static -fuse-ld=lld -Wl,-N,-Ttext=$start \
	-o "$dir/root/debian/vm" "$ROOT/scripts/guest/vm-$arch.S"
"$ROOT/scripts/rootfs.sh" "$dir/rootfs.cpio" "$(busybox_of "$arch")" "$CACHE/tools/inside-$arch" "$dir/root"

boots=0
# on KERNEL COMMAND... - boot it, with all VMs so far, run commands of guest/migrate, keep new VMs.
on() {
	local tree=$LAB log=$LOGS/migrate-$arch-$((boots += 1)).log
	[ "$1" = ours ] || tree=$BASE
	say "  Booting $1: ${*:2}"
	# shellcheck disable=SC2016 # For the guest's shell.
	{
		echo "CPU='${CPU:-}'"
		cat "$ROOT/scripts/guest/inside" "$ROOT/scripts/guest/migrate"
		printf '%s\n' "cd /tmp && base64 -d <<END | tar -xzm"
		tar -C "$dir/vms" -cz . | base64
		printf '%s\n' END "touch old" "${@:2}" "echo VMs begin" \
			'tar -cz $(find . -type f -newer old) | base64' "echo VMs end"
	} >"$dir/job"
	TIMEOUT=${TIMEOUT:-2400} boot_or_die "$log" $lane "$tree/build/$arch/$(image_of "$arch")" "$dir/rootfs.cpio" "$dir/job"
	sed -n '/^VMs begin/,/^VMs end/{/^VMs /!p}' "$log" | base64 -d | tar -C "$dir/vms" -xz
	! sed '1,/^guestcaps: dmesg begin/d' "$log" | grep -E 'WARNING: |BUG: |Oops|Call Trace' ||
		die "the kernel complained; whole console: $log"
}
on 7.3.4 "all 7.3.4"
on ours "all ours" "all 7.3.4-ours ours-ours"
on 7.3.4 "all 7.3.4-7.3.4 ours-7.3.4 7.3.4-ours-7.3.4"

# The last whole round that a VM printed.
registers() {
	awk '/^round/ { last = all; all = ""; next } { all = all $0 "\n" } END { printf "%s", last }' \
		"$1.out"
}

# How VM $1 was moved, or status 1.
moved() {
	local from=${1%-*} rounds inner=''
	rounds=$(($(grep ^round "$from.out" | tail -n 1 | sed 's/round /0x/') + 1))
	[ "$(grep -m 1 ^round "$1.out")" = "$(printf 'round %016x' $rounds)" ] ||
		{ echo "FAILED: it doesn't run on"; grep qemu-system "$1.log" | tail -n 1; return 1; }
	# Only then the state of SVM is more than registers.
	! grep -qa kvm_nested_state/svm "$from.state" || inner=" in its own VM"
	awk -v arch="$arch" -v inner="$inner" -v try="$(<"$1.try")" 'FNR == 1 { file++ }
		file == 1 { old[$1] = $2 }
		file == 2 { new[$1] = $2 }
		file == 3 { count++; seen[$1] = 1 }
		file == 3 && $2 != old[$1] && $2 == new[$1] { ignored = ignored " " $1 }
		file == 3 && $2 != old[$1] && $2 != new[$1] { bad = bad " " $1 " " old[$1] " " $2 }
		END {
			for (name in old) if (!(name in seen)) bad = bad " " name " missing"
			if (arch == "x86") { bad = bad ignored; ignored = "" }
			if (bad || !count) { print "FAILED:" bad; exit 1 }
			print "runs on" inner (try > 1 ? ", at try " try : "") ", " (ignored ? "as in a new VM:" ignored : "all as before")
		}' <(registers "$from") <(registers "${1%%-*}-${1##*-}") <(registers "$1")
}

cd "$dir/vms"
say
failed=0
for vm in *-*-*.out; do
	vm=${vm%.out}
	path=${vm#*-}
	printf '%-11s %-24s ' "${vm%%-*}" "${path//-/ -> }"
	moved "$vm" || failed=1
done
# Userspace sees no difference there, and so QEMU asks for the same.
[ "$arch" != x86 ] || for vm in *.try; do
	vm=${vm%%-*}
	[ "$vm" != "${last-}" ] || continue
	last=$vm
	printf '%-11s %-24s ' "$vm" "new"
	if cmp -s <(registers "$vm-7.3.4") <(registers "$vm-ours"); then
		echo "the same on both"
	else
		echo "FAILED: not the same on both"
		failed=1
	fi
done
exit $failed
