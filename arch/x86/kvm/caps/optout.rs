// SPDX-License-Identifier: GPL-2.0

//! The exceptions to the rule that a vCPU may use what both the host and guest CPUID have.
//!
//! One row an exception: the vCPUs that it is for, the verb, the feature, and the conditions.
//!
//! | verb         | if all conditions hold    | else                                              |
//! | ------------ | ------------------------- | ------------------------------------------------- |
//! | `advertised` | guest CPUID alone decides | the rule                                          |
//! | `hidden`     | guest CPUID alone decides | the rule                                          |
//! | `exactly`    | the vCPU has the feature  | it does not; host and guest CPUID don't count     |
//! | `needs`      | the rule                  | the vCPU does not have the feature                |
//!
//! KVM emulates the features of the first two verbs. `KVM_GET_EMULATED_CPUID` reads the same rows,
//! and reports those that are `advertised`.

use core::ffi::CStr;
use kernel::prelude::*;

use super::{
    feature::{
        self,
        Feature,
        KernelFlag,
        Words, //
    },
    generated::{
        feature::*,
        kernel_flag, //
    },
    guest::Context,
    host::HostCaps,
    leaf::Entry, //
};

opt_outs! {
    // Reads MSR_TSC_AUX, which KVM virtualizes only if the host has RDTSCP.
    any: advertised RDPID           if kvm(RDTSCP);

    // A load or store with its bytes swapped, which needs nothing of the host.
    any: advertised MOVBE           if always;

    // No hardware virtualizes MONITOR and MWAIT, and their NOP emulation is too poor to
    // recommend, but userspace that sets the feature all the same gets it.
    any: hidden     MWAIT           if always;

    // The CPU walks the guest's page tables, and takes 1 GiB pages whatever guest CPUID says.
    tdp: exactly    GBPAGES         if kernel(GBPAGES);

    // Who has XSAVE can execute XSAVES, which SVM can't intercept: KVM must switch IA32_XSS.
    svm: exactly    XSAVES          if kernel(XSAVES), guest(XSAVE);

    // XSAVES needs CR4.OSXSAVE, which needs XSAVE. For a TD, the TDX module decides.
    vmx: needs      XSAVES          if guest(XSAVE);

    // Intel's SYSENTER MSRs have 32 bits less after VMLOAD, which is left to the emulator.
    svm: needs      V_VMSAVE_VMLOAD if amd_compatible;
}

/// The vCPUs that a row is for.
#[derive(Clone, Copy)]
enum On {
    /// All.
    Any,
    /// Those with two-dimensional paging.
    Tdp,
    /// Those of kvm-amd.
    Svm,
    /// Those of kvm-intel that are no TDs.
    Vmx,
}

/// What a row does; see the head of this file.
#[derive(Clone, Copy)]
enum Verb {
    /// `advertised` or `hidden`.
    Emulated {
        advertised: bool,
    },
    Exactly,
    Needs,
}

/// A condition.
#[derive(Clone, Copy)]
enum Term {
    /// KVM supports the feature.
    Kvm(Feature),
    /// The host's kernel has the feature.
    Kernel(KernelFlag),
    /// The vCPU may use the feature.
    Guest(Feature),
    /// The vendor in guest CPUID is AMD or Hygon.
    AmdCompatible,
}

/// One exception.
struct OptOut {
    on: On,
    verb: Verb,
    feature: Feature,
    /// The CPUID function that enumerates the feature.
    function: u32,
    terms: &'static [Term],
    /// The vCPUs and the verb, as the row has them: "any:advertised".
    label: &'static CStr,
}

impl OptOut {
    /// Fails the build if the row is one that `KVM_GET_EMULATED_CPUID`, which knows no vCPU and
    /// looks at index 0 of basic functions, can't answer from.
    const fn new(
        on: On,
        verb: Verb,
        feature: Feature,
        terms: &'static [Term],
        label: &'static CStr,
    ) -> Self {
        let leaf = feature.leaf();

        if let Verb::Emulated { advertised } = verb {
            let mut i = 0;

            assert!(matches!(on, On::Any), "no vCPU is known there");
            assert!(
                !advertised || leaf.index == 0 && leaf.function < 0x4000_0000,
                "is reported for basic functions only"
            );
            while i < terms.len() {
                assert!(matches!(terms[i], Term::Kvm(_)), "no vCPU is known there");
                i += 1;
            }
        }
        Self {
            on,
            verb,
            feature,
            function: leaf.function,
            terms,
            label,
        }
    }

