// SPDX-License-Identifier: GPL-2.0

//! What people see of a vCPU's capabilities.

use kernel::{
    prelude::*,
    str::CString, //
};

use super::{
    words,
    EVERYTHING, //
};
use crate::{
    cpufeature::{
        feature::*,
        other_name,
        Feature,
        CPUID_7_ECX,
        NR_KVM_CPU_CAPS, //
    },
    facts::{
        Facts,
        Flag,
        NOTHING, //
    },
    view::{
        lines,
        Why, //
    }, //
};

/// Bits that the kernel makes nothing of, and one of a field of five.
const KEY_LOCKER: u32 = CPUID_7_ECX::WORD as u32 * u32::BITS + 23;
const MAWAU: u32 = CPUID_7_ECX::WORD as u32 * u32::BITS + 21;

/// Calls `then` with what there is to see of a vCPU of kvm-amd with two-dimensional paging.
fn with<R>(
    kvm: &[Feature],
    asked: &[Feature],
    caps: &[Feature],
    then: impl FnOnce(&Facts<'_>) -> R,
) -> R {
    then(&Facts {
        kvm: &words(kvm),
        guest: &words(asked),
        vcpu: &words(caps),
        flags: Flag::Svm | Flag::Tdp,
        ..Facts::NONE
    })
}

/// The reason in the first line.
fn why(kvm: &[Feature], asked: &[Feature], caps: &[Feature]) -> Result<Option<CString>> {
    let why = with(kvm, asked, caps, |facts| {
        lines(facts, 0).next().and_then(|line| line.why)
    });

    why.map(|why: Why| CString::try_from_fmt(fmt!("{why}")))
        .transpose()
}

#[kunit_tests(kvm_caps_view)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_that_guests_ask_for_or_have() {
        with(&[AVX, MOVBE, SVM], &[AVX, FPU], &[AVX, XSAVES], |facts| {
            assert!(lines(facts, 0)
                .map(|line| line.number)
                .eq([FPU, AVX, XSAVES].map(|feature| feature.number())));
            assert!(lines(facts, AVX.number() + 1)
                .map(|line| line.number)
                .eq([XSAVES.number()]));
        });
        with(&[AVX], &[], &[], |facts| {
            assert!(lines(facts, 0).next().is_none());
        });
    }

    #[test]
    fn each_difference_has_its_reason() -> Result {
        type Features = &'static [Feature];

        #[rustfmt::skip]
        let cases: [(Features, Features, Features, Option<&CStr>); 13] = [
            (&[AVX], &[AVX], &[AVX], None),
            (&[], &[AVX], &[], Some(c"host")),
            (&[AVX], &[AVX], &[], Some(c"runtime")),
            (&[], &[DSCPL], &[], Some(c"denied")),
            (&[], &[OSXSAVE], &[OSXSAVE], Some(c"runtime")),
            (&[], &[OSXSAVE], &[], Some(c"runtime")),
            (&[], &[MOVBE], &[MOVBE], Some(c"any:advertised")),
            (&[MOVBE], &[MOVBE], &[MOVBE], None),
            (&[], &[], &[XSAVES], Some(c"svm:exactly")),
            (&[V_VMSAVE_VMLOAD], &[V_VMSAVE_VMLOAD], &[], Some(c"svm:needs")),
            (&[], &[], &[GBPAGES], Some(c"tdp:exactly")),
            // An opt-out that is not what made the difference.
            (&[], &[XSAVES], &[], Some(c"host")),
            (&[], &[SKINIT], &[], Some(c"denied")),
        ];

        for (kvm, asked, caps, wanted) in cases {
            assert!(why(kvm, asked, caps)?.as_deref() == wanted);
        }
        Ok(())
    }

    /// Bits that are no feature are shown, with the name that they have elsewhere, if any.
    #[test]
    fn bits_that_are_no_feature_are_unknown() {
        for (number, name) in [
            (10, "-"),
            (KEY_LOCKER, "KEY_LOCKER"),
            (MAWAU, "MAWAU_VAL_LM"),
        ] {
            let mut guest = NOTHING;

            if let Some(word) = guest.get_mut((number / u32::BITS) as usize) {
                *word = 1 << (number % u32::BITS);
            }

            let facts = Facts {
                guest: &guest,
                ..Facts::NONE
            };
            let line = lines(&facts, 0).next();

            assert!(line.is_some_and(|line| {
                line.number == number
                    && line.name() == name
                    && matches!(line.why, Some(Why::Unknown))
            }));
        }
    }

    /// Features have the kernel's names, whatever they are called elsewhere.
    #[test]
    fn features_have_no_other_name() {
        for feature in [XMM3, DSCPL, SYSCALL, CQM] {
            assert!(feature.name().is_some() && other_name(feature.number()).is_none());
        }
    }

    /// Whatever the number, there is an end.
    #[test]
    fn there_is_nothing_behind_the_last_feature() {
        let facts = Facts {
            kvm: &EVERYTHING,
            guest: &EVERYTHING,
            vcpu: &EVERYTHING,
            ..Facts::NONE
        };
        let end = NR_KVM_CPU_CAPS as u32 * u32::BITS;

        assert!(lines(&facts, end).next().is_none() && lines(&facts, u32::MAX).next().is_none());
        assert!(lines(&facts, end - 1).next().is_some());
    }
}
