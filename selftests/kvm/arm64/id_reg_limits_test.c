// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test what KVM lets userspace write to ID registers: all values of all hexadecimal digits of all
 * registers, in VMs of several configurations, against the limits that KVM publishes; what
 * userspace and the guest then read; that refused values change nothing, before and after the VM
 * has run; and that the order of writes doesn't matter.
 */
#include <stdlib.h>

#include "id_reg_fit.h"
#include "id_regs.h"
#include "kselftest.h"

#define MAX_FIELDS	32

/* A field as debugfs has it, with what KVM_ARM_GET_REG_WRITABLE_MASKS says of it. */
struct field {
	char name[48];
	char rule[24];
	int msb, lsb;
	u64 highest, lowest;
};

struct limits {
	struct field fields[NUM_ID_REGS][MAX_FIELDS];
	u64 highest[KVM_ARM_FEATURE_ID_RANGE_SIZE];
	u64 lowest[KVM_ARM_FEATURE_ID_RANGE_SIZE];
};

static struct limits limits;

/* KVM once handed out values that it now accepts, and ignores. */
static const char * const ignored[] = {
	"ID_DFR0_EL1.PerfMon", "ID_AA64PFR0_EL1.MPAM", "ID_AA64PFR1_EL1.MPAM_frac",
	"ID_AA64PFR1_EL1.MTE_frac", "ID_AA64PFR2_EL1.MTEFAR", "ID_AA64PFR2_EL1.MTESTOREONLY",
	"ID_AA64DFR0_EL1.DoubleLock", "ID_AA64DFR0_EL1.PMUVer", "ID_AA64MMFR2_EL1.NV",
	"ID_DFR0_EL1.CopTrc", "ID_AA64PFR0_EL1.RAS", "ID_AA64ISAR1_EL1.LS64",
	"ID_AA64ISAR1_EL1.API", "ID_AA64ISAR1_EL1.APA", "ID_AA64ISAR2_EL1.APA3",
	"ID_AA64MMFR0_EL1.PARANGE",
};

static u64 bits(u64 word, const struct field *f)
{
	return (word >> f->lsb) & (~0ULL >> (63 - (f->msb - f->lsb)));
}

/* False if debugfs is not mounted. */
static bool read_limits(struct kvm_vm *vm)
{
	unsigned int i = 0, n = 0;
	struct id_reg_line line;
	char text[256];
	FILE *file;

	TEST_ASSERT(!id_vm_get_range(vm, 1, limits.highest), "no highest values");
	TEST_ASSERT(!id_vm_get_range(vm, 2, limits.lowest), "no lowest values");

	file = id_vm_open(vm, "idregs_limits");
	if (!file)
		return false;

	memset(limits.fields, 0, sizeof(limits.fields));
	while (fgets(text, sizeof(text), file)) {
		struct field f = {};

		TEST_ASSERT(id_reg_parse(text, &line), "unexpected line: %s", text);
		if (strcmp(line.reg, id_regs[i].name)) {
			TEST_ASSERT(n && limits.fields[i][n - 1].lsb == 0, "%s ends early",
				    id_regs[i].name);
			i++;
			n = 0;
		}
		TEST_ASSERT(i < NUM_ID_REGS && n < MAX_FIELDS &&
			    !strcmp(line.reg, id_regs[i].name), "out of order: %s", text);
		TEST_ASSERT_EQ(line.msb, n ? limits.fields[i][n - 1].lsb - 1 : 63);
		snprintf(f.name, sizeof(f.name), "%.20s.%.24s", line.reg, line.field);
		strcpy(f.rule, line.rule);
		f.msb = line.msb;
		f.lsb = line.lsb;
		f.highest = bits(limits.highest[id_reg_range_index(i)], &f);
		f.lowest = bits(limits.lowest[id_reg_range_index(i)], &f);
		TEST_ASSERT_EQ(line.limit, f.highest);
		limits.fields[i][n++] = f;
	}
	fclose(file);
	TEST_ASSERT(i == NUM_ID_REGS - 1 && limits.fields[i][n - 1].lsb == 0, "registers missing");
	return true;
}

static bool field_accepts(u32 reg, const struct field *f, u64 word)
{
	u64 value = bits(word, f);

	if (value != f->highest && !id_reg_has_meaning(reg, f->lsb, value))
		return false;
	if (!strcmp(f->rule, "lower-safe")) {
		/* Of a signed field the lowest value is negative. */
		u64 sign = f->lowest > f->highest || f->lowest == BIT(f->msb - f->lsb) ?
			   BIT(f->msb - f->lsb) : 0;

		value ^= sign;
		return (f->lowest ^ sign) <= value && value <= (f->highest ^ sign);
	}
	if (!strcmp(f->rule, "higher-safe"))
		return f->highest <= value && value <= f->lowest;
	if (!strcmp(f->rule, "exact"))
		return value == f->highest || value == f->lowest;
	return value == f->highest;
}

