// SPDX-License-Identifier: GPL-2.0

//! Where the entries stand that KVM looks up in guest CPUID, from one pass over all of them.
//!
//! For each look-up the first entry that answers it counts. Capability words ask for an index, the
//! other look-ups, but for leaf 0xD's, take any.

use kernel::prelude::*;

use super::{
    generated::{
        word,
        LEAFS,
        NR_KVM_CPU_CAPS, //
    },
    leaf::{
        Entry,
        Reg, //
    },
    policy, //
};

/// A look-up: the place of its answer in a [`Scan`].
pub(crate) type Slot = usize;

/// Leaf 0, whatever its index: the vendor.
pub(crate) const VENDOR: Slot = 0;
/// Leaf 1, whatever its index. Its words want index 0.
pub(crate) const LEAF_1: Slot = 1;
/// Leaf 0xD, index 0: the user components of XCR0.
pub(crate) const XCR0: Slot = 2;
/// Leaf 0x80000000, whatever its index: the highest extended function.
pub(crate) const MAX_EXTENDED: Slot = 3;
/// Leaf 0x80000008, whatever its index: the sizes of addresses.
pub(crate) const ADDRESS_SIZES: Slot = 4;
/// Hyper-V's interface, leaf 0x40000001.
pub(crate) const HYPERV_INTERFACE: Slot = 5;
/// The features leaf that goes with KVM's signature.
pub(crate) const KVM_FEATURES: Slot = 6;
/// Xen's signature.
pub(crate) const XEN_BASE: Slot = 7;
/// Leaf 7, index 0.
pub(crate) const LEAF_7: Slot = word_slot(word::CPUID_7_ECX);
/// Leaf 0xD, index 1: XSAVES and XSAVEC, and the components of IA32_XSS.
pub(crate) const XSS: Slot = word_slot(word::CPUID_D_1_EAX);

/// What KVM keeps up to date as the vCPU's state changes.
pub(crate) const RUNTIME: [Slot; 4] = [LEAF_1, LEAF_7, XCR0, XSS];

/// A function, and the index if it matters.
#[derive(Clone, Copy)]
struct Query {
    function: u32,
    index: Option<u32>,
}

impl Query {
    const fn new(function: u32, index: Option<u32>) -> Self {
        Self { function, index }
    }

    /// Whether `entry`, of the query's function, answers.
    #[inline(always)]
    fn is_answered_by(&self, entry: &Entry) -> bool {
        self.index.is_none_or(|index| entry.answers(index))
    }

    /// What a capability word asks for. None if the policy has no feature in it: the word is zero.
    const fn of_word(word: usize) -> Option<Self> {
        match LEAFS[word] {
            Some(leaf) if policy::KNOWN[word] != 0 => {
                Some(Self::new(leaf.function, Some(leaf.index)))
            }
            _ => None,
        }
    }
}

/// As many slots as fit a [`SlotSet`].
const MAX_SLOTS: usize = u32::BITS as usize;
/// A slot that asks for nothing.
const NOWHERE: Slot = MAX_SLOTS - 1;

/// What each slot asks for, if it is for a function known beforehand: first those above, then one
/// for each leaf of a capability word.
static QUERIES: [Option<Query>; MAX_SLOTS] = {
    let mut queries = [None; MAX_SLOTS];
    let mut word = 0;

    queries[VENDOR] = Some(Query::new(0, None));
    queries[LEAF_1] = Some(Query::new(1, None));
    queries[XCR0] = Some(Query::new(0xd, Some(0)));
    queries[MAX_EXTENDED] = Some(Query::new(0x8000_0000, None));
    queries[HYPERV_INTERFACE] = Some(Query::new(0x4000_0001, None));
    queries[ADDRESS_SIZES] = Some(Query::new(0x8000_0008, None));
    while word < NR_KVM_CPU_CAPS {
        if let Some(query) = Query::of_word(word) {
            queries[word_slot(word)] = Some(query);
        }
        word += 1;
    }
    queries
};

