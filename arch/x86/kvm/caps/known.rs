// SPDX-License-Identifier: GPL-2.0

//! Tells C which features the policy knows: a program that runs when the kernel is built.
//!
//! It prints a header with a mask for each capability word. C that asks for any other feature does
//! not build, see `kvm_cpu_cap_number()` in `cpuid.h`.

// The policy is here for what it knows, not to be applied.
#![allow(dead_code)]

// The policy needs no more of the kernel crate than this.
extern crate self as kernel;

mod prelude {
    pub(crate) use macros::kunit_tests;
}

mod feature;
mod generated;
mod host;
mod leaf;
mod policy;

fn main() {
    println!("/* Generated from caps/policy.rs. Do not edit. */");
    println!("#define KVM_CAPS_KNOWN {{ \\");
    for (word, known) in policy::KNOWN.iter().enumerate() {
        println!("\t[{word}] = {known:#010x}, \\");
    }
    println!("}}");
}
