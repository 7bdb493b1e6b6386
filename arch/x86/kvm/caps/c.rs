// SPDX-License-Identifier: GPL-2.0

//! What this crate and C both know, as bindgen has it: structures and numbers, but no function and
//! no pointer.
//!
//! C header: [`arch/x86/kvm/caps.h`](srctree/arch/x86/kvm/caps.h)

use kernel::bindings;

pub(crate) use bindings::{
    kvm_cpuid_entry2 as Entry,
    kvm_cpuid_index as Positions,
    kvm_cpuid_runtime as Runtime,
    kvm_guest_cpuid as GuestCpuid,
    kvm_leaves_snapshot as Snapshot,
    kvm_xstate_sizes_kvm_xstate_size as XstateSize, //
};

/// CET's components of IA32_XSS.
pub(crate) const CET_STATE: u64 =
    1 << bindings::xfeature_XFEATURE_CET_USER | 1 << bindings::xfeature_XFEATURE_CET_KERNEL;

/// What the kernel knows of MISCSELECT, `SGX_MISC_*`.
pub(crate) const SGX_MISC: u32 = bindings::KVM_CAPS_SGX_MISC;

/// What the kernel knows of SECS.ATTRIBUTES, `SGX_ATTR_*`.
pub(crate) const SGX_ATTRIBUTES: u32 = bindings::KVM_CAPS_SGX_ATTRIBUTES;

/// The paravirtual features that every host offers, `KVM_FEATURE_*`.
pub(crate) const PV_FEATURES: u32 = 1 << bindings::KVM_FEATURE_CLOCKSOURCE
    | 1 << bindings::KVM_FEATURE_NOP_IO_DELAY
    | 1 << bindings::KVM_FEATURE_CLOCKSOURCE2
    | 1 << bindings::KVM_FEATURE_ASYNC_PF
    | 1 << bindings::KVM_FEATURE_PV_EOI
    | PV_UNHALT
    | 1 << bindings::KVM_FEATURE_PV_TLB_FLUSH
    | 1 << bindings::KVM_FEATURE_ASYNC_PF_VMEXIT
    | 1 << bindings::KVM_FEATURE_PV_SEND_IPI
    | 1 << bindings::KVM_FEATURE_POLL_CONTROL
    | 1 << bindings::KVM_FEATURE_PV_SCHED_YIELD
    | 1 << bindings::KVM_FEATURE_ASYNC_PF_INT
    | 1 << bindings::KVM_FEATURE_CLOCKSOURCE_STABLE_BIT;

/// The one that goes where HLT doesn't exit.
pub(crate) const PV_UNHALT: u32 = 1 << bindings::KVM_FEATURE_PV_UNHALT;

/// The one that takes a kernel that counts the time of its tasks.
pub(crate) const STEAL_TIME: u32 = 1 << bindings::KVM_FEATURE_STEAL_TIME;

/// As many entries as KVM takes: `KVM_MAX_CPUID_ENTRIES`.
pub(crate) const MAX_ENTRIES: usize = bindings::KVM_CAPS_MAX_ENTRIES as usize;

/// `KVM_CPUID_FLAG_SIGNIFCANT_INDEX`: the entry answers for its own index only.
pub(crate) const SIGNIFICANT_INDEX: u32 = bindings::KVM_CPUID_FLAG_SIGNIFCANT_INDEX;

/// Hyper-V's interface: "Hv#1".
pub(crate) const HYPERV_INTERFACE: u32 = bindings::HYPERV_CPUID_SIGNATURE_EAX;
