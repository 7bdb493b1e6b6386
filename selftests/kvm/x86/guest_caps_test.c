// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test what a vCPU may use: the features that KVM supports and guest CPUID asks for, and the
 * instructions that KVM takes care of itself (MOVBE and RDPID, which it emulates, and MONITOR and
 * MWAIT, which it skips).  Capabilities are judged by their effects: by what an instruction does
 * in the guest, and by which control bits and MSRs KVM accepts.
 */
#include <setjmp.h>
#include <signal.h>

#include "kvm_test_harness.h"
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

#define KVM_MAX_CPUID_ENTRIES	256
#define MSR_MTRR_PHYS_BASE0	0x200

#define MMIO_GPA		0x700000000ull
#define MMIO_GVA		MMIO_GPA

#define PATTERN			0x0123456789abcdefull
#define FILLER			0xa5a5a5a5a5a5a5a5ull

typedef void (*guest_insn_t)(void);

/* The instruction to execute next, its operands, and what became of it. */
static struct guest_call {
	guest_insn_t insn;
	void *mem;
	u64 ram;
	u64 reg;
	u8 vector;
} call;

static void guest_main(void)
{
	for (;;) {
		call.insn();
		GUEST_SYNC(0);
	}
}

/* RCX and RDX are zero for MONITOR and MWAIT, whose hints and extensions they are. */
#define GUEST_INSN(name, fep, insn)						\
static void guest_##name(void)							\
{										\
	u64 error_code, reg = call.reg;						\
	u8 vector;								\
										\
	asm volatile(__KVM_ASM_SAFE(insn, fep)					\
		     : KVM_ASM_SAFE_OUTPUTS(vector, error_code), [reg] "+a"(reg)	\
		     : [mem] "S"(call.mem), "c"(0), "d"(0)			\
		     : KVM_ASM_SAFE_CLOBBERS, "memory");			\
	call.reg = reg;								\
	call.vector = vector;							\
}

GUEST_INSN(load16,	"",	 "movbe (%[mem]), %w[reg]")
GUEST_INSN(load32,	"",	 "movbe (%[mem]), %k[reg]")
GUEST_INSN(load64,	"",	 "movbe (%[mem]), %q[reg]")
GUEST_INSN(store16,	"",	 "movbe %w[reg], (%[mem])")
GUEST_INSN(store32,	"",	 "movbe %k[reg], (%[mem])")
GUEST_INSN(store64,	"",	 "movbe %q[reg], (%[mem])")
GUEST_INSN(load16_fep,	KVM_FEP, "movbe (%[mem]), %w[reg]")
GUEST_INSN(load32_fep,	KVM_FEP, "movbe (%[mem]), %k[reg]")
GUEST_INSN(load64_fep,	KVM_FEP, "movbe (%[mem]), %q[reg]")
GUEST_INSN(store16_fep,	KVM_FEP, "movbe %w[reg], (%[mem])")
GUEST_INSN(store32_fep,	KVM_FEP, "movbe %k[reg], (%[mem])")
GUEST_INSN(store64_fep,	KVM_FEP, "movbe %q[reg], (%[mem])")
GUEST_INSN(rdpid,	"",	 "rdpid %q[reg]")
GUEST_INSN(rdpid_fep,	KVM_FEP, "rdpid %q[reg]")
GUEST_INSN(monitor,	"",	 "monitor")
GUEST_INSN(mwait,	"",	 "mwait")

static void guest_rdmsr_tsc_aux(void)
{
	call.vector = rdmsr_safe(MSR_TSC_AUX, &call.reg);
}

static void guest_wrmsr_tsc_aux(void)
{
	call.vector = wrmsr_safe(MSR_TSC_AUX, call.reg);
}

/* In: index and function, as ECX:EAX.  Out: whether the leaf has any bit at all, and its ECX. */
static void guest_cpuid(void)
{
	u32 eax, ebx, ecx, edx;

	__cpuid(call.reg, call.reg >> 32, &eax, &ebx, &ecx, &edx);
	call.reg = (u64)!!(eax | ebx | ecx | edx) << 32 | ecx;
	call.vector = 0;
}

static u64 mmio_data;
static int mmio_writes;

/* Execute one instruction in the guest, on behalf of a device if it accesses MMIO. */
static u8 run_insn(struct kvm_vcpu *vcpu, guest_insn_t insn, u64 *reg)
{
	struct kvm_run *run = vcpu->run;
	struct ucall uc;

	call.insn = insn;
	call.reg = *reg;
	mmio_writes = 0;
	sync_global_to_guest(vcpu->vm, call);

	for (;;) {
		vcpu_run(vcpu);
		if (run->exit_reason != KVM_EXIT_MMIO)
			break;

		TEST_ASSERT_EQ(run->mmio.phys_addr, MMIO_GPA);
		if (run->mmio.is_write) {
			memcpy(&mmio_data, run->mmio.data, run->mmio.len);
			mmio_writes++;
		} else {
			memcpy(run->mmio.data, &mmio_data, run->mmio.len);
		}
	}

	switch (get_ucall(vcpu, &uc)) {
	case UCALL_SYNC:
		break;
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
	default:
		TEST_FAIL("Unexpected exit: %u (%s), ucall %lu", run->exit_reason,
			  exit_reason_str(run->exit_reason), uc.cmd);
	}

	sync_global_from_guest(vcpu->vm, call);
	*reg = call.reg;
	return call.vector;
}

static void check_vector(const char *what, u8 got, u8 wanted)
{
	TEST_ASSERT(got == wanted, "%s: wanted %s, got %s", what, ex_str(wanted), ex_str(got));
}

static sigjmp_buf sigill_jmp;

static void handle_sigill(int sig)
{
	siglongjmp(sigill_jmp, 1);
}

/*
 * Try an instruction instead of asking CPUID: KVM can trap neither MOVBE nor (on SVM) RDPID, and
 * under another hypervisor CPUID may hide what the CPU executes all the same.
 */
#define host_executes(insn)							\
({										\
	struct sigaction sa = { .sa_handler = handle_sigill }, old;		\
	u64 reg = 0, mem = 0;							\
	bool ok;								\
										\
	sigaction(SIGILL, &sa, &old);						\
	if (!sigsetjmp(sigill_jmp, 1)) {					\
		asm volatile(insn : "+a"(reg) : [mem] "S"(&mem) : "memory");	\
		ok = true;							\
	} else {								\
		ok = false;							\
	}									\
	sigaction(SIGILL, &old, NULL);						\
	ok;									\
})

KVM_ONE_VCPU_TEST_SUITE(insn);

#define INSN_TEST(name)		KVM_ONE_VCPU_TEST(insn, name, guest_main)

struct movbe {
	int bytes;
	guest_insn_t load;
	guest_insn_t store;
};

static const struct movbe movbe[] = {
	{ 2, guest_load16, guest_store16 },
	{ 4, guest_load32, guest_store32 },
	{ 8, guest_load64, guest_store64 },
};

static const struct movbe movbe_fep[] = {
	{ 2, guest_load16_fep, guest_store16_fep },
	{ 4, guest_load32_fep, guest_store32_fep },
	{ 8, guest_load64_fep, guest_store64_fep },
};

static void check_movbe(struct kvm_vcpu *vcpu, const struct movbe *insns, bool mmio, bool works)
{
	const u8 vector = works ? 0 : UD_VECTOR;
	u64 *mem = mmio ? &mmio_data : &call.ram;
	int i;

	call.mem = mmio ? (void *)MMIO_GVA : &call.ram;

	for (i = 0; i < ARRAY_SIZE(movbe); i++) {
		const int bits = insns[i].bytes * BITS_PER_BYTE;
		const u64 mask = GENMASK_ULL(bits - 1, 0);
		const u64 swapped = __builtin_bswap64(PATTERN) >> (64 - bits);
		u64 reg, expected;
		u8 r;

		/* 32-bit loads clear the register's upper half, 16-bit loads keep the rest. */
		expected = swapped | (bits == 16 ? FILLER & ~mask : 0);

		*mem = PATTERN;
		reg = FILLER;
		r = run_insn(vcpu, insns[i].load, &reg);
		check_vector("MOVBE load", r, vector);
		TEST_ASSERT(reg == (works ? expected : FILLER),
			    "%d-bit load: register is 0x%lx", bits, reg);

		expected = swapped | (FILLER & ~mask);

		*mem = FILLER;
		reg = PATTERN;
		r = run_insn(vcpu, insns[i].store, &reg);
		check_vector("MOVBE store", r, vector);
		TEST_ASSERT(*mem == (works ? expected : FILLER),
			    "%d-bit store: memory is 0x%lx", bits, *mem);
		TEST_ASSERT_EQ(mmio_writes, mmio && works);
	}
}

