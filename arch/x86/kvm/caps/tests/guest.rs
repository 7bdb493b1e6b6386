// SPDX-License-Identifier: GPL-2.0

//! What KVM derives from guest CPUID.

use kernel::prelude::*;

use super::{
    derived,
    entry,
    index,
    is_same,
    kernel,
    plain,
    reference,
    signed,
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
        GuestCpuid,
        Runtime,
        MAX_ENTRIES, //
    },
    cpufeature::{
        self,
        cr4,
        feature::*,
        Feature,
        Words,
        NR_KVM_CPU_CAPS, //
    },
    facts::{
        Facts,
        Flag,
        NOTHING, //
    },
    guest::{
        self,
        Context,
        GuestCaps, //
    },
    tables::policy, //
};

/// A vCPU's capabilities, without what follows its state.
fn caps(context: &Context<'_>, entries: &[Entry]) -> Words {
    let facts = Facts {
        guest: &guest::asked(entries, &index(entries)),
        ..context.facts
    };

    *GuestCaps::new(&facts).words()
}

fn word_of(words: &Words, word: usize) -> u32 {
    words.get(word).copied().unwrap_or(0)
}

fn derive_in<const N: usize>(context: &Context<'_>, mut entries: [Entry; N]) -> Option<GuestCpuid> {
    derived(context, &mut entries).ok().map(|(_, cpuid)| cpuid)
}

fn derive<const N: usize>(entries: [Entry; N]) -> Option<GuestCpuid> {
    derive_in(&plain(&NOTHING), entries)
}

#[kunit_tests(kvm_caps_guest)]
mod tests {
    use super::*;

    #[test]
    fn no_entries_no_capabilities() {
        assert!(caps(&plain(&EVERYTHING), &[]) == NOTHING);
    }

    #[test]
    fn host_and_guest_both_count() {
        let host = [0x0000_ffff; NR_KVM_CPU_CAPS];
        let caps = caps(&plain(&host), &[entry(0x8000_0021, 0, 0, 0x00ff_ff00)]);

        for (word, caps) in caps.iter().enumerate() {
            let mirrors = matches!(
                word,
                cpufeature::CPUID_8000_0021_EAX::WORD | cpufeature::CPUID_8000_0021_ECX::WORD
            );

            assert_eq!(*caps, if mirrors { 0xff00 } else { 0 });
        }
    }

    #[test]
    fn the_first_match_wins() {
        let caps = caps(
            &plain(&EVERYTHING),
            &[
                entry(1, 0, 0, 0x1),
                entry(1, 0, 0, 0x2),
                entry(7, 1, INDEXED, 0x4),
                entry(7, 0, 0, 0x8),
                entry(7, 1, INDEXED, 0x10),
                entry(7, 2, INDEXED, 0x20),
            ],
        );

        assert_eq!(word_of(&caps, cpufeature::CPUID_1_ECX::WORD), 0x1);
        assert_eq!(word_of(&caps, cpufeature::CPUID_1_EDX::WORD), 0x1);
        assert_eq!(word_of(&caps, cpufeature::CPUID_7_1_EAX::WORD), 0x4);
        // Not flagged, so it answers for every index that nobody has answered for.
        assert_eq!(word_of(&caps, cpufeature::CPUID_7_0_EBX::WORD), 0x8);
        assert_eq!(word_of(&caps, cpufeature::CPUID_7_2_EDX::WORD), 0x8);
    }

    #[test]
    fn a_word_asks_for_its_index() {
        let caps = caps(
            &plain(&EVERYTHING),
            &[
                // Leaf 1 has no indices, and yet this does not answer for it.
                entry(1, 5, INDEXED, 0x1),
                entry(0x8000_0001, 5, 0, 0x2),
                entry(7, 1, INDEXED, 0x4),
                entry(0xd, 0, INDEXED, 0x8),
            ],
        );

        assert_eq!(word_of(&caps, cpufeature::CPUID_1_ECX::WORD), 0);
        assert_eq!(word_of(&caps, cpufeature::CPUID_1_EDX::WORD), 0);
        assert_eq!(word_of(&caps, cpufeature::CPUID_8000_0001_ECX::WORD), 0x2);
        assert_eq!(word_of(&caps, cpufeature::CPUID_7_0_EBX::WORD), 0);
        assert_eq!(word_of(&caps, cpufeature::CPUID_7_1_EDX::WORD), 0x4);
        assert_eq!(word_of(&caps, cpufeature::CPUID_D_1_EAX::WORD), 0);
    }

    #[test]
    fn opt_outs_need_guest_cpuid_only() {
        let rdtscp = words(&[RDTSCP]);
        let asked = [
            entry(1, 0, 0, MOVBE.mask() | MWAIT.mask()),
            entry(7, 0, INDEXED, RDPID.mask()),
        ];

        for (kvm, rdpid) in [(&NOTHING, false), (&rdtscp, true), (&EVERYTHING, true)] {
            let context = plain(kvm);
            let (all, none) = (caps(&context, &asked), caps(&context, &[]));

            assert!(MOVBE.is_in(&all) && MWAIT.is_in(&all));
            assert_eq!(RDPID.is_in(&all), rdpid);
            assert!(none == NOTHING);
        }
    }

