// SPDX-License-Identifier: GPL-2.0

//! What KVM supports of each CPUID feature, and when.
//!
//! One row a feature, each with all that there is to say about it. The build fails for a feature
//! that `asm/cpufeatures.h` has in one of these words and that has no row here, or two. Bits that
//! are no feature of the kernel's are denied.
//!
//! | verb          | KVM supports the feature ...                                               |
//! | ------------- | -------------------------------------------------------------------------- |
//! | `native`      | if the CPU has it and the kernel, where it keeps the word, left it on      |
//! | `aliased`     | as `native`: AMD repeats bits of leaf 1's EDX in leaf 0x80000001's         |
//! | `scattered`   | as `native`, if the kernel, which keeps it in a word of its own, has it    |
//! | `synthesized` | if the kernel has it, whether or not the CPU enumerates it                 |
//! | `passthrough` | if the CPU has it, whether or not the kernel uses it                       |
//! | `emulated`    | always                                                                     |
//! | `vendor`      | if kvm-intel's or kvm-amd's configuration is so                            |
//! | `runtime`     | never: KVM sets it in guest CPUID as the vCPU's state changes              |
//! | `denied`      | never, and says why                                                        |
//!
//! | then          |                                                                            |
//! | ------------- | -------------------------------------------------------------------------- |
//! | `also`        | or if all of these conditions hold                                         |
//! | `needs`       | but only if all of these hold                                              |
//! | `several`     | `Needs`, as `needs`, and `Expects`, as `needs`, but a host that has the    |
//! |               | feature all the same contradicts itself                                    |
//! | `queried`     | denied, and yet KVM asks whether a vCPU has it                             |
//!
//! Conditions are those of [`facts`](super::super::facts). What KVM supports, `kvm(X)`, is known to
//! rows behind all those that don't ask for it.

use crate::{
    cpufeature::{
        self,
        bug,
        feature,
        Feature,
        Words,
        CPUID_1_EDX,
        FEATURES,
        NCAPINTS, //
    },
    facts::{
        all_hold,
        has_any,
        has_bug,
        is,
        kernel,
        kvm,
        not,
        on,
        with,
        Condition,
        Facts,
        Flag::*,
        Flags,
        NOTHING, //
    }, //
};

