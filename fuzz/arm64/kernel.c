// SPDX-License-Identifier: GPL-2.0
/*
 * The unmodified kernel's ID registers of VMs, cut out of sys_regs.c and what that needs: nothing
 * of it is about the CPU that it runs on, so it is compiled for this machine.
 */
#include <linux/bitfield.h>
#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/bsearch.h>
#include <linux/cache.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/types.h>
#undef read_sysreg
#include FUZZ_SYSREG
#include "machine.h"

#undef WARN_ON
#undef WARN_ON_ONCE
#undef WARN_ONCE
#undef BUG
#define WARN_ON(condition)		unlikely(!!(condition))
#define WARN_ON_ONCE(condition)		unlikely(!!(condition))
#define WARN_ONCE(condition, ...)	unlikely(!!(condition))
#define BUG()				__builtin_trap()

/* What a VM is of, here. */
struct mutex { };
struct kvm_arch {
	u64 id_regs[56];
	u64 midr_el1, revidr_el1, aidr_el1, ctr_el0;
	unsigned long vcpu_features[1];
	struct { u32 vgic_model; } vgic;
	struct mutex config_lock;
};
struct kvm { struct kvm_arch arch; };
struct kvm_vcpu { struct kvm *kvm; };
struct sys_reg_params;
struct sys_reg_desc;
enum { KVM_ARM_VCPU_HAS_EL2_E2H0 = 8 };

static struct machine machine;
static struct kvm kvm;
static struct kvm_vcpu vcpu = { .kvm = &kvm };
static bool has_run;

#define is(fact)			(!!(machine.facts & (fact)))

/* How it all is. */
enum { ARM64_HAS_RASV1P1_EXTN, ARM64_HAS_WFXT, ARM64_HAS_NV3, ARM64_HAS_NV2P1,
       ARM64_WORKAROUND_PMUV3_IMPDEF_TRAPS };
enum { SPECTRE_UNAFFECTED, SPECTRE_VULNERABLE };

static bool cpus_have_final_cap(int cap)
{
	switch (cap) {
	case ARM64_HAS_RASV1P1_EXTN: return is(KVM_IDREG_HOST_RAS_V1P1);
	case ARM64_HAS_WFXT: return is(KVM_IDREG_KVM_WFXT);
	case ARM64_HAS_NV3: return is(KVM_IDREG_HOST_NV2P1) && machine.nv3;
	case ARM64_HAS_NV2P1: return is(KVM_IDREG_HOST_NV2P1) && !machine.nv3;
	case ARM64_WORKAROUND_PMUV3_IMPDEF_TRAPS: return is(KVM_IDREG_HOST_PMUV3_IMPDEF_TRAPS);
	}
	BUG();
}

#define has_broken_cntvoff()		false
#define system_supports_poe()		is(KVM_IDREG_KERNEL_POE)
#define vgic_host_has_gicv3()		is(KVM_IDREG_KVM_GIC_V3)
#define vgic_host_has_gicv5()		is(KVM_IDREG_KVM_GIC_V5)
#define arm64_get_spectre_v2_state() \
	(is(KVM_IDREG_HOST_SPECTRE_V2_UNAFFECTED) ? SPECTRE_UNAFFECTED : SPECTRE_VULNERABLE)
#define arm64_get_meltdown_state() \
	(is(KVM_IDREG_HOST_MELTDOWN_UNAFFECTED) ? SPECTRE_UNAFFECTED : SPECTRE_VULNERABLE)
#define kvm_supports_32bit_el0()	(machine.aarch32)
#define vcpu_has_sve(vcpu)		is(KVM_IDREG_VM_SVE)
#define kvm_has_mte(kvm)		is(KVM_IDREG_VM_MTE)
#define vcpu_has_ptrauth(vcpu)		is(KVM_IDREG_VM_PTRAUTH)
#define vcpu_has_nv(vcpu)		is(KVM_IDREG_VM_EL2)
#define kvm_vcpu_has_pmu(vcpu)		is(KVM_IDREG_VM_PMU)
#define kvm_vm_has_ran_once(kvm)	(has_run)
#define irqchip_in_kernel(kvm)		((kvm)->arch.vgic.vgic_model)
#define KVM_BUG_ON(condition, kvm)	(condition)
#define mutex_lock(lock)		do { } while (0)
#define mutex_unlock(lock)		do { } while (0)
#define lockdep_assert_held(lock)	do { } while (0)
#define guard(kind)			(void)
#define kvm_init_nv_sysregs(vcpu)	0
enum { KVM_DEV_TYPE_ARM_VGIC_V2 = 1, KVM_DEV_TYPE_ARM_VGIC_V3, KVM_DEV_TYPE_ARM_VGIC_V5 };

