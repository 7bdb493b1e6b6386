// SPDX-License-Identifier: GPL-2.0

//! What KVM derives from a guest's CPUID entries: the vCPU's capabilities and more.

use kernel::prelude::*;

use super::{
    ctrl,
    feature::{
        self,
        Feature,
        KernelWords,
        Words, //
    },
    generated::{
        feature::TSC_DEADLINE_TIMER,
        NR_KVM_CPU_CAPS, //
    },
    host::HostCaps,
    leaf::Entry,
    optout::{
        self,
        Kind, //
    },
    runtime::Runtime,
    scan::{
        self,
        Scan, //
    }, //
};

/// What KVM looks at beside the entries.
pub(crate) struct Context<'a> {
    /// What KVM supports.
    pub(crate) host: &'a HostCaps,
    /// What the kernel knows of the CPU.
    pub(crate) kernel: &'a KernelWords,
    /// Who runs the vCPU.
    pub(crate) kind: Kind,
    /// Whether KVM uses two-dimensional paging.
    pub(crate) tdp_enabled: bool,
    /// The components of XCR0 that KVM supports.
    pub(crate) xcr0: u64,
    /// The components of IA32_XSS that KVM supports.
    pub(crate) xss: u64,
    /// The components of XCR0 that the kernel enables on request only.
    pub(crate) dynamic: u64,
}

/// What a vCPU may use, a bit for each feature: `kvm_vcpu_arch::cpu_caps`.
#[repr(transparent)]
pub(crate) struct GuestCaps(pub(super) Words);

impl GuestCaps {
    /// No capability at all.
    pub(crate) const NONE: Self = Self([0; NR_KVM_CPU_CAPS]);

    /// Makes them the capabilities that guest CPUID asks for and that the host, or an opt-out,
    /// provides.
    ///
    /// A word is what the entry has that answers for its function and index; without such an entry
    /// it is zero.
    #[inline]
    fn set(&mut self, context: &Context<'_>, entries: &[Entry], scan: &Scan, amd_compatible: bool) {
        let guest = |word| scan.word(entries, word);

        for (word, cap) in self.0.iter_mut().enumerate() {
            *cap = guest(word) & context.host.word(word);
        }
        optout::apply(context, amd_compatible, guest, &mut self.0);
    }

    /// Whether the vCPU may use `feature`.
    pub(crate) fn has(&self, feature: Feature) -> bool {
        feature::has(&self.0, feature)
    }
}

/// What KVM derives from guest CPUID when it is set, beside the vCPU's capabilities.
pub(crate) struct GuestCpuid {
    /// The components that the guest may set in XCR0.
    pub(crate) xcr0: u64,
    /// The components that the guest may set in IA32_XSS.
    pub(crate) xss: u64,
    /// The components of XCR0 that the kernel must enable for the guest first.
    pub(crate) dynamic: u64,
    /// The guest's physical address width in bits, MAXPHYADDR.
    pub(crate) maxphyaddr: u8,
    /// KVM's paravirtual features, `KVM_FEATURE_*`.
    pub(crate) pv_features: u32,
    /// The first and the last leaf of Xen's, zero if there is none.
    pub(crate) xen: (u32, u32),
    /// Whether guest CPUID has Hyper-V's interface.
    pub(crate) hyperv: bool,
    /// Whether the vendor is AMD or Hygon.
    pub(crate) amd_compatible: bool,
    /// The bits of the APIC's LVTT that select a timer mode, none if there is no leaf 1.
    pub(crate) timer_mode_mask: u32,
    /// The bits of CR4 that are reserved.
    pub(crate) reserved_cr4: u64,
    /// The bits of EFER that are reserved.
    pub(crate) reserved_efer: u64,
}

impl GuestCpuid {
    /// Writes the vCPU's state to `entries`, and derives all from them, in one pass. Puts what the
    /// vCPU may use in `caps`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if linear addresses are neither 48 nor 57 bits wide, nor of unspecified width.
    #[inline]
    pub(crate) fn new(
        context: &Context<'_>,
        entries: &mut [Entry],
        runtime: &Runtime,
        caps: &mut GuestCaps,
    ) -> Result<Self> {
        let scan = &Scan::new(entries);

        runtime.massage(scan, entries);
        Self::of(context, entries, scan, runtime, caps)
    }

