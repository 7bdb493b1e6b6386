// SPDX-License-Identifier: GPL-2.0

//! What userspace may write, and what it is told beforehand.

use super::{
    reference::{
        number,
        Reference, //
    },
    *, //
};

/// Whether all values of a field are judged as the reference says, on a host that has one of them.
fn is_judged_well(
    (limits, row, place): (&'static Limits, &'static Row, Place),
    facts: u32,
    of_host: u64,
) -> bool {
    let host = sane().with(place, of_host);
    let known = Facts::new(facts, &host);
    let reference = Reference {
        limits,
        row,
        flags: facts | u32::from(known.derived()),
        host: place.field.get(known.of_host(place.index)),
    };
    place.values().all(|value| {
        [false, true].into_iter().all(|has_run| {
            write(place, value, &known, has_run) == reference.verdict(value, has_run)
        })
    })
}

/// The sets of facts that change what is accepted, but for a single field's.
fn sets() -> [u32; 4] {
    let page_64k = [PAGE_OVER_4K, PAGE_OVER_16K];
    [
        flags(&[]),
        flags(ALL),
        flags(ALL) | flags(&[EL2]),
        flags(ALL) | flags(&[EL2, E2H0]) | flags(&page_64k),
    ]
}

#[kunit_tests(kvm_idregs_check)]
mod suite {
    use super::*;

    /// All values of each field against each value of the host's.
    #[test]
    fn each_value_of_each_field() {
        for facts in sets() {
            for row in rows() {
                assert!(row.2.values().all(|host| is_judged_well(row, facts, host)));
            }
        }
    }

    /// Nothing can be changed where the architecture says nothing, nor where KVM denies it.
    #[test]
    fn reserved_and_denied_bits_stay() {
        let host = sane();

        for facts in sets() {
            let facts = Facts::new(facts, &host);

            for (index, limits) in LIMITS.iter().enumerate() {
                let word = highest(index, &facts);
                let denied = limits
                    .rows
                    .iter()
                    .filter(|row| row.rule(&row.policy.bound) == Rule::Denied);
                let bits = denied.fold(limits.others, |bits, row| bits | row.mask);

                for bit in (0..u64::BITS).filter(|bit| bits & 1 << bit != 0) {
                    let refusal = check(index, &facts, word ^ 1 << bit, None);

                    if limits.condition != facts::vm(AARCH32) || limits.condition.holds(&facts) {
                        assert!(refusal.is_err_and(|refusal| {
                            let mut fields = limits.register.fields.iter();
                            fields.any(|field| {
                                field.mask() & 1 << bit != 0 && field.mask() & 1 << refusal.bit != 0
                            })
                        }));
                    }
                }
            }
        }
    }

    /// A forgiven value counts as what it reads: not as above the limit, nor as another one.
    #[test]
    fn a_forgiven_value_counts_as_what_it_reads() {
        let host = sane();
        let pmuver = place!(ID_AA64DFR0_EL1.PMUVer);
        let facts = Facts::new(0, &host);
        let start = highest(pmuver.index, &facts);
        let old = pmuver.field.put(start, 15);
        let debugver = place!(ID_AA64DFR0_EL1.DebugVer);

        assert_eq!(check(pmuver.index, &facts, old, None), Ok(start));
        assert_eq!(check(pmuver.index, &facts, old, Some(start)), Ok(start));
        assert!(
            check(pmuver.index, &facts, debugver.field.put(old, 5), None)
                .is_err_and(|refusal| refusal.reason == Reason::Impossible)
        );

        // 15 would do as the least value that is possible, and so does 0.
        let perfmon = place!(ID_DFR0_EL1.PerfMon);
        let facts = Facts::new(flags(ALL), &host);
        let now = perfmon.field.put(highest(perfmon.index, &facts), 0);
        let old = perfmon.field.put(now, 15);

        assert_eq!(check(perfmon.index, &facts, old, Some(now)), Ok(now));
    }

    /// What is impossible is refused for that reason, whatever else there is to say.
    #[test]
    fn the_impossible_comes_first() {
        let host = sane();
        let facts = Facts::new(0, &host);
        let el0 = place!(ID_AA64PFR0_EL1.EL0);
        let start = highest(el0.index, &facts);
        let none = el0.field.put(start, 0);
        let more = place!(ID_AA64PFR0_EL1.CSV3).field.put(none, 15);

        for word in [none, more] {
            for now in [None, Some(start), Some(word)] {
                assert!(check(el0.index, &facts, word, now).is_err_and(|refusal| {
                    refusal.reason == Reason::Impossible && el0.field.mask() & 1 << refusal.bit != 0
                }));
            }
        }
    }

