// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel's KVM around the files that are compared: the variables that these read, stubs of what
 * they call, and the functions that a fuzz target calls. Compiled once for each kernel.
 */
#include "cpuid.h"
#include "lapic.h"
#include "mmu.h"
#include "x86.h"
#include "xen.h"
#include "hyperv.h"
#include "pmu.h"
#include "fuzz.h"

/* What the kernel or KVM has elsewhere. */
struct cpuinfo_x86 boot_cpu_data;
struct kvm_caps kvm_caps;
struct kvm_host_values kvm_host;
struct x86_pmu_capability kvm_pmu_cap;
struct kvm_x86_ops kvm_x86_ops;
bool tdp_enabled, enable_pmu, enable_mediated_pmu, allow_smaller_maxphyaddr;
unsigned long __preempt_count = 0x80000000;	/* nobody waits */

/* How this kernel is made up. */
struct host fuzz_host;
u32 fuzz_warnings;
static struct vcpu_state state;
static struct seen seen;
static struct kvm_vcpu *vcpu;
static struct kvm kvm;
static struct kvm_lapic lapic;

static const u32 required[MAX_KERNEL_WORDS] = { FUZZ_REQUIRED };

/* Where the unmodified kernel keeps the last extended function, for good. */
#ifdef FUZZ_BASE
extern int fuzz_max_extended __asm__("do_host_cpuid.max_cpuid_80000000");
#endif

int kvm_find_user_return_msr(u32 msr)
{
	return fuzz_flag(HOST_TSC_AUX) ? 0 : -1;
}

u8 kvm_mmu_get_max_tdp_level(void)
{
	return fuzz_host.tdp_levels;
}

u64 xstate_get_guest_group_perm(void)
{
	return fuzz_host.permitted;
}

int fpu_enable_guest_xfd_features(struct fpu_guest *guest_fpu, u64 xfeatures)
{
	if (!state.xfd_error)
		seen.dynamic |= xfeatures;
	return state.xfd_error;
}

int kvm_hv_vcpu_init(struct kvm_vcpu *vcpu)
{
	seen.hyperv_inits++;
	return state.hyperv_error;
}

void kvm_hv_set_cpuid(struct kvm_vcpu *vcpu, bool hyperv_enabled)
{
	seen.hyperv = hyperv_enabled;
}

void kvm_pmu_refresh(struct kvm_vcpu *vcpu)
{
	seen.refreshed++;
}

void kvm_mmu_after_set_cpuid(struct kvm_vcpu *vcpu)
{
	seen.refreshed += 0x100;
}

void kvm_apic_set_version(struct kvm_vcpu *vcpu)
{
	seen.refreshed += 0x10000;
}

int kvm_msr_read(struct kvm_vcpu *vcpu, u32 index, u64 *data)
{
	*data = state.tsx_ctrl;
	return index != MSR_IA32_TSX_CTRL;
}

int kvm_skip_emulated_instruction(struct kvm_vcpu *vcpu)
{
	return state.skipped;
}

void kvm_queue_exception_e(struct kvm_vcpu *vcpu, unsigned int nr, u32 error_code)
{
	seen.exceptions = (seen.exceptions & ~0xffff) + 0x10000 + (nr << 8 | error_code);
}

int fuzz_get_cpl(struct kvm_vcpu *vcpu) __asm__("__SCT__kvm_x86_get_cpl");
int fuzz_get_cpl(struct kvm_vcpu *vcpu)
{
	return state.cpl;
}

void fuzz_after_set_cpuid(struct kvm_vcpu *vcpu) __asm__("__SCT__kvm_x86_vcpu_after_set_cpuid");
void fuzz_after_set_cpuid(struct kvm_vcpu *vcpu)
{
	if (fuzz_flag(HOST_SVM))
		fuzz_svm_after_set_cpuid(vcpu);
	else
		fuzz_vmx_after_set_cpuid(vcpu);
}

#include "cut-kernel.h"

#ifdef FUZZ_BASE
#define words_of(words)	(words)
static bool is_efer_reserved(u64 bit)
{
	return !kvm_valid_efer(vcpu, bit);
}
#else
#define words_of(words)	((words).word)
static bool is_efer_reserved(u64 bit)
{
	return vcpu->arch.efer_guest_rsvd_bits & bit;
}
#endif

