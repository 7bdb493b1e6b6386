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
//! cut to its limit; userspace can ask for less, if the value has a name. A limit is the highest
//! value that KVM virtualizes, for the reason that the row gives as its class. What a row says:
//!
//! - `up_to(V, CLASS)`: the limit.
//! - `force(V, CLASS)`: the value, whatever the host has.
//! - `denied("why")`: not implemented.
//! - `untrappable("why")`: denied or lowered it is usable all the same, as DataPath and own!() are
//!   without a word, and Trapped without FEAT_FGT; `untrappable_when(C, "why")` on a condition, and
//!   `untrappable_below(V, "why")` where the host has less than that of `ID_AA64MMFR0_EL1.FGT`.
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
//! - `cuts()`: as much as the host has is what KVM once handed out: accepted, and cut to the limit;
//!   `beside(F)` only together with what the host has in that field of the register.
//! - `needs(..)`: what the field implies of others; KVM itself gives no VM one without the other.
//! - `irqchip(C, V)`: KVM sets V, or else `NI`, when it knows the VM's interrupt controller.
//! - `nested(..)`: stands for all that but order, `needs()` and `irqchip()`, in a VM with EL2.
//! - `protected(..)`, with `at_most(V)` or `exactly(V)`, and `unprotected()`, which is nothing: the
//!   same in a protected VM. Userspace has no say in these, and the hypervisor at EL2 has their
//!   registers.
//!
//! A condition is `vm(X)`, `host(X)`, `kvm(X)` or `kernel(X)` with a fact of `facts.rs`, `not(C)`
//! or `C.and(D)`. `REGISTER if C unless D`: VMs have the register only on a condition; it is zero
//! otherwise.
//! `REGISTER is unknown`: cpufeature does not have it.

