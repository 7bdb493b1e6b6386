// SPDX-License-Identifier: GPL-2.0

//! CPUID entries as userspace gives them, and how one is found.
//!
//! For each query the first entry counts whose function is the query's, and whose index is, if the
//! entry says that its index is significant and the query has one.

use crate::{
    c::{
        Entry,
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

/// Where the entry stands that counts, if there is one: looks at one after the other, beginning at
/// `from`.
#[inline]
pub(crate) fn search(
    entries: &[Entry],
    from: usize,
    function: u32,
    index: Option<u32>,
) -> Option<usize> {
    let (_, rest) = entries.split_at_checked(from)?;

    rest.iter()
        .position(|entry| answers(entry, function, index))
        .map(|at| at.wrapping_add(from))
}

/// The number of chains in an [`Index`].
const CHAINS: usize = 64;

/// Whether an [`Index`] has such functions: those among the first of one of four ranges.
const fn is_indexed(function: u32) -> bool {
    function & 0x3fff_0000 == 0
}

/// The chain of a function. Meant for constants: fails the build if an index doesn't have it.
pub(crate) const fn chain(function: u32) -> usize {
    assert!(is_indexed(function), "an index does not have this function");
    chain_of(function)
}

const fn chain_of(function: u32) -> usize {
    function.wrapping_add(function >> 26) as usize % CHAINS
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

/// Finds the entries that KVM looks for, without looking at all of them.
///
/// Entries of the same hash are a chain, each leading to the next one behind it.
pub(crate) struct Index<'a> {
    /// The first entry of each chain. An empty chain has 0, which does no harm: that entry is of
    /// another function than those of the chain.
    first: [u8; CHAINS],
    /// For each entry the next one in its chain; none if that is not behind it.
    next: &'a [u8],
}

// Positions are bytes.
const _: () = assert!(MAX_ENTRIES == u8::MAX as usize + 1);

impl<'a> Index<'a> {
    /// An index of entries, as many as there is room for, in zeroed `room`.
    #[inline]
    pub(crate) fn new(entries: &[Entry], room: &'a mut [u8]) -> Self {
        const AT_ONCE: usize = 8;
        let mut first = [0; CHAINS];
        let mut rest = entries;

        // Backwards, so that who comes first is found first.
        while let Some((entry, before)) = rest.split_last() {
            rest = before;
            if is_indexed(entry.function) {
                let position = before.len();

                if let (Some(first), Some(next)) = (
                    first.get_mut(chain_of(entry.function)),
                    room.get_mut(position),
                ) {
                    *next = *first;
                    *first = position as u8;
                }
                continue;
            }
            // A table may be full of functions that nobody looks for: several of them at once are
            // passed over faster.
            while let Some((before, some)) = rest.split_last_chunk::<AT_ONCE>() {
                if some.iter().any(|entry| is_indexed(entry.function)) {
                    break;
                }
                rest = before;
            }
        }
        Self { first, next: room }
    }

    /// The positions of the entries in a chain, and perhaps of another one.
    fn positions(&self, chain: usize) -> impl Iterator<Item = usize> + '_ {
        let first = self.first.get(chain).copied().map(usize::from);

        core::iter::successors(first, |position| {
            let next = usize::from(*self.next.get(*position)?);

            (next > *position).then_some(next)
        })
    }

    /// As [`search()`], for functions that the index has.
    pub(crate) fn find(
        &self,
        entries: &[Entry],
        function: u32,
        index: Option<u32>,
    ) -> Option<usize> {
        self.find_in(chain_of(function), entries, function, index)
    }

    /// As [`Index::find()`], of a function whose chain is known.
    #[inline]
    pub(crate) fn find_in(
        &self,
        chain: usize,
        entries: &[Entry],
        function: u32,
        index: Option<u32>,
    ) -> Option<usize> {
        self.positions(chain).find(|position| {
            entries
                .get(*position)
                .is_some_and(|entry| answers(entry, function, index))
        })
    }

    /// The entry that counts.
    pub(crate) fn entry<'e>(
        &self,
        entries: &'e [Entry],
        function: u32,
        index: Option<u32>,
    ) -> Option<&'e Entry> {
        entries.get(self.find(entries, function, index)?)
    }

    /// The lowest base of a hypervisor's leaves that has a signature.
    pub(crate) fn hypervisor<'e>(
        &self,
        entries: &'e [Entry],
        signature: &[u8; 12],
    ) -> Option<&'e Entry> {
        self.positions(const { chain(BASES.0) })
            .filter_map(|position| Some((position, entries.get(position)?)))
            .filter(|(position, entry)| {
                entry.function & !(BASES.0 ^ BASES.1) == BASES.0
                    && self::signature(entry) == words(signature)
                    && self.find(entries, entry.function, None) == Some(*position)
            })
            .map(|(_, entry)| entry)
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
