// SPDX-License-Identifier: GPL-2.0
/*
 * The targets: make up a host, and for "guest" a vCPU, from an input's bytes, give both kernels the
 * same, and stop where they differ.
 *
 * An input begins with a seed, of which everything is made that the bytes behind it don't say. So
 * any few bytes are a whole host, and a byte more changes little.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <linux/kvm.h>

#include "compare.h"

/* The input. */
static const uint8_t *bytes, *bytes_end;
static uint64_t seed;

static uint64_t random_word(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

static uint64_t take(unsigned int size)
{
	uint64_t value = 0;

	if ((size_t)(bytes_end - bytes) < size)
		return random_word() >> (64 - 8 * size);
	memcpy(&value, bytes, size);
	bytes += size;
	return value;
}

static uint32_t below(uint32_t limit)
{
	return take(1) % limit;
}

static bool one_in(uint32_t limit)
{
	return !below(limit);
}

/* Many bits, few, all or none. Without branches: hosts have hundreds of words. */
static uint32_t bits(void)
{
	static const struct { uint32_t any, more, most, all; } densities[16] = {
		[0 ... 1] = { 0, 0, 0, 0 },		/* none */
		[2 ... 3] = { 0, 0, 0, ~0u },		/* all */
		[4 ... 5] = { 0, 0, ~0u, 0 },		/* a quarter */
		[6 ... 8] = { ~0u, ~0u, ~0u, 0 },	/* three quarters */
		[9 ... 15] = { ~0u, 0, ~0u, 0 },	/* half */
	};
	uint64_t a = random_word(), b = random_word();
	uint32_t low = a, high = a >> 32, which = b >> 60;

	return ((low & (high | densities[which].any)) | ((uint32_t)b & densities[which].more)) &
		densities[which].most | densities[which].all;
}

/*
 * The CPU. Functions in the ranges that KVM reads are in tables, all else, and all indices but 0,
 * follows from the seed.
 */
struct range {
	uint32_t base, count;
	uint32_t regs[0x40][4];
};
static struct range ranges[] = {
	{ .base = 0, .count = 0x40 },
	{ .base = 0x80000000, .count = 0x40 },
	{ .base = 0xc0000000, .count = 8 },
};
static struct { uint32_t function, index, regs[4]; } sub_leaves[8];
static unsigned int nr_sub_leaves;
static uint64_t cpu_seed;

static uint64_t mix(uint64_t value)
{
	value ^= value >> 31;
	value *= 0x9e3779b97f4a7c15ull;
	value ^= value >> 29;
	value *= 0xbf58476d1ce4e5b9ull;
	return value ^ value >> 32;
}

static uint32_t *leaf(uint32_t function)
{
	struct range *range = &ranges[function >> 31 ? 1 + (function >> 30 & 1) : 0];

	return function - range->base < range->count ? range->regs[function - range->base] : NULL;
}

static void read_cpuid(uint32_t function, uint32_t index, uint32_t *regs)
{
	uint32_t *known = leaf(function);
	uint64_t low, high;
	unsigned int i;

	for (i = 0; i < nr_sub_leaves; i++) {
		if (sub_leaves[i].function == function && sub_leaves[i].index == index) {
			memcpy(regs, sub_leaves[i].regs, 16);
			return;
		}
	}
	if (known && !index) {
		memcpy(regs, known, 16);
		return;
	}
	low = mix(cpu_seed ^ (uint64_t)function << 32 ^ index);
	high = mix(low + cpu_seed);
	regs[0] = low;
	regs[1] = low >> 32;
	regs[2] = high;
	regs[3] = high >> 32;
	switch (function) {
	case 4:
	case 0x8000001d:
		/* Some more caches. */
		if (!(low >> 40 & 3) || index > 8)
			regs[0] &= ~0x1f;
		break;
	case 0xd:
		/* Most often a component that is as it should be. */
		if (index > 1 && high >> 40 & 7) {
			regs[0] = (regs[0] & 0xfff) + 1;
			regs[1] &= 0x1fff;
			regs[2] = (regs[2] & 6) | !(host.xcr0 >> (index & 63) & 1);
		}
		break;
	}
}

void machine_cpuid(uint32_t function, uint32_t index, uint32_t *regs)
{
	read_cpuid(function, index, regs);
	/* No CPU has 2^31 sub-leaves. C, whose counter is signed, takes that for none. */
	if (!index && (function == 0x14 || function == 0x1d))
		regs[0] &= 0x7fffffff;
}

static uint32_t last_function(uint32_t base, uint32_t usual)
{
	switch (below(8)) {
	case 0: return 0;
	case 1: return take(4);
	case 2: return base + below(0x40);
	case 3: return base;
	default: return usual;
	}
}

static void make_cpu(void)
{
	unsigned int i, reg;

	cpu_seed = random_word();
	nr_sub_leaves = 0;
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		for (uint32_t *word = ranges[i].regs[0]; word < ranges[i].regs[ranges[i].count]; word++)
			*word = bits();
	}
	leaf(0)[0] = last_function(0, 0x24);
	leaf(0x80000000)[0] = last_function(0x80000000, 0x80000022);
	leaf(0xc0000000)[0] = last_function(0xc0000000, 0xc0000004);
	if (!one_in(16))
		leaf(2)[0] &= ~0xfe;
	if (!one_in(4))
		leaf(7)[0] &= 3;
	leaf(0x14)[0] &= one_in(8) ? ~0u : 3;
	leaf(0x1d)[0] &= one_in(8) ? ~0u : 3;
	leaf(0x80000008)[0] &= one_in(2) ? ~0u : 0xff3f3f;

	/* Now bit by bit. */
	while (bytes < bytes_end && one_in(2)) {
		uint32_t kind = take(1), where = take(1), bit = 1u << (take(1) & 31);

		switch (kind & 3) {
		case 0:
			host.words[where % MAX_KERNEL_WORDS] ^= bit;
			break;
		case 1:
			reg = kind >> 2 & 3;
			leaf((kind & 0x80) << 24 | (where & 0x3f))[reg] ^= bit;
			break;
		case 2:
			reg = kind >> 2 & 3;
			leaf((kind & 0x80) << 24 | (where & 0x3f))[reg] = take(4);
			break;
		default:
			if (nr_sub_leaves == ARRAY_SIZE(sub_leaves))
				break;
			sub_leaves[nr_sub_leaves].function = (kind & 0x80) << 24 | (where & 0x3f);
			sub_leaves[nr_sub_leaves].index = take(1);
			for (reg = 0; reg < 4; reg++)
				sub_leaves[nr_sub_leaves].regs[reg] = bits();
			nr_sub_leaves++;
		}
	}
}

