// SPDX-License-Identifier: GPL-2.0
/*
 * A real CPU instead of a made-up one: reads what CPUID returns there, and gives both kernels each host
 * that it may be. What CPUID doesn't say is all off and all on, in groups, and each switch of KVM's for
 * itself.
 *
 * Lines of standard input are "cpu FUNCTION INDEX EAX EBX ECX EDX", and, if it is known, "kvm" with the
 * same of KVM_GET_SUPPORTED_CPUID there, all in hexadecimal.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <linux/kvm.h>

#include "compare.h"

struct leaf {
	uint32_t function, index, regs[4];
};
struct leaves {
	struct leaf leaf[4096];
	unsigned int nr;
};
static struct leaves cpu, kvm;

static const uint32_t *find(const struct leaves *leaves, uint32_t function, uint32_t index)
{
	static const uint32_t none[4];

	for (unsigned int i = 0; i < leaves->nr; i++) {
		if (leaves->leaf[i].function == function && leaves->leaf[i].index == index)
			return leaves->leaf[i].regs;
	}
	return none;
}

void machine_cpuid(uint32_t function, uint32_t index, uint32_t *regs)
{
	memcpy(regs, find(&cpu, function, index), 16);
}

/* What a host is of besides its CPU. */
static const char *const flag_names[] = {
#define NAME(flag) #flag,
	HOST_FLAGS(NAME)
};
static const char *const groups[] = {
	"Linux' own features", "bugs", "XCR0", "IA32_XSS", "dynamic components", "5-level TDP",
};
enum { OWN, BUGS, XCR0, XSS, DYNAMIC, LEVELS };
enum { NONE, ALL, ONE, ALL_BUT };
static const uint64_t switches = (1ull << NR_HOST_FLAGS) - (1 << (HOST_SVM + 1));

static char variant[200];
static unsigned long variants, differences;
static jmp_buf next;

void differ(const char *what, uint64_t base, uint64_t ours)
{
	static const char *told[64];
	unsigned int i = 0;

	differences++;
	/* Once is enough. */
	while (i < ARRAY_SIZE(told) && told[i] && strcmp(told[i], what))
		i++;
	if (i < ARRAY_SIZE(told) && !told[i]) {
		told[i] = what;
		printf("DIFFERENCE in %s%s%s: unmodified %#llx, ours %#llx\n  host: %s\n", what, why[0] ? ", " : "",
		       why, (unsigned long long)base, (unsigned long long)ours, variant);
	}
	longjmp(next, 1);
}

static void make_host(const struct host *known, uint32_t unsaid, bool is_svm, unsigned int on, unsigned int how,
		      unsigned int flag)
{
	static const char *const words[] = { "nothing", "all", "only ", "all but " };
	const uint64_t bit = 1ull << flag;
	int length;

	host = *known;
	host.flags = (how == ALL ? switches : how == ONE ? bit : how == ALL_BUT ? switches & ~bit : 0) |
		     (uint64_t)is_svm << HOST_SVM;
	for (unsigned int i = 0; i < base_kernel.nr_kernel_words; i++) {
		if (i < base_kernel.nr_feature_words ? on & 1 << OWN && unsaid & 1 << i : on & 1 << BUGS)
			host.words[i] = ~0u;
		if (i < base_kernel.nr_feature_words)
			host.words[i] |= base_kernel.required[i];
	}
	host.xcr0 = on & 1 << XCR0 ? host.xcr0 : 0;
	host.xss = on & 1 << XSS ? host.xss : 0;
	host.permitted = on & 1 << DYNAMIC ? ~0ull : 0;
	host.tdp_levels = on & 1 << LEVELS ? 5 : 4;

	length = snprintf(variant, sizeof(variant), "%s with %s%s", is_svm ? "kvm-amd" : "kvm-intel", words[how],
			  how < ONE ? "" : flag_names[flag]);
	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++) {
		if (on & 1 << i)
			length += snprintf(variant + length, sizeof(variant) - length, ", %s", groups[i]);
	}
}

/* How much of what KVM said there the unmodified kernel doesn't say of this host. */
static struct {
	struct host host;
	unsigned int bits;
	char variant[sizeof(variant)], first[80];
} nearest = { .bits = ~0u };

static void look_at_kvm(void)
{
	static struct leaves here;
	unsigned int bits = 0;
	char first[80] = "";

	here.nr = nr_got;
	for (unsigned int i = 0; i < nr_got; i++) {
		const struct kvm_cpuid_entry2 *entry = &got[0][i];

		here.leaf[i] = (struct leaf) { entry->function, entry->index,
					       { entry->eax, entry->ebx, entry->ecx, entry->edx } };
	}
	for (unsigned int i = 0; i < kvm.nr + here.nr; i++) {
		const struct leaf *leaf = i < kvm.nr ? &kvm.leaf[i] : &here.leaf[i - kvm.nr];
		const uint32_t *a = find(&kvm, leaf->function, leaf->index);
		const uint32_t *b = find(&here, leaf->function, leaf->index);

		/* What both have was compared before. */
		if (i >= kvm.nr && a >= kvm.leaf[0].regs && a < kvm.leaf[kvm.nr].regs)
			continue;
		for (unsigned int reg = 0; reg < 4; reg++) {
			if (a[reg] != b[reg] && !bits)
				snprintf(first, sizeof(first), "%#x.%x:e%cx there %08x, here %08x", leaf->function,
					 leaf->index, "abcd"[reg], a[reg], b[reg]);
			bits += __builtin_popcount(a[reg] ^ b[reg]);
		}
	}
	if (bits < nearest.bits) {
		nearest.host = host;
		nearest.bits = bits;
		strcpy(nearest.variant, variant);
		strcpy(nearest.first, first);
	}
}

