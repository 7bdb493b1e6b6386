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
    prelude::*,
    seq_file::SeqFile, //
};

use super::{
    check::{
        check,
        Reason, //
    },
    facts::{
        Facts,
        Host,
        CTR_EL0,
        NUM_REGISTERS, //
    },
    limits::PUBLISHED,
    row::Limits,
    view::View,
    vm, //
};

static_assert!(NUM_REGISTERS == bindings::KVM_NUM_IDREGS as usize);
static_assert!(CTR_EL0 == bindings::KVM_IDREG_CTR as usize);

/// The CPUs that this kernel runs on.
///
/// # Invariants
///
/// Each pointer is null, or valid for reads for `'a`.
struct Cpus<'a>(&'a kvm_idregs_host);

impl Cpus<'_> {
    /// # Safety
    ///
    /// For as long as the result is used, `host` must be valid for reads, must not change, and each
    /// of its pointers must be null or valid for reads.
    unsafe fn new<'a>(host: *const kvm_idregs_host) -> Cpus<'a> {
        // SAFETY: The caller promises that `host` is valid for reads, and does not change.
        //
        // INVARIANT: The caller promises it of the pointers.
        Cpus(unsafe { &*host })
    }
}

impl Host for Cpus<'_> {
    #[inline(always)]
    fn sanitised(&self, index: usize) -> u64 {
        match self.0.word.get(index) {
            // SAFETY: By the type invariant, a pointer that is not null is valid for reads. A CPU
            // that comes late may change the value, so it is read once.
            Some(&word) if !word.is_null() => unsafe { word.read_volatile() },
            _ => 0,
        }
    }
}

/// What `KVM_ARM_GET_REG_WRITABLE_MASKS` says of each register.
#[no_mangle]
pub(crate) static kvm_idreg_published: [u64; NUM_REGISTERS] = PUBLISHED;

/// Whether the host's value of a register is wanted.
///
/// # Safety
///
/// None of its own: it is `unsafe` as its declaration in C is.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_is_known(index: c_uint) -> bool {
    Limits::of(index as usize).is_some_and(|limits| limits.is_known)
}

/// The values a VM starts with in all registers but `CTR_EL0`.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks, and `words` valid for writes of that many.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_reset(
    host: *const kvm_idregs_host,
    facts: u32,
    words: *mut u64,
) {
    // SAFETY: The caller promises what this needs of `host`.
    let host = unsafe { Cpus::new(host) };
    let facts = Facts::new(facts, &host);
    for index in 0..CTR_EL0 {
        // SAFETY: The caller promises that so many words are valid for writes.
        unsafe { words.add(index).write(vm::highest(index, &facts)) };
    }
}

/// The value a VM starts with, and the most that it can have.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_highest(
    index: c_uint,
    host: *const kvm_idregs_host,
    facts: u32,
) -> u64 {
    // SAFETY: The caller promises what this needs of `host`.
    let host = unsafe { Cpus::new(host) };
    vm::highest(index as usize, &Facts::new(facts, &host))
}

/// The least that userspace can ask for in each field of a register.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_lowest(
    index: c_uint,
    host: *const kvm_idregs_host,
    facts: u32,
) -> u64 {
    // SAFETY: The caller promises what this needs of `host`.
    let host = unsafe { Cpus::new(host) };
    vm::lowest(index as usize, &Facts::new(facts, &host))
}

/// What KVM sets when it knows a VM's interrupt controller.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_with_irqchip(
    index: c_uint,
    host: *const kvm_idregs_host,
    facts: u32,
    val: u64,
) -> u64 {
    // SAFETY: The caller promises what this needs of `host`.
    let host = unsafe { Cpus::new(host) };
    vm::with_irqchip(index as usize, val, &Facts::new(facts, &host))
}

/// Judges what userspace writes.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks. `val` must be valid for reads and writes, `now` for reads
/// unless it is null, `why` for writes, and no one else may access `val` or `why` meanwhile.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_check(
    index: c_uint,
    host: *const kvm_idregs_host,
    facts: u32,
    val: *mut u64,
    now: *const u64,
    why: *mut kvm_idreg_refusal,
) -> c_int {
    // SAFETY: The caller promises what this needs of `host`.
    let host = unsafe { Cpus::new(host) };
    let facts = Facts::new(facts, &host);
    // SAFETY: The caller promises that `val` is valid for reads.
    let asked = unsafe { val.read() };
    let now = if now.is_null() {
        None
    } else {
        // SAFETY: It is not null, and then the caller promises that it is valid for reads.
        Some(unsafe { now.read() })
    };
    match check(index as usize, &facts, asked, now) {
        Ok(word) => {
            // SAFETY: The caller promises that `val` is valid for writes.
            unsafe { val.write(word) };
            0
        }
        Err(refusal) => {
            let why_not = kvm_idreg_refusal {
                val: asked,
                index: index as u8,
                bit: refusal.bit as u8,
                reason: refusal.reason as u8,
            };
            // SAFETY: The caller promises that `why` is valid for writes.
            unsafe { why.write(why_not) };
            match refusal.reason {
                Reason::HasRun => EBUSY.to_errno(),
                Reason::Impossible | Reason::Limit => EINVAL.to_errno(),
            }
        }
    }
}