/* MMIO needs the emulator, whatever the host executes. */
static void check_movbe_mmio(struct kvm_vcpu *vcpu, bool works)
{
	virt_map(vcpu->vm, MMIO_GVA, MMIO_GPA, 1);
	check_movbe(vcpu, movbe, true, works);
}

INSN_TEST(movbe_asked)
{
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_MOVBE);
	check_movbe(vcpu, movbe, false, true);
}

INSN_TEST(movbe_not_asked)
{
	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_MOVBE);
	check_movbe(vcpu, movbe, false, host_executes("movbe (%[mem]), %%rax"));
}

INSN_TEST(movbe_mmio_asked)
{
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_MOVBE);
	check_movbe_mmio(vcpu, true);
}

INSN_TEST(movbe_mmio_not_asked)
{
	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_MOVBE);
	check_movbe_mmio(vcpu, false);
}

static bool kvm_cpu_has_tsc_aux(void)
{
	return kvm_cpu_has(X86_FEATURE_RDTSCP) || kvm_cpu_has(X86_FEATURE_RDPID);
}

static void check_tsc_aux(struct kvm_vcpu *vcpu, guest_insn_t rdpid, bool works, bool has_msr,
			  u32 tsc_aux)
{
	u64 reg = FILLER;
	u8 r;

	r = run_insn(vcpu, rdpid, &reg);
	check_vector("RDPID", r, works ? 0 : UD_VECTOR);
	if (!works)
		TEST_ASSERT_EQ(reg, FILLER);
	else if (kvm_cpu_has_tsc_aux())
		TEST_ASSERT_EQ(reg, (u64)tsc_aux);

	r = run_insn(vcpu, guest_rdmsr_tsc_aux, &reg);
	check_vector("RDMSR(TSC_AUX)", r, has_msr ? 0 : GP_VECTOR);
	if (has_msr)
		TEST_ASSERT_EQ(reg, (u64)tsc_aux);
}

/*
 * MSR_TSC_AUX exists if the vCPU has RDTSCP or RDPID, and so tells whether it has RDPID even on
 * hosts that execute RDPID natively.
 */
static void check_rdpid(struct kvm_vcpu *vcpu, guest_insn_t rdpid, bool rdpid_asked,
			bool rdtscp_asked)
{
	const bool has_rdtscp = rdtscp_asked && kvm_cpu_has(X86_FEATURE_RDTSCP);
	const bool has_rdpid = rdpid_asked && kvm_cpu_has_tsc_aux();
	const bool has_msr = has_rdtscp || has_rdpid;
	bool works = has_rdpid;
	u32 tsc_aux = 0x12345678;
	u64 reg;
	u8 r;

	/* SVM has no control over RDPID, VMX only one for both RDTSCP and RDPID. */
	if (rdpid == guest_rdpid && (host_cpu_is_amd_compatible || has_rdtscp))
		works |= host_executes("rdpid %%rax");

	vcpu_set_or_clear_cpuid_feature(vcpu, X86_FEATURE_RDTSCP, rdtscp_asked);
	vcpu_set_or_clear_cpuid_feature(vcpu, X86_FEATURE_RDPID, rdpid_asked);

	if (kvm_cpu_has_tsc_aux())
		vcpu_set_msr(vcpu, MSR_TSC_AUX, tsc_aux);
	check_tsc_aux(vcpu, rdpid, works, has_msr, tsc_aux);

	reg = ~tsc_aux;
	r = run_insn(vcpu, guest_wrmsr_tsc_aux, &reg);
	check_vector("WRMSR(TSC_AUX)", r, has_msr ? 0 : GP_VECTOR);
	check_tsc_aux(vcpu, rdpid, works, has_msr, has_msr ? ~tsc_aux : tsc_aux);
}

INSN_TEST(rdpid_asked)
{
	check_rdpid(vcpu, guest_rdpid, true, true);
}

INSN_TEST(rdpid_asked_rdtscp_not_asked)
{
	check_rdpid(vcpu, guest_rdpid, true, false);
}

INSN_TEST(rdpid_not_asked)
{
	check_rdpid(vcpu, guest_rdpid, false, true);
}

INSN_TEST(rdpid_not_asked_rdtscp_not_asked)
{
	check_rdpid(vcpu, guest_rdpid, false, false);
}

#define INSN_TEST_IF(cond, reason, name)						\
static void __##name(struct kvm_vcpu *vcpu);					\
										\
TEST_F(insn, name)								\
{										\
	if (!(cond))								\
		SKIP(return, reason);						\
										\
	vcpu_arch_set_entry_point(self->vcpu, guest_main);			\
	__##name(self->vcpu);							\
}										\
static void __##name(struct kvm_vcpu *vcpu)

#define FORCED_EMULATION_TEST(name)						\
	INSN_TEST_IF(kvm_is_forced_emulation_enabled(),				\
		     "kvm.force_emulation_prefix is off", name)

/* The CPU's own #UD comes before KVM's intercepts. */
#define MWAIT_TEST(name)							\
	INSN_TEST_IF(this_cpu_has(X86_FEATURE_MWAIT),				\
		     "the host has no MONITOR/MWAIT to intercept", name)

FORCED_EMULATION_TEST(movbe_forced_asked)
{
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_MOVBE);
	check_movbe(vcpu, movbe_fep, false, true);
}

FORCED_EMULATION_TEST(movbe_forced_not_asked)
{
	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_MOVBE);
	check_movbe(vcpu, movbe_fep, false, false);
}

FORCED_EMULATION_TEST(rdpid_forced_asked)
{
	check_rdpid(vcpu, guest_rdpid_fep, true, true);
}

FORCED_EMULATION_TEST(rdpid_forced_asked_rdtscp_not_asked)
{
	check_rdpid(vcpu, guest_rdpid_fep, true, false);
}

FORCED_EMULATION_TEST(rdpid_forced_not_asked)
{
	check_rdpid(vcpu, guest_rdpid_fep, false, true);
}

/* @works: skipped by KVM, as opposed to #UD. */
static void check_mwait(struct kvm_vcpu *vcpu, bool in_cpuid, bool works)
{
	const u8 vector = works ? 0 : UD_VECTOR;
	u64 reg;
	u8 r;

	vcpu_get_cpuid(vcpu);
	TEST_ASSERT_EQ(vcpu_cpuid_has(vcpu, X86_FEATURE_MWAIT), in_cpuid);

	reg = (u64)&call;
	r = run_insn(vcpu, guest_monitor, &reg);
	check_vector("MONITOR", r, vector);
	TEST_ASSERT_EQ(reg, (u64)&call);

	reg = 0;
	r = run_insn(vcpu, guest_mwait, &reg);
	check_vector("MWAIT", r, vector);
	TEST_ASSERT_EQ(reg, 0ul);
}

static void disable_quirks(struct kvm_vcpu *vcpu, u64 quirks)
{
	vm_enable_cap(vcpu->vm, KVM_CAP_DISABLE_QUIRKS2, quirks);
}

MWAIT_TEST(mwait_asked)
{
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_MWAIT);
	check_mwait(vcpu, true, true);
}

MWAIT_TEST(mwait_not_asked)
{
	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_MWAIT);
	check_mwait(vcpu, false, true);
}

MWAIT_TEST(mwait_may_fault_asked)
{
	disable_quirks(vcpu, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS);
	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_MWAIT);
	check_mwait(vcpu, true, true);
}

