// SPDX-License-Identifier: GPL-2.0

//! A vCPU's capabilities as people look at them: which feature it may use or not, and why.
//!
//! The reason, where host AND guest CPUID isn't all there is to say:
//!
//! | reason         | meaning                                                                  |
//! | -------------- | ------------------------------------------------------------------------ |
//! | `unknown`      | guest CPUID asks for it, and the policy has no row for it                |
//! | `host`         | guest CPUID asks for it, and KVM does not support it on this host        |
//! | `runtime`      | KVM keeps it up to date as the vCPU's state changes                      |
//! | `vcpus:verb`   | the opt-out that made a difference, as its row begins                    |

use core::ffi::CStr;
use kernel::prelude::*;

use super::{
    feature::{
        self,
        Feature,
        Words, //
    },
    guest::GuestCaps,
    host::HostCaps,
    leaf::{
        Entry,
        Leaf, //
    },
    optout::{
        self,
        Kind, //
    },
    policy,
    scan::Scan, //
};

/// What guest CPUID asks for, a bit for each feature. Words that the policy has no feature in are
/// left out.
pub(crate) fn asked(entries: &[Entry]) -> Words {
    let scan = Scan::new(entries);

    core::array::from_fn(|word| scan.word(entries, word))
}

/// A vCPU's capabilities, and where they come from.
pub(crate) struct View<'a> {
    /// What KVM supports.
    pub(crate) host: &'a HostCaps,
    /// What guest CPUID asks for.
    pub(crate) asked: &'a Words,
    /// What the vCPU may use.
    pub(crate) caps: &'a GuestCaps,
    /// Who runs the vCPU.
    pub(crate) kind: Kind,
    /// Whether KVM uses two-dimensional paging.
    pub(crate) tdp_enabled: bool,
}

/// One feature.
pub(crate) struct Line {
    pub(crate) feature: Feature,
    /// The leaf that enumerates it.
    pub(crate) leaf: Leaf,
    /// Its name in the policy; none if that has no row for it.
    pub(crate) name: Option<&'static CStr>,
    /// Whether KVM supports it.
    pub(crate) host: bool,
    /// Whether guest CPUID asks for it.
    pub(crate) guest: bool,
    /// Whether the vCPU may use it.
    pub(crate) effective: bool,
    /// Why, if there is more to it than host AND guest CPUID.
    pub(crate) why: Option<&'static CStr>,
}

impl View<'_> {
    /// The first feature, from the one with number `from` on, that guest CPUID asks for or that the
    /// vCPU may use.
    pub(crate) fn next(&self, from: u32) -> Option<Line> {
        (from..feature::NUMBERS)
            .filter_map(Feature::from_number)
            .find(|(feature, _)| feature::has(self.asked, *feature) || self.caps.has(*feature))
            .map(|(feature, leaf)| self.line(feature, leaf))
    }

    fn line(&self, feature: Feature, leaf: Leaf) -> Line {
        let name = policy::name(feature);
        let host = self.host.has(feature);
        let guest = feature::has(self.asked, feature);
        let effective = self.caps.has(feature);
        let why = if effective != (host && guest) {
            // Without an opt-out only the vCPU's state makes a difference.
            optout::label(feature, self.kind, self.tdp_enabled).or(Some(c"runtime"))
        } else if effective || !guest {
            None
        } else if name.is_none() {
            Some(c"unknown")
        } else if policy::is_runtime(feature) {
            Some(c"runtime")
        } else {
            Some(c"host")
        };

        Line {
            feature,
            leaf,
            name,
            host,
            guest,
            effective,
            why,
        }
    }
}

#[kunit_tests(guestcaps_x86_view)]
mod tests {
    use super::super::generated::{
        feature::*,
        NR_KVM_CPU_CAPS, //
    };
    use super::*;

    fn words(features: &[Feature]) -> Words {
        let mut words = [0; NR_KVM_CPU_CAPS];

        for feature in features {
            feature::change(&mut words, *feature, true);
        }
        words
    }

    /// The lines for a vCPU of kvm-amd with two-dimensional paging: name, and why.
    fn lines(
        host: &[Feature],
        asked: &[Feature],
        caps: &[Feature],
    ) -> [Option<(Feature, Option<&'static CStr>)>; 8] {
        let view = View {
            host: &HostCaps(words(host)),
            asked: &words(asked),
            caps: &GuestCaps(words(caps)),
            kind: Kind::Svm,
            tdp_enabled: true,
        };
        let mut from = 0;

        core::array::from_fn(|_| {
            let line = view.next(from)?;

            from = line.feature.number() + 1;
            Some((line.feature, line.why))
        })
    }

    fn why(host: &[Feature], asked: &[Feature], caps: &[Feature]) -> Option<&'static CStr> {
        lines(host, asked, caps)[0].and_then(|(_, why)| why)
    }

    #[test]
    fn lines_are_those_that_guests_ask_for_or_have() {
        let all = lines(&[AVX, MOVBE, SVM], &[AVX, FPU], &[AVX, XSAVES]);

        assert!(all
            .iter()
            .flatten()
            .map(|(feature, _)| *feature)
            .eq([FPU, AVX, XSAVES]));
        assert!(lines(&[AVX], &[], &[]).iter().all(Option::is_none));
    }

    #[test]
    fn each_difference_has_its_reason() {
        assert!(why(&[AVX], &[AVX], &[AVX]).is_none());
        assert!(why(&[], &[AVX], &[]) == Some(c"host"));
        assert!(why(&[DSCPL], &[DSCPL], &[]) == Some(c"runtime"));
        assert!(why(&[], &[DSCPL], &[]) == Some(c"unknown"));
        assert!(why(&[], &[OSXSAVE], &[OSXSAVE]) == Some(c"runtime"));
        assert!(why(&[], &[OSXSAVE], &[]) == Some(c"runtime"));
        assert!(why(&[], &[MOVBE], &[MOVBE]) == Some(c"any:advertised"));
        assert!(why(&[MOVBE], &[MOVBE], &[MOVBE]).is_none());
        assert!(why(&[], &[], &[XSAVES]) == Some(c"svm:exactly"));
        assert!(why(&[V_VMSAVE_VMLOAD], &[V_VMSAVE_VMLOAD], &[]) == Some(c"svm:needs"));
        assert!(why(&[], &[], &[GBPAGES]) == Some(c"tdp:exactly"));
        // An opt-out that is not what made the difference.
        assert!(why(&[], &[XSAVES], &[]) == Some(c"host"));
    }

    /// Whatever the number, there is an end.
    #[test]
    fn there_is_nothing_behind_the_last_feature() {
        let everything = [!0; NR_KVM_CPU_CAPS];
        let view = View {
            host: &HostCaps(everything),
            asked: &everything,
            caps: &GuestCaps(everything),
            kind: Kind::Svm,
            tdp_enabled: true,
        };

        assert!(view.next(feature::NUMBERS).is_none());
        assert!(view.next(u32::MAX).is_none());
        assert!(view.next(0).is_some());
    }
}
