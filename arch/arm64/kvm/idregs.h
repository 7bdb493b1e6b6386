/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ARCH_ARM64_KVM_IDREGS_H
#define ARCH_ARM64_KVM_IDREGS_H

/*
 * What the Rust side of KVM's limits on ID registers, idregs/, offers to C.  Seen by bindgen, which
 * can't digest linux/kvm_host.h.
 */
#include <linux/types.h>

#include <asm/kvm_idregs.h>

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
 * kvm_idreg_has_host_value() - Whether the host's value of a register is wanted
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

/* Why a value is refused. */
enum kvm_idreg_reason {
	KVM_IDREG_IMPOSSIBLE,
	KVM_IDREG_HAS_RUN,
	KVM_IDREG_LIMIT,
};

/**
 * kvm_idreg_check() - Judge what userspace writes
 * @index: the register
 * @host: the host
 * @conditions: bits of enum kvm_idreg_condition
 * @val: the value; overwritten with what is to be stored, if it can be
 * @now: what the register holds if the VM has run, else NULL
 * @why: overwritten if the value is refused
 *
 * Return: 0; -EINVAL if the value is beyond the VM's limits, -EBUSY if it is not the present one.
 */
int kvm_idreg_check(unsigned int index, const struct kvm_idregs_host *host, u32 conditions,
		    u64 *val, const u64 *now, struct kvm_idreg_refusal *why);

/**
 * struct kvm_idreg_field - What a VM can have in a field
 * @reg: the register's name; names are not terminated
 * @name: the field's name
 * @rule: what decides about values, or refused this one
 * @reg_len: bytes of @reg
 * @name_len: bytes of @name
 * @rule_len: bytes of @rule
 * @msb: its highest bit
 * @lsb: its lowest bit
 * @writable: whether userspace can change it, before the VM runs
 * @host: what the host has, shifted down as the others
 * @limit: the most that the VM can have
 * @val: what the register holds, or what was refused
 */
struct kvm_idreg_field {
	const char *reg;
	const char *name;
	const char *rule;
	u8 reg_len;
	u8 name_len;
	u8 rule_len;
	u8 msb;
	u8 lsb;
	bool writable;
	u64 host;
	u64 limit;
	u64 val;
};

/**
 * kvm_idreg_describe() - Describe a field, for people
 * @index: the register
 * @msb: any bit of the field
 * @host: the host
 * @conditions: bits of enum kvm_idreg_condition
 * @val: what the register holds
 * @field: overwritten
 *
 * Return: false if there is no such register or bit.
 */
bool kvm_idreg_describe(unsigned int index, unsigned int msb, const struct kvm_idregs_host *host,
			u32 conditions, u64 val, struct kvm_idreg_field *field);

/**
 * kvm_idreg_explain() - Describe the field that is to blame for a refusal
 * @why: the refusal
 * @host: the host
 * @conditions: bits of enum kvm_idreg_condition
 * @field: overwritten
 *
 * Return: false if kvm_idreg_check() has no such refusal.
 */
bool kvm_idreg_explain(const struct kvm_idreg_refusal *why, const struct kvm_idregs_host *host,
		       u32 conditions, struct kvm_idreg_field *field);

/**
 * kvm_idreg_lowest() - The least that userspace can ask for in each field of a register
 * @index: the register
 * @host: the host
 * @conditions: bits of enum kvm_idreg_condition
 *
 * "Least" in each field's own order; in a field of two values, the one that is not the limit.
 */
u64 kvm_idreg_lowest(unsigned int index, const struct kvm_idregs_host *host, u32 conditions);

/**
 * kvm_idreg_writable() - What KVM_ARM_GET_REG_WRITABLE_MASKS says of a register
 * @index: the register
 */
u64 kvm_idreg_writable(unsigned int index);

/* For KUnit, in idregs-kunit.c. */

/**
 * struct kvm_idregs_pvm_field - The most that protected VMs can have in a field
 * @index: the register
 * @lsb: the field's lowest bit
 * @width: how many bits it has
 * @max: the value
 */
struct kvm_idregs_pvm_field {
	u8 index;
	u8 lsb;
	u8 width;
	u8 max;
};

/* The @n-th of all fields of protected VMs; false if there is none. */
bool kvm_idregs_pvm_field(unsigned int n, struct kvm_idregs_pvm_field *field);

/* The @n-th field that cpufeature has of a register; false if there is none. */
bool kvm_idregs_ftr(unsigned int index, unsigned int n, u8 *lsb, u8 *width);

/* What arm64_ftr_safe_value() makes of two values of that field. */
u64 kvm_idregs_ftr_safe(unsigned int index, unsigned int n, u64 a, u64 b);

#endif
