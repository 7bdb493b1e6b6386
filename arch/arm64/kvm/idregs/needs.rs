// SPDX-License-Identifier: GPL-2.0

//! Rules between fields: what a value of a field implies of another field, says the architecture.
//!
//! They bind what KVM itself gives a VM. What userspace writes is never refused for them: registers
//! can be restored in any order, and there are VMs that break one. It is told when a VM runs first.

use super::{
    cpufeature::Field,
    facts::{
        index,
        Facts, //
    },
    limits::LIMITS,
    policy::{
        Lacking,
        Need, //
    },
    row::{
        sign,
        Row, //
    }, //
};

/// A need, and where it is.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    /// The register that has the row, by index.
    pub(crate) index: usize,
    pub(crate) row: &'static Row,
    pub(crate) need: &'static Need,
    /// Which one of the row's it is.
    pub(crate) number: usize,
    has: Least,
    needs: Least,
}

/// A field that has at least a value, as numbers of its sign: in its place, with the sign flipped.
#[derive(Clone, Copy)]
struct Least {
    index: usize,
    mask: u64,
    sign: u64,
    value: u64,
}

impl Least {
    const fn new(index: usize, field: &Field, value: u64) -> Self {
        let sign = sign(field);
        Self {
            index,
            mask: field.mask(),
            sign,
            value: value << field.lsb ^ sign,
        }
    }

    #[inline(always)]
    fn is_there(&self, words: &[u64]) -> bool {
        let word = words.get(self.index).copied().unwrap_or(0);
        word & self.mask ^ self.sign >= self.value
    }
}

/// The rules that bind what a VM starts with, register by register and row by row.
static BINDING: [Rule; count(false)] = collect(false);

/// The rules that are told only.
static TOLD: [Rule; count(true)] = collect(true);

const fn is_told(need: &Need) -> bool {
    matches!(need.lacking, Lacking::Told)
}

const fn count(told: bool) -> usize {
    let (mut i, mut n) = (0, 0);
    while i < LIMITS.len() {
        let mut j = 0;
        while j < LIMITS[i].rows.len() {
            let mut k = 0;
            while k < LIMITS[i].rows[j].policy.needs.len() {
                n += (is_told(&LIMITS[i].rows[j].policy.needs[k]) == told) as usize;
                k += 1;
            }
            j += 1;
        }
        i += 1;
    }
    n
}

const fn collect<const N: usize>(told: bool) -> [Rule; N] {
    let mut rules = [None; N];
    let (mut i, mut n) = (0, 0);
    while i < LIMITS.len() {
        let mut j = 0;
        while j < LIMITS[i].rows.len() {
            let row = &LIMITS[i].rows[j];
            let mut k = 0;
            while k < row.policy.needs.len() {
                let need = &row.policy.needs[k];
                if is_told(need) == told {
                    rules[n] = Some(Rule {
                        index: i,
                        row,
                        need,
                        number: k,
                        has: Least::new(i, row.field, need.value),
                        needs: Least::new(index(need.register), need.field, need.least),
                    });
                    n += 1;
                }
                k += 1;
            }
            j += 1;
        }
        i += 1;
    }
    let Some(first) = rules[0] else {
        panic!("there are no such rules");
    };
    let mut all = [first; N];
    let mut n = 0;
    while n < N {
        if let Some(rule) = rules[n] {
            all[n] = rule;
        }
        n += 1;
    }
    all
}

impl Rule {
    /// All rules.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        BINDING.iter().chain(&TOLD)
    }

    /// Whether a VM that has such registers breaks it.
    #[inline(always)]
    pub(crate) fn is_broken(&self, words: &[u64], facts: &Facts<'_>) -> bool {
        self.has.is_there(words) && !self.needs.is_there(words) && self.need.condition.holds(facts)
    }

    /// Has the field do without the other one.
    #[cold]
    fn cut(&self, words: &mut [u64]) {
        let field = self.row.field;
        if let Some(word) = words.get_mut(self.index) {
            *word = field.put(*word, self.need.highest_without(field));
        }
    }
}

/// The `n`-th rule that a VM which has such registers breaks.
pub(crate) fn broken(words: &[u64], facts: &Facts<'_>, n: usize) -> Option<&'static Rule> {
    Rule::all()
        .filter(|rule| rule.is_broken(words, facts))
        .nth(n)
}

/// The need with a number, of a field by a bit of it.
pub(crate) fn of(index: usize, bit: u32, n: usize) -> Option<&'static Need> {
    let mut rows = LIMITS.get(index)?.rows.iter();
    let row = rows.find(|row| row.field.has(bit))?;
    row.policy.needs.get(n)
}

/// Makes registers keep the rules that `applies` names. What is cut may be what others need.
#[inline(always)]
fn keep(words: &mut [u64], facts: &Facts<'_>, applies: impl Fn(Lacking) -> bool) {
    while let Some(rule) = BINDING
        .iter()
        .find(|rule| rule.is_broken(words, facts) && applies(rule.need.lacking))
    {
        rule.cut(words);
    }
}

/// Makes what a VM starts with keep the rules.
pub(crate) fn start(words: &mut [u64], facts: &Facts<'_>) {
    keep(words, facts, |_| true);
}

/// Clears what KVM doesn't virtualize in a VM that is about to run.
pub(crate) fn clear(words: &mut [u64], facts: &Facts<'_>) {
    keep(words, facts, |lacking| lacking == Lacking::Cleared);
}