/// The slot of a word's leaf, which is that of the first word with the same leaf. Meant for
/// constants.
const fn word_slot(word: usize) -> Slot {
    let mut slot = XEN_BASE + 1;
    let mut other = 0;

    while !same_leaf(word, other) {
        if is_first_of_leaf(other) {
            slot += 1;
        }
        other += 1;
    }
    assert!(slot < NOWHERE, "too many leaves");
    slot
}

/// Whether two words are in the same leaf.
const fn same_leaf(a: usize, b: usize) -> bool {
    match (Query::of_word(a), Query::of_word(b)) {
        (Some(a), Some(b)) => match (a.index, b.index) {
            (Some(i), Some(j)) => a.function == b.function && i == j,
            _ => false,
        },
        _ => false,
    }
}

/// Whether no word before is in the same leaf.
const fn is_first_of_leaf(word: usize) -> bool {
    let mut other = 0;

    while other < word && !same_leaf(word, other) {
        other += 1;
    }
    other == word && Query::of_word(word).is_some()
}

/// A set of slots, one bit a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
struct SlotSet(u32);

impl SlotSet {
    const NONE: Self = Self(0);

    /// [`RUNTIME`] as a set.
    const RUNTIME: Self = {
        let mut set = Self::NONE;
        let mut i = 0;
        while i < RUNTIME.len() {
            set = set.with(RUNTIME[i]);
            i += 1;
        }
        set
    };

    /// All look-ups that are for a function known beforehand.
    #[cfg(CONFIG_KUNIT = "y")]
    const ALL: Self = {
        let mut set = Self::NONE;
        let mut slot = 0;
        while slot < MAX_SLOTS {
            if QUERIES[slot].is_some() {
                set = set.with(slot);
            }
            slot += 1;
        }
        set
    };

    const fn with(self, slot: Slot) -> Self {
        Self(self.0 | 1 << (slot % MAX_SLOTS))
    }

    const fn without(self, slot: Slot) -> Self {
        Self(self.0 & !Self::NONE.with(slot).0)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn contains(self, slot: Slot) -> bool {
        self.and(Self::NONE.with(slot)).0 != 0
    }
}

impl Iterator for SlotSet {
    type Item = Slot;

