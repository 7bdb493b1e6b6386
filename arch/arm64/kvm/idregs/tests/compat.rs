// SPDX-License-Identifier: GPL-2.0

//! What KVM owes to VMs of its earlier versions: values that it once handed out.

use super::*;

#[kunit_tests(kvm_idregs_compat)]
mod suite {
    use super::*;

    #[test]
    fn mpam_of_the_host() {
        let host = host! {
            like sane();
            ID_AA64PFR0_EL1.MPAM = 1,
            ID_AA64PFR1_EL1.MPAM_frac = MINOR_1,
        };
        let (host, none) = (&host, &sane());

        assert_eq!(starts_with!([], host, ID_AA64PFR0_EL1.MPAM), 0);
        assert_eq!(writes!([], host, ID_AA64PFR0_EL1.MPAM = 1), Reads(0));
        assert_eq!(writes!([EL2], host, ID_AA64PFR0_EL1.MPAM = 1), Reads(0));
        assert_eq!(writes!(ran [], host, ID_AA64PFR0_EL1.MPAM = 1), Reads(0));
        assert_eq!(
            writes!([], host, ID_AA64PFR0_EL1.MPAM = 2),
            Refused(Reason::Limit)
        );
        assert_eq!(
            writes!(ran [], host, ID_AA64PFR0_EL1.MPAM = 2),
            Refused(Reason::HasRun)
        );
        assert_eq!(
            writes!([], none, ID_AA64PFR0_EL1.MPAM = 1),
            Refused(Reason::Limit)
        );

        assert_eq!(starts_with!([], host, ID_AA64PFR1_EL1.MPAM_frac), 0);
        assert_eq!(
            writes!([], host, ID_AA64PFR1_EL1.MPAM_frac = MINOR_1),
            Reads(0)
        );
        assert_eq!(
            writes!([], host, ID_AA64PFR1_EL1.MPAM_frac = 2),
            Refused(Reason::Limit)
        );
        assert_eq!(
            writes!([], none, ID_AA64PFR1_EL1.MPAM_frac = MINOR_1),
            Refused(Reason::Limit)
        );
    }

    #[test]
    fn nv_of_the_host() {
        let host = host! { like sane(); ID_AA64MMFR2_EL1.NV = NV2 };
        let (host, none) = (&host, &sane());

        assert_eq!(starts_with!([], host, ID_AA64MMFR2_EL1.NV), 0);
        assert_eq!(writes!([], host, ID_AA64MMFR2_EL1.NV = NV2), Reads(0));
        assert_eq!(writes!([EL2], host, ID_AA64MMFR2_EL1.NV = NV2), Reads(0));
        assert_eq!(writes!(ran [], host, ID_AA64MMFR2_EL1.NV = NV2), Reads(0));
        assert_eq!(
            writes!([], host, ID_AA64MMFR2_EL1.NV = IMP),
            Refused(Reason::Limit)
        );
        assert_eq!(
            writes!([], none, ID_AA64MMFR2_EL1.NV = NV2),
            Refused(Reason::Limit)
        );
    }

    /// A PMU of the host's own kind was once shown to guests.
    #[test]
    fn imp_def_pmus() {
        let imp_def = host! { like sane(); ID_AA64DFR0_EL1.PMUVer = IMP_DEF };
        let none = host! { like sane(); ID_AA64DFR0_EL1.PMUVer = NI };

        for host in [&imp_def, &none, &sane()] {
            assert_eq!(
                writes!([], host, ID_AA64DFR0_EL1.PMUVer = IMP_DEF),
                Reads(0)
            );
            assert_eq!(
                writes!([PMU, EL2], host, ID_AA64DFR0_EL1.PMUVer = IMP_DEF),
                Reads(0)
            );
            assert_eq!(
                writes!([PMU], host, ID_AA64DFR0_EL1.PMUVer = 14),
                Refused(Reason::Limit)
            );
            assert_eq!(
                writes!([AARCH32, PMU], host, ID_DFR0_EL1.PerfMon = IMPDEF),
                Reads(0)
            );
            assert_eq!(
                writes!([AARCH32], host, ID_DFR0_EL1.PerfMon = 14),
                Refused(Reason::Limit)
            );
        }
        // Once it has run, a VM that has a PMU can't lose it that way.
        assert_eq!(
            writes!(ran[PMU], &sane(), ID_AA64DFR0_EL1.PMUVer = IMP_DEF),
            Refused(Reason::HasRun)
        );
        assert_eq!(
            writes!(ran[PMU], &imp_def, ID_AA64DFR0_EL1.PMUVer = IMP_DEF),
            Reads(0)
        );
    }

