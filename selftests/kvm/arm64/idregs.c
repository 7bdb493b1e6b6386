// SPDX-License-Identifier: GPL-2.0-only
/*
 * Show the ID registers that a VM starts with, and which of their bits userspace may change.
 */
#include <sys/utsname.h>

#include "id_regs.h"

static u64 masks[KVM_ARM_FEATURE_ID_RANGE_SIZE];

#define OP(id, name)									\
	(((id) & KVM_REG_ARM64_SYSREG_##name##_MASK) >> KVM_REG_ARM64_SYSREG_##name##_SHIFT)

static u64 writable(u64 id)
{
	return masks[KVM_ARM_FEATURE_ID_RANGE_IDX(OP(id, OP0), OP(id, OP1), OP(id, CRN),
						  OP(id, CRM), OP(id, OP2))];
}

/* Fields of which the host has something else than the VM can have, if KVM says so. */
static void show_limits(struct kvm_vm *vm)
{
	char path[128], line[256], field[64], rule[24], kind[16];
	unsigned long long host, limit, value;
	int msb, lsb;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/idregs_limits", getpid(), vm->fd);
	f = fopen(path, "r");
	if (!f)
		return;
	printf("\nWhere the host has something else than this VM can have\n");
	printf("%-28s %5s %5s %5s\n", "field", "host", "limit", "VM");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s [%d:%d] host 0x%llx limit 0x%llx vm 0x%llx %15s %23s", field,
			   &msb, &lsb, &host, &limit, &value, kind, rule) == 8 && host != limit)
			printf("%-28s %#5llx %#5llx %#5llx  %s%s\n", field, host, limit, value,
			       rule, strcmp(kind, "writable") ? "" : ", writable");
	}
	fclose(f);
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
		id = id_reg(i);
		value = vcpu_get_reg(vcpu, id);
		if (!value && !writable(id)) {
			zero++;
			continue;
		}
		printf("%-18s  %016lx  %016lx\n", id_regs[i].name, value, writable(id));
	}
	printf("\n%d more are zero, and stay so.\n", zero);
	show_limits(vm);

	kvm_vm_free(vm);
	return 0;
}
