#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Install what the lab needs, where it is missing, and check that it will do.
# usage: setup.sh PART...   (kernel x86 intel arm64 inside test fuzz deb report series matrix: what
# will be done)
. "$(dirname "$0")/common.sh"

RUST_MIN=1.85.0 # as scripts/min-tool-version.sh of the kernel has it
BINDGEN_MIN=0.71.1
QEMU_MIN=10.0
QEMU_NEW=11.1 # emulates arm64 features that 10.0 lacks; never installed, where Debian's own is older

case $LLVM in
-[0-9]*) ;;
*) die "LLVM=$LLVM is no version of Debian's: unset it, or take e.g. LLVM=-19" ;;
esac
codename=none
[ ! -r /etc/os-release ] || codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)

packages="make flex bison bc libelf-dev libssl-dev cpio gzip xz-utils rsync kmod ccache gcc
	libc6-dev uuid-dev git ca-certificates python3 gawk universal-ctags busybox-static
	clang${LLVM} lld${LLVM} llvm${LLVM} libclang${LLVM}-dev"
case $codename in
bookworm) packages+=" rustc-web rust-web-src rustfmt-web rust-web-clippy cargo-web" ;;
*) packages+=" rustc rust-src rustfmt rust-clippy cargo bindgen" ;;
esac
emulators=
need_gb=0
for part in "$@"; do
	case $part in
	kernel) need_gb=$((need_gb + 5)) ;;
	x86)
		emulators+=" qemu-system-x86"
		packages+=" python3-jsonschema"
		need_gb=$((need_gb + 1))
		;;
	intel) packages+=" bochs bochsbios vgabios bochs-term isolinux syslinux-common xorriso bsdutils" ;;
	arm64)
		emulators+=" qemu-system-arm"
		packages+=" gcc-aarch64-linux-gnu libc6-dev-arm64-cross python3-jsonschema"
		need_gb=$((need_gb + 1))
		;;
	inside) need_gb=$((need_gb + 1)) ;;
	test)
		packages+=" shellcheck b4 codespell python3-ply python3-git python3-sphinx python3-yaml sparse"
		need_gb=$((need_gb + 2))
		;;
	fuzz) packages+=" libclang-rt${LLVM}-dev" ;;
	deb)
		packages+=" dpkg-dev debhelper libdw-dev pahole zstd"
		need_gb=$((need_gb + 6))
		;;
	report) packages+=" python3-matplotlib" ;;
	matrix)
		packages+=" libdw-dev"
		need_gb=$((need_gb + 6))
		;;
	series) packages+=" b4 codespell python3-ply python3-git" ;;
	*) die "unknown part $part" ;;
	esac
done

missing() {
	# shellcheck disable=SC2086 # lists of words
	comm -13 <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null |
		sed -n 's/^ii *//p' | sort -u) <(printf '%s\n' $1 | sort -u)
}

# debian_site GREP... - the mirror that the system uses, of those that grep finds.
# shellcheck disable=SC2016 # apt expands it
debian_site() { apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep "$@" | head -n 1; }

# apt_with SUITES [ARCH] -- ARGUMENT... - apt-get with other suites than the system's, or with
# another architecture's packages. The system's own sources stay as they are; the mirror is the one
# that the system uses.
apt_with() {
	local suites=$1 arch="" dir site file suite
	shift
	[ "$1" = -- ] || { arch=$1; shift; }
	shift
	dir=$CACHE/apt/${suites// /+}${arch:+-$arch}
	if [ ! -s "$dir/ready" ]; then
		site=$(debian_site -vF security)
		[ -n "$site" ] || die "apt knows no Debian mirror: name one in /etc/apt/sources.list and run apt-get update"
		mkdir -p "$dir/sources" "$dir/lists/partial" "$dir/cache/archives/partial"
		if [ "$suites" = "$codename-backports" ]; then
			for file in /etc/apt/sources.list.d/*; do
				[ ! -s "$file" ] || cp "$file" "$dir/sources/"
			done
			[ ! -s /etc/apt/sources.list ] || cp /etc/apt/sources.list "$dir/sources/system.list"
		fi
		for suite in $suites; do
			case $suite in
			*-security) echo "deb $(debian_site -F security) $suite main" ;;
			*)
				echo "deb $site $suite main"
				[ "$suites" != trixie-backports ] || echo "deb-src $site $suite main"
				;;
			esac
		done >"$dir/sources/of-lab.list"
		cat >"$dir/apt.conf" <<-END
			Dir::Etc::sourcelist "/dev/null";
			Dir::Etc::sourceparts "$dir/sources";
			Dir::State::Lists "$dir/lists";
			Dir::Cache "$dir/cache";
			APT::Sandbox::User "root";
			${arch:+APT::Architecture "$arch";}
			${arch:+#clear APT::Architectures;}
			${arch:+APT::Architectures:: "$arch";}
		END
		as_root env APT_CONFIG="$dir/apt.conf" apt-get -q -o APT::Update::Error-Mode=any update || return
		echo yes >"$dir/ready"
	fi
	as_root env APT_CONFIG="$dir/apt.conf" DEBIAN_FRONTEND=noninteractive apt-get -q "$@" || {
		# The lists may be old.
		rm "$dir/ready"
		return 1
	}
}

# Asks for sudo's password while there is still a terminal to ask on.
may_install() { [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && sudo -v; }; }

install_packages() {
	as_root apt-get -q update
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $1
}

# starter FILE FOLDER PROGRAM [ARGUMENT...] - a script that starts a newer Debian's program with the
# libraries that were unpacked beside it.
starter() {
	local file=$1 dir=$2 program=$3 ld
	shift 3
	ld=$(cd "$dir" && echo usr/lib/*/ld-linux-*.so.?)
	cat >"$file" <<-END
		#!/bin/sh
		exec "$dir/$ld" --library-path "$dir/${ld%/*}" "$dir/usr/bin/$program" ${*@Q} "\$@"
	END
	chmod +x "$file"
}

