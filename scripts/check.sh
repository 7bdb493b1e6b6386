#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Checks that need no guest. Prints "ok NAME" or "not ok NAME" for each, after what it has to say.
# usage: check.sh   (after kernel.sh x86 and x86-m)
. "$(dirname "$0")/common.sh"

cd "$ROOT" || exit
status=0
check() {
	local name=$1
	shift
	if "$@" 2>&1; then
		echo "ok $name"
	else
		echo "not ok $name"
		status=1
	fi
}

rust_files() { git ls-files -co --exclude-standard '*.rs'; }

rust_format() {
	# The flags of the kernel's rustfmtcheck.
	rust_files | xargs rustfmt --check --edition 2021 --config-path "$LAB/linux/.rustfmt.toml"
}

# Compile the crate once more with clippy, as the kernel runs it, and with the kernel's lints:
# nothing may be said.
clippy() {
	local said
	rm -f "$LAB/build/$1/$2"
	said=$(kmake "$LAB" "$1" "$1" "$2" 2>&1) || { echo "$said"; return 1; }
	if grep -A 20 -E '^(warning|error)' <<<"$said"; then return 1; fi
	[ -s "$LAB/build/$1/$2" ]
}

# "No panic, ever": the object would refer to core::panicking.
no_panic() {
	local refs
	[ -s "$1" ] || { echo "no $1"; return 1; }
	# Prove on each run that a reference would be seen.
	[ "$("llvm-nm$LLVM" "$LAB/build/x86/rust/kernel.o" | grep -c panicking)" -gt 0 ] ||
		{ echo "nm sees no panics at all"; return 1; }
	refs=$("llvm-nm$LLVM" "$1" | grep -E 'panicking|panic_' || true)
	[ -z "$refs" ] || { echo "$refs"; return 1; }
}

unsafe_only_in_ffi() {
	local found
	# c.rs has names of C's types, and no unsafe code either.
	found=$(grep -nE '\bunsafe\b|\bbindings\b' arch/*/kvm/*/*.rs arch/*/kvm/*/tests/*.rs |
		grep -vE '/ffi\.rs:|/c\.rs:[0-9]+:pub\(super\) use|^[^:]+:[0-9]+:[[:space:]]*//' || true)
	[ -z "$found" ] || { echo "$found"; return 1; }
}

replaced_c_is_gone() {
	local path name found=0
	while read -r path name; do
		if git -C "$LAB/linux" grep -nw "$name" guestcaps -- \
			":(glob)$(dirname "$path")/*"; then found=1; fi
	done < <(cat series/*/drops)
	[ "$found" -eq 0 ]
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

x86=arch/x86/kvm/caps/caps.o
arm64=arch/arm64/kvm/idregs/idregs.o
check "rustfmt" rust_format
check "clippy and rustc have nothing to say, x86" clippy x86 $x86
check "clippy and rustc have nothing to say, arm64" clippy arm64 $arm64
check "no panicking path, x86, KVM=y" no_panic "$LAB/build/x86/$x86"
check "no panicking path, x86, KVM=m" no_panic "$LAB/build/x86-m/$x86"
check "no panicking path, arm64" no_panic "$LAB/build/arm64/$arm64"
check "unsafe and bindings only in ffi.rs" unsafe_only_in_ffi
check "replaced C is gone" replaced_c_is_gone
check "what must not build does not, and the compiler says why" scripts/must-fail.sh
check "the audit is up to date" scripts/audit.py "$LAB/linux" --check
check "map: Documentation's drawing is that of the table" scripts/map.py --check
check "guestcaps_kunit.ko builds out of tree, x86" module_for_any_kernel x86-m x86 guestcaps_kunit.ko
check "guestcaps_kunit.o builds out of tree, arm64" module_for_any_kernel arm64 arm64 guestcaps_kunit.o
check "shellcheck" shellcheck scripts/*.sh .ci/run
check "shellcheck, guest" shellcheck -s sh scripts/guest/init scripts/guest/timeout scripts/guest/reload \
	scripts/guest/explain
check "python compiles" python3 -m compileall -q scripts
check "series: git am gives the lab's tree, checkpatch" scripts/post.sh
exit $status
