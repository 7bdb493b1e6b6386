// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test that protected VMs see in ID registers what idregs_limits in debugfs says that they see,
 * whatever userspace writes there.  It's the hypervisor at EL2 that has these registers, and KVM
 * can't look at them: it says nothing of them by KVM_GUEST_CAPS.
 */
#include <sys/mman.h>

#include "id_regs.h"
#include "kselftest.h"

static const struct {
	const char *name;
	u64 features;
	bool lower;		/* userspace asks for nothing in ID_AA64ISAR0_EL1 */
} configs[] = {
	{ "plain" },
	{ "lowered", .lower = true },
	{ "sve", BIT(KVM_ARM_VCPU_SVE) },
	{ "ptrauth", BIT(KVM_ARM_VCPU_PTRAUTH_ADDRESS) | BIT(KVM_ARM_VCPU_PTRAUTH_GENERIC) },
};

/* The library makes no VMs of a type of their own on arm64. */
static bool create_vm(struct kvm_vm *vm)
{
	vm->kvm_fd = open_kvm_dev_path_or_exit();
	vm->fd = __kvm_ioctl(vm->kvm_fd, KVM_CREATE_VM, (void *)KVM_VM_TYPE_ARM_PROTECTED);
	return vm->fd >= 0;
}

/* Of other VMs, once they are configured, it tells all that is asked here. */
static void test_query(int fd, u32 op)
{
	static struct kvm_guest_cap caps[ID_MAX_CAPS];
	u32 nr = ARRAY_SIZE(caps);

	TEST_ASSERT(guest_caps_query(fd, op, NULL, 0, caps, &nr) && errno == EINVAL,
		    "KVM_GUEST_CAPS %u of a protected VM: %u records", op, nr);
}

/* What debugfs says that the VM has. */
static void read_debugfs(struct kvm_vm *vm, u64 *values)
{
	FILE *f = id_vm_open(vm, "idregs_limits");
	struct id_reg_line l;
	char line[512];

	TEST_ASSERT(f, "no idregs_limits");
	memset(values, 0, NUM_ID_REGS * sizeof(*values));
	for (int i = 0; fgets(line, sizeof(line), f); i += !l.lsb) {
		TEST_ASSERT(i < NUM_ID_REGS && id_reg_parse(line, &l), "format: %s", line);
		TEST_ASSERT(l.value == l.limit || id_regs[i].encoding == SYS_CTR_EL0,
			    "another value than its limit: %s", line);
		TEST_ASSERT(!strcmp(l.kind, "fixed") || id_regs[i].encoding == SYS_CTR_EL0,
			    "writable: %s", line);
		values[i] |= l.value << l.lsb;
	}
	fclose(f);
}

static void test_config(int n)
{
	static u64 guest[NUM_ID_REGS], told[NUM_ID_REGS];
	struct kvm_userspace_memory_region region = { .memory_size = getpagesize() };
	struct kvm_vcpu_init init = { .features[0] = configs[n].features };
	struct kvm_vm vm = {};
	struct kvm_vcpu vcpu = { .vm = &vm };
	int sve = KVM_ARM_VCPU_SVE, zero;
	struct kvm_vcpu_init target;
	u32 *code;

	TEST_ASSERT(create_vm(&vm), KVM_IOCTL_ERROR(KVM_CREATE_VM, vm.fd));
	code = kvm_mmap(region.memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1);
	region.guest_phys_addr = ID_VM_CODE;
	region.userspace_addr = (u64)code;
	vm_ioctl(&vm, KVM_SET_USER_MEMORY_REGION, &region);

	vcpu.fd = __vm_ioctl(&vm, KVM_CREATE_VCPU, NULL);
	TEST_ASSERT(vcpu.fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VCPU, vcpu.fd));
	vcpu.run = kvm_mmap(sizeof(*vcpu.run), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.fd);
	vm_ioctl(&vm, KVM_ARM_PREFERRED_TARGET, &target);
	init.target = target.target;
	if (__vcpu_ioctl(&vcpu, KVM_ARM_VCPU_INIT, &init)) {
		TEST_ASSERT(errno == EINVAL && init.features[0],
			    KVM_IOCTL_ERROR(KVM_ARM_VCPU_INIT, -1));
		ksft_test_result_skip("%s: not on this host\n", configs[n].name);
		goto out;
	}
	if (init.features[0] & BIT(KVM_ARM_VCPU_SVE))
		vcpu_ioctl(&vcpu, KVM_ARM_VCPU_FINALIZE, &sve);
	if (configs[n].lower)
		vcpu_set_reg(&vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64ISAR0_EL1), 0);

	test_query(vm.fd, KVM_GUEST_CAPS_LIST);
	test_query(vm.fd, KVM_GUEST_CAPS_CHECK);
	test_query(vcpu.fd, KVM_GUEST_CAPS_READ);

	read_debugfs(&vm, told);
	id_vm_run(&vcpu, code, guest);
	for (int i = zero = 0; i < NUM_ID_REGS; i++) {
		TEST_ASSERT(guest[i] == told[i], "%s: %lx, and debugfs says %lx",
			    id_regs[i].name, guest[i], told[i]);
		zero += !guest[i];
	}
	/* At least what it can't do without. */
	TEST_ASSERT(zero < NUM_ID_REGS - 5, "%d registers are zero", zero);
	ksft_test_result_pass("%s\n", configs[n].name);
out:
	kvm_munmap(vcpu.run, sizeof(*vcpu.run));
	close(vcpu.fd);
	close(vm.fd);
	close(vm.kvm_fd);
	kvm_munmap(code, region.memory_size);
}

int main(void)
{
	struct kvm_vm vm = {};
	FILE *f;

	__TEST_REQUIRE(create_vm(&vm), "KVM makes no protected VMs here");
	f = id_vm_open(&vm, "idregs_limits");
	__TEST_REQUIRE(f, "KVM has no idregs_limits in debugfs");
	fclose(f);
	close(vm.fd);
	close(vm.kvm_fd);

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(configs));
	for (int i = 0; i < ARRAY_SIZE(configs); i++)
		test_config(i);
	ksft_finished();
}
