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
        leaves,
        optouts::{
            self,
            OptOut, //
        },
        policy::{
            self,
            Missing,
            Verb, //
        }, //
    },
    view::{
        Line,
        Why, //
    }, //
};

/// What a vCPU may use if guest CPUID has all leaves, and asks for nothing, and for everything.
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

/// A register of leaf 0xd with half of the components of XCR0 or IA32_XSS.
#[derive(Clone, Copy)]
pub(crate) struct Half {
    /// 0 is XCR0's, 1 is IA32_XSS's.
    pub(crate) index: u32,
    pub(crate) reg: Reg,
    /// The first of them.
    pub(crate) first: u32,
}

impl Half {
    /// The lower half, or the upper one.
    pub(crate) fn new(index: u32, half: u32) -> Self {
        Self {
            index,
            reg: match (half, index) {
                (0, 0) => Reg::Eax,
                (0, _) => Reg::Ecx,
                _ => Reg::Edx,
            },
            first: if half == 0 { 0 } else { u32::BITS },
        }
    }
}

/// Components of XCR0, or of IA32_XSS.
#[derive(Clone, Copy)]
pub(crate) struct Components {
    /// Those that the CPU has.
    pub(crate) cpu: u64,
    /// Those of them that the host's kernel has turned on.
    pub(crate) kernel: u64,
    /// Those of these that KVM supports.
    pub(crate) kvm: u64,
}

impl Components {
    /// Who lacks some of them, if somebody does: no permission helps then.
    fn missing(&self, some: u64) -> Option<Missing> {
        match some {
            some if some & !self.cpu != 0 => Some(Missing::Cpu),
            some if some & !self.kernel != 0 => Some(Missing::Kernel),
            some if some & !self.kvm != 0 => Some(Missing::Kvm),
            _ => None,
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
    /// It is what it is, whatever guest CPUID asks for.
    Fixed,
    /// Guest CPUID decides, by the bit itself or by what that follows.
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
    /// Whether the host's CPU has it, if it is a feature.
    pub(crate) host: bool,
    /// Whether KVM supports it, likewise.
    pub(crate) is_supported: bool,
    /// Whether the vCPU has it whatever its bit in guest CPUID says.
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

    /// The same, and whether the host's CPU has it and KVM supports it, if it is a feature.
    fn of_feature(self, facts: &Facts<'_>) -> Self {
        let is_in = |words: &Words| number(self.leaf, self.lsb).is_some_and(|n| get(words, n) != 0);

        Self {
            host: is_in(facts.cpu),
            is_supported: is_in(facts.kvm) && leaves::is_reported(&self.leaf, facts),
            ..self
        }
    }

    /// What there is to say of a feature, by number, of a vCPU that asks for `facts.guest` and may
    /// use `facts.vcpu`.
    fn new(facts: &Facts<'_>, bounds: &Bounds, number: u32) -> Option<Self> {
        let line = Line::new(facts, number)?;
        let value = u32::from(line.vcpu);
        let (lowest, highest) = match (get(&bounds.lowest, number), get(&bounds.highest, number)) {
            (lowest, highest) if (lowest..=highest).contains(&value) => (lowest, highest),
            // It follows the vCPU's state, but has no leaf to do so.
            _ => (value, value),
        };
        let opt_out = line
            .row
            .and_then(|row| optouts::row_of(&row.feature, facts));
        let is_usable = line.vcpu && opt_out.is_some_and(OptOut::is_exact);
        let follows_state = line.kvm && opt_out.is_none();
        let rule = match line.row {
            None => Rule::Reserved,
            Some(row) if row.why().is_some() => Rule::Denied,
            Some(_) if lowest != highest => Rule::LowerSafe,
            Some(row) if highest != 0 || follows_state || row.verb == Verb::Runtime => Rule::Fixed,
            Some(_) => Rule::Absent,
        };
        let verdict = match (line.guest, line.vcpu) {
            (true, false) => Verdict::Withheld,
            (false, true) => Verdict::Ignored,
            _ => Verdict::Taken,
        };

        let why = match rule {
            _ if is_usable => opt_out.map(Why::OptOut),
            Rule::Fixed => Some(Why::Runtime),
            // Only an opt-out keeps it away where KVM supports it.
            Rule::Absent if line.kvm => opt_out.map(Why::OptOut),
            // The vCPU's state could decide, and doesn't.
            Rule::LowerSafe if matches!(line.why, Some(Why::Runtime)) => opt_out.map(Why::OptOut),
            _ => line.why,
        };

        Some(Self {
            why,
            host: get(facts.cpu, number) != 0,
            is_supported: line.kvm && leaves::is_reported(&line.leaf, facts),
            is_usable,
            lowest,
            highest,
            lacks: match why {
                Some(Why::OptOut(row)) if !line.vcpu => row.lacks(facts).and_then(place),
                _ => None,
            },
            ..Self::of(
                line.leaf,
                number % u32::BITS,
                rule,
                verdict,
                (line.guest.into(), value),
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
            true if get(&policy::QUERIED) != 0 => leaves::features(word),
            true => 0,
            false => get(facts.guest) ^ get(facts.vcpu),
        };

        let first = (word as u32).wrapping_mul(u32::BITS);

        bits(told).filter_map(move |bit| Self::new(facts, bounds, first | bit))
    }

    /// What KVM has written over in an entry.
    pub(crate) fn adjusted<'a>(
        facts: &'a Facts<'_>,
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
                    .of_feature(facts)
                }
            })
        })
    }

    /// Bit n: whether the value n can be, where that isn't all between the bounds.
    pub(crate) fn possible(&self) -> u64 {
        let bits = |values: &[u32]| values.iter().fold(0, |all, n| all | 1u64.wrapping_shl(*n));

        match (self.rule, self.width) {
            (Rule::Exact, _) => bits(&LINEAR_WIDTHS),
            (_, 1) => bits(&[self.lowest, self.highest]),
            _ => 0,
        }
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

    /// Components that the table asks for in a register of leaf 0xd and that the vCPU will not
    /// have, on a host that has these.
    pub(crate) fn components(
        half: &Half,
        asked: u32,
        verdict: Verdict,
        host: &Components,
    ) -> impl Iterator<Item = Self> {
        let (Half { index, reg, first }, host) = (*half, *host);
        let leaf = Leaf {
            function: 0xd,
            index,
            reg,
        };

        bits(asked).map(move |bit| {
            let component = 1u64.wrapping_shl(first | bit);
            let missing = host.missing(component);
            let rule = match missing {
                Some(_) => Rule::Absent,
                None => Rule::LowerSafe,
            };

            Self {
                why: missing.map(Why::Missing),
                host: component & host.cpu != 0,
                is_supported: component & host.kvm != 0,
                highest: missing.is_none().into(),
                ..Self::of(leaf, bit, rule, verdict, (1, 0))
            }
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

/// The bit of a feature, by number.
fn get(words: &Words, number: u32) -> u32 {
    words
        .get((number / u32::BITS) as usize)
        .map_or(0, |word| word >> (number % u32::BITS) & 1)
}

/// The number of what stands in a bit of a leaf, if a word mirrors that.
fn number(leaf: Leaf, bit: u32) -> Option<u32> {
    let leaf = Leaf {
        index: match leaves::is_indexed(leaf.function) {
            true => leaf.index,
            false => 0,
        },
        ..leaf
    };
    let word = LEAVES.iter().position(|its| *its == Some(leaf))?;

    Some((word as u32).wrapping_mul(u32::BITS) | bit)
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
