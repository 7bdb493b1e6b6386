// SPDX-License-Identifier: GPL-2.0

//! Whether userspace can have a value.

use super::{
    condition::{
        Conditions,
        AARCH32, //
    },
    default::VmRegister,
    order::{
        above,
        differ, //
    },
    row::Limits,
    Host, //
};

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Below the least value, or a granule that can't be: at any time.
    Impossible,
    /// The VM has run, and the value is not the present one.
    HasRun,
    /// Above the VM's limit, or not the only possible one.
    Limit,
}

/// A refused value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Why it is refused.
    pub(crate) reason: Reason,
    /// The highest bit of the highest field that is to blame.
    pub(crate) msb: u32,
}

impl Limits {
    /// The fields that have neither the limit nor the other value of an exact field.
    #[inline(always)]
    const fn neither(&self, word: u64, limit: u64) -> u64 {
        differ(word, limit, self.tops) & differ(word, self.safe, self.tops)
    }

    /// The fields of a value that nothing can make acceptable.
    #[inline(always)]
    pub(crate) const fn impossible(&self, word: u64, limit: u64) -> u64 {
        let below = above(self.least ^ self.sign, word ^ self.sign, self.tops) & self.minima;
        let or = self.or_fields & !differ(word, self.or, self.tops);
        below & !or | self.neither(word, limit) & self.always
    }

    /// The fields of a value that are not within the limit.
    #[inline(always)]
    pub(crate) const fn excess(&self, word: u64, limit: u64) -> u64 {
        let mut fields = above(word ^ self.order, limit ^ self.order, self.tops) & self.ordered;
        if self.or_zero != 0 {
            let something = differ(word, 0, self.tops);
            let nothing_else = !differ(limit, 0, self.tops);
            fields = fields & (something | !self.or_zero) | something & nothing_else & self.or_zero;
        }
        if self.exact != 0 {
            fields |= self.neither(word, limit) & self.exact;
        }
        if (word ^ limit) & self.fixed != 0 {
            fields |= differ(word & self.fixed, limit & self.fixed, self.tops);
        }
        fields
    }
}

impl Refusal {
    /// A refusal for the highest of some fields.
    fn new(reason: Reason, fields: u64) -> Self {
        Self {
            reason,
            msb: (u64::BITS - 1).saturating_sub(fields.leading_zeros()),
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
    conditions: Conditions,
    host: &dyn Host,
    word: u64,
    now: Option<u64>,
) -> Result<u64, Refusal> {
    let Some(VmRegister {
        limits,
        conditions,
        host,
        limit,
    }) = VmRegister::new(index, conditions, host)
    else {
        return Err(Refusal::new(Reason::Limit, 0));
    };
    // AArch32's registers ignore writes if the VM has no AArch32.
    if limits.needs.has(AARCH32) && !conditions.has(AARCH32) {
        return Ok(0);
    }
    let word = limits.forgive(word, host, conditions);
    if limits.minima | limits.always != 0 {
        let fields = limits.impossible(word, limit);
        if fields != 0 {
            return Err(Refusal::new(Reason::Impossible, fields));
        }
    }
    if let Some(now) = now {
        if word == now {
            return Ok(word);
        }
        return Err(Refusal::new(Reason::HasRun, differ(word, now, limits.tops)));
    }
    if word == limit {
        return Ok(word);
    }
    let fields = if limits.is_there(conditions) {
        limits.excess(word, limit)
    } else {
        differ(word, limit, limits.tops)
    };
    if fields != 0 {
        return Err(Refusal::new(Reason::Limit, fields));
    }
    Ok(word)
}
