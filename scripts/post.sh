#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Write the series as patches to out/, and make sure that they are what the lab builds.
# usage: post.sh
# To post them: b4 send, in the lab's kernel tree, where the branch is enrolled in b4.
. "$(dirname "$0")/common.sh"

out=$ROOT/out
IFS='<>' read -r author mail _ <"$ROOT/series/author"
author=("-c" "user.name=${author% }" "-c" "user.email=$mail")
tree=$LAB/linux

# enroll - give b4 what it keeps of a series: the cover letter and a change id.
enroll() {
	local subject change_id
	subject=$(head -n 1 "$ROOT/series/cover")
	[ -n "$subject" ] || die "series/cover is empty: its first line is the series' subject"
	change_id=20260101-guestcaps-$(sha256sum <<<"$subject" | cut -c 1-12)
	git -C "$tree" config b4.prep-cover-strategy branch-description
	git -C "$tree" config branch.guestcaps.b4-prep-cover-strategy branch-description
	git -C "$tree" config branch.guestcaps.b4-tracking "{\"series\": {\"revision\": 1, \
\"change-id\": \"$change_id\", \"base-branch\": \"base\", \"prefixes\": []}}"
	git -C "$tree" config branch.guestcaps.description "$(cat "$ROOT/series/cover")"
}

# same_tree - git am of the patches on the unmodified kernel gives the tree that the lab builds.
same_tree() {
	local scratch
	scratch=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder's name of now
	trap "git -C '$tree' worktree remove --force '$scratch/linux'; rm -rf '$scratch'" EXIT
	git -C "$tree" worktree add -q --detach --no-checkout "$scratch/linux" base
	cd "$scratch/linux"
	# Only folders that the patches touch: git am needs no others.
	git -C "$tree" diff --name-only base guestcaps | xargs -n 1 dirname | sort -u |
		xargs git sparse-checkout set
	git checkout -q
	git "${author[@]}" am -q "${patches[@]}"
	[ "$(git rev-parse 'HEAD^{tree}')" = "$(git rev-parse 'guestcaps^{tree}')" ] ||
		die "the patches in out/ do not give the tree that the lab builds"
}

"$ROOT/scripts/source.sh"
enroll
rm -rf "$out"
git -C "$tree" "${author[@]}" format-patch -q -o "$out" --cover-letter --cover-from-description=subject \
	--no-signature --zero-commit base..guestcaps
patches=("$out"/*.patch)
patches=("${patches[@]:1}") # without the cover letter
(same_tree)
say "series: git am of out/ on Linux $VERSION gives the lab's tree, $(git -C "$tree" rev-parse --short 'guestcaps^{tree}')"

# content PATCH - checkpatch has nothing to say. What it was content with it needn't see again, and
# names of ID register fields are as the Arm ARM has them.
content() {
	local seen
	seen=$CACHE/checkpatch/$(cat "$1" "$tree/scripts/checkpatch.pl" "${BASH_SOURCE[0]}" | sha256sum | cut -c 1-32)
	[ ! -e "$seen" ] || return 0
	(cd "$tree" && scripts/checkpatch.pl --strict --quiet --show-types \
		--ignore FILE_PATH_CHANGES,CAMELCASE "$1") && touch "$seen"
}
mkdir -p "$CACHE/checkpatch"
status=0
for patch in "${patches[@]}"; do
	content "$patch" || status=1
done
[ $status -eq 0 ] || die "checkpatch has complaints, see above"
# checkpatch's own use of codespell takes minutes.
{ git -C "$tree" diff base guestcaps | sed -n 's/^+//p' && cat "$ROOT"/series/{cover,*/*/message}; } |
	codespell -L crate - || die "words are misspelled, see above"
(cd "$tree" && scripts/get_maintainer.pl --no-rolestats "${patches[@]}" 2>/dev/null) >"$out/recipients" || true
say "series: checkpatch --strict is content; the patches are in out/:"
(cd "$out" && ls -1 ./*.patch)
