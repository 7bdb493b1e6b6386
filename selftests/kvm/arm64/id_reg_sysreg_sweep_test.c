// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test which system registers a guest can read: it tries all 16,384 encodings with op0 = 3, and
 * writes back what it has read, at EL1 and at vEL2. What is readable is what the VM's ID registers
 * promise, as the table has it, in VMs with all that KVM gives, and with the least; and the host
 * survives it without a word.
 */
#include "id_reg_guest.h"

#define NUM_ENCODINGS	BIT(14)

/*
 * EXACTLY if the VM has the field's value; ONLY if it has it, but not all CPUs with it have the
 * register; AT_LEAST if it has it, as nothing traps the register.
 */
enum readable { EXACTLY, ONLY, AT_LEAST };

static const struct row {
	u32 first, last;
	enum readable readable;
	bool el2;			/* at vEL2 only */
	bool pauth;			/* if one of three fields says so */
	u32 reg;			/* the ID register; none: always */
	int shift, width;
	bool sign;
	int needs;
} rows[] = {
#define FROM_TO(a, z, ...)	{ .first = a, .last = z, __VA_ARGS__ }
#define REG(r, ...)		FROM_TO(SYS_##r, SYS_##r, __VA_ARGS__)
#define EL2_REG(r, ...)		REG(r, .el2 = true, __VA_ARGS__)
#define S3(op1, n, m, op2)	sys_reg(3, op1, n, m, op2)
#define IF(r, f, v)								\
	.reg = SYS_##r, .shift = r##_##f##_SHIFT, .width = r##_##f##_WIDTH,	\
	.sign = r##_##f##_SIGNED, .needs = r##_##f##_##v
#define IF_ONLY(r, f, v)	.readable = ONLY, IF(r, f, v)
#define IF_NOT_MORE(r, f, v)	.readable = AT_LEAST, IF(r, f, v)

	REG(MIDR_EL1), REG(MPIDR_EL1), REG(REVIDR_EL1),
	FROM_TO(S3(0, 0, 1, 0), S3(0, 0, 7, 7)),
	REG(SCTLR_EL1), REG(ACTLR_EL1), REG(CPACR_EL1),
	REG(SCTLR2_EL1, IF(ID_AA64MMFR3_EL1, SCTLRX, IMP)),
	REG(RGSR_EL1, IF(ID_AA64PFR1_EL1, MTE, MTE2)),
	REG(GCR_EL1, IF(ID_AA64PFR1_EL1, MTE, MTE2)),
	REG(ZCR_EL1, IF(ID_AA64PFR0_EL1, SVE, IMP)),
	REG(TTBR0_EL1), REG(TTBR1_EL1), REG(TCR_EL1),
	REG(TCR2_EL1, IF(ID_AA64MMFR3_EL1, TCRX, IMP)),
	FROM_TO(SYS_APIAKEYLO_EL1, SYS_APIBKEYHI_EL1, .pauth = true),
	FROM_TO(SYS_APDAKEYLO_EL1, SYS_APDBKEYHI_EL1, .pauth = true),
	FROM_TO(SYS_APGAKEYLO_EL1, SYS_APGAKEYHI_EL1, .pauth = true),
	REG(SPSR_EL1), REG(ELR_EL1),
	FROM_TO(S3(0, 4, 1, 0), S3(0, 4, 1, 0)),		/* SP_EL0 */
	FROM_TO(S3(0, 4, 2, 0), S3(0, 4, 2, 0)),		/* SPSel */
	FROM_TO(S3(0, 4, 2, 2), S3(0, 4, 2, 2)),		/* CurrentEL */
	FROM_TO(S3(0, 4, 2, 3), S3(0, 4, 2, 3), IF_NOT_MORE(ID_AA64MMFR1_EL1, PAN, IMP)),
	FROM_TO(S3(0, 4, 2, 4), S3(0, 4, 2, 4), IF_NOT_MORE(ID_AA64MMFR2_EL1, UAO, IMP)),
	REG(ALLINT, IF_NOT_MORE(ID_AA64PFR1_EL1, NMI, IMP)),
	REG(ICC_PMR_EL1, IF(ID_AA64PFR0_EL1, GIC, IMP)),
	REG(AFSR0_EL1), REG(AFSR1_EL1), REG(ESR_EL1),
	REG(ERRIDR_EL1, IF(ID_AA64PFR0_EL1, RAS, IMP)),
	FROM_TO(SYS_ERRSELR_EL1, SYS_ERXMISC3_EL1, IF_ONLY(ID_AA64PFR0_EL1, RAS, IMP)),
	REG(TFSR_EL1, IF(ID_AA64PFR1_EL1, MTE, MTE2)),
	REG(TFSRE0_EL1, IF(ID_AA64PFR1_EL1, MTE, MTE2)),
	REG(FAR_EL1), REG(PAR_EL1),
	REG(PMINTENSET_EL1, IF(ID_AA64DFR0_EL1, PMUVer, IMP)),
	REG(PMINTENCLR_EL1, IF(ID_AA64DFR0_EL1, PMUVer, IMP)),
	REG(PMMIR_EL1, IF(ID_AA64DFR0_EL1, PMUVer, V3P4)),
	REG(MAIR_EL1),
	REG(PIRE0_EL1, IF(ID_AA64MMFR3_EL1, S1PIE, IMP)),
	REG(PIR_EL1, IF(ID_AA64MMFR3_EL1, S1PIE, IMP)),
	REG(POR_EL1, IF(ID_AA64MMFR3_EL1, S1POE, IMP)),
	REG(AMAIR_EL1),
	FROM_TO(SYS_LORSA_EL1, SYS_LORC_EL1, IF(ID_AA64MMFR1_EL1, LO, IMP)),
	REG(LORID_EL1, IF(ID_AA64MMFR1_EL1, LO, IMP)),
	REG(VBAR_EL1), REG(ISR_EL1),
	REG(DISR_EL1, IF_NOT_MORE(ID_AA64PFR0_EL1, RAS, IMP)),
	REG(ICC_IAR0_EL1, IF(ID_AA64PFR0_EL1, GIC, IMP)),
	FROM_TO(SYS_ICC_HPPIR0_EL1, SYS_ICC_AP0R0_EL1, IF(ID_AA64PFR0_EL1, GIC, IMP)),
	FROM_TO(SYS_ICC_AP0R1_EL1, SYS_ICC_AP0R3_EL1, IF_ONLY(ID_AA64PFR0_EL1, GIC, IMP)),
	REG(ICC_AP1R0_EL1, IF(ID_AA64PFR0_EL1, GIC, IMP)),
	FROM_TO(SYS_ICC_AP1R1_EL1, SYS_ICC_AP1R3_EL1, IF_ONLY(ID_AA64PFR0_EL1, GIC, IMP)),
	/* Trapped as all of its group is, or not at all. */
	REG(ICC_NMIAR1_EL1, IF_NOT_MORE(ID_AA64PFR1_EL1, NMI, IMP)),
	REG(ICC_RPR_EL1, IF(ID_AA64PFR0_EL1, GIC, IMP)),
	REG(ICC_IAR1_EL1, IF(ID_AA64PFR0_EL1, GIC, IMP)),
	FROM_TO(SYS_ICC_HPPIR1_EL1, SYS_ICC_CTLR_EL1, IF(ID_AA64PFR0_EL1, GIC, IMP)),
	REG(ICC_SRE_EL1, IF_NOT_MORE(ID_AA64PFR0_EL1, GIC, IMP)),
	FROM_TO(SYS_ICC_IGRPEN0_EL1, SYS_ICC_IGRPEN1_EL1, IF(ID_AA64PFR0_EL1, GIC, IMP)),
	REG(CONTEXTIDR_EL1), REG(TPIDR_EL1), REG(CNTKCTL_EL1),
	REG(CCSIDR_EL1), REG(CLIDR_EL1), REG(AIDR_EL1), REG(CSSELR_EL1),
	REG(GMID_EL1, IF(ID_AA64PFR1_EL1, MTE, MTE2)),
	REG(CTR_EL0), REG(DCZID_EL0),
	FROM_TO(SYS_RNDR_EL0, SYS_RNDRRS_EL0, IF_NOT_MORE(ID_AA64ISAR0_EL1, RNDR, IMP)),
	FROM_TO(S3(3, 4, 2, 0), S3(3, 4, 2, 1)),		/* NZCV, DAIF */
	FROM_TO(S3(3, 4, 2, 5), S3(3, 4, 2, 5), IF_NOT_MORE(ID_AA64PFR0_EL1, DIT, IMP)),
	FROM_TO(S3(3, 4, 2, 6), S3(3, 4, 2, 6), IF_NOT_MORE(ID_AA64PFR1_EL1, SSBS, SSBS2)),
	FROM_TO(S3(3, 4, 2, 7), S3(3, 4, 2, 7), IF_NOT_MORE(ID_AA64PFR1_EL1, MTE, IMP)),
	REG(FPCR), REG(FPSR),
	REG(FPMR, IF(ID_AA64PFR2_EL1, FPMR, IMP)),
	FROM_TO(SYS_PMCR_EL0, SYS_PMOVSCLR_EL0, IF(ID_AA64DFR0_EL1, PMUVer, IMP)),
	FROM_TO(SYS_PMSELR_EL0, SYS_PMCCNTR_EL0, IF(ID_AA64DFR0_EL1, PMUVer, IMP)),
	/* Of the counter that PMSELR_EL0 selects, which may not be there. */
	FROM_TO(SYS_PMXEVTYPER_EL0, SYS_PMXEVCNTR_EL0, IF_ONLY(ID_AA64DFR0_EL1, PMUVer, IMP)),
	REG(PMUSERENR_EL0, IF(ID_AA64DFR0_EL1, PMUVer, IMP)),
	REG(PMOVSSET_EL0, IF(ID_AA64DFR0_EL1, PMUVer, IMP)),
	REG(POR_EL0, IF(ID_AA64MMFR3_EL1, S1POE, IMP)),
	REG(TPIDR_EL0), REG(TPIDRRO_EL0),
	FROM_TO(SYS_CNTFRQ_EL0, SYS_CNTVCT_EL0),
	FROM_TO(SYS_CNTPCTSS_EL0, SYS_CNTVCTSS_EL0, IF_NOT_MORE(ID_AA64MMFR0_EL1, ECV, IMP)),
	FROM_TO(SYS_CNTP_TVAL_EL0, SYS_CNTP_CVAL_EL0),
	FROM_TO(SYS_CNTV_TVAL_EL0, SYS_CNTV_CVAL_EL0),
	/* PMEVCNTRn_EL0 and PMEVTYPERn_EL0, as many as there are */
	FROM_TO(SYS_PMEVCNTRn_EL0(0), SYS_PMEVTYPERn_EL0(30),
		IF_ONLY(ID_AA64DFR0_EL1, PMUVer, IMP)),
	REG(PMCCFILTR_EL0, IF(ID_AA64DFR0_EL1, PMUVer, IMP)),

	/* FEAT_NV2 makes memory of what is here "not more". */
	EL2_REG(VPIDR_EL2), EL2_REG(VMPIDR_EL2), EL2_REG(SCTLR_EL2), EL2_REG(ACTLR_EL2),
	EL2_REG(SCTLR2_EL2, IF(ID_AA64MMFR3_EL1, SCTLRX, IMP)),
	EL2_REG(HCR_EL2), EL2_REG(MDCR_EL2), EL2_REG(CPTR_EL2), EL2_REG(HSTR_EL2),
	EL2_REG(HFGRTR_EL2, IF_NOT_MORE(ID_AA64MMFR0_EL1, FGT, IMP)),
	EL2_REG(HFGWTR_EL2, IF_NOT_MORE(ID_AA64MMFR0_EL1, FGT, IMP)),
	EL2_REG(HFGITR_EL2, IF_NOT_MORE(ID_AA64MMFR0_EL1, FGT, IMP)),
	EL2_REG(HACR_EL2),
	EL2_REG(ZCR_EL2, IF(ID_AA64PFR0_EL1, SVE, IMP)),
	EL2_REG(HCRX_EL2, IF_NOT_MORE(ID_AA64MMFR1_EL1, HCX, IMP)),
	EL2_REG(NVHCR_EL2, IF_NOT_MORE(ID_AA64MMFR4_EL1, NV_frac, NV3)),
	EL2_REG(SMPRIMAP_EL2, IF_NOT_MORE(ID_AA64PFR1_EL1, SME, IMP)),
	EL2_REG(TTBR0_EL2), EL2_REG(TTBR1_EL2), EL2_REG(TCR_EL2),
	EL2_REG(TCR2_EL2, IF(ID_AA64MMFR3_EL1, TCRX, IMP)),
	EL2_REG(VTTBR_EL2), EL2_REG(VTCR_EL2),
	EL2_REG(VNCR_EL2, IF_NOT_MORE(ID_AA64MMFR4_EL1, NV_frac, NV2_ONLY)),
	FROM_TO(SYS_HDFGRTR2_EL2, SYS_HFGWTR2_EL2, .el2 = true,
		IF_NOT_MORE(ID_AA64MMFR0_EL1, FGT, FGT2)),
	EL2_REG(HDFGRTR_EL2, IF_NOT_MORE(ID_AA64MMFR0_EL1, FGT, IMP)),
	EL2_REG(HDFGWTR_EL2, IF_NOT_MORE(ID_AA64MMFR0_EL1, FGT, IMP)),
	EL2_REG(HAFGRTR_EL2, IF_NOT_MORE(ID_AA64PFR0_EL1, AMU, IMP)),
	EL2_REG(HFGITR2_EL2, IF_NOT_MORE(ID_AA64MMFR0_EL1, FGT, FGT2)),
	EL2_REG(SPSR_EL2), EL2_REG(ELR_EL2), EL2_REG(SP_EL1),
	FROM_TO(SYS_SPSR_irq, SYS_SPSR_fiq, .el2 = true),
	EL2_REG(AFSR0_EL2), EL2_REG(AFSR1_EL2), EL2_REG(ESR_EL2),
	EL2_REG(VSESR_EL2, IF_NOT_MORE(ID_AA64PFR0_EL1, RAS, IMP)),
	EL2_REG(FAR_EL2), EL2_REG(HPFAR_EL2), EL2_REG(MAIR_EL2),
	EL2_REG(PIRE0_EL2, IF(ID_AA64MMFR3_EL1, S1PIE, IMP)),
	EL2_REG(PIR_EL2, IF(ID_AA64MMFR3_EL1, S1PIE, IMP)),
	EL2_REG(POR_EL2, IF(ID_AA64MMFR3_EL1, S1POE, IMP)),
	EL2_REG(S2PIR_EL2, IF_NOT_MORE(ID_AA64MMFR3_EL1, S2PIE, IMP)),
	EL2_REG(AMAIR_EL2), EL2_REG(VBAR_EL2),
	EL2_REG(VDISR_EL2, IF_NOT_MORE(ID_AA64PFR0_EL1, RAS, IMP)),
	EL2_REG(ICH_AP0R0_EL2),
	FROM_TO(SYS_ICH_AP0R1_EL2, SYS_ICH_AP0R3_EL2, .el2 = true,
		IF_ONLY(ID_AA64PFR0_EL1, GIC, IMP)),
	EL2_REG(ICH_AP1R0_EL2),
	FROM_TO(SYS_ICH_AP1R1_EL2, SYS_ICH_AP1R3_EL2, .el2 = true,
		IF_ONLY(ID_AA64PFR0_EL1, GIC, IMP)),
	EL2_REG(ICC_SRE_EL2),
	FROM_TO(SYS_ICH_HCR_EL2, SYS_ICH_EISR_EL2, .el2 = true),
	EL2_REG(ICH_ELRSR_EL2), EL2_REG(ICH_VMCR_EL2),
	/* List registers, as many as there are. */
	FROM_TO(SYS_ICH_LR0_EL2, SYS_ICH_LR15_EL2, .el2 = true,
		IF_ONLY(ID_AA64PFR0_EL1, GIC, IMP)),
	EL2_REG(CONTEXTIDR_EL2), EL2_REG(TPIDR_EL2), EL2_REG(CNTVOFF_EL2),
	EL2_REG(CNTPOFF_EL2, IF_NOT_MORE(ID_AA64MMFR0_EL1, ECV, CNTPOFF)),
	EL2_REG(CNTHCTL_EL2),
	FROM_TO(SYS_CNTHP_TVAL_EL2, SYS_CNTHP_CVAL_EL2, .el2 = true),
	FROM_TO(SYS_CNTHV_TVAL_EL2, SYS_CNTHV_CVAL_EL2, .el2 = true),
	EL2_REG(SCTLR_EL12), EL2_REG(CPACR_EL12),
	EL2_REG(SCTLR2_EL12, IF_NOT_MORE(ID_AA64MMFR3_EL1, SCTLRX, IMP)),
	EL2_REG(ZCR_EL12, IF_NOT_MORE(ID_AA64PFR0_EL1, SVE, IMP)),
	EL2_REG(SMCR_EL12, IF_NOT_MORE(ID_AA64PFR1_EL1, SME, IMP)),
	EL2_REG(TTBR0_EL12), EL2_REG(TTBR1_EL12), EL2_REG(TCR_EL12),
	EL2_REG(TCR2_EL12, IF_NOT_MORE(ID_AA64MMFR3_EL1, TCRX, IMP)),
	EL2_REG(SPSR_EL12), EL2_REG(ELR_EL12), EL2_REG(AFSR0_EL12), EL2_REG(AFSR1_EL12),
	EL2_REG(ESR_EL12), EL2_REG(FAR_EL12), EL2_REG(MAIR_EL12),
	EL2_REG(TFSR_EL12, IF_NOT_MORE(ID_AA64PFR1_EL1, MTE, MTE2)),
	EL2_REG(PIRE0_EL12, IF_NOT_MORE(ID_AA64MMFR3_EL1, S1PIE, IMP)),
	EL2_REG(PIR_EL12, IF_NOT_MORE(ID_AA64MMFR3_EL1, S1PIE, IMP)),
	EL2_REG(POR_EL12, IF_NOT_MORE(ID_AA64MMFR3_EL1, S1POE, IMP)),
	EL2_REG(AMAIR_EL12), EL2_REG(VBAR_EL12), EL2_REG(CONTEXTIDR_EL12), EL2_REG(CNTKCTL_EL12),
	FROM_TO(SYS_CNTP_TVAL_EL02, SYS_CNTP_CVAL_EL02, .el2 = true),
	FROM_TO(SYS_CNTV_TVAL_EL02, SYS_CNTV_CVAL_EL02, .el2 = true),
};

