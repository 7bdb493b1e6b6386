// SPDX-License-Identifier: GPL-2.0
/*
 * Test which bits of CR4 and EFER a vCPU may set: with each feature that they
 * stand for in guest CPUID and without, by guest code and through ioctls.  What
 * KVM supports is up to the host: run this with features turned off there, e.g.
 * with nofsgsbase, as well.  And which bits of CR4 nested VMX tells L1 of.
 */
#include "kvm_test_harness.h"
#include "kvm_util.h"
#include "processor.h"

#define X86_FEATURE_XMM3		KVM_X86_CPU_FEATURE(0x1, 0, ECX, 0)
#define X86_FEATURE_LAM			KVM_X86_CPU_FEATURE(0x7, 1, EAX, 26)
#define X86_FEATURE_EFER_LMSLE_MBZ	KVM_X86_CPU_FEATURE(0x80000008, 0, EBX, 20)

#define X86_CR4_CET			BIT_ULL(23)
#define X86_CR4_LAM_SUP			BIT_ULL(28)

#define ALWAYS_CR4	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE |	\
			 X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE |		\
			 X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)
#define ALWAYS_EFER	EFER_SCE

struct ctrl {
	const char *name;
	struct kvm_x86_cpu_feature feature;
	u64 cr4;
	u64 efer;
};

#define NR_CTRLS	18

static struct ctrl ctrls[NR_CTRLS];

static void init_ctrls(void)
{
	/* X86_FEATURE_XXX is no constant expression. */
	const struct ctrl init[NR_CTRLS] = {
		{ "UMIP",     X86_FEATURE_UMIP,     .cr4 = X86_CR4_UMIP },
		{ "LA57",     X86_FEATURE_LA57,     .cr4 = X86_CR4_LA57 },
		{ "VMX",      X86_FEATURE_VMX,      .cr4 = X86_CR4_VMXE },
		{ "FSGSBASE", X86_FEATURE_FSGSBASE, .cr4 = X86_CR4_FSGSBASE },
		{ "PCID",     X86_FEATURE_PCID,     .cr4 = X86_CR4_PCIDE },
		{ "XSAVE",    X86_FEATURE_XSAVE,    .cr4 = X86_CR4_OSXSAVE },
		{ "SMEP",     X86_FEATURE_SMEP,     .cr4 = X86_CR4_SMEP },
		{ "SMAP",     X86_FEATURE_SMAP,     .cr4 = X86_CR4_SMAP },
		{ "PKU",      X86_FEATURE_PKU,      .cr4 = X86_CR4_PKE },
		{ "SHSTK",    X86_FEATURE_SHSTK,    .cr4 = X86_CR4_CET },
		{ "IBT",      X86_FEATURE_IBT,      .cr4 = X86_CR4_CET },
		{ "LAM",      X86_FEATURE_LAM,      .cr4 = X86_CR4_LAM_SUP },
		{ "LM",       X86_FEATURE_LM,       .efer = EFER_LME | EFER_LMA },
		{ "NX",       X86_FEATURE_NX,       .efer = EFER_NX },
		{ "SVM",      X86_FEATURE_SVM,      .efer = EFER_SVME },
		{ "FXSR_OPT", X86_FEATURE_FXSR_OPT, .efer = EFER_FFXSR },
		{ "AUTOIBRS", X86_FEATURE_AUTOIBRS, .efer = EFER_AUTOIBRS },
		/* None of the above, for what is there in any case. */
		{ "SSE3",     X86_FEATURE_XMM3 },
	};

	memcpy(ctrls, init, sizeof(ctrls));
}

/* Which features guest CPUID has: all of them, or one. */
#define ALL	NR_CTRLS

/* What a vCPU may set. */
struct allowed {
	u64 cr4;
	u64 efer;
};

static u64 host_lmsle(void)
{
	return kvm_cpu_has(X86_FEATURE_SVM) && !this_cpu_has(X86_FEATURE_EFER_LMSLE_MBZ) ?
	       EFER_LMSLE : 0;
}

static struct allowed get_allowed(int asked)
{
	struct allowed allowed = { ALWAYS_CR4, ALWAYS_EFER | host_lmsle() };
	int i;

	for (i = 0; i < NR_CTRLS; i++) {
		if ((asked != ALL && asked != i) || !kvm_cpu_has(ctrls[i].feature))
			continue;
		allowed.cr4 |= ctrls[i].cr4;
		allowed.efer |= ctrls[i].efer;
	}
	return allowed;
}

