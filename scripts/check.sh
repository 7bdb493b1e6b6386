#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Checks that need no guest. Prints "ok NAME" or "not ok NAME" for each, after what it has to say.
# usage: check.sh   (after kernel.sh x86, x86-m and arm64, and selftests.sh x86 and arm64)
. "$(dirname "$0")/common.sh"

cd "$ROOT" || exit
status=0
# check NAME COMMAND... - which is ended if it hangs, with all that it started. It may be slow for what else
# the machine does.
check() {
	local name=$1 limit job watch
	shift
	limit=$(awk -v cores="$(nproc)" '{ print int(1800 * (1 + $1 / cores)) }' /proc/loadavg)
	set -m
	("$@") 2>&1 </dev/null &
	job=$!
	(sleep "$limit" && echo "no end after $limit seconds" && kill -- -$job) &
	watch=$!
	set +m
	# Nobody else ends these: they are groups of their own.
	# shellcheck disable=SC2064 # their numbers of now
	trap "kill -- -$job -$watch 2>/dev/null || true" EXIT
	if wait $job; then
		echo "ok $name"
	else
		echo "not ok $name"
		status=1
	fi
	kill -- -$watch 2>/dev/null || true
	trap - EXIT
}
trap 'exit 130' INT
trap 'exit 143' TERM HUP

rust_files() { find ./* -name target -prune -o -name '*.rs' ! -name uapi.rs -print | sort; }

rust_format() {
	# The flags of the kernel's rustfmtcheck; file by file, as programs name modules of the kernel's.
	local file formatted=$LAB/build/formatted.rs status=0
	while read -r file; do
		rustfmt --edition 2021 --config-path "$LAB/linux/.rustfmt.toml" <"$file" >"$formatted" || status=1
		diff -u --label "$file" --label formatted "$file" "$formatted" || status=1
	done < <(rust_files)
	return "$status"
}

# Compile a crate once more as CONFIG_RUST_OVERFLOW_CHECKS=y has it, the kernel's default. The build
# folder is left as it was; without its state kernel.sh makes good what is missing, if this is killed.
# What was said, and the object, are for the checks that follow.
recompile() {
	local config=$1 object=$2 dir stem status=0
	dir=$LAB/build/$config/${object%/*} stem=$(basename "$object" .o)
	rm -rf "${again:?}/$config"
	mkdir -p "$again/$config"
	cp -p "$dir/$stem.o" "$dir/.$stem.o.cmd" "$again/$config/" || return
	mv "$LAB/build/$config/state" "$again/$config/" || return
	rm -f "$dir/$stem.o"
	kmake "$LAB" "$config" "$config" "RUSTFLAGS_${object#arch/*/kvm/}=-Coverflow-checks=y" "$object" \
		>"$again/$config/said" 2>&1 || status=1
	if ! grep -q -e '-Coverflow-checks=y' "$dir/.$stem.o.cmd"; then status=1; fi
	mv "$dir/$stem.o" "$again/$config/overflow.o" || status=1
	mv "$again/$config/$stem.o" "$again/$config/.$stem.o.cmd" "$dir/" && mv "$again/$config/state" "$LAB/build/$config/"
	return "$status"
}

# With clippy, as the kernel runs it, and with the kernel's lints: nothing may be said.
clippy() {
	local of=$again/$1/of now
	now=$(built_from "$1" && how_built && compilers && declare -f recompile &&
		git -C "$LAB/linux" ls-tree guestcaps Makefile .clippy.toml rust/ scripts/) || return
	# The checks that follow look at the object.
	if [ -s "$again/$1/overflow.o" ] && [ "$now" = "$(cat "$of" 2>/dev/null)" ]; then
		echo "  as before"
		return
	fi
	recompile "$1" "$2" || { tail -n 20 "$again/$1/said"; return 1; }
	! grep -A 20 -E '^(warning|error)' "$again/$1/said" && echo "$now" >"$of"
}

