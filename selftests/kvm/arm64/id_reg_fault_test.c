// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test that ID registers stay as they are where ioctls run out of memory, or can't copy: on kernels
 * with fault injection.
 */
#include "fail_nth.h"
#include "id_regs.h"

static struct kvm_guest_cap caps[ID_MAX_CAPS], expected[ID_MAX_CAPS];
static u64 words[NUM_ID_REGS];

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

static int query(int fd, u32 op, const struct kvm_guest_caps_reg *asked, u32 nr_asked)
{
	u32 nr = ID_MAX_CAPS;

	memset(caps, 0, sizeof(caps));
	return guest_caps_query(fd, op, asked, nr_asked, caps, &nr);
}

static void test_queries(int fault, const char *what, int fd, u32 op,
			 const struct kvm_guest_caps_reg *asked, u32 nr_asked)
{
	u32 nr = id_vm_query(fd, op, asked, nr_asked, expected);

	for_each_fault(fault, what, query(fd, op, asked, nr_asked),
		       TEST_ASSERT(ret || !memcmp(caps, expected, nr * sizeof(*caps)),
				   "%s: other records", what));
}

static int read_debugfs(struct kvm_vm *vm, const char *name)
{
	char path[128], text[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm->fd, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return fd;
	ret = read(fd, text, sizeof(text));
	TEST_ASSERT(!close(fd), "close");
	return ret;
}

static void test_vm(int fault, const struct id_vm *config)
{
	static struct kvm_guest_caps_reg asked[NUM_ID_REGS];
	static u64 masks[KVM_ARM_FEATURE_ID_RANGE_SIZE];
	struct reg_mask_range range = { .addr = (u64)masks };
	struct kvm_vcpu_init init = {};
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int fd, id = 1;
	u64 value;

	ksft_print_msg("%s\n", config->name);
	vm = id_vm_create(config, &vcpu);
	read_all(vcpu, words);
	vm_ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init);
	init.features[0] = config->features;

	for (int i = 0; i < NUM_ID_REGS; i++)
		asked[i] = (struct kvm_guest_caps_reg) { .id = id_reg(i), .value = words[i] ^ 0xf };

	for (int i = 0; i < NUM_ID_REGS; i++) {
		if (strcmp(id_regs[i].name, "ID_AA64ISAR0_EL1"))
			continue;
		/* Back and forth. */
		value = words[i];
		for_each_fault(fault, "KVM_SET_ONE_REG", set(vcpu, i, 0), check(vcpu));
		for_each_fault(fault, "KVM_SET_ONE_REG", set(vcpu, i, value), check(vcpu));
		for_each_fault(fault, "KVM_GET_ONE_REG",
			       __vcpu_get_reg(vcpu, id_reg(i), &value),
			       TEST_ASSERT(ret || value == words[i], "another value"));
	}
	for_each_fault(fault, "KVM_ARM_GET_REG_WRITABLE_MASKS",
		       __vm_ioctl(vm, KVM_ARM_GET_REG_WRITABLE_MASKS, &range), check(vcpu));
	test_queries(fault, "KVM_GUEST_CAPS, list", vm->fd, KVM_GUEST_CAPS_LIST, NULL, 0);
	test_queries(fault, "KVM_GUEST_CAPS, check", vm->fd, KVM_GUEST_CAPS_CHECK, asked, NUM_ID_REGS);
	test_queries(fault, "KVM_GUEST_CAPS, read", vcpu->fd, KVM_GUEST_CAPS_READ, NULL, 0);
	check(vcpu);
	for_each_fault(fault, "idregs_limits", read_debugfs(vm, "idregs_limits"), );
	for_each_fault(fault, "KVM_CREATE_VCPU", fd = ioctl(vm->fd, KVM_CREATE_VCPU, id),
		       if (ret >= 0) { close(fd); id++; });
	check(vcpu);
	kvm_vm_free(vm);

	/* A VM's registers are made when its first vCPU is initialized. */
	vm = ____vm_create(VM_SHAPE_DEFAULT);
	if (config->mte)
		vm_enable_cap(vm, KVM_CAP_ARM_MTE, 0);
	vcpu = __vm_vcpu_add(vm, 0);
	for_each_fault(fault, "KVM_ARM_VCPU_INIT", __vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init), );
	check(vcpu);
	kvm_vm_free(vm);
}

int main(void)
{
	int fault = fail_nth_open();

	for (int i = 0; i < ARRAY_SIZE(id_vms); i++) {
		if (id_vm_is_possible(&id_vms[i]))
			test_vm(fault, &id_vms[i]);
	}
	return 0;
}
