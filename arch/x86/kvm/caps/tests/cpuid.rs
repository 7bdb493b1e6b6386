// SPDX-License-Identifier: GPL-2.0

//! How an entry is found.

use kernel::prelude::*;

use super::{
    entry,
    index,
    reference::{
        highest_basic,
        search, //
    },
    reg,
    signed,
    Random,
    INDEXED, //
};
use crate::{
    c::{
        Entry,
        MAX_ENTRIES, //
    },
    cpufeature::Reg,
    cpuid, //
};

#[kunit_tests(kvm_caps_cpuid)]
mod tests {
    use super::*;

    /// Where the entry stands that counts, by its index, which is held against a search.
    fn find(entries: &[Entry], function: u32, at: Option<u32>) -> Option<usize> {
        let found = index(entries).find(entries, function, at);

        assert_eq!(found, search(entries, function, at));
        found
    }

    #[test]
    fn an_index_counts_only_if_flagged() {
        let of = |flags| [entry(1, 5, flags, 0)];

        for flags in [0, !INDEXED] {
            assert_eq!(find(&of(flags), 1, Some(0)), Some(0));
        }
        assert_eq!(find(&of(INDEXED), 1, Some(0)), None);
        assert_eq!(find(&of(INDEXED), 1, Some(5)), Some(0));
        assert_eq!(find(&of(INDEXED), 1, None), Some(0));
        assert_eq!(find(&of(0), 2, None), None);
        assert_eq!(find(&[], 1, None), None);
        assert_eq!(find(&[], 0, Some(0)), None);
    }

    /// Of exact entries and of those for any index, the first one, wherever they stand.
    #[test]
    fn the_first_that_answers_counts() {
        let exact = |at| entry(7, at, INDEXED, 0);
        let (any, other) = (entry(7, 9, 0, 0), entry(8, 0, 0, 0));

        assert_eq!(find(&[exact(0), any, exact(1)], 7, Some(1)), Some(1));
        assert_eq!(find(&[exact(0), exact(1), any], 7, Some(1)), Some(1));
        assert_eq!(find(&[exact(0), exact(1), any], 7, Some(2)), Some(2));
        assert_eq!(find(&[exact(0), other, exact(1), any], 7, Some(1)), Some(2));
        // Apart from others of its function.
        assert_eq!(
            find(&[exact(1), other, exact(0), exact(1)], 7, Some(1)),
            Some(0)
        );
        assert_eq!(
            find(&[exact(0), exact(1), other, exact(1)], 7, Some(1)),
            Some(1)
        );
        assert_eq!(find(&[exact(3), exact(1), exact(1)], 7, Some(1)), Some(1));
        assert_eq!(find(&[exact(3), exact(1), any], 7, None), Some(0));
    }

