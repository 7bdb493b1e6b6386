// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print what CPUID has on the first CPU, what KVM_GET_SUPPORTED_CPUID and
 * KVM_GET_EMULATED_CPUID report, and what KVM_GET_CPUID2 makes of the former for a
 * new vCPU: a line an entry, all fields, in hex.
 */
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

/* KVM_MAX_CPUID_ENTRIES */
#define MAX_ENTRIES	256

static void print_entries(const char *what, const struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e;

	for (e = cpuid->entries; e < cpuid->entries + cpuid->nent; e++)
		printf("%s %08x.%x %x %08x %08x %08x %08x %x %x %x\n", what, e->function,
		       e->index, e->flags, e->eax, e->ebx, e->ecx, e->edx,
		       e->padding[0], e->padding[1], e->padding[2]);
}

static void print_host(const struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e;
	u32 eax, ebx, ecx, edx;

	for (e = cpuid->entries; e < cpuid->entries + cpuid->nent; e++) {
		/* KVM's own leaves are none of the host. */
		if ((e->function & 0xf0000000) == 0x40000000)
			continue;
		__cpuid(e->function, e->index, &eax, &ebx, &ecx, &edx);
		printf("host %08x.%x %08x %08x %08x %08x\n", e->function, e->index,
		       eax, ebx, ecx, edx);
	}
}

int main(void)
{
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(MAX_ENTRIES);
	const struct kvm_cpuid2 *supported;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int kvm_fd;

	/* Some of CPUID says which CPU it is executed on. */
	pin_self_to_cpu(0);

	kvm_fd = open_kvm_dev_path_or_exit();
	supported = kvm_get_supported_cpuid();
	print_host(supported);
	print_entries("supported", supported);

	kvm_ioctl(kvm_fd, KVM_GET_EMULATED_CPUID, cpuid);
	print_entries("emulated", cpuid);

	vm = vm_create_barebones();
	vcpu = __vm_vcpu_add(vm, 0);
	vcpu_ioctl(vcpu, KVM_SET_CPUID2, supported);
	cpuid->nent = MAX_ENTRIES;
	vcpu_ioctl(vcpu, KVM_GET_CPUID2, cpuid);
	print_entries("guest", cpuid);

	kvm_vm_free(vm);
	close(kvm_fd);
	return 0;
}
