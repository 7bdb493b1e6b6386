/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ID registers that KVM keeps per VM, and VMs that differ in what they show there.
 */
#ifndef SELFTEST_KVM_ARM64_ID_REGS_H
#define SELFTEST_KVM_ARM64_ID_REGS_H

#include "guest_caps.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "vgic.h"

#define ID_REG(name)		{ #name, SYS_##name }
#define ID_UNALLOCATED(crm, op2)	{ "S3_0_0_C" #crm "_" #op2, sys_reg(3, 0, 0, crm, op2) }

/* In the order of their encodings: op0=3, op1=0, CRn=0, CRm=1 to 7; then CTR_EL0. */
static const struct id_reg {
	const char *name;
	u32 encoding;
} id_regs[] = {
	ID_REG(ID_PFR0_EL1),
	ID_REG(ID_PFR1_EL1),
	ID_REG(ID_DFR0_EL1),
	ID_REG(ID_AFR0_EL1),
	ID_REG(ID_MMFR0_EL1),
	ID_REG(ID_MMFR1_EL1),
	ID_REG(ID_MMFR2_EL1),
	ID_REG(ID_MMFR3_EL1),
	ID_REG(ID_ISAR0_EL1),
	ID_REG(ID_ISAR1_EL1),
	ID_REG(ID_ISAR2_EL1),
	ID_REG(ID_ISAR3_EL1),
	ID_REG(ID_ISAR4_EL1),
	ID_REG(ID_ISAR5_EL1),
	ID_REG(ID_MMFR4_EL1),
	ID_REG(ID_ISAR6_EL1),
	ID_REG(MVFR0_EL1),
	ID_REG(MVFR1_EL1),
	ID_REG(MVFR2_EL1),
	ID_UNALLOCATED(3, 3),
	ID_REG(ID_PFR2_EL1),
	ID_REG(ID_DFR1_EL1),
	ID_REG(ID_MMFR5_EL1),
	ID_UNALLOCATED(3, 7),
	ID_REG(ID_AA64PFR0_EL1),
	ID_REG(ID_AA64PFR1_EL1),
	ID_REG(ID_AA64PFR2_EL1),
	ID_UNALLOCATED(4, 3),
	ID_REG(ID_AA64ZFR0_EL1),
	ID_REG(ID_AA64SMFR0_EL1),
	ID_UNALLOCATED(4, 6),
	ID_REG(ID_AA64FPFR0_EL1),
	ID_REG(ID_AA64DFR0_EL1),
	ID_REG(ID_AA64DFR1_EL1),
	ID_REG(ID_AA64DFR2_EL1),
	ID_UNALLOCATED(5, 3),
	ID_REG(ID_AA64AFR0_EL1),
	ID_REG(ID_AA64AFR1_EL1),
	ID_UNALLOCATED(5, 6),
	ID_UNALLOCATED(5, 7),
	ID_REG(ID_AA64ISAR0_EL1),
	ID_REG(ID_AA64ISAR1_EL1),
	ID_REG(ID_AA64ISAR2_EL1),
	ID_REG(ID_AA64ISAR3_EL1),
	ID_UNALLOCATED(6, 4),
	ID_UNALLOCATED(6, 5),
	ID_UNALLOCATED(6, 6),
	ID_UNALLOCATED(6, 7),
	ID_REG(ID_AA64MMFR0_EL1),
	ID_REG(ID_AA64MMFR1_EL1),
	ID_REG(ID_AA64MMFR2_EL1),
	ID_REG(ID_AA64MMFR3_EL1),
	ID_REG(ID_AA64MMFR4_EL1),
	ID_UNALLOCATED(7, 5),
	ID_UNALLOCATED(7, 6),
	ID_UNALLOCATED(7, 7),
	ID_REG(CTR_EL0),
};

#define NUM_ID_REGS	ARRAY_SIZE(id_regs)

static inline u64 id_reg(unsigned int i)
{
	return KVM_ARM64_SYS_REG(id_regs[i].encoding);
}

/* What KVM_ARM_GET_REG_WRITABLE_MASKS copies. */
static inline void id_vm_get_masks(struct kvm_vm *vm, u64 *words)
{
	struct reg_mask_range range = { .addr = (u64)words };

	vm_ioctl(vm, KVM_ARM_GET_REG_WRITABLE_MASKS, &range);
}

/* More fields than the registers have. */
#define ID_MAX_CAPS	1024

