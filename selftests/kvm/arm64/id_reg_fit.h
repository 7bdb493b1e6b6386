/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which values of an ID register fit a VM, from what KVM_ARM_GET_REG_WRITABLE_MASKS publishes.
 *
 * For a VMM: get ranges 1 and 2 once KVM_ARM_VCPU_INIT has been called, and look at a register
 * field by field. Fields are hexadecimal digits but for those of two registers, and lower-safe but
 * for those that id_reg_rule() has, see Documentation/virt/kvm/arm/id-reg-limits.rst.
 */
#ifndef SELFTEST_KVM_ARM64_ID_REG_FIT_H
#define SELFTEST_KVM_ARM64_ID_REG_FIT_H

#include <linux/types.h>
#include <stdbool.h>

#include <asm/sysreg.h>

enum id_reg_rule { ID_REG_LOWER_SAFE, ID_REG_HIGHER_SAFE, ID_REG_EXACT };

/* Bits of a register, and what the VM can have there. */
struct id_reg_field {
	__u32 reg;
	int msb, lsb;
	enum id_reg_rule rule;
	__u64 highest, lowest;
};

static inline __u64 id_reg_bits(__u64 word, int msb, int lsb)
{
	return (word >> lsb) & (~0ULL >> (63 - (msb - lsb)));
}

static inline enum id_reg_rule id_reg_rule(__u32 reg, int lsb)
{
	switch (reg) {
	case SYS_ID_AA64FPFR0_EL1:
		return ID_REG_EXACT;
	case SYS_ID_AA64MMFR0_EL1:
		return lsb == ID_AA64MMFR0_EL1_TGRAN4_2_SHIFT ||
		       lsb == ID_AA64MMFR0_EL1_TGRAN16_2_SHIFT ||
		       lsb == ID_AA64MMFR0_EL1_TGRAN64_2_SHIFT ? ID_REG_EXACT : ID_REG_LOWER_SAFE;
	case SYS_CTR_EL0:
		return lsb == CTR_EL0_L1Ip_SHIFT ? ID_REG_EXACT : ID_REG_LOWER_SAFE;
	case SYS_ID_AA64MMFR1_EL1:
		return lsb == ID_AA64MMFR1_EL1_SpecSEI_SHIFT ? ID_REG_HIGHER_SAFE :
							       ID_REG_LOWER_SAFE;
	case SYS_ID_MMFR4_EL1:
		return lsb == ID_MMFR4_EL1_SpecSEI_SHIFT ? ID_REG_HIGHER_SAFE : ID_REG_LOWER_SAFE;
	default:
		return ID_REG_LOWER_SAFE;
	}
}

/* Whether the Arm ARM has a name for a value: KVM takes no other, even below the highest. */
static inline bool id_reg_has_meaning(__u32 reg, int lsb, __u64 value)
{
	switch (reg) {
	case SYS_ID_PFR1_EL1:
		return lsb != ID_PFR1_EL1_GIC_SHIFT || value != 2;
	case SYS_ID_DFR0_EL1:
		if (lsb == ID_DFR0_EL1_PerfMon_SHIFT)
			return value != 1 && value != 2;
		return lsb != ID_DFR0_EL1_MMapDbg_SHIFT || !value || value > 3;
	case SYS_ID_ISAR3_EL1:
		return lsb != ID_ISAR3_EL1_SIMD_SHIFT || value != 2;
	case SYS_ID_ISAR4_EL1:
		if (lsb == ID_ISAR4_EL1_SynchPrim_frac_SHIFT)
			return value != 1 && value != 2;
		return lsb != ID_ISAR4_EL1_WithShifts_SHIFT || value != 2;
	case SYS_ID_AA64DFR0_EL1:
		return lsb != ID_AA64DFR0_EL1_PMUVer_SHIFT || (value != 2 && value != 3);
	case SYS_ID_AA64ISAR0_EL1:
		return lsb != ID_AA64ISAR0_EL1_ATOMIC_SHIFT || value != 1;
	case SYS_ID_AA64ISAR2_EL1:
		return lsb != ID_AA64ISAR2_EL1_WFxT_SHIFT || value != 1;
	case SYS_ID_AA64MMFR0_EL1:
		return lsb != ID_AA64MMFR0_EL1_ASIDBITS_SHIFT || value != 1;
	case SYS_ID_AA64MMFR1_EL1:
		return lsb != ID_AA64MMFR1_EL1_VMIDBits_SHIFT || value != 1;
	default:
		return true;
	}
}

/* How many bits the field has that ends at @lsb. */
static inline int id_reg_width(__u32 reg, int lsb)
{
	if (reg == SYS_ID_AA64FPFR0_EL1)
		return 1;
	if (reg != SYS_CTR_EL0)
		return 4;
	switch (lsb) {
	case 4:
		return 10;
	case CTR_EL0_L1Ip_SHIFT:
		return 2;
	case CTR_EL0_IDC_SHIFT:
	case CTR_EL0_DIC_SHIFT:
	case 30:
	case 31:
		return 1;
	case CTR_EL0_TminLine_SHIFT:
		return 6;
	case 38:
		return 26;
	default:
		return 4;
	}
}

/* The field that ends at @lsb; the next one ends at its msb plus one. */
static inline struct id_reg_field id_reg_field(__u32 reg, int lsb, __u64 highest, __u64 lowest)
{
	struct id_reg_field f = {
		.reg = reg,
		.msb = lsb + id_reg_width(reg, lsb) - 1,
		.lsb = lsb,
		.rule = id_reg_rule(reg, lsb),
	};

	f.highest = id_reg_bits(highest, f.msb, lsb);
	f.lowest = id_reg_bits(lowest, f.msb, lsb);
	return f;
}

/* What makes signed numbers comparable: the lowest one of a signed field is negative. */
static inline __u64 id_reg_sign(const struct id_reg_field *f)
{
	__u64 top = 1ULL << (f->msb - f->lsb);

	return f->lowest & top && (f->lowest > f->highest || f->lowest == top) ? top : 0;
}

static inline bool id_reg_is_lower(const struct id_reg_field *f, __u64 a, __u64 b)
{
	__u64 sign = id_reg_sign(f);

	if (f->rule == ID_REG_HIGHER_SAFE)
		return a > b;
	return (a ^ sign) < (b ^ sign);
}

/* The value itself if the VM can have it, else the nearest one that it can have. */
static inline __u64 id_reg_fit(const struct id_reg_field *f, __u64 value)
{
	if (value == f->highest || value == f->lowest)
		return value;
	if (f->rule == ID_REG_EXACT)
		return f->highest;
	if (id_reg_is_lower(f, f->highest, value))
		return f->highest;
	if (id_reg_is_lower(f, value, f->lowest))
		return f->lowest;
	/* None of these is negative. */
	while (!id_reg_has_meaning(f->reg, f->lsb, value))
		value--;
	return value;
}

#endif