    /// Takes the lowest slot out of the set.
    #[inline]
    fn next(&mut self) -> Option<Slot> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() as Slot;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

/// Functions that KVM looks up by number are the first ones of a range, of which there are four:
/// basic, hypervisors', extended, and Centaur's.
const SPAN: u32 = 0x40;
const RANGES: u32 = 4;

/// For each function of each range, the slots that ask for it, whatever the index.
static ASKED_FOR: [SlotSet; (SPAN * RANGES) as usize] = {
    let mut asked = [SlotSet::NONE; (SPAN * RANGES) as usize];
    let mut slot = 0;
    while slot < MAX_SLOTS {
        if let Some(query) = QUERIES[slot] {
            let Some(place) = place(query.function) else {
                panic!("a function outside of all ranges")
            };
            asked[place] = asked[place].with(slot);
        }
        slot += 1;
    }
    asked
};

/// Where [`ASKED_FOR`] has `function`, if it does.
#[inline]
const fn place(function: u32) -> Option<usize> {
    let (range, offset) = (function >> 30, function & (u32::MAX >> 2));

    if offset < SPAN {
        Some((range * SPAN + offset) as usize)
    } else {
        None
    }
}

/// The slots that ask for `function`, whatever the index.
#[inline]
fn asked_for(function: u32) -> SlotSet {
    place(function)
        .and_then(|place| ASKED_FOR.get(place))
        .copied()
        .unwrap_or(SlotSet::NONE)
}

/// Whether the function is one that [`asked_for()`] or [`Hypervisors`] may know.
#[inline]
fn is_in_range(entry: &Entry) -> bool {
    entry.function & 0x3f00_0000 == 0
}

/// The functions that runtime updates look up, a bit each.
const RUNTIME_FUNCTIONS: u32 = {
    let mut functions = 0;
    let mut slot = 0;
    while slot < MAX_SLOTS {
        if let (Some(query), true) = (QUERIES[slot], SlotSet::RUNTIME.contains(slot)) {
            functions |= 1 << query.function;
        }
        slot += 1;
    }
    functions
};

/// Whether `entry`, whose function `slot` asks for, answers.
#[inline(always)]
fn answers(entry: &Entry, slot: Slot) -> bool {
    match QUERIES.get(slot) {
        Some(Some(query)) => query.is_answered_by(entry),
        _ => false,
    }
}

/// Calls `visit` if `SLOT` is open and asks for `entry`, which closes it.
#[inline(always)]
fn visit_if<const SLOT: Slot>(
    open: &mut SlotSet,
    entry: &mut Entry,
    visit: &mut impl FnMut(Slot, &mut Entry),
) {
    let Some(query) = (const { QUERIES[SLOT] }) else {
        return;
    };

    if open.contains(SLOT) && entry.function == query.function && query.is_answered_by(entry) {
        *open = open.without(SLOT);
        visit(SLOT, entry);
    }
}

/// Calls `visit` with each of [`RUNTIME`] and the entry that counts for it. Goes no further than
/// the last of them.
#[inline(always)]
pub(crate) fn for_each_runtime(entries: &mut [Entry], mut visit: impl FnMut(Slot, &mut Entry)) {
    let mut open = SlotSet::RUNTIME;

    for entry in entries {
        if RUNTIME_FUNCTIONS.checked_shr(entry.function).unwrap_or(0) & 1 == 0 {
            continue;
        }
        // As constants, these few cost less than to look up who asks.
        visit_if::<{ RUNTIME[0] }>(&mut open, entry, &mut visit);
        visit_if::<{ RUNTIME[1] }>(&mut open, entry, &mut visit);
        visit_if::<{ RUNTIME[2] }>(&mut open, entry, &mut visit);
        visit_if::<{ RUNTIME[3] }>(&mut open, entry, &mut visit);
        if open == SlotSet::NONE {
            break;
        }
    }
}

/// For each slot, the position of the entry that counts: one of the first 256, which is as many as
/// KVM takes, `KVM_MAX_CPUID_ENTRIES`.
pub(crate) struct Scan {
    /// The slots that nothing has answered for.
    open: SlotSet,
    position: [u8; MAX_SLOTS],
}

impl Scan {
    const NOTHING: Self = Self {
        open: SlotSet(!0),
        position: [0; MAX_SLOTS],
    };

    /// Finds all that KVM looks up.
    #[inline]
    pub(crate) fn new(entries: &[Entry]) -> Self {
        const AT_ONCE: usize = 8;

        // As many as positions can tell apart.
        let entries = entries.get(..=u8::MAX.into()).unwrap_or(entries);
        let mut rest = entries;
        let mut scan = Self::NOTHING;
        let mut hypervisors = Hypervisors::NONE;

        loop {
            // A table may be full of functions that nobody looks up: several of them at once are
            // passed over in half the instructions.
            while let Some((some, behind)) = rest.split_first_chunk::<AT_ONCE>() {
                if some.iter().any(is_in_range) {
                    break;
                }
                rest = behind;
            }

            let position = entries.len().wrapping_sub(rest.len()) as u8;
            let Some((entry, behind)) = rest.split_first() else {
                break;
            };
            rest = behind;

            if is_in_range(entry) {
                scan.visit(asked_for(entry.function), position, entry);
                if entry.function >> 30 == 1 {
                    hypervisors.visit(position, entry);
                }
            }
        }
        hypervisors.finish(entries, &mut scan);
        scan
    }

    /// Lets `entry` answer for those of `slots`, which ask for its function, that nothing has
    /// answered for.
    #[inline]
    fn visit(&mut self, slots: SlotSet, position: u8, entry: &Entry) {
        for slot in slots.and(self.open) {
            if answers(entry, slot) {
                self.set(slot, position);
            }
        }
    }

    fn set(&mut self, slot: Slot, position: u8) {
        if let Some(at) = self.position.get_mut(slot) {
            *at = position;
            self.open = self.open.without(slot);
        }
    }

