// SPDX-License-Identifier: GPL-2.0

//! Rules between fields: what a value of a field implies of another field, says the architecture.
//!
//! They bind what KVM itself gives a VM. What userspace writes is never refused for them: registers
//! can be restored in any order, and there are VMs that break one. It is told when a VM runs first.

use super::{
    cpufeature::{
        Field,
        Register, //
    },
    facts::{
        index,
        Condition,
        Facts, //
    },
    limits::LIMITS,
    row::{
        sign,
        Row, //
    }, //
};

/// Where a field has a value, or a higher one, another field has at least one of its own.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    /// The lowest value that needs the other field.
    pub(crate) value: u64,
    /// The register of the other field.
    pub(crate) register: &'static Register,
    /// The other field.
    pub(crate) field: &'static Field,
    /// The least that is needed of it.
    pub(crate) least: u64,
    /// In which VMs.
    pub(crate) condition: Condition,
    /// What KVM does if it is not so.
    pub(crate) lacking: Lacking,
}

impl Need {
    /// From a value on, the field of a register must have at least another one.
    pub(crate) const fn new(
        value: u64,
        register: &'static Register,
        field: &'static Field,
        least: u64,
    ) -> Self {
        Self {
            value,
            register,
            field,
            least,
            condition: Condition::ALWAYS,
            lacking: Lacking::Cut,
        }
    }

    /// Only in some VMs.
    pub(crate) const fn when(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// KVM doesn't virtualize the field without.
    pub(crate) const fn clears(mut self) -> Self {
        self.lacking = Lacking::Cleared;
        self
    }

    /// There are machines where it is not so: it is told, and left.
    pub(crate) const fn told(mut self) -> Self {
        self.lacking = Lacking::Told;
        self
    }
}

/// What KVM does about a field that lacks what it needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacking {
    /// No VM starts with it.
    Cut,
    /// As `Cut`; and it is cleared when the VM runs first, as KVM doesn't virtualize one without the
    /// other.
    Cleared,
    /// Nothing: there are machines like that.
    Told,
}

/// A need, and where it is.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    /// The register that has the row, by index.
    pub(crate) index: usize,
    pub(crate) row: &'static Row,
    pub(crate) need: &'static Need,
    /// Which one of the row's it is.
    pub(crate) number: usize,
}

/// Whether a field has at least a value, as numbers of its sign.
#[inline(always)]
fn has(field: &Field, word: u64, value: u64) -> bool {
    let sign = sign(field);
    word & field.mask() ^ sign >= value.wrapping_shl(field.lsb) ^ sign
}

impl Rule {
    /// All rules, register by register and row by row.
    #[inline(always)]
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let registers = LIMITS.iter().enumerate();
        registers
            .filter(|(_, limits)| limits.has_needs)
            .flat_map(|(index, limits)| {
                limits.rows.iter().flat_map(move |row| {
                    let needs = row.policy.needs.iter().enumerate();
                    needs.map(move |(number, need)| Self {
                        index,
                        row,
                        need,
                        number,
                    })
                })
            })
    }

    /// Whether a VM that has such registers breaks it.
    #[inline(always)]
    pub(crate) fn is_broken(&self, words: &[u64], facts: &Facts<'_>) -> bool {
        let word = |index: usize| words.get(index).copied().unwrap_or(0);
        has(self.row.field, word(self.index), self.need.value)
            && self.need.condition.holds(facts)
            && !has(
                self.need.field,
                word(index(self.need.register)),
                self.need.least,
            )
    }

    /// Lowers the field to the highest value that doesn't need the other one.
    #[cold]
    fn cut(&self, words: &mut [u64]) {
        let field = self.row.field;
        let mut below = (0..self.need.value).rev();
        let value = below.find(|value| field.named.wrapping_shr(*value as u32) & 1 != 0);
        if let Some(word) = words.get_mut(self.index) {
            *word = field.put(*word, value.unwrap_or(field.not_implemented));
        }
    }
}

/// The `n`-th rule that a VM which has such registers breaks.
pub(crate) fn broken(words: &[u64], facts: &Facts<'_>, n: usize) -> Option<Rule> {
    Rule::all()
        .filter(|rule| rule.is_broken(words, facts))
        .nth(n)
}

/// The need with a number, of a field by a bit of it.
pub(crate) fn of(index: usize, bit: u32, n: usize) -> Option<&'static Need> {
    let mut rows = LIMITS.get(index)?.rows.iter();
    let row = rows.find(|row| row.field.lsb <= bit && bit <= row.field.msb)?;
    row.policy.needs.get(n)
}

/// Makes registers keep the rules that `applies` names. What is cut may be what others need.
fn keep(words: &mut [u64], facts: &Facts<'_>, applies: impl Fn(Lacking) -> bool) {
    while let Some(rule) =
        Rule::all().find(|rule| applies(rule.need.lacking) && rule.is_broken(words, facts))
    {
        rule.cut(words);
    }
}

/// Makes what a VM starts with keep the rules.
pub(crate) fn start(words: &mut [u64], facts: &Facts<'_>) {
    keep(words, facts, |lacking| lacking != Lacking::Told);
}

/// Clears what KVM doesn't virtualize in a VM that is about to run.
pub(crate) fn clear(words: &mut [u64], facts: &Facts<'_>) {
    keep(words, facts, |lacking| lacking == Lacking::Cleared);
}
