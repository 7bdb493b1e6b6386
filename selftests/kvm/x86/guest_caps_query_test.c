// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test what KVM_GUEST_CAPS says of CPUID: that what it lists is what the host, KVM and vCPUs have;
 * that what it says of random tables, of a VM without vCPUs, is what KVM_SET_CPUID2 then does with
 * them, and what the vCPU has; and bad requests.
 *
 * usage: guest_caps_query_test [TABLES [SEED]]
 */
#include <stdlib.h>

#include "guest_caps.h"
#include "guest_caps_table.h"
#include "kvm_util.h"
#include "kselftest.h"
#include "processor.h"
#include "test_util.h"

static struct kvm_guest_cap caps[MAX_CAPS + 1], reads[MAX_CAPS];
static struct kvm_cpuid2 *table, *got;
static unsigned long nr_tables = 250;

/* All there is. */
static u32 query_all(int fd, u32 op, const struct kvm_cpuid2 *asked, struct kvm_guest_cap *to)
{
	return guest_caps_query_all(fd, op, asked ? asked->entries : NULL, asked ? asked->nent : 0,
				    to, MAX_CAPS);
}

/* The register of an entry that a record is about. */
static u32 *reg(struct kvm_cpuid_entry2 *e, const struct kvm_guest_cap *cap)
{
	return &(&e->eax)[cap->lsb / 32];
}

static u32 get(struct kvm_cpuid_entry2 *e, const struct kvm_guest_cap *cap)
{
	return *reg(e, cap) >> cap->lsb % 32 & ~0u >> (32 - cap->width);
}

static void put(struct kvm_cpuid_entry2 *e, const struct kvm_guest_cap *cap, u32 value)
{
	*reg(e, cap) ^= (get(e, cap) ^ value) << cap->lsb % 32;
}

/* The first entry with that id. */
static struct kvm_cpuid_entry2 *entry(struct kvm_cpuid2 *cpuid, u64 id)
{
	for (u32 i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (KVM_GUEST_CAP_CPUID(e->function, e->flags & INDEXED ? e->index : 0) == id)
			return e;
	}
	return NULL;
}

/* The entry that answers for a feature; other than above, any index does if it isn't flagged. */
static struct kvm_cpuid_entry2 *answer(struct kvm_cpuid2 *cpuid, u64 id)
{
	for (u32 i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == id >> 32 && (!(e->flags & INDEXED) || e->index == (u32)id))
			return e;
	}
	return NULL;
}

static void set(struct kvm_vcpu *vcpu, const struct kvm_cpuid2 *cpuid, int error)
{
	int ret = __vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid);

	TEST_ASSERT(ret ? errno == error : !error, "KVM_SET_CPUID2: errno %d, not %d",
		    ret ? errno : 0, error);
}

static bool is_bit(const struct kvm_guest_cap *cap, u32 function, u32 bit)
{
	return cap->id == KVM_GUEST_CAP_CPUID(function, 0) && cap->lsb == bit;
}

/* Whether a record has what the host's CPU has; OSXSAVE follows the kernel's CR4 since then. */
static bool is_of_host(const struct kvm_guest_cap *cap)
{
	struct kvm_cpuid_entry2 host;
	u32 function = cap->id >> 32;
	u32 last = 0;

	if (function >> 16 == 0 || function >> 16 == 0x8000 || function >> 16 == 0xc000)
		__cpuid(function & 0xffff0000, 0, &last, &host.ebx, &host.ecx, &host.edx);
	memset(&host, 0, sizeof(host));
	if (cap->width == 1 && function <= last)
		__cpuid(function, cap->id, &host.eax, &host.ebx, &host.ecx, &host.edx);
	return cap->host == get(&host, cap) || (function == 1 && cap->lsb == 64 + 27);
}

static void check_listed(const struct kvm_guest_cap *cap, struct kvm_cpuid2 *supported,
			 struct kvm_cpuid2 *emulated)
{
	struct kvm_cpuid_entry2 *e;
	u32 function = cap->id >> 32;