    /// Hidden at first, MTE_frac read as if there were asynchronous faults.
    #[test]
    fn mte_frac() {
        let host = host! {
            like sane(); ID_AA64PFR1_EL1.MTE = MTE2, ID_AA64PFR1_EL1.MTE_frac = NI
        };
        let other = host! {
            like sane(); ID_AA64PFR1_EL1.MTE = MTE2, ID_AA64PFR1_EL1.MTE_frac = ASYNC
        };
        let mte3 = host! { like host; ID_AA64PFR1_EL1.MTE = MTE3 };
        let mte1 = host! { like host; ID_AA64PFR1_EL1.MTE = IMP };
        let unknown = host! { like host; ID_AA64PFR1_EL1.MTE_frac = 14 };
        let (ni, asynchronous) = (
            reads!(ID_AA64PFR1_EL1.MTE_frac, NI),
            reads!(ID_AA64PFR1_EL1.MTE_frac, ASYNC),
        );

        assert_eq!(writes!([MTE], &host, ID_AA64PFR1_EL1.MTE_frac = ASYNC), ni);
        assert_eq!(
            writes!(ran[MTE], &host, ID_AA64PFR1_EL1.MTE_frac = ASYNC),
            ni
        );
        assert_eq!(
            writes!([MTE], &host, ID_AA64PFR1_EL1.MTE_frac = 1),
            Refused(Reason::Limit)
        );
        for host in [&mte3, &mte1, &unknown] {
            assert_eq!(
                writes!([MTE], host, ID_AA64PFR1_EL1.MTE_frac = ASYNC),
                Refused(Reason::Limit)
            );
        }
        assert_eq!(
            writes!([MTE], &other, ID_AA64PFR1_EL1.MTE_frac = ASYNC),
            asynchronous
        );
        assert_eq!(
            writes!([MTE], &other, ID_AA64PFR1_EL1.MTE_frac = NI),
            Refused(Reason::Limit)
        );
        // No VM without MTE, or with EL2, has anything else.
        assert_eq!(
            writes!([], &host, ID_AA64PFR1_EL1.MTE_frac = ASYNC),
            asynchronous
        );
        assert_eq!(
            writes!([EL2, MTE], &host, ID_AA64PFR1_EL1.MTE_frac = ASYNC),
            asynchronous
        );
        assert_eq!(
            writes!([], &host, ID_AA64PFR1_EL1.MTE_frac = NI),
            Refused(Reason::Limit)
        );
        assert_eq!(
            writes!([EL2, MTE], &host, ID_AA64PFR1_EL1.MTE_frac = NI),
            Refused(Reason::Limit)
        );
    }

    /// VMs were told that there is a double lock, which KVM never had.
    #[test]
    fn double_lock() {
        let none = host! { like sane(); ID_AA64DFR0_EL1.DoubleLock = NI };
        let lacks = reads!(ID_AA64DFR0_EL1.DoubleLock, NI);

        for host in [&none, &sane()] {
            for verdict in [
                writes!([], host, ID_AA64DFR0_EL1.DoubleLock = IMP),
                writes!([EL2], host, ID_AA64DFR0_EL1.DoubleLock = IMP),
                writes!(ran [], host, ID_AA64DFR0_EL1.DoubleLock = IMP),
                writes!([], host, ID_AA64DFR0_EL1.DoubleLock = NI),
            ] {
                assert_eq!(verdict, lacks);
            }
            for value in [1, 14] {
                assert_eq!(
                    writes!([], host, ID_AA64DFR0_EL1.DoubleLock = value),
                    Refused(Reason::Limit)
                );
            }
        }
    }

