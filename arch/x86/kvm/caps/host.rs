// SPDX-License-Identifier: GPL-2.0

//! The host's capabilities: what KVM supports.

use kernel::prelude::*;

use super::{
    feature::{
        self,
        Feature,
        KernelFlag,
        KernelWords,
        Words, //
    },
    policy, //
};

/// All that KVM's policy looks at of the host.
pub(crate) struct Snapshot<'a> {
    /// `boot_cpu_data.x86_capability`.
    pub(crate) kernel: &'a KernelWords,
    /// What CPUID says in the registers that the words mirror.
    pub(crate) raw: &'a Words,
    /// Whether KVM uses two-dimensional paging.
    pub(crate) tdp_enabled: bool,
    /// KVM's parameter of that name.
    pub(crate) allow_smaller_maxphyaddr: bool,
    /// Whether KVM can give guests an `MSR_TSC_AUX` of their own.
    pub(crate) has_msr_tsc_aux: bool,
}

impl Snapshot<'_> {
    /// Whether the kernel has a feature, or the CPU a bug.
    pub(crate) fn has(&self, flag: KernelFlag) -> bool {
        flag.is_in(self.kernel)
    }

    /// Whether the CPU has `feature`.
    pub(crate) fn cpu_has(&self, feature: Feature) -> bool {
        feature::has(self.raw, feature)
    }

    /// Whether the kernel left `feature` on, as it does with words that it does not keep.
    pub(crate) fn left_on(&self, feature: Feature) -> bool {
        feature.kernel_flag().is_none_or(|flag| self.has(flag))
    }
}

/// What KVM supports on this host, a bit for each feature: `kvm_cpu_caps`.
#[repr(transparent)]
pub(crate) struct HostCaps(pub(super) Words);

impl HostCaps {
    /// The capabilities before kvm-intel or kvm-amd has a say, and whether the host is sane; see
    /// [`policy::supported`].
    pub(crate) fn new(host: &Snapshot<'_>) -> (Self, bool) {
        let (words, sane) = policy::supported(host);

        (Self(words), sane)
    }

    /// The features of capability word `word` that KVM supports.
    pub(crate) fn word(&self, word: usize) -> u32 {
        self.0.get(word).copied().unwrap_or(0)
    }

    /// Whether KVM supports `feature`.
    pub(crate) fn has(&self, feature: Feature) -> bool {
        feature::has(&self.0, feature)
    }

    /// Adds a feature, or takes it away. Returns `false`, and changes nothing, if the policy has no
    /// row for the feature, or denies it.
    #[must_use]
    pub(crate) fn change(&mut self, feature: Feature, present: bool) -> bool {
        let may_change = policy::is_vendors_to_change(feature);

        if may_change {
            feature::change(&mut self.0, feature, present);
        }
        may_change
    }
}

/// Hosts for the tests of this crate.
#[cfg(CONFIG_KUNIT = "y")]
pub(super) mod synthetic {
    use super::super::generated::{
        NBUGINTS,
        NCAPINTS,
        NR_KVM_CPU_CAPS, //
    };
    use super::*;

    /// A host made up for a test.
    pub(crate) struct Synthetic {
        kernel: KernelWords,
        raw: Words,
        tdp: bool,
        smaller_maxphyaddr: bool,
        msr_tsc_aux: bool,
    }

    impl Synthetic {
        /// A host whose CPU enumerates nothing, with two-dimensional paging and `MSR_TSC_AUX`.
        pub(crate) fn new() -> Self {
            Self {
                kernel: [0; NCAPINTS + NBUGINTS],
                raw: [0; NR_KVM_CPU_CAPS],
                tdp: true,
                smaller_maxphyaddr: false,
                msr_tsc_aux: true,
            }
        }

        /// A host with every bit that there is, bugs too.
        pub(crate) fn with_everything() -> Self {
            Self {
                kernel: [!0; NCAPINTS + NBUGINTS],
                raw: [!0; NR_KVM_CPU_CAPS],
                ..Self::new()
            }
        }