MWAIT_TEST(mwait_may_fault_not_asked)
{
	disable_quirks(vcpu, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS);
	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_MWAIT);
	check_mwait(vcpu, false, false);
}

/* Without its quirk MISC_ENABLE decides, and guest CPUID follows it. */
static void check_misc_enable_mwait(struct kvm_vcpu *vcpu, bool asked, bool enabled)
{
	u64 val = vcpu_get_msr(vcpu, MSR_IA32_MISC_ENABLE) & ~MSR_IA32_MISC_ENABLE_MWAIT;

	if (enabled)
		val |= MSR_IA32_MISC_ENABLE_MWAIT;

	disable_quirks(vcpu, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS |
			     KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT);
	vcpu_set_msr(vcpu, MSR_IA32_MISC_ENABLE, val);
	vcpu_set_or_clear_cpuid_feature(vcpu, X86_FEATURE_MWAIT, asked);
	check_mwait(vcpu, enabled, enabled);
}

MWAIT_TEST(mwait_misc_enable_on)
{
	check_misc_enable_mwait(vcpu, false, true);
}

MWAIT_TEST(mwait_misc_enable_off)
{
	check_misc_enable_mwait(vcpu, true, false);
}

static void check_error(int r, int err)
{
	TEST_ASSERT(r == -1 && errno == err, "Wanted errno %d (%s), got rc %d, errno %d (%s)",
		    err, strerror(err), r, errno, strerror(errno));
}

static int set_cpuid(struct kvm_vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, int nent)
{
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(nent);
	int r, err;

	memcpy(cpuid->entries, entries, nent * sizeof(*entries));
	r = __vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
	err = errno;
	free(cpuid);
	errno = err;
	return r;
}

static struct kvm_cpuid2 *get_cpuid(struct kvm_vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(KVM_MAX_CPUID_ENTRIES);

	vcpu_ioctl(vcpu, KVM_GET_CPUID2, cpuid);
	return cpuid;
}

#define SET_CPUID(vcpu, ...)							\
do {										\
	const struct kvm_cpuid_entry2 __e[] = { __VA_ARGS__ };			\
	int __r = set_cpuid(vcpu, __e, ARRAY_SIZE(__e));			\
										\
	TEST_ASSERT(!__r, KVM_IOCTL_ERROR(KVM_SET_CPUID2, __r));		\
} while (0)

/* Set the vCPU's own entries, with another leaf 1 before or after them. */
static void set_cpuid_with_leaf_1(struct kvm_vcpu *vcpu, struct kvm_cpuid_entry2 leaf, bool first)
{
	const int nent = vcpu->cpuid->nent;
	struct kvm_cpuid_entry2 entries[MAX_NR_CPUID_ENTRIES + 1];

	memcpy(&entries[first], vcpu->cpuid->entries, nent * sizeof(*entries));
	entries[first ? 0 : nent] = leaf;

	TEST_ASSERT_EQ(set_cpuid(vcpu, entries, nent + 1), 0);
}

static u32 guest_leaf_ecx(struct kvm_vcpu *vcpu, u32 function, u32 index, bool *any)
{
	u64 reg = (u64)index << 32 | function;

	run_insn(vcpu, guest_cpuid, &reg);
	*any = reg >> 32;
	return reg;
}

INSN_TEST(no_entries)
{
	bool any, host_rdpid = host_executes("rdpid %%rax");
	u64 reg = 0;

	TEST_ASSERT_EQ(set_cpuid(vcpu, NULL, 0), 0);

	guest_leaf_ecx(vcpu, 0, 0, &any);
	TEST_ASSERT_EQ(any, false);
	guest_leaf_ecx(vcpu, 1, 0, &any);
	TEST_ASSERT_EQ(any, false);

	check_movbe_mmio(vcpu, false);
	check_vector("RDMSR(TSC_AUX)", run_insn(vcpu, guest_rdmsr_tsc_aux, &reg), GP_VECTOR);
	check_vector("RDPID", run_insn(vcpu, guest_rdpid, &reg),
		     host_rdpid && host_cpu_is_amd_compatible ? 0 : UD_VECTOR);
}

INSN_TEST(other_index)
{
	struct kvm_cpuid_entry2 *leaf = vcpu_get_cpuid_entry(vcpu, 1);
	bool any;

	leaf->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	leaf->index = 5;
	leaf->ecx |= BIT(X86_FEATURE_MOVBE.bit);
	vcpu_set_cpuid(vcpu);

	guest_leaf_ecx(vcpu, 1, 0, &any);
	TEST_ASSERT_EQ(any, false);
	TEST_ASSERT(guest_leaf_ecx(vcpu, 1, 5, &any) & BIT(X86_FEATURE_MOVBE.bit),
		    "CPUID with the entry's own index does not return the entry");
	check_movbe_mmio(vcpu, false);
}

INSN_TEST(first_of_two_has_movbe)
{
	struct kvm_cpuid_entry2 leaf = *vcpu_get_cpuid_entry(vcpu, 1);

	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_MOVBE);
	leaf.ecx |= BIT(X86_FEATURE_MOVBE.bit);
	set_cpuid_with_leaf_1(vcpu, leaf, true);
	check_movbe_mmio(vcpu, true);
}

INSN_TEST(second_of_two_has_movbe)
{
	struct kvm_cpuid_entry2 leaf = *vcpu_get_cpuid_entry(vcpu, 1);

	vcpu_clear_cpuid_feature(vcpu, X86_FEATURE_MOVBE);
	leaf.ecx |= BIT(X86_FEATURE_MOVBE.bit);
	set_cpuid_with_leaf_1(vcpu, leaf, false);
	check_movbe_mmio(vcpu, false);
}

/* After KVM_RUN only what the vCPU already has can be set again, bits that KVM owns aside. */
INSN_TEST(after_run)
{
	struct kvm_cpuid_entry2 *leaf;

	vcpu_set_cpuid_feature(vcpu, X86_FEATURE_MOVBE);
	check_movbe_mmio(vcpu, true);

	leaf = vcpu_get_cpuid_entry(vcpu, 1);
	leaf->ecx ^= BIT(X86_FEATURE_OSXSAVE.bit);
	leaf->edx ^= BIT(X86_FEATURE_APIC.bit);
	vcpu_set_cpuid(vcpu);

	leaf = vcpu_get_cpuid_entry(vcpu, 1);
	leaf->ecx &= ~BIT(X86_FEATURE_MOVBE.bit);
	check_error(__vcpu_set_cpuid(vcpu), EINVAL);

	check_error(set_cpuid(vcpu, NULL, 0), EINVAL);

	TEST_ASSERT(vcpu_cpuid_has(vcpu, X86_FEATURE_MOVBE), "Refused CPUID was installed");
	check_movbe(vcpu, movbe, true, true);
}

/* A vCPU in its reset state: no control bit is set, and any can be tried by itself. */
FIXTURE(cpuid) {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
};

FIXTURE_SETUP(cpuid) {
	self->vm = vm_create_barebones();
	self->vcpu = __vm_vcpu_add(self->vm, 0);
}

FIXTURE_TEARDOWN(cpuid) {
	kvm_vm_free(self->vm);
}

struct ctrl {
	const char *name;
	struct kvm_x86_cpu_feature feature;
	u64 cr4;
	u64 efer;
};

#define NR_CTRLS	12

