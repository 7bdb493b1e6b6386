// SPDX-License-Identifier: GPL-2.0-only
/*
 * Say which ID registers a VM can have on this host.
 *
 *	idregs_explain [VM options] FILE
 *		which fields of a wanted set fit, which don't and why, and the nearest values;
 *	idregs_explain [VM options] --common FILE FILE...
 *		the most that all hosts can give whose VMs start with these, tried on this one.
 *
 * A file has lines "REGISTER value", the value in hexadecimal, as idregs prints them; what follows
 * the value, and lines of any other form, are ignored. VM options: --sve --ptrauth --pmu --mte
 * --nested. Exit status: 0 if all fits, 1 if not, 2 for a mistake, 4 if KVM doesn't tell.
 */
#include <ctype.h>
#include <stdlib.h>

#include "id_reg_fit.h"
#include "id_regs.h"

#define MISTAKE	2

struct set {
	bool has[NUM_ID_REGS];
	u64 word[NUM_ID_REGS];
};

static u64 highest[KVM_ARM_FEATURE_ID_RANGE_SIZE], lowest[KVM_ARM_FEATURE_ID_RANGE_SIZE];

/* Names of fields, by register and lowest bit, if debugfs has them. */
static char names[NUM_ID_REGS][64][24];

static void mistake(const char *what, const char *where)
{
	fprintf(stderr, "idregs_explain: %s: %s\n", where, what);
	exit(MISTAKE);
}

static int find_reg(const char *name)
{
	for (int i = 0; i < NUM_ID_REGS; i++) {
		if (!strcmp(name, id_regs[i].name))
			return i;
	}
	return -1;
}

static void read_set(const char *path, struct set *set)
{
	char line[512], name[32], value[32], *end;
	FILE *f = fopen(path, "r");
	int found = 0;

	if (!f)
		mistake(strerror(errno), path);
	memset(set, 0, sizeof(*set));
	while (fgets(line, sizeof(line), f)) {
		u64 word;
		int i;

		/* idregs prints fields as well, REGISTER.FIELD. */
		if (sscanf(line, "%31s %31s", name, value) != 2 || strchr(name, '.'))
			continue;
		errno = 0;
		word = strtoull(value, &end, 16);
		if (*end || errno)
			continue;
		i = find_reg(name);
		if (i < 0)
			mistake("no ID register that KVM keeps per VM", name);
		set->has[i] = true;
		set->word[i] = word;
		found++;
	}
	fclose(f);
	if (!found)
		mistake("no line \"REGISTER value\"", path);
}

static void read_names(struct kvm_vm *vm)
{
	FILE *f = id_vm_open(vm, "idregs_limits");
	struct id_reg_line line;
	char text[256];
	int i;

	while (f && fgets(text, sizeof(text), f)) {
		if (!id_reg_parse(text, &line))
			continue;
		i = find_reg(line.reg);
		if (i >= 0 && line.lsb >= 0 && line.lsb < 64)
			snprintf(names[i][line.lsb], sizeof(names[i][line.lsb]), "%.23s",
				 line.field);
	}
	if (f)
		fclose(f);
}

static struct id_reg_field get_field(int i, int lsb)
{
	return id_reg_field(id_regs[i].encoding, lsb, highest[id_reg_range_index(i)],
			    lowest[id_reg_range_index(i)]);
}

static const char *rule_name(const struct id_reg_field *f)
{
	if (f->highest == f->lowest)
		return "fixed";
	return f->rule == ID_REG_EXACT ? "exact" :
	       f->rule == ID_REG_HIGHER_SAFE ? "higher-safe" : "lower-safe";
}

/* Returns the nearest register that fits, and says what does not. */
static u64 explain(int i, u64 word)
{
	u64 fits = 0;

	for (int lsb = 0; lsb < 64;) {
		struct id_reg_field f = get_field(i, lsb);
		u64 value = id_reg_bits(word, f.msb, f.lsb), near = id_reg_fit(&f, value);

		if (near != value) {
			const char *name = names[i][lsb][0] ? names[i][lsb] : "-";

			printf("%-18s %-16s [%2d:%2d]  ", id_regs[i].name, name, f.msb, f.lsb);
			printf("wanted 0x%-3lx possible 0x%lx to 0x%-3lx rule %-12s take 0x%lx\n",
			       value, (u64)f.lowest, (u64)f.highest, rule_name(&f), near);
		}
		fits |= near << lsb;
		lsb = f.msb + 1;
	}
	return fits;
}