# unpack_into FOLDER SUITES [ARCH] -- download PACKAGE...
unpack_into() {
	local dir=$1 deb
	rm -rf "$dir"
	mkdir -p "$dir/debs"
	cd "$dir/debs" || return
	apt_with "${@:2}" || return
	for deb in *.deb; do
		dpkg-deb -x "$deb" "$dir" || return
	done
	rm -rf "$dir/debs"
}

# Debian 12 has none. It finds the system's libclang by itself.
fetch_bindgen() {
	local dir=$CACHE/tools/bindgen
	unpack_into "$dir" "trixie trixie-backports" -- download bindgen libc6 libgcc-s1
	starter "$CACHE/tools/bin/bindgen" "$dir" bindgen
}

# into_source FILE ARGUMENT... - have apt-get download FILE, which is there when it is whole.
into_source() {
	local dir=$CACHE/source/part
	rm -rf "$dir"
	mkdir -p "$dir"
	cd "$dir" || return
	apt_with trixie-backports -- "${@:2}" || return
	# shellcheck disable=SC2086 # a pattern
	mv $1 "$CACHE/source/" || return
	cd / && rm -rf "$dir"
}

fetch_source() { into_source 'linux-source-7.3_*.deb' download linux-source-7.3; }

# Debian's source package has what upstream released, beside Debian's patches.
fetch_upstream() { into_source "linux_$VERSION.orig.tar.xz" source --download-only --tar-only linux; }

fetch_busybox() {
	local dir
	dir=$(mktemp -d)
	cd "$dir"
	apt_with "$codename" arm64 -- download busybox-static
	dpkg-deb -x busybox-static_*.deb .
	install -m 755 "$(find . -path '*/bin/busybox' -type f)" "$CACHE/tools/busybox-arm64.part"
	mv "$CACHE/tools/busybox-arm64.part" "$CACHE/tools/busybox-arm64"
	rm -rf "$dir"
}

# The standard library of this very compiler, for arm64.
std=libstd-rust-dev
[ "$codename" != bookworm ] || std=libstd-rust-web-dev
std_version() { dpkg-query -W -f '${Version}' $std; }
fetch_std() {
	local dir=$CACHE/tools/rust-arm64 suites=$codename version
	[ -z "$(debian_site -F security || true)" ] || suites+=" $codename-security"
	version=$(std_version) || return
	unpack_into "$dir.part" "$suites" arm64 -- download "$std=$version" || {
		echo "error: the mirror gives no $std $version for arm64: if it has a newer one, upgrade rustc to that"
		return 1
	}
	echo "$version" >"$dir.part/whole"
	rm -rf "$dir"
	mv "$dir.part" "$dir"
}

