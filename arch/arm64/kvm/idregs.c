// SPDX-License-Identifier: GPL-2.0
/*
 * The C side of KVM's limits on ID registers: what they depend on, and where VMs have them.
 * idregs/limits.rs has the limits.
 */
#include <linux/cpufeature.h>
#include <linux/kvm_host.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_nested.h>
#include <asm/spectre.h>

#include "idregs.h"
#include "sys_regs.h"
#include "vgic/vgic.h"

#define CREATE_TRACE_POINTS
#include "idregs_trace.h"

static struct kvm_idregs_host host __ro_after_init;

static_assert(KVM_IDREG_CTR == KVM_ARM_ID_REG_NUM);

static unsigned int idreg_index(u32 id)
{
	return id == SYS_CTR_EL0 ? KVM_IDREG_CTR : IDREG_IDX(id);
}

static u32 idreg_id(unsigned int index)
{
	if (index == KVM_IDREG_CTR)
		return SYS_CTR_EL0;
	return sys_reg(3, 0, 0, (index >> 3) + 1, index & 7);
}

/* Before PMUs are probed: they ask what KVM would make of them. */
static int __init idregs_init(void)
{
	for (unsigned int i = 0; i < KVM_NUM_IDREGS; i++) {
		const struct arm64_ftr_reg *reg;

		if (!kvm_idreg_has_host_value(i))
			continue;
		reg = get_arm64_ftr_reg(idreg_id(i));
		if (reg)
			host.word[i] = &reg->sys_val;
	}
	return 0;
}
core_initcall(idregs_init);

static __always_inline u32 condition(enum kvm_idreg_condition bit, bool holds)
{
	return holds ? BIT(bit) : 0;
}

#define UNAFFECTED	(BIT(KVM_IDREG_SPECTRE_V2_UNAFFECTED) | BIT(KVM_IDREG_MELTDOWN_UNAFFECTED))

/* A CPU that comes late may be affected where the others were not. */
static u32 unaffected(void)
{
	return condition(KVM_IDREG_SPECTRE_V2_UNAFFECTED,
			 arm64_get_spectre_v2_state() == SPECTRE_UNAFFECTED) |
	       condition(KVM_IDREG_MELTDOWN_UNAFFECTED,
			 arm64_get_meltdown_state() == SPECTRE_UNAFFECTED);
}

/* How the host is, whatever VM it is about. */
static u32 host_conditions(void)
{
	return unaffected() |
	       condition(KVM_IDREG_HOST_GICV3, vgic_host_has_gicv3()) |
	       condition(KVM_IDREG_HOST_GICV5, vgic_host_has_gicv5()) |
	       condition(KVM_IDREG_POE, system_supports_poe()) |
	       condition(KVM_IDREG_WFXT, cpus_have_final_cap(ARM64_HAS_WFXT) &&
			 !has_broken_cntvoff()) |
	       condition(KVM_IDREG_HOST_RASV1P1, cpus_have_final_cap(ARM64_HAS_RASV1P1_EXTN)) |
	       condition(KVM_IDREG_PMUV3_IMPDEF_TRAPS,
			 cpus_have_final_cap(ARM64_WORKAROUND_PMUV3_IMPDEF_TRAPS)) |
	       condition(KVM_IDREG_NV2P1, cpus_have_final_cap(ARM64_HAS_NV2P1) ||
			 cpus_have_final_cap(ARM64_HAS_NV3)) |
	       condition(KVM_IDREG_PAGE_OVER_4K, PAGE_SIZE > SZ_4K) |
	       condition(KVM_IDREG_PAGE_OVER_16K, PAGE_SIZE > SZ_16K);
}

/* How a VM is configured, which doesn't change once its first vCPU is initialized. */
static u32 vm_conditions(const struct kvm_vcpu *vcpu)
{
	bool nested = vcpu_has_nv(vcpu);

	return condition(KVM_IDREG_NESTED, nested) |
	       condition(KVM_IDREG_E2H0, vcpu_has_feature(vcpu, KVM_ARM_VCPU_HAS_EL2_E2H0)) |
	       condition(KVM_IDREG_AARCH32, kvm_supports_32bit_el0() && !nested) |
	       condition(KVM_IDREG_SVE, vcpu_has_sve(vcpu)) |
	       condition(KVM_IDREG_MTE, kvm_has_mte(vcpu->kvm)) |
	       condition(KVM_IDREG_PTRAUTH, vcpu_has_ptrauth(vcpu)) |
	       condition(KVM_IDREG_PMU, kvm_vcpu_has_pmu(vcpu));
}