/* What KVM_GUEST_CAPS says: how many records there are. */
static inline u32 id_vm_query(int fd, u32 op, const struct kvm_guest_caps_reg *asked, u32 nr_asked,
			      struct kvm_guest_cap caps[ID_MAX_CAPS])
{
	return guest_caps_query_all(fd, op, asked, nr_asked, caps, ID_MAX_CAPS);
}

static inline u32 id_vm_list(struct kvm_vm *vm, struct kvm_guest_cap caps[ID_MAX_CAPS])
{
	return id_vm_query(vm->fd, KVM_GUEST_CAPS_LIST, NULL, 0, caps);
}

/* What promises least; of two values that don't compare, the one that is not the limit. */
static inline u64 id_cap_least(const struct kvm_guest_cap *cap)
{
	return cap->limit == cap->lowest ? cap->highest : cap->lowest;
}

/* A file in debugfs; NULL if it isn't there. */
static inline FILE *id_vm_open(struct kvm_vm *vm, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm->fd, name);
	return fopen(path, "r");
}

/* A line of idregs_limits. */
struct id_reg_line {
	char reg[32], field[32];
	int msb, lsb;
	u64 host, limit, value;
	char kind[16], rule[24];
};

static inline bool id_reg_parse(const char *text, struct id_reg_line *line)
{
	return sscanf(text, "%31[^.].%31s [%d:%d] host 0x%lx limit 0x%lx vm 0x%lx %15s %23s",
		      line->reg, line->field, &line->msb, &line->lsb, &line->host, &line->limit,
		      &line->value, line->kind, line->rule) == 9;
}

/* Which interrupt controller a VM has. */
enum irqchip { NO_IRQCHIP, VGIC_V3 };

/* What a VM is created with. */
static const struct id_vm {
	const char *name;
	u64 features;		/* of KVM_ARM_VCPU_INIT */
	bool mte;
	enum irqchip irqchip;
} id_vms[] = {
	{ "plain" },
	{ "vgic-v3", .irqchip = VGIC_V3 },
	{ "sve", BIT(KVM_ARM_VCPU_SVE) },
	{ "ptrauth", BIT(KVM_ARM_VCPU_PTRAUTH_ADDRESS) | BIT(KVM_ARM_VCPU_PTRAUTH_GENERIC) },
	{ "pmu", BIT(KVM_ARM_VCPU_PMU_V3) },
	{ "mte", .mte = true },
	{ "nested", BIT(KVM_ARM_VCPU_HAS_EL2), .irqchip = VGIC_V3 },
	{ "nested-e2h0", BIT(KVM_ARM_VCPU_HAS_EL2) | BIT(KVM_ARM_VCPU_HAS_EL2_E2H0),
	  .irqchip = VGIC_V3 },
	{ "nested-all", BIT(KVM_ARM_VCPU_HAS_EL2) | BIT(KVM_ARM_VCPU_SVE) |
	  BIT(KVM_ARM_VCPU_PTRAUTH_ADDRESS) | BIT(KVM_ARM_VCPU_PTRAUTH_GENERIC) |
	  BIT(KVM_ARM_VCPU_PMU_V3), .mte = true, .irqchip = VGIC_V3 },
};

static inline bool id_vm_is_possible(const struct id_vm *config)
{
	static const struct {
		int feature;
		int cap;
	} needs[] = {
		{ KVM_ARM_VCPU_SVE, KVM_CAP_ARM_SVE },
		{ KVM_ARM_VCPU_PTRAUTH_ADDRESS, KVM_CAP_ARM_PTRAUTH_ADDRESS },
		{ KVM_ARM_VCPU_PMU_V3, KVM_CAP_ARM_PMU_V3 },
		{ KVM_ARM_VCPU_HAS_EL2, KVM_CAP_ARM_EL2 },
		{ KVM_ARM_VCPU_HAS_EL2_E2H0, KVM_CAP_ARM_EL2_E2H0 },
	};

	for (int i = 0; i < ARRAY_SIZE(needs); i++) {
		if (config->features & BIT(needs[i].feature) && !kvm_has_cap(needs[i].cap))
			return false;
	}
	return !config->mte || kvm_has_cap(KVM_CAP_ARM_MTE);
}

#define ID_VM_CODE	0x0
#define ID_VM_MMIO	0x100000
#define ID_VM_GICD	0x8000000
#define ID_VM_GICR	0x8100000