#undef PAGE_SIZE
#define PAGE_SIZE \
	(is(KVM_IDREG_KERNEL_PAGE_OVER_16K) ? SZ_64K : is(KVM_IDREG_KERNEL_PAGE_OVER_4K) ? SZ_16K : SZ_4K)

/* Nobody but userspace looks. */
#define access_id_reg			NULL
#define access_ctr			NULL
#define get_id_reg			NULL

static u64 read_sanitised_ftr_reg(u32 id);
static int set_id_reg(struct kvm_vcpu *vcpu, const struct sys_reg_desc *rd, u64 val);
#include "cut-cpufeature.h"
#include "cut-kvm.h"

/* What is between fields: as idreg_apply_deps(), of two functions. */
static void kvm_idregs_enforce_dependencies(struct kvm *kvm)
{
	u64 *mmfr3 = __vm_id_reg(&kvm->arch, SYS_ID_AA64MMFR3_EL1);
	u64 before;

	do {
		before = *mmfr3;
		if (!feat_s1pie(kvm))
			*mmfr3 &= ~ID_AA64MMFR3_EL1_S1PIE;
		if (!feat_s1poe(kvm))
			*mmfr3 &= ~ID_AA64MMFR3_EL1_S1POE;
	} while (*mmfr3 != before);
}

#include "cut-finalize.h"

static const struct sys_reg_desc descs[] = {
#include "cut-descs.h"
};

static unsigned int index_of(u32 id)
{
	return id == SYS_CTR_EL0 ? CTR : IDREG_IDX(id);
}

static u64 read_sanitised_ftr_reg(u32 id)
{
	return machine.words[index_of(id)];
}

static const struct sys_reg_desc *desc(unsigned int index)
{
	static const struct sys_reg_desc *by_index[NUM_WORDS];

	for (int i = 0; !by_index[CTR] && i < ARRAY_SIZE(descs); i++)
		by_index[index_of(reg_to_encoding(&descs[i]))] = &descs[i];
	return by_index[index];
}

void base_reset(const struct machine *new)
{
	machine = *new;
	has_run = false;
	memset(&kvm, 0, sizeof(kvm));
	if (is(KVM_IDREG_VM_E2H0))
		kvm.arch.vcpu_features[0] = BIT(KVM_ARM_VCPU_HAS_EL2_E2H0);
	for (int i = 0; i < ARRAY_SIZE(descs); i++)
		kvm_set_vm_id_reg(&kvm, reg_to_encoding(&descs[i]), descs[i].reset(&vcpu, &descs[i]));
}

int base_set(unsigned int index, u64 val)
{
	const struct sys_reg_desc *rd = desc(index);

	if (sysreg_user_write_ignore(&vcpu, rd))
		return 0;
	return rd->set_user(&vcpu, rd, val);
}

u64 base_get(unsigned int index)
{
	return kvm_read_vm_id_reg(&kvm, reg_to_encoding(desc(index)));
}

void base_run(u32 irqchip)
{
	kvm.arch.vgic.vgic_model = irqchip;
	kvm_finalize_sys_regs(&vcpu);
	has_run = true;
}

/* The bits that cpufeature knows of a register. */
u64 base_known(unsigned int index)
{
	u32 id = index == CTR ? SYS_CTR_EL0 : sys_reg(3, 0, 0, (index >> 3) + 1, index & 7);
	u64 known = 0;

	for (int i = 0; i < ARRAY_SIZE(arm64_ftr_regs); i++) {
		const struct arm64_ftr_bits *ftrp = arm64_ftr_regs[i].reg->ftr_bits;

		if (arm64_ftr_regs[i].sys_id != id)
			continue;
		for (; ftrp->width; ftrp++)
			known |= arm64_ftr_mask(ftrp);
	}
	return known;
}