static void make_host(void)
{
	static const uint8_t vendors[] = { 0, 2, 2, 5, 9, 10, 0xff };	/* X86_VENDOR_* */
	unsigned int i;

	memset(&host, 0, sizeof(host));
	for (i = 0; i < base_kernel.nr_kernel_words; i++)
		host.words[i] = bits();
	host.flags = take(8);
	/* Most often there is all that a feature may depend on. */
	if (one_in(2))
		host.flags |= random_word();
	host.xcr0 = bits() & 0x600ff;
	if (one_in(4))
		host.xcr0 = take(8);
	host.xss = bits() & 0x1900;
	if (one_in(8))
		host.xss = take(8);
	host.permitted = one_in(2) ? ~0ull : random_word();
	host.power = bits();
	host.events_mask = bits();
	host.vendor = vendors[below(ARRAY_SIZE(vendors))];
	host.phys_bits = random_word();
	host.tdp_levels = 3 + below(3);
	host.pmu_version = below(8);
	host.counters_gp = below(16);
	host.counters_fixed = below(32);
	host.width_gp = random_word();
	host.width_fixed = random_word();
	host.events_len = random_word();
	make_cpu();
	for (i = 0; i < base_kernel.nr_feature_words; i++)
		host.words[i] |= base_kernel.required[i];
}

void differ(const char *what, uint64_t base, uint64_t ours)
{
	fprintf(stderr, "\nDIFFERENCE in %s%s%s: unmodified %#llx, ours %#llx\n", what, why[0] ? ", " : "", why,
		(unsigned long long)base, (unsigned long long)ours);
	fprintf(stderr, "host: %s, flags %#llx, xcr0 %#llx, xss %#llx\n", host.flags & 1 ? "svm" : "vmx",
		(unsigned long long)host.flags, (unsigned long long)host.xcr0, (unsigned long long)host.xss);
	abort();
}

static void load(void)
{
	if (show) {
		for (unsigned int i = 0; i < base_kernel.nr_kernel_words; i++)
			SHOW("kernel's word %u: %08x\n", i, host.words[i]);
		for (struct range *range = ranges; range < ranges + ARRAY_SIZE(ranges); range++) {
			for (unsigned int i = 0; i < range->count; i++)
				SHOW("CPUID %08x: %08x %08x %08x %08x\n", range->base + i, range->regs[i][0],
				     range->regs[i][1], range->regs[i][2], range->regs[i][3]);
		}
		for (unsigned int i = 0; i < nr_sub_leaves; i++)
			SHOW("CPUID %08x.%x: %08x %08x %08x %08x\n", sub_leaves[i].function,
			     sub_leaves[i].index, sub_leaves[i].regs[0], sub_leaves[i].regs[1],
			     sub_leaves[i].regs[2], sub_leaves[i].regs[3]);
	}
	same_support();
}

