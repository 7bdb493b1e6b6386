// SPDX-License-Identifier: GPL-2.0

//! What arm64's ID registers say of CPUs: registers, their fields, and the values of fields; and
//! what the registers are that go with them.
//!
//! A register is a module that has [`Register`] as `REGISTER`; a field is a module in it that has
//! [`Field`] as `FIELD`, a constant for each value that has a name, and all names as `VALUES`. A
//! name that begins with a digit has an underscore in front of it. The registers are `CTR_EL0`,
//! `S3_0_0_C<1-7>_<0-7>`, and the hypervisor's `HCR_EL2` and `HCRX_EL2`; of all other system
//! registers, [`sysreg`] has names and encodings.
//!
//! All of it is made from [`arch/arm64/tools/sysreg`](srctree/arch/arm64/tools/sysreg) and
//! [`sysreg.h`](srctree/arch/arm64/include/asm/sysreg.h) when the kernel is built, and needs
//! nothing but `core`.
//!
//! Arm ARM (DDI 0487), D24.1.3 "Principles of the ID scheme for fields in ID registers".
//!
//! # Examples
//!
//! ```
//! use kernel::cpufeature::{sysreg, ID_AA64ISAR0_EL1};
//! use kernel::cpufeature::{ID_AA64ISAR0_EL1::AES, ID_AA64MMFR0_EL1::PARANGE};
//!
//! let aes = AES::FIELD;
//! assert_eq!(aes.get(0x0021_1110_0000_0020), AES::PMULL);
//! assert_eq!(AES::VALUES[2], ("PMULL", AES::PMULL));
//! assert_eq!(aes.mask(), 0xf0);
//!
//! assert_eq!(ID_AA64ISAR0_EL1::REGISTER.encoding, [3, 0, 0, 6, 0]);
//! assert_eq!(sysreg::TCR2_EL1.encoding, [3, 0, 2, 0, 3]);
//! assert_eq!(PARANGE::_48, 5);
//! assert_eq!(PARANGE::VALUES[5], ("48", 5));
//! ```

// Names are the architecture's own.
#![allow(non_snake_case, non_upper_case_globals)]

/// What the bits of a field are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A value with names, compared as unsigned.
    Unsigned,
    /// A value with names, compared as signed.
    Signed,
    /// A number without names.
    Number,
    /// Reserved, zero.
    Res0,
    /// Reserved, one.
    Res1,
    /// Allocated, reads as zero.
    Raz,
}

/// A field of an ID register.
///
/// # Examples
///
/// Reserved bits are fields too, so that all bits belong to one.
///
/// ```
/// use kernel::cpufeature::{ID_AA64PFR0_EL1::FP, Kind, CTR_EL0, REGISTERS};
///
/// assert_eq!(FP::FIELD.kind, Kind::Signed);
/// assert_eq!(FP::FIELD.not_implemented, FP::NI);
/// assert_eq!(FP::FIELD.put(0, FP::NI), 0xf_0000);
///
/// assert_eq!(CTR_EL0::RES1_31_31::FIELD.kind, Kind::Res1);
/// assert!(CTR_EL0::RES1_31_31::FIELD.is_reserved());
/// for register in REGISTERS {
///     assert_eq!(register.fields.iter().fold(0, |bits, field| bits ^ field.mask()), u64::MAX);
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Field {
    /// Its name; reserved bits have a made-up one, such as `RES0_63_60`.
    pub name: &'static str,
    /// Its highest bit.
    pub msb: u32,
    /// Its lowest bit.
    pub lsb: u32,
    /// What the bits are.
    pub kind: Kind,
    /// What it reads as if nothing is implemented: `NI` where there is one, else zero; ones where
    /// one is reserved.
    pub not_implemented: u64,
    /// The numbers that have a name, as bits; all, if none has.
    pub named: u64,
}

/// The names of a field's values.
pub type Values = &'static [(&'static str, u64)];

impl Field {
    const fn new(name: &'static str, [msb, lsb]: [u32; 2], kind: Kind, values: Values) -> Self {
        assert!(lsb <= msb && msb < u64::BITS);
        let mut field = Self {
            name,
            msb,
            lsb,
            kind,
            not_implemented: 0,
            named: 0,
        };
        if matches!(kind, Kind::Res1) {
            field.not_implemented = field.max();
        }
        let mut i = 0;
        while i < values.len() {
            if matches!(values[i].0.as_bytes(), b"NI") {
                field.not_implemented = values[i].1;
            }
            field.named |= 1 << values[i].1;
            i += 1;
        }
        if field.named == 0 {
            field.named = u64::MAX;
        }
        field
    }

    /// How many bits it has.
    #[inline]
    pub const fn width(&self) -> u32 {
        self.mask().count_ones()
    }

    /// Whether a bit of the register, by its number, is the field's.
    #[inline]
    pub const fn has(&self, bit: u32) -> bool {
        self.lsb <= bit && bit <= self.msb
    }

    /// The highest number that the field can hold.
    #[inline]
    pub const fn max(&self) -> u64 {
        let above = (u64::BITS - 1)
            .wrapping_sub(self.msb)
            .wrapping_add(self.lsb);
        u64::MAX.wrapping_shr(above)
    }

    /// The field's bits in its register.
    #[inline]
    pub const fn mask(&self) -> u64 {
        self.max().wrapping_shl(self.lsb)
    }

    /// The field's value in a register.
    #[inline]
    pub const fn get(&self, word: u64) -> u64 {
        word.wrapping_shr(self.lsb) & self.max()
    }

    /// A register, with another value of the field.
    #[inline]
    pub const fn put(&self, word: u64, value: u64) -> u64 {
        word & !self.mask() | (value & self.max()).wrapping_shl(self.lsb)
    }

    /// Whether it stands for bits that the architecture has not allocated.
    #[inline]
    pub const fn is_reserved(&self) -> bool {
        matches!(self.kind, Kind::Res0 | Kind::Res1 | Kind::Raz)
    }
}

/// What a system register is accessed by: op0, op1, CRn, CRm and op2.
pub type Encoding = [u8; 5];

/// A system register, of which no more is described.
#[derive(Clone, Copy)]
pub struct SysReg {
    /// Its name.
    pub name: &'static str,
    /// How it is accessed.
    pub encoding: Encoding,
}

impl SysReg {
    const fn new(name: &'static str, encoding: Encoding) -> Self {
        Self { name, encoding }
    }
}

/// A register with its fields.
#[derive(Clone, Copy)]
pub struct Register {
    /// Its name; `S3_0_0_C<CRm>_<op2>` if it is not allocated.
    pub name: &'static str,
    /// How it is accessed.
    pub encoding: Encoding,
    /// All its bits, from the highest to the lowest.
    pub fields: &'static [Field],
}

impl Register {
    const fn unallocated(name: &'static str, crm: u8, op2: u8) -> Self {
        Self {
            name,
            encoding: [3, 0, 0, crm, op2],
            fields: &[const { Field::new("RES0_63_0", [63, 0], Kind::Res0, &[]) }],
        }
    }
}

include!(concat!(
    env!("OBJTREE"),
    "/rust/kernel/generated_cpufeature.rs"
));
