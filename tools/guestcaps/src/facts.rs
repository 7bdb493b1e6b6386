// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Names and rules, made from `facts/` when the crate is built.

use crate::place::{Place, Reg};

/// How the values of a field compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Lower values promise less.
    LowerSafe,
    /// Higher values promise less.
    HigherSafe,
    /// Values that don't compare; this one can be without any of what the others say.
    Exact(u64),
    /// A number that nobody judges.
    Number,
}

/// Bits that belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// As the Arm ARM and cpuid.csv have it; empty if it has no name.
    pub name: &'static str,
    /// What cpuid.csv says of it.
    pub words: &'static str,
    /// Its lowest bit.
    pub lsb: u8,
    /// How many bits it has.
    pub width: u8,
    /// How its values compare.
    pub order: Order,
    /// As signed numbers.
    pub signed: bool,
    /// Whether programs of the guest are told of it.
    pub hwcap: bool,
    /// Names of values.
    pub values: &'static [(&'static str, u64)],
}

impl Field {
    /// Bits of which nothing is known.
    pub const fn unknown(lsb: u8, width: u8) -> Self {
        Self {
            name: "",
            words: "",
            lsb,
            width,
            order: Order::Number,
            signed: false,
            hwcap: false,
            values: &[],
        }
    }

    /// All ones.
    pub const fn max(&self) -> u64 {
        match self.width {
            0 => 0,
            width => u64::MAX >> 64_u8.saturating_sub(width),
        }
    }

    /// Its bits in the word.
    pub const fn mask(&self) -> u64 {
        self.max() << (self.lsb & 63)
    }

    /// Its value in a word.
    pub const fn get(&self, word: u64) -> u64 {
        (word & self.mask()) >> (self.lsb & 63)
    }

    /// The word with another value in it.
    pub const fn put(&self, word: u64, value: u64) -> u64 {
        word & !self.mask() | value << (self.lsb & 63) & self.mask()
    }

    /// A number that compares as its values do.
    pub const fn rank(&self, value: u64) -> u64 {
        if self.signed {
            value ^ self.max() ^ self.max() >> 1
        } else {
            value
        }
    }

    /// The value that promises nothing.
    pub fn nothing(&self) -> u64 {
        let found = self.values.iter().find(|(name, _)| *name == "NI");
        found.map_or(0, |(_, none)| *none)
    }

    /// A value, with its name.
    pub fn value_name(&self, value: u64) -> String {
        match self.values.iter().find(|(_, number)| *number == value) {
            _ if self.width == 1 => value.to_string(),
            Some((name, _)) => format!("{value:#x} {name}"),
            None => format!("{value:#x}"),
        }
    }
}

/// A register of arm64.
#[derive(Debug)]
pub struct Register {
    /// As the Arm ARM has it.
    pub name: &'static str,
    /// op0 to op2, as in the instruction MRS.
    pub id: u16,
    /// From the highest bits to the lowest; none if nothing is known.
    pub fields: &'static [Field],
}

/// What CPUID returns in a register, for a function and a range of indices.
#[derive(Debug)]
pub struct Leaf {
    function: u32,
    low: u32,
    high: u32,
    reg: Reg,
    /// Whether KVM decides about it bit by bit.
    judged: bool,
    fields: &'static [Field],
}

/// A core whose manual says what its registers hold.
#[derive(Debug)]
pub struct Core {
    /// As its manual has it.
    pub name: &'static str,
    implementer: u64,
    part: u64,
    /// Registers, by name.
    pub words: &'static [(&'static str, u64)],
}

type Arm64Term = (&'static str, &'static str, u64);
type Arm64Need = (Arm64Term, Arm64Term, &'static str);
type X86Term = (u32, u32, Reg, u8);
type X86Need = (X86Term, X86Term);

include!(concat!(env!("OUT_DIR"), "/facts.rs"));

/// All registers of arm64 that have a name here.
pub fn registers() -> &'static [Register] {
    ARM64
}

/// A register of arm64.
pub fn register(place: Place) -> Option<&'static Register> {
    let encoding = place.encoding()?;
    ARM64.iter().find(|register| register.id == encoding)
}

/// A register of arm64 that has this name.
pub fn named(name: &str) -> Option<&'static Register> {
    ARM64.iter().find(|register| register.name == name)
}

fn leaf(place: Place) -> Option<&'static Leaf> {
    let Place::Cpuid(function, index, reg) = place else {
        return None;
    };
    X86.iter().find(|leaf| {
        leaf.function == function && leaf.reg == reg && (leaf.low..=leaf.high).contains(&index)
    })
}

