// SPDX-License-Identifier: GPL-2.0

//! The exceptions to the rule that a vCPU may use what both the host and guest CPUID have.
//!
//! One row an exception: the verb, the feature, the vCPUs that it is for, and the conditions.
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

use kernel::prelude::*;

use crate::{
    c::{
        Entry,
        SIGNIFICANT_INDEX, //
    },
    cpufeature::{
        feature::*,
        Feature,
        Words, //
    },
    cpuid::{
        self,
        Slot, //
    },
    facts::{
        all_hold,
        is,
        kernel,
        kvm,
        vcpu,
        Condition,
        Facts,
        Flag::{
            self,
            *, //
        },
        Flags, //
    },
    tables::leaves, //
};

/// The flags that are known of a vCPU.
const KNOWN: Flags = Flags::empty()
    .with(Tdp)
    .with(Svm)
    .with(Vmx)
    .with(Tdx)
    .with(AmdCompatible);

#[rustfmt::skip]
static OPT_OUTS: &[OptOut] = &[
    // Reads MSR_TSC_AUX, which KVM virtualizes only if the host has RDTSCP.
    advertised(RDPID).when(&[kvm(RDTSCP)]),

    // A load or store with its bytes swapped, which needs nothing of the host.
    advertised(MOVBE),

    // No hardware virtualizes MONITOR and MWAIT, and their NOP emulation is too poor to recommend,
    // but userspace that sets the feature all the same gets it; or, with
    // KVM_X86_DISABLE_EXITS_MWAIT, the CPU's own.
    hidden(MWAIT),

    // With two-dimensional paging the CPU walks the guest's page tables, and takes 1 GiB pages
    // whatever guest CPUID says.
    exactly(GBPAGES).on(Tdp).when(&[kernel(GBPAGES)]),

    // Who has XSAVE can execute XSAVES, which SVM can't intercept by itself. The vCPU has it then,
    // so that KVM switches IA32_XSS: guests would read and write the host's otherwise.
    exactly(XSAVES).on(Svm).when(&[kernel(XSAVES), vcpu(XSAVE)]),

    // XSAVES needs CR4.OSXSAVE, which needs XSAVE. For a TD, the TDX module decides.
    needs(XSAVES).on(Vmx).when(&[vcpu(XSAVE)]),

    // Intel's SYSENTER MSRs have 32 bits less after VMLOAD, which is left to the emulator.
    needs(V_VMSAVE_VMLOAD).on(Svm).when(&[is(AmdCompatible)]),
];

/// What a row does; see the head of this file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Advertised,
    Hidden,
    Exactly,
    Needs,
}

/// One exception.
#[derive(Clone, Copy)]
pub(crate) struct OptOut {
    feature: Feature,
    verb: Verb,
    /// How a vCPU is that the row is for; any, if there is nothing.
    on: Option<Flag>,
    conditions: &'static [Condition],
}

const fn opt_out(verb: Verb, feature: Feature) -> OptOut {
    OptOut {
        feature,
        verb,
        on: None,
        conditions: &[],
    }
}

const fn advertised(feature: Feature) -> OptOut {
    opt_out(Verb::Advertised, feature)
}

const fn hidden(feature: Feature) -> OptOut {
    opt_out(Verb::Hidden, feature)
}

const fn exactly(feature: Feature) -> OptOut {
    opt_out(Verb::Exactly, feature)
}

const fn needs(feature: Feature) -> OptOut {
    opt_out(Verb::Needs, feature)
}

impl OptOut {
    const fn on(self, flag: Flag) -> Self {
        assert!(
            !self.is_emulated(),
            "KVM_GET_EMULATED_CPUID, which reads this row, knows no vCPU"
        );
        assert!(matches!(flag, Tdp | Svm | Vmx | Tdx), "no kind of vCPU");
        Self {
            on: Some(flag),
            ..self
        }
    }

    const fn when(self, conditions: &'static [Condition]) -> Self {
        let mut i = 0;

        while i < conditions.len() {
            assert!(
                conditions[i].asks_only(KNOWN),
                "the flag is not known of a vCPU"
            );
            assert!(
                !self.is_emulated() || conditions[i].is_of_kvm(),
                "KVM_GET_EMULATED_CPUID, which reads this row, knows no vCPU"
            );
            i += 1;
        }
        Self { conditions, ..self }
    }

    const fn is_emulated(&self) -> bool {
        matches!(self.verb, Verb::Advertised | Verb::Hidden)
    }

    /// What the row does, as words of the table: the vCPUs that it is for, and the verb.
    pub(crate) const fn label(&self) -> (&'static str, &'static str) {
        let on = match self.on {
            Some(Tdp) => "tdp",
            Some(Svm) => "svm",
            Some(Vmx) => "vmx",
            Some(Tdx) => "tdx",
            _ => "any",
        };
        let verb = match self.verb {
            Verb::Advertised => "advertised",
            Verb::Hidden => "hidden",
            Verb::Exactly => "exactly",
            Verb::Needs => "needs",
        };

        (on, verb)
    }

