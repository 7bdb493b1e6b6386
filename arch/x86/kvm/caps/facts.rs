// SPDX-License-Identifier: GPL-2.0

//! What rows depend on, and how a condition is judged: one vocabulary for all tables.
//!
//! | condition        | holds if                                                        |
//! | ---------------- | --------------------------------------------------------------- |
//! | `kernel(X)`      | the host's kernel has the feature                               |
//! | `kvm(X)`         | KVM supports the feature on this host                           |
//! | `vcpu(X)`        | the vCPU may use the feature, as far as it is known by then     |
//! | `has_bug(X)`     | the host's CPU has the bug                                      |
//! | `is(X)`          | the host, KVM or the vCPU is so, see [`Flag`]                   |
//! | `not(C)`         | the condition doesn't hold                                      |
//! | `C.and(C)`       | both hold                                                       |
//! | `C.or(C)`        | at least one of the two holds                                   |
//!
//! A list of conditions holds if all of them do.

use crate::{
    cpufeature::{
        Bug,
        Feature,
        KernelWords,
        Words,
        NBUGINTS,
        NCAPINTS,
        NR_KVM_CPU_CAPS, //
    },
    impl_flags, //
};

impl_flags!(
    /// Those of [`Flag`] that are so.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Flags(u32);

    /// How a host, its KVM, or a vCPU is.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Flag {
        /// KVM uses two-dimensional paging.
        Tdp = 1 << 0,
        /// KVM's parameter `allow_smaller_maxphyaddr` is set.
        SmallerMaxphyaddr = 1 << 1,
        /// KVM can give guests an `MSR_TSC_AUX` of their own.
        MsrTscAux = 1 << 2,
        /// kvm-amd runs the vCPU.
        Svm = 1 << 3,
        /// kvm-intel runs the vCPU, which is no TD.
        Vmx = 1 << 4,
        /// The TDX module runs the vCPU.
        Tdx = 1 << 5,
        /// The vendor in guest CPUID is AMD or Hygon.
        AmdCompatible = 1 << 6,
    }
);

/// Those that are known before there is a vCPU.
const OF_HOST: Flags = Flags::empty()
    .with(Flag::Tdp)
    .with(Flag::SmallerMaxphyaddr)
    .with(Flag::MsrTscAux);

/// What is known; what isn't is left at [`Facts::NONE`].
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// What the host's kernel has, and the bugs of its CPU.
    pub(crate) kernel: &'a KernelWords,
    /// What the host's CPUID has.
    pub(crate) cpu: &'a Words,
    /// What KVM supports.
    pub(crate) kvm: &'a Words,
    /// What guest CPUID asks for.
    pub(crate) guest: &'a Words,
    /// What the vCPU may use.
    pub(crate) vcpu: &'a Words,
    /// How it all is.
    pub(crate) flags: Flags,
}

/// No feature at all.
pub(crate) const NOTHING: Words = [0; NR_KVM_CPU_CAPS];

impl Facts<'static> {
    /// Nothing is known.
    pub(crate) const NONE: Self = Self {
        kernel: &[0; NCAPINTS + NBUGINTS],
        cpu: &NOTHING,
        kvm: &NOTHING,
        guest: &NOTHING,
        vcpu: &NOTHING,
        flags: Flags::empty(),
    };
}

/// Whose words a condition looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Kernel,
    Kvm,
    Vcpu,
    Flags,
}

/// A bit, and whether it must be set.
#[derive(Clone, Copy)]
struct Term {
    of: Of,
    word: u8,
    bit: u8,
    is_set: bool,
}

/// How the terms of a condition go together.
#[derive(Clone, Copy)]
enum Join {
    Alone,
    And(Term),
    Or(Term),
}

/// A condition; see the head of this file.
#[derive(Clone, Copy)]
pub(crate) struct Condition {
    term: Term,
    join: Join,
}

const fn condition(of: Of, number: u32) -> Condition {
    Condition {
        term: Term {
            of,
            word: (number / u32::BITS) as u8,
            bit: (number % u32::BITS) as u8,
            is_set: true,
        },
        join: Join::Alone,
    }
}

pub(crate) const fn kernel(feature: Feature) -> Condition {
    condition(Of::Kernel, feature.kernel_number())
}

pub(crate) const fn has_bug(bug: Bug) -> Condition {
    condition(Of::Kernel, bug.kernel_number())
}

pub(crate) const fn kvm(feature: Feature) -> Condition {
    condition(Of::Kvm, feature.number())
}

pub(crate) const fn vcpu(feature: Feature) -> Condition {
    condition(Of::Vcpu, feature.number())
}

pub(crate) const fn is(flag: Flag) -> Condition {
    condition(Of::Flags, (flag as u32).ilog2())
}

pub(crate) const fn not(mut condition: Condition) -> Condition {
    assert!(condition.is_alone(), "not() is for one of them");
    condition.term.is_set = !condition.term.is_set;
    condition
}

impl Condition {
    const fn is_alone(&self) -> bool {
        matches!(self.join, Join::Alone)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        assert!(self.is_alone() && other.is_alone(), "two are enough");
        Self {
            join: Join::And(other.term),
            ..self
        }
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        assert!(self.is_alone() && other.is_alone(), "two are enough");
        Self {
            join: Join::Or(other.term),
            ..self
        }
    }

    /// Whether the condition holds.
    #[inline]
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let holds = self.term.holds(facts);

        match &self.join {
            Join::Alone => holds,
            Join::And(term) => holds && term.holds(facts),
            Join::Or(term) => holds || term.holds(facts),
        }
    }

    const fn second(&self) -> Option<Term> {
        match self.join {
            Join::Alone => None,
            Join::And(term) | Join::Or(term) => Some(term),
        }
    }

    /// Whether it is about the host alone, and known before there is a vCPU.
    pub(crate) const fn is_of_host(&self) -> bool {
        self.term.is_of_host()
            && match self.second() {
                Some(term) => term.is_of_host(),
                None => true,
            }
    }

    /// Whether it is about what KVM supports, and no more.
    pub(crate) const fn is_of_kvm(&self) -> bool {
        matches!(self.term.of, Of::Kvm) && self.is_alone()
    }

    /// The features, by number, that it asks the vCPU for.
    pub(crate) const fn of_vcpu(&self) -> [Option<u32>; 2] {
        [
            self.term.of_vcpu(),
            match self.second() {
                Some(term) => term.of_vcpu(),
                None => None,
            },
        ]
    }
}

impl Term {
    const fn is_of_host(&self) -> bool {
        match self.of {
            Of::Kernel => true,
            Of::Flags => OF_HOST.0 >> self.bit & 1 != 0,
            Of::Kvm | Of::Vcpu => false,
        }
    }

    const fn of_vcpu(&self) -> Option<u32> {
        match self.of {
            Of::Vcpu => Some(self.word as u32 * u32::BITS + self.bit as u32),
            _ => None,
        }
    }

    #[inline]
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let words: &[u32] = match self.of {
            Of::Kernel => facts.kernel,
            Of::Kvm => facts.kvm,
            Of::Vcpu => facts.vcpu,
            Of::Flags => core::slice::from_ref(&facts.flags.0),
        };
        let word = words.get(usize::from(self.word)).copied().unwrap_or(0);

        (word >> (self.bit % 32) & 1 != 0) == self.is_set
    }
}

/// Whether all conditions hold.
#[inline]
pub(crate) fn all_hold(conditions: &[Condition], facts: &Facts<'_>) -> bool {
    conditions.iter().all(|condition| condition.holds(facts))
}
