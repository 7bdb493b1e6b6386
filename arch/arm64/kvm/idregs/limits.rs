// SPDX-License-Identifier: GPL-2.0

//! What KVM lets a VM see of each field of each ID register.
//!
//! Names are those of the Arm ARM (DDI 0487, chapter D24), values those of
//! `arch/arm64/tools/sysreg`. A field without a row is denied: the VM sees it as not implemented,
//! and userspace can't change that. So is what the architecture has not allocated yet.
//!
//! A VM starts with the system-wide safe value that cpufeature has for its host, with every field
//! cut to its limit; userspace can ask for less. What a row says:
//!
//! - `up_to(V)`: the limit.
//! - `force(V)`: the value, whatever the host has.
//! - `res0()`, `res1()`: reserved bits about which there is something to say.
//! - `when(C)`: only under a condition; `when_else(C, V)` where less than `NI` is meant.
//! - `raise_when(C)`: the limit itself under a condition, even if the host has less.
//! - `force_when(C, V)`, `force_unless(C, V)`: the value, whatever the host has. Later ones win.
//! - `fixed()`: userspace can't change it.
//! - `signed()`, `higher_safe()`, `higher_or_zero_safe()`, `exact(V)`: not lower-safe, in the
//!   field's own sign, as fields are without a word. `exact(V)` takes the limit or V.
//! - `least(V)`: userspace can't ask for less, `or(V)` but for this.
//! - `always()`: judged even if the VM has run.
//! - `ignores_host()`, `ignores_host_if(C)`, `ignores(V)`, `ignores_if(V, H, C)`: the host's value,
//!   V, or V if the host has H, is what KVM once handed out: accepted, and ignored.
//! - `irqchip(C, V)`: KVM sets V, or else `NI`, when it knows the VM's interrupt controller.
//! - `nested(..)`: stands for all that but order, `fixed()` and `irqchip()`, in a VM with EL2.
//!
//! `REGISTER if C` has the register only under a condition; it is zero otherwise.

use super::{
    condition::*,
    field::NUM_REGISTERS,
    generated::*,
    row::{
        self,
        Limits,
        Row,
        Rows, //
    }, //
};

static WITHOUT_EL2: [Limits; NUM_REGISTERS] = row::compile(TABLE, false);

// Only of registers that have rows for VMs with EL2: each takes 400 bytes.
static WITH_EL2: [Limits; row::count_nested(TABLE)] = row::compile_nested(TABLE);

/// The limits of all registers by whether the VM has EL2, then by index.
pub(crate) static LIMITS: [[&Limits; NUM_REGISTERS]; 2] = [
    row::merge(TABLE, &WITHOUT_EL2, &[]),
    row::merge(TABLE, &WITHOUT_EL2, &WITH_EL2),
];

macro_rules! row {
    ($r:ident $f:ident $row:expr;) => { $row };
    ($r:ident $f:ident $row:expr; . $($rest:tt)+) => { row!($r $f $row; $($rest)+) };
    ($r:ident $f:ident $row:expr; nested($($inner:tt)+) $($rest:tt)*) => {
        row!($r $f $row.nested(row!($r $f Row::new(&$r, stringify!($f)); $($inner)+)); $($rest)*)
    };
    ($r:ident $f:ident $row:expr; when($c:ident) $($rest:tt)*) => {
        row!($r $f $row.when($c); $($rest)*)
    };
    ($r:ident $f:ident $row:expr; raise_when($c:ident) $($rest:tt)*) => {
        row!($r $f $row.raise_when($c); $($rest)*)
    };
    ($r:ident $f:ident $row:expr; ignores_host_if($c:ident) $($rest:tt)*) => {
        row!($r $f $row.ignores_host_if($c); $($rest)*)
    };
    ($r:ident $f:ident $row:expr; ignores_if($v:tt, $h:tt, $($c:ident)|+) $($rest:tt)*) => {
        row!($r $f $row.ignores_if(stringify!($v), stringify!($h),
                                   Conditions::NONE$(.with($c))+); $($rest)*)
    };
    ($r:ident $f:ident $row:expr; $verb:ident($c:ident, $v:tt) $($rest:tt)*) => {
        row!($r $f $row.$verb($c, stringify!($v)); $($rest)*)
    };
    ($r:ident $f:ident $row:expr; $verb:ident($v:tt) $($rest:tt)*) => {
        row!($r $f $row.$verb(stringify!($v)); $($rest)*)
    };
    ($r:ident $f:ident $row:expr; $verb:ident() $($rest:tt)*) => {
        row!($r $f $row.$verb(); $($rest)*)
    };
}

