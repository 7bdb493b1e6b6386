/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything at once, for as long as it is wanted: threads of VMs' own set and run vCPUs, others ask
 * what VMs can have and read debugfs, while VMs come and go.  The kernel is what is tested: one with
 * KASAN, lockdep and the like.
 */
#ifndef SELFTEST_KVM_GUEST_CAPS_SOAK_H
#define SELFTEST_KVM_GUEST_CAPS_SOAK_H

#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#include "guest_caps.h"
#include "kvm_util.h"
#include "test_util.h"

#define SOAK_VCPUS	2
#define SOAK_VM_MS	150

static __thread u64 soak_seed;
static bool soak_vm_ends, soak_ends;
static struct {
	u64 vms, vcpu_calls, vm_calls, reads;
} soak_count;

/* What an architecture has. */
static struct kvm_vm *soak_create_vm(struct kvm_vcpu *vcpus[SOAK_VCPUS]);
static void soak_vcpu(struct kvm_vcpu *vcpu);
static void soak_vm(struct kvm_vm *vm);
static const char *const soak_files[];
static const int soak_nr_files;

static u64 soak_any(void)
{
	soak_seed ^= soak_seed << 13;
	soak_seed ^= soak_seed >> 7;
	soak_seed ^= soak_seed << 17;
	return soak_seed * 0x2545f4914f6cdd1dull;
}

static u32 soak_below(u32 limit)
{
	return (soak_any() >> 32) % limit;
}

static u64 soak_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

#define soak_thread(name, type, step, end, count)			\
static void *name(void *of)						\
{									\
	soak_seed = ((u64)of ^ soak_now_ms() << 20) | 1;		\
	while (!READ_ONCE(end)) {					\
		step((type *)of);					\
		__atomic_fetch_add(&soak_count.count, 1, __ATOMIC_RELAXED);	\
	}								\
	return NULL;							\
}

/* A file of whichever VM has that number now, if any; now and then it is kept open for a while. */
static void soak_read(void *unused)
{
	static __thread int kept = -1;
	char path[128], text[512];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%u/%s", getpid(), soak_below(40),
		 soak_files[soak_below(soak_nr_files)]);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return;
	for (int i = 0; i < 8 && read(fd, text, sizeof(text)) > 0; i++)
		;
	if (soak_below(4)) {
		close(fd);
		return;
	}
	if (kept >= 0) {
		while (read(kept, text, sizeof(text)) > 0)
			;
		close(kept);
	}
	kept = fd;
}

soak_thread(soak_vcpu_thread, struct kvm_vcpu, soak_vcpu, soak_vm_ends, vcpu_calls)
soak_thread(soak_vm_thread, struct kvm_vm, soak_vm, soak_vm_ends, vm_calls)
soak_thread(soak_read_thread, void, soak_read, soak_ends, reads)

static void *soak_vms_thread(void *number)
{
	soak_seed = (u64)number << 32 | soak_now_ms() | 1;
	while (!READ_ONCE(soak_ends)) {
		struct kvm_vcpu *vcpus[SOAK_VCPUS];
		pthread_t threads[SOAK_VCPUS + 1];
		struct kvm_vm *vm = soak_create_vm(vcpus);
		int nr = 0;

		WRITE_ONCE(soak_vm_ends, false);
		for (; nr < SOAK_VCPUS; nr++)
			pthread_create(&threads[nr], NULL, soak_vcpu_thread, vcpus[nr]);
		pthread_create(&threads[nr++], NULL, soak_vm_thread, vm);
		usleep(soak_below(SOAK_VM_MS * 1000));
		WRITE_ONCE(soak_vm_ends, true);
		while (nr)
			pthread_join(threads[--nr], NULL);
		kvm_vm_free(vm);
		soak_count.vms++;
	}
	return NULL;
}

/* usage: PROGRAM SECONDS */
static int soak_main(int argc, char **argv)
{
	u64 seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 10;
	u64 end = soak_now_ms() + seconds * 1000;
	/* Nobody unloads the module meanwhile. */
	int kvm = open_kvm_dev_path_or_exit();
	pthread_t vms, readers[2];

	pthread_create(&vms, NULL, soak_vms_thread, NULL);
	for (int i = 0; i < ARRAY_SIZE(readers); i++)
		pthread_create(&readers[i], NULL, soak_read_thread, (void *)(long)(i + 1));
	while (soak_now_ms() < end)
		usleep(100000);
	WRITE_ONCE(soak_ends, true);
	pthread_join(vms, NULL);
	for (int i = 0; i < ARRAY_SIZE(readers); i++)
		pthread_join(readers[i], NULL);
	printf("soak: %llu VMs, %llu calls of vCPUs, %llu of VMs, %llu reads of debugfs\n",
	       (unsigned long long)soak_count.vms, (unsigned long long)soak_count.vcpu_calls,
	       (unsigned long long)soak_count.vm_calls, (unsigned long long)soak_count.reads);
	TEST_ASSERT(soak_count.vms && soak_count.vcpu_calls && soak_count.vm_calls && soak_count.reads,
		    "some did nothing");
	close(kvm);
	return 0;
}

#endif
