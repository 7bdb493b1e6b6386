# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the lab's scripts share: places, the build's environment, messages, progress. Sourced.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/guestcaps
VERSION=7.3.4

# A tree of the user's own gets a lab of its own, so that neither disturbs the other.
KDIR=${KDIR:-}
if [ -n "$KDIR" ]; then
	LAB=$CACHE/lab-$(realpath -m "$KDIR" | sha256sum | cut -c1-12)
else
	LAB=$CACHE/lab
fi
# The unmodified kernel, for comparison.
BASE=$CACHE/base${LAB#"$CACHE/lab"}
# bisect.sh has labs inside it.
LAB=${LAB_AT:-$LAB}
LOGS=$CACHE/log
mkdir -p "$LOGS" "$CACHE/times" "$CACHE/tools/bin" "$CACHE/tools/ccache"
export ROOT CACHE LAB BASE LOGS VERSION KDIR

# Debian's toolchain before any other, through ccache where it is there. But that does not see what
# assembly takes in by .incbin: of two kernels as long as each other when compressed, it knew one.
for name in /usr/lib/ccache/*; do
	name=${name##*/}
	if [ ! -e "/usr/lib/ccache/$name" ] || [ -e "$CACHE/tools/ccache/$name" ]; then continue; fi
	cat >"$CACHE/tools/ccache/$name.$$" <<-END
		#!/bin/sh
		for last; do :; done
		case \$last in *.S) exec "/usr/bin/$name" "\$@" ;; esac
		exec ccache "/usr/bin/$name" "\$@"
	END
	chmod +x "$CACHE/tools/ccache/$name.$$"
	mv "$CACHE/tools/ccache/$name.$$" "$CACHE/tools/ccache/$name"
done
unset name
export PATH=$CACHE/tools/ccache:/usr/bin:$CACHE/tools/bin:$PATH
export CCACHE_DIR=${CCACHE_DIR:-$CACHE/ccache} CCACHE_BASEDIR=$CACHE CCACHE_NOHASHDIR=1
# The compiler says what a file includes: nothing is preprocessed twice.
export CCACHE_DEPEND=1
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-4G}
# Nothing of the builder's gets into the kernel.
export KBUILD_BUILD_USER=guestcaps KBUILD_BUILD_HOST=lab
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026'
export LC_ALL=C.UTF-8
JOBS=${JOBS:-$(nproc)}
LLVM=${LLVM:--19}
export RUSTC=${RUSTC:-/usr/bin/rustc}
bindgen_given=${BINDGEN:-}
find_bindgen() {
	BINDGEN=${bindgen_given:-/usr/bin/bindgen}
	[ -n "$bindgen_given" ] || [ -x "$BINDGEN" ] || BINDGEN=$CACHE/tools/bin/bindgen
}
find_bindgen

say() { printf '%s\n' "$*"; }

