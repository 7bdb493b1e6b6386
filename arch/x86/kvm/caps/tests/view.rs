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
        Feature,
        NR_KVM_CPU_CAPS, //
    },
    facts::{
        Facts,
        Flag, //
    },
    view::{
        lines,
        Why, //
    }, //
};

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

    /// Bits that not even the kernel has a name for are shown, and have none.
    #[test]
    fn bits_without_a_name_are_unknown() {
        let mut first = 1 << 10;
        let guest = words(&[]).map(|_| core::mem::take(&mut first));
        let facts = Facts {
            guest: &guest,
            ..Facts::NONE
        };
        let line = lines(&facts, 0).next();

        assert!(line.is_some_and(|line| {
            line.number == 10 && line.name() == "-" && matches!(line.why, Some(Why::Unknown))
        }));
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