    /// A table as it should be: entries of a function stand together, in any order.
    fn add_together(random: &mut Random, count: u32, entries: &mut KVec<Entry>) -> Result {
        let mut index = 0;
        let mut more = 0;

        while entries.len() < count as usize {
            let mut entry = random.entry();

            match (more, entries.last()) {
                (1.., Some(last)) => {
                    index = random.one_of(&[index, index + 1, index + 2, 0, 1, 0x100]);
                    entry.function = last.function;
                    more -= 1;
                }
                _ => {
                    // One of few that are asked for, or any other one.
                    while search(entries, entry.function, None).is_some() {
                        entry.function = random.next();
                    }
                    index = random.one_of(&[0, 0, 0, 5]);
                    if entry.flags & INDEXED != 0 {
                        more = random.one_of(&[0, 1, 5, count / 2]);
                    }
                }
            }
            entries.push(Entry { index, ..entry }, GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Thousands of queries of hundreds of tables, empty and full ones among them.
    #[test]
    fn an_index_finds_what_a_search_finds() -> Result {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        let mut entries = KVec::with_capacity(MAX_ENTRIES, GFP_KERNEL)?;
        let (mut found, mut missed, mut instead) = (0, 0, 0);

        for table in 0..600 {
            let count = random.one_of(&[0, 1, 2, 5, 31, table & 0xff, MAX_ENTRIES as u32]);

            entries.clear();
            if random.flip() {
                add_together(&mut random, count, &mut entries)?;
            }
            while entries.len() < count as usize {
                entries.push(random.entry(), GFP_KERNEL)?;
            }
            // What an Intel CPU shows instead should be there now and then.
            for entry in entries.iter_mut().filter(|entry| entry.function << 8 == 0) {
                entry.eax = entry.function | random.one_of(&[1, 7, 0xd, 0x10]);
            }

            let index = index(&entries);

            for _ in 0..60 {
                let any = random.entry();
                let function = match entries.get(random.below(0x100) as usize) {
                    Some(entry) if random.flip() => entry.function,
                    _ => any.function,
                };
                let at = random.one_of(&[0, 0, 1, 2, 3, 5, any.index, 0x105, u32::MAX]);
                let query = random.flip().then_some(at);
                let expected = search(&entries, function, query);

                assert_eq!(index.find(&entries, function, query), expected);
                match expected {
                    Some(_) => found += 1,
                    None => missed += 1,
                }

                let expected = highest_basic(&entries, function, at);

                assert_eq!(index.highest_basic(&entries, function, at), expected);
                instead += u32::from(expected.is_some_and(|(_, entry)| entry.is_some()));
            }
            // What is first is found though a chain that is empty leads there.
            for function in 0..256 {
                let expected = search(&entries, function, None);

                assert_eq!(index.find(&entries, function, None), expected);
            }
            // All that is there.
            for (position, entry) in entries.iter().enumerate() {
                let Entry {
                    function,
                    index: at,
                    ..
                } = *entry;
                let expected = search(&entries, function, Some(at));

                assert_eq!(index.find(&entries, function, Some(at)), expected);
                assert!(expected.is_some_and(|first| first <= position));
            }
        }
        // Else the comparison says little.
        assert!(found > 10_000 && missed > 10_000 && instead > 1_000);
        Ok(())
    }

    /// As many entries as KVM takes, functions in one chain, or sub-leaves.
    #[test]
    fn the_last_of_all_entries_is_found() -> Result {
        let mut entries = KVec::with_capacity(MAX_ENTRIES, GFP_KERNEL)?;

        for at in 0..MAX_ENTRIES as u32 {
            entries.push(entry(1 + at * 0x100, 0, 0, !0), GFP_KERNEL)?;
        }

        let of_all = index(&entries);

        for at in 0..MAX_ENTRIES {
            assert_eq!(
                of_all.find(&entries, 1 + at as u32 * 0x100, Some(7)),
                Some(at)
            );
        }

        entries.clear();
        for at in 0..MAX_ENTRIES as u32 {
            entries.push(entry(1, 1 + at * 0x100, INDEXED, !0), GFP_KERNEL)?;
        }

        let of_all = index(&entries);

        for at in 0..MAX_ENTRIES {
            let found = of_all.find(&entries, 1, Some(1 + at as u32 * 0x100));

            assert_eq!(found, Some(at));
        }
        assert_eq!(of_all.find(&entries, 1, Some(0)), None);
        assert_eq!(of_all.find(&entries, 1, None), Some(0));

        if let Some(last) = entries.last_mut() {
            last.flags = 0;
        }
        assert_eq!(find(&entries, 1, Some(0)), Some(MAX_ENTRIES - 1));
        assert_eq!(find(&entries, 1, Some(0x101)), Some(1));
        Ok(())
    }

    /// An index is no more than positions: with another table it finds what is there, or nothing.
    #[test]
    fn an_index_of_other_entries_is_harmless() {
        let index = index(&[entry(2, 0, 0, 0), entry(3, 0, 0, 0), entry(1, 0, 0, 0)]);

        assert_eq!(index.find(&[entry(7, 0, 0, 0); 3], 1, None), None);
        assert_eq!(index.find(&[entry(1, 0, 0, 0); 2], 1, None), None);
        assert_eq!(index.find(&[entry(1, 0, 0, 0); 3], 1, None), Some(2));
        assert_eq!(index.find(&[], 1, Some(0)), None);
    }

    #[test]
    fn the_lowest_base_with_the_signature_counts() {
        let kvm = |base| signed(base, 0, b"KVMKVMKVM\0\0\0");
        let xen = |base| signed(base, 0, b"XenVMMXenVMM");
        let leaf = |function| entry(function, 0, 0, 0);
        let features = |entries: &[Entry]| index(entries).kvm_features(entries);

        // Wherever it stands, and wherever its features do.
        assert_eq!(features(&[kvm(0x4000_0000), leaf(0x4000_0001)]), Some(1));
        assert_eq!(features(&[leaf(0x4000_0001), kvm(0x4000_0000)]), Some(0));
        assert_eq!(
            features(&[
                leaf(0x4000_0201),
                kvm(0x4000_0200),
                leaf(0x4000_0101),
                kvm(0x4000_0100),
            ]),
            Some(2)
        );
        assert_eq!(features(&[kvm(0x4000_ff00), leaf(0x4000_ff01)]), Some(1));
        // Beyond the last base, off a base, without its features leaf, without a base.
        assert_eq!(features(&[kvm(0x4001_0000), leaf(0x4001_0001)]), None);
        assert_eq!(features(&[kvm(0x4000_0080), leaf(0x4000_0081)]), None);
        assert_eq!(features(&[kvm(0x4000_0000), leaf(0x4000_0101)]), None);
        assert_eq!(features(&[leaf(0x4000_0001)]), None);
        // The first entry speaks for a base, and for its features.
        assert_eq!(
            features(&[xen(0x4000_0000), kvm(0x4000_0000), leaf(0x4000_0001)]),
            None
        );
        assert_eq!(
            features(&[kvm(0x4000_0000), leaf(0x4000_0001), leaf(0x4000_0001)]),
            Some(1)
        );

        let both = [xen(0x4000_0300), kvm(0x4000_0100), xen(0x4000_0200)];
        let found = index(&both).hypervisor(&both, b"XenVMMXenVMM");
        assert!(found.is_some_and(|entry| entry.function == 0x4000_0200));
    }

    /// Each of the 256 bases is one.
    #[test]
    fn every_base_counts() {
        for base in (0x4000_0000..0x4001_0000).step_by(0x100) {
            let entries = [signed(base, 0, b"XenVMMXenVMM")];

            assert!(index(&entries)
                .hypervisor(&entries, b"XenVMMXenVMM")
                .is_some());
        }
    }

    #[test]
    fn registers_are_told_apart() {
        let mut entry = Entry {
            eax: 1,
            ebx: 2,
            ecx: 4,
            edx: 8,
            ..Entry::default()
        };

        for (of, value) in [(Reg::Eax, 1), (Reg::Ebx, 2), (Reg::Ecx, 4), (Reg::Edx, 8)] {
            assert_eq!(reg(&entry, of), value);
            *cpuid::reg_mut(&mut entry, of) |= value << 4;
        }
        assert!(entry.eax == 0x11 && entry.ebx == 0x22 && entry.ecx == 0x44 && entry.edx == 0x88);
    }

    #[test]
    fn all_but_padding_is_compared() {
        let entry = Entry {
            padding: [7; 3],
            ..Entry::default()
        };
        let mut others = [Entry::default(); 8];

        for (n, other) in others.iter_mut().enumerate() {
            let field = match n {
                0 => &mut other.function,
                1 => &mut other.index,
                2 => &mut other.flags,
                3 => &mut other.eax,
                4 => &mut other.ebx,
                5 => &mut other.ecx,
                6 => &mut other.edx,
                _ => continue,
            };
            *field = 1;
            assert!(!cpuid::are_same(&[entry], &[*other]));
        }
        assert!(cpuid::are_same(&[entry], &[Entry::default()]));
        assert!(!cpuid::are_same(&[entry], &[]) && cpuid::are_same(&[], &[]));
    }
}
