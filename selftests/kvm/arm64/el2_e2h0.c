// SPDX-License-Identifier: GPL-2.0
/*
 * el2_e2h0 - What a hypervisor with HCR_EL2.E2H=0 may set takes effect, and
 * nothing else does
 *
 * KVM runs virtual EL2 at EL1, and translates SCTLR_EL2 and TCR_EL2 to the
 * registers of EL1. Run code with and without each bit, and look for what the
 * bit does. Run it with a bit of TCR_EL2 in a VM whose ID registers deny that,
 * too: KVM must keep it from the CPU.
 */
#include "el2_e2h0_code.h"
#include "kmsg.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

#include <asm/sysreg.h>

/* What virtual EL2 maps, in blocks of 1GB. All but MMIO are the VM's memory. */
#define VA_MMIO		0x40000000ULL
#define VA_NO_AF	0x80000000ULL	/* without the access flag */
#define VA_TABLE_RO	0xc0000000ULL	/* read-only in the table descriptor */
#define VA_GUARDED	0x100000000ULL	/* guarded, for BTI */

#define DESC_BLOCK	1ULL
#define DESC_TABLE	3ULL
#define DESC_DEVICE	BIT(2)
#define DESC_AF		BIT(10)
#define DESC_GP		BIT(50)
#define DESC_TABLE_RO	BIT(62)

/* TCR_EL2 when E2H is 0: T0SZ=25, cacheable, shareable, PS=40 bits, RES1 */
#define EL2_TCR_BASE	(25 | BIT(8) | BIT(10) | (3 << 12) | (2 << 16) | BIT(23) | BIT(31))
#define EL2_TCR_TBI	BIT(20)
#define EL2_TCR_HA	BIT(21)
#define EL2_TCR_HPD	BIT(24)
#define EL2_TCR_TBID	BIT(29)

#define EL2_SCTLR_BASE	(SCTLR_ELx_M | SCTLR_ELx_C | SCTLR_ELx_I)

struct result {
	bool exception;
	u64 x0;
	u64 pstate;
	u64 esr;
	u64 cntkctl;
};

#define DATA	0x1234560ULL

static bool runs(struct result *r)
{
	return !r->exception;
}

static bool faults(struct result *r)
{
	return r->exception;
}

static bool signs(struct result *r)
{
	return runs(r) && r->x0 != DATA;
}

static bool signs_top_byte(struct result *r)
{
	return runs(r) && r->x0 >> 56;
}

static bool sets_ssbs(struct result *r)
{
	return r->exception && (r->pstate & PSR_SSBS_BIT);
}

static bool leaves_pan(struct result *r)
{
	return r->exception && !(r->pstate & PSR_PAN_BIT);
}

static bool is_undef(struct result *r)
{
	return r->exception && ESR_ELx_EC(r->esr) == ESR_ELx_EC_UNKNOWN;
}

static bool is_undef_without_tco(struct result *r)
{
	return is_undef(r) && !(r->pstate & PSR_TCO_BIT);
}

static bool aborts_below(struct result *r)
{
	return r->exception && ESR_ELx_EC(r->esr) == ESR_ELx_EC_IABT_LOW;
}

static bool keeps_cntkctl(struct result *r)
{
	return runs(r) && r->cntkctl == 3;
}

#define ID(reg, field)	.id_reg = KVM_ARM64_SYS_REG(SYS_##reg), .id_mask = reg##_##field##_MASK

