/* SPDX-License-Identifier: GPL-2.0 */
/* Giving both kernels the same, and comparing what they make of it. */
#ifndef FUZZ_COMPARE_H
#define FUZZ_COMPARE_H

#include <stdint.h>
#include <stdio.h>

#include "machine.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

extern const struct kernel *const kernels[2];

/* FUZZ_SHOW=1 tells what is done. */
extern bool show;

#define SHOW(...)						\
do {								\
	if (show)						\
		fprintf(stderr, __VA_ARGS__);			\
} while (0)

/* The host, and a vCPU on it: guest CPUID that it is given, and its state. */
extern struct host host;
extern struct kvm_cpuid_entry2 table[MAX_ENTRIES + 1];
extern uint32_t nent;
extern struct vcpu_state state;

/* What the kernels made of it. */
extern struct kvm_cpuid_entry2 got[2][MAX_ENTRIES];
extern uint32_t nr_got;

/* What differs, for people. */
extern char why[128];

void because(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whoever compares goes on from there, or not. */
void differ(const char *what, uint64_t base, uint64_t ours) __attribute__((noreturn));

void same_words(const char *what, const uint32_t *a, const uint32_t *b, unsigned int count);

/* Loads a vendor's module on the host. */
void same_support(void);

/* KVM_GET_SUPPORTED_CPUID or KVM_GET_EMULATED_CPUID, into whatever is in got[]. */
void same_cpuid(unsigned int type, uint32_t room);

/* KVM_CREATE_VCPU; whether KVM_SET_CPUID2, or KVM_SET_CPUID, parted the kernels; KVM_GET_CPUID2. */
void create_vcpu(void);
bool set_cpuid2(bool old);
void get_cpuid2(uint32_t room);

/* All that is derived from guest CPUID. */
void same_state(void);

/* A guest executes CPUID. */
void same_exit(uint32_t function, uint32_t index);

#endif
