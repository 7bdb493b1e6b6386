/* SPDX-License-Identifier: GPL-2.0 */
/* What a target tells the unmodified kernel: a host, and how a VM is configured. */
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#define CTR		56
#define NUM_WORDS	57

struct machine {
	u64 words[NUM_WORDS];
	u32 facts;		/* enum kvm_idreg_fact */
	bool aarch32;		/* on all CPUs, at EL0 */
	bool nv3;
};

#include "facts.h"

void base_reset(const struct machine *machine);
int base_set(unsigned int index, u64 val);
u64 base_get(unsigned int index);
void base_run(u32 irqchip);
u64 base_known(unsigned int index);

#endif
