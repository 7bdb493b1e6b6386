// SPDX-License-Identifier: GPL-2.0

//! What KVM supports as kvm-amd and kvm-intel are configured, on hosts made up for the test.

use kernel::prelude::*;

use super::{
    Random,
    EVERYTHING,
    NO_KERNEL, //
};
use crate::{
    c,
    cpufeature::{
        feature::*,
        Feature,
        KernelWords,
        Words, //
    },
    facts::{
        Facts,
        Flag,
        Flags,
        NOTHING, //
    },
    host::HostCaps, //
};

/// What the parameters and the hardware of either vendor make a difference to.
const OF_BOTH: [Flag; 5] = [
    Flag::Nested,
    Flag::Tdp,
    Flag::Pmu,
    Flag::SmallerMaxphyaddr,
    Flag::MsrTscAux,
];
const OF_SVM: [Flag; 12] = [
    Flag::Nrips,
    Flag::TscScaling,
    Flag::Vls,
    Flag::Lbrv,
    Flag::Gmet,
    Flag::Vgif,
    Flag::Vnmi,
    Flag::Sev,
    Flag::SevEs,
    Flag::SevSnp,
    Flag::CoreCounters,
    Flag::PmuV2,
];
const OF_VMX: [Flag; 12] = [
    Flag::MpxState,
    Flag::Invpcid,
    Flag::PtHostGuest,
    Flag::Pebs,
    Flag::Sgx,
    Flag::UmipEmulated,
    Flag::Xsaves,
    Flag::Rdtscp,
    Flag::UserWaitPause,
    Flag::LoadCetState,
    Flag::UnrestrictedGuest,
    Flag::AnyErrorCode,
];

/// A vendor's list of what it adds and takes away, one step after the other, as C had it.
struct Reference<'a> {
    kernel: &'a KernelWords,
    flags: Flags,
    xss: u64,
    caps: Words,
}

impl Reference<'_> {
    fn is(&self, flag: Flag) -> bool {
        self.flags.contains(flag)
    }

    fn set(&mut self, features: &[Feature], wanted: bool) {
        for feature in features.iter().filter(|_| wanted) {
            feature.set_in(&mut self.caps, true);
        }
    }

    fn check_and_set(&mut self, features: &[Feature], wanted: bool) {
        for feature in features {
            self.set(&[*feature], wanted && feature.is_kept_in(self.kernel));
        }
    }

    fn clear(&mut self, features: &[Feature], unwanted: bool) {
        for feature in features.iter().filter(|_| unwanted) {
            feature.set_in(&mut self.caps, false);
        }
    }

    fn has(&self, feature: Feature) -> bool {
        feature.is_in(&self.caps)
    }

    fn svm(&mut self) {
        self.clear(&[IBT], true);
        if self.is(Flag::Nested) {
            self.set(&[SVM, VMCBCLEAN, FLUSHBYASID, SVME_ADDR_CHK], true);
            for (feature, flag) in [
                (NRIPS, Flag::Nrips),
                (NPT, Flag::Tdp),
                (TSCRATEMSR, Flag::TscScaling),
                (V_VMSAVE_VMLOAD, Flag::Vls),
                (LBRV, Flag::Lbrv),
                (GMET, Flag::Gmet),
                (VGIF, Flag::Vgif),
                (VNMI, Flag::Vnmi),
            ] {
                self.set(&[feature], self.is(flag));
            }
            self.check_and_set(&[PAUSEFILTER, PFTHRESHOLD], true);
        }
        for has in [LS_CFG_SSBD, AMD_SSBD] {
            self.set(&[VIRT_SSBD], has.is_kept_in(self.kernel));
        }
        if self.is(Flag::Pmu) {
            self.check_and_set(&[PERFCTR_CORE], self.is(Flag::CoreCounters));
            self.clear(
                &[PERFMON_V2],
                !self.is(Flag::PmuV2) || !self.has(PERFCTR_CORE),
            );
        }
        self.set(&[SEV], self.is(Flag::Sev));
        self.set(&[SEV_ES], self.is(Flag::SevEs));
        self.set(&[SEV_SNP], self.is(Flag::SevSnp));
        self.clear(&[BUS_LOCK_DETECT, MSR_IMM], true);
    }

    fn vmx(&mut self) {
        self.set(&[VMX], self.is(Flag::Nested));
        self.check_and_set(&[MPX], self.is(Flag::MpxState));
        self.clear(&[INVPCID], !self.is(Flag::Invpcid));
        self.check_and_set(&[INTEL_PT], self.is(Flag::PtHostGuest));
        self.check_and_set(&[DS, DTES64], self.is(Flag::Pebs));
        self.clear(&[PDCM], !self.is(Flag::Pmu));
        self.clear(
            &[SGX, SGX_LC, SGX1, SGX2, SGX_EDECCSSA],
            !self.is(Flag::Sgx),
        );
        self.set(&[UMIP], self.is(Flag::UmipEmulated));
        self.clear(&[XSAVES], !self.is(Flag::Xsaves));
        self.clear(&[RDTSCP, RDPID], !self.is(Flag::Rdtscp));
        self.check_and_set(&[WAITPKG], self.is(Flag::UserWaitPause));
        self.clear(
            &[SHSTK, IBT],
            !self.is(Flag::LoadCetState)
                || !self.is(Flag::UnrestrictedGuest)
                || !self.is(Flag::AnyErrorCode),
        );
    }

    fn xss(&mut self) {
        if !self.has(XSAVES) {
            self.xss = 0;
        }
        if !self.has(SHSTK) && !self.has(IBT) {
            self.xss &= !0x1800;
        }
        if self.xss & 0x1800 != 0x1800 {
            self.clear(&[SHSTK, IBT], true);
            self.xss &= !0x1800;
        }
    }
}

