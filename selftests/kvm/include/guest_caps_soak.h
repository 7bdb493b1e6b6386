/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything at once, for as long as it is wanted: threads of VMs' own set and run vCPUs, others
 * ask what VMs can have and read debugfs, while VMs come and go.  The kernel is what is tested:
 * one with KASAN, lockdep and the like.
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
/* Debugfs has VMs by the thread that created them. */
static pid_t soak_creator;
static struct {
	u64 vms, vcpu_calls, vm_calls, reads;
} soak_count;

/* What an architecture has. */
static struct kvm_vm *soak_create_vm(struct kvm_vcpu *vcpus[SOAK_VCPUS]);
static bool soak_vcpu(void *vcpu);
static bool soak_vm(void *vm);
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

/* A thread does the same again and again, to what it is about, and counts where that was done. */
struct soak_thread {
	pthread_t thread;
	bool (*step)(void *of);
	void *of;
	bool *end;
	u64 *count;
};

static void *soak_run(void *arg)
{
	struct soak_thread *t = arg;

	soak_seed = ((u64)t ^ soak_now_ms() << 20) | 1;
	while (!READ_ONCE(*t->end)) {
		if (t->step(t->of))
			__atomic_fetch_add(t->count, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void soak_start(struct soak_thread *t)
{
	TEST_ASSERT(!pthread_create(&t->thread, NULL, soak_run, t), "pthread_create");
}

/* A file of whichever VM has that number now, if any; now and then it is kept open for a while. */
static bool soak_read(void *unused)
{
	static __thread int kept = -1;
	char path[128], text[512];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%u/%s", READ_ONCE(soak_creator),
		 soak_below(40), soak_files[soak_below(soak_nr_files)]);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	for (int i = 0; i < 8 && read(fd, text, sizeof(text)) > 0; i++)
		;
	if (soak_below(4)) {
		close(fd);
		return true;
	}
	if (kept >= 0) {
		while (read(kept, text, sizeof(text)) > 0)
			;
		close(kept);
	}
	kept = fd;
	return true;
}

/* A VM, from its beginning to its end. */
static bool soak_vms(void *unused)
{
	struct soak_thread threads[SOAK_VCPUS + 1];
	struct kvm_vcpu *vcpus[SOAK_VCPUS];
	struct kvm_vm *vm = soak_create_vm(vcpus);

	WRITE_ONCE(soak_creator, gettid());
	WRITE_ONCE(soak_vm_ends, false);
	for (int i = 0; i <= SOAK_VCPUS; i++) {
		bool is_vcpu = i < SOAK_VCPUS;

		threads[i] = (struct soak_thread) {
			.step = is_vcpu ? soak_vcpu : soak_vm,
			.of = is_vcpu ? (void *)vcpus[i] : (void *)vm,
			.end = &soak_vm_ends,
			.count = is_vcpu ? &soak_count.vcpu_calls : &soak_count.vm_calls,
		};
		soak_start(&threads[i]);
	}
	usleep(soak_below(SOAK_VM_MS * 1000));
	WRITE_ONCE(soak_vm_ends, true);
	for (int i = 0; i <= SOAK_VCPUS; i++)
		pthread_join(threads[i].thread, NULL);
	kvm_vm_free(vm);
	return true;
}

/* usage: PROGRAM SECONDS */
static int soak_main(int argc, char **argv)
{
	struct soak_thread vms = {
		.step = soak_vms, .end = &soak_ends, .count = &soak_count.vms,
	}, reader = {
		.step = soak_read, .end = &soak_ends, .count = &soak_count.reads,
	}, readers[2] = { reader, reader };
	/* Nobody unloads the module meanwhile. */
	int kvm = open_kvm_dev_path_or_exit();

	soak_start(&vms);
	soak_start(&readers[0]);
	soak_start(&readers[1]);
	sleep(argc > 1 ? atoi(argv[1]) : 10);
	WRITE_ONCE(soak_ends, true);
	pthread_join(vms.thread, NULL);
	pthread_join(readers[0].thread, NULL);
	pthread_join(readers[1].thread, NULL);
	close(kvm);

	printf("soak: %llu VMs, %llu calls of vCPUs, %llu of VMs, %llu reads of debugfs\n",
	       (unsigned long long)soak_count.vms, (unsigned long long)soak_count.vcpu_calls,
	       (unsigned long long)soak_count.vm_calls, (unsigned long long)soak_count.reads);
	TEST_ASSERT(soak_count.vms && soak_count.vcpu_calls, "VMs did nothing");
	TEST_ASSERT(soak_count.vm_calls && soak_count.reads, "nobody asked");
	return 0;
}

#endif