static void get_cpuid(unsigned int type, uint32_t room)
{
	bool is_dirty = type == KVM_GET_EMULATED_CPUID && one_in(32);

	if (is_dirty) {
		uint32_t i = below(255);

		memset(got, 0, sizeof(got));
		got[0][i].padding[i % 3] = got[1][i].padding[i % 3] = 1;
	} else if (type == KVM_GET_EMULATED_CPUID) {
		for (int i = 0; i < 2; i++)
			memset(got[i], 0, (room < MAX_ENTRIES ? room : MAX_ENTRIES) * sizeof(**got));
	}
	same_cpuid(type, room);
}

#ifdef TARGET_SUPPORTED
static void fuzz(void)
{
	uint32_t nent = one_in(8) ? take(2) % 300 : MAX_ENTRIES;

	make_host();
	load();
	get_cpuid(KVM_GET_SUPPORTED_CPUID, nent);
	get_cpuid(KVM_GET_EMULATED_CPUID, one_in(2) ? nent : below(6));
}
#endif

#ifdef TARGET_GUEST
static void text(struct kvm_cpuid_entry2 *entry, const char *name)
{
	memcpy(&entry->ebx, name, 4);
	memcpy(&entry->ecx, name + 4, 4);
	memcpy(&entry->edx, name + 8, 4);
}

static uint32_t a_function(void)
{
	static const uint32_t functions[] = {
		0, 1, 2, 6, 7, 7, 7, 0xd, 0xd, 0xd, 0xa, 0xb, 0xb, 0x10, 0x12, 0x14, 0x1e, 0x1f, 0x24, 0x41,
		0x40000000, 0x40000000, 0x40000001, 0x40000001, 0x40000010, 0x40000100, 0x40000101, 0x4000ff00,
		0x4000ff01, 0x40010000, 0x4fffffff, 0x50000000,
		0x80000000, 0x80000001, 0x80000007, 0x80000008, 0x8000000a, 0x8000001f, 0x80000021,
		0x80000022, 0x80860001, 0xc0000000, 0xc0000001, 0xffffffff,
	};
	uint32_t which = below(64);

	if (which < ARRAY_SIZE(functions))
		return functions[which];
	if (which < ARRAY_SIZE(functions) + 8)
		return 0x40000000 + 0x100 * below(4) + below(3);
	if (which == 63)
		return take(4);
	return (which & 1) << 31 | below(0x28);
}

static uint32_t an_index(void)
{
	static const uint32_t indices[] = { 0, 0, 0, 1, 1, 2, 5, 0xffffffff };

	return indices[below(ARRAY_SIZE(indices))];
}

static void fill(struct kvm_cpuid_entry2 *entry)
{
	static const char *const names[] = {
		"KVMKVMKVM\0\0\0", "KVMKVMKVM\0\0\0", "XenVMMXenVMM", "AuthcAMDenti", "AMDiter!sbet", "HygouinenGen",
		"GenuntelineI",
	};
	uint32_t which = below(8);

	entry->eax = bits();
	entry->ebx = bits();
	entry->ecx = bits();
	entry->edx = bits();
	switch (entry->function) {
	case 0:
		entry->eax = one_in(4) ? entry->eax : below(0x28);
		break;
	case 0x40000001:
		if (one_in(4))
			entry->eax = 0x31237648 | (one_in(2) ? 1 << 7 : 0);
		break;
	case 0x80000000:
	case 0xc0000000:
		entry->eax = one_in(4) ? entry->eax : entry->function + below(0x28);
		break;
	case 0x80000008:
		/* Most tables should be good ones. */
		if (!one_in(16))
			entry->eax = (entry->eax & ~0xff00) | (one_in(2) ? 48 << 8 : one_in(2) ? 57 << 8 : 0);
		break;
	}
	if ((!entry->function || (entry->function & 0xff) == 0) && which < ARRAY_SIZE(names))
		text(entry, names[which]);
}

static int compare(const void *a, const void *b)
{
	const struct kvm_cpuid_entry2 *left = a, *right = b;

	if (left->function != right->function)
		return left->function < right->function ? -1 : 1;
	return left->index < right->index ? -1 : left->index > right->index;
}

