// SPDX-License-Identifier: GPL-2.0

//! The boundary with C: pointers become references here, and nowhere else.
//!
//! C header: [`arch/arm64/kvm/idregs.h`](srctree/arch/arm64/kvm/idregs.h)

use core::slice;

use kernel::{
    bindings::{
        self,
        kvm_guest_cap,
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
    cpufeature::Register,
    facts::{
        Fact,
        Facts,
        Host,
        CTR_EL0,
        NUM_REGISTERS, //
    },
    needs,
    policy::{
        Class,
        Lacking, //
    },
    query::{
        Answer,
        Verdict, //
    },
    row::{
        Limits,
        Rule, //
    },
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

/// What `KVM_ARM_GET_REG_WRITABLE_MASKS` says of a register.
///
/// # Safety
///
/// None of its own: it is `unsafe` as its declaration in C is.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_published(index: c_uint, facts: u32) -> u64 {
    let has_el2 = facts & Fact::EL2 as u32 != 0;
    Limits::of(index as usize).map_or(0, |limits| {
        let [plain, nested] = limits.published;
        if has_el2 {
            nested
        } else {
            plain
        }
    })
}

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
/// `host` must be as [`Cpus::new`] asks, and `words` valid for reads and writes of that many; no
/// one else may access them.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_reset(
    host: *const kvm_idregs_host,
    facts: u32,
    words: *mut u64,
) {
    // SAFETY: The caller promises what this needs of `host`.
    let host = unsafe { Cpus::new(host) };
    let facts = Facts::new(facts, &host);
    // SAFETY: The caller promises that so many words are valid, and that no one else accesses them.
    vm::start(unsafe { slice::from_raw_parts_mut(words, CTR_EL0) }, &facts);
}

/// The `n`-th rule between fields that a VM with such registers breaks; false if there is none.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks, `words` valid for reads of all registers but `CTR_EL0`,
/// and `why` for writes.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_broken(
    n: c_uint,
    host: *const kvm_idregs_host,
    facts: u32,
    words: *const u64,
    why: *mut kvm_idreg_refusal,
) -> bool {
    // SAFETY: The caller promises what this needs of `host`.
    let host = unsafe { Cpus::new(host) };
    // SAFETY: The caller promises that so many words are valid for reads, and do not change.
    let words = unsafe { slice::from_raw_parts(words, CTR_EL0) };
    let Some(rule) = needs::broken(words, &Facts::new(facts, &host), n as usize) else {
        return false;
    };
    let why_not = kvm_idreg_refusal {
        val: words.get(rule.index).copied().unwrap_or(0),
        index: rule.index as u8,
        bit: rule.row.field.lsb as u8,
        reason: Reason::Needs as u8,
        need: rule.number as u8,
        clears: rule.need.lacking == Lacking::Cleared,
    };
    // SAFETY: The caller promises that `why` is valid for writes.
    unsafe { why.write(why_not) };
    true
}

/// Clears what a VM lacks too much for, before it runs.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks, and `words` valid for reads and writes of all registers
/// but `CTR_EL0`; no one else may access these.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_clear(
    host: *const kvm_idregs_host,
    facts: u32,
    words: *mut u64,
) {
    // SAFETY: The caller promises what this needs of `host`.
    let host = unsafe { Cpus::new(host) };
    // SAFETY: The caller promises that so many words are valid, and that no one else accesses them.
    let words = unsafe { slice::from_raw_parts_mut(words, CTR_EL0) };
    needs::clear(words, &Facts::new(facts, &host));
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
                need: 0,
                clears: false,
            };
            // SAFETY: The caller promises that `why` is valid for writes.
            unsafe { why.write(why_not) };
            match refusal.reason {
                Reason::HasRun => EBUSY.to_errno(),
                Reason::Impossible | Reason::Limit | Reason::Needs => EINVAL.to_errno(),
            }
        }
    }
}

/// Why a value was refused, or what it lacks.
fn reason(why: &kvm_idreg_refusal) -> Option<Reason> {
    Reason::ALL
        .into_iter()
        .find(|reason| *reason as u8 == why.reason)
}

/// The field that is to blame for a refusal.
fn blamed(why: &kvm_idreg_refusal, facts: &Facts<'_>) -> Option<View> {
    let (index, bit) = (why.index.into(), why.bit.into());
    View::of_refusal(index, bit, reason(why)?, facts, why.val)
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
        let is_need = why.reason == Reason::Needs as u8;
        let need = needs::of(why.index.into(), why.bit.into(), why.need.into());
        view.show_refused(file, need.filter(|_| is_need));
    }
}