    /// With TDP the CPU decides, whatever KVM and guest CPUID say; without, the rule holds.
    #[test]
    fn gbpages_under_tdp_are_the_cpus() {
        let asked = [entry(0x8000_0001, 0, 0, GBPAGES.mask())];

        for case in 0..16 {
            let (tdp, cpu, kvm, guest) =
                (case & 1 != 0, case & 2 != 0, case & 4 != 0, case & 8 != 0);
            let kvm_words = words(if kvm { &[GBPAGES] } else { &[] });
            let kernel = kernel(if cpu { &[GBPAGES] } else { &[] });
            let entries = if guest { &asked[..] } else { &[] };
            let mut context = plain(&kvm_words);

            context.facts.kernel = &kernel;
            if tdp {
                context.facts.flags |= Flag::Tdp;
            }
            assert_eq!(
                GBPAGES.is_in(&caps(&context, entries)),
                if tdp { cpu } else { kvm && guest }
            );
        }
    }

    /// SVM can't keep XSAVES from a guest with XSAVE; VMX and the TDX module can.
    #[test]
    fn xsaves_depends_on_who_runs_the_vcpu() {
        for case in 0..16 {
            let (cpu, kvm, xsave, xsaves) =
                (case & 1 != 0, case & 2 != 0, case & 4 != 0, case & 8 != 0);
            let kvm_words = words(if kvm { &[XSAVE, XSAVES] } else { &[XSAVE] });
            let kernel = kernel(if cpu { &[XSAVES] } else { &[] });
            let masked = |feature: Feature, is_set| if is_set { feature.mask() } else { 0 };
            let entries = [
                entry(1, 0, 0, masked(XSAVE, xsave)),
                entry(0xd, 1, INDEXED, masked(XSAVES, xsaves)),
            ];

            for (kind, expected) in [
                (Flag::Svm, cpu && xsave),
                (Flag::Vmx, kvm && xsaves && xsave),
                (Flag::Tdx, kvm && xsaves),
            ] {
                let mut context = plain(&kvm_words);

                context.facts.kernel = &kernel;
                context.facts.flags = kind.into();
                assert_eq!(XSAVES.is_in(&caps(&context, &entries)), expected);
            }
        }
    }

    #[test]
    fn vmload_is_virtualized_for_amds_cpus_only() -> Result {
        for (name, amd) in [
            (b"AuthcAMDenti", true),
            (b"AMDiter!sbet", true),
            (b"HygouinenGen", true),
            (b"GenuntelineI", false),
        ] {
            for (kind, expected) in [(Flag::Svm, amd), (Flag::Vmx, true), (Flag::Tdx, true)] {
                let mut entries = [
                    signed(0, 1, name),
                    entry(0x8000_000a, 0, 0, V_VMSAVE_VMLOAD.mask()),
                ];
                let mut context = plain(&EVERYTHING);

                context.facts.flags = kind.into();

                let (caps, cpuid) = derived(&context, &mut entries)?;

                assert_eq!(V_VMSAVE_VMLOAD.is_in(caps.words()), expected);
                assert_eq!(cpuid.amd_compatible, amd);
            }
        }
        // No leaf 0 is not AMD.
        assert!(derive([]).is_some_and(|derived| !derived.amd_compatible));
        Ok(())
    }

    #[test]
    fn no_entries_derive_nothing() {
        assert!(derive([]).is_some_and(|derived| {
            derived.xcr0 == 0
                && derived.xss == 0
                && derived.maxphyaddr == 36
                && derived.pv_features == 0
                && derived.xen_base == 0
                && derived.xen_limit == 0
                && !derived.hyperv
                && derived.timer_mode_mask == 0
        }));
    }

    #[test]
    fn addresses_have_known_widths() {
        for (eax, max, physical) in [
            (0x3930, 0x8000_0008, Some(0x30)),
            (0x302e, 0x8000_0021, Some(46)),
            (0x00ff, 0x8000_0008, Some(255)),
            (0x3000, 0x8000_0008, Some(0)),
            (0x3034, 0x8000_0007, Some(36)),
            (0x3130, 0x8000_0008, None),
            (0x4030, 0, None),
        ] {
            let derived = derive([
                entry(0x8000_0000, 0, 0, max),
                entry(0x8000_0008, 7, INDEXED, eax),
            ]);

            assert_eq!(derived.map(|derived| derived.maxphyaddr), physical);
        }
    }

    #[test]
    fn hyperv_is_told_by_its_interface() {
        let hv1 = u32::from_le_bytes(*b"Hv#1");
        let hyperv = |entries: [Entry; 2]| derive(entries).is_some_and(|derived| derived.hyperv);
        let other = entry(2, 0, 0, 0);

        assert!(hyperv([entry(0x4000_0001, 5, INDEXED, hv1), other]));
        assert!(!hyperv([entry(0x4000_0101, 0, 0, hv1), other]));
        assert!(!hyperv([
            entry(0x4000_0001, 0, 0, 1),
            entry(0x4000_0001, 0, 0, hv1)
        ]));
    }

