#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Boot KERNEL in an emulator: run the shell script JOB in the guest, or give a shell.
# Usage: boot.sh amd|intel|arm64 KERNEL INITRD [JOB]
#
# Environment:
#   CPU      emulator's CPU model            APPEND   more kernel parameters
#   SMP MEM  CPUs, memory in MB              ACCEL    tcg, or kvm (lane amd)
#   TIMEOUT  seconds, 0 for none             OPTIONS  more options for QEMU
#   QEMU     program to take for qemu-system-*
#
# Exit status: JOB's; 124 after TIMEOUT; 125 if the guest did not end JOB.
set -euo pipefail

die() { echo "boot.sh: $*" >&2; exit 125; }

[[ $# -eq 3 || $# -eq 4 ]] || die "usage: boot.sh amd|intel|arm64 KERNEL INITRD [JOB]"
lane=$1 kernel=$2 initrd=$3 job=${4-}
timeout=${TIMEOUT:-0} accel=${ACCEL:-tcg}

for file in "$kernel" "$initrd" ${job:+"$job"}; do
	[[ -r $file ]] || die "cannot read $file"
done
[[ $accel = tcg || $lane = amd ]] || die "lane $lane cannot use ACCEL=$accel: leave it out"
need() { command -v "$1" > /dev/null || die "no $1: install $2"; }

tmp=$(mktemp -d)
tty=
emulator=
drainer=
# shellcheck disable=SC2317 # The trap calls it.
cleanup() {
	# Bochs leaves the terminal raw when it is killed.
	if [[ $tty ]]; then stty "$tty" 2> /dev/null || :; fi
	if [[ $emulator ]]; then kill "$emulator" 2> /dev/null || :; fi
	if [[ $drainer ]]; then kill "$drainer" 2> /dev/null || :; fi
	# Whoever opens a pipe waits for its other side, which may never have come.
	if [[ -p $tmp/com1 ]]; then : <> "$tmp/com1"; fi
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'where; exit 143' TERM HUP

# Where QEMU's CPUs are, three times, for who ends it because it says nothing.
# shellcheck disable=SC2317
where() {
	[[ $emulator && -p $tmp/monitor.in ]] || return 0
	for _ in 1 2 3; do
		echo "info registers -a" > "$tmp/monitor.in"
		sleep 1
	done
	timeout 2 cat "$tmp/monitor.out" | grep -aoE 'CPU#[0-9]+|(PC|RIP)=[0-9a-f]+|HLT=[01]' || :
}

# The kernel unpacks archives that follow each other: the big one is made once.
cp "$initrd" "$tmp/initrd"
if [[ $job ]]; then
	install -m 755 "$job" "$tmp/job"
	(cd "$tmp" && echo job | cpio --quiet -o -H newc -R 0:0 | gzip -n >> initrd)
fi

append="quiet panic=-1 log_buf_len=1M"
[[ $job ]] || append+=" TERM=${TERM:-linux}"

qemu() {
	local program=${QEMU:-$1}
	need "$program" "$2${QEMU:+ (scripts/setup.sh arm64 fetches a newer one)}"
	run=("$program" -accel "$accel" -smp "${SMP:-2}" -m "${MEM:-2048}"
	     -nodefaults -display none -no-reboot
	     -kernel "$kernel" -initrd "$tmp/initrd" -append "$append ${APPEND-}"
	     "${@:3}")
	if [[ $job ]]; then
		mkfifo "$tmp/monitor.in" "$tmp/monitor.out"
		run+=(-serial stdio -chardev "pipe,id=monitor,path=$tmp/monitor" -mon monitor)
	else
		run+=(-serial mon:stdio)
	fi
	# shellcheck disable=SC2206 # OPTIONS are words.
	run+=(${OPTIONS-})
}

# Bochs shows its screen on a terminal that it makes, not the one it runs on, and waits for good once
# that is full: each blink of the cursor counts.
drain() {
	local process index
	while sleep 1; do
		for process in /proc/[0-9]*; do
			grep -qsx bochs-bin "$process/comm" || continue
			grep -qsF "$tmp/bochsrc" "$process/cmdline" || continue
			index=$(sed -n 's/^tty-index:[[:space:]]*//p' "$process"/fdinfo/* | head -n 1) || :
			[[ ! $index ]] || exec cat "/dev/pts/$index"
		done
	done > /dev/null 2>&1
}

bochs() {
	local name com1 sync=none
	need bochs "bochs and bochs-term"
	need xorriso xorriso
	need script bsdutils
	for name in /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32; do
		[[ -r $name ]] || die "no $name: install isolinux"
	done

	# Bochs has no boot loader of its own: El Torito.
	mkdir "$tmp/iso"
	cp "$kernel" "$tmp/iso/kernel"
	mv "$tmp/initrd" "$tmp/iso/initrd"
	cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$tmp/iso/"
	cat > "$tmp/iso/isolinux.cfg" <<-END
		default linux
		label linux
		kernel kernel
		initrd initrd
		append $append ${APPEND-}
	END
	xorriso -as mkisofs -quiet -o "$tmp/boot.iso" -b isolinux.bin -c boot.cat \
		-no-emul-boot -boot-load-size 4 -boot-info-table "$tmp/iso" 2> "$tmp/log" ||
		die "xorriso: $(tail -n 1 "$tmp/log")"
	rm -r "$tmp/iso"

	if [[ $job ]]; then
		mkfifo "$tmp/com1"
		com1="mode=file, dev=$tmp/com1"
	else
		tty=$(stty -g) || die "lane intel's shell wants a terminal as stdin"
		com1="mode=term, dev=$(tty)"
		# Time that the guest idles away passes at once, but not for a person.
		sync=slowdown
	fi

	# The kernel reboots after a panic by a triple fault, and that ends Bochs, as does
	# ACPI's poweroff: both are panics to it. About 25 million instructions a second is
	# what it reaches: a second in the guest, and a test's timeout, is then a real one.
	cat > "$tmp/bochsrc" <<-END
		display_library: term
		romimage: file=/usr/share/bochs/BIOS-bochs-latest
		vgaromimage: file=/usr/share/vgabios/vgabios.bin
		cpu: model=${CPU:-corei7_haswell_4770}, count=${SMP:-1}, ips=25000000, reset_on_triple_fault=0
		memory: guest=${MEM:-1024}, host=${MEM:-1024}
		ata0-master: type=cdrom, path=$tmp/boot.iso, status=inserted
		boot: cdrom
		com1: enabled=1, $com1
		clock: sync=$sync, time0=utc
		log: $tmp/log
		panic: action=fatal
		error: action=ignore
		info: action=ignore
		debug: action=ignore
	END
	# Debian's Bochs stops in its debugger, and its display wants a terminal.
	echo c > "$tmp/rc"
	run=(script -qfc "exec bochs -q -f $tmp/bochsrc -rc $tmp/rc" /dev/null)
	drain &
	drainer=$!
}

case $lane in
amd)
	# QEMU's timers mislead early calibration of the TSC by a few parts in a thousand, and
	# the clocksource watchdog: KVM would then find its guests' clocks at fault.
	append+=" console=ttyS0 kvm.tsc_tolerance_ppm=20000 tsc=nowatchdog"
	if [[ $accel = kvm ]]; then
		if [[ ! -w /dev/kvm ]] || ! grep -qw svm /proc/cpuinfo; then
			die "no /dev/kvm with SVM for the guest: leave ACCEL out"
		fi
		CPU=${CPU:-host}
	fi
	qemu qemu-system-x86_64 qemu-system-x86 -cpu "${CPU:-max}"
	;;
intel)
	# Its CPUID says HT, but one thread in leaf 1 and eight in leaf 4: the kernel warns.
	append+=" console=ttyS0,115200 reboot=triple clearcpuid=ht"
	bochs
	;;
arm64)
	append+=" console=ttyAMA0"
	qemu qemu-system-aarch64 qemu-system-arm -cpu "${CPU:-max}" \
		-machine virt,virtualization=on,gic-version=3
	;;
*)
	die "no lane $lane: take amd, intel or arm64"
	;;
esac
run=(timeout --foreground -k 5 "$timeout" "${run[@]}")

if [[ ! $job ]]; then
	if [[ $lane = intel ]]; then
		"${run[@]}" < /dev/null > /dev/null 2>&1 || :
	else
		"${run[@]}"
	fi
	exit
fi

# Lines end in CR LF on a serial line.
[[ $lane = intel ]] || mkfifo "$tmp/com1"
sed -u 's/\r$//' "$tmp/com1" | tee "$tmp/console" &
follow=$!
if [[ $lane = intel ]]; then
	"${run[@]}" < /dev/null > /dev/null 2>&1 &
	emulator=$!
else
	"${run[@]}" < /dev/null > "$tmp/com1" &
	emulator=$!
fi
status=0
wait $emulator || status=$?
emulator=
# As in cleanup.
: <> "$tmp/com1"
wait $follow || :

if [[ $status = 124 ]]; then
	echo "boot.sh: no end after $timeout seconds, emulator killed" >&2
	exit 124
fi
ended=$(sed -n 's/^guestcaps: job ended: \([0-9]*\)$/\1/p' "$tmp/console" | tail -n 1)
if [[ ! $ended ]]; then
	panic=$(grep -m 1 -o 'Kernel panic.*' "$tmp/console" || :)
	die "the guest did not end its job (${panic:-the emulator ended with status $status})"
fi
exit "$ended"
