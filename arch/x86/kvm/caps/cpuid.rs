// SPDX-License-Identifier: GPL-2.0

//! CPUID entries as userspace gives them, and how one is found.
//!
//! For each query the first entry counts whose function is the query's, and whose index is, if the
//! entry says that its index is significant and the query has one.

use core::{
    iter::successors,
    mem::MaybeUninit,
    ptr, //
};

use crate::{
    c::{
        Entry,
        Positions,
        MAX_ENTRIES,
        SIGNIFICANT_INDEX, //
    },
    cpufeature::Reg, //
};

/// Whether an entry answers a query.
fn answers(entry: &Entry, function: u32, index: Option<u32>) -> bool {
    entry.function == function
        && index.is_none_or(|index| entry.flags & SIGNIFICANT_INDEX == 0 || entry.index == index)
}

/// The chain of a function: functions differ in their lowest and highest bits.
const fn chain(function: u32) -> u8 {
    function.wrapping_add(function >> 24) as u8
}

/// The first and the last function that may be the base of a hypervisor's leaves; so may all
/// multiples of 0x100 between them. One chain has them all.
const BASES: (u32, u32) = (0x4000_0000, 0x4000_ff00);
const _: () = {
    let mut base = BASES.0;

    while base <= BASES.1 {
        assert!(chain(base) == chain(BASES.0));
        base += 0x100;
    }
};

/// Finds entries without looking at all of them.
///
/// Each entry is in one of 256 chains, that of its function, which lead from `first` to ever later
/// entries by `next`; an entry that isn't behind the one that leads there ends the chain. An empty
/// chain has 0, which does no harm: whoever follows it looks at functions anyway.
#[repr(transparent)]
pub(crate) struct Index(Positions);

// Positions are bytes.
const _: () = assert!(MAX_ENTRIES == u8::MAX as usize + 1);

impl Index {
    /// The index of no entries.
    pub(crate) const EMPTY: Self = Self(Positions {
        first: [0; MAX_ENTRIES],
        next: [0; MAX_ENTRIES],
    });

    /// Adds entries, [`MAX_ENTRIES`] at most, to an empty index.
    #[inline]
    pub(crate) fn add(&mut self, entries: &[Entry]) {
        let mut position = entries.len() as u8;

        // Backwards, so that who comes first is found first.
        for (entry, next) in entries.iter().zip(&mut self.0.next).rev() {
            position = position.wrapping_sub(1);
            if let Some(first) = self.0.first.get_mut(usize::from(chain(entry.function))) {
                *next = *first;
                *first = position;
            }
        }
    }

    /// The first position in a chain; 0 if it is empty.
    #[inline(always)]
    fn first(&self, chain: u8) -> u8 {
        self.0.first.get(usize::from(chain)).copied().unwrap_or(0)
    }

    /// The next position in a chain.
    #[inline(always)]
    fn next(&self, position: u8) -> Option<u8> {
        let next = *self.0.next.get(usize::from(position))?;

        (next > position).then_some(next)
    }

    /// Where the entry stands that counts, if there is one.
    #[inline(never)]
    pub(crate) fn find(
        &self,
        entries: &[Entry],
        function: u32,
        index: Option<u32>,
    ) -> Option<usize> {
        self.find_inline(entries, function, index)
    }

    /// As [`Index::find()`], where every instruction counts.
    #[inline(always)]
    pub(crate) fn find_inline(
        &self,
        entries: &[Entry],
        function: u32,
        index: Option<u32>,
    ) -> Option<usize> {
        let mut position = self.first(chain(function));

        while !entries
            .get(usize::from(position))
            .is_some_and(|entry| answers(entry, function, index))
        {
            position = self.next(position)?;
        }
        Some(usize::from(position))
    }

    /// What Intel's CPUs show if a leaf isn't there because it is out of range: the highest basic
    /// leaf, with the index that was asked for. Returns its function, and where its entry stands,
    /// if there is one; nothing for a leaf that is in range.
    ///
    /// A leaf is out of range if its class isn't there, or ends below it: classes begin with
    /// 0x8000_0000 and 0xc000_0000, and each 0x100 functions of hypervisors, 0x4000_0000 to
    /// 0x4fff_ffff, are one; all others are basic. EAX of a class's first leaf is its last one.
    #[inline(always)]
    pub(crate) fn highest_basic(
        &self,
        entries: &[Entry],
        function: u32,
        index: u32,
    ) -> Option<(u32, Option<usize>)> {
        match entries.first() {
            // Most often.
            Some(first) if first.function == 0 && function < 0x4000_0000 => {
                let highest = first.eax;

                if function <= highest {
                    return None;
                }
                Some((highest, self.find_inline(entries, highest, Some(index))))
            }
            _ => self.highest_basic_for(entries, function, index),
        }
    }