#define PTRAUTH	(BIT(KVM_ARM_VCPU_PTRAUTH_ADDRESS) | BIT(KVM_ARM_VCPU_PTRAUTH_GENERIC))

/* What is tried with what a VM can have of this. */
static const struct id_vm with_all[] = {
	{ "", BIT(KVM_ARM_VCPU_SVE) },
	{ "", PTRAUTH },
	{ "", BIT(KVM_ARM_VCPU_PMU_V3) },
	{ "", .mte = true },
};

static u32 code[3 * NUM_ENCODINGS];

static u32 encoding(int i)
{
	return sys_reg(3, 0, 0, 0, 0) | i << Op2_shift;
}

static void lay_out(void)
{
	for (int i = 0; i < NUM_ENCODINGS; i++) {
		code[3 * i] = INSN_MRS(encoding(i), 0);
		code[3 * i + 1] = INSN_MSR(encoding(i), 0);
		code[3 * i + 2] = INSN_END;
	}
}

static bool has_pauth(struct id_guest *g)
{
	return id_guest_get(g, SYS_ID_AA64ISAR1_EL1) &
	       (ID_AA64ISAR1_EL1_API_MASK | ID_AA64ISAR1_EL1_APA_MASK) ||
	       id_guest_get(g, SYS_ID_AA64ISAR2_EL1) & ID_AA64ISAR2_EL1_APA3_MASK;
}