static void add_feature(struct kvm_cpuid2 *cpuid, struct kvm_x86_cpu_feature feature)
{
	struct kvm_cpuid_entry2 *e = cpuid->entries;
	int i;

	for (i = 0; i < cpuid->nent; i++, e++) {
		if (e->function == feature.function && e->index == feature.index)
			break;
	}
	if (i == cpuid->nent) {
		cpuid->nent++;
		*e = (struct kvm_cpuid_entry2) {
			.function = feature.function,
			.index = feature.index,
			.flags = feature.function == 7 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		};
	}
	(&e->eax)[feature.reg] |= BIT(feature.bit);
}

/* Guest CPUID with nothing but vendor and sizes. */
static struct kvm_cpuid2 *new_cpuid(void)
{
	const struct kvm_cpuid2 *supported = kvm_get_supported_cpuid();
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(32);
	const u32 functions[] = { 0, 0x80000000, 0x80000008 };
	int i;

	cpuid->nent = 0;
	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		struct kvm_cpuid_entry2 e = *get_cpuid_entry(supported, functions[i], 0);

		/* It has features behind the sizes. */
		e.ebx = e.function == 0x80000008 ? 0 : e.ebx;
		cpuid->entries[cpuid->nent++] = e;
	}
	return cpuid;
}

/* ... and the features that are asked for. */
static void set_cpuid(struct kvm_vcpu *vcpu, int asked)
{
	struct kvm_cpuid2 *cpuid = new_cpuid();
	int i;

	for (i = 0; i < NR_CTRLS; i++) {
		if (asked == ALL || asked == i)
			add_feature(cpuid, ctrls[i].feature);
	}

	__vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

static const char *asked_name(int asked)
{
	return asked == ALL ? "everything" : ctrls[asked].name;
}

FIXTURE(ioctl) {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
};

FIXTURE_SETUP(ioctl) {
	self->vm = vm_create_barebones();
	self->vcpu = __vm_vcpu_add(self->vm, 0);
}

FIXTURE_TEARDOWN(ioctl) {
	kvm_vm_free(self->vm);
}

static int set_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	return __vcpu_ioctl(vcpu, KVM_SET_SREGS, sregs);
}

static int set_sregs2(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	struct kvm_sregs2 sregs2;

	vcpu_ioctl(vcpu, KVM_GET_SREGS2, &sregs2);
	sregs2.cr0 = sregs->cr0;
	sregs2.cr4 = sregs->cr4;
	sregs2.efer = sregs->efer;
	return __vcpu_ioctl(vcpu, KVM_SET_SREGS2, &sregs2);
}

static void check_sregs(struct kvm_vcpu *vcpu, int (*set)(struct kvm_vcpu *, struct kvm_sregs *))
{
	struct kvm_sregs orig, sregs, now;
	struct allowed allowed;
	int asked, bit, r;
	bool valid;

	vcpu_sregs_get(vcpu, &orig);
	for (asked = 0; asked <= ALL; asked++) {
		set_cpuid(vcpu, asked);
		allowed = get_allowed(asked);

		for (bit = 0; bit < 128; bit++) {
			sregs = orig;
			if (bit < 64) {
				sregs.cr4 |= BIT_ULL(bit);
				valid = allowed.cr4 & BIT_ULL(bit);
			} else {
				sregs.efer |= BIT_ULL(bit - 64);
				valid = allowed.efer & BIT_ULL(bit - 64);
			}
			/* Long mode can't be active by itself. */
			if (sregs.efer & EFER_LMA) {
				sregs.efer |= EFER_LME;
				sregs.cr0 |= X86_CR0_PE | X86_CR0_PG;
				sregs.cr4 |= X86_CR4_PAE;
			}

			errno = 0;
			r = set(vcpu, &sregs);
			TEST_ASSERT(r == (valid ? 0 : -1) && errno == (valid ? 0 : EINVAL),
				    "%s bit %u with %s in CPUID: expected %s, got %d, errno %d",
				    bit < 64 ? "CR4" : "EFER", bit % 64, asked_name(asked),
				    valid ? "success" : "-EINVAL", r, errno);

			vcpu_sregs_get(vcpu, &now);
			TEST_ASSERT(now.cr4 == (valid ? sregs.cr4 : orig.cr4) &&
				    now.efer == (valid ? sregs.efer : orig.efer),
				    "CR4 is %llx, EFER is %llx", now.cr4, now.efer);
			vcpu_sregs_set(vcpu, &orig);
		}
	}
}

TEST_F(ioctl, set_sregs)
{
	check_sregs(self->vcpu, set_sregs);
}

TEST_F(ioctl, set_sregs2)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_SREGS2));
	check_sregs(self->vcpu, set_sregs2);
}

