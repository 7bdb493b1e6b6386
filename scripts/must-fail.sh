#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Build what must not build, and see that the compiler says why.
# shellcheck disable=SC2016 # The compiler's own quotes.
# usage: must-fail.sh   (after kernel.sh x86-m and arm64)
. "$(dirname "$0")/common.sh"

build=$LAB/build/must-fail
status=0

# fails TARGET MESSAGE [CONFIG] - building $build/TARGET fails, and that is why.
fails() {
	local said config=${3:-x86-m}
	if said=$(kmake "$LAB" "$config" "${config%%-*}" M="$build" "$1" 2>&1); then
		echo "built, but should not have: $2"
		status=1
	elif ! grep -qF "$2" <<<"$said"; then
		echo "failed for another reason than: $2"
		grep -m 5 -E 'error|Error' <<<"$said"
		status=1
	fi
}

# C that asks for a feature in a way; DSCPL is one that KVM gives to nobody.
asks() {
	rm -rf "$build"
	mkdir -p "$build"
	# shellcheck disable=SC2016 # make's own variables
	echo 'obj-m := asks.o
ccflags-y := -I$(srctree)/arch/x86/kvm -I$(objtree)/arch/x86/kvm' >"$build/Kbuild"
	cat >"$build/asks.c" <<-EOF
		#include <linux/kvm_host.h>
		#include "cpuid.h"
		unsigned long asks(struct kvm_vcpu *vcpu);
		unsigned long asks(struct kvm_vcpu *vcpu) { $1; }
	EOF
}

no_row='KVM gives this feature to nobody: see its row in arch/x86/kvm/caps/tables/policy.rs'
uses=('if (guest_cpu_cap_has(vcpu, X86_FEATURE_%s)) return 1' 'if (kvm_cpu_cap_has(X86_FEATURE_%s)) return 1'
	'if (kvm_cpu_cap_get(X86_FEATURE_%s)) return 1')
for use in "${uses[@]}"; do
	asks "${use//%s/DSCPL}; return 0"
	fails asks.o "$no_row"
done
# That is not for want of a header: with a feature that KVM gives, all of it builds.
all=$(printf '%s; ' "${uses[@]//%s/AVX}")
asks "$all return 0"
if ! said=$(kmake "$LAB" x86-m x86 M="$build" asks.o 2>&1); then
	echo "does not build with a feature that KVM gives:"
	tail -n 5 <<<"$said"
	status=1
fi

# C reads what Rust computed, and has no say in it.
for words in 'vcpu->arch.cpu_caps' kvm_cpu_caps; do
	asks "$words.word[0] = 0; return 0"
	fails asks.o "cannot assign to non-static data member 'word' with const-qualified type"
done

# edited CONFIG FILE SED MESSAGE - a core with FILE edited.
edited() {
	rm -rf "$build"
	mkdir -p "$build"
	cp -r "$ROOT"/{Kbuild,guestcaps_kunit.rs,arch} "$build/"
	sed -i "$3" "$build/$2"
	if cmp -s "$ROOT/$2" "$build/$2"; then
		echo "nothing edited: $3"
		status=1
	fi
	fails guestcaps_kunit.o "$4" "$1"
}
table() { edited x86-m "arch/x86/kvm/caps/tables/$1" "${@:2}"; }
limits() { edited arm64 arch/arm64/kvm/idregs/limits.rs "$@"; }

table policy.rs 's/native(XMM3);/native(NX);/' 'cannot find value `NX`'
table policy.rs 's/native(XMM3);/native(XMM33);/' 'cannot find value `XMM33`'
table policy.rs 's/native(XMM3);/naive(XMM3);/' 'cannot find function `naive`'
table policy.rs 's/^    CPUID_1_ECX {/    CPUID_1_ECKS {/' 'CPUID_1_ECKS'
table policy.rs 's/native(XMM3);/native(feature::NX);/' 'the feature is in another word'
table policy.rs 's/native(XMM3);/&&/' 'a_feature_has_two_rows'
table policy.rs '/native(XMM3);/d' 'a_feature_has_no_row'
table policy.rs 's/kernel(OSPKE)/kernel(OSPKEE)/' 'cannot find value `OSPKEE`'
table policy.rs 's/kernel(OSPKE)/kernel(feature::AVX10)/' 'the kernel does not keep this feature'
table policy.rs 's/is(Tdp), kernel(OSPKE)/is(Tdx), kernel(OSPKE)/' 'no vCPU is known there'
table policy.rs 's/native(XSAVES).needs(&\[on/native(XSAVES).needs(\&[kvm(feature::IBT), on/' \
	"KVM's support is asked for where it isn't known yet"