    const fn is_advertised(&self) -> bool {
        matches!(self.verb, Verb::Emulated { advertised: true })
    }

    /// Adds the feature to an entry of `KVM_GET_EMULATED_CPUID`, if it is reported there on `host`.
    #[inline(always)]
    fn report(&self, host: &HostCaps, entry: &mut Entry) {
        if self.is_advertised()
            && self.function == entry.function
            && self
                .terms
                .iter()
                .all(|term| matches!(term, Term::Kvm(feature) if host.has(*feature)))
        {
            *entry.reg_mut(self.feature.reg()) |= self.feature.mask();
        }
    }

    /// Makes the exception, if the row is for such a vCPU.
    #[inline(always)]
    fn apply(
        &self,
        context: &Context<'_>,
        amd_compatible: bool,
        guest: &impl Fn(usize) -> u32,
        caps: &mut Words,
    ) {
        if !self.is_for(context.kind, context.tdp_enabled) {
            return;
        }

        let feature = self.feature;
        let holds = self.terms.iter().all(|term| match *term {
            Term::Kvm(feature) => context.host.has(feature),
            Term::Kernel(flag) => flag.is_in(context.kernel),
            Term::Guest(feature) => feature::has(caps, feature),
            Term::AmdCompatible => amd_compatible,
        });

        match self.verb {
            Verb::Emulated { .. } if holds => {
                let asked = guest(feature.word()) & feature.mask() != 0;

                feature::change(caps, feature, asked);
            }
            Verb::Exactly => feature::change(caps, feature, holds),
            Verb::Needs if !holds => feature::change(caps, feature, false),
            Verb::Emulated { .. } | Verb::Needs => (),
        }
    }

    /// Whether the row is for such a vCPU.
    #[inline(always)]
    fn is_for(&self, kind: Kind, tdp_enabled: bool) -> bool {
        match self.on {
            On::Any => true,
            On::Tdp => tdp_enabled,
            On::Svm => kind == Kind::Svm,
            On::Vmx => kind == Kind::Vmx,
        }
    }
}

/// Whether there are vCPUs that may use `feature` though KVM does not support it.
pub(crate) const fn may_exceed_host(feature: Feature) -> bool {
    let mut i = 0;

    while i < OPT_OUTS.len() {
        let row = &OPT_OUTS[i];

        if row.feature.number() == feature.number()
            && matches!(row.verb, Verb::Emulated { .. } | Verb::Exactly)
        {
            return true;
        }
        i += 1;
    }
    false
}

/// The row that decides on `feature` for such a vCPU, as "any:advertised"; the last one if there
/// are several.
pub(crate) fn label(feature: Feature, kind: Kind, tdp_enabled: bool) -> Option<&'static CStr> {
    OPT_OUTS
        .iter()
        .rfind(|row| row.feature == feature && row.is_for(kind, tdp_enabled))
        .map(|row| row.label)
}

/// Text that ends in NUL, for C. Meant for constants.
const fn c_string(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("no NUL, or more than one"),
    }
}

/// The kind of a vCPU, by who runs it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// kvm-amd.
    Svm,
    /// kvm-intel.
    Vmx,
    /// The TDX module.
    Tdx,
}

/// Makes the exceptions to what both the host and guest CPUID have, in the order of the rows.
///
/// `guest` gives the words of guest CPUID; `amd_compatible` is whether the vendor there is AMD or
/// Hygon.
#[inline]
pub(crate) fn apply(
    context: &Context<'_>,
    amd_compatible: bool,
    guest: impl Fn(usize) -> u32,
    caps: &mut Words,
) {
    apply_rows(context, amd_compatible, &guest, caps);
}