/// A register as `KVM_SET_ONE_REG` has it.
fn one_reg(register: &Register) -> u64 {
    let [op0, op1, crn, crm, op2] = register.encoding.map(u64::from);
    bindings::KVM_REG_ARM64
        | bindings::KVM_REG_SIZE_U64
        | u64::from(bindings::KVM_REG_ARM64_SYSREG)
        | op0 << bindings::KVM_REG_ARM64_SYSREG_OP0_SHIFT
        | op1 << bindings::KVM_REG_ARM64_SYSREG_OP1_SHIFT
        | crn << bindings::KVM_REG_ARM64_SYSREG_CRN_SHIFT
        | crm << bindings::KVM_REG_ARM64_SYSREG_CRM_SHIFT
        | op2 << bindings::KVM_REG_ARM64_SYSREG_OP2_SHIFT
}

impl From<&Answer> for kvm_guest_cap {
    fn from(answer: &Answer) -> Self {
        let view = &answer.view;
        let rule = match view.rule {
            Rule::Reserved => bindings::KVM_GUEST_CAP_RESERVED,
            Rule::Denied => bindings::KVM_GUEST_CAP_DENIED,
            Rule::Absent => bindings::KVM_GUEST_CAP_ABSENT,
            Rule::LowerSafe => bindings::KVM_GUEST_CAP_LOWER_SAFE,
            Rule::HigherSafe => bindings::KVM_GUEST_CAP_HIGHER_SAFE,
            Rule::Exact => bindings::KVM_GUEST_CAP_EXACT,
            Rule::Fixed | Rule::Least | Rule::HasRun | Rule::Needs => bindings::KVM_GUEST_CAP_FIXED,
        };
        let class = match view.class {
            None => bindings::KVM_GUEST_CAP_NO_CLASS,
            Some(Class::DataPath) => bindings::KVM_GUEST_CAP_DATA_PATH,
            Some(Class::Trapped) => bindings::KVM_GUEST_CAP_TRAPPED,
            Some(Class::Own(_)) => bindings::KVM_GUEST_CAP_OWN,
            Some(Class::Inert) => bindings::KVM_GUEST_CAP_INERT,
            Some(Class::Virtual(_)) => bindings::KVM_GUEST_CAP_VIRTUAL,
        };
        let verdict = match answer.verdict {
            Verdict::Taken => bindings::KVM_GUEST_CAP_TAKEN,
            Verdict::Adjusted => bindings::KVM_GUEST_CAP_ADJUSTED,
            Verdict::Ignored => bindings::KVM_GUEST_CAP_IGNORED,
            Verdict::Refused(Reason::HasRun) => bindings::KVM_GUEST_CAP_HAS_RUN,
            Verdict::Refused(_) => bindings::KVM_GUEST_CAP_REFUSED,
            Verdict::Lacks(need) if need.lacking == Lacking::Cleared => {
                bindings::KVM_GUEST_CAP_CLEARED
            }
            Verdict::Lacks(_) => bindings::KVM_GUEST_CAP_NEEDS,
        };
        let (lowest, highest) = answer.range;
        let flags = [
            (bindings::KVM_GUEST_CAP_SIGNED, answer.sign != 0),
            (bindings::KVM_GUEST_CAP_WRITABLE, lowest != highest),
            (bindings::KVM_GUEST_CAP_USABLE, answer.is_usable),
        ];
        let flags = flags.into_iter().filter(|(_, holds)| *holds);
        let cap = Self {
            id: one_reg(answer.register),
            lsb: view.field.lsb as u8,
            width: view.field.width() as u8,
            rule: rule as u8,
            virt_class: class as u8,
            verdict: verdict as u8,
            flags: flags.fold(0, |flags, (flag, _)| flags | flag as u16),
            host: view.host,
            limit: view.limit,
            lowest,
            highest,
            possible: answer.possible,
            asked: view.value,
            value: answer.nearest,
            ..Default::default()
        };
        match answer.verdict {
            Verdict::Lacks(need) => Self {
                needs_id: one_reg(need.register),
                needs_lsb: need.field.lsb as u8,
                needs_width: need.field.width() as u8,
                needs_least: need.least,
                ..cap
            },
            _ => cap,
        }
    }
}

/// What C is told about fields of a register, of which none has more than there are bits.
///
/// # Invariants
///
/// The pointer is valid for writes of `u64::BITS` records, and `nr` is at most that.
struct Records {
    caps: *mut kvm_guest_cap,
    nr: u32,
}

impl Records {
    fn push(&mut self, answer: &Answer) {
        if self.nr < u64::BITS {
            // SAFETY: By the type invariant the pointer is valid for writes of more than `nr`.
            unsafe { self.caps.add(self.nr as usize).write(answer.into()) };
            // INVARIANT: It was less.
            self.nr += 1;
        }
    }
}