/// The field that is to blame for a refusal.
fn blamed(why: &kvm_idreg_refusal, facts: &Facts<'_>) -> Option<View> {
    let reason = Reason::ALL
        .into_iter()
        .find(|reason| *reason as u8 == why.reason)?;
    View::of_refusal(why.index.into(), why.bit.into(), reason, facts, why.val)
}

/// Describes the field that is to blame for a refusal; false if there is no such refusal.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks, `why` valid for reads, and `field` for writes.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_explain(
    why: *const kvm_idreg_refusal,
    host: *const kvm_idregs_host,
    facts: u32,
    field: *mut kvm_idreg_field,
) -> bool {
    // SAFETY: The caller promises what this needs of `host`, and that `why` is valid for reads.
    let (host, why) = unsafe { (Cpus::new(host), why.read()) };
    let Some(view) = blamed(&why, &Facts::new(facts, &host)) else {
        return false;
    };
    let rule = view.rule.name();
    let described = kvm_idreg_field {
        reg: view.register.as_ptr().cast(),
        name: view.field.name.as_ptr().cast(),
        rule: rule.as_ptr().cast(),
        reg_len: view.register.len() as u8,
        name_len: view.field.name.len() as u8,
        rule_len: rule.len() as u8,
        host: view.host,
        limit: view.limit,
        asked: view.value,
    };
    // SAFETY: The caller promises that `field` is valid for writes.
    unsafe { field.write(described) };
    true
}

/// Prints all fields of a register that holds `val`.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks, and `file` as [`SeqFile::from_raw`] does.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_show(
    file: *mut bindings::seq_file,
    index: c_uint,
    host: *const kvm_idregs_host,
    facts: u32,
    val: u64,
) {
    // SAFETY: The caller promises what these need of `host` and `file`.
    let (host, file) = unsafe { (Cpus::new(host), SeqFile::from_raw(file)) };
    View::for_each(index as usize, &Facts::new(facts, &host), val, |view| {
        view.show(file)
    });
}

/// Prints a refusal.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks, `file` as [`SeqFile::from_raw`] does, and `why` valid for
/// reads.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_show_refusal(
    file: *mut bindings::seq_file,
    why: *const kvm_idreg_refusal,
    host: *const kvm_idregs_host,
    facts: u32,
) {
    // SAFETY: The caller promises what these need of `host`, `file` and `why`.
    let (host, file, why) = unsafe { (Cpus::new(host), SeqFile::from_raw(file), why.read()) };
    if let Some(view) = blamed(&why, &Facts::new(facts, &host)) {
        view.show_refused(file);
    }
}

/// What C knows besides, for tests: cpufeature's safe values, and what pKVM allows.
#[cfg(CONFIG_KUNIT = "y")]
pub(super) mod kunit {
    use super::*;

    /// The `n`-th field of protected VMs: a register, the field's bits, and the most it can have,
    /// in its place.
    pub(crate) fn pvm_field(n: c_uint) -> Option<(usize, u64, u64)> {
        let mut field = bindings::kvm_idregs_pvm_field::default();
        // SAFETY: `field` is valid for writes.
        if !unsafe { bindings::kvm_idregs_pvm_field(n, &mut field) } {
            return None;
        }
        let mask = (u64::MAX >> (64 - u32::from(field.width))) << field.lsb;
        Some((field.index.into(), mask, u64::from(field.max) << field.lsb))
    }

    /// The lowest bit and the width of the `n`-th field that cpufeature has of a register.
    pub(crate) fn ftr(index: usize, n: c_uint) -> Option<(u32, u32)> {
        let (mut lsb, mut width) = (0, 0);
        // SAFETY: Both are valid for writes.
        unsafe { bindings::kvm_idregs_ftr(index as c_uint, n, &mut lsb, &mut width) }
            .then_some((lsb.into(), width.into()))
    }

    /// What `arm64_ftr_safe_value()` makes of two values of that field.
    pub(crate) fn ftr_safe(index: usize, n: c_uint, a: u64, b: u64) -> u64 {
        // SAFETY: It has no requirements.
        unsafe { bindings::kvm_idregs_ftr_safe(index as c_uint, n, a, b) }
    }
}
