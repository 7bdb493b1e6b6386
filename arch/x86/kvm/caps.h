/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ARCH_X86_KVM_CAPS_H
#define ARCH_X86_KVM_CAPS_H

/*
 * What the Rust side of KVM's guest capabilities, caps/, offers to C.  Seen by
 * bindgen, which can't digest linux/kvm_host.h: include nothing but UAPI here.
 */
#include <linux/types.h>
#include <uapi/asm/kvm.h>

/**
 * struct kvm_caps_snapshot - What decides what KVM supports on a host
 * @kernel: boot_cpu_data.x86_capability
 * @raw: NR_KVM_CPU_CAPS words, what CPUID has in the registers they mirror
 * @tdp_enabled: whether KVM uses two-dimensional paging
 * @allow_smaller_maxphyaddr: KVM's parameter of that name
 * @has_msr_tsc_aux: whether KVM can give guests an MSR_TSC_AUX of their own
 */
struct kvm_caps_snapshot {
	const u32 *kernel;
	const u32 *raw;
	bool tdp_enabled;
	bool allow_smaller_maxphyaddr;
	bool has_msr_tsc_aux;
};

/**
 * kvm_host_caps_init() - Compute what KVM supports, before vendors have a say
 * @caps: kvm_cpu_caps, overwritten
 * @host: the host
 *
 * Return: false if the host contradicts itself, so that KVM had to deny some
 * feature that it has.
 */
bool kvm_host_caps_init(u32 *caps, const struct kvm_caps_snapshot *host);

/**
 * kvm_host_caps_change() - Add a feature to what KVM supports, or remove it
 * @caps: kvm_cpu_caps
 * @feature: capability word times 32, plus the bit
 * @present: whether to add the feature
 *
 * Return: false, with nothing changed, if caps/policy.rs has no such feature, or
 * denies it.
 */
bool kvm_host_caps_change(u32 *caps, unsigned int feature, bool present);

/*
 * kvm_host_caps_change() while kvm-intel or kvm-amd configures KVM; a WARN at any
 * other time, and for features that nobody knows.
 */
void kvm_cpu_cap_change(unsigned int feature, bool present);

/* The kinds of vCPUs, by who runs them: kvm-amd, kvm-intel, the TDX module. */
enum kvm_caps_kind {
	KVM_CAPS_SVM,
	KVM_CAPS_VMX,
	KVM_CAPS_TDX,
};

/**
 * struct kvm_cpuid_runtime - The state of a vCPU that guest CPUID reflects
 * @osxsave: CR4.OSXSAVE
 * @ospke: CR4.PKE
 * @apic: whether IA32_APIC_BASE has the APIC enabled
 * @tracks_mwait: whether @mwait counts, or guest CPUID alone
 * @mwait: IA32_MISC_ENABLE.MWAIT
 * @hlt_in_guest: whether HLT doesn't exit
 * @xsave_size: bytes that XSAVE takes for XCR0
 * @xsaves_size: bytes that XSAVES takes for XCR0 and IA32_XSS
 */
struct kvm_cpuid_runtime {
	bool osxsave;
	bool ospke;
	bool apic;
	bool tracks_mwait;
	bool mwait;
	bool hlt_in_guest;
	u32 xsave_size;
	u32 xsaves_size;
};

/**
 * struct kvm_caps_context - What KVM looks at to make something of guest CPUID
 * @host: what KVM supports, kvm_cpu_caps
 * @kernel: boot_cpu_data.x86_capability
 * @runtime: the state of the vCPU
 * @xcr0: components of XCR0 that KVM supports
 * @xss: components of IA32_XSS that KVM supports
 * @dynamic: components of XCR0 that the kernel enables on request only
 * @kind: the kind of the vCPU
 * @tdp_enabled: whether KVM uses two-dimensional paging
 */
struct kvm_caps_context {
	const u32 *host;
	const u32 *kernel;
	const struct kvm_cpuid_runtime *runtime;
	u64 xcr0;
	u64 xss;
	u64 dynamic;
	enum kvm_caps_kind kind;
	bool tdp_enabled;
};

/**
 * struct kvm_guest_cpuid - What KVM derives from guest CPUID
 * @xcr0: components that the guest may set in XCR0
 * @xss: components that the guest may set in IA32_XSS
 * @dynamic: components of XCR0 that the kernel must enable for the guest first
 * @reserved_gpa_bits: bits of a guest physical address that must be zero
 * @reserved_cr4: bits of CR4 that must be zero
 * @reserved_efer: bits of EFER that must be zero
 * @timer_mode_mask: bits of the APIC's LVTT that select a mode, 0 without leaf 1
 * @pv_features: KVM_FEATURE_* bits
 * @xen_base: the leaf that has Xen's signature, or 0
 * @xen_limit: Xen's last leaf
 * @maxphyaddr: width of guest physical addresses, in bits
 * @hyperv: whether there is Hyper-V's interface
 * @amd_compatible: whether the vendor is AMD or Hygon
 */
struct kvm_guest_cpuid {
	u64 xcr0;
	u64 xss;
	u64 dynamic;
	u64 reserved_gpa_bits;
	u64 reserved_cr4;
	u64 reserved_efer;
	u32 timer_mode_mask;
	u32 pv_features;
	u32 xen_base;
	u32 xen_limit;
	u8 maxphyaddr;
	bool hyperv;
	bool amd_compatible;
};

