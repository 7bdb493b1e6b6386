// SPDX-License-Identifier: GPL-2.0

//! What KVM lets a VM see of each field of each ID register.
//!
//! Names are those of the Arm ARM (DDI 0487, chapter D24), values those of
//! `arch/arm64/tools/sysreg`; one that begins with a digit has an underscore in front of it. Each
//! field has a row, in the register's order from the highest bit to the lowest, and the kernel does
//! not build without. Bits that the architecture has not allocated have none, nor have registers:
//! all of that is denied.
//!
//! A VM starts with the system-wide safe value that cpufeature has for its host, with every field
//! cut to its limit; userspace can ask for less. What a row says:
//!
//! - `up_to(V)`: the limit.
//! - `force(V)`: the value, whatever the host has.
//! - `denied("why")`: not implemented.
//! - `res0()`: reserved bits that are published as writable.
//! - `when(C)`: only on a condition.
//! - `raise_when(C)`: the limit itself on a condition, even if the host has less.
//! - `force_when(C, V)`: the value on a condition, whatever the host has. Later ones win.
//! - `fixed()`: userspace can't change it.
//! - `signed()`, `higher_safe()`, `exact(V)`: not lower-safe in the field's own sign, as fields are
//!   without a word. `exact(V)` takes the limit or V.
//! - `least(V)`: userspace can't ask for less, `or(V)` but for this.
//! - `always()`: judged even if the VM has run.
//! - `ignores(V)`, `ignores_host()`: V, or the host's value, is what KVM once handed out: accepted,
//!   and ignored; `where_host(H)` if the host has H, which is what V is taken for, `provided(C)` on
//!   a condition.
//! - `irqchip(C, V)`: KVM sets V, or else `NI`, when it knows the VM's interrupt controller.
//! - `nested(..)`: stands for all that but order, `fixed()` and `irqchip()`, in a VM with EL2.
//!
//! A condition is `vm(X)`, `host(X)`, `kvm(X)` or `kernel(X)` with a fact of `facts.rs`, `not(C)`
//! or `C.and(D)`. `REGISTER if C`: VMs have the register only on a condition; it is zero otherwise.
//! `REGISTER is unknown`: cpufeature does not have it.

use super::{
    facts::{
        host,
        kernel,
        kvm,
        not,
        vm,
        Condition,
        Fact::*,
        NUM_REGISTERS, //
    },
    policy::{
        denied,
        force,
        res0,
        up_to,
        Policy, //
    },
    row::{
        by_index,
        Limits,
        Row, //
    }, //
};

/// The limits of all registers, by index.
pub(crate) static LIMITS: [Limits; NUM_REGISTERS] = by_index(TABLE);

/// What `KVM_ARM_GET_REG_WRITABLE_MASKS` says of each register, for a loop that does little else.
pub(crate) const PUBLISHED: [u64; NUM_REGISTERS] = {
    let mut masks = [0; NUM_REGISTERS];
    let mut i = 0;
    while i < NUM_REGISTERS {
        masks[i] = LIMITS[i].published();
        i += 1;
    }
    masks
};

macro_rules! limits {
    (@condition) => { Condition::ALWAYS };
    (@condition $condition:expr) => { $condition };
    (@known) => { true };
    (@known unknown) => { false };
    ($($register:ident $(if $of:ident($fact:ident))? $(is $unknown:ident)? {
        $($field:ident: $policy:expr;)*
    })*) => {
        &[$({
            // The compiler names it where a field's row is missing.
            const $register: Limits = Limits::new(
                &super::cpufeature::$register::REGISTER,
                limits!(@condition $($of($fact))?),
                limits!(@known $($unknown)?),
                &[$({
                    use super::cpufeature::$register::$field::*;
                    const POLICY: Policy = $policy;
                    const ROW: Row = Row::new(&FIELD, &POLICY);
                    ROW
                }),*],
            );
            $register
        }),*]
    };
}

