// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What a host can give in a field.

use serde::{Deserialize, Serialize};

use crate::{
    facts::{Field, Order},
    place::{Arch, Place},
};

/// What decides about a field's values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Rule {
    Reserved,
    Denied,
    Absent,
    Fixed,
    LowerSafe,
    HigherSafe,
    Exact,
    /// KVM does not judge it.
    Number,
    /// A later kernel's.
    Unknown,
}

impl Rule {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Denied => "denied",
            Self::Absent => "absent",
            Self::Fixed => "fixed",
            Self::LowerSafe => "lower-safe",
            Self::HigherSafe => "higher-safe",
            Self::Exact => "exact",
            Self::Number => "number",
            Self::Unknown => "unknown",
        }
    }
}

/// What the rule doesn't say of a feature of x86.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The host's CPU lacks it.
    NoCpu,
    /// The host's kernel does not use it.
    NoKernel,
    /// KVM does not support it here.
    NoKvm,
    /// It follows the state of the vCPU or the VM.
    Runtime,
    /// KVM emulates it, whatever the host has.
    Emulated,
    /// KVM can't keep it from guests.
    Forced,
    /// For lack of another one.
    Lacking(String),
}

impl Reason {
    fn words(&self) -> String {
        match self {
            Self::NoCpu => "the host's CPU lacks it".into(),
            Self::NoKernel => "the host's kernel does not use it".into(),
            Self::NoKvm => "KVM does not support it here".into(),
            Self::Runtime => "it follows the vCPU's state".into(),
            Self::Emulated => "KVM emulates it".into(),
            Self::Forced => "KVM can't keep it from guests".into(),
            Self::Lacking(other) => format!("needs {other}"),
        }
    }
}

/// What a VM is configured with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Feature {
    /// Scalable vectors.
    Sve,
    /// Pointer authentication.
    Pauth,
    /// A performance monitor.
    Pmu,
    /// Memory tagging.
    Mte,
    /// Nested virtualization.
    El2,
}

impl Feature {
    /// All, in the order in which they are written.
    pub const ALL: [Self; 5] = [Self::Sve, Self::Pauth, Self::Pmu, Self::Mte, Self::El2];

    /// Their names, in words.
    pub fn names(features: &[Self]) -> String {
        if features.is_empty() {
            return "nothing optional".into();
        }
        let names: Vec<_> = features.iter().map(|feature| feature.name()).collect();
        names.join(", ")
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sve => "sve",
            Self::Pauth => "pauth",
            Self::Pmu => "pmu",
            Self::Mte => "mte",
            Self::El2 => "el2",
        }
    }
}

impl std::str::FromStr for Feature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|feature| feature.name() == text);
        found.ok_or_else(|| {
            format!(
                "no such feature: take {}",
                Self::ALL.map(Self::name).join(", ")
            )
        })
    }
}

/// What a host can give in a field.
#[derive(Clone, PartialEq, Debug)]
pub struct Offer {
    /// Where it is.
    pub place: Place,
    /// In which bits, and how values compare.
    pub field: Field,
    /// What decides about its values.
    pub rule: Rule,
    /// Why KVM can virtualize it.
    pub class: Option<String>,
    /// How it comes about that it is there, or not.
    pub reason: Option<Reason>,
    /// Whether userspace has a choice.
    pub writable: bool,
    /// Whether guests can use what the host has, whatever the field says.
    pub usable: bool,
    /// What the host has, if that is known.
    pub host: Option<u64>,
    /// What promises most.
    pub limit: u64,
    /// By the field's sign.
    pub lowest: u64,
    /// By the field's sign.
    pub highest: u64,
    /// Bit n: value n; zero if all between the bounds can be.
    pub possible: u64,
    /// What a VM starts with.
    pub value: u64,
    /// What gives it to a VM, and the value without.
    pub given: Option<(Feature, u64)>,
}

impl Offer {
    /// A field that can have one value.
    pub fn only(place: Place, field: Field, rule: Rule, value: u64) -> Self {
        Self {
            place,
            field,
            rule,
            class: None,
            reason: None,
            writable: false,
            usable: false,
            host: None,
            limit: value,
            lowest: value,
            highest: value,
            possible: 0,
            value,
            given: None,
        }
    }

    /// Whether it can have a value.
    pub fn can(&self, value: u64) -> bool {
        let rank = |value| self.field.rank(value);
        match self.possible {
            0 => (rank(self.lowest)..=rank(self.highest)).contains(&rank(value)),
            possible => value < 64 && possible >> value & 1 != 0,
        }
    }

