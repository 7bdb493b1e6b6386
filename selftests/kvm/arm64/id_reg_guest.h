/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that userspace leads instruction by instruction: its MMU is off, all its code is laid out
 * before it runs, and each piece of it ends in a store to an address where nothing is. So do all
 * exceptions. Nothing that it does to itself lasts, as userspace sets what matters before each
 * piece, and EL0 needs no page tables.
 */
#ifndef SELFTEST_KVM_ARM64_ID_REG_GUEST_H
#define SELFTEST_KVM_ARM64_ID_REG_GUEST_H

#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include <asm/ptrace.h>
#include <linux/sizes.h>

#include "id_regs.h"
#include "kmsg.h"

/* Guest physical addresses, below ID_VM_MMIO. */
#define GUEST_VECTORS	0x0
#define GUEST_TABLES	0x10000		/* two of up to 64 KB */
#define GUEST_DATA	0x30000
#define GUEST_CODE	0x40000

/* What comes out of a piece of code. */
enum outcome { USABLE, UNDEF, IGNORED, OTHER };

struct id_guest {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	struct id_vm config;
	u64 esr;			/* of the exception that ended it, or zero */
	u64 elr;
};

#define INSN_MRS(reg, rt)	(0xd5200000 | (reg) | (rt))
#define INSN_MSR(reg, rt)	(0xd5000000 | (reg) | (rt))
#define INSN_END		0xf9000020	/* str x0, [x1] */
#define INSN_EXCEPTION		0xf9000420	/* str x0, [x1, #8] */
#define INSN_END_A32		0xe5810000	/* str r0, [r1] */

static inline bool id_guest_has_el2(const struct id_guest *g)
{
	return g->config.features & BIT(KVM_ARM_VCPU_HAS_EL2);
}

static inline bool id_guest_has_e2h0(const struct id_guest *g)
{
	return g->config.features & BIT(KVM_ARM_VCPU_HAS_EL2_E2H0);
}

static inline void id_guest_set(struct id_guest *g, u32 reg, u64 value)
{
	vcpu_set_reg(g->vcpu, KVM_ARM64_SYS_REG(reg), value);
}

static inline u64 id_guest_get(struct id_guest *g, u32 reg)
{
	return vcpu_get_reg(g->vcpu, KVM_ARM64_SYS_REG(reg));
}

/*
 * A VM that is initialized, so that its ID registers can be set; id_guest_start() comes next. With
 * EL2 and a large address space it takes KVM seconds to free one.
 */
static inline void id_guest_create(struct id_guest *g, const struct id_vm *config)
{
	enum vm_guest_mode mode = getpagesize() == SZ_64K ? VM_MODE_P36V48_64K :
							    VM_MODE_P36V48_4K;

	*g = (struct id_guest) { .config = *config };
	g->vm = __id_vm_create(config, VM_SHAPE(mode), &g->vcpu);
}

static inline void id_guest_start(struct id_guest *g, const u32 *code, unsigned int words)
{
	u32 *vectors;

	TEST_ASSERT(GUEST_CODE + 4 * words <= ID_VM_MMIO, "too much code");
	id_vm_finalize(&g->config, g->vm, g->vcpu);
	vm_userspace_mem_region_add(g->vm, VM_MEM_SRC_ANONYMOUS, 0, 0,
				    vm_calc_num_guest_pages(g->vm->mode, ID_VM_MMIO), 0);
	vectors = addr_gpa2hva(g->vm, GUEST_VECTORS);
	for (int i = 0; i < 16; i++)
		vectors[i * 0x80 / 4] = INSN_EXCEPTION;
	memcpy(addr_gpa2hva(g->vm, GUEST_CODE), code, 4 * words);
	if (id_guest_has_el2(g))
		id_guest_set(g, SYS_HCR_EL2, (id_guest_has_e2h0(g) ? 0 : HCR_EL2_E2H) | HCR_EL2_RW |
			     HCR_EL2_TGE | HCR_EL2_AMO | HCR_EL2_IMO | HCR_EL2_FMO);
}

