#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Bring the commits of the lab's kernel tree back to series/.
# usage: refresh.sh
. "$(dirname "$0")/common.sh"

[ -e "$LAB/linux/.git" ] || die "there is no kernel tree yet: make kernel"
exec "$ROOT/scripts/series.py" refresh "$LAB/linux"
