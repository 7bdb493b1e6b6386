// SPDX-License-Identifier: GPL-2.0

//! What KVM supports of each CPUID feature, and when.
//!
//! One row a feature; the verb is the policy. KVM does not know what has no row, and no guest gets
//! it. A row in a word that does not have the feature fails the build, as does a second row for it.
//!
//! | verb          | KVM supports the feature ...                                               |
//! | ------------- | -------------------------------------------------------------------------- |
//! | `native`      | if the CPU has it and the kernel, where it keeps the word, left it on      |
//! | `x86_64`      | as `native`, on 64-bit kernels                                             |
//! | `aliased`     | as `native`: AMD repeats bits of leaf 1's EDX in leaf 0x80000001's         |
//! | `scattered`   | as `native`, if the kernel, which keeps it in a word of its own, has it    |
//! | `synthesized` | if the kernel has it, whether or not the CPU enumerates it                 |
//! | `passthrough` | if the CPU has it, whether or not the kernel uses it                       |
//! | `emulated`    | always                                                                     |
//! | `vendor`      | if kvm-intel or kvm-amd adds it                                            |
//! | `runtime`     | never: KVM sets it in guest CPUID as the vCPU's state changes              |
//! | `denied`      | never, but asks whether a guest has it                                     |
//!
//! Then the adjustments add and drop features by what else the host has.

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
        self,
        bug,
        kernel_flag,
        word,
        NR_KVM_CPU_CAPS, //
    },
    host::Snapshot, //
};

