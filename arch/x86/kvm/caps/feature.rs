// SPDX-License-Identifier: GPL-2.0

//! Features: a capability word and a bit in it.
//!
//! The features themselves, by name, are in [`super::generated::feature`]. They are those of
//! `asm/cpufeatures.h` and KVM's own; one that the kernel keeps in a word of its own stands where
//! CPUID has it, as `__feature_translate()` in `reverse_cpuid.h` says.

use super::{
    generated::{
        LEAFS,
        NBUGINTS,
        NCAPINTS,
        NR_KVM_CPU_CAPS, //
    },
    leaf::{
        Leaf,
        Reg, //
    }, //
};

/// A CPUID feature flag.
///
/// # Invariants
///
/// `word` is less than [`NR_KVM_CPU_CAPS`] and mirrors register `reg` of a CPUID leaf; `bit` is
/// less than 32.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Feature {
    word: u8,
    bit: u8,
    reg: Reg,
}

const _: () = assert!(NR_KVM_CPU_CAPS <= u8::MAX as usize);

impl Feature {
    /// The feature in bit `bit` of capability word `word`. Meant for constants: fails the build if
    /// there is no such bit, or if the word is Linux's own and no guest can have it.
    pub(crate) const fn new(word: usize, bit: u8) -> Self {
        assert!((bit as u32) < u32::BITS);
        // INVARIANT: Asserted above; a word of `LEAFS` is less than `NR_KVM_CPU_CAPS`.
        Self {
            word: word as u8,
            bit,
            reg: leaf_of(word).reg,
        }
    }

    /// The feature that C knows as `number`, 32 times the word and the bit, and the leaf that
    /// enumerates it; none if there is no such word, or if it mirrors no register of CPUID.
    pub(crate) fn from_number(number: u32) -> Option<(Self, Leaf)> {
        let word = (number / u32::BITS) as usize;
        let leaf = LEAFS.get(word).copied().flatten()?;

        // INVARIANT: The word is one of `LEAFS`, and the remainder is less than 32.
        let feature = Self {
            word: word as u8,
            bit: (number % u32::BITS) as u8,
            reg: leaf.reg,
        };

        Some((feature, leaf))
    }

    /// The feature's number in C.
    pub(crate) const fn number(self) -> u32 {
        self.word as u32 * u32::BITS + self.bit as u32
    }

    /// The feature with the same bit in word `to`, where the CPU repeats it. Meant for constants:
    /// fails the build unless the feature stands in word `from`.
    pub(crate) const fn alias(self, from: usize, to: usize) -> Self {
        assert!(self.word() == from, "only this word is repeated");
        Self::new(to, self.bit)
    }

    /// Index of the capability word.
    pub(crate) const fn word(self) -> usize {
        self.word as usize
    }

    /// The feature's bit, as a mask.
    pub(crate) const fn mask(self) -> u32 {
        1 << (self.bit as u32 % u32::BITS)
    }

    /// The flag by which the kernel keeps the feature; none in words of KVM's own.
    pub(crate) const fn kernel_flag(self) -> Option<KernelFlag> {
        if self.word() < NCAPINTS {
            // INVARIANT: Such a number is less than 32 times the number of kernel words.
            Some(KernelFlag(
                self.word as u16 * u32::BITS as u16 + self.bit as u16,
            ))
        } else {
            None
        }
    }

    /// The register of the CPUID leaf that enumerates the feature.
    pub(crate) const fn reg(self) -> Reg {
        self.reg
    }

    /// The leaf that enumerates the feature. Meant for constants, where it can't panic.
    pub(crate) const fn leaf(self) -> Leaf {
        leaf_of(self.word())
    }
}

/// The leaf that `word` mirrors. Meant for constants: fails the build if there is none.
const fn leaf_of(word: usize) -> Leaf {
    match LEAFS[word] {
        Some(leaf) => leaf,
        None => panic!("a feature stands in a word that mirrors CPUID"),
    }
}

/// More than the number of any feature.
pub(crate) const NUMBERS: u32 = NR_KVM_CPU_CAPS as u32 * u32::BITS;

/// One bit for every feature, in words.
pub(crate) type Words = [u32; NR_KVM_CPU_CAPS];

/// Whether `feature` is in `words`, which are KVM's, or as many of them as the kernel keeps.
#[inline]
pub(crate) fn has(words: &[u32], feature: Feature) -> bool {
    words
        .get(feature.word())
        .is_some_and(|word| word & feature.mask() != 0)
}

/// Puts `feature` in `words`, or takes it out.
pub(crate) fn change(words: &mut Words, feature: Feature, present: bool) {
    if let Some(word) = words.get_mut(feature.word()) {
        if present {
            *word |= feature.mask();
        } else {
            *word &= !feature.mask();
        }
    }
}

/// What the kernel knows of the CPU: a feature that it uses, or a bug that the CPU has. A bit of
/// `boot_cpu_data.x86_capability`, by number.
///
/// # Invariants
///
/// The number is less than 32 times the length of [`KernelWords`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KernelFlag(u16);

/// `boot_cpu_data.x86_capability`: `NCAPINTS` words of features, then `NBUGINTS` of bugs.
pub(crate) type KernelWords = [u32; NCAPINTS + NBUGINTS];

impl KernelFlag {
    /// The flag with a number as `asm/cpufeatures.h` has it. Meant for constants: fails the build
    /// if the kernel keeps no such flag.
    pub(crate) const fn new(number: u16) -> Self {
        assert!((number as usize) < (NCAPINTS + NBUGINTS) * u32::BITS as usize);
        // INVARIANT: Asserted above.
        Self(number)
    }

    /// Whether the flag is set in `words`.
    pub(crate) fn is_in(self, words: &KernelWords) -> bool {
        words
            .get(usize::from(self.0) / u32::BITS as usize)
            .is_some_and(|word| word >> (u32::from(self.0) % u32::BITS) & 1 != 0)
    }

    /// Sets the flag in `words`.
    #[cfg(CONFIG_KUNIT = "y")]
    pub(crate) fn set_in(self, words: &mut KernelWords) {
        if let Some(word) = words.get_mut(usize::from(self.0) / u32::BITS as usize) {
            *word |= 1 << (u32::from(self.0) % u32::BITS);
        }
    }
}
