// SPDX-License-Identifier: GPL-2.0

//! The boundary with C: pointers become references here, and nowhere else.
//!
//! C header: [`arch/arm64/kvm/idregs.h`](srctree/arch/arm64/kvm/idregs.h)

use kernel::{
    bindings::{
        self,
        kvm_idreg_field,
        kvm_idreg_refusal,
        kvm_idregs_host, //
    },
    prelude::*, //
};

use super::{
    check::{
        self,
        Reason, //
    },
    condition::{
        self,
        Conditions, //
    },
    default,
    field,
    limits::LIMITS,
    view::{
        self,
        View, //
    },
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

/// Whether the host's value of a register is wanted.
///
/// # Safety
///
/// None of its own: it is `unsafe` as its declaration in C is.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_has_host_value(index: c_uint) -> bool {
    match LIMITS[0].get(index as usize) {
        Some(limits) => limits.is_listed,
        None => false,
    }
}

/// The value a VM starts with, and the most that it can have.
///
/// # Safety
///
/// `host` must be valid for reads, and so must the pointers in it that are not null.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_default(
    index: c_uint,
    host: *const kvm_idregs_host,
    conditions: u32,
) -> u64 {
    // SAFETY: By the safety requirements.
    let host = unsafe { &*host };
    default::default(index as usize, Conditions(conditions), host)
}

/// What KVM sets when it knows a VM's interrupt controller.
///
/// # Safety
///
/// None of its own: it is `unsafe` as its declaration in C is.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_with_irqchip(
    index: c_uint,
    val: u64,
    conditions: u32,
) -> u64 {
    default::with_irqchip(index as usize, val, Conditions(conditions))
}

/// Judges what userspace writes.
///
/// # Safety
///
/// `host` must be valid for reads, and so must the pointers in it that are not null. `val` must be
/// valid for reads and writes, `now` for reads unless it is null, `why` for writes.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_check(
    index: c_uint,
    host: *const kvm_idregs_host,
    conditions: u32,
    val: *mut u64,
    now: *const u64,
    why: *mut kvm_idreg_refusal,
) -> c_int {
    // SAFETY: By the safety requirements.
    let (host, val, now) = unsafe { (&*host, &mut *val, now.as_ref()) };
    let refusal = match check::check(
        index as usize,
        Conditions(conditions),
        host,
        *val,
        now.copied(),
    ) {
        Ok(word) => {
            *val = word;
            return 0;
        }
        Err(refusal) => refusal,
    };
    let (reason, error) = match refusal.reason {
        Reason::Impossible => (
            bindings::kvm_idreg_reason_KVM_IDREG_IMPOSSIBLE,
            bindings::EINVAL,
        ),
        Reason::HasRun => (
            bindings::kvm_idreg_reason_KVM_IDREG_HAS_RUN,
            bindings::EBUSY,
        ),
        Reason::Limit => (bindings::kvm_idreg_reason_KVM_IDREG_LIMIT, bindings::EINVAL),
    };
    // SAFETY: By the safety requirements.
    unsafe {
        why.write(kvm_idreg_refusal {
            val: *val,
            index: index as u8,
            msb: refusal.msb as u8,
            reason: reason as u8,
        })
    };
    -(error as c_int)
}

impl From<View> for kvm_idreg_field {
    fn from(view: View) -> Self {
        let rule = view.rule.name();
        Self {
            reg: view.register.as_ptr().cast(),
            name: view.field.name.as_ptr().cast(),
            rule: rule.as_ptr().cast(),
            reg_len: view.register.len() as u8,
            name_len: view.field.name.len() as u8,
            rule_len: rule.len() as u8,
            msb: view.field.msb as u8,
            lsb: view.field.lsb as u8,
            writable: view.writable,
            host: view.host,
            limit: view.limit,
            val: view.value,
        }
    }
}

/// Describes a field, for people.
///
/// Returns whether there is such a register and bit.
///
/// # Safety
///
/// `host` must be valid for reads, and so must the pointers in it that are not null. `field` must
/// be valid for writes.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_describe(
    index: c_uint,
    msb: c_uint,
    host: *const kvm_idregs_host,
    conditions: u32,
    val: u64,
    field: *mut kvm_idreg_field,
) -> bool {
    // SAFETY: By the safety requirements.
    let host = unsafe { &*host };
    let Some(view) = View::new(index as usize, msb, Conditions(conditions), host, val) else {
        return false;
    };
    // SAFETY: By the safety requirements.
    unsafe { field.write(view.into()) };
    true
}

/// Describes the field that is to blame for a refusal.
///
/// Returns whether there is such a refusal.
///
/// # Safety
///
/// `why` and `host` must be valid for reads, and so must the pointers in the latter that are not
/// null. `field` must be valid for writes.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_explain(
    why: *const kvm_idreg_refusal,
    host: *const kvm_idregs_host,
    conditions: u32,
    field: *mut kvm_idreg_field,
) -> bool {
    // SAFETY: By the safety requirements.
    let (why, host) = unsafe { (&*why, &*host) };
    let reason = match u32::from(why.reason) {
        bindings::kvm_idreg_reason_KVM_IDREG_IMPOSSIBLE => Reason::Impossible,
        bindings::kvm_idreg_reason_KVM_IDREG_HAS_RUN => Reason::HasRun,
        bindings::kvm_idreg_reason_KVM_IDREG_LIMIT => Reason::Limit,
        _ => return false,
    };
    let Some(view) = View::of_refusal(
        why.index.into(),
        why.msb.into(),
        reason,
        Conditions(conditions),
        host,
        why.val,
    ) else {
        return false;
    };
    // SAFETY: By the safety requirements.
    unsafe { field.write(view.into()) };
    true
}

