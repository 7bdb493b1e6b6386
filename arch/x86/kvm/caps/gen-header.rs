// SPDX-License-Identifier: GPL-2.0

//! Tells C what the tables have: a program that runs when the kernel is built.
//!
//! It prints a header with a mask of the features in each capability word that C may ask for, see
//! `kvm_cpu_cap_number()` in `cpuid.h`, and with the words as this crate numbers them, which
//! `cpuid.c` holds against its own.

// The tables are here for one column of theirs.
#![allow(dead_code, unreachable_pub, unused_imports)]

#[path = "../../../../rust/kernel/cpufeature/x86.rs"]
mod cpufeature;
#[path = "../../../../rust/kernel/impl_flags.rs"]
mod impl_flags;

mod facts;
#[path = "tables/policy.rs"]
mod policy;

use cpufeature::{
    Leaf,
    LEAVES,
    NR_KVM_CPU_CAPS,
    WORD_NAMES, //
};

fn main() {
    println!("/* Generated from caps/tables/policy.rs. Do not edit. */");
    println!("#define KVM_CAPS_QUERIED {{ \\");
    for (word, queried) in policy::QUERIED.iter().enumerate() {
        println!("\t[{word}] = {queried:#010x}, \\");
    }
    println!("}}");
    println!();
    println!("#define KVM_CAPS_NR_WORDS {NR_KVM_CPU_CAPS}");
    println!();
    println!("/* X(word, its index, the leaf's function and index, and the register) */");
    println!("#define KVM_CAPS_FOR_EACH_WORD(X) \\");
    for (word, (name, leaf)) in WORD_NAMES.iter().zip(LEAVES).enumerate() {
        // A word that mirrors no register has zeros in C.
        let (function, index, reg) = match leaf {
            Some(Leaf {
                function,
                index,
                reg,
            }) => (function, index, reg as u32),
            None => (0, 0, 0),
        };

        println!("\tX({name}, {word}, {function:#x}, {index}, {reg}); \\");
    }
    println!();
}
