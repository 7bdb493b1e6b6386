// SPDX-License-Identifier: GPL-2.0

//! CPU features as the kernel knows them: where CPUID enumerates each, and where the kernel keeps
//! what it makes of it.
//!
//! The description is translated from the kernel's own headers, and needs nothing but `core`, so
//! that programs of the build machine can have it as well. [`feature`] has the features by name,
//! and a module for each capability word, e.g. [`CPUID_7_0_EBX`], those that stand in the word.
//!
//! A feature stands where CPUID has it. Most words are those of `x86_capability`; KVM has some
//! more, for registers of which the kernel keeps single bits in words of its own.
//!
//! Bits of these registers that are no feature of the kernel's have the names that `kcpuid` prints,
//! for people: [`other_name()`].
//!
//! C headers: [`arch/x86/include/asm/cpufeatures.h`](srctree/arch/x86/include/asm/cpufeatures.h),
//! [`arch/x86/kvm/reverse_cpuid.h`](srctree/arch/x86/kvm/reverse_cpuid.h)
//!
//! Sources: Intel SDM volume 2A, "CPUID"; AMD APM volume 3, appendix E.
//!
//! # Examples
//!
//! ```
//! use kernel::cpufeature::{
//!     feature,
//!     other_name,
//!     Feature,
//!     Leaf,
//!     Reg,
//!     CPUID_7_0_EBX,
//!     CPUID_7_ECX,
//!     NBUGINTS,
//!     NCAPINTS, //
//! };
//!
//! const SMEP: &Feature = &CPUID_7_0_EBX::SMEP;
//!
//! assert_eq!(SMEP.name(), Some("SMEP"));
//! assert_eq!((SMEP.word(), SMEP.mask()), (CPUID_7_0_EBX::WORD, 1 << 7));
//! assert!(SMEP.leaf() == Some(Leaf { function: 7, index: 0, reg: Reg::Ebx }));
//!
//! // The kernel makes nothing of Key Locker.
//! assert_eq!(other_name(CPUID_7_ECX::WORD as u32 * u32::BITS + 23), Some("KEY_LOCKER"));
//! assert_eq!(other_name(SMEP.number()), None);
//!
//! // Linux-defined features have no leaf, but the kernel keeps them.
//! assert!(feature::STIBP.leaf().is_none());
//! assert!(feature::STIBP.is_kept_in(&[!0; NCAPINTS + NBUGINTS]));
//! ```

#![allow(non_snake_case)]

/// An output register of CPUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reg {
    /// EAX.
    Eax,
    /// EBX.
    Ebx,
    /// ECX.
    Ecx,
    /// EDX.
    Edx,
}

/// A register of a CPUID leaf, all 32 bits of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Input EAX.
    pub function: u32,
    /// Input ECX; 0 for functions that don't look at it.
    pub index: u32,
    /// The register.
    pub reg: Reg,
}

/// `boot_cpu_data.x86_capability`: [`NCAPINTS`] words of features, then [`NBUGINTS`] of bugs.
pub type KernelWords = [u32; NCAPINTS + NBUGINTS];

/// One bit for each feature, in capability words.
pub type Words = [u32; NR_KVM_CPU_CAPS];

/// A CPU feature, `X86_FEATURE_*`.
///
/// # Invariants
///
/// `bit` is one of [`Words`].
#[derive(Clone, Copy)]
pub struct Feature {
    bit: Bit,
    kept: Bit,
}

impl Feature {
    /// The feature in bit `bit` of capability word `word`, which the kernel keeps as number `kept`
    /// of `x86_capability`, if it does.
    const fn new(word: usize, bit: u8, kept: Option<u16>) -> Self {
        assert!(word < NR_KVM_CPU_CAPS && (bit as u32) < u32::BITS);
        // INVARIANT: Asserted above.
        Self {
            bit: Bit(word as u16 * u32::BITS as u16 + bit as u16),
            kept: match kept {
                Some(number) => Bit::kept(number),
                None => Bit::NOWHERE,
            },
        }
    }

    /// Index of the capability word.
    #[inline]
    pub const fn word(&self) -> usize {
        self.bit.word()
    }

    /// The feature's bit in its word, as a mask.
    #[inline]
    pub const fn mask(&self) -> u32 {
        self.bit.mask()
    }

    /// 32 times the word, plus the bit.
    #[inline]
    pub const fn number(&self) -> u32 {
        self.bit.0 as u32
    }

    /// Whether both are the same bit.
    #[inline]
    pub const fn is(&self, other: &Self) -> bool {
        self.number() == other.number()
    }

