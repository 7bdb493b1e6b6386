/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In front of each of the kernel's files: what can't be had outside of a kernel, or must be seen
 * by who compares.
 */
#include <linux/kvm_host.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/cpuid/api.h>
#include <asm/fpu/xstate.h>
#include "trace.h"
#include "machine.h"

extern u32 fuzz_warnings;
extern struct host fuzz_host;

/* Every time, and counted. */
#undef WARN_ON
#undef WARN_ON_ONCE
#define WARN_ON(condition)					\
({								\
	bool warns = !!(condition);				\
								\
	fuzz_warnings += warns;					\
	unlikely(warns);					\
})
#define WARN_ON_ONCE(condition) WARN_ON(condition)

static inline void fuzz_cpuid_count(u32 function, u32 index, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	u32 regs[4];

	machine_cpuid(function, index, regs);
	*eax = regs[0];
	*ebx = regs[1];
	*ecx = regs[2];
	*edx = regs[3];
}

static inline u32 fuzz_cpuid_eax(u32 function)
{
	u32 regs[4];

	machine_cpuid(function, 0, regs);
	return regs[0];
}

#define cpuid_count	fuzz_cpuid_count
#define cpuid_eax	fuzz_cpuid_eax

/* User memory is memory. */
#undef copy_from_user
#undef copy_to_user
#define copy_from_user(to, from, n)	(memcpy(to, (__force const void *)(from), n), 0UL)
#define copy_to_user(to, from, n)	(memcpy((__force void *)(to), from, n), 0UL)

void *malloc(size_t size);
void *calloc(size_t nr, size_t size);
void free(void *memory);

static inline void *fuzz_vmemdup(const void *from, size_t nr, size_t size)
{
	void *to = malloc(nr * size);

	return memcpy(to, from, nr * size);
}

#undef kvfree
#undef kvmalloc_objs
#undef kvzalloc_objs
#undef kvmalloc_flex
#define vmemdup_array_user(from, nr, size) fuzz_vmemdup((__force const void *)(from), nr, size)
#define kvfree(memory)			free((void *)(memory))
#define kvmalloc_objs(object, nr, ...)	((typeof(object) *)malloc((nr) * sizeof(object)))
#define kvzalloc_objs(object, nr, ...)	((typeof(object) *)calloc(nr, sizeof(object)))
#define kvmalloc_flex(object, array, nr, ...) \
	((typeof(object) *)malloc(struct_size_t(typeof(object), array, nr)))

#define sched_info_on()			(!!(fuzz_host.flags & BIT_ULL(HOST_SCHED_INFO)))
#define trace_kvm_cpuid(...)		do { } while (0)
#define trace_kvm_guest_cap_denied(...)	do { } while (0)
#define trace_kvm_guest_cap_denied_enabled() false
