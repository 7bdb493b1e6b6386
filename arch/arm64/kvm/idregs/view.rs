// SPDX-License-Identifier: GPL-2.0

//! What people and programs are told about limits.

use super::{
    check::Reason,
    condition::Conditions,
    default::VmRegister,
    field::{
        Field,
        Register,
        NUM_REGISTERS, //
    },
    generated,
    order,
    row::Limits,
    Host, //
};

static REGISTERS: [Register; NUM_REGISTERS] = generated::REGISTERS;

/// What decides about a value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The architecture has not allocated the field.
    Reserved,
    /// It has no row.
    Denied,
    /// The VM does not have the register.
    Absent,
    /// Only the limit.
    Fixed,
    /// The limit, and what is lower.
    LowerSafe,
    /// The limit, and what is higher: a promise to do less than any value that is known.
    HigherSafe,
    /// The same, and zero.
    HigherOrZeroSafe,
    /// The limit, and one other value.
    Exact,
    /// Not below the least value.
    Least,
    /// The VM has run: only the present value.
    HasRun,
}

impl Rule {
    /// What it is called, for people and for scripts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Denied => "denied",
            Self::Absent => "absent",
            Self::Fixed => "fixed",
            Self::LowerSafe => "lower-safe",
            Self::HigherSafe => "higher-safe",
            Self::HigherOrZeroSafe => "higher-or-zero-safe",
            Self::Exact => "exact",
            Self::Least => "least",
            Self::HasRun => "has-run",
        }
    }
}

impl Limits {
    /// The general rule of a field.
    pub(crate) const fn rule(&self, field: &Field, conditions: Conditions) -> Rule {
        let top = field.top();
        if field.is_reserved() {
            Rule::Reserved
        } else if self.rows & top == 0 {
            Rule::Denied
        } else if !self.is_there(conditions) {
            Rule::Absent
        } else if self.exact & top != 0 {
            Rule::Exact
        } else if self.or_zero & top != 0 {
            Rule::HigherOrZeroSafe
        } else if self.higher & top != 0 {
            Rule::HigherSafe
        } else if self.ordered & top != 0 {
            Rule::LowerSafe
        } else {
            Rule::Fixed
        }
    }

    /// The least that userspace can ask for in each field, if the most is `limit`.
    pub(crate) const fn lowest(&self, limit: u64) -> u64 {
        let mut word = limit & self.fixed;
        let ordered = self.spread(self.ordered & !self.higher);
        let minima = self.spread(self.minima & self.ordered);
        let or = self.spread(self.or_fields);
        let higher = self.spread(self.higher & !self.or_zero);
        let exact = self.spread(self.exact);
        word |= self.sign & ordered & !minima;
        word |= self.least & minima & !or;
        word |= self.or & or;
        word |= higher & !self.sign;
        word |= self.safe & exact;
        word
    }

    /// All bits of the fields in a set.
    const fn spread(&self, mut set: u64) -> u64 {
        let mut mask = 0;
        while set != 0 {
            let field = order::highest(set, self.bottoms);
            mask |= field;
            set &= !field;
        }
        mask
    }
}

/// A field of a VM's register.
#[derive(Clone, Copy)]
pub(crate) struct View {
    pub(crate) register: &'static str,
    pub(crate) field: &'static Field,
    /// What decides about its values.
    pub(crate) rule: Rule,
    /// Whether userspace can change it, before the VM runs.
    pub(crate) writable: bool,
    /// What the host has, as a number.
    pub(crate) host: u64,
    /// The most that the VM can have.
    pub(crate) limit: u64,
    /// What the register holds, or was asked to hold.
    pub(crate) value: u64,
}

impl View {
    /// The field of a register that has a bit; `word` is what the register holds.
    pub(crate) fn new(
        index: usize,
        bit: u32,
        conditions: Conditions,
        host: &dyn Host,
        word: u64,
    ) -> Option<Self> {
        let VmRegister {
            limits,
            conditions,
            host,
            limit,
        } = VmRegister::new(index, conditions, host)?;
        let register = REGISTERS.get(index)?;
        let field = register
            .fields
            .iter()
            .find(|f| f.lsb <= bit && bit <= f.msb)?;
        Some(Self {
            register: register.name,
            field,
            rule: limits.rule(field, conditions),
            writable: limits.is_there(conditions) && limits.fixed & field.top() == 0,
            host: field.get(host),
            limit: field.get(limit),
            value: field.get(word),
        })
    }

    /// The field that is to blame for a refusal of `word`.
    pub(crate) fn of_refusal(
        index: usize,
        bit: u32,
        reason: Reason,
        conditions: Conditions,
        host: &dyn Host,
        word: u64,
    ) -> Option<Self> {
        let view = Self::new(index, bit, conditions, host, word)?;
        Some(Self {
            rule: match reason {
                Reason::Impossible if view.rule != Rule::Exact => Rule::Least,
                Reason::HasRun => Rule::HasRun,
                _ => view.rule,
            },
            ..view
        })
    }
}

/// The least that userspace can ask for in each field of a register.
pub(crate) fn lowest(index: usize, conditions: Conditions, host: &dyn Host) -> u64 {
    let Some(register) = VmRegister::new(index, conditions, host) else {
        return 0;
    };
    if register.limits.is_there(register.conditions) {
        register.limits.lowest(register.limit)
    } else {
        register.limit
    }
}
