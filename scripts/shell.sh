#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# A busybox shell in the lane's kernel, with the selftests in /kselftest.
# usage: shell.sh amd|intel|arm64
. "$(dirname "$0")/common.sh"

case ${1:?} in
arm64) arch=arm64 ;;
*) arch=x86 ;;
esac
say "  Leave the shell with exit; the selftests are in /kselftest/kvm."
exec "$ROOT/scripts/boot.sh" "$1" "$LAB/build/$arch/$(image_of $arch)" "$LAB/selftests/$arch/rootfs.cpio"
