// SPDX-License-Identifier: GPL-2.0

//! A vCPU's capabilities.

use kernel::prelude::*;

use super::{
    feature::Words,
    generated::{
        LEAFS,
        NR_KVM_CPU_CAPS, //
    },
    host::HostCaps,
    leaf::{
        self,
        Entry,
        WordSet, //
    },
    optout, //
};

/// What a vCPU may use, a bit for each feature: `kvm_vcpu_arch::cpu_caps`.
#[repr(transparent)]
pub(crate) struct GuestCaps(pub(super) Words);

impl GuestCaps {
    /// The capabilities that guest CPUID asks for and that `host`, or an opt-out, provides.
    ///
    /// A word is what the first entry has that answers for its function and index; without such an
    /// entry it is zero. One pass over `entries`.
    pub(crate) fn new(host: &HostCaps, entries: &[Entry]) -> Self {
        let usable = optout::usable(host);
        let mut caps = [0; NR_KVM_CPU_CAPS];
        let mut open = WordSet::MIRRORED;

        for entry in entries {
            for word in leaf::words_of(entry.function).and(open) {
                let (Some(cap), Some(usable), Some(Some(leaf))) =
                    (caps.get_mut(word), usable.get(word), LEAFS.get(word))
                else {
                    continue;
                };

                if entry.answers(leaf.index) {
                    *cap = usable & entry.reg(leaf.reg);
                    open.remove(word);
                }
            }
        }
        Self(caps)
    }
}

#[kunit_tests(guestcaps_x86_guest)]
mod tests {
    use super::super::generated::{
        feature::*,
        word, //
    };
    use super::*;

    const NOTHING: HostCaps = HostCaps([0; NR_KVM_CPU_CAPS]);
    const EVERYTHING: HostCaps = HostCaps([!0; NR_KVM_CPU_CAPS]);
    const INDEXED: u32 = Entry::SIGNIFICANT_INDEX;

    /// An entry that has `value` in all of its registers.
    fn entry(function: u32, index: u32, flags: u32, value: u32) -> Entry {
        Entry {
            function,
            index,
            flags,
            eax: value,
            ebx: value,
            ecx: value,
            edx: value,
            ..Entry::default()
        }
    }

    fn word_of(caps: &GuestCaps, word: usize) -> u32 {
        caps.0.get(word).copied().unwrap_or(0)
    }

    /// The rule without any cleverness: one search for each word.
    fn reference(host: &HostCaps, entries: &[Entry]) -> Words {
        let mut words = optout::usable(host);

        for (word, leaf) in words.iter_mut().zip(&LEAFS) {
            *word &= leaf
                .and_then(|leaf| {
                    entries
                        .iter()
                        .find(|entry| entry.function == leaf.function && entry.answers(leaf.index))
                        .map(|entry| entry.reg(leaf.reg))
                })
                .unwrap_or(0);
        }
        words
    }

