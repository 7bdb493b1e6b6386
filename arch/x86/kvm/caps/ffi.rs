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
        kvm_cpuid_entry2, //
    },
    prelude::*, //
};

use super::{
    feature::Words,
    generated,
    guest::GuestCaps,
    host::HostCaps,
    leaf::Entry,
    optout, //
};

static_assert!(generated::NCAPINTS == bindings::NCAPINTS as usize);
static_assert!(Entry::SIGNIFICANT_INDEX == bindings::KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
static_assert!(size_of::<Entry>() == size_of::<kvm_cpuid_entry2>());
static_assert!(align_of::<Entry>() == align_of::<kvm_cpuid_entry2>());

/// Asserts that the fields stand where the C structure has them.
macro_rules! assert_same_offset {
    ($($field:ident),*) => {
        $(static_assert!(offset_of!(Entry, $field) == offset_of!(kvm_cpuid_entry2, $field));)*
    };
}
assert_same_offset!(function, index, flags, eax, ebx, ecx, edx, padding);

/// Computes a vCPU's capabilities from its CPUID entries.
///
/// * `caps`: the vCPU's capability words, which are overwritten.
/// * `host`: what KVM supports, i.e. `kvm_cpu_caps`.
/// * `entries`: the vCPU's CPUID entries. Null if there are none.
/// * `nent`: the number of entries.
///
/// # Safety
///
/// * `caps` must be valid for writing `NR_KVM_CPU_CAPS` words.
/// * `host` must be valid for reading `NR_KVM_CPU_CAPS` words.
/// * `entries` must be null, or valid for reading `nent` entries.
///
/// Nobody may write to `host` and `entries` while the function runs.
#[export]
pub(crate) unsafe extern "C" fn kvm_guest_caps_init(
    caps: *mut u32,
    host: *const u32,
    entries: *const kvm_cpuid_entry2,
    nent: c_int,
) {
    // SAFETY: By the safety requirements of this function; `HostCaps` is transparent.
    let host = unsafe { &*host.cast::<HostCaps>() };
    let nent = usize::try_from(nent).unwrap_or(0);
    let entries = if entries.is_null() {
        &[]
    } else {
        // SAFETY: By the safety requirements of this function, and by the assertions above `Entry`
        // has the layout of `kvm_cpuid_entry2`.
        unsafe { slice::from_raw_parts(entries.cast::<Entry>(), nent) }
    };

    // SAFETY: By the safety requirements of this function.
    unsafe { caps.cast::<Words>().write(GuestCaps::new(host, entries).0) };
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
    // SAFETY: By the safety requirements of this function; `HostCaps` is transparent.
    let host = unsafe { &*host.cast::<HostCaps>() };

    let Some(emulated) = optout::emulated(host, function) else {
        return false;
    };
    // SAFETY: By the safety requirements of this function, and by the assertions above `Entry` has
    // the layout of `kvm_cpuid_entry2`.
    unsafe { entry.cast::<Entry>().write(emulated) };
    true
}