policy! {
    CPUID_1_ECX {
        native      XMM3;
        native      PCLMULQDQ;
        vendor      DTES64;
        // Executed as a NOP, which is too poor to be advertised.
        runtime     MWAIT;
        vendor      VMX;
        native      SSSE3;
        native      FMA;
        native      CX16;
        native      PDCM;
        native      PCID;
        native      XMM4_1;
        native      XMM4_2;
        emulated    X2APIC;
        native      MOVBE;
        native      POPCNT;
        emulated    TSC_DEADLINE_TIMER;
        native      AES;
        native      XSAVE;
        runtime     OSXSAVE;
        native      AVX;
        native      F16C;
        native      RDRAND;
        emulated    HYPERVISOR;
    }

    CPUID_1_EDX {
        native      FPU;
        native      VME;
        native      DE;
        native      PSE;
        native      TSC;
        native      MSR;
        native      PAE;
        native      MCE;
        native      CX8;
        native      APIC;
        native      SEP;
        native      MTRR;
        native      PGE;
        native      MCA;
        native      CMOV;
        native      PAT;
        native      PSE36;
        native      CLFLUSH;
        vendor      DS;
        native      MMX;
        native      FXSR;
        native      XMM;
        native      XMM2;
        native      SELFSNOOP;
    }

    CPUID_7_0_EBX {
        native      FSGSBASE;
        emulated    TSC_ADJUST;
        native      SGX;
        native      BMI1;
        native      HLE;
        native      AVX2;
        native      FDP_EXCPTN_ONLY;
        native      SMEP;
        native      BMI2;
        native      ERMS;
        native      INVPCID;
        native      RTM;
        native      ZERO_FCS_FDS;
        vendor      MPX;
        native      AVX512F;
        native      AVX512DQ;
        native      RDSEED;
        native      ADX;
        native      SMAP;
        native      AVX512IFMA;
        native      CLFLUSHOPT;
        native      CLWB;
        vendor      INTEL_PT;
        native      AVX512PF;
        native      AVX512ER;
        native      AVX512CD;
        native      SHA_NI;
        native      AVX512BW;
        native      AVX512VL;
    }

    CPUID_7_ECX {
        native      AVX512VBMI;
        native      UMIP;
        native      PKU;
        runtime     OSPKE;
        vendor      WAITPKG;
        native      AVX512_VBMI2;
        x86_64      SHSTK;
        native      GFNI;
        native      VAES;
        native      VPCLMULQDQ;
        native      AVX512_VNNI;
        native      AVX512_BITALG;
        native      AVX512_VPOPCNTDQ;
        passthrough LA57;
        native      RDPID;
        native      BUS_LOCK_DETECT;
        native      CLDEMOTE;
        native      MOVDIRI;
        native      MOVDIR64B;
        native      SGX_LC;
    }

    CPUID_7_EDX {
        native      AVX512_4VNNIW;
        native      AVX512_4FMAPS;
        native      FSRM;
        native      AVX512_VP2INTERSECT;
        native      MD_CLEAR;
        native      SERIALIZE;
        native      TSXLDTRK;
        native      IBT;
        native      AMX_BF16;
        native      AVX512_FP16;
        native      AMX_TILE;
        native      AMX_INT8;
        native      SPEC_CTRL;
        native      INTEL_STIBP;
        native      FLUSH_L1D;
        emulated    ARCH_CAPABILITIES;
        native      SPEC_CTRL_SSBD;
    }

    CPUID_7_1_EAX {
        native      SHA512;
        native      SM3;
        native      SM4;
        native      AVX_VNNI;
        native      AVX512_BF16;
        native      CMPCCXADD;
        native      FZRM;
        native      FSRS;
        native      FSRC;
        x86_64      LKGS;
        native      WRMSRNS;
        native      AMX_FP16;
        native      AVX_IFMA;
        native      LAM;
        native      MOVRS;
    }

    CPUID_7_1_ECX {
        scattered   MSR_IMM;
    }

    CPUID_7_1_EDX {
        native      AVX_VNNI_INT8;
        native      AVX_NE_CONVERT;
        native      AMX_COMPLEX;
        native      AVX_VNNI_INT16;
        native      PREFETCHITI;
        native      AVX10;
    }

    CPUID_7_2_EDX {
        native      INTEL_PSFD;
        native      IPRED_CTRL;
        native      RRSBA_CTRL;
        native      DDPD_U;
        native      BHI_CTRL;
        native      MCDT_NO;
    }

    CPUID_D_1_EAX {
        native      XSAVEOPT;
        native      XSAVEC;
        native      XGETBV1;
        native      XSAVES;
        x86_64      XFD;
    }

    CPUID_12_EAX {
        scattered   SGX1;
        scattered   SGX2;
        scattered   SGX_EDECCSSA;
    }

    CPUID_1E_1_EAX {
        native      AMX_INT8_ALIAS;
        native      AMX_BF16_ALIAS;
        native      AMX_COMPLEX_ALIAS;
        native      AMX_FP16_ALIAS;
        native      AMX_FP8;
        native      AMX_TF32;
        native      AMX_AVX512;
        native      AMX_MOVRS;
    }

    CPUID_24_0_EBX {
        native      AVX10_128;
        native      AVX10_256;
        native      AVX10_512;
    }

    CPUID_24_1_ECX {
        native      AVX10_VNNI_INT;
    }

    CPUID_8000_0001_ECX {
        native      LAHF_LM;
        native      CMP_LEGACY;
        vendor      SVM;
        native      CR8_LEGACY;
        native      ABM;
        native      SSE4A;
        native      MISALIGNSSE;
        native      _3DNOWPREFETCH;
        native      OSVW;
        native      XOP;
        // Nested SVM drops L1's intercepts of instructions that L1 does not have.
        denied      SKINIT;
        native      FMA4;
        native      TBM;
        native      TOPOEXT;
        vendor      PERFCTR_CORE;
    }

    CPUID_8000_0001_EDX {
        aliased     FPU;
        aliased     VME;
        aliased     DE;
        aliased     PSE;
        aliased     TSC;
        aliased     MSR;
        aliased     PAE;
        aliased     MCE;
        aliased     CX8;
        aliased     APIC;
        native      SYSCALL;
        aliased     MTRR;
        aliased     PGE;
        aliased     MCA;
        aliased     CMOV;
        aliased     PAT;
        aliased     PSE36;
        native      NX;
        native      MMXEXT;
        aliased     MMX;
        aliased     FXSR;
        native      FXSR_OPT;
        x86_64      GBPAGES;
        native      RDTSCP;
        x86_64      LM;
        native      _3DNOWEXT;
        native      _3DNOW;
    }

    CPUID_8000_0007_EDX {
        scattered   CONSTANT_TSC;
    }

    CPUID_8000_0008_EBX {
        native      CLZERO;
        native      XSAVEERPTR;
        // As SKINIT.
        denied      RDPRU;
        native      WBNOINVD;
        native      AMD_IBPB;
        native      AMD_IBRS;
        native      AMD_STIBP;
        native      AMD_STIBP_ALWAYS_ON;
        native      AMD_IBRS_SAME_MODE;
        passthrough EFER_LMSLE_MBZ;
        native      AMD_SSBD;
        native      VIRT_SSBD;
        native      AMD_SSB_NO;
        native      AMD_PSFD;
        native      AMD_IBPB_RET;
    }

    CPUID_8000_000A_EDX {
        vendor      NPT;
        vendor      LBRV;
        vendor      NRIPS;
        vendor      TSCRATEMSR;
        vendor      VMCBCLEAN;
        vendor      FLUSHBYASID;
        vendor      PAUSEFILTER;
        vendor      PFTHRESHOLD;
        vendor      V_VMSAVE_VMLOAD;
        vendor      VGIF;
        vendor      GMET;
        vendor      VNMI;
        vendor      SVME_ADDR_CHK;
    }

    CPUID_8000_001F_EAX {
        vendor      SME;
        vendor      SEV;
        vendor      SEV_ES;
        vendor      SEV_SNP;
        native      SME_COHERENT;
    }

    CPUID_8000_0021_EAX {
        native      NO_NESTED_DATA_BP;
        native      WRMSR_XX_BASE_NS;
        // The kernel knows of it on CPUs that are older than its bit.
        synthesized LFENCE_RDTSC;
        synthesized VERW_CLEAR;
        native      NULL_SEL_CLR_BASE;
        native      AUTOIBRS;
        emulated    NO_SMM_CTL_MSR;
        emulated    GP_ON_USER_CPUID;
        native      PREFETCHI;
        native      AVX512_BMM;
        native      ERAPS;
        synthesized SBPB;
        synthesized IBPB_BRTYPE;
        synthesized SRSO_NO;
        native      SRSO_USER_KERNEL_NO;
    }

    CPUID_8000_0021_ECX {
        synthesized TSA_SQ_NO;
        synthesized TSA_L1_NO;
        synthesized TSA_FILL_NO;
    }

    CPUID_8000_0022_EAX {
        native      PERFMON_V2;
    }

    CPUID_C000_0001_EDX {
        native      SM2;
        native      SM2_EN;
        native      XSTORE;
        native      XSTORE_EN;
        native      CCS;
        native      CCS_EN;
        native      XCRYPT;
        native      XCRYPT_EN;
        native      ACE2;
        native      ACE2_EN;
        native      PHE;
        native      PHE_EN;
        native      PMM;
        native      PMM_EN;
        native      RNG2;
        native      RNG2_EN;
        native      PHE2;
        native      PHE2_EN;
        native      RSA;
        native      RSA_EN;
    }
}

