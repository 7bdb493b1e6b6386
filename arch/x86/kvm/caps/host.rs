// SPDX-License-Identifier: GPL-2.0

//! The host's capabilities: what KVM supports.

use crate::{
    c,
    cpufeature::{
        feature::*,
        Words, //
    },
    facts::{
        Facts,
        Flag,
        NOTHING, //
    },
    tables::policy, //
};

/// What KVM supports on a host, as kvm-intel or kvm-amd is configured.
pub(crate) struct HostCaps {
    /// A bit for each feature: `kvm_cpu_caps`.
    pub(crate) words: Words,
    /// The components of IA32_XSS.
    pub(crate) xss: u64,
    /// Whether the host is sane, i.e. has what rows expect.
    pub(crate) is_sane: bool,
}

impl HostCaps {
    /// What KVM supports on a host whose kernel has the components `xss` of those in IA32_XSS that
    /// KVM knows.
    pub(crate) fn new(host: &Facts<'_>, xss: u64) -> Self {
        let mut host = *host;
        let mut words = NOTHING;
        let mut is_sane = true;

        if xss & c::CET_STATE == c::CET_STATE {
            host.flags |= Flag::CetState;
        }
        for asks_kvm in [false, true] {
            let known = words;
            let facts = Facts {
                kvm: &known,
                ..host
            };

            for row in policy::rows().filter(|row| row.asks_kvm == asks_kvm) {
                let (supported, as_expected) = row.judge(&facts);

                row.feature.set_in(&mut words, supported);
                is_sane &= as_expected;
            }
        }

        let unused = if SHSTK.is_in(&words) || IBT.is_in(&words) {
            0
        } else {
            c::CET_STATE
        };

        Self {
            words,
            xss: if XSAVES.is_in(&words) {
                xss & !unused
            } else {
                0
            },
            is_sane,
        }
    }
}