    /// Above what KVM virtualizes, it once gave VMs what the host has.
    #[test]
    fn more_than_kvm_can_do() {
        let host = host! {
            like sane();
            ID_AA64ISAR1_EL1.LS64 = LS64_ACCDATA,
            ID_AA64ISAR1_EL1.API = PAuth_LR,
            ID_AA64MMFR0_EL1.PARANGE = _56,
            ID_AA64PFR0_EL1.RAS = V2,
            ID_DFR0_EL1.CopTrc = IMP,
        };
        let host = &host;
        let refused = Refused(Reason::Limit);

        for (verdict, wanted) in [
            (
                writes!([], host, ID_AA64ISAR1_EL1.LS64 = LS64_ACCDATA),
                reads!(ID_AA64ISAR1_EL1.LS64, LS64_V),
            ),
            (
                writes!(ran [], host, ID_AA64ISAR1_EL1.LS64 = LS64_ACCDATA),
                reads!(ID_AA64ISAR1_EL1.LS64, LS64_V),
            ),
            (writes!([], host, ID_AA64ISAR1_EL1.LS64 = LS64WB), refused),
            (
                writes!([], &sane(), ID_AA64ISAR1_EL1.LS64 = LS64_ACCDATA),
                refused,
            ),
            (
                writes!([PTRAUTH], host, ID_AA64ISAR1_EL1.API = PAuth_LR),
                reads!(ID_AA64ISAR1_EL1.API, FPACCOMBINE),
            ),
            (
                writes!([], host, ID_AA64MMFR0_EL1.PARANGE = _56),
                reads!(ID_AA64MMFR0_EL1.PARANGE, _52),
            ),
            (
                writes!([EL2], host, ID_AA64MMFR0_EL1.PARANGE = _56),
                refused,
            ),
            (
                writes!([], host, ID_AA64PFR0_EL1.RAS = V2),
                reads!(ID_AA64PFR0_EL1.RAS, V1P1),
            ),
            (
                writes!([AARCH32], host, ID_DFR0_EL1.CopTrc = IMP),
                reads!(ID_DFR0_EL1.CopTrc, NI),
            ),
        ] {
            assert_eq!(verdict, wanted);
        }
    }

    /// VMs with EL2 were told of FEAT_LPA2, for both granules or for none.
    #[test]
    fn lpa2_of_guest_hypervisors() {
        let host = host! {
            like sane();
            ID_AA64MMFR0_EL1.TGRAN4 = _52_BIT,
            ID_AA64MMFR0_EL1.TGRAN16 = _52_BIT,
        };
        let facts = Facts::new(flags(&[EL2]), &host);
        let small = place!(ID_AA64MMFR0_EL1.TGRAN4);
        let large = place!(ID_AA64MMFR0_EL1.TGRAN16);
        let start = highest(small.index, &facts);
        let [one, other] = [small.field.put(start, 1), large.field.put(start, 2)];
        let old = large.field.put(one, 2);

        assert_eq!([small.field.get(start), large.field.get(start)], [0, 1]);
        assert_eq!(check(small.index, &facts, old, None), Ok(start));
        assert_eq!(check(small.index, &facts, old, Some(start)), Ok(start));
        for refused in [one, other, small.field.put(old, 2)] {
            assert!(check(small.index, &facts, refused, None).is_err());
        }
    }

    /// What has no name in the Arm ARM is refused, though it is below the limit.
    #[test]
    fn values_without_a_meaning() {
        let host = host! {
            like sane();
            ID_AA64ISAR0_EL1.ATOMIC = IMP,
            ID_AA64MMFR0_EL1.TGRAN4 = IMP,
            ID_AA64MMFR1_EL1.SpecSEI = NI,
        };
        let host = &host;

        for refused in [
            writes!([], host, ID_AA64ISAR0_EL1.ATOMIC = 1),
            writes!([PMU], host, ID_AA64DFR0_EL1.PMUVer = 2),
            writes!([], host, ID_AA64MMFR0_EL1.TGRAN4 = 14),
        ] {
            assert_eq!(refused, Refused(Reason::Limit));
        }
        assert_eq!(writes!([], host, ID_AA64ISAR0_EL1.ATOMIC = NI), Reads(0));
        assert_eq!(writes!([], host, ID_AA64MMFR0_EL1.TGRAN4 = NI), Reads(15));
        // More of a warning is always fine.
        assert_eq!(writes!([], host, ID_AA64MMFR1_EL1.SpecSEI = 2), Reads(2));
        let host = host! { like sane(); ID_AA64MMFR1_EL1.SpecSEI = 2 };
        assert_eq!(starts_with!([], &host, ID_AA64MMFR1_EL1.SpecSEI), 2);
    }

