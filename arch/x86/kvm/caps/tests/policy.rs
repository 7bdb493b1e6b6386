// SPDX-License-Identifier: GPL-2.0

//! The policy as a table.

use kernel::prelude::*;

use crate::{
    cpufeature::{
        feature::*,
        CPUID_8000_0001_EDX, //
    },
    tables::policy::{
        row_of,
        Verb,
        QUERIED, //
    }, //
};

#[kunit_tests(kvm_caps_policy)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_number() {
        let alias = FPU.repeated_in(CPUID_8000_0001_EDX::WORD);

        for (feature, name) in [(XMM3, "XMM3"), (alias, "FPU"), (_3DNOW, "3DNOW")] {
            assert!(row_of(feature.number()).is_some_and(|row| row.name() == name));
        }
        // Bits that nobody has a name for, words that mirror nothing, and none at all.
        for number in [10, STIBP.number(), u32::MAX] {
            assert!(row_of(number).is_none());
        }
    }

    /// C may ask for what is not denied, and for what it says it asks for all the same.
    #[test]
    fn denied_features_are_not_asked_for() {
        for (feature, is_queried) in [(SKINIT, true), (RDPRU, true), (DSCPL, false)] {
            assert!(row_of(feature.number()).is_some_and(|row| row.verb == Verb::Denied));
            assert_eq!(feature.is_in(&QUERIED), is_queried);
        }
    }
}
