// SPDX-License-Identifier: GPL-2.0

//! The boundary with C: pointers become references here, and nowhere else.
//!
//! C header: [`arch/arm64/kvm/idregs.h`](srctree/arch/arm64/kvm/idregs.h)

use kernel::{
    bindings::{
        self,
        kvm_idregs_host, //
    },
    prelude::*, //
};

use super::{
    check::{
        self,
        Refusal, //
    },
    condition::{
        self,
        Conditions, //
    },
    default,
    field,
    limits::LIMITS,
    Host, //
};

static_assert!(field::NUM_REGISTERS == bindings::KVM_NUM_IDREGS as usize);
static_assert!(field::CTR_EL0 == bindings::KVM_IDREG_CTR as usize);

/// Asserts that C means the same conditions.
macro_rules! assert_same_conditions {
    ($($name:ident = $bit:ident)*) => {
        $(static_assert!(condition::$name.0 == 1 << bindings::$bit);)*
    };
}
assert_same_conditions! {
    NESTED = kvm_idreg_condition_KVM_IDREG_NESTED
    E2H0 = kvm_idreg_condition_KVM_IDREG_E2H0
    AARCH32 = kvm_idreg_condition_KVM_IDREG_AARCH32
    SVE = kvm_idreg_condition_KVM_IDREG_SVE
    MTE = kvm_idreg_condition_KVM_IDREG_MTE
    PTRAUTH = kvm_idreg_condition_KVM_IDREG_PTRAUTH
    PMU = kvm_idreg_condition_KVM_IDREG_PMU
    VGIC_V3 = kvm_idreg_condition_KVM_IDREG_VGIC_V3
    VGIC_V5 = kvm_idreg_condition_KVM_IDREG_VGIC_V5
    SPECTRE_V2_UNAFFECTED = kvm_idreg_condition_KVM_IDREG_SPECTRE_V2_UNAFFECTED
    MELTDOWN_UNAFFECTED = kvm_idreg_condition_KVM_IDREG_MELTDOWN_UNAFFECTED
    HOST_GICV3 = kvm_idreg_condition_KVM_IDREG_HOST_GICV3
    HOST_GICV5 = kvm_idreg_condition_KVM_IDREG_HOST_GICV5
    POE = kvm_idreg_condition_KVM_IDREG_POE
    WFXT = kvm_idreg_condition_KVM_IDREG_WFXT
    HOST_RASV1P1 = kvm_idreg_condition_KVM_IDREG_HOST_RASV1P1
    PMUV3_IMPDEF_TRAPS = kvm_idreg_condition_KVM_IDREG_PMUV3_IMPDEF_TRAPS
    NV2P1 = kvm_idreg_condition_KVM_IDREG_NV2P1
    PAGE_OVER_4K = kvm_idreg_condition_KVM_IDREG_PAGE_OVER_4K
    PAGE_OVER_16K = kvm_idreg_condition_KVM_IDREG_PAGE_OVER_16K
}

impl Host for kvm_idregs_host {
    fn sanitised(&self, index: usize) -> u64 {
        match self.word.get(index) {
            // SAFETY: C has valid pointers there, or null. A CPU that comes late may change the
            // value, so it is read once.
            Some(&word) if !word.is_null() => unsafe { word.read_volatile() },
            _ => 0,
        }
    }
}

/// See `arch/arm64/kvm/idregs.h`.
#[export]
pub unsafe extern "C" fn kvm_idreg_has_host_value(index: c_uint) -> bool {
    match LIMITS[0].get(index as usize) {
        Some(limits) => limits.from_host != 0,
        None => false,
    }
}

/// See `arch/arm64/kvm/idregs.h`.
///
/// # Safety
///
/// `host` must be valid for reads, and so must the pointers in it that are not null.
#[export]
pub unsafe extern "C" fn kvm_idreg_default(
    index: c_uint,
    host: *const kvm_idregs_host,
    conditions: u32,
) -> u64 {
    // SAFETY: By the safety requirements.
    let host = unsafe { &*host };
    default::default(index as usize, Conditions(conditions), host)
}

/// See `arch/arm64/kvm/idregs.h`.
#[export]
pub unsafe extern "C" fn kvm_idreg_with_irqchip(index: c_uint, val: u64, conditions: u32) -> u64 {
    default::with_irqchip(index as usize, val, Conditions(conditions))
}

/// See `arch/arm64/kvm/idregs.h`.
///
/// # Safety
///
/// `host` must be valid for reads, and so must the pointers in it that are not null. `val` must be
/// valid for reads and writes, `now` for reads unless it is null.
#[export]
pub unsafe extern "C" fn kvm_idreg_check(
    index: c_uint,
    host: *const kvm_idregs_host,
    conditions: u32,
    val: *mut u64,
    now: *const u64,
) -> c_int {
    // SAFETY: By the safety requirements.
    let (host, val, now) = unsafe { (&*host, &mut *val, now.as_ref()) };
    match check::check(
        index as usize,
        Conditions(conditions),
        host,
        *val,
        now.copied(),
    ) {
        Ok(word) => {
            *val = word;
            0
        }
        Err(Refusal::HasRun) => EBUSY.to_errno(),
        Err(Refusal::Least | Refusal::Limit) => EINVAL.to_errno(),
    }
}

/// See `arch/arm64/kvm/idregs.h`.
#[export]
pub unsafe extern "C" fn kvm_idreg_writable(index: c_uint) -> u64 {
    match LIMITS[0].get(index as usize) {
        Some(limits) => limits.writable,
        None => 0,
    }
}
