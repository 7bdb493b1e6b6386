/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ARCH_ARM64_KVM_IDREGS_H
#define ARCH_ARM64_KVM_IDREGS_H

/*
 * What the Rust side of KVM's limits on ID registers, idregs/, offers to C.  Seen by bindgen, which
 * can't digest linux/kvm_host.h.
 */
#include <linux/bits.h>
#include <linux/types.h>
#include <uapi/linux/kvm.h>

#include <asm/kvm_idregs.h>

struct seq_file;

/* S3_0_0_C<1-7>_<0-7> as IDREG_IDX() has them, and CTR_EL0. */
#define KVM_IDREG_CTR	56
#define KVM_NUM_IDREGS	57

/*
 * What limits depend on: of the VM's configuration, of the host's CPUs, of KVM and of the kernel.
 * idregs/facts.rs says what each of them means, and derives the last of the host's from its
 * registers: C leaves these alone.
 */
enum kvm_idreg_fact {
	KVM_IDREG_VM_EL2			= BIT(0),
	KVM_IDREG_VM_E2H0			= BIT(1),
	KVM_IDREG_VM_AARCH32			= BIT(2),
	KVM_IDREG_VM_SVE			= BIT(3),
	KVM_IDREG_VM_MTE			= BIT(4),
	KVM_IDREG_VM_PTRAUTH			= BIT(5),
	KVM_IDREG_VM_PMU			= BIT(6),
	KVM_IDREG_VM_PROTECTED			= BIT(7),
	KVM_IDREG_VM_VGIC_V3			= BIT(8),
	KVM_IDREG_VM_VGIC_V5			= BIT(9),

	KVM_IDREG_HOST_SPECTRE_V2_UNAFFECTED	= BIT(10),
	KVM_IDREG_HOST_MELTDOWN_UNAFFECTED	= BIT(11),
	KVM_IDREG_HOST_RAS_V1P1			= BIT(12),
	KVM_IDREG_HOST_PMUV3_IMPDEF_TRAPS	= BIT(13),
	KVM_IDREG_HOST_NV2P1			= BIT(14),
	KVM_IDREG_HOST_PMU_IMP_DEF		= BIT(15),
	KVM_IDREG_HOST_RAS_IMP			= BIT(16),
	KVM_IDREG_HOST_MTE2			= BIT(17),
	KVM_IDREG_HOST_STAGE2_4K		= BIT(18),
	KVM_IDREG_HOST_STAGE2_16K		= BIT(19),
	KVM_IDREG_HOST_STAGE2_64K		= BIT(20),

	KVM_IDREG_KVM_GIC_V3			= BIT(21),
	KVM_IDREG_KVM_GIC_V5			= BIT(22),
	KVM_IDREG_KVM_WFXT			= BIT(23),

	KVM_IDREG_KERNEL_POE			= BIT(24),
	KVM_IDREG_KERNEL_PAGE_OVER_4K		= BIT(25),
	KVM_IDREG_KERNEL_PAGE_OVER_16K		= BIT(26),
	KVM_IDREG_KERNEL_MPAM			= BIT(27),
};

/* Where the host's system-wide safe values are, by index; NULL where there is none, i.e. zero. */
struct kvm_idregs_host {
	const u64 *word[KVM_NUM_IDREGS];
};

/*
 * In what follows, @index is a register's, and @facts are bits of enum kvm_idreg_fact.
 */

/* What KVM_ARM_GET_REG_WRITABLE_MASKS says of a register. */
u64 kvm_idreg_published(unsigned int index, u32 facts);

/* Whether the host's value of a register is wanted: cpufeature has it. */
bool kvm_idreg_is_known(unsigned int index);

/* Give a VM the values that it starts with in all registers but CTR_EL0. */
void kvm_idreg_reset(const struct kvm_idregs_host *host, u32 facts, u64 *words);

/* The @n-th rule between fields that a VM with these registers breaks; false if there is none. */
bool kvm_idreg_broken(unsigned int n, const struct kvm_idregs_host *host, u32 facts,
		      const u64 *words, struct kvm_idreg_refusal *why);

