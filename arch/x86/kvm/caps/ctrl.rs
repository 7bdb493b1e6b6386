// SPDX-License-Identifier: GPL-2.0

//! Which bits of CR4 and EFER a vCPU's capabilities leave reserved.
//!
//! One row a bit. The vCPU may set the bit if all conditions of its row hold, and never sets one
//! that has no row.
//!
//! | condition                  | holds if                                             |
//! | -------------------------- | ---------------------------------------------------- |
//! | `always`                   | in any case                                          |
//! | `has(FEATURE)`             | the vCPU may use the feature                         |
//! | `has_one_of(FEATURE, ...)` | the vCPU may use at least one of them                |
//! | `kvm(FEATURE)`             | KVM supports the feature, whatever guest CPUID says  |
//! | `lacks(FLAG)`              | the host's kernel lacks the feature                  |
//!
//! No opt-out gives a vCPU a feature that `has` asks for and that KVM does not support: what the
//! host lacks is reserved for every guest.
//!
//! Sources: Intel SDM volume 3A, "Control Registers"; AMD APM volume 2, "Extended Feature Enable
//! Register (EFER)".

use kernel::prelude::*;

use super::{
    feature::{
        self,
        Feature,
        KernelFlag,
        KernelWords,
        Words, //
    },
    generated::{
        cr4,
        efer,
        feature::*,
        kernel_flag,
        NCAPINTS, //
    },
    host::HostCaps,
    optout,
    policy, //
};

bits! {
    /// The bits of CR4.
    CR4, each_of_cr4: cr4 {
        VME         if always;
        PVI         if always;
        TSD         if always;
        DE          if always;
        PSE         if always;
        PAE         if always;
        MCE         if always;
        PGE         if always;
        PCE         if always;
        OSFXSR      if always;
        OSXMMEXCPT  if always;
        UMIP        if has(UMIP);
        LA57        if has(LA57);
        VMXE        if has(VMX);
        FSGSBASE    if has(FSGSBASE);
        PCIDE       if has(PCID);
        OSXSAVE     if has(XSAVE);
        SMEP        if has(SMEP);
        SMAP        if has(SMAP);
        PKE         if has(PKU);
        CET         if has_one_of(SHSTK, IBT);
        LAM_SUP     if has(LAM);
    }
}

bits! {
    /// The bits of EFER.
    EFER, each_of_efer: efer {
        // KVM emulates SYSCALL.
        SCE         if always;
        LME         if has(LM);
        LMA         if has(LM);
        NX          if has(NX);
        SVME        if has(SVM);
        // No feature tells a guest of segment limits in long mode, only that they are gone.
        LMSLE       if kvm(SVM), lacks(EFER_LMSLE_MBZ);
        FFXSR       if has(FXSR_OPT);
        AUTOIBRS    if has(AUTOIBRS);
    }
}

/// The words that the kernel and KVM number alike, which the bits of CR4 and EFER depend on.
pub(crate) type KeptWords = [u32; NCAPINTS];

/// A condition.
enum Term {
    HasOneOf(&'static [Feature]),
    Kvm(Feature),
    Lacks(KernelFlag),
}

/// When a bit may be set.
struct Bit {
    mask: u64,
    terms: &'static [Term],
}

impl Bit {
    /// Fails the build if the row asks for a feature that KVM does not know, that the kernel does
    /// not keep, or that an opt-out may give to a guest whose host lacks it.
    const fn new(bit: u32, terms: &'static [Term]) -> Self {
        let mut i = 0;

        while i < terms.len() {
            if let Term::HasOneOf(features) = terms[i] {
                let mut j = 0;

                while j < features.len() {
                    let feature = features[j];

                    assert!(feature.word() < NCAPINTS, "not a word of the kernel");
                    assert!(
                        policy::KNOWN[feature.word()] & feature.mask() != 0,
                        "no row in policy.rs"
                    );
                    assert!(!optout::may_exceed_host(feature), "not host AND guest");
                    j += 1;
                }
            }
            i += 1;
        }
        assert!(bit < u64::BITS);
        Self {
            mask: 1 << bit,
            terms,
        }
    }

