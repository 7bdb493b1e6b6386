// SPDX-License-Identifier: GPL-2.0

//! What userspace is told when it asks first: `KVM_GUEST_CAPS`.
//!
//! Three things can happen to what a table of CPUID entries asks for, and each is found by what
//! `KVM_SET_CPUID2` does itself: the table is refused, KVM writes over an entry, or a vCPU has a
//! feature that its entries, as they then are, don't have, or the other way round.

use crate::{
    c::{
        Entry,
        Runtime,
        SIGNIFICANT_INDEX, //
    },
    cpufeature::{
        Leaf,
        Reg,
        Words,
        LEAVES,
        NR_KVM_CPU_CAPS, //
    },
    cpuid::Index,
    facts::{
        Facts,
        Flag,
        NOTHING, //
    },
    guest::{
        self,
        GuestCaps,
        LINEAR_WIDTHS, //
    },
    runtime::Leaves,
    tables::{
        optouts::{
            self,
            OptOut, //
        },
        policy::{
            self,
            Verb, //
        }, //
    },
    view::{
        Line,
        Why, //
    }, //
};

/// What a vCPU may use if guest CPUID asks for nothing, and if it asks for everything.
#[repr(C)]
pub(crate) struct Bounds {
    pub(crate) lowest: Words,
    pub(crate) highest: Words,
}

impl Bounds {
    /// Those of a vCPU with a state. What is for vendors compatible with AMD alone is within.
    pub(crate) fn new(facts: &Facts<'_>, runtime: &Runtime) -> Self {
        let of = |guest: &Words| {
            let mut caps = GuestCaps::new(&Facts {
                guest,
                flags: facts.flags | Flag::AmdCompatible,
                ..*facts
            });

            caps.update(runtime, Leaves::ALL);
            *caps.words()
        };

        Self {
            lowest: of(&NOTHING),
            highest: of(&[!0; NR_KVM_CPU_CAPS]),
        }
    }
}

/// What decides about a bit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The kernel has no name for it.
    Reserved,
    /// KVM gives it to nobody.
    Denied,
    /// No vCPU here has it.
    Absent,
    /// Guest CPUID has no say.
    Fixed,
    /// Guest CPUID may ask for it, or not.
    LowerSafe,
    /// One of some values.
    Exact,
}

/// What becomes of what is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The vCPU has what guest CPUID has.
    Taken,
    /// The whole table is refused.
    Refused,
    /// KVM writes another value to the entry.
    Adjusted,
    /// The vCPU may use it, though guest CPUID doesn't have it.
    Ignored,
    /// Guest CPUID has it, and the vCPU may not use it.
    Withheld,
    /// The whole table is refused, unless the caller is permitted to use it.
    Forbidden,
}

/// What is told of some bits of a CPUID register. Values are numbers of as many bits.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) leaf: Leaf,
    pub(crate) lsb: u32,
    pub(crate) width: u32,
    pub(crate) rule: Rule,
    pub(crate) verdict: Verdict,
    pub(crate) why: Option<Why>,
    /// Whether the host's CPU has it.
    pub(crate) host: bool,
    /// Whether KVM supports it.
    pub(crate) is_supported: bool,
    /// Whether guests can use it, whatever guest CPUID says.
    pub(crate) is_usable: bool,
    /// What guest CPUID asks for, or has.
    pub(crate) asked: u32,
    /// What the vCPU has; of what is refused, the nearest that isn't.
    pub(crate) value: u32,
    pub(crate) lowest: u32,
    pub(crate) highest: u32,
    /// What it lacks, and where that is.
    pub(crate) lacks: Option<(Leaf, u32)>,
}

impl Answer {
    fn of(leaf: Leaf, lsb: u32, rule: Rule, verdict: Verdict, (asked, value): (u32, u32)) -> Self {
        Self {
            leaf,
            lsb,
            width: 1,
            rule,
            verdict,
            why: None,
            host: false,
            is_supported: false,
            is_usable: false,
            asked,
            value,
            lowest: value,
            highest: value,
            lacks: None,
        }
    }

    /// What there is to say of a feature, by number, of a vCPU that asks for `facts.guest` and may
    /// use `facts.vcpu`.
    fn new(facts: &Facts<'_>, bounds: &Bounds, number: u32) -> Option<Self> {
        let line = Line::new(facts, number)?;
        let (word, bit) = ((number / u32::BITS) as usize, number % u32::BITS);
        let get = |words: &Words| words.get(word).map_or(0, |word| word >> bit & 1);
        let (lowest, highest) = (get(&bounds.lowest), get(&bounds.highest));
        let opt_out = line
            .row
            .and_then(|row| optouts::row_of(&row.feature, facts));
        let is_usable = highest != 0 && opt_out.is_some_and(OptOut::is_exact);
        let rule = match line.row {
            None => Rule::Reserved,
            Some(row) if row.why().is_some() => Rule::Denied,
            Some(_) if is_usable => Rule::Fixed,
            Some(_) if lowest != highest => Rule::LowerSafe,
            Some(row) if highest != 0 || row.verb == Verb::Runtime => Rule::Fixed,
            Some(_) => Rule::Absent,
        };
        let verdict = match (line.guest, line.vcpu) {
            (true, false) => Verdict::Withheld,
            (false, true) => Verdict::Ignored,
            _ => Verdict::Taken,
        };

        let why = match rule {
            Rule::Fixed if is_usable => opt_out.map(Why::OptOut),
            Rule::Fixed => Some(Why::Runtime),
            // Only an opt-out keeps it away where KVM supports it.
            Rule::Absent if line.kvm => opt_out.map(Why::OptOut),
            _ => line.why,
        };

        Some(Self {
            why,
            host: get(facts.cpu) != 0,
            is_supported: line.kvm,
            is_usable,
            lowest,
            highest,
            lacks: match why {
                Some(Why::OptOut(row)) if !line.vcpu => row.lacks(facts).and_then(place),
                _ => None,
            },
            ..Self::of(
                line.leaf,
                bit,
                rule,
                verdict,
                (line.guest.into(), line.vcpu.into()),
            )
        })
    }