    /// Where the entry stands that counts for `slot`.
    fn position(&self, slot: Slot) -> Option<usize> {
        let position = self.position.get(slot).copied().map(usize::from);

        position.filter(|_| self.has(slot))
    }

    /// Whether an entry answers for `slot`.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        !self.open.contains(slot)
    }

    /// The entry that counts for `slot`, of the entries that were scanned.
    pub(crate) fn entry<'a>(&self, entries: &'a [Entry], slot: Slot) -> Option<&'a Entry> {
        entries.get(self.position(slot)?)
    }

    /// The entry that counts for `slot`, to be changed.
    pub(crate) fn entry_mut<'a>(
        &self,
        entries: &'a mut [Entry],
        slot: Slot,
    ) -> Option<&'a mut Entry> {
        entries.get_mut(self.position(slot)?)
    }

    /// What guest CPUID has in the register that a capability word mirrors: zero if no entry
    /// answers for it.
    #[inline]
    pub(crate) fn word(&self, entries: &[Entry], word: usize) -> u32 {
        WORDS.get(word).map_or(0, |word| {
            self.entry(entries, word.slot.into())
                .map_or(0, |entry| entry.reg(word.reg))
        })
    }
}

/// Where a capability word is to be found.
#[derive(Clone, Copy)]
struct WordQuery {
    slot: u8,
    reg: Reg,
}

/// For each capability word, where it is to be found. No entry answers for those that the policy
/// has no feature in.
static WORDS: [WordQuery; NR_KVM_CPU_CAPS] = {
    let mut words = [WordQuery {
        slot: NOWHERE as u8,
        reg: Reg::EAX,
    }; NR_KVM_CPU_CAPS];
    let mut word = 0;
    while word < NR_KVM_CPU_CAPS {
        if let (Some(leaf), Some(_)) = (LEAFS[word], Query::of_word(word)) {
            words[word] = WordQuery {
                slot: word_slot(word) as u8,
                reg: leaf.reg,
            };
        }
        word += 1;
    }
    words
};

/// Where hypervisors' leaves stand: each of the 256 multiples of 0x100 from 0x40000000 on may be
/// the base of one. The lowest base with a signature counts, wherever its entries stand.
struct Hypervisors {
    /// The bases that an entry was seen for: a later one does not count.
    seen: [u64; 4],
    kvm: Option<u8>,
    /// The lowest base with Xen's signature, and where that stands.
    xen: Option<(u8, u8)>,
    /// The lowest base with a leaf one above it, and where that stands.
    features: Option<(u8, u8)>,
}

/// A signature, as EBX, ECX and EDX hold its characters.
pub(crate) const fn signature(text: &[u8; 12]) -> [u32; 3] {
    let mut words = [0; 3];
    let mut i = 0;
    while i < text.len() {
        words[i / 4] |= (text[i] as u32) << (i % 4 * 8);
        i += 1;
    }
    words
}

impl Entry {
    /// The signature in EBX, ECX and EDX.
    pub(crate) fn signature(&self) -> [u32; 3] {
        [self.ebx, self.ecx, self.edx]
    }
}

impl Hypervisors {
    /// `KVM_SIGNATURE` of `uapi/asm/kvm_para.h`.
    const KVM: [u32; 3] = signature(b"KVMKVMKVM\0\0\0");
    /// `XEN_SIGNATURE` of `asm/xen/cpuid.h`.
    const XEN: [u32; 3] = signature(b"XenVMMXenVMM");

    const NONE: Self = Self {
        seen: [0; 4],
        kvm: None,
        xen: None,
        features: None,
    };

    #[inline]
    fn visit(&mut self, position: u8, entry: &Entry) {
        let base = (entry.function >> 8) as u8;

        match entry.function & !0xff00 {
            0x4000_0000 => self.visit_base(base, position, entry),
            0x4000_0001 if self.features.is_none_or(|(lowest, _)| base < lowest) => {
                self.features = Some((base, position));
            }
            _ => (),
        }
    }

