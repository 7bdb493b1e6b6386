// SPDX-License-Identifier: GPL-2.0

//! The boundary with C: pointers become references here, and nowhere else.
//!
//! C header: [`arch/x86/kvm/caps.h`](srctree/arch/x86/kvm/caps.h)

use core::{
    mem::offset_of,
    slice, //
};
use kernel::{
    bindings::{
        self,
        kvm_caps_context,
        kvm_caps_kind,
        kvm_caps_snapshot,
        kvm_caps_view,
        kvm_cpuid_entry2,
        kvm_cpuid_runtime,
        kvm_guest_cap,
        kvm_guest_cpuid, //
    },
    prelude::*, //
};

use super::{
    ctrl::{
        self,
        KeptWords, //
    },
    feature::{
        Feature,
        KernelWords,
        Words, //
    },
    generated,
    guest::{
        self,
        Context,
        GuestCaps,
        GuestCpuid, //
    },
    host::{
        HostCaps,
        Snapshot, //
    },
    leaf::Entry,
    optout::{
        self,
        Kind, //
    },
    runtime::Runtime,
    view::{
        self,
        View, //
    }, //
};

static_assert!(generated::NCAPINTS == bindings::NCAPINTS as usize);
static_assert!(generated::NBUGINTS == bindings::NBUGINTS as usize);
static_assert!(Entry::SIGNIFICANT_INDEX == bindings::KVM_CPUID_FLAG_SIGNIFCANT_INDEX);

/// Asserts that two structures have the same layout.
macro_rules! assert_same_layout {
    ($rust:ty, $c:ty, $($field:ident),*) => {
        static_assert!(size_of::<$rust>() == size_of::<$c>());
        static_assert!(align_of::<$rust>() == align_of::<$c>());
        $(static_assert!(offset_of!($rust, $field) == offset_of!($c, $field));)*
    };
}
assert_same_layout!(
    Entry,
    kvm_cpuid_entry2,
    function,
    index,
    flags,
    eax,
    ebx,
    ecx,
    edx,
    padding
);

assert_same_layout!(
    Runtime,
    kvm_cpuid_runtime,
    osxsave,
    ospke,
    apic,
    tracks_mwait,
    mwait,
    hlt_in_guest,
    xsave_size,
    xsaves_size
);

/// The words that `caps` points to, as what KVM supports.
///
/// # Safety
///
/// `caps` must be valid for reading `NR_KVM_CPU_CAPS` words, and nobody may write to them while the
/// result lives.
unsafe fn host_caps<'a>(caps: *const u32) -> &'a HostCaps {
    // SAFETY: By the safety requirements of this function; `HostCaps` is transparent.
    unsafe { &*caps.cast() }
}

/// Who runs a vCPU.
fn kind(kind: kvm_caps_kind) -> Kind {
    match kind {
        bindings::kvm_caps_kind_KVM_CAPS_SVM => Kind::Svm,
        bindings::kvm_caps_kind_KVM_CAPS_VMX => Kind::Vmx,
        _ => Kind::Tdx,
    }
}

/// `nent` entries, none if `entries` is null.
///
/// # Safety
///
/// `entries` must be null, or valid for reading `nent` entries, and nobody may write to them while
/// the result lives.
unsafe fn entries<'a>(entries: *const kvm_cpuid_entry2, nent: c_int) -> &'a [Entry] {
    if entries.is_null() {
        return &[];
    }
    // SAFETY: By the safety requirements of this function; `Entry` has the layout of
    // `kvm_cpuid_entry2`.
    unsafe { slice::from_raw_parts(entries.cast(), usize::try_from(nent).unwrap_or(0)) }
}

/// As [`entries()`], to be changed.
///
/// # Safety
///
/// `entries` must be null, or valid for reading and writing `nent` entries, and nobody else may
/// access them while the result lives.
unsafe fn entries_mut<'a>(entries: *mut kvm_cpuid_entry2, nent: c_int) -> &'a mut [Entry] {
    if entries.is_null() {
        return &mut [];
    }
    // SAFETY: By the safety requirements of this function; `Entry` has the layout of
    // `kvm_cpuid_entry2`.
    unsafe { slice::from_raw_parts_mut(entries.cast(), usize::try_from(nent).unwrap_or(0)) }
}

