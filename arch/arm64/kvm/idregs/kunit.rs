// SPDX-License-Identifier: GPL-2.0

//! The arm64 core without its boundary with C, for `guestcaps_kunit.ko`. Not part of the series.

// Who would call it stands in ffi.rs.
#![allow(dead_code)]

mod check;
mod compat;
mod condition;
mod default;
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