adjustments! {
    // SPEC_CTRL, CPUID.7.0:EDX[26], is Intel's name for what AMD enumerates in pieces.
    add  SPEC_CTRL          if has(AMD_IBPB_RET), has(AMD_IBPB), has(AMD_IBRS);
    add  INTEL_STIBP        if has(STIBP);
    add  SPEC_CTRL_SSBD     if has(AMD_SSBD);

    // And AMD's bits, which KVM offers on Intel too, from the kernel's own.
    add  AMD_IBPB           if has(IBPB);
    add  AMD_IBPB_RET       if has(IBPB), has(SPEC_CTRL), without_bug(EIBRS_PBRSB);
    add  AMD_IBRS           if has(IBRS);
    add  AMD_STIBP          if has(STIBP);
    add  AMD_SSBD           if has(SPEC_CTRL_SSBD);
    add  AMD_SSB_NO         if without_bug(SPEC_STORE_BYPASS);
    // The MSR that VIRT_SSBD stands for is second choice to SPEC_CTRL.
    add  VIRT_SSBD          if has(LS_CFG_SSBD), lacks(AMD_SSBD);
    add  NULL_SEL_CLR_BASE  if without_bug(NULL_SEG);

    // Shadow paging can break up 1 GiB pages that the CPU would not take.
    add  GBPAGES            if shadow_paging;

    // Neither protection keys nor shadow stacks are implemented for shadow paging.
    drop PKU                if shadow_paging;
    drop PKU                if lacks(OSPKE);
    drop SHSTK              if shadow_paging;

    // With a MAXPHYADDR smaller than the host's KVM emulates accesses to reserved addresses, and
    // the emulator knows neither shadow stacks nor indirect branch tracking.
    drop SHSTK              if smaller_maxphyaddr;
    drop IBT                if smaller_maxphyaddr;

    // A guest that is told of RDTSCP or RDPID and has no MSR_TSC_AUX is likely to crash. The host
    // contradicts itself, e.g. because it is a guest of a broken KVM.
    deny RDTSCP             if no_msr_tsc_aux;
    deny RDPID              if no_msr_tsc_aux;
}