	TEST_ASSERT(cap->width == 1 && cap->lsb < 128 && cap->rule <= KVM_GUEST_CAP_LOWER_SAFE &&
		    cap->why <= KVM_GUEST_CAP_LACKING && cap->verdict == KVM_GUEST_CAP_TAKEN &&
		    cap->lowest <= cap->highest && cap->limit == cap->highest &&
		    cap->asked == cap->highest && cap->value == cap->highest &&
		    cap->possible == (BIT(cap->lowest) | BIT(cap->highest)),
		    "%llx[%u] makes no sense", cap->id, cap->lsb);

	TEST_ASSERT(is_of_host(cap), "%llx[%u]: the host's isn't %llu", cap->id, cap->lsb,
		    cap->host);

	/* KVM may support a feature of a leaf that is behind the host's last. */
	e = entry(supported, cap->id);
	TEST_ASSERT(!e || !!(cap->flags & KVM_GUEST_CAP_SUPPORTED) == get(e, cap),
		    "%llx[%u] is supported, or not", cap->id, cap->lsb);
	e = entry(emulated, cap->id);
	if (function && e && get(e, cap) && !(cap->flags & KVM_GUEST_CAP_SUPPORTED))
		TEST_ASSERT(cap->why == KVM_GUEST_CAP_EMULATED && cap->highest,
			    "%llx[%u] is emulated", cap->id, cap->lsb);

	switch (cap->rule) {
	case KVM_GUEST_CAP_RESERVED:
	case KVM_GUEST_CAP_DENIED:
	case KVM_GUEST_CAP_ABSENT:
		TEST_ASSERT(!cap->highest && !cap->flags, "%llx[%u] isn't there", cap->id,
			    cap->lsb);
		TEST_ASSERT(cap->rule != KVM_GUEST_CAP_ABSENT ||
			    (cap->why >= KVM_GUEST_CAP_NO_CPU && cap->why <= KVM_GUEST_CAP_NO_KVM),
			    "%llx[%u] is absent for reason %u", cap->id, cap->lsb, cap->why);
		break;
	case KVM_GUEST_CAP_FIXED:
		TEST_ASSERT(!(cap->flags & KVM_GUEST_CAP_WRITABLE) &&
			    cap->why == (cap->flags & KVM_GUEST_CAP_USABLE ?
					 KVM_GUEST_CAP_FORCED : KVM_GUEST_CAP_RUNTIME),
			    "%llx[%u] is fixed", cap->id, cap->lsb);
		break;
	default:
		TEST_ASSERT(cap->flags & KVM_GUEST_CAP_WRITABLE && cap->lowest < cap->highest,
			    "%llx[%u] is userspace's choice", cap->id, cap->lsb);
	}
}

/* Bits that follow CR4 or the APIC are, and can be, what these make of them now. */
static void check_runtime(struct kvm_vcpu *vcpu, u32 nr)
{
	struct kvm_sregs old, sregs;

	vcpu_sregs_get(vcpu, &old);
	sregs = old;
	if (kvm_cpu_has(X86_FEATURE_XSAVE))
		sregs.cr4 |= X86_CR4_OSXSAVE;
	sregs.apic_base &= ~MSR_IA32_APICBASE_ENABLE;
	vcpu_sregs_set(vcpu, &sregs);

	TEST_ASSERT_EQ(query_all(vcpu->fd, KVM_GUEST_CAPS_READ, NULL, reads), nr);
	for (u32 n = 0; n < nr; n++) {
		const struct kvm_guest_cap *is = &reads[n];

		TEST_ASSERT(is->possible & BIT(is->value), "%llx[%u] can't be %llu", is->id,
			    is->lsb, is->value);
		if (is->id == KVM_GUEST_CAP_CPUID(1, 0) && is->lsb == 64 + 27)
			TEST_ASSERT_EQ(is->value, !!(sregs.cr4 & X86_CR4_OSXSAVE));
		if (is->id == KVM_GUEST_CAP_CPUID(1, 0) && is->lsb == 96 + 9)
			TEST_ASSERT_EQ(is->value, 0);
	}
	vcpu_sregs_set(vcpu, &old);
}