static const struct field *refusing_field(unsigned int i, u64 word)
{
	for (const struct field *f = limits.fields[i]; f->name[0]; f++) {
		if (!field_accepts(id_regs[i].encoding, f, word))
			return f;
	}
	return NULL;
}

/* An AArch32 register in a VM without AArch32. */
static bool ignores_writes(unsigned int i)
{
	if (sys_reg_CRm(id_regs[i].encoding) > 3)
		return false;
	for (const struct field *f = limits.fields[i]; f->name[0]; f++) {
		if (!strcmp(f->rule, "absent"))
			return true;
	}
	return false;
}

static bool is_ignored(const struct field *f)
{
	for (int i = 0; i < ARRAY_SIZE(ignored); i++) {
		if (!strcmp(f->name, ignored[i]))
			return true;
	}
	return false;
}

static void test_digit(struct kvm_vcpu *vcpu, unsigned int i, u64 word, int digit)
{
	for (u64 value = 0; value < 16; value++) {
		u64 wanted = (word & ~(15ULL << (4 * digit))) | value << (4 * digit);
		const struct field *f = ignores_writes(i) ? NULL : refusing_field(i, wanted);
		bool accepted = !__vcpu_set_reg(vcpu, id_reg(i), wanted);
		u64 got;

		TEST_ASSERT(accepted || errno == EINVAL, "%s = %lx: errno %d", id_regs[i].name,
			    wanted, errno);
		got = vcpu_get_reg(vcpu, id_reg(i));
		TEST_ASSERT(accepted || got == word, "%s changed by a refused value",
			    id_regs[i].name);
		if (accepted && f) {
			TEST_ASSERT(field_accepts(id_regs[i].encoding, f, got) && got != wanted,
				    "%s accepted %lx", f->name, wanted);
			TEST_ASSERT(is_ignored(f), "%s ignored %lx", f->name, wanted);
		}
		TEST_ASSERT(accepted || f, "%s refused %lx", id_regs[i].name, wanted);
		if (accepted && !f)
			TEST_ASSERT_EQ(got, ignores_writes(i) ? 0 : wanted);
		if (got != word)
			vcpu_set_reg(vcpu, id_reg(i), word);
	}
}

static void test_digit_after_run(struct kvm_vcpu *vcpu, unsigned int i, u64 word, int digit)
{
	for (u64 value = 0; value < 16; value++) {
		u64 wanted = (word & ~(15ULL << (4 * digit))) | value << (4 * digit);
		bool accepted = !__vcpu_set_reg(vcpu, id_reg(i), wanted);

		if (wanted == word || ignores_writes(i))
			TEST_ASSERT(accepted, "%s refused its present value", id_regs[i].name);
		else if (!accepted)
			TEST_ASSERT(errno == EBUSY || errno == EINVAL, "%s = %lx: errno %d",
				    id_regs[i].name, wanted, errno);
		TEST_ASSERT(vcpu_get_reg(vcpu, id_reg(i)) == word, "%s changed after the run",
			    id_regs[i].name);
	}
}

static void sweep(struct kvm_vcpu *vcpu,
		  void (*test)(struct kvm_vcpu *vcpu, unsigned int i, u64 word, int digit))
{
	for (unsigned int i = 0; i < NUM_ID_REGS; i++) {
		u64 word = vcpu_get_reg(vcpu, id_reg(i));

		for (int digit = 0; digit < 16; digit++)
			test(vcpu, i, word, digit);
	}
}

/* The least that the VM can have, but for what the last writers set. */
static u64 least(unsigned int i)
{
	return limits.lowest[id_reg_range_index(i)];
}

/* What it starts with. */
static u64 most(unsigned int i)
{
	return limits.highest[id_reg_range_index(i)];
}

static void set_all(struct kvm_vcpu *vcpu, u64 (*value)(unsigned int i),
		    const unsigned int *order)
{
	for (unsigned int i = 0; i < NUM_ID_REGS; i++)
		vcpu_set_reg(vcpu, id_reg(order[i]), value(order[i]));
	for (unsigned int i = 0; i < NUM_ID_REGS; i++)
		TEST_ASSERT(vcpu_get_reg(vcpu, id_reg(i)) == value(i), "%s is %lx, not %lx",
			    id_regs[i].name, vcpu_get_reg(vcpu, id_reg(i)), value(i));
}

static void shuffle(unsigned int *order)
{
	for (unsigned int i = NUM_ID_REGS - 1; i > 0; i--) {
		unsigned int j = rand() % (i + 1);
		unsigned int other = order[j];

		order[j] = order[i];
		order[i] = other;
	}
}