static const struct ctrl *get_ctrls(void)
{
	static struct ctrl ctrls[NR_CTRLS];

	/* X86_FEATURE_XXX is no constant expression. */
	const struct ctrl init[NR_CTRLS] = {
		{ "XSAVE",    X86_FEATURE_XSAVE,    .cr4 = X86_CR4_OSXSAVE },
		{ "PCID",     X86_FEATURE_PCID,     .cr4 = X86_CR4_PCIDE },
		{ "FSGSBASE", X86_FEATURE_FSGSBASE, .cr4 = X86_CR4_FSGSBASE },
		{ "SMEP",     X86_FEATURE_SMEP,     .cr4 = X86_CR4_SMEP },
		{ "SMAP",     X86_FEATURE_SMAP,     .cr4 = X86_CR4_SMAP },
		{ "UMIP",     X86_FEATURE_UMIP,     .cr4 = X86_CR4_UMIP },
		{ "PKU",      X86_FEATURE_PKU,      .cr4 = X86_CR4_PKE },
		{ "LA57",     X86_FEATURE_LA57,     .cr4 = X86_CR4_LA57 },
		{ "NX",       X86_FEATURE_NX,       .efer = EFER_NX },
		{ "LM",       X86_FEATURE_LM,       .efer = EFER_LME },
		{ "FXSR_OPT", X86_FEATURE_FXSR_OPT, .efer = EFER_FFXSR },
		{ "AUTOIBRS", X86_FEATURE_AUTOIBRS, .efer = EFER_AUTOIBRS },
	};

	memcpy(ctrls, init, sizeof(ctrls));
	return ctrls;
}

/* The next control whose feature KVM supports, NULL after the last. */
static const struct ctrl *next_supported(const struct ctrl *ctrl)
{
	const struct ctrl *ctrls = get_ctrls();

	for (ctrl = ctrl ? ctrl + 1 : ctrls; ctrl < &ctrls[NR_CTRLS]; ctrl++) {
		if (kvm_cpu_has(ctrl->feature))
			return ctrl;
	}
	return NULL;
}

static bool ctrl_allowed(struct kvm_vcpu *vcpu, const struct ctrl *ctrl)
{
	struct kvm_sregs orig, sregs;
	int r;

	vcpu_sregs_get(vcpu, &orig);
	sregs = orig;
	sregs.cr4 |= ctrl->cr4;
	sregs.efer |= ctrl->efer;

	r = _vcpu_sregs_set(vcpu, &sregs);
	if (!r)
		vcpu_sregs_set(vcpu, &orig);
	else
		TEST_ASSERT(errno == EINVAL, KVM_IOCTL_ERROR(KVM_SET_SREGS, r));
	return !r;
}

static void check_ctrl(struct kvm_vcpu *vcpu, const struct ctrl *ctrl, bool allowed)
{
	TEST_ASSERT(ctrl_allowed(vcpu, ctrl) == allowed, "%s's control bit was %s",
		    ctrl->name, allowed ? "refused" : "accepted");
}

/* The feature's entry as KVM would report it, with no other feature in it. */
static struct kvm_cpuid_entry2 ctrl_entry(const struct ctrl *ctrl, bool asked)
{
	struct kvm_cpuid_entry2 e = {
		.function = ctrl->feature.function,
		.index = ctrl->feature.index,
		.flags = ctrl->feature.function == 7 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
	};

	if (asked)
		(&e.eax)[ctrl->feature.reg] = BIT(ctrl->feature.bit);
	return e;
}

static struct kvm_cpuid_entry2 with_index(struct kvm_cpuid_entry2 e, u32 index, u32 flags)
{
	e.index = index;
	e.flags = flags;
	return e;
}

/* What the host lacks stays off, however often guest CPUID asks for it. */
TEST_F(cpuid, host_and_guest)
{
	const struct ctrl *ctrls = get_ctrls();
	int i;

	for (i = 0; i < NR_CTRLS; i++) {
		SET_CPUID(self->vcpu, ctrl_entry(&ctrls[i], true));
		check_ctrl(self->vcpu, &ctrls[i], kvm_cpu_has(ctrls[i].feature));

		SET_CPUID(self->vcpu, ctrl_entry(&ctrls[i], false));
		check_ctrl(self->vcpu, &ctrls[i], false);
	}
}

#define X86_FEATURE_LAM		KVM_X86_CPU_FEATURE(0x7, 1, EAX, 26)
#define X86_CR3_LAM_U48		BIT_ULL(62)

/*
 * Control bits are also checked against what KVM supports, whatever the vCPU has.  LAM's bits in
 * CR3 are not, and so depend on the vCPU's capability alone.
 */
TEST_F(cpuid, host_and_guest_lam)
{
	const struct kvm_cpuid_entry2 ext = {
		.function = 0x80000001, .edx = BIT(X86_FEATURE_LM.bit),
	};
	struct kvm_cpuid_entry2 lam = {
		.function = 7, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	};
	struct kvm_sregs sregs;

	SET_CPUID(self->vcpu, ext, lam);
	vcpu_sregs_get(self->vcpu, &sregs);
	sregs.cr0 = X86_CR0_PE | X86_CR0_NE | X86_CR0_PG;
	sregs.cr4 = X86_CR4_PAE;
	sregs.efer = EFER_LME | EFER_LMA;
	vcpu_sregs_set(self->vcpu, &sregs);

	sregs.cr3 = X86_CR3_LAM_U48;
	TEST_ASSERT_EQ(_vcpu_sregs_set(self->vcpu, &sregs), -1);

	lam.eax = BIT(X86_FEATURE_LAM.bit);
	SET_CPUID(self->vcpu, ext, lam);
	TEST_ASSERT_EQ(_vcpu_sregs_set(self->vcpu, &sregs),
		       kvm_cpu_has(X86_FEATURE_LAM) ? 0 : -1);
}

/* A flagged entry answers for its own index only. */
TEST_F(cpuid, other_index)
{
	const struct ctrl *ctrl;

	for (ctrl = next_supported(NULL); ctrl; ctrl = next_supported(ctrl)) {
		struct kvm_cpuid_entry2 other = with_index(ctrl_entry(ctrl, true), 5,
							   KVM_CPUID_FLAG_SIGNIFCANT_INDEX);

		SET_CPUID(self->vcpu, other);
		check_ctrl(self->vcpu, ctrl, false);

		SET_CPUID(self->vcpu, other, ctrl_entry(ctrl, false));
		check_ctrl(self->vcpu, ctrl, false);

		other = with_index(ctrl_entry(ctrl, false), 5, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);

		SET_CPUID(self->vcpu, other, ctrl_entry(ctrl, true));
		check_ctrl(self->vcpu, ctrl, true);
	}
}

/* An entry without the flag answers for any index, even where the index is significant. */
TEST_F(cpuid, insignificant_index)
{
	const struct ctrl *ctrl;

	for (ctrl = next_supported(NULL); ctrl; ctrl = next_supported(ctrl)) {
		SET_CPUID(self->vcpu, with_index(ctrl_entry(ctrl, true), 5, 0));
		check_ctrl(self->vcpu, ctrl, true);

		SET_CPUID(self->vcpu, with_index(ctrl_entry(ctrl, false), 5, 0),
			  ctrl_entry(ctrl, true));
		check_ctrl(self->vcpu, ctrl, false);
	}
}

TEST_F(cpuid, first_of_two)
{
	const struct ctrl *ctrl;

	for (ctrl = next_supported(NULL); ctrl; ctrl = next_supported(ctrl)) {
		SET_CPUID(self->vcpu, ctrl_entry(ctrl, true), ctrl_entry(ctrl, false));
		check_ctrl(self->vcpu, ctrl, true);

		SET_CPUID(self->vcpu, ctrl_entry(ctrl, false), ctrl_entry(ctrl, true));
		check_ctrl(self->vcpu, ctrl, false);
	}
}

/* What a failed KVM_SET_CPUID2 must leave alone. */
struct state {
	struct kvm_cpuid2 *cpuid;
	bool allowed[NR_CTRLS];
};

static struct state save_state(struct kvm_vcpu *vcpu)
{
	struct state s = { .cpuid = get_cpuid(vcpu) };
	int i;

	for (i = 0; i < NR_CTRLS; i++)
		s.allowed[i] = ctrl_allowed(vcpu, &get_ctrls()[i]);
	return s;
}

static void check_state(struct kvm_vcpu *vcpu, struct state *old)
{
	struct state new = save_state(vcpu);

	TEST_ASSERT_EQ(new.cpuid->nent, old->cpuid->nent);
	TEST_ASSERT(!memcmp(new.cpuid->entries, old->cpuid->entries,
			    new.cpuid->nent * sizeof(new.cpuid->entries[0])),
		    "Failed KVM_SET_CPUID2 changed guest CPUID");
	TEST_ASSERT(!memcmp(new.allowed, old->allowed, sizeof(new.allowed)),
		    "Failed KVM_SET_CPUID2 changed which control bits are accepted");
	free(new.cpuid);
}