/// What there is before a vendor has a say: all that a host has, and CET whatever its state.
fn before(kernel: &KernelWords, cpu: &Words, flags: Flags) -> Words {
    let with = |feature: Feature| {
        let (mut kernel, mut cpu) = (*kernel, *cpu);

        // Without XSAVES there is no CET, whoever the vendor is.
        XSAVES.keep_in(&mut kernel, true);
        XSAVES.set_in(&mut cpu, true);
        feature.is_in(
            &HostCaps::new(
                &Facts {
                    kernel: &kernel,
                    cpu: &cpu,
                    flags,
                    ..Facts::NONE
                },
                c::CET_STATE,
            )
            .words,
        )
    };
    let facts = Facts {
        kernel,
        cpu,
        flags,
        ..Facts::NONE
    };
    let mut caps = HostCaps::new(&facts, c::CET_STATE).words;

    for feature in [SHSTK, IBT] {
        feature.set_in(&mut caps, with(feature));
    }
    caps
}

/// Whether KVM supports the feature as a vendor is configured on a host that has all there is.
fn supports(feature: Feature, flags: Flags) -> bool {
    let kernel = NO_KERNEL.map(|_| !0);
    let facts = Facts {
        kernel: &kernel,
        cpu: &EVERYTHING,
        flags,
        ..Facts::NONE
    };

    feature.is_in(&HostCaps::new(&facts, c::CET_STATE).words)
}

fn all(vendor: Flag, of_vendor: &[Flag]) -> Flags {
    [&OF_BOTH[..], of_vendor]
        .iter()
        .copied()
        .flatten()
        .filter(|flag| !matches!(flag, Flag::SmallerMaxphyaddr))
        .fold(vendor.into(), |flags: Flags, flag| flags | *flag)
}

#[kunit_tests(kvm_caps_vendor)]
mod tests {
    use super::*;

    /// Every flag on and off, with features that come and go.
    #[test]
    fn vendors_add_and_take_away_as_they_did() {
        let mut random = Random(0x1234_5678_9abc_def1);
        let mut seen = [false; 4];

        for round in 0..6000 {
            let (vendor, of_vendor) = if round % 2 == 0 {
                (Flag::Svm, &OF_SVM)
            } else {
                (Flag::Vmx, &OF_VMX)
            };
            let mut often = |flags: &[Flag]| {
                flags.iter().fold(Flags::empty(), |flags, flag| {
                    if random.below(8) < 5 {
                        flags | *flag
                    } else {
                        flags
                    }
                })
            };
            let of_host = often(&OF_BOTH);
            let flags = of_host | often(of_vendor) | vendor;
            let kernel = NO_KERNEL.map(|_| random.next() | random.next());
            let cpu = NOTHING.map(|_| random.next() | random.next());
            let xss = random.wide() & 0x1900 | if random.flip() { 0x1800 } else { 0 };
            let mut reference = Reference {
                kernel: &kernel,
                flags,
                xss,
                caps: before(&kernel, &cpu, of_host),
            };

            if vendor == Flag::Svm {
                reference.svm();
            } else {
                reference.vmx();
            }
            reference.xss();

            let facts = Facts {
                kernel: &kernel,
                cpu: &cpu,
                flags,
                ..Facts::NONE
            };
            let caps = HostCaps::new(&facts, xss);

            assert!(caps.words == reference.caps);
            assert_eq!(caps.xss, reference.xss);
            seen[0] |= reference.has(IBT);
            seen[1] |= reference.has(PERFMON_V2) && reference.is(Flag::Svm);
            seen[2] |= reference.xss == 0x1900;
            seen[3] |= reference.has(MPX);
        }
        assert_eq!(seen, [true; 4]);
    }

