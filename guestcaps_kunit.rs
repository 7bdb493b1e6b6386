// SPDX-License-Identifier: GPL-2.0

//! The KUnit suites of the architecture's core in a module, see Kbuild.

// Who calls the core, its boundary with C, is not here.
#![allow(dead_code)]
// The x86 core's paths begin at the root of its crate, which is here.
#![allow(unused_imports)]

use kernel::{
    cpufeature,
    impl_flags,
    prelude::*, //
};

#[cfg_attr(CONFIG_ARM64, path = "arch/arm64/kvm/idregs/idregs.rs")]
#[cfg_attr(CONFIG_X86_64, path = "arch/x86/kvm/caps/caps.rs")]
mod core_of_kvm;
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