/* With bits, each test runs without them, or denied, too, and must see no effect then. */
static const struct test {
	const char *name;
	char *code;
	bool (*effect)(struct result *r);
	u64 sctlr, tcr;
	u64 sctlr_always, tcr_always;
	u64 x2[2];			/* one run for each; zeros at the end are none */
	bool pauth;
	bool enters;			/* a guest of its own */
	bool mte;			/* which a VM with EL2 has not, though it may ask for it */
	u64 id_reg, id_mask;
} tests[] = {
	{ "EnIA", code_pacia, signs, SCTLR_ELx_ENIA, .pauth = true },
	{ "EnIB", code_pacib, signs, SCTLR_ELx_ENIB, .pauth = true },
	{ "EnDA", code_pacda, signs, SCTLR_ELx_ENDA, .pauth = true },
	{ "EnDB", code_pacdb, signs, SCTLR_ELx_ENDB, .pauth = true },
	{ "ERETAA", code_eretaa, runs, .sctlr_always = SCTLR_ELx_ENIA, .pauth = true },
	{ "TBID", code_pacia, signs_top_byte, 0, EL2_TCR_TBID, SCTLR_ELx_ENIA, EL2_TCR_TBI,
	  .pauth = true },
	{ "DSSBS", code_svc, sets_ssbs, SCTLR_ELx_DSSBS, ID(ID_AA64PFR1_EL1, SSBS) },
	{ "SPAN", code_svc, leaves_pan, ID(ID_AA64MMFR1_EL1, PAN) },
	{ "nAA", code_ldar, runs, SCTLR_EL2_nAA, .x2 = { 9 }, ID(ID_AA64MMFR2_EL1, AT) },
	{ "BT", code_br, faults, SCTLR_EL2_BT, .x2 = { VA_GUARDED }, ID(ID_AA64PFR1_EL1, BT) },
	{ "HA", code_ldr, runs, 0, EL2_TCR_HA, .x2 = { VA_NO_AF }, ID(ID_AA64MMFR1_EL1, HAFDBS) },
	{ "HPD", code_str, runs, 0, EL2_TCR_HPD, .x2 = { VA_TABLE_RO },
	  ID(ID_AA64MMFR1_EL1, HPDS) },
	/* Registers that are not there, and what KVM makes of PSTATE then. */
	{ "TCR_EL12", code_el12, is_undef },
	{ "GCR_EL1", code_gcr, is_undef_without_tco, .mte = true },
	/* A register of EL1's that is on the CPU. */
	{ "CNTKCTL_EL1", code_cntkctl, keeps_cntkctl },
	/* What made KVM complain, see the last test. */
	{ "HACR_EL2", code_hacr, runs },
	{ "IMO without FMO", code_imo, runs, .enters = true },
	/* Nor end KVM_RUN: an SL0 without a level, tables without memory. */
	{ "stage 2 nonsense", code_stage2, aborts_below, .x2 = { 24 | 3 << 6, 24 | 1 << 6 },
	  .enters = true },
};

static void set_sysreg(struct kvm_vcpu *vcpu, u32 reg, u64 val)
{
	vcpu_set_reg(vcpu, KVM_ARM64_SYS_REG(reg), val);
}

static gpa_t map_blocks(struct kvm_vm *vm)
{
	gpa_t l1 = vm_alloc_page_table(vm), l2 = vm_alloc_page_table(vm);
	u64 *pgd = addr_gpa2hva(vm, l1), *pmd = addr_gpa2hva(vm, l2);

	pgd[0] = DESC_BLOCK | DESC_AF;
	pgd[1] = DESC_BLOCK | DESC_AF | DESC_DEVICE | VA_MMIO;
	pgd[2] = DESC_BLOCK;
	pgd[3] = DESC_TABLE | DESC_TABLE_RO | l2;
	pgd[4] = DESC_BLOCK | DESC_AF | DESC_GP;

	for (u64 i = 0; i < 512; i++)
		pmd[i] = DESC_BLOCK | DESC_AF | (i << 21);

	return l1;
}

enum variant { WITHOUT, WITH, DENIED };

