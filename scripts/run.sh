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

job=$LAB/demo.$lane
if [ "$arch" = x86 ]; then
	echo '/bin/guest_caps' >"$job"
else
	echo '/bin/idregs' >"$job"
fi

# show WHAT CPU [SED] - boot the emulated host CPU and print what the guest's program prints.
show() {
	local log=$LOGS/run-$lane.log
	say "  Booting $1."
	CPU=$2 TIMEOUT=${TIMEOUT:-300} boot_or_die "$log" "$lane" \
		"$LAB/build/$config/$image" "$LAB/selftests/$arch/demo.cpio" "$job"
	say
	sed -e '/^guestcaps: /,$d' -e '/^\[ *[0-9.]*\]/d' -e '/^Random seed: /d' -e "${3:-}" "$log"
	say
}

say
case $lane in
amd)
	if [ "${ACCEL:-tcg}" = kvm ]; then
		show "on this machine's own processor, nested" "${CPU:-host}"
	elif [ -n "${CPU:-}" ]; then
		show "a host with -cpu $CPU" "$CPU"
	else
		# shellcheck disable=SC2016 # sed's own $
		show "a host that has all that the emulator has (-cpu max)" max '/^host .*CPUID$/,$d'
		show "a host without RDPID and MOVBE (-cpu max,-rdpid,-movbe)" max,-rdpid,-movbe
	fi
	;;
intel) show "a host with VMX, in Bochs (it takes longer)" "${CPU:-}" ;;
arm64) show "an arm64 host with EL2" "${CPU:-max}" ;;
esac
say "  Done in $(clock $((SECONDS - begin))). Logs: $LOGS. Try: make shell, make test, make help."
