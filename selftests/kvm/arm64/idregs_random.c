// SPDX-License-Identifier: GPL-2.0-only
/*
 * Say what KVM makes of random writes to ID registers, each behind those before it: VMs of all
 * kinds, with up to sixteen writes each, a line for each:
 *
 *	random VM KIND REGISTER DIGITS ERROR CHANGE
 *
 * DIGITS are the hexadecimal digits in which the value written is not the one that was there, a
 * bit each, and CHANGE what is not as written when it is read back; and then, once the VM has run,
 *
 *	random VM KIND runs 0 0 CHANGE
 *
 * with CHANGE a digest of how what the guest reads is not what userspace reads.
 *
 * usage: idregs_random plain|nested [VMS [FIRST]]
 */
#include "id_regs.h"

static u64 any(void)
{
	return (u64)random() << 42 ^ (u64)random() << 21 ^ random();
}

static u64 any_value(u64 word)
{
	u64 value = word;

	switch (any() % 8) {
	case 0:
		return any();
	case 1:
		return word & any();
	}
	for (int digits = 1 + any() % 3; digits; digits--) {
		int shift = any() % 16 * 4;

		value = (value & ~(15ull << shift)) | (any() & 15) << shift;
	}
	return value;
}

static u16 digits(u64 differ)
{
	u16 which = 0;

	for (int i = 0; i < 16; i++)
		which |= (differ >> (4 * i) & 15 ? 1 : 0) << i;
	return which;
}

static void try_vm(unsigned long n, const struct id_vm *config)
{
	u64 values[NUM_ID_REGS], digest = 0;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = id_vm_create(config, &vcpu);
	for (int writes = any() % 17; writes; writes--) {
		unsigned int i = any() % NUM_ID_REGS;
		u64 word = vcpu_get_reg(vcpu, id_reg(i));
		u64 value = any_value(word);
		int error = __vcpu_set_reg(vcpu, id_reg(i), value) ? errno : 0;

		printf("random %lu %s %s %x %d %lx\n", n, config->name, id_regs[i].name,
		       digits(word ^ value), error,
		       error ? 0 : vcpu_get_reg(vcpu, id_reg(i)) ^ value);
	}
	id_vm_read(config, vm, vcpu, values);
	for (int i = 0; i < NUM_ID_REGS; i++)
		digest = digest * 0x100000001b3ull + (vcpu_get_reg(vcpu, id_reg(i)) ^ values[i]);
	printf("random %lu %s runs 0 0 %lx\n", n, config->name, digest);
	kvm_vm_free(vm);
}

int main(int argc, char **argv)
{
	bool is_nested = argc > 1 && !strcmp(argv[1], "nested");
	unsigned long nr = argc > 2 ? strtoul(argv[2], NULL, 0) : 100;
	unsigned long first = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;

	for (unsigned long n = first; n < first + nr; n++) {
		const struct id_vm *config;

		srandom(n);
		do {
			config = &id_vms[any() % ARRAY_SIZE(id_vms)];
			if (is_nested && !kvm_has_cap(KVM_CAP_ARM_EL2))
				return 0;
		} while (!id_vm_is_possible(config) ||
			 !!(config->features & BIT(KVM_ARM_VCPU_HAS_EL2)) != is_nested);
		try_vm(n, config);
	}
	return 0;
}