/// The fields of a word; all of its bits belong to one.
pub fn fields(place: Place) -> Vec<Field> {
    let known = match place {
        Place::Arm64(_) => register(place).map(|register| register.fields),
        _ => leaf(place).map(|leaf| leaf.fields),
    };
    match known {
        Some(fields) if !fields.is_empty() => fields.to_vec(),
        _ => vec![Field::unknown(0, place.width())],
    }
}

/// A field by its lowest bit and its width.
pub fn field(place: Place, lsb: u8, width: u8) -> Field {
    let mut fields = fields(place).into_iter();
    let found = fields.find(|field| (field.lsb, field.width) == (lsb, width));
    found.unwrap_or(Field::unknown(lsb, width))
}

/// Whether KVM on x86 decides bit by bit about what CPUID returns there.
pub fn is_judged(place: Place) -> bool {
    leaf(place).is_some_and(|leaf| leaf.judged)
}

/// All words of CPUID about which KVM decides bit by bit.
pub fn judged() -> impl Iterator<Item = Place> {
    let judged = X86.iter().filter(|leaf| leaf.judged);
    judged.map(|leaf| Place::Cpuid(leaf.function, leaf.low, leaf.reg))
}

/// The core that MIDR_EL1 names.
pub fn core(midr: u64) -> Option<&'static Core> {
    let (implementer, part) = (midr >> 24 & 0xff, midr >> 4 & 0xfff);
    CORES
        .iter()
        .find(|core| (core.implementer, core.part) == (implementer, part))
}

/// A field that has at least a value.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Term {
    pub place: Place,
    pub field: Field,
    pub least: u64,
}

impl Term {
    fn arm64((register, name, least): Arm64Term) -> Option<Self> {
        let place = Place::sysreg(named(register)?.id);
        let field = fields(place).into_iter().find(|field| field.name == name)?;
        Some(Self {
            place,
            field,
            least,
        })
    }

    fn x86((function, index, reg, bit): X86Term) -> Option<Self> {
        let place = Place::Cpuid(function, index, reg);
        Some(Self {
            place,
            field: field(place, bit, 1),
            least: 1,
        })
    }

    /// Whether a value of the field is that much.
    pub const fn holds(&self, value: u64) -> bool {
        self.field.rank(value) >= self.field.rank(self.least)
    }
}

/// A rule between fields: the first term implies the second.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Need {
    pub has: Term,
    pub needs: Term,
    /// In VMs with SVE, EL2 or AARCH32 only; empty if it holds in all.
    pub vm: &'static str,
}

/// All rules between fields.
pub fn needs() -> impl Iterator<Item = Need> {
    let arm64 = ARM64_NEEDS
        .iter()
        .map(|(has, needs, vm)| (Term::arm64(*has), Term::arm64(*needs), *vm));
    let x86 = X86_NEEDS
        .iter()
        .map(|(has, needs)| (Term::x86(*has), Term::x86(*needs), ""));
    arm64.chain(x86).filter_map(|(has, needs, vm)| {
        Some(Need {
            has: has?,
            needs: needs?,
            vm,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_all_bits_once() {
        let registers = ARM64
            .iter()
            .map(|register| (Place::sysreg(register.id), register.fields));
        let leaves = X86
            .iter()
            .map(|leaf| (Place::Cpuid(leaf.function, leaf.low, leaf.reg), leaf.fields));
        for (place, fields) in registers
            .chain(leaves)
            .filter(|(_, fields)| !fields.is_empty())
        {
            let bits: u32 = fields.iter().map(|field| u32::from(field.width)).sum();
            assert_eq!(
                fields.iter().fold(0, |bits, field| bits ^ field.mask()),
                place.mask(),
                "{place}"
            );
            assert_eq!(bits, u32::from(place.width()), "{place}");
        }
    }

    #[test]
    fn every_rule_is_about_fields_that_exist() {
        assert_eq!(needs().count(), ARM64_NEEDS.len() + X86_NEEDS.len());
        for need in needs() {
            assert!(
                !need.has.field.name.is_empty() && !need.needs.field.name.is_empty(),
                "{need:?}"
            );
        }
    }

    #[test]
    fn signed_values_compare() {
        let place = Place::sysreg(named("ID_AA64PFR0_EL1").unwrap().id);
        let fp = field(place, 16, 4);
        assert!(
            fp.name == "FP" && fp.signed && fp.rank(15) < fp.rank(0) && fp.rank(0) < fp.rank(1)
        );
        assert_eq!(fp.put(u64::MAX, 0), !0xf_0000);
        assert_eq!(fp.get(0x5_0000), 5);
        let all = Field::unknown(0, 64);
        assert_eq!((all.mask(), all.get(7), all.put(1, 9)), (u64::MAX, 7, 9));
    }

    #[test]
    fn a_core_is_found_by_its_midr() {
        assert_eq!(core(0x411f_d401).unwrap().name, "Neoverse-V1");
        assert!(core(0).is_none());
    }
}
