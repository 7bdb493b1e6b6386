// SPDX-License-Identifier: GPL-2.0

//! What KVM lets VMs see in ID registers.
//!
//! `limits.rs` is the policy, one row a field. Everything else are pure functions over it and over
//! the host's registers: the value a VM starts with, and what userspace may write. Only `ffi.rs`
//! knows C.
//!
//! C header: [`arch/arm64/kvm/idregs.h`](srctree/arch/arm64/kvm/idregs.h)

mod check;
mod compat;
mod condition;
mod default;
mod ffi;
mod field;
mod generated;
mod host;
mod limits;
mod order;
mod row;
#[cfg(CONFIG_KUNIT = "y")]
mod tests;
mod view;

use host::Host;
