// SPDX-License-Identifier: GPL-2.0

//! The host's capabilities: what KVM supports.

use crate::{
    cpufeature::Words,
    facts::{
        Facts,
        NOTHING, //
    },
    tables::policy::{
        self,
        Verb, //
    }, //
};

/// What KVM supports on a host, a bit for each feature: `kvm_cpu_caps`.
#[repr(transparent)]
pub(crate) struct HostCaps(Words);

impl HostCaps {
    /// The capabilities before kvm-intel or kvm-amd has a say, and whether the host is sane, i.e.
    /// has what rows expect.
    pub(crate) fn new(host: &Facts<'_>) -> (Self, bool) {
        let mut words = NOTHING;
        let mut is_sane = true;

        for row in policy::rows() {
            let (supported, sane) = row.judge(host);

            row.feature.set_in(&mut words, supported);
            is_sane &= sane;
        }
        (Self(words), is_sane)
    }

    /// The words.
    pub(crate) fn words(&self) -> &Words {
        &self.0
    }

    /// Adds the feature with such a number, or takes it away: kvm-intel and kvm-amd know better.
    /// Returns `false`, and changes nothing, if KVM never asks for the feature, or denies it.
    #[must_use]
    pub(crate) fn change(&mut self, number: u32, present: bool) -> bool {
        match policy::row_of(number) {
            Some(row) if row.verb != Verb::Denied => {
                row.feature.set_in(&mut self.0, present);
                true
            }
            _ => false,
        }
    }
}