/// How KVM supports a feature; see the head of this file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Native,
    X86_64,
    Aliased,
    Scattered(KernelFlag),
    Synthesized(KernelFlag),
    Passthrough,
    Emulated,
    Vendor,
    Runtime,
    Denied,
}

/// The policy of one feature.
struct Row {
    feature: Feature,
    verb: Verb,
}

impl Row {
    /// A row in the block of `word`. Fails the build if the feature stands in another one.
    const fn new(word: usize, feature: Feature, verb: Verb) -> Self {
        assert!(feature.word() == word, "the feature is in another word");
        // What other vendors' ranges hold, nobody has read from the CPU.
        assert!(matches!(feature.leaf().function >> 16, 0 | 0x8000 | 0xc000));
        Self { feature, verb }
    }

    /// Whether KVM supports the feature on `host`, as far as the row can tell.
    fn applies(&self, host: &Snapshot<'_>) -> bool {
        let cpu = host.cpu_has(self.feature);
        // The kernel turns features off in the words that it keeps.
        let left_on = host.left_on(self.feature);

        match self.verb {
            Verb::Native | Verb::Aliased => cpu && left_on,
            Verb::X86_64 => cfg!(CONFIG_X86_64) && cpu && left_on,
            Verb::Scattered(flag) => host.has(flag) && cpu && left_on,
            Verb::Synthesized(flag) => host.has(flag) && left_on,
            Verb::Passthrough => cpu,
            Verb::Emulated => true,
            Verb::Vendor | Verb::Runtime | Verb::Denied => false,
        }
    }
}

/// Whether an adjustment adds its feature or takes it away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    /// KVM supports the feature as well.
    Add,
    /// KVM does not support the feature.
    Drop,
    /// As `Drop`; it is an error of the host if there was something to take away.
    Deny,
}

/// What the host must be for an adjustment.
#[derive(Clone, Copy)]
enum Term {
    /// The kernel has the feature.
    Has(KernelFlag),
    /// The kernel lacks the feature, or the CPU the bug.
    Lacks(KernelFlag),
    /// KVM does without two-dimensional paging.
    ShadowPaging,
    /// KVM's parameter `allow_smaller_maxphyaddr` is set.
    SmallerMaxphyaddr,
    /// KVM can't give guests an `MSR_TSC_AUX` of their own.
    NoMsrTscAux,
}

impl Term {
    fn holds(self, host: &Snapshot<'_>) -> bool {
        match self {
            Term::Has(flag) => host.has(flag),
            Term::Lacks(flag) => !host.has(flag),
            Term::ShadowPaging => !host.tdp_enabled,
            Term::SmallerMaxphyaddr => host.allow_smaller_maxphyaddr,
            Term::NoMsrTscAux => !host.has_msr_tsc_aux,
        }
    }
}

/// A feature that is added or taken away if all terms hold.
struct Adjustment {
    action: Action,
    feature: Feature,
    terms: &'static [Term],
}

impl Adjustment {
    /// Fails the build if the feature has no row.
    const fn new(action: Action, feature: Feature, terms: &'static [Term]) -> Self {
        assert!(KNOWN[feature.word()] & feature.mask() != 0, "no such row");
        Self {
            action,
            feature,
            terms,
        }
    }
}