#[rustfmt::skip]
policy! {
    CPUID_1_ECX {
        native(XMM3);
        native(PCLMULQDQ);
        vendor(DTES64, &[is(Pebs), kernel(feature::DTES64)]);
        // Executed as a NOP, which is too poor to be advertised; a runtime bit for the sake of
        // IA32_MISC_ENABLE.
        runtime(MWAIT);
        denied(DSCPL, "The debug store is not qualified by CPL.");
        vendor(VMX, &[is(Vmx), is(Nested)]);
        denied(SMX, "Neither GETSEC nor CR4.SMXE is virtualized.");
        denied(EST, "Frequencies are the host's.");
        denied(TM2, "No thermal monitor is emulated.");
        native(SSSE3);
        denied(CID, "The L1 cache's mode is the host's.");
        denied(SDBG, "IA32_DEBUG_INTERFACE is not virtualized.");
        native(FMA);
        native(CX16);
        denied(XTPR, "Task priority messages are not virtualized.");
        native(PDCM).needs(&[on(Vmx, Pmu)]);
        native(PCID);
        denied(DCA, "No chipset is there that accesses the cache directly.");
        native(XMM4_1);
        native(XMM4_2);
        emulated(X2APIC);
        native(MOVBE);
        native(POPCNT);
        emulated(TSC_DEADLINE_TIMER);
        native(AES);
        native(XSAVE);
        runtime(OSXSAVE);
        native(AVX);
        native(F16C);
        native(RDRAND);
        emulated(HYPERVISOR);
    }

    CPUID_1_EDX {
        native(FPU);
        native(VME);
        native(DE);
        native(PSE);
        native(TSC);
        native(MSR);
        native(PAE);
        native(MCE);
        native(CX8);
        native(APIC);
        native(SEP);
        native(MTRR);
        native(PGE);
        native(MCA);
        native(CMOV);
        native(PAT);
        native(PSE36);
        denied(PN, "It would be the host's serial number.");
        native(CLFLUSH);
        vendor(DS, &[is(Pebs), kernel(feature::DS)]);
        denied(ACPI, "No thermal monitor is emulated.");
        native(MMX);
        native(FXSR);
        native(XMM);
        native(XMM2);
        native(SELFSNOOP);
        denied(HT, "Topology is userspace's to tell.");
        denied(ACC, "No thermal monitor is emulated.");
        denied(IA64, "No CPU that runs KVM is one.");
        denied(PBE, "FERR# tells nobody of pending breaks.");
    }

    CPUID_6_EAX {
        denied(DTHERM, "The temperature is the host's.");
        denied(IDA, "Frequencies are the host's.");
        // The emulated APIC's timer never stops.
        emulated(ARAT);
        denied(PLN, "Thermal events are the host's.");
        denied(PTS, "Thermal events are the host's.");
        denied(HWP, "Frequencies are the host's.");
        denied(HWP_NOTIFY, "Frequencies are the host's.");
        denied(HWP_ACT_WINDOW, "Frequencies are the host's.");
        denied(HWP_EPP, "Frequencies are the host's.");
        denied(HWP_PKG_REQ, "Frequencies are the host's.");
        denied(HWP_HIGHEST_PERF_CHANGE, "Frequencies are the host's.");
        denied(HFI, "Feedback of the hardware is the host's.");
        denied(DPTI, "Thermal events are the host's.");
    }

    CPUID_7_0_EBX {
        native(FSGSBASE);
        emulated(TSC_ADJUST);
        native(SGX).needs(&[on(Vmx, Sgx)]);
        native(BMI1);
        native(HLE);
        native(AVX2);
        native(FDP_EXCPTN_ONLY);
        native(SMEP);
        native(BMI2);
        native(ERMS);
        native(INVPCID).needs(&[on(Vmx, Invpcid)]);
        native(RTM);
        denied(CQM, "Caches are monitored by the host's RMIDs.");
        native(ZERO_FCS_FDS);
        vendor(MPX, &[is(Vmx), is(MpxState), kernel(feature::MPX)]);
        denied(RDT_A, "Caches are the host's to allocate.");
        native(AVX512F);
        native(AVX512DQ);
        native(RDSEED);
        native(ADX);
        native(SMAP);
        native(AVX512IFMA);
        native(CLFLUSHOPT);
        native(CLWB);
        vendor(INTEL_PT, &[is(PtHostGuest), kernel(feature::INTEL_PT)]);
        native(AVX512PF);
        native(AVX512ER);
        native(AVX512CD);
        native(SHA_NI);
        native(AVX512BW);
        native(AVX512VL);
    }

    CPUID_7_ECX {
        native(AVX512VBMI);
        // Where the CPU lacks it, VMX can make the instructions exit that it is about.
        native(UMIP).also(&[is(UmipEmulated)]);
        // Shadow paging does not look at protection keys, and the host must have turned them on.
        native(PKU).needs(&[is(Tdp), kernel(OSPKE)]);
        runtime(OSPKE);
        vendor(WAITPKG, &[is(UserWaitPause), kernel(feature::WAITPKG)]);
        native(AVX512_VBMI2);
        // Shadow paging has no pages that are writable to shadow stacks alone. With a MAXPHYADDR
        // smaller than the host's KVM emulates accesses to reserved addresses, and its emulator
        // knows neither shadow stacks nor indirect branch tracking: nor may VMX leave it any mode
        // of the guest's. VMX must inject #CP, and there must be an IA32_XSS to switch all state.
        native(SHSTK).needs(&[
            is(Tdp), not(is(SmallerMaxphyaddr)), on(Vmx, LoadCetState), on(Vmx, UnrestrictedGuest),
            on(Vmx, AnyErrorCode), is(CetState), kvm(feature::XSAVES),
        ]);
        native(GFNI);
        native(VAES);
        native(VPCLMULQDQ);
        native(AVX512_VNNI);
        native(AVX512_BITALG);
        denied(TME, "Encryption of memory is the host's.");
        native(AVX512_VPOPCNTDQ);
        // The kernel clears it if it doesn't use it itself; guests can.
        passthrough(LA57);
        // As RDTSCP.
        native(RDPID).several(&[Expects(&[is(MsrTscAux)]), Needs(&[on(Vmx, Rdtscp)])]);
        // kvm-amd knows nothing of it.
        native(BUS_LOCK_DETECT).needs(&[not(is(Svm))]);
        native(CLDEMOTE);
        native(MOVDIRI);
        native(MOVDIR64B);
        denied(ENQCMD, "PASIDs are not virtualized.");
        native(SGX_LC).needs(&[on(Vmx, Sgx)]);
    }

    CPUID_7_EDX {
        native(AVX512_4VNNIW);
        native(AVX512_4FMAPS);
        native(FSRM);
        native(AVX512_VP2INTERSECT);
        denied(SRBDS_CTRL, "IA32_MCU_OPT_CTRL is not virtualized.");
        native(MD_CLEAR);
        denied(RTM_ALWAYS_ABORT, "Its MSR is not virtualized.");
        denied(TSX_FORCE_ABORT, "Its MSR is not virtualized.");
        native(SERIALIZE);
        denied(HYBRID_CPU, "vCPUs move between all CPUs.");
        native(TSXLDTRK);
        denied(PCONFIG, "Keys of memory are the host's.");
        denied(ARCH_LBR, "Its MSRs, and their part of IA32_XSS, are not virtualized.");
        // As SHSTK, but for shadow paging. SVM has no state for it.
        native(IBT).needs(&[
            not(is(Svm)), not(is(SmallerMaxphyaddr)), on(Vmx, LoadCetState),
            on(Vmx, UnrestrictedGuest), on(Vmx, AnyErrorCode), is(CetState), kvm(feature::XSAVES),
        ]);
        native(AMX_BF16);
        native(AVX512_FP16);
        native(AMX_TILE);
        native(AMX_INT8);
        // Intel's name for what AMD enumerates in pieces, and the kernel keeps as those.
        native(SPEC_CTRL).also(&[
            kernel(feature::AMD_IBPB_RET), kernel(feature::AMD_IBPB), kernel(feature::AMD_IBRS),
        ]);
        native(INTEL_STIBP).also(&[kernel(feature::STIBP)]);
        native(FLUSH_L1D);
        emulated(ARCH_CAPABILITIES);
        denied(CORE_CAPABILITIES, "Its MSR is not virtualized.");
        native(SPEC_CTRL_SSBD).also(&[kernel(feature::AMD_SSBD)]);
    }

    CPUID_7_1_EAX {
        native(SHA512);
        native(SM3);
        native(SM4);
        native(AVX_VNNI);
        native(AVX512_BF16);
        denied(LASS, "CR4.LASS is reserved, and KVM's emulator does not obey it.");
        native(CMPCCXADD);
        denied(ARCH_PERFMON_EXT, "Its leaf, 0x23, is not reported.");
        native(FZRM);
        native(FSRS);
        native(FSRC);
        denied(FRED, "Delivery of events by FRED is not virtualized.");
        native(LKGS);
        native(WRMSRNS);
        native(AMX_FP16);
        native(AVX_IFMA);
        native(LAM);
        native(MOVRS);
    }

    CPUID_7_1_ECX {
        // kvm-amd knows nothing of its exits.
        scattered(MSR_IMM).needs(&[not(is(Svm))]);
    }

    CPUID_7_1_EDX {
        native(AVX_VNNI_INT8);
        native(AVX_NE_CONVERT);
        native(AMX_COMPLEX);
        native(AVX_VNNI_INT16);
        native(PREFETCHITI);
        native(AVX10);
    }

    CPUID_7_2_EDX {
        native(INTEL_PSFD);
        native(IPRED_CTRL);
        native(RRSBA_CTRL);
        native(DDPD_U);
        native(BHI_CTRL);
        native(MCDT_NO);
    }

    CPUID_D_1_EAX {
        native(XSAVEOPT);
        native(XSAVEC);
        native(XGETBV1);
        native(XSAVES).needs(&[on(Vmx, Xsaves)]);
        native(XFD);
    }

    CPUID_12_EAX {
        scattered(SGX1).needs(&[on(Vmx, Sgx)]);
        scattered(SGX2).needs(&[on(Vmx, Sgx)]);
        scattered(SGX_EDECCSSA).needs(&[on(Vmx, Sgx)]);
    }

    CPUID_1E_1_EAX {
        native(AMX_INT8_ALIAS);
        native(AMX_BF16_ALIAS);
        native(AMX_COMPLEX_ALIAS);
        native(AMX_FP16_ALIAS);
        native(AMX_FP8);
        native(AMX_TF32);
        native(AMX_AVX512);
        native(AMX_MOVRS);
    }

    CPUID_24_0_EBX {
        native(AVX10_128);
        native(AVX10_256);
        native(AVX10_512);
    }

    CPUID_24_1_ECX {
        native(AVX10_VNNI_INT);
    }

    CPUID_8000_0001_ECX {
        native(LAHF_LM);
        native(CMP_LEGACY);
        vendor(SVM, &[is(Svm), is(Nested)]);
        denied(EXTAPIC, "The APIC's extended registers are not emulated.");
        native(CR8_LEGACY);
        native(ABM);
        native(SSE4A);
        native(MISALIGNSSE);
        native(_3DNOWPREFETCH);
        native(OSVW);
        denied(IBS, "Samples are not virtualized.");
        native(XOP);
        denied(SKINIT, "KVM injects #UD; nested SVM asks for the sake of intercepts.").queried();
        denied(WDT, "No watchdog timer is emulated.");
        denied(LWP, "Profiles, and their part of XCR0, are not virtualized.");
        native(FMA4);
        denied(TCE, "EFER.TCE is reserved.");
        denied(NODEID_MSR, "Its MSR is not emulated.");
        native(TBM);
        native(TOPOEXT);
        // With fewer counters guests get the four that there always were.
        vendor(PERFCTR_CORE, &[
            is(Svm), is(Pmu), is(CoreCounters), kernel(feature::PERFCTR_CORE),
        ]);
        denied(PERFCTR_NB, "Counters of the northbridge count for the whole host.");
        denied(BPEXT, "Address masks of breakpoints are not virtualized.");
        denied(PTSC, "Its MSR is not emulated.");
        denied(PERFCTR_LLC, "Counters of the last-level cache count for the whole host.");
        denied(MWAITX, "KVM offers no waiting by MWAITX, as none by MWAIT.");
    }

    CPUID_8000_0001_EDX {
        aliased(CPUID_1_EDX::FPU);
        aliased(CPUID_1_EDX::VME);
        aliased(CPUID_1_EDX::DE);
        aliased(CPUID_1_EDX::PSE);
        aliased(CPUID_1_EDX::TSC);
        aliased(CPUID_1_EDX::MSR);
        aliased(CPUID_1_EDX::PAE);
        aliased(CPUID_1_EDX::MCE);
        aliased(CPUID_1_EDX::CX8);
        aliased(CPUID_1_EDX::APIC);
        native(SYSCALL);
        aliased(CPUID_1_EDX::MTRR);
        aliased(CPUID_1_EDX::PGE);
        aliased(CPUID_1_EDX::MCA);
        aliased(CPUID_1_EDX::CMOV);
        aliased(CPUID_1_EDX::PAT);
        aliased(CPUID_1_EDX::PSE36);
        denied(MP, "Obsolete, and undefined on CPUs with SVM.");
        native(NX);
        native(MMXEXT);
        aliased(CPUID_1_EDX::MMX);
        aliased(CPUID_1_EDX::FXSR);
        native(FXSR_OPT);
        // Shadow paging can break up 1 GiB pages that the CPU would not take.
        native(GBPAGES).also(&[not(is(Tdp))]);
        // A guest that is told of it and has no MSR_TSC_AUX is likely to crash. A host without the
        // MSR contradicts itself: it may be the guest of a KVM that got it wrong, as KVM once did.
        native(RDTSCP).several(&[Expects(&[is(MsrTscAux)]), Needs(&[on(Vmx, Rdtscp)])]);
        native(LM);
        native(_3DNOWEXT);
        native(_3DNOW);
    }

    CPUID_8000_0007_EDX {
        scattered(CONSTANT_TSC);
    }

    CPUID_8000_0008_EBX {
        native(CLZERO);
        denied(IRPERF, "Its MSR is not emulated.");
        native(XSAVEERPTR);
        denied(INVLPGB, "Broadcasts of TLB invalidations are not virtualized.");
        denied(RDPRU, "KVM injects #UD; nested SVM asks for the sake of intercepts.").queried();
        native(WBNOINVD);
        // AMD's bits of what Intel has at once: offered on Intel too, from the kernel's own.
        native(AMD_IBPB).also(&[kernel(feature::IBPB)]);
        native(AMD_IBRS).also(&[kernel(feature::IBRS)]);
        native(AMD_STIBP).also(&[kernel(feature::STIBP)]);
        native(AMD_STIBP_ALWAYS_ON);
        native(AMD_IBRS_SAME_MODE);
        // The kernel has no use for it.
        passthrough(EFER_LMSLE_MBZ);
        denied(AMD_PPIN, "It would be the host's inventory number.");
        native(AMD_SSBD).also(&[kernel(feature::SPEC_CTRL_SSBD)]);
        // The MSR that it stands for is second choice to SPEC_CTRL.
        // kvm-amd can offer both.
        native(VIRT_SSBD).also(&[
            kernel(feature::LS_CFG_SSBD).or(kernel(feature::AMD_SSBD)),
            is(Svm).or(kernel(feature::LS_CFG_SSBD)), is(Svm).or(not(kernel(feature::AMD_SSBD))),
        ]);
        native(AMD_SSB_NO).also(&[not(has_bug(bug::SPEC_STORE_BYPASS))]);
        denied(CPPC, "Performance is the host's to control.");
        native(AMD_PSFD);
        denied(BTC_NO, "Guests are told nothing of branch type confusion.");
        native(AMD_IBPB_RET).also(&[
            kernel(feature::IBPB), kernel(feature::SPEC_CTRL), not(has_bug(bug::EIBRS_PBRSB)),
        ]);
        denied(BRS, "Branch samples are not virtualized.");
    }

    CPUID_8000_000A_EDX {
        vendor(NPT, &[is(Svm), is(Nested), is(Tdp)]);
        vendor(LBRV, &[is(Svm), is(Nested), is(Lbrv)]);
        denied(SVML, "VM_CR.LOCK does not lock SVM of L1.");
        vendor(NRIPS, &[is(Svm), is(Nested), is(Nrips)]);
        vendor(TSCRATEMSR, &[is(Svm), is(Nested), is(TscScaling)]);
        vendor(VMCBCLEAN, &[is(Svm), is(Nested)]);
        // Nested transitions flush everything, which is more than any L1 can ask for.
        vendor(FLUSHBYASID, &[is(Svm), is(Nested)]);
        denied(DECODEASSISTS, "L1 gets no decoded instructions.");
        vendor(PAUSEFILTER, &[is(Svm), is(Nested), kernel(feature::PAUSEFILTER)]);
        vendor(PFTHRESHOLD, &[is(Svm), is(Nested), kernel(feature::PFTHRESHOLD)]);
        denied(AVIC, "It is not nested.");
        vendor(V_VMSAVE_VMLOAD, &[is(Svm), is(Nested), is(Vls)]);
        vendor(VGIF, &[is(Svm), is(Nested), is(Vgif)]);
        vendor(GMET, &[is(Svm), is(Nested), is(Gmet)]);
        denied(X2AVIC, "It is not nested.");
        denied(V_SPEC_CTRL, "It is not nested.");
        vendor(VNMI, &[is(Svm), is(Nested), is(Vnmi)]);
        // L1 gets an exit instead of #GP.
        vendor(SVME_ADDR_CHK, &[is(Svm), is(Nested)]);
        denied(BUS_LOCK_THRESHOLD, "It is not nested.");
        denied(IDLE_HLT, "It is not nested.");
    }

    CPUID_8000_001F_EAX {
        denied(SME, "Encryption of memory is the host's.");
        vendor(SEV, &[is(Sev)]);
        denied(VM_PAGE_FLUSH, "Pages are the host's to flush.");
        vendor(SEV_ES, &[is(SevEs)]);
        vendor(SEV_SNP, &[is(SevSnp)]);
        denied(SNP_SECURE_TSC, "Userspace is told of SEV, SEV-ES and SEV-SNP alone.");
        denied(V_TSC_AUX, "Userspace is told of SEV, SEV-ES and SEV-SNP alone.");
        native(SME_COHERENT);
        denied(DEBUG_SWAP, "Userspace is told of SEV, SEV-ES and SEV-SNP alone.");
        denied(RMPREAD, "Userspace is told of SEV, SEV-ES and SEV-SNP alone.");
        denied(SEGMENTED_RMP, "Userspace is told of SEV, SEV-ES and SEV-SNP alone.");
        denied(ALLOWED_SEV_FEATURES, "Userspace is told of SEV, SEV-ES and SEV-SNP alone.");
        denied(SVSM, "Userspace is told of SEV, SEV-ES and SEV-SNP alone.");
        denied(HV_INUSE_WR_ALLOWED, "Userspace is told of SEV, SEV-ES and SEV-SNP alone.");
    }

    // SmmPgCfgLock, UpperAddressIgnore, PrefetchCtlMsr and EPSF, no features of the kernel's, are
    // left out on purpose.
    CPUID_8000_0021_EAX {
        native(NO_NESTED_DATA_BP);
        native(WRMSR_XX_BASE_NS);
        // Linux had a feature for LFENCE that is serializing long before AMD had a bit, and has it
        // on most CPUs with SSE2: guests find it in AMD's leaf on all of them.
        synthesized(LFENCE_RDTSC);
        denied(TLBSYNC_SFW_NO, "The erratum is the host's to work around.");
        synthesized(VERW_CLEAR);
        native(NULL_SEL_CLR_BASE).also(&[not(has_bug(bug::NULL_SEG))]);
        native(AUTOIBRS);
        emulated(NO_SMM_CTL_MSR);
        emulated(GP_ON_USER_CPUID);
        native(PREFETCHI);
        native(AVX512_BMM);
        native(ERAPS);
        synthesized(SBPB);
        synthesized(IBPB_BRTYPE);
        synthesized(SRSO_NO);
        native(SRSO_USER_KERNEL_NO);
        denied(SRSO_BP_SPEC_REDUCE, "The mitigation is the host's.");
    }

    CPUID_8000_0021_ECX {
        synthesized(TSA_SQ_NO);
        synthesized(TSA_L1_NO);
        synthesized(TSA_FILL_NO);
    }

    CPUID_8000_0022_EAX {
        native(PERFMON_V2).needs(&[
            not(is(Svm)).or(not(is(Pmu))).or(is(PmuV2)),
            not(is(Svm)).or(not(is(Pmu))).or(kvm(feature::PERFCTR_CORE)),
        ]);
    }

    CPUID_8086_0001_EDX {
        denied(RECOVERY, "Transmeta's CPUs have neither SVM nor VMX.");
        denied(LONGRUN, "Transmeta's CPUs have neither SVM nor VMX.");
        denied(LRTI, "Transmeta's CPUs have neither SVM nor VMX.");
    }

    CPUID_C000_0001_EDX {
        native(SM2);
        native(SM2_EN);
        native(XSTORE);
        native(XSTORE_EN);
        native(CCS);
        native(CCS_EN);
        native(XCRYPT);
        native(XCRYPT_EN);
        native(ACE2);
        native(ACE2_EN);
        native(PHE);
        native(PHE_EN);
        native(PMM);
        native(PMM_EN);
        native(RNG2);
        native(RNG2_EN);
        native(PHE2);
        native(PHE2_EN);
        native(RSA);
        native(RSA_EN);
    }
}

