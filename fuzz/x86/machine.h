/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a fuzz target knows of a kernel: the unmodified one's C and ours are two objects
 * with the same functions, each with variables of its own.
 */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include <linux/types.h>
#include <linux/kvm.h>
#ifndef __KERNEL__
#include <stdbool.h>
#endif

/* At least as many as the kernels have; they assert it. */
#define MAX_KERNEL_WORDS	32
#define MAX_KVM_WORDS		40
#define MAX_ENTRIES		256

/* Flags of a host, and of how a vendor module is configured. SVM: it is kvm-amd, else kvm-intel. */
#define HOST_FLAGS(X)									\
	X(SVM)										\
	X(TDP) X(PMU) X(SMALLER_MAXPHYADDR) X(TSC_AUX) X(SCHED_INFO)			\
	X(NESTED) X(NRIPS) X(TSC_SCALING) X(VLS) X(LBRV) X(GMET) X(VGIF)		\
	X(VNMI) X(SEV) X(SEV_ES) X(SEV_SNP)						\
	X(SGX) X(CET) X(UNRESTRICTED_GUEST) X(PT) X(PEBS) X(MEDIATED_PMU)		\
	X(NO_ERRCODE_CC) X(INVPCID) X(XSAVES) X(RDTSCP) X(WAITPKG) X(DESC)

#define HOST_FLAG(name) HOST_##name,
enum host_flag { HOST_FLAGS(HOST_FLAG) NR_HOST_FLAGS };

/* A CPU, its kernel and its KVM, before a vendor module is loaded. */
struct host {
	__u32 words[MAX_KERNEL_WORDS];	/* x86_capability */
	__u64 flags;
	__u64 xcr0, xss;		/* components that the kernel and KVM know */
	__u64 permitted;		/* dynamic ones that the task may use */
	__u32 power;
	__u32 events_mask;
	__u8 vendor;			/* X86_VENDOR_* */
	__u8 phys_bits;
	__u8 tdp_levels;
	__u8 pmu_version, counters_gp, counters_fixed, width_gp, width_fixed, events_len;
};

/* What KVM makes of it. */
struct support {
	__u32 words[MAX_KVM_WORDS];	/* kvm_cpu_caps */
	__u64 xss;
	__u64 efer;			/* bits that the host may set */
	__u64 cr4;			/* bits that the CPU leaves reserved */
	__u64 has_bus_lock_exit;
	__u32 counters_gp;
	__u32 warnings;			/* that fired */
};

/* The state of a vCPU that its CPUID shows, and what else counts when that is set. */
struct vcpu_state {
	__u64 xcr0, xss, cr4, apic_base, misc_enable;
	__u64 disabled_quirks;
	__u64 tsx_ctrl;
	int xfd_error;			/* of who enables dynamic components */
	int hyperv_error;		/* of who allocates Hyper-V's context */
	bool hlt_in_guest, tdx, apic, has_run;
	/* When a guest executes CPUID. */
	bool faults, smm;
	__u8 cpl;
	int skipped;			/* of who skips the instruction, and may have to tell userspace */
};

/* What follows from guest CPUID. */
struct seen {
	__u32 caps[MAX_KVM_WORDS];
	__u64 xcr0, xss;
	__u64 reserved_gpa, reserved_cr4, reserved_efer;
	__u64 cr4_fixed1;
	__u64 dynamic;			/* components that were enabled */
	__u32 pv_features, xen_base, xen_limit, timer_mode, maxphyaddr, max_guest_phyaddr;
	__u32 refreshed;		/* how often the PMU, the MMU and the APIC were told */
	__u32 amd_compatible, asks_for_xsaves, dirty;
	__u32 hyperv;			/* whether Hyper-V is there */
	__u32 hyperv_inits;		/* how often its context was allocated */
	__u32 exceptions;		/* that were queued: how many, and the last one */
};

struct kernel {
	const char *name;
	unsigned int nr_kernel_words, nr_feature_words, nr_kvm_words;
	const __u32 *required;		/* bits that a kernel doesn't boot without */
	/* What follows from CPUID; which feature words don't. */
	__u32 (*identify)(struct host *host);
	void (*load)(const struct host *host, struct support *support);
	int (*get_cpuid)(struct kvm_cpuid2 *cpuid, struct kvm_cpuid_entry2 *entries,
			 unsigned int type, __u32 *warnings);
	void (*create)(const struct vcpu_state *state);
	void (*change)(const struct vcpu_state *state);
	int (*set_cpuid)(struct kvm_cpuid_entry *entries, __u32 nent);
	int (*set_cpuid2)(struct kvm_cpuid_entry2 *entries, __u32 nent);
	int (*get_cpuid2)(struct kvm_cpuid_entry2 *entries, __u32 *nent);
	bool (*cpuid)(__u32 *regs, bool exact_only);
	int (*exit)(__u32 *regs);	/* as a guest has it */
	void (*look)(struct seen *seen);
};

extern const struct kernel base_kernel, ours_kernel;

/* CPUID of the CPU that all this runs on. */
void machine_cpuid(__u32 function, __u32 index, __u32 *regs);

#endif
