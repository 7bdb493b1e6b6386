// SPDX-License-Identifier: GPL-2.0

//! The kernel's own description of CPUID, translated to Rust when the kernel is built.

#![allow(dead_code)]

use super::{
    feature::{
        Feature,
        KernelFlag, //
    },
    leaf::{
        Leaf,
        Reg, //
    }, //
};

include!(env!("KVM_CAPS_GENERATED"));
