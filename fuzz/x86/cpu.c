// SPDX-License-Identifier: GPL-2.0
/* What the kernel makes of a CPU when it boots, as far as CPUID says it: cut out of common.c and scattered.c. */
#include "cpuid.h"
#include "pmu.h"
#include "fuzz.h"

#undef clear_cpu_cap
#define cpuid(function, ...)		fuzz_cpuid_count(function, 0, __VA_ARGS__)
#define cpuid_edx			fuzz_cpuid_edx
#define clear_cpu_cap(c, bit)		clear_bit(bit, (unsigned long *)(c)->x86_capability)
#define apply_forced_caps(c)		do { } while (0)

static u32 fuzz_cpuid_edx(u32 function)
{
	u32 regs[4];

	machine_cpuid(function, 0, regs);
	return regs[3];
}

#include "cut-cpu.h"

/* struct cpu_dev's c_ident and c_x86_vendor. */
static const struct { const char *ident; u8 vendor; } vendors[] = {
#include "vendors.h"
};

/* Perf's, as kvm_init_pmu_capability() leaves it. */
static void identify_pmu(const struct cpuinfo_x86 *c, struct host *host)
{
	union cpuid_0x80000022_ebx ebx = { };
	union cpuid10_eax eax = { };
	union cpuid10_edx edx = { };
	u32 unused;

	if (c->cpuid_level >= 0xa)
		cpuid(0xa, &eax.full, &host->events_mask, &unused, &edx.full);
	if (eax.split.version_id) {
		host->pmu_version = min_t(u32, eax.split.version_id, 2);
		host->counters_gp = min_t(u32, eax.split.num_counters, KVM_MAX_NR_INTEL_GP_COUNTERS);
		host->counters_fixed = min_t(u32, edx.split.num_counters_fixed, KVM_MAX_NR_FIXED_COUNTERS);
		host->width_gp = eax.split.bit_width;
		host->width_fixed = edx.split.bit_width_fixed;
		host->events_len = eax.split.mask_length;
		return;
	}
	host->pmu_version = 1;
	host->counters_gp = cpu_has(c, X86_FEATURE_PERFCTR_CORE) ? AMD64_NUM_COUNTERS_CORE : AMD64_NUM_COUNTERS;
	if (cpu_has(c, X86_FEATURE_PERFMON_V2)) {
		cpuid(0x80000022, &unused, &ebx.full, &unused, &unused);
		host->pmu_version = 2;
		host->counters_gp = min_t(u32, ebx.split.num_core_pmc, KVM_MAX_NR_AMD_GP_COUNTERS);
	}
	host->width_gp = 48;
}

u32 fuzz_identify(struct host *host)
{
	static struct cpuinfo_x86 c;
	u32 ident[3], low, high, unused, unsaid = 0;
	int i;

	memset(&c, 0, sizeof(c));
	cpuid(0, &c.cpuid_level, &ident[0], &ident[2], &ident[1]);
	c.x86_vendor = X86_VENDOR_UNKNOWN;
	for (i = 0; i < ARRAY_SIZE(vendors); i++) {
		if (!memcmp(vendors[i].ident, ident, sizeof(ident)))
			c.x86_vendor = vendors[i].vendor;
	}
	set_cpu_cap(&c, X86_FEATURE_CPUID);
	get_cpu_cap(&c);
	get_cpu_address_sizes(&c);
	for (i = 0; i < NCAPINTS; i++) {
		u32 function = reverse_cpuid[i].function;

		if (!function)
			unsaid |= BIT(i);
		/* Those of vendors, where these have them. */
		else if (!c.x86_capability[i] && cpuid_eax(function & 0xffff0000) >= function && function >= 0x80860000)
			c.x86_capability[i] = cpuid_edx(function);
	}

	memset(host, 0, sizeof(*host));
	memcpy(host->words, c.x86_capability, sizeof(c.x86_capability));
	host->vendor = c.x86_vendor;
	host->power = c.x86_power;
	host->phys_bits = c.x86_phys_bits;
	if (c.cpuid_level >= 0xd) {
		cpuid_count(0xd, 0, &low, &unused, &unused, &high);
		host->xcr0 = (low | (u64)high << 32) & KVM_SUPPORTED_XCR0;
		cpuid_count(0xd, 1, &unused, &unused, &low, &high);
		host->xss = (low | (u64)high << 32) & KVM_SUPPORTED_XSS;
	}
	identify_pmu(&c, host);
	return unsaid;
}
