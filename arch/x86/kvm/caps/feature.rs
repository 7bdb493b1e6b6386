// SPDX-License-Identifier: GPL-2.0

//! Features: a capability word and a bit in it.
//!
//! The features themselves, by name, are in [`super::generated::feature`]. They are those of
//! `asm/cpufeatures.h` and KVM's own; one that the kernel keeps in a word of its own stands where
//! CPUID has it, as `__feature_translate()` in `reverse_cpuid.h` says.

use super::{
    generated::{
        LEAFS,
        NR_KVM_CPU_CAPS, //
    },
    leaf::Leaf, //
};

/// A CPUID feature flag.
///
/// # Invariants
///
/// `word` is less than [`NR_KVM_CPU_CAPS`] and mirrors a register of CPUID; `bit` is less than 32.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Feature {
    word: usize,
    bit: u32,
}

impl Feature {
    /// The feature in bit `bit` of capability word `word`. Meant for constants: fails the build if
    /// there is no such bit, or if the word is Linux's own and no guest can have it.
    pub(crate) const fn new(word: usize, bit: u32) -> Self {
        assert!(bit < u32::BITS);
        assert!(word < NR_KVM_CPU_CAPS && LEAFS[word].is_some());
        // INVARIANT: Asserted above.
        Self { word, bit }
    }

    /// Index of the capability word.
    pub(crate) const fn word(self) -> usize {
        self.word
    }

    /// The feature's bit, as a mask.
    pub(crate) const fn mask(self) -> u32 {
        1 << self.bit
    }

    /// The register of CPUID that enumerates the feature. Meant for constants.
    pub(crate) const fn leaf(self) -> Leaf {
        match LEAFS[self.word] {
            Some(leaf) => leaf,
            None => panic!("a feature stands in a word that mirrors CPUID"),
        }
    }
}

/// One bit for every feature, in words.
pub(crate) type Words = [u32; NR_KVM_CPU_CAPS];

/// Whether `feature` is in `words`.
pub(crate) fn has(words: &Words, feature: Feature) -> bool {
    words
        .get(feature.word)
        .is_some_and(|word| word & feature.mask() != 0)
}
