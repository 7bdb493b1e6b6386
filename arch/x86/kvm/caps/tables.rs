// SPDX-License-Identifier: GPL-2.0

//! The tables: all that KVM has to say about what a guest may use, a row each.
//!
//! - [`policy`]: what KVM supports of each feature;
//! - [`optouts`]: the exceptions to "host AND guest CPUID", read by `KVM_GET_EMULATED_CPUID` as
//!   well;
//! - [`control_regs`]: the bits of CR4 and EFER;
//! - [`leaves`]: what `KVM_GET_SUPPORTED_CPUID` reports.

pub(crate) mod control_regs;
pub(crate) mod leaves;
pub(crate) mod optouts;
pub(crate) mod policy;
