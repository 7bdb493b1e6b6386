// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test what KVM_GUEST_CAPS says of ID registers: that what it lists is what KVM_SET_ONE_REG takes,
 * value by value; that what it says of random sets of registers is what KVM_SET_ONE_REG then does
 * with them; that the nearest values which it offers fit; what it says once the VM has run; and bad
 * requests.
 *
 * usage: id_reg_query_test [SETS [SEED]]
 */
#include <stdlib.h>

#include "id_regs.h"
#include "kselftest.h"

#define MAX_SET		12

static struct kvm_guest_cap caps[ID_MAX_CAPS + 1];
static unsigned long nr_sets = 200;

static u64 all_ones(const struct kvm_guest_cap *cap)
{
	return ~0ULL >> (64 - cap->width);
}

static u64 get(const struct kvm_guest_cap *cap, u64 word)
{
	return word >> cap->lsb & all_ones(cap);
}

static u64 put(const struct kvm_guest_cap *cap, u64 word, u64 value)
{
	return (word & ~(all_ones(cap) << cap->lsb)) | value << cap->lsb;
}

/* As a number that compares as the field's values do. */
static u64 rank(const struct kvm_guest_cap *cap, u64 value)
{
	return cap->flags & KVM_GUEST_CAP_SIGNED ? value ^ 1ULL << (cap->width - 1) : value;
}

/* The register with that id. */
static unsigned int place(u64 id)
{
	unsigned int i = 0;

	while (i < NUM_ID_REGS && id_reg(i) != id)
		i++;
	TEST_ASSERT(i < NUM_ID_REGS, "no register is %llx", (unsigned long long)id);
	return i;
}

/* All fields of all registers, from the highest bits to the lowest, and what holds of each. */
static u32 list(struct kvm_vm *vm, struct kvm_vcpu *vcpu)
{
	u32 nr = id_vm_list(vm, caps);
	int bit = 0;

	for (u32 n = 0, i = 0; n < nr; n++) {
		const struct kvm_guest_cap *cap = &caps[n];

		if (!bit) {
			TEST_ASSERT(i < NUM_ID_REGS && cap->id == id_reg(i), "out of order");
			bit = 64;
			i++;
		}
		bit -= cap->width;
		TEST_ASSERT_EQ(cap->lsb, bit);
		TEST_ASSERT(cap->rule <= KVM_GUEST_CAP_EXACT &&
			    cap->virt_class <= KVM_GUEST_CAP_VIRTUAL, "unknown numbers");
		TEST_ASSERT_EQ(cap->verdict, KVM_GUEST_CAP_TAKEN);
		TEST_ASSERT_EQ(cap->asked, get(cap, vcpu_get_reg(vcpu, cap->id)));
		TEST_ASSERT(rank(cap, cap->lowest) <= rank(cap, cap->limit) &&
			    rank(cap, cap->limit) <= rank(cap, cap->highest), "not in order");
	}
	TEST_ASSERT(!bit && caps[nr - 1].id == id_reg(NUM_ID_REGS - 1), "registers are missing");
	return nr;
}

/* Each value that a field can hold, of fields that are not too wide. */
static void test_values(struct kvm_vcpu *vcpu, u32 nr)
{
	for (u32 n = 0; n < nr; n++) {
		const struct kvm_guest_cap *cap = &caps[n];
		u64 word = vcpu_get_reg(vcpu, cap->id), possible = 0;
		const char *name = id_regs[place(cap->id)].name;

		if (cap->width > 6)
			continue;
		for (u64 value = 0; value <= all_ones(cap); value++) {
			u64 wanted = put(cap, word, value);

			if (!__vcpu_set_reg(vcpu, cap->id, wanted)) {
				if (vcpu_get_reg(vcpu, cap->id) == wanted)
					possible |= 1ULL << value;
				vcpu_set_reg(vcpu, cap->id, word);
			}
		}
		TEST_ASSERT(cap->possible == possible, "%s[%d]: can be %lx, is said to be %lx",
			    name, cap->lsb, (unsigned long)possible, (unsigned long)cap->possible);
		TEST_ASSERT((possible >> cap->lowest) & (possible >> cap->highest) & 1,
			    "%s[%d]: can't be the lowest or the highest", name, cap->lsb);
		/* Where there are two, userspace has a choice. */
		TEST_ASSERT(!(possible & (possible - 1)) == !(cap->flags & KVM_GUEST_CAP_WRITABLE),
			    "%s[%d]: who can write it?", name, cap->lsb);
	}
}

