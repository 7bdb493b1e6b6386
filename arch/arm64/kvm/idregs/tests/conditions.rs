// SPDX-License-Identifier: GPL-2.0

//! Facts, and conditions made of them.

use super::*;

#[kunit_tests(kvm_idregs_conditions)]
mod suite {
    use super::*;

    /// A fact that is derived, a host that has it, and one that has not.
    fn derived() -> [(Fact, Words, Words); 6] {
        [
            (
                PMU_IMP_DEF,
                host! { ID_AA64DFR0_EL1.PMUVer = IMP_DEF },
                host! { ID_AA64DFR0_EL1.PMUVer = 14 },
            ),
            (
                RAS_IMP,
                host! { ID_AA64PFR0_EL1.RAS = IMP },
                host! { ID_AA64PFR0_EL1.RAS = V1P1 },
            ),
            (
                MTE2,
                host! { ID_AA64PFR1_EL1.MTE = MTE2 },
                host! { ID_AA64PFR1_EL1.MTE = MTE3 },
            ),
            (
                STAGE2_4K,
                host! { ID_AA64MMFR0_EL1.TGRAN4_2 = IMP },
                host! { ID_AA64MMFR0_EL1.TGRAN4_2 = NI },
            ),
            (
                STAGE2_16K,
                host! { ID_AA64MMFR0_EL1.TGRAN16 = IMP },
                host! { ID_AA64MMFR0_EL1.TGRAN16 = NI },
            ),
            (
                STAGE2_64K,
                host! { ID_AA64MMFR0_EL1.TGRAN64 = IMP },
                host! { ID_AA64MMFR0_EL1.TGRAN64 = NI },
            ),
        ]
    }

    #[test]
    fn facts_are_derived_from_the_host() {
        let mut all = Flags::empty();

        for (fact, with, without) in derived() {
            assert!(Facts::new(0, &with).derived().contains(fact));
            assert!(!Facts::new(0, &without).derived().contains(fact));
            all |= fact;
        }
        assert!(all == DERIVED);
    }

    #[test]
    fn each_fact_has_its_own_bit() {
        let mut bits = 0;

        for (fact, _, _) in Fact::ALL {
            assert_eq!((*fact as u32).count_ones(), 1);
            assert_eq!(bits & *fact as u32, 0);
            bits |= *fact as u32;
        }
        assert_eq!(bits, Flags::all_bits());
    }

    /// Conditions hold for all that they ask for, and nothing that they exclude; what is derived
    /// counts as well.
    #[test]
    fn conditions_hold() {
        let (mte2, other) = (
            host! { ID_AA64PFR1_EL1.MTE = MTE2 },
            host! { ID_AA64PFR1_EL1.MTE = MTE3 },
        );
        let both = facts::vm(MTE).and(facts::host(MTE2));
        let holds = |condition: Condition, given: &[Fact], host: &Words| {
            let facts = Facts::new(flags(given), host);
            condition.holds(&facts.for_conditions(condition.asked()))
        };

        assert!(holds(Condition::ALWAYS, &[], &other));
        assert!(holds(both, &[MTE, SVE], &mte2));
        assert!(!holds(both, &[SVE], &mte2));
        assert!(!holds(both, &[MTE], &other));
        assert!(holds(facts::not(facts::vm(SVE)), &[MTE], &other));
        assert!(!holds(facts::not(facts::vm(SVE)), &[SVE], &other));
        assert!(!holds(facts::not(facts::host(MTE2)), &[], &mte2));
        assert!(holds(
            facts::vm(SVE).and(facts::not(facts::vm(MTE))),
            &[SVE],
            &other
        ));
        assert!(!holds(
            facts::vm(SVE).and(facts::not(facts::vm(MTE))),
            &[SVE, MTE],
            &other
        ));
    }

    /// All conditions of rows and registers.
    fn conditions() -> impl Iterator<Item = Condition> {
        rows().flat_map(|(limits, row, _)| {
            let policy = row.policy;
            let bounds = [Some(policy.bound), policy.nested, policy.protected];
            let of_bounds = bounds.into_iter().flatten().flat_map(|bound| {
                let instead = bound.overrides.map(|o| o.map(|o| o.condition));
                let once = bound.once.map(|once| once.condition);
                Iterator::chain(instead.into_iter(), [once])
            });
            let irqchip = policy.irqchip.map(|(condition, _)| condition);
            let untrappable = policy.untrappable.map(|why| why.condition);
            Iterator::chain(of_bounds, [irqchip, untrappable, Some(limits.condition)]).flatten()
        })
    }

    #[test]
    fn each_fact_is_asked_for() {
        let asked = conditions().fold(Flags::empty(), |all, condition| all | condition.asked());

        // EL2 decides which half of a row counts.
        assert_eq!(u32::from(asked | EL2), Flags::all_bits());
    }

    /// Some VM starts with another value if a fact holds.
    fn makes_a_difference(fact: Fact) -> bool {
        let bit = flags(&[fact]);
        samples().any(|facts| {
            (0..16).any(|value| {
                let host = Words([0x1111_1111_1111_1111 * value; NUM_REGISTERS]);
                let [with, without] = [facts | bit, facts & !bit];
                let starts = |index, bits| highest(index, &Facts::new(bits, &host));
                (0..NUM_REGISTERS).any(|index| starts(index, with) != starts(index, without))
            })
        })
    }

    /// Interrupt controllers come later, MTE2 is about values that are written, and MPAM about what
    /// guests can use.
    #[test]
    fn each_fact_makes_a_difference() {
        for (fact, _, _) in Fact::ALL {
            let is_elsewhere = [VGIC_V3, VGIC_V5, MTE2, MPAM].contains(fact);

            assert_eq!(makes_a_difference(*fact), !is_elsewhere);
        }
    }
}
