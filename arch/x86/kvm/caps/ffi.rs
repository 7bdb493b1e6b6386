// SPDX-License-Identifier: GPL-2.0

//! The boundary with C: pointers become references here, and nowhere else.
//!
//! Words of capabilities, `NR_KVM_CPU_CAPS` of them, are `u32` pointers in C.
//!
//! C header: [`arch/x86/kvm/caps.h`](srctree/arch/x86/kvm/caps.h)

// The one exception: nobody else needs it.
#![expect(unsafe_code)]

use core::{
    fmt::Write,
    slice, //
};
use kernel::{
    bindings::{
        self,
        kvm_caps_context,
        kvm_caps_snapshot,
        kvm_caps_view,
        kvm_cpuid_entry2,
        kvm_cpuid_runtime,
        kvm_denied_cap,
        kvm_guest_cpuid,
        kvm_xstate_sizes, //
    },
    prelude::*,
    seq_file::SeqFile, //
};

use crate::{
    c::MAX_ENTRIES,
    cpufeature::{
        self,
        KernelWords,
        Words,
        NCAPINTS, //
    },
    cpuid::{
        self,
        Index, //
    },
    facts::{
        Facts,
        Flag,
        Flags,
        NOTHING, //
    },
    guest::{
        self,
        Context,
        GuestCaps, //
    },
    host::HostCaps,
    runtime,
    tables::{
        control_regs::{
            self,
            CR4,
            EFER, //
        },
        optouts, //
    },
    view,
    xstate, //
};

static_assert!(cpufeature::NCAPINTS == bindings::NCAPINTS as usize);
static_assert!(cpufeature::NBUGINTS == bindings::NBUGINTS as usize);

/// How a vCPU of each kind is. A kind that C has more, or in another place, fails the build.
const KINDS: [Flag; bindings::kvm_caps_kind_KVM_CAPS_NR_KINDS as usize] =
    [Flag::Svm, Flag::Vmx, Flag::Tdx];
static_assert!(bindings::kvm_caps_kind_KVM_CAPS_SVM == 0);
static_assert!(bindings::kvm_caps_kind_KVM_CAPS_VMX == 1);
static_assert!(bindings::kvm_caps_kind_KVM_CAPS_TDX == 2);

/// A flag, if it is so.
fn flag(flag: Flag, is_so: bool) -> Flags {
    if is_so {
        flag.into()
    } else {
        Flags::empty()
    }
}

/// How a vCPU is. What is no kind is none of them.
fn vcpu_flags(kind: bindings::kvm_caps_kind, tdp_enabled: bool) -> Flags {
    KINDS
        .get(kind as usize)
        .map_or(Flags::empty(), |kind| Flags::from(*kind))
        | flag(Flag::Tdp, tdp_enabled)
}

/// Words of capabilities.
///
/// # Safety
///
/// `words` must be valid for reading `NR_KVM_CPU_CAPS` words, and nobody may write to them while
/// the result lives.
unsafe fn words<'a>(words: *const u32) -> &'a Words {
    // SAFETY: The caller promises that there are as many words, and that they don't change; an
    // array is aligned as its elements are.
    unsafe { &*words.cast() }
}

/// The kernel's words, `boot_cpu_data.x86_capability`.
///
/// # Safety
///
/// `words` must be valid for reading `NCAPINTS + NBUGINTS` words, and nobody may write to them
/// while the result lives.
unsafe fn kernel_words<'a>(words: *const u32) -> &'a KernelWords {
    // SAFETY: The caller promises that there are as many words, and that they don't change; an
    // array is aligned as its elements are.
    unsafe { &*words.cast() }
}

/// `nent` entries, none if `entries` is null.
///
/// # Safety
///
/// `entries` must be null, or valid for reading `nent` entries, and nobody may write to them while
/// the result lives.
unsafe fn entries<'a>(entries: *const kvm_cpuid_entry2, nent: c_int) -> &'a [kvm_cpuid_entry2] {
    if entries.is_null() {
        return &[];
    }
    // SAFETY: It is not null, so the caller promises that there are as many entries, and that they
    // don't change.
    unsafe { slice::from_raw_parts(entries, usize::try_from(nent).unwrap_or(0)) }
}

/// As [`entries()`], to be changed.
///
/// # Safety
///
/// `entries` must be null, or valid for reading and writing `nent` entries, and nobody else may
/// access them while the result lives.
unsafe fn entries_mut<'a>(
    entries: *mut kvm_cpuid_entry2,
    nent: c_int,
) -> &'a mut [kvm_cpuid_entry2] {
    if entries.is_null() {
        return &mut [];
    }
    // SAFETY: It is not null, so the caller promises that there are as many entries, for this
    // function alone.
    unsafe { slice::from_raw_parts_mut(entries, usize::try_from(nent).unwrap_or(0)) }
}

