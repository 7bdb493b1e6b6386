// SPDX-License-Identifier: GPL-2.0

//! The host's ID registers.

use super::generated::{
    field,
    index,
    named,
    ID_AA64DFR0_EL1,
    ID_DFR0_EL1, //
};

/// A host.
pub(crate) trait Host {
    /// The system-wide safe value that cpufeature has for a register; zero if it has none.
    fn sanitised(&self, index: usize) -> u64;
}

impl dyn Host + '_ {
    /// What KVM takes as the host's value of a register.
    ///
    /// That is cpufeature's, but for ID_DFR0_EL1.PerfMon: KVM's PMU is made from the host's
    /// AArch64 one, so ID_AA64DFR0_EL1.PMUVer decides.
    #[inline(always)]
    pub(crate) fn word(&self, index: usize) -> u64 {
        let word = self.sanitised(index);
        if index != index!(ID_DFR0_EL1) {
            return word;
        }
        let perfmon = field!(ID_DFR0_EL1.PerfMon);
        let pmuver = field!(ID_AA64DFR0_EL1.PMUVer).get(self.sanitised(index!(ID_AA64DFR0_EL1)));
        // Both fields have the same values for none at all, and for later versions.
        let version = if pmuver == named!(ID_AA64DFR0_EL1.PMUVer, IMP) {
            named!(ID_DFR0_EL1.PerfMon, PMUv3)
        } else {
            pmuver
        };
        word & !perfmon.mask() | version << perfmon.lsb
    }
}