static void set_supported_cpuid(struct kvm_vcpu *vcpu)
{
	const struct kvm_cpuid2 *cpuid = kvm_get_supported_cpuid();

	TEST_ASSERT_EQ(set_cpuid(vcpu, cpuid->entries, cpuid->nent), 0);
}

TEST_F(cpuid, no_entries)
{
	struct state s;
	int i;

	set_supported_cpuid(self->vcpu);
	s = save_state(self->vcpu);
	for (i = 0; i < NR_CTRLS; i++)
		TEST_ASSERT_EQ(s.allowed[i], kvm_cpu_has(get_ctrls()[i].feature));
	free(s.cpuid);

	TEST_ASSERT_EQ(set_cpuid(self->vcpu, NULL, 0), 0);

	s = save_state(self->vcpu);
	TEST_ASSERT_EQ(s.cpuid->nent, 0u);
	for (i = 0; i < NR_CTRLS; i++)
		TEST_ASSERT_EQ(s.allowed[i], false);
	free(s.cpuid);
}

TEST_F(cpuid, max_entries)
{
	struct kvm_cpuid_entry2 entries[KVM_MAX_CPUID_ENTRIES];
	const struct ctrl *ctrl;
	int i;

	for (ctrl = next_supported(NULL); ctrl; ctrl = next_supported(ctrl)) {
		struct kvm_cpuid2 *cpuid;

		for (i = 0; i < KVM_MAX_CPUID_ENTRIES; i++)
			entries[i] = (struct kvm_cpuid_entry2) { .function = 0x20000000 + i };
		entries[KVM_MAX_CPUID_ENTRIES - 1] = ctrl_entry(ctrl, true);

		TEST_ASSERT_EQ(set_cpuid(self->vcpu, entries, KVM_MAX_CPUID_ENTRIES), 0);
		check_ctrl(self->vcpu, ctrl, true);

		cpuid = get_cpuid(self->vcpu);
		TEST_ASSERT_EQ(cpuid->nent, KVM_MAX_CPUID_ENTRIES);
		free(cpuid);
	}
}

TEST_F(cpuid, too_many_entries)
{
	struct kvm_cpuid_entry2 entries[KVM_MAX_CPUID_ENTRIES + 1] = {};
	struct kvm_cpuid2 cpuid = { .nent = UINT_MAX };
	struct state s;

	set_supported_cpuid(self->vcpu);
	s = save_state(self->vcpu);

	check_error(set_cpuid(self->vcpu, entries, ARRAY_SIZE(entries)), E2BIG);
	check_state(self->vcpu, &s);

	check_error(__vcpu_ioctl(self->vcpu, KVM_SET_CPUID2, &cpuid), E2BIG);
	check_state(self->vcpu, &s);
	free(s.cpuid);
}

/* Entries that begin in memory and end beyond it. */
TEST_F(cpuid, copy_fault)
{
	const size_t page = getpagesize();
	struct kvm_cpuid2 *cpuid;
	struct state s;
	void *mem;

	set_supported_cpuid(self->vcpu);
	s = save_state(self->vcpu);

	mem = kvm_mmap(2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	kvm_munmap(mem + page, page);

	cpuid = mem + page - kvm_cpuid2_size(3);
	cpuid->nent = 4;
	check_error(__vcpu_ioctl(self->vcpu, KVM_SET_CPUID2, cpuid), EFAULT);
	check_state(self->vcpu, &s);
	free(s.cpuid);

	cpuid->nent = 3;
	TEST_ASSERT_EQ(__vcpu_ioctl(self->vcpu, KVM_SET_CPUID2, cpuid), 0);

	kvm_munmap(mem, page);
}

static struct kvm_cpuid_entry2 address_widths(u8 phys, u8 virt)
{
	return (struct kvm_cpuid_entry2) { .function = 0x80000008, .eax = virt << 8 | phys };
}

TEST_F(cpuid, bad_virtual_width)
{
	const struct kvm_cpuid2 *supported = kvm_get_supported_cpuid();
	struct kvm_cpuid_entry2 entries[MAX_NR_CPUID_ENTRIES + 1];
	struct state s;

	/* All that KVM supports is kept ... */
	set_supported_cpuid(self->vcpu);
	s = save_state(self->vcpu);

	entries[0] = address_widths(40, 52);
	check_error(set_cpuid(self->vcpu, entries, 1), EINVAL);
	check_state(self->vcpu, &s);
	free(s.cpuid);

	/* ... and nothing of it is gained. */
	TEST_ASSERT_EQ(set_cpuid(self->vcpu, NULL, 0), 0);
	s = save_state(self->vcpu);

	memcpy(&entries[1], supported->entries, supported->nent * sizeof(*entries));
	check_error(set_cpuid(self->vcpu, entries, supported->nent + 1), EINVAL);
	check_state(self->vcpu, &s);
	free(s.cpuid);

	SET_CPUID(self->vcpu, address_widths(40, 0));
	SET_CPUID(self->vcpu, address_widths(40, 48));
	SET_CPUID(self->vcpu, address_widths(40, 57));
	SET_CPUID(self->vcpu, address_widths(40, 48), address_widths(40, 52));
}

static void check_maxphyaddr(struct kvm_vcpu *vcpu, int width)
{
	TEST_ASSERT_EQ(_vcpu_set_msr(vcpu, MSR_MTRR_PHYS_BASE0, BIT_ULL(width - 1)), 1);
	TEST_ASSERT_EQ(_vcpu_set_msr(vcpu, MSR_MTRR_PHYS_BASE0, BIT_ULL(width)), 0);
}

TEST_F(cpuid, maxphyaddr)
{
	const struct kvm_cpuid_entry2 ext = { .function = 0x80000000, .eax = 0x80000008 };
	const struct kvm_cpuid_entry2 ext_low = { .function = 0x80000000, .eax = 0x80000007 };

	SET_CPUID(self->vcpu, ext, address_widths(40, 48));
	check_maxphyaddr(self->vcpu, 40);

	SET_CPUID(self->vcpu, address_widths(41, 48), ext, address_widths(42, 48));
	check_maxphyaddr(self->vcpu, 41);

	/* Any index will do. */
	SET_CPUID(self->vcpu, with_index(ext, 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX),
		  with_index(address_widths(39, 48), 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX));
	check_maxphyaddr(self->vcpu, 39);

	/* The architectural default. */
	SET_CPUID(self->vcpu, address_widths(40, 48));
	check_maxphyaddr(self->vcpu, 36);

	SET_CPUID(self->vcpu, ext_low, address_widths(40, 48));
	check_maxphyaddr(self->vcpu, 36);

	SET_CPUID(self->vcpu, ext);
	check_maxphyaddr(self->vcpu, 36);
}

static struct kvm_cpuid_entry2 vendor(const char *name)
{
	struct kvm_cpuid_entry2 e = { .function = 0 };

	memcpy(&e.ebx, name, 4);
	memcpy(&e.edx, name + 4, 4);
	memcpy(&e.ecx, name + 8, 4);
	return e;
}

/* AMD's CPUs ignore the upper half of TSC_AUX, for all others it is reserved. */
static bool is_amd_compatible(struct kvm_vcpu *vcpu)
{
	return _vcpu_set_msr(vcpu, MSR_TSC_AUX, BIT_ULL(32)) == 1;
}

TEST_F(cpuid, vendor)
{
	const struct kvm_cpuid_entry2 amd = vendor("AuthenticAMD");
	const struct kvm_cpuid_entry2 intel = vendor("GenuineIntel");

	if (!kvm_cpu_has_tsc_aux())
		SKIP(return, "KVM has no MSR_TSC_AUX to tell vendors apart");

	SET_CPUID(self->vcpu, amd);
	TEST_ASSERT_EQ(is_amd_compatible(self->vcpu), true);
	SET_CPUID(self->vcpu, vendor("HygonGenuine"));
	TEST_ASSERT_EQ(is_amd_compatible(self->vcpu), true);
	SET_CPUID(self->vcpu, intel);
	TEST_ASSERT_EQ(is_amd_compatible(self->vcpu), false);
	SET_CPUID(self->vcpu, amd, intel);
	TEST_ASSERT_EQ(is_amd_compatible(self->vcpu), true);
	SET_CPUID(self->vcpu, intel, amd);
	TEST_ASSERT_EQ(is_amd_compatible(self->vcpu), false);
	SET_CPUID(self->vcpu, with_index(amd, 3, KVM_CPUID_FLAG_SIGNIFCANT_INDEX), intel);
	TEST_ASSERT_EQ(is_amd_compatible(self->vcpu), true);

	TEST_ASSERT_EQ(set_cpuid(self->vcpu, NULL, 0), 0);
	TEST_ASSERT_EQ(is_amd_compatible(self->vcpu), false);
}

static int set_xcr0(struct kvm_vcpu *vcpu, u64 xcr0)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = xcr0 };

	return __vcpu_ioctl(vcpu, KVM_SET_XCRS, &xcrs);
}