    /// The bit, if it may be set; else zero.
    #[inline(always)]
    fn allowed(&self, words: &KeptWords, other: impl Fn(&Term) -> bool) -> u64 {
        let allowed = self.terms.iter().all(|term| match term {
            Term::HasOneOf(features) => {
                features.iter().any(|feature| feature::has(words, *feature))
            }
            term => other(term),
        });

        if allowed {
            self.mask
        } else {
            0
        }
    }
}

/// The words of `caps` that the kernel keeps too.
#[inline]
pub(crate) fn kept(caps: &Words) -> &KeptWords {
    caps.first_chunk().unwrap_or(&[0; NCAPINTS])
}

/// The bits of CR4 that are reserved for who has the features in `words`, a vCPU or a CPU.
#[inline]
pub(crate) fn reserved_cr4(words: &KeptWords) -> u64 {
    !each_of_cr4(words, |_| false)
}

/// The bits of EFER that are reserved for who has the features in `words`, a vCPU or KVM itself.
#[inline]
pub(crate) fn reserved_efer(words: &KeptWords, host: &HostCaps, kernel: &KernelWords) -> u64 {
    !each_of_efer(words, |term| match term {
        Term::Kvm(feature) => host.has(*feature),
        Term::Lacks(flag) => !flag.is_in(kernel),
        Term::HasOneOf(_) => false,
    })
}

macro_rules! bits {
    ($(#[$doc:meta])* $table:ident, $each:ident: $names:ident {
        $($bit:ident if $($term:ident $(($($arg:ident),+))?),+;)*
    }) => {
        $(#[$doc])*
        const $table: [Bit; [$(stringify!($bit)),*].len()] = [
            $(Bit::new($names::$bit, const { &bits!(@terms $($term $(($($arg),+))?),+) }),)*
        ];

        // Two rows for a bit would be two policies.
        const _: () = {
            let mut all = 0;
            let mut i = 0;

            while i < $table.len() {
                assert!(all & $table[i].mask == 0, "a bit has two rows");
                all |= $table[i].mask;
                i += 1;
            }
        };

        /// The bits that may be set. `other` judges the conditions that are not about `words`.
        #[inline(always)]
        fn $each(words: &KeptWords, other: impl Fn(&Term) -> bool) -> u64 {
            // Row by row: each is a constant here, so what it doesn't need is not in the code.
            0 $(| const {
                Bit::new($names::$bit, const { &bits!(@terms $($term $(($($arg),+))?),+) })
            }.allowed(words, &other))*
        }
    };

    (@terms always) => { [] };
    (@terms $($term:ident ($($arg:ident),+)),+) => { [$(bits!(@term $term $($arg)+)),+] };
    (@term has $feature:ident) => { Term::HasOneOf(const { &[$feature] }) };
    (@term has_one_of $($feature:ident)+) => { Term::HasOneOf(const { &[$($feature),+] }) };
    (@term kvm $feature:ident) => { Term::Kvm($feature) };
    (@term lacks $flag:ident) => { Term::Lacks(kernel_flag::$flag) };
}
use bits;

#[kunit_tests(guestcaps_x86_ctrl)]
mod tests {
    use super::super::generated::{
        NBUGINTS,
        NR_KVM_CPU_CAPS, //
    };
    use super::*;

    const NOTHING: Words = [0; NR_KVM_CPU_CAPS];
    const EVERYTHING: Words = [!0; NR_KVM_CPU_CAPS];
    const NO_FLAGS: KernelWords = [0; NCAPINTS + NBUGINTS];

    fn only(features: &[Feature]) -> Words {
        let mut words = NOTHING;

        for feature in features {
            feature::change(&mut words, *feature, true);
        }
        words
    }

    fn cr4_of(features: &[Feature]) -> u64 {
        !reserved_cr4(kept(&only(features)))
    }

    /// The bits of EFER that a guest with `guest` may set where KVM supports `host`.
    fn efer_of(guest: &[Feature], host: &[Feature]) -> u64 {
        !reserved_efer(kept(&only(guest)), &HostCaps(only(host)), &NO_FLAGS)
    }

    fn bits(numbers: &[u32]) -> u64 {
        numbers
            .iter()
            .fold(0, |all, bit| all | 1 << (bit % u64::BITS))
    }

    const PLAIN_CR4: [u32; 11] = [
        cr4::VME,
        cr4::PVI,
        cr4::TSD,
        cr4::DE,
        cr4::PSE,
        cr4::PAE,
        cr4::MCE,
        cr4::PGE,
        cr4::PCE,
        cr4::OSFXSR,
        cr4::OSXMMEXCPT,
    ];

    /// Each feature frees its own bit of CR4, and nothing else.
    #[test]
    fn a_feature_frees_its_bit_of_cr4() {
        let plain = bits(&PLAIN_CR4);

        assert_eq!(cr4_of(&[]), plain);
        for (feature, bit) in [
            (UMIP, cr4::UMIP),
            (LA57, cr4::LA57),
            (VMX, cr4::VMXE),
            (FSGSBASE, cr4::FSGSBASE),
            (PCID, cr4::PCIDE),
            (XSAVE, cr4::OSXSAVE),
            (SMEP, cr4::SMEP),
            (SMAP, cr4::SMAP),
            (PKU, cr4::PKE),
            (SHSTK, cr4::CET),
            (IBT, cr4::CET),
            (LAM, cr4::LAM_SUP),
        ] {
            assert_eq!(cr4_of(&[feature]), plain | bits(&[bit]));
        }
        assert_eq!(cr4_of(&[SHSTK, IBT]), plain | bits(&[cr4::CET]));
        // Nor does any feature but these.
        assert_eq!(cr4_of(&[LM, NX, SVM, OSXSAVE, OSPKE]), plain);
    }

    /// As for CR4.
    #[test]
    fn a_feature_frees_its_bits_of_efer() {
        let plain = bits(&[efer::SCE]);

        assert_eq!(efer_of(&[], &[]), plain);
        for (feature, numbers) in [
            (LM, &[efer::LME, efer::LMA][..]),
            (NX, &[efer::NX]),
            (SVM, &[efer::SVME]),
            (FXSR_OPT, &[efer::FFXSR]),
            (AUTOIBRS, &[efer::AUTOIBRS]),
        ] {
            assert_eq!(efer_of(&[feature], &[]), plain | bits(numbers));
            // What only the host has counts for LMSLE, and nothing else.
            assert_eq!(efer_of(&[], &[feature]) & !bits(&[efer::LMSLE]), plain);
        }
    }

    #[test]
    fn lmsle_is_the_hosts_to_give() {
        let lmsle = bits(&[efer::LMSLE]);
        let gone = {
            let mut flags = NO_FLAGS;

            kernel_flag::EFER_LMSLE_MBZ.set_in(&mut flags);
            flags
        };
        let host = HostCaps(only(&[SVM]));

        assert_eq!(efer_of(&[], &[SVM]) & lmsle, lmsle);
        assert_eq!(efer_of(&[SVM], &[]) & lmsle, 0);
        assert_eq!(
            reserved_efer(kept(&EVERYTHING), &host, &gone) & lmsle,
            lmsle
        );
    }

    /// What has no row is reserved for who has everything.
    #[test]
    fn bits_without_a_row_are_reserved() {
        let reserved = reserved_cr4(kept(&EVERYTHING));

        for bit in [cr4::SMXE, cr4::LASS, cr4::FRED, 15, 19, 24, 26, 31, 63] {
            assert!(reserved & bits(&[bit]) != 0);
        }

        let reserved = reserved_efer(kept(&EVERYTHING), &HostCaps(EVERYTHING), &NO_FLAGS);

        for bit in [efer::TCE, 1, 7, 9, 16, 20, 22, 63] {
            assert!(reserved & bits(&[bit]) != 0);
        }
        assert_eq!((!reserved).count_ones() as usize, EFER.len());
        assert_eq!(
            (!reserved_cr4(kept(&EVERYTHING))).count_ones() as usize,
            CR4.len()
        );
    }
}
