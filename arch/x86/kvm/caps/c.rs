// SPDX-License-Identifier: GPL-2.0

//! What this crate and C both know, as bindgen has it: structures and numbers, but no function and
//! no pointer.
//!
//! C header: [`arch/x86/kvm/caps.h`](srctree/arch/x86/kvm/caps.h)

use kernel::bindings;

pub(crate) use bindings::{
    kvm_cpuid_entry2 as Entry,
    kvm_cpuid_runtime as Runtime,
    kvm_guest_cpuid as GuestCpuid,
    kvm_xstate_sizes_kvm_xstate_size as XstateSize, //
};

/// As many entries as KVM takes: `KVM_MAX_CPUID_ENTRIES`.
pub(crate) const MAX_ENTRIES: usize = bindings::KVM_CAPS_MAX_ENTRIES as usize;

/// `KVM_CPUID_FLAG_SIGNIFCANT_INDEX`: the entry answers for its own index only.
pub(crate) const SIGNIFICANT_INDEX: u32 = bindings::KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
