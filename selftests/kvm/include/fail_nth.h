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

/* A call that is repeated, with a first, a second ... fault, until there is none any more. */
struct fail_nth {
	int fd;
	int other;		/* an error for faults, besides ENOMEM and EFAULT */
	const char *what;
	unsigned int nth, nr_errors;
	bool has_failed;
};

/* For the calling thread; skips the test without a kernel that makes faults. */
static inline void fail_nth_open(struct fail_nth *f)
{
	f->fd = open("/proc/thread-self/fail-nth", O_RDWR);
	TEST_REQUIRE(f->fd >= 0);
	/* Those that may sleep fail as well, and nobody is told. */
	fail_nth_configure("failslab/ignore-gfp-wait", "N");
	fail_nth_configure("failslab/verbose", "0");
	fail_nth_configure("fail_page_alloc/ignore-gfp-wait", "N");
	fail_nth_configure("fail_page_alloc/ignore-gfp-highmem", "N");
	fail_nth_configure("fail_page_alloc/min-order", "0");
	fail_nth_configure("fail_page_alloc/verbose", "0");
	fail_nth_configure("fail_usercopy/verbose", "0");
}

static inline void fail_nth_write(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	/* The fault may be this very copy's. */
	if (pwrite(fd, text, len, 0) != len)
		TEST_ASSERT(pwrite(fd, text, len, 0) == len, "can't write fail-nth");
}

static inline void fail_nth_begin(struct fail_nth *f, const char *what)
{
	f->what = what;
	f->nth = 0;
	f->nr_errors = 0;
	f->has_failed = true;
}

/* Whether there may be another one, which the next call has. */
static inline bool fail_nth_next(struct fail_nth *f)
{
	if (!f->has_failed) {
		ksft_print_msg("%s: %u faults, %u errors\n", f->what, f->nth - 1, f->nr_errors);
		TEST_ASSERT(f->nth > 1, "%s: nothing that could fail", f->what);
		return false;
	}
	fail_nth_write(f->fd, ++f->nth);
	return true;
}

/* @ret is the call itself, negative on errors.  Returns whether it succeeded. */
static inline bool fail_nth_end(struct fail_nth *f, long ret)
{
	int error = errno;
	char text[16] = {};

	/* What is left may be the copy of this very text. */
	f->has_failed = pread(f->fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	fail_nth_write(f->fd, 0);
	if (ret >= 0)
		return true;

	f->nr_errors++;
	TEST_ASSERT(f->has_failed, "%s: errno %d without a fault", f->what, error);
	TEST_ASSERT(error == ENOMEM || error == EFAULT || error == f->other,
		    "%s: errno %d for fault %u", f->what, error, f->nth);
	return false;
}

#endif