    /// What counts is what the guest sees: KVM may have taken a bit out of what userspace gave.
    #[test]
    fn hyperv_is_judged_after_the_massage() {
        let runtime = Runtime {
            hlt_in_guest: true,
            ..AT_RESET
        };
        let hv1 = u32::from_le_bytes(*b"Hv#1");

        for (runtime, hyperv) in [(&AT_RESET, false), (&runtime, true)] {
            let context = Context {
                runtime,
                ..plain(&NOTHING)
            };
            let entries = [
                signed(0x4000_0000, 0, b"KVMKVMKVM\0\0\0"),
                entry(0x4000_0001, 0, 0, hv1 | 1 << 7),
            ];

            assert!(derive_in(&context, entries).is_some_and(|got| got.hyperv == hyperv));
        }
    }

    #[test]
    fn xcr0_and_xss_are_what_both_have() {
        let context = Context {
            xcr0: 0x2_0000_0007,
            xss: 0x4_0000_0100,
            dynamic: 0x1_0000_0000,
            ..plain(&NOTHING)
        };
        let derived = derive_in(
            &context,
            [entry(0xd, 0, INDEXED, 0x6), entry(0xd, 1, INDEXED, 0x104)],
        );

        assert!(derived.is_some_and(|derived| {
            derived.xcr0 == 0x2_0000_0006 && derived.xss == 0x4_0000_0100 && derived.dynamic == 0
        }));

        let derived = derive_in(&context, [entry(0xd, 0, INDEXED, 0x1)]);

        assert!(derived.is_some_and(|got| got.dynamic == 0x1_0000_0000 && got.xss == 0));
    }

    /// What the host lacks, and what no guest gets, among it.
    #[test]
    fn bits_of_cr4_follow_what_is_asked_for() {
        let cr4 = |entries: &[Entry]| guest::cr4(entries, &index(entries));
        let [smx, la57] = [1 << cr4::SMXE, 1 << cr4::LA57];

        assert_eq!(cr4(&[]), 1 << cr4::PCE);
        assert!(cr4(&[entry(1, 0, 0, SMX.mask())]) & smx != 0);
        assert!(cr4(&[entry(1, 5, INDEXED, SMX.mask())]) & smx != 0);
        assert!(cr4(&[entry(7, 0, INDEXED, LA57.mask())]) & la57 != 0);
        assert!(cr4(&[entry(7, 5, INDEXED, LA57.mask())]) & la57 == 0);
    }

    #[test]
    fn the_timer_has_deadlines_if_leaf_1_says_so() {
        let mode = |entry| derive([entry]).map_or(0, |derived| derived.timer_mode_mask);

        assert_eq!(mode(entry(1, 0, 0, 0)), 1 << 17);
        assert_eq!(
            mode(entry(1, 5, INDEXED, TSC_DEADLINE_TIMER.mask())),
            3 << 17
        );
    }

    /// Thousands of tables, empty and full ones among them, against [`reference`].
    #[test]
    fn random_tables_agree_with_the_reference() -> Result {
        const TABLES: u32 = 4000;
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut entries = KVec::with_capacity(MAX_ENTRIES, GFP_KERNEL)?;
        let mut massaged = KVec::with_capacity(MAX_ENTRIES, GFP_KERNEL)?;
        let (mut capable, mut refused, mut paravirtual, mut xen) = (0, 0, 0, 0);

        for table in 0..TABLES {
            // What KVM looks at in no guest is in no host.
            let kvm = policy::QUERIED.map(|queried| random.next() & queried);
            let (kernel, runtime) = (random.kernel(), random.runtime());
            let context = Context {
                facts: Facts {
                    kvm: &kvm,
                    kernel: &kernel,
                    flags: random.flags(),
                    ..Facts::NONE
                },
                runtime: &runtime,
                sizes: &SIZES,
                xcr0: random.wide(),
                xss: random.wide(),
                dynamic: random.wide(),
            };

            entries.clear();
            for _ in 0..random.one_of(&[0, 1, 2, 5, 10, 31, table & 0xff, 256]) {
                entries.push(random.entry(), GFP_KERNEL)?;
            }
            massaged.clear();
            massaged.extend_from_slice(&entries, GFP_KERNEL)?;

            let derived = derived(&context, &mut entries).ok();
            let derived = derived.as_ref().map(|(caps, cpuid)| (caps.words(), cpuid));

            reference::massage(&mut massaged, &runtime);
            assert!(is_same(&entries, &massaged));
            assert!(reference::agrees(&context, &entries, derived));
            assert!(guest::cr4(&entries, &index(&entries)) == reference::cr4(&entries));
            match derived {
                Some((words, cpuid)) => {
                    capable += u32::from(*words != NOTHING);
                    paravirtual += u32::from(cpuid.pv_features != 0);
                    xen += u32::from(cpuid.xen_base != 0);
                }
                None => refused += 1,
            }
        }
        // Else the comparison says little.
        assert!(capable > TABLES / 2 && refused > 10 && paravirtual > TABLES / 20);
        assert!(xen > TABLES / 20);
        Ok(())
    }
}
