// SPDX-License-Identifier: GPL-2.0
/*
 * Holds the limits of ID registers against the rest of KVM, on VMs that have all that
 * idregs/limits.rs allows: what they are promised must be enabled, switched between VMs, and
 * emulated.
 *
 * The VMs are made up, and so is their host: it has everything. Where KVM looks at the real one
 * instead, as system_supports_address_auth() does, it may have less, and less is checked.
 */
#include <kunit/test.h>
#include <kunit/test-bug.h>

#include <linux/cpufeature.h>
#include <linux/kvm_host.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_nested.h>

#include "idregs.h"
#include "sys_regs.h"

struct vm_kind {
	const char *name;
	u32 facts;
};

#define VM(f)		KVM_IDREG_VM_##f
#define HOST_FACTS	(KVM_IDREG_HOST_SPECTRE_V2_UNAFFECTED |		\
			 KVM_IDREG_HOST_MELTDOWN_UNAFFECTED |		\
			 KVM_IDREG_HOST_RAS_V1P1 |			\
			 KVM_IDREG_HOST_NV2P1 |				\
			 KVM_IDREG_KVM_GIC_V3 |				\
			 KVM_IDREG_KVM_GIC_V5 |				\
			 KVM_IDREG_KVM_WFXT |				\
			 KVM_IDREG_KERNEL_POE)
#define ALL_FACTS	(HOST_FACTS | VM(SVE) | VM(MTE) | VM(PTRAUTH) | VM(PMU))

enum { PLAIN, NESTED, E2H0 };

static const struct vm_kind vm_kinds[] = {
	[PLAIN] = { "plain", ALL_FACTS | VM(AARCH32) },
	[NESTED] = { "nested", ALL_FACTS | VM(EL2) },
	[E2H0] = { "E2H0", ALL_FACTS | VM(EL2) | VM(E2H0) },
};

