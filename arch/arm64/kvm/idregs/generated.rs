// SPDX-License-Identifier: GPL-2.0

//! The kernel's own description of ID registers, translated to Rust when the kernel is built.

use super::field::{
    Field,
    Register,
    NUM_REGISTERS, //
};

include!(env!("KVM_IDREGS_GENERATED"));

/// All registers, by their index.
pub(crate) const REGISTERS: [Register; NUM_REGISTERS] = {
    // Each has its own place: there are as many as places, and index() tells them apart.
    let mut registers = [*ALL[0]; NUM_REGISTERS];
    let mut i = 0;
    while i < ALL.len() {
        registers[ALL[i].index()] = *ALL[i];
        i += 1;
    }
    registers
};

/// The description of a field, by name.
macro_rules! field {
    ($register:ident.$field:ident) => {
        const {
            match $register.field(stringify!($field)) {
                Some(field) => field,
                None => panic!("arch/arm64/tools/sysreg has no such field"),
            }
        }
    };
}
pub(super) use field;

/// A value of a field, all by name.
macro_rules! named {
    ($register:ident.$field:ident, $value:tt) => {
        const {
            match field!($register.$field).value(stringify!($value)) {
                Some(value) => value,
                None => panic!("arch/arm64/tools/sysreg has no such value"),
            }
        }
    };
}
pub(super) use named;

/// The index of a register, by name.
macro_rules! index {
    ($register:ident) => {
        const { $register.index() }
    };
}
pub(super) use index;
