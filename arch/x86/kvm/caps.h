/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ARCH_X86_KVM_CAPS_H
#define ARCH_X86_KVM_CAPS_H

/*
 * What the Rust side of KVM's guest capabilities, caps/, offers to C.  Seen by
 * bindgen, which can't digest linux/kvm_host.h.
 *
 * Capabilities are NR_KVM_CPU_CAPS words.  caps/ffi.rs says what each function
 * asks of its callers.
 */
#include <linux/types.h>
#include <asm/fpu/types.h>
#include <asm/perf_event.h>
#include <asm/sgx.h>
#include <uapi/linux/kvm.h>
#include <uapi/asm/kvm_para.h>

struct seq_file;

/* As many CPUID entries as a vCPU can have. */
#define KVM_CAPS_MAX_ENTRIES	256

/* Hyper-V's interface in CPUID, "Hv#1" */
#define HYPERV_CPUID_SIGNATURE_EAX 0x31237648

/* What finds a CPUID entry: positions, as caps/cpuid.rs leaves them behind. */
struct kvm_cpuid_index {
	u8 first[KVM_CAPS_MAX_ENTRIES];
	u8 next[KVM_CAPS_MAX_ENTRIES];
};

/* The CPUID entries of a vCPU, and what finds them; no table if there are no entries. */
struct kvm_cpuid_table {
	struct kvm_cpuid_index index;
	u32 nent;
	struct kvm_cpuid_entry2 entries[] __counted_by(nent);
};

/* Have the entries found. */
void kvm_cpuid_index(struct kvm_cpuid_table *table);

/* The first entry of a function, or NULL. */
struct kvm_cpuid_entry2 *kvm_cpuid_find(struct kvm_cpuid_table *table, u32 function);

/* The first one that is flagged with an index, or isn't flagged at all. */
struct kvm_cpuid_entry2 *kvm_cpuid_find_index(struct kvm_cpuid_table *table, u32 function,
					      u32 index);

/* What Intel's CPUs show instead of a leaf that isn't there, and which one it is. */
struct kvm_cpuid_entry2 *kvm_cpuid_find_highest_basic(struct kvm_cpuid_table *table,
						      u32 *function, u32 index);

/* The kinds of vCPUs, by who runs them: kvm-amd, kvm-intel, the TDX module. */
enum kvm_caps_kind {
	KVM_CAPS_SVM,
	KVM_CAPS_VMX,
	KVM_CAPS_TDX,
	KVM_CAPS_NR_KINDS,
};

/* How kvm-intel or kvm-amd is configured, as far as features depend on it. */
struct kvm_vendor_snapshot {
	enum kvm_caps_kind kind;
	bool nested;

	/* kvm-amd */
	bool nrips;
	bool tsc_scaling;
	bool vls;			/* virtual VMLOAD and VMSAVE */
	bool lbrv;
	bool gmet;
	bool vgif;
	bool vnmi;
	bool sev;
	bool sev_es;
	bool sev_snp;
	bool core_counters;		/* KVM has as many as PERFCTR_CORE takes */
	bool pmu_v2;			/* the host's version is 2 */

	/* kvm-intel */
	bool mpx_state;			/* KVM supports its components of XCR0 */
	bool invpcid;
	bool pt_host_guest;
	bool pebs;
	bool sgx;
	bool umip_emulated;
	bool xsaves;
	bool rdtscp;
	bool user_wait_pause;
	bool load_cet_state;
	bool unrestricted_guest;
	bool any_error_code;		/* exceptions are injected with one or without */
};

/* What decides what KVM supports on a host. */
struct kvm_caps_snapshot {
	const u32 *kernel;		/* a copy of boot_cpu_data.x86_capability */
	const u32 *cpu;			/* CPUID, in the registers that words mirror */
	const struct kvm_vendor_snapshot *vendor;
	u64 xss;			/* components that the kernel and KVM know */
	bool tdp_enabled;
	bool enable_pmu;
	bool allow_smaller_maxphyaddr;
	bool has_msr_tsc_aux;		/* guests can have one of their own */
};

/*
 * What KVM supports: features, and components of IA32_XSS.  False if the host
 * contradicts itself.
 */
bool kvm_host_caps_init(u32 *caps, u64 *xss, const struct kvm_caps_snapshot *host);

/* CPUID leaf 0xD, by index. */
struct kvm_xstate_sizes {
	struct kvm_xstate_size {
		u32 eax;
		u32 ebx;
		u32 ecx;
	} component[XFEATURE_MAX];
};

