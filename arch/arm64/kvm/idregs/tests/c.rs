// SPDX-License-Identifier: GPL-2.0

//! What C knows of limits besides: cpufeature's safe values, and what pKVM allows.

use super::{
    super::ffi::kunit::{
        ftr,
        ftr_safe,
        pvm_field, //
    },
    reference::number,
    *, //
};

/// Whether the rule of a field is cpufeature's, for all pairs of values.
fn agrees(n: u32, row: &Row, place: Place) -> bool {
    (0..=place.field.max()).all(|value| {
        (0..=place.field.max()).all(|limit| {
            let [word, most] = [value, limit].map(|value| value << place.field.lsb);
            let expected = value == limit || ftr_safe(place.index, n, value, limit) == value;
            row.is_within(word, most) == expected
        })
    })
}

#[kunit_tests(kvm_idregs_c)]
mod suite {
    use super::*;

    /// But for versions of PMUs and debuggers, which cpufeature takes as exact.
    #[test]
    fn orders_are_those_of_cpufeature() {
        let overridden = [
            place!(ID_AA64DFR0_EL1.PMUVer),
            place!(ID_AA64DFR0_EL1.DebugVer),
            place!(ID_DFR0_EL1.PerfMon),
        ];
        let mut compared = 0;

        for (limits, row, place) in rows() {
            let is_overridden = overridden
                .iter()
                .any(|o| o.index == place.index && o.field.lsb == place.field.lsb);

            if !limits.is_known || !row.is_writable() || is_overridden {
                continue;
            }
            for n in 0.. {
                let Some((lsb, width)) = ftr(place.index, n) else {
                    break;
                };
                if lsb == place.field.lsb {
                    assert_eq!(place.field.msb - lsb + 1, width);
                    assert!(agrees(n, row, place));
                    compared += 1;
                }
            }
        }
        assert!(compared > 200);
    }

    /// On a host that has the most of everything that pKVM allows.
    #[test]
    fn protected_vms_are_within_limits() {
        let mut compared = 0;

        for n in 0.. {
            let Some((index, mask, value)) = pvm_field(n) else {
                break;
            };
            let host = Words([value; NUM_REGISTERS]);
            let given = Flags::all_bits() & !u32::from(DERIVED) & !flags(&[EL2, E2H0]);
            let limit = highest(index, &Facts::new(given, &host));

            for (_, row, place) in rows() {
                if place.index == index && row.mask == mask {
                    let [most, limit] = [value, limit].map(|word| place.field.get(word));

                    assert!(number(row, most) <= number(row, limit));
                    compared += 1;
                }
            }
        }
        assert!(compared > 50);
    }
}