TEST_F(cpuid, xcr0)
{
	struct kvm_cpuid_entry2 x87 = {
		.function = 0xd, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = XFEATURE_MASK_FP,
	};
	struct kvm_cpuid_entry2 sse = x87, other = x87;
	const u64 xcr0 = XFEATURE_MASK_FP | XFEATURE_MASK_SSE;

	if (!kvm_cpu_has(X86_FEATURE_XSAVE))
		SKIP(return, "KVM does not support XSAVE");

	sse.eax = xcr0;
	other.index = 5;
	other.eax = xcr0;

	SET_CPUID(self->vcpu, sse);
	TEST_ASSERT_EQ(set_xcr0(self->vcpu, xcr0), 0);
	SET_CPUID(self->vcpu, other, sse, x87);
	TEST_ASSERT_EQ(set_xcr0(self->vcpu, xcr0), 0);

	SET_CPUID(self->vcpu, other, x87, sse);
	TEST_ASSERT_EQ(set_xcr0(self->vcpu, xcr0), -1);
	SET_CPUID(self->vcpu, other);
	TEST_ASSERT_EQ(set_xcr0(self->vcpu, xcr0), -1);
	TEST_ASSERT_EQ(set_xcr0(self->vcpu, XFEATURE_MASK_FP), 0);
}

/* FP and SSE state plus the XSAVE header. */
#define XSTATE_MIN_SIZE		576
#define CPUID_XSAVEC		BIT(1)

/* KVM overwrites what depends on the vCPU's state, in the entry it finds by its own rules. */
TEST_F(cpuid, runtime_bits)
{
	const u32 osxsave = BIT(X86_FEATURE_OSXSAVE.bit), ospke = BIT(X86_FEATURE_OSPKE.bit);
	const u32 apic = BIT(X86_FEATURE_APIC.bit), flag = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	struct kvm_cpuid_entry2 *e;
	struct kvm_cpuid2 *cpuid;
	struct kvm_sregs sregs;

	vcpu_sregs_get(self->vcpu, &sregs);
	TEST_ASSERT(sregs.apic_base & MSR_IA32_APICBASE_ENABLE, "The APIC is off after RESET");

	SET_CPUID(self->vcpu,
		  { .function = 1, .index = 5, .flags = flag, .ecx = osxsave },
		  { .function = 1, .ecx = osxsave },
		  { .function = 7, .index = 1, .flags = flag, .ecx = ospke },
		  { .function = 7, .index = 0, .flags = flag, .ecx = ospke },
		  { .function = 7, .index = 0, .flags = flag, .ecx = ospke },
		  { .function = 0xd, .index = 2, .flags = flag, .ebx = 1 },
		  { .function = 0xd, .index = 1, .flags = flag, .ebx = 1, .eax = CPUID_XSAVEC },
		  { .function = 0xd, .index = 0, .flags = flag, .ebx = 1 });

	cpuid = get_cpuid(self->vcpu);
	e = cpuid->entries;

	/* The first entry of leaf 1, whatever its index, but only index 0 of leaf 7. */
	TEST_ASSERT_EQ(e[0].ecx, 0u);
	TEST_ASSERT_EQ(e[0].edx, apic);
	TEST_ASSERT_EQ(e[1].ecx, osxsave);
	TEST_ASSERT_EQ(e[1].edx, 0u);
	TEST_ASSERT_EQ(e[2].ecx, ospke);
	TEST_ASSERT_EQ(e[3].ecx, 0u);
	TEST_ASSERT_EQ(e[4].ecx, ospke);
	TEST_ASSERT_EQ(e[5].ebx, 1u);
	TEST_ASSERT_EQ(e[6].ebx, XSTATE_MIN_SIZE);
	TEST_ASSERT_EQ(e[7].ebx, XSTATE_MIN_SIZE);
	free(cpuid);

	/* The compacted size is meaningless without XSAVEC and XSAVES. */
	SET_CPUID(self->vcpu, { .function = 0xd, .index = 1, .flags = flag, .ebx = 1 });
	cpuid = get_cpuid(self->vcpu);
	TEST_ASSERT_EQ(cpuid->entries[0].ebx, 1u);
	free(cpuid);
}

TEST_F(cpuid, runtime_bits_follow_state)
{
	const u32 osxsave = BIT(X86_FEATURE_OSXSAVE.bit), apic = BIT(X86_FEATURE_APIC.bit);
	const u32 xsave = BIT(X86_FEATURE_XSAVE.bit);
	const struct kvm_cpuid_entry2 leaf = { .function = 1, .ecx = xsave };
	struct kvm_cpuid2 *cpuid;
	struct kvm_sregs sregs;

	if (!kvm_cpu_has(X86_FEATURE_XSAVE))
		SKIP(return, "KVM does not support XSAVE");

	SET_CPUID(self->vcpu, leaf);
	vcpu_sregs_get(self->vcpu, &sregs);
	sregs.cr4 |= X86_CR4_OSXSAVE;
	vcpu_sregs_set(self->vcpu, &sregs);
	cpuid = get_cpuid(self->vcpu);
	TEST_ASSERT_EQ(cpuid->entries[0].ecx, xsave | osxsave);
	TEST_ASSERT_EQ(cpuid->entries[0].edx, apic);
	free(cpuid);

	/* A new table gets the bits as well. */
	SET_CPUID(self->vcpu, leaf);
	cpuid = get_cpuid(self->vcpu);
	TEST_ASSERT_EQ(cpuid->entries[0].ecx, xsave | osxsave);
	free(cpuid);

	sregs.cr4 &= ~X86_CR4_OSXSAVE;
	sregs.apic_base &= ~MSR_IA32_APICBASE_ENABLE;
	vcpu_sregs_set(self->vcpu, &sregs);
	cpuid = get_cpuid(self->vcpu);
	TEST_ASSERT_EQ(cpuid->entries[0].ecx, xsave);
	TEST_ASSERT_EQ(cpuid->entries[0].edx, 0u);
	free(cpuid);
}

#define PV_UNHALT		BIT(KVM_FEATURE_PV_UNHALT)

static struct kvm_cpuid_entry2 signature(u32 base, const char *name)
{
	struct kvm_cpuid_entry2 e = { .function = base, .eax = base + 1 };

	memcpy(&e.ebx, name, 12);
	return e;
}

static struct kvm_cpuid_entry2 pv_features(u32 base)
{
	return (struct kvm_cpuid_entry2) { .function = base + 1, .eax = PV_UNHALT };
}

static void check_pv_unhalt(struct kvm_vcpu *vcpu, int i, bool set)
{
	struct kvm_cpuid2 *cpuid = get_cpuid(vcpu);

	TEST_ASSERT_EQ(cpuid->entries[i].eax, set ? PV_UNHALT : 0);
	free(cpuid);
}

