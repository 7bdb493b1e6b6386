#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Remove what the lab built.
# usage: clean.sh [all]   (all: what was fetched, too; edits in the kernel tree are lost)
. "$(dirname "$0")/common.sh"

if [ "${1:-}" = all ]; then
	# But the lock that others may wait for.
	find "$CACHE" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
else
	# Kernel trees have folders of these names, too.
	rm -rf "$CACHE"/{lab,base}*/{build,selftests} "$CACHE"/base*/[0-9]*/build \
		"$CACHE"/lab*/bisect/{x86,arm64}/{build,selftests} "$CACHE"/lab*/{kut,migrate,deb-*} \
		"$CACHE"/{vmm,tools-guestcaps,held,posted,bisect} "$LOGS"
fi
rm -rf "$ROOT/out"
