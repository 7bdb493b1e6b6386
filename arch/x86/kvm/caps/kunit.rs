// SPDX-License-Identifier: GPL-2.0

//! The x86 core without its boundary with C, for `guestcaps_kunit.ko`. Not part of the series.

// Who would call it stands in ffi.rs.
#![allow(dead_code)]

mod ctrl;
mod feature;
mod generated;
mod guest;
mod host;
mod leaf;
mod optout;
mod policy;
mod runtime;
mod scan;
mod view;
