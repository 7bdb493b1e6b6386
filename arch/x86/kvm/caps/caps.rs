// SPDX-License-Identifier: GPL-2.0

//! What a vCPU may use: KVM's guest capabilities.
//!
//! A capability is a bit of a CPUID register. KVM keeps those of the host in `kvm_cpu_caps` and
//! those of a vCPU in `kvm_vcpu_arch::cpu_caps`, as arrays of words that C reads and only this
//! crate computes:
//!
//! - [`leaf`]: CPUID functions, indices and registers, and guest CPUID's entries;
//! - [`feature`]: a word and a bit in it, or a bit that the kernel itself keeps;
//! - [`policy`]: the table of what KVM supports, a row a feature;
//! - [`host`]: the words of the host, i.e. the policy of a snapshot of it;
//! - [`optout`]: the table of exceptions to "host AND guest CPUID", read by
//!   `KVM_GET_EMULATED_CPUID` as well;
//! - [`scan`]: one pass over a guest's entries, which finds all that KVM looks up;
//! - [`runtime`]: what KVM keeps up to date in the entries as the vCPU's state changes;
//! - [`ctrl`]: the tables of what CR4 and EFER may have;
//! - [`guest`]: the words of a vCPU, and what else KVM derives from its entries;
//! - [`view`]: the same for people, a line a feature;
//! - [`ffi`]: what C calls. Everything `unsafe` is there.
//!
//! C header: [`arch/x86/kvm/caps.h`](srctree/arch/x86/kvm/caps.h)

mod ctrl;
mod feature;
mod ffi;
mod generated;
mod guest;
mod host;
mod leaf;
mod optout;
mod policy;
mod runtime;
mod scan;
mod view;