/* Give a VM the registers that it starts with. */
void kvm_idregs_reset(struct kvm_vcpu *vcpu)
{
	u32 conditions = host_conditions() | vm_conditions(vcpu);
	struct kvm_arch *arch = &vcpu->kvm->arch;

	lockdep_assert_held(&arch->config_lock);

	arch->idreg_conditions = conditions;
	for (unsigned int i = 0; i < KVM_ARM_ID_REG_NUM; i++)
		arch->id_regs[i] = kvm_idreg_default(i, &host, conditions);
	arch->ctr_el0 = kvm_idreg_default(KVM_IDREG_CTR, &host, conditions);
}

/* Adapt a VM's registers to its interrupt controller, or to having none. */
void kvm_idregs_finalize(struct kvm *kvm)
{
	u32 type = irqchip_in_kernel(kvm) ? kvm->arch.vgic.vgic_model : 0;
	u32 conditions = kvm->arch.idreg_conditions |
			 condition(KVM_IDREG_VGIC_V3, type == KVM_DEV_TYPE_ARM_VGIC_V3) |
			 condition(KVM_IDREG_VGIC_V5, type == KVM_DEV_TYPE_ARM_VGIC_V5);

	for (unsigned int i = 0; i < KVM_NUM_IDREGS; i++) {
		u32 id = idreg_id(i);
		u64 val = kvm_read_vm_id_reg(kvm, id);

		kvm_set_vm_id_reg(kvm, id, kvm_idreg_with_irqchip(i, val, conditions));
	}
}

/* What a VM's limits depend on now. */
static u32 now_conditions(const struct kvm *kvm)
{
	return (kvm->arch.idreg_conditions & ~UNAFFECTED) | unaffected();
}

/* The slot of the @n-th refusal: the last ones are kept. */
static struct kvm_idreg_refusal *refusal(struct kvm *kvm, unsigned int n)
{
	return &kvm->arch.idreg_refusals[n % KVM_NR_IDREG_REFUSALS];
}

static noinline void trace_refusal(const struct kvm *kvm, const struct kvm_idreg_refusal *why,
				   u32 conditions)
{
	struct kvm_idreg_field field;

	if (kvm_idreg_explain(why, &host, conditions, &field))
		trace_kvm_idreg_refused(kvm, &field);
}

int kvm_idregs_set(struct kvm *kvm, u32 id, u64 val)
{
	struct kvm_idreg_refusal *why = refusal(kvm, kvm->arch.nr_idreg_refusals);
	u64 *reg = __vm_id_reg(&kvm->arch, id);
	bool has_run = kvm_vm_has_ran_once(kvm);
	u32 conditions = now_conditions(kvm);
	int ret;

	lockdep_assert_held(&kvm->arch.config_lock);

	ret = kvm_idreg_check(idreg_index(id), &host, conditions, &val, has_run ? reg : NULL, why);
	if (ret) {
		kvm->arch.nr_idreg_refusals++;
		if (trace_kvm_idreg_refused_enabled())
			trace_refusal(kvm, why, conditions);
	} else if (!has_run) {
		*reg = val;
	}
	return ret;
}

/* The @n-th of the last refusals, the oldest first, described. */
bool kvm_idregs_refused(struct kvm *kvm, unsigned int n, struct kvm_idreg_field *field)
{
	unsigned int nr = kvm->arch.nr_idreg_refusals;

	lockdep_assert_held(&kvm->arch.config_lock);

	if (nr > KVM_NR_IDREG_REFUSALS)
		n += nr - KVM_NR_IDREG_REFUSALS;
	return n < nr && kvm_idreg_explain(refusal(kvm, n), &host, now_conditions(kvm), field);
}

/* The field of a register of a VM that has bit @msb. */
bool kvm_idregs_field(struct kvm *kvm, unsigned int index, unsigned int msb,
		      struct kvm_idreg_field *field)
{
	u64 val = kvm_read_vm_id_reg(kvm, idreg_id(index));

	return kvm_idreg_describe(index, msb, &host, now_conditions(kvm), val, field);
}

u64 kvm_idregs_highest(struct kvm *kvm, u32 id)
{
	return kvm_idreg_default(idreg_index(id), &host, now_conditions(kvm));
}

u64 kvm_idregs_lowest(struct kvm *kvm, u32 id)
{
	return kvm_idreg_lowest(idreg_index(id), &host, now_conditions(kvm));
}

u64 kvm_idregs_writable(u32 id)
{
	return kvm_idreg_writable(idreg_index(id));
}

/* The most that a VM with a PMU can have in a register, but for what else depends on the VM. */
u64 kvm_idregs_pmu_limit(u32 id)
{
	return kvm_idreg_default(idreg_index(id), &host, host_conditions() | BIT(KVM_IDREG_PMU));
}