    /// Marks a base as seen. Returns whether it was not.
    fn is_new(&mut self, base: u8) -> bool {
        let Some(word) = self.seen.get_mut(usize::from(base / 64)) else {
            return false;
        };
        let before = *word;

        *word |= 1 << (base % 64);
        *word != before
    }

    fn visit_base(&mut self, base: u8, position: u8, entry: &Entry) {
        if !self.is_new(base) {
            return;
        }
        let signature = entry.signature();

        if signature == Self::KVM && self.kvm.is_none_or(|kvm| base < kvm) {
            self.kvm = Some(base);
        }
        if signature == Self::XEN && self.xen.is_none_or(|(xen, _)| base < xen) {
            self.xen = Some((base, position));
        }
    }

    /// Where the features leaf stands that goes with KVM's signature.
    fn kvm_features(&self, entries: &[Entry]) -> Option<u8> {
        let kvm = self.kvm?;

        match self.features {
            Some((base, position)) if base == kvm => Some(position),
            // It may have come before the signature, beside that of a lower base.
            _ => entries
                .iter()
                .position(|entry| entry.function == 0x4000_0001 | u32::from(kvm) << 8)
                .map(|position| position as u8),
        }
    }

    /// Adds what was found to `scan`.
    fn finish(&self, entries: &[Entry], scan: &mut Scan) {
        if let Some(position) = self.kvm_features(entries) {
            scan.set(KVM_FEATURES, position);
        }
        if let Some((_, position)) = self.xen {
            scan.set(XEN_BASE, position);
        }
    }
}

#[kunit_tests(guestcaps_x86_scan)]
mod tests {
    use super::*;

    /// Every slot that asks for a function is found by it, and by no other function.
    #[test]
    fn slots_are_found_by_their_function() {
        for (slot, query) in QUERIES.iter().enumerate() {
            assert_eq!(SlotSet::ALL.contains(slot), query.is_some());
            for other in QUERIES.iter().flatten() {
                assert_eq!(
                    asked_for(other.function).contains(slot),
                    query.is_some_and(|query| query.function == other.function)
                );
            }
        }
    }

    /// Every word that has features asks for its leaf, and words of one leaf share a slot.
    #[test]
    fn words_ask_for_their_leaf() {
        for ((word, leaf), known) in WORDS.iter().zip(&LEAFS).zip(&policy::KNOWN) {
            let slot = usize::from(word.slot);
            let Some(query) = QUERIES.get(slot).copied().flatten() else {
                assert!(slot == NOWHERE && *known == 0);
                continue;
            };

            assert!(*known != 0);
            assert!(leaf.is_some_and(|leaf| {
                query.function == leaf.function
                    && query.index == Some(leaf.index)
                    && word.reg == leaf.reg
            }));
        }
    }

    /// Functions beside those that are asked for, and at the ends of the ranges, have no slots.
    #[test]
    fn other_functions_have_no_slots() {
        for function in [
            2,
            5,
            0x25,
            0x3f,
            0x40,
            0x3fff_ffff,
            0x4000_0000,
            0x4000_0002,
            0x4000_0101,
            0x7fff_ffff,
            0x8000_0002,
            0x8000_ffff,
            0x8086_0001,
            0xbfff_ffff,
            0xc000_0000,
            0xc000_0002,
            u32::MAX,
        ] {
            assert!(asked_for(function) == SlotSet::NONE);
        }
    }

    #[test]
    fn every_base_is_one_of_256() {
        let mut hypervisors = Hypervisors::NONE;

        for base in 0..=u8::MAX {
            assert!(hypervisors.is_new(base));
            assert!(!hypervisors.is_new(base));
        }
    }

    /// A scan is no more than positions: with another table it finds what stands there, or nothing.
    #[test]
    fn a_scan_of_other_entries_is_harmless() {
        let leaf = |function| Entry {
            function,
            ..Entry::default()
        };
        let scan = Scan::new(&[leaf(2), leaf(2), leaf(1)]);

        assert!(scan.entry(&[leaf(7); 3], LEAF_1) == Some(&leaf(7)));
        assert!(scan.entry(&[leaf(1); 2], LEAF_1).is_none());
    }
}
