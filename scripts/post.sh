#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Write the series to out/ as drafts, or ready to be sent.
# usage: post.sh draft [TREE] [BASE]   and try whether they apply on BASE of TREE
#        post.sh post TREE [BASE] [SERIES...]
. "$(dirname "$0")/common.sh"

command=$1 tree=${2:-} base=${3:-HEAD}
shift $(($# < 3 ? $# : 3))
"$ROOT/scripts/source.sh"
"$ROOT/scripts/source.sh" upstream
case $command in
draft)
	"$ROOT/scripts/post.py" draft
	if [ -n "$tree" ] || [ "$base" != HEAD ]; then
		"$ROOT/scripts/post.py" try "${tree:-$LAB/linux}" "$base"
	fi
	;;
post)
	[ -n "$tree" ] || die "KDIR is missing: a git tree of upstream's, on which the series are put"
	exec "$ROOT/scripts/post.py" post "$tree" "$base" "$@"
	;;
*) die "no command $command: draft or post" ;;
esac