use super::{
    cpufeature::{
        self,
        ID_AA64MMFR0_EL1::FGT, //
    },
    facts::{
        host,
        kernel,
        kvm,
        not,
        vm,
        Condition,
        Fact::{
            self,
            *, //
        },
        NUM_REGISTERS, //
    },
    policy::{
        self,
        at_most,
        denied,
        exactly,
        force,
        mirrored,
        res0,
        up_to,
        Class::{
            self,
            *, //
        },
        Need,
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

/// Bits of a control register of EL2's that KVM sets, by the names of its fields.
macro_rules! enables {
    ($register:ident: $($bit:ident),+) => {
        policy::enables(
            &cpufeature::$register::REGISTER,
            0 $(| cpufeature::$register::$bit::FIELD.mask())+,
        )
    };
}

/// Registers that KVM switches or emulates.
macro_rules! state {
    ($($register:ident),+) => { policy::state(&[$(cpufeature::sysreg::$register),+]) };
}

/// Registers of the guest's own that have the control bits.
macro_rules! own {
    ($($register:ident),+) => { Class::Own(&[$(cpufeature::sysreg::$register),+]) };
}

/// `need!(V: REGISTER.FIELD, W)`: where the row's field is V or more, that field must be W or more.
macro_rules! need {
    ($value:ident: $register:ident.$field:ident, $least:tt) => {
        Need::new(
            $value,
            &cpufeature::$register::REGISTER,
            &cpufeature::$register::$field::FIELD,
            {
                #[allow(unused_imports)]
                use cpufeature::$register::$field::*;
                $least
            },
        )
    };
    ($value:literal: $register:ident.$field:ident, $least:tt) => {{
        const VALUE: u64 = $value;
        need!(VALUE: $register.$field, $least)
    }};
}

/// A need between AArch64's and AArch32's fields: there are machines that differ.
macro_rules! mirror {
    ($($need:tt)*) => { need!($($need)*).when(vm(AARCH32)).told() };
}

/// Pointer authentication with the address keys.
const PAUTH: Class = enables!(HCR_EL2: API, APK)
    .and(state!(
        APIAKEYLO_EL1,
        APIAKEYHI_EL1,
        APIBKEYLO_EL1,
        APIBKEYHI_EL1,
        APDAKEYLO_EL1,
        APDAKEYHI_EL1,
        APDBKEYLO_EL1,
        APDBKEYHI_EL1
    ))
    .and(mirrored("kvm_auth_eretax"));

/// Pointer authentication with the generic key.
const PAUTH_GENERIC: Class = enables!(HCR_EL2: API, APK).and(state!(APGAKEYLO_EL1, APGAKEYHI_EL1));

/// Floating point and vectors, whose registers are loaded at first use.
const FPSIMD: Class = mirrored("kvm_hyp_handle_fpsimd");

/// The emulated PMU.
const PMU_V3: Class =
    state!(PMCR_EL0, PMSELR_EL0, PMCCNTR_EL0, PMUSERENR_EL0).and(mirrored("kvm_pmu_event_mask"));

/// The generic timer.
const TIMER: Class =
    state!(CNTKCTL_EL1, CNTV_CTL_EL0, CNTP_CTL_EL0).and(mirrored("access_arch_timer"));

/// Breakpoints and watchpoints.
const DEBUG: Class = state!(MDSCR_EL1).and(mirrored("trap_dbg_wb_reg"));

/// Which VMs are told of what SVE has besides.
const HAS_ZFR0: Condition = vm(SVE).and(not(vm(PROTECTED)));

/// Why no guest can be kept from a part of floating point.
const FPEN_ALL: &str = "CPTR_EL2.FPEN traps all of it, or nothing";

/// Why no guest can be kept from what the CPU's debug registers can do.
const DEBUG_OWN: &str = "a guest that debugs owns the CPU's registers: MDCR_EL2.TDA is clear then";

/// Why no guest can be kept from a bit of `TCR_EL1` without FEAT_FGT.
const TVM: &str = "HCR_EL2.TVM would trap all of a guest's memory management";

/// Why no guest can be kept from a part of pointer authentication.
const API_ALL: &str = "HCR_EL2.API traps all of it, or nothing";

/// Why no guest can be kept from what the CPU can walk.
const TCR_VALUE: &str = "granules are values of TCR_EL1, which is the guest's";

/// Stage 1 of a guest hypervisor, which KVM walks in software too.
const STAGE_1: Class = mirrored("walk_s1");

/// Stage 2 of a guest hypervisor, which KVM walks in software alone.
const STAGE_2: Class = mirrored("walk_nested_s2_pgd");

/// Caches: KVM makes up what the VM sees of them, and cleans them itself.
const CACHES: Class = mirrored("access_ctr");

macro_rules! limits {
    (@condition) => { Condition::ALWAYS };
    (@condition $condition:expr) => { $condition };
    (@known) => { true };
    (@known unknown) => { false };
    ($($register:ident $(if $of:ident($fact:ident))? $(unless $but:ident($not:ident))?
        $(is $unknown:ident)? {
        $($field:ident: $policy:expr;)*
    })*) => {
        &[$({
            // The compiler names it where a field's row is missing.
            const $register: Limits = Limits::new(
                &cpufeature::$register::REGISTER,
                limits!(@condition $($of($fact))?)$(.and(not($but($not))))?,
                limits!(@known $($unknown)?),
                &[$({
                    use cpufeature::$register::$field::*;
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
        DIT:            up_to(IMP, DataPath);
        AMU:            denied("activity monitors are trapped");
        CSV2:           up_to(CSV2p1, DataPath)
                        .needs(&[mirror!(IMP: ID_AA64PFR0_EL1.CSV2, IMP)]);
        State3:         denied("ThumbEE has registers that are not switched");
        State2:         up_to(NO_CV, DataPath);
        // What all Armv8 implementations have; sysreg has no name for it.
        State1:         up_to(3, DataPath);
        State0:         up_to(IMP, DataPath);
    }
    ID_PFR1_EL1 if vm(AARCH32) {
        GIC:            up_to(GICv4p1, mirrored("kvm_idregs_finalize")).irqchip(vm(VGIC_V3), GICv3);
        Virt_frac:      up_to(IMP, Inert);
        Sec_frac:       up_to(SECURE_MEMORY, Inert);
        GenTimer:       up_to(ECV, TIMER);
        Virtualization: up_to(IMP, Inert);
        MProgMod:       denied("it is for M-profile");
        Security:       up_to(NSACR_RFR, Inert);
        ProgMod:        up_to(IMP, DataPath);
    }
    ID_DFR0_EL1 if vm(AARCH32) {
        TraceFilt:      denied("trace units and buffers are trapped");
        // As the PMU of the AArch64 side, see `Facts::of_host()`.
        PerfMon:        up_to(PMUv3p5, PMU_V3).force_when(host(PMU_IMP_DEF), NI)
                        .force_when(host(PMUV3_IMPDEF_TRAPS), PMUv3).when(vm(PMU))
                        .least(PMUv3).or(NI).ignores(IMPDEF)
                        .needs(&[mirror!(PMUv3: ID_AA64DFR0_EL1.PMUVer, IMP),
                                 mirror!(PMUv3p1: ID_AA64DFR0_EL1.PMUVer, V3P1),
                                 mirror!(PMUv3p4: ID_AA64DFR0_EL1.PMUVer, V3P4),
                                 mirror!(PMUv3p5: ID_AA64DFR0_EL1.PMUVer, V3P5)]);
        MProfDbg:       denied("it is for M-profile");
        MMapTrc:        up_to(IMP, Inert);
        // Trace units are trapped; KVM showed the host's value once.
        CopTrc:         up_to(NI, Inert).cuts();
        MMapDbg:        up_to(Armv7p1, Inert);
        // Secure debug, in numbers as CopDbg's, which sysreg does not name.
        CopSDbg:        up_to(10, Inert);
        CopDbg:         up_to(Debugv8p8, DEBUG).least(Armv8)
                        .needs(&[mirror!(Debugv8p8: ID_AA64DFR0_EL1.DebugVer, V8P8)]);
    }
    ID_AFR0_EL1 is unknown {
        IMPDEF3:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF2:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF1:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
        IMPDEF0:        denied("IMPLEMENTATION DEFINED: nobody knows what it would promise");
    }
    ID_MMFR0_EL1 if vm(AARCH32) {
        InnerShr:       up_to(HW, DataPath).signed();
        FCSE:           denied("FCSEIDR is not switched");
        AuxReg:         up_to(AIFSR, mirrored("access_actlr"));
        TCM:            denied("its registers are trapped");
        ShareLvl:       up_to(TWO, DataPath);
        OuterShr:       up_to(HW, DataPath).signed();
        PMSA:           denied("VMs have translation tables instead");
        VMSA:           up_to(VMSAv7_LONG, own!(TTBR0_EL1, TTBR1_EL1, TCR_EL1));
    }
    ID_MMFR1_EL1 if vm(AARCH32) {
        BPred:          up_to(BP_INVISIBLE, DataPath);
        L1TstCln:       up_to(INVALIDATE, DataPath);
        L1Uni:          up_to(CLEAN_AND_INVALIDATE, DataPath);
        L1Hvd:          up_to(CLEAN_AND_INVALIDATE, DataPath);
        L1UniSW:        up_to(INVALIDATE, mirrored("access_dcsw"));
        L1HvdSW:        up_to(INVALIDATE, mirrored("access_dcsw"));
        L1UniVA:        up_to(INVALIDATE_BP, DataPath);
        L1HvdVA:        up_to(INVALIDATE_BP, DataPath);
    }
    ID_MMFR2_EL1 if vm(AARCH32) {
        HWAccFlg:       up_to(IMP, DataPath);
        WFIStall:       up_to(IMP, mirrored("kvm_handle_wfx"));
        MemBarr:        up_to(IMP, DataPath);
        UniTLB:         up_to(BY_IPA, DataPath);
        HvdTLB:         up_to(NI, DataPath);
        L1HvdRng:       up_to(IMP, DataPath);
        L1HvdBG:        up_to(IMP, DataPath);
        L1HvdFG:        up_to(IMP, DataPath);
    }
    ID_MMFR3_EL1 if vm(AARCH32) {
        // `NI` is the highest number.
        Supersec:       up_to(IMP, DataPath).signed();
        CMemSz:         up_to(_1TB, DataPath);
        CohWalk:        up_to(IMP, DataPath);
        PAN:            up_to(PAN2, DataPath)
                        .needs(&[mirror!(PAN: ID_AA64MMFR1_EL1.PAN, IMP),
                                 mirror!(PAN2: ID_AA64MMFR1_EL1.PAN, PAN2)]);
        MaintBcst:      up_to(ALL, DataPath);
        BPMaint:        up_to(BY_VA, DataPath);
        CMaintSW:       up_to(IMP, mirrored("access_dcsw"));
        CMaintVA:       up_to(IMP, DataPath);
    }
    ID_ISAR0_EL1 if vm(AARCH32) {
        Divide:         up_to(xDIV_A32, DataPath);
        Debug:          up_to(IMP, DataPath);
        Coproc:         denied("coprocessors of other kinds are not switched");
        CmpBranch:      up_to(IMP, DataPath);
        BitField:       up_to(IMP, DataPath);
        BitCount:       up_to(IMP, DataPath);
        Swap:           up_to(IMP, DataPath);
    }
    ID_ISAR1_EL1 if vm(AARCH32) {
        Jazelle:        up_to(IMP, DataPath);
        Interwork:      up_to(A32_BX, DataPath);
        Immediate:      up_to(IMP, DataPath);
        IfThen:         up_to(IMP, DataPath);
        Extend:         up_to(SXTB16, DataPath);
        Except_AR:      up_to(IMP, DataPath);
        Except:         up_to(IMP, DataPath);
        Endian:         up_to(IMP, DataPath);
    }
    ID_ISAR2_EL1 if vm(AARCH32) {
        Reversal:       up_to(RBIT, DataPath);
        PSR_AR:         up_to(IMP, DataPath);
        MultU:          up_to(UMAAL, DataPath);
        MultS:          up_to(SMLAD, DataPath);
        Mult:           up_to(MLS, DataPath);
        MultiAccessInt: up_to(CONTINUABLE, DataPath);
        MemHint:        up_to(PLDW, DataPath);
        LoadStore:      up_to(ACQUIRE, DataPath);
    }
    ID_ISAR3_EL1 if vm(AARCH32) {
        T32EE:          denied("ThumbEE has registers that are not switched");
        TrueNOP:        up_to(IMP, DataPath);
        T32Copy:        up_to(IMP, DataPath);
        TabBranch:      up_to(IMP, DataPath);
        SynchPrim:      up_to(DOUBLE, DataPath);
        SVC:            up_to(IMP, DataPath);
        SIMD:           up_to(PKHBT, DataPath);
        Saturate:       up_to(IMP, DataPath);
    }
    ID_ISAR4_EL1 if vm(AARCH32) {
        SWP_frac:       up_to(IMP, DataPath);
        PSR_M:          denied("it is for M-profile");
        SynchPrim_frac: up_to(IMP, DataPath);
        Barrier:        up_to(IMP, DataPath);
        SMC:            up_to(IMP, mirrored("kvm_smccc_call_handler"));
        Writeback:      up_to(IMP, DataPath);
        WithShifts:     up_to(REG, DataPath);
        Unpriv:         up_to(SIGNED_HALFWORD, DataPath);
    }
    ID_ISAR5_EL1 if vm(AARCH32) {
        VCMA:           denied("cpufeature keeps no system-wide safe value of it")
                        .untrappable("its instructions have no trap");
        RDM:            up_to(IMP, DataPath)
                        .needs(&[mirror!(IMP: ID_AA64ISAR0_EL1.RDM, IMP)]);
        CRC32:          up_to(IMP, DataPath)
                        .needs(&[mirror!(IMP: ID_AA64ISAR0_EL1.CRC32, IMP)]);
        SHA2:           up_to(IMP, DataPath);
        SHA1:           up_to(IMP, DataPath);
        AES:            up_to(VMULL, DataPath);
        SEVL:           up_to(IMP, DataPath);
    }
    ID_MMFR4_EL1 if vm(AARCH32) {
        EVT:            up_to(TLBIS, Inert);
        CCIDX:          denied("CCSIDR has its 32-bit format");
        LSM:            up_to(IMP, own!(SCTLR_EL1))
                        .needs(&[mirror!(IMP: ID_AA64MMFR2_EL1.LSM, IMP)]);
        HPDS:           up_to(HPDS2, state!(TCR_EL1))
                        .needs(&[mirror!(HPDS2: ID_AA64MMFR1_EL1.HPDS, HPDS2)]);
        CnP:            up_to(IMP, own!(TTBR0_EL1, TTBR1_EL1))
                        .needs(&[mirror!(IMP: ID_AA64MMFR2_EL1.CnP, IMP)]);
        XNX:            up_to(IMP, Inert);
        AC2:            up_to(IMP, mirrored("access_actlr"));
        // More of it is a warning: nothing bounds it.
        SpecSEI:        up_to(15, Inert).higher_safe();
    }
    ID_ISAR6_EL1 if vm(AARCH32) {
        I8MM:           up_to(IMP, DataPath);
        BF16:           up_to(IMP, DataPath);
        SPECRES:        up_to(IMP, Trapped)
                        .needs(&[mirror!(IMP: ID_AA64ISAR1_EL1.SPECRES, IMP)]);
        SB:             up_to(IMP, DataPath)
                        .needs(&[mirror!(IMP: ID_AA64ISAR1_EL1.SB, IMP)]);
        FHM:            up_to(IMP, DataPath);
        DP:             up_to(IMP, DataPath)
                        .needs(&[mirror!(IMP: ID_AA64ISAR0_EL1.DP, IMP)]);
        JSCVT:          up_to(IMP, DataPath);
    }
    MVFR0_EL1 if vm(AARCH32) {
        FPRound:        up_to(IMP, DataPath);
        FPShVec:        up_to(IMP, DataPath);
        FPSqrt:         up_to(IMP, DataPath);
        FPDivide:       up_to(IMP, DataPath);
        FPTrap:         up_to(IMP, DataPath);
        FPDP:           up_to(VFPv3, DataPath);
        FPSP:           up_to(VFPv3, DataPath);
        SIMDReg:        up_to(IMP_32x64, DataPath);
    }
    MVFR1_EL1 if vm(AARCH32) {
        SIMDFMAC:       up_to(IMP, DataPath);
        FPHP:           up_to(FP16, DataPath);
        SIMDHP:         up_to(SIMDHP_FLOAT, DataPath);
        SIMDSP:         up_to(IMP, DataPath);
        SIMDInt:        up_to(IMP, DataPath);
        SIMDLS:         up_to(IMP, DataPath);
        FPDNaN:         up_to(IMP, DataPath);
        FPFtZ:          up_to(IMP, DataPath);
    }
    MVFR2_EL1 if vm(AARCH32) {
        FPMisc:         up_to(FP_MAX_MIN, DataPath);
        SIMDMisc:       up_to(SIMD_MAX_MIN, DataPath);
    }
    ID_PFR2_EL1 if vm(AARCH32) {
        RAS_frac:       denied("cpufeature keeps no system-wide safe value of it");
        SSBS:           up_to(IMP, DataPath)
                        .needs(&[mirror!(IMP: ID_AA64PFR1_EL1.SSBS, IMP)]);
        CSV3:           up_to(IMP, DataPath);
    }
    // Hidden, and zero: MTPMU's `NI` would not be.
    ID_DFR1_EL1 {
        HPMN0:          denied("not offered, though KVM's PMU takes MDCR_EL2.HPMN = 0");
        MTPMU:          force(IMPDEF, Inert).fixed();
    }
    ID_MMFR5_EL1 if vm(AARCH32) {
        nTLBPA:         denied("cpufeature keeps no system-wide safe value of it");
        // As in ID_AA64MMFR1_EL1, whose names sysreg has.
        ETS:            up_to(3, DataPath)
                        .needs(&[mirror!(2: ID_AA64MMFR1_EL1.ETS, ETS2),
                                 mirror!(3: ID_AA64MMFR1_EL1.ETS, ETS3)]);
    }
    ID_AA64PFR0_EL1 {
        // Protected VMs rely on what the kernel knows, and not on what CPUs say.
        CSV3:           up_to(IMP, DataPath).raise_when(host(MELTDOWN_UNAFFECTED))
                        .protected(exactly(NI).force_when(host(MELTDOWN_UNAFFECTED), IMP));
        CSV2:           up_to(IMP, Inert).raise_when(host(SPECTRE_V2_UNAFFECTED))
                        .protected(exactly(NI).force_when(host(SPECTRE_V2_UNAFFECTED), IMP));
        // Realms are for EL3 to make.
        RME:            up_to(NI, Inert);
        DIT:            up_to(IMP, DataPath)
                        .needs(&[mirror!(IMP: ID_PFR0_EL1.DIT, IMP)]);
        AMU:            denied("activity monitors are trapped");
        MPAM:           up_to(_0, Inert).fixed().ignores_host()
                        .untrappable_when(not(kernel(MPAM)), "MPAM2_EL2 isn't set to trap it");
        SEL2:           up_to(IMP, Inert).nested(up_to(NI, Inert)).unprotected();
        SVE:            up_to(IMP, state!(ZCR_EL1).and(mirrored("kvm_hyp_handle_fpsimd")))
                        .when(vm(SVE)).fixed()
                        .needs(&[need!(IMP: ID_AA64ISAR1_EL1.FCMA, IMP)]);
        // V2 has ERXGSR_EL1, which KVM has not.
        RAS:            up_to(V1P1, state!(DISR_EL1, VDISR_EL2, VSESR_EL2)
                              .and(mirrored("access_ras"))).cuts().protected(at_most(IMP))
                        .untrappable("DISR_EL1 has no trap");
        // What is written is what a VM without an interrupt controller has until it runs.
        GIC:            up_to(IMP, mirrored("kvm_idregs_finalize")).raise_when(kvm(GIC_V3))
                        .irqchip(vm(VGIC_V3), IMP).protected(at_most(IMP))
                        .untrappable_when(not(vm(VGIC_V3)), "ICC_SRE_EL1 has no trap of its own");
        AdvSIMD:        up_to(FP16, FPSIMD).fixed().untrappable(FPEN_ALL);
        FP:             up_to(FP16, FPSIMD).fixed()
                        .needs(&[mirror!(FP16: MVFR1_EL1.FPHP, FP16),
                                 mirror!(FP16: MVFR1_EL1.SIMDHP, SIMDHP_FLOAT)])
                        .untrappable(FPEN_ALL);
        EL3:            up_to(AARCH32, Inert).nested(force(IMP, Inert))
                        .needs(&[need!(AARCH32: ID_AA64PFR0_EL1.EL1, AARCH32)])
                        .protected(at_most(IMP));
        EL2:            up_to(AARCH32, Inert)
                        .nested(force(IMP, mirrored("kvm_emulate_nested_eret")).least(IMP))
                        .needs(&[need!(AARCH32: ID_AA64PFR0_EL1.EL1, AARCH32)])
                        .protected(at_most(IMP));
        EL1:            up_to(AARCH32, enables!(HCR_EL2: RW)).least(IMP)
                        .nested(force(IMP, enables!(HCR_EL2: RW)).least(IMP))
                        .needs(&[need!(AARCH32: ID_AA64PFR0_EL1.EL0, AARCH32)])
                        .protected(at_most(IMP));
        // Whether there is AArch32 is KVM's to say: the registers that describe it are zero
        // without.
        EL0:            up_to(AARCH32, DataPath).force_when(not(vm(Fact::AARCH32)), IMP)
                        .least(IMP).nested(force(IMP, DataPath).least(IMP)).protected(at_most(IMP));
    }
    ID_AA64PFR1_EL1 {
        PFAR:           denied("PFAR_EL1 is not switched")
                        .untrappable_below(FGT::FGT2, "SCR_EL3.PFAREn is EL3's");
        DF2:            up_to(IMP, enables!(HCRX_EL2: SCTLR2En).and(state!(SCTLR2_EL1))
                              .and(mirrored("effective_sctlr2_nmea")))
                        .needs(&[need!(IMP: ID_AA64MMFR3_EL1.SCTLRX, IMP),
                                 need!(IMP: ID_AA64PFR0_EL1.RAS, V1P1),
                                 need!(IMP: ID_AA64MMFR1_EL1.HCX, IMP).when(vm(EL2))])
                        .unprotected();
        MTEX:           denied("canonical and unchecked tags are not looked after")
                        .untrappable_below(FGT::IMP, TVM);
        THE:            denied("RCWMASK_EL1 and RCWSMASK_EL1 are not switched")
                        .untrappable("its atomics have no trap");
        GCS:            denied("the stack pointers and their controls are not switched")
                        .untrappable_below(FGT::IMP, "its registers have no other trap");
        MTE_frac:       up_to(ASYNC, enables!(HCR_EL2: ATA).and(state!(TFSR_EL1, TFSRE0_EL1)))
                        .signed().force_when(not(vm(MTE)), ASYNC).fixed()
                        .ignores(ASYNC).where_host(NI).provided(vm(MTE).and(host(MTE2)))
                        .nested(force(ASYNC, Inert).fixed()).protected(at_most(ASYNC));
        NMI:            denied("the vGIC has no NMIs")
                        .untrappable("SCTLR_EL1.NMI: to trap it is a trap on switches of tasks");
        // CSV2 says all that KVM knows.
        CSV2_frac:      up_to(NI, DataPath);
        RNDR_trap:      denied("it is about EL3, which KVM does not emulate");
        SME:            denied("ZA, ZT0 and the streaming mode are not switched")
                        .untrappable_below(FGT::IMP, "TPIDR2_EL0 and SMPRI_EL1 have no other trap");
        MPAM_frac:      up_to(MINOR_0, Inert).fixed().ignores_host();
        RAS_frac:       up_to(RASv1p1, mirrored("access_ras")).when(host(FEAT_RASV1P1))
                        .when(host(RAS_IMP)).unprotected();
        MTE:            up_to(MTE3, enables!(HCR_EL2: ATA)
                              .and(state!(RGSR_EL1, GCR_EL1, TFSR_EL1, TFSRE0_EL1)))
                        .when(vm(MTE)).fixed().nested(up_to(NI, Inert).fixed())
                        .untrappable("IRG and PSTATE.TCO have no trap");
        SSBS:           up_to(SSBS2, own!(SCTLR_EL1));
        BT:             up_to(IMP, own!(SCTLR_EL1));
    }
    ID_AA64PFR2_EL1 {
        FPMR:           up_to(IMP, enables!(HCRX_EL2: EnFPM).and(state!(FPMR)))
                        .needs(&[need!(IMP: ID_AA64MMFR0_EL1.FGT, IMP).when(vm(EL2)),
                                 need!(IMP: ID_AA64MMFR1_EL1.HCX, IMP).when(vm(EL2))])
                        .unprotected();
        UINJ:           denied("exceptions are emulated without a look at PSTATE.UINJ")
                        .untrappable("HFGITR_EL2.ERET would trap every ERET");
        GCIE:           force(NI, mirrored("kvm_idregs_finalize")).force_when(kvm(GIC_V5), IMP)
                        .irqchip(vm(VGIC_V5), IMP).nested(force(NI, Inert)).protected(at_most(NI))
                        .untrappable("GSB has no trap");
        MTEFAR:         up_to(IMP, enables!(HCR_EL2: ATA)).when(vm(MTE))
                        .nested(up_to(NI, Inert).ignores_host().provided(vm(MTE)))
                        .untrappable_when(vm(MTE).and(not(vm(EL2))), "FAR_EL1 is the CPU's");
        MTESTOREONLY:   up_to(IMP, enables!(HCR_EL2: ATA)).when(vm(MTE))
                        .nested(up_to(NI, Inert).ignores_host().provided(vm(MTE)))
                        .untrappable("SCTLR_EL1.TCSO: to trap it is a trap on switches of tasks");
        MTEPERM:        denied("stage 2 has no permission for tags");
    }
    ID_AA64ZFR0_EL1 if vm(SVE) unless vm(PROTECTED) {
        F64MM:          up_to(IMP, DataPath);
        F32MM:          up_to(IMP, DataPath);
        F16MM:          up_to(IMP, DataPath)
                        .needs(&[need!(IMP: ID_AA64ZFR0_EL1.SVEver, SVE2p1)]);
        I8MM:           up_to(IMP, DataPath)
                        .needs(&[need!(IMP: ID_AA64ISAR1_EL1.I8MM, IMP)]);
        SM4:            up_to(IMP, DataPath)
                        .needs(&[need!(IMP: ID_AA64ISAR0_EL1.SM4, IMP),
                                 need!(IMP: ID_AA64ZFR0_EL1.SVEver, SVE2)]);
        SHA3:           up_to(IMP, DataPath)
                        .needs(&[need!(IMP: ID_AA64ISAR0_EL1.AES, PMULL),
                                 need!(IMP: ID_AA64ISAR0_EL1.SHA2, SHA512),
                                 need!(IMP: ID_AA64ISAR0_EL1.SHA3, IMP),
                                 need!(IMP: ID_AA64ZFR0_EL1.SVEver, SVE2)]);
        B16B16:         up_to(B16MM, DataPath)
                        .needs(&[need!(IMP: ID_AA64ZFR0_EL1.SVEver, SVE2)]);
        BF16:           up_to(EBF16, DataPath)
                        .needs(&[need!(IMP: ID_AA64ISAR1_EL1.BF16, IMP),
                                 need!(EBF16: ID_AA64ISAR1_EL1.BF16, EBF16)]);
        BitPerm:        up_to(IMP, DataPath)
                        .needs(&[need!(IMP: ID_AA64ZFR0_EL1.SVEver, SVE2)]);
        EltPerm:        up_to(IMP, DataPath);
        AES:            up_to(AES2, DataPath)
                        .needs(&[need!(IMP: ID_AA64ISAR0_EL1.AES, PMULL),
                                 need!(IMP: ID_AA64ISAR0_EL1.SHA2, SHA512),
                                 need!(IMP: ID_AA64ISAR0_EL1.SHA3, IMP),
                                 need!(IMP: ID_AA64ZFR0_EL1.SHA3, IMP).when(vm(SVE)),
                                 need!(AES2: ID_AA64ZFR0_EL1.SVEver, SVE2p1),
                                 need!(PMULL128: ID_AA64ZFR0_EL1.SVEver, SVE2)]);
        SVEver:         up_to(SVE2p3, DataPath);
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
    ID_AA64FPFR0_EL1 unless vm(PROTECTED) {
        F8CVT:          up_to(IMP, DataPath).exact(NI)
                        .needs(&[need!(IMP: ID_AA64FPFR0_EL1.F8E4M3, IMP),
                                 need!(IMP: ID_AA64FPFR0_EL1.F8E5M2, IMP),
                                 need!(IMP: ID_AA64ISAR1_EL1.BF16, IMP),
                                 need!(IMP: ID_AA64ISAR2_EL1.LUT, IMP),
                                 need!(IMP: ID_AA64ISAR3_EL1.FAMINMAX, IMP),
                                 need!(IMP: ID_AA64PFR2_EL1.FPMR, IMP)]);
        F8FMA:          up_to(IMP, DataPath).exact(NI)
                        .needs(&[need!(IMP: ID_AA64FPFR0_EL1.F8CVT, IMP)]);
        F8DP4:          up_to(IMP, DataPath).exact(NI)
                        .needs(&[need!(IMP: ID_AA64FPFR0_EL1.F8FMA, IMP)]);
        F8DP2:          up_to(IMP, DataPath).exact(NI)
                        .needs(&[need!(IMP: ID_AA64FPFR0_EL1.F8DP4, IMP)]);
        F8MM8:          up_to(IMP, DataPath).exact(NI)
                        .needs(&[need!(IMP: ID_AA64FPFR0_EL1.F8DP4, IMP)]);
        F8MM4:          up_to(IMP, DataPath).exact(NI)
                        .needs(&[need!(IMP: ID_AA64FPFR0_EL1.F8DP2, IMP),
                                 need!(IMP: ID_AA64FPFR0_EL1.F8MM8, IMP)]);
        F16MM2:         up_to(IMP, DataPath).exact(NI);
        RAZ_7_2:        res0();
        F8E4M3:         up_to(IMP, DataPath).exact(NI);
        F8E5M2:         up_to(IMP, DataPath).exact(NI);
    }
    ID_AA64DFR0_EL1 {
        HPMN0:          denied("not offered, though KVM's PMU takes MDCR_EL2.HPMN = 0");
        ExtTrcBuff:     denied("trace units and buffers are trapped");
        BRBE:           denied("branch records are trapped")
                        .untrappable_below(FGT::IMP, "nothing else traps them");
        MTPMU:          force(NI_IMPDEF, Inert).fixed().unprotected();
        TraceBuffer:    denied("trace units and buffers are trapped")
                        .untrappable_below(FGT::IMP, "TRBIDR_EL1 has no other trap");
        TraceFilt:      denied("trace units and buffers are trapped");
        // OSDLR_EL1 is RAZ/WI, and so there is none; KVM once said `IMP` on some hosts.
        DoubleLock:     force(NI, mirrored("trap_raz_wi")).ignores(IMP).unprotected();
        PMSVer:         denied("statistical profiling is trapped")
                        .untrappable_below(FGT::IMP, "PMBIDR_EL1 has no other trap");
        // KVM gives guests the host's breakpoints, and context-aware ones are the last of them. As
        // many as the field can count are switched.
        CTX_CMPs:       up_to(15, DEBUG).fixed().nested(up_to(0, DEBUG).fixed()).unprotected();
        SEBEP:          denied("the emulated PMU raises interrupts, not exceptions")
                        .untrappable("SPSR_EL1.PPEND has no trap");
        WRPs:           up_to(15, DEBUG).untrappable(DEBUG_OWN).unprotected();
        PMSS:           denied("the emulated PMU takes no snapshots")
                        .untrappable_below(FGT::FGT2, "PMSSCR_EL1 has no other trap");
        BRPs:           up_to(15, DEBUG).fixed().unprotected();
        PMUVer:         up_to(V3P5, PMU_V3).force_when(host(PMU_IMP_DEF), NI)
                        .force_when(host(PMUV3_IMPDEF_TRAPS), IMP).when(vm(PMU)).ignores(IMP_DEF)
                        .needs(&[need!(IMP: ID_AA64DFR0_EL1.PMUVer, V3P1).when(vm(SVE)),
                                 mirror!(IMP: ID_DFR0_EL1.PerfMon, PMUv3),
                                 mirror!(V3P1: ID_DFR0_EL1.PerfMon, PMUv3p1),
                                 mirror!(V3P4: ID_DFR0_EL1.PerfMon, PMUv3p4),
                                 mirror!(V3P5: ID_DFR0_EL1.PerfMon, PMUv3p5)]);
        TraceVer:       denied("trace units and buffers are trapped");
        DebugVer:       up_to(V8P8, DEBUG).least(IMP).untrappable(DEBUG_OWN)
                        .needs(&[mirror!(VHE: ID_DFR0_EL1.CopDbg, VHE),
                                 mirror!(V8P2: ID_DFR0_EL1.CopDbg, Debugv8p2),
                                 mirror!(V8P4: ID_DFR0_EL1.CopDbg, Debugv8p4),
                                 mirror!(V8P8: ID_DFR0_EL1.CopDbg, Debugv8p8)]).unprotected();
    }
    ID_AA64DFR1_EL1 {
        ABL_CMPs:       denied("only breakpoints and watchpoints of ID_AA64DFR0_EL1 are switched");
        DPFZS:          denied("statistical profiling is trapped");
        EBEP:           denied("the emulated PMU raises interrupts, not exceptions")
                        .untrappable("PSTATE.PM has no trap");
        ITE:            denied("trace units and buffers are trapped")
                        .untrappable("TRCIT has no trap");
        ABLE:           denied("only breakpoints and watchpoints of ID_AA64DFR0_EL1 are switched")
                        .untrappable(DEBUG_OWN);
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
        BWE:            denied("breakpoints on ranges are not looked after").untrappable(DEBUG_OWN);
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
        RNDR:           up_to(IMP, DataPath);
        TLB:            up_to(RANGE, Trapped);
        TS:             up_to(FLAGM2, DataPath);
        FHM:            up_to(F16F32MM, DataPath);
        DP:             up_to(IMP, DataPath);
        SM4:            up_to(IMP, DataPath);
        SM3:            up_to(IMP, DataPath);
        SHA3:           up_to(IMP, DataPath)
                        .needs(&[need!(IMP: ID_AA64ISAR0_EL1.SHA2, SHA256)]);
        RDM:            up_to(IMP, DataPath)
                        .needs(&[mirror!(IMP: ID_ISAR5_EL1.RDM, IMP)]);
        ATOMIC:         up_to(FEAT_LSE128, DataPath);
        CRC32:          up_to(IMP, DataPath)
                        .needs(&[mirror!(IMP: ID_ISAR5_EL1.CRC32, IMP)]);
        SHA2:           up_to(SHA512, DataPath)
                        .needs(&[need!(SHA256: ID_AA64ISAR0_EL1.SHA1, IMP)]);
        SHA1:           up_to(IMP, DataPath);
        AES:            up_to(PMULL, DataPath);
    }
    ID_AA64ISAR1_EL1 {
        // ACCDATA_EL1 is not switched. KVM showed more once.
        LS64:           up_to(LS64_V, enables!(HCRX_EL2: EnALS, EnASR)).cuts()
                        .nested(up_to(NI, Inert)).unprotected()
                        .untrappable_below(FGT::IMP, "ACCDATA_EL1 has no other trap");
        XS:             up_to(IMP, Trapped).unprotected()
                        .untrappable("DSB nXS has no trap, and TLBI nXS is trapped with all TLBI");
        I8MM:           up_to(IMP, DataPath)
                        .needs(&[need!(IMP: ID_AA64ZFR0_EL1.I8MM, IMP).when(HAS_ZFR0)]);
        DGH:            up_to(IMP, DataPath);
        BF16:           up_to(EBF16, DataPath)
                        .needs(&[need!(IMP: ID_AA64ZFR0_EL1.BF16, IMP).when(HAS_ZFR0),
                                 need!(EBF16: ID_AA64ZFR0_EL1.BF16, EBF16).when(HAS_ZFR0)]);
        SPECRES:        up_to(COSP_RCTX, Trapped).nested(up_to(NI, Trapped));
        SB:             up_to(IMP, DataPath);
        FRINTTS:        up_to(IMP, DataPath);
        // Protected VMs have these two whether they have pointer authentication or not.
        GPI:            up_to(IMP, PAUTH_GENERIC).when(vm(PTRAUTH)).fixed().protected(at_most(IMP));
        GPA:            up_to(IMP, PAUTH_GENERIC).when(vm(PTRAUTH)).fixed().protected(at_most(IMP));
        LRCPC:          up_to(LRCPC3, DataPath);
        FCMA:           up_to(IMP, DataPath);
        JSCVT:          up_to(IMP, DataPath);
        // HCRX_EL2.PACMEn is never set, so FEAT_PAuth_LR is half there at most.
        API:            up_to(FPACCOMBINE, PAUTH).when(vm(PTRAUTH)).fixed()
                        .cuts().provided(vm(PTRAUTH)).protected(at_most(PAuth).when(vm(PTRAUTH)))
                        .untrappable_when(vm(PTRAUTH), API_ALL);
        APA:            up_to(FPACCOMBINE, PAUTH).when(vm(PTRAUTH)).fixed()
                        .cuts().provided(vm(PTRAUTH)).protected(at_most(PAuth).when(vm(PTRAUTH)))
                        .untrappable_when(vm(PTRAUTH), API_ALL);
        DPB:            up_to(DPB2, Trapped)
                        .untrappable_when(vm(MTE).and(not(vm(EL2))), "DC CVAP traps with MTE's");
    }
    ID_AA64ISAR2_EL1 {
        ATS1A:          up_to(IMP, Trapped);
        LUT:            up_to(LUT6, DataPath).unprotected();
        CSSC:           up_to(CMPBR, DataPath).unprotected();
        RPRFM:          up_to(IMP, DataPath).unprotected();
        // Zero, and published as writable all the same: KVM never knew of these four.
        PCDPHINT:       up_to(NI, DataPath);
        PRFMSLC:        up_to(NI, DataPath);
        SYSINSTR_128:   up_to(NI, DataPath);
        // MRRS and MSRR trap wherever KVM doesn't set HCRX_EL2.D128En.
        SYSREG_128:     up_to(NI, Inert);
        CLRBHB:         up_to(IMP, DataPath).unprotected();
        // As PCDPHINT.
        PAC_frac:       up_to(NI, DataPath);
        BC:             up_to(IMP, DataPath).unprotected();
        MOPS:           up_to(IMP, enables!(HCRX_EL2: MSCEn, MCE2)
                              .and(mirrored("kvm_hyp_handle_mops"))).unprotected();
        // As ID_AA64ISAR1_EL1.API.
        APA3:           up_to(FPACCOMBINE, PAUTH).when(vm(PTRAUTH)).fixed()
                        .cuts().provided(vm(PTRAUTH)).protected(at_most(PAuth).when(vm(PTRAUTH)))
                        .untrappable_when(vm(PTRAUTH), API_ALL);
        GPA3:           up_to(IMP, PAUTH_GENERIC).when(vm(PTRAUTH)).fixed();
        RPRES:          up_to(IMP, DataPath)
                        .needs(&[need!(IMP: ID_AA64MMFR1_EL1.AFP, IMP)]).unprotected();
        WFxT:           up_to(IMP, mirrored("kvm_handle_wfx")).when(kvm(WFXT))
                        .untrappable("HCR_EL2.TWI and TWE trap WFI and WFE with it, if at all")
                        .unprotected();
    }
    ID_AA64ISAR3_EL1 unless vm(PROTECTED) {
        FPRCVT:         up_to(IMP, DataPath);
        LSUI:           up_to(IMP, DataPath);
        OCCMO:          denied("cpufeature keeps no system-wide safe value of it")
                        .untrappable("HCR_EL2.TPCP traps it with DC CIVAC only");
        LSFE:           up_to(IMP, DataPath);
        PACM:           denied("HCRX_EL2.PACMEn is never set");
        TLBIW:          denied("nested TLB maintenance does not know it");
        FAMINMAX:       up_to(IMP, DataPath);
        CPA:            denied("its controls in SCTLR2_EL1 are not looked after")
                        .untrappable("its instructions have no trap; SCTLR2_EL1's bits do");
    }
    ID_AA64MMFR0_EL1 {
        ECV:            up_to(CNTPOFF, TIMER).nested(up_to(IMP, TIMER)).unprotected()
                        .untrappable("CNTVCTSS_EL0 is trapped with CNTVCT_EL0 only");
        FGT:            up_to(FGT2, Inert)
                        .nested(up_to(FGT2, state!(HFGRTR_EL2, HFGITR_EL2, HFGRTR2_EL2)
                                      .and(mirrored("triage_sysreg_trap")))).unprotected();
        EXS:            up_to(IMP, own!(SCTLR_EL1)).nested(up_to(NI, own!(SCTLR_EL1)));
        // A guest hypervisor can't have stage 2 pages that are smaller than the host's.
        TGRAN4_2:       up_to(_52_BIT, Inert).exact(NI)
                        .nested(force(TGRAN4, STAGE_2).force_when(host(STAGE2_4K), IMP)
                        .force_when(kernel(PAGE_OVER_4K), NI).always()).protected(exactly(TGRAN4));
        TGRAN64_2:      up_to(IMP, Inert).exact(NI)
                        .nested(force(TGRAN64, STAGE_2).force_when(host(STAGE2_64K), IMP).always())
                        .protected(exactly(TGRAN64));
        TGRAN16_2:      up_to(_52_BIT, Inert).exact(NI)
                        .nested(force(TGRAN16, STAGE_2).force_when(host(STAGE2_16K), IMP)
                        .force_when(kernel(PAGE_OVER_16K), NI).always())
                        .protected(exactly(TGRAN16));
        // ERETAx and VNCR_EL2 are emulated for addresses of 48 bits; KVM showed 52 bits once.
        TGRAN4:         up_to(_52_BIT, own!(TCR_EL1))
                        .nested(up_to(IMP, STAGE_1).cuts()
                        .beside(&cpufeature::ID_AA64MMFR0_EL1::TGRAN16::FIELD))
                        .protected(at_most(IMP))
                        .untrappable(TCR_VALUE);
        TGRAN64:        up_to(IMP, own!(TCR_EL1)).nested(up_to(IMP, STAGE_1))
                        .untrappable(TCR_VALUE);
        TGRAN16:        up_to(_52_BIT, own!(TCR_EL1))
                        .nested(up_to(IMP, STAGE_1).cuts()
                        .beside(&cpufeature::ID_AA64MMFR0_EL1::TGRAN4::FIELD))
                        .protected(at_most(IMP))
                        .untrappable(TCR_VALUE);
        BIGENDEL0:      up_to(IMP, own!(SCTLR_EL1));
        SNSMEM:         up_to(IMP, Inert).nested(up_to(NI, Inert));
        BIGEND:         up_to(IMP, own!(SCTLR_EL1));
        ASIDBITS:       up_to(_16, state!(TCR_EL1)).nested(up_to(_16, state!(TCR_EL1)).fixed())
                        .untrappable_below(FGT::IMP, TVM);
        // 56 bits need descriptors of 128 bits.
        PARANGE:        up_to(_52, own!(TCR_EL1)).cuts().nested(up_to(_48, STAGE_1))
                        .protected(at_most(_40));
    }
    ID_AA64MMFR1_EL1 {
        ECBHB:          up_to(IMP, DataPath).unprotected();
        // Zero, and published as writable all the same: cpufeature keeps no safe value of it.
        CMOW:           up_to(NI, own!(SCTLR_EL1));
        TIDCP1:         up_to(IMP, own!(SCTLR_EL1)).unprotected();
        // TLB invalidations may be intermediate: the weaker promise.
        nTLBPA:         up_to(NI, DataPath);
        AFP:            up_to(IMP, DataPath).unprotected();
        HCX:            up_to(IMP, Inert).nested(up_to(IMP, state!(HCRX_EL2))).unprotected();
        ETS:            up_to(ETS3, DataPath).nested(up_to(NI, DataPath))
                        .needs(&[mirror!(ETS2: ID_MMFR5_EL1.ETS, 2),
                                 mirror!(ETS3: ID_MMFR5_EL1.ETS, 3)]).protected(at_most(IMP));
        TWED:           up_to(IMP, own!(SCTLR_EL1)).unprotected();
        XNX:            up_to(IMP, Inert).nested(up_to(IMP, STAGE_2).fixed())
                        .needs(&[mirror!(IMP: ID_MMFR4_EL1.XNX, IMP)]).unprotected();
        // More of it is a warning: nothing bounds it.
        SpecSEI:        up_to(15, Inert).higher_safe();
        PAN:            up_to(PAN3, own!(SCTLR_EL1))
                        .needs(&[mirror!(IMP: ID_MMFR3_EL1.PAN, PAN),
                                 mirror!(PAN2: ID_MMFR3_EL1.PAN, PAN2)]);
        LO:             up_to(IMP, enables!(HCR_EL2: TLOR).and(mirrored("trap_loregion")))
                        .unprotected().untrappable("LDLAR and STLLR have no trap");
        HPDS:           up_to(HPDS2, state!(TCR_EL1)).untrappable_below(FGT::IMP, TVM)
                        .needs(&[mirror!(HPDS2: ID_MMFR4_EL1.HPDS, HPDS2)]);
        VH:             up_to(IMP, Inert)
                        .nested(up_to(IMP, state!(HCR_EL2)).force_when(vm(E2H0), NI).fixed())
                        .unprotected();
        VMIDBits:       up_to(_16, Inert).nested(up_to(_16, STAGE_2).fixed());
        HAFDBS:         up_to(HDBSS, state!(TCR_EL1, TCR2_EL1)).nested(up_to(AF, STAGE_1))
                        .untrappable_below(FGT::IMP, TVM)
                        .needs(&[need!(HAFT: ID_AA64MMFR3_EL1.TCRX, IMP)]).protected(at_most(DBM));
    }
    ID_AA64MMFR2_EL1 {
        E0PD:           up_to(IMP, state!(TCR_EL1)).untrappable_below(FGT::IMP, TVM);
        EVT:            up_to(TTLBxS, Inert).nested(up_to(TTLBxS, state!(HCR_EL2)).fixed())
                        .unprotected();
        BBM:            up_to(_3, DataPath).nested(up_to(_0, DataPath)).protected(at_most(_2));
        TTL:            up_to(IMP, DataPath)
                        .nested(force(IMP, mirrored("compute_tlb_inval_range")));
        FWB:            up_to(IMP, Inert).nested(up_to(IMP, state!(HCR_EL2)).fixed()).unprotected();
        IDS:            up_to(EL3, mirrored("triage_sysreg_trap"))
                        .nested(up_to(EL3, mirrored("triage_sysreg_trap")).fixed())
                        .protected(at_most(IMP))
                        .untrappable("what EL0 reads goes to EL1, and not to KVM");
        AT:             up_to(IMP, own!(SCTLR_EL1));
        ST:             up_to(_48_47, own!(TCR_EL1)).nested(up_to(_39, STAGE_1)).unprotected()
                        .untrappable(TCR_VALUE);
        NV:             up_to(NI, Inert).fixed().ignores_host();
        CCIDX:          denied("CCSIDR_EL1 has its 32-bit format");
        VARange:        up_to(_52, own!(TCR_EL1)).nested(up_to(_48, STAGE_1)).unprotected()
                        .untrappable(TCR_VALUE);
        IESB:           up_to(IMP, own!(SCTLR_EL1));
        LSM:            up_to(IMP, own!(SCTLR_EL1))
                        .needs(&[mirror!(IMP: ID_MMFR4_EL1.LSM, IMP)]).unprotected();
        UAO:            up_to(IMP, DataPath);
        CnP:            up_to(IMP, own!(TTBR0_EL1, TTBR1_EL1));
    }
    ID_AA64MMFR3_EL1 unless vm(PROTECTED) {
        Spec_FPACC:     denied("cpufeature keeps no system-wide safe value of it")
                        .untrappable("it is how the CPU speculates");
        ADERR:          denied("errors are injected without a look at their type");
        SDERR:          denied("errors are injected without a look at their type");
        ANERR:          denied("errors are injected without a look at their type");
        SNERR:          denied("errors are injected without a look at their type");
        D128_2:         denied("stage 2 has descriptors of 64 bits");
        D128:           denied("descriptors of 128 bits are not walked")
                        .untrappable_below(FGT::IMP, TVM);
        MEC:            denied("it is about Realms, which KVM does not emulate");
        AIE:            denied("MAIR2_EL1 and AMAIR2_EL1 are not switched")
                        .untrappable_below(FGT::IMP, TVM);
        S2POE:          denied("stage 2 permissions are not overlaid")
                        .untrappable_below(FGT::IMP, TVM);
        S1POE:          up_to(IMP, enables!(HCRX_EL2: TCR2En)
                              .and(state!(POR_EL0, POR_EL1, TCR2_EL1))).when(kernel(POE))
                        .needs(&[need!(IMP: ID_AA64ISAR2_EL1.ATS1A, IMP).clears(),
                                 need!(IMP: ID_AA64MMFR1_EL1.HPDS, IMP).clears(),
                                 need!(IMP: ID_AA64MMFR3_EL1.TCRX, IMP).clears()])
                        .untrappable_below(FGT::IMP, TVM);
        S2PIE:          denied("stage 2 permissions are not indirect");
        S1PIE:          up_to(IMP, enables!(HCRX_EL2: TCR2En)
                              .and(state!(PIR_EL1, PIRE0_EL1, TCR2_EL1)))
                        .needs(&[need!(IMP: ID_AA64ISAR2_EL1.ATS1A, IMP).clears(),
                                 need!(IMP: ID_AA64MMFR3_EL1.TCRX, IMP).clears()])
                        .untrappable_below(FGT::IMP, TVM);
        SCTLRX:         up_to(IMP, enables!(HCRX_EL2: SCTLR2En).and(state!(SCTLR2_EL1)))
                        .needs(&[need!(IMP: ID_AA64MMFR1_EL1.HCX, IMP).when(vm(EL2))]);
        TCRX:           up_to(IMP, enables!(HCRX_EL2: TCR2En).and(state!(TCR2_EL1)))
                        .needs(&[need!(IMP: ID_AA64MMFR1_EL1.HCX, IMP).when(vm(EL2))]);
    }
    // Either FEAT_VHE without FEAT_E2H0, and what FEAT_NV2 needs, or FEAT_E2H0 without either.
    ID_AA64MMFR4_EL1 {
        MTEFGT:         denied("HFGRTR_EL2 and its like have no bits for it in KVM");
        SCRX:           denied("it is about EL3, which KVM does not emulate");
        TEV:            denied("its registers are not switched");
        TPS:            denied("its registers are not switched");
        SRMASK:         denied("the mask registers are not switched")
                        .untrappable_below(FGT::FGT2, "its aliases have no other trap");
        TLBID:          denied("nested TLB maintenance does not know domains");
        E3DSE:          denied("it is about EL3, which KVM does not emulate");
        EAESR:          denied("aborts are injected without the syndrome that it adds");
        RMEGDI:         denied("it is about Realms, which KVM does not emulate");
        E2H0:           up_to(IMP, Inert)
                        .nested(force(NI_NV1, state!(HCR_EL2)).force_when(vm(E2H0), IMP).fixed())
                        .unprotected();
        NV_frac:        up_to(NV3, Inert)
                        .nested(up_to(NV3, state!(VNCR_EL2))
                                .force_when(not(host(FEAT_NV2P1)), NV2_ONLY)
                                .force_when(vm(E2H0), NV_NV2)).unprotected();
        FGWTE3:         denied("it is about EL3, which KVM does not emulate");
        HACDBS:         denied("HACDBSBR_EL2 and HACDBSCONS_EL2 are not emulated");
        ASID2:          denied("a second ASID is not looked after")
                        .untrappable_below(FGT::IMP, TVM);
        EIESB:          denied("SErrors are injected without the order that it promises");
        PoPS:           denied("its cache maintenance is not looked after")
                        .untrappable_below(FGT::FGT2, "HCR_EL2.TPCP traps it with DC CIVAC only");
    }
    CTR_EL0 {
        TminLine:       denied("cpufeature keeps no system-wide safe value of it")
                        .untrappable("CTR_EL0 isn't trapped where all else of it is the host's");
        DIC:            up_to(1, CACHES);
        IDC:            up_to(1, CACHES);
        // A larger granule promises less: nothing bounds them.
        CWG:            up_to(15, CACHES).fixed();
        ERG:            up_to(15, CACHES).fixed();
        // No more than KVM's own CCSIDR_EL1 can say.
        DminLine:       up_to(9, CACHES);
        // A VM that takes care of a VIPT cache works with a PIPT one.
        L1Ip:           up_to(PIPT, CACHES).exact(VIPT).least(VIPT);
        IminLine:       up_to(9, CACHES);
    }
};
