// SPDX-License-Identifier: GPL-2.0-only
/*
 * Count what guest CPUID costs, in ticks of the TSC: the median of several calls of
 * each ioctl, and the least sum of a thousand exits.  Meant for an emulator whose TSC
 * counts instructions; prints one line "ticks what" for each.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

#define NR_CALLS	15
#define NR_EXITS	1000

/* KVM_MAX_CPUID_ENTRIES */
#define MAX_ENTRIES	256

static u64 samples[NR_CALLS];

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void report(const char *what)
{
	qsort(samples, NR_CALLS, sizeof(*samples), compare);
	printf("%llu %s\n", (unsigned long long)samples[NR_CALLS / 2], what);
}

#define bench(what, call)					\
do {								\
	int i;							\
								\
	for (i = 0; i < NR_CALLS; i++) {			\
		u64 begin = rdtsc();				\
								\
		call;						\
		samples[i] = rdtsc() - begin;			\
	}							\
	report(what);						\
} while (0)

static struct kvm_cpuid2 *alloc_cpuid(void)
{
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(MAX_ENTRIES);

	memset(cpuid->entries, 0, MAX_ENTRIES * sizeof(*cpuid->entries));
	return cpuid;
}

/* The first @nent of KVM's own entries, or all, with entries that nobody looks up. */
static const struct kvm_cpuid2 *table(int nent)
{
	static struct kvm_cpuid2 *cpuid;
	const struct kvm_cpuid2 *supported = kvm_get_supported_cpuid();
	int i;

	if (!cpuid)
		cpuid = alloc_cpuid();
	for (i = 0; i < nent; i++) {
		if (i < supported->nent)
			cpuid->entries[i] = supported->entries[i];
		else
			cpuid->entries[i].function = 0x50000000 + i;
	}
	cpuid->nent = nent;
	return cpuid;
}

static void bench_set(struct kvm_vcpu *vcpu, int nent)
{
	const struct kvm_cpuid2 *cpuid = table(nent);
	char what[64];

	snprintf(what, sizeof(what), "KVM_SET_CPUID2, %d entr%s", nent,
		 nent == 1 ? "y" : "ies");
	bench(what, vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid));
}

/* CR4.OSXSAVE is a bit of CPUID, which KVM updates when somebody looks. */
static u64 guest_exits(u64 cr4_toggle)
{
	u32 eax, ebx, ecx, edx;
	u64 begin = rdtsc();
	int i;

	for (i = 0; i < NR_EXITS; i++) {
		if (cr4_toggle)
			set_cr4(get_cr4() ^ cr4_toggle);
		__cpuid(0, 0, &eax, &ebx, &ecx, &edx);
	}
	return rdtsc() - begin;
}

static void guest_code(void)
{
	for (;;) {
		GUEST_SYNC(guest_exits(0));
		GUEST_SYNC(guest_exits(X86_CR4_OSXSAVE));
	}
}

/* The least of several runs: the others have the host's timer on top. */
static void bench_exits(struct kvm_vcpu *vcpu)
{
	u64 least[2] = { -1ull, -1ull };
	struct ucall uc;
	int i;

	for (i = 0; i < 2 * NR_CALLS; i++) {
		vcpu_run(vcpu);
		TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_SYNC, "no result from the guest");
		if (uc.args[1] < least[i % 2])
			least[i % 2] = uc.args[1];
	}
	printf("%llu %d exits for CPUID\n", (unsigned long long)least[0], NR_EXITS);
	printf("%llu %d exits for CPUID, each after a change of CR4.OSXSAVE\n",
	       (unsigned long long)least[1], NR_EXITS);
}

int main(void)
{
	int kvm_fd = open_kvm_dev_path_or_exit();
	struct kvm_cpuid2 *cpuid = alloc_cpuid();
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int nr;

	vm = vm_create_barebones();
	vcpu = __vm_vcpu_add(vm, 0);
	nr = kvm_get_supported_cpuid()->nent;

	bench_set(vcpu, 1);
	bench_set(vcpu, nr);
	bench_set(vcpu, 64);
	bench_set(vcpu, 128);
	bench_set(vcpu, MAX_ENTRIES);

	vcpu_ioctl(vcpu, KVM_SET_CPUID2, table(nr));
	bench("KVM_GET_CPUID2", cpuid->nent = MAX_ENTRIES;
	      vcpu_ioctl(vcpu, KVM_GET_CPUID2, cpuid));
	bench("KVM_GET_SUPPORTED_CPUID", cpuid->nent = MAX_ENTRIES;
	      kvm_ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid));
	bench("KVM_GET_EMULATED_CPUID", cpuid->nent = MAX_ENTRIES;
	      kvm_ioctl(kvm_fd, KVM_GET_EMULATED_CPUID, cpuid));
	kvm_vm_free(vm);

	vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	bench_exits(vcpu);
	vcpu_get_cpuid(vcpu);
	bench("KVM_SET_CPUID2 of the same after KVM_RUN",
	      vcpu_ioctl(vcpu, KVM_SET_CPUID2, vcpu->cpuid));
	kvm_vm_free(vm);

	vm = vm_create_barebones();
	nr = 0;
	bench("KVM_CREATE_VCPU",
	      TEST_ASSERT(__vm_ioctl(vm, KVM_CREATE_VCPU, (void *)(long)nr++) >= 0, "no vCPU"));
	kvm_vm_free(vm);
	close(kvm_fd);
	return 0;
}
