/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ARCH_ARM64_KVM_IDREGS_H
#define ARCH_ARM64_KVM_IDREGS_H

/*
 * What the Rust side of KVM's limits on ID registers, idregs/, offers to C.  Seen by bindgen, which
 * can't digest linux/kvm_host.h.
 */
#include <linux/types.h>

/* S3_0_0_C<1-7>_<0-7> as IDREG_IDX() has them, and CTR_EL0. */
#define KVM_IDREG_CTR	56
#define KVM_NUM_IDREGS	57

/* What limits depend on: idregs/condition.rs has what these mean, in this order. */
enum kvm_idreg_condition {
	KVM_IDREG_NESTED,
	KVM_IDREG_E2H0,
	KVM_IDREG_AARCH32,
	KVM_IDREG_SVE,
	KVM_IDREG_MTE,
	KVM_IDREG_PTRAUTH,
	KVM_IDREG_PMU,
	KVM_IDREG_VGIC_V3,
	KVM_IDREG_VGIC_V5,
	KVM_IDREG_SPECTRE_V2_UNAFFECTED,
	KVM_IDREG_MELTDOWN_UNAFFECTED,
	KVM_IDREG_HOST_GICV3,
	KVM_IDREG_HOST_GICV5,
	KVM_IDREG_POE,
	KVM_IDREG_WFXT,
	KVM_IDREG_HOST_RASV1P1,
	KVM_IDREG_PMUV3_IMPDEF_TRAPS,
	KVM_IDREG_NV2P1,
	KVM_IDREG_PAGE_OVER_4K,
	KVM_IDREG_PAGE_OVER_16K,
};

/**
 * struct kvm_idregs_host - Where the host's ID registers are
 * @word: system-wide safe values, by index; NULL where there is none, and zero is meant
 */
struct kvm_idregs_host {
	const u64 *word[KVM_NUM_IDREGS];
};

/**
 * kvm_idreg_has_host_value() - Whether limits ask for the host's value of a register
 * @index: the register
 */
bool kvm_idreg_has_host_value(unsigned int index);

/**
 * kvm_idreg_default() - The value a VM starts with, and the most that it can have
 * @index: the register
 * @host: the host
 * @conditions: bits of enum kvm_idreg_condition
 */
u64 kvm_idreg_default(unsigned int index, const struct kvm_idregs_host *host, u32 conditions);

/**
 * kvm_idreg_with_irqchip() - What KVM sets when it knows a VM's interrupt controller
 * @index: the register
 * @val: its value so far
 * @conditions: bits of enum kvm_idreg_condition
 */
u64 kvm_idreg_with_irqchip(unsigned int index, u64 val, u32 conditions);

/**
 * kvm_idreg_check() - Judge what userspace writes
 * @index: the register
 * @host: the host
 * @conditions: bits of enum kvm_idreg_condition
 * @val: the value; overwritten with what is to be stored, if it can be
 * @now: what the register holds if the VM has run, else NULL
 *
 * Return: 0; -EINVAL if the value is beyond the VM's limits, -EBUSY if it is not the present one.
 */
int kvm_idreg_check(unsigned int index, const struct kvm_idregs_host *host, u32 conditions,
		    u64 *val, const u64 *now);

/**
 * kvm_idreg_writable() - What KVM_ARM_GET_REG_WRITABLE_MASKS says of a register
 * @index: the register
 */
u64 kvm_idreg_writable(unsigned int index);

#endif
