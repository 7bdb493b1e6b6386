// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What somebody wants a guest to have, or what a host has.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    facts,
    facts::Field,
    offer::{Feature, Offer},
    place::{Arch, Place},
};

/// Bits of a word, and which of them count.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Word {
    pub mask: u64,
    pub value: u64,
}

impl Word {
    /// Those bits of another word replaced by its own.
    pub const fn over(self, other: u64) -> u64 {
        other & !self.mask | self.value & self.mask
    }

    /// A field, if its bits count.
    pub fn get(self, field: &Field) -> Option<u64> {
        (self.mask & field.mask() == field.mask()).then(|| field.get(self.value))
    }
}

/// Where numbers come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Source {
    /// KVM was asked.
    #[serde(rename = "KVM_GUEST_CAPS")]
    GuestCaps,
    /// Each value was tried.
    #[serde(rename = "KVM_SET_ONE_REG")]
    SetOneReg,
    /// What KVM supports and emulates.
    #[serde(rename = "KVM_GET_SUPPORTED_CPUID")]
    SupportedCpuid,
    /// Values are all there is.
    #[serde(rename = "values")]
    Values,
}

impl Source {
    /// A sentence that says it.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::GuestCaps => "KVM_GUEST_CAPS says what fits.",
            Self::SetOneReg => {
                "KVM was not asked, by KVM_GUEST_CAPS: each value was tried with KVM_SET_ONE_REG, so that reasons are guesses."
            }
            Self::SupportedCpuid => {
                "KVM was not asked, by KVM_GUEST_CAPS: what fits is KVM_GET_SUPPORTED_CPUID, and KVM_GET_EMULATED_CPUID."
            }
            Self::Values => "Only values are known, and not what KVM accepts.",
        }
    }
}

/// What somebody wants a guest to have, or what a host has.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// What it is called.
    pub name: String,
    /// All that is said.
    pub words: BTreeMap<Place, Word>,
    /// What a VM is configured with, if that is said.
    pub vm: Option<Vec<Feature>>,
    /// What the host can give, if it says so.
    pub offers: Vec<Offer>,
    /// How that is known.
    pub source: Option<Source>,
    /// Kernel, CPU, microcode, by what they are called.
    pub about: BTreeMap<String, String>,
    /// Functions of CPUID whose index counts, if nothing else shows it.
    pub indexed: BTreeSet<u32>,
    /// What it says besides, and nobody here looks at.
    pub ignored: Vec<String>,
}

impl Model {
    /// What a host offers, as a model of all that it starts VMs with.
    pub fn of_host(name: &str, offers: Vec<Offer>, source: Source) -> Self {
        let mut model = Self {
            name: name.into(),
            source: Some(source),
            ..Self::default()
        };
        for offer in &offers {
            let word = model.words.entry(offer.place).or_default();
            word.mask |= offer.field.mask();
            word.value = offer.field.put(word.value, offer.value);
        }
        model.offers = offers;
        model
    }

    /// Whose registers it is about.
    pub fn arch(&self) -> Option<Arch> {
        self.words.keys().next().map(|place| place.arch())
    }

    /// The value of a field, if it is said.
    pub fn get(&self, place: Place, field: &Field) -> Option<u64> {
        self.words.get(&place)?.get(field)
    }

    /// Whether it says something of a field.
    pub fn asks(&self, place: Place, field: &Field) -> bool {
        let word = self.words.get(&place);
        word.is_some_and(|word| word.mask & field.mask() != 0)
    }

    /// Adds what a word is.
    pub fn set(&mut self, place: Place, word: Word) {
        let old = self.words.entry(place).or_default();
        *old = Word {
            mask: old.mask | word.mask,
            value: word.over(old.value),
        };
    }

    /// Adds what a field of a word is.
    pub fn put(&mut self, place: Place, field: &Field, value: u64) {
        let word = Word {
            mask: field.mask(),
            value: field.put(0, value),
        };
        self.set(place, word);
    }

    /// The same, by name.
    pub fn named(&self, register: &str, field: &str) -> Option<u64> {
        let place = Place::named(register)?;
        let field = facts::fields(place)
            .into_iter()
            .find(|other| other.name == field)?;
        self.get(place, &field)
    }

    /// Which of the features its VMs have not.
    pub fn lacking(&self, wanted: &[Feature]) -> Vec<Feature> {
        let has = self.wanted_vm();
        let lacks = |feature: &Feature| !has.contains(feature);
        wanted.iter().copied().filter(lacks).collect()
    }

    /// What a VM must be configured with: as it is said, or by what its registers show. EL2 doesn't
    /// show: all VMs have had it there.
    pub fn wanted_vm(&self) -> Vec<Feature> {
        if let Some(vm) = &self.vm {
            return vm.clone();
        }
        let shows = |register: &str, name: &str, least: u64| {
            self.named(register, name)
                .is_some_and(|value| value >= least && value != 15)
        };
        let shows = |feature| match feature {
            Feature::Sve => shows("ID_AA64PFR0_EL1", "SVE", 1),
            Feature::Pauth => {
                let names = ["APA", "API", "GPA", "GPI"];
                names
                    .into_iter()
                    .any(|name| shows("ID_AA64ISAR1_EL1", name, 1))
                    || ["APA3", "GPA3"]
                        .into_iter()
                        .any(|name| shows("ID_AA64ISAR2_EL1", name, 1))
            }
            Feature::Pmu => shows("ID_AA64DFR0_EL1", "PMUVer", 1),
            Feature::Mte => shows("ID_AA64PFR1_EL1", "MTE", 2),
            Feature::El2 => false,
        };
        Feature::ALL
            .into_iter()
            .filter(|feature| shows(*feature))
            .collect()
    }
}
