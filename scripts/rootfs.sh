#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Make an initramfs: busybox, our /init, and the contents of each DIR at its root.
# Usage: rootfs.sh OUT.cpio BUSYBOX DIR...
set -euo pipefail

die() { echo "rootfs.sh: $*" >&2; exit 1; }

[[ $# -ge 2 ]] || die "usage: rootfs.sh OUT.cpio BUSYBOX DIR..."
out=$1 busybox=$2
shift 2

# A busybox that needs a dynamic linker cannot start in the guest.
[[ -r $busybox ]] || die "no busybox at $busybox: install busybox-static"
if readelf -l "$busybox" | grep -q INTERP; then
	die "$busybox is not static: install busybox-static"
fi

guest=$(dirname "$(realpath "$0")")/guest
root=$(mktemp -d)
trap 'rm -rf "$root" "$out.tmp"' EXIT

# The guest makes the applets' links itself: a foreign busybox does not run here.
mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin}
for dir; do
	[[ -d $dir ]] || die "no folder $dir"
	cp -a "$dir/." "$root/"
done
install -m 755 "$busybox" "$root/bin/busybox"
install -m 755 "$guest/init" "$root/init"
install -m 755 "$guest/timeout" "$root/usr/bin/timeout"

# The same contents give the same bytes, whoever makes them, and when. They are not
# compressed: an emulated CPU takes longer to unpack them than the host to read them.
chmod -R u+w,go-w,a+rX "$root"
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . -print0 | LC_ALL=C sort -z |
	cpio --null --quiet --reproducible -o -H newc -R 0:0) > "$out.tmp"
mv "$out.tmp" "$out"
