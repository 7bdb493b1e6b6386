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
#include <uapi/asm/kvm.h>

struct seq_file;

/* As many CPUID entries as a vCPU can have. */
#define KVM_CAPS_MAX_ENTRIES	256

/* What decides what KVM supports on a host. */
struct kvm_caps_snapshot {
	const u32 *kernel;		/* boot_cpu_data.x86_capability */
	const u32 *cpu;			/* CPUID, in the registers that words mirror */
	bool tdp_enabled;
	bool allow_smaller_maxphyaddr;
	bool has_msr_tsc_aux;		/* guests can have one of their own */
};

/* What KVM supports before vendors have a say.  False if the host contradicts itself. */
bool kvm_host_caps_init(u32 *caps, const struct kvm_caps_snapshot *host);

/* Add a feature, word times 32 plus bit, or remove it.  False if KVM gives it to nobody. */
bool kvm_host_caps_change(u32 *caps, unsigned int feature, bool present);

/*
 * The same of kvm_cpu_caps, while kvm-intel or kvm-amd configures KVM; a WARN at
 * any other time, and for features that KVM gives to nobody.
 */
void kvm_cpu_cap_change(unsigned int feature, bool present);

/* The kinds of vCPUs, by who runs them: kvm-amd, kvm-intel, the TDX module. */
enum kvm_caps_kind {
	KVM_CAPS_SVM,
	KVM_CAPS_VMX,
	KVM_CAPS_TDX,
	KVM_CAPS_NR_KINDS,
};

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
	const u32 *kernel;		/* boot_cpu_data.x86_capability */
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

/* Write a vCPU's state to incoming entries. */
void kvm_cpuid_massage(struct kvm_cpuid_entry2 *entries, int nent,
		       const struct kvm_cpuid_runtime *runtime,
		       const struct kvm_xstate_sizes *sizes);

/*
 * Write a vCPU's state to incoming entries, and derive all that follows from them.
 * -EINVAL, with nothing derived, if KVM can't virtualize the width of linear
 * addresses.
 */
int kvm_cpuid_derive(struct kvm_guest_cpuid *guest, u32 *caps,
		     const struct kvm_caps_context *context,
		     struct kvm_cpuid_entry2 *entries, int nent);

/* Whether a guest sees the same in two tables, i.e. all but padding. */
bool kvm_cpuid_equal(const struct kvm_cpuid_entry2 *a, int nr_a,
		     const struct kvm_cpuid_entry2 *b, int nr_b);

/* Write a vCPU's state to its entries and capabilities, but for hlt_in_guest. */
void kvm_cpuid_update(u32 *caps, struct kvm_cpuid_entry2 *entries, int nent,
		      const struct kvm_cpuid_runtime *runtime,
		      const struct kvm_xstate_sizes *sizes);

/* The bits of CR4 that a CPU with such an x86_capability leaves reserved. */
u64 kvm_cr4_reserved_bits(const u32 *words);

/* The bits of EFER that KVM supports. */
u64 kvm_efer_supported_bits(const u32 *kvm, const u32 *kernel);

/* The words that entries ask for; zero where KVM asks for no feature. */
void kvm_cpuid_words(u32 *asked, const struct kvm_cpuid_entry2 *entries, int nent);

/* A vCPU's capabilities, and where they come from. */
struct kvm_caps_view {
	const u32 *kvm;			/* what KVM supports */
	const u32 *asked;		/* what guest CPUID asks for */
	const u32 *caps;		/* what the vCPU may use */
	enum kvm_caps_kind kind;
	bool tdp_enabled;
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

/* What KVM_GET_EMULATED_CPUID reports: the number of entries, or -E2BIG. */
int kvm_caps_emulated_cpuid(struct kvm_cpuid_entry2 *entries, int nent, const u32 *kvm);

#endif /* ARCH_X86_KVM_CAPS_H */