/// Computes what KVM supports, before kvm-intel or kvm-amd has a say, and puts it in `caps`.
///
/// Returns whether the host is sane, i.e. has what rows of the policy expect.
///
/// # Safety
///
/// * `caps` must be valid for writing `NR_KVM_CPU_CAPS` words.
/// * `host` must be valid for reading, its `kernel` for `NCAPINTS + NBUGINTS` words and its `cpu`
///   for `NR_KVM_CPU_CAPS`. Nobody may write to any of them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_host_caps_init(
    caps: *mut u32,
    host: *const kvm_caps_snapshot,
) -> bool {
    // SAFETY: The caller promises that it can be read, and doesn't change.
    let host = unsafe { &*host };
    let facts = Facts {
        // SAFETY: The caller promises that `kernel` has as many words, which don't change.
        kernel: unsafe { kernel_words(host.kernel) },
        // SAFETY: The caller promises the same of `cpu`.
        cpu: unsafe { words(host.cpu) },
        flags: flag(Flag::Tdp, host.tdp_enabled)
            | flag(Flag::SmallerMaxphyaddr, host.allow_smaller_maxphyaddr)
            | flag(Flag::MsrTscAux, host.has_msr_tsc_aux),
        ..Facts::NONE
    };
    let (supported, is_sane) = HostCaps::new(&facts);

    // SAFETY: The caller promises that as many words can be written.
    unsafe { caps.cast::<Words>().write(*supported.words()) };
    is_sane
}

/// Adds a feature, 32 times its word plus its bit, to what KVM supports, or takes it away.
///
/// Returns `false`, and changes nothing, if KVM gives the feature to nobody.
///
/// # Safety
///
/// `caps` must be valid for reading and writing `NR_KVM_CPU_CAPS` words, and nobody else may access
/// them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_host_caps_change(
    caps: *mut u32,
    feature: c_uint,
    present: bool,
) -> bool {
    // SAFETY: The caller promises that there are as many words, for this function alone;
    // `HostCaps` is transparent.
    let caps = unsafe { &mut *caps.cast::<HostCaps>() };

    caps.change(feature, present)
}

/// Writes a vCPU's state to incoming CPUID entries.
///
/// # Safety
///
/// * `entries` must be null, or valid for reading and writing `nent` entries, which nobody else may
///   access while the function runs.
/// * `runtime` and `sizes` must be valid for reading, and nobody may write to them meanwhile.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_massage(
    entries: *mut kvm_cpuid_entry2,
    nent: c_int,
    runtime: *const kvm_cpuid_runtime,
    sizes: *const kvm_xstate_sizes,
) {
    // SAFETY: The caller promises that there are as many entries, for this function alone.
    let entries = unsafe { entries_mut(entries, nent) };
    // SAFETY: The caller promises that both can be read, and don't change.
    let (runtime, sizes) = unsafe { (&*runtime, &*sizes) };

    if runtime.hlt_in_guest {
        let mut room = [0; MAX_ENTRIES];
        let index = Index::new(entries, &mut room);

        runtime::massage_kvm_features(runtime, entries, &index);
    }
    runtime::massage(runtime, &sizes.component, entries, cpuid::search);
}

/// Writes a vCPU's state to incoming CPUID entries, and derives all that KVM derives from them:
/// what the vCPU may use, in `caps`, and what else there is, in `guest`.
///
/// Returns 0, or `-EINVAL`, with nothing derived, if KVM can't virtualize the width of linear
/// addresses.
///
/// # Safety
///
/// * `guest` must be valid for writing, `caps` for writing `NR_KVM_CPU_CAPS` words.
/// * `context` must be valid for reading, its `kvm` for `NR_KVM_CPU_CAPS` words, its `kernel` for
///   `NCAPINTS + NBUGINTS`, its `runtime` and its `sizes`.
/// * `entries` must be null, or valid for reading and writing `nent` entries.
///
/// Nobody else may access what is written, or write to what is read, while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_derive(
    guest: *mut kvm_guest_cpuid,
    caps: *mut u32,
    context: *const kvm_caps_context,
    entries: *mut kvm_cpuid_entry2,
    nent: c_int,
) -> c_int {
    // SAFETY: The caller promises that there are as many entries, for this function alone.
    let entries = unsafe { entries_mut(entries, nent) };
    // SAFETY: The caller promises that it can be read, and doesn't change.
    let context = unsafe { &*context };
    // SAFETY: The caller promises the same of these.
    let (runtime, sizes) = unsafe { (&*context.runtime, &*context.sizes) };
    let context = Context {
        facts: Facts {
            // SAFETY: The caller promises that `kvm` has as many words, which don't change.
            kvm: unsafe { words(context.kvm) },
            // SAFETY: The caller promises the same of `kernel`.
            kernel: unsafe { kernel_words(context.kernel) },
            flags: vcpu_flags(context.kind, context.tdp_enabled),
            ..Facts::NONE
        },
        runtime,
        sizes: &sizes.component,
        xcr0: context.xcr0,
        xss: context.xss,
        dynamic: context.dynamic,
    };

    match guest::derive(&context, entries) {
        Ok((its_caps, cpuid)) => {
            // SAFETY: The caller promises that as many words, and `guest`, can be written.
            unsafe {
                caps.cast::<Words>().write(*its_caps.words());
                guest.write(cpuid);
            }
            0
        }
        Err(error) => error.to_errno(),
    }
}