static void load(const struct host *host, struct support *support)
{
	fuzz_host = *host;
	fuzz_warnings = 0;
#ifdef FUZZ_BASE
	fuzz_max_extended = 0;
	kvm_is_configuring_cpu_caps = false;
#endif
	memcpy(boot_cpu_data.x86_capability, host->words, sizeof(boot_cpu_data.x86_capability));
	boot_cpu_data.x86_vendor = host->vendor;
	boot_cpu_data.x86_power = host->power;
	boot_cpu_data.x86_phys_bits = host->phys_bits;
	kvm_caps = (struct kvm_caps) {
		.supported_xcr0 = host->xcr0,
		.supported_xss = host->xss,
	};
	kvm_pmu_cap = (struct x86_pmu_capability) {
		.version = host->pmu_version,
		.num_counters_gp = host->counters_gp,
		.num_counters_fixed = host->counters_fixed,
		.bit_width_gp = host->width_gp,
		.bit_width_fixed = host->width_fixed,
		.events_mask = host->events_mask,
		.events_mask_len = host->events_len,
		.pebs_ept = fuzz_flag(HOST_PEBS),
	};
	tdp_enabled = fuzz_flag(HOST_TDP);
	enable_pmu = fuzz_flag(HOST_PMU);
	enable_mediated_pmu = fuzz_flag(HOST_MEDIATED_PMU);
	allow_smaller_maxphyaddr = fuzz_flag(HOST_SMALLER_MAXPHYADDR);

	kvm_init_xstate_sizes();
	vcpu = fuzz_flag(HOST_SVM) ? fuzz_svm_load() : fuzz_vmx_load();
#ifdef FUZZ_BASE
	kvm_setup_efer_caps();
	support->cr4 = __cr4_reserved_bits(cpu_has, &boot_cpu_data);
#else
	support->cr4 = kvm_cr4_reserved_bits(boot_cpu_data.x86_capability);
	kvm_caps.supported_efer_bits = kvm_efer_supported_bits(kvm_cpu_caps.word,
							       boot_cpu_data.x86_capability);
#endif

	memcpy(support->words, words_of(kvm_cpu_caps), sizeof(kvm_cpu_caps));
	support->xss = kvm_caps.supported_xss;
	support->efer = kvm_caps.supported_efer_bits;
	support->has_bus_lock_exit = kvm_caps.has_bus_lock_exit;
	support->counters_gp = kvm_pmu_cap.num_counters_gp;
	support->warnings = fuzz_warnings;
}

static int get_cpuid(struct kvm_cpuid2 *cpuid, struct kvm_cpuid_entry2 *entries,
		     unsigned int type, u32 *warnings)
{
	int r;

	fuzz_warnings = 0;
	r = kvm_dev_ioctl_get_cpuid(cpuid, (__force struct kvm_cpuid_entry2 __user *)entries, type);
	*warnings = fuzz_warnings;
	return r;
}

static void change(const struct vcpu_state *new)
{
	state = *new;
	vcpu->arch.xcr0 = new->xcr0;
	vcpu->arch.ia32_xss = new->xss;
	vcpu->arch.cr4 = new->cr4;
	vcpu->arch.apic_base = new->apic_base;
	vcpu->arch.ia32_misc_enable_msr = new->misc_enable;
	vcpu->arch.last_vmentry_cpu = new->has_run ? 0 : -1;
	vcpu->arch.cpuid_dynamic_bits_dirty = true;
	vcpu->arch.hflags = new->smm ? HF_SMM_MASK : 0;
	/* Intel's and AMD's. */
	vcpu->arch.msr_misc_features_enables = new->faults ? MSR_MISC_FEATURES_ENABLES_CPUID_FAULT : 0;
	vcpu->arch.msr_hwcr = new->faults && fuzz_flag(HOST_SVM) ? MSR_K7_HWCR_CPUID_USER_DIS : 0;
}

static void create(const struct vcpu_state *new)
{
	static struct kvm_vcpu *last;

	/* Only what CPUID touches. */
#ifdef FUZZ_BASE
	if (last)
		kvfree(last->arch.cpuid_entries);
	vcpu->arch.cpuid_entries = NULL;
	vcpu->arch.cpuid_nent = 0;
#else
	if (last)
		kvfree(last->arch.cpuid);
	vcpu->arch.cpuid = NULL;
#endif
	last = vcpu;
	memset((void *)words_of(vcpu->arch.cpu_caps), 0, sizeof(vcpu->arch.cpu_caps));
	memset(&seen, 0, sizeof(seen));
	*fuzz_vmx_cr4_fixed1() = 0;
	memset(&vcpu->arch.xen.cpuid, 0, sizeof(vcpu->arch.xen.cpuid));
	vcpu->kvm = &kvm;
	kvm.arch.vm_type = new->tdx ? KVM_X86_TDX_VM : KVM_X86_DEFAULT_VM;
	kvm.arch.disabled_quirks = new->disabled_quirks;
	kvm.arch.disabled_exits = new->hlt_in_guest ? KVM_X86_DISABLE_EXITS_HLT : 0;
	lapic.lapic_timer.timer_mode_mask = 0;
	vcpu->arch.apic = new->apic ? &lapic : NULL;
	change(new);
	vcpu->arch.cpuid_dynamic_bits_dirty = false;
#ifdef FUZZ_BASE
	kvm_vcpu_after_set_cpuid(vcpu);
#else
	spin_lock_init(&vcpu->arch.cpuid_lock);
	kvm_init_cpuid(vcpu);
#endif
}

