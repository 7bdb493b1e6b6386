// SPDX-License-Identifier: GPL-2.0

//! Which bits of CR4 and EFER a vCPU's capabilities leave reserved.
//!
//! One row a bit, with the features that it stands for. No vCPU may set a bit that has no row.
//!
//! | verb     | a vCPU may set the bit                                                          |
//! | -------- | ------------------------------------------------------------------------------- |
//! | `bit`    | if it has the features                                                          |
//! | `always` | whatever it has; `of` are the features, if any                                  |
//! | `never`  | whatever it has                                                                 |
//!
//! What `of` has counts for nested VMX: IA32_VMX_CR4_FIXED1 tells L1 of all bits whose features
//! guest CPUID asks for, [`stand_for()`].
//!
//! No opt-out gives a vCPU a feature that a row asks for and that KVM does not support: what the
//! host lacks is reserved for every guest. The build fails otherwise.
//!
//! Sources: Intel SDM volume 3A, "Control Registers"; AMD APM volume 2, "Extended Feature Enable
//! Register (EFER)".

use super::{
    optouts,
    policy, //
};
use crate::{
    cpufeature::{
        cr4,
        efer,
        feature::*,
        Words,
        NCAPINTS, //
    },
    facts::{
        kernel,
        kvm,
        not,
        vcpu,
        with,
        Condition,
        Facts,
        NOTHING, //
    }, //
};

/// The bits of CR4.
#[rustfmt::skip]
pub(crate) static CR4: &[Bit] = &[
    always(cr4::VME)        .of(vcpu(VME)),
    always(cr4::PVI)        .of(vcpu(VME)),
    always(cr4::TSD)        .of(vcpu(TSC)),
    always(cr4::DE)         .of(vcpu(DE)),
    always(cr4::PSE)        .of(vcpu(PSE)),
    always(cr4::PAE)        .of(vcpu(PAE)),
    always(cr4::MCE)        .of(vcpu(MCE)),
    always(cr4::PGE)        .of(vcpu(PGE)),
    always(cr4::PCE),
    always(cr4::OSFXSR)     .of(vcpu(FXSR)),
    always(cr4::OSXMMEXCPT) .of(vcpu(XMM)),
    bit(cr4::UMIP,          vcpu(UMIP)),
    bit(cr4::LA57,          vcpu(LA57)),
    bit(cr4::VMXE,          vcpu(VMX)),
    bit(cr4::FSGSBASE,      vcpu(FSGSBASE)),
    bit(cr4::PCIDE,         vcpu(PCID)),
    bit(cr4::OSXSAVE,       vcpu(XSAVE)),
    bit(cr4::SMEP,          vcpu(SMEP)),
    bit(cr4::SMAP,          vcpu(SMAP)),
    bit(cr4::PKE,           vcpu(PKU)),
    bit(cr4::CET,           vcpu(SHSTK).or(vcpu(IBT))),
    bit(cr4::LAM_SUP,       vcpu(LAM)),
    never(cr4::SMXE)        .of(vcpu(SMX)),
];

/// The bits of EFER.
#[rustfmt::skip]
pub(crate) static EFER: &[Bit] = &[
    // KVM emulates SYSCALL.
    always(efer::SCE),
    bit(efer::LME,          vcpu(LM)),
    bit(efer::LMA,          vcpu(LM)),
    bit(efer::NX,           vcpu(NX)),
    bit(efer::SVME,         vcpu(SVM)),
    // No feature tells a guest of segment limits in long mode, only that they are gone.
    bit(efer::LMSLE,        kvm(SVM).and(not(kernel(EFER_LMSLE_MBZ)))),
    bit(efer::FFXSR,        vcpu(FXSR_OPT)),
    bit(efer::AUTOIBRS,     vcpu(AUTOIBRS)),
];

/// Who may set a bit.
#[derive(Clone, Copy)]
enum MaySet {
    Always,
    WithFeatures,
    Never,
}

/// A bit, who may set it, and what it stands for, if anything.
pub(crate) struct Bit {
    mask: u64,
    may_set: MaySet,
    features: Option<Condition>,
}

const fn always(number: u32) -> Bit {
    assert!(number < u64::BITS);
    Bit {
        mask: 1 << number,
        may_set: MaySet::Always,
        features: None,
    }
}

const fn never(number: u32) -> Bit {
    Bit {
        may_set: MaySet::Never,
        ..always(number)
    }
}

const fn bit(number: u32, features: Condition) -> Bit {
    let [a, b, c] = features.of_vcpu();

    check(a);
    check(b);
    check(c);
    Bit {
        may_set: MaySet::WithFeatures,
        ..always(number).of(features)
    }
}

impl Bit {
    /// What a bit stands for that doesn't depend on it.
    const fn of(self, features: Condition) -> Self {
        // They are compared by words alone.
        assert!(
            features.asks_only(Facts::NONE.flags),
            "no flag is known where CPUs are compared"
        );
        Self {
            features: Some(features),
            ..self
        }
    }

    /// Whether `facts` have what the bit stands for.
    fn stands(&self, facts: &Facts<'_>) -> bool {
        self.features
            .as_ref()
            .is_none_or(|features| features.holds(facts))
    }

    fn may_be_set(&self, facts: &Facts<'_>) -> bool {
        match self.may_set {
            MaySet::Always => true,
            MaySet::WithFeatures => self.stands(facts),
            MaySet::Never => false,
        }
    }
}

/// Fails the build unless a vCPU with the feature has a host that KVM supports it on. The kernel
/// must keep the word: CPUs are compared by theirs.
const fn check(number: Option<u32>) {
    if let Some(number) = number {
        let word = (number / u32::BITS) as usize;

        assert!(word < NCAPINTS, "not a word of the kernel");
        assert!(
            policy::QUERIED[word] >> (number % u32::BITS) & 1 != 0,
            "denied by policy.rs"
        );
        assert!(!optouts::may_exceed_kvm(number), "not host AND guest");
    }
}

// Two rows for a bit would be two policies.
const _: () = {
    let tables = [CR4, EFER];
    let mut table = 0;

    while table < tables.len() {
        let mut all = 0;
        let mut i = 0;

        while i < tables[table].len() {
            assert!(all & tables[table][i].mask == 0, "a bit has two rows");
            all |= tables[table][i].mask;
            i += 1;
        }
        table += 1;
    }
};

/// The features that bits of a register stand for.
pub(crate) const fn features_of(table: &[Bit]) -> Words {
    let mut features = NOTHING;
    let mut i = 0;

    while i < table.len() {
        if let Some(condition) = &table[i].features {
            features = with(features, condition.of_vcpu());
        }
        i += 1;
    }
    features
}

/// The bits of a register that are reserved.
pub(crate) fn reserved(table: &[Bit], facts: &Facts<'_>) -> u64 {
    !bits(table, |bit| bit.may_be_set(facts))
}

/// The bits of a register that stand for features in `facts.vcpu`, whether or not they may be set.
pub(crate) fn stand_for(table: &[Bit], facts: &Facts<'_>) -> u64 {
    bits(table, |bit| bit.stands(facts))
}

fn bits(table: &[Bit], are_wanted: impl Fn(&Bit) -> bool) -> u64 {
    table
        .iter()
        .filter(|bit| are_wanted(bit))
        .fold(0, |bits, bit| bits | bit.mask)
}
