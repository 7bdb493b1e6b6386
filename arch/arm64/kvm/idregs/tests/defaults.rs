// SPDX-License-Identifier: GPL-2.0

//! What VMs start with.

use super::{
    reference::Reference,
    *, //
};

/// Whether all fields of all registers start as the reference says.
fn starts_well(facts: u32, host: &Words) -> bool {
    let known = Facts::new(facts, host);
    let flags = facts | u32::from(known.derived());
    let rows_are_right = rows().all(|(limits, row, place)| {
        let reference = Reference {
            limits,
            row,
            flags,
            host: place.field.get(known.of_host(place.index)),
        };
        place.field.get(highest(place.index, &known)) == reference.limit()
    });
    rows_are_right
        && LIMITS.iter().enumerate().all(|(index, limits)| {
            let mut fields = limits.register.fields.iter();
            let word = highest(index, &known);
            word == 0
                || fields.all(|field| {
                    let is_one = field.kind == Kind::Res1;
                    !field.is_reserved() || field.get(word) == if is_one { field.max() } else { 0 }
                })
        })
}

#[kunit_tests(kvm_idregs_defaults)]
mod suite {
    use super::*;

    /// All hosts that have a value in all fields.
    #[test]
    fn each_value_of_each_field() {
        for value in 0..16 {
            let host = Words([0x1111_1111_1111_1111 * value; NUM_REGISTERS]);

            for facts in samples() {
                assert!(starts_well(facts, &host));
            }
        }
    }

    #[test]
    fn hosts_at_random() {
        let mut random = Random::new();

        for _ in 0..300 {
            let host = Words::random(&mut random);
            let facts = random.next() as u32 & Flags::all_bits() & !u32::from(DERIVED);

            assert!(starts_well(facts, &host));
        }
    }

    /// A VM that has less than what makes it impossible can't be; any other can have what it starts
    /// with, before and after it runs.
    #[test]
    fn what_it_starts_with_is_accepted() {
        let sane = sane();

        for host in [sane, Words([u64::MAX; NUM_REGISTERS])] {
            for facts in samples() {
                let facts = Facts::new(facts, &host);

                for index in 0..NUM_REGISTERS {
                    let word = highest(index, &facts);

                    for now in [None, Some(word)] {
                        let stored = check(index, &facts, word, now);

                        assert!(
                            stored == Ok(word)
                                || host.0 != sane.0
                                    && stored.is_err_and(|refusal| {
                                        refusal.reason == Reason::Impossible
                                    })
                        );
                    }
                }
            }
        }
    }

    /// Registers can be written in any order, so none may depend on another one but for what is
    /// derived from two fields of the host.
    #[test]
    fn registers_do_not_depend_on_others() {
        let mut random = Random::new();

        for _ in 0..50 {
            let host = Words::random(&mut random);
            let bits = random.next() as u32 & Flags::all_bits() & !u32::from(DERIVED);
            let facts = Facts::new(bits, &host);

            for index in 0..NUM_REGISTERS {
                let mut other = Words::random(&mut random);

                if let (Some(to), Some(from)) = (other.0.get_mut(index), host.0.get(index)) {
                    *to = *from;
                }
                for (of, place) in [
                    (place!(ID_DFR0_EL1.PerfMon), place!(ID_AA64DFR0_EL1.PMUVer)),
                    (
                        place!(ID_AA64PFR1_EL1.RAS_frac),
                        place!(ID_AA64PFR0_EL1.RAS),
                    ),
                ] {
                    if index == of.index {
                        other = other.with(place, place.field.get(host.sanitised(place.index)));
                    }
                }

                let others = Facts::new(bits, &other);
                let word = highest(index, &facts);
                let asked = word & random.next();

                assert_eq!(highest(index, &others), word);
                assert_eq!(
                    check(index, &others, asked, None),
                    check(index, &facts, asked, None)
                );
            }
        }
    }

    /// As `limit_nv_id_reg()` had it: which stage 2 granules a guest hypervisor has.
    #[test]
    fn granules_under_nested_virtualization() {
        for (size, stage1, stage2, none) in [
            (
                4,
                place!(ID_AA64MMFR0_EL1.TGRAN4),
                place!(ID_AA64MMFR0_EL1.TGRAN4_2),
                15,
            ),
            (
                16,
                place!(ID_AA64MMFR0_EL1.TGRAN16),
                place!(ID_AA64MMFR0_EL1.TGRAN16_2),
                0,
            ),
            (
                64,
                place!(ID_AA64MMFR0_EL1.TGRAN64),
                place!(ID_AA64MMFR0_EL1.TGRAN64_2),
                15,
            ),
        ] {
            for (page, facts) in [
                (4, flags(&[EL2])),
                (16, flags(&[EL2, PAGE_OVER_4K])),
                (64, flags(&[EL2, PAGE_OVER_4K, PAGE_OVER_16K])),
            ] {
                for n in 0..256 {
                    let (at_1, at_2) = (n & 15, n >> 4);
                    let host = sane().with(stage1, at_1).with(stage2, at_2);
                    let word = highest(stage2.index, &Facts::new(facts, &host));
                    let wanted = if size < page {
                        1
                    } else if at_2 == 1 || at_2 == 0 && at_1 == none {
                        0
                    } else {
                        2
                    };

                    assert_eq!(stage2.field.get(word), wanted);
                }
            }
        }
    }

