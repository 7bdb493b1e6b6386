// SPDX-License-Identifier: GPL-2.0

//! Values that KVM once handed out. They are accepted, so that VMs can be restored, and ignored.

use super::{
    condition::Conditions,
    row::{
        Compat,
        Limits, //
    }, //
};

impl Compat {
    const fn applies(&self, word: u64, host: u64, conditions: Conditions) -> bool {
        let host = host & self.mask;
        let expected = match self.value {
            Some(value) => value,
            None => host,
        };
        let host_fits = match self.host {
            Some(value) => value == host,
            None => true,
        };
        word & self.mask == expected && host_fits && conditions.has_all(self.conditions)
    }
}

impl Limits {
    /// What userspace means by a value.
    #[inline(always)]
    pub(crate) fn forgive(&self, mut word: u64, host: u64, conditions: Conditions) -> u64 {
        for compat in &self.compats {
            if compat.mask == 0 {
                break;
            }
            if compat.applies(word, host, conditions) {
                word = word & !compat.mask | compat.stored;
            }
        }
        word
    }
}
