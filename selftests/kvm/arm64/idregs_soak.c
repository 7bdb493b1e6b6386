// SPDX-License-Identifier: GPL-2.0-only
/*
 * Have ID registers set, and vCPUs run, asked and shown at the same time, while VMs come and go.
 *
 * usage: idregs_soak SECONDS
 */
#include "guest_caps_soak.h"
#include "id_regs.h"

static const char *const soak_files[] = { "idregs", "idregs_limits", "idregs_refused" };
static const int soak_nr_files = ARRAY_SIZE(soak_files);
static const struct id_vm *config;

/* VMs of all kinds, without memory. */
static struct kvm_vm *soak_create_vm(struct kvm_vcpu *vcpus[SOAK_VCPUS])
{
	struct kvm_vcpu_init init = {};
	struct kvm_vm *vm;

	do {
		config = &id_vms[soak_below(ARRAY_SIZE(id_vms))];
	} while (!id_vm_is_possible(config));
	vm = ____vm_create(VM_SHAPE_DEFAULT);
	if (config->mte)
		vm_enable_cap(vm, KVM_CAP_ARM_MTE, 0);
	vm_ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init);
	init.features[0] = config->features;
	for (int i = 0; i < SOAK_VCPUS; i++) {
		vcpus[i] = __vm_vcpu_add(vm, i);
		vcpu_ioctl(vcpus[i], KVM_ARM_VCPU_INIT, &init);
	}
	return vm;
}

static bool soak_vcpu(void *of)
{
	static __thread struct kvm_guest_cap caps[ID_MAX_CAPS];
	struct kvm_vcpu_init init = {};
	struct kvm_vcpu *vcpu = of;
	int i = soak_below(NUM_ID_REGS);
	u32 nr = ID_MAX_CAPS;
	u64 value = 0;

	switch (soak_below(8)) {
	case 0 ... 3:
		if (__vcpu_get_reg(vcpu, id_reg(i), &value))
			return false;
		value ^= (u64)soak_below(4) << soak_below(63);
		return !__vcpu_set_reg(vcpu, id_reg(i), value);
	case 4:
		vm_ioctl(vcpu->vm, KVM_ARM_PREFERRED_TARGET, &init);
		init.features[0] = config->features;
		return !__vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init);
	case 5:
		return !guest_caps_query(vcpu->fd, KVM_GUEST_CAPS_READ, NULL, 0, caps, &nr);
	default:
		/* It has no memory to run from; and not much can be set once it has run. */
		vcpu->run->immediate_exit = 1;
		if (soak_below(16))
			return false;
		return !ioctl(vcpu->fd, KVM_RUN, NULL) || errno == EINTR;
	}
}

static bool soak_vm(void *of)
{
	static __thread struct kvm_guest_cap caps[ID_MAX_CAPS];
	static __thread struct kvm_guest_caps_reg asked[NUM_ID_REGS];
	static __thread u64 masks[KVM_ARM_FEATURE_ID_RANGE_SIZE];
	struct reg_mask_range range = { .addr = (u64)masks };
	struct kvm_vm *vm = of;
	u32 nr = ID_MAX_CAPS;

	for (int i = 0; i < NUM_ID_REGS; i++) {
		asked[i].id = id_reg(i);
		asked[i].value = soak_any();
	}
	switch (soak_below(3)) {
	case 0:
		return !guest_caps_query(vm->fd, KVM_GUEST_CAPS_LIST, NULL, 0, caps, &nr);
	case 1:
		return !guest_caps_query(vm->fd, KVM_GUEST_CAPS_CHECK, asked, NUM_ID_REGS, caps,
					 &nr);
	default:
		return !__vm_ioctl(vm, KVM_ARM_GET_REG_WRITABLE_MASKS, &range);
	}
}

int main(int argc, char **argv)
{
	return soak_main(argc, argv);
}