static u64 random64(void)
{
	return (u64)random() << 42 ^ (u64)random() << 21 ^ random();
}

/* A value not unlike those that VMMs write: most fields are as they were. */
static u64 random_value(u64 word)
{
	for (int changes = random() % 4; changes > 0; changes--) {
		int digit = random() % 16 * 4;
		u64 now = word >> digit & 15;
		u64 value = random() % 3 ? now + (random() & 2) - 1 : random();

		word = (word & ~(15ULL << digit)) | (value & 15) << digit;
	}
	return random() % 16 ? word : random64();
}

/* What the set would come to, as the records say: errors, and values that fit. */
static void predict(const struct kvm_guest_caps_reg *set, u32 nr_set, u32 nr, int *error, u64 *fit)
{
	for (u32 i = 0; i < nr_set; i++) {
		error[i] = 0;
		fit[i] = set[i].value;
	}
	for (u32 n = 0; n < nr; n++) {
		const struct kvm_guest_cap *cap = &caps[n];
		u32 i = 0;

		if (cap->verdict >= KVM_GUEST_CAP_NEEDS)
			continue;
		while (i < nr_set && set[i].id != cap->id)
			i++;
		TEST_ASSERT(i < nr_set, "a record of what was not asked");
		TEST_ASSERT_EQ(cap->asked, get(cap, set[i].value));
		fit[i] = put(cap, fit[i], cap->value);
		switch (cap->verdict) {
		case KVM_GUEST_CAP_ADJUSTED:
		case KVM_GUEST_CAP_IGNORED:
			break;
		case KVM_GUEST_CAP_REFUSED:
			error[i] = EINVAL;
			break;
		case KVM_GUEST_CAP_HAS_RUN:
			error[i] = error[i] ?: EBUSY;
			break;
		default:
			TEST_FAIL("verdict %u", cap->verdict);
		}
	}
}

/* One register each, as what is refused of one says nothing of the other. */
static u32 random_set(struct kvm_guest_caps_reg *set, const u64 *words)
{
	u32 nr = random() % (MAX_SET + 1);

	for (u32 i = 0; i < nr; i++) {
		unsigned int reg = (random() % (NUM_ID_REGS / MAX_SET)) * MAX_SET + i;

		set[i].id = id_reg(reg);
		set[i].value = random_value(words[reg]);
	}
	return nr;
}

static void test_sets(struct kvm_vm *vm, struct kvm_vcpu *vcpu, const u64 *words)
{
	struct kvm_guest_caps_reg set[MAX_SET];
	int error[MAX_SET];
	u64 fit[MAX_SET];

	for (unsigned long n = 0; n < nr_sets; n++) {
		u32 nr_set = random_set(set, words);
		u32 nr = id_vm_query(vm->fd, KVM_GUEST_CAPS_CHECK, set, nr_set, caps);

		predict(set, nr_set, nr, error, fit);
		for (u32 i = 0; i < nr_set; i++) {
			const char *name = id_regs[place(set[i].id)].name;
			u64 before = vcpu_get_reg(vcpu, set[i].id), after;
			int got = __vcpu_set_reg(vcpu, set[i].id, set[i].value) ? errno : 0;

			TEST_ASSERT(got == error[i], "%s = %lx: errno %d, not %d", name,
				    (unsigned long)set[i].value, got, error[i]);
			after = vcpu_get_reg(vcpu, set[i].id);
			TEST_ASSERT(after == (got ? before : fit[i]), "%s = %lx has become %lx",
				    name, (unsigned long)set[i].value, (unsigned long)after);
			vcpu_set_reg(vcpu, set[i].id, fit[i]);
			TEST_ASSERT(vcpu_get_reg(vcpu, set[i].id) == fit[i], "%s: %lx doesn't fit",
				    name, (unsigned long)fit[i]);
			vcpu_set_reg(vcpu, set[i].id, before);
		}
	}
}

