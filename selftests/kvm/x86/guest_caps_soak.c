// SPDX-License-Identifier: GPL-2.0-only
/*
 * Have vCPUs set, run, asked and shown at the same time, while VMs come and go.
 *
 * usage: guest_caps_soak SECONDS
 */
#include "guest_caps_soak.h"
#include "guest_caps_table.h"

static const char *const soak_files[] = { "vcpu0/guest_caps", "vcpu1/guest_caps" };
static const int soak_nr_files = ARRAY_SIZE(soak_files);

static void guest_code(void)
{
	u32 eax, ebx, ecx, edx;

	for (;;) {
		cpuid(1, &eax, &ebx, &ecx, &edx);
		if (ecx & BIT(X86_FEATURE_XSAVE.bit))
			set_cr4(get_cr4() ^ X86_CR4_OSXSAVE);
		cpuid(0xd, &eax, &ebx, &ecx, &edx);
		GUEST_SYNC(0);
	}
}

static struct kvm_vm *soak_create_vm(struct kvm_vcpu *vcpus[SOAK_VCPUS])
{
	return vm_create_with_vcpus(SOAK_VCPUS, guest_code, vcpus);
}

static bool soak_vcpu(void *of)
{
	static __thread struct kvm_guest_cap caps[MAX_CAPS];
	struct kvm_cpuid2 *table = allocate_kvm_cpuid2(MAX_ENTRIES);
	struct kvm_vcpu *vcpu = of;
	u32 nr = MAX_CAPS;
	int ret = -1;

	switch (soak_below(8)) {
	case 0 ... 2:
		make_table(table);
		ret = __vcpu_ioctl(vcpu, KVM_SET_CPUID2, table);
		break;
	case 3:
		ret = __vcpu_ioctl(vcpu, KVM_SET_CPUID2, vcpu->cpuid);
		break;
	case 4:
		ret = __vcpu_ioctl(vcpu, KVM_GET_CPUID2, table);
		break;
	case 5:
		ret = guest_caps_query(vcpu->fd, KVM_GUEST_CAPS_READ, NULL, 0, caps, &nr);
		break;
	default:
		/* Seldom, as not much can be set from then on.  What the guest does is its own. */
		if (!soak_below(16))
			ret = ioctl(vcpu->fd, KVM_RUN, NULL);
	}
	free(table);
	return !ret;
}

static bool soak_vm(void *of)
{
	static __thread struct kvm_guest_cap caps[MAX_CAPS];
	struct kvm_cpuid2 *table = allocate_kvm_cpuid2(MAX_ENTRIES);
	u32 op = soak_below(2) ? KVM_GUEST_CAPS_LIST : KVM_GUEST_CAPS_CHECK;
	struct kvm_vm *vm = of;
	u32 nr = MAX_CAPS;
	int ret;

	make_table(table);
	if (op == KVM_GUEST_CAPS_LIST)
		table->nent = 0;
	ret = guest_caps_query(vm->fd, op, table->nent ? table->entries : NULL, table->nent, caps,
			       &nr);
	free(table);
	return !ret;
}

int main(int argc, char **argv)
{
	kvm_get_supported_cpuid();
	return soak_main(argc, argv);
}
