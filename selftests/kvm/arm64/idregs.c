// SPDX-License-Identifier: GPL-2.0-only
/*
 * Show the ID registers that a VM starts with, and which of their bits userspace may change.
 */
#include <sys/utsname.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

#define ID_REG(name)	{ #name, SYS_##name }

/* In the order of their encodings: op0=3, op1=0, CRn=0, CRm=1 to 7; then CTR_EL0. */
static const struct {
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
	ID_REG(ID_PFR2_EL1),
	ID_REG(ID_DFR1_EL1),
	ID_REG(ID_MMFR5_EL1),
	ID_REG(ID_AA64PFR0_EL1),
	ID_REG(ID_AA64PFR1_EL1),
	ID_REG(ID_AA64PFR2_EL1),
	ID_REG(ID_AA64ZFR0_EL1),
	ID_REG(ID_AA64SMFR0_EL1),
	ID_REG(ID_AA64FPFR0_EL1),
	ID_REG(ID_AA64DFR0_EL1),
	ID_REG(ID_AA64DFR1_EL1),
	ID_REG(ID_AA64AFR0_EL1),
	ID_REG(ID_AA64AFR1_EL1),
	ID_REG(ID_AA64ISAR0_EL1),
	ID_REG(ID_AA64ISAR1_EL1),
	ID_REG(ID_AA64ISAR2_EL1),
	ID_REG(ID_AA64ISAR3_EL1),
	ID_REG(ID_AA64MMFR0_EL1),
	ID_REG(ID_AA64MMFR1_EL1),
	ID_REG(ID_AA64MMFR2_EL1),
	ID_REG(ID_AA64MMFR3_EL1),
	ID_REG(ID_AA64MMFR4_EL1),
	ID_REG(CTR_EL0),
};

static u64 masks[KVM_ARM_FEATURE_ID_RANGE_SIZE];

#define OP(id, name)									\
	(((id) & KVM_REG_ARM64_SYSREG_##name##_MASK) >> KVM_REG_ARM64_SYSREG_##name##_SHIFT)

static u64 writable(u64 id)
{
	return masks[KVM_ARM_FEATURE_ID_RANGE_IDX(OP(id, OP0), OP(id, OP1), OP(id, CRN),
						  OP(id, CRM), OP(id, OP2))];
}

int main(void)
{
	struct reg_mask_range range = { .addr = (u64)masks };
	struct kvm_vcpu *vcpu;
	struct utsname uts;
	struct kvm_vm *vm;
	int i, zero = 0;
	u64 id, value;

	vm = vm_create_with_one_vcpu(&vcpu, NULL);
	vm_ioctl(vm, KVM_ARM_GET_REG_WRITABLE_MASKS, &range);
	TEST_ASSERT(!uname(&uts), "uname() failed");

	printf("The ID registers that a VM starts with\n%s %s\n\n", uts.sysname, uts.release);
	printf("%-18s  %-16s  writable bits\n", "register", "value");

	for (i = 0; i < ARRAY_SIZE(id_regs); i++) {
		id = KVM_ARM64_SYS_REG(id_regs[i].encoding);
		value = vcpu_get_reg(vcpu, id);
		if (!value && !writable(id)) {
			zero++;
			continue;
		}
		printf("%-18s  %016lx  %016lx\n", id_regs[i].name, value, writable(id));
	}
	printf("\n%d more are zero, and stay so.\n", zero);

	kvm_vm_free(vm);
	return 0;
}