    /// All features of a word that KVM looks at, or those of which guest CPUID and the vCPU don't
    /// have the same.
    pub(crate) fn list<'a>(
        facts: &'a Facts<'_>,
        bounds: &'a Bounds,
        word: usize,
        all: bool,
    ) -> impl Iterator<Item = Self> + 'a {
        let get = |words: &Words| words.get(word).copied().unwrap_or(0);
        let told = match all {
            true if get(&policy::QUERIED) != 0 => !0,
            true => 0,
            false => get(facts.guest) ^ get(facts.vcpu),
        };

        let first = (word as u32).wrapping_mul(u32::BITS);

        bits(told).filter_map(move |bit| Self::new(facts, bounds, first | bit))
    }

    /// What KVM has written over in an entry.
    pub(crate) fn adjusted<'a>(
        before: &'a Entry,
        after: &'a Entry,
    ) -> impl Iterator<Item = Self> + 'a {
        let registers = [
            (Reg::Eax, before.eax, after.eax),
            (Reg::Ebx, before.ebx, after.ebx),
            (Reg::Ecx, before.ecx, after.ecx),
            (Reg::Edx, before.edx, after.edx),
        ];
        // Sizes of XSAVE's area.
        let is_number = after.function == 0xd;

        registers.into_iter().flat_map(move |(reg, asked, value)| {
            let changed = if is_number {
                (asked != value).into()
            } else {
                asked ^ value
            };

            bits(changed).map(move |lsb| {
                let width = if is_number { u32::BITS } else { 1 };
                let get = |value: u32| value.wrapping_shr(lsb) & mask(width);

                Self {
                    width,
                    why: Some(Why::Runtime),
                    ..Self::of(
                        leaf(after, reg),
                        lsb,
                        Rule::Fixed,
                        Verdict::Adjusted,
                        (get(asked), get(value)),
                    )
                }
            })
        })
    }

    /// The width of linear addresses, if the table is refused for it, which is then mended.
    pub(crate) fn mended(entries: &mut [Entry], index: &Index) -> Option<Self> {
        let entry = index.entry_mut(entries, guest::SIZES, None)?;
        let asked = guest::linear_width(entry.eax);
        let value = LINEAR_WIDTHS
            .into_iter()
            .min_by_key(|width| width.abs_diff(asked))?;

        if value == asked {
            return None;
        }
        entry.eax ^= (asked ^ value) << 8;
        Some(Self {
            width: 8,
            lowest: LINEAR_WIDTHS.into_iter().min()?,
            highest: LINEAR_WIDTHS.into_iter().max()?,
            ..Self::of(
                leaf(entry, Reg::Eax),
                8,
                Rule::Exact,
                Verdict::Refused,
                (asked, value),
            )
        })
    }

    /// Components of XCR0 that the table asks for and that take a permission.
    pub(crate) fn forbidden(components: u64) -> impl Iterator<Item = Self> {
        [
            (Reg::Eax, components as u32),
            (Reg::Edx, (components >> 32) as u32),
        ]
        .into_iter()
        .flat_map(|(reg, components)| {
            let leaf = Leaf {
                function: 0xd,
                index: 0,
                reg,
            };

            bits(components).map(move |bit| Self {
                highest: 1,
                ..Self::of(leaf, bit, Rule::LowerSafe, Verdict::Forbidden, (1, 0))
            })
        })
    }
}

/// As many bits.
fn mask(width: u32) -> u32 {
    u32::MAX >> (u32::BITS.wrapping_sub(width) % u32::BITS)
}

/// The bits that are set.
fn bits(mut word: u32) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let bit = (word != 0).then_some(word.trailing_zeros());

        word &= word.wrapping_sub(1);
        bit
    })
}

/// Where a feature stands, by number.
fn place(number: u32) -> Option<(Leaf, u32)> {
    let leaf = LEAVES
        .get((number / u32::BITS) as usize)
        .copied()
        .flatten()?;

    Some((leaf, number % u32::BITS))
}

/// A register of an entry, which has an index if it says so.
fn leaf(entry: &Entry, reg: Reg) -> Leaf {
    Leaf {
        function: entry.function,
        index: if entry.flags & SIGNIFICANT_INDEX != 0 {
            entry.index
        } else {
            0
        },
        reg,
    }
}
