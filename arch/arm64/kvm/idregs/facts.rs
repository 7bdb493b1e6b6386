// SPDX-License-Identifier: GPL-2.0

//! What limits depend on: facts about a VM, its host, KVM and the kernel, and the host's registers.
//!
//! A fact is how something is configured or made, never what another register of the VM holds:
//! registers can be written in any order.

use super::{
    c::kvm_idreg_fact,
    cpufeature::{
        self,
        Register, //
    },
    impl_flags, //
};

/// Number of registers: `S3_0_0_C<1-7>_<0-7>`, allocated or not, and `CTR_EL0`.
pub(crate) const NUM_REGISTERS: usize = 57;

/// Index of `CTR_EL0`; the others are at `(CRm - 1) * 8 + op2`, as in `IDREG_IDX()`.
pub(crate) const CTR_EL0: usize = 56;

/// A register's place in arrays of registers.
pub(crate) const fn index(register: &Register) -> usize {
    match register.encoding {
        [3, 3, 0, 0, 1] => CTR_EL0,
        [3, 0, 0, crm @ 1..=7, op2 @ 0..=7] => (crm as usize - 1) * 8 + op2 as usize,
        _ => panic!("KVM does not keep the register per VM"),
    }
}

/// `SOURCE { FACT = CONSTANT; }`: a fact, the constant that C has for it, and a function named as
/// the source that makes it a condition.
macro_rules! facts {
    ($($(#[$about:meta])* $source:ident {
        $($(#[$doc:meta])* $name:ident = $constant:ident;)*
    })*) => {
        impl_flags! {
            /// A set of facts.
            #[derive(Clone, Copy, PartialEq, Eq)]
            pub(crate) struct Flags(u32);

            /// A fact.
            #[derive(Clone, Copy, PartialEq, Eq)]
            #[allow(non_camel_case_types)]
            pub(crate) enum Fact {
                $($($(#[$doc])* $name = kvm_idreg_fact::$constant,)*)*
            }
        }

        impl Fact {
            /// All facts, with their sources and names, for tests and drawings.
            #[allow(dead_code)]
            pub(crate) const ALL: &'static [(Self, &'static str, &'static str)] =
                &[$($((Self::$name, stringify!($source), stringify!($name)),)*)*];
        }

        $(
            $(#[$about])*
            pub(crate) const fn $source(fact: Fact) -> Condition {
                match fact {
                    $(Fact::$name)|* => Condition::of(fact),
                    _ => panic!("a fact of another source"),
                }
            }
        )*
    };
}

facts! {
    /// The VM is configured with it.
    vm {
        /// `KVM_ARM_VCPU_HAS_EL2`: nested virtualization.
        EL2 = KVM_IDREG_VM_EL2;
        /// `KVM_ARM_VCPU_HAS_EL2_E2H0`: its EL2 has no VHE.
        E2H0 = KVM_IDREG_VM_E2H0;
        /// AArch32 at EL0: the host has it on all CPUs, and the VM has no EL2.
        AARCH32 = KVM_IDREG_VM_AARCH32;
        /// `KVM_ARM_VCPU_SVE`.
        SVE = KVM_IDREG_VM_SVE;
        /// `KVM_CAP_ARM_MTE`.
        MTE = KVM_IDREG_VM_MTE;
        /// `KVM_ARM_VCPU_PTRAUTH_ADDRESS` and `KVM_ARM_VCPU_PTRAUTH_GENERIC`.
        PTRAUTH = KVM_IDREG_VM_PTRAUTH;
        /// `KVM_ARM_VCPU_PMU_V3`.
        PMU = KVM_IDREG_VM_PMU;
        /// `KVM_VM_TYPE_ARM_PROTECTED`: the hypervisor at EL2 protects it from the host.
        PROTECTED = KVM_IDREG_VM_PROTECTED;
        /// An emulated GICv3.
        VGIC_V3 = KVM_IDREG_VM_VGIC_V3;
        /// An emulated GICv5.
        VGIC_V5 = KVM_IDREG_VM_VGIC_V5;
    }

    /// The host's CPUs are like that.
    host {
        /// Not affected by Spectre v2.
        SPECTRE_V2_UNAFFECTED = KVM_IDREG_HOST_SPECTRE_V2_UNAFFECTED;
        /// Not affected by Meltdown.
        MELTDOWN_UNAFFECTED = KVM_IDREG_HOST_MELTDOWN_UNAFFECTED;
        /// FEAT_RASv1p1.
        FEAT_RASV1P1 = KVM_IDREG_HOST_RAS_V1P1;
        /// A PMU of their own kind that behaves as PMUv3.
        PMUV3_IMPDEF_TRAPS = KVM_IDREG_HOST_PMUV3_IMPDEF_TRAPS;
        /// FEAT_NV2p1, or FEAT_NV3.
        FEAT_NV2P1 = KVM_IDREG_HOST_NV2P1;
        /// Derived: a PMU that is not the architecture's.
        PMU_IMP_DEF = KVM_IDREG_HOST_PMU_IMP_DEF;
        /// Derived: the first version of RAS, so that RAS_frac has a say.
        RAS_IMP = KVM_IDREG_HOST_RAS_IMP;
        /// Derived: MTE without asymmetric faults.
        MTE2 = KVM_IDREG_HOST_MTE2;
        /// Derived: 4 KiB granules at stage 2.
        STAGE2_4K = KVM_IDREG_HOST_STAGE2_4K;
        /// Derived: 16 KiB granules at stage 2.
        STAGE2_16K = KVM_IDREG_HOST_STAGE2_16K;
        /// Derived: 64 KiB granules at stage 2.
        STAGE2_64K = KVM_IDREG_HOST_STAGE2_64K;
    }

    /// KVM supports it here.
    kvm {
        /// GICv3 for VMs.
        GIC_V3 = KVM_IDREG_KVM_GIC_V3;
        /// GICv5 for VMs.
        GIC_V5 = KVM_IDREG_KVM_GIC_V5;
        /// WFET and WFIT: they work, and so do virtual counter offsets.
        WFXT = KVM_IDREG_KVM_WFXT;
    }

    /// The kernel uses it, or is configured so.
    kernel {
        /// Permission overlays.
        POE = KVM_IDREG_KERNEL_POE;
        /// Pages larger than 4 KiB.
        PAGE_OVER_4K = KVM_IDREG_KERNEL_PAGE_OVER_4K;
        /// Pages larger than 16 KiB.
        PAGE_OVER_16K = KVM_IDREG_KERNEL_PAGE_OVER_16K;
        /// MPAM, so that KVM traps its registers.
        MPAM = KVM_IDREG_KERNEL_MPAM;
    }
}

/// Facts that follow from the host's registers.
pub(crate) const DERIVED: Flags = Flags::empty()
    .with(Fact::PMU_IMP_DEF)
    .with(Fact::RAS_IMP)
    .with(Fact::MTE2)
    .with(Fact::STAGE2_4K)
    .with(Fact::STAGE2_16K)
    .with(Fact::STAGE2_64K);

/// What must be so, and what must not, for something to apply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Facts that must all hold.
    pub(crate) all: Flags,
    /// Facts of which none may hold.
    pub(crate) none: Flags,
}

impl Condition {
    /// What holds always.
    pub(crate) const ALWAYS: Self = Self {
        all: Flags::empty(),
        none: Flags::empty(),
    };

    const fn of(fact: Fact) -> Self {
        Self {
            all: Flags::empty().with(fact),
            none: Flags::empty(),
        }
    }

    /// Both conditions.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            all: self.all.union(other.all),
            none: self.none.union(other.none),
        }
    }

    /// All facts that it asks for.
    pub(crate) const fn asked(&self) -> Flags {
        self.all.union(self.none)
    }

    /// Whether it holds.
    #[inline(always)]
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        facts.flags.contains_all(self.all) && !facts.flags.contains_any(self.none)
    }
}

/// The opposite of one fact.
pub(crate) const fn not(condition: Condition) -> Condition {
    assert!(
        (condition.all.0 | condition.none.0).count_ones() == 1
            && condition.all.0 & condition.none.0 == 0,
        "not() and when() are for one fact"
    );
    Condition {
        all: condition.none,
        none: condition.all,
    }
}

/// A host.
pub(crate) trait Host {
    /// The system-wide safe value that cpufeature has for a register; zero if it has none.
    fn sanitised(&self, index: usize) -> u64;
}

/// All that is known when limits are asked for.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    flags: Flags,
    host: &'a dyn Host,
}

/// Whether a field of the host has a value, all by name.
macro_rules! has {
    ($facts:ident, $register:ident.$field:ident == $value:ident) => {{
        use cpufeature::$register::{$field::*, REGISTER};
        FIELD.get($facts.of_host(const { index(&REGISTER) })) == $value
    }};
}

/// Whether a granule is there at stage 2, where its field may refer to that of stage 1.
macro_rules! has_stage2 {
    ($facts:ident, $stage1:ident, $stage2:ident) => {
        if has!($facts, ID_AA64MMFR0_EL1.$stage2 == $stage1) {
            !has!($facts, ID_AA64MMFR0_EL1.$stage1 == NI)
        } else {
            !has!($facts, ID_AA64MMFR0_EL1.$stage2 == NI)
        }
    };
}

impl<'a> Facts<'a> {
    /// Facts by the bits of `enum kvm_idreg_fact`, but for those that are derived from the host.
    #[inline(always)]
    pub(crate) fn new(bits: u32, host: &'a dyn Host) -> Self {
        // No fact's, and always there.
        const NO_FACT: u32 = 1 << 31;
        Self {
            flags: Flags(bits | NO_FACT),
            host,
        }
    }

    /// With those facts that follow from the host's registers, if they are asked for.
    #[inline(always)]
    pub(crate) fn for_conditions(mut self, asked: Flags) -> Self {
        if asked.contains_any(DERIVED) {
            self.flags |= self.derived();
        }
        self
    }

    /// Whether a fact holds.
    #[inline(always)]
    pub(crate) fn has(&self, fact: Fact) -> bool {
        self.flags.contains(fact)
    }

    /// Whether none of the facts with these bits holds; never, of all bits.
    #[inline(always)]
    pub(crate) fn has_none(&self, bits: u32) -> bool {
        self.flags.0 & bits == 0
    }

    /// What KVM takes as the host's value of a register.
    ///
    /// That is cpufeature's, but for ID_DFR0_EL1.PerfMon: KVM's PMU is made from the host's
    /// AArch64 one, so ID_AA64DFR0_EL1.PMUVer decides.
    #[inline(always)]
    pub(crate) fn of_host(&self, index_of: usize) -> u64 {
        use cpufeature::{
            ID_AA64DFR0_EL1::{
                self,
                PMUVer, //
            },
            ID_DFR0_EL1::{
                self,
                PerfMon, //
            },
        };

        let word = self.host.sanitised(index_of);
        if index_of != const { index(&ID_DFR0_EL1::REGISTER) } {
            return word;
        }
        let dfr0 = self
            .host
            .sanitised(const { index(&ID_AA64DFR0_EL1::REGISTER) });
        // Both fields have the same values for none at all, and for later versions.
        let version = match PMUVer::FIELD.get(dfr0) {
            PMUVer::IMP => PerfMon::PMUv3,
            version => version,
        };
        PerfMon::FIELD.put(word, version)
    }

    /// The facts that follow from the host's registers.
    #[cold]
    pub(crate) fn derived(&self) -> Flags {
        [
            (
                Fact::PMU_IMP_DEF,
                has!(self, ID_AA64DFR0_EL1.PMUVer == IMP_DEF),
            ),
            (Fact::RAS_IMP, has!(self, ID_AA64PFR0_EL1.RAS == IMP)),
            (Fact::MTE2, has!(self, ID_AA64PFR1_EL1.MTE == MTE2)),
            (Fact::STAGE2_4K, has_stage2!(self, TGRAN4, TGRAN4_2)),
            (Fact::STAGE2_16K, has_stage2!(self, TGRAN16, TGRAN16_2)),
            (Fact::STAGE2_64K, has_stage2!(self, TGRAN64, TGRAN64_2)),
        ]
        .into_iter()
        .filter(|(_, holds)| *holds)
        .fold(Flags::empty(), |flags, (fact, _)| flags.with(fact))
    }
}
