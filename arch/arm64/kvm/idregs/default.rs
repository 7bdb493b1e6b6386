// SPDX-License-Identifier: GPL-2.0

//! The value a VM starts with, which is the most that userspace can ask for.

use super::{
    condition::{
        Conditions,
        NESTED, //
    },
    limits::LIMITS,
    order,
    row::{
        Limits,
        Patch, //
    },
    Host, //
};

impl Patch {
    #[inline(always)]
    const fn apply(&self, word: u64, conditions: Conditions) -> u64 {
        if conditions.has(self.condition) == self.holds {
            word & !self.mask | self.value
        } else {
            word
        }
    }
}

impl Limits {
    /// The limits of a register, if there is one of that index.
    #[inline(always)]
    pub(crate) fn of(index: usize, conditions: Conditions) -> Option<&'static Self> {
        LIMITS[usize::from(conditions.has(NESTED))]
            .get(index)
            .copied()
    }

    /// Whether the VM has the register.
    #[inline(always)]
    pub(crate) const fn is_there(&self, conditions: Conditions) -> bool {
        conditions.has_all(self.needs)
    }

    /// The value a VM starts with, where the host has `host`.
    ///
    /// `conditions` must have those [derived](Conditions::derived) from the host.
    #[inline(always)]
    pub(crate) fn default(&self, host: u64, conditions: Conditions) -> u64 {
        if !self.is_there(conditions) {
            return 0;
        }
        let mut word = host & self.from_host | self.given;
        let above = order::above(word ^ self.sign, self.up_to ^ self.sign, self.tops);
        let mut over = above & self.from_host;
        while over != 0 {
            let mask = order::highest(over, self.bottoms);
            word = word & !mask | self.cut & mask;
            over &= !mask;
        }
        for patch in &self.patches {
            if patch.mask == 0 {
                break;
            }
            word = patch.apply(word, conditions);
        }
        word
    }

    /// What becomes of a value when KVM knows the VM's interrupt controller.
    pub(crate) const fn with_irqchip(&self, word: u64, conditions: Conditions) -> u64 {
        let without = word & !self.irqchip.mask;
        if self.is_there(conditions) {
            self.irqchip.apply(without, conditions)
        } else {
            without
        }
    }
}

/// A register of a VM.
pub(crate) struct VmRegister {
    pub(crate) limits: &'static Limits,
    /// With those derived from the host.
    pub(crate) conditions: Conditions,
    /// What the host has.
    pub(crate) host: u64,
    /// What a VM starts with, and the most that it can have.
    pub(crate) limit: u64,
}

impl VmRegister {
    /// The register of that index, if there is one.
    #[inline(always)]
    pub(crate) fn new(index: usize, conditions: Conditions, host: &dyn Host) -> Option<Self> {
        let limits = Limits::of(index, conditions)?;
        let conditions = conditions.derived(limits.conditions, host);
        let host = host.word(index);
        Some(Self {
            limits,
            conditions,
            host,
            limit: limits.default(host, conditions),
        })
    }
}

/// The value a VM starts with in a register; zero if there is none of that index.
#[inline(always)]
pub(crate) fn default(index: usize, conditions: Conditions, host: &dyn Host) -> u64 {
    VmRegister::new(index, conditions, host).map_or(0, |register| register.limit)
}

/// What becomes of a register's value when KVM knows the VM's interrupt controller.
pub(crate) fn with_irqchip(index: usize, word: u64, conditions: Conditions) -> u64 {
    match Limits::of(index, conditions) {
        Some(limits) => limits.with_irqchip(word, conditions),
        None => word,
    }
}
