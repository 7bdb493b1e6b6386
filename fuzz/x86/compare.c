// SPDX-License-Identifier: GPL-2.0
/* What compare.h has: nothing here makes up an input. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "compare.h"

const struct kernel *const kernels[] = { &base_kernel, &ours_kernel };
bool show;
struct host host;
struct kvm_cpuid_entry2 table[MAX_ENTRIES + 1], got[2][MAX_ENTRIES];
uint32_t nent, nr_got;
struct vcpu_state state;
char why[128];

static struct support support[2];
static struct seen seen[2];

void because(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
}

#define SAME(a, b, member)							\
do {										\
	if ((a).member != (b).member)						\
		differ(#member, (a).member, (b).member);			\
} while (0)

/*
 * Capabilities that differ, and that nobody but the table of what is reported looks at: C reports
 * ARAT, in leaf 6, without one.
 */
static const uint32_t excused[MAX_KVM_WORDS] = {
	[14] = 1 << 2,
};

static void same_caps(const char *what, const uint32_t *a, const uint32_t *b)
{
	for (unsigned int i = 0; i < base_kernel.nr_kvm_words; i++) {
		if ((a[i] ^ b[i]) & ~excused[i]) {
			because("word %u", i);
			differ(what, a[i], b[i]);
		}
	}
}

void same_words(const char *what, const uint32_t *a, const uint32_t *b, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (a[i] != b[i]) {
			because("word %u", i);
			differ(what, a[i], b[i]);
		}
	}
}

static void same_entries(const char *what, const struct kvm_cpuid_entry2 *a,
			 const struct kvm_cpuid_entry2 *b, unsigned int count)
{
	if (!memcmp(a, b, count * sizeof(*a)))
		return;
	for (unsigned int i = 0; i < count; i++, a++, b++) {
		because("%s: entry %u: function %#x or %#x, index %#x or %#x", what, i,
			a->function, b->function, a->index, b->index);
		SAME(*a, *b, function);
		SAME(*a, *b, index);
		SAME(*a, *b, flags);
		SAME(*a, *b, eax);
		SAME(*a, *b, ebx);
		SAME(*a, *b, ecx);
		SAME(*a, *b, edx);
		SAME(*a, *b, padding[0]);
		SAME(*a, *b, padding[1]);
		SAME(*a, *b, padding[2]);
	}
}

void same_support(void)
{
	why[0] = 0;
	kernels[0]->load(&host, &support[0]);
	kernels[1]->load(&host, &support[1]);
	same_caps("kvm_cpu_caps", support[0].words, support[1].words);
	SAME(support[0], support[1], xss);
	SAME(support[0], support[1], efer);
	SAME(support[0], support[1], cr4);
	SAME(support[0], support[1], has_bus_lock_exit);
	SAME(support[0], support[1], counters_gp);
	if (!support[0].warnings != !support[1].warnings)
		differ("whether the host contradicts itself", support[0].warnings, support[1].warnings);
}

void same_cpuid(unsigned int type, uint32_t room)
{
	const char *name = type == KVM_GET_EMULATED_CPUID ? "emulated" : "supported";
	struct kvm_cpuid2 cpuid[2];
	uint32_t warnings[2];
	int r[2], i;

	for (i = 0; i < 2; i++) {
		cpuid[i].nent = room;
		r[i] = kernels[i]->get_cpuid(&cpuid[i], got[i], type, &warnings[i]);
	}
	because("%s, room for %u", name, room);
	if (r[0] != r[1])
		differ("the error", r[0], r[1]);
	SAME(cpuid[0], cpuid[1], nent);
	if (!warnings[0] != !warnings[1])
		differ("whether the CPU contradicts itself", warnings[0], warnings[1]);
	nr_got = r[0] ? 0 : cpuid[0].nent;
	same_entries(name, got[0], got[1], nr_got);
}

void create_vcpu(void)
{
	for (int i = 0; i < 2; i++)
		kernels[i]->create(&state);
}

void same_state(void)
{
	struct seen *a = &seen[0], *b = &seen[1];

	kernels[0]->look(a);
	kernels[1]->look(b);
	same_caps("cpu_caps", a->caps, b->caps);
	SAME(*a, *b, xcr0);
	SAME(*a, *b, xss);
	SAME(*a, *b, reserved_gpa);
	SAME(*a, *b, reserved_cr4);
	SAME(*a, *b, reserved_efer);
	SAME(*a, *b, cr4_fixed1);
	SAME(*a, *b, dynamic);
	SAME(*a, *b, pv_features);
	SAME(*a, *b, xen_base);
	SAME(*a, *b, xen_limit);
	SAME(*a, *b, timer_mode);
	SAME(*a, *b, maxphyaddr);
	SAME(*a, *b, max_guest_phyaddr);
	SAME(*a, *b, refreshed);
	SAME(*a, *b, amd_compatible);
	SAME(*a, *b, asks_for_xsaves);
	SAME(*a, *b, dirty);
	SAME(*a, *b, hyperv);
	SAME(*a, *b, exceptions);
}

