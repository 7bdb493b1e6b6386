// SPDX-License-Identifier: GPL-2.0
/*
 * The C side of KVM's limits on ID registers: what they depend on, and where VMs have them.
 * idregs/limits.rs has the limits.
 */
#include <linux/cpufeature.h>
#include <linux/kvm_host.h>
#include <linux/uaccess.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_nested.h>
#include <asm/kvm_pkvm.h>
#include <asm/spectre.h>

#include "idregs.h"
#include "sys_regs.h"
#include "vgic/vgic.h"

#define CREATE_TRACE_POINTS
#include "idregs_trace.h"

static struct kvm_idregs_host host __ro_after_init;

/* What protected VMs have was computed with these, and doesn't change any more. */
static u32 pvm_facts __ro_after_init;

static_assert(KVM_IDREG_CTR == KVM_ARM_ID_REG_NUM);

static unsigned int idreg_index(u32 id)
{
	return id == SYS_CTR_EL0 ? KVM_IDREG_CTR : IDREG_IDX(id);
}

static bool has_limits(u32 id)
{
	switch (id) {
	case sys_reg(3, 0, 0, 1, 0) ... sys_reg(3, 0, 0, 7, 7):
	case SYS_CTR_EL0:
		return true;
	default:
		return false;
	}
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

		if (!kvm_idreg_is_known(i))
			continue;
		reg = get_arm64_ftr_reg(idreg_id(i));
		if (reg)
			host.word[i] = &reg->sys_val;
	}
	return 0;
}
core_initcall(idregs_init);

static __always_inline u32 fact(enum kvm_idreg_fact bit, bool holds)
{
	return holds ? bit : 0;
}

#define UNAFFECTED	(KVM_IDREG_HOST_SPECTRE_V2_UNAFFECTED | KVM_IDREG_HOST_MELTDOWN_UNAFFECTED)

/* A CPU that comes late may be affected where the others were not. */
static u32 unaffected(void)
{
	return fact(KVM_IDREG_HOST_SPECTRE_V2_UNAFFECTED,
		    arm64_get_spectre_v2_state() == SPECTRE_UNAFFECTED) |
	       fact(KVM_IDREG_HOST_MELTDOWN_UNAFFECTED,
		    arm64_get_meltdown_state() == SPECTRE_UNAFFECTED);
}

/* Whatever VM it is about: the host's CPUs, KVM, and the kernel. */
static u32 host_facts(void)
{
	return unaffected() |
	       fact(KVM_IDREG_HOST_RAS_V1P1, cpus_have_final_cap(ARM64_HAS_RASV1P1_EXTN)) |
	       fact(KVM_IDREG_HOST_PMUV3_IMPDEF_TRAPS,
		    cpus_have_final_cap(ARM64_WORKAROUND_PMUV3_IMPDEF_TRAPS)) |
	       fact(KVM_IDREG_HOST_NV2P1,
		    cpus_have_final_cap(ARM64_HAS_NV2P1) || cpus_have_final_cap(ARM64_HAS_NV3)) |
	       fact(KVM_IDREG_KVM_GIC_V3, vgic_host_has_gicv3()) |
	       fact(KVM_IDREG_KVM_GIC_V5, vgic_host_has_gicv5()) |
	       fact(KVM_IDREG_KVM_WFXT,
		    cpus_have_final_cap(ARM64_HAS_WFXT) && !has_broken_cntvoff()) |
	       fact(KVM_IDREG_KERNEL_POE, system_supports_poe()) |
	       fact(KVM_IDREG_KERNEL_PAGE_OVER_4K, PAGE_SIZE > SZ_4K) |
	       fact(KVM_IDREG_KERNEL_PAGE_OVER_16K, PAGE_SIZE > SZ_16K) |
	       fact(KVM_IDREG_KERNEL_MPAM, system_supports_mpam());
}

/* How a VM is configured, which doesn't change once its first vCPU is initialized. */
static u32 vm_facts(const struct kvm_vcpu *vcpu)
{
	bool nested = vcpu_has_nv(vcpu);

	return fact(KVM_IDREG_VM_EL2, nested) |
	       fact(KVM_IDREG_VM_E2H0, vcpu_has_feature(vcpu, KVM_ARM_VCPU_HAS_EL2_E2H0)) |
	       fact(KVM_IDREG_VM_AARCH32, kvm_supports_32bit_el0() && !nested) |
	       fact(KVM_IDREG_VM_SVE, vcpu_has_sve(vcpu)) |
	       fact(KVM_IDREG_VM_MTE, kvm_has_mte(vcpu->kvm)) |
	       fact(KVM_IDREG_VM_PTRAUTH, vcpu_has_ptrauth(vcpu)) |
	       fact(KVM_IDREG_VM_PMU, kvm_vcpu_has_pmu(vcpu));
}