/* Returns false if the VM hasn't what the test is about. */
static bool run(const struct test *t, enum variant v, struct result *r)
{
	struct kvm_vcpu_init init;
	struct kvm_vcpu *vcpu;
	gpa_t pgd, code, data;
	struct kvm_vm *vm;
	bool on = v != WITHOUT, supported;

	vm = vm_create(1);
	if (t->mte)
		vm_enable_cap(vm, KVM_CAP_ARM_MTE, 0);
	kvm_get_default_vcpu_target(vm, &init);
	init.features[0] |= BIT(KVM_ARM_VCPU_HAS_EL2) | BIT(KVM_ARM_VCPU_HAS_EL2_E2H0);
	if (t->pauth)
		init.features[0] |= BIT(KVM_ARM_VCPU_PTRAUTH_ADDRESS) |
				    BIT(KVM_ARM_VCPU_PTRAUTH_GENERIC);
	vcpu = aarch64_vcpu_add(vm, 0, &init, t->code);
	kvm_arch_vm_finalize_vcpus(vm);

	supported = !t->id_mask || (vcpu_get_reg(vcpu, t->id_reg) & t->id_mask);
	if (!supported)
		goto out;
	if (v == DENIED)
		vcpu_set_reg(vcpu, t->id_reg, vcpu_get_reg(vcpu, t->id_reg) & ~t->id_mask);

	pgd = map_blocks(vm);
	code = addr_gva2gpa(vm, (gva_t)t->code);
	data = addr_gva2gpa(vm, vm_alloc_page(vm));

	set_sysreg(vcpu, SYS_HCR_EL2, HCR_EL2_RW);
	set_sysreg(vcpu, SYS_MAIR_EL2, 0xff);
	set_sysreg(vcpu, SYS_TTBR0_EL2, pgd);
	set_sysreg(vcpu, SYS_VBAR_EL2, addr_gva2gpa(vm, (gva_t)code_vectors));
	set_sysreg(vcpu, SYS_TCR_EL2, EL2_TCR_BASE | t->tcr_always | (on ? t->tcr : 0));
	set_sysreg(vcpu, SYS_SCTLR_EL2, EL2_SCTLR_BASE | t->sctlr_always | (on ? t->sctlr : 0));

	if (t->code == code_br)
		data = addr_gva2gpa(vm, (gva_t)code_landing);

	vcpu_set_reg(vcpu, ARM64_CORE_REG(regs.regs[0]), DATA);
	vcpu_set_reg(vcpu, ARM64_CORE_REG(regs.regs[1]), VA_MMIO);
	for (int i = 0; !i || (i < ARRAY_SIZE(t->x2) && t->x2[i] && t->effect(r)); i++) {
		vcpu_set_reg(vcpu, ARM64_CORE_REG(regs.regs[2]), data + t->x2[i]);
		vcpu_set_reg(vcpu, ARM64_CORE_REG(regs.pc), code);

		vcpu_run(vcpu);
		TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_MMIO);

		r->exception = vcpu->run->mmio.phys_addr != VA_MMIO;
		r->x0 = vcpu_get_reg(vcpu, ARM64_CORE_REG(regs.regs[0]));
		r->pstate = vcpu_get_reg(vcpu, ARM64_CORE_REG(regs.pstate));
		r->esr = vcpu_get_reg(vcpu, KVM_ARM64_SYS_REG(SYS_ESR_EL2));
		r->cntkctl = vcpu_get_reg(vcpu, KVM_ARM64_SYS_REG(SYS_CNTKCTL_EL1));
	}
out:
	/* Its shadow of stage 2 is walked for each region that is taken out: exit() is quicker. */
	if (!t->enters)
		kvm_vm_free(vm);
	return supported;
}

static void check(const struct test *t)
{
	static const char * const names[] = { "without", "with", "denied" };
	struct result r;
	bool expected;

	for (enum variant v = WITHOUT; v <= DENIED; v++) {
		if ((v == WITHOUT && !t->sctlr && !t->tcr) ||
		    (v == DENIED && (!t->tcr || !t->id_mask)))
			continue;
		if ((t->pauth && !kvm_has_cap(KVM_CAP_ARM_PTRAUTH_ADDRESS)) ||
		    (t->mte && !kvm_has_cap(KVM_CAP_ARM_MTE)) || !run(t, v, &r)) {
			ksft_test_result_skip("%s\n", t->name);
			return;
		}
		expected = v == WITH;
		if (t->effect(&r) != expected) {
			ksft_print_msg("%s: exception %d, x0 %lx, pstate %lx, ESR_EL2 %lx\n",
				       names[v], r.exception, r.x0, r.pstate, r.esr);
			ksft_test_result_fail("%s\n", t->name);
			return;
		}
	}

	ksft_test_result_pass("%s\n", t->name);
}

int main(void)
{
	int kmsg = kmsg_open();

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_ARM_EL2_E2H0));

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(tests) + 1);
	for (int i = 0; i < ARRAY_SIZE(tests); i++)
		check(&tests[i]);
	kmsg_test(kmsg);

	ksft_finished();
}
