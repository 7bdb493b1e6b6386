#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Get Linux into the lab, as a git repository with the series on top.
# usage: source.sh        the lab's tree: $LAB/linux, branch guestcaps
#        source.sh upstream   in it branch "upstream", without Debian's patches, if setup.sh fetched that
#        source.sh base       beside it the unmodified kernel: $BASE/linux
#        source.sh SERIES     the same with the series up to that one: $BASE/SERIES/linux
. "$(dirname "$0")/common.sh"

GIT_URL=https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git
# The tarball in Debian's linux-source-7.3 7.3.4-1~bpo13+1, with which all was tried. It has
# Debian's own patches on top of 7.3.4.
TARBALL_SHA256=76df1affb19f24926949369be1d74b60071c963c598ce8780bddd4bbf0fc3bc4

tree=$LAB/linux

git_tree() { git -C "$tree" -c core.autocrlf=false "$@"; }

commit_all() {
	# Packing 90,000 loose objects takes minutes.
	git_tree config gc.auto 0
	git_tree add -A -f . || return
	GIT_AUTHOR_DATE=2026-01-01T00:00:00Z GIT_COMMITTER_DATE=2026-01-01T00:00:00Z \
		git_tree -c user.name=guestcaps -c user.email=guestcaps@localhost \
		commit -q -m "Linux $VERSION"
}

# The user's tree is read and left as it is: what its HEAD has, or its files if it is no git
# repository.
from_kdir() {
	mkdir -p "$tree"
	if git -C "$KDIR" rev-parse -q --verify HEAD >/dev/null 2>&1; then
		git -C "$KDIR" archive HEAD | tar -x -C "$tree"
	else
		rsync -a --exclude='*.o' --exclude='*.cmd' --exclude='*.a' --exclude='/vmlinux*' "$KDIR/" "$tree/"
	fi
	git init -q -b base "$tree"
	commit_all
}

from_debian() {
	local unpack=$LAB/unpack
	rm -rf "$unpack"
	mkdir -p "$unpack"
	dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' >"$unpack/tar.xz" || return
	echo "$TARBALL_SHA256  $unpack/tar.xz" | sha256sum --check --quiet ||
		echo "another tarball than the one this was tried with: $(sha256sum "$unpack/tar.xz")"
	tar -xf "$unpack/tar.xz" -C "$unpack" || return
	mv "$unpack"/linux-source-* "$tree" || return
	rm -rf "$unpack"
	[ "$(version_in "$tree")" = "$VERSION" ] || {
		echo "error: Debian's source is $(version_in "$tree"), $VERSION is wanted"
		rm -rf "$tree"
		return 1
	}
	git init -q -b base "$tree" && commit_all
}

from_git() {
	git clone -q --depth 1 --branch "v$VERSION" "$GIT_URL" "$tree"
	git_tree checkout -q -B base
}

# A commit of its own: what is built stays as it is.
from_upstream() {
	local unpack=$LAB/unpack index=$LAB/upstream.index whole
	rm -rf "$unpack" "$index"
	mkdir -p "$unpack"
	tar -xf "$1" -C "$unpack" --strip-components=1
	GIT_INDEX_FILE=$index git_tree --work-tree="$unpack" add -A -f .
	whole=$(GIT_INDEX_FILE=$index git_tree write-tree)
	git_tree branch -f upstream "$(git_tree -c user.name=guestcaps -c user.email=guestcaps@localhost \
		commit-tree -m "Linux $VERSION, as upstream released it" "$whole")"
	rm -rf "$unpack" "$index"
}

get() {
	local deb
	# A tree that was left half done is no tree; and the unmodified one's folder is a worktree of one that
	# is gone.
	rm -rf "$tree" "$BASE"
	if [ -n "$KDIR" ]; then
		from_kdir
	elif deb=$(ls "$CACHE"/source/linux-source-*.deb 2>/dev/null); then
		from_debian "$deb" || {
			rm -rf "$tree" "$LAB/unpack"
			dpkg-deb --contents "$deb" >/dev/null || rm -f "$deb"
			from_git
		}
	else
		from_git
	fi
	git_tree checkout -q -b guestcaps
	git_tree update-ref refs/guestcaps/applied HEAD
}

check_kdir
if [ -n "$KDIR" ]; then
	left=''
	if ! head=$(git -C "$KDIR" rev-parse -q --verify 'HEAD^{tree}' 2>/dev/null); then
		[ ! -e "$tree/.git" ] ||
			left="is no git tree, and is taken as it was when the lab copied it: remove $LAB to have it copied anew"
	elif [ -e "$tree/.git" ] && [ "$head" != "$(git_tree rev-parse 'base^{tree}')" ]; then
		die "KDIR=$KDIR has moved since the lab copied it: remove $LAB to start anew"
	elif ! GIT_OPTIONAL_LOCKS=0 git -C "$KDIR" diff --quiet HEAD; then
		left="has edits that are left out: commit them there"
	fi
	[ -z "$left" ] || [ $# -gt 0 ] || say "  KDIR=$KDIR $left."
fi

mkdir -p "$LAB"
if ! git_tree rev-parse -q --verify refs/guestcaps/applied >/dev/null 2>&1; then
	step source 120 "Unpacking Linux $VERSION" get
	grep '^another tarball' "$LOGS/source.log" || true
fi

case ${1:-} in
base)
	# A checkout that was killed is no checkout.
	[ -e "$BASE/whole" ] || {
		[ -e "$BASE/linux/.git" ] && gone=$(git -C "$BASE/linux" ls-files -d) && [ -z "$gone" ] &&
			[ ! -e "$(git -C "$BASE/linux" rev-parse --git-path index.lock)" ] && touch "$BASE/whole"
	} || {
		rm -rf "$BASE/linux"
		mkdir -p "$BASE"
		step base-source 30 "Checking out the unmodified kernel" \
			git -C "$tree" worktree add -f --detach "$BASE/linux" base
		touch "$BASE/whole"
	}
	;;
upstream)
	tarball=$CACHE/source/linux_$VERSION.orig.tar.xz
	if [ -s "$tarball" ] && ! git_tree rev-parse -q --verify upstream >/dev/null; then
		step upstream-source 120 "Unpacking it" from_upstream "$tarball"
	fi
	;;
"") "$ROOT/scripts/series.py" apply "$tree" ;;
*)
	last=$("$ROOT/scripts/series.py" sets "$tree" | sed -n "s/^$1 .* //p")
	[ -n "$last" ] || die "no series $1: one of $(cd "$ROOT/series" && echo [0-9]*)"
	mkdir -p "$BASE/$1"
	if [ -e "$BASE/$1/linux/.git" ]; then
		git -C "$BASE/$1/linux" checkout -q -f --detach "$last"
	else
		git_tree worktree add -q -f --detach "$BASE/$1/linux" "$last"
	fi
	;;
esac
