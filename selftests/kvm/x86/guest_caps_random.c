// SPDX-License-Identifier: GPL-2.0-only
/*
 * Say what KVM makes of random tables of CPUID entries: errors, the tables that vCPUs have, and
 * what follows from these for CR4, EFER, XCR0 and MSRs.  Two kernels that say the same do the same.
 * On a line, a digest of several tables:
 *
 *	random FIRST TABLES DIGEST
 *
 * usage: guest_caps_random [TABLES [FIRST]]	(with FIRST, a line for each table)
 */
#include "guest_caps_table.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

/* A VM's. */
#define TABLES_OF_A_VM	50

static u64 digest;

static void add(const void *of, size_t size)
{
	const u8 *byte = of;

	while (size--)
		digest = (digest ^ *byte++) * 0x100000001b3ull;
}

/* Whether it was done, or why not. */
static void add_verdict(int ret)
{
	int error = ret < 0 ? errno : ret;

	add(&error, sizeof(error));
}

static void probe_sregs(struct kvm_vcpu *vcpu)
{
	struct kvm_sregs old, sregs;

	vcpu_sregs_get(vcpu, &old);
	for (int i = 0; i < 6; i++) {
		sregs = old;
		if (i < 4)
			sregs.cr4 ^= BIT(any(33));
		else
			sregs.efer ^= BIT(any(24));
		add_verdict(_vcpu_sregs_set(vcpu, &sregs));
	}
	/* Some stay: CPUID shows them. */
	sregs = old;
	sregs.cr4 |= any(2) ? X86_CR4_OSXSAVE : X86_CR4_PKE;
	add_verdict(_vcpu_sregs_set(vcpu, any(2) ? &sregs : &old));
}

static void probe_msrs(struct kvm_vcpu *vcpu)
{
	static const u32 indices[] = {
		MSR_EFER, MSR_TSC_AUX, MSR_IA32_XSS, MSR_IA32_SPEC_CTRL, MSR_IA32_PRED_CMD,
		MSR_IA32_FLUSH_CMD, MSR_IA32_UMWAIT_CONTROL, MSR_IA32_XFD, MSR_IA32_XFD_ERR,
		MSR_IA32_MISC_ENABLE, MSR_IA32_FEAT_CTL, MSR_IA32_ARCH_CAPABILITIES,
		MSR_IA32_TSX_CTRL, MSR_IA32_BNDCFGS, MSR_AMD64_VIRT_SPEC_CTRL, MSR_K7_HWCR,
		MSR_IA32_U_CET, MSR_IA32_S_CET, MSR_IA32_PL0_SSP, MSR_IA32_DEBUGCTLMSR,
		MSR_IA32_PERF_CAPABILITIES, MSR_KVM_POLL_CONTROL, MSR_KVM_ASYNC_PF_EN,
		MSR_KVM_STEAL_TIME, MSR_KVM_PV_EOI_EN, MSR_AMD64_TSC_RATIO, MSR_VM_HSAVE_PA,
		MSR_IA32_TSC_DEADLINE, MSR_IA32_CR_PAT, MSR_CSTAR, MSR_IA32_SYSENTER_EIP,
	};

	for (int i = 0; i < 8; i++) {
		u32 index = indices[any(ARRAY_SIZE(indices))];
		u64 value = any(3) ? BIT(any(64)) : any(2) ? 0 : any32();
		struct {
			struct kvm_msrs header;
			struct kvm_msr_entry entry;
		} get = { .header.nmsrs = 1, .entry.index = index };

		add_verdict(_vcpu_set_msr(vcpu, index, value));
		add_verdict(ioctl(vcpu->fd, KVM_GET_MSRS, &get));
		/* What counts time is never the same. */
		if (index != MSR_IA32_TSC_DEADLINE)
			add(&get.entry.data, sizeof(get.entry.data));
	}
}

static void probe_xcrs(struct kvm_vcpu *vcpu)
{
	struct kvm_xcrs xcrs = {
		.nr_xcrs = 1,
		.xcrs[0].value = (any32() & 0x602e6) | 1,
	};

	if (kvm_has_cap(KVM_CAP_XCRS))
		add_verdict(__vcpu_ioctl(vcpu, KVM_SET_XCRS, &xcrs));
}

static void try_table(struct kvm_vcpu *vcpu, struct kvm_cpuid2 *table, struct kvm_cpuid2 *got)
{
	make_table(table);
	add_verdict(__vcpu_ioctl(vcpu, KVM_SET_CPUID2, table));
	for (int i = 0; i < 2; i++) {
		memset(got->entries, 0, MAX_ENTRIES * sizeof(*got->entries));
		got->nent = any(8) ? MAX_ENTRIES : any(MAX_ENTRIES);
		add_verdict(__vcpu_ioctl(vcpu, KVM_GET_CPUID2, got));
		add(&got->nent, sizeof(got->nent));
		add(got->entries, MAX_ENTRIES * sizeof(*got->entries));
		if (i)
			break;
		probe_sregs(vcpu);
		probe_msrs(vcpu);
		probe_xcrs(vcpu);
	}
}

static struct kvm_vm *make_vm(struct kvm_vcpu **vcpu)
{
	struct kvm_vm *vm = vm_create_barebones();
	u64 quirks = KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT;

	if (any(2))
		vm_create_irqchip(vm);
	if (any(2))
		vm_enable_cap(vm, KVM_CAP_DISABLE_QUIRKS2, quirks);
	if (any(2) && kvm_check_cap(KVM_CAP_X86_DISABLE_EXITS) & KVM_X86_DISABLE_EXITS_HLT)
		vm_enable_cap(vm, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_HLT);
	*vcpu = __vm_vcpu_add(vm, 0);
	return vm;
}

int main(int argc, char **argv)
{
	unsigned long nr = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
	unsigned long first = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	struct kvm_cpuid2 *table = allocate_kvm_cpuid2(MAX_ENTRIES);
	struct kvm_cpuid2 *got = allocate_kvm_cpuid2(MAX_ENTRIES);
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	/* Leaves 1 and 0xb have the CPU's number. */
	pin_self_to_cpu(0);
	for (unsigned long n = first; n < first + nr; n += TABLES_OF_A_VM) {
		srandom(n);
		digest = 0xcbf29ce484222325ull;
		vm = make_vm(&vcpu);
		for (unsigned long i = 0; i < TABLES_OF_A_VM; i++) {
			try_table(vcpu, table, got);
			if (argc > 2)
				printf("random %lu 1 %016llx\n", n + i,
				       (unsigned long long)digest);
		}
		kvm_vm_free(vm);
		if (argc <= 2)
			printf("random %lu %d %016llx\n", n, TABLES_OF_A_VM,
			       (unsigned long long)digest);
	}
	return 0;
}