#[rustfmt::skip]
const TABLE: &[Limits] = limits! {
    ID_PFR0_EL1 if vm(AARCH32) {
        RAS:            denied("cpufeature keeps no system-wide safe value of it");
        DIT:            up_to(IMP);
        AMU:            denied("activity monitors are trapped");
        CSV2:           up_to(CSV2p1);
        State3:         up_to(IMP);
        State2:         up_to(CV);
        // What all Armv8 implementations have; sysreg has no name for it.
        State1:         up_to(3);
        State0:         up_to(IMP);
    }
    ID_PFR1_EL1 if vm(AARCH32) {
        GIC:            up_to(GICv4p1).irqchip(vm(VGIC_V3), GICv3);
        Virt_frac:      up_to(IMP);
        Sec_frac:       up_to(SECURE_MEMORY);
        GenTimer:       up_to(ECV);
        Virtualization: up_to(IMP);
        MProgMod:       up_to(IMP);
        Security:       up_to(NSACR_RFR);
        ProgMod:        up_to(IMP);
    }
    ID_DFR0_EL1 if vm(AARCH32) {
        TraceFilt:      denied("trace units and buffers are trapped");
        // As the PMU of the AArch64 side, see `Facts::of_host()`.
        PerfMon:        up_to(PMUv3p5).force_when(host(PMU_IMP_DEF), NI)
                        .force_when(host(PMUV3_IMPDEF_TRAPS), PMUv3).when(vm(PMU))
                        .least(PMUv3).or(NI).ignores(IMPDEF);
        MProfDbg:       up_to(IMP);
        MMapTrc:        up_to(IMP);
        CopTrc:         up_to(IMP);
        MMapDbg:        up_to(Armv7p1);
        CopSDbg:        up_to(15);
        CopDbg:         up_to(Debugv8p8).least(Armv8);
    }
    ID_AFR0_EL1 is unknown {
        IMPDEF3:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF2:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF1:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF0:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
    }
    ID_MMFR0_EL1 if vm(AARCH32) {
        InnerShr:       up_to(HW).signed();
        FCSE:           up_to(IMP);
        AuxReg:         up_to(AIFSR);
        TCM:            up_to(TCM_DMA);
        ShareLvl:       up_to(TWO);
        OuterShr:       up_to(HW).signed();
        PMSA:           up_to(PMSAv7);
        VMSA:           up_to(VMSAv7_LONG);
    }
    ID_MMFR1_EL1 if vm(AARCH32) {
        BPred:          up_to(BP_INVISIBLE);
        L1TstCln:       up_to(INVALIDATE);
        L1Uni:          up_to(CLEAN_AND_INVALIDATE);
        L1Hvd:          up_to(CLEAN_AND_INVALIDATE);
        L1UniSW:        up_to(INVALIDATE);
        L1HvdSW:        up_to(INVALIDATE);
        L1UniVA:        up_to(INVALIDATE_BP);
        L1HvdVA:        up_to(INVALIDATE_BP);
    }
    ID_MMFR2_EL1 if vm(AARCH32) {
        HWAccFlg:       up_to(IMP);
        WFIStall:       up_to(IMP);
        MemBarr:        up_to(IMP);
        UniTLB:         up_to(BY_IPA);
        HvdTLB:         up_to(NI);
        L1HvdRng:       up_to(IMP);
        L1HvdBG:        up_to(IMP);
        L1HvdFG:        up_to(IMP);
    }
    ID_MMFR3_EL1 if vm(AARCH32) {
        Supersec:       up_to(NI);
        CMemSz:         up_to(_1TB);
        CohWalk:        up_to(IMP);
        PAN:            up_to(PAN2);
        MaintBcst:      up_to(ALL);
        BPMaint:        up_to(BY_VA);
        CMaintSW:       up_to(IMP);
        CMaintVA:       up_to(IMP);
    }
    ID_ISAR0_EL1 if vm(AARCH32) {
        Divide:         up_to(xDIV_A32);
        Debug:          up_to(IMP);
        Coproc:         up_to(MRRC2);
        CmpBranch:      up_to(IMP);
        BitField:       up_to(IMP);
        BitCount:       up_to(IMP);
        Swap:           up_to(IMP);
    }
    ID_ISAR1_EL1 if vm(AARCH32) {
        Jazelle:        up_to(IMP);
        Interwork:      up_to(A32_BX);
        Immediate:      up_to(IMP);
        IfThen:         up_to(IMP);
        Extend:         up_to(SXTB16);
        Except_AR:      up_to(IMP);
        Except:         up_to(IMP);
        Endian:         up_to(IMP);
    }
    ID_ISAR2_EL1 if vm(AARCH32) {
        Reversal:       up_to(RBIT);
        PSR_AR:         up_to(IMP);
        MultU:          up_to(UMAAL);
        MultS:          up_to(SMLAD);
        Mult:           up_to(MLS);
        MultiAccessInt: up_to(CONTINUABLE);
        MemHint:        up_to(PLDW);
        LoadStore:      up_to(ACQUIRE);
    }
    ID_ISAR3_EL1 if vm(AARCH32) {
        T32EE:          up_to(IMP);
        TrueNOP:        up_to(IMP);
        T32Copy:        up_to(IMP);
        TabBranch:      up_to(IMP);
        SynchPrim:      up_to(DOUBLE);
        SVC:            up_to(IMP);
        SIMD:           up_to(PKHBT);
        Saturate:       up_to(IMP);
    }
    ID_ISAR4_EL1 if vm(AARCH32) {
        SWP_frac:       up_to(IMP);
        PSR_M:          up_to(IMP);
        SynchPrim_frac: up_to(IMP);
        Barrier:        up_to(IMP);
        SMC:            up_to(IMP);
        Writeback:      up_to(IMP);
        WithShifts:     up_to(REG);
        Unpriv:         up_to(SIGNED_HALFWORD);
    }
    ID_ISAR5_EL1 if vm(AARCH32) {
        VCMA:           denied("cpufeature keeps no system-wide safe value of it");
        RDM:            up_to(IMP);
        CRC32:          up_to(IMP);
        SHA2:           up_to(IMP);
        SHA1:           up_to(IMP);
        AES:            up_to(VMULL);
        SEVL:           up_to(IMP);
    }
    ID_MMFR4_EL1 if vm(AARCH32) {
        EVT:            up_to(TLBIS);
        CCIDX:          denied("CCSIDR has its 32-bit format");
        LSM:            up_to(IMP);
        HPDS:           up_to(HPDS2);
        CnP:            up_to(IMP);
        XNX:            up_to(IMP);
        AC2:            up_to(IMP);
        SpecSEI:        up_to(IMP).higher_safe();
    }
    ID_ISAR6_EL1 if vm(AARCH32) {
        I8MM:           up_to(IMP);
        BF16:           up_to(IMP);
        SPECRES:        up_to(IMP);
        SB:             up_to(IMP);
        FHM:            up_to(IMP);
        DP:             up_to(IMP);
        JSCVT:          up_to(IMP);
    }
    MVFR0_EL1 if vm(AARCH32) {
        FPRound:        up_to(IMP);
        FPShVec:        up_to(IMP);
        FPSqrt:         up_to(IMP);
        FPDivide:       up_to(IMP);
        FPTrap:         up_to(IMP);
        FPDP:           up_to(VFPv3);
        FPSP:           up_to(VFPv3);
        SIMDReg:        up_to(IMP_32x64);
    }
    MVFR1_EL1 if vm(AARCH32) {
        SIMDFMAC:       up_to(IMP);
        FPHP:           up_to(FP16);
        SIMDHP:         up_to(SIMDHP_FLOAT);
        SIMDSP:         up_to(IMP);
        SIMDInt:        up_to(IMP);
        SIMDLS:         up_to(IMP);
        FPDNaN:         up_to(IMP);
        FPFtZ:          up_to(IMP);
    }
    MVFR2_EL1 if vm(AARCH32) {
        FPMisc:         up_to(FP_MAX_MIN);
        SIMDMisc:       up_to(SIMD_MAX_MIN);
    }
    ID_PFR2_EL1 if vm(AARCH32) {
        RAS_frac:       denied("cpufeature keeps no system-wide safe value of it");
        SSBS:           up_to(IMP);
        CSV3:           up_to(IMP);
    }
    // Hidden, and zero: MTPMU's `NI` would not be.
    ID_DFR1_EL1 {
        HPMN0:          denied("not offered, though KVM's PMU takes MDCR_EL2.HPMN = 0");
        MTPMU:          force(IMPDEF).fixed();
    }
    ID_MMFR5_EL1 if vm(AARCH32) {
        nTLBPA:         denied("cpufeature keeps no system-wide safe value of it");
        // As in ID_AA64MMFR1_EL1, whose names sysreg has.
        ETS:            up_to(3);
    }
    ID_AA64PFR0_EL1 {
        CSV3:           up_to(IMP).raise_when(host(MELTDOWN_UNAFFECTED));
        CSV2:           up_to(IMP).raise_when(host(SPECTRE_V2_UNAFFECTED));
        // Realms are for EL3 to make.
        RME:            up_to(NI);
        DIT:            up_to(IMP);
        AMU:            denied("activity monitors are trapped");
        MPAM:           up_to(_0).fixed().ignores_host();
        SEL2:           up_to(IMP).nested(up_to(NI));
        SVE:            up_to(IMP).when(vm(SVE)).fixed();
        RAS:            up_to(V2);
        GIC:            up_to(IMP).raise_when(kvm(GIC_V3)).irqchip(vm(VGIC_V3), IMP);
        AdvSIMD:        up_to(FP16).fixed();
        FP:             up_to(FP16).fixed();
        EL3:            up_to(AARCH32).nested(force(IMP));
        EL2:            up_to(AARCH32).nested(force(IMP).least(IMP));
        EL1:            up_to(AARCH32).least(IMP).nested(force(IMP).least(IMP));
        EL0:            up_to(AARCH32).least(IMP).nested(force(IMP).least(IMP));
    }
    ID_AA64PFR1_EL1 {
        PFAR:           denied("PFAR_EL1 is not switched");
        DF2:            up_to(IMP);
        MTEX:           denied("canonical and unchecked tags are not looked after");
        THE:            denied("RCWMASK_EL1 and RCWSMASK_EL1 are not switched");
        GCS:            denied("the stack pointers and their controls are not switched");
        MTE_frac:       up_to(ASYNC).signed().force_when(not(vm(MTE)), ASYNC).fixed()
                        .ignores(ASYNC).where_host(NI).provided(vm(MTE).and(host(MTE2)))
                        .nested(force(ASYNC));
        NMI:            denied("the vGIC has no NMIs");
        // CSV2 says all that KVM knows.
        CSV2_frac:      up_to(NI);
        RNDR_trap:      denied("it is about EL3, which KVM does not emulate");
        SME:            denied("ZA, ZT0 and the streaming mode are not switched");
        MPAM_frac:      up_to(MINOR_0).fixed().ignores_host();
        RAS_frac:       up_to(RASv1p1).when(host(FEAT_RASV1P1)).when(host(RAS_IMP));
        MTE:            up_to(MTE3).when(vm(MTE)).fixed().nested(up_to(NI));
        SSBS:           up_to(SSBS2);
        BT:             up_to(IMP);
    }
    ID_AA64PFR2_EL1 {
        FPMR:           up_to(IMP);
        UINJ:           denied("exceptions are emulated without a look at PSTATE.UINJ");
        GCIE:           force(NI).force_when(kvm(GIC_V5), IMP).irqchip(vm(VGIC_V5), IMP)
                        .nested(force(NI));
        MTEFAR:         up_to(IMP).when(vm(MTE)).nested(up_to(NI).ignores_host().provided(vm(MTE)));
        MTESTOREONLY:   up_to(IMP).when(vm(MTE)).nested(up_to(NI).ignores_host().provided(vm(MTE)));
        MTEPERM:        denied("stage 2 has no permission for tags");
    }
    ID_AA64ZFR0_EL1 if vm(SVE) {
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
    ID_AA64SMFR0_EL1 {
        FA64:           denied("SME is denied");
        LUT6:           denied("SME is denied");
        LUTv2:          denied("SME is denied");
        SMEver:         denied("SME is denied");
        I16I64:         denied("SME is denied");
        F64F64:         denied("SME is denied");
        I16I32:         denied("SME is denied");
        B16B16:         denied("SME is denied");
        F16F16:         denied("SME is denied");
        F8F16:          denied("SME is denied");
        F8F32:          denied("SME is denied");
        I8I32:          denied("SME is denied");
        F16F32:         denied("SME is denied");
        B16F32:         denied("SME is denied");
        BI32I32:        denied("SME is denied");
        F32F32:         denied("SME is denied");
        SF8FMA:         denied("SME is denied");
        SF8DP4:         denied("SME is denied");
        SF8DP2:         denied("SME is denied");
        SBitPerm:       denied("SME is denied");
        AES:            denied("SME is denied");
        SFEXPA:         denied("SME is denied");
        STMOP:          denied("SME is denied");
        SMOP4:          denied("SME is denied");
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
        HPMN0:          denied("not offered, though KVM's PMU takes MDCR_EL2.HPMN = 0");
        ExtTrcBuff:     denied("trace units and buffers are trapped");
        BRBE:           denied("branch records are trapped");
        MTPMU:          up_to(NI_IMPDEF).fixed();
        TraceBuffer:    denied("trace units and buffers are trapped");
        TraceFilt:      denied("trace units and buffers are trapped");
        DoubleLock:     up_to(IMP).nested(up_to(IMP).ignores(IMP).where_host(NI));
        PMSVer:         denied("statistical profiling is trapped");
        // KVM gives guests the host's breakpoints, and context-aware ones are the last of them.
        CTX_CMPs:       up_to(15).fixed().nested(up_to(0));
        SEBEP:          denied("the emulated PMU raises interrupts, not exceptions");
        WRPs:           up_to(15);
        PMSS:           denied("the emulated PMU takes no snapshots");
        BRPs:           up_to(15).fixed();
        PMUVer:         up_to(V3P5).force_when(host(PMU_IMP_DEF), NI)
                        .force_when(host(PMUV3_IMPDEF_TRAPS), IMP).when(vm(PMU)).ignores(IMP_DEF);
        TraceVer:       denied("trace units and buffers are trapped");
        DebugVer:       up_to(V8P8).least(IMP);
    }
    ID_AA64DFR1_EL1 {
        ABL_CMPs:       denied("only breakpoints and watchpoints of ID_AA64DFR0_EL1 are switched");
        DPFZS:          denied("statistical profiling is trapped");
        EBEP:           denied("the emulated PMU raises interrupts, not exceptions");
        ITE:            denied("trace units and buffers are trapped");
        ABLE:           denied("only breakpoints and watchpoints of ID_AA64DFR0_EL1 are switched");
        PMICNTR:        denied("the emulated PMU has no instruction counter");
        SPMU:           denied("system PMUs are trapped");
        CTX_CMPs:       denied("only breakpoints and watchpoints of ID_AA64DFR0_EL1 are switched");
        WRPs:           denied("only breakpoints and watchpoints of ID_AA64DFR0_EL1 are switched");
        BRPs:           denied("only breakpoints and watchpoints of ID_AA64DFR0_EL1 are switched");
        SYSPMUID:       denied("system PMUs are trapped");
    }
    ID_AA64DFR2_EL1 is unknown {
        TRBE_EXC:       denied("trace units and buffers are trapped");
        SPE_nVM:        denied("statistical profiling is trapped");
        SPE_EXC:        denied("statistical profiling is trapped");
        BWE:            denied("breakpoints on ranges are not looked after");
        STEP:           denied("MDSTEPOP_EL1 is not switched");
    }
    ID_AA64AFR0_EL1 is unknown {
        IMPDEF7:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF6:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF5:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF4:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF3:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF2:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF1:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF0:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
    }
    ID_AA64AFR1_EL1 is unknown {
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
        GPI:            up_to(IMP).when(vm(PTRAUTH)).fixed();
        GPA:            up_to(IMP).when(vm(PTRAUTH)).fixed();
        LRCPC:          up_to(LRCPC3);
        FCMA:           up_to(IMP);
        JSCVT:          up_to(IMP);
        API:            up_to(PAuth_LR).when(vm(PTRAUTH)).fixed();
        APA:            up_to(PAuth_LR).when(vm(PTRAUTH)).fixed();
        DPB:            up_to(DPB2);
    }
    ID_AA64ISAR2_EL1 {
        ATS1A:          up_to(IMP);
        LUT:            up_to(LUT6);
        CSSC:           up_to(CMPBR);
        RPRFM:          up_to(IMP);
        // Zero, and published as writable all the same: KVM never knew of these four.
        PCDPHINT:       up_to(NI);
        PRFMSLC:        up_to(NI);
        SYSINSTR_128:   up_to(NI);
        SYSREG_128:     up_to(NI);
        CLRBHB:         up_to(IMP);
        // As PCDPHINT.
        PAC_frac:       up_to(NI);
        BC:             up_to(IMP);
        MOPS:           up_to(IMP);
        APA3:           up_to(PAuth_LR).when(vm(PTRAUTH)).fixed();
        GPA3:           up_to(IMP).when(vm(PTRAUTH)).fixed();
        RPRES:          up_to(IMP);
        WFxT:           up_to(IMP).when(kvm(WFXT));
    }
    ID_AA64ISAR3_EL1 {
        FPRCVT:         up_to(IMP);
        LSUI:           up_to(IMP);
        OCCMO:          denied("its cache maintenance is not looked after");
        LSFE:           up_to(IMP);
        PACM:           denied("HCRX_EL2.PACMEn is never set");
        TLBIW:          denied("nested TLB maintenance does not know it");
        FAMINMAX:       up_to(IMP);
        CPA:            denied("its controls in SCTLR2_EL1 are not looked after");
    }
    ID_AA64MMFR0_EL1 {
        ECV:            up_to(CNTPOFF).nested(up_to(IMP));
        FGT:            up_to(FGT2);
        EXS:            up_to(IMP).nested(up_to(NI));
        // A guest hypervisor can't have stage 2 pages that are smaller than the host's.
        TGRAN4_2:       up_to(_52_BIT).exact(NI)
                        .nested(force(TGRAN4).force_when(host(STAGE2_4K), IMP)
                        .force_when(kernel(PAGE_OVER_4K), NI).always());
        TGRAN64_2:      up_to(IMP).exact(NI)
                        .nested(force(TGRAN64).force_when(host(STAGE2_64K), IMP).always());
        TGRAN16_2:      up_to(_52_BIT).exact(NI)
                        .nested(force(TGRAN16).force_when(host(STAGE2_16K), IMP)
                        .force_when(kernel(PAGE_OVER_16K), NI).always());
        TGRAN4:         up_to(_52_BIT);
        TGRAN64:        up_to(IMP);
        TGRAN16:        up_to(_52_BIT);
        BIGENDEL0:      up_to(IMP);
        SNSMEM:         up_to(IMP).nested(up_to(NI));
        BIGEND:         up_to(IMP);
        ASIDBITS:       up_to(_16).fixed();
        PARANGE:        up_to(_56).nested(up_to(_48));
    }
    ID_AA64MMFR1_EL1 {
        ECBHB:          up_to(IMP);
        CMOW:           up_to(IMP).nested(up_to(NI));
        TIDCP1:         up_to(IMP);
        // TLB invalidations may be intermediate: the weaker promise.
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
        VH:             up_to(IMP).fixed().nested(up_to(IMP).force_when(vm(E2H0), NI));
        VMIDBits:       up_to(_16).fixed();
        HAFDBS:         up_to(HDBSS).nested(up_to(AF));
    }
    ID_AA64MMFR2_EL1 {
        E0PD:           up_to(IMP);
        EVT:            up_to(TTLBxS).fixed();
        BBM:            up_to(_3).nested(up_to(_0));
        TTL:            up_to(IMP).nested(force(IMP));
        FWB:            up_to(IMP).fixed();
        IDS:            up_to(EL3).fixed();
        AT:             up_to(IMP);
        ST:             up_to(_48_47).nested(up_to(_39));
        NV:             up_to(NI).fixed().ignores_host();
        CCIDX:          denied("CCSIDR_EL1 has its 32-bit format");
        VARange:        up_to(_52).nested(up_to(_48));
        IESB:           up_to(IMP);
        LSM:            up_to(IMP);
        UAO:            up_to(IMP);
        CnP:            up_to(IMP);
    }
    // kvm_idregs_enforce_dependencies() has the last word on S1PIE and S1POE.
    ID_AA64MMFR3_EL1 {
        Spec_FPACC:     denied("nobody has looked at what it takes");
        ADERR:          denied("errors are injected without a look at their type");
        SDERR:          denied("errors are injected without a look at their type");
        ANERR:          denied("errors are injected without a look at their type");
        SNERR:          denied("errors are injected without a look at their type");
        D128_2:         denied("stage 2 has descriptors of 64 bits");
        D128:           denied("descriptors of 128 bits are not walked");
        MEC:            denied("it is about Realms, which KVM does not emulate");
        AIE:            denied("MAIR2_EL1 and AMAIR2_EL1 are not switched");
        S2POE:          denied("stage 2 permissions are not overlaid");
        S1POE:          up_to(IMP).when(kernel(POE));
        S2PIE:          denied("stage 2 permissions are not indirect");
        S1PIE:          up_to(IMP);
        SCTLRX:         up_to(IMP);
        TCRX:           up_to(IMP);
    }
    // Either FEAT_VHE without FEAT_E2H0, and what FEAT_NV2 needs, or FEAT_E2H0 without either.
    ID_AA64MMFR4_EL1 {
        MTEFGT:         denied("nobody has looked at what it takes");
        SCRX:           denied("it is about EL3, which KVM does not emulate");
        TEV:            denied("nobody has looked at what it takes");
        TPS:            denied("nobody has looked at what it takes");
        SRMASK:         denied("the mask registers are not switched");
        TLBID:          denied("nested TLB maintenance does not know domains");
        E3DSE:          denied("it is about EL3, which KVM does not emulate");
        EAESR:          denied("nobody has looked at what it takes");
        RMEGDI:         denied("it is about Realms, which KVM does not emulate");
        E2H0:           up_to(IMP).fixed().nested(force(NI_NV1).force_when(vm(E2H0), IMP));
        NV_frac:        up_to(NV3).nested(up_to(NV3).force_when(not(host(FEAT_NV2P1)), NV2_ONLY)
                        .force_when(vm(E2H0), NV_NV2));
        FGWTE3:         denied("it is about EL3, which KVM does not emulate");
        HACDBS:         denied("nobody has looked at what it takes");
        ASID2:          denied("a second ASID is not looked after");
        EIESB:          denied("nobody has looked at what it takes");
        PoPS:           denied("its cache maintenance is not looked after");
    }
    CTR_EL0 {
        TminLine:       denied("cpufeature keeps no system-wide safe value of it");
        DIC:            up_to(1);
        IDC:            up_to(1);
        // Higher ones are reserved.
        CWG:            up_to(9).fixed();
        ERG:            up_to(9).fixed();
        DminLine:       up_to(15);
        // A VM that takes care of a VIPT cache works with a PIPT one.
        L1Ip:           up_to(PIPT).exact(VIPT).least(VIPT);
        IminLine:       up_to(15);
    }
};