/* Ask for all that is listed, or nothing, and see that the vCPU has as much as it said. */
static void test_list(struct kvm_vm *vm, struct kvm_vcpu *vcpu)
{
	struct kvm_cpuid2 *supported = allocate_kvm_cpuid2(MAX_ENTRIES);
	struct kvm_cpuid2 *emulated = allocate_kvm_cpuid2(MAX_ENTRIES);
	u32 nr = query_all(vm->fd, KVM_GUEST_CAPS_LIST, NULL, caps);

	memset(emulated->entries, 0, MAX_ENTRIES * sizeof(*emulated->entries));
	kvm_ioctl(vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, supported);
	kvm_ioctl(vm->kvm_fd, KVM_GET_EMULATED_CPUID, emulated);

	table->nent = 0;
	make_entry(table, 0, 0, 0);
	put_text(&table->entries[0], "Auth", "cAMD", "enti");
	for (u32 n = 0; n < nr; n++) {
		check_listed(&caps[n], supported, emulated);
		if (!entry(table, caps[n].id))
			make_entry(table, caps[n].id >> 32, caps[n].id, INDEXED);
		*reg(entry(table, caps[n].id), &caps[n]) = ~0;
	}
	for (int has_all = 1; has_all >= 0; has_all--) {
		set(vcpu, table, 0);
		TEST_ASSERT_EQ(query_all(vcpu->fd, KVM_GUEST_CAPS_READ, NULL, reads), nr);
		for (u32 n = 0; n < nr; n++) {
			const struct kvm_guest_cap *is = &reads[n], *can = &caps[n];
			/* What KVM can't keep from a vCPU that has another feature. */
			u16 usable = is->value != can->value ? KVM_GUEST_CAP_USABLE : 0;

			TEST_ASSERT(is->id == can->id && is->lsb == can->lsb &&
				    !((is->flags ^ can->flags) & ~usable) && is->rule == can->rule,
				    "%llx[%u] is listed otherwise", is->id, is->lsb);
			TEST_ASSERT(is->value == (has_all ? can->highest : can->lowest),
				    "%llx[%u] is %llu", is->id, is->lsb, is->value);
		}
		if (has_all)
			check_runtime(vcpu, nr);
		for (u32 i = 1; i < table->nent; i++)
			memset(&table->entries[i].eax, 0, 4 * sizeof(u32));
	}
	free(supported);
	free(emulated);
}

/* A permission helps where KVM supports the component, and only there. */
static void check_forbidden(struct kvm_vm *vm, const struct kvm_guest_cap *cap)
{
	u64 supported = 0;
	bool is_there;

	__kvm_device_attr_get(vm->kvm_fd, 0, KVM_X86_XCOMP_GUEST_SUPP, &supported);
	is_there = supported & BIT(cap->lsb);
	TEST_ASSERT(cap->id == KVM_GUEST_CAP_CPUID(0xd, 0) && BIT(cap->lsb) == XTILE_DATA,
		    "%llx[%u] takes no permission", cap->id, cap->lsb);
	TEST_ASSERT(cap->rule == (is_there ? KVM_GUEST_CAP_LOWER_SAFE : KVM_GUEST_CAP_ABSENT) &&
		    cap->flags == (is_there ? KVM_GUEST_CAP_WRITABLE | KVM_GUEST_CAP_SUPPORTED :
					      0) &&
		    cap->highest == is_there && cap->possible == (is_there ? 3 : 1) &&
		    (is_there || (cap->why >= KVM_GUEST_CAP_NO_CPU &&
				  cap->why <= KVM_GUEST_CAP_NO_KVM)),
		    "the component is %s", is_there ? "there" : "not there");
}

/* Of what is refused, values are taken that are said to be possible, and no others. */
static void check_refused(struct kvm_vcpu *vcpu, const struct kvm_guest_cap *cap,
			  struct kvm_cpuid2 *table)
{
	struct kvm_cpuid_entry2 *e = entry(table, cap->id);