void get_cpuid2(uint32_t room)
{
	static struct kvm_cpuid_entry2 entries[2][MAX_ENTRIES];
	uint32_t count[2];
	int r[2], i;

	for (i = 0; i < 2; i++) {
		count[i] = room;
		r[i] = kernels[i]->get_cpuid2(entries[i], &count[i]);
	}
	because("KVM_GET_CPUID2, room for %u", room);
	if (r[0] != r[1])
		differ("the error", r[0], r[1]);
	if (count[0] != count[1])
		differ("the number of entries", count[0], count[1]);
	if (!r[0])
		same_entries("KVM_GET_CPUID2", entries[0], entries[1], count[0]);
}

/* Whether Hyper-V's interface is there only once KVM has taken PV_UNHALT out of the leaf. */
static bool is_hyperv_late(void)
{
	for (uint32_t i = 0; i < nent; i++) {
		if (table[i].function == 0x40000001)
			return state.hlt_in_guest && table[i].eax == (0x31237648 | 1 << 7);
	}
	return false;
}

/*
 * What the documentation says is different: Hyper-V's interface is judged once, by what the guest
 * sees, and after the width of linear addresses. Returns whether the kernels went separate ways.
 */
static bool judge(const int *r, const uint32_t *before)
{
	struct seen now[2];
	bool inits[2];

	for (int i = 0; i < 2; i++) {
		kernels[i]->look(&now[i]);
		inits[i] = now[i].hyperv_inits != before[i];
	}
	because("Hyper-V's context %d, %d", inits[0], inits[1]);

	if (is_hyperv_late() && !inits[0] && inits[1] && (r[1] == r[0] || r[1] == state.hyperv_error))
		return true;
	/* Too wide: C has allocated the context, or tried to. */
	if (inits[0] && !inits[1] && r[1] == -EINVAL && (r[0] == -EINVAL || r[0] == state.hyperv_error))
		return r[0] != r[1];
	if (r[0] != r[1])
		differ("the error of KVM_SET_CPUID2", r[0], r[1]);
	if (inits[0] != inits[1])
		differ("whether Hyper-V's context is allocated", inits[0], inits[1]);
	return false;
}

bool set_cpuid2(bool old)
{
	static struct kvm_cpuid_entry entries[MAX_ENTRIES + 1];
	uint32_t inits[2];
	int r[2], i;

	for (i = 0; old && i < nent; i++) {
		entries[i] = (struct kvm_cpuid_entry) {
			.function = table[i].function, .eax = table[i].eax, .ebx = table[i].ebx,
			.ecx = table[i].ecx, .edx = table[i].edx,
		};
	}
	for (i = 0; i < 2; i++) {
		kernels[i]->look(&seen[i]);
		inits[i] = seen[i].hyperv_inits;
		r[i] = old ? kernels[i]->set_cpuid(entries, nent) : kernels[i]->set_cpuid2(table, nent);
	}
	SHOW("KVM_SET_CPUID%s, %u entries: %d, %d\n", old ? "" : "2", nent, r[0], r[1]);
	for (i = 0; i < nent && i < MAX_ENTRIES; i++)
		SHOW("  %08x.%x %x: %08x %08x %08x %08x\n", table[i].function, table[i].index, table[i].flags,
		     table[i].eax, table[i].ebx, table[i].ecx, table[i].edx);
	return judge(r, inits);
}


void same_exit(uint32_t function, uint32_t index)
{
	uint32_t regs[2][4];
	int r[2], i;

	for (i = 0; i < 2; i++) {
		memset(regs[i], 0x5a, sizeof(regs[i]));
		regs[i][0] = function;
		regs[i][2] = index;
		r[i] = kernels[i]->exit(regs[i]);
	}
	because("CPUID %#x.%#x", function, index);
	SHOW("%s: %d\n", why, r[0]);
	if (r[0] != r[1])
		differ("whether the guest goes on", r[0], r[1]);
	same_words("what a guest reads", regs[0], regs[1], 4);
}