    /// Without EL2, what is about EL2 can be lowered; with it, it is what KVM emulates.
    #[test]
    fn what_is_about_el2() {
        let host = host! {
            like sane();
            ID_AA64MMFR1_EL1.VH = IMP,
            ID_AA64MMFR1_EL1.XNX = IMP,
            ID_AA64MMFR1_EL1.VMIDBits = _16,
            ID_AA64MMFR2_EL1.EVT = TTLBxS,
            ID_AA64MMFR2_EL1.FWB = IMP,
            ID_AA64MMFR2_EL1.IDS = IMP,
            ID_AA64MMFR0_EL1.ASIDBITS = _16,
        };
        let host = &host;

        for (plain, nested) in [
            (
                writes!([], host, ID_AA64MMFR1_EL1.VH = NI),
                writes!([EL2], host, ID_AA64MMFR1_EL1.VH = NI),
            ),
            (
                writes!([], host, ID_AA64MMFR1_EL1.XNX = NI),
                writes!([EL2], host, ID_AA64MMFR1_EL1.XNX = NI),
            ),
            (
                writes!([], host, ID_AA64MMFR1_EL1.VMIDBits = _8),
                writes!([EL2], host, ID_AA64MMFR1_EL1.VMIDBits = _8),
            ),
            (
                writes!([], host, ID_AA64MMFR2_EL1.EVT = NI),
                writes!([EL2], host, ID_AA64MMFR2_EL1.EVT = NI),
            ),
            (
                writes!([], host, ID_AA64MMFR2_EL1.FWB = NI),
                writes!([EL2], host, ID_AA64MMFR2_EL1.FWB = NI),
            ),
            (
                writes!([], host, ID_AA64MMFR2_EL1.IDS = 0),
                writes!([EL2], host, ID_AA64MMFR2_EL1.IDS = 0),
            ),
            (
                writes!([], host, ID_AA64MMFR0_EL1.ASIDBITS = _8),
                writes!([EL2], host, ID_AA64MMFR0_EL1.ASIDBITS = _8),
            ),
        ] {
            assert_eq!(plain, Reads(0));
            assert_eq!(nested, Refused(Reason::Limit));
        }
        assert_eq!(writes!([], host, ID_AA64MMFR4_EL1.E2H0 = NI), Reads(15));
        assert_eq!(
            writes!([EL2], host, ID_AA64MMFR4_EL1.E2H0 = NI),
            Refused(Reason::Limit)
        );
    }

    /// VMs with EL2 have no MTE, and were nevertheless told about some of it.
    #[test]
    fn mte_of_guest_hypervisors() {
        let host = host! {
            like sane(); ID_AA64PFR2_EL1.MTEFAR = IMP, ID_AA64PFR2_EL1.MTESTOREONLY = IMP
        };
        let host = &host;

        assert_eq!(
            writes!([EL2, MTE], host, ID_AA64PFR2_EL1.MTEFAR = IMP),
            Reads(0)
        );
        assert_eq!(
            writes!([EL2, MTE], host, ID_AA64PFR2_EL1.MTESTOREONLY = IMP),
            Reads(0)
        );
        assert_eq!(
            writes!(ran [EL2, MTE], host, ID_AA64PFR2_EL1.MTESTOREONLY = IMP),
            Reads(0)
        );
        assert_eq!(writes!([MTE], host, ID_AA64PFR2_EL1.MTEFAR = IMP), Reads(1));
        for refused in [
            writes!([EL2], host, ID_AA64PFR2_EL1.MTEFAR = IMP),
            writes!([], host, ID_AA64PFR2_EL1.MTESTOREONLY = IMP),
            writes!([MTE], &sane(), ID_AA64PFR2_EL1.MTEFAR = IMP),
            writes!([EL2, MTE], &sane(), ID_AA64PFR2_EL1.MTEFAR = IMP),
            writes!([EL2, MTE], host, ID_AA64PFR2_EL1.MTEFAR = 2),
        ] {
            assert_eq!(refused, Refused(Reason::Limit));
        }
    }

