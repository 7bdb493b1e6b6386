// SPDX-License-Identifier: GPL-2.0

//! Whether userspace can have a value.

use super::{
    facts::{
        Fact,
        Facts, //
    },
    policy::{
        Bound,
        Old,
        Order, //
    },
    row::Row,
    vm::VmRegister, //
};

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// Below the least value, or a granule that can't be: at any time.
    Impossible,
    /// The VM has run, and the value is not the present one.
    HasRun,
    /// Above the VM's limit, without a meaning, or not the only possible one.
    Limit,
    /// Not refused: the VM lacks what the value needs.
    Needs,
}

impl Reason {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Impossible, Self::HasRun, Self::Limit, Self::Needs];
}

/// A refused value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Why it is refused.
    pub(crate) reason: Reason,
    /// A bit of the highest field that is to blame.
    pub(crate) bit: u32,
}

impl Row {
    /// What userspace means by its value of the field: one that KVM once handed out is accepted,
    /// so that VMs can be restored, and ignored. `asked` is all that userspace wrote, `word` what
    /// is left of it.
    #[inline(always)]
    fn forgive(&self, bound: &Bound, word: u64, asked: u64, vm: &VmRegister<'_>) -> u64 {
        let Some(once) = bound.once else {
            return word;
        };
        let differs = asked ^ vm.host;
        let [value, limit, host] = [word, vm.limit, vm.host].map(|word| word & self.mask);
        let is_old = match once.value {
            Old::Value(old) => value == self.place(old),
            Old::Host => value == host,
            Old::Above => self.is_higher(value, limit) && !self.is_higher(value, host),
        };
        let is_meant = is_old
            && once.host.is_none_or(|value| self.place(value) == host)
            && once.beside.is_none_or(|field| differs & field.mask() == 0)
            && once.condition.holds(&vm.facts);
        match (once.value, once.host) {
            _ if !is_meant => word,
            (Old::Value(_), None) => word & !self.mask | self.nothing(),
            _ => word & !self.mask | limit,
        }
    }

    /// Whether nothing can make the value acceptable.
    #[inline(always)]
    fn is_impossible(&self, bound: &Bound, word: u64, limit: u64, facts: &Facts<'_>) -> bool {
        let value = word & self.mask;
        let is_too_low = bound.least.is_some_and(|least| {
            value ^ self.sign < self.place(least) ^ self.sign
                && self.policy.or.is_none_or(|or| value != self.place(or))
        });
        is_too_low || bound.always && !self.is_within(word, limit, facts)
    }

    /// What userspace means by its value of the field, unless nothing can make that acceptable.
    #[inline(always)]
    pub(super) fn meant(&self, word: u64, asked: u64, vm: &VmRegister<'_>) -> Result<u64, Refusal> {
        let bound = self.bound(&vm.facts);
        let word = self.forgive(bound, word, asked, vm);
        if self.is_impossible(bound, word, vm.limit, &vm.facts) {
            return Err(Refusal::new(Reason::Impossible, self.mask));
        }
        Ok(word)
    }

    /// Whether the value is within the limit.
    #[inline(always)]
    pub(crate) fn is_within(&self, word: u64, limit: u64, facts: &Facts<'_>) -> bool {
        let (value, limit) = (word & self.mask, limit & self.mask);
        value == limit || self.is_below(value, limit, facts)
    }

    /// Whether a value means something that is less than the limit, and userspace may have it.
    fn is_below(&self, value: u64, limit: u64, facts: &Facts<'_>) -> bool {
        self.is_writable(facts)
            && self.has_meaning(value)
            && match self.policy.order {
                Order::LowerSafe => self.is_higher(limit, value),
                Order::HigherSafe => self.is_higher(value, limit),
                Order::Exact(safe) => value == self.place(safe),
            }
    }
}

impl VmRegister<'_> {
    /// Whether the register ignores writes: AArch32's do if the VM has no AArch32.
    pub(super) fn ignores_writes(&self) -> bool {
        self.limits.condition.all.contains(Fact::AARCH32) && !self.is_there()
    }

    /// Judges a value; see [`check`].
    #[inline(always)]
    pub(super) fn check(&self, word: u64, now: Option<u64>) -> Result<u64, Refusal> {
        if self.ignores_writes() {
            return Ok(0);
        }
        let asked = word;
        let mut word = word;
        if self.limits.has_rules {
            // Rows look at their own field only, but for beside().
            for row in self.limits.rows {
                word = row.meant(word, asked, self)?;
            }
        }
        if let Some(now) = now {
            return match word ^ now {
                0 => Ok(word),
                differs => Err(Refusal::new(Reason::HasRun, differs)),
            };
        }
        let differs = word ^ self.limit;
        if differs == 0 {
            return Ok(word);
        }
        let excess = if self.is_there() {
            let mut rows = self.limits.rows.iter();
            let row = rows.find(|row| !row.is_within(word, self.limit, &self.facts));
            differs & self.limits.others | row.map_or(0, |row| row.mask)
        } else {
            differs
        };
        match excess {
            0 => Ok(word),
            excess => Err(Refusal::new(Reason::Limit, excess)),
        }
    }
}

impl Refusal {
    /// A refusal because of the highest of some bits.
    fn new(reason: Reason, bits: u64) -> Self {
        Self {
            reason,
            bit: (u64::BITS - 1).saturating_sub(bits.leading_zeros()),
        }
    }
}

/// Judges what userspace writes to a register: the value to store, or why it is refused.
///
/// `now` is the register's value if the VM has run, when nothing can change any more. The order of
/// rules is KVM's: values that it once handed out; impossible ones; the first run; the limit.
#[inline(always)]
pub(crate) fn check(
    index: usize,
    facts: &Facts<'_>,
    word: u64,
    now: Option<u64>,
) -> Result<u64, Refusal> {
    match VmRegister::new(index, facts) {
        Some(register) => register.check(word, now),
        None => Err(Refusal::new(Reason::Limit, 0)),
    }
}