/* All that EL1 can allow EL0, and itself. */
#define GUEST_SCTLR	(0x00c50838 | SCTLR_EL1_UCI | SCTLR_EL1_UCT | SCTLR_EL1_UMA |		\
			 SCTLR_EL1_DZE | SCTLR_EL1_nTWE | SCTLR_EL1_nTWI | SCTLR_EL1_EnRCTX |	\
			 SCTLR_EL1_nTLSMD | SCTLR_EL1_LSMAOE | SCTLR_EL1_MSCEn |		\
			 SCTLR_EL1_EnFPM | SCTLR_EL1_EnALS | SCTLR_EL1_EnASR | SCTLR_EL1_EnAS0 | \
			 SCTLR_EL1_EnTP2 | SCTLR_EL1_EnIA | SCTLR_EL1_EnIB | SCTLR_EL1_EnDA |	\
			 SCTLR_EL1_EnDB | SCTLR_EL1_ATA | SCTLR_EL1_ATA0)
#define GUEST_CPACR	(CPACR_EL1_FPEN | CPACR_EL1_ZEN | CPACR_EL1_SMEN | CPACR_EL1_E0POE)

static void id_guest_is_stuck(int signal)
{
}

/*
 * Run the piece of code at @pc, an index of words. False if it ends in an exception, or not at all.
 */
static inline bool id_guest_go(struct id_guest *g, unsigned int pc, u64 pstate)
{
	struct itimerval patience = { .it_value.tv_sec = 5 }, none = {};
	struct sigaction action = { .sa_handler = id_guest_is_stuck };
	struct kvm_run *run = g->vcpu->run;
	bool el2 = id_guest_has_el2(g);
	int ret;

	vcpu_set_reg(g->vcpu, ARM64_CORE_REG(regs.pstate), pstate);
	vcpu_set_reg(g->vcpu, ARM64_CORE_REG(regs.pc), GUEST_CODE + 4 * pc);
	id_guest_set(g, el2 ? SYS_VBAR_EL2 : SYS_VBAR_EL1, GUEST_VECTORS);

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &patience, NULL);
	ret = __vcpu_run(g->vcpu);
	setitimer(ITIMER_REAL, &none, NULL);

	g->esr = -1;
	if (ret || run->exit_reason != KVM_EXIT_MMIO || run->mmio.phys_addr < ID_VM_MMIO ||
	    run->mmio.phys_addr > ID_VM_MMIO + 8)
		return false;
	vcpu_run_complete_io(g->vcpu);
	if (run->mmio.phys_addr == ID_VM_MMIO) {
		g->esr = 0;
		return true;
	}
	g->esr = id_guest_get(g, el2 ? SYS_ESR_EL2 : SYS_ESR_EL1);
	g->elr = el2 ? id_guest_get(g, SYS_ELR_EL2) :
		       vcpu_get_reg(g->vcpu, ARM64_CORE_REG(elr_el1));
	g->elr = (g->elr - GUEST_CODE) / 4;
	return false;
}

/*
 * The same, with @x0 and @x6 as the code finds them; x1 is for its end, and x2, x4 and x5 are good
 * for memory accesses.
 */
static inline bool id_guest_run(struct id_guest *g, unsigned int pc, u64 pstate, u64 x0, u64 x6)
{
	const u64 regs[] = { x0, ID_VM_MMIO, GUEST_DATA, 0, GUEST_DATA, GUEST_DATA + 256, x6 };

	for (int i = 0; i < ARRAY_SIZE(regs); i++)
		vcpu_set_reg(g->vcpu, ARM64_CORE_REG(regs.regs[i]), regs[i]);
	return id_guest_go(g, pc, pstate);
}

/* The last piece of code's end. FEAT_IDST has its own class for what is UNDEF of ID registers. */
static inline bool id_guest_is_undef(const struct id_guest *g)
{
	u64 ec = ESR_ELx_EC(g->esr);

	return g->esr != -1 && (ec == ESR_ELx_EC_UNKNOWN || ec == ESR_ELx_EC_SYS64);
}

#endif
