#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Post a series, and then its second version, in a made-up person's name from a made-up checkout; and
# see what must not be posted refused. Nothing is sent.
# Then one that is put on others.
# usage: try-post.sh
. "$(dirname "$0")/common.sh"

one=2-rust
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# A copy, as who posts writes to series/, and may have.
mkdir "$scratch/home"
copy_here "$scratch/here"
cd "$scratch/here"
: >series/author
rm -f series/*/changes
export HOME=$scratch/home GIT_CONFIG_GLOBAL=$scratch/home/.gitconfig GIT_CONFIG_NOSYSTEM=1 EMAIL=''
export XDG_CONFIG_HOME=$scratch/home XDG_CACHE_HOME=$scratch LAB_AT=$LAB
CACHE=$scratch/guestcaps

# A tree with a history, in which the release has a tag.
tree=$scratch/linux
git clone -q --shared --no-checkout -b base "$LAB/linux" "$tree"
me=(-c user.name=upstream -c user.email=upstream@lab.internal)
before=$(git -C "$tree" "${me[@]}" commit-tree -m "Before" "$(git -C "$tree" mktree </dev/null)")
release=$(git -C "$tree" "${me[@]}" commit-tree -p "$before" -m "Linux $VERSION" "origin/base^{tree}")
git -C "$tree" "${me[@]}" tag -m "Linux $VERSION" "v$VERSION" "$release"

# refused WORDS - posting fails, and says so.
refused() {
	local said
	if said=$(scripts/post.py post "$tree" "${base:-v$VERSION}" $one 2>&1); then
		die "posted, expected: $1"
	fi
	grep -q "^post: .*$1" <<<"$said" || die "expected \"$1\", got: $said"
}

# sent REVISION - what b4 wrote is whole.
sent() {
	local letter file
	scripts/post.py post "$tree" "v$VERSION" $one >"$scratch/said" 2>&1 || die "$(cat "$scratch/said")"
	letter=$(grep -l '^Subject: .* 0*0/' out/$one/*)
	[ "$(find out/$one -type f | wc -l)" -gt 2 ] || die "no patches in out/"
	grep -qx "base-commit: $release" "$letter" || die "v$1 lacks its base-commit"
	grep -q "^change-id: .*-$one-" "$letter" || die "v$1 lacks its change-id"
	grep -qx 'The guestcaps lab: https://lab.internal' "$letter" || die "v$1 doesn't say where the lab is"
	for file in "out/$one"/*; do
		if [ "$1" -gt 1 ]; then
			grep -qE "^Subject: \[PATCH (RFC )?v$1 " "$file" || die "$file is no v$1"
		fi
		grep -qx 'Signed-off-by: A Tester <tester@lab.internal>' "$file" || die "$file isn't signed"
		! grep -q 'guestcaps@localhost\|EDITME\|DRAFT' "$file" || die "$file is nobody's"
		[ "$file" = "$letter" ] || grep -qx 'Assisted-by: tool' "$file" || die "$file lacks Assisted-by"
	done
}

config() { git config --global "$@"; }
refused "nobody to post as"
config user.name "A Tester"
config user.email tester@example.org
refused "nobody to post as"
config user.email tester@lab.internal
refused "yet to declare guestcaps.certificate-of-origin, guestcaps.assisted-by, guestcaps.generated-content, guestcaps.lab"
printf '[guestcaps]\n\tassisted-by = tool\n\tgenerated-content = The tool wrote it.\n\tlab = https://lab.internal\n' >>series/author
config guestcaps.certificate-of-origin no
refused "is not \"yes\""
config guestcaps.certificate-of-origin yes
base=origin/base refused "no history of upstream's"
sent 1

# To a program that swallows it.
printf '#!/bin/sh\ncat >/dev/null\n' >"$scratch/sink"
chmod +x "$scratch/sink"
config sendemail.smtpserver "$scratch/sink"
clone=$(echo "$CACHE"/post-*)
git -C "$clone" checkout -q b4/$one
(cd "$clone" && echo | b4 send --no-sign) >"$scratch/said" 2>&1 || die "$(cat "$scratch/said")"
refused "v1 of $one is sent"
printf 'Changes in v2:\n- Nothing.\n' >series/$one/changes
sent 2
grep -q 'Link to v1: https://lore' out/$one/* || die "v2 has no link to v1"
(cd "$clone" && git checkout -q b4/$one && b4 prep --compare-to v1) >"$scratch/said" 2>&1 || die "$(cat "$scratch/said")"
grep -q ' = ' "$scratch/said" || die "b4 can't compare both versions: $(cat "$scratch/said")"

one=5-traps
sent 1
letter=$(grep -l '^Subject: .* 0*0/' out/$one/*)
[ "$(grep -c '^prerequisite-patch-id: ' "$letter")" -eq "$(find series/[1-4]-*/*/message | wc -l)" ] ||
	die "$one doesn't name what it is put on"