    /// Derives all from massaged entries.
    #[inline]
    fn of(
        context: &Context<'_>,
        entries: &[Entry],
        scan: &Scan,
        runtime: &Runtime,
        caps: &mut GuestCaps,
    ) -> Result<Self> {
        let entry = |slot| scan.entry(entries, slot);
        let sizes = entry(scan::ADDRESS_SIZES).map_or(0, |entry| entry.eax);

        if !matches!(sizes >> 8 & 0xff, 0 | 48 | 57) {
            return Err(EINVAL);
        }

        let amd_compatible = entry(scan::VENDOR).is_some_and(is_amd_compatible);
        let xcr0 = entry(scan::XCR0).map_or(0, |entry| wide(entry.eax, entry.edx));
        let xss = entry(scan::XSS).map_or(0, |entry| wide(entry.ecx, entry.edx));

        caps.set(context, entries, scan, amd_compatible);
        runtime.update_caps(scan, caps);

        let kept = ctrl::kept(&caps.0);

        Ok(Self {
            reserved_cr4: ctrl::reserved_cr4(kept),
            reserved_efer: ctrl::reserved_efer(kept, context.host, context.kernel),
            xcr0: xcr0 & context.xcr0,
            xss: xss & context.xss,
            dynamic: xcr0 & context.dynamic,
            maxphyaddr: maxphyaddr(entry(scan::MAX_EXTENDED), entry(scan::ADDRESS_SIZES)),
            pv_features: entry(scan::KVM_FEATURES).map_or(0, |entry| entry.eax),
            xen: entry(scan::XEN_BASE).map_or((0, 0), |entry| (entry.function, entry.eax)),
            hyperv: entry(scan::HYPERV_INTERFACE).is_some_and(|entry| entry.eax == HYPERV),
            amd_compatible,
            timer_mode_mask: entry(scan::LEAF_1).map_or(0, timer_mode_mask),
        })
    }
}

/// `HYPERV_CPUID_SIGNATURE_EAX` of `hyperv.h`, "Hv#1".
const HYPERV: u32 = u32::from_le_bytes(*b"Hv#1");

/// The vendors whose CPUs behave like AMD's.
const AMD_COMPATIBLE: [[u32; 3]; 3] = [
    vendor(b"AuthenticAMD"),
    vendor(b"AMDisbetter!"),
    vendor(b"HygonGenuine"),
];

/// A vendor's name in EBX, ECX and EDX, where leaf 0 has it out of order: EBX, EDX, ECX.
const fn vendor(name: &[u8; 12]) -> [u32; 3] {
    let [ebx, edx, ecx] = scan::signature(name);

    [ebx, ecx, edx]
}

fn is_amd_compatible(entry: &Entry) -> bool {
    AMD_COMPATIBLE.contains(&entry.signature())
}