# unpack_debian FOLDER ARCH PACKAGE... - the newest that Debian has in $suites, with all libraries;
# without an ARCH the system's own.
unpack_debian() {
	local dir=$1 deb suites=${suites:-trixie trixie-backports}
	local debs=$CACHE/apt/${suites// /+}${2:+-$2}/cache/archives
	mkdir -p "$dir"
	# To a dpkg that knows of no package, every library is missing.
	apt_with "$suites" ${2:+"$2"} -- install -y --download-only \
		--no-install-recommends -t "${suites##* }" -o Dir::State::status=/dev/null \
		"${@:3}" || return
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$dir" || return
	done
	as_root rm -f "$debs"/*.deb
	rm -rf "$dir"/usr/share/{doc,man,locale}
}

# The oldest compiler that the kernel takes, which is Debian 13's, or the newest that Debian has.
fetch_rust() {
	local dir=$CACHE/tools/rust-$1 suites=${2:-}
	rm -rf "$dir"
	unpack_debian "$dir" "" rustc rust-src || return
	starter "$dir/rustc" "$dir" rustc
	starter "$dir/rustdoc" "$dir" rustdoc
	"$dir/rustc" --version || return
	touch "$dir/whole"
}

# What Debian configures the kernel with, on both architectures.
fetch_configs() {
	local dir=$CACHE/tools/debian-configs pair
	for pair in amd64:x86 arm64:arm64; do
		unpack_into "$dir" trixie-backports "${pair%:*}" -- download linux-config-7.3 || return
		xz -dc "$dir/usr/src/linux-config-7.3/config.${pair%:*}_none_${pair%:*}.xz" >"$dir/config" || return
		mv "$dir/config" "$CACHE/tools/debian-${pair#*:}.config"
		rm -rf "$dir"
	done
}

# One for the build machine, in a folder of its own, and a program there that starts it.
fetch_qemu() {
	local dir=$CACHE/tools/qemu-new
	rm -rf "$dir"
	mkdir -p "$dir"
	if at_least "$(version_of qemu-system-aarch64)" "$QEMU_NEW"; then
		ln -s "$(command -v qemu-system-aarch64)" "$dir/qemu-system-aarch64"
	else
		unpack_debian "$dir" "" qemu-system-arm || return
		starter "$dir/qemu-system-aarch64" "$dir" qemu-system-aarch64 -L "$dir/usr/share/qemu"
	fi
	at_least "$(version_of "$dir/qemu-system-aarch64")" "$QEMU_NEW" || {
		echo "error: Debian's newest is $(version_of "$dir/qemu-system-aarch64"), $QEMU_NEW is wanted"
		return 1
	}
	touch "$dir/whole"
}

# A Debian to chroot into in the emulated host: QEMU, and what scripts take for granted.
fetch_inside() {
	local dir=$CACHE/tools/inside-$1 root=$CACHE/tools/inside-$1/debian link arch='' qemu=qemu-system-x86
	[ "$1" = x86 ] || { arch=$1 qemu=qemu-system-arm; }
	rm -rf "$dir"
	unpack_debian "$root" "$arch" $qemu bash dash coreutils grep sed util-linux procps ncat || return
	for link in bin sbin lib lib64; do
		[ -e "$root/$link" ] || [ ! -e "$root/usr/$link" ] || ln -s "usr/$link" "$root/$link"
	done
	# All of it is in the emulated host's memory.
	(cd "$root" && rm -rf etc var usr/bin/qemu-system-{i386,arm,x86_64-microvm} usr/lib/*/{gconv,security} \
		usr/share/{bash-completion,zoneinfo,perl*})
	touch "$dir/whole"
}

# fetch NAME SECONDS WHAT COMMAND... - a step that apt-get takes part in.
fetch() {
	may_install || { say "  $3: run as root, or install sudo"; return 1; }
	step "$@"
}

