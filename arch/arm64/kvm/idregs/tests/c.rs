// SPDX-License-Identifier: GPL-2.0

//! What C knows of limits besides: cpufeature's safe values, and config.c's maps of features.

use super::{
    super::ffi::kunit::{
        feat,
        ftr,
        ftr_safe,
        keeps,
        Map, //
    },
    reference::number,
    *, //
};

/// cpufeature knows nothing of names.
fn is_meant(row: &Row, value: u64, limit: u64) -> bool {
    value == limit || row.has_meaning(value << row.field.lsb)
}

/// Whether the rule of a field is cpufeature's, for all pairs of values.
fn agrees(n: u32, row: &Row, place: Place, facts: &Facts<'_>) -> bool {
    (0..=place.field.max()).all(|value| {
        (0..=place.field.max()).all(|limit| {
            let [word, most] = [value, limit].map(|value| value << place.field.lsb);
            let expected = value == limit || ftr_safe(place.index, n, value, limit) == value;
            row.is_within(word, most, facts) == (expected && is_meant(row, value, limit))
        })
    })
}

#[kunit_tests(kvm_idregs_c)]
mod suite {
    use super::*;

    /// But for versions of PMUs and debuggers, which cpufeature takes as exact, and for Supersec:
    /// its `NI` is the highest number, and cpufeature takes it for the most.
    #[test]
    fn orders_are_those_of_cpufeature() {
        let overridden = [
            place!(ID_AA64DFR0_EL1.PMUVer),
            place!(ID_AA64DFR0_EL1.DebugVer),
            place!(ID_DFR0_EL1.PerfMon),
            place!(ID_MMFR3_EL1.Supersec),
        ];
        let host = sane();
        let facts = Facts::new(0, &host);
        let mut compared = 0;

        for (limits, row, place) in rows() {
            let is_overridden = overridden
                .iter()
                .any(|o| o.index == place.index && o.field.lsb == place.field.lsb);

            if !limits.is_known || !row.is_writable(&facts) || is_overridden {
                continue;
            }
            for n in 0.. {
                let Some((lsb, width)) = ftr(place.index, n) else {
                    break;
                };
                if lsb == place.field.lsb {
                    assert_eq!(place.field.msb - lsb + 1, width);
                    assert!(agrees(n, row, place, &facts));
                    compared += 1;
                }
            }
        }
        assert!(compared > 200);
    }
    /// A limit above nothing is of use only if cpufeature keeps a system-wide safe value.
    #[test]
    fn limits_can_be_reached() {
        for (limits, row, place) in rows() {
            let Verb::AtMost(limit) = row.policy.bound.verb else {
                continue;
            };
            let is_above = number(row, limit.into()) > number(row, row.field.not_implemented);

            if limits.is_known && is_above {
                let mut fields = (0..).map_while(|n| ftr(place.index, n));

                assert!(fields.any(|(lsb, _)| lsb == place.field.lsb));
            }
        }
    }

    /// A class is no free word: what config.c has a map for is neither mere data path nor inert.
    #[test]
    fn classes_are_what_feature_maps_say() {
        // HCRX_EL2.FnXS and .FGTnXS are a guest hypervisor's: clear, nXS is what it promises. And
        // NV3's bits are the host's own.
        let others = [
            place!(ID_AA64ISAR1_EL1.XS),
            place!(ID_AA64MMFR4_EL1.NV_frac),
        ];
        let mut compared = 0;

        for (map, index, lsb, least) in (0..).map_while(feat) {
            let of_field = |place: Place| place.index == index && place.field.lsb == lsb;

            for (_, row, _) in rows().filter(|(_, _, place)| of_field(*place)) {
                let Verb::AtMost(limit) = row.policy.bound.verb else {
                    continue;
                };
                if number(row, limit.into()) < number(row, least)
                    || others.into_iter().any(of_field)
                {
                    continue;
                }
                assert!(match (map, row.policy.bound.class) {
                    (Map::Enables, Some(Class::Virtual(does))) => does
                        .enables
                        .is_some_and(|(register, _)| register.name == "HCRX_EL2"),
                    (Map::Registers, Some(Class::Virtual(_))) => true,
                    (Map::Instructions, Some(class)) =>
                        !matches!(class, Class::DataPath | Class::Inert),
                    _ => false,
                });
                compared += 1;
            }
        }
        assert!(compared > 20);
    }

    /// Registers that KVM is said to switch are kept, and so are those of the guest's own.
    #[test]
    fn registers_of_classes_are_kept() {
        for (_, row, _) in rows() {
            let bounds = [Some(row.policy.bound), row.policy.nested];

            for class in bounds.into_iter().flatten().filter_map(|bound| bound.class) {
                let registers = match class {
                    Class::Virtual(does) => does.state,
                    Class::Own(registers) => registers,
                    Class::DataPath | Class::Trapped | Class::Inert => &[],
                };
                assert!(registers.iter().all(|register| keeps(register.encoding)));
            }
        }
    }
}