/* Guest CPUID is what KVM supports, and then all that the CPU has. */
static void run(void)
{
	same_support();
	memset(got, 0, sizeof(got));
	same_cpuid(KVM_GET_EMULATED_CPUID, MAX_ENTRIES);
	same_cpuid(KVM_GET_SUPPORTED_CPUID, MAX_ENTRIES);
	if (kvm.nr)
		look_at_kvm();

	memset(&state, 0, sizeof(state));
	state.apic = true;
	state.xcr0 = host.xcr0;
	state.skipped = 1;
	create_vcpu();
	for (int pass = 0; pass < 2; pass++) {
		nent = pass ? cpu.nr : nr_got;
		if (nent > MAX_ENTRIES)
			nent = MAX_ENTRIES;
		memcpy(table, got[0], sizeof(got[0]));
		for (uint32_t i = 0; pass && i < nent; i++) {
			const struct leaf *leaf = &cpu.leaf[i];

			table[i] = (struct kvm_cpuid_entry2) {
				.function = leaf->function, .index = leaf->index,
				.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
				.eax = leaf->regs[0], .ebx = leaf->regs[1], .ecx = leaf->regs[2], .edx = leaf->regs[3],
			};
		}
		if (set_cpuid2(false))
			return;
		same_state();
		get_cpuid2(MAX_ENTRIES);
		for (uint32_t i = 0; i < nent; i++)
			same_exit(table[i].function, table[i].index);
	}
}

static void compare(void)
{
	variants++;
	if (!setjmp(next))
		run();
}

/*
 * A kernel may have set or cleared what CPUID says otherwise: bit by bit, and what gets nearer to the host
 * that KVM there is on stays so.
 */
static void look_around(void)
{
	const unsigned int nr_words = base_kernel.nr_kernel_words;

	snprintf(variant, sizeof(variant), "near %s", nearest.variant);
	for (unsigned int bit = 0; bit < 32 * nr_words; bit++) {
		if (bit / 32 < base_kernel.nr_feature_words && base_kernel.required[bit / 32] & 1u << bit % 32)
			continue;
		host = nearest.host;
		host.words[bit / 32] ^= 1u << bit % 32;
		compare();
	}
	for (unsigned int bit = 0; bit < 64; bit++) {
		host = nearest.host;
		host.flags ^= 1ull << bit & switches;
		if (host.flags != nearest.host.flags)
			compare();
		host = nearest.host;
		host.xcr0 &= ~(1ull << bit);
		if (host.xcr0 != nearest.host.xcr0)
			compare();
	}
}

static void replay(bool is_svm)
{
	struct host known;
	uint32_t unsaid = base_kernel.identify(&known);

	for (unsigned int on = 0; on < 1 << ARRAY_SIZE(groups); on++) {
		for (unsigned int how = NONE; how <= ALL_BUT; how++) {
			for (unsigned int flag = HOST_SVM + 1; flag < NR_HOST_FLAGS; flag++) {
				make_host(&known, unsaid, is_svm, on, how, flag);
				compare();
				if (how < ONE)
					break;
			}
		}
	}
	if (kvm.nr)
		return;
	make_host(&known, unsaid, is_svm, (1 << ARRAY_SIZE(groups)) - 1, ALL, 0);
	nearest.host = host;
	strcpy(nearest.variant, variant);
	look_around();
}

/* The cores are those that are fuzzed. */
void __sanitizer_cov_8bit_counters_init(void) { }
void __sanitizer_cov_pcs_init(void) { }

int main(void)
{
	char line[128], whose[4];
	struct leaves *leaves;
	struct leaf leaf;

	while (fgets(line, sizeof(line), stdin)) {
		uint32_t *regs = leaf.regs;

		if (sscanf(line, "%3s %x %x %x %x %x %x", whose, &leaf.function, &leaf.index,
			   &regs[0], &regs[1], &regs[2], &regs[3]) != 7)
			return 2;
		leaves = whose[0] == 'c' ? &cpu : &kvm;
		if (leaves->nr == ARRAY_SIZE(leaves->leaf))
			return 2;
		leaves->leaf[leaves->nr++] = leaf;
	}
	show = getenv("FUZZ_SHOW");
	/* The module that loads there; both, where CPUID has neither's. */
	for (int is_svm = 0; is_svm < 2; is_svm++) {
		const bool has_vmx = find(&cpu, 1, 0)[2] & 1 << 5, has_svm = find(&cpu, 0x80000001, 0)[2] & 1 << 2;

		if (has_vmx == has_svm || has_svm == is_svm)
			replay(is_svm);
	}
	if (kvm.nr) {
		look_around();
		printf("KVM there: %u bits other than the unmodified C's, %s%s%s\n", nearest.bits, nearest.variant,
		       nearest.bits ? ": " : "", nearest.first);
	}
	printf("%lu variants, %lu differences\n", variants, differences);
	return differences != 0;
}