/// Tells whether a guest sees the same in two tables of CPUID entries.
///
/// # Safety
///
/// `a` and `b` must be null, or valid for reading `nr_a` and `nr_b` entries, and nobody may write
/// to them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_equal(
    a: *const kvm_cpuid_entry2,
    nr_a: c_int,
    b: *const kvm_cpuid_entry2,
    nr_b: c_int,
) -> bool {
    // SAFETY: The caller promises that there are as many entries, and that they don't change.
    let (a, b) = unsafe { (entries(a, nr_a), entries(b, nr_b)) };

    cpuid::are_same(a, b)
}

/// Writes a vCPU's state to its CPUID entries and capabilities, but for what doesn't change while
/// it lives, i.e. whether HLT exits.
///
/// # Safety
///
/// * `caps` must be valid for reading and writing `NR_KVM_CPU_CAPS` words.
/// * `entries` must be null, or valid for reading and writing `nent` entries.
/// * `runtime` and `sizes` must be valid for reading.
///
/// Nobody else may access what is written, or write to what is read, while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_update(
    caps: *mut u32,
    entries: *mut kvm_cpuid_entry2,
    nent: c_int,
    runtime: *const kvm_cpuid_runtime,
    sizes: *const kvm_xstate_sizes,
) {
    // SAFETY: The caller promises that there are as many words, for this function alone;
    // `GuestCaps` is transparent.
    let caps = unsafe { &mut *caps.cast::<GuestCaps>() };
    // SAFETY: The caller promises that there are as many entries, for this function alone.
    let entries = unsafe { entries_mut(entries, nent) };
    // SAFETY: The caller promises that both can be read, and don't change.
    let (runtime, sizes) = unsafe { (&*runtime, &*sizes) };
    let leaves = runtime::massage(runtime, &sizes.component, entries, cpuid::search);

    caps.update(runtime, leaves);
}

/// The bytes that XSAVE takes for components, or XSAVES if they are compacted.
///
/// # Safety
///
/// `sizes` must be valid for reading, and nobody may write to it while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_xstate_required_size(
    sizes: *const kvm_xstate_sizes,
    components: u64,
    compacted: bool,
) -> u32 {
    // SAFETY: The caller promises that it can be read, and doesn't change.
    let sizes = unsafe { &*sizes };

    xstate::required_size(&sizes.component, components, compacted)
}

/// The bits of CR4 that are reserved on a CPU with such features.
///
/// # Safety
///
/// `words`, as `cpuinfo_x86::x86_capability`, must be valid for reading `NCAPINTS` words, and
/// nobody may write to them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cr4_reserved_bits(words: *const u32) -> u64 {
    let mut features = NOTHING;

    // SAFETY: The caller promises that there are as many words, and that they don't change.
    let kept = unsafe { slice::from_raw_parts(words, NCAPINTS) };
    for (feature, kept) in features.iter_mut().zip(kept) {
        *feature = *kept;
    }

    let facts = Facts {
        vcpu: &features,
        ..Facts::NONE
    };

    control_regs::reserved(CR4, &facts)
}

/// The bits of EFER that KVM supports.
///
/// # Safety
///
/// `kvm` must be valid for reading `NR_KVM_CPU_CAPS` words, `kernel` for `NCAPINTS + NBUGINTS`, and
/// nobody may write to them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_efer_supported_bits(
    kvm: *const u32,
    kernel: *const u32,
) -> u64 {
    // SAFETY: The caller promises that there are as many words, and that they don't change.
    let (kvm, kernel) = unsafe { (words(kvm), kernel_words(kernel)) };
    let facts = Facts {
        kernel,
        kvm,
        vcpu: kvm,
        ..Facts::NONE
    };

    !control_regs::reserved(EFER, &facts)
}

/// The words that CPUID entries ask for.
///
/// # Safety
///
/// * `asked` must be valid for writing `NR_KVM_CPU_CAPS` words.
/// * `entries` must be null, or valid for reading `nent` entries, and nobody may write to them
///   while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_words(
    asked: *mut u32,
    entries: *const kvm_cpuid_entry2,
    nent: c_int,
) {
    // SAFETY: The caller promises that there are as many entries, and that they don't change.
    let entries = unsafe { self::entries(entries, nent) };
    let mut room = [0; MAX_ENTRIES];
    let words = guest::asked(entries, &Index::new(entries, &mut room));

    // SAFETY: The caller promises that as many words can be written.
    unsafe { asked.cast::<Words>().write(words) };
}

