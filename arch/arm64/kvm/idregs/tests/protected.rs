// SPDX-License-Identifier: GPL-2.0

//! What protected VMs have: it is computed once, and userspace has no say.

use super::{
    reference::number,
    *, //
};

/// What decides about a protected VM, with all that it can have.
const FACTS: &[Fact] = &[
    PROTECTED,
    SVE,
    PTRAUTH,
    SPECTRE_V2_UNAFFECTED,
    MELTDOWN_UNAFFECTED,
];

#[kunit_tests(kvm_idregs_protected)]
mod suite {
    use super::{
        cpufeature::*,
        *, //
    };

    /// On a host that has more of everything than anybody knows. Whoever lets VMs have a feature
    /// says here that it is one that the hypervisor at EL2 can do.
    #[test]
    fn the_most_that_they_have() {
        let host = Words([0x7777_7777_7777_7777; NUM_REGISTERS]);
        let known = Facts::new(flags(FACTS), &host);
        let most = [
            (&ID_AA64PFR0_EL1::REGISTER, 0x1101_0001_1111_1111),
            (&ID_AA64PFR1_EL1::REGISTER, 0x21),
            (&ID_AA64DFR0_EL1::REGISTER, 0x000f_00f0_0000_0000),
            (&ID_AA64ISAR0_EL1::REGISTER, 0x1223_1111_1031_2120),
            (&ID_AA64ISAR1_EL1::REGISTER, 0x0011_2211_1131_1112),
            (&ID_AA64ISAR2_EL1::REGISTER, 0x1000_0000_0000_1100),
            (&ID_AA64MMFR0_EL1::REGISTER, 0x0000_1000_0011_1122),
            (&ID_AA64MMFR1_EL1::REGISTER, 0x0000_0010_0730_2022),
            (&ID_AA64MMFR2_EL1::REGISTER, 0x1021_0011_0000_1011),
            (&ID_AA64MMFR4_EL1::REGISTER, 0x0f00_0000),
        ];

        for at in 0..facts::CTR_EL0 {
            let word = most.iter().find(|(register, _)| index(register) == at);

            assert_eq!(highest(at, &known), word.map_or(0, |(_, word)| *word));
        }
    }

    /// Rules between fields cost them nothing: no field of theirs lacks what it needs.
    #[test]
    fn the_most_keeps_the_rules() {
        let host = Words([0x7777_7777_7777_7777; NUM_REGISTERS]);
        let known = Facts::new(flags(FACTS), &host);
        let most: [u64; NUM_REGISTERS] = core::array::from_fn(|index| highest(index, &known));
        let mut words = most;

        needs::start(&mut words, &known);
        assert!(words == most);
    }

    /// EL2 has their registers before all else is known of KVM, and keeps them.
    #[test]
    fn nothing_else_decides() {
        let mut random = Random::new();

        for _ in 0..100 {
            let host = Words::random(&mut random);
            let given = random.next() as u32 & flags(FACTS) | flags(&[PROTECTED]);
            let known = Facts::new(given, &host);

            for (fact, source, _) in Fact::ALL {
                let others = Facts::new((given | flags(&[*fact])) & !u32::from(DERIVED), &host);

                for index in 0..facts::CTR_EL0 {
                    assert!(
                        *source == "vm"
                            || FACTS.contains(fact)
                            || highest(index, &others) == highest(index, &known)
                    );
                }
            }
        }
    }

    /// No field has more than in another VM with all that it can have; one whose values don't
    /// compare is about EL2.
    #[test]
    fn other_vms_have_no_less() {
        let mut random = Random::new();

        for _ in 0..100 {
            let host = Words::random(&mut random);
            let given = random.next() as u32 & flags(FACTS) | flags(&[PROTECTED]);
            let known = Facts::new(given, &host);
            let others = Facts::new(given & !flags(&[PROTECTED]) | flags(ALL), &host);

            for (limits, row, place) in rows() {
                let [here, there] =
                    [known, others].map(|f| place.field.get(highest(place.index, &f)));

                assert!(
                    here == place.field.not_implemented
                        || !limits.condition.holds(&known)
                        || matches!(row.policy.order, Order::Exact(_))
                        || number(row, here) <= number(row, there)
                );
            }
        }
    }
}