/*
 * What protected VMs have, for EL2, which Rust doesn't reach, and while the host may still write
 * there: without and with SVE, without and with pointer authentication.  Of all else that limits
 * can depend on, they ask for what is known by now.  These are values, not limits: EL2 has nothing
 * to compute then, and can't do it in another way.
 */
void __init kvm_idregs_init_pvm(u64 regs[2][2][KVM_ARM_ID_REG_NUM])
{
	pvm_facts = host_facts() | KVM_IDREG_VM_PROTECTED;

	for (int i = 0; i < 4; i++) {
		bool sve = i & 1, ptrauth = i & 2;

		kvm_idreg_reset(&host, pvm_facts | fact(KVM_IDREG_VM_SVE, sve) |
				fact(KVM_IDREG_VM_PTRAUTH, ptrauth), regs[sve][ptrauth]);
	}
}

/* Give a VM the registers that it starts with. */
void kvm_idregs_reset(struct kvm_vcpu *vcpu)
{
	u32 facts = host_facts() | vm_facts(vcpu);
	struct kvm_arch *arch = &vcpu->kvm->arch;

	lockdep_assert_held(&arch->config_lock);

	arch->idreg_facts = facts;
	kvm_idreg_reset(&host, facts, arch->id_regs);
	arch->ctr_el0 = kvm_idreg_highest(KVM_IDREG_CTR, &host, facts);
}

/* The slot of the @n-th refusal: the last ones are kept. */
static struct kvm_idreg_refusal *refusal(struct kvm *kvm, unsigned int n)
{
	return &kvm->arch.idreg_refusals[n % KVM_NR_IDREG_REFUSALS];
}

/* The number of the oldest refusal that is kept, of @nr. */
static unsigned int oldest_refusal(unsigned int nr)
{
	return nr - min(nr, KVM_NR_IDREG_REFUSALS);
}

static noinline void trace_refusal(const struct kvm *kvm, const struct kvm_idreg_refusal *why,
				   u32 facts)
{
	struct kvm_idreg_field field;

	if (kvm_idreg_explain(why, &host, facts, &field))
		trace_kvm_idreg_refused(kvm, &field);
}

/* What a VM's limits depend on once its interrupt controller is there, or it runs without one. */
static u32 final_facts(const struct kvm *kvm)
{
	u32 type = irqchip_in_kernel(kvm) ? kvm->arch.vgic.vgic_model : 0;

	return kvm->arch.idreg_facts |
	       fact(KVM_IDREG_VM_VGIC_V3, type == KVM_DEV_TYPE_ARM_VGIC_V3) |
	       fact(KVM_IDREG_VM_VGIC_V5, type == KVM_DEV_TYPE_ARM_VGIC_V5);
}

/*
 * Tell of rules between fields that a VM breaks, and clear what KVM doesn't virtualize so.  Not
 * before the first KVM_RUN: until then userspace may still write what is missing.
 */
void kvm_idregs_enforce_rules(struct kvm *kvm)
{
	u32 facts = final_facts(kvm);
	u64 words[KVM_ARM_ID_REG_NUM];
	struct kvm_idreg_refusal why;

	/* Other vCPUs may be reading them. */
	memcpy(words, kvm->arch.id_regs, sizeof(words));
	for (unsigned int n = 0; kvm_idreg_broken(n, &host, facts, words, &why); n++) {
		if (why.clears)
			*refusal(kvm, kvm->arch.nr_idreg_refusals++) = why;
		if (trace_kvm_idreg_refused_enabled())
			trace_refusal(kvm, &why, facts);
	}
	kvm_idreg_clear(&host, facts, words);
	for (unsigned int i = 0; i < KVM_ARM_ID_REG_NUM; i++)
		kvm_set_vm_id_reg(kvm, idreg_id(i), words[i]);
}

/* Adapt a VM's registers to its interrupt controller, or to having none. */
void kvm_idregs_finalize(struct kvm *kvm)
{
	u32 facts = final_facts(kvm);

	for (unsigned int i = 0; i < KVM_NUM_IDREGS; i++) {
		u32 id = idreg_id(i);
		u64 val = kvm_read_vm_id_reg(kvm, id);

		kvm_set_vm_id_reg(kvm, id, kvm_idreg_with_irqchip(i, &host, facts, val));
	}
}

/* What a VM's limits depend on now. */
static u32 now_facts(const struct kvm *kvm)
{
	return (final_facts(kvm) & ~UNAFFECTED) | unaffected();
}

