// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test that guest CPUID stays as it is where KVM_SET_CPUID2 and others run out of memory, or can't
 * copy: on kernels with fault injection.
 */
#include "guest_caps_faults.h"
#include "guest_caps_table.h"

/* The feature of leaf 1's ECX in which the tables differ. */
#define SSE42		20

/* Not part of the guest's image. */
static struct kvm_guest_cap *caps, *expected;
static struct kvm_cpuid2 *small, *large, *got;
static const struct kvm_cpuid2 *has;
static struct fail_nth fault;

static void guest_code(void)
{
	u32 eax, ebx, ecx, edx;

	for (;;) {
		cpuid(1, &eax, &ebx, &ecx, &edx);
		GUEST_SYNC(0);
	}
}

/* The vCPU has the table that was set last, and what follows from that. */
static void check(struct kvm_vcpu *vcpu)
{
	u32 nr, found = 0;

	memset(got->entries, 0, MAX_ENTRIES * sizeof(*got->entries));
	got->nent = MAX_ENTRIES;
	vcpu_ioctl(vcpu, KVM_GET_CPUID2, got);
	TEST_ASSERT_EQ(got->nent, has->nent);
	TEST_ASSERT(!memcmp(got->entries, has->entries, has->nent * sizeof(*has->entries)),
		    "the vCPU has another table");

	nr = guest_caps_query_all(vcpu->fd, KVM_GUEST_CAPS_READ, NULL, 0, caps, MAX_CAPS);
	for (u32 n = 0; n < nr; n++) {
		if (caps[n].id != KVM_GUEST_CAP_CPUID(1, 0) || caps[n].lsb != 64 + SSE42)
			continue;
		TEST_ASSERT_EQ(caps[n].value, has == large);
		found++;
	}
	TEST_ASSERT_EQ(found, 1);
}

static long set(struct kvm_vcpu *vcpu, const struct kvm_cpuid2 *table)
{
	long ret = __vcpu_ioctl(vcpu, KVM_SET_CPUID2, table);

	if (!ret)
		has = table;
	return ret;
}

/* The vCPU has one table each time, and is to have another one. */
static void test_set(const char *what, struct kvm_vcpu *vcpu, const struct kvm_cpuid2 *before,
		     const struct kvm_cpuid2 *table)
{
	fail_nth_begin(&fault, what);
	do {
		TEST_ASSERT(!set(vcpu, before), "KVM_SET_CPUID2");
		if (!fail_nth_next(&fault))
			break;
		fail_nth_end(&fault, set(vcpu, table));
		check(vcpu);
	} while (true);
}

static int get_cpuid(int fd, unsigned long cmd)
{
	got->nent = MAX_ENTRIES;
	memset(got->entries, 0, MAX_ENTRIES * sizeof(*got->entries));
	return ioctl(fd, cmd, got);
}

/* What is told is whole. */
static void test_get(const char *what, int fd, unsigned long cmd)
{
	struct kvm_cpuid2 *whole = allocate_kvm_cpuid2(MAX_ENTRIES);
	size_t size;

	TEST_ASSERT(!get_cpuid(fd, cmd), "%s", what);
	size = kvm_cpuid2_size(got->nent);
	memcpy(whole, got, size);
	fail_nth_begin(&fault, what);
	while (fail_nth_next(&fault)) {
		if (fail_nth_end(&fault, get_cpuid(fd, cmd)))
			TEST_ASSERT(!memcmp(got, whole, size), "%s: other entries", what);
	}
	free(whole);
}

static void test_query(const char *what, int fd, u32 op, const struct kvm_cpuid2 *asked)
{
	faults_in_query(&fault, what, fd, op, asked ? asked->entries : NULL,
			asked ? asked->nent : 0, expected, caps, MAX_CAPS);
}

int main(void)
{
	const struct kvm_cpuid2 *supported = kvm_get_supported_cpuid();
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	TEST_REQUIRE(get_cpuid_entry(supported, 1, 0)->ecx & BIT(SSE42));
	fail_nth_open(&fault);
	caps = calloc(MAX_CAPS, sizeof(*caps));
	expected = calloc(MAX_CAPS, sizeof(*expected));
	TEST_ASSERT(caps && expected, "no memory");
	got = allocate_kvm_cpuid2(MAX_ENTRIES);
	small = allocate_kvm_cpuid2(MAX_ENTRIES);
	large = allocate_kvm_cpuid2(MAX_ENTRIES);
	memset(large->entries, 0, MAX_ENTRIES * sizeof(*large->entries));
	memcpy(small, supported, kvm_cpuid2_size(supported->nent));
	memcpy(large, supported, kvm_cpuid2_size(supported->nent));
	for (; large->nent < MAX_ENTRIES; large->nent++)
		large->entries[large->nent].function = 0x50000000 + large->nent;
	for (u32 n = 0; n < small->nent; n++) {
		if (small->entries[n].function == 1)
			small->entries[n].ecx &= ~BIT(SSE42);
	}

	vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	/* Now as KVM keeps them. */
	for (int i = 0; i < 2; i++) {
		struct kvm_cpuid2 *table = i ? small : large;

		TEST_ASSERT(!set(vcpu, table), "KVM_SET_CPUID2");
		TEST_ASSERT(!get_cpuid(vcpu->fd, KVM_GET_CPUID2), "KVM_GET_CPUID2");
		memcpy(table, got, kvm_cpuid2_size(got->nent));
	}

	test_set("KVM_SET_CPUID2, 256 entries", vcpu, small, large);
	test_set("KVM_SET_CPUID2", vcpu, large, small);
	TEST_ASSERT(!set(vcpu, small), "KVM_SET_CPUID2");
	test_get("KVM_GET_CPUID2", vcpu->fd, KVM_GET_CPUID2);
	test_get("KVM_GET_SUPPORTED_CPUID", vm->kvm_fd, KVM_GET_SUPPORTED_CPUID);
	/* Padding that can't be read is taken for wrong. */
	fault.other = EINVAL;
	test_get("KVM_GET_EMULATED_CPUID", vm->kvm_fd, KVM_GET_EMULATED_CPUID);
	fault.other = 0;
	test_query("KVM_GUEST_CAPS, list", vm->fd, KVM_GUEST_CAPS_LIST, NULL);
	test_query("KVM_GUEST_CAPS, check", vm->fd, KVM_GUEST_CAPS_CHECK, large);
	test_query("KVM_GUEST_CAPS, read", vcpu->fd, KVM_GUEST_CAPS_READ, NULL);
	faults_in_debugfs(&fault, vm, "vcpu0/guest_caps");

	/* The same again, when it is all that is accepted. */
	vcpu_run(vcpu);
	test_set("KVM_SET_CPUID2 after KVM_RUN", vcpu, small, small);
	vcpu_run(vcpu);
	kvm_vm_free(vm);

	vm = vm_create_barebones();
	faults_in_create_vcpu(&fault, vm, 0);
	kvm_vm_free(vm);
	return 0;
}
