// SPDX-License-Identifier: GPL-2.0

//! The KUnit suites of both cores in one module, for kernels that are not patched.

use kernel::prelude::*;

#[cfg(CONFIG_ARM64)]
#[path = "arch/arm64/kvm/idregs/idregs.rs"]
mod arm64;

#[cfg(CONFIG_X86_64)]
#[path = "arch/x86/kvm/caps/kunit.rs"]
mod x86;

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