# panics OBJECT [FUNCTION...] - who in an object refers to what panics, in core::panicking or as core's
# unwrap_failed, slice_index_fail, or to these; KUnit suites, where the object has them, may, and core's own
# functions.
panics() {
	local object=$1 names
	names=$(printf '|%s' panicking panic_ '4core.*_fail' "${@:2}")
	"llvm-objdump$LLVM" -dr "$object" | awk -v names="${names#|}" '/^[0-9a-f]+ </ { name = $2 }
		$0 ~ names && name !~ /[0-9]tests|4core9panicking/ && $2 ~ /^R_/ { print name, $NF }' | sort -u
}

# no_panic CONFIG OBJECT - no panic, ever.
no_panic() {
	local config=$1 object=$2 refs word more those=()
	[ -s "$object" ] || { echo "no $object"; return 1; }
	# Prove on each run that a reference of either kind would be seen.
	refs=$(panics "$LAB/build/$config/rust/kernel.o") || return
	for word in panicking _fail; do
		grep -q "$word" <<<"$refs" || { echo "objdump sees no $word at all"; return 1; }
	done
	# The kernel crate's own functions that panic, or call one, are for constants. It is as it was built.
	while mapfile -t more < <(cut -d ' ' -f 1 <<<"$refs" | tr -d '<>:' | sort -u) &&
		[ ${#more[@]} -gt ${#those[@]} ]; do
		those=("${more[@]}")
		refs=$(panics "$LAB/build/$config/rust/kernel.o" "${those[@]}") || return
	done
	refs=$(panics "$object" "${those[@]}") || return
	[ -z "$refs" ] || { echo "$refs"; return 1; }
}

# The compiler denies unsafe code but in one file of each core; it is silent on #[export], and on
# who names C's functions.
only_at_the_boundary() {
	local found root
	found=$(grep -nE '\b(unsafe|bindings)\b|#\[(export|no_mangle)' arch/*/kvm/*/*.rs arch/*/kvm/*/*/*.rs |
		grep -vE '/(ffi|c)\.rs:|^[^:]+:[0-9]+:[[:space:]]*//|unsafe_code' || true)
	[ -z "$found" ] || { echo "$found"; return 1; }
	for root in arch/x86/kvm/caps/caps.rs arch/arm64/kvm/idregs/idregs.rs; do
		grep -qxF '#![deny(unsafe_code)]' "$root" || { echo "$root doesn't deny unsafe code"; return 1; }
	done
	found=$(grep -lE '\((expect|allow)\(unsafe_code\)|!\[(expect|allow)\(unsafe_code' arch/*/kvm/*/*.rs arch/*/kvm/*/*/*.rs |
		grep -v '/ffi\.rs$' || true)
	[ -z "$found" ] || { echo "allows unsafe code: $found"; return 1; }
	found=$(grep -nE '\bfn\b|\*(const|mut)\b|\bunsafe\b' arch/*/kvm/*/c.rs | grep -v ':[[:space:]]*//' || true)
	[ -z "$found" ] || { echo "$found"; return 1; }
}

replaced_c_is_gone() {
	local path name drops status found=0
	drops=$(cat series/*/*/drops) || return
	while read -r path name; do
		status=0
		git -C "$LAB/linux" grep -nw "$name" guestcaps -- ":(glob)$(dirname "$path")/*" || status=$?
		# Any other is an error.
		[ "$status" -eq 1 ] || found=1
	done <<<"$drops"
	[ "$found" -eq 0 ]
}

# Rows name them in strings, as Rust can't see static functions of C.
mirrored_functions_exist() {
	local name names missing=0
	names=$(grep -oP 'mirrored\("\K\w+' arch/arm64/kvm/idregs/limits.rs | sort -u) || return
	for name in $names; do
		# Where it is defined: not indented, and no prototype.
		git -C "$LAB/linux" grep -E "^[a-z].*\b$name\(.*[^;]$" guestcaps -- arch/arm64/kvm \
			arch/arm64/include >/dev/null || { echo "limits.rs: no function $name"; missing=1; }
	done
	[ "$missing" -eq 0 ]
}

module_for_any_kernel() {
	local build=$LAB/build/module
	rm -rf "$build"
	mkdir -p "$build"
	cp -r Kbuild guestcaps_kunit.rs arch "$build/"
	if ! kmake "$LAB" "$1" "$2" M="$build" "$3" >"$LOGS/module.log" 2>&1; then
		tail -n 20 "$LOGS/module.log"
		return 1
	fi
	[ -s "$build/$3" ]
}

# once COMMAND... - unless it held for what standard input has, before.
once() {
	local seen
	seen=$CACHE/held/$({ cat && echo "$*" && { declare -f once of_ours "$1" || true; }; } | sha256sum | cut -c 1-32)
	[ ! -e "$seen" ] || { echo "  as before"; return 0; }
	"$@" </dev/null || return
	mkdir -p "${seen%/*}"
	touch "$seen"
}

# Of complaints "FILE:LINE:...", those about lines that the series add.
of_ours() {
	awk 'FNR == NR {
		if (/^\+\+\+ /) file = substr($2, 3)
		if (/^@@ /) {
			split(substr($3, 2), at, ",")
			for (n = 0; n < (at[2] == "" ? 1 : at[2]); n++) ours[file ":" (at[1] + n)]
		}
		next
	}
	{ split($0, at, ":"); if ((at[1] ":" (at[2] + 0)) in ours) print }' \
		<(git -C "$LAB/linux" diff -U0 base guestcaps) -
}

# Debian's sparse is older than __typeof_unqual__, and takes no string's length for constant. After an
# error it has no warnings for a file any more: these it can't check.
UNCHECKED='\(x86/kvm/svm/avic\|arm64/kvm/\(nested\|idregs-limits-kunit\)\)\.c:.*: too long token\|'
UNCHECKED+='arm64/kvm/arm\.c:.*: incompatible types in comparison'
sparse_of() {
	local log=$LOGS/sparse-$1.log found
	kmake "$LAB" "$1" "$1" C=2 CF="-D__typeof_unqual__=__typeof__ '-D_Static_assert(...)='" \
		"arch/$1/kvm/" virt/kvm/ >"$log" 2>&1 || { tail -n 20 "$log"; return 1; }
	grep -q '^  CHECK ' "$log" || { echo "nothing was checked, see $log"; return 1; }
	found=$(sed "s|^$(realpath "$LAB/linux")/||; s|^\.\./\.\./linux/||; s|[^ :]*/\.\./||" "$log")
	found=$(grep ': warning: ' <<<"$found" | of_ours
		grep ': error: ' <<<"$found" | grep -v "$UNCHECKED") || true
	[ -z "$found" ] || { echo "$found"; return 1; }
}
sparse() { { built_from "$1" && how_built && echo "$UNCHECKED" && command sparse --version; } | once sparse_of "$1"; }

# plusplus ARCH - as the kernel's own CONFIG_UAPI_HEADER_TEST would have it.
plusplus() {
	echo '#include <linux/kvm.h>' | "clang++$LLVM" --target="$([ "$1" = x86 ] && echo x86_64 || echo aarch64)-linux-gnu" \
		-x c++ -std=c++98 -Werror -fsyntax-only -nostdinc -isystem "$LAB/selftests/$1/headers/usr/include" -
}

built_from() {
	git -C "$LAB/linux" ls-tree guestcaps arch/ include/ virt/
	cat "$LAB/build/$1/.config"
}

compilers() { "$RUSTC" --version && "clang$LLVM" --version && "$BINDGEN" --version; }

touched() { git -C "$LAB/linux" diff --name-only --diff-filter=d base guestcaps -- "$@"; }

kernel_doc() {
	local found
	found=$(cd "$LAB/linux" && touched '*.[ch]' | xargs /usr/bin/python3 tools/docs/kernel-doc -none -Wall 2>&1 |
		sed -E 's/^(Warning|Error|ERROR|WARNING): //' | of_ours)
	[ -z "$found" ] || { echo "$found"; return 1; }
}

# What Sphinx has to say of the books that the series touch.
documentation() {
	{ git -C "$LAB/linux" ls-tree -r guestcaps Documentation/virt/kvm && touched Documentation; } | once books
}
books() {
	local log=$LOGS/htmldocs.log books
	books=$(touched Documentation | cut -d / -f 2-3 | sort -u | xargs)
	# Of pages that it need not read again it says nothing.
	rm -rf "$LAB/build/docs/Documentation"
	kmake "$LAB" docs x86 htmldocs RUSTDOC= SPHINXDIRS="$books" >"$log" 2>&1 || { tail -n 20 "$log"; return 1; }
	[ -s "$LAB/build/docs/Documentation/output/virt/kvm/x86/guest-caps.html" ] || return
	# It has no drawings that graphviz would be needed for.
	! { grep -E 'WARNING|ERROR' "$log" | grep -v 'dot(1) not found'; }
}

# And what docutils has, of those that are not the kernel's.
own_pages() {
	local page
	for page in Documentation/*.rst; do
		/usr/bin/python3 -m docutils --halt=2 "$page" /dev/null || return
	done
}

# A configuration with which there can't be a package, and one with which there can.
deb_names_what_excludes_rust() {
	local config=$LAB/deb.config said
	sed '/CONFIG_RANDSTRUCT/d; $a CONFIG_RANDSTRUCT_FULL=y' "$LAB/build/x86-m/.config" >"$config"
	said=$(CONFIG=$config scripts/deb.sh x86 configure 2>&1) && { echo "not refused: RANDSTRUCT"; return 1; }
	grep -qF 'CONFIG_RUST depends on !RANDSTRUCT: here RANDSTRUCT=y' <<<"$said" || { echo "$said"; return 1; }
	CONFIG=$LAB/build/x86-m/.config scripts/deb.sh x86 configure
}

again=$LAB/build/again
x86=arch/x86/kvm/caps/caps.o
arm64=arch/arm64/kvm/idregs/idregs.o
# What refresh makes of the lab's commits is what they were made of; and an edit, here, of what a
# later commit adds is refused, naming that and the file.
series_is_inverse() {
	{
		git ls-files -co --exclude-standard | while read -r file; do
			[ ! -e "$file" ] || sha256sum "$file"
		done
		git -C "$LAB/linux" rev-parse 'base^{tree}'
	} | once refreshed
}
refreshed() {
	local scratch said file
	scratch=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder's name of now
	trap "rm -rf '$scratch'" RETURN
	copy_here "$scratch/here"
	(cd "$scratch/here" && find . -type f -printf '%P\n') | sort >"$scratch/before"
	git clone -q --shared -n -b guestcaps "$LAB/linux" "$scratch/linux"
	cd "$scratch/linux" || return
	git branch -q base origin/base
	git sparse-checkout set --no-cone /COPYING
	git checkout -q
	"$scratch/here/scripts/series.py" refresh "$scratch/linux" || return
	(cd "$scratch/here" && find . -type f -printf '%P\n') | sort | diff "$scratch/before" - || return
	# But for where pieces of a diff stand, which an edit in front of them moves.
	while read -r file; do
		case $file in
		series/*.diff) diff -I '^@@ ' "$scratch/here/$file" "$ROOT/$file" || return ;;
		*) diff "$scratch/here/$file" "$ROOT/$file" || return ;;
		esac
	done <"$scratch/before"
	sed -i 's/reserved_efer: control_regs::reserved(EFER, &facts),/reserved_efer: 0,/' \
		"$scratch/here/arch/x86/kvm/caps/guest.rs"
	said=$("$scratch/here/scripts/series.py" apply "$scratch/linux" 2>&1) && return 1
	grep -q "x86-control-registers/grows.diff .*arch/x86/kvm/caps/guest.rs" <<<"$said" || { echo "$said"; return 1; }
}

examples() {
	{ git ls-files -co --exclude-standard Documentation/virt arch fuzz rust scripts/{examples,fuzz,series}.py | xargs cat &&
		built_from x86 && compilers && git -C "$LAB/linux" rev-parse 'base^{tree}' &&
		git -C "$LAB/linux" ls-tree guestcaps rust/ tools/arch/x86/; } |
		once scripts/examples.py
}

must_fail() {
	{ built_from x86-m && built_from arm64 && git -C "$LAB/linux" ls-tree guestcaps rust/ scripts/ && compilers &&
		cat Kbuild guestcaps_kunit.rs scripts/{must-fail,common}.sh; } |
		once scripts/must-fail.sh
}

posted() {
	{ find series scripts/{post,series}.py scripts/{try-post,common}.sh -type f | sort | xargs cat &&
		git -C "$LAB/linux" rev-parse 'base^{tree}' 'guestcaps^{tree}' && cat scripts/common.py && b4 --version; } |
		once scripts/try-post.sh
}

check "rustfmt" rust_format
check "clippy and rustc have nothing to say, x86" clippy x86 $x86
check "clippy and rustc have nothing to say, arm64" clippy arm64 $arm64
check "no panicking path, x86, KVM=y" no_panic x86 "$LAB/build/x86/$x86"
check "no panicking path, x86, KVM=m" no_panic x86-m "$LAB/build/x86-m/$x86"
check "no panicking path, arm64" no_panic arm64 "$LAB/build/arm64/$arm64"
check "no panicking path with overflow checks, x86" no_panic x86 "$again/x86/overflow.o"
check "no panicking path with overflow checks, arm64" no_panic arm64 "$again/arm64/overflow.o"
check "unsafe, bindings and exports only at the boundary" only_at_the_boundary
check "replaced C is gone" replaced_c_is_gone
check "functions that rows name exist" mirrored_functions_exist
check "what must not build does not, and the compiler says why" must_fail
check "the audit is up to date" scripts/audit.py --check
check "map: Documentation's drawing is that of the table" scripts/map.py --check
check "documentation renders" documentation
check "documentation renders, the lab's own" own_pages
check "examples: the documentation's apply, build, and do what they say" examples
check "deb: what excludes Rust is named" deb_names_what_excludes_rust
check "kernel-doc has nothing to say" kernel_doc
check "linux/kvm.h is C++, too, x86" plusplus x86
check "linux/kvm.h is C++, too, arm64" plusplus arm64
check "sparse has nothing to say of what is added, x86" sparse x86
check "sparse has nothing to say of what is added, arm64" sparse arm64
check "guestcaps: names and rules are those of the kernel tree" scripts/facts.py --check
check "fuzz: the cores do what the C did that they replace" scripts/fuzz.py --seconds 40
check "replay: on real CPUs, too" scripts/replay.py
check "guestcaps: tests and lints" scripts/guestcaps.sh x86 test
check "guestcaps_kunit.ko builds out of tree, x86" module_for_any_kernel x86-m x86 guestcaps_kunit.ko
check "guestcaps_kunit.o builds out of tree, arm64" module_for_any_kernel arm64 arm64 guestcaps_kunit.o
check "shellcheck" shellcheck scripts/*.sh .ci/run
check "shellcheck, guest" find scripts/guest -type f ! -name '*.S' -exec shellcheck -s sh {} +
check "python compiles" python3 -m compileall -q scripts
check "series: refresh is apply's inverse" series_is_inverse
check "series: git am, messages, checkpatch, codespell" env POST_OUT="$LAB/build/series" scripts/post.sh draft
check "series: a person can post v1 and v2, and nobody can't" posted
exit $status
