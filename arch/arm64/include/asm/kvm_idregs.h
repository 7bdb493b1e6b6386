/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __ASM_KVM_IDREGS_H
#define __ASM_KVM_IDREGS_H

/* What struct kvm_arch keeps about ID registers.  Seen by bindgen. */
#include <linux/types.h>

/* How many refusals a VM remembers. */
#define KVM_NR_IDREG_REFUSALS	8

/**
 * struct kvm_idreg_refusal - A value that was refused
 * @val: the value
 * @index: the register
 * @msb: the highest bit of the highest field that is to blame
 * @reason: enum kvm_idreg_reason
 */
struct kvm_idreg_refusal {
	u64 val;
	u8 index;
	u8 msb;
	u8 reason;
};

#endif