    /// What is forgiven in one field is forgiven in that one only, and all of it at once.
    #[test]
    fn rules_look_at_their_own_field() {
        let host = host! {
            like sane();
            ID_AA64PFR1_EL1.MPAM_frac = MINOR_1,
            ID_AA64PFR1_EL1.MTE = MTE2,
            ID_AA64PFR1_EL1.MTE_frac = NI,
        };
        let facts = Facts::new(flags(&[MTE]), &host);
        let mpam = place!(ID_AA64PFR1_EL1.MPAM_frac);
        let start = highest(mpam.index, &facts);
        let old = mpam.field.put(start, 1);
        let old = place!(ID_AA64PFR1_EL1.MTE_frac).field.put(old, 0);

        assert_eq!(check(mpam.index, &facts, old, None), Ok(start));
        assert_eq!(check(mpam.index, &facts, old, Some(start)), Ok(start));
        for (place, value) in [(place!(ID_AA64PFR1_EL1.SSBS), 1), (mpam, 2)] {
            let word = place.field.put(old, value);

            assert!(check(mpam.index, &facts, word, None).is_err_and(|refusal| {
                refusal.reason == Reason::Limit && place.field.mask() & 1 << refusal.bit != 0
            }));
        }
    }

    /// Registers of a mode that the VM does not have ignore all writes, but two that no VM has.
    #[test]
    fn registers_of_aarch32_without_aarch32() {
        let host = Words([u64::MAX; NUM_REGISTERS]);
        let mut ignoring = 0;

        for (index, limits) in LIMITS.iter().enumerate().take(3 * 8) {
            let is_hidden = matches!(limits.register.name, "ID_AFR0_EL1" | "ID_DFR1_EL1");
            let is_ignoring = !is_hidden && !limits.register.name.starts_with("S3_");

            ignoring += u64::from(is_ignoring);
            for given in [flags(&[]), flags(&[EL2]), flags(&[PMU, SVE])] {
                let facts = Facts::new(given, &host);

                for word in [1, 1 << 31, 0x5555_5555, u64::MAX] {
                    for now in [None, Some(0)] {
                        let stored = check(index, &facts, word, now);

                        assert_eq!((stored == Ok(0)), is_ignoring);
                    }
                }
                assert_eq!(check(index, &facts, 0, None), Ok(0));
            }
        }
        assert_eq!(ignoring, 20);
    }

    /// A VM that was made for a VIPT cache works with a PIPT one, but not the other way round.
    #[test]
    fn cache_policies() {
        let vipt = host! { like sane(); CTR_EL0.L1Ip = VIPT };

        for value in 0..4 {
            for (host, wanted) in [(&sane(), [2, 3]), (&vipt, [2, 2])] {
                let verdict = writes!([], host, CTR_EL0.L1Ip = value);
                let refused = if value < 2 {
                    Reason::Impossible
                } else {
                    Reason::Limit
                };

                assert_eq!(
                    verdict,
                    if wanted.contains(&value) {
                        Reads(value)
                    } else {
                        Refused(refused)
                    }
                );
            }
        }
    }

    /// Without EL2 granules are like other exact fields; with it, they are judged at any time.
    #[test]
    fn stage_2_granules() {
        let host = host! {
            like sane();
            ID_AA64MMFR0_EL1.TGRAN4_2 = _52_BIT,
            ID_AA64MMFR0_EL1.TGRAN16_2 = IMP,
            ID_AA64MMFR0_EL1.TGRAN64_2 = NI,
        };
        let place = place!(ID_AA64MMFR0_EL1.TGRAN16_2);
        let facts = Facts::new(flags(&[EL2]), &host);
        let host = &host;

        for value in 0..16 {
            let possible = [1, 2].contains(&value);
            let verdict = if possible {
                Reads(value)
            } else {
                Refused(Reason::Impossible)
            };

            assert_eq!(
                writes!([EL2], host, ID_AA64MMFR0_EL1.TGRAN4_2 = value),
                verdict
            );
        }
        assert_eq!(
            writes!([], host, ID_AA64MMFR0_EL1.TGRAN4_2 = IMP),
            Refused(Reason::Limit)
        );
        assert_eq!(writes!([], host, ID_AA64MMFR0_EL1.TGRAN4_2 = NI), Reads(1));
        // A VM that has run can't lose one either.
        assert_eq!(
            writes!(ran[EL2], host, ID_AA64MMFR0_EL1.TGRAN4_2 = NI),
            Refused(Reason::HasRun)
        );
        // What is impossible stays so even if the VM has it.
        let word = place.field.put(highest(place.index, &facts), 3);

        assert!(check(place.index, &facts, word, Some(word))
            .is_err_and(|refusal| refusal.reason == Reason::Impossible));
    }
}
