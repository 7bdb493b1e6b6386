#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Run a command once nobody else builds in the same cache.
# usage: alone.sh WHAT COMMAND...   (WHAT: what others are told)
. "$(dirname "$0")/common.sh"

what=$1
shift
exec 9>>"$CACHE/lock"
if ! flock -n 9; then
	say "  Waiting for $(tail -n 1 "$CACHE/lock"), which uses $CACHE."
	flock 9
fi
echo "make $what (process $PPID)" >"$CACHE/lock"
exec "$@"