/// Computes what KVM supports, before kvm-intel or kvm-amd has a say.
///
/// * `caps`: `kvm_cpu_caps`, which is overwritten.
/// * `host`: the host.
///
/// Returns whether the host is sane, i.e. nothing had to be denied that it has.
///
/// # Safety
///
/// * `caps` must be valid for writing `NR_KVM_CPU_CAPS` words.
/// * `host` must be valid for reading, its `kernel` for `NCAPINTS + NBUGINTS` words and its `raw`
///   for `NR_KVM_CPU_CAPS`.
///
/// Nobody may write to what is read while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_host_caps_init(
    caps: *mut u32,
    host: *const kvm_caps_snapshot,
) -> bool {
    // SAFETY: By the safety requirements of this function.
    let host = unsafe { &*host };
    let host = Snapshot {
        // SAFETY: By the safety requirements of this function.
        kernel: unsafe { &*host.kernel.cast() },
        // SAFETY: By the safety requirements of this function.
        raw: unsafe { &*host.raw.cast() },
        tdp_enabled: host.tdp_enabled,
        allow_smaller_maxphyaddr: host.allow_smaller_maxphyaddr,
        has_msr_tsc_aux: host.has_msr_tsc_aux,
    };
    let (supported, sane) = HostCaps::new(&host);

    // SAFETY: By the safety requirements of this function; `HostCaps` is transparent.
    unsafe { caps.cast::<HostCaps>().write(supported) };
    sane
}

/// Adds a feature to what KVM supports, or takes it away.
///
/// * `caps`: `kvm_cpu_caps`.
/// * `feature`: 32 times the capability word, plus the bit.
/// * `present`: whether to add the feature.
///
/// Returns `false`, and changes nothing, if the policy does not know the feature.
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
    // SAFETY: By the safety requirements of this function; `HostCaps` is transparent.
    let caps = unsafe { &mut *caps.cast::<HostCaps>() };

    Feature::from_number(feature).is_some_and(|(feature, _)| caps.change(feature, present))
}

/// Writes a vCPU's state to incoming CPUID entries.
///
/// * `entries`: the entries. Null if there are none.
/// * `nent`: the number of entries.
/// * `runtime`: the vCPU's state.
///
/// # Safety
///
/// * `entries` must be null, or valid for reading and writing `nent` entries.
/// * `runtime` must be valid for reading.
///
/// Nobody else may access them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_massage(
    entries: *mut kvm_cpuid_entry2,
    nent: c_int,
    runtime: *const kvm_cpuid_runtime,
) {
    // SAFETY: By the safety requirements of this function.
    let entries = unsafe { entries_mut(entries, nent) };
    // SAFETY: By the safety requirements of this function; `Runtime` has the layout of
    // `kvm_cpuid_runtime`.
    let runtime = unsafe { &*runtime.cast::<Runtime>() };

    runtime.massage_only(entries);
}

/// Writes a vCPU's state to incoming CPUID entries, and derives all that KVM derives from them.
///
/// * `guest`: what is derived, which is overwritten.
/// * `caps`: what the vCPU may use, which is overwritten.
/// * `context`: what else counts.
/// * `entries`: the entries. Null if there are none.
/// * `nent`: the number of entries.
///
/// Returns 0, or `-EINVAL`, with nothing derived and no capability, if KVM can't virtualize the
/// width of linear addresses.
///
/// # Safety
///
/// * `guest` must be valid for writing.
/// * `caps` must be valid for writing `NR_KVM_CPU_CAPS` words.
/// * `context` must be valid for reading, its `host` for `NR_KVM_CPU_CAPS` words, its `kernel` for
///   `NCAPINTS + NBUGINTS`, and its `runtime`.
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
    // SAFETY: By the safety requirements of this function.
    let entries = unsafe { entries_mut(entries, nent) };
    // SAFETY: By the safety requirements of this function.
    let context = unsafe { &*context };
    // SAFETY: By the safety requirements of this function; `Runtime` has the layout of
    // `kvm_cpuid_runtime`.
    let runtime = unsafe { &*context.runtime.cast::<Runtime>() };
    let context = Context {
        // SAFETY: By the safety requirements of this function.
        host: unsafe { host_caps(context.host) },
        // SAFETY: By the safety requirements of this function.
        kernel: unsafe { &*context.kernel.cast() },
        kind: kind(context.kind),
        tdp_enabled: context.tdp_enabled,
        xcr0: context.xcr0,
        xss: context.xss,
        dynamic: context.dynamic,
    };

    let caps = caps.cast::<GuestCaps>();

    // SAFETY: By the safety requirements of this function; `GuestCaps` is transparent.
    unsafe { caps.write(GuestCaps::NONE) };
    // SAFETY: By the safety requirements of this function, and initialized above.
    let caps = unsafe { &mut *caps };

    let derived = match GuestCpuid::new(&context, entries, runtime, caps) {
        Ok(derived) => derived,
        Err(error) => return error.to_errno(),
    };
    // SAFETY: By the safety requirements of this function.
    unsafe {
        guest.write(kvm_guest_cpuid {
            xcr0: derived.xcr0,
            xss: derived.xss,
            dynamic: derived.dynamic,
            reserved_gpa_bits: guest::reserved_gpa_bits(derived.maxphyaddr),
            reserved_cr4: derived.reserved_cr4,
            reserved_efer: derived.reserved_efer,
            timer_mode_mask: derived.timer_mode_mask,
            pv_features: derived.pv_features,
            xen_base: derived.xen.0,
            xen_limit: derived.xen.1,
            maxphyaddr: derived.maxphyaddr,
            hyperv: derived.hyperv,
            amd_compatible: derived.amd_compatible,
        })
    };
    0
}

