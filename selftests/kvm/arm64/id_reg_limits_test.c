// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test what KVM lets userspace write to ID registers: all values of all hexadecimal digits of all
 * registers, in VMs of several configurations, against the limits that KVM publishes; what
 * userspace and the guest then read; that refused values change nothing, before and after the VM
 * has run; and that the order of writes doesn't matter, nor when the vGIC is created.
 */
#include <stdlib.h>

#include "id_regs.h"
#include "kselftest.h"

#define MAX_FIELDS	32

/* A field as debugfs has it, with what KVM_GUEST_CAPS says of it. */
struct field {
	char name[48];
	char rule[24];
	int msb, lsb;
	struct kvm_guest_cap cap;
};

static struct field limits[NUM_ID_REGS][MAX_FIELDS];

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
	static struct kvm_guest_cap caps[ID_MAX_CAPS];
	unsigned int i = 0, n = 0, nr = id_vm_list(vm, caps), c = 0;
	struct id_reg_line line;
	char text[512];
	FILE *file;

	file = id_vm_open(vm, "idregs_limits");
	if (!file)
		return false;

	memset(limits, 0, sizeof(limits));
	while (fgets(text, sizeof(text), file)) {
		struct field f = {};

		TEST_ASSERT(id_reg_parse(text, &line), "unexpected line: %s", text);
		if (strcmp(line.reg, id_regs[i].name)) {
			TEST_ASSERT(n && limits[i][n - 1].lsb == 0, "%s ends early",
				    id_regs[i].name);
			i++;
			n = 0;
		}
		TEST_ASSERT(i < NUM_ID_REGS && n < MAX_FIELDS && c < nr &&
			    !strcmp(line.reg, id_regs[i].name), "out of order: %s", text);
		TEST_ASSERT_EQ(line.msb, n ? limits[i][n - 1].lsb - 1 : 63);
		snprintf(f.name, sizeof(f.name), "%.20s.%.24s", line.reg, line.field);
		strcpy(f.rule, line.rule);
		f.msb = line.msb;
		f.lsb = line.lsb;
		f.cap = caps[c++];
		TEST_ASSERT(f.cap.id == id_reg(i) && f.cap.lsb == f.lsb &&
			    f.cap.width == f.msb - f.lsb + 1, "KVM_GUEST_CAPS has no %s", f.name);
		TEST_ASSERT_EQ(line.limit, f.cap.limit);
		TEST_ASSERT_EQ(line.host, f.cap.host);
		limits[i][n++] = f;
	}
	fclose(file);
	TEST_ASSERT(i == NUM_ID_REGS - 1 && limits[i][n - 1].lsb == 0, "registers missing");
	return true;
}

static bool field_accepts(const struct field *f, u64 word)
{
	u64 value = bits(word, f);

	return f->cap.width > 6 ? value == f->cap.limit : f->cap.possible >> value & 1;
}

static const struct field *refusing_field(unsigned int i, u64 word)
{
	for (const struct field *f = limits[i]; f->name[0]; f++) {
		if (!field_accepts(f, word))
			return f;
	}
	return NULL;
}

/* An AArch32 register in a VM without AArch32. */
static bool ignores_writes(unsigned int i)
{
	if (sys_reg_CRm(id_regs[i].encoding) > 3)
		return false;
	for (const struct field *f = limits[i]; f->name[0]; f++) {
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
			TEST_ASSERT(field_accepts(f, got) && got != wanted,
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

/* The least that the VM can have. */
static u64 least(unsigned int i)
{
	u64 word = 0;

	for (const struct field *f = limits[i]; f->name[0]; f++)
		word |= id_cap_least(&f->cap) << f->lsb;
	return word;
}

/* What promises most. */
static u64 most(unsigned int i)
{
	u64 word = 0;

	for (const struct field *f = limits[i]; f->name[0]; f++)
		word |= f->cap.limit << f->lsb;
	return word;
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

/*
 * What a VM is restored with may break rules between fields until the last register is written:
 * FEAT_S1PIE in ID_AA64MMFR3_EL1 needs FEAT_ATS1A in ID_AA64ISAR2_EL1. A vGIC that is created
 * meanwhile changes nothing but what is about itself.
 */
static void test_irqchip(struct kvm_vm *vm, struct kvm_vcpu *vcpu)
{
	for (unsigned int i = 0; i < NUM_ID_REGS; i++)
		vcpu_set_reg(vcpu, id_reg(i), least(i));
	for (unsigned int i = NUM_ID_REGS; i--; ) {
		vcpu_set_reg(vcpu, id_reg(i), most(i));
		if (id_regs[i].encoding == SYS_ID_AA64MMFR3_EL1)
			id_vm_create_vgic_v3(vm);
	}
	for (unsigned int i = 0; i < NUM_ID_REGS; i++) {
		u64 now = vcpu_get_reg(vcpu, id_reg(i));

		TEST_ASSERT(now == most(i), "%s is %lx, not %lx, after a vGIC was created",
			    id_regs[i].name, now, most(i));
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
	if (config->irqchip == VGIC_V3)
		test_irqchip(vm, vcpu);
	kvm_vm_free(vm);

	test_guest(config);
	ksft_test_result_pass("%s\n", config->name);
}

int main(void)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_CAPS));

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(id_vms));
	for (int i = 0; i < ARRAY_SIZE(id_vms); i++)
		test_config(&id_vms[i]);
	ksft_finished();
}
