// SPDX-License-Identifier: GPL-2.0-only
/*
 * Show what a vCPU may use, given what the host has, what KVM supports or emulates,
 * and what guest CPUID asks for.  The last word has a guest that tries.
 */
#include <sys/utsname.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

#define MMIO_GPA	0x700000000ull
#define MMIO_GVA	MMIO_GPA

#define TSC_AUX		0x12345678u

/* Far more than the exits that the host's own interrupts cause meanwhile. */
#define NR_TRIES	100

enum trial {
	TRY_CR4,
	TRY_EFER,
	TRY_RDPID,
	TRY_MOVBE,
	TRY_MOVBE_MMIO,
	TRY_MWAIT,
};

struct row {
	const char *name;
	const char *bit_name;
	struct kvm_x86_cpu_feature feature;
	enum trial trial;
	u64 bit;
};

static struct guest_trial {
	enum trial trial;
	u64 bit;
	u64 ram;
	u64 result;
	u8 vector;
} t;

static u8 try_cr4(u64 bit)
{
	set_cr4(get_cr4() & ~bit);
	return kvm_asm_safe("mov %[val], %%cr4", [val] "r"(get_cr4() | bit));
}

static u8 try_efer(u64 bit)
{
	u64 efer = rdmsr(MSR_EFER) & ~bit;

	wrmsr(MSR_EFER, efer);
	return wrmsr_safe(MSR_EFER, efer | bit);
}

#define try_insn(insn, mem, reg)						\
({										\
	u64 error_code;								\
	u8 vector;								\
										\
	asm volatile(KVM_ASM_SAFE(insn)						\
		     : KVM_ASM_SAFE_OUTPUTS(vector, error_code), "+a"(reg)	\
		     : "S"(mem), "c"(0), "d"(0)					\
		     : KVM_ASM_SAFE_CLOBBERS, "memory");			\
	vector;									\
})

static u8 guest_try(void)
{
	u64 reg = 0;
	u8 vector = 0;

	switch (t.trial) {
	case TRY_CR4:
		vector = try_cr4(t.bit);
		break;
	case TRY_EFER:
		vector = try_efer(t.bit);
		break;
	case TRY_RDPID:
		vector = try_insn("rdpid %%rax", NULL, reg);
		break;
	case TRY_MOVBE:
		vector = try_insn("movbe (%%rsi), %%rax", &t.ram, reg);
		break;
	case TRY_MOVBE_MMIO:
		vector = try_insn("movbe (%%rsi), %%rax", MMIO_GVA, reg);
		break;
	case TRY_MWAIT:
		reg = (u64)&t;
		vector = try_insn("monitor", NULL, reg);
		reg = 0;
		if (!vector)
			vector = try_insn("mwait", NULL, reg);
		break;
	}
	t.result = reg;
	return vector;
}

/* Once to see what happens, then often enough to count exits. */
static void guest_code(void)
{
	int i;

	t.vector = guest_try();
	GUEST_SYNC(0);

	for (i = 0; i < NR_TRIES; i++)
		guest_try();
	GUEST_SYNC(1);
}

static void run_to_sync(struct kvm_vcpu *vcpu)
{
	const u64 data = __builtin_bswap64(TSC_AUX);
	struct ucall uc;

	for (;;) {
		vcpu_run(vcpu);
		if (vcpu->run->exit_reason != KVM_EXIT_MMIO)
			break;
		memcpy(vcpu->run->mmio.data, &data, vcpu->run->mmio.len);
	}

	if (get_ucall(vcpu, &uc) == UCALL_ABORT)
		REPORT_GUEST_ASSERT(uc);
	TEST_ASSERT_EQ(uc.cmd, UCALL_SYNC);
}