/* Without a say of guest CPUID: userspace may restore EFER before it sets CPUID. */
TEST_F(ioctl, set_msrs)
{
	u64 supported = get_allowed(ALL).efer;
	int asked, bit;
	bool done;

	for (asked = 0; asked <= ALL; asked++) {
		set_cpuid(self->vcpu, asked);
		for (bit = 0; bit < 64; bit++) {
			done = _vcpu_set_msr(self->vcpu, MSR_EFER, BIT_ULL(bit)) == 1;
			TEST_ASSERT(done == !!(supported & BIT_ULL(bit)),
				    "EFER bit %u with %s in CPUID was %s", bit, asked_name(asked),
				    done ? "accepted" : "refused");
			/* LMA isn't the host's to write. */
			TEST_ASSERT(vcpu_get_msr(self->vcpu, MSR_EFER) ==
				    (done ? BIT_ULL(bit) & ~EFER_LMA : 0), "EFER was changed");
			TEST_ASSERT(_vcpu_set_msr(self->vcpu, MSR_EFER, 0) == 1, "EFER is stuck");
		}
	}
}

/* Writes that fault though no bit is reserved. */
#define FIXED_CR4	(X86_CR4_PAE | X86_CR4_LA57)
#define FIXED_EFER	EFER_LME

static void guest_code(u64 allowed_cr4, u64 allowed_efer)
{
	u64 cr4 = get_cr4(), efer = rdmsr(MSR_EFER), value;
	u8 vector, expected;
	int bit;

	/* CET wants it. */
	set_cr0(get_cr0() | X86_CR0_WP);

	for (bit = 0; bit < 64; bit++) {
		value = cr4 ^ BIT_ULL(bit);
		expected = (value & ~allowed_cr4) || (FIXED_CR4 & BIT_ULL(bit)) ? GP_VECTOR : 0;
		vector = kvm_asm_safe("mov %%rax, %%cr4", "a"(value));
		/* KVM's emulator, where it is needed, drops the upper half of what is written. */
		if (!vector && bit >= 32)
			vector = expected;
		__GUEST_ASSERT(vector == expected, "CR4 0x%lx: wanted vector %u, got %u",
			       value, expected, vector);
		__GUEST_ASSERT(get_cr4() == (vector ? cr4 : value), "CR4 0x%lx: is 0x%lx",
			       value, get_cr4());
		if (!vector)
			set_cr4(cr4);

		/* Hardware may lack what KVM lets nested guests have. */
		if (BIT_ULL(bit) == EFER_LMSLE)
			continue;
		value = efer ^ BIT_ULL(bit);
		expected = (value & ~allowed_efer) || (FIXED_EFER & BIT_ULL(bit)) ? GP_VECTOR : 0;
		vector = wrmsr_safe(MSR_EFER, value);
		__GUEST_ASSERT(vector == expected, "EFER 0x%lx: wanted vector %u, got %u",
			       value, expected, vector);
		if (!vector) {
			__GUEST_ASSERT(rdmsr(MSR_EFER) == (value | EFER_LMA),
				       "EFER 0x%lx: is 0x%lx", value, rdmsr(MSR_EFER));
			wrmsr(MSR_EFER, efer);
		}
	}
	GUEST_DONE();
}

static void check_guest(int asked)
{
	struct allowed allowed = get_allowed(asked);
	struct kvm_sregs sregs;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	struct ucall uc;

	vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	vcpu_args_set(vcpu, 2, allowed.cr4, allowed.efer);

	/* The guest runs on what it may lack: long mode, and no bit of CR4 but these. */
	vcpu_sregs_get(vcpu, &sregs);
	/* Of five levels of page tables the first has but one entry. */
	if (sregs.cr4 & X86_CR4_LA57)
		sregs.cr3 = *(u64 *)addr_gpa2hva(vm, sregs.cr3) & PHYSICAL_PAGE_MASK;
	sregs.cr4 = X86_CR4_PAE | X86_CR4_OSFXSR;
	sregs.efer = EFER_LME | EFER_LMA;
	vcpu_sregs_set(vcpu, &sregs);
	set_cpuid(vcpu, asked);

	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);
	if (get_ucall(vcpu, &uc) == UCALL_ABORT)
		REPORT_GUEST_ASSERT(uc);
	TEST_ASSERT(uc.cmd == UCALL_DONE, "with %s in CPUID: ucall %lu", asked_name(asked), uc.cmd);
	kvm_vm_free(vm);
}

TEST(guest_with_everything)
{
	check_guest(ALL);
}

TEST(guest_with_one_feature)
{
	int asked;

	for (asked = 0; asked < ALL; asked++)
		check_guest(asked);
}