    /// The name, without `X86_FEATURE_`; none if CPUID repeats the feature here.
    pub fn name(&self) -> Option<&'static str> {
        self.name_in(self.word())
    }

    /// The name of the feature with the same bit in another word, if there is one.
    pub fn name_in(&self, word: usize) -> Option<&'static str> {
        FEATURES
            .iter()
            .find(|(_, feature)| feature.word() == word && feature.mask() == self.mask())
            .map(|(name, _)| *name)
    }

    /// The register that enumerates the feature, none if the word is Linux-defined.
    #[inline]
    pub const fn leaf(&self) -> Option<Leaf> {
        if self.word() < LEAVES.len() {
            LEAVES[self.word()]
        } else {
            None
        }
    }

    /// The feature with the same bit in word `to`, where CPUID repeats it. For constants only.
    ///
    /// # Panics
    ///
    /// If there is no such word, which fails the build.
    pub const fn repeated_in(self, to: usize) -> Self {
        let bit = (self.number() % u32::BITS) as u8;
        let kept = if to < NCAPINTS {
            Some(to as u16 * u32::BITS as u16 + bit as u16)
        } else {
            None
        };

        Self::new(to, bit, kept)
    }

    /// Whether the feature is in `words`, which are KVM's, or as many of them as the kernel keeps.
    #[inline]
    pub fn is_in(&self, words: &[u32]) -> bool {
        self.bit.is_in(words)
    }

    /// Puts the feature in `words`, or takes it out.
    #[inline]
    pub fn set_in(&self, words: &mut Words, present: bool) {
        self.bit.set_in(words, present);
    }

    /// Whether the kernel keeps the feature, in whatever word.
    #[inline]
    pub const fn is_kept(&self) -> bool {
        self.kept.word() < NCAPINTS
    }

    /// Its number in `x86_capability`. For constants only.
    ///
    /// # Panics
    ///
    /// If the kernel does not keep the feature, which fails the build.
    pub const fn kernel_number(&self) -> u32 {
        assert!(self.is_kept(), "the kernel does not keep this feature");
        self.kept.0 as u32
    }

    /// Whether the kernel has the feature: as `boot_cpu_has()`, of `words`.
    #[inline]
    pub fn is_kept_in(&self, words: &KernelWords) -> bool {
        self.kept.is_in(words)
    }

    /// Lets the kernel have the feature, if it keeps it, or not.
    #[inline]
    pub fn keep_in(&self, words: &mut KernelWords, present: bool) {
        self.kept.set_in(words, present);
    }
}

/// The name of a bit of a capability word, by number, that is no feature: in capitals, as features
/// are, what `tools/arch/x86/kcpuid/cpuid.csv` calls it.
pub fn other_name(number: u32) -> Option<&'static str> {
    OTHER_NAMES
        .iter()
        .find(|(_, other)| *other == number)
        .map(|(name, _)| *name)
}

/// A bug of a CPU, `X86_BUG_*`.
#[derive(Clone, Copy)]
pub struct Bug(Bit);

impl Bug {
    /// The bug with a number as `asm/cpufeatures.h` has it.
    const fn new(number: u16) -> Self {
        Self(Bit::kept(NCAPINTS as u16 * u32::BITS as u16 + number))
    }

    /// Its number in `x86_capability`, where bugs are behind all features.
    pub const fn kernel_number(&self) -> u32 {
        self.0 .0 as u32
    }

    /// Whether the CPU has the bug: as `boot_cpu_has_bug()`, of `words`.
    #[inline]
    pub fn is_in(&self, words: &KernelWords) -> bool {
        self.0.is_in(words)
    }

    /// Lets the CPU have the bug, or not.
    #[inline]
    pub fn set_in(&self, words: &mut KernelWords, present: bool) {
        self.0.set_in(words, present);
    }
}

/// A bit of words, by number; none if there are not so many.
#[derive(Clone, Copy)]
struct Bit(u16);

impl Bit {
    const NOWHERE: Self = Self(u16::MAX);

    /// One of `x86_capability`.
    const fn kept(number: u16) -> Self {
        assert!((number as usize) < (NCAPINTS + NBUGINTS) * u32::BITS as usize);
        Self(number)
    }

    #[inline]
    const fn word(&self) -> usize {
        self.0 as usize / u32::BITS as usize
    }

    #[inline]
    const fn mask(&self) -> u32 {
        1 << (self.0 as u32 % u32::BITS)
    }

    #[inline]
    fn is_in(&self, words: &[u32]) -> bool {
        words
            .get(self.word())
            .is_some_and(|word| word & self.mask() != 0)
    }

    #[inline]
    fn set_in(&self, words: &mut [u32], present: bool) {
        if let Some(word) = words.get_mut(self.word()) {
            *word = *word & !self.mask() | (self.mask() * u32::from(present));
        }
    }
}

#[allow(missing_docs)]
mod generated {
    use super::{
        Bug,
        Feature,
        Leaf,
        Reg, //
    };

    include!(concat!(
        env!("OBJTREE"),
        "/rust/kernel/generated_cpufeature.rs"
    ));
}
pub use generated::*;