/// How KVM supports a feature; see the head of this file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Native,
    Aliased,
    Scattered,
    Synthesized,
    Passthrough,
    Emulated,
    Vendor,
    Runtime,
    Denied,
}

/// Who does not have what KVM needs to support a feature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// The host's CPU.
    Cpu,
    /// The host's kernel, which does not use it.
    Kernel,
    /// KVM, as it is configured, or what else the host has.
    Kvm,
}

/// The flags that are known of a host, without those of a vCPU.
const KNOWN: Flags = Flags::empty().with(Centaur).all_but();

/// What else a row says.
#[derive(Clone, Copy)]
enum More {
    Nothing,
    Why(&'static str),
    Also(&'static [Condition]),
    Needs(&'static [Condition]),
    Expects(&'static [Condition]),
    Several(&'static [More]),
}
use More::{
    Expects,
    Needs, //
};

/// The policy of one feature.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) feature: Feature,
    pub(crate) verb: Verb,
    is_queried: bool,
    /// Whether a condition is about what KVM supports.
    pub(crate) asks_kvm: bool,
    more: More,
}

impl More {
    /// `asked`, with the features that its conditions ask KVM for. Fails the build if one is about
    /// a vCPU.
    const fn asked(&self, mut asked: Words) -> Words {
        let mut i = 0;

        match *self {
            More::Nothing | More::Why(_) => (),
            More::Also(conditions) | More::Needs(conditions) | More::Expects(conditions) => {
                while i < conditions.len() {
                    assert!(conditions[i].is_of_host(), "no vCPU is known there");
                    assert!(conditions[i].asks_only(KNOWN), "only leaves know this flag");
                    asked = with(asked, conditions[i].of_kvm());
                    i += 1;
                }
            }
            More::Several(several) => {
                while i < several.len() {
                    asked = several[i].asked(asked);
                    i += 1;
                }
            }
        }
        asked
    }

    /// What becomes of a feature that KVM supports by the verb alone, or doesn't, and whether the
    /// host is as expected.
    fn judge(&self, applies: bool, host: &Facts<'_>) -> (bool, bool) {
        match *self {
            More::Nothing | More::Why(_) => (applies, true),
            More::Also(conditions) => (applies || all_hold(conditions, host), true),
            More::Needs(conditions) => (applies && all_hold(conditions, host), true),
            More::Expects(conditions) => {
                let holds = all_hold(conditions, host);

                (applies && holds, holds || !applies)
            }
            More::Several(several) => {
                several
                    .iter()
                    .fold((applies, true), |(applies, sane), more| {
                        let (supported, as_expected) = more.judge(applies, host);

                        (supported, sane && as_expected)
                    })
            }
        }
    }
}

const fn row(feature: Feature, verb: Verb) -> Row {
    Row {
        feature,
        verb,
        is_queried: true,
        asks_kvm: false,
        more: More::Nothing,
    }
}

const fn native(feature: Feature) -> Row {
    row(feature, Verb::Native)
}

const fn aliased(feature: Feature) -> Row {
    row(feature, Verb::Aliased)
}

const fn scattered(feature: Feature) -> Row {
    assert!(feature.is_kept(), "the kernel does not keep this feature");
    row(feature, Verb::Scattered)
}

const fn synthesized(feature: Feature) -> Row {
    assert!(feature.is_kept(), "the kernel does not keep this feature");
    row(feature, Verb::Synthesized)
}

const fn passthrough(feature: Feature) -> Row {
    row(feature, Verb::Passthrough)
}

const fn emulated(feature: Feature) -> Row {
    row(feature, Verb::Emulated)
}

const fn vendor(feature: Feature, conditions: &'static [Condition]) -> Row {
    row(feature, Verb::Vendor).also(conditions)
}

const fn runtime(feature: Feature) -> Row {
    row(feature, Verb::Runtime)
}

const fn denied(feature: Feature, why: &'static str) -> Row {
    Row {
        is_queried: false,
        more: More::Why(why),
        ..row(feature, Verb::Denied)
    }
}

impl Row {
    const fn with(self, more: More) -> Self {
        assert!(
            matches!(self.more, More::Nothing),
            "one such word is enough"
        );
        Self {
            asks_kvm: has_any(&more.asked(NOTHING)),
            more,
            ..self
        }
    }

    const fn several(self, more: &'static [More]) -> Self {
        self.with(More::Several(more))
    }

    const fn also(self, conditions: &'static [Condition]) -> Self {
        self.with(More::Also(conditions))
    }

    const fn needs(self, conditions: &'static [Condition]) -> Self {
        self.with(More::Needs(conditions))
    }

    const fn queried(self) -> Self {
        Self {
            is_queried: true,
            ..self
        }
    }

    /// The row as one of the block of `word`. Fails the build if the feature stands in another one,
    /// or if nobody reads from the CPU what the verb wants to know.
    const fn of(self, word: usize) -> Self {
        let feature = match self.verb {
            Verb::Aliased => {
                assert!(
                    self.feature.word() == CPUID_1_EDX::WORD,
                    "only this word is repeated"
                );
                self.feature.repeated_in(word)
            }
            _ => self.feature,
        };
        let Some(leaf) = feature.leaf() else {
            panic!("the word mirrors no register of CPUID")
        };

        assert!(feature.word() == word, "the feature is in another word");
        assert!(
            matches!(self.verb, Verb::Denied) || matches!(leaf.function >> 16, 0 | 0x8000 | 0xc000),
            "KVM does not read this leaf"
        );
        Self { feature, ..self }
    }

    /// The name of the feature, as it is elsewhere if CPUID repeats it here.
    pub(crate) fn name(&self) -> &'static str {
        let feature = &self.feature;
        let original = || feature.name_in(CPUID_1_EDX::WORD);

        feature.name().or_else(original).unwrap_or("-")
    }

    /// Why the feature is denied, if it is.
    pub(crate) fn why(&self) -> Option<&'static str> {
        match self.more {
            More::Why(why) => Some(why),
            _ => None,
        }
    }

    /// Whether the verb has the last word.
    #[cfg(CONFIG_KVM_CAPS_KUNIT_TEST)]
    pub(crate) fn is_unconditional(&self) -> bool {
        matches!(self.more, More::Nothing | More::Why(_))
    }

    /// What the verb misses, if it does not let KVM support the feature by itself.
    fn misses(&self, host: &Facts<'_>) -> Option<Missing> {
        let feature = &self.feature;
        let cpu = feature.is_in(host.cpu);
        let kernel = feature.is_kept_in(host.kernel);
        // The kernel turns features off in the words that it keeps.
        let left_on = feature.word() >= NCAPINTS || kernel;

        match self.verb {
            Verb::Native | Verb::Aliased | Verb::Scattered | Verb::Passthrough if !cpu => {
                Some(Missing::Cpu)
            }
            Verb::Native | Verb::Aliased if !left_on => Some(Missing::Kernel),
            // The kernel may have it without the CPU, but didn't, if it is for other CPUs.
            Verb::Synthesized if !kernel && !cpu => Some(Missing::Cpu),
            Verb::Scattered | Verb::Synthesized if !kernel => Some(Missing::Kernel),
            // A vendor's conditions are to be added.
            Verb::Vendor | Verb::Runtime | Verb::Denied => Some(Missing::Kvm),
            _ => None,
        }
    }

    /// Why KVM does not support the feature on `host`, where it doesn't.
    pub(crate) fn missing(&self, host: &Facts<'_>) -> Missing {
        match self.misses(host) {
            // Its conditions are KVM's, and most of these are the CPU's, too.
            Some(_) if self.verb == Verb::Vendor && !self.feature.is_in(host.cpu) => Missing::Cpu,
            missing => missing.unwrap_or(Missing::Kvm),
        }
    }

    /// Whether KVM supports the feature on `host`, and whether that is sane, i.e. has what the row
    /// expects.
    pub(crate) fn judge(&self, host: &Facts<'_>) -> (bool, bool) {
        self.more.judge(self.misses(host).is_none(), host)
    }
}

/// All rows.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    POLICY.iter().flat_map(|block| block.iter())
}

/// The row of the feature with a number, none if not even the kernel knows it.
pub(crate) fn row_of(number: u32) -> Option<&'static Row> {
    let word = (number / u32::BITS) as usize;