macro_rules! limits {
    (@condition) => { Conditions::NONE };
    (@condition $c:ident) => { $c };
    ($($(#[doc = $_:expr])* $r:ident $(if $c:ident)? {
        $($(#[doc = $__:expr])* $f:ident: $($verb:ident($($arg:tt)*)).+;)*
    })*) => {
        &[$(Rows {
            register: &$r,
            condition: limits!(@condition $($c)?),
            rows: &[$(row!($r $f Row::new(&$r, stringify!($f)); $($verb($($arg)*)).+)),*],
        }),*]
    };
}

#[rustfmt::skip]
const TABLE: &[Rows] = limits! {
    ID_PFR0_EL1 if AARCH32 {
        DIT:            up_to(IMP);
        CSV2:           up_to(CSV2p1);
        State3:         up_to(IMP);
        State2:         up_to(CV);
        /// What all Armv8 implementations have; sysreg has no name for it.
        State1:         up_to(3);
        State0:         up_to(IMP);
    }
    ID_PFR1_EL1 if AARCH32 {
        GIC:            up_to(GICv4p1).irqchip(VGIC_V3, GICv3);
        Virt_frac:      up_to(IMP);
        Sec_frac:       up_to(SECURE_MEMORY);
        GenTimer:       up_to(ECV);
        Virtualization: up_to(IMP);
        MProgMod:       up_to(IMP);
        Security:       up_to(NSACR_RFR);
        ProgMod:        up_to(IMP);
    }
    ID_DFR0_EL1 if AARCH32 {
        /// As the PMU of the AArch64 side, see `Host::word()`.
        PerfMon:        up_to(PMUv3p5).force_when(HOST_PMU_IMP_DEF, NI)
                        .force_when(PMUV3_IMPDEF_TRAPS, PMUv3).when(PMU)
                        .least(PMUv3).or(NI).ignores(IMPDEF);
        MProfDbg:       up_to(IMP);
        MMapTrc:        up_to(IMP);
        CopTrc:         up_to(IMP);
        MMapDbg:        up_to(Armv7p1);
        CopSDbg:        up_to(15);
        CopDbg:         up_to(Debugv8p8).least(Armv8);
    }
    ID_MMFR0_EL1 if AARCH32 {
        InnerShr:       up_to(HW).signed();
        FCSE:           up_to(IMP);
        AuxReg:         up_to(AIFSR);
        TCM:            up_to(TCM_DMA);
        ShareLvl:       up_to(TWO);
        OuterShr:       up_to(HW).signed();
        PMSA:           up_to(PMSAv7);
        VMSA:           up_to(VMSAv7_LONG);
    }
    ID_MMFR1_EL1 if AARCH32 {
        BPred:          up_to(BP_INVISIBLE);
        L1TstCln:       up_to(INVALIDATE);
        L1Uni:          up_to(CLEAN_AND_INVALIDATE);
        L1Hvd:          up_to(CLEAN_AND_INVALIDATE);
        L1UniSW:        up_to(INVALIDATE);
        L1HvdSW:        up_to(INVALIDATE);
        L1UniVA:        up_to(INVALIDATE_BP);
        L1HvdVA:        up_to(INVALIDATE_BP);
    }
    ID_MMFR2_EL1 if AARCH32 {
        HWAccFlg:       up_to(IMP);
        WFIStall:       up_to(IMP);
        MemBarr:        up_to(IMP);
        UniTLB:         up_to(BY_IPA);
        HvdTLB:         up_to(NI);
        L1HvdRng:       up_to(IMP);
        L1HvdBG:        up_to(IMP);
        L1HvdFG:        up_to(IMP);
    }
    ID_MMFR3_EL1 if AARCH32 {
        Supersec:       up_to(NI);
        CMemSz:         up_to(1TB);
        CohWalk:        up_to(IMP);
        PAN:            up_to(PAN2);
        MaintBcst:      up_to(ALL);
        BPMaint:        up_to(BY_VA);
        CMaintSW:       up_to(IMP);
        CMaintVA:       up_to(IMP);
    }
    ID_ISAR0_EL1 if AARCH32 {
        Divide:         up_to(xDIV_A32);
        Debug:          up_to(IMP);
        Coproc:         up_to(MRRC2);
        CmpBranch:      up_to(IMP);
        BitField:       up_to(IMP);
        BitCount:       up_to(IMP);
        Swap:           up_to(IMP);
    }
    ID_ISAR1_EL1 if AARCH32 {
        Jazelle:        up_to(IMP);
        Interwork:      up_to(A32_BX);
        Immediate:      up_to(IMP);
        IfThen:         up_to(IMP);
        Extend:         up_to(SXTB16);
        Except_AR:      up_to(IMP);
        Except:         up_to(IMP);
        Endian:         up_to(IMP);
    }
    ID_ISAR2_EL1 if AARCH32 {
        Reversal:       up_to(RBIT);
        PSR_AR:         up_to(IMP);
        MultU:          up_to(UMAAL);
        MultS:          up_to(SMLAD);
        Mult:           up_to(MLS);
        MultiAccessInt: up_to(CONTINUABLE);
        MemHint:        up_to(PLDW);
        LoadStore:      up_to(ACQUIRE);
    }
    ID_ISAR3_EL1 if AARCH32 {
        T32EE:          up_to(IMP);
        TrueNOP:        up_to(IMP);
        T32Copy:        up_to(IMP);
        TabBranch:      up_to(IMP);
        SynchPrim:      up_to(DOUBLE);
        SVC:            up_to(IMP);
        SIMD:           up_to(PKHBT);
        Saturate:       up_to(IMP);
    }
    ID_ISAR4_EL1 if AARCH32 {
        SWP_frac:       up_to(IMP);
        PSR_M:          up_to(IMP);
        SynchPrim_frac: up_to(IMP);
        Barrier:        up_to(IMP);
        SMC:            up_to(IMP);
        Writeback:      up_to(IMP);
        WithShifts:     up_to(REG);
        Unpriv:         up_to(SIGNED_HALFWORD);
    }
    ID_ISAR5_EL1 if AARCH32 {
        RDM:            up_to(IMP);
        CRC32:          up_to(IMP);
        SHA2:           up_to(IMP);
        SHA1:           up_to(IMP);
        AES:            up_to(VMULL);
        SEVL:           up_to(IMP);
    }
    ID_MMFR4_EL1 if AARCH32 {
        EVT:            up_to(TLBIS);
        LSM:            up_to(IMP);
        HPDS:           up_to(HPDS2);
        CnP:            up_to(IMP);
        XNX:            up_to(IMP);
        AC2:            up_to(IMP);
        SpecSEI:        up_to(IMP).higher_safe();
    }
    ID_ISAR6_EL1 if AARCH32 {
        I8MM:           up_to(IMP);
        BF16:           up_to(IMP);
        SPECRES:        up_to(IMP);
        SB:             up_to(IMP);
        FHM:            up_to(IMP);
        DP:             up_to(IMP);
        JSCVT:          up_to(IMP);
    }
    MVFR0_EL1 if AARCH32 {
        FPRound:        up_to(IMP);
        FPShVec:        up_to(IMP);
        FPSqrt:         up_to(IMP);
        FPDivide:       up_to(IMP);
        FPTrap:         up_to(IMP);
        FPDP:           up_to(VFPv3);
        FPSP:           up_to(VFPv3);
        SIMDReg:        up_to(IMP_32x64);
    }
    MVFR1_EL1 if AARCH32 {
        SIMDFMAC:       up_to(IMP);
        FPHP:           up_to(FP16);
        SIMDHP:         up_to(SIMDHP_FLOAT);
        SIMDSP:         up_to(IMP);
        SIMDInt:        up_to(IMP);
        SIMDLS:         up_to(IMP);
        FPDNaN:         up_to(IMP);
        FPFtZ:          up_to(IMP);
    }
    MVFR2_EL1 if AARCH32 {
        FPMisc:         up_to(FP_MAX_MIN);
        SIMDMisc:       up_to(SIMD_MAX_MIN);
    }
    ID_PFR2_EL1 if AARCH32 {
        SSBS:           up_to(IMP);
        CSV3:           up_to(IMP);
    }
    /// Hidden, but for AArch64's sake zero where `NI` would not be.
    ID_DFR1_EL1 {
        MTPMU:          force(IMPDEF).fixed();
    }
    ID_MMFR5_EL1 if AARCH32 {
        /// As in ID_AA64MMFR1_EL1, whose names sysreg has.
        ETS:            up_to(3);
    }

    ID_AA64PFR0_EL1 {
        CSV3:           up_to(IMP).raise_when(MELTDOWN_UNAFFECTED);
        CSV2:           up_to(IMP).raise_when(SPECTRE_V2_UNAFFECTED);
        RME:            up_to(NI);
        DIT:            up_to(IMP);
        MPAM:           up_to(0).fixed().ignores_host();
        SEL2:           up_to(IMP).nested(up_to(NI));
        SVE:            up_to(IMP).when(SVE).fixed();
        RAS:            up_to(V2);
        GIC:            up_to(IMP).raise_when(HOST_GICV3).irqchip(VGIC_V3, IMP);
        AdvSIMD:        up_to(FP16).fixed();
        FP:             up_to(FP16).fixed();
        EL3:            up_to(AARCH32).nested(force(IMP));
        EL2:            up_to(AARCH32).nested(force(IMP).least(IMP));
        EL1:            up_to(AARCH32).least(IMP).nested(force(IMP).least(IMP));
        EL0:            up_to(AARCH32).least(IMP).nested(force(IMP).least(IMP));
    }
    ID_AA64PFR1_EL1 {
        DF2:            up_to(IMP);
        MTE_frac:       up_to(ASYNC).signed().when_else(MTE, ASYNC).fixed()
                        .ignores_if(ASYNC, NI, MTE | HOST_MTE2).nested(force(ASYNC));
        CSV2_frac:      up_to(NI);
        MPAM_frac:      up_to(MINOR_0).fixed().ignores_host();
        RAS_frac:       up_to(RASv1p1).when(HOST_RASV1P1).when(HOST_RAS_IMP);
        MTE:            up_to(MTE3).when(MTE).fixed().nested(up_to(NI));
        SSBS:           up_to(SSBS2);
        BT:             up_to(IMP);
    }
    ID_AA64PFR2_EL1 {
        FPMR:           up_to(IMP);
        GCIE:           force(NI).force_when(HOST_GICV5, IMP).irqchip(VGIC_V5, IMP)
                        .nested(force(NI));
        MTEFAR:         up_to(IMP).when(MTE).nested(up_to(NI).ignores_host_if(MTE));
        MTESTOREONLY:   up_to(IMP).when(MTE).nested(up_to(NI).ignores_host_if(MTE));
    }
    ID_AA64ZFR0_EL1 if SVE {
        F64MM:          up_to(IMP);
        F32MM:          up_to(IMP);
        F16MM:          up_to(IMP);
        I8MM:           up_to(IMP);
        SM4:            up_to(IMP);
        SHA3:           up_to(IMP);
        B16B16:         up_to(B16MM);
        BF16:           up_to(EBF16);
        BitPerm:        up_to(IMP);
        EltPerm:        up_to(IMP);
        AES:            up_to(AES2);
        SVEver:         up_to(SVE2p3);
    }
    /// Hidden, as ID_AA64PFR1_EL1.SME is. Named here for views to show what the host has.
    ID_AA64SMFR0_EL1 {
    }
    ID_AA64FPFR0_EL1 {
        F8CVT:          up_to(IMP).exact(NI);
        F8FMA:          up_to(IMP).exact(NI);
        F8DP4:          up_to(IMP).exact(NI);
        F8DP2:          up_to(IMP).exact(NI);
        F8MM8:          up_to(IMP).exact(NI);
        F8MM4:          up_to(IMP).exact(NI);
        F16MM2:         up_to(IMP).exact(NI);
        RAZ_7_2:        res0();
        F8E4M3:         up_to(IMP).exact(NI);
        F8E5M2:         up_to(IMP).exact(NI);
    }

    ID_AA64DFR0_EL1 {
        MTPMU:          up_to(NI_IMPDEF).fixed();
        DoubleLock:     up_to(IMP).nested(up_to(IMP).ignores_if(IMP, NI, NESTED));
        /// KVM gives guests the host's breakpoints, and context-aware ones are the last of them.
        CTX_CMPs:       up_to(15).fixed().nested(up_to(0));
        WRPs:           up_to(15);
        BRPs:           up_to(15).fixed();
        PMUVer:         up_to(V3P5).force_when(HOST_PMU_IMP_DEF, NI)
                        .force_when(PMUV3_IMPDEF_TRAPS, IMP).when(PMU).ignores(IMP_DEF);
        DebugVer:       up_to(V8P8).least(IMP);
    }

    ID_AA64ISAR0_EL1 {
        RNDR:           up_to(IMP);
        TLB:            up_to(RANGE);
        TS:             up_to(FLAGM2);
        FHM:            up_to(F16F32MM);
        DP:             up_to(IMP);
        SM4:            up_to(IMP);
        SM3:            up_to(IMP);
        SHA3:           up_to(IMP);
        RDM:            up_to(IMP);
        ATOMIC:         up_to(FEAT_LSE128);
        CRC32:          up_to(IMP);
        SHA2:           up_to(SHA512);
        SHA1:           up_to(IMP);
        AES:            up_to(PMULL);
    }
    ID_AA64ISAR1_EL1 {
        LS64:           up_to(LS64WB).nested(up_to(NI));
        XS:             up_to(IMP);
        I8MM:           up_to(IMP);
        DGH:            up_to(IMP);
        BF16:           up_to(EBF16);
        SPECRES:        up_to(COSP_RCTX).nested(up_to(NI));
        SB:             up_to(IMP);
        FRINTTS:        up_to(IMP);
        GPI:            up_to(IMP).when(PTRAUTH).fixed();
        GPA:            up_to(IMP).when(PTRAUTH).fixed();
        LRCPC:          up_to(LRCPC3);
        FCMA:           up_to(IMP);
        JSCVT:          up_to(IMP);
        API:            up_to(PAuth_LR).when(PTRAUTH).fixed();
        APA:            up_to(PAuth_LR).when(PTRAUTH).fixed();
        DPB:            up_to(DPB2);
    }
    ID_AA64ISAR2_EL1 {
        ATS1A:          up_to(IMP);
        LUT:            up_to(LUT6);
        CSSC:           up_to(CMPBR);
        RPRFM:          up_to(IMP);
        PCDPHINT:       up_to(NI);
        PRFMSLC:        up_to(NI);
        SYSINSTR_128:   up_to(NI);
        SYSREG_128:     up_to(NI);
        CLRBHB:         up_to(IMP);
        PAC_frac:       up_to(NI);
        BC:             up_to(IMP);
        MOPS:           up_to(IMP);
        APA3:           up_to(PAuth_LR).when(PTRAUTH).fixed();
        GPA3:           up_to(IMP).when(PTRAUTH).fixed();
        RPRES:          up_to(IMP);
        WFxT:           up_to(IMP).when(WFXT);
    }
    ID_AA64ISAR3_EL1 {
        FPRCVT:         up_to(IMP);
        LSUI:           up_to(IMP);
        LSFE:           up_to(IMP);
        FAMINMAX:       up_to(IMP);
    }

    ID_AA64MMFR0_EL1 {
        ECV:            up_to(CNTPOFF).nested(up_to(IMP));
        FGT:            up_to(FGT2);
        EXS:            up_to(IMP).nested(up_to(NI));
        /// A guest hypervisor can't have stage 2 pages that are smaller than the host's.
        TGRAN4_2:       up_to(52_BIT).exact(NI)
                        .nested(force(TGRAN4).force_when(HOST_STAGE2_4K, IMP)
                                .force_when(PAGE_OVER_4K, NI).always());
        TGRAN64_2:      up_to(IMP).exact(NI)
                        .nested(force(TGRAN64).force_when(HOST_STAGE2_64K, IMP).always());
        TGRAN16_2:      up_to(52_BIT).exact(NI)
                        .nested(force(TGRAN16).force_when(HOST_STAGE2_16K, IMP)
                                .force_when(PAGE_OVER_16K, NI).always());
        TGRAN4:         up_to(52_BIT);
        TGRAN64:        up_to(IMP);
        TGRAN16:        up_to(52_BIT);
        BIGENDEL0:      up_to(IMP);
        SNSMEM:         up_to(IMP).nested(up_to(NI));
        BIGEND:         up_to(IMP);
        ASIDBITS:       up_to(16).fixed();
        PARANGE:        up_to(56).nested(up_to(48));
    }
    ID_AA64MMFR1_EL1 {
        ECBHB:          up_to(IMP);
        CMOW:           up_to(IMP).nested(up_to(NI));
        TIDCP1:         up_to(IMP);
        nTLBPA:         up_to(NI);
        AFP:            up_to(IMP);
        HCX:            up_to(IMP);
        ETS:            up_to(ETS3).nested(up_to(NI));
        TWED:           up_to(IMP);
        XNX:            up_to(IMP).fixed();
        SpecSEI:        up_to(IMP).higher_safe();
        PAN:            up_to(PAN3);
        LO:             up_to(IMP);
        HPDS:           up_to(HPDS2);
        VH:             up_to(IMP).fixed().nested(up_to(IMP).force_when(E2H0, NI));
        VMIDBits:       up_to(16).fixed();
        HAFDBS:         up_to(HDBSS).nested(up_to(AF));
    }
    ID_AA64MMFR2_EL1 {
        E0PD:           up_to(IMP);
        EVT:            up_to(TTLBxS).fixed();
        BBM:            up_to(3).nested(up_to(0));
        TTL:            up_to(IMP).nested(force(IMP));
        FWB:            up_to(IMP).fixed();
        IDS:            up_to(EL3).fixed();
        AT:             up_to(IMP);
        ST:             up_to(48_47).nested(up_to(39));
        NV:             up_to(NI).fixed().ignores_host();
        VARange:        up_to(52).nested(up_to(48));
        IESB:           up_to(IMP);
        LSM:            up_to(IMP);
        UAO:            up_to(IMP);
        CnP:            up_to(IMP);
    }
    /// kvm_idregs_enforce_dependencies() has the last word on S1PIE and S1POE.
    ID_AA64MMFR3_EL1 {
        S1POE:          up_to(IMP).when(POE);
        S1PIE:          up_to(IMP);
        SCTLRX:         up_to(IMP);
        TCRX:           up_to(IMP);
    }
    /// Either FEAT_VHE without FEAT_E2H0, and what FEAT_NV2 needs, or FEAT_E2H0 without either.
    ID_AA64MMFR4_EL1 {
        E2H0:           up_to(IMP).fixed().nested(force(NI_NV1).force_when(E2H0, IMP));
        NV_frac:        up_to(NV3).nested(up_to(NV3).force_unless(NV2P1, NV2_ONLY)
                                         .force_when(E2H0, NV_NV2));
    }

    CTR_EL0 {
        RES1_31_31:     res1().fixed();
        DIC:            up_to(1);
        IDC:            up_to(1);
        /// Higher ones are reserved.
        CWG:            up_to(9).higher_or_zero_safe().fixed();
        ERG:            up_to(9).higher_or_zero_safe().fixed();
        DminLine:       up_to(15);
        /// A VM that takes care of a VIPT cache works with a PIPT one.
        L1Ip:           up_to(PIPT).exact(VIPT).least(VIPT);
        IminLine:       up_to(15);
    }
};