/// A mask of 64 bits from two registers.
fn wide(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// LVTT's mode by leaf 1: bit 17, periodic, and with TSC deadlines bit 18 as well.
fn timer_mode_mask(entry: &Entry) -> u32 {
    if entry.ecx & TSC_DEADLINE_TIMER.mask() != 0 {
        3 << 17
    } else {
        1 << 17
    }
}

/// MAXPHYADDR by leaf 0x80000008's EAX[7:0], or 36 if leaf 0x80000000 does not lead there.
fn maxphyaddr(max_extended: Option<&Entry>, sizes: Option<&Entry>) -> u8 {
    match (max_extended, sizes) {
        (Some(max), Some(sizes)) if max.eax >= 0x8000_0008 => sizes.eax as u8,
        _ => 36,
    }
}

/// The bits of a guest physical address that are reserved if it has `maxphyaddr` of them.
pub(crate) fn reserved_gpa_bits(maxphyaddr: u8) -> u64 {
    u64::MAX.checked_shl(maxphyaddr.into()).unwrap_or(0)
}

#[kunit_tests(guestcaps_x86_guest)]
mod tests {
    use super::super::{
        feature::KernelFlag,
        generated::{
            feature::*,
            kernel_flag,
            word,
            LEAFS,
            NBUGINTS,
            NCAPINTS, //
        },
        policy, //
    };
    use super::*;

    const NOTHING: HostCaps = HostCaps([0; NR_KVM_CPU_CAPS]);
    const EVERYTHING: HostCaps = HostCaps([!0; NR_KVM_CPU_CAPS]);
    const INDEXED: u32 = Entry::SIGNIFICANT_INDEX;

    /// An entry that has `value` in all of its registers.
    fn entry(function: u32, index: u32, flags: u32, value: u32) -> Entry {
        Entry {
            function,
            index,
            flags,
            eax: value,
            ebx: value,
            ecx: value,
            edx: value,
            ..Entry::default()
        }
    }

    fn word_of(caps: &GuestCaps, word: usize) -> u32 {
        caps.0.get(word).copied().unwrap_or(0)
    }

    /// What a TD without two-dimensional paging would see: no exceptions but emulation.
    fn plain(host: &HostCaps) -> Context<'_> {
        Context {
            host,
            kernel: &[0; NCAPINTS + NBUGINTS],
            kind: Kind::Tdx,
            tdp_enabled: false,
            xcr0: !0,
            xss: !0,
            dynamic: 0,
        }
    }

    const AT_RESET: Runtime = Runtime {
        osxsave: false,
        ospke: false,
        apic: true,
        tracks_mwait: false,
        mwait: false,
        hlt_in_guest: false,
        xsave_size: 576,
        xsaves_size: 576,
    };

    /// A vCPU's capabilities, without runtime updates.
    fn caps(context: &Context<'_>, entries: &[Entry]) -> GuestCaps {
        let scan = Scan::new(entries);
        let amd_compatible = scan
            .entry(entries, scan::VENDOR)
            .is_some_and(is_amd_compatible);

        let mut caps = GuestCaps::NONE;

        caps.set(context, entries, &scan, amd_compatible);
        caps
    }

    /// What is derived from massaged entries, without the capabilities.
    fn derive_in(context: &Context<'_>, entries: &[Entry]) -> Result<GuestCpuid> {
        let scan = Scan::new(entries);
        let mut caps = GuestCaps::NONE;

        GuestCpuid::of(context, entries, &scan, &AT_RESET, &mut caps)
    }

    fn derive(entries: &[Entry]) -> Result<GuestCpuid> {
        derive_in(&plain(&NOTHING), entries)
    }

    /// An entry that has `text` in EBX, ECX and EDX.
    fn signed(function: u32, eax: u32, text: &[u8; 12]) -> Entry {
        let [ebx, ecx, edx] = scan::signature(text);

        Entry {
            function,
            eax,
            ebx,
            ecx,
            edx,
            ..Entry::default()
        }
    }

    /// Marsaglia's xorshift: the same tables on every run.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 32) as u32
        }

        fn below(&mut self, limit: u32) -> u32 {
            self.next().checked_rem(limit).unwrap_or(0)
        }

        fn one_of(&mut self, values: &[u32]) -> u32 {
            let choice = self.below(values.len() as u32) as usize;

            values.get(choice).copied().unwrap_or(0)
        }

        /// An entry that likely collides with others, and with what is looked up, in all that
        /// matters.
        fn entry(&mut self) -> Entry {
            const FUNCTIONS: [u32; 27] = [
                0,
                1,
                6,
                7,
                0xd,
                0xd,
                0x12,
                0x1e,
                0x24,
                0x4000_0000,
                0x4000_0001,
                0x4000_0100,
                0x4000_0101,
                0x4000_ff00,
                0x4000_ff01,
                0x4001_0000,
                0x8000_0000,
                0x8000_0001,
                0x8000_0007,
                0x8000_0008,
                0x8000_000a,
                0x8000_001f,
                0x8000_0021,
                0x8000_0022,
                0x8086_0001,
                0xc000_0001,
                u32::MAX,
            ];
            const NAMES: [&[u8; 12]; 6] = [
                b"KVMKVMKVM\0\0\0",
                b"XenVMMXenVMM",
                b"AuthcAMDenti",
                b"AMDiter!sbet",
                b"HygouinenGen",
                b"GenuntelineI",
            ];

            let function = self.one_of(&FUNCTIONS);
            let entry = Entry {
                index: self.one_of(&[0, 0, 0, 1, 1, 2, 5, u32::MAX]),
                flags: self.one_of(&[0, INDEXED, INDEXED, INDEXED, 2, 6, !0]),
                eax: self.next(),
                ebx: self.next(),
                ecx: self.next(),
                edx: self.next(),
                padding: [self.next(); 3],
                ..signed(function, 0, NAMES[0])
            };

            match (function, NAMES.get(self.below(8) as usize)) {
                (0 | 0x4000_0000..=0x4000_ffff, Some(name)) => Entry {
                    index: entry.index,
                    flags: entry.flags,
                    ..signed(function, entry.eax, name)
                },
                (0x4000_0001, None) => Entry {
                    eax: HYPERV,
                    ..entry
                },
                // Most tables should be good ones.
                (0x8000_0008, _) if self.below(64) != 0 => Entry {
                    eax: entry.eax & 0xffff_00ff | self.one_of(&[0, 48 << 8, 57 << 8]),
                    ..entry
                },
                _ => entry,
            }
        }

        fn context<'a>(&mut self, host: &'a HostCaps, kernel: &'a KernelWords) -> Context<'a> {
            let mut wide = || wide(self.next(), self.next());
            let (xcr0, xss, dynamic) = (wide(), wide(), wide());

            Context {
                host,
                kernel,
                kind: match self.below(3) {
                    0 => Kind::Svm,
                    1 => Kind::Vmx,
                    _ => Kind::Tdx,
                },
                tdp_enabled: self.below(2) == 0,
                xcr0,
                xss,
                dynamic,
            }
        }

        fn runtime(&mut self) -> Runtime {
            let mut flip = || self.below(2) == 0;

            Runtime {
                osxsave: flip(),
                ospke: flip(),
                apic: flip(),
                tracks_mwait: flip(),
                mwait: flip(),
                hlt_in_guest: flip(),
                xsave_size: self.next(),
                xsaves_size: self.next(),
            }
        }
    }

    /// The same without any cleverness, as C had it: one search for each look-up.
    mod reference {
        use super::*;

        fn position(entries: &[Entry], function: u32, index: Option<u32>) -> Option<usize> {
            entries.iter().position(|entry| {
                entry.function == function && index.is_none_or(|index| entry.answers(index))
            })
        }

        fn find(entries: &[Entry], function: u32, index: Option<u32>) -> Option<&Entry> {
            entries.get(position(entries, function, index)?)
        }

        fn hypervisor<'a>(entries: &'a [Entry], name: &[u8; 12]) -> Option<&'a Entry> {
            (0x4000_0000..0x4001_0000)
                .step_by(0x100)
                .filter_map(|base| find(entries, base, None))
                .find(|entry| entry.signature() == scan::signature(name))
        }

        fn pv_features(entries: &[Entry]) -> Option<usize> {
            let base = hypervisor(entries, b"KVMKVMKVM\0\0\0")?;

            position(entries, base.function | 1, None)
        }

        fn set(word: &mut u32, mask: u32, value: bool) {
            *word = if value { *word | mask } else { *word & !mask };
        }

        pub(super) fn massage(entries: &mut [Entry], runtime: &Runtime) {
            let leaf_1 = position(entries, 1, None);
            let leaf_7 = position(entries, 7, Some(0));
            let xcr0 = position(entries, 0xd, Some(0));
            let xss = position(entries, 0xd, Some(1));
            let pv = pv_features(entries);

            if let Some(entry) = leaf_1.and_then(|at| entries.get_mut(at)) {
                set(&mut entry.ecx, OSXSAVE.mask(), runtime.osxsave);
                set(&mut entry.edx, APIC.mask(), runtime.apic);
                if runtime.tracks_mwait {
                    set(&mut entry.ecx, MWAIT.mask(), runtime.mwait);
                }
            }
            if let Some(entry) = leaf_7.and_then(|at| entries.get_mut(at)) {
                set(&mut entry.ecx, OSPKE.mask(), runtime.ospke);
            }
            if let Some(entry) = xcr0.and_then(|at| entries.get_mut(at)) {
                entry.ebx = runtime.xsave_size;
            }
            if let Some(entry) = xss.and_then(|at| entries.get_mut(at)) {
                if entry.eax & 0xa != 0 {
                    entry.ebx = runtime.xsaves_size;
                }
            }
            if let Some(entry) = pv.and_then(|at| entries.get_mut(at)) {
                if runtime.hlt_in_guest {
                    entry.eax &= !(1 << 7);
                }
            }
        }

        fn caps(context: &Context<'_>, entries: &[Entry], runtime: &Runtime) -> Words {
            let mut words = context.host.0;
            let has = |words: &Words, feature| feature::has(words, feature);
            let put = |words: &mut Words, feature: Feature, value| {
                if let Some(word) = words.get_mut(feature.word()) {
                    set(word, feature.mask(), value);
                }
            };

            put(&mut words, MOVBE, true);
            put(&mut words, MWAIT, true);
            if has(&words, RDTSCP) {
                put(&mut words, RDPID, true);
            }
            for (word, leaf) in words.iter_mut().zip(&LEAFS) {
                *word &= leaf
                    .and_then(|leaf| {
                        find(entries, leaf.function, Some(leaf.index))
                            .map(|entry| entry.reg(leaf.reg))
                    })
                    .unwrap_or(0);
            }
            if position(entries, 1, None).is_some() {
                put(&mut words, OSXSAVE, runtime.osxsave);
                put(&mut words, APIC, runtime.apic);
                if runtime.tracks_mwait {
                    put(&mut words, MWAIT, runtime.mwait);
                }
            }
            if position(entries, 7, Some(0)).is_some() {
                put(&mut words, OSPKE, runtime.ospke);
            }
            if context.tdp_enabled {
                let gbpages = kernel_flag::GBPAGES.is_in(context.kernel);

                put(&mut words, GBPAGES, gbpages);
            }
            let xsave = has(&words, XSAVE);
            match context.kind {
                Kind::Svm => {
                    let xsaves = xsave && kernel_flag::XSAVES.is_in(context.kernel);

                    put(&mut words, XSAVES, xsaves);
                    if !amd_compatible(entries) {
                        put(&mut words, V_VMSAVE_VMLOAD, false);
                    }
                }
                Kind::Vmx if !xsave => put(&mut words, XSAVES, false),
                _ => (),
            }
            words
        }

        fn amd_compatible(entries: &[Entry]) -> bool {
            find(entries, 0, None).is_some_and(|entry| {
                [b"AuthcAMDenti", b"AMDiter!sbet", b"HygouinenGen"]
                    .iter()
                    .any(|name| entry.signature() == scan::signature(name))
            })
        }

        /// Whether `derived` is what `entries` say, field by field.
        pub(super) fn agrees(
            context: &Context<'_>,
            entries: &[Entry],
            runtime: &Runtime,
            derived: &Result<GuestCpuid>,
            derived_caps: &GuestCaps,
        ) -> bool {
            let sizes = find(entries, 0x8000_0008, None);
            let linear = sizes.map_or(0, |entry| entry.eax >> 8 & 0xff);
            let Ok(derived) = derived else {
                return linear != 0 && linear != 48 && linear != 57;
            };
            let leads = find(entries, 0x8000_0000, None).is_some_and(|e| e.eax >= 0x8000_0008);
            let physical = sizes.filter(|_| leads).map_or(36, |entry| entry.eax & 0xff);
            let xcr0 = find(entries, 0xd, Some(0)).map_or(0, |e| wide(e.eax, e.edx));
            let xss = find(entries, 0xd, Some(1)).map_or(0, |e| wide(e.ecx, e.edx));
            let pv = pv_features(entries).and_then(|at| entries.get(at));
            let xen = hypervisor(entries, b"XenVMMXenVMM");

            (linear == 0 || linear == 48 || linear == 57)
                && derived_caps.0 == caps(context, entries, runtime)
                && derived.xcr0 == xcr0 & context.xcr0
                && derived.xss == xss & context.xss
                && derived.dynamic == xcr0 & context.dynamic
                && u32::from(derived.maxphyaddr) == physical
                && derived.pv_features == pv.map_or(0, |entry| entry.eax)
                && derived.xen == xen.map_or((0, 0), |entry| (entry.function, entry.eax))
                && derived.hyperv
                    == find(entries, 0x4000_0001, None).is_some_and(|e| e.eax == 0x3123_7648)
                && derived.amd_compatible == amd_compatible(entries)
                && derived.timer_mode_mask
                    == find(entries, 1, None).map_or(0, |entry| {
                        if entry.ecx & 1 << 24 != 0 {
                            3 << 17
                        } else {
                            1 << 17
                        }
                    })
        }
    }

    #[test]
    fn no_entries_no_capabilities() {
        assert!(caps(&plain(&EVERYTHING), &[]).0 == [0; NR_KVM_CPU_CAPS]);
    }

    #[test]
    fn host_and_guest_both_count() {
        let host = HostCaps([0x0000_ffff; NR_KVM_CPU_CAPS]);
        let caps = caps(&plain(&host), &[entry(0x8000_0021, 0, 0, 0x00ff_ff00)]);

        for word in 0..NR_KVM_CPU_CAPS {
            let mirrors = matches!(word, word::CPUID_8000_0021_EAX | word::CPUID_8000_0021_ECX);

            assert_eq!(word_of(&caps, word), if mirrors { 0xff00 } else { 0 });
        }
    }

    #[test]
    fn the_first_match_wins() {
        let caps = caps(
            &plain(&EVERYTHING),
            &[
                entry(1, 0, 0, 0x1),
                entry(1, 0, 0, 0x2),
                entry(7, 1, INDEXED, 0x4),
                entry(7, 0, 0, 0x8),
                entry(7, 1, INDEXED, 0x10),
                entry(7, 2, INDEXED, 0x20),
            ],
        );

        assert_eq!(word_of(&caps, word::CPUID_1_ECX), 0x1);
        assert_eq!(word_of(&caps, word::CPUID_1_EDX), 0x1);
        assert_eq!(word_of(&caps, word::CPUID_7_1_EAX), 0x4);
        // Not flagged, so it answers for every index that nobody has answered for.
        assert_eq!(word_of(&caps, word::CPUID_7_0_EBX), 0x8);
        assert_eq!(word_of(&caps, word::CPUID_7_2_EDX), 0x8);
    }

    #[test]
    fn a_first_match_without_the_feature_hides_a_second_with_it() {
        let caps = caps(
            &plain(&EVERYTHING),
            &[entry(1, 0, 0, 0), entry(1, 0, 0, !0)],
        );

        assert_eq!(word_of(&caps, word::CPUID_1_ECX), 0);
    }

    #[test]
    fn a_word_asks_for_its_index() {
        let caps = caps(
            &plain(&EVERYTHING),
            &[
                // Leaf 1 has no indices, and yet this does not answer for it.
                entry(1, 5, INDEXED, 0x1),
                entry(0x8000_0001, 5, 0, 0x2),
                entry(7, 1, INDEXED, 0x4),
                entry(0xd, 0, INDEXED, 0x8),
            ],
        );

        assert_eq!(word_of(&caps, word::CPUID_1_ECX), 0);
        assert_eq!(word_of(&caps, word::CPUID_1_EDX), 0);
        assert_eq!(word_of(&caps, word::CPUID_8000_0001_ECX), 0x2);
        assert_eq!(word_of(&caps, word::CPUID_7_0_EBX), 0);
        assert_eq!(word_of(&caps, word::CPUID_7_1_EDX), 0x4);
        assert_eq!(word_of(&caps, word::CPUID_D_1_EAX), 0);
    }

    #[test]
    fn opt_outs_need_guest_cpuid_only() {
        let rdtscp = {
            let mut host = NOTHING;

            if let Some(word) = host.0.get_mut(RDTSCP.word()) {
                *word |= RDTSCP.mask();
            }
            host
        };
        let asked = [
            entry(1, 0, 0, MOVBE.mask() | MWAIT.mask()),
            entry(7, 0, INDEXED, RDPID.mask()),
        ];

        for (host, rdpid) in [
            (&NOTHING, 0),
            (&rdtscp, RDPID.mask()),
            (&EVERYTHING, RDPID.mask()),
        ] {
            let context = plain(host);
            let (all, none) = (caps(&context, &asked), caps(&context, &[]));

            assert_eq!(word_of(&all, MOVBE.word()), MOVBE.mask() | MWAIT.mask());
            assert_eq!(word_of(&all, RDPID.word()), rdpid);
            assert_eq!(word_of(&none, MOVBE.word()), 0);
            assert_eq!(word_of(&none, RDPID.word()), 0);
        }
    }

    /// As many entries as KVM takes, the one that counts last.
    #[test]
    fn the_last_of_256_entries_counts() -> Result {
        let mut entries = KVec::with_capacity(256, GFP_KERNEL)?;

        for index in 0..255 {
            entries.push(entry(1, index + 1, INDEXED, !0), GFP_KERNEL)?;
        }
        entries.push(entry(1, 0, INDEXED, 0x40), GFP_KERNEL)?;
        assert_eq!(
            word_of(&caps(&plain(&EVERYTHING), &entries), word::CPUID_1_ECX),
            0x40
        );
        Ok(())
    }

    fn host_with(features: &[Feature]) -> HostCaps {
        let mut words = [0; NR_KVM_CPU_CAPS];

        for feature in features {
            feature::change(&mut words, *feature, true);
        }
        HostCaps(words)
    }

    fn kernel_with(flags: &[KernelFlag]) -> KernelWords {
        let mut words = [0; NCAPINTS + NBUGINTS];

        for flag in flags {
            flag.set_in(&mut words);
        }
        words
    }

    /// With TDP the CPU decides, whatever KVM and guest CPUID say; without, the rule holds.
    #[test]
    fn gbpages_under_tdp_are_the_cpus() {
        let asked = [entry(0x8000_0001, 0, 0, GBPAGES.mask())];

        for case in 0..16 {
            let (tdp, cpu, kvm, guest) =
                (case & 1 != 0, case & 2 != 0, case & 4 != 0, case & 8 != 0);
            let host = if kvm { host_with(&[GBPAGES]) } else { NOTHING };
            let kernel = if cpu {
                kernel_with(&[kernel_flag::GBPAGES])
            } else {
                kernel_with(&[])
            };
            let entries = if guest { &asked[..] } else { &[] };
            let context = Context {
                kernel: &kernel,
                tdp_enabled: tdp,
                ..plain(&host)
            };

            assert_eq!(
                feature::has(&caps(&context, entries).0, GBPAGES),
                if tdp { cpu } else { kvm && guest }
            );
        }
    }

    /// SVM can't keep XSAVES from a guest with XSAVE; VMX and the TDX module can.
    #[test]
    fn xsaves_depends_on_who_runs_the_vcpu() {
        for case in 0..16 {
            let (cpu, kvm, xsave, xsaves) =
                (case & 1 != 0, case & 2 != 0, case & 4 != 0, case & 8 != 0);
            let host = if kvm {
                host_with(&[XSAVE, XSAVES])
            } else {
                host_with(&[XSAVE])
            };
            let kernel = if cpu {
                kernel_with(&[kernel_flag::XSAVES])
            } else {
                kernel_with(&[])
            };
            let entries = [
                entry(1, 0, 0, if xsave { XSAVE.mask() } else { 0 }),
                entry(0xd, 1, INDEXED, if xsaves { XSAVES.mask() } else { 0 }),
            ];

            for (kind, expected) in [
                (Kind::Svm, cpu && xsave),
                (Kind::Vmx, kvm && xsaves && xsave),
                (Kind::Tdx, kvm && xsaves),
            ] {
                let context = Context {
                    kernel: &kernel,
                    kind,
                    ..plain(&host)
                };

                assert_eq!(feature::has(&caps(&context, &entries).0, XSAVES), expected);
            }
        }
    }

    #[test]
    fn vmload_is_virtualized_for_amds_cpus_only() {
        for (name, amd) in [
            (b"AuthcAMDenti", true),
            (b"AMDiter!sbet", true),
            (b"HygouinenGen", true),
            (b"GenuntelineI", false),
        ] {
            let entries = [
                signed(0, 1, name),
                entry(0x8000_000a, 0, 0, V_VMSAVE_VMLOAD.mask()),
            ];

            for (kind, expected) in [(Kind::Svm, amd), (Kind::Vmx, true), (Kind::Tdx, true)] {
                let context = Context {
                    kind,
                    ..plain(&EVERYTHING)
                };
                let caps = caps(&context, &entries);

                assert_eq!(feature::has(&caps.0, V_VMSAVE_VMLOAD), expected);
            }
        }
        // No leaf 0 is not AMD.
        assert!(derive(&[]).is_ok_and(|derived| !derived.amd_compatible));
    }

    #[test]
    fn no_entries_derive_nothing() {
        assert!(derive(&[]).is_ok_and(|derived| {
            derived.xcr0 == 0
                && derived.xss == 0
                && derived.maxphyaddr == 36
                && derived.pv_features == 0
                && derived.xen == (0, 0)
                && !derived.hyperv
                && derived.timer_mode_mask == 0
        }));
    }

    #[test]
    fn addresses_have_known_widths() {
        for (eax, max, physical) in [
            (0x3930, 0x8000_0008, Some(0x30)),
            (0x302e, 0x8000_0021, Some(46)),
            (0x00ff, 0x8000_0008, Some(255)),
            (0x3000, 0x8000_0008, Some(0)),
            (0x3034, 0x8000_0007, Some(36)),
            (0x3130, 0x8000_0008, None),
            (0x4030, 0, None),
        ] {
            let derived = derive(&[
                entry(0x8000_0000, 0, 0, max),
                entry(0x8000_0008, 7, INDEXED, eax),
            ]);

            assert_eq!(derived.ok().map(|derived| derived.maxphyaddr), physical);
        }
        assert_eq!(reserved_gpa_bits(0), !0);
        assert_eq!(reserved_gpa_bits(36), !0 << 36);
        assert_eq!(reserved_gpa_bits(63), 1 << 63);
        assert_eq!(reserved_gpa_bits(64), 0);
        assert_eq!(reserved_gpa_bits(255), 0);
    }

    #[test]
    fn the_lowest_base_with_the_signature_counts() {
        let kvm = |base, last| signed(base, last, b"KVMKVMKVM\0\0\0");
        let xen = |base, last| signed(base, last, b"XenVMMXenVMM");
        let features = |function, eax| entry(function, 0, 0, eax);
        let pv = |entries: &[Entry]| derive(entries).map_or(!0, |derived| derived.pv_features);

        // Wherever it stands, and wherever its features do.
        assert_eq!(pv(&[kvm(0x4000_0000, 0), features(0x4000_0001, 5)]), 5);
        assert_eq!(pv(&[features(0x4000_0001, 5), kvm(0x4000_0000, 0)]), 5);
        assert_eq!(
            pv(&[
                features(0x4000_0201, 7),
                kvm(0x4000_0200, 0),
                features(0x4000_0101, 5),
                kvm(0x4000_0100, 0),
            ]),
            5
        );
        assert_eq!(pv(&[kvm(0x4000_ff00, 0), features(0x4000_ff01, 9)]), 9);
        // Beyond the last base, off a base, without its features leaf, without a base.
        assert_eq!(pv(&[kvm(0x4001_0000, 0), features(0x4001_0001, 9)]), 0);
        assert_eq!(pv(&[kvm(0x4000_0080, 0), features(0x4000_0081, 9)]), 0);
        assert_eq!(pv(&[kvm(0x4000_0000, 0), features(0x4000_0101, 9)]), 0);
        assert_eq!(pv(&[features(0x4000_0001, 9)]), 0);
        // The first entry speaks for a base.
        assert_eq!(
            pv(&[
                xen(0x4000_0000, 0),
                kvm(0x4000_0000, 0),
                features(0x4000_0001, 9)
            ]),
            0
        );
        assert_eq!(
            pv(&[
                kvm(0x4000_0000, 0),
                features(0x4000_0001, 3),
                features(0x4000_0001, 9)
            ]),
            3
        );

        let both = derive(&[
            xen(0x4000_0300, 0x4000_0305),
            kvm(0x4000_0100, 0),
            xen(0x4000_0200, 0x4000_0204),
        ]);
        assert!(both.is_ok_and(|derived| derived.xen == (0x4000_0200, 0x4000_0204)));
    }

    #[test]
    fn hyperv_is_told_by_its_interface() {
        let hyperv = |entries: &[Entry]| derive(entries).is_ok_and(|derived| derived.hyperv);

        assert!(hyperv(&[entry(0x4000_0001, 5, INDEXED, HYPERV)]));
        assert!(!hyperv(&[entry(0x4000_0101, 0, 0, HYPERV)]));
        assert!(!hyperv(&[
            entry(0x4000_0001, 0, 0, 1),
            entry(0x4000_0001, 0, 0, HYPERV)
        ]));
    }

    #[test]
    fn xcr0_and_xss_are_what_both_have() {
        let context = Context {
            xcr0: 0x2_0000_0007,
            xss: 0x4_0000_0100,
            dynamic: 0x1_0000_0000,
            ..plain(&NOTHING)
        };
        let entries = [entry(0xd, 0, INDEXED, 0x6), entry(0xd, 1, INDEXED, 0x104)];
        let derived = derive_in(&context, &entries);

        assert!(derived.is_ok_and(|derived| {
            derived.xcr0 == 0x2_0000_0006 && derived.xss == 0x4_0000_0100 && derived.dynamic == 0
        }));
        let entries = [entry(0xd, 0, INDEXED, 0x1)];
        let derived = derive_in(&context, &entries);
        assert!(derived.is_ok_and(|derived| derived.dynamic == 0x1_0000_0000 && derived.xss == 0));
    }

    #[test]
    fn the_timer_has_deadlines_if_leaf_1_says_so() {
        let mode = |entries: &[Entry]| derive(entries).map_or(0, |derived| derived.timer_mode_mask);

        assert_eq!(mode(&[entry(1, 0, 0, 0)]), 1 << 17);
        assert_eq!(
            mode(&[entry(1, 5, INDEXED, TSC_DEADLINE_TIMER.mask())]),
            3 << 17
        );
    }

    /// An entry of leaf 1 that is flagged with another index has no words, but the vCPU's state.
    #[test]
    fn runtime_bits_take_leaf_1_with_any_index() {
        let runtime = Runtime {
            osxsave: true,
            tracks_mwait: true,
            mwait: true,
            ..AT_RESET
        };
        let mut entries = [entry(1, 5, INDEXED, 0), entry(7, 5, INDEXED, 0)];
        let mut caps = GuestCaps::NONE;
        let derived = GuestCpuid::new(&plain(&EVERYTHING), &mut entries, &runtime, &mut caps);
        let [leaf_1, leaf_7] = entries;

        assert_eq!(leaf_1.ecx, OSXSAVE.mask() | MWAIT.mask());
        assert_eq!(leaf_1.edx, APIC.mask());
        assert_eq!(leaf_7.ecx, 0);
        assert!(derived.is_ok());
        assert_eq!(
            word_of(&caps, word::CPUID_1_ECX),
            OSXSAVE.mask() | MWAIT.mask()
        );
        assert_eq!(word_of(&caps, word::CPUID_1_EDX), APIC.mask());
    }

    /// Runtime updates, and the massage that is nothing else, do what is done when CPUID is set.
    #[test]
    fn updates_are_the_massage() -> Result {
        let mut random = Random(0xd1b5_4a32_d192_ed03);

        for _ in 0..1000 {
            let runtime = random.runtime();
            let mut entries = KVec::new();
            let mut massaged = KVec::new();

            for _ in 0..random.below(40) {
                entries.push(random.entry(), GFP_KERNEL)?;
            }
            massaged.extend_from_slice(&entries, GFP_KERNEL)?;
            let scan = Scan::new(&entries);
            runtime.massage(&scan, &mut entries);
            runtime.massage_only(&mut massaged);
            assert!(entries[..] == massaged[..]);

            // A vCPU that has those entries, and whose state changes.
            let runtime = Runtime {
                hlt_in_guest: runtime.hlt_in_guest,
                ..random.runtime()
            };
            let mut caps = GuestCaps([random.next(); NR_KVM_CPU_CAPS]);
            let mut expected = GuestCaps(caps.0);

            runtime.massage(&scan, &mut entries);
            runtime.update_caps(&scan, &mut expected);
            runtime.update(&mut massaged, &mut caps);
            assert!(entries[..] == massaged[..] && caps.0 == expected.0);
        }
        Ok(())
    }

    /// Thousands of tables, empty and full ones among them, against [`reference`].
    #[test]
    fn random_tables_agree_with_the_reference() -> Result {
        const TABLES: u32 = 4000;
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut entries = KVec::with_capacity(256, GFP_KERNEL)?;
        let mut massaged = KVec::with_capacity(256, GFP_KERNEL)?;
        let (mut capable, mut refused, mut paravirtual, mut xen) = (0, 0, 0, 0);

        for table in 0..TABLES {
            let mut host = NOTHING;
            let mut kernel = [0; NCAPINTS + NBUGINTS];

            // Words without a feature that KVM knows are zero in any host.
            for (word, known) in host.0.iter_mut().zip(&policy::KNOWN) {
                *word = random.next() & known;
            }
            kernel.iter_mut().for_each(|word| *word = random.next());
            let context = random.context(&host, &kernel);
            let runtime = random.runtime();

            entries.clear();
            for _ in 0..random.one_of(&[0, 1, 2, 5, 10, 31, table & 0xff, 256]) {
                entries.push(random.entry(), GFP_KERNEL)?;
            }
            massaged.clear();
            massaged.extend_from_slice(&entries, GFP_KERNEL)?;

            let mut caps = GuestCaps::NONE;
            let derived = GuestCpuid::new(&context, &mut entries, &runtime, &mut caps);
            reference::massage(&mut massaged, &runtime);
            assert!(entries[..] == massaged[..]);
            assert!(reference::agrees(
                &context, &entries, &runtime, &derived, &caps
            ));
            match derived {
                Ok(derived) => {
                    capable += u32::from(caps.0 != [0; NR_KVM_CPU_CAPS]);
                    paravirtual += u32::from(derived.pv_features != 0);
                    xen += u32::from(derived.xen.0 != 0);
                }
                Err(_) => refused += 1,
            }
        }
        // Else the comparison says little.
        assert!(capable > TABLES / 2 && refused > 10 && paravirtual > TABLES / 20);
        assert!(xen > TABLES / 20);
        Ok(())
    }
}
