/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Have each allocation, and each copy from or to userspace, of a call fail in turn.
 */
#ifndef SELFTEST_KVM_FAIL_NTH_H
#define SELFTEST_KVM_FAIL_NTH_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kselftest.h"
#include "test_util.h"

static inline void fail_nth_configure(const char *what, const char *value)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", what);
	file = fopen(path, "w");
	TEST_REQUIRE(file);
	fputs(value, file);
	TEST_ASSERT(!fclose(file), "can't write %s", path);
}

/* An error that the call has for faults, besides ENOMEM and EFAULT. */
static int fail_nth_other;

/* Returns a file for the calling thread; skips the test without a kernel that makes faults. */
static inline int fail_nth_open(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR);

	TEST_REQUIRE(fd >= 0);
	/* Those that may sleep fail as well, and nobody is told. */
	fail_nth_configure("failslab/ignore-gfp-wait", "N");
	fail_nth_configure("failslab/verbose", "0");
	fail_nth_configure("fail_page_alloc/ignore-gfp-wait", "N");
	fail_nth_configure("fail_page_alloc/ignore-gfp-highmem", "N");
	fail_nth_configure("fail_page_alloc/min-order", "0");
	fail_nth_configure("fail_page_alloc/verbose", "0");
	fail_nth_configure("fail_usercopy/verbose", "0");
	return fd;
}

static inline void fail_nth_write(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	TEST_ASSERT(pwrite(fd, text, len, 0) == len, "can't write fail-nth");
}

/* Whether the fault happened. */
static inline bool fail_nth_end(int fd)
{
	char text[16] = {};
	bool has_failed;

	/* What is left may be the copy of this very text. */
	has_failed = pread(fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	fail_nth_write(fd, 0);
	return has_failed;
}

/*
 * Repeat @call, an expression that is negative on errors, with a first, a second ... fault, until there is
 * none any more; each time @check follows, which sees the call's result in @ret, and errno.
 */
#define for_each_fault(fd, what, call, check)						\
do {											\
	unsigned int __nth = 0, __nr_errors = 0;					\
	bool __has_failed;								\
	int __errno;									\
	long ret;									\
											\
	do {										\
		fail_nth_write(fd, ++__nth);						\
		ret = (call);								\
		__errno = errno;							\
		__has_failed = fail_nth_end(fd);					\
		__nr_errors += ret < 0;							\
		TEST_ASSERT(ret >= 0 || __has_failed, "%s: errno %d without a fault",	\
			    what, __errno);						\
		TEST_ASSERT(ret >= 0 || __errno == ENOMEM || __errno == EFAULT ||	\
			    __errno == fail_nth_other,					\
			    "%s: errno %d for fault %u", what, __errno, __nth);		\
		check;									\
	} while (__has_failed);								\
	ksft_print_msg("%s: %u faults, %u errors\n", what, __nth - 1, __nr_errors);	\
	TEST_ASSERT(__nth > 1, "%s: nothing that could fail", what);			\
} while (0)

#endif