/**
 * kvm_cpuid_massage() - Write a vCPU's state to incoming CPUID entries
 * @entries: the entries, NULL if there are none
 * @nent: number of entries
 * @runtime: the vCPU's state
 */
void kvm_cpuid_massage(struct kvm_cpuid_entry2 *entries, int nent,
		       const struct kvm_cpuid_runtime *runtime);

/**
 * kvm_cpuid_derive() - Massage incoming CPUID entries, derive all that follows
 * @guest: overwritten
 * @caps: what the vCPU may use, NR_KVM_CPU_CAPS words, overwritten
 * @context: what else counts
 * @entries: the entries, NULL if there are none
 * @nent: number of entries
 *
 * Return: 0, or -EINVAL, with no capability, if KVM can't virtualize the width of
 * linear addresses.
 */
int kvm_cpuid_derive(struct kvm_guest_cpuid *guest, u32 *caps,
		     const struct kvm_caps_context *context,
		     struct kvm_cpuid_entry2 *entries, int nent);

/**
 * kvm_cpuid_equal() - Whether a guest sees the same in two tables of CPUID entries
 * @a: entries, NULL if there are none
 * @nr_a: number of entries in @a
 * @b: entries, NULL if there are none
 * @nr_b: number of entries in @b
 *
 * Return: true if the entries are the same, in the same order, but for padding.
 */
bool kvm_cpuid_equal(const struct kvm_cpuid_entry2 *a, int nr_a,
		     const struct kvm_cpuid_entry2 *b, int nr_b);

/**
 * kvm_cpuid_update() - Write a vCPU's state to its CPUID entries and capabilities
 * @caps: the vCPU's capability words
 * @entries: the vCPU's CPUID entries, NULL if there are none
 * @nent: number of entries
 * @runtime: the vCPU's state; @hlt_in_guest doesn't count
 */
void kvm_cpuid_update(u32 *caps, struct kvm_cpuid_entry2 *entries, int nent,
		      const struct kvm_cpuid_runtime *runtime);

/**
 * kvm_reserved_gpa_bits() - The bits that a guest physical address must not have
 * @maxphyaddr: width of guest physical addresses, in bits
 *
 * Return: the bits from @maxphyaddr to 63.
 */
u64 kvm_reserved_gpa_bits(u8 maxphyaddr);

/**
 * kvm_cr4_reserved_bits() - The bits of CR4 that a set of features leaves reserved
 * @words: the features, as in cpuinfo_x86's x86_capability
 *
 * Return: the bits that must be zero.
 */
u64 kvm_cr4_reserved_bits(const u32 *words);

/**
 * kvm_efer_supported_bits() - The bits of EFER that KVM supports
 * @host: what KVM supports, kvm_cpu_caps
 * @kernel: boot_cpu_data.x86_capability
 *
 * Return: the bits that may be set.
 */
u64 kvm_efer_supported_bits(const u32 *host, const u32 *kernel);

/**
 * kvm_cpuid_words() - The capability words that CPUID entries ask for
 * @asked: NR_KVM_CPU_CAPS words, overwritten; zero where KVM knows no feature
 * @entries: the entries, NULL if there are none
 * @nent: number of entries
 */
void kvm_cpuid_words(u32 *asked, const struct kvm_cpuid_entry2 *entries, int nent);

/**
 * struct kvm_caps_view - A vCPU's capabilities, and where they come from
 * @host: what KVM supports, kvm_cpu_caps
 * @asked: what guest CPUID asks for, of kvm_cpuid_words()
 * @caps: what the vCPU may use
 * @kind: the kind of the vCPU
 * @tdp_enabled: whether KVM uses two-dimensional paging
 */
struct kvm_caps_view {
	const u32 *host;
	const u32 *asked;
	const u32 *caps;
	enum kvm_caps_kind kind;
	bool tdp_enabled;
};

/**
 * struct kvm_guest_cap - One feature of a vCPU
 * @name: the feature's name, "-" if KVM does not know the feature
 * @why: why it is not what host AND guest CPUID say, or why the guest lacks it
 *	 though guest CPUID asks for it; "-" if neither is the case
 * @number: capability word times 32, plus the bit
 * @function: CPUID function that enumerates it
 * @index: index of that function
 * @reg: register in which it does, an enum cpuid_regs
 * @host: whether KVM supports it
 * @guest: whether guest CPUID asks for it
 * @effective: whether the vCPU may use it
 */
struct kvm_guest_cap {
	const char *name;
	const char *why;
	u32 number;
	u32 function;
	u32 index;
	u8 reg;
	bool host;
	bool guest;
	bool effective;
};

/**
 * kvm_guest_caps_next() - Find a feature that a guest asks for or may use
 * @cap: overwritten
 * @view: where to look
 * @from: the first number to look at
 *
 * Return: true if there is such a feature at @from or behind.
 */
bool kvm_guest_caps_next(struct kvm_guest_cap *cap, const struct kvm_caps_view *view,
			 unsigned int from);

/**
 * kvm_caps_emulated_cpuid() - What KVM_GET_EMULATED_CPUID reports for a function
 * @entry: overwritten, with no flags set, if the function is reported
 * @host: what KVM supports, kvm_cpu_caps
 * @function: the CPUID function, with index 0
 *
 * Return: true if the function is reported.
 */
bool kvm_caps_emulated_cpuid(struct kvm_cpuid_entry2 *entry, const u32 *host,
			     u32 function);

#endif /* ARCH_X86_KVM_CAPS_H */