int kvm_idregs_set(struct kvm *kvm, u32 id, u64 val)
{
	struct kvm_idreg_refusal *why = refusal(kvm, kvm->arch.nr_idreg_refusals);
	u64 *reg = __vm_id_reg(&kvm->arch, id);
	bool has_run = kvm_id_regs_are_final(kvm);
	u32 facts = now_facts(kvm);
	int ret;

	lockdep_assert_held(&kvm->arch.config_lock);

	ret = kvm_idreg_check(idreg_index(id), &host, facts, &val, has_run ? reg : NULL, why);
	if (ret) {
		kvm->arch.nr_idreg_refusals++;
		if (trace_kvm_idreg_refused_enabled())
			trace_refusal(kvm, why, facts);
	} else if (!has_run) {
		*reg = val;
	}
	return ret;
}

/* Print the last refusals, the oldest first, and the rules that the VM breaks now. */
void kvm_idregs_show_refused(struct kvm *kvm, struct seq_file *file)
{
	struct kvm_idreg_refusal why;
	unsigned int nr = kvm->arch.nr_idreg_refusals;
	unsigned int n = oldest_refusal(nr);

	lockdep_assert_held(&kvm->arch.config_lock);

	for (; n < nr; n++)
		kvm_idreg_show_refusal(file, refusal(kvm, n), &host, now_facts(kvm));
	if (!kvm_vm_has_ran_once(kvm))
		return;
	for (n = 0; kvm_idreg_broken(n, &host, now_facts(kvm), kvm->arch.id_regs, &why); n++)
		kvm_idreg_show_refusal(file, &why, &host, now_facts(kvm));
}

/* What a protected VM's registers depend on: EL2 leaves it some of what it is configured with. */
static u32 protected_facts(struct kvm *kvm)
{
	u32 allowed = fact(KVM_IDREG_VM_SVE, kvm_pkvm_ext_allowed(kvm, KVM_CAP_ARM_SVE)) |
		      fact(KVM_IDREG_VM_PTRAUTH,
			   kvm_pkvm_ext_allowed(kvm, KVM_CAP_ARM_PTRAUTH_ADDRESS));

	return pvm_facts | (kvm->arch.idreg_facts & allowed);
}

/*
 * Print what a VM can have in the fields of a register, and what it has.  Of a protected VM's
 * registers EL2 takes over CTR_EL0 alone: it has others than these here, and userspace has no say.
 */
void kvm_idregs_show(struct kvm *kvm, struct seq_file *file, unsigned int index)
{
	u64 val = kvm_read_vm_id_reg(kvm, idreg_id(index)), words[KVM_ARM_ID_REG_NUM];
	u32 facts = now_facts(kvm);

	lockdep_assert_held(&kvm->arch.config_lock);

	if (kvm_vm_is_protected(kvm) && index != KVM_IDREG_CTR) {
		facts = protected_facts(kvm);
		kvm_idreg_reset(&host, facts, words);
		val = words[index];
	}
	kvm_idreg_show(file, index, &host, facts, val);
}

/*
 * What KVM_ARM_GET_REG_WRITABLE_MASKS says: of AArch32's registers nothing on a host without it.
 * As long as it is not known whether the VM has EL2, it is taken to have none.
 */
int kvm_idregs_put_published(struct kvm *kvm, u64 __user *masks)
{
	u32 facts = READ_ONCE(kvm->arch.idreg_facts);
	unsigned int i = kvm_supports_32bit_el0() ? 0 : IDREG_IDX(SYS_ID_AA64PFR0_EL1);

	for (; i < KVM_NUM_IDREGS; i++) {
		u64 mask = kvm_idreg_published(i, facts);
		u32 id = idreg_id(i), n;

		n = KVM_ARM_FEATURE_ID_RANGE_IDX(sys_reg_Op0(id), sys_reg_Op1(id), sys_reg_CRn(id),
						 sys_reg_CRm(id), sys_reg_Op2(id));
		if (mask && put_user(mask, masks + n))
			return -EFAULT;
	}
	return 0;
}

/* The most that a VM with a PMU can have in a register, but for what else depends on the VM. */
u64 kvm_idregs_pmu_limit(u32 id)
{
	return kvm_idreg_highest(idreg_index(id), &host, host_facts() | KVM_IDREG_VM_PMU);
}

/* What is told of a VM: a copy, as nobody copies to userspace under the lock. */
struct idregs_state {
	u64 words[KVM_NUM_IDREGS];
	u32 facts;
	bool has_run;
	unsigned int nr_refusals;
	struct kvm_idreg_refusal refusals[KVM_NR_IDREG_REFUSALS];
};

