// SPDX-License-Identifier: GPL-2.0

//! The policy as a table.

use kernel::prelude::*;

use crate::{
    cpufeature::{
        feature::*,
        CPUID_8000_0001_EDX,
        FEATURES,
        LEAVES, //
    },
    tables::policy::{
        row_of,
        rows,
        Verb,
        QUERIED, //
    }, //
};

#[kunit_tests(kvm_caps_policy)]
mod tests {
    use super::*;

    /// Each feature that CPUID enumerates in a word has one row, and no row is of another bit.
    #[test]
    fn the_table_is_complete() {
        let mut rows_seen = 0;

        for (word, leaf) in LEAVES.iter().enumerate() {
            for bit in 0..u32::BITS {
                let number = word as u32 * u32::BITS + bit;
                let count = rows().filter(|row| row.feature.number() == number).count();
                let named = FEATURES
                    .iter()
                    .any(|(_, feature)| feature.number() == number);

                assert!(count <= 1 && (count == 1 || !named || leaf.is_none()));
                assert!(leaf.is_some() || count == 0);
                rows_seen += count;
            }
        }
        assert_eq!(rows_seen, rows().count());
    }

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
        for row in rows() {
            let is_denied = row.verb == Verb::Denied;
            let is_queried = row.feature.is_in(&QUERIED);

            assert!(is_queried || is_denied);
        }
        for (feature, is_queried) in [(SKINIT, true), (RDPRU, true), (DSCPL, false)] {
            assert!(row_of(feature.number()).is_some_and(|row| row.verb == Verb::Denied));
            assert_eq!(feature.is_in(&QUERIED), is_queried);
        }
    }
}
