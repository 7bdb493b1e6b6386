#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build the kernel of a lane, boot it in its emulator, and show guest capabilities at work.
# usage: run.sh amd|intel|arm64
. "$(dirname "$0")/common.sh"

lane=${1:?}
begin=$SECONDS
case $lane in
amd) arch=x86 part=x86 ;;
intel) arch=x86 part=intel ;;
arm64) arch=arm64 part=arm64 ;;
esac

"$ROOT/scripts/setup.sh" kernel "$part"
"$ROOT/scripts/source.sh"
"$ROOT/scripts/kernel.sh" "$arch"
"$ROOT/scripts/selftests.sh" "$arch" demo

# The host that is shown, and two others with which it shares a model.
case $lane in
amd)
	what="a host without RDPID and MOVBE" cpu=max,-rdpid,-movbe
	others=(EPYC-Rome 'Nehalem,vendor=AuthenticAMD,+svm,+npt')
	;;
intel) what="a host with VMX, in Bochs (it takes longer)" cpu='' others=() ;;
arm64) what="an arm64 host with EL2" cpu=max others=(neoverse-n1 a64fx) ;;
esac
if [ "${ACCEL:-tcg}" = kvm ]; then
	what="on this machine's own processor, nested" cpu=host others=()
fi
if [ -n "${CPU:-}" ]; then
	what="a host with that CPU" cpu=$CPU others=()
fi

if [ "$arch" = arm64 ]; then
	effective=
	model='# A second level of SM4, guarded control stacks, 56-bit addresses
ID_AA64ISAR0_EL1    20000000000/f0000000000
ID_AA64PFR1_EL1    100000000000/f00000000000
ID_AA64MMFR0_EL1              7/f'
else
	effective='title guest_caps; /bin/guest_caps || exit 1'
	model='# MOVBE and DSCPL, AVX512F, SERIALIZE
0x1.0:ecx  00400010/00400010
0x7.0:ebx  00010000/00010000
0x7.0:edx  00004000/00004000'
fi

# boot CPU JOB - run a job in an emulated host; its console goes to its log.
boot() {
	local job=$LAB/demo.$lane-$1
	echo "$2" >"$job"
	CPU=$1 TIMEOUT=${TIMEOUT:-300} boot_or_die "$LOGS/run-$lane-$1.log" "$lane" \
		"$LAB/build/$arch/$(image_of "$arch")" "$LAB/selftests/$arch/demo.cpio" "$job"
}

# said CPU - what the job had to say.
said() {
	sed -e '/^guestcaps: dmesg begin$/,$d' -e '/^\[ *[0-9.]*\]/d' -e '/^Random seed: /d' -e '/^qemu-system-/d' \
		"$LOGS/run-$lane-$1.log"
}

# A dump comes out of its host as text, and goes into another's job.
jobs=() files=()
for other in "${others[@]}"; do
	name=${other%%,*}.json
	say "  Booting $other."
	boot "$other" 'set -o pipefail; guestcaps dump | gzip -c | base64'
	files+=("$name")
	jobs+=("base64 -d <<END | gunzip -c >$name" "$(said "$other")" END)
done
[ ${#files[@]} -eq 0 ] || jobs+=("guestcaps dump >this.json" "tell common this.json ${files[*]}")

say "  Booting $what${cpu:+ (-cpu $cpu)}."
# The guest has a terminal, but who reads may have none.
[ -t 1 ] && plain='' || plain='export NO_COLOR=1'
boot "$cpu" "cd /tmp
$plain
title() { printf '\\n\$ %s\\n' \"\$*\"; }
tell() { title guestcaps \"\$@\"; guestcaps \"\$@\"; [ \$? -le 1 ] || exit 1; }
$effective
tell host
cat >model <<END
$model
END
title cat model; cat model
tell check model
$(printf '%s\n' "${jobs[@]}")
true"
say
said "$cpu"
[ "$lane" != arm64 ] || "$ROOT/scripts/map.py" --terminal
say
say "  Done in $(clock $((SECONDS - begin))). Logs: $LOGS. Try: make shell, make test, make help."
