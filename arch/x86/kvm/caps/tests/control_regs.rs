// SPDX-License-Identifier: GPL-2.0

//! The bits of CR4 and EFER.

use kernel::prelude::*;

use super::{
    kernel,
    words,
    EVERYTHING,
    NO_KERNEL, //
};
use crate::{
    cpufeature::{
        cr4,
        efer,
        feature::*,
        Feature,
        Words, //
    },
    facts::{
        Facts,
        NOTHING, //
    },
    tables::control_regs::{
        reserved,
        stand_for,
        CR4,
        EFER, //
    }, //
};

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

fn bits(numbers: &[u32]) -> u64 {
    numbers
        .iter()
        .fold(0, |all, bit| all | 1 << (bit % u64::BITS))
}

fn facts(vcpu: &Words) -> Facts<'_> {
    Facts {
        vcpu,
        ..Facts::NONE
    }
}

/// The bits of CR4 that a guest with these features may set.
fn cr4_of(features: &[Feature]) -> u64 {
    !reserved(CR4, &facts(&words(features)))
}

/// The bits of EFER that a guest with `guest` may set where KVM supports `kvm`.
fn efer_of(guest: &[Feature], kvm: &[Feature]) -> u64 {
    let kvm = &words(kvm);

    !reserved(
        EFER,
        &Facts {
            kvm,
            ..facts(&words(guest))
        },
    )
}

#[kunit_tests(kvm_caps_control_regs)]
mod tests {
    use super::*;

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
            // What only KVM has counts for LMSLE, and nothing else.
            assert_eq!(efer_of(&[], &[feature]) & !bits(&[efer::LMSLE]), plain);
        }
    }

    #[test]
    fn lmsle_is_the_hosts_to_give() {
        let lmsle = bits(&[efer::LMSLE]);
        let gone = kernel(&[EFER_LMSLE_MBZ]);
        let of = |kernel, kvm| {
            !reserved(
                EFER,
                &Facts {
                    kernel,
                    kvm,
                    ..facts(&EVERYTHING)
                },
            ) & lmsle
        };

        assert_eq!(efer_of(&[SVM], &[]) & lmsle, 0);
        let svm = words(&[SVM]);

        assert_eq!(of(&NO_KERNEL, &svm), lmsle);
        assert_eq!(of(&NO_KERNEL, &NOTHING), 0);
        assert_eq!(of(&gone, &svm), 0);
    }

    /// What has no row is reserved for who has everything.
    #[test]
    fn bits_without_a_row_are_reserved() {
        let everything = Facts {
            kvm: &EVERYTHING,
            ..facts(&EVERYTHING)
        };

        for bit in [cr4::SMXE, cr4::LASS, cr4::FRED, 15, 19, 24, 26, 31, 63] {
            assert!(reserved(CR4, &everything) & bits(&[bit]) != 0);
        }
        // Guest CPUID may tell of this one, even so.
        assert_eq!(
            stand_for(CR4, &everything) & reserved(CR4, &everything),
            bits(&[cr4::SMXE])
        );
        for bit in [efer::TCE, 1, 7, 9, 16, 20, 22, 63] {
            assert!(reserved(EFER, &everything) & bits(&[bit]) != 0);
        }
        for (table, denied) in [(CR4, 1), (EFER, 0)] {
            let freed = !reserved(table, &everything);

            assert_eq!(freed.count_ones() as usize + denied, table.len());
        }
    }
}