/// The functions that have an advertised row, a bit each, and function 0, which leads there.
const ADVERTISED: u64 = {
    let mut functions = 1;
    let mut i = 0;
    while i < OPT_OUTS.len() {
        if OPT_OUTS[i].is_advertised() {
            assert!(OPT_OUTS[i].function < u64::BITS);
            functions |= 1 << OPT_OUTS[i].function;
        }
        i += 1;
    }
    functions
};

/// What `KVM_GET_EMULATED_CPUID` reports for `function`, if anything: a leaf 0 that leads to the
/// last function, and each function that has an advertised row, even if none of its rows applies.
///
/// The entry's flags are left to the caller.
pub(crate) fn emulated(host: &HostCaps, function: u32) -> Option<Entry> {
    if ADVERTISED.checked_shr(function).unwrap_or(0) & 1 == 0 {
        return None;
    }

    let mut entry = Entry {
        function,
        ..Entry::default()
    };

    if function == 0 {
        entry.eax = ADVERTISED.ilog2();
    }
    report_rows(host, &mut entry);
    Some(entry)
}

macro_rules! opt_outs {
    ($($on:ident: $verb:ident $feature:ident
       if $($term:ident $(($arg:ident))?),+;)*) => {
        static OPT_OUTS: [OptOut; [$(stringify!($feature)),*].len()] = [
            $(opt_outs!(@row $on $verb $feature $($term $(($arg))?),+),)*
        ];

        /// Applies the rows one by one. Each is a constant here, so what it doesn't need is not in
        /// the code.
        #[inline]
        fn apply_rows(
            context: &Context<'_>,
            amd_compatible: bool,
            guest: &impl Fn(usize) -> u32,
            caps: &mut Words,
        ) {
            $(const { opt_outs!(@row $on $verb $feature $($term $(($arg))?),+) }
                .apply(context, amd_compatible, guest, caps);)*
        }

        /// As [`apply_rows()`], for an entry of `KVM_GET_EMULATED_CPUID`.
        #[inline]
        fn report_rows(host: &HostCaps, entry: &mut Entry) {
            $(const { opt_outs!(@row $on $verb $feature $($term $(($arg))?),+) }
                .report(host, entry);)*
        }
    };

    (@row $on:ident $verb:ident $feature:ident $($term:ident $(($arg:ident))?),+) => {
        OptOut::new(
            opt_outs!(@on $on),
            opt_outs!(@verb $verb),
            $feature,
            const { &opt_outs!(@terms $($term $(($arg))?),+) },
            c_string(concat!(stringify!($on), ":", stringify!($verb), "\0")),
        )
    };

    (@on any) => { On::Any };
    (@on tdp) => { On::Tdp };
    (@on svm) => { On::Svm };
    (@on vmx) => { On::Vmx };

    (@verb advertised) => { Verb::Emulated { advertised: true } };
    (@verb hidden) => { Verb::Emulated { advertised: false } };
    (@verb exactly) => { Verb::Exactly };
    (@verb needs) => { Verb::Needs };

    (@terms always) => { [] };
    (@terms $($term:ident $(($arg:ident))?),+) => { [$(opt_outs!(@term $term $($arg)?)),+] };
    (@term kvm $feature:ident) => { Term::Kvm($feature) };
    (@term kernel $flag:ident) => { Term::Kernel(kernel_flag::$flag) };
    (@term guest $feature:ident) => { Term::Guest($feature) };
    (@term amd_compatible) => { Term::AmdCompatible };
}
use opt_outs;

#[kunit_tests(guestcaps_x86_optout)]
mod tests {
    use super::super::{
        generated::{
            NBUGINTS,
            NCAPINTS,
            NR_KVM_CPU_CAPS, //
        },
        leaf::Reg, //
    };
    use super::*;

    fn host(features: &[Feature]) -> HostCaps {
        let mut words = [0; NR_KVM_CPU_CAPS];

        for feature in features {
            feature::change(&mut words, *feature, true);
        }
        HostCaps(words)
    }

