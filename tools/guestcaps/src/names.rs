// SPDX-License-Identifier: Apache-2.0 OR MIT

//! How places and fields are written and read.

use std::{fmt, str::FromStr};

use crate::{
    facts::{self, Field},
    place::{hex, Place, Reg},
};

impl Place {
    /// A register of arm64 that has this name in the Arm ARM.
    pub fn named(name: &str) -> Option<Self> {
        match facts::named(name) {
            Some(register) => Some(Self::sysreg(register.id)),
            None => generic(name),
        }
    }
}

impl Field {
    /// Its name, with that of where it is.
    pub fn full_name(&self, place: Place) -> String {
        match place {
            Place::Arm64(_) if self.name.is_empty() && self.width == 64 => place.to_string(),
            _ if self.name.is_empty() => format!("{place}[{}]", self.lsb),
            Place::Arm64(_) => format!("{place}.{}", self.name),
            _ => self.name.to_string(),
        }
    }

    /// Its name, behind the register's on x86 too.
    pub fn long_name(&self, place: Place) -> String {
        match place {
            Place::Arm64(_) => self.full_name(place),
            _ if self.name.is_empty() => self.full_name(place),
            _ => format!("{place}  {}", self.name),
        }
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

fn hex32(text: &str) -> Option<u32> {
    hex(text).and_then(|number| number.try_into().ok())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Cpuid(function, index, reg) => format!("{function:#x}.{index:x}:{}", reg.name()),
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
            "0xd.1f:eax",
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