/* The bytes that XSAVE takes for components, or XSAVES if they are compacted. */
u32 kvm_xstate_required_size(const struct kvm_xstate_sizes *sizes, u64 components,
			     bool compacted);

/* The state of a vCPU that guest CPUID reflects. */
struct kvm_cpuid_runtime {
	u64 xcr0;
	u64 xss;			/* IA32_XSS */
	bool osxsave;			/* CR4.OSXSAVE */
	bool ospke;			/* CR4.PKE */
	bool apic;			/* IA32_APIC_BASE enables it */
	bool tracks_mwait;		/* @mwait counts, or guest CPUID alone */
	bool mwait;			/* IA32_MISC_ENABLE.MWAIT */
	bool hlt_in_guest;		/* HLT doesn't exit */
};

/* What KVM looks at to make something of guest CPUID. */
struct kvm_caps_context {
	const u32 *kvm;			/* what KVM supports, kvm_cpu_caps */
	const u32 *kernel;		/* a copy of boot_cpu_data.x86_capability */
	const struct kvm_cpuid_runtime *runtime;
	const struct kvm_xstate_sizes *sizes;
	u64 xcr0;			/* components that KVM supports */
	u64 xss;			/* components that KVM supports */
	u64 dynamic;			/* components to be enabled on request only */
	enum kvm_caps_kind kind;
	bool tdp_enabled;
};

/* What KVM derives from guest CPUID, beside the vCPU's capabilities. */
struct kvm_guest_cpuid {
	u64 xcr0;			/* components that the guest may set */
	u64 xss;			/* components that the guest may set */
	u64 dynamic;			/* components that the kernel must enable first */
	u64 reserved_cr4;		/* bits that must be zero */
	u64 reserved_efer;		/* bits that must be zero */
	u32 timer_mode_mask;		/* the APIC's LVTT, 0 without leaf 1 */
	u32 pv_features;		/* KVM_FEATURE_* bits */
	u32 xen_base;			/* the leaf with Xen's signature, or 0 */
	u32 xen_limit;			/* Xen's last leaf */
	u8 maxphyaddr;			/* in bits */
	bool hyperv;			/* there is Hyper-V's interface */
	bool amd_compatible;		/* the vendor is AMD or Hygon */
};

/*
 * Write a vCPU's state to incoming entries.  Whether a guest sees the same in them, i.e.
 * in all but padding, as in those that the vCPU has, and if so have them found.
 */
bool kvm_cpuid_repeats(struct kvm_cpuid_table *table, const struct kvm_cpuid_table *its,
		       const struct kvm_cpuid_runtime *runtime,
		       const struct kvm_xstate_sizes *sizes);

/*
 * Write a vCPU's state to incoming entries, and derive all that follows from them.
 * -EINVAL, with nothing derived, if KVM can't virtualize the width of linear
 * addresses.
 */
int kvm_cpuid_derive(struct kvm_guest_cpuid *guest, u32 *caps,
		     const struct kvm_caps_context *context,
		     struct kvm_cpuid_table *table);

/* Write a vCPU's state to its entries and capabilities, but for hlt_in_guest. */
void kvm_cpuid_update(u32 *caps, struct kvm_cpuid_table *table,
		      const struct kvm_cpuid_runtime *runtime,
		      const struct kvm_xstate_sizes *sizes);

/* The bits of CR4 that a CPU with such an x86_capability leaves reserved; that may change. */
u64 kvm_cr4_reserved_bits(const u32 *words);

/* The bits of CR4 whose features entries ask for, whether or not a vCPU may use them. */
u64 kvm_cpuid_cr4_bits(const struct kvm_cpuid_table *table);

/* The bits of EFER that KVM supports; @kernel may change. */
u64 kvm_efer_supported_bits(const u32 *kvm, const u32 *kernel);

/* The words that entries ask for; zero where KVM asks for no feature. */
void kvm_cpuid_words(u32 *asked, const struct kvm_cpuid_table *table);

/* A vCPU's capabilities, and where they come from. */
struct kvm_caps_view {
	const u32 *kvm;			/* what KVM supports */
	const u32 *kernel;		/* a copy of boot_cpu_data.x86_capability */
	const u32 *cpu;			/* CPUID, in the registers that words mirror */
	const u32 *asked;		/* what guest CPUID asks for */
	const u32 *caps;		/* what the vCPU may use */
	enum kvm_caps_kind kind;
	bool tdp_enabled;
	bool enable_pmu;
};

