// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Where a number stands: a register of arm64, one that CPUID returns on x86, or an MSR.

use std::fmt;

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
#[non_exhaustive]
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

    /// Whether it says what a CPU is like: a system register, or what CPUID returns.
    pub fn is_about_cpu(self) -> bool {
        matches!(self, Self::Cpuid(..)) || self.encoding().is_some()
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
