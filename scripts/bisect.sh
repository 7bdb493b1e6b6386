#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build KVM at each commit of the series, on both architectures, without a warning.
# usage: bisect.sh [CONFIG...]   (x86, x86-m and arm64 unless said otherwise)
# What was built once is known by its tree, and not built again. One line a commit; status 1 if one
# of them fails.
. "$(dirname "$0")/common.sh"

"$ROOT/scripts/setup.sh" kernel arm64
"$ROOT/scripts/source.sh"
configs=("$@")
[ $# -gt 0 ] || configs=(x86 x86-m arm64)
known=$CACHE/bisect
tree=$LAB/bisect
mkdir -p "$known" "$tree/build"
git -C "$LAB/linux" worktree prune
[ -e "$tree/linux/.git" ] || git -C "$LAB/linux" worktree add -q -f --detach "$tree/linux" base

# What KVM is made of, beside the configuration.
key() {
	{
		git -C "$LAB/linux" ls-tree "$1" arch/ include/ kernel/ rust/ virt/ scripts/
		cat "$ROOT/scripts/configs/"*.config "$0"
		"$RUSTC" --version
		"clang$LLVM" --version | head -n 1
	} | sha256sum | cut -c 1-32
}

# build COMMIT CONFIG - "ok", or what is wrong with it.
build() {
	local config=$2 arch=${2%%-*} log=$LOGS/bisect-$2.log fragment=$tree/build/$2/fragment fragments
	fragments_of "$config"
	mkdir -p "${fragment%/*}"
	git -C "$tree/linux" checkout -q -f "$1"
	# A warning would be forgotten by the next run.
	{ cat "${fragments[@]}" && echo CONFIG_WERROR=y; } >"$fragment.new"
	{
		cmp -s "$fragment.new" "$fragment" ||
			kmake "$tree" "$config" "$arch" KCONFIG_ALLCONFIG="$fragment.new" allnoconfig &&
			kmake "$tree" "$config" "$arch" -j"$JOBS" prepare "arch/$arch/kvm/" virt/kvm/
	} >"$log" 2>&1 || { echo "FAILED, see $log.$1"; cp "$log" "$log.$1"; return; }
	mv "$fragment.new" "$fragment"
	if grep -qE '^warning|: warning' "$log"; then
		echo "warns, see $log.$1"
		cp "$log" "$log.$1"
	else
		echo ok
	fi
}

status=0
while read -r commit subject; do
	line=
	for config in "${configs[@]}"; do
		record=$known/$config-$(key "$commit")
		if ! [ -s "$record" ]; then
			verdict=$(build "$commit" "$config")
			[ "$verdict" != ok ] || echo ok >"$record"
		else
			verdict=ok
		fi
		[ "$verdict" = ok ] || status=1
		line+="  $config: $verdict"
	done
	say "$(cut -c 1-10 <<<"$commit")$line  $subject"
done < <(git -C "$LAB/linux" log --reverse --format='%H %s' base..guestcaps)
exit $status