/// The features that have a row.
pub(crate) const KNOWN: Words = {
    let mut known = [0; NR_KVM_CPU_CAPS];
    let mut i = 0;
    while i < POLICY.len() {
        let feature = POLICY[i].feature;
        assert!(
            known[feature.word()] & feature.mask() == 0,
            "a feature has two rows"
        );
        known[feature.word()] |= feature.mask();
        i += 1;
    }
    known
};

/// The name of a feature that has a row, as `X86_FEATURE_*` has it.
pub(crate) fn name(feature: Feature) -> Option<&'static CStr> {
    POLICY
        .iter()
        .zip(NAMES.split_inclusive(|byte| *byte == 0))
        .find(|(row, _)| row.feature == feature)
        // No name of Rust's begins with a digit, as 3DNOW does.
        .map(|(_, name)| name.strip_prefix(b"_").unwrap_or(name))
        .and_then(|name| CStr::from_bytes_with_nul(name).ok())
}

fn row(feature: Feature) -> Option<&'static Row> {
    POLICY.iter().find(|row| row.feature == feature)
}

/// Whether KVM itself sets `feature` in guest CPUID as the vCPU's state changes.
pub(crate) fn is_runtime(feature: Feature) -> bool {
    row(feature).is_some_and(|row| row.verb == Verb::Runtime)
}

/// Whether kvm-intel or kvm-amd may add `feature`, or take it away.
pub(crate) fn is_vendors_to_change(feature: Feature) -> bool {
    row(feature).is_some_and(|row| row.verb != Verb::Denied)
}

/// What KVM supports on `host`, before kvm-intel or kvm-amd has a say, and whether the host is
/// sane, i.e. nothing had to be denied.
pub(crate) fn supported(host: &Snapshot<'_>) -> (Words, bool) {
    let mut words = [0; NR_KVM_CPU_CAPS];
    let mut sane = true;

    for row in POLICY.iter().filter(|row| row.applies(host)) {
        feature::change(&mut words, row.feature, true);
    }
    for adjustment in &ADJUSTMENTS {
        if adjustment.terms.iter().all(|term| term.holds(host)) {
            sane &= adjustment.action != Action::Deny || !feature::has(&words, adjustment.feature);
            feature::change(
                &mut words,
                adjustment.feature,
                adjustment.action == Action::Add,
            );
        }
    }
    (words, sane)
}

macro_rules! policy {
    ($($word:ident { $($verb:ident $name:ident;)* })*) => {
        static POLICY: [Row; [$($(stringify!($name)),*),*].len()] = [
            $($(Row::new(
                word::$word,
                policy!(@feature $verb $word $name),
                policy!(@verb $verb $name),
            ),)*)*
        ];

        /// The names of the features, in the order of the rows, a NUL behind each.
        static NAMES: &[u8] = concat!($($(stringify!($name), "\0",)*)*).as_bytes();
    };

    (@feature aliased $word:ident $name:ident) => {
        generated::feature::$name.alias(word::CPUID_1_EDX, word::$word)
    };
    (@feature $verb:ident $word:ident $name:ident) => { generated::feature::$name };

    (@verb native $name:ident) => { Verb::Native };
    (@verb x86_64 $name:ident) => { Verb::X86_64 };
    (@verb aliased $name:ident) => { Verb::Aliased };
    (@verb scattered $name:ident) => { Verb::Scattered(kernel_flag::$name) };
    (@verb synthesized $name:ident) => { Verb::Synthesized(kernel_flag::$name) };
    (@verb passthrough $name:ident) => { Verb::Passthrough };
    (@verb emulated $name:ident) => { Verb::Emulated };
    (@verb vendor $name:ident) => { Verb::Vendor };
    (@verb runtime $name:ident) => { Verb::Runtime };
    (@verb denied $name:ident) => { Verb::Denied };
}
use policy;

