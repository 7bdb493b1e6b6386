// SPDX-License-Identifier: GPL-2.0

//! The exceptions to "host AND guest CPUID".

use kernel::prelude::*;

use super::{
    entry,
    is_same,
    reg,
    words,
    EVERYTHING,
    INDEXED, //
};
use crate::{
    c::Entry,
    cpufeature::{
        feature::*,
        Feature,
        Reg,
        Words, //
    },
    facts::{
        Facts,
        Flag,
        Flags,
        NOTHING, //
    },
    tables::optouts::{
        apply,
        emulated,
        may_exceed_kvm,
        row_of, //
    }, //
};

/// What a vCPU may use if guest CPUID has all bits set, and no hardware has a say.
fn usable(kvm: &Words) -> Words {
    let mut caps = *kvm;

    apply(
        &Facts {
            kvm,
            guest: &EVERYTHING,
            flags: Flag::Tdx.into(),
            ..Facts::NONE
        },
        &mut caps,
    );
    caps
}

fn emulated_in(kvm: &[Feature], function: u32, of: Reg) -> Option<u32> {
    let mut entries = [Entry::default(); 10];
    let count = emulated(&words(kvm), &mut entries).ok()?;

    entries
        .iter()
        .take(count)
        .find(|entry| entry.function == function)
        .map(|entry| reg(entry, of))
}

#[kunit_tests(kvm_caps_optouts)]
mod tests {
    use super::*;

    #[test]
    fn rdpid_needs_rdtscp() {
        assert!(RDPID.is_in(&usable(&words(&[RDTSCP]))));
        assert!(!RDPID.is_in(&usable(&NOTHING)));
        assert_eq!(emulated_in(&[RDTSCP], 7, Reg::Ecx), Some(RDPID.mask()));
        assert_eq!(emulated_in(&[], 7, Reg::Ecx), Some(0));
    }

    #[test]
    fn movbe_needs_nothing() {
        assert!(MOVBE.is_in(&usable(&NOTHING)));
        for kvm in [&[][..], &[MOVBE]] {
            assert_eq!(emulated_in(kvm, 1, Reg::Ecx), Some(MOVBE.mask()));
        }
    }

    #[test]
    fn mwait_is_usable_and_never_advertised() {
        assert!(MWAIT.is_in(&usable(&NOTHING)));
        assert_eq!(emulated_in(&[MWAIT], 1, Reg::Ecx), Some(MOVBE.mask()));
    }

    /// The rows add their features, and change nothing else.
    #[test]
    fn nothing_else_is_opted_out() {
        assert!(usable(&NOTHING) == words(&[MOVBE, MWAIT]));
        assert!(usable(&words(&[RDTSCP])) == words(&[MOVBE, MWAIT, RDTSCP, RDPID]));
        assert!(usable(&EVERYTHING) == EVERYTHING);
    }

    #[test]
    fn rows_are_labelled_by_vcpus_and_verb() {
        let tdp = |kind| kind | Flag::Tdp;

        for (feature, flags, wanted) in [
            (RDPID, Flags::from(Flag::Tdx), Some(("any", "advertised"))),
            (MWAIT, tdp(Flag::Svm), Some(("any", "hidden"))),
            (GBPAGES, tdp(Flag::Vmx), Some(("tdp", "exactly"))),
            (GBPAGES, Flag::Vmx.into(), None),
            (XSAVES, tdp(Flag::Svm), Some(("svm", "exactly"))),
            (XSAVES, tdp(Flag::Vmx), Some(("vmx", "needs"))),
            (XSAVES, tdp(Flag::Tdx), None),
            (AVX, tdp(Flag::Svm), None),
        ] {
            let facts = Facts {
                flags,
                ..Facts::NONE
            };

            assert!(row_of(&feature, &facts).map(|row| row.label()) == wanted);
        }
        assert!(may_exceed_kvm(GBPAGES.number()) && !may_exceed_kvm(V_VMSAVE_VMLOAD.number()));
    }

    #[test]
    fn emulated_cpuid_ends_at_its_last_function() -> Result {
        let kvm = words(&[RDTSCP]);
        let mut entries = [entry(!0, !0, !0, !0); 5];

        assert_eq!(emulated(&kvm, &mut entries)?, 3);

        let expected = [
            (0, 0, 7, 0),
            (1, 0, 0, MOVBE.mask()),
            (7, INDEXED, 0, RDPID.mask()),
        ]
        .map(|(function, flags, eax, ecx)| Entry {
            function,
            flags,
            eax,
            ecx,
            ..Entry::default()
        });
        let [a, b, c, rest @ ..] = entries;

        assert!(is_same(&[a, b, c], &expected));
        assert!(is_same(&rest, &[entry(!0, !0, !0, !0); 2]));
        Ok(())
    }

    /// Room is wanted for one entry more than there are; without it, nothing is written.
    #[test]
    fn emulated_cpuid_wants_room() {
        let untouched = [entry(!0, !0, !0, !0); 4];

        for room in 0..=4 {
            let mut entries = untouched;
            let reported = entries
                .get_mut(..room)
                .map(|room| emulated(&EVERYTHING, room));

            assert_eq!(reported.is_some_and(|reported| reported.is_ok()), room == 4);
            assert!(room == 4 || is_same(&entries, &untouched));
        }
    }
}