    /// Whether guest CPUID has no say.
    pub(crate) const fn is_exact(&self) -> bool {
        matches!(self.verb, Verb::Exactly)
    }

    /// The feature, by number, for lack of which the row keeps a vCPU from its own.
    pub(crate) fn lacks(&self, facts: &Facts<'_>) -> Option<u32> {
        self.conditions
            .iter()
            .filter(|condition| !condition.holds(facts))
            .find_map(|condition| condition.of_vcpu().into_iter().flatten().next())
    }

    /// Whether the row is for such a vCPU.
    fn is_for(&self, flags: Flags) -> bool {
        self.on.is_none_or(|flag| flags.contains(flag))
    }

    /// Makes the exception.
    fn apply(&self, facts: &Facts<'_>, caps: &mut Words) {
        let feature = &self.feature;
        let holds = all_hold(
            self.conditions,
            &Facts {
                vcpu: caps,
                ..*facts
            },
        );

        match self.verb {
            Verb::Advertised | Verb::Hidden if holds => {
                feature.set_in(caps, feature.is_in(facts.guest));
            }
            Verb::Exactly => feature.set_in(caps, holds),
            Verb::Needs if !holds => feature.set_in(caps, false),
            _ => (),
        }
    }
}

/// Makes the exceptions for a vCPU to `caps`, what both the host and guest CPUID have, in the order
/// of the rows.
#[inline(always)]
pub(crate) fn apply(facts: &Facts<'_>, caps: &mut Words) {
    for row in OPT_OUTS.iter().filter(|row| row.is_for(facts.flags)) {
        row.apply(facts, caps);
    }
}

/// The row that decides on `feature` for a vCPU; the last one if there are several.
pub(crate) fn row_of(feature: &Feature, facts: &Facts<'_>) -> Option<&'static OptOut> {
    OPT_OUTS
        .iter()
        .rfind(|row| row.feature.is(feature) && row.is_for(facts.flags))
}

/// Whether there are vCPUs that may use the feature with a number though KVM does not support it.
pub(crate) const fn may_exceed_kvm(number: u32) -> bool {
    let mut i = 0;

    while i < OPT_OUTS.len() {
        if OPT_OUTS[i].feature.number() == number && !matches!(OPT_OUTS[i].verb, Verb::Needs) {
            return true;
        }
        i += 1;
    }
    false
}

/// The CPUID functions that `KVM_GET_EMULATED_CPUID` reports, in order: those that have an
/// advertised row, and function 0, which leads to the last of them. Each with its flags. Fails the
/// build if a row is not of index 0 of a basic function.
const EMULATED: [(u32, u32); count_advertised() + 1] = {
    let mut functions = [(0, 0); count_advertised() + 1];
    let mut i = 0;
    let mut count = 1;

    while i < OPT_OUTS.len() {
        if matches!(OPT_OUTS[i].verb, Verb::Advertised) {
            let Some(leaf) = OPT_OUTS[i].feature.leaf() else {
                panic!("the feature has no leaf")
            };
            let mut at = count;

            assert!(
                leaf.index == 0 && leaf.function < 0x4000_0000,
                "KVM_GET_EMULATED_CPUID does not report this leaf"
            );
            while functions[at - 1].0 > leaf.function {
                functions[at] = functions[at - 1];
                at -= 1;
            }
            assert!(functions[at - 1].0 != leaf.function, "one row a function");
            functions[at] = (
                leaf.function,
                if leaves::is_indexed(leaf.function) {
                    SIGNIFICANT_INDEX
                } else {
                    0
                },
            );
            count += 1;
        }
        i += 1;
    }
    functions
};

const fn count_advertised() -> usize {
    let (mut i, mut count) = (0, 0);

    while i < OPT_OUTS.len() {
        count += matches!(OPT_OUTS[i].verb, Verb::Advertised) as usize;
        i += 1;
    }
    count
}

/// What `KVM_GET_EMULATED_CPUID` reports: a function with an advertised row, even if that does not
/// apply. Returns how many entries that is.
///
/// # Errors
///
/// `E2BIG` if there are no more than that many `entries`: KVM has always wanted room for one more.
pub(crate) fn emulated(kvm: &Words, entries: &mut [impl Slot<Entry>]) -> Result<usize> {
    let facts = Facts { kvm, ..Facts::NONE };
    let mut reported = EMULATED.map(|(function, flags)| Entry {
        function,
        flags,
        ..Entry::default()
    });

    let [first, .., last] = &mut reported;

    first.eax = last.function;
    for row in OPT_OUTS.iter().filter(|row| row.verb == Verb::Advertised) {
        if let (Some(leaf), true) = (row.feature.leaf(), all_hold(row.conditions, &facts)) {
            if let Some(entry) = reported.iter_mut().find(|e| e.function == leaf.function) {
                *cpuid::reg_mut(entry, leaf.reg) |= row.feature.mask();
            }
        }
    }
    if entries.len() <= reported.len() {
        return Err(E2BIG);
    }
    for (slot, entry) in entries.iter_mut().zip(reported) {
        slot.fill(entry);
    }
    Ok(EMULATED.len())
}