# die MESSAGE - one line that says what is wrong and what to do.
die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# at_least VERSION MINIMUM; version_of PROGRAM - what it says of itself.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }
version_of() { "$@" --version 2>/dev/null | grep -oEm1 '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -n 1 || true; }

# check_kdir - KDIR, if given, is a tree that the series is for.
check_kdir() {
	local found
	[ -n "$KDIR" ] || return 0
	[ -d "$KDIR" ] || die "KDIR=$KDIR is no folder"
	if ! [ -f "$KDIR/Makefile" ] || ! [ -d "$KDIR/virt/kvm" ]; then
		die "KDIR=$KDIR is no kernel tree"
	fi
	found=$(version_in "$KDIR")
	[ "$found" = "$VERSION" ] || die "KDIR=$KDIR is Linux $found, the series is for $VERSION: check out v$VERSION there"
}

# version_in FOLDER - the version that the Makefile of a kernel tree states.
version_in() {
	awk -F ' *= *' '/^(VERSION|PATCHLEVEL|SUBLEVEL) =/ { printf "%s%s", dot, $2; dot = "." }
		/^EXTRAVERSION =/ { printf "%s", $2; exit }' "$1/Makefile"
}

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# step NAME SECONDS WHAT COMMAND... - run a command with its output in a log file, showing how long
# it has run and how long it took the last time (SECONDS, the first time). When it fails, show the
# lines that matter.
step() {
	# The command sees these, as functions do in bash: names that no command uses.
	local _name=$1 _expected=$2 _what=$3 _log=$LOGS/$1.log _begin=$SECONDS _status=0 _now _shown=0 _pid
	shift 3
	[ -s "$CACHE/times/$_name" ] && _expected=$(<"$CACHE/times/$_name")

	# A group of its own, to be ended with all that it started.
	set -m
	"$@" >"$_log" 2>&1 </dev/null &
	_pid=$!
	set +m
	trap 'kill -- -$_pid 2>/dev/null; exit 130' INT TERM HUP
	while kill -0 $_pid 2>/dev/null; do
		sleep 0.5
		_now=$((SECONDS - _begin))
		if [ -t 1 ]; then
			bar "$_what" $_now "$_expected"
		elif [ $((_now / 60)) -gt $_shown ]; then
			_shown=$((_now / 60))
			say "  $_what: $(clock $_now) of about $(clock "$_expected")"
		fi
	done
	wait $_pid || _status=$?
	trap - INT TERM HUP
	_now=$((SECONDS - _begin))
	[ -t 1 ] && printf '\r\033[K'
	if [ $_status -ne 0 ]; then
		say "  $_what: FAILED after $(clock $_now)"
		{ grep -nEi -A4 '(\berror\b[^.]|\*\*\*|\bfatal\b[^.]|not found|no space left|no rule)' "$_log" || tail -n 15 "$_log"; } |
			tail -n 25 | sed 's/^/    /'
		say "  whole log: $_log"
		return $_status
	fi
	say "  $_what: done in $(clock $_now)   ($_log)"
	[ "$_now" -lt 2 ] || echo "$_now" >"$CACHE/times/$_name"
}

bar() {
	local what=$1 now=$2 expected=$3 width=24 full
	full=$((expected > 0 ? now * width / expected : width))
	[ $full -le $width ] || full=$width
	printf '\r\033[K  %s [%s%s] %s of about %s' "$what" \
		"$(printf '%*s' $full '' | tr ' ' '#')" \
		"$(printf '%*s' $((width - full)) '' | tr ' ' '.')" \
		"$(clock "$now")" "$(clock "$expected")"
}

# copy_here FOLDER - this repository's files, edits and new ones as well.
copy_here() {
	git -C "$ROOT" ls-files -z -co --exclude-standard |
		rsync -a --from0 --files-from=- --ignore-missing-args "$ROOT/" "$1/"
}

# as_root COMMAND... - run as root, with sudo if need be.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root for: $*; run as root, or install sudo"
	fi
}

# fragments_of CONFIG - set fragments to the files that a configuration is made of; the last word on an
# option counts. One that ends in -debian or -defconfig is Debian's own or the kernel's, and what of
# the lab's files has that name.
fragments_of() {
	local arch=${1%%-*} extra
	case $1 in
	*-debian) fragments=("$CACHE/tools/debian-$arch.config") ;;
	x86-defconfig) fragments=("$LAB/linux/arch/x86/configs/x86_64_defconfig") ;;
	arm64-defconfig) fragments=("$LAB/linux/arch/arm64/configs/defconfig") ;;
	*) fragments=("$ROOT/scripts/configs/common.config" "$ROOT/scripts/configs/$arch.config") ;;
	esac
	[ "$1" != "$arch" ] || return 0
	[ -e "$ROOT/scripts/configs/$1.config" ] || [ -e "$ROOT/scripts/configs/${1#"$arch"-}.config" ] ||
		die "no configuration $1: see scripts/configs"
	for extra in "$1" "${1#"$arch"-}"; do
		[ ! -e "$ROOT/scripts/configs/$extra.config" ] || fragments+=("$ROOT/scripts/configs/$extra.config")
	done
}

# is_to_come TREE OPTION - whether it is the series that bring an option, and the tree hasn't it yet.
is_to_come() {
	git -C "$1/linux" grep -q "^config ${2#CONFIG_}\$" guestcaps -- 'arch/*/kvm/Kconfig' &&
		! git -C "$1/linux" grep -q "^config ${2#CONFIG_}\$" HEAD -- 'arch/*/kvm/Kconfig'
}

# lacking BUILD - what the lab's own fragments ask for, and its .config has not.
lacking() {
	local line
	while read -r line; do
		grep -qxF -e "$line" -e "# ${line%=n} is not set" "$1/.config" ||
			[ "$(tac "$1/fragment.new" | grep -m 1 "^${line%%=*}=")" != "$line" ] ||
			[ "${line##*=}" = n ] || echo "$line"
	done < <(printf '%s\n' "${fragments[@]}" | grep -F "$ROOT/" | xargs cat | grep ^CONFIG_)
}

