// SPDX-License-Identifier: GPL-2.0

//! What KVM supports on a host made up for the test, by the rows of the policy.

use kernel::prelude::*;

use super::{
    EVERYTHING,
    NO_KERNEL, //
};
use crate::{
    c,
    cpufeature::{
        bug,
        feature::*,
        Bug,
        Feature,
        KernelWords,
        Words,
        CPUID_1_EDX,
        CPUID_8000_0001_EDX,
        NBUGINTS,
        NCAPINTS, //
    },
    facts::{
        Facts,
        Flag,
        Flags,
        NOTHING, //
    },
    host::HostCaps,
    tables::policy::{
        self,
        Verb, //
    }, //
};

/// A host made up for a test.
#[derive(Clone, Copy)]
struct Host {
    kernel: KernelWords,
    cpu: Words,
    flags: Flags,
}

/// A host whose CPU enumerates nothing, with two-dimensional paging and `MSR_TSC_AUX`.
const PLAIN: Host = Host {
    kernel: NO_KERNEL,
    cpu: NOTHING,
    flags: Flags::empty().with(Flag::Tdp).with(Flag::MsrTscAux),
};

impl Host {
    fn cpu(mut self, feature: Feature) -> Self {
        feature.set_in(&mut self.cpu, true);
        self
    }

    fn kernel(mut self, feature: Feature) -> Self {
        feature.keep_in(&mut self.kernel, true);
        self
    }

    fn bug(mut self, bug: Bug) -> Self {
        bug.set_in(&mut self.kernel, true);
        self
    }

    fn native(self, feature: Feature) -> Self {
        self.cpu(feature).kernel(feature)
    }

    fn flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }

    fn caps(&self) -> HostCaps {
        HostCaps::new(
            &Facts {
                kernel: &self.kernel,
                cpu: &self.cpu,
                flags: self.flags,
                ..Facts::NONE
            },
            c::CET_STATE,
        )
    }

    fn supports(&self, feature: Feature) -> bool {
        feature.is_in(&self.caps().words)
    }
}

/// Whether KVM supports `feature` on hosts that lack it, whose CPU has it, whose kernel has it, and
/// where both do.
fn answers(feature: Feature) -> [bool; 4] {
    [
        PLAIN,
        PLAIN.cpu(feature),
        PLAIN.kernel(feature),
        PLAIN.native(feature),
    ]
    .map(|host| host.supports(feature))
}

#[kunit_tests(kvm_caps_host)]
mod tests {
    use super::*;

    #[test]
    fn native_needs_cpu_and_kernel() {
        for feature in [XMM3, RSA_EN, LM] {
            assert_eq!(answers(feature), [false, false, false, true]);
        }
    }

    #[test]
    fn native_in_a_word_of_kvm_needs_the_cpu() {
        // The kernel has the second one elsewhere, but its opinion is not asked.
        for feature in [AVX10, BHI_CTRL] {
            assert_eq!(answers(feature), [false, true, false, true]);
        }
    }

    #[test]
    fn scattered_needs_cpu_and_kernel() {
        for feature in [SGX1, CONSTANT_TSC] {
            assert_eq!(answers(feature), [false, false, false, true]);
        }
    }

    #[test]
    fn synthesized_needs_the_kernel() {
        for feature in [LFENCE_RDTSC, TSA_L1_NO] {
            assert_eq!(answers(feature), [false, false, true, true]);
        }
    }

    #[test]
    fn passthrough_needs_the_cpu() {
        for feature in [LA57, EFER_LMSLE_MBZ] {
            assert_eq!(answers(feature), [false, true, false, true]);
        }
    }

    #[test]
    fn emulated_needs_nothing() {
        for feature in [X2APIC, HYPERVISOR, ARAT] {
            assert_eq!(answers(feature), [true; 4]);
        }
    }

    #[test]
    fn vendor_runtime_and_denied_are_not_here() {
        for feature in [SVM, SEV_SNP, OSXSAVE, MWAIT, SKINIT, DSCPL] {
            assert_eq!(answers(feature), [false; 4]);
        }
    }

    /// Leaf 0x80000001's copy depends on its own word, not on leaf 1's.
    #[test]
    fn aliased_looks_at_its_own_word() {
        let alias = FPU.repeated_in(CPUID_8000_0001_EDX::WORD);

        assert_eq!(FPU.word(), CPUID_1_EDX::WORD);
        for (cpu, kernel, supported) in [
            (FPU, FPU, false),
            (alias, FPU, false),
            (FPU, alias, false),
            (alias, alias, true),
        ] {
            assert_eq!(PLAIN.cpu(cpu).kernel(kernel).supports(alias), supported);
        }
    }

