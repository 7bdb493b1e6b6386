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
//! | `on(V, X)`       | it is so, or it isn't `V`: another vendor than this one         |
//! | `not(C)`         | the condition doesn't hold                                      |
//! | `C.and(C)`       | both hold                                                       |
//! | `C.or(C)`        | at least one of the two holds; and so for three                 |
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
    pub(crate) struct Flags(u64);

    /// How a host, its KVM, or a vCPU is.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Flag {
        /// KVM uses two-dimensional paging.
        Tdp = 1 << 0,
        /// KVM's parameter `allow_smaller_maxphyaddr` is set.
        SmallerMaxphyaddr = 1 << 1,
        /// KVM can give guests an `MSR_TSC_AUX` of their own.
        MsrTscAux = 1 << 2,
        /// kvm-amd runs the vCPU, or there is no vCPU yet and kvm-amd is loaded.
        Svm = 1 << 3,
        /// kvm-intel runs the vCPU, which is no TD, or it is loaded.
        Vmx = 1 << 4,
        /// The TDX module runs the vCPU.
        Tdx = 1 << 5,
        /// The vendor in guest CPUID is AMD or Hygon.
        AmdCompatible = 1 << 6,
        /// KVM virtualizes performance monitoring.
        Pmu = 1 << 7,
        /// The host's CPU is one of Centaur's or Zhaoxin's.
        Centaur = 1 << 8,
        /// The host's IA32_XSS has all state of CET, and KVM switches it.
        CetState = 1 << 9,
        /// L1 may be a hypervisor: `nested`.
        Nested = 1 << 10,
        /// kvm-amd uses the next RIP that the CPU saves.
        Nrips = 1 << 11,
        /// kvm-amd scales TSCs.
        TscScaling = 1 << 12,
        /// kvm-amd lets the CPU execute VMLOAD and VMSAVE.
        Vls = 1 << 13,
        /// kvm-amd lets the CPU switch LBRs.
        Lbrv = 1 << 14,
        /// kvm-amd uses GMET.
        Gmet = 1 << 15,
        /// kvm-amd lets the CPU keep GIF.
        Vgif = 1 << 16,
        /// kvm-amd lets the CPU keep NMIs.
        Vnmi = 1 << 17,
        /// kvm-amd can have SEV VMs.
        Sev = 1 << 18,
        /// kvm-amd can have SEV-ES VMs.
        SevEs = 1 << 19,
        /// kvm-amd can have SEV-SNP VMs.
        SevSnp = 1 << 20,
        /// KVM has as many counters as AMD's core extension.
        CoreCounters = 1 << 21,
        /// The host's version of performance monitoring is 2.
        PmuV2 = 1 << 22,
        /// KVM supports MPX's components of XCR0.
        MpxState = 1 << 23,
        /// VMX can let guests execute INVPCID.
        Invpcid = 1 << 24,
        /// Intel PT is for host and guests, each.
        PtHostGuest = 1 << 25,
        /// kvm-intel virtualizes PEBS.
        Pebs = 1 << 26,
        /// kvm-intel virtualizes SGX.
        Sgx = 1 << 27,
        /// The CPU lacks UMIP, but VMX can make the instructions exit that it is about.
        UmipEmulated = 1 << 28,
        /// VMX can let guests execute XSAVES.
        Xsaves = 1 << 29,
        /// VMX can let guests execute RDTSCP and RDPID.
        Rdtscp = 1 << 30,
        /// VMX can let guests execute the instructions of WAITPKG.
        UserWaitPause = 1 << 31,
        /// VMX can load CET's state: `enable_cet`.
        LoadCetState = 1 << 32,
        /// Guests run whatever their mode: `unrestricted_guest`.
        UnrestrictedGuest = 1 << 33,
        /// VMX injects exceptions with or without an error code: #CP has one.
        AnyErrorCode = 1 << 34,
    }
);

impl Flags {
    /// All others.
    pub(crate) const fn all_but(self) -> Self {
        Self(Self::all_bits() & !self.0)
    }
}

/// Those that are known of a vCPU only.
const OF_VCPU: Flags = Flags::empty().with(Flag::Tdx).with(Flag::AmdCompatible);

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

