/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random tables of CPUID entries.
 */
#ifndef SELFTEST_KVM_GUEST_CAPS_TABLE_H
#define SELFTEST_KVM_GUEST_CAPS_TABLE_H

#include <stdlib.h>

#include "kvm_util.h"
#include "processor.h"

/* KVM_MAX_CPUID_ENTRIES */
#define MAX_ENTRIES	256
/* More than KVM_GUEST_CAPS has of features. */
#define MAX_CAPS	2048

#define INDEXED		KVM_CPUID_FLAG_SIGNIFCANT_INDEX
#define PV_LEAF		0x40000001
#define SIZES_LEAF	0x80000008
#define XTILE_DATA	BIT(18)

static inline void make_entry(struct kvm_cpuid2 *cpuid, u32 function, u32 index, u32 flags)
{
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2) {
		.function = function, .index = index, .flags = flags,
	};
}

static inline void put_text(struct kvm_cpuid_entry2 *e, const char *ebx, const char *ecx,
			    const char *edx)
{
	memcpy(&e->ebx, ebx, 4);
	memcpy(&e->ecx, ecx, 4);
	memcpy(&e->edx, edx, 4);
}

static inline u32 any(u32 limit)
{
	return random() % limit;
}

static inline u32 any32(void)
{
	return (u32)random() << 16 ^ random();
}

/* A table not unlike those that VMMs make, and now and then one that none would make. */
static inline void make_table(struct kvm_cpuid2 *table)
{
	static const u32 functions[] = {
		0, 1, 7, 7, 0xd, 0xd, 0x12, 0x24, 0x40000000, PV_LEAF, 0x40000100, 0x40000101,
		0x80000000, 0x80000001, SIZES_LEAF, 0x8000000a, 0x80000021, 0xc0000001,
	};
	const struct kvm_cpuid2 *supported = kvm_get_supported_cpuid();
	bool is_odd = !any(4);

	memcpy(table, supported, kvm_cpuid2_size(supported->nent));
	for (u32 more = any(6); more; more--) {
		u32 function = functions[any(ARRAY_SIZE(functions))];
		struct kvm_cpuid_entry2 *e = &table->entries[table->nent];

		make_entry(table, function, is_odd ? any(3) : 0,
			   function == 0xd || any(2) ? INDEXED : 0);
		e->eax = any32();
		e->ebx = any32();
		e->ecx = any32();
		e->edx = any32();
		if (function == SIZES_LEAF && any(8))
			e->eax = 48 << 8 | 40;
		if ((function & ~0x100) == 0x40000000)
			put_text(e, "KVMK", "VMKV", "M\0\0\0");
	}
	for (u32 changes = any(12); changes; changes--) {
		struct kvm_cpuid_entry2 *e = &table->entries[any(table->nent)];
		u32 *word = &(&e->eax)[any(4)];

		/* Widths of addresses would be refused too often. */
		if (e->function == SIZES_LEAF && word == &e->eax)
			*word ^= BIT(any(8)) | (any(8) ? 0 : BIT(8 + any(8)));
		else
			*word ^= any(3) ? BIT(any(32)) : any32();
		if (!any(4) && e->function == 0)
			put_text(e, "Auth", "cAMD", "enti");
	}
	/* Without permission for AMX the table is refused for its data. */
	for (u32 i = 0; i < table->nent; i++) {
		if (table->entries[i].function == 0xd && any(8))
			table->entries[i].eax &= ~XTILE_DATA;
	}
	for (u32 swaps = is_odd ? any(8) : 0; swaps; swaps--) {
		u32 a = any(table->nent), b = any(table->nent);
		struct kvm_cpuid_entry2 e = table->entries[a];

		table->entries[a] = table->entries[b];
		table->entries[b] = e;
	}
	table->nent -= any(3) ? 0 : any(table->nent + 1);
}

#endif
