// SPDX-License-Identifier: GPL-2.0

//! What userspace is told of CPUID when it asks first.

use kernel::prelude::*;

use super::{
    derived,
    entry,
    index,
    is_same,
    kernel,
    words,
    Random,
    AT_RESET,
    EVERYTHING,
    INDEXED,
    SIZES, //
};
use crate::{
    c::{
        Entry,
        Runtime, //
    },
    cpufeature::{
        feature::*,
        Feature,
        Leaf,
        Words,
        NR_KVM_CPU_CAPS, //
    },
    cpuid::reg_mut,
    facts::{
        Facts,
        Flag,
        Flags,
        NOTHING, //
    },
    guest::{
        self,
        Context,
        GuestCaps, //
    },
    query::{
        Answer,
        Bounds,
        Components,
        Half,
        Rule,
        Verdict, //
    },
    runtime::Leaves,
    tables::policy::{
        self,
        Missing, //
    },
    view::Why, //
};

/// What is told of one feature of a vCPU.
fn find(facts: &Facts<'_>, bounds: &Bounds, feature: &Feature) -> Option<Answer> {
    let answer = Answer::list(facts, bounds, feature.word(), true)
        .find(|answer| 1 << answer.lsb == feature.mask())?;

    assert!(is_possible(&answer));
    Some(answer)
}

/// The same, of a vCPU at reset that asks for some features, in all leaves.
fn told(facts: &Facts<'_>, feature: &Feature) -> Option<Answer> {
    let bounds = Bounds::new(facts, &AT_RESET);
    let mut caps = GuestCaps::new(facts);

    caps.update(&AT_RESET, Leaves::ALL);

    let facts = Facts {
        vcpu: caps.words(),
        ..*facts
    };

    find(&facts, &bounds, feature)
}

/// Whether an answer agrees with itself.
fn is_possible(answer: &Answer) -> bool {
    let Answer {
        lowest,
        highest,
        value,
        ..
    } = *answer;

    (lowest..=highest).contains(&value)
        && match answer.rule {
            Rule::Reserved | Rule::Denied | Rule::Absent => highest == 0,
            Rule::Fixed => lowest == highest,
            Rule::LowerSafe | Rule::Exact => lowest < highest,
        }
        && answer.possible() >> value & answer.possible() >> lowest & 1 != 0
        && (!answer.is_usable || value != 0)
}

/// Does to an entry what a record says.
fn put(entry: &mut Entry, answer: &Answer) {
    let reg = reg_mut(entry, answer.leaf.reg);
    let mask = (1u64 << answer.width).wrapping_sub(1) as u32;

    assert_eq!(*reg >> answer.lsb & mask, answer.asked);
    *reg = *reg & !(mask << answer.lsb) | answer.value << answer.lsb;
}

