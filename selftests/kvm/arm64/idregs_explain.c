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

#include "id_regs.h"

#define MISTAKE	2

struct set {
	bool has[NUM_ID_REGS];
	u64 word[NUM_ID_REGS];
};

static struct kvm_guest_cap caps[ID_MAX_CAPS];

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

static u64 get(const struct kvm_guest_cap *cap, u64 word)
{
	return word >> cap->lsb & (~0ULL >> (64 - cap->width));
}

static int index_of(const struct kvm_guest_cap *cap)
{
	int i = 0;

	while (i < NUM_ID_REGS && id_reg(i) != cap->id)
		i++;
	TEST_ASSERT(i < NUM_ID_REGS, "KVM_GUEST_CAPS has an unknown register");
	return i;
}

static const char *rule_name(const struct kvm_guest_cap *cap)
{
	static const char * const names[] = {
		[KVM_GUEST_CAP_RESERVED] = "reserved",
		[KVM_GUEST_CAP_DENIED] = "denied",
		[KVM_GUEST_CAP_ABSENT] = "absent",
		[KVM_GUEST_CAP_FIXED] = "fixed",
		[KVM_GUEST_CAP_LOWER_SAFE] = "lower-safe",
		[KVM_GUEST_CAP_HIGHER_SAFE] = "higher-safe",
		[KVM_GUEST_CAP_EXACT] = "exact",
	};

	return cap->rule < ARRAY_SIZE(names) ? names[cap->rule] : "unknown";
}

static const char *field_name(int i, int lsb)
{
	return names[i][lsb][0] ? names[i][lsb] : "-";
}

static int print_nearest(const struct set *set, const struct set *nearest)
{
	printf("\nThe nearest that fits:\n");
	for (int i = 0; i < NUM_ID_REGS; i++) {
		if (set->has[i])
			printf("%-18s %016lx%s\n", id_regs[i].name, nearest->word[i],
			       nearest->word[i] != set->word[i] ? "  (changed)" : "");
	}
	return 1;
}

/* Returns how many fields don't fit, and says which; *nearest is what fits. */
static int check_set(struct kvm_vm *vm, const struct set *set, struct set *nearest)
{
	struct kvm_guest_caps_reg asked[NUM_ID_REGS];
	int nr_asked = 0, bad = 0;
	u32 nr;

	*nearest = *set;
	for (int i = 0; i < NUM_ID_REGS; i++) {
		if (set->has[i])
			asked[nr_asked++] = (struct kvm_guest_caps_reg) { id_reg(i), set->word[i] };
	}
	nr = id_vm_query(vm->fd, KVM_GUEST_CAPS_CHECK, asked, nr_asked, caps);
	for (u32 n = 0; n < nr; n++) {
		const struct kvm_guest_cap *cap = &caps[n];
		int i = index_of(cap);
		u64 mask = ~0ULL >> (64 - cap->width) << cap->lsb;

		printf("%-18s %-16s [%2d:%2d]  wanted 0x%-3llx ", id_regs[i].name,
		       field_name(i, cap->lsb), cap->lsb + cap->width - 1, cap->lsb, cap->asked);
		if (cap->verdict >= KVM_GUEST_CAP_NEEDS) {
			struct kvm_guest_cap other = { .id = cap->needs_id };

			printf("needs %s %s of at least 0x%llx\n", id_regs[index_of(&other)].name,
			       field_name(index_of(&other), cap->needs_lsb), cap->needs_least);
			continue;
		}
		printf("possible 0x%llx to 0x%-3llx rule %-12s take 0x%llx\n", cap->lowest,
		       cap->highest, rule_name(cap), cap->value);
		nearest->word[i] = (nearest->word[i] & ~mask) | cap->value << cap->lsb;
		bad++;
	}
	return bad;
}

static int explain_set(struct kvm_vm *vm, const struct set *set)
{
	struct set nearest;

	if (check_set(vm, set, &nearest))
		return print_nearest(set, &nearest);
	printf("All of it fits.\n");
	return 0;
}

/* What is safe on both of two hosts, given what this one says of the field. */
static u64 common_value(const struct kvm_guest_cap *cap, u64 a, u64 b, bool *differ)
{
	u64 sign = cap->flags & KVM_GUEST_CAP_SIGNED ? 1ULL << (cap->width - 1) : 0;

	if (a == b)
		return a;
	if (!(cap->flags & KVM_GUEST_CAP_WRITABLE)) {
		printf("%s [%d:%d]: the hosts have 0x%lx and 0x%lx, and it can't be changed\n",
		       id_regs[index_of(cap)].name, cap->lsb + cap->width - 1, cap->lsb, a, b);
		*differ = true;
	}
	if (cap->rule == KVM_GUEST_CAP_EXACT)
		return id_cap_least(cap);
	return ((a ^ sign) < (b ^ sign)) == (cap->rule != KVM_GUEST_CAP_HIGHER_SAFE) ? a : b;
}

static int print_common(struct kvm_vm *vm, struct set *sets, int nr_sets)
{
	struct set common = {}, nearest;
	u32 nr = id_vm_list(vm, caps);
	bool differ = false;
	int bad;

	for (u32 n = 0; n < nr; n++) {
		const struct kvm_guest_cap *cap = &caps[n];
		int i = index_of(cap);
		/* A register that a dump lacks is zero there: idregs leaves those out. */
		u64 value = get(cap, sets[0].word[i]);

		for (int k = 1; k < nr_sets; k++)
			value = common_value(cap, value, get(cap, sets[k].word[i]), &differ);
		common.word[i] |= value << cap->lsb;
		common.has[i] = true;
	}
	for (int i = 0; i < NUM_ID_REGS; i++) {
		if (common.word[i])
			printf("%-18s %016lx\n", id_regs[i].name, common.word[i]);
	}
	bad = check_set(vm, &common, &nearest);
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

	__TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_CAPS),
		       "KVM does not say what VMs can have");
	if (!id_vm_is_possible(&config))
		mistake("this host has no such VMs", "VM options");

	vm = id_vm_create(&config, &vcpu);
	read_names(vm);

	return common ? print_common(vm, sets, argc - i) : explain_set(vm, sets);
}
