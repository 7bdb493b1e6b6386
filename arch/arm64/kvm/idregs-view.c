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

/* A register at a time, so that what is shown of it belongs together. */
static int idregs_limits_show(struct seq_file *s, void *v)
{
	struct kvm *kvm = s->private;

	guard(mutex)(&kvm->arch.config_lock);

	kvm_idregs_show(kvm, s, *(loff_t *)v);
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

	guard(mutex)(&kvm->arch.config_lock);

	kvm_idregs_show_refused(kvm, s);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(idregs_refused);

void kvm_idregs_create_debugfs(struct kvm *kvm)
{
	debugfs_create_file("idregs_limits", 0444, kvm->debugfs_dentry, kvm, &idregs_limits_fops);
	debugfs_create_file("idregs_refused", 0444, kvm->debugfs_dentry, kvm, &idregs_refused_fops);
}