#[kunit_tests(kvm_caps_query)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_has_its_rule() {
        let kvm = words(&[AVX, GBPAGES, XSAVE, XSAVES, APIC, RDTSCP]);
        let kernel = kernel(&[AVX, GBPAGES, XSAVE, XSAVES, RDTSCP]);
        let facts = Facts {
            kvm: &kvm,
            kernel: &kernel,
            cpu: &words(&[AVX, SMEP, GBPAGES, XSAVE, XSAVES, PCID, AVX2]),
            flags: Flag::Svm | Flag::Tdp,
            ..Facts::NONE
        };
        #[rustfmt::skip]
        let cases = [
            (AVX,     Rule::LowerSafe, 0, 1),
            (MOVBE,   Rule::LowerSafe, 0, 1),
            (RDPID,   Rule::LowerSafe, 0, 1),
            (MWAIT,   Rule::LowerSafe, 0, 1),
            (GBPAGES, Rule::Fixed,     1, 1),
            (XSAVES,  Rule::LowerSafe, 0, 1),
            (APIC,    Rule::Fixed,     1, 1),
            (OSXSAVE, Rule::Fixed,     0, 0),
            (DSCPL,   Rule::Denied,    0, 0),
            (SMEP,    Rule::Absent,    0, 0),
            (SMAP,    Rule::Absent,    0, 0),
        ];

        for (feature, rule, lowest, highest) in cases {
            assert!(told(&facts, &feature).is_some_and(|told| {
                told.rule == rule && told.lowest == lowest && told.highest == highest
            }));
        }
        assert!(told(&facts, &GBPAGES).is_some_and(|told| told.is_usable && told.host));
        assert!(told(&facts, &AVX).is_some_and(|told| !told.is_usable && told.is_supported));
        assert!(told(&facts, &MOVBE).is_some_and(|told| !told.is_supported && !told.host));
        // It follows the vCPU's state only if a quirk is off.
        assert!(told(&facts, &MWAIT)
            .is_some_and(|told| matches!(told.why, Some(Why::OptOut(row)) if !row.is_exact())));
    }

    /// KVM may support a feature of a leaf that `KVM_GET_SUPPORTED_CPUID` doesn't have then.
    #[test]
    fn what_is_not_reported_is_not_supported() {
        let is_supported = |kvm: &[Feature], flags, feature| {
            let facts = Facts {
                kvm: &words(kvm),
                flags,
                ..Facts::NONE
            };

            told(&facts, &feature).is_some_and(|told| told.is_supported)
        };
        let none = Flags::empty();
        let pmu = Flags::from(Flag::Pmu);

        assert!(is_supported(&[SME_COHERENT, SEV], none, SME_COHERENT));
        assert!(!is_supported(&[SME_COHERENT], none, SME_COHERENT));
        assert!(is_supported(&[PERFMON_V2], pmu, PERFMON_V2));
        assert!(!is_supported(&[PERFMON_V2], none, PERFMON_V2));
        // A function that ends at index 0.
        assert!(is_supported(&[AMX_FP8, AMX_TILE], none, AMX_FP8));
        assert!(!is_supported(&[AMX_FP8], none, AMX_FP8));
    }

    /// AVX10's version stands beside its features.
    #[test]
    fn a_version_is_no_feature() {
        let mut entries = [entry(0x24, 0, INDEXED, 0)];

        entries[0].ebx = 2 | AVX10_512.mask();

        let asked = guest::asked(&entries, &index(&entries));
        let facts = Facts {
            guest: &asked,
            ..Facts::NONE
        };
        let bounds = Bounds::new(&facts, &AT_RESET);
        let told = |all| Answer::list(&facts, &bounds, AVX10_512.word(), all).map(|told| told.lsb);

        assert!(told(false).eq([18]));
        assert!(told(true).eq(8..32));
    }

    /// Without leaf 1 the APIC's state is told to nobody. Nor is it where leaf 1 is there and the
    /// APIC is off.
    #[test]
    fn what_follows_the_state_is_what_it_is() -> Result {
        let kvm = words(&[APIC, XSAVE]);
        let leaf_7 = [entry(7, 0, INDEXED, 0)];
        let runtime = Runtime {
            apic: false,
            ..AT_RESET
        };
        let facts = Facts {
            kvm: &kvm,
            ..Facts::NONE
        };
        let is_fixed = |answer: Option<Answer>, to| {
            answer.is_some_and(|told| {
                told.rule == Rule::Fixed
                    && [told.lowest, told.highest, told.value] == [to; 3]
                    && matches!(told.why, Some(Why::Runtime))
            })
        };
        let context = Context {
            facts,
            runtime: &AT_RESET,
            sizes: &SIZES,
            xcr0: 0,
            xss: 0,
            dynamic: 0,
        };
        let (caps, _) = derived(&context, &mut { leaf_7 })?;
        let bounds = Bounds::new(&facts, &AT_RESET);
        let facts = Facts {
            vcpu: caps.words(),
            ..facts
        };

        assert!(is_fixed(find(&facts, &bounds, &APIC), 0));
        assert!(is_fixed(find(&facts, &bounds, &OSPKE), 0));
        // What isn't there can still be asked for.
        assert!(find(&facts, &bounds, &XSAVE)
            .is_some_and(|told| { told.rule == Rule::LowerSafe && told.value == 0 }));

        let bounds = Bounds::new(&facts, &runtime);

        assert!(is_fixed(find(&facts, &bounds, &APIC), 0));
        assert!(is_fixed(told(&facts, &APIC), 1));
        Ok(())
    }

    /// kvm-amd can't keep XSAVES from who has XSAVE.
    #[test]
    fn xsaves_follows_xsave() {
        let kvm = words(&[XSAVE, XSAVES]);
        let cases = [
            (&[][..], false, Verdict::Taken, false),
            (&[XSAVES], false, Verdict::Withheld, true),
            (&[XSAVE], true, Verdict::Ignored, false),
            (&[XSAVE, XSAVES], true, Verdict::Taken, false),
        ];

        for (asked, has, verdict, lacks) in cases {
            let facts = Facts {
                kvm: &kvm,
                kernel: &kernel(&[XSAVES]),
                guest: &words(asked),
                flags: Flag::Svm.into(),
                ..Facts::NONE
            };

            assert!(told(&facts, &XSAVES).is_some_and(|told| {
                told.rule == Rule::LowerSafe
                    && (told.lowest, told.highest, told.value) == (0, 1, has.into())
                    && told.is_usable == has
                    && told.verdict == verdict
                    && told.lacks.is_some() == lacks
                    && matches!(told.why, Some(Why::OptOut(row)) if row.is_exact())
                        == (has || lacks)
            }));
        }

        // The kernel has turned it off.
        let facts = Facts {
            kvm: &words(&[XSAVE]),
            guest: &words(&[XSAVE, XSAVES]),
            flags: Flag::Svm.into(),
            ..Facts::NONE
        };

        assert!(
            told(&facts, &XSAVES).is_some_and(|told| told.rule == Rule::Absent && !told.is_usable)
        );
    }

    /// The host's CPU lacks SMAP, its kernel doesn't use SMEP, and INVPCID takes more than both.
    #[test]
    fn what_is_missing_is_told() {
        let facts = Facts {
            kernel: &kernel(&[INVPCID]),
            cpu: &words(&[SMEP, INVPCID, TSA_SQ_NO]),
            flags: Flag::Vmx.into(),
            ..Facts::NONE
        };
        let cases = [
            (SMAP, Missing::Cpu),
            (SMEP, Missing::Kernel),
            (TSA_L1_NO, Missing::Cpu),
            (TSA_SQ_NO, Missing::Kernel),
            (INVPCID, Missing::Kvm),
        ];

        for (feature, missing) in cases {
            assert!(told(&facts, &feature).is_some_and(|told| {
                matches!(told.why, Some(Why::Missing(why)) if why == missing)
            }));
        }
    }

    #[test]
    fn what_a_feature_lacks_is_told() {
        let kvm = words(&[XSAVE, XSAVES, V_VMSAVE_VMLOAD]);
        let guest = words(&[XSAVES, V_VMSAVE_VMLOAD]);
        let xsave = XSAVE.leaf().map(|leaf: Leaf| (leaf, XSAVE.mask()));
        let lacks = |flag: Flag, feature| {
            let facts = Facts {
                kvm: &kvm,
                kernel: &kernel(&[XSAVES]),
                guest: &guest,
                flags: Flags::from(flag),
                ..Facts::NONE
            };

            told(&facts, &feature).map(|told| {
                assert!(told.verdict == Verdict::Withheld);
                assert!(matches!(told.why, Some(Why::OptOut(_))));
                told.lacks.map(|(leaf, bit)| (leaf, 1 << bit))
            })
        };

        assert!(lacks(Flag::Vmx, XSAVES) == Some(xsave));
        assert!(lacks(Flag::Svm, XSAVES) == Some(xsave));
        // It is the vendor.
        assert!(lacks(Flag::Svm, V_VMSAVE_VMLOAD) == Some(None));
    }

    /// Leaf 1 has no indices, even if an entry of it has one that is significant.
    #[test]
    fn host_and_kvm_are_told_of_what_is_written_over() {
        let facts = Facts {
            cpu: &words(&[OSXSAVE, XSAVE]),
            kvm: &words(&[APIC, XSAVE]),
            ..Facts::NONE
        };
        let told = |before: Entry, after: Entry| {
            Answer::adjusted(&facts, &before, &after)
                .map(|told| (told.host, told.is_supported))
                .fold((0, 0, 0), |(count, host, kvm), (has, supports)| {
                    (count + 1, host + u32::from(has), kvm + u32::from(supports))
                })
        };

        for flags in [0, INDEXED] {
            let [before, mut after] = [entry(1, 5, flags, 0); 2];

            after.ecx = OSXSAVE.mask() | MWAIT.mask();
            assert!(told(before, after) == (2, 1, 0));
            after.edx = APIC.mask();
            assert!(told(before, after) == (3, 1, 1));
        }

        let [before, mut after] = [entry(7, 5, INDEXED, 0); 2];

        // Another leaf than that with features, and a number.
        after.ecx = OSPKE.mask();
        assert!(told(before, after) == (1, 0, 0));
        assert!(told(entry(0xd, 1, INDEXED, 0), entry(0xd, 1, INDEXED, !0)) == (4, 0, 0));
    }

    #[test]
    fn components_stand_in_leaf_0xd() {
        let host = Components {
            cpu: !0,
            kernel: !0,
            kvm: !0,
        };
        let told = |index, half| {
            Answer::components(
                &Half::new(index, half),
                1 << 18 | 1,
                Verdict::Withheld,
                &host,
            )
            .map(move |told| (told.leaf.index, told.leaf.reg as u32, told.lsb))
        };

        for (index, half, reg) in [(0, 0, 0), (0, 1, 3), (1, 0, 2), (1, 1, 3)] {
            assert!(told(index, half).eq([(index, reg, 0), (index, reg, 18)]));
        }
        assert!(
            Answer::components(&Half::new(0, 0), 0, Verdict::Withheld, &host)
                .next()
                .is_none()
        );
    }

    /// Of both halves.
    #[test]
    fn components_have_their_host() {
        for half in [0, 1] {
            let has = 1 << (32 * half);
            let host = Components {
                cpu: has,
                kernel: has,
                kvm: has,
            };

            assert!(
                Answer::components(&Half::new(0, half), 3, Verdict::Withheld, &host)
                    .map(|told| told.host)
                    .eq([true, false])
            );
        }
    }

    #[test]
    fn no_permission_brings_what_the_host_lacks() {
        const TILES: u64 = 1 << 18;
        const ALL: u64 = !0;
        let cases = [
            (0, 0, 0, Some(Missing::Cpu)),
            (ALL & !TILES, ALL, ALL, Some(Missing::Cpu)),
            (ALL, ALL & !TILES, ALL & !TILES, Some(Missing::Kernel)),
            (ALL, ALL, ALL & !TILES, Some(Missing::Kvm)),
            (TILES, TILES, TILES, None),
        ];

        for (cpu, kernel, kvm, missing) in cases {
            let host = Components { cpu, kernel, kvm };
            let mut told =
                Answer::components(&Half::new(0, 0), TILES as u32, Verdict::Forbidden, &host);

            assert!(told.next().is_some_and(|told| {
                let is_there = missing.is_none();
                let why = match told.why {
                    Some(Why::Missing(why)) => Some(why),
                    _ => None,
                };

                told.verdict == Verdict::Forbidden
                    && (told.rule == Rule::LowerSafe) == is_there
                    && (told.rule == Rule::Absent) != is_there
                    && (told.lowest, told.highest) == (0, is_there.into())
                    && (told.asked, told.value) == (1, 0)
                    && why == missing
                    && told.host == (cpu & TILES != 0)
                    && told.is_supported == (kvm & TILES != 0)
            }));
            assert!(told.next().is_none());
        }
    }

    /// Thousands of tables, vCPUs and hosts: what is refused, written over, withheld and given is
    /// what is told, and no more.
    #[test]
    fn what_is_told_is_what_is_done() -> Result {
        const TABLES: u32 = 3000;
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        let mut entries = KVec::new();
        let mut before = KVec::new();
        let (mut refused, mut adjusted, mut withheld, mut ignored) = (0, 0, 0, 0);

        for _ in 0..TABLES {
            let mut kvm = NOTHING;

            // What KVM gives to nobody is in no host.
            for row in policy::rows().filter(|row| row.why().is_none()) {
                row.feature.set_in(&mut kvm, random.flip());
            }

            let cpu: Words = EVERYTHING.map(|_| random.next());
            let (kernel, runtime) = (random.kernel(), random.runtime());
            let context = Context {
                facts: Facts {
                    kvm: &kvm,
                    cpu: &cpu,
                    kernel: &kernel,
                    flags: random.flags(),
                    ..Facts::NONE
                },
                runtime: &runtime,
                sizes: &SIZES,
                xcr0: !0,
                xss: !0,
                dynamic: 0,
            };

            entries.clear();
            for _ in 0..random.one_of(&[0, 1, 5, 31, 60]) {
                entries.push(random.entry(), GFP_KERNEL)?;
            }

            let index = index(&entries);

            before.clear();
            before.extend_from_slice(&entries, GFP_KERNEL)?;

            let is_refused = derived(&context, &mut before).is_err();
            let mended = Answer::mended(&mut entries, &index);

            assert!(mended.is_some() == is_refused);
            refused += u32::from(is_refused);
            before.clear();
            before.extend_from_slice(&entries, GFP_KERNEL)?;

            let (caps, _) = derived(&context, &mut entries)?;

            for (before, after) in before.iter_mut().zip(&entries) {
                let was = *before;

                for answer in Answer::adjusted(&context.facts, &was, after) {
                    assert!(answer.verdict == Verdict::Adjusted && answer.asked != answer.value);
                    put(before, &answer);
                    adjusted += 1;
                }
            }
            assert!(is_same(&before, &entries));

            let asked = guest::asked(&entries, &index);
            let facts = Facts {
                guest: &asked,
                vcpu: caps.words(),
                ..context.facts
            };
            let bounds = Bounds::new(&context.facts, &runtime);
            let mut replayed = asked;

            for (number, word) in replayed.iter_mut().enumerate() {
                for answer in Answer::list(&facts, &bounds, number, false) {
                    match answer.verdict {
                        Verdict::Withheld => withheld += 1,
                        _ => ignored += 1,
                    }
                    assert_eq!(*word >> answer.lsb & 1, answer.asked);
                    *word ^= (answer.asked ^ answer.value) << answer.lsb;
                }
                for answer in Answer::list(&facts, &bounds, number, true) {
                    assert!(is_possible(&answer));
                }
            }
            assert!(replayed == *caps.words());
        }
        // Else it says little.
        assert!(refused > 5 && adjusted > TABLES / 2);
        assert!(withheld > TABLES && ignored > TABLES / 10);
        Ok(())
    }

    /// A vCPU has no less than it must have, either.
    #[test]
    fn what_is_asked_is_within_bounds() -> Result {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);

        for _ in 0..200 {
            let kvm: Words = EVERYTHING.map(|_| random.next());
            let kernel = random.kernel();
            let context = Context {
                facts: Facts {
                    kvm: &kvm,
                    kernel: &kernel,
                    flags: random.flags(),
                    ..Facts::NONE
                },
                runtime: &AT_RESET,
                sizes: &SIZES,
                xcr0: 0,
                xss: 0,
                dynamic: 0,
            };
            let mut entries = [
                entry(1, 0, 0, random.next()),
                entry(7, 0, INDEXED, random.next()),
                entry(0xd, 1, INDEXED, random.next()),
                entry(0x8000_0001, 0, 0, random.next()),
            ];
            let bounds = Bounds::new(&context.facts, &AT_RESET);
            let (caps, _) = derived(&context, &mut entries)?;

            for word in 0..NR_KVM_CPU_CAPS {
                let of = |words: &Words| words.get(word).copied().unwrap_or(0);

                assert!(of(&bounds.lowest) & !of(caps.words()) == 0);
                assert!(of(caps.words()) & !of(&bounds.highest) == 0);
            }
        }
        assert!(Bounds::new(&Facts::NONE, &AT_RESET).lowest == words(&[APIC]));
        Ok(())
    }
}