macro_rules! adjustments {
    ($($action:ident $name:ident if $($term:ident $(($flag:ident))?),+;)*) => {
        static ADJUSTMENTS: [Adjustment; [$(stringify!($name)),*].len()] = [
            $(Adjustment::new(
                adjustments!(@action $action),
                generated::feature::$name,
                const { &[$(adjustments!(@term $term $($flag)?)),+] },
            ),)*
        ];
    };

    (@action add) => { Action::Add };
    (@action drop) => { Action::Drop };
    (@action deny) => { Action::Deny };

    (@term has $flag:ident) => { Term::Has(kernel_flag::$flag) };
    (@term lacks $flag:ident) => { Term::Lacks(kernel_flag::$flag) };
    (@term without_bug $flag:ident) => { Term::Lacks(bug::$flag) };
    (@term shadow_paging) => { Term::ShadowPaging };
    (@term smaller_maxphyaddr) => { Term::SmallerMaxphyaddr };
    (@term no_msr_tsc_aux) => { Term::NoMsrTscAux };
}
use adjustments;

#[kunit_tests(guestcaps_x86_policy)]
mod tests {
    use super::super::{
        generated::{
            feature::*,
            NCAPINTS, //
        },
        host::synthetic::Synthetic, //
    };
    use super::*;

    /// Whether KVM supports `feature` on a host.
    fn supports(host: &Synthetic, feature: Feature) -> bool {
        feature::has(&supported(&host.snapshot()).0, feature)
    }

    /// Whether KVM supports `feature` on hosts that lack it, whose CPU has it, whose kernel has it,
    /// and where both do.
    fn answers(feature: Feature, flag: KernelFlag) -> [bool; 4] {
        [
            supports(&Synthetic::new(), feature),
            supports(&Synthetic::new().cpu(feature), feature),
            supports(&Synthetic::new().kernel(flag), feature),
            supports(&Synthetic::new().cpu(feature).kernel(flag), feature),
        ]
    }

    #[test]
    fn native_needs_cpu_and_kernel() {
        assert_eq!(
            answers(XMM3, kernel_flag::XMM3),
            [false, false, false, true]
        );
        assert_eq!(
            answers(RSA_EN, kernel_flag::RSA_EN),
            [false, false, false, true]
        );
    }

    #[test]
    fn native_in_a_word_of_kvm_needs_the_cpu() {
        assert_eq!(answers(AVX10, kernel_flag::FPU), [false, true, false, true]);
        // The kernel has that one elsewhere, but its opinion is not asked.
        assert_eq!(
            answers(BHI_CTRL, kernel_flag::BHI_CTRL),
            [false, true, false, true]
        );
    }

    #[test]
    fn x86_64_is_native_here() {
        assert_eq!(answers(LM, kernel_flag::LM), [false, false, false, true]);
    }

    #[test]
    fn scattered_needs_cpu_and_kernel() {
        assert_eq!(
            answers(SGX1, kernel_flag::SGX1),
            [false, false, false, true]
        );
        assert_eq!(
            answers(CONSTANT_TSC, kernel_flag::CONSTANT_TSC),
            [false, false, false, true]
        );
    }

    #[test]
    fn synthesized_needs_the_kernel() {
        assert_eq!(
            answers(LFENCE_RDTSC, kernel_flag::LFENCE_RDTSC),
            [false, false, true, true]
        );
        assert_eq!(
            answers(TSA_L1_NO, kernel_flag::TSA_L1_NO),
            [false, false, true, true]
        );
    }

    #[test]
    fn passthrough_needs_the_cpu() {
        assert_eq!(answers(LA57, kernel_flag::LA57), [false, true, false, true]);
        assert_eq!(
            answers(EFER_LMSLE_MBZ, kernel_flag::EFER_LMSLE_MBZ),
            [false, true, false, true]
        );
    }

    #[test]
    fn emulated_needs_nothing() {
        assert_eq!(answers(X2APIC, kernel_flag::X2APIC), [true; 4]);
        assert_eq!(answers(HYPERVISOR, kernel_flag::HYPERVISOR), [true; 4]);
    }

    #[test]
    fn vendor_and_runtime_are_not_here() {
        assert_eq!(answers(SVM, kernel_flag::SVM), [false; 4]);
        assert_eq!(answers(SEV_SNP, kernel_flag::SEV_SNP), [false; 4]);
        assert_eq!(answers(OSXSAVE, kernel_flag::OSXSAVE), [false; 4]);
        assert_eq!(answers(MWAIT, kernel_flag::MWAIT), [false; 4]);
        assert_eq!(answers(SKINIT, kernel_flag::SKINIT), [false; 4]);
    }