/// What a view is about.
///
/// # Safety
///
/// `view` must be valid for reading, and all of its words for `NR_KVM_CPU_CAPS`. Nobody may write
/// to them while the result lives.
unsafe fn facts_of_view<'a>(view: *const kvm_caps_view) -> Facts<'a> {
    // SAFETY: The caller promises that it can be read, and doesn't change.
    let view = unsafe { &*view };
    // SAFETY: The caller promises that all of these have as many words, which don't change.
    let (kvm, guest, vcpu) = unsafe { (words(view.kvm), words(view.asked), words(view.caps)) };

    Facts {
        kvm,
        guest,
        vcpu,
        flags: vcpu_flags(view.kind, view.tdp_enabled),
        ..Facts::NONE
    }
}

/// Prints what a vCPU asks for and may use, a line a feature.
///
/// # Safety
///
/// * `file` must be a valid `seq_file` that nobody else accesses while the function runs.
/// * `view` must be valid for reading, and all of its words for `NR_KVM_CPU_CAPS`. Nobody may write
///   to them meanwhile.
#[export]
pub(crate) unsafe extern "C" fn kvm_guest_caps_show(
    file: *mut bindings::seq_file,
    view: *const kvm_caps_view,
) {
    // SAFETY: The caller promises that it is valid, and nobody else's.
    let file = unsafe { SeqFile::from_raw(file) };
    // SAFETY: The caller promises that view and words can be read, and don't change.
    let facts = unsafe { facts_of_view(view) };

    view::show(&facts, file);
}

/// Text in an array, cut where that ends. The last byte stays as it is.
struct Text<'a>(&'a mut [c_char]);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            let Some((first, rest @ [_, ..])) = core::mem::take(&mut self.0).split_first_mut()
            else {
                return Err(core::fmt::Error);
            };

            *first = byte as c_char;
            self.0 = rest;
        }
        Ok(())
    }
}

/// Finds the next feature, from a number on, that guest CPUID asks for and the vCPU may not use.
///
/// Returns whether there is one.
///
/// # Safety
///
/// * `cap` must be valid for writing.
/// * `view` must be valid for reading, and all of its words for `NR_KVM_CPU_CAPS`. Nobody may write
///   to them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_denied_caps_next(
    cap: *mut kvm_denied_cap,
    view: *const kvm_caps_view,
    from: c_uint,
) -> bool {
    // SAFETY: The caller promises that view and words can be read, and don't change.
    let facts = unsafe { facts_of_view(view) };
    let Some(line) = view::lines(&facts, from).find(|line| line.guest && !line.vcpu) else {
        return false;
    };
    let mut denied = kvm_denied_cap {
        name: line.name().as_ptr().cast(),
        name_len: line.name().len() as u32,
        number: line.number,
        ..kvm_denied_cap::default()
    };

    if let Some(why) = line.why {
        // What is cut is still worth to be shown.
        let _ = Text(&mut denied.why).write_fmt(fmt!("{why}"));
    }
    // SAFETY: The caller promises that it can be written.
    unsafe { cap.write(denied) };
    true
}

/// Fills in what `KVM_GET_EMULATED_CPUID` reports.
///
/// Returns the number of entries, or `-E2BIG`, with nothing written, if there is no room.
///
/// # Safety
///
/// * `entries` must be valid for reading and writing `nent` entries, which nobody else may access
///   while the function runs.
/// * `kvm` must be valid for reading `NR_KVM_CPU_CAPS` words, and nobody may write to it meanwhile.
#[export]
pub(crate) unsafe extern "C" fn kvm_caps_emulated_cpuid(
    entries: *mut kvm_cpuid_entry2,
    nent: c_int,
    kvm: *const u32,
) -> c_int {
    // SAFETY: The caller promises that there are as many entries, for this function alone.
    let entries = unsafe { entries_mut(entries, nent) };
    // SAFETY: The caller promises that there are as many words, and that they don't change.
    let kvm = unsafe { words(kvm) };

    match optouts::emulated(kvm, entries) {
        Ok(count) => count as c_int,
        Err(error) => error.to_errno(),
    }
}

/// As kvm-intel and kvm-amd add or take away a feature; for tests.
#[cfg(CONFIG_KUNIT = "y")]
pub(crate) fn change_kvm_cpu_caps(feature: u32, present: bool) {
    // SAFETY: It may be called at any time: it warns, and does nothing, if that is the wrong one.
    unsafe { bindings::kvm_cpu_cap_change(feature, present) };
}