static int explain_set(struct kvm_vcpu *vcpu, const struct set *set)
{
	struct set nearest = *set;
	int bad = 0;

	for (int i = 0; i < NUM_ID_REGS; i++) {
		if (set->has[i])
			nearest.word[i] = explain(i, set->word[i]);
		bad += set->has[i] && nearest.word[i] != set->word[i];
	}
	for (int i = 0; i < NUM_ID_REGS; i++) {
		if (set->has[i] && __vcpu_set_reg(vcpu, id_reg(i), nearest.word[i])) {
			printf("%s = %016lx was refused all the same: %s\n", id_regs[i].name,
			       nearest.word[i], strerror(errno));
			bad++;
		}
	}
	if (!bad) {
		printf("All of it fits.\n");
		return 0;
	}
	printf("\nThe nearest that fits:\n");
	for (int i = 0; i < NUM_ID_REGS; i++) {
		if (set->has[i])
			printf("%-18s %016lx%s\n", id_regs[i].name, nearest.word[i],
			       nearest.word[i] != set->word[i] ? "  (changed)" : "");
	}
	return 1;
}

/* What is safe on both of two hosts, given what this one says of the field. */
static u64 common_value(int i, const struct id_reg_field *f, u64 a, u64 b, bool *differ)
{
	if (a == b)
		return a;
	if (f->highest == f->lowest) {
		printf("%s [%d:%d]: the hosts have 0x%lx and 0x%lx, and it can't be changed\n",
		       id_regs[i].name, f->msb, f->lsb, a, b);
		*differ = true;
	}
	if (f->rule == ID_REG_EXACT)
		return f->lowest;
	return id_reg_is_lower(f, a, b) ? a : b;
}

static int print_common(struct kvm_vcpu *vcpu, struct set *sets, int nr)
{
	bool differ = false;
	int bad = 0;

	for (int i = 0; i < NUM_ID_REGS; i++) {
		u64 word = 0;

		/* A register that a dump lacks is zero there: idregs leaves those out. */
		for (int lsb = 0; lsb < 64;) {
			struct id_reg_field f = get_field(i, lsb);
			u64 value = id_reg_bits(sets[0].word[i], f.msb, f.lsb);

			for (int n = 1; n < nr; n++)
				value = common_value(i, &f, value,
						     id_reg_bits(sets[n].word[i], f.msb, f.lsb),
						     &differ);
			word |= value << lsb;
			lsb = f.msb + 1;
		}
		if (word)
			printf("%-18s %016lx\n", id_regs[i].name, word);
		if (__vcpu_set_reg(vcpu, id_reg(i), word)) {
			printf("# refused on this host: %s\n", id_regs[i].name);
			explain(i, word);
			bad++;
		}
	}
	printf("# %s\n", bad ? "This host does not take it." : "This host takes all of it.");
	return bad || differ;
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		u64 features;
	} options[] = {
		{ "--sve", BIT(KVM_ARM_VCPU_SVE) },
		{ "--ptrauth", BIT(KVM_ARM_VCPU_PTRAUTH_ADDRESS) |
			       BIT(KVM_ARM_VCPU_PTRAUTH_GENERIC) },
		{ "--pmu", BIT(KVM_ARM_VCPU_PMU_V3) },
		{ "--nested", BIT(KVM_ARM_VCPU_HAS_EL2) },
	};
	struct id_vm config = { "asked for" };
	struct kvm_vcpu *vcpu;
	bool common = false;
	struct kvm_vm *vm;
	struct set *sets;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		int n;

		for (n = 0; n < ARRAY_SIZE(options) && strcmp(argv[i], options[n].name); n++)
			;
		if (n < ARRAY_SIZE(options))
			config.features |= options[n].features;
		else if (!strcmp(argv[i], "--mte"))
			config.mte = true;
		else if (!strcmp(argv[i], "--common"))
			common = true;
		else
			mistake("no such option", argv[i]);
	}
	if (common ? argc - i < 2 : argc - i != 1)
		mistake("[VM options] FILE, or [VM options] --common FILE FILE...", "usage");
	sets = calloc(argc - i, sizeof(*sets));
	for (int n = i; n < argc; n++)
		read_set(argv[n], &sets[n - i]);

	__TEST_REQUIRE(kvm_publishes_id_reg_limits(),
		       "KVM does not publish limits of ID registers");
	if (!id_vm_is_possible(&config))
		mistake("this host has no such VMs", "VM options");

	vm = id_vm_create(&config, &vcpu);
	TEST_ASSERT(!id_vm_get_range(vm, 1, highest) && !id_vm_get_range(vm, 2, lowest),
		    "KVM_ARM_GET_REG_WRITABLE_MASKS failed: %s", strerror(errno));
	read_names(vm);

	return common ? print_common(vcpu, sets, argc - i) : explain_set(vcpu, sets);
}