        pub(crate) fn cpu(mut self, feature: Feature) -> Self {
            feature::change(&mut self.raw, feature, true);
            self
        }

        pub(crate) fn kernel(mut self, flag: KernelFlag) -> Self {
            flag.set_in(&mut self.kernel);
            self
        }

        /// The kernel leaves `feature` on, if it keeps the word.
        pub(crate) fn left_on(self, feature: Feature) -> Self {
            match feature.kernel_flag() {
                Some(flag) => self.kernel(flag),
                None => self,
            }
        }

        pub(crate) fn native(self, feature: Feature) -> Self {
            self.cpu(feature).left_on(feature)
        }

        pub(crate) fn tdp(self, tdp: bool) -> Self {
            Self { tdp, ..self }
        }

        pub(crate) fn smaller_maxphyaddr(self, smaller_maxphyaddr: bool) -> Self {
            Self {
                smaller_maxphyaddr,
                ..self
            }
        }

        pub(crate) fn msr_tsc_aux(self, msr_tsc_aux: bool) -> Self {
            Self {
                msr_tsc_aux,
                ..self
            }
        }

        pub(crate) fn snapshot(&self) -> Snapshot<'_> {
            Snapshot {
                kernel: &self.kernel,
                raw: &self.raw,
                tdp_enabled: self.tdp,
                allow_smaller_maxphyaddr: self.smaller_maxphyaddr,
                has_msr_tsc_aux: self.msr_tsc_aux,
            }
        }
    }
}

#[kunit_tests(guestcaps_x86_host)]
mod tests {
    use super::super::generated::{
        feature::*,
        kernel_flag,
        word,
        NR_KVM_CPU_CAPS, //
    };
    use super::{
        synthetic::Synthetic,
        *, //
    };

    #[test]
    fn vendors_add_and_drop_features() {
        let (mut caps, sane) = HostCaps::new(&Synthetic::new().native(SHSTK).snapshot());

        assert!(sane && caps.has(SHSTK) && !caps.has(SVM));
        assert!(caps.change(SVM, true) && caps.has(SVM));
        assert!(caps.change(SVM, true) && caps.has(SVM));
        assert!(caps.change(SHSTK, false) && !caps.has(SHSTK));
        assert!(caps.change(SHSTK, false) && !caps.has(SHSTK));
    }

    /// Configured anew, e.g. when another vendor's module is loaded, nothing is left of before.
    #[test]
    fn a_host_is_configured_anew() {
        let host = Synthetic::new().native(AVX).kernel(kernel_flag::IBRS);
        let (mut caps, _) = HostCaps::new(&host.snapshot());
        let before = caps.0;

        assert!(caps.change(SVM, true) && caps.change(AVX, false) && caps.0 != before);
        assert!(HostCaps::new(&host.snapshot()).0 .0 == before);
    }

    #[test]
    fn what_has_no_row_is_refused() {
        let mut caps = HostCaps([0; NR_KVM_CPU_CAPS]);

        assert!(!caps.change(DSCPL, true) && !caps.change(DSCPL, false));
        assert!(!caps.change(SKINIT, true));
        assert!(caps.0 == [0; NR_KVM_CPU_CAPS]);
    }

    #[test]
    fn numbers_are_those_of_c() {
        let number = |word: usize, bit| word as u32 * 32 + bit;

        for (feature, word, bit) in [
            (MOVBE, word::CPUID_1_ECX, 22),
            (SGX_EDECCSSA, word::CPUID_12_EAX, 11),
        ] {
            assert_eq!(feature.number(), number(word, bit));
            let found = Feature::from_number(number(word, bit));

            assert!(found.is_some_and(|(found, _)| found == feature));
        }
        // A Linux-defined word, and none.
        assert!(Feature::from_number(number(word::CPUID_LNX_1, 0)).is_none());
        assert!(Feature::from_number(number(NR_KVM_CPU_CAPS, 0)).is_none());
        assert!(Feature::from_number(u32::MAX).is_none());
    }
}
