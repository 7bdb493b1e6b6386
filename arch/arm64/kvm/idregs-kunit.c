// SPDX-License-Identifier: GPL-2.0
/*
 * What KUnit holds against limits of ID registers: what cpufeature says of fields, and what pKVM
 * allows protected VMs.
 */
#include <linux/cpufeature.h>
#include <linux/kvm_host.h>

#include "idregs.h"

static bool vm_has_ptrauth(const struct kvm *kvm)
{
	return true;
}

static bool vm_has_sve(const struct kvm *kvm)
{
	return true;
}

#include "hyp/include/nvhe/pvm_id_regs.h"

static const struct {
	u32 id;
	const struct pvm_ftr_bits *fields;
} pvm_regs[] = {
	{ SYS_ID_AA64PFR0_EL1, pvmid_aa64pfr0 },
	{ SYS_ID_AA64PFR1_EL1, pvmid_aa64pfr1 },
	{ SYS_ID_AA64PFR2_EL1, pvmid_aa64pfr2 },
	{ SYS_ID_AA64MMFR0_EL1, pvmid_aa64mmfr0 },
	{ SYS_ID_AA64MMFR1_EL1, pvmid_aa64mmfr1 },
	{ SYS_ID_AA64MMFR2_EL1, pvmid_aa64mmfr2 },
	{ SYS_ID_AA64ISAR1_EL1, pvmid_aa64isar1 },
	{ SYS_ID_AA64ISAR2_EL1, pvmid_aa64isar2 },
};

bool kvm_idregs_pvm_field(unsigned int n, struct kvm_idregs_pvm_field *field)
{
	for (int i = 0; i < ARRAY_SIZE(pvm_regs); i++) {
		const struct pvm_ftr_bits *f;

		for (f = pvm_regs[i].fields; f->width; f++) {
			if (n--)
				continue;
			*field = (struct kvm_idregs_pvm_field) {
				.index = IDREG_IDX(pvm_regs[i].id),
				.lsb = f->shift,
				.width = f->width,
				.max = f->max_val,
			};
			return true;
		}
	}
	return false;
}

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
