// SPDX-License-Identifier: GPL-2.0

//! ID registers and their fields, as `arch/arm64/tools/sysreg` describes them.
//!
//! Arm ARM (DDI 0487), D24.1.3 "Principles of the ID scheme for fields in ID registers".

/// Number of registers: `S3_0_0_C<1-7>_<0-7>`, allocated or not, and `CTR_EL0`.
pub(crate) const NUM_REGISTERS: usize = 57;

/// Index of `CTR_EL0`; the others are at `(CRm - 1) * 8 + op2`, as in `IDREG_IDX()`.
pub(crate) const CTR_EL0: usize = 56;

/// What the bits of a field are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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
#[derive(Clone, Copy)]
pub(crate) struct Field {
    /// Name, as in the Arm ARM; reserved bits have a made-up one.
    pub(crate) name: &'static str,
    /// Highest bit.
    pub(crate) msb: u32,
    /// Lowest bit.
    pub(crate) lsb: u32,
    /// What the bits are.
    pub(crate) kind: Kind,
    /// The names of its values.
    pub(crate) values: &'static [(&'static str, u64)],
}

type Values = &'static [(&'static str, u64)];

impl Field {
    const fn new(msb: u32, lsb: u32, name: &'static str, kind: Kind, values: Values) -> Self {
        assert!(lsb <= msb && msb < u64::BITS);
        Self {
            name,
            msb,
            lsb,
            kind,
            values,
        }
    }

    pub(super) const fn unsigned(msb: u32, lsb: u32, name: &'static str, values: Values) -> Self {
        Self::new(msb, lsb, name, Kind::Unsigned, values)
    }

    pub(super) const fn signed(msb: u32, lsb: u32, name: &'static str, values: Values) -> Self {
        Self::new(msb, lsb, name, Kind::Signed, values)
    }

    pub(super) const fn number(msb: u32, lsb: u32, name: &'static str) -> Self {
        Self::new(msb, lsb, name, Kind::Number, &[])
    }

    pub(super) const fn res0(msb: u32, lsb: u32, name: &'static str) -> Self {
        Self::new(msb, lsb, name, Kind::Res0, &[])
    }

    pub(super) const fn res1(msb: u32, lsb: u32, name: &'static str) -> Self {
        Self::new(msb, lsb, name, Kind::Res1, &[])
    }

    pub(super) const fn raz(msb: u32, lsb: u32, name: &'static str) -> Self {
        Self::new(msb, lsb, name, Kind::Raz, &[])
    }

    /// Highest value the field can hold.
    pub(crate) const fn max(&self) -> u64 {
        u64::MAX >> (u64::BITS - 1 - (self.msb - self.lsb))
    }

    /// The field's bits in the register.
    pub(crate) const fn mask(&self) -> u64 {
        self.max() << self.lsb
    }

    /// The field's highest bit in the register.
    pub(crate) const fn top(&self) -> u64 {
        1 << self.msb
    }

    /// The field's value in a register.
    pub(crate) const fn get(&self, word: u64) -> u64 {
        (word >> self.lsb) & self.max()
    }

    /// Whether it stands for bits that the architecture has not allocated.
    pub(crate) const fn is_reserved(&self) -> bool {
        matches!(self.kind, Kind::Res0 | Kind::Res1 | Kind::Raz)
    }

    /// The value of a name.
    pub(crate) const fn value(&self, name: &str) -> Option<u64> {
        let mut i = 0;
        while i < self.values.len() {
            if same(self.values[i].0, name) {
                return Some(self.values[i].1);
            }
            i += 1;
        }
        None
    }

    /// What the field reads as if nothing is implemented: `NI` where it has one, else zero; ones
    /// where one is reserved.
    pub(crate) const fn not_implemented(&self) -> u64 {
        match (self.kind, self.value("NI")) {
            (Kind::Res1, _) => self.max(),
            (_, Some(value)) => value,
            (_, None) => 0,
        }
    }
}

/// An ID register.
#[derive(Clone, Copy)]
pub(crate) struct Register {
    /// Name, as in the Arm ARM.
    pub(crate) name: &'static str,
    /// op0, op1, CRn, CRm and op2.
    pub(crate) encoding: [usize; 5],
    /// All bits, from the highest to the lowest.
    pub(crate) fields: &'static [Field],
}

impl Register {
    pub(super) const fn new(
        name: &'static str,
        encoding: [usize; 5],
        fields: &'static [Field],
    ) -> Self {
        Self {
            name,
            encoding,
            fields,
        }
    }

    /// Its place in arrays of registers; `NUM_REGISTERS` if KVM does not keep it per VM.
    pub(crate) const fn index(&self) -> usize {
        match self.encoding {
            [3, 3, 0, 0, 1] => CTR_EL0,
            [3, 0, 0, crm, op2] if 1 <= crm && crm <= 7 && op2 <= 7 => (crm - 1) * 8 + op2,
            _ => NUM_REGISTERS,
        }
    }

    /// The field of a name.
    pub(crate) const fn field(&self, name: &str) -> Option<&'static Field> {
        let mut i = 0;
        while i < self.fields.len() {
            if same(self.fields[i].name, name) {
                return Some(&self.fields[i]);
            }
            i += 1;
        }
        None
    }
}

/// Whether two names are the same, when the kernel is built.
const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}
