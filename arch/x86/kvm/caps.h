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
 * kvm_guest_caps_init() - Compute a vCPU's capabilities from its CPUID entries
 * @caps: the vCPU's NR_KVM_CPU_CAPS capability words, overwritten
 * @host: what KVM supports, kvm_cpu_caps
 * @entries: the vCPU's CPUID entries, NULL if there are none
 * @nent: number of entries
 */
void kvm_guest_caps_init(u32 *caps, const u32 *host,
			 const struct kvm_cpuid_entry2 *entries, int nent);

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
