// SPDX-License-Identifier: GPL-2.0

//! What a VM starts with, and the most and the least that userspace can ask for.

use super::{
    cpufeature::{
        Field,
        ID_AA64MMFR0_EL1::{
            self,
            FGT, //
        }, //
    },
    facts::{
        index,
        Fact,
        Facts,
        DERIVED, //
    },
    limits::LIMITS,
    needs,
    policy::{
        Bound,
        Class,
        Order,
        Verb, //
    },
    row::{
        Limits,
        Row, //
    }, //
};

/// Which fine-grained traps a VM has: EL2 sets none for protected ones, but those that zeros are.
fn fgt(facts: &Facts<'_>) -> u64 {
    if facts.has(Fact::PROTECTED) {
        return FGT::NI;
    }
    FGT::FIELD.get(facts.of_host(const { index(&ID_AA64MMFR0_EL1::REGISTER) }))
}

impl Row {
    /// What bounds it in such a VM.
    #[inline(always)]
    pub(crate) fn bound(&self, facts: &Facts<'_>) -> &Bound {
        if facts.has_none(Fact::EL2 as u32 | Fact::PROTECTED as u32) {
            return &self.policy.bound;
        }
        let of = |bound: &'static Option<Bound>, fact| bound.as_ref().filter(|_| facts.has(fact));
        of(&self.policy.protected, Fact::PROTECTED)
            .or_else(|| of(&self.policy.nested, Fact::EL2))
            .unwrap_or(&self.policy.bound)
    }

    /// A value of the field in its place.
    #[inline(always)]
    pub(crate) const fn place(&self, value: u8) -> u64 {
        (value as u64).wrapping_shl(self.field.lsb)
    }

    /// Nothing implemented, in its place.
    #[inline(always)]
    pub(crate) fn nothing(&self) -> u64 {
        self.field.put(0, self.field.not_implemented)
    }

    /// The limit on a host that has `host`, in its place.
    #[inline(always)]
    pub(crate) fn limit(&self, host: u64, facts: &Facts<'_>) -> u64 {
        if facts.has_none(self.plain_but) {
            ((host & self.mask) ^ self.sign).min(self.up_to) ^ self.sign
        } else {
            self.bound_limit(host, facts)
        }
    }

    #[inline(never)]
    fn bound_limit(&self, host: u64, facts: &Facts<'_>) -> u64 {
        let bound = self.bound(facts);
        let host = host & self.mask;
        let mut word = match bound.verb {
            Verb::AtMost(value) if self.is_higher(host, self.place(value)) => {
                match self.policy.order {
                    Order::Exact(safe) => self.place(safe),
                    _ => self.place(value),
                }
            }
            Verb::AtMost(_) => host,
            Verb::Force(value) => self.place(value),
            Verb::Denied | Verb::Zero => self.nothing(),
        };
        for instead in bound.overrides.iter().map_while(Option::as_ref) {
            if instead.condition.holds(facts) {
                word = match instead.value {
                    Some(value) => self.place(value),
                    None => self.nothing(),
                };
            }
        }
        word
    }

    /// Whether a value, in its place, is higher than another one.
    #[inline(always)]
    pub(crate) fn is_higher(&self, value: u64, other: u64) -> bool {
        value ^ self.sign > other ^ self.sign
    }

    /// Whether a value, in its place, means something.
    pub(crate) fn has_meaning(&self, word: u64) -> bool {
        self.values.wrapping_shr(self.field.get(word) as u32) & 1 != 0
    }