/* A VM with one vCPU, that is initialized but has not run. */
static inline struct kvm_vm *__id_vm_create(const struct id_vm *config, struct vm_shape shape,
					    struct kvm_vcpu **vcpu)
{
	struct kvm_vm *vm = ____vm_create(shape);
	struct kvm_vcpu_init init = {};

	if (config->mte)
		vm_enable_cap(vm, KVM_CAP_ARM_MTE, 0);
	*vcpu = __vm_vcpu_add(vm, 0);
	vm_ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init);
	init.features[0] = config->features;
	vcpu_ioctl(*vcpu, KVM_ARM_VCPU_INIT, &init);
	return vm;
}

static inline struct kvm_vm *id_vm_create(const struct id_vm *config, struct kvm_vcpu **vcpu)
{
	return __id_vm_create(config, VM_SHAPE_DEFAULT, vcpu);
}

/* Without page tables, which vgic_v3_setup() wants. */
static inline void id_vm_create_vgic_v3(struct kvm_vm *vm)
{
	int fd = __kvm_create_device(vm, KVM_DEV_TYPE_ARM_VGIC_V3);
	u64 dist = ID_VM_GICD, redist = REDIST_REGION_ATTR_ADDR(1UL, ID_VM_GICR, 0, 0);
	u32 irqs = 64;

	TEST_ASSERT(fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_DEVICE, fd));
	kvm_device_attr_set(fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs);
	kvm_device_attr_set(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist);
	kvm_device_attr_set(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
			    &redist);
	__vgic_v3_init(fd);
	close(fd);
}

/*
 * Have the guest read all registers: its MMU is off, and it stores each to an address where
 * nothing is.  @code is what it has at ID_VM_CODE.
 */
static inline void id_vm_run(struct kvm_vcpu *vcpu, u32 *code, u64 *values)
{
	struct kvm_run *run = vcpu->run;

	for (int i = 0; i < NUM_ID_REGS; i++) {
		*code++ = 0xd5200000 | id_regs[i].encoding;	/* mrs x0, <register> */
		*code++ = 0xf9000020;				/* str x0, [x1] */
	}
	vcpu_set_reg(vcpu, ARM64_CORE_REG(regs.pc), ID_VM_CODE);
	vcpu_set_reg(vcpu, ARM64_CORE_REG(regs.regs[1]), ID_VM_MMIO);

	for (int i = 0; i < NUM_ID_REGS; i++) {
		vcpu_run(vcpu);
		TEST_ASSERT(run->exit_reason == KVM_EXIT_MMIO &&
			    run->mmio.phys_addr == ID_VM_MMIO && run->mmio.is_write,
			    "the guest did not read %s", id_regs[i].name);
		memcpy(&values[i], run->mmio.data, sizeof(values[i]));
	}
}

/* What a VM needs besides KVM_ARM_VCPU_INIT before it runs. */
static inline void id_vm_finalize(const struct id_vm *config, struct kvm_vm *vm,
				  struct kvm_vcpu *vcpu)
{
	int sve = KVM_ARM_VCPU_SVE;

	if (config->irqchip == VGIC_V3)
		id_vm_create_vgic_v3(vm);
	if (config->features & BIT(KVM_ARM_VCPU_SVE))
		vcpu_ioctl(vcpu, KVM_ARM_VCPU_FINALIZE, &sve);
	if (config->features & BIT(KVM_ARM_VCPU_PMU_V3)) {
		if (config->irqchip == VGIC_V3) {
			int irq = 23;

			vcpu_device_attr_set(vcpu, KVM_ARM_VCPU_PMU_V3_CTRL,
					     KVM_ARM_VCPU_PMU_V3_IRQ, &irq);
		}
		vcpu_device_attr_set(vcpu, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT,
				     NULL);
	}
}

/* As id_vm_run(), in a VM that has no code yet. */
static inline void id_vm_read_finalized(struct kvm_vm *vm, struct kvm_vcpu *vcpu, u64 *values)
{
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, ID_VM_CODE, 0,
				    vm_adjust_num_guest_pages(vm->mode, 1), 0);
	id_vm_run(vcpu, addr_gpa2hva(vm, ID_VM_CODE), values);
}

static inline void id_vm_read(const struct id_vm *config, struct kvm_vm *vm,
			      struct kvm_vcpu *vcpu, u64 *values)
{
	id_vm_finalize(config, vm, vcpu);
	id_vm_read_finalized(vm, vcpu, values);
}

#endif
