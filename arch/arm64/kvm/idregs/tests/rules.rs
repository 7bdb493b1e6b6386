// SPDX-License-Identifier: GPL-2.0

//! Rules between fields.

use super::*;

/// A VM's registers, as it starts.
fn starts(facts: &Facts<'_>) -> [u64; NUM_REGISTERS] {
    let mut words = [0; NUM_REGISTERS];
    start(&mut words, facts);
    words
}

/// Whether a VM with such registers breaks a rule of that kind.
fn breaks(words: &[u64], facts: &Facts<'_>, lacking: &[Lacking]) -> bool {
    needs::Rule::all()
        .any(|rule| lacking.contains(&rule.need.lacking) && rule.is_broken(words, facts))
}

#[kunit_tests(kvm_idregs_rules)]
mod suite {
    use super::*;

    /// No host makes KVM give a VM a field without what it needs; and no more is taken away than
    /// that asks for.
    #[test]
    fn no_vm_starts_with_a_broken_rule() {
        let mut random = Random::new();

        for n in 0..400 {
            // Few bits, so that some needs are met.
            let host = match n {
                0 => Words([u64::MAX; NUM_REGISTERS]),
                1 => Words([0x1111_1111_1111_1111; NUM_REGISTERS]),
                2 => Words([0x7777_7777_7777_7777; NUM_REGISTERS]),
                _ => Words([(); NUM_REGISTERS].map(|()| random.next() & random.next())),
            };
            let bits = random.next() as u32 & Flags::all_bits() & !u32::from(DERIVED);
            let facts = Facts::new(bits, &host);
            let words = starts(&facts);

            assert!(!breaks(&words, &facts, &[Lacking::Cut, Lacking::Cleared]));
            for (limits, row, place) in rows() {
                let limit = place.field.get(highest(place.index, &facts));
                let value = place.field.get(words[place.index]);

                assert!(value == limit || !row.policy.needs.is_empty() && value < limit);
                assert!(limits.condition.holds(&facts) || value == 0);
            }
        }
    }

    /// A host that keeps the rules gives VMs the most that they can have.
    #[test]
    fn nothing_is_cut_without_need() {
        let host = host! {
            like sane();
            ID_AA64MMFR3_EL1.TCRX = IMP,
            ID_AA64MMFR3_EL1.S1PIE = IMP,
            ID_AA64MMFR3_EL1.S1POE = IMP,
            ID_AA64ISAR2_EL1.ATS1A = IMP,
            ID_AA64MMFR1_EL1.HPDS = IMP,
            ID_AA64MMFR1_EL1.HAFDBS = HAFT,
        };
        let facts = Facts::new(flags(&[AARCH32, POE]), &host);
        let words = starts(&facts);

        for (index, word) in words.iter().enumerate() {
            assert_eq!(*word, highest(index, &facts));
        }
    }

    /// What is cut may be what another field needs.
    #[test]
    fn cuts_go_on() {
        let host = host! {
            like sane();
            ID_AA64FPFR0_EL1.F8CVT = IMP,
            ID_AA64FPFR0_EL1.F8FMA = IMP,
            ID_AA64FPFR0_EL1.F8DP4 = IMP,
            ID_AA64FPFR0_EL1.F8DP2 = IMP,
            ID_AA64FPFR0_EL1.F8MM8 = IMP,
        };
        let facts = Facts::new(0, &host);
        let index = place!(ID_AA64FPFR0_EL1.F8CVT).index;

        assert!(highest(index, &facts) != 0);
        assert_eq!(starts(&facts)[index], 0);
        // Userspace can ask for it all the same: registers are restored in any order.
        assert_eq!(
            check(index, &facts, highest(index, &facts), None),
            Ok(highest(index, &facts))
        );
    }

    /// A field falls to the highest value that does not need what the VM lacks.
    #[test]
    fn a_cut_is_no_deeper_than_it_must_be() {
        let haft = place!(ID_AA64MMFR1_EL1.HAFDBS);
        let host = host! { like sane(); ID_AA64MMFR1_EL1.HAFDBS = HAFT };
        let words = starts(&Facts::new(0, &host));

        assert_eq!(
            haft.field.get(words[haft.index]),
            value!(ID_AA64MMFR1_EL1.HAFDBS, DBM)
        );
    }

    /// As `kvm_idregs_enforce_dependencies()` had it: which of S1PIE and S1POE a VM keeps when it
    /// runs first, whatever userspace wrote.
    #[test]
    fn indirect_and_overlaid_permissions() {
        let [s1pie, s1poe] = [
            place!(ID_AA64MMFR3_EL1.S1PIE),
            place!(ID_AA64MMFR3_EL1.S1POE),
        ];
        let (tcrx, ats1a, hpds) = (
            place!(ID_AA64MMFR3_EL1.TCRX),
            place!(ID_AA64ISAR2_EL1.ATS1A),
            place!(ID_AA64MMFR1_EL1.HPDS),
        );
        let host = sane();
        let facts = Facts::new(0, &host);

        for n in 0..8 {
            let mut words = [0; NUM_REGISTERS];
            let has = |bit: u64| n >> bit & 1;

            for (place, value) in [
                (s1pie, 1),
                (s1poe, 1),
                (tcrx, has(0)),
                (ats1a, has(1)),
                (hpds, has(2)),
            ] {
                words[place.index] = place.field.put(words[place.index], value);
            }
            needs::clear(&mut words, &facts);
            for (place, wanted) in [
                (s1pie, has(0) & has(1)),
                (s1poe, has(0) & has(1) & has(2)),
                (tcrx, has(0)),
            ] {
                assert_eq!(place.field.get(words[place.index]), wanted);
            }
        }
    }

    /// Rules that machines break are told, and nothing is taken away for them.
    #[test]
    fn what_is_told_stays() {
        let host = host! {
            like sane();
            ID_AA64MMFR1_EL1.PAN = PAN2,
            ID_MMFR3_EL1.PAN = PAN,
        };
        let facts = Facts::new(flags(&[AARCH32]), &host);
        let words = starts(&facts);
        let place = place!(ID_AA64MMFR1_EL1.PAN);

        assert_eq!(place.field.get(words[place.index]), 2);
        assert!(breaks(&words, &facts, &[Lacking::Told]));
        let told = (0..).map_while(|n| needs::broken(&words, &facts, n));
        let mut pan =
            told.filter(|rule| rule.index == place.index && rule.row.mask == place.field.mask());
        let rule = pan.next();

        assert!(rule.is_some_and(|rule| {
            rule.need.least == value!(ID_MMFR3_EL1.PAN, PAN2)
                && needs::of(rule.index, place.field.lsb, rule.number).is_some()
        }));
        assert!(pan.next().is_none());
    }

    /// A need that no limit reaches, or that any value meets, says nothing.
    #[test]
    fn needs_can_be_broken() {
        for rule in needs::Rule::all() {
            let Row { field, policy, .. } = rule.row;
            let most = match policy.bound.verb {
                Verb::AtMost(value) | Verb::Force(value) => value.into(),
                Verb::Denied | Verb::Zero => field.not_implemented,
            };

            assert!(rule.need.value <= most || policy.bound.overrides[0].is_some());
            assert!(rule.need.least != rule.need.field.not_implemented);
        }
    }
}