    /// As [`Index::highest_basic()`], for all functions.
    #[cold]
    #[inline(never)]
    fn highest_basic_for(
        &self,
        entries: &[Entry],
        function: u32,
        index: u32,
    ) -> Option<(u32, Option<usize>)> {
        let basic = self.entry(entries, 0, None)?;
        let class = match function {
            0x4000_0000..=0x4fff_ffff => self.entry(entries, function & !0xff, None),
            0xc000_0000.. => self.entry(entries, 0xc000_0000, None),
            0x8000_0000.. => self.entry(entries, 0x8000_0000, None),
            _ => Some(basic),
        };

        if class.is_some_and(|class| function <= class.eax) {
            return None;
        }
        Some((basic.eax, self.find(entries, basic.eax, Some(index))))
    }

    /// The entry that counts.
    #[inline]
    pub(crate) fn entry<'e>(
        &self,
        entries: &'e [Entry],
        function: u32,
        index: Option<u32>,
    ) -> Option<&'e Entry> {
        entries.get(self.find(entries, function, index)?)
    }

    /// As [`Index::entry()`], to be changed.
    #[inline]
    pub(crate) fn entry_mut<'e>(
        &self,
        entries: &'e mut [Entry],
        function: u32,
        index: Option<u32>,
    ) -> Option<&'e mut Entry> {
        entries.get_mut(self.find(entries, function, index)?)
    }

    /// The lowest base of a hypervisor's leaves that has a signature.
    pub(crate) fn hypervisor<'e>(
        &self,
        entries: &'e [Entry],
        signature: &[u8; 12],
    ) -> Option<&'e Entry> {
        let first = self.first(const { chain(BASES.0) });

        successors(Some(first), |position| self.next(*position))
            .filter_map(|position| entries.get(usize::from(position)))
            .filter(|entry| {
                entry.function & !(BASES.0 ^ BASES.1) == BASES.0
                    && self::signature(entry) == words(signature)
                    && self
                        .entry(entries, entry.function, None)
                        .is_some_and(|first| ptr::eq(first, *entry))
            })
            .min_by_key(|entry| entry.function)
    }

    /// Where the leaf of KVM's paravirtual features stands, if there is one: above KVM's base.
    pub(crate) fn kvm_features(&self, entries: &[Entry]) -> Option<usize> {
        let base = self.hypervisor(entries, b"KVMKVMKVM\0\0\0")?.function;

        self.find(entries, base | 1, None)
    }
}

/// A signature as EBX, ECX and EDX hold its characters.
const fn words(text: &[u8; 12]) -> [u32; 3] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *text;

    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
        u32::from_le_bytes([i, j, k, l]),
    ]
}

/// An entry's signature.
fn signature(entry: &Entry) -> [u32; 3] {
    [entry.ebx, entry.ecx, entry.edx]
}

/// Whether an entry, that of leaf 0, has a vendor's name: it is out of order there, in EBX, EDX and
/// ECX.
pub(crate) fn is_vendor(entry: &Entry, name: &[u8; 12]) -> bool {
    [entry.ebx, entry.edx, entry.ecx] == words(name)
}

/// One register, to be changed.
pub(crate) fn reg_mut(entry: &mut Entry, reg: Reg) -> &mut u32 {
    match reg {
        Reg::Eax => &mut entry.eax,
        Reg::Ebx => &mut entry.ebx,
        Reg::Ecx => &mut entry.ecx,
        Reg::Edx => &mut entry.edx,
    }
}

/// A place for what is to be written, and not read before.
pub(crate) trait Slot<T> {
    /// Fills it.
    fn fill(&mut self, value: T) -> &mut T;
}

impl<T> Slot<T> for T {
    fn fill(&mut self, value: T) -> &mut T {
        *self = value;
        self
    }
}

impl<T> Slot<T> for MaybeUninit<T> {
    #[inline(always)]
    fn fill(&mut self, value: T) -> &mut T {
        self.write(value)
    }
}

/// Whether a guest sees the same in both tables, i.e. all but the padding.
pub(crate) fn are_same(a: &[Entry], b: &[Entry]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            a.function == b.function
                && a.index == b.index
                && a.flags == b.flags
                && a.eax == b.eax
                && a.ebx == b.ebx
                && a.ecx == b.ecx
                && a.edx == b.edx
        })
}
