// SPDX-License-Identifier: GPL-2.0

//! Types of C's that all of the core may name; functions and pointers are for `ffi.rs` alone.
//!
//! C header: [`arch/arm64/kvm/idregs.h`](srctree/arch/arm64/kvm/idregs.h)

pub(super) use kernel::bindings::kvm_idreg_fact;