static int get_state(struct kvm *kvm, struct idregs_state *state)
{
	guard(mutex)(&kvm->arch.config_lock);

	if (!test_bit(KVM_ARCH_FLAG_ID_REGS_INITIALIZED, &kvm->arch.flags))
		return -ENOEXEC;

	memcpy(state->words, kvm->arch.id_regs, sizeof(kvm->arch.id_regs));
	state->words[KVM_IDREG_CTR] = kvm->arch.ctr_el0;
	state->facts = now_facts(kvm);
	state->has_run = kvm_id_regs_are_final(kvm);
	state->nr_refusals = kvm->arch.nr_idreg_refusals;
	memcpy(state->refusals, kvm->arch.idreg_refusals, sizeof(state->refusals));
	return 0;
}

/* No register has more fields than bits. */
struct guest_caps {
	struct idregs_state state;
	struct kvm_guest_cap caps[64];
};

/* Fields of a vCPU's registers that are not what userspace asked for last. */
static void add_refusals(struct guest_caps *g, unsigned int index, unsigned int nr)
{
	unsigned int end = g->state.nr_refusals;
	struct kvm_guest_cap cap;

	for (unsigned int n = oldest_refusal(end); n < end; n++) {
		const struct kvm_idreg_refusal *why = g->state.refusals + n % KVM_NR_IDREG_REFUSALS;

		if (why->index != index || !kvm_idreg_blames(why, &host, g->state.facts, &cap))
			continue;
		for (unsigned int i = 0; i < nr; i++) {
			if (g->caps[i].lsb != cap.lsb)
				continue;
			cap.value = g->caps[i].value;
			g->caps[i] = cap;
		}
	}
}

static int list_caps(struct kvm_guest_caps_query *query, struct guest_caps *g, bool refusals)
{
	for (unsigned int i = 0; i < KVM_NUM_IDREGS; i++) {
		unsigned int nr = kvm_idreg_list(i, &host, g->state.facts, g->state.words[i],
						 g->caps);

		if (refusals)
			add_refusals(g, i, nr);
		if (kvm_put_guest_caps(query, g->caps, nr))
			return -EFAULT;
	}
	return 0;
}

static int check_caps(struct kvm_guest_caps_query *query, struct guest_caps *g)
{
	const struct kvm_guest_caps *args = &query->args;
	u64 *words = g->state.words;
	struct kvm_idreg_refusal why;

	struct kvm_guest_caps_reg *regs __free(kvfree) =
		vmemdup_array_user(u64_to_user_ptr(args->asked), args->nr_asked, sizeof(*regs));
	if (IS_ERR(regs))
		return PTR_ERR(regs);

	for (u32 n = 0; n < args->nr_asked; n++) {
		/* Both have the same parts in the same order. */
		u32 id = (regs[n].id & 0xffff) << Op2_shift;
		u64 val = regs[n].value, now;
		unsigned int nr, i;

		if (!has_limits(id) ||
		    regs[n].id != ARM64_SYS_REG(sys_reg_Op0(id), sys_reg_Op1(id), sys_reg_CRn(id),
						sys_reg_CRm(id), sys_reg_Op2(id)))
			return -ENOENT;
		i = idreg_index(id);
		now = words[i];
		nr = kvm_idreg_try(i, &host, g->state.facts, &val, g->state.has_run ? &now : NULL,
				   g->caps);
		if (!g->state.has_run)
			words[i] = val;
		if (kvm_put_guest_caps(query, g->caps, nr))
			return -EFAULT;
	}

	for (u32 n = 0; kvm_idreg_broken(n, &host, g->state.facts, words, &why); n++) {
		if (kvm_idreg_blames(&why, &host, g->state.facts, g->caps) &&
		    kvm_put_guest_caps(query, g->caps, 1))
			return -EFAULT;
	}
	return 0;
}

/* KVM_GUEST_CAPS: what the VM can have, whether it can have what is asked for, and what it has. */
int kvm_arch_guest_caps(struct kvm *kvm, struct kvm_vcpu *vcpu, struct kvm_guest_caps_query *query)
{
	struct guest_caps *g __free(kfree) = kmalloc_obj(*g, GFP_KERNEL_ACCOUNT);
	int ret;

	/* Its registers are EL2's, and nothing that userspace could ask for. */
	if (kvm_vm_is_protected(kvm))
		return -EINVAL;
	if (!g)
		return -ENOMEM;
	ret = get_state(kvm, &g->state);
	if (ret)
		return ret;
	return query->args.op == KVM_GUEST_CAPS_CHECK ? check_caps(query, g) :
							list_caps(query, g, vcpu);
}
