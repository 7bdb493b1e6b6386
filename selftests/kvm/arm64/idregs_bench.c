// SPDX-License-Identifier: GPL-2.0-only
/*
 * Count what ID registers cost, in ticks of the virtual counter: the median of several calls of
 * each ioctl, or of sums over all registers, and the least sum of a thousand exits. Meant for an
 * emulator whose counter counts instructions; prints one line "ticks what" for each.
 */
#include <stdlib.h>

#include "id_regs.h"

#define NR_CALLS	15
#define NR_READS	1000

/* CTR_EL0 is the last one, and is left out: it has been there for longer. */
#define NR_REGS		(NUM_ID_REGS - 1)

static u64 samples[NR_CALLS];

static u64 now(void)
{
	return read_sysreg(cntvct_el0);
}

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void report(const char *what, int rank)
{
	qsort(samples, NR_CALLS, sizeof(*samples), compare);
	printf("%llu %s\n", (unsigned long long)samples[rank], what);
}

#define MEDIAN	(NR_CALLS / 2)
#define LEAST	0

#define bench(what, rank, call)					\
do {								\
	for (int i = 0; i < NR_CALLS; i++) {			\
		u64 begin = now();				\
								\
		call;						\
		samples[i] = now() - begin;			\
	}							\
	report(what, rank);					\
} while (0)

static void init(const char *what, bool second)
{
	for (int i = 0; i < NR_CALLS; i++) {
		struct kvm_vm *vm = vm_create_barebones();
		struct kvm_vcpu *vcpu = __vm_vcpu_add(vm, 0);
		struct kvm_vcpu_init init = {};
		u64 begin;

		vm_ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init);
		if (second) {
			vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init);
			vcpu = __vm_vcpu_add(vm, 1);
		}
		begin = now();
		vcpu_ioctl(vcpu, KVM_ARM_VCPU_INIT, &init);
		samples[i] = now() - begin;
		kvm_vm_free(vm);
	}
	report(what, MEDIAN);
}

static void get_all(struct kvm_vcpu *vcpu, u64 *values)
{
	for (int i = 0; i < NR_REGS; i++) {
		struct kvm_one_reg reg = { .id = id_reg(i), .addr = (u64)&values[i] };

		ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg);
	}
}

static int set_all(struct kvm_vcpu *vcpu, u64 *values)
{
	int accepted = 0;

	for (int i = 0; i < NR_REGS; i++) {
		struct kvm_one_reg reg = { .id = id_reg(i), .addr = (u64)&values[i] };

		accepted += !ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg);
	}
	return accepted;
}

static void bench_guest(const struct id_vm *config)
{
	u64 values[NUM_ID_REGS];
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = id_vm_create(config, &vcpu);
	u32 *code;

	id_vm_read(config, vm, vcpu, values);
	code = addr_gpa2hva(vm, ID_VM_CODE);
	code[1] = 0xd2807d02;						/* mov x2, #NR_READS */
	code[2] = 0xd5200000 | SYS_ID_AA64ISAR0_EL1;			/* mrs x0, <register> */
	code[3] = 0xf1000442;						/* subs x2, x2, #1 */
	code[4] = 0x54ffffc1;						/* b.ne .-8 */
	code[5] = 0xf9000020;						/* str x0, [x1] */
	code[6] = 0x17fffffb;						/* b .-20 */
	/* The store that it was left at is completed first, and skipped. */
	vcpu_set_reg(vcpu, ARM64_CORE_REG(regs.pc), ID_VM_CODE);
	vcpu_run(vcpu);
	/* Long enough that the host's timer interferes now and then. */
	bench("1,000 reads of an ID register by the guest", LEAST, vcpu_run(vcpu));
	TEST_ASSERT_EQ(vcpu->run->exit_reason, KVM_EXIT_MMIO);
	kvm_vm_free(vm);
}

/* Ask whether the VM can have such values. */
static void bench_check(struct kvm_vm *vm, const u64 *values, const char *what)
{
	static struct kvm_guest_cap caps[ID_MAX_CAPS];
	struct kvm_guest_caps_reg asked[NR_REGS];

	for (int i = 0; i < NR_REGS; i++)
		asked[i] = (struct kvm_guest_caps_reg) { id_reg(i), values[i] };
	bench(what, MEDIAN, id_vm_query(vm->fd, KVM_GUEST_CAPS_CHECK, asked, NR_REGS, caps));
}

int main(void)
{
	static u64 values[NUM_ID_REGS], ones[NUM_ID_REGS];
	static u64 masks[KVM_ARM_FEATURE_ID_RANGE_SIZE];
	struct reg_mask_range range = { .addr = (u64)masks };
	const struct id_vm *config = &id_vms[0];
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	init("KVM_ARM_VCPU_INIT, first vCPU of a VM", false);
	init("KVM_ARM_VCPU_INIT, second vCPU", true);

	vm = id_vm_create(config, &vcpu);
	memset(ones, 0xff, sizeof(ones));
	get_all(vcpu, values);
	TEST_ASSERT_EQ(set_all(vcpu, values), NR_REGS);
	TEST_ASSERT_EQ(set_all(vcpu, ones), 0);
	bench("KVM_GET_ONE_REG, 56 ID registers", MEDIAN, get_all(vcpu, values));
	bench("KVM_SET_ONE_REG, 56 ID registers, the same values", MEDIAN,
	      set_all(vcpu, values));
	bench("KVM_SET_ONE_REG, 56 ID registers, all ones, refused", MEDIAN,
	      set_all(vcpu, ones));

	/* The least that each register takes: something to compare field by field. */
	for (int i = 0; i < NR_REGS; i++) {
		u64 word = values[i];

		for (int digit = 0; digit < 16; digit++) {
			u64 less = word & ~(15ULL << (4 * digit));

			if (!__vcpu_set_reg(vcpu, id_reg(i), less))
				word = less;
		}
		ones[i] = word;
	}
	bench("KVM_SET_ONE_REG, 56 ID registers, lower values, accepted", MEDIAN,
	      set_all(vcpu, ones));
	TEST_ASSERT_EQ(set_all(vcpu, ones), NR_REGS);
	if (kvm_has_cap(KVM_CAP_GUEST_CAPS)) {
		bench_check(vm, values, "KVM_GUEST_CAPS, 56 ID registers, what fits");
		memset(ones, 0xff, sizeof(ones));
		bench_check(vm, ones, "KVM_GUEST_CAPS, 56 ID registers, all ones");
	}
	bench("KVM_ARM_GET_REG_WRITABLE_MASKS", MEDIAN,
	      vm_ioctl(vm, KVM_ARM_GET_REG_WRITABLE_MASKS, &range));
	kvm_vm_free(vm);

	bench_guest(config);
	return 0;
}
