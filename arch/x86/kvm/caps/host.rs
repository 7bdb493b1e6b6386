// SPDX-License-Identifier: GPL-2.0

//! The host's capabilities: what KVM supports.

use super::feature::{
    self,
    Feature,
    Words, //
};

/// What KVM supports on this host, a bit for each feature: `kvm_cpu_caps`.
#[repr(transparent)]
pub(crate) struct HostCaps(pub(super) Words);

impl HostCaps {
    /// Whether KVM supports `feature`.
    pub(crate) fn has(&self, feature: Feature) -> bool {
        feature::has(&self.0, feature)
    }
}