    /// Each parameter and each bit of the hardware by itself.
    #[test]
    fn without_a_flag_its_features_are_gone() {
        let svm = all(Flag::Svm, &OF_SVM);
        let vmx = all(Flag::Vmx, &OF_VMX);

        #[rustfmt::skip]
        let cases: [(Flags, Flag, &[Feature]); 24] = [
            (svm, Flag::Nested, &[
                SVM, VMCBCLEAN, FLUSHBYASID, SVME_ADDR_CHK, NRIPS, NPT, TSCRATEMSR,
                V_VMSAVE_VMLOAD, LBRV, PAUSEFILTER, PFTHRESHOLD, GMET, VGIF, VNMI,
            ]),
            (svm, Flag::Nrips, &[NRIPS]),
            (svm, Flag::Tdp, &[NPT, PKU, SHSTK]),
            (svm, Flag::TscScaling, &[TSCRATEMSR]),
            (svm, Flag::Vls, &[V_VMSAVE_VMLOAD]),
            (svm, Flag::Lbrv, &[LBRV]),
            (svm, Flag::Gmet, &[GMET]),
            (svm, Flag::Vgif, &[VGIF]),
            (svm, Flag::Vnmi, &[VNMI]),
            (svm, Flag::Sev, &[SEV]),
            (svm, Flag::SevEs, &[SEV_ES]),
            (svm, Flag::SevSnp, &[SEV_SNP]),
            (svm, Flag::CoreCounters, &[PERFCTR_CORE, PERFMON_V2]),
            (svm, Flag::PmuV2, &[PERFMON_V2]),
            (vmx, Flag::Nested, &[VMX]),
            (vmx, Flag::MpxState, &[MPX]),
            (vmx, Flag::Invpcid, &[INVPCID]),
            (vmx, Flag::PtHostGuest, &[INTEL_PT]),
            (vmx, Flag::Pebs, &[DS, DTES64]),
            (vmx, Flag::Pmu, &[PDCM]),
            (vmx, Flag::Sgx, &[SGX, SGX_LC, SGX1, SGX2, SGX_EDECCSSA]),
            (vmx, Flag::Xsaves, &[XSAVES, SHSTK, IBT]),
            (vmx, Flag::Rdtscp, &[RDTSCP, RDPID]),
            (vmx, Flag::UserWaitPause, &[WAITPKG]),
        ];

        for (flags, flag, features) in cases {
            for feature in features {
                assert!(supports(*feature, flags));
                assert!(!supports(*feature, flags ^ Flags::from(flag)));
            }
        }
        for flag in [
            Flag::LoadCetState,
            Flag::UnrestrictedGuest,
            Flag::AnyErrorCode,
        ] {
            assert!(supports(IBT, vmx) && !supports(IBT, vmx ^ Flags::from(flag)));
            assert!(supports(SHSTK, vmx) && !supports(SHSTK, vmx ^ Flags::from(flag)));
        }
    }

    /// What one vendor adds the other one doesn't, whatever its configuration.
    #[test]
    fn a_vendor_adds_its_own_features() {
        let svm = all(Flag::Svm, &OF_SVM);
        let vmx = all(Flag::Vmx, &OF_VMX);

        for feature in [
            VMX,
            MPX,
            INTEL_PT,
            DS,
            DTES64,
            WAITPKG,
            IBT,
            BUS_LOCK_DETECT,
            MSR_IMM,
        ] {
            assert!(supports(feature, vmx) && !supports(feature, svm));
        }
        for feature in [SVM, NPT, PAUSEFILTER, VGIF, SEV, SEV_SNP, PERFCTR_CORE] {
            assert!(supports(feature, svm) && !supports(feature, vmx));
        }
    }

    /// UMIP is what VMX can add to a CPU that lacks it.
    #[test]
    fn umip_is_emulated_by_vmx() {
        for (flags, is_supported) in [
            (Flag::Vmx | Flag::UmipEmulated, true),
            (Flag::Vmx.into(), false),
        ] {
            let facts = Facts {
                flags,
                ..Facts::NONE
            };

            assert!(UMIP.is_in(&HostCaps::new(&facts, 0).words) == is_supported);
        }
    }
}
