// SPDX-License-Identifier: GPL-2.0

//! A vCPU's capabilities as people look at them: which feature it may use or not, and why.
//!
//! The reason, where host AND guest CPUID isn't all there is to say:
//!
//! | reason         | meaning                                                                  |
//! | -------------- | ------------------------------------------------------------------------ |
//! | `unknown`      | guest CPUID asks for it, and it is no feature of the kernel's            |
//! | `denied`       | guest CPUID asks for it, and KVM gives it to no guest: the policy's why  |
//! | `host`         | guest CPUID asks for it, and the host's CPU lacks it                     |
//! | `kernel`       | guest CPUID asks for it, and the host's kernel does not use it           |
//! | `kvm`          | guest CPUID asks for it, and KVM, as it is configured, does not support  |
//! |                | it on this host                                                          |
//! | `runtime`      | KVM keeps it up to date as the vCPU's state changes                      |
//! | `vcpus:verb`   | the opt-out that made a difference                                       |

use kernel::{
    fmt,
    prelude::*,
    seq_file::SeqFile,
    seq_print, //
};

use crate::{
    cpufeature::{
        other_name,
        Leaf,
        Reg,
        LEAVES, //
    },
    facts::Facts,
    tables::{
        optouts::{
            self,
            OptOut, //
        },
        policy::{
            self,
            Missing,
            Row,
            Verb, //
        }, //
    }, //
};

/// One feature of a vCPU.
pub(crate) struct Line {
    /// 32 times the capability word, plus the bit.
    pub(crate) number: u32,
    /// The register that enumerates the feature.
    pub(crate) leaf: Leaf,
    /// Its policy; none if it is no feature of the kernel's.
    pub(crate) row: Option<&'static Row>,
    /// Whether KVM supports it.
    pub(crate) kvm: bool,
    /// Whether guest CPUID asks for it.
    pub(crate) guest: bool,
    /// Whether the vCPU may use it.
    pub(crate) vcpu: bool,
    /// Why, if there is more to it than host AND guest CPUID.
    pub(crate) why: Option<Why>,
}

/// A reason; see the head of this file.
#[derive(Clone, Copy)]
pub(crate) enum Why {
    Unknown,
    Denied(&'static str),
    Missing(Missing),
    Runtime,
    OptOut(&'static OptOut),
}

impl Line {
    /// The line for a feature, by number, if there is one.
    pub(crate) fn new(facts: &Facts<'_>, number: u32) -> Option<Self> {
        let (word, bit) = ((number / u32::BITS) as usize, number % u32::BITS);
        let is_in = |words: &[u32]| words.get(word).is_some_and(|word| word >> bit & 1 != 0);
        let (kvm, guest, vcpu) = (is_in(facts.kvm), is_in(facts.guest), is_in(facts.vcpu));
        let leaf = LEAVES.get(word).copied().flatten()?;

        let row = policy::row_of(number);
        let why = match row {
            // Without an opt-out only the vCPU's state makes a difference.
            Some(row) if vcpu != (kvm && guest) => {
                Some(optouts::row_of(&row.feature, facts).map_or(Why::Runtime, Why::OptOut))
            }
            _ if vcpu || kvm => None,
            None => Some(Why::Unknown),
            Some(row) => Some(match (row.verb, row.why()) {
                (_, Some(why)) => Why::Denied(why),
                (Verb::Runtime, _) => Why::Runtime,
                _ => Why::Missing(row.missing(facts)),
            }),
        };

        Some(Self {
            number,
            leaf,
            row,
            kvm,
            guest,
            vcpu,
            why,
        })
    }

    /// The feature's name, if it has one.
    pub(crate) fn name(&self) -> &'static str {
        self.row
            .map(Row::name)
            .or_else(|| other_name(self.number))
            .unwrap_or("-")
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Denied(_) => f.write_str("denied"),
            Self::Missing(Missing::Cpu) => f.write_str("host"),
            Self::Missing(Missing::Kernel) => f.write_str("kernel"),
            Self::Missing(Missing::Kvm) => f.write_str("kvm"),
            Self::Runtime => f.write_str("runtime"),
            Self::OptOut(row) => {
                let (vcpus, verb) = row.label();

                f.write_fmt(fmt!("{vcpus}:{verb}"))
            }
        }
    }
}

/// The features that guest CPUID, `facts.guest`, asks for, or that the vCPU, `facts.vcpu`, may use,
/// by their numbers from `from` on.
pub(crate) fn lines<'a>(facts: &'a Facts<'_>, from: u32) -> impl Iterator<Item = Line> + 'a {
    (from..LEAVES.len() as u32 * u32::BITS)
        .filter_map(|number| Line::new(facts, number))
        .filter(|line| line.guest || line.vcpu)
}

/// Prints a table of them.
pub(crate) fn show(facts: &Facts<'_>, file: &SeqFile) {
    seq_print!(
        file,
        "word bit cpuid            name                host guest effective why\n"
    );
    for line in lines(facts, 0) {
        let Leaf {
            function,
            index,
            reg,
        } = line.leaf;
        let reg = match reg {
            Reg::Eax => "eax",
            Reg::Ebx => "ebx",
            Reg::Ecx => "ecx",
            Reg::Edx => "edx",
        };
        // Indices of capability words have one digit.
        let digits = function.checked_ilog2().unwrap_or(0) as usize / 4 + 1;
        let padding = "        ".get(digits..).unwrap_or("");

        seq_print!(
            file,
            "{:4} {:3} 0x{:x}.{}:{}{} {:<19} {:4} {:5} {:9} ",
            line.number / u32::BITS,
            line.number % u32::BITS,
            function,
            index,
            reg,
            padding,
            line.name(),
            u8::from(line.kvm),
            u8::from(line.guest),
            u8::from(line.vcpu)
        );
        match line.why {
            Some(why @ Why::Denied(because)) => seq_print!(file, "{}  {}\n", why, because),
            Some(why) => seq_print!(file, "{}\n", why),
            None => seq_print!(file, "-\n"),
        }
    }
}