/// Tells whether a guest sees the same in two tables of CPUID entries.
///
/// * `a`, `b`: the entries. Null if there are none.
/// * `nr_a`, `nr_b`: the numbers of entries.
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
    // SAFETY: By the safety requirements of this function.
    let (a, b) = unsafe { (entries(a, nr_a), entries(b, nr_b)) };

    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same_as(b))
}

/// Writes a vCPU's state to its CPUID entries and capabilities.
///
/// * `caps`: the vCPU's capability words.
/// * `entries`: the vCPU's CPUID entries. Null if there are none.
/// * `nent`: the number of entries.
/// * `runtime`: the vCPU's state.
///
/// # Safety
///
/// * `caps` must be valid for reading and writing `NR_KVM_CPU_CAPS` words.
/// * `entries` must be null, or valid for reading and writing `nent` entries.
/// * `runtime` must be valid for reading.
///
/// Nobody else may access any of them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cpuid_update(
    caps: *mut u32,
    entries: *mut kvm_cpuid_entry2,
    nent: c_int,
    runtime: *const kvm_cpuid_runtime,
) {
    // SAFETY: By the safety requirements of this function; `GuestCaps` is transparent.
    let caps = unsafe { &mut *caps.cast::<GuestCaps>() };
    // SAFETY: By the safety requirements of this function.
    let entries = unsafe { entries_mut(entries, nent) };
    // SAFETY: By the safety requirements of this function; `Runtime` has the layout of
    // `kvm_cpuid_runtime`.
    let runtime = unsafe { &*runtime.cast::<Runtime>() };

    runtime.update(entries, caps);
}

/// The bits that a guest physical address must not have.
///
/// * `maxphyaddr`: the width of guest physical addresses, in bits.
///
/// # Safety
///
/// None of its own: it is `unsafe` as its declaration in C is.
#[export]
pub(crate) unsafe extern "C" fn kvm_reserved_gpa_bits(maxphyaddr: u8) -> u64 {
    guest::reserved_gpa_bits(maxphyaddr)
}

/// The bits of CR4 that are reserved for who has certain features.
///
/// * `words`: the features, as in `cpuinfo_x86::x86_capability`.
///
/// # Safety
///
/// `words` must be valid for reading `NCAPINTS` words, and nobody may write to them while the
/// function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_cr4_reserved_bits(words: *const u32) -> u64 {
    // SAFETY: By the safety requirements of this function.
    ctrl::reserved_cr4(unsafe { &*words.cast::<KeptWords>() })
}

/// The bits of EFER that KVM supports.
///
/// * `host`: what KVM supports, i.e. `kvm_cpu_caps`.
/// * `kernel`: `boot_cpu_data.x86_capability`.
///
/// # Safety
///
/// `host` must be valid for reading `NR_KVM_CPU_CAPS` words, `kernel` for `NCAPINTS + NBUGINTS`,
/// and nobody may write to them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_efer_supported_bits(
    host: *const u32,
    kernel: *const u32,
) -> u64 {
    // SAFETY: By the safety requirements of this function.
    let host = unsafe { host_caps(host) };
    // SAFETY: By the safety requirements of this function.
    let kernel = unsafe { &*kernel.cast::<KernelWords>() };

    !ctrl::reserved_efer(ctrl::kept(&host.0), host, kernel)
}