# What may be missing is said before anything takes time.
check_kdir
have_gb=$(($(df -Pk "$CACHE" | awk 'NR == 2 { print $4 }') / 1048576))
used_gb=$(($(du -sk "$CACHE" 2>/dev/null | cut -f 1) / 1048576))
# What is there already may have to be built again.
{ [ $have_gb -ge 1 ] && [ $((have_gb + used_gb)) -ge $need_gb ]; } ||
	die "no disk space: $CACHE needs $need_gb GB, has $used_gb, and $have_gb GB are free; free some, or set XDG_CACHE_HOME"

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
	wanted=$(missing "$packages")
	if [ -n "$wanted" ]; then
		may_install || die "cannot install packages: run as root, or apt-get install $(echo "$wanted" | xargs)"
		step packages 120 "Installing packages" install_packages "$wanted"
	fi
	wanted=$(missing "$emulators")
	if [ "$codename" = bookworm ]; then
		for qemu in x86_64 aarch64; do
			at_least "$(version_of qemu-system-$qemu)" "$QEMU_MIN" ||
				case $qemu:$emulators in x86_64:*x86* | aarch64:*arm*) wanted=$emulators ;; esac
		done
	fi
	if [ -n "$wanted" ]; then
		may_install || die "cannot install packages: run as root, or install QEMU $QEMU_MIN:$wanted"
		# shellcheck disable=SC2086
		if [ "$codename" = bookworm ]; then
			step emulators 60 "Installing QEMU" apt_with bookworm-backports -- \
				install -y --no-install-recommends -t bookworm-backports $wanted
		else
			step emulators 60 "Installing QEMU" install_packages "$wanted"
		fi
	fi
	find_bindgen
	if ! at_least "$(version_of "$BINDGEN")" "$BINDGEN_MIN" && [ "$BINDGEN" = "$CACHE/tools/bin/bindgen" ]; then
		fetch bindgen 10 "Fetching bindgen" fetch_bindgen
	fi
	case " $* " in
	*" arm64 "*)
		[ -x "$CACHE/tools/busybox-arm64" ] ||
			fetch busybox-arm64 20 "Fetching busybox for arm64" fetch_busybox
		# An empty one is of before this was written down.
		whole=$CACHE/tools/rust-arm64/whole
		[ "$RUSTC" != /usr/bin/rustc ] || { [ -e "$whole" ] && [ ! -s "$whole" ]; } ||
			grep -qxF -e "$(std_version)" "$whole" 2>/dev/null ||
			fetch rust-arm64 20 "Fetching Rust's library for arm64" fetch_std
		[ -e "$CACHE/tools/qemu-new/whole" ] ||
			fetch qemu-new 60 "Fetching QEMU $QEMU_NEW" fetch_qemu ||
			say "  QEMU $QEMU_NEW could not be fetched: runs that need it will fail"
		;;
	esac
	case " $* " in
	*" inside "*)
		for arch in x86 arm64; do
			case " $* " in *" $arch "*) ;; *) continue ;; esac
			[ -e "$CACHE/tools/inside-$arch/whole" ] ||
				fetch inside-$arch 60 "Fetching QEMU for the emulated host" fetch_inside $arch
		done
		;;
	esac
	case " $* " in
	*" matrix "*)
		[ -e "$CACHE/tools/rust-oldest/whole" ] || fetch rust-oldest 60 "Fetching Rust $RUST_MIN" fetch_rust oldest trixie
		[ -e "$CACHE/tools/rust-newest/whole" ] || fetch rust-newest 60 "Fetching the newest Rust" fetch_rust newest
		[ -s "$CACHE/tools/debian-arm64.config" ] || fetch debian-configs 10 "Fetching Debian's configurations" fetch_configs
		;;
	esac
	if [ -z "$KDIR" ] && [ ! -e "$LAB/linux/.git" ] && ! ls "$CACHE"/source/linux-source-*.deb >/dev/null 2>&1; then
		fetch fetch 30 "Fetching Linux $VERSION" fetch_source ||
			say "  Debian has no linux-source-7.3 here: git will be used"
	fi
	case " $* " in
	*" series "*)
		[ -s "$CACHE/source/linux_$VERSION.orig.tar.xz" ] ||
			fetch upstream 30 "Fetching Linux $VERSION as upstream released it" fetch_upstream ||
			say "  it could not be fetched: the series are tried on Debian's tree only"
		;;
	esac
fi

tools="make flex bison bc cpio gzip git python3 ctags busybox clang$LLVM ld.lld$LLVM llvm-nm$LLVM"
for tool in $tools; do
	command -v "$tool" >/dev/null || die "$tool is missing: install it (on Debian this script does)"
done
for emulator in $emulators; do
	case $emulator in
	*x86) tool="qemu-system-x86_64" ;;
	*) tool="qemu-system-aarch64" ;;
	esac
	at_least "$(version_of $tool)" "$QEMU_MIN" ||
		die "$tool is $(version_of $tool), must be $QEMU_MIN or later: install a newer QEMU"
done
at_least "$(version_of "$RUSTC")" "$RUST_MIN" ||
	die "$RUSTC is $(version_of "$RUSTC"), must be $RUST_MIN or later: set RUSTC=path to a newer one"
at_least "$(version_of "$BINDGEN")" "$BINDGEN_MIN" ||
	die "$BINDGEN is $(version_of "$BINDGEN"), must be $BINDGEN_MIN or later: set BINDGEN=path to a newer one"
[ -e "$("$RUSTC" --print sysroot)/lib/rustlib/src/rust/library/core/src/lib.rs" ] ||
	die "$RUSTC comes without the source of core: install rust-src"
