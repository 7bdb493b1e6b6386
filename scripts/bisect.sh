#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build KVM at each commit of the series, on both architectures, without a warning.
# usage: bisect.sh [--tip] [CONFIG...]   CONFIG: x86, x86-m, x86-gcc and arm64 unless said otherwise;
# --tip: at the last one only, and with all that scripts/configs has
# What was built once is known by its tree, and not built again. One line a commit, or with --tip a
# configuration; status 1 if one of them fails.
. "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" kernel arm64 matrix
"$ROOT/scripts/source.sh"
range=base..guestcaps tip=no
configs=(x86 x86-m x86-gcc arm64)
if [ "${1:-}" = --tip ]; then
	shift
	range=guestcaps^..guestcaps tip=yes
	mapfile -t configs < <(cd "$ROOT/scripts/configs" && printf '%s\n' x86*.config arm64*.config)
	configs=("${configs[@]%.config}")
fi
[ $# -eq 0 ] || configs=("$@")
known=$CACHE/bisect
tree=$LAB/bisect
mkdir -p "$known" "$tree/build"
git -C "$LAB/linux" worktree prune
[ -e "$tree/linux/.git" ] || git -C "$LAB/linux" worktree add -q -f --detach "$tree/linux" base

# key COMMIT CONFIG - what KVM is made of.
key() {
	local fragments tool
	fragments_of "$2"
	{
		git -C "$LAB/linux" ls-tree "$1" arch/Kconfig "arch/${2%%-*}" include/ kernel/ rust/ virt/ scripts/
		cat "${fragments[@]}" "$0" "$ROOT/scripts/common.sh"
		echo "$tip"
		for tool in "$RUSTC" "$CACHE/tools/rust-"{oldest,newest}/rustc "$BINDGEN" "clang$LLVM" gcc aarch64-linux-gnu-gcc; do
			"$tool" --version | head -n 1
		done
	} | sha256sum | cut -c 1-32
}

# build COMMIT CONFIG - "ok", or what is wrong with it.
build() {
	local log=$LOGS/bisect-$2.log arch=${2%%-*}
	local targets=(prepare "arch/$arch/kvm/" virt/kvm/)
	# What only a linker or modpost finds, at the tip.
	[ "$tip" = no ] || case $2 in
	*-m | *-lto | *-cfi | *-modversions) targets=(all) ;;
	esac
	# A warning would be forgotten by the next run.
	if ! { git -C "$tree/linux" checkout -q -f "$1" && (configure "$tree" "$2" CONFIG_WERROR=y) &&
		kmake "$tree" "$2" "$arch" -j"$JOBS" "${targets[@]}"; } >"$log" 2>&1; then
		cp "$log" "$log.$1"
		echo "FAILED, see $log.$1"
	elif grep -qE '^warning|: warning' "$log"; then
		cp "$log" "$log.$1"
		echo "warns, see $log.$1"
	else
		echo ok
	fi
}

status=0
git -C "$LAB/linux" log --reverse --format='%H %s' "$range" >"$tree/commits"
[ -s "$tree/commits" ] || die "there is no commit in $range of $LAB/linux"
while read -r commit subject; do
	line=
	for config in "${configs[@]}"; do
		begin=$SECONDS
		record=$known/$config-$(key "$commit" "$config")
		if ! [ -s "$record" ]; then
			verdict=$(build "$commit" "$config")
			[ "$verdict" != ok ] || echo ok >"$record"
		else
			verdict=ok
		fi
		[ "$verdict" = ok ] || status=1
		if [ $tip = no ]; then
			line+="  $config: $verdict"
		else
			say "$(printf '%-20s' "$config") $verdict  ($(clock $((SECONDS - begin))))"
		fi
	done
	[ -z "$line" ] || say "$(cut -c 1-10 <<<"$commit")$line  $subject"
done <"$tree/commits"
exit $status