    /// Once a VM has run, its limit does not matter any more.
    #[test]
    fn the_present_value_comes_before_the_limit() {
        let host = sane();
        let facts = Facts::new(0, &host);
        let rndr = place!(ID_AA64ISAR0_EL1.RNDR);
        let limit = highest(rndr.index, &facts);
        let above = rndr.field.put(limit, 1);

        for (word, now, reason) in [
            (above, None, Some(Reason::Limit)),
            (above, Some(limit), Some(Reason::HasRun)),
            (limit, Some(above), Some(Reason::HasRun)),
            (above, Some(above), None),
        ] {
            let stored = check(rndr.index, &facts, word, now);

            assert_eq!(stored.ok().is_none(), reason.is_some());
            assert_eq!(stored.err().map(|refusal| refusal.reason), reason);
        }
    }

    /// Fields above the limit, fixed and denied ones, and reserved bits: the highest is to blame.
    #[test]
    fn the_highest_field_is_to_blame() {
        let host = sane();
        let facts = Facts::new(0, &host);

        for (high, low) in [
            (place!(ID_AA64PFR0_EL1.CSV3), place!(ID_AA64PFR0_EL1.DIT)),
            (place!(ID_AA64PFR0_EL1.AMU), place!(ID_AA64PFR0_EL1.EL3)),
            (place!(ID_AA64PFR0_EL1.RAS), place!(ID_AA64PFR0_EL1.FP)),
            (place!(ID_AA64PFR0_EL1.SVE), place!(ID_AA64PFR0_EL1.GIC)),
            (
                place!(ID_AA64ISAR0_EL1.AES),
                place!(ID_AA64ISAR0_EL1.RES0_3_0),
            ),
            (
                place!(ID_AA64ISAR0_EL1.RES0_27_24),
                place!(ID_AA64ISAR0_EL1.ATOMIC),
            ),
            // All of a register that the VM does not have.
            (place!(ID_AA64ZFR0_EL1.BF16), place!(ID_AA64ZFR0_EL1.SVEver)),
            (
                place!(ID_AA64ZFR0_EL1.RES0_63_60),
                place!(ID_AA64ZFR0_EL1.AES),
            ),
        ] {
            let start = highest(high.index, &facts);
            let word = low.field.put(high.field.put(start, 15), 15);

            for (now, reason) in [(None, Reason::Limit), (Some(start), Reason::HasRun)] {
                assert!(check(high.index, &facts, word, now).is_err_and(|refusal| {
                    refusal.reason == reason && high.field.mask() & 1 << refusal.bit != 0
                }));
            }
        }
    }

    /// What userspace is told when it asks first is what becomes of each value.
    #[test]
    fn what_is_told_is_what_is_done() {
        let host = sane();

        for facts in sets() {
            let known = Facts::new(facts, &host);

            for (_, row, place) in rows() {
                let possible = || {
                    place
                        .values()
                        .filter(|value| write(place, *value, &known, false) == Reads(*value))
                };
                let numbers = || possible().map(|value| number(row, value));

                assert!(told(place, &known).is_some_and(|answer| {
                    let (lowest, highest) = answer.range;

                    place.field.width() > 4
                        || answer.possible == possible().fold(0, |all, value| all | 1 << value)
                            && numbers().min() == Some(number(row, lowest))
                            && numbers().max() == Some(number(row, highest))
                }));
                for (value, has_run) in place.values().flat_map(|x| [(x, false), (x, true)]) {
                    assert_eq!(
                        judged(place, value, &known, has_run),
                        write(place, value, &known, has_run)
                    );
                }
            }
        }
    }

    /// What `KVM_ARM_GET_REG_WRITABLE_MASKS` says: all of AArch32's registers, as ever, unless the
    /// VM has EL2, and fields that can be changed in others. A field of zeros in ID_AA64FPFR0_EL1
    /// can't, but is said to.
    #[test]
    fn published_masks_are_rows() {
        let zeros = place!(ID_AA64FPFR0_EL1.RAZ_7_2);

        for (index, limits) in LIMITS.iter().enumerate() {
            let is_aarch32 = limits.condition == facts::vm(AARCH32);
            let mut masks = [flags(&[]), flags(&[EL2])].map(|given| {
                let host = sane();
                let facts = Facts::new(given, &host);
                let fields = limits.rows.iter().filter(|row| {
                    assert!(!(row.field.is_reserved() && row.is_writable(&facts)));
                    row.is_writable(&facts)
                        || index == zeros.index && row.mask == zeros.field.mask()
                });
                fields.fold(0, |mask, row| mask | row.mask)
            });

            if is_aarch32 {
                masks = [u32::MAX.into(), 0];
            }
            assert_eq!(limits.published, masks);
        }
    }
}
