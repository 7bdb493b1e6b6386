// SPDX-License-Identifier: GPL-2.0

//! Tells C what the tables have: a program that runs when the kernel is built.
//!
//! It prints a header with a mask of the features in each capability word that C may ask for, see
//! `kvm_cpu_cap_number()` in `cpuid.h`, and with the words as this crate numbers them, and the
//! functions of CPUID that look at the index, which `cpuid.c` holds against its own.

// The tables are here for one column of theirs.
#![allow(dead_code, unreachable_pub, unused_imports)]

#[path = "../../../../rust/kernel/cpufeature/x86.rs"]
mod cpufeature;
#[path = "../../../../rust/kernel/impl_flags.rs"]
mod impl_flags;

mod facts;
mod tables {
    pub(crate) mod leaves;
    pub(crate) mod policy;
}

use cpufeature::{
    Leaf,
    LEAVES,
    NR_KVM_CPU_CAPS,
    WORD_NAMES, //
};
use tables::{
    leaves,
    policy, //
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
    println!("/* X(function, whether it looks at the index), of all that KVM may report */");
    println!("#define KVM_CAPS_FOR_EACH_FUNCTION(X) \\");
    for function in leaves::RANGES
        .iter()
        .flat_map(|(base, _)| *base..*base + 0x40)
    {
        let indexed = leaves::is_indexed(function);

        println!("\tX({function:#x}, {indexed}); \\");
    }
    println!();
}
