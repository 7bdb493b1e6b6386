#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build KVM at each commit of the series, on both architectures, without a warning; boot it with x86-m
# and arm64: KUnit, that commit's own selftests, and what KVM says of CPUID or ID registers.
# usage: bisect.sh [--build | --tip] [CONFIG...]   CONFIG: x86, x86-m, x86-gcc and arm64 unless said
# otherwise; --build: without booting it; --tip: that, at the last one only, with all that scripts/configs has
# What went well once is known by its tree, and not done again. One line a commit and architecture, or
# with --tip a configuration; status 1 if one of them fails.
. "$(dirname "$0")/common.sh"

range=base..guestcaps tip=no boot=yes
configs=(x86 x86-m x86-gcc arm64)
if [ "${1:-}" = --build ]; then
	shift
	boot=no
elif [ "${1:-}" = --tip ]; then
	shift
	range=guestcaps^..guestcaps tip=yes boot=no
	mapfile -t configs < <(cd "$ROOT/scripts/configs" && printf '%s\n' x86*.config arm64*.config)
	configs=("${configs[@]%.config}")
fi
[ $# -eq 0 ] || configs=("$@")
for config in "${configs[@]}"; do
	case $config in
	x86 | x86-* | arm64 | arm64-*) (fragments_of "$config") ;;
	*) die "no configuration $config: see scripts/configs" ;;
	esac
done
"$ROOT/scripts/setup.sh" kernel x86 arm64 matrix
"$ROOT/scripts/source.sh"
known=$CACHE/bisect
mkdir -p "$known"
git -C "$LAB/linux" worktree prune

# boots CONFIG - whether it is booted at each commit.
boots() { [ "$boot" = yes ] && { [ "$1" = x86-m ] || [ "$1" = arm64 ]; }; }

# key COMMIT CONFIG - what KVM is made of, and if that is booted its selftests, and what boots it. What
# holds the outcome against the unmodified kernel's isn't in it: to edit a record is not to start anew.
key() {
	local fragments tool other=arm64
	[ "${2%%-*}" = x86 ] || other=x86
	fragments_of "$2"
	{
		git -C "$LAB/linux" ls-tree "$1" arch/Kconfig "arch/${2%%-*}" include/ kernel/ rust/ virt/ scripts/
		if boots "$2"; then
			git -C "$LAB/linux" rev-parse 'base^{tree}'
			git -C "$LAB/linux" ls-tree -r "$1" tools/testing/selftests/kvm/ | grep -vE "/($other|Makefile)"
			git -C "$LAB/linux" show "$1:tools/testing/selftests/kvm/Makefile.kvm" | grep -v "_$other"
			sed -n '/^OTHER_HOSTS/,/)$/p; /^ID_REGS/,/)$/p; /^AT_COMMITS/,/^]/p' "$ROOT/scripts/test.py"
			cat "$ROOT"/scripts/{host.c,boot.sh,rootfs.sh,guest/init,guest/timeout}
			"qemu-system-$([ "$2" = arm64 ] && echo aarch64 || echo x86_64)" --version | head -n 1
		fi
		sed -n '/^build()/,/^}/p' "$0"
		how_built
		cat "${fragments[@]}"
		echo "$tip"
		for tool in "$RUSTC" "$CACHE/tools/rust-"{oldest,newest}/rustc "$BINDGEN" "clang$LLVM" gcc aarch64-linux-gnu-gcc; do
			"$tool" --version | head -n 1
		done
	} | sha256sum | cut -c 1-32
}

# build COMMIT CONFIG - "ok", or what is wrong with it.
build() {
	local log=$LOGS/bisect-$2.log arch=${2%%-*} said
	local tree=$LAB/bisect/$arch targets=(prepare "arch/$arch/kvm/" virt/kvm/)
	# What only a linker or modpost finds, at the tip.
	[ "$tip" = no ] || case $2 in
	*-m | *-lto | *-cfi | *-modversions) targets=(all) ;;
	esac
	if boots "$2"; then
		targets=(Image)
		[ "$arch" = arm64 ] || targets=(bzImage modules)
	fi
	# A warning would be forgotten by the next run. The kernel's own doctests have one.
	if ! { git -C "$tree/linux" checkout -q -f "$1" && (configure "$tree" "$2" $'CONFIG_WERROR=y\nCONFIG_RUST_KERNEL_DOCTESTS=n') &&
		kmake "$tree" "$2" "$arch" -j"$JOBS" "${targets[@]}"; } >"$log" 2>&1 </dev/null; then
		cp "$log" "$log.$1"
		echo "FAILED, see $log.$1"
	elif grep -qE '^warning|: warning' "$log"; then
		cp "$log" "$log.$1"
		echo "warns, see $log.$1"
	elif ! boots "$2"; then
		echo ok
	elif said=$({ LAB_AT=$tree "$ROOT/scripts/selftests.sh" "$arch" &&
		"$ROOT/scripts/test.py" --at "$tree" --run "bisect-$arch"; } 2>&1); then
		tail -n 1 <<<"$said" | sed 's/, 0 failed.*//'
	else
		cat - "$LOGS/boot-bisect-$arch.log" <<<"$said" >"$log.$1"
		echo "FAILED, see $log.$1"
	fi
}

# each ARCH CONFIG... - all commits with these.
each() {
	local arch=$1 tree=$LAB/bisect/$1 status=0 commit subject line config begin record verdict
	shift
	mkdir -p "$tree/build"
	[ -e "$tree/linux/.git" ] || git -C "$LAB/linux" worktree add -q -f --detach "$tree/linux" base
	while read -r commit subject; do
		line=
		for config; do
			begin=$SECONDS
			record=$known/$config-$(key "$commit" "$config")
			if [ -s "$record" ]; then
				verdict=$(<"$record")
			else
				verdict=$(build "$commit" "$config")
				# Kconfig and modpost go on after a warning.
				if grep -qE '^WARNING: (modpost|unmet)' "$LOGS/bisect-$config.log"; then
					verdict="warns, see $LOGS/bisect-$config.log"
				fi
				case $verdict in
				*", see "*) status=1 ;;
				*) echo "$verdict" >"$record" ;;
				esac
			fi
			if [ $tip = no ]; then
				line+="  $config: $verdict"
			else
				say "$(printf '%-20s' "$config") $verdict  ($(clock $((SECONDS - begin))))"
			fi
		done
		[ -z "$line" ] || say "$(cut -c 1-10 <<<"$commit")$line  $subject"
	done <"$LAB/bisect/commits"
	return $status
}

mkdir -p "$LAB/bisect"
git -C "$LAB/linux" log --reverse --format='%H %s' "$range" >"$LAB/bisect/commits"
[ -s "$LAB/bisect/commits" ] || die "there is no commit in $range of $LAB/linux"
# What KVM says is asked by the newest program.
for config in "${configs[@]}"; do
	! boots "$config" || "$ROOT/scripts/selftests.sh" "${config%%-*}"
done
# The two beside each other: much of it is one program at a time.
loops=()
trap 'kill -- "${loops[@]/#/-}" 2>/dev/null; exit 130' INT TERM HUP
for arch in x86 arm64; do
	mapfile -t these < <(printf '%s\n' "${configs[@]}" | grep -xE "$arch(-.*)?")
	[ ${#these[@]} -ne 0 ] || continue
	set -m
	each $arch "${these[@]}" &
	set +m
	loops+=($!)
done
status=0
for loop in "${loops[@]}"; do
	wait "$loop" || status=1
done
exit $status
