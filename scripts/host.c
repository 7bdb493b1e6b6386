// SPDX-License-Identifier: GPL-2.0
/*
 * Hosts that no emulator has: a parameter of the lab's arm64 kernels makes cpufeature report given
 * values.
 *
 *	guestcaps.host=[all[:VALUE],]REGISTER:VALUE[/MASK][,REGISTER:VALUE[/MASK]]...
 *
 * Values are hexadecimal, and a mask says which bits of the emulated CPUs' value are replaced;
 * "all" stands for all ones, or that value, in every register, and what comes later counts. As with any CPU's
 * value, of bits that cpufeature doesn't describe nothing is seen. All ones in ID_AA64MMFR0_EL1 are
 * no granule that KVM knows: it gives up there.
 *
 * The kernel has decided by then what it uses itself, so only KVM, and programs that read ID
 * registers, meet such a host: it is there to look at values and limits, as no CPU does what it
 * promises.
 *
 * make includes this file in front of arch/arm64/kernel/cpufeature.c, see kmake in common.sh. A
 * commit of the lab's would have to be on both branches, and be kept out of the series: like this
 * the trees stay as they are, and the unmodified kernel has the parameter, too.
 */
#define pr_fmt(fmt) "CPU features: " fmt

#include <linux/init.h>
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <asm/cpufeature.h>
#include <asm/sysreg.h>

static struct arm64_ftr_reg *get_arm64_ftr_reg_nowarn(u32 sys_id);

/* Returns whether there is a register of this name, or any at all for "all". */
static bool guestcaps_report(const char *name, u64 value, u64 mask)
{
	bool all = !strcmp(name, "all"), found = false;

	for (u32 id = sys_reg(3, 0, 0, 0, 0); id <= sys_reg(3, 7, 15, 15, 7);
	     id += sys_reg(0, 0, 0, 0, 1)) {
		struct arm64_ftr_reg *reg = get_arm64_ftr_reg_nowarn(id);
		u64 described = 0;

		if (!reg || !(all || !strcmp(reg->name + strlen("SYS_"), name)))
			continue;
		for (const struct arm64_ftr_bits *bits = reg->ftr_bits; bits->width; bits++)
			described |= arm64_ftr_mask(bits);
		reg->sys_val = (reg->sys_val & ~mask) | (value & mask & described);
		found = true;
	}
	return found;
}

static int guestcaps_make_host(char *text)
{
	char *entry;

	while ((entry = strsep(&text, ",\n")) != NULL) {
		char *name = strsep(&entry, ":"), *digits = strsep(&entry, "/");
		u64 value = ~0ULL, mask = ~0ULL;

		if (!*name)
			continue;
		if ((digits && kstrtou64(digits, 16, &value)) ||
		    (entry && kstrtou64(entry, 16, &mask)) || !guestcaps_report(name, value, mask)) {
			WARN(1, "guestcaps.host: what is %s?\n", name);
			return -EINVAL;
		}
	}
	return 0;
}

static char *guestcaps_host;

static int guestcaps_set_host(const char *text, const struct kernel_param *kp)
{
	char *copy __free(kfree) = NULL;

	if (system_state == SYSTEM_BOOTING) {
		guestcaps_host = (char *)text;
		return 0;
	}
	copy = kstrdup(text, GFP_KERNEL);
	return copy ? guestcaps_make_host(copy) : -ENOMEM;
}

static const struct kernel_param_ops guestcaps_host_ops = { .set = guestcaps_set_host };

/* Also in sysfs, for hosts one after another: a VM is made for the host of the moment. */
__module_param_call("guestcaps.", host, &guestcaps_host_ops, NULL, 0200, -1, 0);

/* After the last CPU has been counted in, and before KVM's device_initcall. */
static int __init guestcaps_make_first_host(void)
{
	return guestcaps_host ? guestcaps_make_host(guestcaps_host) : 0;
}
fs_initcall_sync(guestcaps_make_first_host);