	for (u32 value = cap->lowest; value < 64; value++) {
		put(e, cap, value);
		set(vcpu, table, cap->possible & BIT(value) ? 0 : EINVAL);
	}
	put(e, cap, cap->value);
	set(vcpu, table, 0);
}

/* A component of XCR0, or of IA32_XSS, that guests can't set. */
static bool is_component(const struct kvm_guest_cap *cap)
{
	return cap->verdict == KVM_GUEST_CAP_WITHHELD &&
	       (cap->id == KVM_GUEST_CAP_CPUID(0xd, 0) ||
		(cap->id == KVM_GUEST_CAP_CPUID(0xd, 1) && cap->lsb >= 64));
}

static u64 components(const struct kvm_cpuid_entry2 *e, u32 index)
{
	return e ? (u64)e->edx << 32 | (index ? e->ecx : e->eax) : 0;
}

/* Components that are withheld, which come first, are all that aren't supported. */
static u32 check_components(struct kvm_vm *vm, const struct kvm_guest_cap *cap, u32 nr)
{
	struct kvm_cpuid2 *supported = (void *)kvm_get_supported_cpuid();
	u64 xss = components(answer(supported, KVM_GUEST_CAP_CPUID(0xd, 1)), 1);
	u32 n = 0, wanted;
	u64 xcr0 = 0;

	/* KVM_GET_SUPPORTED_CPUID has but those of XCR0 that need no permission, or have one. */
	__kvm_device_attr_get(vm->kvm_fd, 0, KVM_X86_XCOMP_GUEST_SUPP, &xcr0);
	wanted = __builtin_popcountll(components(answer(table, KVM_GUEST_CAP_CPUID(0xd, 0)), 0) &
				      ~xcr0) +
		 __builtin_popcountll(components(answer(table, KVM_GUEST_CAP_CPUID(0xd, 1)), 1) &
				      ~xss);
	for (; n < nr && is_component(&cap[n]); n++) {
		const struct kvm_guest_cap *it = &cap[n];

		TEST_ASSERT(it->asked && get(answer(table, it->id), it) && !it->value &&
			    it->rule == KVM_GUEST_CAP_ABSENT && is_of_host(it) &&
			    it->why >= KVM_GUEST_CAP_NO_CPU && it->why <= KVM_GUEST_CAP_NO_KVM,
			    "%llx[%u] is no component that isn't there", it->id, it->lsb);
	}
	TEST_ASSERT_EQ(n, wanted);
	return n;
}

/* CR4's bits follow from what the vCPU may use. */
static void check_effects(struct kvm_vcpu *vcpu, u32 nr)
{
	static const struct {
		u32 bit;
		u64 cr4;
	} effects[] = {
		{ 32 + 0, X86_CR4_FSGSBASE }, { 32 + 7, X86_CR4_SMEP }, { 32 + 20, X86_CR4_SMAP },
		{ 64 + 2, X86_CR4_UMIP }, { 64 + 3, X86_CR4_PKE },
	};
	struct kvm_sregs old, sregs;

	vcpu_sregs_get(vcpu, &old);
	for (u32 n = 0; n < nr; n++) {
		for (int i = 0; i < ARRAY_SIZE(effects); i++) {
			if (!is_bit(&reads[n], 7, effects[i].bit))
				continue;
			sregs = old;
			sregs.cr4 |= effects[i].cr4;
			TEST_ASSERT((_vcpu_sregs_set(vcpu, &sregs) == 0) == reads[n].value,
				    "CR4 %llx is not as %llu", (unsigned long long)effects[i].cr4,
				    reads[n].value);
			vcpu_sregs_set(vcpu, &old);
		}
	}
}