/* Print them, a line a feature. */
void kvm_guest_caps_show(struct seq_file *file, const struct kvm_caps_view *view);

/* A feature that guest CPUID asks for and that the vCPU may not use. */
struct kvm_denied_cap {
	const char *name;		/* not terminated */
	u32 name_len;
	u32 number;			/* word times 32 plus bit */
	char why[20];
};

/* Find the next one, from a number on.  False if there is none. */
bool kvm_denied_caps_next(struct kvm_denied_cap *cap, const struct kvm_caps_view *view,
			  unsigned int from);

/* For KVM_GUEST_CAPS: functions that tell of something, and return how many records that takes. */
#define KVM_CAPS_MAX_RECORDS	32

/* What vCPUs may use at least, and at most, whatever guest CPUID asks for. */
void kvm_caps_bounds(u32 *lowest, u32 *highest, const struct kvm_caps_context *context);

/*
 * The features of the next word, from *word on: all, or those that guest CPUID has and the vCPU
 * lacks, or vice versa.
 */
unsigned int kvm_caps_list(struct kvm_guest_cap *caps, const struct kvm_caps_view *view,
			   const u32 *lowest, const u32 *highest, unsigned int *word, bool all);

/* What the massage has changed in the next entry, from *position on, that it has changed. */
unsigned int kvm_caps_adjusted(struct kvm_guest_cap *caps, const struct kvm_caps_view *view,
			       const struct kvm_cpuid_entry2 *before,
			       const struct kvm_cpuid_table *after, unsigned int *position);

/* What kvm_cpuid_derive() would refuse: it will no longer. */
unsigned int kvm_caps_mended(struct kvm_guest_cap *caps, struct kvm_cpuid_table *table);

/*
 * Components of XCR0, or at index 1 of IA32_XSS, that are asked for in the lower or the upper half,
 * and that the vCPU will not have: for want of a permission, or of a host that has them.  @kernel
 * are those that the kernel has turned on, @kvm those that KVM supports.
 */
unsigned int kvm_caps_components(struct kvm_guest_cap *caps, u32 index, u32 half, u32 asked,
				 bool forbidden, u64 kernel, u64 kvm);

/* What of SGX's leaf the kernel knows; macros of enumerators are nothing to bindgen. */
enum {
	KVM_CAPS_SGX_MISC	= SGX_MISC_EXINFO,
	KVM_CAPS_SGX_ATTRIBUTES	= SGX_ATTR_PRIV_MASK | SGX_ATTR_UNPRIV_MASK,
};

/* What KVM_GET_SUPPORTED_CPUID depends on, beside features and the CPU's leaves. */
struct kvm_leaves_snapshot {
	u64 xcr0;			/* components that the caller may use */
	u64 xss;			/* components that KVM supports */
	u32 power;			/* boot_cpu_data.x86_power */
	u8 phys_bits;			/* boot_cpu_data.x86_phys_bits */
	u8 tdp_levels;			/* of two-dimensional paging's tables, at most */
	bool sched_info;		/* the scheduler counts delays */
	struct x86_pmu_capability pmu;
};

struct kvm_leaves_context {
	const u32 *kvm;			/* what KVM supports, kvm_cpu_caps */
	const u32 *kernel;		/* a copy of boot_cpu_data.x86_capability */
	const struct kvm_xstate_sizes *sizes;
	const struct kvm_leaves_snapshot *snapshot;
	bool tdp_enabled;
	bool enable_pmu;
	bool centaur;			/* the CPU is one of Centaur's or Zhaoxin's */
};

/* CPUID of this CPU: EAX, EBX, ECX, EDX. */
void kvm_read_cpuid(u32 *regs, u32 function, u32 index);

/*
 * What KVM_GET_SUPPORTED_CPUID reports: the number of entries, or -E2BIG.  The
 * caller stays on one CPU.  Functions where the CPU contradicts what KVM and the
 * kernel know of it are bits of contradictions.
 */
int kvm_caps_supported_cpuid(struct kvm_cpuid_entry2 *entries, int nent,
			     const struct kvm_leaves_context *context, u32 *contradictions);

/* What KVM_GET_EMULATED_CPUID reports: the number of entries, or -E2BIG. */
int kvm_caps_emulated_cpuid(struct kvm_cpuid_entry2 *entries, int nent, const u32 *kvm);

#endif /* ARCH_X86_KVM_CAPS_H */
