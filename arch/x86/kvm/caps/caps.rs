// SPDX-License-Identifier: GPL-2.0

//! What a vCPU may use: KVM's guest capabilities.
//!
//! A capability is a bit of a CPUID register. KVM keeps those of the host in `kvm_cpu_caps` and
//! those of a vCPU in `kvm_vcpu_arch::cpu_caps`, as arrays of words that C reads and only this
//! crate computes:
//!
//! - [`tables`]: the policy, its exceptions, the bits of control registers, and what userspace is
//!   told, as rows;
//! - [`facts`]: what rows depend on, and how a condition is judged;
//! - [`host`]: the words of the host;
//! - [`leaves`]: what userspace is told of them, in leaves of CPUID;
//! - [`guest`]: the words of a vCPU, and what else KVM derives from its entries;
//! - [`cpuid`]: guest CPUID's entries, and how one is found;
//! - [`runtime`]: what KVM keeps up to date in them as the vCPU's state changes;
//! - [`xstate`]: the size of the area that XSAVE writes;
//! - [`view`]: the same for people, a line a feature;
//! - [`query`]: the same for userspace, and what would become of a table of entries;
//! - [`c`]: structures that C knows as well;
//! - [`ffi`]: what C calls. Everything `unsafe` is there.
//!
//! Words mean the same in all of them: the *kernel* has a feature, *KVM* supports it, *guest* CPUID
//! asks for it, the *vCPU* may use it.
//!
//! C header: [`arch/x86/kvm/caps.h`](srctree/arch/x86/kvm/caps.h)

#![deny(unsafe_code)]

use kernel::{
    cpufeature,
    impl_flags, //
};

pub(crate) mod c;
pub(crate) mod cpuid;
pub(crate) mod facts;
pub(crate) mod ffi;
pub(crate) mod guest;
pub(crate) mod host;
pub(crate) mod leaves;
pub(crate) mod query;
pub(crate) mod runtime;
pub(crate) mod tables;
#[cfg(CONFIG_KVM_CAPS_KUNIT_TEST)]
mod tests;
pub(crate) mod view;
pub(crate) mod xstate;