    /// A host that is not affected has the mitigation, whatever its CPUs say; userspace can still
    /// say otherwise.
    #[test]
    fn unaffected_hosts_say_so() {
        for csv in 0..16 {
            let host = host! {
                like sane(); ID_AA64PFR0_EL1.CSV2 = csv, ID_AA64PFR0_EL1.CSV3 = csv
            };
            let host = &host;
            let least = csv.min(1);

            assert_eq!(starts_with!([], host, ID_AA64PFR0_EL1.CSV2), least);
            assert_eq!(starts_with!([], host, ID_AA64PFR0_EL1.CSV3), least);
            assert_eq!(
                starts_with!([SPECTRE_V2_UNAFFECTED], host, ID_AA64PFR0_EL1.CSV2),
                1
            );
            assert_eq!(
                starts_with!([SPECTRE_V2_UNAFFECTED], host, ID_AA64PFR0_EL1.CSV3),
                least
            );
            assert_eq!(
                starts_with!([EL2, MELTDOWN_UNAFFECTED], host, ID_AA64PFR0_EL1.CSV3),
                1
            );
            assert_eq!(
                writes!([SPECTRE_V2_UNAFFECTED], host, ID_AA64PFR0_EL1.CSV2 = NI),
                Reads(0)
            );
        }
    }

    /// AArch32's PMU is made from the AArch64 one, not from the host's AArch32 one.
    #[test]
    fn perfmon_is_that_of_aarch64() {
        let place = place!(ID_DFR0_EL1.PerfMon);

        for pmuver in 0..16 {
            for perfmon in [0, 3, 15] {
                let host = host! {
                    like sane();
                    ID_AA64DFR0_EL1.PMUVer = pmuver,
                    ID_DFR0_EL1.PerfMon = perfmon,
                };
                let word = Facts::new(0, &host).of_host(place.index);
                let wanted = if pmuver == 1 { 3 } else { pmuver };

                assert_eq!(word, place.field.put(host.sanitised(place.index), wanted));
            }
        }
    }

    /// `GIC` of both sides and `GCIE` are what the VM's interrupt controller is; nothing else
    /// changes.
    #[test]
    fn interrupt_controllers() {
        for (facts, gic, gic32, gcie) in [
            (flags(&[]), 0, 0, 0),
            (flags(&[AARCH32, GIC_V3, GIC_V5]), 0, 0, 0),
            (flags(&[VGIC_V3]), 1, 0, 0),
            (flags(&[VGIC_V3, AARCH32]), 1, 1, 0),
            (flags(&[VGIC_V3, EL2]), 1, 0, 0),
            (flags(&[VGIC_V5]), 0, 0, 1),
            (flags(&[VGIC_V5, AARCH32]), 0, 0, 1),
            (flags(&[VGIC_V5, EL2]), 0, 0, 1),
        ] {
            let host = sane();
            let facts = Facts::new(facts, &host);

            for index in 0..NUM_REGISTERS + 2 {
                for word in [0, !0, 0x5555_5555_5555_5555] {
                    let mut wanted = word;

                    for (place, value) in [
                        (place!(ID_AA64PFR0_EL1.GIC), gic),
                        (place!(ID_PFR1_EL1.GIC), gic32),
                        (place!(ID_AA64PFR2_EL1.GCIE), gcie),
                    ] {
                        if index == place.index {
                            wanted = place.field.put(word, value);
                        }
                    }
                    assert_eq!(with_irqchip(index, word, &facts), wanted);
                }
            }
        }
    }

    #[test]
    fn there_are_no_more_registers() {
        let host = Words([u64::MAX; NUM_REGISTERS]);
        let facts = Facts::new(Flags::all_bits(), &host);

        for index in [NUM_REGISTERS, NUM_REGISTERS + 1, 64, usize::MAX] {
            assert_eq!(highest(index, &facts), 0);
            Answer::list(index, &facts, 0, |_| panic!("no such register"));
            assert!(check(index, &facts, 0, None).is_err());
            assert!(check(index, &facts, 0, Some(0)).is_err());
        }
    }

    /// Each register has its own place, and all of its bits belong to one field.
    #[test]
    fn registers_and_fields_are_all_there() {
        let mut places = 0u64;

        for (at, limits) in LIMITS.iter().enumerate() {
            let fields = limits.register.fields;

            let encoding = match at {
                facts::CTR_EL0 => [3, 3, 0, 0, 1],
                _ => [3, 0, 0, at as u8 / 8 + 1, at as u8 % 8],
            };

            assert_eq!(limits.register.encoding, encoding);
            places |= 1 << at;
            assert_eq!(fields.iter().fold(0, |bits, f| bits ^ f.mask()), u64::MAX);
            assert!(fields.is_sorted_by(|high, low| high.lsb > low.msb));
        }
        assert_eq!(
            places.count_ones() as usize,
            REGISTERS.len() + UNALLOCATED.len()
        );
    }
}
