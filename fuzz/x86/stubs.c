// SPDX-License-Identifier: GPL-2.0
/* What the kernels' files refer to, and what targets don't get to unless it says so here. */
#include <stdlib.h>

#define NEVER(name)	void name(void); void name(void) { abort(); }
#define DATA(name)	char name[64];

NEVER(kvm_put_guest_caps)
NEVER(kvmemdup)
NEVER(__kmalloc_cache_noprof)
NEVER(kvfree)
NEVER(preempt_schedule_thunk)
NEVER(__SCT__kvm_x86_cache_reg)
DATA(__SCK__kvm_x86_get_cpl)
DATA(__SCK__kvm_x86_cache_reg)
DATA(__SCK__kvm_x86_vcpu_after_set_cpuid)
DATA(kmalloc_caches)
DATA(cpu_number)

/* Of what nobody allocated. */
void kfree(const void *memory);
void kfree(const void *memory)
{
	if (memory)
		abort();
}

/* There is one thread. */
void _raw_spin_lock(void *lock);
void _raw_spin_lock(void *lock) { }
void _raw_spin_unlock(void *lock);
void _raw_spin_unlock(void *lock) { }