/*
 * Down and up again, in order, backwards, then shuffled. The same VM throughout: with EL2 and a
 * large address space it takes KVM seconds to free one.
 */
static void test_orders(struct kvm_vcpu *vcpu)
{
	unsigned int order[NUM_ID_REGS], backwards[NUM_ID_REGS];

	for (unsigned int i = 0; i < NUM_ID_REGS; i++) {
		order[i] = i;
		backwards[i] = NUM_ID_REGS - 1 - i;
	}
	set_all(vcpu, least, order);
	set_all(vcpu, most, order);
	set_all(vcpu, least, backwards);
	set_all(vcpu, most, backwards);
	srand(1);
	for (int n = 0; n < 24; n++) {
		shuffle(order);
		set_all(vcpu, least, order);
		shuffle(order);
		set_all(vcpu, most, order);
	}
}

static void test_guest(const struct id_vm *config)
{
	unsigned int order[NUM_ID_REGS];
	u64 values[NUM_ID_REGS];
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = id_vm_create(config, &vcpu);

	for (unsigned int i = 0; i < NUM_ID_REGS; i++)
		order[i] = i;
	set_all(vcpu, least, order);
	id_vm_read(config, vm, vcpu, values);
	for (unsigned int i = 0; i < NUM_ID_REGS; i++) {
		u64 now = vcpu_get_reg(vcpu, id_reg(i));
		u64 gic = 0;

		if (id_regs[i].encoding == SYS_ID_AA64PFR0_EL1)
			gic = ID_AA64PFR0_EL1_GIC;
		else if (id_regs[i].encoding == SYS_ID_PFR1_EL1)
			gic = ID_PFR1_EL1_GIC;
		TEST_ASSERT(values[i] == now, "the guest reads %s as %lx, not %lx", id_regs[i].name,
			    values[i], now);
		TEST_ASSERT((now & ~gic) == (least(i) & ~gic), "%s has become %lx",
			    id_regs[i].name, now);
	}
	sweep(vcpu, test_digit_after_run);
	kvm_vm_free(vm);
}

static void test_config(const struct id_vm *config)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	if (!id_vm_is_possible(config)) {
		ksft_test_result_skip("%s\n", config->name);
		return;
	}
	vm = id_vm_create(config, &vcpu);
	if (!read_limits(vm)) {
		ksft_test_result_skip("%s\n", config->name);
		kvm_vm_free(vm);
		return;
	}
	for (unsigned int i = 0; i < NUM_ID_REGS; i++)
		TEST_ASSERT(!refusing_field(i, vcpu_get_reg(vcpu, id_reg(i))),
			    "%s starts with more than the most", id_regs[i].name);
	sweep(vcpu, test_digit);
	test_orders(vcpu);
	kvm_vm_free(vm);

	test_guest(config);
	ksft_test_result_pass("%s\n", config->name);
}

static void test_bad_ranges(void)
{
	struct kvm_vm *vm = vm_create_barebones();
	static u64 words[KVM_ARM_FEATURE_ID_RANGE_SIZE];
	struct reg_mask_range range;
	struct kvm_vcpu *vcpu;

	TEST_ASSERT(id_vm_get_range(vm, 1, words) && errno == ENOEXEC, "before KVM_ARM_VCPU_INIT");
	TEST_ASSERT(id_vm_get_range(vm, 2, words) && errno == ENOEXEC, "before KVM_ARM_VCPU_INIT");
	TEST_ASSERT(id_vm_get_range(vm, 3, words) && errno == ENOEXEC, "before KVM_ARM_VCPU_INIT");
	kvm_vm_free(vm);

	vm = id_vm_create(&id_vms[0], &vcpu);
	TEST_ASSERT(id_vm_get_range(vm, 4, words) && errno == EINVAL, "range 4");
	for (u32 number = 0; number < 4; number++) {
		void *end = (void *)-4096UL;

		TEST_ASSERT(!id_vm_get_range(vm, number, words), "range %d", number);
		TEST_ASSERT(id_vm_get_range(vm, number, end) && errno == EFAULT, "range %d",
			    number);
		range = (struct reg_mask_range) { .addr = (u64)words, .range = number };
		range.reserved[12] = 1;
		TEST_ASSERT(__vm_ioctl(vm, KVM_ARM_GET_REG_WRITABLE_MASKS, &range) &&
			    errno == EINVAL, "range %d", number);
	}
	kvm_vm_free(vm);
	ksft_test_result_pass("bad ranges\n");
}

int main(void)
{
	TEST_REQUIRE(kvm_publishes_id_reg_limits());

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(id_vms) + 1);
	for (int i = 0; i < ARRAY_SIZE(id_vms); i++)
		test_config(&id_vms[i]);
	test_bad_ranges();
	ksft_finished();
}