static void test_table(int vm_fd, struct kvm_vcpu *vcpu)
{
	u32 nr, nr_reads, n, room, all;
	struct kvm_cpuid_entry2 *e = NULL;
	int error = 0;

	make_table(table);
	nr = query_all(vm_fd, KVM_GUEST_CAPS_CHECK, table, caps);
	room = any(nr + 1);
	all = room;
	TEST_ASSERT(guest_caps_query(vm_fd, KVM_GUEST_CAPS_CHECK, table->entries,
				     table->nent, reads, &all) ==
		    (room < nr ? -1 : 0) && all == nr && !memcmp(reads, caps, room * sizeof(*caps)),
		    "%u records of %u, or %u", room, nr, all);

	for (n = 0; n < nr; n++) {
		if (caps[n].verdict == KVM_GUEST_CAP_REFUSED)
			error = EINVAL;
		else if (caps[n].verdict == KVM_GUEST_CAP_FORBIDDEN && !error)
			error = EPERM;
		if (caps[n].verdict == KVM_GUEST_CAP_FORBIDDEN)
			check_forbidden(vcpu->vm, &caps[n]);
	}
	set(vcpu, table, error);

	/* What is refused is so no longer with the nearest values, and the rest is as told. */
	for (n = 0; n < nr; n++) {
		const struct kvm_guest_cap *cap = &caps[n];

		if (cap->verdict != KVM_GUEST_CAP_REFUSED &&
		    cap->verdict != KVM_GUEST_CAP_FORBIDDEN)
			break;
		e = cap->verdict == KVM_GUEST_CAP_REFUSED ? entry(table, cap->id) :
							    answer(table, cap->id);
		TEST_ASSERT(e && get(e, cap) == cap->asked, "%llx[%u] isn't asked", cap->id,
			    cap->lsb);
		put(e, cap, cap->value);
	}
	if (error)
		set(vcpu, table, 0);
	for (u32 i = 0; i < nr && caps[i].verdict == KVM_GUEST_CAP_REFUSED; i++)
		check_refused(vcpu, &caps[i], table);

	n += check_components(vcpu->vm, &caps[n], nr - n);

	/* KVM writes to entries what it said that it would. */
	for (; n < nr && caps[n].verdict == KVM_GUEST_CAP_ADJUSTED; n++) {
		const struct kvm_guest_cap *cap = &caps[n];

		e = entry(table, cap->id);
		TEST_ASSERT(e && get(e, cap) == cap->asked && cap->asked != cap->value,
			    "%llx[%u] isn't asked", cap->id, cap->lsb);
		TEST_ASSERT(is_of_host(cap), "%llx[%u]: the host's isn't %llu", cap->id, cap->lsb,
			    cap->host);
		put(e, cap, cap->value);
	}
	got->nent = MAX_ENTRIES;
	vcpu_ioctl(vcpu, KVM_GET_CPUID2, got);
	TEST_ASSERT_EQ(got->nent, table->nent);
	for (u32 i = 0; i < got->nent; i++)
		TEST_ASSERT(!memcmp(&got->entries[i], &table->entries[i], sizeof(got->entries[i])),
			    "entry %u, %x.%x, is not as told", i, got->entries[i].function,
			    got->entries[i].index);

	/* The vCPU has what it said that it would have. */
	nr_reads = query_all(vcpu->fd, KVM_GUEST_CAPS_READ, NULL, reads);
	for (u32 i = 0; i < nr_reads; i++) {
		const struct kvm_guest_cap *cap = &reads[i];

		if (!i || cap->id != cap[-1].id)
			e = answer(got, cap->id);
		TEST_ASSERT_EQ(cap->asked, e ? get(e, cap) : 0);
		TEST_ASSERT(cap->possible == (BIT(cap->lowest) | BIT(cap->highest)) &&
			    cap->possible & BIT(cap->value) &&
			    (cap->lowest == cap->highest || cap->flags & KVM_GUEST_CAP_WRITABLE) &&
			    (cap->value || !(cap->flags & KVM_GUEST_CAP_USABLE)),
			    "%llx[%u] can't be %llu", cap->id, cap->lsb, cap->value);
		if (cap->verdict == KVM_GUEST_CAP_TAKEN) {
			TEST_ASSERT_EQ(cap->asked, cap->value);
			continue;
		}
		TEST_ASSERT_EQ(cap->verdict, cap->asked ? KVM_GUEST_CAP_WITHHELD :
							  KVM_GUEST_CAP_IGNORED);
		TEST_ASSERT(n < nr && !memcmp(&caps[n], cap, sizeof(*cap)),
			    "%llx[%u] is not as told, but %llu of %llu", cap->id, cap->lsb,
			    cap->value, cap->asked);
		n++;
	}
	TEST_ASSERT(n == nr, "%u records are about nothing", nr - n);
	if (!any(16))
		check_effects(vcpu, nr_reads);
}

