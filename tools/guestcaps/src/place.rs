// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where a number stands: a register of arm64, one that CPUID returns on x86, or an MSR.

use std::{fmt, str::FromStr};

use crate::facts;

/// An output register of CPUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs)]
pub enum Reg {
    Eax,
    Ebx,
    Ecx,
    Edx,
}

impl Reg {
    /// In the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Eax, Self::Ebx, Self::Ecx, Self::Edx];

    /// As in assembly.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eax => "eax",
            Self::Ebx => "ebx",
            Self::Ecx => "ecx",
            Self::Edx => "edx",
        }
    }

    /// By that name, in small letters or capitals.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|reg| name.eq_ignore_ascii_case(reg.name()))
    }
}

/// What computers a number is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Arch {
    Arm64,
    X86,
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86",
        })
    }
}

/// Where a number stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// A register of arm64, as KVM_SET_ONE_REG has it.
    Arm64(u64),
    /// What CPUID returns for a function and index, in a register.
    Cpuid(u32, u32, Reg),
    /// A model-specific register of x86.
    Msr(u32),
}

/// A system register of 64 bits, to KVM_SET_ONE_REG.
const SYSREG: u64 = 0x6030_0000_0013_0000;

impl Place {
    /// A system register, op0 to op2 as in the instruction MRS.
    pub const fn sysreg(encoding: u16) -> Self {
        Self::Arm64(SYSREG | encoding as u64)
    }

    /// A system register's op0 to op2, as in the instruction MRS.
    pub fn encoding(self) -> Option<u16> {
        match self {
            Self::Arm64(id) if id & !0xffff == SYSREG => u16::try_from(id & 0xffff).ok(),
            _ => None,
        }
    }

    /// A register of arm64 that has this name in the Arm ARM.
    pub fn named(name: &str) -> Option<Self> {
        let known = facts::registers()
            .iter()
            .find(|register| register.name == name);
        match known {
            Some(register) => Some(Self::sysreg(register.id)),
            None => generic(name),
        }
    }

    /// Whether it says what AArch32 is like.
    pub fn is_aarch32(self) -> bool {
        self.encoding()
            .is_some_and(|encoding| matches!(encoding >> 3 & 0x1fff, 0x1801..=0x1803))
    }

    /// Whose it is.
    pub const fn arch(self) -> Arch {
        match self {
            Self::Arm64(_) => Arch::Arm64,
            _ => Arch::X86,
        }
    }

    /// How many bits it has.
    pub const fn width(self) -> u8 {
        match self {
            Self::Cpuid(..) => 32,
            _ => 64,
        }
    }

    /// All of its bits.
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.width())
    }
}

/// `S3_0_0_C4_3` or `S3_0_C0_C4_3`: op0, op1, CRn, CRm, op2.
fn generic(name: &str) -> Option<Place> {
    let mut parts = name.strip_prefix('S')?.split('_');
    let limits = [(3, 14), (7, 11), (15, 7), (15, 3), (7, 0)];
    let mut encoding = 0;
    for (n, (max, shift)) in limits.into_iter().enumerate() {
        let part = parts.next()?;
        let digits = if n == 2 || n == 3 {
            part.strip_prefix('C').unwrap_or(part)
        } else {
            part
        };
        let value = digits.parse::<u16>().ok().filter(|value| *value <= max)?;
        encoding |= value << shift;
    }
    parts.next().is_none().then_some(Place::sysreg(encoding))
}

/// A number in hexadecimal, with or without 0x.
pub fn hex(text: &str) -> Option<u64> {
    let digits = text
        .strip_prefix("0x")
        .or(text.strip_prefix("0X"))
        .unwrap_or(text);
    let is_plain = digits.bytes().all(|c| c.is_ascii_hexdigit());
    is_plain
        .then(|| u64::from_str_radix(digits, 16).ok())
        .flatten()
}

fn hex32(text: &str) -> Option<u32> {
    hex(text).and_then(|number| number.try_into().ok())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Cpuid(function, index, reg) => format!("{function:#x}.{index}:{}", reg.name()),
            Self::Msr(index) => format!("msr:{index:#x}"),
            Self::Arm64(id) => match (facts::register(*self), self.encoding()) {
                (Some(register), _) => register.name.to_string(),
                (None, Some(e)) => format!(
                    "S{}_{}_{}_C{}_{}",
                    e >> 14,
                    e >> 11 & 7,
                    e >> 7 & 15,
                    e >> 3 & 15,
                    e & 7
                ),
                (None, None) => format!("{id:#x}"),
            },
        };
        f.pad(&text)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let cpuid = || {
            let (function, rest) = text.split_once('.')?;
            let (index, reg) = rest.split_once(':')?;
            Some(Self::Cpuid(
                hex32(function)?,
                hex32(index)?,
                Reg::named(reg)?,
            ))
        };
        let msr = || Some(Self::Msr(hex32(text.strip_prefix("msr:")?)?));
        // Their architecture and their size, 64 bits, and no more: other registers are no words.
        let id = || hex(text.starts_with("0x").then_some(text)?).filter(|id| id >> 52 == 0x603);
        Self::named(text)
            .or_else(cpuid)
            .or_else(msr)
            .or_else(|| id().map(Self::Arm64))
            .ok_or_else(|| {
                format!("{text} is no register: name one as ID_AA64PFR0_EL1 or 0x7.0:ebx")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for text in [
            "ID_AA64PFR0_EL1",
            "CTR_EL0",
            "MIDR_EL1",
            "S3_0_0_C4_3",
            "S3_3_11_C15_7",
            "0x7.0:ebx",
            "0xd.1:eax",
            "msr:0x10a",
            "0x6030000000100042",
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        let is_aarch32 = |name| Place::named(name).unwrap().is_aarch32();
        assert!(is_aarch32("ID_PFR0_EL1") && is_aarch32("ID_MMFR5_EL1"));
        assert!(!is_aarch32("ID_AA64PFR0_EL1") && !is_aarch32("MIDR_EL1"));
        assert_eq!("S3_0_C0_C4_0".parse(), Place::from_str("ID_AA64PFR0_EL1"));
        assert_eq!(
            "0x603000000013c020".parse(),
            Place::from_str("ID_AA64PFR0_EL1")
        );
        for text in [
            "",
            "S3_0_0_C16_0",
            "S4_0_0_C0_0",
            "S3_0_0_C0",
            "0x7.0",
            "0x7:ebx",
            "0x10",
            "0x7.0:e",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