/// Tells of all fields of a register that holds `val`: how many there are.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks, and `caps` valid for writes of 64 records.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_list(
    index: c_uint,
    host: *const kvm_idregs_host,
    facts: u32,
    val: u64,
    caps: *mut kvm_guest_cap,
) -> c_uint {
    // SAFETY: The caller promises what this needs of `host`.
    let host = unsafe { Cpus::new(host) };
    // INVARIANT: The caller promises it.
    let mut records = Records { caps, nr: 0 };
    Answer::list(index as usize, &Facts::new(facts, &host), val, |answer| {
        records.push(&answer)
    });
    records.nr
}

/// Tells of those fields of a register that would not be as asked: how many these are. What it
/// would hold goes to `val`.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks, `val` valid for reads and writes, `now` for reads unless
/// it is null, and `caps` for writes of 64 records.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_try(
    index: c_uint,
    host: *const kvm_idregs_host,
    facts: u32,
    val: *mut u64,
    now: *const u64,
    caps: *mut kvm_guest_cap,
) -> c_uint {
    // SAFETY: The caller promises what this needs of `host`.
    let host = unsafe { Cpus::new(host) };
    // SAFETY: The caller promises that it is null, or valid for reads.
    let now = unsafe { now.as_ref() }.copied();
    // SAFETY: The caller promises that it is valid for reads.
    let asked = unsafe { val.read() };
    // INVARIANT: The caller promises it.
    let mut records = Records { caps, nr: 0 };
    let facts = Facts::new(facts, &host);
    let held = Answer::check(index as usize, &facts, asked, now, |answer| {
        records.push(&answer)
    });
    // SAFETY: The caller promises that it is valid for writes.
    unsafe { val.write(held) };
    records.nr
}

/// Tells of the field that a refusal or a broken rule is about; false if it is about none.
///
/// # Safety
///
/// `host` must be as [`Cpus::new`] asks, `why` valid for reads, and `cap` for writes.
#[export]
pub(crate) unsafe extern "C" fn kvm_idreg_blames(
    why: *const kvm_idreg_refusal,
    host: *const kvm_idregs_host,
    facts: u32,
    cap: *mut kvm_guest_cap,
) -> bool {
    // SAFETY: The caller promises what this needs of `host`, and that `why` is valid for reads.
    let (host, why) = unsafe { (Cpus::new(host), why.read()) };
    let (index, bit) = (why.index.into(), why.bit.into());
    let facts = Facts::new(facts, &host);
    let verdict = match reason(&why) {
        Some(Reason::Needs) => needs::of(index, bit, why.need.into()).map(Verdict::Lacks),
        reason => reason.map(Verdict::Refused),
    };
    let answer = verdict.and_then(|verdict| Answer::blamed(index, bit, verdict, &facts, why.val));
    let Some(answer) = answer else {
        return false;
    };
    // SAFETY: The caller promises that `cap` is valid for writes.
    unsafe { cap.write((&answer).into()) };
    true
}

/// What C knows besides, for tests: cpufeature's safe values.
#[cfg(CONFIG_KVM_IDREGS_KUNIT_TEST)]
pub(super) mod kunit {
    use super::{
        super::cpufeature::Encoding,
        *, //
    };

    /// What a map of `config.c` is about.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Map {
        /// Bits of `HCRX_EL2`.
        Enables,
        /// Fine-grained traps of registers.
        Registers,
        /// Fine-grained traps of instructions.
        Instructions,
    }

    /// The `n`-th field that maps of `config.c` ask for: the map, a register, the field's lowest
    /// bit, and the least value.
    pub(crate) fn feat(n: c_uint) -> Option<(Map, usize, u32, u64)> {
        let mut feat = bindings::kvm_idregs_feat::default();
        // SAFETY: `feat` is valid for writes.
        if !unsafe { bindings::kvm_idregs_feat(n, &mut feat) } {
            return None;
        }
        let map = match feat.map {
            bindings::kvm_idregs_map_KVM_IDREGS_MAP_ENABLES => Map::Enables,
            bindings::kvm_idregs_map_KVM_IDREGS_MAP_REGISTERS => Map::Registers,
            _ => Map::Instructions,
        };
        Some((map, feat.index.into(), feat.lsb.into(), feat.least.into()))
    }

    /// Whether KVM keeps a register of a guest's, or emulates it.
    pub(crate) fn keeps([op0, op1, crn, crm, op2]: Encoding) -> bool {
        let encoding = [(op0, 19), (op1, 16), (crn, 12), (crm, 8), (op2, 5)];
        let encoding = encoding
            .into_iter()
            .fold(0, |all, (part, shift)| all | u32::from(part) << shift);
        // SAFETY: It has no requirements.
        unsafe { bindings::kvm_idregs_keeps(encoding) }
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