    /// What a vCPU may use if guest CPUID has all bits set, and no hardware has a say.
    fn usable(host: &HostCaps) -> Words {
        let mut caps = host.0;
        let context = Context {
            host,
            kernel: &[0; NCAPINTS + NBUGINTS],
            kind: Kind::Tdx,
            tdp_enabled: false,
            xcr0: 0,
            xss: 0,
            dynamic: 0,
        };

        apply(&context, false, |_| !0, &mut caps);
        caps
    }

    fn emulated_in(host: &HostCaps, function: u32, reg: Reg) -> Option<u32> {
        emulated(host, function).map(|entry| entry.reg(reg))
    }

    #[test]
    fn rdpid_needs_rdtscp() {
        let (with, without) = (host(&[RDTSCP]), host(&[]));

        assert!(feature::has(&usable(&with), RDPID));
        assert!(!feature::has(&usable(&without), RDPID));
        assert_eq!(emulated_in(&with, 7, Reg::ECX), Some(RDPID.mask()));
        assert_eq!(emulated_in(&without, 7, Reg::ECX), Some(0));
    }

    #[test]
    fn movbe_needs_nothing() {
        assert!(feature::has(&usable(&host(&[])), MOVBE));
        assert_eq!(emulated_in(&host(&[]), 1, Reg::ECX), Some(MOVBE.mask()));
        assert_eq!(
            emulated_in(&host(&[MOVBE]), 1, Reg::ECX),
            Some(MOVBE.mask())
        );
    }

    #[test]
    fn mwait_is_usable_and_never_advertised() {
        assert!(feature::has(&usable(&host(&[])), MWAIT));
        assert_eq!(
            emulated_in(&host(&[MWAIT]), 1, Reg::ECX),
            Some(MOVBE.mask())
        );
    }

    /// The rows add their features, and change nothing else.
    #[test]
    fn nothing_else_is_opted_out() {
        let (mut added, mut none) = (usable(&host(&[])), usable(&HostCaps([!0; NR_KVM_CPU_CAPS])));

        for feature in [MOVBE, MWAIT] {
            if let Some(word) = added.get_mut(feature.word()) {
                *word &= !feature.mask();
            }
        }
        assert!(added.iter().all(|word| *word == 0));
        assert!(none.iter_mut().all(|word| *word == !0));
        assert!(feature::has(&usable(&host(&[RDPID])), RDPID));
    }

    #[test]
    fn rows_are_labelled_by_vcpus_and_verb() {
        for (feature, kind, tdp, wanted) in [
            (RDPID, Kind::Tdx, false, Some(c"any:advertised")),
            (MWAIT, Kind::Svm, true, Some(c"any:hidden")),
            (GBPAGES, Kind::Vmx, true, Some(c"tdp:exactly")),
            (GBPAGES, Kind::Vmx, false, None),
            (XSAVES, Kind::Svm, true, Some(c"svm:exactly")),
            (XSAVES, Kind::Vmx, true, Some(c"vmx:needs")),
            (XSAVES, Kind::Tdx, true, None),
            (AVX, Kind::Svm, true, None),
        ] {
            assert!(label(feature, kind, tdp) == wanted);
        }
        assert!(may_exceed_host(GBPAGES) && !may_exceed_host(V_VMSAVE_VMLOAD));
    }

    #[test]
    fn emulated_cpuid_ends_at_its_last_function() {
        let host = host(&[RDTSCP]);

        assert_eq!(emulated_in(&host, 0, Reg::EAX), Some(7));
        for function in 0..=0x100 {
            let entry = emulated(&host, function);

            assert_eq!(entry.is_some(), matches!(function, 0 | 1 | 7));
            if let Some(entry) = entry {
                assert!(entry.function == function && entry.index == 0 && entry.flags == 0);
                assert!(entry.ebx == 0 && entry.edx == 0 && entry.padding == [0; 3]);
            }
        }
        assert!(emulated(&host, 0x8000_0000).is_none());
        assert!(emulated(&host, 0xc000_0000).is_none());
    }
}
