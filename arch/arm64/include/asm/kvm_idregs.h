/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __ASM_KVM_IDREGS_H
#define __ASM_KVM_IDREGS_H

/* What struct kvm_arch keeps about ID registers.  Seen by bindgen. */
#include <linux/types.h>

/* How many refusals a VM remembers. */
#define KVM_NR_IDREG_REFUSALS	8

/*
 * A value that was refused: of the register with that index, because of the field with that bit,
 * the highest one that is to blame.  The reason is for idregs/check.rs.  Or a value that breaks a
 * rule between fields: the field's need with that number, for which KVM may clear it.
 */
struct kvm_idreg_refusal {
	u64 val;
	u8 index;
	u8 bit;
	u8 reason;
	u8 need;
	bool clears;
};

#endif