/// The words that CPUID entries ask for.
///
/// * `asked`: the words, which are overwritten. Words that the policy has no feature in are zero.
/// * `entries`: the entries. Null if there are none.
/// * `nent`: the number of entries.
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
    // SAFETY: By the safety requirements of this function.
    let words = view::asked(unsafe { self::entries(entries, nent) });

    // SAFETY: By the safety requirements of this function.
    unsafe { asked.cast::<Words>().write(words) };
}

/// Finds the next feature that guest CPUID asks for or that the vCPU may use.
///
/// * `cap`: the feature, which is overwritten if there is one.
/// * `view`: the words to look at.
/// * `from`: the number of the first feature to look at.
///
/// Returns whether there is such a feature.
///
/// # Safety
///
/// * `cap` must be valid for writing.
/// * `view` must be valid for reading, and all of its words for `NR_KVM_CPU_CAPS`. Nobody may write
///   to them while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_guest_caps_next(
    cap: *mut kvm_guest_cap,
    view: *const kvm_caps_view,
    from: c_uint,
) -> bool {
    // SAFETY: By the safety requirements of this function.
    let view = unsafe { &*view };
    let view = View {
        // SAFETY: By the safety requirements of this function.
        host: unsafe { host_caps(view.host) },
        // SAFETY: By the safety requirements of this function.
        asked: unsafe { &*view.asked.cast() },
        // SAFETY: By the safety requirements of this function; `GuestCaps` is transparent.
        caps: unsafe { &*view.caps.cast() },
        kind: kind(view.kind),
        tdp_enabled: view.tdp_enabled,
    };
    let Some(line) = view.next(from) else {
        return false;
    };

    // SAFETY: By the safety requirements of this function.
    unsafe {
        cap.write(kvm_guest_cap {
            name: line.name.unwrap_or(c"-").as_char_ptr(),
            why: line.why.unwrap_or(c"-").as_char_ptr(),
            number: line.feature.number(),
            function: line.leaf.function,
            index: line.leaf.index,
            reg: line.leaf.reg as u8,
            host: line.host,
            guest: line.guest,
            effective: line.effective,
        })
    };
    true
}

/// Fills in what `KVM_GET_EMULATED_CPUID` reports for a function.
///
/// * `entry`: overwritten, with no flags set, if the function is reported.
/// * `host`: what KVM supports, i.e. `kvm_cpu_caps`.
/// * `function`: the CPUID function, with index 0.
///
/// Returns whether the function is reported.
///
/// # Safety
///
/// * `entry` must be valid for writing.
/// * `host` must be valid for reading `NR_KVM_CPU_CAPS` words, and nobody may write to it while
///   the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_caps_emulated_cpuid(
    entry: *mut kvm_cpuid_entry2,
    host: *const u32,
    function: u32,
) -> bool {
    // SAFETY: By the safety requirements of this function.
    let host = unsafe { host_caps(host) };

    let Some(emulated) = optout::emulated(host, function) else {
        return false;
    };
    // SAFETY: By the safety requirements of this function; `Entry` has the layout of
    // `kvm_cpuid_entry2`.
    unsafe { entry.cast::<Entry>().write(emulated) };
    true
}

#[kunit_tests(guestcaps_x86_ffi)]
mod tests {
    use super::super::generated::feature::*;
    use super::*;

    /// Calls `kvm_cpu_cap_change()` when nobody configures KVM. Returns how often it warned.
    fn warnings(feature: Feature, present: bool) -> c_int {
        // SAFETY: This runs as part of a test.
        let test = unsafe { bindings::kunit_get_current_test() };
        // SAFETY: `test` is the running test.
        let warnings = unsafe { bindings::kunit_start_suppress_warning(test) };

        // SAFETY: The function may be called at any time.
        unsafe { bindings::kvm_cpu_cap_change(feature.number(), present) };

        // SAFETY: `warnings` is what was started above.
        let count = unsafe { bindings::kunit_suppressed_warning_count(warnings) };
        // SAFETY: As above.
        unsafe { bindings::kunit_end_suppress_warning(test, warnings) };
        count
    }

    /// When KVM is loaded its capabilities are final, and before a vendor's module is loaded they
    /// are nobody's to change.
    #[test]
    fn a_change_at_the_wrong_time_warns() {
        for feature in [SVM, VMX, AVX] {
            for present in [false, true] {
                assert_eq!(warnings(feature, present), 1);
            }
        }
    }
}