    POLICY
        .iter()
        .find(|block| block.first().is_some_and(|row| row.feature.word() == word))?
        .iter()
        .find(|row| row.feature.number() == number)
}

/// The features that KVM asks for: those that have a row, and are not just denied.
pub(crate) const QUERIED: Words = queried_features();

/// As [`QUERIED`]. Fails the build if one has two, or if one is missing.
const fn queried_features() -> Words {
    let (mut all, mut queried) = (NOTHING, NOTHING);
    let (mut asked, mut asking) = (NOTHING, NOTHING);
    let mut i = 0;

    while i < POLICY.len() {
        let mut j = 0;

        while j < POLICY[i].len() {
            let row = &POLICY[i][j];
            let word = row.feature.word();

            if all[word] & row.feature.mask() != 0 {
                a_feature_has_two_rows(&row.feature);
            }
            all[word] |= row.feature.mask();
            if row.is_queried {
                queried[word] |= row.feature.mask();
            }
            asked = row.more.asked(asked);
            if row.asks_kvm {
                asking[word] |= row.feature.mask();
            }
            j += 1;
        }
        i += 1;
    }
    i = 0;
    while i < FEATURES.len() {
        let (name, feature) = &FEATURES[i];

        if feature.leaf().is_some() && all[feature.word()] & feature.mask() == 0 {
            a_feature_has_no_row(name);
        }
        i += 1;
    }
    i = 0;
    while i < all.len() {
        assert!(
            asked[i] & asking[i] == 0,
            "KVM's support is asked for where it isn't known yet"
        );
        i += 1;
    }
    queried
}

const fn a_feature_has_two_rows(feature: &Feature) -> ! {
    let mut i = 0;

    while i < FEATURES.len() && !FEATURES[i].1.is(feature) {
        i += 1;
    }
    panic!(
        "{}",
        if i < FEATURES.len() {
            FEATURES[i].0
        } else {
            "an aliased one"
        }
    )
}

const fn a_feature_has_no_row(name: &str) -> ! {
    panic!("{}", name)
}

macro_rules! policy {
    ($($word:ident { $($row:expr;)* })*) => {
        /// The rows, by word.
        static POLICY: &[&[Row]] = &[$(
            {
                use cpufeature::$word::*;

                &[$($row.of(WORD)),*]
            },
        )*];
    };
}
use policy;
