// SPDX-License-Identifier: GPL-2.0

//! Which bits of CR4 and EFER a vCPU's capabilities leave reserved.
//!
//! One row a bit: the vCPU may set it if the condition holds, and never sets one that has no row.
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
        NCAPINTS, //
    },
    facts::{
        kernel,
        kvm,
        not,
        vcpu,
        Condition,
        Facts, //
    }, //
};

/// The bits of CR4.
#[rustfmt::skip]
pub(crate) static CR4: &[Bit] = &[
    always(cr4::VME),
    always(cr4::PVI),
    always(cr4::TSD),
    always(cr4::DE),
    always(cr4::PSE),
    always(cr4::PAE),
    always(cr4::MCE),
    always(cr4::PGE),
    always(cr4::PCE),
    always(cr4::OSFXSR),
    always(cr4::OSXMMEXCPT),
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

/// When a bit may be set: always, if there is no condition.
pub(crate) struct Bit {
    mask: u64,
    condition: Option<Condition>,
}

const fn always(number: u32) -> Bit {
    assert!(number < u64::BITS);
    Bit {
        mask: 1 << number,
        condition: None,
    }
}

const fn bit(number: u32, condition: Condition) -> Bit {
    let [a, b, c] = condition.of_vcpu();

    check(a);
    check(b);
    check(c);
    Bit {
        condition: Some(condition),
        ..always(number)
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
    assert_one_row_a_bit(CR4);
    assert_one_row_a_bit(EFER);
};

const fn assert_one_row_a_bit(table: &[Bit]) {
    let mut all = 0;
    let mut i = 0;

    while i < table.len() {
        assert!(all & table[i].mask == 0, "a bit has two rows");
        all |= table[i].mask;
        i += 1;
    }
}

/// The bits of a register that are reserved.
pub(crate) fn reserved(table: &[Bit], facts: &Facts<'_>) -> u64 {
    !table
        .iter()
        .filter(|bit| match &bit.condition {
            Some(condition) => condition.holds(facts),
            None => true,
        })
        .fold(0, |bits, bit| bits | bit.mask)
}