/* What the VM has, and what was refused of it last. */
static void test_reads(struct kvm_vcpu *vcpu, const struct kvm_guest_caps_reg *wrong, u8 verdict)
{
	u32 nr = id_vm_query(vcpu->fd, KVM_GUEST_CAPS_READ, NULL, 0, caps), nr_wrong = 0;

	for (u32 n = 0; n < nr; n++) {
		const struct kvm_guest_cap *cap = &caps[n];

		TEST_ASSERT_EQ(cap->value, get(cap, vcpu_get_reg(vcpu, cap->id)));
		if (cap->verdict == KVM_GUEST_CAP_TAKEN) {
			TEST_ASSERT_EQ(cap->asked, cap->value);
			continue;
		}
		nr_wrong++;
		TEST_ASSERT(cap->id == wrong->id && cap->asked == get(cap, wrong->value) &&
			    cap->verdict == verdict, "not what was refused");
	}
	TEST_ASSERT_EQ(nr_wrong, 1);
}

static void test_config(const struct id_vm *config)
{
	struct kvm_guest_caps_reg wrong = { .id = KVM_ARM64_SYS_REG(SYS_ID_AA64ISAR0_EL1) };
	u64 words[NUM_ID_REGS], value;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	if (!id_vm_is_possible(config)) {
		ksft_test_result_skip("%s\n", config->name);
		return;
	}
	vm = id_vm_create(config, &vcpu);
	for (unsigned int i = 0; i < NUM_ID_REGS; i++)
		words[i] = vcpu_get_reg(vcpu, id_reg(i));
	test_values(vcpu, list(vm, vcpu));
	test_sets(vm, vcpu, words);
	id_vm_read(config, vm, vcpu, words);
	test_sets(vm, vcpu, words);
	kvm_vm_free(vm);

	vm = id_vm_create(config, &vcpu);
	value = vcpu_get_reg(vcpu, wrong.id);
	/* KVM remembers eight. */
	for (u64 reserved = 1; reserved <= 9; reserved++) {
		wrong.value = value | reserved << 24;
		TEST_ASSERT(__vcpu_set_reg(vcpu, wrong.id, wrong.value) && errno == EINVAL,
			    "reserved bits were accepted");
	}
	test_reads(vcpu, &wrong, KVM_GUEST_CAP_REFUSED);
	id_vm_read(config, vm, vcpu, words);
	test_reads(vcpu, &wrong, KVM_GUEST_CAP_REFUSED);
	TEST_ASSERT(__vcpu_set_reg(vcpu, wrong.id, wrong.value) && errno == EBUSY,
		    "reserved bits were accepted");
	test_reads(vcpu, &wrong, KVM_GUEST_CAP_HAS_RUN);
	kvm_vm_free(vm);
	ksft_test_result_pass("%s\n", config->name);
}

/* Whether it is told that SHA2 lacks SHA1. A VM may break other rules from the start. */
static bool lacks_sha1(struct kvm_vm *vm, const struct kvm_guest_caps_reg *reg)
{
	u32 nr = id_vm_query(vm->fd, KVM_GUEST_CAPS_CHECK, reg, 1, caps);
	bool is_told = false;

	for (u32 n = 0; n < nr; n++) {
		const struct kvm_guest_cap *cap = &caps[n];

		TEST_ASSERT(cap->verdict == KVM_GUEST_CAP_NEEDS && cap->needs_width &&
			    cap->needs_least, "verdict %u", cap->verdict);
		is_told |= cap->id == reg->id && cap->lsb == ID_AA64ISAR0_EL1_SHA2_SHIFT &&
			   cap->needs_id == reg->id &&
			   cap->needs_lsb == ID_AA64ISAR0_EL1_SHA1_SHIFT;
	}
	return is_told;
}