/// The least that userspace can ask for in each field of a register.
///
/// # Safety
///
/// `host` must be valid for reads, and so must the pointers in it that are not null.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_lowest(
    index: c_uint,
    host: *const kvm_idregs_host,
    conditions: u32,
) -> u64 {
    // SAFETY: By the safety requirements.
    let host = unsafe { &*host };
    view::lowest(index as usize, Conditions(conditions), host)
}

/// What `KVM_ARM_GET_REG_WRITABLE_MASKS` says of a register.
///
/// # Safety
///
/// None of its own: it is `unsafe` as its declaration in C is.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_writable(index: c_uint) -> u64 {
    match LIMITS[0].get(index as usize) {
        Some(limits) => limits.writable,
        None => 0,
    }
}

/// What C knows of limits besides: cpufeature's safe values, and what pKVM allows.
#[cfg(CONFIG_KUNIT = "y")]
#[kunit_tests(guestcaps_arm64_c)]
mod tests {
    use super::{
        super::{
            field::{
                Field,
                NUM_REGISTERS, //
            },
            generated::{
                self,
                field,
                index,
                ID_AA64DFR0_EL1,
                ID_DFR0_EL1, //
            },
            order,
            row::Limits, //
        },
        *,
    };

    /// What protected VMs can have: a register, the field's bits, and the value in its place.
    fn pvm_field(n: c_uint) -> Option<(usize, u64, u64)> {
        let mut field = bindings::kvm_idregs_pvm_field {
            index: 0,
            lsb: 0,
            width: 0,
            max: 0,
        };
        // SAFETY: `field` is valid for writes.
        if !unsafe { bindings::kvm_idregs_pvm_field(n, &mut field) } {
            return None;
        }
        let mask = (u64::MAX >> (64 - u32::from(field.width))) << field.lsb;
        Some((field.index.into(), mask, u64::from(field.max) << field.lsb))
    }

    /// The lowest bit and the width of a field of cpufeature's.
    fn ftr(index: usize, n: c_uint) -> Option<(u32, u32)> {
        let (mut lsb, mut width) = (0, 0);
        // SAFETY: Both are valid for writes.
        unsafe { bindings::kvm_idregs_ftr(index as c_uint, n, &mut lsb, &mut width) }
            .then_some((lsb.into(), width.into()))
    }

    fn ftr_safe(index: usize, n: c_uint, a: u64, b: u64) -> u64 {
        // SAFETY: It has no requirements.
        unsafe { bindings::kvm_idregs_ftr_safe(index as c_uint, n, a, b) }
    }

    /// A host whose registers are all the same.
    struct Uniform(u64);

    impl Host for Uniform {
        fn sanitised(&self, _index: usize) -> u64 {
            self.0
        }
    }

    /// Whether KVM says on purpose something else than cpufeature, see limits.rs.
    fn is_overridden(index: usize, field: &Field) -> bool {
        let is = |of: usize, named: &Field| index == of && field.lsb == named.lsb;
        is(index!(ID_AA64DFR0_EL1), field!(ID_AA64DFR0_EL1.PMUVer))
            || is(index!(ID_AA64DFR0_EL1), field!(ID_AA64DFR0_EL1.DebugVer))
            || is(index!(ID_DFR0_EL1), field!(ID_DFR0_EL1.PerfMon))
    }

    /// Whether the rule of a field is cpufeature's, for all pairs of values.
    fn agrees(index: usize, n: c_uint, field: &Field, limits: &Limits) -> bool {
        (0..=field.max()).all(|value| {
            (0..=field.max()).all(|limit| {
                let excess = limits.excess(value << field.lsb, limit << field.lsb);
                let expected = value == limit || ftr_safe(index, n, value, limit) == value;
                (excess & field.top() == 0) == expected
            })
        })
    }

    #[test]
    fn orders_are_those_of_cpufeature() {
        let (mut compared, mut overridden) = (0, 0);
        for index in 0..NUM_REGISTERS {
            let Some(limits) = LIMITS[0].get(index) else {
                continue;
            };
            let Some(register) = generated::REGISTERS.get(index) else {
                continue;
            };
            for n in 0.. {
                let Some((lsb, width)) = ftr(index, n) else {
                    break;
                };
                // cpufeature may have one where sysreg has names for less.
                let Some(field) = register.fields.iter().find(|f| f.lsb == lsb) else {
                    continue;
                };
                if limits.fixed & field.top() != 0 {
                    continue;
                }
                assert_eq!(field.msb - field.lsb + 1, width);
                if is_overridden(index, field) {
                    overridden += 1;
                } else {
                    assert!(agrees(index, n, field, limits));
                    compared += 1;
                }
            }
        }
        assert_eq!(overridden, 3);
        assert!(compared > 200);
    }

    #[test]
    fn protected_vms_are_within_limits() {
        let mut compared = 0;
        for n in 0.. {
            let Some((index, mask, value)) = pvm_field(n) else {
                break;
            };
            let conditions = Conditions(!condition::NESTED.0 & !condition::E2H0.0);
            let Some(limits) = Limits::of(index, conditions) else {
                break;
            };
            // On a host that has the most of everything that pKVM allows.
            let limit = default::default(index, conditions, &Uniform(value));
            let above = order::above(value ^ limits.sign, limit ^ limits.sign, limits.tops);
            assert_eq!(above & mask, 0);
            compared += 1;
        }
        assert!(compared > 50);
    }
}