    /// Leaf 0x80000001's copy depends on its own word, not on leaf 1's.
    #[test]
    fn aliased_looks_at_its_own_word() {
        let alias = FPU.alias(word::CPUID_1_EDX, word::CPUID_8000_0001_EDX);

        for (cpu, kernel, supported) in [
            (FPU, FPU, false),
            (alias, FPU, false),
            (FPU, alias, false),
            (alias, alias, true),
        ] {
            let host = Synthetic::new().cpu(cpu).left_on(kernel);

            assert_eq!(supports(&host, alias), supported);
        }
    }

    #[test]
    fn names_are_those_of_the_rows() {
        let alias = FPU.alias(word::CPUID_1_EDX, word::CPUID_8000_0001_EDX);

        for (feature, wanted) in [
            (XMM3, Some(c"XMM3")),
            (FPU, Some(c"FPU")),
            (alias, Some(c"FPU")),
            (_3DNOW, Some(c"3DNOW")),
            (RSA_EN, Some(c"RSA_EN")),
            (DSCPL, None),
        ] {
            assert!(name(feature) == wanted);
        }
        assert!(is_runtime(OSXSAVE) && !is_runtime(XSAVE) && !is_runtime(DSCPL));
    }

    /// What the table says holds for every row of it, whatever its feature.
    #[test]
    fn each_row_follows_its_verb() {
        for row in &POLICY {
            let feature = row.feature;
            let adjusted = ADJUSTMENTS.iter().any(|a| a.feature == feature);
            let own = match row.verb {
                Verb::Scattered(flag) | Verb::Synthesized(flag) => Some(flag),
                _ => None,
            };

            if adjusted {
                continue;
            }
            for case in 0..8 {
                let (cpu, left_on, has) = (case & 1 != 0, case & 2 != 0, case & 4 != 0);
                let mut host = Synthetic::new();

                if cpu {
                    host = host.cpu(feature);
                }
                if left_on {
                    host = host.left_on(feature);
                }
                if let (true, Some(flag)) = (has, own) {
                    host = host.kernel(flag);
                }

                let kept = feature.word() < NCAPINTS;
                let on = left_on || !kept;
                // A flag that the kernel keeps in the very word is the same bit.
                let same = own.is_some() && kept;
                let has = if same { has || left_on } else { has };
                let on = if same { has } else { on };
                let expected = match row.verb {
                    Verb::Native | Verb::Aliased | Verb::X86_64 => cpu && on,
                    Verb::Scattered(_) => cpu && on && has,
                    Verb::Synthesized(_) => on && has,
                    Verb::Passthrough => cpu,
                    Verb::Emulated => true,
                    Verb::Vendor | Verb::Runtime | Verb::Denied => false,
                };

                assert_eq!(supports(&host, feature), expected);
            }
        }
    }

    /// On a host with all that there is, what has no row is not supported all the same.
    #[test]
    fn what_has_no_row_is_denied() {
        let words = supported(&Synthetic::with_everything().snapshot()).0;

        for (word, known) in words.iter().zip(&KNOWN) {
            assert_eq!(word & !known, 0);
        }
        assert!(is_vendors_to_change(XMM3) && !is_vendors_to_change(DSCPL));
        assert!(!is_vendors_to_change(SKINIT) && name(SKINIT).is_some());
    }

    #[test]
    fn spec_ctrl_from_amds_pieces() {
        const PIECES: [KernelFlag; 3] = [
            kernel_flag::AMD_IBPB_RET,
            kernel_flag::AMD_IBPB,
            kernel_flag::AMD_IBRS,
        ];

        for missing in 0..=PIECES.len() {
            let mut host = Synthetic::new();

            for (n, piece) in PIECES.iter().enumerate() {
                if n != missing {
                    host = host.kernel(*piece);
                }
            }
            assert_eq!(supports(&host, SPEC_CTRL), missing == PIECES.len());
        }
    }