/* Clear those fields that KVM doesn't virtualize without what they need. */
void kvm_idreg_clear(const struct kvm_idregs_host *host, u32 facts, u64 *words);

/* The most that a VM can have. */
u64 kvm_idreg_highest(unsigned int index, const struct kvm_idregs_host *host, u32 facts);

/* What becomes of a register that holds @val when KVM knows the VM's interrupt controller. */
u64 kvm_idreg_with_irqchip(unsigned int index, const struct kvm_idregs_host *host, u32 facts,
			   u64 val);

/*
 * Judge what userspace writes.  @now is what the register holds if the VM has run, else NULL.
 * Overwrites *val with what is to be stored and returns 0, or *why and returns -EINVAL if the value
 * is beyond the VM's limits, -EBUSY if it is not the present one.
 */
int kvm_idreg_check(unsigned int index, const struct kvm_idregs_host *host, u32 facts, u64 *val,
		    const u64 *now, struct kvm_idreg_refusal *why);

/* The field that is to blame for a refused value.  Names are not terminated. */
struct kvm_idreg_field {
	const char *reg;
	const char *name;
	const char *rule;
	u8 reg_len;
	u8 name_len;
	u8 rule_len;
	u64 host;
	u64 limit;
	u64 asked;
};

/* Describe that field; false if *why is no refusal. */
bool kvm_idreg_explain(const struct kvm_idreg_refusal *why, const struct kvm_idregs_host *host,
		       u32 facts, struct kvm_idreg_field *field);

/* Print a line for each field of a register that holds @val. */
void kvm_idreg_show(struct seq_file *file, unsigned int index, const struct kvm_idregs_host *host,
		    u32 facts, u64 val);

/* Print a line for a refusal. */
void kvm_idreg_show_refusal(struct seq_file *file, const struct kvm_idreg_refusal *why,
			    const struct kvm_idregs_host *host, u32 facts);

/* The fields of a register that holds @val: the result is how many. */
unsigned int kvm_idreg_list(unsigned int index, const struct kvm_idregs_host *host, u32 facts,
			    u64 val, struct kvm_guest_cap caps[64]);

/*
 * Those fields of a register that would not be as *val asks: the result is how many.  What the
 * register would hold goes to *val.  @now is as kvm_idreg_check() has it.
 */
unsigned int kvm_idreg_try(unsigned int index, const struct kvm_idregs_host *host, u32 facts,
			   u64 *val, const u64 *now, struct kvm_guest_cap caps[64]);

/* The field that a refusal or a broken rule is about; false if *why is neither. */
bool kvm_idreg_blames(const struct kvm_idreg_refusal *why, const struct kvm_idregs_host *host,
		      u32 facts, struct kvm_guest_cap *cap);

/* For KUnit, if it is built in.  First what config.c and sys_regs.c have, then idregs-kunit.c. */

/* What a feature map of config.c is about, and a field that it asks for: at least @least. */
enum kvm_idregs_map {
	KVM_IDREGS_MAP_ENABLES,		/* bits of HCRX_EL2 */
	KVM_IDREGS_MAP_REGISTERS,	/* fine-grained traps of registers */
	KVM_IDREGS_MAP_INSTRUCTIONS,	/* fine-grained traps of instructions */
};

struct kvm_idregs_feat {
	enum kvm_idregs_map map;
	u8 index;
	u8 lsb;
	u8 least;
};

/* The @n-th field that such maps ask for; false if there is none. */
bool kvm_idregs_feat(unsigned int n, struct kvm_idregs_feat *feat);

/* Whether KVM keeps a register of a guest's, or emulates it. */
bool kvm_idregs_keeps(u32 encoding);

/* The @n-th field that cpufeature has of a register; false if there is none. */
bool kvm_idregs_ftr(unsigned int index, unsigned int n, u8 *lsb, u8 *width);

/* What arm64_ftr_safe_value() makes of two values of that field. */
u64 kvm_idregs_ftr_safe(unsigned int index, unsigned int n, u64 a, u64 b);

#endif