/*
 * KVM's paravirtual features are those at the lowest base that carries its signature.  Where the
 * guest may halt natively, KVM takes PV_UNHALT out of them, and so tells which ones it found.
 */
TEST(pv_features_base)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	if (!(kvm_check_cap(KVM_CAP_X86_DISABLE_EXITS) & KVM_X86_DISABLE_EXITS_HLT))
		SKIP(return, "KVM cannot disable HLT exits");

	vm = vm_create_barebones();
	vm_enable_cap(vm, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_HLT);
	vcpu = __vm_vcpu_add(vm, 0);

	/* The lowest base wins, not the first in the table, and leaves may come in any order. */
	SET_CPUID(vcpu, pv_features(0x40000200), signature(0x40000200, KVM_SIGNATURE),
		  pv_features(0x40000100), signature(0x40000100, KVM_SIGNATURE),
		  pv_features(0x40000000));
	check_pv_unhalt(vcpu, 0, true);
	check_pv_unhalt(vcpu, 2, false);
	check_pv_unhalt(vcpu, 4, true);

	/* Bases of others do not count, nor does a second entry of the same base. */
	SET_CPUID(vcpu, signature(0x40000000, "Microsoft Hv"), pv_features(0x40000000),
		  signature(0x40000000, KVM_SIGNATURE),
		  signature(0x40000300, KVM_SIGNATURE), pv_features(0x40000300),
		  pv_features(0x40000300));
	check_pv_unhalt(vcpu, 1, true);
	check_pv_unhalt(vcpu, 4, false);
	check_pv_unhalt(vcpu, 5, true);

	/* Any index will do, for the signature and for the features. */
	SET_CPUID(vcpu,
		  with_index(pv_features(0x4000ff00), 3, KVM_CPUID_FLAG_SIGNIFCANT_INDEX),
		  with_index(signature(0x4000ff00, KVM_SIGNATURE), 3,
			     KVM_CPUID_FLAG_SIGNIFCANT_INDEX));
	check_pv_unhalt(vcpu, 0, false);

	/* Bases lie between 0x40000000 and 0x4000ff00, and are multiples of 0x100. */
	SET_CPUID(vcpu, signature(0x40010000, KVM_SIGNATURE), pv_features(0x40010000),
		  signature(0x40000080, KVM_SIGNATURE), pv_features(0x40000080));
	check_pv_unhalt(vcpu, 1, true);
	check_pv_unhalt(vcpu, 3, true);

	kvm_vm_free(vm);
}

/* How often the kernel has warned. */
static int nr_warnings(void)
{
	FILE *file = fopen("/sys/kernel/warn_count", "r");
	int count;

	TEST_ASSERT(file && fscanf(file, "%d", &count) == 1, "No count of warnings");
	fclose(file);
	return count;
}

/* Have the kernel warn again where it warns once. */
#define WARN_AGAIN	"/sys/kernel/debug/clear_warn_once"

static void warn_again(void)
{
	FILE *file = fopen(WARN_AGAIN, "w");

	TEST_ASSERT(file && fputs("1", file) >= 0 && !fclose(file), "Can't write to " WARN_AGAIN);
}

/*
 * Two hypervisors may claim the same leaf.  Its EAX becomes the name of Hyper-V's interface only as
 * KVM takes PV_UNHALT out of it: whether there is Hyper-V is to be judged after that, once, or KVM
 * warns that Hyper-V came without its context.
 */
TEST(hyperv_interface)
{
	const u32 hv1 = 0x31237648;
	const struct kvm_cpuid_entry2 features = {
		.function = 0x40000001,
		.eax = hv1 | PV_UNHALT,
	};
	struct kvm_cpuid2 *cpuid;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int warnings;

	if (!(kvm_check_cap(KVM_CAP_X86_DISABLE_EXITS) & KVM_X86_DISABLE_EXITS_HLT))
		SKIP(return, "KVM cannot disable HLT exits");
	if (access("/sys/kernel/warn_count", R_OK))
		SKIP(return, "the kernel doesn't count warnings");
	if (access(WARN_AGAIN, W_OK))
		SKIP(return, "debugfs doesn't let the kernel warn again");

	warn_again();
	warnings = nr_warnings();
	vm = vm_create_barebones();
	vm_enable_cap(vm, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_HLT);
	vcpu = __vm_vcpu_add(vm, 0);

	SET_CPUID(vcpu, signature(0x40000000, KVM_SIGNATURE), features);
	cpuid = get_cpuid(vcpu);
	TEST_ASSERT_EQ(cpuid->entries[1].eax, hv1);
	TEST_ASSERT_EQ(nr_warnings(), warnings);
	free(cpuid);
	kvm_vm_free(vm);
}

static int get_emulated_cpuid(struct kvm_cpuid2 *cpuid)
{
	int kvm_fd = open_kvm_dev_path_or_exit();
	int r = __kvm_ioctl(kvm_fd, KVM_GET_EMULATED_CPUID, cpuid);
	int err = errno;

	close(kvm_fd);
	errno = err;
	return r;
}

static struct kvm_cpuid2 *zalloc_cpuid(int nent)
{
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(nent);

	memset(cpuid->entries, 0, nent * sizeof(cpuid->entries[0]));
	return cpuid;
}

/* KVM accepts MWAIT in guest CPUID, but neither supports nor emulates it. */
TEST(emulated_cpuid)
{
	const bool rdpid = kvm_cpu_has(X86_FEATURE_RDTSCP);
	const struct kvm_cpuid_entry2 expected[] = {
		{ .function = 0, .eax = 7 },
		{ .function = 1, .ecx = BIT(X86_FEATURE_MOVBE.bit) },
		{ .function = 7, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		  .ecx = rdpid ? BIT(X86_FEATURE_RDPID.bit) : 0 },
	};
	struct kvm_cpuid2 *cpuid = zalloc_cpuid(KVM_MAX_CPUID_ENTRIES);
	int i;

	TEST_ASSERT_EQ(get_emulated_cpuid(cpuid), 0);
	TEST_ASSERT_EQ(cpuid->nent, ARRAY_SIZE(expected));

	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		TEST_ASSERT(!memcmp(e, &expected[i], sizeof(*e)),
			    "Entry %d: 0x%x.%u flags %u: 0x%x 0x%x 0x%x 0x%x", i, e->function,
			    e->index, e->flags, e->eax, e->ebx, e->ecx, e->edx);
	}
	free(cpuid);

	TEST_ASSERT(!kvm_cpu_has(X86_FEATURE_MWAIT), "KVM advertises MWAIT as supported");
}

/*
 * Three entries are returned, but KVM wants room for one more: it stops at a full table before it
 * has looked for leaves beyond the basic ones.
 */
TEST(emulated_cpuid_room)
{
	struct kvm_cpuid2 *cpuid = zalloc_cpuid(KVM_MAX_CPUID_ENTRIES + 1);
	int nent;

	for (nent = 0; nent < 4; nent++) {
		cpuid->nent = nent;
		check_error(get_emulated_cpuid(cpuid), E2BIG);
		TEST_ASSERT_EQ(cpuid->nent, nent);
		TEST_ASSERT_EQ(cpuid->entries[0].eax, 0u);
	}

	cpuid->nent = 4;
	TEST_ASSERT_EQ(get_emulated_cpuid(cpuid), 0);
	TEST_ASSERT_EQ(cpuid->nent, 3u);

	/* There is no such thing as too much room. */
	cpuid->nent = KVM_MAX_CPUID_ENTRIES + 1;
	TEST_ASSERT_EQ(get_emulated_cpuid(cpuid), 0);
	TEST_ASSERT_EQ(cpuid->nent, 3u);
	free(cpuid);
}

