// SPDX-License-Identifier: GPL-2.0-only
/*
 * Count what guest CPUID costs, in ticks of the TSC: the median of several calls of
 * each ioctl, and the least sum of a thousand exits.  Meant for an emulator whose TSC
 * counts instructions; prints one line "ticks what" for each.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "guest_caps.h"
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

/* Ask what would become of it. */
static void bench_check(struct kvm_vm *vm, int nent)
{
	static struct kvm_guest_cap caps[64];
	const struct kvm_cpuid2 *cpuid = table(nent);
	char what[64];

	snprintf(what, sizeof(what), "KVM_GUEST_CAPS, check of %d entries", nent);
	bench(what, guest_caps_query_all(vm->fd, KVM_GUEST_CAPS_CHECK, cpuid->entries, cpuid->nent,
					 caps, ARRAY_SIZE(caps)));
}

/* What the guest looks at, and the bits of CR4 that it changes before. */
static struct leaf {
	u32 function;
	u32 index;
	u64 cr4_toggle;
} leaf;

static void guest_code(void)
{
	u32 eax, ebx, ecx, edx;
	u64 begin;
	int i;

	for (;;) {
		begin = rdtsc();
		for (i = 0; i < NR_EXITS; i++) {
			if (leaf.cr4_toggle)
				set_cr4(get_cr4() ^ leaf.cr4_toggle);
			__cpuid(leaf.function, leaf.index, &eax, &ebx, &ecx, &edx);
		}
		GUEST_SYNC(rdtsc() - begin);
	}
}

/* The least of several runs: the others have the host's timer on top. */
static void bench_exits(struct kvm_vcpu *vcpu, struct leaf of, int nr_runs, const char *what)
{
	u64 least = -1ull;
	struct ucall uc;

	leaf = of;
	sync_global_to_guest(vcpu->vm, leaf);
	while (nr_runs--) {
		vcpu_run(vcpu);
		TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_SYNC, "no result from the guest");
		if (uc.args[1] < least)
			least = uc.args[1];
	}
	printf("%llu %d exits for CPUID%s\n", (unsigned long long)least, NR_EXITS, what);
}

/* Out of range counts for Intel: everything else is the same whoever the vendor is. */
static void bench_leaves(int nent)
{
	const struct kvm_cpuid2 *cpuid = table(nent);
	const struct kvm_cpuid_entry2 *last = &cpuid->entries[nent - 1];
	const struct {
		struct leaf leaf;
		const char *what;
	} leaves[] = {
		{ { 0 },		"0" },
		{ { 1 },		"1" },
		{ { 7 },		"7" },
		{ { 0xb },		"0xb" },
		{ { 0xd, 1 },		"0xd.1" },
		{ { 0x80000008 },	"0x80000008" },
		{ { last->function, last->index }, "of the last entry" },
		{ { 0xb, 5 },		"0xb.5, undefined" },
		{ { 0x1f, 5 },		"0x1f.5, undefined" },
		{ { 0xe },		"0xe, absent" },
		{ { 0x3f },		"0x3f, out of range" },
	};
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	char what[64];
	int i;

	vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	vcpu_init_cpuid(vcpu, cpuid);
	memcpy(&vcpu->cpuid->entries[0].ebx, "Genu", 4);
	memcpy(&vcpu->cpuid->entries[0].edx, "ineI", 4);
	memcpy(&vcpu->cpuid->entries[0].ecx, "ntel", 4);
	vcpu_set_cpuid(vcpu);
	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		snprintf(what, sizeof(what), " %s, %d entries", leaves[i].what, nent);
		bench_exits(vcpu, leaves[i].leaf, 3, what);
	}
	kvm_vm_free(vm);
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
	if (kvm_has_cap(KVM_CAP_GUEST_CAPS)) {
		bench_check(vm, 64);
		bench_check(vm, MAX_ENTRIES);
	}

	vcpu_ioctl(vcpu, KVM_SET_CPUID2, table(nr));
	bench("KVM_GET_CPUID2", cpuid->nent = MAX_ENTRIES;
	      vcpu_ioctl(vcpu, KVM_GET_CPUID2, cpuid));
	bench("KVM_GET_SUPPORTED_CPUID", cpuid->nent = MAX_ENTRIES;
	      kvm_ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid));
	bench("KVM_GET_EMULATED_CPUID", cpuid->nent = MAX_ENTRIES;
	      kvm_ioctl(kvm_fd, KVM_GET_EMULATED_CPUID, cpuid));
	kvm_vm_free(vm);

	vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	bench_exits(vcpu, (struct leaf) { 0 }, NR_CALLS, "");
	/* CR4.OSXSAVE is a bit of CPUID, which KVM updates when somebody looks. */
	bench_exits(vcpu, (struct leaf) { .cr4_toggle = X86_CR4_OSXSAVE }, NR_CALLS,
		    ", each after a change of CR4.OSXSAVE");
	vcpu_get_cpuid(vcpu);
	bench("KVM_SET_CPUID2 of the same after KVM_RUN",
	      vcpu_ioctl(vcpu, KVM_SET_CPUID2, vcpu->cpuid));
	kvm_vm_free(vm);

	bench_leaves(nr);
	bench_leaves(64);
	bench_leaves(100);
	bench_leaves(MAX_ENTRIES);

	vm = vm_create_barebones();
	nr = 0;
	bench("KVM_CREATE_VCPU",
	      TEST_ASSERT(__vm_ioctl(vm, KVM_CREATE_VCPU, (void *)(long)nr++) >= 0, "no vCPU"));
	kvm_vm_free(vm);
	close(kvm_fd);
	return 0;
}