    /// All values that it can have, of fields that can have few.
    pub fn values(&self) -> impl Iterator<Item = u64> + '_ {
        let few = self.field.width <= 6 || self.possible != 0;
        (0..=self.field.max().min(63)).filter(move |value| few && self.can(*value))
    }

    /// The nearest value that it can have: the most that promises no more, or else the least.
    pub fn nearest(&self, wanted: u64) -> u64 {
        if self.can(wanted) {
            return wanted;
        }
        let rank = |value: &u64| self.field.rank(*value);
        let mut all: Vec<_> = self
            .values()
            .chain([self.lowest, self.highest, self.limit])
            .collect();
        all.sort_by_key(rank);
        let below = all.iter().rev().find(|value| rank(value) <= rank(&wanted));
        let above = all.iter().find(|value| rank(value) >= rank(&wanted));
        let found = match self.field.order {
            Order::HigherSafe => above.or(below),
            Order::Exact(other) if self.can(other) => return other,
            _ => below.or(above),
        };
        found.copied().unwrap_or(self.limit)
    }

    /// Whether these, of its values, are all between the lowest and the highest.
    pub(crate) fn is_whole(&self, listed: &[u64]) -> bool {
        let [low, high] = [self.lowest, self.highest].map(|value| self.field.rank(value));
        high.wrapping_sub(low) == (listed.len() as u64).wrapping_sub(1)
    }

    /// What the values are, in words.
    pub fn range(&self) -> String {
        let name = |value| self.field.value_name(value);
        let listed: Vec<_> = self.values().collect();
        let is_whole = self.is_whole(&listed);
        if self.lowest == self.highest {
            format!("only {}", name(self.lowest))
        } else if self.rule == Rule::Number {
            "any".into()
        } else if listed.len() == 2 || !is_whole && !listed.is_empty() && listed.len() <= 3 {
            listed.into_iter().map(name).collect::<Vec<_>>().join(", ")
        } else {
            format!("{} to {}", name(self.lowest), name(self.highest))
        }
    }

    /// Why a value can't be.
    pub fn why(&self, wanted: u64) -> String {
        let above = self.field.rank(wanted) > self.field.rank(self.highest);
        match (self.rule, self.host) {
            (Rule::LowerSafe | Rule::Absent | Rule::Fixed, _) if self.reason.is_some() => {
                self.reason.as_ref().map_or(String::new(), Reason::words)
            }
            (Rule::Reserved, _) if self.place.arch() == Arch::X86 => "KVM does not know it".into(),
            (Rule::Reserved, _) => "not allocated".into(),
            (Rule::Denied, _) => "KVM has it for no VM".into(),
            (Rule::Absent, _) => "this VM has no such register".into(),
            (Rule::Fixed, _) => "can't be changed".into(),
            (Rule::Exact, _) => "no other values".into(),
            (_, Some(host)) if above && host == self.highest => "the host has no more".into(),
            (_, Some(host)) if above => {
                format!("KVM has no more, the host {}", self.field.value_name(host))
            }
            (_, None) if above => "no more on this host".into(),
            _ if self.can(wanted) => "fits".into(),
            (_, _) if self.field.rank(wanted) < self.field.rank(self.lowest) => {
                "KVM needs more".into()
            }
            _ => "no such value".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts;

    fn offer(register: &str, lsb: u8, rule: Rule, possible: u64, limit: u64) -> Offer {
        let place = Place::named(register).unwrap();
        let field = facts::field(place, lsb, 4);
        let mut ranks: Vec<_> = (0..16).filter(|n| possible >> n & 1 != 0).collect();
        ranks.sort_by_key(|n| field.rank(*n));
        Offer {
            possible,
            writable: true,
            lowest: ranks[0],
            highest: *ranks.last().unwrap(),
            ..Offer::only(place, field, rule, limit)
        }
    }

    #[test]
    fn nearest_promises_no_more() {
        let aes = offer("ID_AA64ISAR0_EL1", 4, Rule::LowerSafe, 0b111, 2);
        assert_eq!([0, 1, 2, 3, 15].map(|n| aes.nearest(n)), [0, 1, 2, 2, 2]);
        let atomic = offer("ID_AA64ISAR0_EL1", 20, Rule::LowerSafe, 0b101, 2);
        assert_eq!([0, 1, 2, 3].map(|n| atomic.nearest(n)), [0, 0, 2, 2]);
        let sei = offer("ID_AA64MMFR1_EL1", 24, Rule::HigherSafe, 0xfffe, 1);
        assert_eq!([0, 1, 2, 15].map(|n| sei.nearest(n)), [1, 1, 2, 15]);
        let fp = offer("ID_AA64PFR0_EL1", 16, Rule::LowerSafe, 1 << 15 | 1, 0);
        assert_eq!([0, 1, 7, 8, 15].map(|n| fp.nearest(n)), [0, 0, 0, 15, 15]);
        let width = Offer {
            highest: 57,
            possible: 1 | 1 << 48 | 1 << 57,
            ..Offer::only(
                "0x80000008.0:eax".parse().unwrap(),
                Field::unknown(8, 8),
                Rule::Exact,
                0,
            )
        };
        assert_eq!([0, 40, 50, 99].map(|n| width.nearest(n)), [0, 0, 48, 57]);
        assert_eq!(width.range(), "0x0, 0x30, 0x39");
        let granule = offer("ID_AA64MMFR0_EL1", 40, Rule::Exact, 0b1010, 3);
        assert_eq!([0, 1, 2, 3].map(|n| granule.nearest(n)), [1, 1, 1, 3]);
    }
}