static const struct config {
	const char *name;
	u32 cap;
	u64 arg;
	bool has_irqchip;
} configs[] = {
	{ "plain" },
	{ "with an interrupt controller", .has_irqchip = true },
	{ "MWAIT follows IA32_MISC_ENABLE", KVM_CAP_DISABLE_QUIRKS2,
	  KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT },
	{ "HLT doesn't exit", KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_HLT },
};

static struct kvm_vm *create(const struct config *config)
{
	struct kvm_vm *vm = vm_create_barebones();

	if (config->has_irqchip)
		vm_create_irqchip(vm);
	if (config->cap)
		vm_enable_cap(vm, config->cap, config->arg);
	return vm;
}

static void test_config(const struct config *config)
{
	struct kvm_vm *asked, *vm;
	struct kvm_vcpu *vcpu;

	if (config->cap && !(kvm_check_cap(config->cap) & config->arg)) {
		ksft_test_result_skip("%s\n", config->name);
		return;
	}
	asked = create(config);
	vm = create(config);
	vcpu = __vm_vcpu_add(vm, 0);

	test_list(asked, vcpu);
	for (unsigned long n = 0; n < nr_tables; n++)
		test_table(any(8) ? asked->fd : vm->fd, vcpu);

	kvm_vm_free(asked);
	kvm_vm_free(vm);
	ksft_test_result_pass("%s\n", config->name);
}

static void test_bad_requests(void)
{
	const struct kvm_guest_caps good = {
		.op = KVM_GUEST_CAPS_CHECK, .asked = (u64)table->entries, .nr_asked = 1,
		.caps = (u64)caps, .nr_caps = MAX_CAPS, .cap_size = sizeof(*caps),
	};
	struct kvm_guest_caps q = good;
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_vcpu *vcpu = __vm_vcpu_add(vm, 0);
	const struct kvm_cpuid2 *supported = kvm_get_supported_cpuid();

	vcpu_ioctl(vcpu, KVM_SET_CPUID2, supported);
	memset(table->entries, 0, MAX_ENTRIES * sizeof(*table->entries));

	guest_caps_test_requests(vm->fd, vcpu->fd, good, 1);
	q.nr_asked = KVM_GUEST_CAPS_MAX_ASKED;
	guest_caps_expect("as much as there may be", 0, vm->fd, q);

	/* Nothing of it has changed the vCPU. */
	got->nent = MAX_ENTRIES;
	vcpu_ioctl(vcpu, KVM_GET_CPUID2, got);
	TEST_ASSERT_EQ(got->nent, supported->nent);
	vcpu_ioctl(vcpu, KVM_SET_CPUID2, supported);
	memcpy(table, got, kvm_cpuid2_size(got->nent));
	vcpu_ioctl(vcpu, KVM_GET_CPUID2, got);
	TEST_ASSERT(!memcmp(table, got, kvm_cpuid2_size(got->nent)), "guest CPUID has changed");
	kvm_vm_free(vm);
	ksft_test_result_pass("bad requests\n");
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_GUEST_CAPS));

	if (argc > 1)
		nr_tables = atoi_positive("TABLES", argv[1]);
	srandom(argc > 2 ? atoi_non_negative("SEED", argv[2]) : 1);
	table = allocate_kvm_cpuid2(MAX_ENTRIES);
	got = allocate_kvm_cpuid2(MAX_ENTRIES);

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(configs) + 1);
	for (int i = 0; i < ARRAY_SIZE(configs); i++)
		test_config(&configs[i]);
	test_bad_requests();
	ksft_finished();
}