# configure TREE CONFIG [OPTION] - make its .config, unless it has that already, in the folder
# TREE/build/CONFIG; OPTION is one more. What the lab asks for has to be in there.
configure() {
	local build=$1/build/$2 line missing="" fragments target=allnoconfig
	fragments_of "$2"
	case $2 in *-defconfig | *-debian) target=alldefconfig ;; esac
	mkdir -p "$build"
	{ cat "${fragments[@]}" && printf '%s' "${3:+$3$'\n'}"; } >"$build/fragment.new"
	# A commit may have brought an option that the one before lacked.
	if [ -s "$build/.config" ] && cmp -s "$build/fragment.new" "$build/fragment" && [ -z "$(lacking "$build")" ]; then
		return 0
	fi
	# Until all of it is in there, what is there is of none.
	rm -f "$build/fragment"
	kmake "$1" "$2" "${2%%-*}" KCONFIG_ALLCONFIG="$build/fragment.new" $target || return
	while read -r line; do
		is_to_come "$1" "${line%%=*}" || missing="$missing $line"
	done < <(lacking "$build")
	[ -z "$missing" ] || die "error: the kernel's configuration lacks$missing"
	mv "$build/fragment.new" "$build/fragment"
}

# image_of ARCH - what its kernel is, in a build folder.
image_of() { if [ "$1" = x86 ]; then echo arch/x86/boot/bzImage; else echo arch/arm64/boot/Image; fi; }

# busybox_of ARCH - a static one.
busybox_of() { if [ "$1" = x86 ]; then echo /bin/busybox; else echo "$CACHE/tools/busybox-arm64"; fi; }

# kmake TREE CONFIG ARCH ARGUMENT... - make in the kernel tree TREE/linux, with the folder
# TREE/build/CONFIG, and what a file of that name in scripts/configs says behind "# make:".
kmake() {
	local tree=$1 build=$2 arch=$3 words=$ROOT/scripts/configs/$2.config
	shift 3
	# Hosts can be made up there, but not by a kernel for real ones.
	[ "$arch" != arm64 ] || [ "$build" = deb-arm64 ] || set -- "CFLAGS_cpufeature.o=-include $ROOT/scripts/host.c" "$@"
	if [ -e "$words" ]; then
		words=$(sed -n 's/^# make: //p' "$words")
		eval "set -- \"\$@\" $words"
	fi
	# Another rustdoc may come first in PATH.
	make -C "$tree/linux" O="$tree/build/$build" CLIPPY=1 ARCH="$arch" LLVM="$LLVM" \
		RUSTC="$RUSTC" RUSTDOC="$(dirname "$RUSTC")/rustdoc" BINDGEN="$BINDGEN" \
		HOSTRUSTC="$RUSTC" "$@"
}

# how_built - these two, for what depends on them.
how_built() { sed -n '/^configure()/,/^}/p; /^kmake()/,/^}/p' "$ROOT/scripts/common.sh"; }

# cargo ARGUMENT... - the compiler's own, with crates in $CACHE/cargo.
cargo() { CARGO_HOME=$CACHE/cargo "$(dirname "$RUSTC")/cargo" "$@"; }

# static_cargo ARCH - have cargo make static programs for $target.
static_cargo() {
	# Nothing of the builder's gets into the program.
	local flags="-Ctarget-feature=+crt-static --remap-path-prefix=$ROOT=. --remap-path-prefix=$CACHE=."
	local variable
	case $1 in
	x86) target=x86_64-unknown-linux-gnu ;;
	arm64)
		target=aarch64-unknown-linux-gnu
		export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
		[ "$RUSTC" != /usr/bin/rustc ] || flags+=" --sysroot=$CACHE/tools/rust-arm64/usr"
		;;
	*) die "no architecture $1: x86 or arm64" ;;
	esac
	variable=CARGO_TARGET_${target^^}_RUSTFLAGS
	export "${variable//-/_}=$flags"
}

# boot_or_die LOG ARGUMENT... - boot.sh with these arguments, its console in LOG; shows the end of
# that, without the kernel's log, if the guest fails.
boot_or_die() {
	local log=$1
	shift
	"$ROOT/scripts/boot.sh" "$@" >"$log" 2>&1 || {
		sed '/^guestcaps: dmesg begin/,/^guestcaps: dmesg end/d' "$log" | tail -n 20 | sed 's/^/    /'
		die "the guest failed; whole console: $log"
	}
}