/* What the CPU has and the host turned off: no guest gets it. */
TEST(turned_off_in_the_host)
{
	bool any = false;
	int i;

	for (i = 0; i < NR_CTRLS; i++) {
		struct kvm_x86_cpu_feature feature = ctrls[i].feature;

		/* These depend on who runs KVM, too. */
		if (!strcmp(ctrls[i].name, "VMX") || !strcmp(ctrls[i].name, "SVM"))
			continue;
		if (this_cpu_has(feature) && !kvm_cpu_has(feature)) {
			ksft_print_msg("The CPU has %s, KVM does not\n", ctrls[i].name);
			check_guest(i);
			any = true;
		}
	}
	if (!any)
		SKIP(return, "the host has all that its CPU has");
}

#define LEAF_1_EDX(bit)	KVM_X86_CPU_FEATURE(0x1, 0, EDX, bit)

/* MSR_IA32_VMX_CR4_FIXED1 follows what guest CPUID asks for, whoever gets it. */
TEST(cr4_of_nested_vmx)
{
	const struct {
		struct kvm_x86_cpu_feature feature;
		u64 cr4;
	} bits[] = {
		{ LEAF_1_EDX(1),	X86_CR4_VME | X86_CR4_PVI },
		{ LEAF_1_EDX(2),	X86_CR4_DE },
		{ LEAF_1_EDX(3),	X86_CR4_PSE },
		{ LEAF_1_EDX(4),	X86_CR4_TSD },
		{ LEAF_1_EDX(6),	X86_CR4_PAE },
		{ LEAF_1_EDX(7),	X86_CR4_MCE },
		{ LEAF_1_EDX(13),	X86_CR4_PGE },
		{ LEAF_1_EDX(24),	X86_CR4_OSFXSR },
		{ LEAF_1_EDX(25),	X86_CR4_OSXMMEXCPT },
		{ X86_FEATURE_SMX,	X86_CR4_SMXE },
		{ X86_FEATURE_PCID,	X86_CR4_PCIDE },
		{ X86_FEATURE_XSAVE,	X86_CR4_OSXSAVE },
		{ X86_FEATURE_FSGSBASE,	X86_CR4_FSGSBASE },
		{ X86_FEATURE_SMEP,	X86_CR4_SMEP },
		{ X86_FEATURE_SMAP,	X86_CR4_SMAP },
		{ X86_FEATURE_PKU,	X86_CR4_PKE },
		{ X86_FEATURE_UMIP,	X86_CR4_UMIP },
		{ X86_FEATURE_LA57,	X86_CR4_LA57 },
		{ X86_FEATURE_SHSTK,	X86_CR4_CET },
		{ X86_FEATURE_IBT,	X86_CR4_CET },
		{ X86_FEATURE_LAM,	X86_CR4_LAM_SUP },
		/* Not of CR4. */
		{ X86_FEATURE_XMM3 },
		{ LEAF_1_EDX(0) },
	};
	u64 value, plain = X86_CR4_PCE | X86_CR4_VMXE, all = plain;
	struct kvm_cpuid2 *cpuid, *full;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int i;

	if (!kvm_cpu_has(X86_FEATURE_VMX))
		SKIP(return, "no nested VMX");

	vm = vm_create_barebones();
	vcpu = __vm_vcpu_add(vm, 0);
	full = new_cpuid();
	add_feature(full, X86_FEATURE_VMX);
	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		cpuid = new_cpuid();
		add_feature(cpuid, X86_FEATURE_VMX);
		add_feature(cpuid, bits[i].feature);
		vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
		free(cpuid);
		value = vcpu_get_msr(vcpu, MSR_IA32_VMX_CR4_FIXED1);
		TEST_ASSERT(value == (plain | bits[i].cr4), "feature %d: 0x%lx, not 0x%lx", i,
			    value, plain | bits[i].cr4);

		add_feature(full, bits[i].feature);
		vcpu_ioctl(vcpu, KVM_SET_CPUID2, full);
		all |= bits[i].cr4;
		value = vcpu_get_msr(vcpu, MSR_IA32_VMX_CR4_FIXED1);
		TEST_ASSERT(value == all, "%d features: 0x%lx, not 0x%lx", i, value, all);
	}

	free(full);

	/* The first entry of leaf 1 counts, whatever its index, though not for VMX itself. */
	cpuid = new_cpuid();
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2) {
		.function = 1,
		.index = 5,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.ecx = BIT(X86_FEATURE_SMX.bit),
	};
	add_feature(cpuid, X86_FEATURE_VMX);
	vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	value = vcpu_get_msr(vcpu, MSR_IA32_VMX_CR4_FIXED1);
	TEST_ASSERT(value == (X86_CR4_PCE | X86_CR4_SMXE), "leaf 1 with index 5: 0x%lx", value);

	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	init_ctrls();
	return test_harness_run(argc, argv);
}
