// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_GUEST_CAPS, as far as all architectures that have it do the same.
 */
#include <linux/kvm_host.h>
#include <linux/uaccess.h>

/* Copy records while there is room, and count them all. */
int kvm_put_guest_caps(struct kvm_guest_caps_query *query, const struct kvm_guest_cap *caps,
		       unsigned int nr)
{
	const struct kvm_guest_caps *args = &query->args;

	for (unsigned int i = 0; i < nr; i++, query->nr++) {
		void __user *to = u64_to_user_ptr(args->caps) +
				  (size_t)query->nr * args->cap_size;

		if (query->nr < args->nr_caps &&
		    copy_struct_to_user(to, args->cap_size, caps + i, sizeof(*caps), NULL))
			return -EFAULT;
	}
	return 0;
}

/* Of a VM, or of @vcpu. */
int kvm_guest_caps(struct kvm *kvm, struct kvm_vcpu *vcpu, struct kvm_guest_caps __user *uargs)
{
	struct kvm_guest_caps_query query = {};
	const struct kvm_guest_caps *args = &query.args;
	int ret;

	BUILD_BUG_ON(sizeof(struct kvm_guest_cap) != KVM_GUEST_CAP_SIZE_VER0);

	if (copy_from_user(&query.args, uargs, sizeof(*args)))
		return -EFAULT;
	if (vcpu ? args->op != KVM_GUEST_CAPS_READ : args->op >= KVM_GUEST_CAPS_READ)
		return -EINVAL;
	if (args->flags || memchr_inv(args->reserved, 0, sizeof(args->reserved)) ||
	    args->cap_size < KVM_GUEST_CAP_SIZE_VER0 || args->cap_size > PAGE_SIZE ||
	    args->nr_asked > KVM_GUEST_CAPS_MAX_ASKED)
		return -EINVAL;
	if (args->op != KVM_GUEST_CAPS_CHECK && (args->nr_asked || args->asked))
		return -EINVAL;

	ret = kvm_arch_guest_caps(kvm, vcpu, &query);
	if (ret)
		return ret;
	if (put_user(query.nr, &uargs->nr_caps))
		return -EFAULT;
	return query.nr > args->nr_caps ? -E2BIG : 0;
}