static bool is_promised(struct id_guest *g, const struct row *row)
{
	int value;

	if (row->pauth)
		return has_pauth(g);
	if (!row->reg)
		return true;
	value = (id_guest_get(g, row->reg) >> row->shift) & (BIT(row->width) - 1);
	if (row->sign && value & BIT(row->width - 1))
		value -= BIT(row->width);
	return value >= row->needs;
}

/* Whether the guest may be able to read it, or not. */
static bool is_right(struct id_guest *g, u32 reg, bool readable)
{
	for (const struct row *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		bool promised;

		if (reg < row->first || reg > row->last || (row->el2 && !id_guest_has_el2(g)))
			continue;
		promised = is_promised(g, row);
		if (row->readable == ONLY)
			return promised || !readable;
		if (row->readable == AT_LEAST)
			return readable || !promised;
		return readable == promised;
	}
	return !readable;
}

static void test(const char *name, const struct id_vm *config, bool least)
{
	static struct kvm_guest_cap caps[ID_MAX_CAPS];
	bool el2 = config->features & BIT(KVM_ARM_VCPU_HAS_EL2), right = true;
	u64 pstate = (el2 ? PSR_MODE_EL2h : PSR_MODE_EL1h) |
		     PSR_D_BIT | PSR_A_BIT | PSR_I_BIT | PSR_F_BIT;
	int readable = 0, writable = 0;
	struct id_guest g;

	if (!id_vm_is_possible(config)) {
		ksft_test_result_skip("%s\n", name);
		return;
	}
	id_guest_create(&g, config);
	if (least) {
		u32 nr = id_vm_list(g.vm, caps), n = 0;

		while (n < nr) {
			u64 id = caps[n].id, word = 0;

			for (; n < nr && caps[n].id == id; n++)
				word |= id_cap_least(&caps[n]) << caps[n].lsb;
			vcpu_set_reg(g.vcpu, id, word);
		}
	}
	id_guest_start(&g, code, ARRAY_SIZE(code));
	/* The end of a piece alone, so that the VM has run. */
	TEST_ASSERT(id_guest_run(&g, 2, pstate, 0, 0), "the guest does not run");

	for (int i = 0; i < NUM_ENCODINGS; i++) {
		u32 reg = encoding(i);
		bool done, read;

		/* What QEMU 10 dies of, and QEMU 11 doesn't trap. */
		if (el2 && reg == SYS_TFSR_EL2)
			continue;
		id_guest_set(&g, el2 ? SYS_SCTLR_EL2 : SYS_SCTLR_EL1, GUEST_SCTLR);
		id_guest_set(&g, el2 ? SYS_CPTR_EL2 : SYS_CPACR_EL1, GUEST_CPACR);
		done = id_guest_go(&g, 3 * i, pstate);
		read = done || (g.esr != -1 && g.elr == 3 * i + 1);
		readable += read;
		writable += done;
		if (is_right(&g, reg, read) && (read || id_guest_is_undef(&g)))
			continue;
		ksft_print_msg("S3_%d_C%d_C%d_%d is %sreadable, ESR %lx\n", sys_reg_Op1(reg),
			       sys_reg_CRn(reg), sys_reg_CRm(reg), sys_reg_Op2(reg),
			       read ? "" : "not ", g.esr);
		right = false;
	}
	kvm_vm_free(g.vm);
	ksft_print_msg("%d are readable, %d of them writable\n", readable, writable);
	ksft_test_result(right, "%s\n", name);
}

int main(void)
{
	struct id_vm plain = { "plain" }, all = { "all", .irqchip = VGIC_V3 }, nested;
	int kmsg = kmsg_open();

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_CAPS));
	ksft_print_header();
	ksft_set_plan(6);
	lay_out();

	for (int i = 0; i < ARRAY_SIZE(with_all); i++) {
		if (!id_vm_is_possible(&with_all[i]))
			continue;
		all.features |= with_all[i].features;
		all.mte |= with_all[i].mte;
	}
	nested = all;
	nested.features |= BIT(KVM_ARM_VCPU_HAS_EL2);

	test("EL1, a VM without features", &plain, false);
	test("EL1, a VM with all", &all, false);
	test("EL1, a VM with the least", &all, true);
	test("vEL2, a VM with all", &nested, false);
	test("vEL2, a VM with the least", &nested, true);
	kmsg_test(kmsg);
	ksft_finished();
}
