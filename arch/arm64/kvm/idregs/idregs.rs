// SPDX-License-Identifier: GPL-2.0

//! What KVM lets VMs see in ID registers.
//!
//! `limits.rs` is the policy, one row a field, in the words of `policy.rs` and `facts.rs`. All else
//! are functions over rows, over the host's registers and over facts: the value a VM starts with
//! (`vm.rs`), what userspace may write (`check.rs`), and what people (`view.rs`) and programs
//! (`query.rs`) are told. Only `ffi.rs` knows C.
//!
//! C header: [`arch/arm64/kvm/idregs.h`](srctree/arch/arm64/kvm/idregs.h)

#![deny(unsafe_code)]

use kernel::{
    cpufeature,
    impl_flags, //
};

mod c;
mod check;
mod facts;
#[expect(unsafe_code)]
mod ffi;
mod limits;
mod needs;
mod policy;
mod query;
mod row;
#[cfg(CONFIG_KVM_IDREGS_KUNIT_TEST)]
mod tests;
mod view;
mod vm;