/* KVM's own table, one in order, or any. */
static void make_table(void)
{
	uint32_t style = below(8), i;

	if (style < 2 && nr_got) {
		nent = nr_got;
		memcpy(table, got[0], nent * sizeof(*table));
	} else {
		nent = one_in(32) ? take(2) % (MAX_ENTRIES + 2) : below(32);
		for (i = 0; i < nent; i++) {
			table[i].function = a_function();
			table[i].index = an_index();
			table[i].flags = one_in(3) ? 0 : one_in(16) ? take(4) : KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
			fill(&table[i]);
			table[i].padding[0] = one_in(16);
		}
		if (style < 6)
			qsort(table, nent, sizeof(*table), compare);
	}
	if (nent && style == 1) {
		for (i = 0; i < 4; i++)
			fill(&table[below(nent)]);
	}
}

static void make_state(void)
{
	uint32_t how;

	state.xcr0 = bits() & (host.xcr0 | 1);
	state.xss = bits() & host.xss;
	state.cr4 = take(4) | (uint64_t)take(1) << 32;
	state.apic_base = take(2);
	state.misc_enable = take(4);
	how = take(1);
	state.tsx_ctrl = how & 3;
	state.faults = !(how >> 2 & 3);
	state.cpl = how & 0x10 ? 3 : 0;
	state.smm = how & 0x20;
	state.skipped = !!(how >> 6);
}

static void make_vcpu(void)
{
	memset(&state, 0, sizeof(state));
	make_state();
	state.disabled_quirks = one_in(2) ? KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT : 0;
	state.hlt_in_guest = one_in(2);
	state.tdx = one_in(8) && !(host.flags & 1 << HOST_SVM);
	state.apic = !one_in(8);
	state.xfd_error = one_in(8) ? -EPERM : 0;
	state.hyperv_error = one_in(8) ? -ENOMEM : 0;
	SHOW("vCPU: tdx %d, quirks off %llx, HLT in guest %d\n", state.tdx,
	     (unsigned long long)state.disabled_quirks, state.hlt_in_guest);
	create_vcpu();
}

static uint32_t a_room(void)
{
	return one_in(16) ? below(256) : MAX_ENTRIES;
}

static void emulate(void)
{
	uint32_t function = a_function(), index = an_index(), regs[2][4];
	bool exits = one_in(2), exact_only = one_in(8), exact[2] = {};
	int i;

	if (nent && one_in(2)) {
		i = below(nent > 255 ? 255 : nent);
		function = table[i].function + (one_in(4) ? 1 : 0);
		index = one_in(2) ? index : table[i].index;
	}
	if (exits) {
		same_exit(function, index);
		return;
	}
	for (i = 0; i < 2; i++) {
		memset(regs[i], 0x5a, sizeof(regs[i]));
		regs[i][0] = function;
		regs[i][2] = index;
		exact[i] = kernels[i]->cpuid(regs[i], exact_only);
	}
	because("CPUID %#x.%#x", function, index);
	SHOW("%s\n", why);
	if (exact[0] != exact[1])
		differ("whether the entry is there", exact[0], exact[1]);
	same_words("what a guest reads", regs[0], regs[1], 4);
}

static void fuzz(void)
{
	int ops;

	make_host();
	load();
	nr_got = 0;
	if (one_in(4))
		get_cpuid(KVM_GET_SUPPORTED_CPUID, MAX_ENTRIES);
	make_vcpu();
	same_state();
	make_table();
	if (set_cpuid2(false))
		return;
	same_state();

	for (ops = below(8); ops; ops--) {
		switch (below(8)) {
		case 0:
			make_table();
			/* fall through */
		case 1:
			if (one_in(4) && nent)
				fill(&table[below(nent)]);
			if (set_cpuid2(one_in(8)))
				return;
			break;
		case 2:
			state.has_run = one_in(2);
			/* fall through */
		case 3:
			make_state();
			SHOW("state: has run %d\n", state.has_run);
			kernels[0]->change(&state);
			kernels[1]->change(&state);
			break;
		case 4:
			get_cpuid2(a_room());
			break;
		default:
			emulate();
		}
		same_state();
	}
	get_cpuid2(a_room());
	emulate();
	same_state();
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t start = 0;

	show = getenv("FUZZ_SHOW");
	memcpy(&start, data, size < 8 ? size : 8);
	seed = mix(start + 1) | 1;
	bytes = data + (size < 8 ? size : 8);
	bytes_end = data + size;
	why[0] = 0;
	fuzz();
	return 0;
}