    /// Why a guest can use what the host has, whatever the field says, if its class isn't why.
    pub(crate) fn untrappable(&self, facts: &Facts<'_>) -> Option<&'static str> {
        match self.policy.untrappable {
            Some(it)
                if it.condition.holds(facts) && it.fgt.is_none_or(|least| fgt(facts) < least) =>
            {
                Some(it.why)
            }
            _ => (matches!(self.bound(facts).class, Some(Class::Trapped)) && fgt(facts) < FGT::IMP)
                .then_some("only FEAT_FGT traps it"),
        }
    }

    /// Whether a guest can use what the host has, whatever the field says.
    pub(crate) fn is_usable(&self, facts: &Facts<'_>) -> bool {
        self.untrappable(facts).is_some()
            || matches!(
                self.bound(facts).class,
                Some(Class::DataPath | Class::Own(_))
            )
    }

    /// Whether userspace can change it, before the VM runs.
    pub(crate) fn is_writable(&self, facts: &Facts<'_>) -> bool {
        !self.bound(facts).fixed && !self.field.is_reserved()
    }
}

impl Limits {
    /// The limits of a register, if there is one of that index.
    #[inline(always)]
    pub(crate) fn of(index: usize) -> Option<&'static Self> {
        LIMITS.get(index)
    }

    /// The most that a VM can have, where the host has `host`.
    #[inline(always)]
    fn highest(&self, host: u64, facts: &Facts<'_>) -> u64 {
        if !self.condition.holds(facts) {
            return 0;
        }
        self.rows
            .iter()
            .fold(self.reserved, |word, row| word | row.limit(host, facts))
    }
}

/// A register of a VM.
pub(crate) struct VmRegister<'a> {
    pub(crate) limits: &'static Limits,
    /// With those that its rows derive from the host.
    pub(crate) facts: Facts<'a>,
    /// What the host has.
    pub(crate) host: u64,
    /// The most that the VM can have.
    pub(crate) limit: u64,
}

impl<'a> VmRegister<'a> {
    /// The register of that index, if there is one.
    #[inline(always)]
    pub(crate) fn new(index: usize, facts: &Facts<'a>) -> Option<Self> {
        let limits = Limits::of(index)?;
        let facts = facts.for_conditions(limits.asked);
        let host = facts.of_host(index);
        Some(Self {
            limits,
            facts,
            host,
            limit: limits.highest(host, &facts),
        })
    }

    /// The field that has a bit of it.
    pub(crate) fn field(&self, bit: u32) -> Option<&'static Field> {
        let mut fields = self.limits.register.fields.iter();
        fields.find(|field| field.has(bit))
    }

    /// The row of one of its fields, if that has one.
    pub(crate) fn row(&self, field: &Field) -> Option<&'static Row> {
        let mut rows = self.limits.rows.iter();
        rows.find(|row| row.mask == field.mask())
    }

    /// Whether the VM has it.
    pub(crate) fn is_there(&self) -> bool {
        self.limits.condition.holds(&self.facts)
    }
}

/// The most that a VM can have in a register; zero if there is none of that index.
#[inline(always)]
pub(crate) fn highest(index: usize, facts: &Facts<'_>) -> u64 {
    VmRegister::new(index, facts).map_or(0, |register| register.limit)
}

/// Gives a VM the values that it starts with in its first registers: the most that it can have, but
/// for what would lack what it needs.
#[inline(always)]
pub(crate) fn start(words: &mut [u64], facts: &Facts<'_>) {
    let facts = &facts.for_conditions(DERIVED);
    for (index, word) in words.iter_mut().enumerate() {
        *word = Limits::of(index).map_or(0, |limits| limits.highest(facts.of_host(index), facts));
    }
    needs::start(words, facts);
}

/// What becomes of a register's value when KVM knows the VM's interrupt controller.
pub(crate) fn with_irqchip(index: usize, word: u64, facts: &Facts<'_>) -> u64 {
    let Some(limits) = Limits::of(index) else {
        return word;
    };
    limits.rows.iter().fold(word, |word, row| {
        let Some((condition, value)) = row.policy.irqchip else {
            return word;
        };
        let is_there = limits.condition.holds(facts) && condition.holds(facts);
        word & !row.mask | if is_there { row.place(value) } else { 0 }
    })
}
