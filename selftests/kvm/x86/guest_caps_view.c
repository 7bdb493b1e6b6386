// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print what the vCPUs of running VMs may use, and why not all that guest CPUID
 * asks for, by KVM's files in debugfs.
 *
 * usage: guest_caps_view [-a] [PID]
 *
 * Shows the VMs of process PID or, without PID, one of its own that asks for
 * features which many hosts lack.  -a shows all features, and not only those
 * that aren't plainly there.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm_util.h"
#include "processor.h"

#define DEBUGFS_KVM	"/sys/kernel/debug/kvm"
#define MAX_NAMES	512

/* A list of names for the summary. */
struct names {
	int nr;
	char text[MAX_NAMES];
};

static void add_name(struct names *names, const char *name)
{
	size_t used = strlen(names->text);

	names->nr++;
	if (strcmp(name, "-"))
		snprintf(names->text + used, sizeof(names->text) - used, " %s", name);
}

static void print_names(const char *what, const struct names *names)
{
	if (names->nr)
		printf("  %-34s %3d %s\n", what, names->nr, names->text);
}

static void show_vcpu(const char *path, const char *title, bool all)
{
	struct names host = {}, denied = {}, unknown = {}, runtime = {}, more = {}, less = {};
	int word, bit, has, asks, may, asked = 0, usable = 0;
	char line[256], cpuid[64], place[8], name[64], why[32];
	FILE *f = fopen(path, "r");

	if (!f) {
		printf("%s: %s: %s\n", title, path, strerror(errno));
		exit(KSFT_SKIP);
	}

	printf("%s\n\n", title);
	while (fgets(line, sizeof(line), f)) {
		if (!isdigit(line[strspn(line, " ")])) {
			printf("  %s", line);
			continue;
		}
		if (sscanf(line, "%d %d %31s %63s %d %d %d %31s", &word, &bit, cpuid, name,
			   &has, &asks, &may, why) != 8) {
			printf("cannot read: %s", line);
			exit(KSFT_FAIL);
		}

		snprintf(place, sizeof(place), "[%d]", bit);
		asked += asks;
		usable += may;
		if (all || strcmp(why, "-"))
			printf("  %s", line);
		if (!strcmp(why, "host") || !strcmp(why, "kernel") || !strcmp(why, "kvm"))
			add_name(&host, name);
		else if (!strcmp(why, "denied"))
			add_name(&denied, name);
		else if (!strcmp(why, "unknown"))
			add_name(&unknown, strcmp(name, "-") ? name : strcat(cpuid, place));
		else if (!strcmp(why, "runtime"))
			add_name(&runtime, name);
		else if (strcmp(why, "-"))
			add_name(may ? &more : &less, name);
	}
	fclose(f);

	printf("\n  Guest CPUID asks for %d features, the vCPU may use %d.\n", asked, usable);
	print_names("KVM doesn't have here:", &host);
	print_names("KVM gives to nobody:", &denied);
	print_names("No feature of the kernel's:", &unknown);
	print_names("The vCPU's state decides:", &runtime);
	print_names("Granted by an opt-out:", &more);
	print_names("Denied by an opt-out:", &less);
	printf("\n");
}

static int show_process(int pid, bool all)
{
	char prefix[16], path[600], title[600];
	struct dirent *vm, *vcpu;
	int shown = 0;
	DIR *vms, *vcpus;

	vms = opendir(DEBUGFS_KVM);
	if (!vms) {
		printf(DEBUGFS_KVM ": %s; is debugfs mounted?\n", strerror(errno));
		return KSFT_SKIP;
	}

	snprintf(prefix, sizeof(prefix), "%d-", pid);
	while ((vm = readdir(vms))) {
		if (strncmp(vm->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, sizeof(path), DEBUGFS_KVM "/%s", vm->d_name);
		vcpus = opendir(path);
		while (vcpus && (vcpu = readdir(vcpus))) {
			if (strncmp(vcpu->d_name, "vcpu", 4))
				continue;
			snprintf(title, sizeof(title), "VM %s, %s", vm->d_name, vcpu->d_name);
			snprintf(path, sizeof(path), DEBUGFS_KVM "/%s/%s/guest_caps", vm->d_name,
				 vcpu->d_name);
			show_vcpu(path, title, all);
			shown++;
		}
		if (vcpus)
			closedir(vcpus);
	}
	closedir(vms);

	if (!shown)
		printf("Process %d has no VM with a vCPU.\n", pid);
	return shown ? KSFT_PASS : KSFT_FAIL;
}

/* As userspace does with a CPU model that is newer than the host. */
static void set_cpuid_of_another_host(struct kvm_vcpu *vcpu)
{
	const struct {
		u32 function;
		u32 ecx, ebx, edx;
	} wanted[] = {
		/* DSCPL, SMX: not for guests. MONITOR, MOVBE, FMA, AVX, F16C, RDRAND. */
		{ 1, .ecx = BIT(3) | BIT(4) | BIT(6) | BIT(12) | BIT(22) | BIT(28) | BIT(29) |
			    BIT(30) },
		/* AVX512F, AVX512BW, SHA_NI; PKU, LA57, RDPID; SERIALIZE, AMX_TILE. */
		{ 7, .ebx = BIT(16) | BIT(29) | BIT(30), .ecx = BIT(3) | BIT(16) | BIT(22),
		     .edx = BIT(14) | BIT(24) },
	};
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(100);
	const struct kvm_cpuid2 *supported = kvm_get_supported_cpuid();
	struct kvm_cpuid_entry2 *e;
	int i, j;

	TEST_ASSERT(supported->nent <= 100, "%u entries", supported->nent);
	memcpy(cpuid, supported, kvm_cpuid2_size(supported->nent));
	for (i = 0; i < cpuid->nent; i++) {
		e = &cpuid->entries[i];
		for (j = 0; j < ARRAY_SIZE(wanted); j++) {
			if (e->function != wanted[j].function || e->index)
				continue;
			e->ebx |= wanted[j].ebx;
			e->ecx |= wanted[j].ecx;
			e->edx |= wanted[j].edx;
		}
	}
	vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

int main(int argc, char *argv[])
{
	bool all = false;
	int opt;

	while ((opt = getopt(argc, argv, "a")) != -1) {
		if (opt != 'a') {
			fprintf(stderr, "usage: %s [-a] [PID]\n", argv[0]);
			return KSFT_FAIL;
		}
		all = true;
	}
	if (optind < argc)
		return show_process(atoi(argv[optind]), all);

	set_cpuid_of_another_host(__vm_vcpu_add(vm_create_barebones(), 0));
	return show_process(getpid(), all);
}