    /// Each implication with one condition: absent without it, there with it.
    #[test]
    fn one_flag_implies_another_vendors_feature() {
        for (flag, feature) in [
            (kernel_flag::STIBP, INTEL_STIBP),
            (kernel_flag::STIBP, AMD_STIBP),
            (kernel_flag::AMD_SSBD, SPEC_CTRL_SSBD),
            (kernel_flag::IBPB, AMD_IBPB),
            (kernel_flag::IBRS, AMD_IBRS),
            (kernel_flag::SPEC_CTRL_SSBD, AMD_SSBD),
            (kernel_flag::LS_CFG_SSBD, VIRT_SSBD),
        ] {
            assert!(!supports(&Synthetic::new(), feature));
            assert!(supports(&Synthetic::new().kernel(flag), feature));
        }
    }

    #[test]
    fn amd_ibpb_ret_needs_spec_ctrl_and_no_pbrsb() {
        let host = || Synthetic::new().kernel(kernel_flag::IBPB);
        let both = || host().kernel(kernel_flag::SPEC_CTRL);

        assert!(!supports(&host(), AMD_IBPB_RET));
        assert!(supports(&both(), AMD_IBPB_RET));
        assert!(!supports(&both().kernel(bug::EIBRS_PBRSB), AMD_IBPB_RET));
        assert!(!supports(
            &Synthetic::new().kernel(kernel_flag::SPEC_CTRL),
            AMD_IBPB_RET
        ));
    }

    #[test]
    fn virt_ssbd_is_second_choice() {
        let host = Synthetic::new()
            .kernel(kernel_flag::LS_CFG_SSBD)
            .kernel(kernel_flag::AMD_SSBD);

        assert!(!supports(&host, VIRT_SSBD));
    }

    #[test]
    fn the_absence_of_bugs_is_a_feature() {
        for (bug, feature) in [
            (bug::SPEC_STORE_BYPASS, AMD_SSB_NO),
            (bug::NULL_SEG, NULL_SEL_CLR_BASE),
        ] {
            assert!(supports(&Synthetic::new(), feature));
            assert!(!supports(&Synthetic::new().kernel(bug), feature));
        }
    }

    #[test]
    fn shadow_paging_has_gbpages_and_lacks_pku_and_shstk() {
        let host = |tdp| {
            Synthetic::new()
                .tdp(tdp)
                .native(PKU)
                .native(SHSTK)
                .kernel(kernel_flag::OSPKE)
        };

        assert!(supports(&host(true), PKU) && supports(&host(true), SHSTK));
        assert!(!supports(&host(false), PKU) && !supports(&host(false), SHSTK));
        assert!(!supports(&host(true), GBPAGES) && supports(&host(false), GBPAGES));
    }

    #[test]
    fn pku_needs_ospke() {
        assert!(!supports(&Synthetic::new().native(PKU), PKU));
        assert!(supports(
            &Synthetic::new().native(PKU).kernel(kernel_flag::OSPKE),
            PKU
        ));
    }

    #[test]
    fn smaller_maxphyaddr_lacks_cet() {
        let host = |smaller| {
            Synthetic::new()
                .smaller_maxphyaddr(smaller)
                .native(SHSTK)
                .native(IBT)
        };

        assert!(supports(&host(false), SHSTK) && supports(&host(false), IBT));
        assert!(!supports(&host(true), SHSTK) && !supports(&host(true), IBT));
    }

    #[test]
    fn without_msr_tsc_aux_there_is_neither_rdtscp_nor_rdpid() {
        for (feature, other) in [(RDTSCP, RDPID), (RDPID, RDTSCP)] {
            let host = |tsc_aux| Synthetic::new().msr_tsc_aux(tsc_aux).native(feature);
            let (with, without) = (host(true), host(false));

            assert!(supports(&with, feature) && supported(&with.snapshot()).1);
            assert!(!supports(&without, feature) && !supports(&without, other));
            assert!(!supported(&without.snapshot()).1);
        }
        // Nothing to deny: nothing wrong.
        assert!(supported(&Synthetic::new().msr_tsc_aux(false).snapshot()).1);
    }
}
