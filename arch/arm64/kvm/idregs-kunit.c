// SPDX-License-Identifier: GPL-2.0
/*
 * What KUnit holds against limits of ID registers: what cpufeature says of fields.
 */
#include <linux/cpufeature.h>
#include <linux/kvm_host.h>

#include "idregs.h"

static const struct arm64_ftr_bits *find_ftr(unsigned int index, unsigned int n)
{
	const struct arm64_ftr_reg *reg;
	const struct arm64_ftr_bits *f;
	u32 id = index == KVM_IDREG_CTR ? SYS_CTR_EL0 :
		 sys_reg(3, 0, 0, (index >> 3) + 1, index & 7);

	/* cpufeature warns if it doesn't know a register. */
	if (!kvm_idreg_is_known(index))
		return NULL;
	reg = get_arm64_ftr_reg(id);
	for (f = reg ? reg->ftr_bits : NULL; f && f->width; f++) {
		if (!n--)
			return f;
	}
	return NULL;
}

bool kvm_idregs_ftr(unsigned int index, unsigned int n, u8 *lsb, u8 *width)
{
	const struct arm64_ftr_bits *f = find_ftr(index, n);

	if (!f)
		return false;
	*lsb = f->shift;
	*width = f->width;
	return true;
}

u64 kvm_idregs_ftr_safe(unsigned int index, unsigned int n, u64 a, u64 b)
{
	const struct arm64_ftr_bits *f = find_ftr(index, n);
	s64 safe;

	if (!f)
		return 0;
	safe = arm64_ftr_safe_value(f, arm64_ftr_value(f, a << f->shift),
				    arm64_ftr_value(f, b << f->shift));
	return safe & GENMASK(f->width - 1, 0);
}
