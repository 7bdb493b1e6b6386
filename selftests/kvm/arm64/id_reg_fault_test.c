// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test that ID registers stay as they are where ioctls run out of memory, or can't copy: on kernels
 * with fault injection.
 */
#include "guest_caps_faults.h"
#include "id_regs.h"

static struct kvm_guest_cap caps[ID_MAX_CAPS], expected[ID_MAX_CAPS];
static u64 words[NUM_ID_REGS];
static struct fail_nth fault;

static void read_all(struct kvm_vcpu *vcpu, u64 *to)
{
	for (int i = 0; i < NUM_ID_REGS; i++)
		to[i] = vcpu_get_reg(vcpu, id_reg(i));
}

/* All registers are as they were set last. */
static void check(struct kvm_vcpu *vcpu)
{
	u64 now[NUM_ID_REGS];

	read_all(vcpu, now);
	TEST_ASSERT(!memcmp(now, words, sizeof(now)), "an ID register has changed");
}

static long set(struct kvm_vcpu *vcpu, int i, u64 value)
{
	long ret = __vcpu_set_reg(vcpu, id_reg(i), value);

	if (!ret)
		words[i] = value;
	return ret;
}

/* The register has one value each time, and is to have another one. */
static void test_set(struct kvm_vcpu *vcpu, int i, u64 before, u64 value)
{
	fail_nth_begin(&fault, "KVM_SET_ONE_REG");
	do {
		TEST_ASSERT(!set(vcpu, i, before), "KVM_SET_ONE_REG");
		if (!fail_nth_next(&fault))
			break;
		fail_nth_end(&fault, set(vcpu, i, value));
		check(vcpu);
	} while (true);
}

static void test_get(struct kvm_vcpu *vcpu, int i)
{
	u64 value;

	fail_nth_begin(&fault, "KVM_GET_ONE_REG");
	while (fail_nth_next(&fault)) {
		if (fail_nth_end(&fault, __vcpu_get_reg(vcpu, id_reg(i), &value)))
			TEST_ASSERT_EQ(value, words[i]);
	}
}

static void test_masks(struct kvm_vm *vm)
{
	static u64 masks[KVM_ARM_FEATURE_ID_RANGE_SIZE];
	struct reg_mask_range range = { .addr = (u64)masks };

	fail_nth_begin(&fault, "KVM_ARM_GET_REG_WRITABLE_MASKS");
	while (fail_nth_next(&fault))
		fail_nth_end(&fault, __vm_ioctl(vm, KVM_ARM_GET_REG_WRITABLE_MASKS, &range));
}

static void test_query(const char *what, int fd, u32 op, const struct kvm_guest_caps_reg *asked,
		       u32 nr_asked)
{
	faults_in_query(&fault, what, fd, op, asked, nr_asked, expected, caps, ID_MAX_CAPS);
}

/* A VM's registers are made when its first vCPU is initialized. */
static void test_init(const struct id_vm *config)
{
	struct kvm_vm *vm = ____vm_create(VM_SHAPE_DEFAULT);
	struct kvm_vcpu_init init = {};
	struct kvm_vcpu *vcpu;

	if (config->mte)
		vm_enable_cap(vm, KVM_CAP_ARM_MTE, 0);
	vcpu = __vm_vcpu_add(vm, 0);
	vm_ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init);
	init.features[0] = config->features;

	fail_nth_begin(&fault, "KVM_ARM_VCPU_INIT");
	while (fail_nth_next(&fault))
		fail_nth_end(&fault, __vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init));
	check(vcpu);
	kvm_vm_free(vm);
}

static void test_vm(const struct id_vm *config)
{
	static struct kvm_guest_caps_reg asked[NUM_ID_REGS];
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	u64 value;

	ksft_print_msg("%s\n", config->name);
	vm = id_vm_create(config, &vcpu);
	read_all(vcpu, words);
	for (int i = 0; i < NUM_ID_REGS; i++) {
		asked[i].id = id_reg(i);
		asked[i].value = words[i] ^ 0xf;
		if (strcmp(id_regs[i].name, "ID_AA64ISAR0_EL1"))
			continue;
		/* Back and forth. */
		value = words[i];
		test_set(vcpu, i, value, 0);
		test_set(vcpu, i, 0, value);
		TEST_ASSERT(!set(vcpu, i, value), "KVM_SET_ONE_REG");
		test_get(vcpu, i);
	}
	test_masks(vm);
	test_query("KVM_GUEST_CAPS, list", vm->fd, KVM_GUEST_CAPS_LIST, NULL, 0);
	test_query("KVM_GUEST_CAPS, check", vm->fd, KVM_GUEST_CAPS_CHECK, asked, NUM_ID_REGS);
	test_query("KVM_GUEST_CAPS, read", vcpu->fd, KVM_GUEST_CAPS_READ, NULL, 0);
	faults_in_debugfs(&fault, vm, "idregs_limits");
	faults_in_create_vcpu(&fault, vm, 1);
	check(vcpu);
	kvm_vm_free(vm);

	test_init(config);
}

int main(void)
{
	fail_nth_open(&fault);
	for (int i = 0; i < ARRAY_SIZE(id_vms); i++) {
		if (id_vm_is_possible(&id_vms[i]))
			test_vm(&id_vms[i]);
	}
	return 0;
}