    /// Each row follows its verb, whatever its feature, where its conditions have no say.
    #[test]
    fn each_row_follows_its_verb() {
        for row in policy::rows().filter(|row| row.is_unconditional()) {
            let feature = row.feature;
            let kept = feature.word() < NCAPINTS;
            let expected = match row.verb {
                Verb::Native | Verb::Aliased => [false, !kept, false, true],
                Verb::Scattered => [false, false, false, true],
                Verb::Synthesized => [false, false, true, true],
                Verb::Passthrough => [false, true, false, true],
                Verb::Emulated => [true; 4],
                Verb::Vendor | Verb::Runtime | Verb::Denied => [false; 4],
            };

            assert_eq!(answers(feature), expected);
        }
    }

    /// On a host with all that there is, what has no row is not supported.
    #[test]
    fn what_has_no_row_is_denied() {
        let everything = Host {
            kernel: [!0; NBUGINTS + NCAPINTS],
            cpu: EVERYTHING,
            ..PLAIN
        };

        for (word, queried) in everything.caps().words.iter().zip(&policy::QUERIED) {
            assert_eq!(word & !queried, 0);
        }
    }

    #[test]
    fn spec_ctrl_from_amds_pieces() {
        let pieces = [AMD_IBPB_RET, AMD_IBPB, AMD_IBRS];

        for missing in 0..=pieces.len() {
            let host = pieces
                .iter()
                .enumerate()
                .filter(|(n, _)| *n != missing)
                .fold(PLAIN, |host, (_, piece)| host.kernel(*piece));

            assert_eq!(host.supports(SPEC_CTRL), missing == pieces.len());
        }
    }

    /// Each implication with one condition: absent without it, there with it.
    #[test]
    fn one_feature_implies_another_vendors() {
        for (has, feature) in [
            (STIBP, INTEL_STIBP),
            (STIBP, AMD_STIBP),
            (AMD_SSBD, SPEC_CTRL_SSBD),
            (IBPB, AMD_IBPB),
            (IBRS, AMD_IBRS),
            (SPEC_CTRL_SSBD, AMD_SSBD),
            (LS_CFG_SSBD, VIRT_SSBD),
        ] {
            assert!(!PLAIN.supports(feature) && PLAIN.kernel(has).supports(feature));
        }
        // Second choice.
        assert!(!PLAIN
            .kernel(LS_CFG_SSBD)
            .kernel(AMD_SSBD)
            .supports(VIRT_SSBD));
    }

    #[test]
    fn amd_ibpb_ret_needs_spec_ctrl_and_no_pbrsb() {
        let both = PLAIN.kernel(IBPB).kernel(SPEC_CTRL);

        assert!(both.supports(AMD_IBPB_RET));
        assert!(!PLAIN.kernel(IBPB).supports(AMD_IBPB_RET));
        assert!(!PLAIN.kernel(SPEC_CTRL).supports(AMD_IBPB_RET));
        assert!(!both.bug(bug::EIBRS_PBRSB).supports(AMD_IBPB_RET));
    }

    #[test]
    fn the_absence_of_bugs_is_a_feature() {
        for (bug, feature) in [
            (bug::SPEC_STORE_BYPASS, AMD_SSB_NO),
            (bug::NULL_SEG, NULL_SEL_CLR_BASE),
        ] {
            assert!(PLAIN.supports(feature) && !PLAIN.bug(bug).supports(feature));
        }
    }

    #[test]
    fn shadow_paging_has_gbpages_and_lacks_pku_and_shstk() {
        let tdp = PLAIN.native(PKU).native(SHSTK).native(XSAVES).kernel(OSPKE);
        let shadow = tdp.flags(Flag::MsrTscAux.into());

        assert!(tdp.supports(PKU) && tdp.supports(SHSTK) && !tdp.supports(GBPAGES));
        assert!(!shadow.supports(PKU) && !shadow.supports(SHSTK) && shadow.supports(GBPAGES));
        assert!(!PLAIN.native(PKU).supports(PKU));
    }

    #[test]
    fn smaller_maxphyaddr_lacks_cet() {
        let host = PLAIN.native(SHSTK).native(IBT).native(XSAVES);
        let smaller = host.flags(host.flags | Flag::SmallerMaxphyaddr);

        assert!(host.supports(SHSTK) && host.supports(IBT));
        assert!(!smaller.supports(SHSTK) && !smaller.supports(IBT));
    }

    #[test]
    fn without_msr_tsc_aux_there_is_neither_rdtscp_nor_rdpid() {
        for feature in [RDTSCP, RDPID] {
            let with = PLAIN.native(feature);
            let without = with.flags(Flag::Tdp.into());

            assert!(with.supports(feature) && with.caps().is_sane);
            assert!(!without.supports(feature) && !without.caps().is_sane);
        }
        // Nothing to deny: nothing wrong.
        assert!(PLAIN.flags(Flag::Tdp.into()).caps().is_sane);
    }

    /// Without CET, or XSAVES, its state is nobody's to switch.
    #[test]
    fn xss_has_what_some_feature_uses() {
        let host = PLAIN.native(XSAVES);

        assert_eq!(PLAIN.native(IBT).caps().xss, 0);
        assert_eq!(host.caps().xss, 0);
        for feature in [SHSTK, IBT] {
            assert_eq!(host.native(feature).caps().xss, c::CET_STATE);
        }
    }
}
