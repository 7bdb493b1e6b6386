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

include!("core_of_kvm.inc");
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
