// SPDX-License-Identifier: GPL-2.0

//! What a vCPU may use: KVM's guest capabilities.
//!
//! A capability is a bit of a CPUID register. KVM keeps those of the host in `kvm_cpu_caps` and
//! those of a vCPU in `kvm_vcpu_arch::cpu_caps`, as arrays of words that C reads and only this
//! crate computes:
//!
//! - [`leaf`]: CPUID functions, indices and registers, and which word mirrors which of them;
//! - [`feature`]: a word and a bit in it;
//! - [`host`]: the words of the host, i.e. what KVM supports;
//! - [`optout`]: the table of exceptions to "host AND guest CPUID", read by
//!   `KVM_GET_EMULATED_CPUID` as well;
//! - [`guest`]: the words of a vCPU, from one pass over its CPUID entries;
//! - [`ffi`]: what C calls. Everything `unsafe` is there.
//!
//! C header: [`arch/x86/kvm/caps.h`](srctree/arch/x86/kvm/caps.h)

mod feature;
mod ffi;
mod guest;
mod host;
mod leaf;
mod optout;

/// The kernel's own description of CPUID, translated to Rust when the kernel is built.
mod generated {
    #![allow(dead_code)]

    use super::{
        feature::Feature,
        leaf::{
            Leaf,
            Reg, //
        }, //
    };

    include!(env!("KVM_CAPS_GENERATED"));
}
