/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel says while a test runs.
 */
#ifndef SELFTEST_KVM_ARM64_KMSG_H
#define SELFTEST_KVM_ARM64_KMSG_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "test_util.h"

/* The kernel's log from now on. */
static inline int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/*
 * No guest may make the kernel complain. That KVM doesn't know a register which traps, and injects
 * UNDEF, is said at a limited rate, and shown here.
 */
static inline bool kmsg_is_clean(int fd)
{
	static const char * const bad[] = {
		"WARNING:", "BUG", "Oops", "Internal error", "Call trace", "rcu:", "unhandled",
	};
	char record[2048];
	bool clean = fd >= 0;
	ssize_t len;

	for (;;) {
		len = read(fd, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)		/* overwritten: the next one */
			continue;
		if (len <= 0)
			return clean;
		record[len] = 0;
		for (int i = 0; i < ARRAY_SIZE(bad); i++)
			clean &= !strstr(record, bad[i]);
		if (strstr(record, "kvm") || !clean)
			ksft_print_msg("%s", strchr(record, ';') ?: record);
	}
}

#endif
