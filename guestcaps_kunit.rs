// SPDX-License-Identifier: GPL-2.0

//! The KUnit suites of the architecture's core in a module, see Kbuild: the core without its boundary
//! with C.

#![allow(dead_code)]
// The x86 core's paths begin at the root of its crate, which is here.
#![allow(unused_imports)]

use kernel::{
    cpufeature,
    impl_flags,
    prelude::*, //
};

#[cfg(CONFIG_X86_64)]
#[path = "arch/x86/kvm/caps"]
mod core_of_kvm {
    pub(crate) mod c;
    pub(crate) mod cpuid;
    pub(crate) mod facts;
    pub(crate) mod guest;
    pub(crate) mod host;
    pub(crate) mod leaves;
    pub(crate) mod query;
    pub(crate) mod runtime;
    pub(crate) mod tables;
    mod tests;
    pub(crate) mod view;
    pub(crate) mod xstate;
}

#[cfg(CONFIG_ARM64)]
#[path = "arch/arm64/kvm/idregs"]
mod core_of_kvm {
    use super::{
        cpufeature,
        impl_flags, //
    };

    mod c;
    mod check;
    mod facts;
    mod limits;
    mod needs;
    mod policy;
    mod query;
    mod row;
    mod tests;
    mod view;
    mod vm;
}
use core_of_kvm::*;

module! {
    type: GuestcapsKunit,
    name: "guestcaps_kunit",
    authors: ["guestcaps maintainers"],
    description: "KUnit suites of KVM's guest capabilities",
    license: "GPL",
}

/// Does nothing: KUnit finds the suites in the module's own section.
struct GuestcapsKunit;

impl kernel::Module for GuestcapsKunit {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}