static void vm_kind_name(const struct vm_kind *kind, char *desc)
{
	strscpy(desc, kind->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vm_kind, vm_kinds, vm_kind_name);

/* VMs have one algorithm for pointer authentication, see kvm_has_pauth(). */
static const struct pauth {
	const char *name;
	u32 id;
	u64 mask;
} pauths[] = {
	{ "APA", SYS_ID_AA64ISAR1_EL1, ID_AA64ISAR1_EL1_APA | ID_AA64ISAR1_EL1_GPA },
	{ "API", SYS_ID_AA64ISAR1_EL1, ID_AA64ISAR1_EL1_API | ID_AA64ISAR1_EL1_GPI },
	{ "APA3", SYS_ID_AA64ISAR2_EL1, ID_AA64ISAR2_EL1_APA3 | ID_AA64ISAR2_EL1_GPA3 },
};

/* The highest value in each field, which is not all ones where that is less than zero. */
static void fill_host(u64 *words, const struct pauth *pauth)
{
	for (int i = 0; i < KVM_NUM_IDREGS; i++) {
		u32 id = i == KVM_IDREG_CTR ? SYS_CTR_EL0 : sys_reg(3, 0, 0, (i >> 3) + 1, i & 7);
		const struct arm64_ftr_bits *f = NULL;

		/* cpufeature warns if it doesn't know a register. */
		if (kvm_idreg_is_known(i) && get_arm64_ftr_reg(id))
			f = get_arm64_ftr_reg(id)->ftr_bits;
		words[i] = ~0ULL;
		for (; f && f->width; f++) {
			if (f->sign)
				words[i] &= ~BIT_ULL(f->shift + f->width - 1);
		}
	}
	/* Here it is no version. */
	u64p_replace_bits(&words[IDREG_IDX(SYS_ID_AA64DFR0_EL1)], ID_AA64DFR0_EL1_PMUVer_V3P9,
			  ID_AA64DFR0_EL1_PMUVer_MASK);

	for (int i = 0; i < ARRAY_SIZE(pauths); i++) {
		if (pauth != &pauths[i])
			words[IDREG_IDX(pauths[i].id)] &= ~pauths[i].mask;
	}
}

/* A VCPU of a VM that has all that is allowed. */
static struct kvm_vcpu *vcpu_at_limit(struct kunit *test, const struct vm_kind *kind,
				      const struct pauth *pauth)
{
	struct kvm_idregs_host *host = kunit_kzalloc(test, sizeof(*host), GFP_KERNEL);
	u64 *words = kunit_kcalloc(test, KVM_NUM_IDREGS, sizeof(*words), GFP_KERNEL);
	struct kvm_vcpu *vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	struct kvm *kvm = kunit_kzalloc(test, sizeof(*kvm), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, host);
	KUNIT_ASSERT_NOT_NULL(test, words);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	KUNIT_ASSERT_NOT_NULL(test, kvm);

	fill_host(words, pauth);
	for (int i = 0; i < KVM_NUM_IDREGS; i++)
		host->word[i] = &words[i];
	kvm_idreg_reset(host, kind->facts, kvm->arch.id_regs);
	kvm->arch.ctr_el0 = kvm_idreg_highest(KVM_IDREG_CTR, host, kind->facts);

	mutex_init(&kvm->arch.config_lock);
	__set_bit(KVM_ARCH_FLAG_GUEST_HAS_SVE, &kvm->arch.flags);
	__set_bit(KVM_ARCH_FLAG_MTE_ENABLED, &kvm->arch.flags);
	__set_bit(KVM_ARM_VCPU_SVE, kvm->arch.vcpu_features);
	__set_bit(KVM_ARM_VCPU_PTRAUTH_ADDRESS, kvm->arch.vcpu_features);
	__set_bit(KVM_ARM_VCPU_PTRAUTH_GENERIC, kvm->arch.vcpu_features);
	__set_bit(KVM_ARM_VCPU_PMU_V3, kvm->arch.vcpu_features);
	if (kind->facts & VM(EL2))
		__set_bit(KVM_ARM_VCPU_HAS_EL2, kvm->arch.vcpu_features);
	if (kind->facts & VM(E2H0))
		__set_bit(KVM_ARM_VCPU_HAS_EL2_E2H0, kvm->arch.vcpu_features);

	/* Of these, config.c would ask registers that the real host may not have. */
	KUNIT_ASSERT_FALSE_MSG(test, kvm_has_feat(kvm, ID_AA64PFR1_EL1, SME, IMP),
			       "ID_AA64PFR1_EL1.SME: feat_sme_smps() reads the host's SMIDR_EL1");
	KUNIT_ASSERT_FALSE_MSG(test, kvm_has_feat(kvm, ID_AA64DFR0_EL1, PMSVer, V1P2),
			       "ID_AA64DFR0_EL1.PMSVer: feat_spe_fne() reads the host's PMSIDR_EL1");
	KUNIT_ASSERT_FALSE_MSG(test, kvm_has_feat(kvm, ID_AA64DFR0_EL1, TraceBuffer, IMP),
			       "ID_AA64DFR0_EL1.TraceBuffer: feat_trbe_mpam() reads TRBIDR_EL1");

	vcpu->kvm = kvm;
	vcpu_reset_hcr(vcpu);
	kvm_calculate_traps(vcpu);
	return vcpu;
}

/* A control's bits, and why nothing needs to be done about them, if nothing does. */
struct control {
	u64 bits;
	const char *name;
	const char *why;
};

#define BITS(reg, field, ...)	{ reg##_##field, #reg "." #field, ##__VA_ARGS__ }

static void fail_for_each(struct kunit *test, const char *vm, const char *reg, u64 bits,
			  const struct control *controls, size_t nr, const char *what)
{
	for (; nr--; controls++) {
		if ((bits & controls->bits) && !controls->why)
			KUNIT_FAIL(test, "%s: %s %s", vm, controls->name, what);
		bits &= ~controls->bits;
	}
	for (; bits; bits &= bits - 1)
		KUNIT_FAIL(test, "%s: bit %u of %s %s, and the test has no name for it", vm,
			   __ffs64(bits), reg, what);
}

#define OWN_NV3	"the host's own NV3 has it, whatever the guest has"
#define TRAPS	"it traps, if a guest hypervisor asks for it"
#define MASKS	"it weakens what maintenance instructions do, if a guest hypervisor asks for it"
#define OWN	"it is about stage 2, or exceptions, which are KVM's"

static const struct control hcrx_controls[] = {
	BITS(HCRX_EL2, NVnTTLBOS, OWN_NV3),
	BITS(HCRX_EL2, NVnTTLBIS, OWN_NV3),
	BITS(HCRX_EL2, NVnTTLB, OWN_NV3),
	BITS(HCRX_EL2, NVTGE, OWN_NV3),
	BITS(HCRX_EL2, SRMASKEn),
	BITS(HCRX_EL2, PACMEn),
	BITS(HCRX_EL2, EnFPM),
	BITS(HCRX_EL2, GCSEn),
	BITS(HCRX_EL2, EnIDCP128),
	BITS(HCRX_EL2, EnSDERR),
	BITS(HCRX_EL2, TMEA, TRAPS),
	BITS(HCRX_EL2, EnSNERR),
	BITS(HCRX_EL2, D128En),
	BITS(HCRX_EL2, PTTWI),
	BITS(HCRX_EL2, SCTLR2En, "access_sctlr2() sets it"),
	BITS(HCRX_EL2, TCR2En),
	BITS(HCRX_EL2, MSCEn),
	BITS(HCRX_EL2, MCE2),
	BITS(HCRX_EL2, CMOW, OWN),
	BITS(HCRX_EL2, VFNMI),
	BITS(HCRX_EL2, VINMI),
	BITS(HCRX_EL2, TALLINT, TRAPS),
	BITS(HCRX_EL2, FGTnXS, MASKS),
	BITS(HCRX_EL2, FnXS, MASKS),
	BITS(HCRX_EL2, EnASR),
	BITS(HCRX_EL2, EnALS),
	BITS(HCRX_EL2, EnAS0),
};

static const struct control hcr_controls[] = {
	BITS(HCR_EL2, ATA),
	BITS(HCR_EL2, EnSCXT),
	BITS(HCR_EL2, AMVOFFEN),
	BITS(HCR_EL2, FIEN, "KVM emulates a fault injection without records, see access_ras()"),
	BITS(HCR_EL2, API),
	BITS(HCR_EL2, APK),
	{ HCR_EL2_TID0 | HCR_EL2_TID1 | HCR_EL2_TID2 | HCR_EL2_TID3 | HCR_EL2_TID4 | HCR_EL2_TID5 |
	  HCR_EL2_TIDCP | HCR_EL2_TSC | HCR_EL2_TACR | HCR_EL2_TSW | HCR_EL2_TPCP | HCR_EL2_TPU |
	  HCR_EL2_TTLB | HCR_EL2_TTLBIS | HCR_EL2_TTLBOS | HCR_EL2_TVM | HCR_EL2_TRVM |
	  HCR_EL2_TDZ | HCR_EL2_TWI | HCR_EL2_TWE | HCR_EL2_TWEDEL | HCR_EL2_TWEDEn | HCR_EL2_TLOR |
	  HCR_EL2_TERR | HCR_EL2_TEA | HCR_EL2_TICAB | HCR_EL2_TOCU | HCR_EL2_HCD, "", TRAPS },
	{ HCR_EL2_VM | HCR_EL2_SWIO | HCR_EL2_PTW | HCR_EL2_FMO | HCR_EL2_IMO | HCR_EL2_AMO |
	  HCR_EL2_VF | HCR_EL2_VI | HCR_EL2_VSE | HCR_EL2_FB | HCR_EL2_BSU | HCR_EL2_DC |
	  HCR_EL2_DCT | HCR_EL2_TGE | HCR_EL2_RW | HCR_EL2_CD | HCR_EL2_ID | HCR_EL2_E2H |
	  HCR_EL2_FWB, "", OWN },
	{ HCR_EL2_NV | HCR_EL2_NV1 | HCR_EL2_NV2 | HCR_EL2_AT, "", "KVM needs these for itself" },
};

static u64 allowed_bits(struct kvm *kvm, enum vcpu_sysreg reg)
{
	struct resx resx = get_reg_fixed_bits(kvm, reg);

	return ~(resx.res0 | resx.res1);
}

/* What the ID registers promise and HCRX_EL2 or HCR_EL2 could withhold, KVM enables. */
static void test_enable(struct kunit *test)
{
	const struct vm_kind *kind = test->param_value;

	for (const struct pauth *pauth = pauths; pauth < pauths + ARRAY_SIZE(pauths); pauth++) {
		struct kvm_vcpu *vcpu = vcpu_at_limit(test, kind, pauth);
		u64 hcr = vcpu->arch.hcr_el2;
		struct kvm *kvm = vcpu->kvm;
		char vm[16];

		snprintf(vm, sizeof(vm), "%s, %s", kind->name, pauth->name);
		fail_for_each(test, vm, "HCRX_EL2",
			      allowed_bits(kvm, HCRX_EL2) & ~kvm_guest_hcrx(kvm),
			      hcrx_controls, ARRAY_SIZE(hcrx_controls), "is not set");

		/* See vcpu_set_pauth_traps(). */
		if (vcpu_has_ptrauth(vcpu) || !system_supports_address_auth())
			hcr |= HCR_API | HCR_APK;
		fail_for_each(test, vm, "HCR_EL2", allowed_bits(kvm, HCR_EL2) & ~hcr,
			      hcr_controls, ARRAY_SIZE(hcr_controls), "is not set");
	}
}

/* An instruction that handle_other() says a VM has does not trap for KVM's own sake. */
static void test_handler(struct kunit *test)
{
	const struct vm_kind *kind = test->param_value;
	struct kvm *kvm = vcpu_at_limit(test, kind, &pauths[0])->kvm;
	static const char *const names[] = {
		[ESR_ELx_ISS_OTHER_ST64BV] = "ST64BV",
		[ESR_ELx_ISS_OTHER_ST64BV0] = "ST64BV0",
		[ESR_ELx_ISS_OTHER_LDST64B] = "LD64B and ST64B",
		[ESR_ELx_ISS_OTHER_TSBCSYNC] = "TSB CSYNC",
		[ESR_ELx_ISS_OTHER_PSBCSYNC] = "PSB CSYNC",
	};

	for (u64 iss = 0; iss < ARRAY_SIZE(names); iss++) {
		struct kvm_other_control control;
		u64 trapped = 0;

		if (!kvm_has_other_insn(kvm, iss, &control))
			continue;
		switch (control.reg) {
		case HCRX_EL2:
			trapped = ~kvm_guest_hcrx(kvm);
			break;
		case HFGITR_EL2:
			trapped = kvm->arch.fgu[HFGITR_GROUP];
			break;
		case HFGITR2_EL2:
			trapped = kvm->arch.fgu[HFGITR2_GROUP];
			break;
		default:
			KUNIT_FAIL(test, "%s: what controls %s?", kind->name, names[iss]);
		}
		if (trapped & control.bits)
			KUNIT_FAIL(test, "%s: %s traps, and handle_other() does not expect it",
				   kind->name, names[iss]);
	}
}

static const struct sys_reg_desc *find_desc(u32 sysreg)
{
	const struct sys_reg_desc *desc;

	for (unsigned int n = 0; (desc = kvm_kunit_sys_reg_desc(n)); n++) {
		if (reg_to_encoding(desc) == sysreg)
			return desc;
	}
	return NULL;
}

static bool accessor_is(const struct sys_reg_desc *desc, const char *name)
{
	char symbol[KSYM_NAME_LEN];

	snprintf(symbol, sizeof(symbol), "%ps", desc->access);
	return !strcmp(symbol, name);
}

/* Registers that guests can have although KVM does not store or emulate them. */
static const struct {
	u32 from;
	u32 to;
	const char *why;
} stateless[] = {
	{ SYS_OSECCR_EL1, SYS_OSECCR_EL1, "nothing is kept there unless the host locks the CPU" },
	{ SYS_ISR_EL1, SYS_ISR_EL1, "the CPU computes it" },
	{ SYS_ICC_IGRPEN0_EL1, SYS_ICC_IGRPEN1_EL1, "in ICH_VMCR_EL2" },
	{ SYS_ICC_PPI_HMR0_EL1, SYS_ICC_ICSR_EL1, "the vGICv5 has them" },
	{ SYS_ICC_PPI_CACTIVER0_EL1, SYS_ICC_PPI_PRIORITYR15_EL1, "the vGICv5 has them" },
	{ SYS_ICC_APR_EL1, SYS_ICC_PCR_EL1, "the vGICv5 has them" },
	{ SYS_DCZID_EL0, SYS_DCZID_EL0, "constant" },
};

static bool is_stateless(u32 sysreg)
{
	for (int i = 0; i < ARRAY_SIZE(stateless); i++) {
		if (sysreg >= stateless[i].from && sysreg <= stateless[i].to)
			return true;
	}
	return false;
}

/* A register that is not trapped to be undefined is switched between VMs, or emulated. */
static void test_state(struct kunit *test)
{
	const struct vm_kind *kind = test->param_value;
	struct kvm *kvm = vcpu_at_limit(test, kind, &pauths[0])->kvm;

	for (u32 sysreg = sys_reg(2, 0, 0, 0, 0); sysreg <= sys_reg(3, 7, 15, 15, 7);
	     sysreg += sys_reg(0, 0, 0, 0, 1)) {
		const struct sys_reg_desc *desc;
		enum fgt_group_id group;
		unsigned int bit;

		if (!kvm_kunit_fgt(sysreg, &group, &bit) || (kvm->arch.fgu[group] & BIT_ULL(bit)))
			continue;
		desc = find_desc(sysreg);
		if (desc && (desc->reg || (desc->access && !accessor_is(desc, "undef_access"))))
			continue;
		if (!is_stateless(sysreg))
			KUNIT_FAIL(test, "%s: %s (S%u_%u_C%u_C%u_%u) is open, and nobody keeps it",
				   kind->name, desc ? desc->name : "a register",
				   sys_reg_Op0(sysreg), sys_reg_Op1(sysreg), sys_reg_CRn(sysreg),
				   sys_reg_CRm(sysreg), sys_reg_Op2(sysreg));
	}
}

#define READS	BIT(0)
#define WRITES	BIT(1)

/* Accesses that are not tried, by accessor or by register. */
static const struct {
	const char *name;
	int access;
	const char *why;
} untried[] = {
	{ "access_id_reg",	WRITES, "read-only" },
	{ "access_imp_id_reg",	WRITES, "read-only" },
	{ "access_ctr",		WRITES, "read-only" },
	{ "access_clidr",	WRITES, "read-only" },
	{ "access_ccsidr",	WRITES, "read-only" },
	{ "access_gic_vtr",	WRITES, "read-only" },
	{ "trap_oslsr_el1",	WRITES, "read-only" },
	{ "SYS_LORID_EL1",	WRITES, "read-only" },
	{ "SYS_MIDR_EL1",	READS, "VPIDR_EL2 has what guests read" },
	{ "trap_dbgauthstatus_el1", READS, "asks the host's, which not all emulators have" },
	{ "access_gic_misr",	READS | WRITES, "asks the vGIC of a loaded VCPU" },
	{ "access_gic_eisr",	READS | WRITES, "asks the vGIC of a loaded VCPU" },
	{ "access_gic_elrsr",	READS | WRITES, "asks the vGIC of a loaded VCPU" },
	{ "access_gic_sgi",	READS | WRITES, "write-only, and asks the vGIC" },
	{ "access_gic_dir",	WRITES, "asks the vGIC" },
	{ "access_gicv5_ppi_enabler", READS | WRITES, "only writes trap, and need a vGIC" },
	{ "access_arch_timer",	READS | WRITES, "programs timers" },
	{ "access_pmcr",	READS | WRITES, "programs the PMU" },
	{ "access_pmselr",	READS | WRITES, "programs the PMU" },
	{ "access_pmceid",	READS | WRITES, "asks the PMU" },
	{ "access_pmcnten",	READS | WRITES, "programs the PMU" },
	{ "access_pminten",	READS | WRITES, "programs the PMU" },
	{ "access_pmmir",	WRITES, "read-only" },
	{ "access_pmovs",	READS | WRITES, "programs the PMU" },
	{ "access_pmswinc",	READS | WRITES, "write-only, and programs the PMU" },
	{ "access_pmu_evcntr",	READS | WRITES, "programs the PMU" },
	{ "access_pmu_evtyper",	READS | WRITES, "programs the PMU" },
	{ "trap_oslar_el1",	READS | WRITES, "write-only, and loads the VCPU" },
	{ "trap_debug_regs",	READS | WRITES, "hands over the debug registers" },
	{ "trap_dbg_wb_reg",	READS | WRITES, "hands over the debug registers" },
};

/* EL2's registers, and EL1's by the names that EL2 has for them. */
static bool is_el2(const struct sys_reg_desc *desc)
{
	return desc->Op0 == 3 && desc->Op1 >= 4 && desc->Op1 <= 5;
}

static int tried(const struct sys_reg_desc *desc)
{
	int access = READS | WRITES;

	for (int i = 0; i < ARRAY_SIZE(untried); i++) {
		if (accessor_is(desc, untried[i].name) || !strcmp(desc->name, untried[i].name))
			access &= ~untried[i].access;
	}
	return access;
}

/*
 * Where an accessor that is never called is right: FEAT_NV2 sends accesses elsewhere, to the VNCR
 * page, which has HCR_EL2 in the place of NVHCR_EL2, or to EL1's registers.
 */
static bool traps_never(const struct sys_reg_desc *desc)
{
	if (accessor_is(desc, "bad_vncr_trap"))
		return desc->reg >= __VNCR_START__ || desc->reg == HCR_EL2;
	if (accessor_is(desc, "bad_redir_trap"))
		return desc->reg == SPSR_EL2 || desc->reg == ELR_EL2 ||
		       desc->reg == ESR_EL2 || desc->reg == FAR_EL2;
	return !desc->access && !is_el2(desc);
}

/* What is being tried, for when that is the end of the test. */
static struct {
	const struct sys_reg_desc *desc;
	bool is_write;
} trying;

static void try_access(struct kunit *test, struct kvm_vcpu *vcpu, const struct sys_reg_desc *desc,
		       bool is_write)
{
	struct sys_reg_params params = encoding_to_params(reg_to_encoding(desc));
	int warnings = 0;

	params.is_write = is_write;
	trying.desc = desc;
	trying.is_write = is_write;
	vcpu_clear_flag(vcpu, PENDING_EXCEPTION);
	vcpu_clear_flag(vcpu, INCREMENT_PC);
	kunit_warning_suppress(test) {
		desc->access(vcpu, &params, desc);
		warnings = KUNIT_SUPPRESSED_WARNING_COUNT();
	}
	trying.desc = NULL;
	KUNIT_EXPECT_EQ_MSG(test, warnings, 0, "%s of %s makes the host warn",
			    is_write ? "a write" : "a read", desc->name);
}

/*
 * Whatever can trap is emulated, read or written, and does the host no harm. What a VM can see does
 * not matter, as that depends on the real host.
 */
static void test_accessor(struct kunit *test)
{
	struct kvm_vcpu *vcpu = vcpu_at_limit(test, &vm_kinds[NESTED], &pauths[0]);
	const struct sys_reg_desc *desc;

	/* No traps of the guest's own. */
	__vcpu_assign_sys_reg(vcpu, CPTR_EL2, CPACR_EL1_FPEN | CPACR_EL1_ZEN);

	for (unsigned int n = 0; (desc = kvm_kunit_sys_reg_desc(n)); n++) {
		int access;

		if (traps_never(desc))
			continue;
		if (!desc->access || accessor_is(desc, "bad_vncr_trap") ||
		    accessor_is(desc, "bad_redir_trap")) {
			KUNIT_FAIL(test, "%s can trap, and has no accessor that expects it",
				   desc->name);
			continue;
		}
		access = tried(desc);
		if (access & READS)
			try_access(test, vcpu, desc, false);
		if (access & WRITES)
			try_access(test, vcpu, desc, true);
	}
}

#define EL0S	"it is about EL0, which an EL2 without E2H has none of"

static const struct control sctlr_controls[] = {
	BITS(SCTLR_EL2, DSSBS),
	BITS(SCTLR_EL2, ATA),
	BITS(SCTLR_EL2, TCF),
	BITS(SCTLR_EL2, ITFSB),
	BITS(SCTLR_EL2, TCSO),
	BITS(SCTLR_EL2, NMI),
	BITS(SCTLR_EL2, SPINTMASK),
	BITS(SCTLR_EL2, BT),
	BITS(SCTLR_EL2, EnFPM, EL0S),
	BITS(SCTLR_EL2, EnIA),
	BITS(SCTLR_EL2, EnIB),
	BITS(SCTLR_EL2, LSMAOE),
	BITS(SCTLR_EL2, nTLSMD),
	BITS(SCTLR_EL2, EnDA),
	BITS(SCTLR_EL2, EE),
	BITS(SCTLR_EL2, SPAN),
	BITS(SCTLR_EL2, EIS),
	BITS(SCTLR_EL2, IESB),
	BITS(SCTLR_EL2, WXN),
	BITS(SCTLR_EL2, nTWE, EL0S),
	BITS(SCTLR_EL2, nTWI, EL0S),
	BITS(SCTLR_EL2, EnDB),
	BITS(SCTLR_EL2, I),
	BITS(SCTLR_EL2, EOS),
	BITS(SCTLR_EL2, EnRCTX, EL0S),
	BITS(SCTLR_EL2, nAA),
	BITS(SCTLR_EL2, CP15BEN, EL0S),
	BITS(SCTLR_EL2, SA),
	BITS(SCTLR_EL2, C),
	BITS(SCTLR_EL2, A),
	BITS(SCTLR_EL2, M),
};

/* Where EL2 has no E2H, it runs at EL1: what it sets up gets there, if the VM has it. */
static void check_e2h0(struct kunit *test, struct kvm *kvm, const char *vm)
{
	u64 (*const tcr)(u64 val) = translate_tcr_el2_to_tcr_el1;
	u64 (*const cptr)(u64 val) = translate_cptr_el2_to_cpacr_el1;
	const struct {
		u64 bits;
		const char *name;
		u64 (*translate)(u64 val);
		bool has;
	} others[] = {
		{ TCR_EL2_T0SZ_MASK, "TCR_EL2.T0SZ", tcr, true },
		{ TCR_EL2_IRGN0_MASK, "TCR_EL2.IRGN0", tcr, true },
		{ TCR_EL2_ORGN0_MASK, "TCR_EL2.ORGN0", tcr, true },
		{ TCR_EL2_SH0_MASK, "TCR_EL2.SH0", tcr, true },
		{ TCR_EL2_TG0_MASK, "TCR_EL2.TG0", tcr, true },
		{ TCR_EL2_PS_MASK, "TCR_EL2.PS", tcr, true },
		{ TCR_EL2_TBI, "TCR_EL2.TBI", tcr, true },
		{ TCR_EL2_HA, "TCR_EL2.HA", tcr,
		  kvm_has_feat(kvm, ID_AA64MMFR1_EL1, HAFDBS, AF) },
		{ TCR_EL2_HD, "TCR_EL2.HD", tcr,
		  kvm_has_feat(kvm, ID_AA64MMFR1_EL1, HAFDBS, DBM) },
		{ TCR_EL2_HPD, "TCR_EL2.HPD", tcr,
		  kvm_has_feat(kvm, ID_AA64MMFR1_EL1, HPDS, IMP) },
		{ TCR_EL2_HWU_MASK, "TCR_EL2.HWU59 to 62", tcr,
		  kvm_has_feat(kvm, ID_AA64MMFR1_EL1, HPDS, HPDS2) },
		{ TCR_EL2_TBID, "TCR_EL2.TBID", tcr, kvm_has_pauth(kvm, PAuth) },
		{ TCR_EL2_TCMA, "TCR_EL2.TCMA", tcr,
		  kvm_has_feat(kvm, ID_AA64PFR1_EL1, MTE, MTE2) },
		{ TCR_EL2_DS, "TCR_EL2.DS", tcr,
		  kvm_has_feat(kvm, ID_AA64MMFR0_EL1, TGRAN4, 52_BIT) ||
		  kvm_has_feat(kvm, ID_AA64MMFR0_EL1, TGRAN16, 52_BIT) },
		{ TCR_EL2_MTX, "TCR_EL2.MTX", tcr,
		  kvm_has_feat(kvm, ID_AA64PFR1_EL1, MTEX, MTE4) },
		{ CPTR_EL2_TFP, "CPTR_EL2.TFP", cptr, true },
		{ CPTR_EL2_TZ, "CPTR_EL2.TZ", cptr,
		  kvm_has_feat(kvm, ID_AA64PFR0_EL1, SVE, IMP) },
		{ CPTR_EL2_TSM, "CPTR_EL2.TSM", cptr,
		  kvm_has_feat(kvm, ID_AA64PFR1_EL1, SME, IMP) },
		{ CPTR_EL2_TTA, "CPTR_EL2.TTA", cptr,
		  kvm_has_feat(kvm, ID_AA64DFR0_EL1, TraceVer, IMP) },
		{ CPTR_EL2_TAM, "CPTR_EL2.TAM", cptr,
		  kvm_has_feat(kvm, ID_AA64PFR0_EL1, AMU, IMP) },
		{ CPTR_EL2_TCPAC, "CPTR_EL2.TCPAC", cptr, true },
	};
	u64 lost = 0, sctlr = ~get_reg_fixed_bits(kvm, SCTLR_EL2).res0;
	u64 left, allowed = allowed_bits(kvm, TCR_EL2);

	/* SCTLR_EL1 has the same bits, and what is RES1 is not zero there, either. */
	for (left = sctlr; left; left &= left - 1)
		lost |= (left & -left) & ~translate_sctlr_el2_to_sctlr_el1(left & -left);
	fail_for_each(test, vm, "SCTLR_EL2", lost, sctlr_controls,
		      ARRAY_SIZE(sctlr_controls), "is lost on the way to SCTLR_EL1");

	for (int i = 0; i < ARRAY_SIZE(others); i++) {
		for (left = others[i].has ? others[i].bits : 0; left; left &= left - 1)
			if (others[i].translate(left & -left) == others[i].translate(0)) {
				KUNIT_FAIL(test, "%s: %s is lost on the way to EL1", vm,
					   others[i].name);
				break;
			}
		if (others[i].translate == tcr)
			KUNIT_EXPECT_EQ_MSG(test, allowed & others[i].bits,
					    others[i].has ? others[i].bits : 0, "%s: %s", vm,
					    others[i].name);
	}
}

static void test_e2h0(struct kunit *test)
{
	const struct vm_kind *kind = &vm_kinds[E2H0];
	struct kvm *kvm = vcpu_at_limit(test, kind, &pauths[0])->kvm;

	check_e2h0(test, kvm, kind->name);

	/* Registers that userspace has lowered. */
	for (int i = IDREG_IDX(SYS_ID_AA64ISAR0_EL1); i <= IDREG_IDX(SYS_ID_AA64MMFR3_EL1); i++)
		kvm->arch.id_regs[i] = 0;
	check_e2h0(test, kvm, "E2H0, lowered");
}

static int limits_init(struct kunit *test)
{
	if (!is_kvm_arm_initialised())
		kunit_skip(test, "KVM is not there");
	return 0;
}

static void limits_exit(struct kunit *test)
{
	if (trying.desc)
		kunit_err(test, "%s of %s takes the host down",
			  trying.is_write ? "a write" : "a read", trying.desc->name);
	trying.desc = NULL;
}

static struct kunit_case limits_cases[] = {
	KUNIT_CASE_PARAM(test_enable, vm_kind_gen_params),
	KUNIT_CASE_PARAM(test_handler, vm_kind_gen_params),
	KUNIT_CASE_PARAM(test_state, vm_kind_gen_params),
	KUNIT_CASE(test_accessor),
	KUNIT_CASE(test_e2h0),
	{}
};

static struct kunit_suite limits_suite = {
	.name = "kvm_idregs_limits",
	.init = limits_init,
	.exit = limits_exit,
	.test_cases = limits_cases,
};

kunit_test_suite(limits_suite);
