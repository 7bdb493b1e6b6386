// SPDX-License-Identifier: GPL-2.0

//! CPUID leaves: the entries that userspace gives, and the registers that capability words mirror.
//!
//! Sources: Intel SDM volume 2A, "CPUID"; AMD APM volume 3, appendix E.

use kernel::prelude::*;

use super::generated::{
    LEAFS,
    NR_KVM_CPU_CAPS, //
};

/// An output register of CPUID.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::upper_case_acronyms)]
pub(crate) enum Reg {
    EAX,
    EBX,
    ECX,
    EDX,
}

/// The register of a CPUID leaf that a capability word mirrors, all 32 bits of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// Input EAX.
    pub(crate) function: u32,
    /// Input ECX; 0 for functions that do not look at it.
    pub(crate) index: u32,
    /// The register.
    pub(crate) reg: Reg,
}

/// One entry of a guest's CPUID table.
///
/// Mirrors `struct kvm_cpuid_entry2` of `include/uapi/asm/kvm.h`; `ffi.rs` holds the two together.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) function: u32,
    pub(crate) index: u32,
    pub(crate) flags: u32,
    pub(crate) eax: u32,
    pub(crate) ebx: u32,
    pub(crate) ecx: u32,
    pub(crate) edx: u32,
    pub(crate) padding: [u32; 3],
}

impl Entry {
    /// `KVM_CPUID_FLAG_SIGNIFCANT_INDEX`: the entry answers for its own index only.
    pub(crate) const SIGNIFICANT_INDEX: u32 = 1 << 0;

    /// Whether the entry, if its function matches, answers a query for `index`.
    pub(crate) const fn answers(&self, index: u32) -> bool {
        self.flags & Self::SIGNIFICANT_INDEX == 0 || self.index == index
    }

    /// The value of one register.
    pub(crate) const fn reg(&self, reg: Reg) -> u32 {
        match reg {
            Reg::EAX => self.eax,
            Reg::EBX => self.ebx,
            Reg::ECX => self.ecx,
            Reg::EDX => self.edx,
        }
    }

    /// One register, to be changed.
    pub(crate) fn reg_mut(&mut self, reg: Reg) -> &mut u32 {
        match reg {
            Reg::EAX => &mut self.eax,
            Reg::EBX => &mut self.ebx,
            Reg::ECX => &mut self.ecx,
            Reg::EDX => &mut self.edx,
        }
    }
}

/// A set of capability words, one bit a word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct WordSet(u64);

const _: () = assert!(NR_KVM_CPU_CAPS <= u64::BITS as usize);

impl WordSet {
    /// No word.
    pub(crate) const NONE: Self = Self(0);

    /// The words that mirror a register of CPUID, i.e. all but the Linux-defined ones.
    pub(crate) const MIRRORED: Self = {
        let mut set = Self::NONE;
        let mut word = 0;
        while word < NR_KVM_CPU_CAPS {
            if LEAFS[word].is_some() {
                set = set.with(word);
            }
            word += 1;
        }
        set
    };

    const fn with(self, word: usize) -> Self {
        Self(self.0 | 1 << word)
    }

    /// The words that are in both sets.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[cfg(CONFIG_KUNIT = "y")]
    fn contains(self, word: usize) -> bool {
        self.and(Self::NONE.with(word)) != Self::NONE
    }

    /// Takes a word out of the set.
    pub(crate) fn remove(&mut self, word: usize) {
        *self = self.and(Self(!Self::NONE.with(word).0));
    }
}

impl Iterator for WordSet {
    type Item = usize;

    /// Takes the lowest word out of the set.
    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let word = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(word)
    }
}

/// Where the ranges of CPUID functions begin that capability words mirror: basic, extended,
/// Transmeta's and Centaur's.
const RANGES: [u32; 4] = [0, 0x8000_0000, 0x8086_0000, 0xc000_0000];

/// How many functions of each range are looked at.
const SPAN: usize = {
    let mut span = 0;
    let mut word = 0;
    while word < NR_KVM_CPU_CAPS {
        if let Some(leaf) = LEAFS[word] {
            let (_, offset) = locate(leaf.function);
            if offset >= span {
                span = offset + 1;
            }
        }
        word += 1;
    }
    assert!(
        span <= 0x100,
        "a capability word mirrors a CPUID function outside of all ranges"
    );
    span
};

/// Splits a function into the range it is in and its offset there.
const fn locate(function: u32) -> (usize, usize) {
    let mut range = RANGES.len() - 1;
    while range > 0 && function < RANGES[range] {
        range -= 1;
    }
    (range, (function - RANGES[range]) as usize)
}

/// For each function of each range, the words that mirror a register of it, whatever the index.
static WORDS: [[WordSet; SPAN]; RANGES.len()] = {
    let mut words = [[WordSet::NONE; SPAN]; RANGES.len()];
    let mut word = 0;
    while word < NR_KVM_CPU_CAPS {
        if let Some(leaf) = LEAFS[word] {
            let (range, offset) = locate(leaf.function);
            words[range][offset] = words[range][offset].with(word);
        }
        word += 1;
    }
    words
};

/// The words that mirror a register of `function`, whatever the index.
#[inline]
pub(crate) fn words_of(function: u32) -> WordSet {
    let (range, offset) = locate(function);

    WORDS
        .get(range)
        .and_then(|words| words.get(offset))
        .copied()
        .unwrap_or(WordSet::NONE)
}

#[kunit_tests(guestcaps_x86_leaf)]
mod tests {
    use super::*;

    /// Every word that mirrors a register is found by its function, and by no other.
    #[test]
    fn words_are_found_by_their_function() {
        for word in 0..NR_KVM_CPU_CAPS {
            let leaf = LEAFS.get(word).copied().flatten();

            assert_eq!(WordSet::MIRRORED.contains(word), leaf.is_some());
            for other in LEAFS.iter().flatten() {
                assert_eq!(
                    words_of(other.function).contains(word),
                    leaf.is_some_and(|leaf| leaf.function == other.function)
                );
            }
        }
    }

    /// Functions beside those of the words, and at the ends of the ranges, have no words.
    #[test]
    fn other_functions_have_no_words() {
        for function in [
            0,
            2,
            5,
            0x25,
            0xff,
            0x3fff_ffff,
            0x4000_0000,
            0x4000_0001,
            0x7fff_ffff,
            0x8000_0000,
            0x8000_ffff,
            0x8085_ffff,
            0x8086_0000,
            0x8086_0002,
            0xbfff_ffff,
            0xc000_0000,
            0xc000_0002,
            u32::MAX,
        ] {
            assert!(words_of(function) == WordSet::NONE);
        }
    }

    #[test]
    fn an_index_counts_only_if_flagged() {
        let mut entry = Entry {
            index: 5,
            ..Entry::default()
        };

        assert!(entry.answers(0) && entry.answers(5));
        entry.flags = Entry::SIGNIFICANT_INDEX;
        assert!(!entry.answers(0) && entry.answers(5));
        entry.flags = !Entry::SIGNIFICANT_INDEX;
        assert!(entry.answers(0) && entry.answers(5));
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

        for (reg, value) in [(Reg::EAX, 1), (Reg::EBX, 2), (Reg::ECX, 4), (Reg::EDX, 8)] {
            assert_eq!(entry.reg(reg), value);
            *entry.reg_mut(reg) |= value << 4;
        }
        assert!(entry.eax == 0x11 && entry.ebx == 0x22 && entry.ecx == 0x44 && entry.edx == 0x88);
    }
}