/* SHA2 implies SHA1, says the Arm ARM, and KVM takes either without the other. */
static void test_needs(void)
{
	struct kvm_guest_caps_reg reg = { .id = KVM_ARM64_SYS_REG(SYS_ID_AA64ISAR0_EL1) };
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = id_vm_create(&id_vms[0], &vcpu);
	bool has_sha2;

	reg.value = vcpu_get_reg(vcpu, reg.id);
	TEST_ASSERT(!lacks_sha1(vm, &reg), "SHA2 without SHA1 from the start");

	has_sha2 = reg.value & ID_AA64ISAR0_EL1_SHA2_MASK;
	reg.value &= ~ID_AA64ISAR0_EL1_SHA1_MASK;
	TEST_ASSERT(lacks_sha1(vm, &reg) == has_sha2, "SHA2 without SHA1");
	vcpu_set_reg(vcpu, reg.id, reg.value);
	kvm_vm_free(vm);
	if (has_sha2)
		ksft_test_result_pass("rules between fields\n");
	else
		ksft_test_result_skip("rules between fields\n");
}

/* What KVM doesn't virtualize without another field is gone once the VM runs. */
static void test_clears(void)
{
	struct kvm_guest_caps_reg reg = { .id = KVM_ARM64_SYS_REG(SYS_ID_AA64MMFR3_EL1) };
	u64 words[NUM_ID_REGS], left;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = id_vm_create(&id_vms[0], &vcpu);
	u32 nr;

	reg.value = vcpu_get_reg(vcpu, reg.id) & ~ID_AA64MMFR3_EL1_TCRX_MASK;
	nr = id_vm_query(vm->fd, KVM_GUEST_CAPS_CHECK, &reg, 1, caps);
	left = reg.value;
	for (u32 n = 0; n < nr; n++) {
		if (caps[n].verdict == KVM_GUEST_CAP_CLEARED && caps[n].id == reg.id)
			left = put(&caps[n], left, caps[n].value);
	}
	vcpu_set_reg(vcpu, reg.id, reg.value);
	id_vm_read(&id_vms[0], vm, vcpu, words);
	TEST_ASSERT_EQ(words[place(reg.id)], left);
	kvm_vm_free(vm);
	if (left == reg.value)
		ksft_test_result_skip("what is cleared\n");
	else
		ksft_test_result_pass("what is cleared\n");
}

static void test_bad_requests(void)
{
	struct kvm_guest_caps_reg reg = { .id = id_reg(0) };
	const struct kvm_guest_caps good = {
		.op = KVM_GUEST_CAPS_CHECK, .asked = (u64)&reg, .nr_asked = 1,
		.caps = (u64)caps, .nr_caps = ID_MAX_CAPS, .cap_size = sizeof(*caps),
	};
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_vcpu *vcpu;

	guest_caps_expect("before KVM_ARM_VCPU_INIT", ENOEXEC, vm->fd, good);
	kvm_vm_free(vm);

	vm = id_vm_create(&id_vms[0], &vcpu);
	reg.value = vcpu_get_reg(vcpu, reg.id);
	guest_caps_test_requests(vm->fd, vcpu->fd, good, 64);

	reg.id = KVM_ARM64_SYS_REG(SYS_SCTLR_EL1);
	guest_caps_expect("another register", ENOENT, vm->fd, good);
	reg.id = id_reg(0) & ~KVM_REG_SIZE_MASK;
	guest_caps_expect("another size", ENOENT, vm->fd, good);
	kvm_vm_free(vm);
	ksft_test_result_pass("bad requests\n");
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_CAPS));

	if (argc > 1)
		nr_sets = atoi_positive("SETS", argv[1]);
	srandom(argc > 2 ? atoi_non_negative("SEED", argv[2]) : 1);

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(id_vms) + 3);
	for (int i = 0; i < ARRAY_SIZE(id_vms); i++)
		test_config(&id_vms[i]);
	test_needs();
	test_clears();
	test_bad_requests();
	ksft_finished();
}
