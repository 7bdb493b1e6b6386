// SPDX-License-Identifier: GPL-2.0

//! How an entry is found.

use kernel::prelude::*;

use super::{
    entry,
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
    cpuid::{
        self,
        search,
        Index, //
    }, //
};

#[kunit_tests(kvm_caps_cpuid)]
mod tests {
    use super::*;

    #[test]
    fn an_index_counts_only_if_flagged() {
        let of = |flags| [entry(1, 5, flags, 0)];

        for flags in [0, !INDEXED] {
            assert_eq!(search(&of(flags), 0, 1, Some(0)), Some(0));
        }
        assert_eq!(search(&of(INDEXED), 0, 1, Some(0)), None);
        assert_eq!(search(&of(INDEXED), 0, 1, Some(5)), Some(0));
        assert_eq!(search(&of(INDEXED), 0, 1, None), Some(0));
        assert_eq!(search(&of(0), 0, 2, None), None);
        assert_eq!(search(&[], 0, 1, None), None);
    }

    /// Thousands of queries of hundreds of tables, empty and full ones among them.
    #[test]
    fn an_index_finds_what_a_search_finds() -> Result {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        let mut entries = KVec::with_capacity(MAX_ENTRIES, GFP_KERNEL)?;
        let mut found = 0;

        for table in 0..600 {
            entries.clear();
            for _ in 0..random.one_of(&[0, 1, 2, 5, 31, table & 0xff, MAX_ENTRIES as u32]) {
                entries.push(random.entry(), GFP_KERNEL)?;
            }

            let mut room = [0; MAX_ENTRIES];
            let index = Index::new(&entries, &mut room);

            for _ in 0..60 {
                let Entry {
                    function,
                    index: at,
                    ..
                } = random.entry();
                let at = random.flip().then_some(at);

                // Nobody asks an index for what it doesn't have.
                if function & 0x3fff_0000 != 0 {
                    continue;
                }

                let expected = search(&entries, 0, function, at);

                assert_eq!(index.find(&entries, function, at), expected);
                found += u32::from(expected.is_some());
            }
            // What is first is found though a chain that is empty leads there.
            for function in 0..64 {
                let expected = search(&entries, 0, function, None);

                assert_eq!(index.find(&entries, function, None), expected);
            }
        }
        // Else the comparison says little.
        assert!(found > 10_000);
        Ok(())
    }

    /// As many entries as KVM takes, all in one chain, the one that counts last.
    #[test]
    fn the_last_of_all_entries_is_found() -> Result {
        let mut entries = KVec::with_capacity(MAX_ENTRIES, GFP_KERNEL)?;

        for at in 1..MAX_ENTRIES as u32 {
            entries.push(entry(1, at, INDEXED, !0), GFP_KERNEL)?;
        }
        entries.push(entry(1, 0, INDEXED, 0x40), GFP_KERNEL)?;

        let mut room = [0; MAX_ENTRIES];
        let index = Index::new(&entries, &mut room);

        assert_eq!(index.find(&entries, 1, Some(0)), Some(MAX_ENTRIES - 1));
        assert_eq!(index.find(&entries, 1, Some(MAX_ENTRIES as u32)), None);
        Ok(())
    }

    /// An index is no more than positions: with another table it finds what is there, or nothing.
    #[test]
    fn an_index_of_other_entries_is_harmless() {
        let mut room = [0; MAX_ENTRIES];
        let entries = [entry(2, 0, 0, 0), entry(2, 0, 0, 0), entry(1, 0, 0, 0)];
        let index = Index::new(&entries, &mut room);

        assert_eq!(index.find(&[entry(7, 0, 0, 0); 3], 1, None), None);
        assert_eq!(index.find(&[entry(1, 0, 0, 0); 2], 1, None), None);
        assert_eq!(index.find(&[entry(1, 0, 0, 0); 3], 1, None), Some(2));
    }

    #[test]
    fn the_lowest_base_with_the_signature_counts() {
        let kvm = |base| signed(base, 0, b"KVMKVMKVM\0\0\0");
        let xen = |base| signed(base, 0, b"XenVMMXenVMM");
        let leaf = |function| entry(function, 0, 0, 0);
        let features =
            |entries: &[Entry]| Index::new(entries, &mut [0; MAX_ENTRIES]).kvm_features(entries);

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
        let found = Index::new(&both, &mut [0; MAX_ENTRIES]).hypervisor(&both, b"XenVMMXenVMM");
        assert!(found.is_some_and(|entry| entry.function == 0x4000_0200));
    }

    /// Each of the 256 bases is one.
    #[test]
    fn every_base_counts() {
        for base in (0x4000_0000..0x4001_0000).step_by(0x100) {
            let entries = [signed(base, 0, b"XenVMMXenVMM")];

            assert!(Index::new(&entries, &mut [0; MAX_ENTRIES])
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
