// SPDX-License-Identifier: GPL-2.0

//! The exceptions to the rule that a vCPU may use what both the host and guest CPUID have.
//!
//! Each row opts one feature out of the host's half of the rule, because KVM emulates it: if the
//! condition holds, guest CPUID alone decides. `KVM_GET_EMULATED_CPUID` reads the same rows.

use kernel::prelude::*;

use super::{
    feature::{
        Feature,
        Words, //
    },
    generated::feature::*,
    host::HostCaps,
    leaf::{
        Entry,
        Leaf, //
    }, //
};

opt_outs! {
    // Feature, condition, and whether KVM_GET_EMULATED_CPUID shows it.

    // Reads MSR_TSC_AUX, which KVM virtualizes only if the host has RDTSCP.
    RDPID: HostHas(RDTSCP), Advertised;

    // A load or store with its bytes swapped, which needs nothing of the host.
    MOVBE: Always, Advertised;

    // No hardware virtualizes MONITOR and MWAIT, and their NOP emulation is too poor to
    // recommend, but userspace that sets the feature all the same gets it.
    MWAIT: Always, Hidden;
}

/// When a row applies.
#[derive(Clone, Copy)]
enum When {
    /// On any host.
    Always,
    /// If KVM supports another feature.
    HostHas(Feature),
}

/// What `KVM_GET_EMULATED_CPUID` says of a row that applies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Advertised,
    Hidden,
}

/// One exception.
struct OptOut {
    feature: Feature,
    leaf: Leaf,
    when: When,
    show: Show,
}

impl OptOut {
    const fn new(feature: Feature, when: When, show: Show) -> Self {
        let leaf = feature.leaf();

        if matches!(show, Show::Advertised) {
            assert!(
                leaf.index == 0 && leaf.function < 0x4000_0000,
                "KVM_GET_EMULATED_CPUID looks at index 0 of basic functions only"
            );
        }
        Self {
            feature,
            leaf,
            when,
            show,
        }
    }

    fn applies(&self, host: &HostCaps) -> bool {
        match self.when {
            When::Always => true,
            When::HostHas(feature) => host.has(feature),
        }
    }
}

macro_rules! opt_outs {
    ($($feature:ident: $when:ident $(($arg:ident))?, $show:ident;)*) => {
        static OPT_OUTS: [OptOut; [$(stringify!($feature)),*].len()] = [
            $(OptOut::new($feature, When::$when $(($arg))?, Show::$show),)*
        ];
    };
}
use opt_outs;

/// What guest CPUID may choose from: the host's capabilities and the rows that apply.
pub(crate) fn usable(host: &HostCaps) -> Words {
    let mut words = host.0;

    for row in OPT_OUTS.iter().filter(|row| row.applies(host)) {
        if let Some(word) = words.get_mut(row.feature.word()) {
            *word |= row.feature.mask();
        }
    }
    words
}

/// The highest CPUID function that has an advertised row.
const MAX_FUNCTION: u32 = {
    let mut max = 0;
    let mut i = 0;
    while i < OPT_OUTS.len() {
        if matches!(OPT_OUTS[i].show, Show::Advertised) && OPT_OUTS[i].leaf.function > max {
            max = OPT_OUTS[i].leaf.function;
        }
        i += 1;
    }
    max
};

/// What `KVM_GET_EMULATED_CPUID` reports for `function`, if anything: a leaf 0 that leads to the
/// last function, and each function that has an advertised row, even if none of its rows applies.
///
/// The entry's flags are left to the caller.
pub(crate) fn emulated(host: &HostCaps, function: u32) -> Option<Entry> {
    let mut entry = Entry {
        function,
        ..Entry::default()
    };
    let mut present = false;

    if function == 0 {
        entry.eax = MAX_FUNCTION;
        present = true;
    }
    for row in &OPT_OUTS {
        if row.show == Show::Advertised && row.leaf.function == function {
            if row.applies(host) {
                *entry.reg_mut(row.leaf.reg) |= row.feature.mask();
            }
            present = true;
        }
    }
    present.then_some(entry)
}

#[kunit_tests(guestcaps_x86_optout)]
mod tests {
    use super::super::{
        feature,
        generated::NR_KVM_CPU_CAPS,
        leaf::Reg, //
    };
    use super::*;

    fn host(features: &[Feature]) -> HostCaps {
        let mut words = [0; NR_KVM_CPU_CAPS];

        for feature in features {
            if let Some(word) = words.get_mut(feature.word()) {
                *word |= feature.mask();
            }
        }
        HostCaps(words)
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
