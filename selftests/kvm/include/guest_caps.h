/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM_GUEST_CAPS, and the requests that all architectures refuse alike.
 */
#ifndef SELFTEST_KVM_GUEST_CAPS_H
#define SELFTEST_KVM_GUEST_CAPS_H

#include "kvm_util.h"

/* What no record begins with. */
#define GUARD		0x5a

/* As many records as there is room for; *nr is then how many there are. */
static inline int guest_caps_query(int fd, u32 op, const void *asked, u32 nr_asked,
				   struct kvm_guest_cap *caps, u32 *nr)
{
	struct kvm_guest_caps query = {
		.op = op,
		.asked = (u64)asked,
		.caps = (u64)caps,
		.nr_asked = nr_asked,
		.nr_caps = *nr,
		.cap_size = sizeof(*caps),
	};
	int ret = ioctl(fd, KVM_GUEST_CAPS, &query);

	*nr = query.nr_caps;
	return ret;
}

/* All records, of which there are at most @max. */
static inline u32 guest_caps_query_all(int fd, u32 op, const void *asked, u32 nr_asked,
				       struct kvm_guest_cap *caps, u32 max)
{
	u32 nr = max;

	TEST_ASSERT(!guest_caps_query(fd, op, asked, nr_asked, caps, &nr),
		    "KVM_GUEST_CAPS %u: %s", op, strerror(errno));
	return nr;
}

static inline void guest_caps_expect(const char *what, int error, int fd,
				     struct kvm_guest_caps query)
{
	int ret = ioctl(fd, KVM_GUEST_CAPS, &query);

	TEST_ASSERT(ret ? errno == error : !error, "%s: errno %d, not %d", what, ret ? errno : 0,
		    error);
}

/* @good is a check, of a VM, with room for all records of fields of up to @width bits, and one. */
static inline void guest_caps_test_requests(int vm_fd, int vcpu_fd, struct kvm_guest_caps good,
					    u32 width)
{
	struct kvm_guest_cap *caps = (void *)good.caps;
	size_t size = (good.nr_caps + 1) * sizeof(*caps);
	struct kvm_guest_caps q;
	u32 all, nr;

	TEST_ASSERT_EQ(kvm_check_cap(KVM_CAP_GUEST_CAPS), BIT(KVM_GUEST_CAPS_LIST) |
		       BIT(KVM_GUEST_CAPS_CHECK) | BIT(KVM_GUEST_CAPS_READ));
	guest_caps_expect("nothing wrong", 0, vm_fd, good);
	guest_caps_expect("a check of a vCPU", EINVAL, vcpu_fd, good);
#define WITH(what, error, field, val) \
	do { q = good; q.field = val; guest_caps_expect(what, error, vm_fd, q); } while (0)
	WITH("nothing asked", 0, nr_asked, 0);
	WITH("no such operation", EINVAL, op, KVM_GUEST_CAPS_READ + 1);
	WITH("reading a VM", EINVAL, op, KVM_GUEST_CAPS_READ);
	WITH("a list of what is asked", EINVAL, op, KVM_GUEST_CAPS_LIST);
	WITH("flags", EINVAL, flags, 1);
	WITH("reserved words", EINVAL, reserved[8], 1);
	WITH("short records", EINVAL, cap_size, KVM_GUEST_CAP_SIZE_VER0 - 1);
	WITH("records of the first version", 0, cap_size, KVM_GUEST_CAP_SIZE_VER0);
	WITH("long records", EINVAL, cap_size, getpagesize() + 1);
	WITH("too many", EINVAL, nr_asked, KVM_GUEST_CAPS_MAX_ASKED + 1);
	WITH("far too many", EINVAL, nr_asked, -1);
	WITH("beyond memory", EFAULT, asked, -4096UL);
	WITH("what is asked is nowhere", EFAULT, asked, 0);
#undef WITH
	q = (struct kvm_guest_caps) { .cap_size = sizeof(*caps), .nr_caps = 1 };
	guest_caps_expect("records nowhere", EFAULT, vm_fd, q);
	q.op = KVM_GUEST_CAPS_READ;
	guest_caps_expect("what is read goes nowhere", EFAULT, vcpu_fd, q);
	q.asked = good.asked;
	guest_caps_expect("reading what is asked", EINVAL, vcpu_fd, q);
	TEST_ASSERT(ioctl(vm_fd, KVM_GUEST_CAPS, NULL) && errno == EFAULT, "no request");

	/* As many as there is room for, and no more; the rest is counted. */
	all = guest_caps_query_all(vm_fd, KVM_GUEST_CAPS_LIST, NULL, 0, caps, good.nr_caps);
	for (u32 room = 0; room < all; room += 101) {
		memset(caps, GUARD, size);
		nr = room;
		TEST_ASSERT(guest_caps_query(vm_fd, KVM_GUEST_CAPS_LIST, NULL, 0, caps, &nr) &&
			    errno == E2BIG, "room for %u", room);
		TEST_ASSERT_EQ(nr, all);
		TEST_ASSERT(*(u8 *)&caps[room] == GUARD, "more than %u records", room);
		TEST_ASSERT(!room || (caps[room - 1].width && caps[room - 1].width <= width),
			    "less than %u records", room);
	}

	/* What a later kernel might add reads as zero. */
	q = good;
	q.op = KVM_GUEST_CAPS_LIST;
	q.asked = 0;
	q.nr_asked = 0;
	q.cap_size = 2 * sizeof(*caps);
	q.nr_caps = 2;
	memset(caps, GUARD, size);
	guest_caps_expect("larger records", E2BIG, vm_fd, q);
	for (u32 n = 0; n < 4; n += 2)
		TEST_ASSERT(caps[n].width && !caps[n + 1].width && !caps[n + 1].id,
			    "larger records are not filled");
	TEST_ASSERT(*(u8 *)&caps[4] == GUARD, "more than two larger records");
}

#endif
