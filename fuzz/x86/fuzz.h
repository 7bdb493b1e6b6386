/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of one kernel share, beside the kernel's own headers. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

static inline bool fuzz_flag(enum host_flag flag)
{
	return fuzz_host.flags & BIT_ULL(flag);
}

u32 fuzz_identify(struct host *host);
struct kvm_vcpu *fuzz_svm_load(void);
struct kvm_vcpu *fuzz_vmx_load(void);
void fuzz_svm_after_set_cpuid(struct kvm_vcpu *vcpu);
void fuzz_vmx_after_set_cpuid(struct kvm_vcpu *vcpu);
u64 *fuzz_vmx_cr4_fixed1(void);

#endif
