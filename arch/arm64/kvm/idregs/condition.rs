// SPDX-License-Identifier: GPL-2.0

//! What a VM's limits depend on besides the values of the host's registers.
//!
//! A condition is how a VM is configured, or what its host is, never what another register of the
//! VM holds: registers can be written in any order.

use super::{
    generated::{
        field,
        index,
        named,
        ID_AA64DFR0_EL1,
        ID_AA64MMFR0_EL1,
        ID_AA64PFR0_EL1,
        ID_AA64PFR1_EL1, //
    },
    Host, //
};

/// Whether a field of a register has a value, all by name.
macro_rules! is {
    ($word:expr, $register:ident.$field:ident == $value:tt) => {
        field!($register.$field).get($word) == named!($register.$field, $value)
    };
}

/// Whether a granule is there at stage 2, where its field may refer to that of stage 1.
macro_rules! has_stage2_granule {
    ($mmfr0:expr, $stage1:ident, $stage2:ident) => {
        if is!($mmfr0, ID_AA64MMFR0_EL1.$stage2 == $stage1) {
            !is!($mmfr0, ID_AA64MMFR0_EL1.$stage1 == NI)
        } else {
            !is!($mmfr0, ID_AA64MMFR0_EL1.$stage2 == NI)
        }
    };
}

/// A set of conditions that hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conditions(pub(crate) u32);

macro_rules! conditions {
    ($($(#[$doc:meta])* $bit:literal $name:ident)*) => {
        $($(#[$doc])* pub(crate) const $name: Conditions = Conditions(1 << $bit);)*

        impl Conditions {
            /// Every condition, with its name, for tests and drawings.
            #[allow(dead_code)]
            pub(crate) const ALL: &'static [(&'static str, Conditions)] =
                &[$((stringify!($name), $name)),*];
        }
    };
}

conditions! {
    /// The VM has EL2: `KVM_ARM_VCPU_HAS_EL2`.
    0  NESTED
    /// Its EL2 has no VHE: `KVM_ARM_VCPU_HAS_EL2_E2H0`.
    1  E2H0
    /// The VM has AArch32 at EL0: its host has, on all CPUs, and the VM has no EL2.
    2  AARCH32
    /// `KVM_ARM_VCPU_SVE`.
    3  SVE
    /// `KVM_CAP_ARM_MTE`.
    4  MTE
    /// `KVM_ARM_VCPU_PTRAUTH_ADDRESS` and `KVM_ARM_VCPU_PTRAUTH_GENERIC`.
    5  PTRAUTH
    /// `KVM_ARM_VCPU_PMU_V3`.
    6  PMU
    /// KVM emulates a GICv3.
    7  VGIC_V3
    /// KVM emulates a GICv5.
    8  VGIC_V5
    /// The host is not affected by Spectre v2.
    9  SPECTRE_V2_UNAFFECTED
    /// The host is not affected by Meltdown.
    10 MELTDOWN_UNAFFECTED
    /// The host's interrupt controller can be virtualized as a GICv3.
    11 HOST_GICV3
    /// The host's interrupt controller can be virtualized as a GICv5.
    12 HOST_GICV5
    /// The kernel supports permission overlays.
    13 POE
    /// WFET and WFIT work, and so do virtual counter offsets.
    14 WFXT
    /// The host has FEAT_RASv1p1.
    15 HOST_RASV1P1
    /// The host has a PMU of its own kind that behaves as PMUv3.
    16 PMUV3_IMPDEF_TRAPS
    /// The host has FEAT_NV2p1, or FEAT_NV3.
    17 NV2P1
    /// The kernel's pages are larger than 4 KiB.
    18 PAGE_OVER_4K
    /// The kernel's pages are larger than 16 KiB.
    19 PAGE_OVER_16K
    /// Derived: the host has a PMU that is not the architecture's.
    20 HOST_PMU_IMP_DEF
    /// Derived: ID_AA64PFR0_EL1.RAS says the first version, so that RAS_frac has a say.
    21 HOST_RAS_IMP
    /// Derived: the host has MTE without asymmetric faults.
    22 HOST_MTE2
    /// Derived: the host has 4 KiB granules at stage 2.
    23 HOST_STAGE2_4K
    /// Derived: the host has 16 KiB granules at stage 2.
    24 HOST_STAGE2_16K
    /// Derived: the host has 64 KiB granules at stage 2.
    25 HOST_STAGE2_64K
}

impl Conditions {
    /// No condition.
    pub(crate) const NONE: Self = Self(0);

    /// Conditions that follow from the values of the host's registers.
    pub(crate) const DERIVED: Self = Self(
        HOST_PMU_IMP_DEF.0
            | HOST_RAS_IMP.0
            | HOST_MTE2.0
            | HOST_STAGE2_4K.0
            | HOST_STAGE2_16K.0
            | HOST_STAGE2_64K.0,
    );

    /// Whether one of `other` is in the set.
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of `other` are in the set.
    #[inline(always)]
    pub(crate) const fn has_all(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Conditions of either set.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Adds those of `wanted` that follow from the values of the host's registers.
    #[inline(always)]
    pub(crate) fn derived(self, wanted: Self, host: &dyn Host) -> Self {
        if wanted.has(Self::DERIVED) {
            self.with_derived(wanted, host)
        } else {
            self
        }
    }

    #[cold]
    fn with_derived(mut self, wanted: Self, host: &dyn Host) -> Self {
        let mut add = |condition: Self, holds: bool| {
            if wanted.has(condition) && holds {
                self = self.with(condition);
            }
        };
        if wanted.has(HOST_PMU_IMP_DEF) {
            let dfr0 = host.word(index!(ID_AA64DFR0_EL1));
            add(
                HOST_PMU_IMP_DEF,
                is!(dfr0, ID_AA64DFR0_EL1.PMUVer == IMP_DEF),
            );
        }
        if wanted.has(HOST_RAS_IMP) {
            let pfr0 = host.word(index!(ID_AA64PFR0_EL1));
            add(HOST_RAS_IMP, is!(pfr0, ID_AA64PFR0_EL1.RAS == IMP));
        }
        if wanted.has(HOST_MTE2) {
            let pfr1 = host.word(index!(ID_AA64PFR1_EL1));
            add(HOST_MTE2, is!(pfr1, ID_AA64PFR1_EL1.MTE == MTE2));
        }
        if wanted.has(HOST_STAGE2_4K.with(HOST_STAGE2_16K).with(HOST_STAGE2_64K)) {
            let mmfr0 = host.word(index!(ID_AA64MMFR0_EL1));
            add(HOST_STAGE2_4K, has_stage2_granule!(mmfr0, TGRAN4, TGRAN4_2));
            add(
                HOST_STAGE2_16K,
                has_stage2_granule!(mmfr0, TGRAN16, TGRAN16_2),
            );
            add(
                HOST_STAGE2_64K,
                has_stage2_granule!(mmfr0, TGRAN64, TGRAN64_2),
            );
        }
        self
    }
}