/// `words`, with features by their numbers.
pub(crate) const fn with(mut words: Words, numbers: [Option<u32>; 3]) -> Words {
    let mut i = 0;

    while i < numbers.len() {
        if let Some(number) = numbers[i] {
            words[(number / u32::BITS) as usize] |= 1 << (number % u32::BITS);
        }
        i += 1;
    }
    words
}

/// Whether there is a feature in them.
pub(crate) const fn has_any(words: &Words) -> bool {
    let mut i = 0;

    while i < words.len() {
        if words[i] != 0 {
            return true;
        }
        i += 1;
    }
    false
}

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
    OrEither(Term, Term),
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
    condition(Of::Flags, (flag as u64).ilog2())
}

pub(crate) const fn on(vendor: Flag, flag: Flag) -> Condition {
    not(is(vendor)).or(is(flag))
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
        assert!(other.is_alone(), "one after the other");
        Self {
            join: match self.join {
                Join::Alone => Join::Or(other.term),
                Join::Or(second) => Join::OrEither(second, other.term),
                _ => panic!("three are enough"),
            },
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
            Join::OrEither(a, b) => holds || a.holds(facts) || b.holds(facts),
        }
    }

    const fn terms(&self) -> [Option<Term>; 3] {
        match self.join {
            Join::Alone => [Some(self.term), None, None],
            Join::And(term) | Join::Or(term) => [Some(self.term), Some(term), None],
            Join::OrEither(a, b) => [Some(self.term), Some(a), Some(b)],
        }
    }

    /// Whether it is about the host alone, and known before there is a vCPU.
    pub(crate) const fn is_of_host(&self) -> bool {
        let terms = self.terms();
        let mut i = 0;

        while i < terms.len() {
            if let Some(term) = terms[i] {
                if !term.is_of_host() {
                    return false;
                }
            }
            i += 1;
        }
        true
    }

    /// Whether all flags that it asks for are among `known`: any other one is never set there, so
    /// that rows would be judged as if they knew.
    pub(crate) const fn asks_only(&self, known: Flags) -> bool {
        let terms = self.terms();
        let mut i = 0;

        while i < terms.len() {
            if let Some(term) = terms[i] {
                if matches!(term.of, Of::Flags) && known.0 >> term.number() & 1 == 0 {
                    return false;
                }
            }
            i += 1;
        }
        true
    }

    /// Whether it is about what KVM supports, and no more.
    pub(crate) const fn is_of_kvm(&self) -> bool {
        matches!(self.term.of, Of::Kvm) && self.is_alone()
    }

    /// The features, by number, that it asks the vCPU for.
    pub(crate) const fn of_vcpu(&self) -> [Option<u32>; 3] {
        self.asked_of(Of::Vcpu)
    }

    /// The features, by number, that it asks KVM for.
    pub(crate) const fn of_kvm(&self) -> [Option<u32>; 3] {
        self.asked_of(Of::Kvm)
    }

    const fn asked_of(&self, of: Of) -> [Option<u32>; 3] {
        let terms = self.terms();
        let mut asked = [None; 3];
        let mut i = 0;

        while i < terms.len() {
            if let Some(term) = terms[i] {
                if term.of as u8 == of as u8 {
                    asked[i] = Some(term.number());
                }
            }
            i += 1;
        }
        asked
    }
}

impl Term {
    const fn is_of_host(&self) -> bool {
        match self.of {
            Of::Kernel | Of::Kvm => true,
            Of::Flags => OF_VCPU.0 >> self.number() & 1 == 0,
            Of::Vcpu => false,
        }
    }

    const fn number(&self) -> u32 {
        self.word as u32 * u32::BITS + self.bit as u32
    }

    #[inline]
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let words: &[u32] = match self.of {
            Of::Kernel => facts.kernel,
            Of::Kvm => facts.kvm,
            Of::Vcpu => facts.vcpu,
            Of::Flags => {
                let flags = facts.flags.0.checked_shr(self.number()).unwrap_or(0);

                return (flags & 1 != 0) == self.is_set;
            }
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
