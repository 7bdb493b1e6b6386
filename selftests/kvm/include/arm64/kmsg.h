/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel says while a test runs.
 */
#ifndef SELFTEST_KVM_ARM64_KMSG_H
#define SELFTEST_KVM_ARM64_KMSG_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test_util.h"

/* The kernel's log from now on; not everybody may read it. */
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
static inline void kmsg_test(int fd)
{
	static const char * const bad[] = {
		"WARNING:", "BUG:", "Oops", "Internal error", "Call trace", "rcu:", "unhandled",
	};
	char record[2048];
	bool clean = true;
	ssize_t len;

	for (;;) {
		len = read(fd, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)		/* overwritten: the next one */
			continue;
		if (len <= 0)
			break;
		record[len] = 0;
		if (strtoul(record, NULL, 10) >> 3)	/* not the kernel's */
			continue;
		for (int i = 0; i < ARRAY_SIZE(bad); i++)
			clean &= !strstr(record, bad[i]);
		if (strstr(record, "kvm") || !clean)
			ksft_print_msg("%s", strchr(record, ';') ?: record);
	}
	if (fd < 0)
		ksft_test_result_skip("the kernel's log is clean\n");
	else
		ksft_test_result(clean, "the kernel's log is clean\n");
}

#endif
