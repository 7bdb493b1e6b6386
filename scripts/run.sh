#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build the kernel of a lane, boot it in its emulator, and show guest capabilities at work.
# usage: run.sh amd|intel|arm64
. "$(dirname "$0")/common.sh"

lane=${1:?}
begin=$SECONDS
case $lane in
amd) config=x86 image=arch/x86/boot/bzImage part=x86 ;;
intel) config=x86 image=arch/x86/boot/bzImage part=intel ;;
arm64) config=arm64 image=arch/arm64/boot/Image part=arm64 ;;
esac
arch=${config%-m}

"$ROOT/scripts/setup.sh" kernel "$part"
"$ROOT/scripts/source.sh"
"$ROOT/scripts/kernel.sh" "$config"
"$ROOT/scripts/selftests.sh" "$arch" demo

# show WHAT CPU COMMANDS [SED] - boot the emulated host CPU and print what commands in it print.
show() {
	local log=$LOGS/run-$lane.log job=$LAB/demo.$lane
	say "  Booting $1."
	echo "$3" >"$job"
	CPU=$2 TIMEOUT=${TIMEOUT:-300} boot_or_die "$log" "$lane" \
		"$LAB/build/$config/$image" "$LAB/selftests/$arch/demo.cpio" "$job"
	say
	sed -e '/^guestcaps: /,$d' -e '/^\[ *[0-9.]*\]/d' -e '/^Random seed: /d' -e "${4:-}" "$log"
	say
}

# What a few features come to, and then a VM that asks for more than its host has.
both='/bin/guest_caps; echo; /bin/guest_caps_view'

say
case $lane in
amd)
	if [ "${ACCEL:-tcg}" = kvm ]; then
		show "on this machine's own processor, nested" "${CPU:-host}" "$both"
	elif [ -n "${CPU:-}" ]; then
		show "a host with -cpu $CPU" "$CPU" "$both"
	else
		# shellcheck disable=SC2016 # sed's own $
		show "a host that has all that the emulator has (-cpu max)" max /bin/guest_caps '/^host .*CPUID$/,$d'
		show "a host without RDPID and MOVBE (-cpu max,-rdpid,-movbe)" max,-rdpid,-movbe \
			"$both"
	fi
	;;
intel) show "a host with VMX, in Bochs (it takes longer)" "${CPU:-}" "$both" ;;
arm64)
	# shellcheck disable=SC2016 # For the guest's shell.
	show "an arm64 host with EL2" "${CPU:-max}" '/bin/idregs; echo
echo "A VMM asks for more: a second level of SM4, guarded control stacks, 56-bit addresses"
printf "ID_AA64ISAR0_EL1 1221121110212120\nID_AA64PFR1_EL1 0000100000000021\nID_AA64MMFR0_EL1 2100032310201127\n" >/tmp/wanted
cat /tmp/wanted; echo; /bin/idregs_explain /tmp/wanted || true'
	"$ROOT/scripts/map.py" --terminal
	say
	;;
esac
say "  Done in $(clock $((SECONDS - begin))). Logs: $LOGS. Try: make shell, make test, make help."
