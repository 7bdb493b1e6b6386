// SPDX-License-Identifier: GPL-2.0-only
/*
 * Show the ID registers that a VM starts with, and which of their bits userspace may change.
 */
#include <sys/utsname.h>

#include "id_regs.h"

static u64 masks[KVM_ARM_FEATURE_ID_RANGE_SIZE];

/* Fields of which the host has something else than the VM can have, if KVM says so. */
static void show_limits(struct kvm_vm *vm)
{
	FILE *f = id_vm_open(vm, "idregs_limits");
	char text[256], name[64];
	struct id_reg_line l;

	if (!f)
		return;
	printf("\nWhere the host has something else than this VM can have\n");
	printf("%-28s %5s %5s %5s\n", "field", "host", "limit", "VM");
	while (fgets(text, sizeof(text), f)) {
		if (!id_reg_parse(text, &l) || l.host == l.limit)
			continue;
		snprintf(name, sizeof(name), "%s.%s", l.reg, l.field);
		printf("%-28s %#5lx %#5lx %#5lx  %s%s\n", name, l.host, l.limit, l.value, l.rule,
		       strcmp(l.kind, "writable") ? "" : ", writable");
	}
	fclose(f);
}

int main(void)
{
	struct kvm_vcpu *vcpu;
	struct utsname uts;
	struct kvm_vm *vm;
	u64 value, mask;
	int i, zero = 0;

	/* As idregs_explain does, also where the library would make a VM with EL2. */
	vm = id_vm_create(&id_vms[0], &vcpu);
	id_vm_get_masks(vm, masks);
	TEST_ASSERT(!uname(&uts), "uname() failed");

	printf("The ID registers that a VM starts with\n%s %s\n\n", uts.sysname, uts.release);
	printf("%-18s  %-16s  writable bits\n", "register", "value");

	for (i = 0; i < ARRAY_SIZE(id_regs); i++) {
		value = vcpu_get_reg(vcpu, id_reg(i));
		mask = masks[id_reg_range_index(i)];
		if (!value && !mask) {
			zero++;
			continue;
		}
		printf("%-18s  %016lx  %016lx\n", id_regs[i].name, value, mask);
	}
	printf("\n%d more are zero, and stay so.\n", zero);
	show_limits(vm);

	kvm_vm_free(vm);
	return 0;
}