table policy.rs 's/on(Vmx, Invpcid)/on(Vmx, Invpcid).or(is(Nested)).or(is(Vnmi))/' 'three are enough'
table policy.rs 's/aliased(CPUID_1_EDX::FPU)/aliased(feature::XMM3)/' 'only this word is repeated'
table leaves.rs '/row(0x6, /d' 'panicked: CPUID_6_EAX'
table leaves.rs '/row(0x6, /s/KVM,  /HOST, /' 'a_word_has_no_leaf'
table leaves.rs '/row(0x6, /s/KVM,  *ZERO/KVM, KVM/' 'the policy has no features of this register'
table leaves.rs 's/row(0xf, /row(0x1, /' 'rows are in order'
table leaves.rs 's/is(Flag::Pmu), kernel/is(Flag::Sgx), kernel/' "leaves don't know this flag"
table optouts.rs 's/advertised(MOVBE)/advertised(CLZERO)/' 'KVM_GET_EMULATED_CPUID does not report this leaf'
table optouts.rs 's/\[vcpu(XSAVE)\]/[crate::facts::is(crate::facts::Flag::Pmu)]/' 'the flag is not known of a vCPU'
table optouts.rs 's/hidden(MWAIT)/hidden(MWAIT).on(Svm)/' 'which reads this row, knows no vCPU'
table optouts.rs 's/kvm(RDTSCP)/vcpu(RDTSCP)/' 'which reads this row, knows no vCPU'
table control_regs.rs 's/vcpu(UMIP)/vcpu(MOVBE)/' 'not host AND guest'
table control_regs.rs 's/vcpu(UMIP)/crate::facts::is(crate::facts::Flag::Tdp)/' 'no flag is known where CPUs are compared'
table control_regs.rs 's/vcpu(UMIP)/vcpu(DSCPL)/' 'denied by policy.rs'
table control_regs.rs 's/vcpu(UMIP)/vcpu(AVX10)/' 'not a word of the kernel'
table control_regs.rs 's/^    always(cr4::PVI).*/&&/' 'a bit has two rows'

limits 's/^    ID_MMFR5_EL1 if /    ID_MMFR9_EL1 if /' 'could not find `ID_MMFR9_EL1` in'
limits '/^    ID_AA64AFR1_EL1 is /,+1d' 'panicked: ID_AA64AFR1_EL1'
limits '/^    ID_AA64AFR1_EL1 is /,+1d' 'register_has_no_block'
limits 's/^    ID_AA64AFR1_EL1 is .*/&\n    }\n&/' 'register_has_two_blocks'
limits 's/^        RME: .*/        RMEE: up_to(NI, Inert);/' 'could not find `RMEE` in `ID_AA64PFR0_EL1`'
limits '/^        RME: /d' 'panicked: RME'
limits '/^        RME: /d' 'field_has_no_row'
limits 's/^        RME: .*/&\n&/' 'field_has_two_rows'
limits '/^        RME: /{h;d};/^        AMU: /G' 'field_has_its_row_elsewhere'
limits 's/^        RME: .*/        RME: up_to(IMPP, Inert);/' 'cannot find value `IMPP` in this scope'
limits 's/^        WRPs: .*/        WRPs: up_to(16, Inert);/' "the field can't hold this value"
limits 's/^        RME: .*/        RME: up_to(NI, Inert).force_when(vm(SVE), 16);/' "the field can't hold this value"
limits 's/^        RME: .*/        RME: up_to(NI, Inert).nested(up_to(IMP, Inert));/' \
	'the limit under nested virtualization is above the plain one'
limits 's/^        RME: .*/        RME: up_to(NI, Inert).protected(up_to(IMP, Inert));/' \
	'the limit of protected VMs is above the plain one'
limits 's/^        RME: .*/        RME: up_to(NI, Inert).nested(up_to(NI, Inert).signed());/' 'order and the like are said once'
limits 's/^        RME: .*/        RME: up_to(NI);/' 'this function takes 2 arguments but 1 argument was supplied'
limits 's/^        RME: .*/        RME: at_most(NI);/' 'why KVM can virtualize it is not said'
limits 's/^        RME: .*/        RME: up_to(NI, enables!(HCRX_EL2: EnAS1));/' 'cannot find `EnAS1` in `HCRX_EL2`'
limits 's/^        RME: .*/        RME: up_to(NI, state!(ACCDATA_EL9));/' 'cannot find value `ACCDATA_EL9`'
limits 's/^        RME: .*/        RME: up_to(NI, Inert).needs(\&[need!(IMP: ID_AA64MMFR3_EL1.TCRY, IMP)]);/' 'could not find `TCRY` in'
limits 's/^        RME: .*/        RME: up_to(NI, Inert).when(vm(SVEE));/' 'cannot find value `SVEE` in this scope'
limits 's/^        RME: .*/        RME: up_to(NI, Inert).when(kernel(SVE));/' 'a fact of another source'
limits 's/^        RME: .*/        RME: up_to(NI, Inert).when(vm(SVE).and(vm(MTE)));/' 'not() and when() are for one fact'
limits 's/^        RME: .*/        RME: up_to(NI, Inert).irqchip(host(RAS_IMP), NI);/' 'what is derived from the host is known only'
limits 's/^        RME: .*/        RME: force(NI, Inert).raise_when(vm(SVE));/' 'only a limit can be raised'
limits 's/^        RME: .*/        RME: up_to(NI, Inert).provided(vm(SVE));/' 'no value is ignored'
limits 's/^        RAZ_7_2: .*/        RAZ_7_2: up_to(1, Inert);/' 'reserved bits have no limit'
limits 's/^        RME: .*/        RME: res0();/' 'not reserved and zero, says arch'
exit $status
