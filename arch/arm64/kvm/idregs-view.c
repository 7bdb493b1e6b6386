// SPDX-License-Identifier: GPL-2.0
/*
 * What people see of the limits of a VM's ID registers, in debugfs.
 */
#include <linux/debugfs.h>
#include <linux/kvm_host.h>
#include <linux/seq_file.h>

#include <asm/kvm_emulate.h>
#include <asm/kvm_nested.h>

#include "idregs.h"
#include "sys_regs.h"

static void show_field(struct seq_file *s, const struct kvm_idreg_field *f)
{
	char name[48];

	snprintf(name, sizeof(name), "%.*s.%.*s", f->reg_len, f->reg, f->name_len, f->name);
	seq_printf(s, "%-28s [%2u:%2u]  host 0x%-4llx limit 0x%-4llx vm 0x%-4llx %-8s  %.*s\n",
		   name, f->msb, f->lsb, f->host, f->limit, f->val,
		   f->writable ? "writable" : "fixed", f->rule_len, f->rule);
}

/* A register at a time, so that what is shown of it belongs together. */
static int idregs_limits_show(struct seq_file *s, void *v)
{
	unsigned int index = *(loff_t *)v;
	struct kvm *kvm = s->private;
	struct kvm_idreg_field field;
	int msb;

	guard(mutex)(&kvm->arch.config_lock);

	for (msb = 63; msb >= 0 && kvm_idregs_field(kvm, index, msb, &field); msb = field.lsb - 1)
		show_field(s, &field);
	return 0;
}

static void *idregs_limits_start(struct seq_file *s, loff_t *pos)
{
	struct kvm *kvm = s->private;

	if (!test_bit(KVM_ARCH_FLAG_ID_REGS_INITIALIZED, &kvm->arch.flags))
		return NULL;
	return *pos < KVM_NUM_IDREGS ? pos : NULL;
}

static void *idregs_limits_next(struct seq_file *s, void *v, loff_t *pos)
{
	++*pos;
	return idregs_limits_start(s, pos);
}

static void idregs_limits_stop(struct seq_file *s, void *v)
{
}

static const struct seq_operations idregs_limits_sops = {
	.start = idregs_limits_start,
	.next = idregs_limits_next,
	.stop = idregs_limits_stop,
	.show = idregs_limits_show,
};
DEFINE_SEQ_ATTRIBUTE(idregs_limits);

static int idregs_refused_show(struct seq_file *s, void *v)
{
	struct kvm *kvm = s->private;
	struct kvm_idreg_field f;

	guard(mutex)(&kvm->arch.config_lock);

	for (unsigned int n = 0; n < KVM_NR_IDREG_REFUSALS && kvm_idregs_refused(kvm, n, &f); n++)
		seq_printf(s, "%.*s.%.*s asked 0x%llx limit 0x%llx host 0x%llx rule %.*s\n",
			   f.reg_len, f.reg, f.name_len, f.name, f.val, f.limit, f.host,
			   f.rule_len, f.rule);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(idregs_refused);

void kvm_idregs_create_debugfs(struct kvm *kvm)
{
	debugfs_create_file("idregs_limits", 0444, kvm->debugfs_dentry, kvm, &idregs_limits_fops);
	debugfs_create_file("idregs_refused", 0444, kvm->debugfs_dentry, kvm, &idregs_refused_fops);
}
