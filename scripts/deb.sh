#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Make Debian packages of the kernel with the series, from a configuration of the user's, by the
# kernel's own bindeb-pkg; boot them in an emulator, if the configuration has what that takes.
# usage: deb.sh x86|arm64 [configure]   (configure: only find out whether it can be had)
# CONFIG is the configuration; without it that of the running system.
. "$(dirname "$0")/common.sh"

arch=${1:?}
only=${2:-}
config=${CONFIG:-}
# As deep as the lab's other builds, whose objects ccache then has; packages come out beside it.
build=$LAB/build/deb-$arch
beside=$LAB/deb-$arch
out=$ROOT/out
suffix=-guestcaps

case $arch in
x86) debian=amd64 vendors="KVM_INTEL KVM_AMD" ;;
arm64) debian=arm64 vendors='' ;;
*) die "no architecture $arch: x86 or arm64" ;;
esac

if [ -z "$config" ]; then
	config=/boot/config-$(uname -r)
	[ -r "$config" ] ||
		die "no $config: name a configuration, make deb CONFIG=file; a running kernel may have its own in /proc/config.gz"
	[ "$(dpkg --print-architecture)" = "$debian" ] ||
		die "$config is not for ARCH=$arch: name a configuration, make deb ARCH=$arch CONFIG=file"
fi
[ -r "$config" ] || die "cannot read CONFIG=$config: name a kernel's configuration"
grep -q '^CONFIG_' "$config" || die "CONFIG=$config is no kernel's configuration: it sets nothing"

deb_make() { kmake "$LAB" "deb-$arch" "$arch" CLIPPY=0 LOCALVERSION=$suffix "$@"; }
option() { "$LAB/linux/scripts/config" --file "$build/.config" "$@"; }
value() { sed -n "s/^CONFIG_$1=//p" "$build/.config"; }

# unmet OPTION KCONFIG - what the option depends on and the configuration has otherwise, with the values.
unmet() {
	local line word words known values
	sed -n "/^config $1\$/,/^config /s/^\tdepends on //p" "$2" | while read -r line; do
		mapfile -t words < <(grep -oE '[A-Z][A-Z0-9_]+' <<<"$line")
		values=
		# As numbers, which the shell reckons with.
		for word in "${words[@]}"; do
			known=$(value "$word")
			values+=", $word=${known:-n}"
			case $known in
			y | m) declare -i "$word=1" ;;
			*[!0-9]* | '') declare -i "$word=0" ;;
			*) declare -i "$word=known" ;;
			esac
		done
		((line)) || echo "$line: here ${values#, }"
	done
}

take_config() {
	local key vendor
	mkdir -p "$build" "$beside"
	cp "$config" "$build/.config"
	# Keys of the distribution's are not in the tree.
	for key in SYSTEM_TRUSTED_KEYS SYSTEM_REVOCATION_KEYS; do
		[ -e "$LAB/linux/$(value $key | tr -d '"')" ] || option --set-str $key ''
	done
	option --enable RUST --enable VIRTUALIZATION
	[ "$(value KVM)" = y ] || { [ -z "$vendors" ] && option --enable KVM; } || option --module KVM
	for vendor in $vendors; do
		[ -n "$(value "$vendor")" ] || option --module "$vendor"
	done
	cp "$build/.config" "$beside/asked"
	deb_make olddefconfig
}

# What was asked for is there, or else what excludes it is named.
check() {
	if [ "$(value RUST)" != y ]; then
		unmet RUST "$LAB/linux/init/Kconfig" | sed 's/^/    CONFIG_RUST depends on /' >&2
		die "KVM needs CONFIG_RUST, which $config excludes: change these options in a copy, and make deb CONFIG=copy"
	fi
	[ -n "$(value KVM)" ] || {
		unmet KVM "$LAB/linux/arch/$arch/kvm/Kconfig" | sed 's/^/    CONFIG_KVM depends on /' >&2
		die "$config has no KVM: change these options in a copy, and make deb CONFIG=copy"
	}
	grep -qE '^CONFIG_KVM_(INTEL|AMD)=|^CONFIG_ARM64=' "$build/.config" ||
		die "$config has neither KVM_INTEL nor KVM_AMD: turn on CPU_SUP_INTEL or CPU_SUP_AMD in a copy, and make deb CONFIG=copy"
}

package() {
	rm -f "$build"/../*.{deb,changes,buildinfo} "$beside"/*.deb
	# Debug information would be most of it.
	DEB_BUILD_PROFILES=${DEB_BUILD_PROFILES-pkg.linux-upstream.nokerneldbg} deb_make -j"$JOBS" bindeb-pkg
	mv "$build"/../*.deb "$beside/"
	rm -f "$build"/../*.{changes,buildinfo}
}

# The package's kernel, with its modules, runs KVM: under kvm-amd, or on arm64.
boot() {
	local lane=amd root=$beside/unpacked release job=$beside/job
	local initrd=$beside/initrd module=kvm-amd action file
	[ "$arch" = x86 ] || { lane=arm64 module=kvm; }
	"$ROOT/scripts/selftests.sh" "$arch" demo
	rm -rf "$root"
	dpkg-deb -x "$image" "$root"
	release=$(basename "$root"/lib/modules/*)
	mkdir -p "$root/initrd/modules"
	while read -r action file; do
		[ "$action" = insmod ] || continue
		case $file in
		*.xz) xz -dc "$file" ;;
		*.zst) zstd -qdc "$file" ;;
		*.gz) gzip -dc "$file" ;;
		*) cat "$file" ;;
		esac >"$root/initrd/modules/$(basename "${file%%.ko*}").ko"
		echo "$(basename "${file%%.ko*}").ko" >>"$root/initrd/modules/order"
	done < <(/sbin/modprobe --show-depends -d "$root" -S "$release" $module)
	cp "$LAB/selftests/$arch/demo.cpio" "$initrd"
	(cd "$root/initrd" && find modules | sort | cpio --quiet -o -H newc -R 0:0) >>"$initrd"
	echo "set -e
uname -r | grep -x '$release'
guestcaps host | grep KVM_GUEST_CAPS" >"$job"
	say "  Booting $release in an emulator."
	TIMEOUT=${TIMEOUT:-300} boot_or_die "$LOGS/deb-$arch-boot.log" $lane "$root/boot/vmlinuz-$release" "$initrd" "$job"
	say "  It runs KVM, with KVM_GUEST_CAPS."
}

step "deb-$arch-configure" 20 "Configuring from $config" take_config
check
"$LAB/linux/scripts/diffconfig" "$beside/asked" "$build/.config" >"$beside/differences"
say "  Options that differ from it: $(wc -l <"$beside/differences"), see $beside/differences"
[ "$only" != configure ] || exit 0

step "deb-$arch" 3600 "Building packages" package
shopt -s nullglob
packages=("$beside"/linux-image-*.deb "$beside"/linux-headers-*.deb)
mkdir -p "$out"
cp "${packages[@]}" "$out/"
for image in "${packages[@]##*/}"; do
	case $image in *-dbg_*) ;; *) break ;; esac
done
image=$out/$image
if grep -qxE 'CONFIG_SERIAL_(8250|AMBA_PL011)_CONSOLE=y' "$build/.config" && [ "$(value BLK_DEV_INITRD)" = y ]; then
	boot
else
	say "  Not booted: $config has no serial console, or no initramfs."
fi
say "  Packages:"
printf '    out/%s\n' "${packages[@]##*/}"
say "  To install: apt-get install ./out/${image##*/}; your present kernel stays beside it."
