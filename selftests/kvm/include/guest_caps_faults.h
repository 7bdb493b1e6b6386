/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of faults do alike on all architectures.
 */
#ifndef SELFTEST_KVM_GUEST_CAPS_FAULTS_H
#define SELFTEST_KVM_GUEST_CAPS_FAULTS_H

#include "fail_nth.h"
#include "guest_caps.h"

/* What KVM_GUEST_CAPS tells is whole; @expected and @caps have room for @max records. */
static inline void faults_in_query(struct fail_nth *f, const char *what, int fd, u32 op,
				   const void *asked, u32 nr_asked, struct kvm_guest_cap *expected,
				   struct kvm_guest_cap *caps, u32 max)
{
	u32 all = guest_caps_query_all(fd, op, asked, nr_asked, expected, max);

	fail_nth_begin(f, what);
	while (fail_nth_next(f)) {
		u32 nr = max;

		memset(caps, 0, max * sizeof(*caps));
		if (fail_nth_end(f, guest_caps_query(fd, op, asked, nr_asked, caps, &nr)))
			TEST_ASSERT(nr == all && !memcmp(caps, expected, nr * sizeof(*caps)),
				    "%s: other records", what);
	}
}

/* A file of a VM's in debugfs, that of the thread which created it. */
static inline void faults_in_debugfs(struct fail_nth *f, struct kvm_vm *vm, const char *name)
{
	char path[128], text[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d/%s", getpid(), vm->fd, name);
	fail_nth_begin(f, name);
	while (fail_nth_next(f)) {
		fd = open(path, O_RDONLY);
		fail_nth_end(f, fd < 0 ? fd : read(fd, text, sizeof(text)));
		close(fd);
	}
}

/* Adds vCPUs to a VM, from number @id on. */
static inline void faults_in_create_vcpu(struct fail_nth *f, struct kvm_vm *vm, int id)
{
	int fd;

	fail_nth_begin(f, "KVM_CREATE_VCPU");
	while (fail_nth_next(f)) {
		fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
		if (fail_nth_end(f, fd)) {
			close(fd);
			id++;
		}
	}
}

#endif