    /// Marsaglia's xorshift: the same tables on every run.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 32) as u32
        }

        fn below(&mut self, limit: u32) -> u32 {
            self.next().checked_rem(limit).unwrap_or(0)
        }

        fn one_of(&mut self, values: &[u32]) -> u32 {
            let choice = self.below(values.len() as u32) as usize;

            values.get(choice).copied().unwrap_or(0)
        }

        /// An entry that likely collides with others, and with the words, in all that matters.
        fn entry(&mut self) -> Entry {
            const FUNCTIONS: [u32; 20] = [
                0,
                1,
                6,
                7,
                0xd,
                0x12,
                0x1e,
                0x24,
                0x4000_0000,
                0x8000_0000,
                0x8000_0001,
                0x8000_0007,
                0x8000_0008,
                0x8000_000a,
                0x8000_001f,
                0x8000_0021,
                0x8000_0022,
                0x8086_0001,
                0xc000_0001,
                u32::MAX,
            ];

            Entry {
                function: self.one_of(&FUNCTIONS),
                index: self.one_of(&[0, 0, 0, 1, 1, 2, 5, u32::MAX]),
                flags: self.one_of(&[0, INDEXED, INDEXED, INDEXED, 2, 6, !0]),
                eax: self.next(),
                ebx: self.next(),
                ecx: self.next(),
                edx: self.next(),
                padding: [self.next(); 3],
            }
        }
    }

    #[test]
    fn no_entries_no_capabilities() {
        assert!(GuestCaps::new(&EVERYTHING, &[]).0 == [0; NR_KVM_CPU_CAPS]);
    }

    #[test]
    fn host_and_guest_both_count() {
        let host = HostCaps([0x0000_ffff; NR_KVM_CPU_CAPS]);
        let caps = GuestCaps::new(&host, &[entry(0x8000_0021, 0, 0, 0x00ff_ff00)]);

        for word in 0..NR_KVM_CPU_CAPS {
            let mirrors = matches!(word, word::CPUID_8000_0021_EAX | word::CPUID_8000_0021_ECX);

            assert_eq!(word_of(&caps, word), if mirrors { 0xff00 } else { 0 });
        }
    }

    #[test]
    fn the_first_match_wins() {
        let caps = GuestCaps::new(
            &EVERYTHING,
            &[
                entry(1, 0, 0, 0x1),
                entry(1, 0, 0, 0x2),
                entry(7, 1, INDEXED, 0x4),
                entry(7, 0, 0, 0x8),
                entry(7, 1, INDEXED, 0x10),
                entry(7, 2, INDEXED, 0x20),
            ],
        );

        assert_eq!(word_of(&caps, word::CPUID_1_ECX), 0x1);
        assert_eq!(word_of(&caps, word::CPUID_1_EDX), 0x1);
        assert_eq!(word_of(&caps, word::CPUID_7_1_EAX), 0x4);
        // Not flagged, so it answers for every index that nobody has answered for.
        assert_eq!(word_of(&caps, word::CPUID_7_0_EBX), 0x8);
        assert_eq!(word_of(&caps, word::CPUID_7_2_EDX), 0x8);
    }

    #[test]
    fn a_first_match_without_the_feature_hides_a_second_with_it() {
        let caps = GuestCaps::new(&EVERYTHING, &[entry(1, 0, 0, 0), entry(1, 0, 0, !0)]);

        assert_eq!(word_of(&caps, word::CPUID_1_ECX), 0);
    }

    #[test]
    fn a_word_asks_for_its_index() {
        let caps = GuestCaps::new(
            &EVERYTHING,
            &[
                // Leaf 1 has no indices, and yet this does not answer for it.
                entry(1, 5, INDEXED, 0x1),
                entry(0x8000_0001, 5, 0, 0x2),
                entry(7, 1, INDEXED, 0x4),
                entry(0xd, 0, INDEXED, 0x8),
            ],
        );

        assert_eq!(word_of(&caps, word::CPUID_1_ECX), 0);
        assert_eq!(word_of(&caps, word::CPUID_1_EDX), 0);
        assert_eq!(word_of(&caps, word::CPUID_8000_0001_ECX), 0x2);
        assert_eq!(word_of(&caps, word::CPUID_7_0_EBX), 0);
        assert_eq!(word_of(&caps, word::CPUID_7_1_EDX), 0x4);
        assert_eq!(word_of(&caps, word::CPUID_D_1_EAX), 0);
    }

    #[test]
    fn opt_outs_need_guest_cpuid_only() {
        let rdtscp = {
            let mut host = NOTHING;

            if let Some(word) = host.0.get_mut(RDTSCP.word()) {
                *word |= RDTSCP.mask();
            }
            host
        };
        let asked = [
            entry(1, 0, 0, MOVBE.mask() | MWAIT.mask()),
            entry(7, 0, INDEXED, RDPID.mask()),
        ];

        for (host, rdpid) in [
            (&NOTHING, 0),
            (&rdtscp, RDPID.mask()),
            (&EVERYTHING, RDPID.mask()),
        ] {
            let (all, none) = (GuestCaps::new(host, &asked), GuestCaps::new(host, &[]));

            assert_eq!(word_of(&all, MOVBE.word()), MOVBE.mask() | MWAIT.mask());
            assert_eq!(word_of(&all, RDPID.word()), rdpid);
            assert_eq!(word_of(&none, MOVBE.word()), 0);
            assert_eq!(word_of(&none, RDPID.word()), 0);
        }
    }

    /// As many entries as KVM takes, the one that counts last.
    #[test]
    fn the_last_of_256_entries_counts() -> Result {
        let mut entries = KVec::with_capacity(256, GFP_KERNEL)?;

        for index in 0..255 {
            entries.push(entry(1, index + 1, INDEXED, !0), GFP_KERNEL)?;
        }
        entries.push(entry(1, 0, INDEXED, 0x40), GFP_KERNEL)?;
        assert_eq!(
            word_of(&GuestCaps::new(&EVERYTHING, &entries), word::CPUID_1_ECX),
            0x40
        );
        Ok(())
    }

    /// Thousands of tables, empty and full ones among them, against [`reference`].
    #[test]
    fn random_tables_agree_with_the_reference() -> Result {
        const TABLES: u32 = 4000;
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut entries = KVec::with_capacity(256, GFP_KERNEL)?;
        let mut not_zero = 0;

        for table in 0..TABLES {
            let mut host = NOTHING;

            host.0.iter_mut().for_each(|word| *word = random.next());
            entries.clear();
            for _ in 0..random.one_of(&[0, 1, 2, 5, 10, 31, table & 0xff, 256]) {
                entries.push(random.entry(), GFP_KERNEL)?;
            }

            let caps = GuestCaps::new(&host, &entries).0;

            assert!(caps == reference(&host, &entries));
            not_zero += u32::from(caps != [0; NR_KVM_CPU_CAPS]);
        }
        // Else the comparison says little.
        assert!(not_zero > TABLES / 2);
        Ok(())
    }
}