/* Padding is checked in every entry that is passed, also in those KVM would not fill. */
TEST(emulated_cpuid_padding)
{
	struct kvm_cpuid2 *cpuid = zalloc_cpuid(KVM_MAX_CPUID_ENTRIES);
	static const int at[] = { 0, 3, KVM_MAX_CPUID_ENTRIES - 1 };
	int i, j;

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		for (j = 0; j < 3; j++) {
			cpuid->entries[at[i]].padding[j] = 1;
			check_error(get_emulated_cpuid(cpuid), EINVAL);
			TEST_ASSERT_EQ(cpuid->nent, KVM_MAX_CPUID_ENTRIES);
			cpuid->entries[at[i]].padding[j] = 0;
		}
	}

	/* Everything else may hold anything. */
	cpuid->entries[0].function = 0x1234;
	cpuid->entries[1].flags = ~0u;
	TEST_ASSERT_EQ(get_emulated_cpuid(cpuid), 0);
	TEST_ASSERT_EQ(cpuid->entries[0].function, 0u);
	TEST_ASSERT_EQ(cpuid->entries[1].flags, 0u);
	free(cpuid);
}

/* What a guest looks at, and finds. */
static struct leaf {
	u32 function;
	u32 index;
	u32 regs[4];
} leaves[256];

static void guest_leaves(void)
{
	struct leaf *leaf;

	for (;;) {
		for (leaf = leaves; leaf < &leaves[ARRAY_SIZE(leaves)]; leaf++)
			__cpuid(leaf->function, leaf->index, &leaf->regs[0], &leaf->regs[1],
				&leaf->regs[2], &leaf->regs[3]);
		GUEST_SYNC(0);
	}
}

#define ANY_INDEX	(~0ull)

/* The first entry of a function, with that index unless its own isn't significant. */
static const struct kvm_cpuid_entry2 *search(const struct kvm_cpuid2 *cpuid, u32 function,
					     u64 index)
{
	const struct kvm_cpuid_entry2 *e;

	for (e = cpuid->entries; e < &cpuid->entries[cpuid->nent]; e++)
		if (e->function == function &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index ||
		     index == ANY_INDEX))
			return e;
	return NULL;
}

/* What CPUID is in a VM: Intel's CPUs show the highest basic leaf for one that is out of range. */
static void check_leaf(const struct kvm_cpuid2 *cpuid, const struct leaf *leaf)
{
	const struct kvm_cpuid_entry2 *basic = &cpuid->entries[0], *class = basic, *e;
	u32 function = leaf->function, expected[4] = { 0 };

	e = search(cpuid, function, leaf->index);
	if (!e && !memcmp(&basic->ebx, "Genu", 4)) {
		if (function >> 28 == 4)
			class = search(cpuid, function & ~0xffu, ANY_INDEX);
		else if (function >> 31)
			class = search(cpuid, function >= 0xc0000000 ? 0xc0000000 : 0x80000000,
				       ANY_INDEX);
		if (!class || function > class->eax) {
			function = basic->eax;
			e = search(cpuid, function, leaf->index);
		}
	}
	if (e) {
		memcpy(expected, &e->eax, sizeof(expected));
	} else if (function == 0xb || function == 0x1f) {
		e = search(cpuid, function, 1);
		if (e) {
			expected[2] = leaf->index & 0xff;
			expected[3] = e->edx;
		}
	}
	TEST_ASSERT(!memcmp(leaf->regs, expected, sizeof(expected)),
		    "0x%x.%u of %u entries: wanted 0x%x 0x%x 0x%x 0x%x, got 0x%x 0x%x 0x%x 0x%x",
		    leaf->function, leaf->index, cpuid->nent, expected[0], expected[1],
		    expected[2], expected[3], leaf->regs[0], leaf->regs[1], leaf->regs[2],
		    leaf->regs[3]);
}

static const u32 functions[] = {
	2, 4, 5, 0xb, 0xb, 0x1f, 0x21, 0x104, 0x40000100, 0x40000105, 0x50000000, 0x8000001d,
	0x80000104, 0xc0000000, 0xc0000002, ~0u,
};

/* Sub-leaves that are there or not, or of functions that have none. */
static void guess_leaves(const struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *e;
	struct leaf *leaf;

	for (leaf = leaves; leaf < &leaves[ARRAY_SIZE(leaves)]; leaf++) {
		e = &cpuid->entries[rand() % cpuid->nent];
		leaf->function = rand() & 1 ? e->function :
				 functions[rand() % ARRAY_SIZE(functions)] + (rand() & 1);
		leaf->index = rand() & 1 ? e->index : rand() % 6;
	}
}

/* Entries of a function anywhere, several of them for the same, with and without an index. */
static void scatter_entries(struct kvm_cpuid2 *cpuid, int nent)
{
	struct kvm_cpuid_entry2 *e;

	while (cpuid->nent < nent) {
		e = &cpuid->entries[1 + rand() % cpuid->nent];
		memmove(e + 1, e, (cpuid->nent - (e - cpuid->entries)) * sizeof(*e));
		*e = (struct kvm_cpuid_entry2) {
			.function = functions[rand() % ARRAY_SIZE(functions)],
			.index = rand() % 4,
			.flags = rand() % 4 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = rand(), .ebx = rand(), .ecx = rand(), .edx = rand(),
		};
		cpuid->nent++;
	}
}

static void check_leaves(struct kvm_vcpu *vcpu)
{
	struct ucall uc;
	int i;

	vcpu_run(vcpu);
	TEST_ASSERT_EQ(get_ucall(vcpu, &uc), UCALL_SYNC);
	sync_global_from_guest(vcpu->vm, leaves);
	for (i = 0; i < ARRAY_SIZE(leaves); i++)
		check_leaf(vcpu->cpuid, &leaves[i]);
}

/* However guest CPUID looks, its first entry that answers is what guests see. */
TEST(cpuid_exits)
{
	const struct kvm_cpuid2 *supported = kvm_get_supported_cpuid();
	const u32 highest[] = { 2, 0xb, 0xd, 0x1f, 0x21 };
	struct kvm_cpuid2 *cpuid = zalloc_cpuid(KVM_MAX_CPUID_ENTRIES);
	int nents[] = { 0, supported->nent + 1, 64, 100, KVM_MAX_CPUID_ENTRIES };
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int i;

	for (i = 0; i < 4 * ARRAY_SIZE(nents); i++) {
		cpuid->nent = supported->nent;
		memcpy(cpuid->entries, supported->entries,
		       supported->nent * sizeof(*cpuid->entries));
		TEST_ASSERT_EQ(cpuid->entries[0].function, 0u);
		cpuid->entries[0].eax = highest[rand() % ARRAY_SIZE(highest)];
		memcpy(&cpuid->entries[0].ebx, i & 1 ? "GenuntelineI" : "AuthcAMDenti", 12);
		scatter_entries(cpuid, nents[i % ARRAY_SIZE(nents)]);

		vm = vm_create_with_one_vcpu(&vcpu, guest_leaves);
		vcpu_init_cpuid(vcpu, cpuid);
		vcpu_set_cpuid(vcpu);
		guess_leaves(vcpu->cpuid);
		sync_global_to_guest(vm, leaves);
		check_leaves(vcpu);

		/* The same again is accepted, and is the same. */
		vcpu_set_cpuid(vcpu);
		check_leaves(vcpu);
		kvm_vm_free(vm);
	}
	free(cpuid);
}

/* A vCPU may have no entries at all, and none any more. */
TEST(no_cpuid)
{
	struct kvm_cpuid2 *cpuid = zalloc_cpuid(KVM_MAX_CPUID_ENTRIES);
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int i, nent;

	vm = vm_create_barebones();
	vcpu = __vm_vcpu_add(vm, 0);
	for (nent = 0; nent < 3; nent++) {
		for (i = 0; i < 2; i++) {
			cpuid->nent = nent * i;
			vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
			cpuid->nent = KVM_MAX_CPUID_ENTRIES;
			vcpu_ioctl(vcpu, KVM_GET_CPUID2, cpuid);
			TEST_ASSERT_EQ(cpuid->nent, nent * i);
		}
	}
	kvm_vm_free(vm);
	free(cpuid);
}

int main(int argc, char *argv[])
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_EXT_EMUL_CPUID));
	TEST_REQUIRE((kvm_check_cap(KVM_CAP_DISABLE_QUIRKS2) &
		      (KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT)) ==
		     (KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS | KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT));

	return test_harness_run(argc, argv);
}