static int set_cpuid(struct kvm_cpuid_entry *entries, u32 nent)
{
	struct kvm_cpuid cpuid = { .nent = nent };

	return kvm_vcpu_ioctl_set_cpuid(vcpu, &cpuid, (__force struct kvm_cpuid_entry __user *)entries);
}

static int set_cpuid2(struct kvm_cpuid_entry2 *entries, u32 nent)
{
	struct kvm_cpuid2 cpuid = { .nent = nent };

	return kvm_vcpu_ioctl_set_cpuid2(vcpu, &cpuid, (__force struct kvm_cpuid_entry2 __user *)entries);
}

static int get_cpuid2(struct kvm_cpuid_entry2 *entries, u32 *nent)
{
	struct kvm_cpuid2 cpuid = { .nent = *nent };
	int r = kvm_vcpu_ioctl_get_cpuid2(vcpu, &cpuid, (__force struct kvm_cpuid_entry2 __user *)entries);

	*nent = cpuid.nent;
	return r;
}

static bool emulate_cpuid(u32 *regs, bool exact_only)
{
	return kvm_cpuid(vcpu, &regs[0], &regs[1], &regs[2], &regs[3], exact_only);
}

static int exit_for_cpuid(u32 *regs)
{
#ifdef FUZZ_FASTPATH
	fastpath_t fast;
#endif
	int r;

	vcpu->arch.regs[VCPU_REGS_RAX] = regs[0];
	vcpu->arch.regs[VCPU_REGS_RCX] = regs[2];
#ifdef FUZZ_FASTPATH
	fast = handle_fastpath_cpuid(vcpu);
	r = fast == EXIT_FASTPATH_NONE ? kvm_emulate_cpuid(vcpu) : fast == EXIT_FASTPATH_REENTER_GUEST;
#else
	r = kvm_emulate_cpuid(vcpu);
#endif
	regs[0] = vcpu->arch.regs[VCPU_REGS_RAX];
	regs[1] = vcpu->arch.regs[VCPU_REGS_RBX];
	regs[2] = vcpu->arch.regs[VCPU_REGS_RCX];
	regs[3] = vcpu->arch.regs[VCPU_REGS_RDX];
	return r;
}

static void look(struct seen *out)
{
	int bit;

	memcpy(seen.caps, words_of(vcpu->arch.cpu_caps), sizeof(vcpu->arch.cpu_caps));
	seen.xcr0 = vcpu->arch.guest_supported_xcr0;
	seen.xss = vcpu->arch.guest_supported_xss;
	seen.reserved_gpa = vcpu->arch.reserved_gpa_bits;
	seen.reserved_cr4 = vcpu->arch.cr4_guest_rsvd_bits;
	seen.reserved_efer = 0;
	for (bit = 0; bit < 64; bit++) {
		if (is_efer_reserved(BIT_ULL(bit)))
			seen.reserved_efer |= BIT_ULL(bit);
	}
	seen.cr4_fixed1 = *fuzz_vmx_cr4_fixed1();
	seen.pv_features = vcpu->arch.pv_cpuid.features;
	seen.xen_base = vcpu->arch.xen.cpuid.base;
	seen.xen_limit = vcpu->arch.xen.cpuid.limit;
	seen.timer_mode = lapic.lapic_timer.timer_mode_mask;
	seen.maxphyaddr = vcpu->arch.maxphyaddr;
	seen.max_guest_phyaddr = cpuid_query_maxguestphyaddr(vcpu);
	seen.amd_compatible = vcpu->arch.is_amd_compatible;
#ifdef FUZZ_BASE
	seen.asks_for_xsaves = guest_cpuid_has(vcpu, X86_FEATURE_XSAVES);
#else
	seen.asks_for_xsaves = guest_cpuid_asks_for_xsaves(vcpu);
#endif
	seen.dirty = vcpu->arch.cpuid_dynamic_bits_dirty;
	*out = seen;
}

#ifdef FUZZ_BASE
const struct kernel base_kernel = { .name = "unmodified",
#else
const struct kernel ours_kernel = { .name = "ours",
#endif
	.nr_kernel_words = NCAPINTS + NBUGINTS,
	.nr_feature_words = NCAPINTS,
	.nr_kvm_words = NR_KVM_CPU_CAPS,
	.required = required,
	.identify = fuzz_identify,
	.load = load,
	.get_cpuid = get_cpuid,
	.create = create,
	.change = change,
	.set_cpuid = set_cpuid,
	.set_cpuid2 = set_cpuid2,
	.get_cpuid2 = get_cpuid2,
	.cpuid = emulate_cpuid,
	.exit = exit_for_cpuid,
	.look = look,
};
static_assert(NCAPINTS + NBUGINTS <= MAX_KERNEL_WORDS);
static_assert(NR_KVM_CPU_CAPS <= MAX_KVM_WORDS);