static bool kvm_emulates(struct kvm_x86_cpu_feature feature)
{
	static struct kvm_cpuid2 *cpuid;

	if (!cpuid) {
		int kvm_fd = open_kvm_dev_path_or_exit();

		cpuid = allocate_kvm_cpuid2(MAX_NR_CPUID_ENTRIES);
		memset(cpuid->entries, 0, MAX_NR_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
		kvm_ioctl(kvm_fd, KVM_GET_EMULATED_CPUID, cpuid);
		close(kvm_fd);
	}
	return kvm_cpuid_has(cpuid, feature);
}

static const char *yes(bool val)
{
	return val ? "yes" : "-";
}

static void print_row(const struct row *row, bool asked)
{
	const bool is_ctrl = row->trial == TRY_CR4 || row->trial == TRY_EFER;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	char how[32];
	u64 exits;

	vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	if (row->trial == TRY_MWAIT)
		vm_enable_cap(vm, KVM_CAP_DISABLE_QUIRKS2, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS);
	if (row->trial == TRY_MOVBE_MMIO)
		virt_map(vm, MMIO_GVA, MMIO_GPA, 1);

	vcpu_set_or_clear_cpuid_feature(vcpu, row->feature, asked);
	if (row->trial == TRY_RDPID &&
	    (kvm_cpu_has(X86_FEATURE_RDTSCP) || kvm_cpu_has(X86_FEATURE_RDPID)))
		vcpu_set_msr(vcpu, MSR_TSC_AUX, TSC_AUX);

	t.trial = row->trial;
	t.bit = row->bit;
	t.ram = __builtin_bswap64(TSC_AUX);
	sync_global_to_guest(vm, t);

	run_to_sync(vcpu);
	sync_global_from_guest(vm, t);
	exits = vcpu_get_stat(vcpu, exits);
	run_to_sync(vcpu);
	exits = vcpu_get_stat(vcpu, exits) - exits;

	if (is_ctrl)
		snprintf(how, sizeof(how), "%s %s", row->bit_name,
			 t.vector ? ex_str(t.vector) : "accepted");
	else if (t.vector)
		snprintf(how, sizeof(how), "%s", ex_str(t.vector));
	else if (row->trial == TRY_MWAIT)
		snprintf(how, sizeof(how), "%s", exits < NR_TRIES ? "native" : "trapped, no-op");
	else if (t.result != TSC_AUX)
		snprintf(how, sizeof(how), "wrong result 0x%lx", t.result);
	else if (exits >= NR_TRIES)
		snprintf(how, sizeof(how), "emulated");
	else
		snprintf(how, sizeof(how), "native%s", asked ? "" : ", beyond KVM's control");

	printf("%-12s%-6s%-6s%-10s%-7s%-11s%s\n", row->name, yes(this_cpu_has(row->feature)),
	       yes(kvm_cpu_has(row->feature)), yes(kvm_emulates(row->feature)), yes(asked),
	       t.vector ? "no" : "yes", how);

	kvm_vm_free(vm);
}

static void print_title(void)
{
	char vendor[13] = {}, model[49] = {}, *name = model;
	u32 *m = (u32 *)model, *v = (u32 *)vendor;
	struct utsname uts;
	u32 eax, i;

	cpuid(0, &eax, &v[0], &v[2], &v[1]);
	for (i = 0; i < 3; i++)
		cpuid(0x80000002 + i, &m[4 * i], &m[4 * i + 1], &m[4 * i + 2], &m[4 * i + 3]);
	while (*name == ' ')
		name++;
	uname(&uts);

	printf("What a vCPU may use, and why\n%s, %.40s, Linux %.18s\n\n", vendor, name,
	       uts.release);
}

int main(int argc, char *argv[])
{
	const struct row rows[] = {
		{ "FSGSBASE", "CR4.FSGSBASE", X86_FEATURE_FSGSBASE, TRY_CR4, X86_CR4_FSGSBASE },
		{ "SMEP", "CR4.SMEP", X86_FEATURE_SMEP, TRY_CR4, X86_CR4_SMEP },
		{ "UMIP", "CR4.UMIP", X86_FEATURE_UMIP, TRY_CR4, X86_CR4_UMIP },
		{ "PKU", "CR4.PKE", X86_FEATURE_PKU, TRY_CR4, X86_CR4_PKE },
		{ "XSAVE", "CR4.OSXSAVE", X86_FEATURE_XSAVE, TRY_CR4, X86_CR4_OSXSAVE },
		{ "NX", "EFER.NX", X86_FEATURE_NX, TRY_EFER, EFER_NX },
		{ "RDPID", "", X86_FEATURE_RDPID, TRY_RDPID },
		{ "MOVBE", "", X86_FEATURE_MOVBE, TRY_MOVBE },
		{ "MOVBE MMIO", "", X86_FEATURE_MOVBE, TRY_MOVBE_MMIO },
		{ "MWAIT", "", X86_FEATURE_MWAIT, TRY_MWAIT },
	};
	int i;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_EXT_EMUL_CPUID));
	TEST_REQUIRE(kvm_check_cap(KVM_CAP_DISABLE_QUIRKS2) & KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS);

	print_title();

	printf("%-12s%-6s%-6s%-10s%-7s%-11s%s\n",
	       "feature", "host", "kvm", "emulated", "asked", "effective", "how");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		print_row(&rows[i], true);
		print_row(&rows[i], false);
	}

	printf("\n"
	       "host       this machine's CPUID\n"
	       "kvm        KVM_GET_SUPPORTED_CPUID\n"
	       "emulated   KVM_GET_EMULATED_CPUID\n"
	       "asked      the feature's bit in guest CPUID\n"
	       "effective  a guest set the bit or executed the instruction; how that went\n"
	       "           (MWAIT: without the quirk that never lets it fault)\n");
	return 0;
}
