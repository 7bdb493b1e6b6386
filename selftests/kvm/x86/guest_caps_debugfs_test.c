// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test what KVM tells of a vCPU's capabilities: the file guest_caps in debugfs,
 * the tracepoint kvm_guest_cap_denied, and that both stand up to vCPUs that come,
 * go, and change.
 */
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm_test_harness.h"
#include "kvm_util.h"
#include "processor.h"

#define DEBUGFS_KVM	"/sys/kernel/debug/kvm"
#define TRACING		"/sys/kernel/tracing"
#define EVENT_NAME	"kvm_guest_cap_denied"
#define EVENT		TRACING "/events/kvm/" EVENT_NAME
#define HEADER		"word bit cpuid            name                host guest effective why\n"
#define MAX_LINES	800

struct line {
	unsigned int word, bit, function, index;
	unsigned int host, guest, effective;
	char reg[4], name[32], why[32];
};

struct table {
	int nr;
	struct line line[MAX_LINES];
};

static void get_path(char *path, size_t size, struct kvm_vcpu *vcpu)
{
	snprintf(path, size, DEBUGFS_KVM "/%d-%d/vcpu%d/guest_caps", getpid(), vcpu->vm->fd,
		 vcpu->id);
}

static struct table *read_table(struct kvm_vcpu *vcpu)
{
	struct table *table = calloc(1, sizeof(*table));
	char path[128], text[256];
	struct line *line;
	int end, n;
	FILE *f;

	get_path(path, sizeof(path), vcpu);
	f = fopen(path, "r");
	TEST_ASSERT(f, "%s: %s", path, strerror(errno));
	TEST_ASSERT(fgets(text, sizeof(text), f) && !strcmp(text, HEADER), "header: %s", text);

	while (fgets(text, sizeof(text), f)) {
		TEST_ASSERT(table->nr < MAX_LINES, "too many lines");
		line = &table->line[table->nr++];
		end = 0;
		n = sscanf(text, "%u %u 0x%x.%u:%3s %31s %u %u %u %31s%n", &line->word,
			   &line->bit, &line->function, &line->index, line->reg, line->name,
			   &line->host, &line->guest, &line->effective, line->why, &end);
		/* What is denied says why, for people. */
		TEST_ASSERT(n == 10 && (!strcmp(line->why, "denied") ? strlen(text + end) > 10 :
				       !strcmp(text + end, "\n")), "cannot read: %s", text);
		TEST_ASSERT(line->bit < 32 && line->host < 2 && line->guest < 2 &&
			    line->effective < 2, "out of range: %s", text);
		TEST_ASSERT(line->guest || line->effective, "nothing to say: %s", text);
		/* In order, and each feature once. */
		if (table->nr > 1)
			TEST_ASSERT(line->word * 32 + line->bit >
				    line[-1].word * 32 + line[-1].bit, "out of order: %s", text);
	}
	fclose(f);
	return table;
}

static const struct line *find(const struct table *table, struct kvm_x86_cpu_feature feature)
{
	static const char * const regs[] = { "eax", "ebx", "ecx", "edx" };
	const struct line *line;

	for (line = table->line; line < &table->line[table->nr]; line++) {
		if (line->function == feature.function && line->index == feature.index &&
		    !strcmp(line->reg, regs[feature.reg]) && line->bit == feature.bit)
			return line;
	}
	return NULL;
}

static void check(const struct table *table, struct kvm_x86_cpu_feature feature, const char *name,
		  bool effective, const char *why)
{
	const struct line *line = find(table, feature);

	TEST_ASSERT(line, "no line for %s", name);
	TEST_ASSERT(!strcmp(line->name, name) && line->effective == effective &&
		    !strcmp(line->why, why), "%s is %s, %u because of %s; wanted %u, %s", name,
		    line->name, line->effective, line->why, effective, why);
}

/* Guest CPUID with every bit set in each register that has features, XSAVE's leaf aside. */
static void ask_for_everything(struct kvm_vcpu *vcpu)
{
	const struct {
		u32 function, index;
		bool eax, ebx, ecx, edx;
	} leaves[] = {
		{ 1, 0, .ecx = true, .edx = true },
		{ 7, 0, .ebx = true, .ecx = true, .edx = true },
		{ 7, 1, .eax = true, .ecx = true, .edx = true },
		{ 7, 2, .edx = true },
		{ 0x80000001, 0, .ecx = true, .edx = true },
		{ 0x8000000a, 0, .edx = true },
		{ 0x80000021, 0, .eax = true, .ecx = true },
	};
	struct kvm_cpuid2 *cpuid = allocate_kvm_cpuid2(ARRAY_SIZE(leaves));
	int i;

	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		cpuid->entries[i] = (struct kvm_cpuid_entry2) {
			.function = leaves[i].function,
			.index = leaves[i].index,
			.flags = leaves[i].function == 7 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = leaves[i].eax ? ~0u : 0,
			.ebx = leaves[i].ebx ? ~0u : 0,
			.ecx = leaves[i].ecx ? ~0u : 0,
			.edx = leaves[i].edx ? ~0u : 0,
		};
	}
	vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

FIXTURE(view) {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
};

FIXTURE_SETUP(view) {
	self->vm = vm_create_barebones();
	self->vcpu = __vm_vcpu_add(self->vm, 0);
}

FIXTURE_TEARDOWN(view) {
	kvm_vm_free(self->vm);
}

#define X86_FEATURE_XMM3	KVM_X86_CPU_FEATURE(1, 0, ECX, 0)
#define X86_FEATURE_DSCPL	KVM_X86_CPU_FEATURE(1, 0, ECX, 4)
#define X86_FEATURE_NAMELESS	KVM_X86_CPU_FEATURE(1, 0, ECX, 16)
/* No features of the kernel's, whose names are cpuid.csv's. */
#define X86_FEATURE_KEY_LOCKER	KVM_X86_CPU_FEATURE(7, 0, ECX, 23)
#define X86_FEATURE_EPSF	KVM_X86_CPU_FEATURE(0x80000021, 0, EAX, 18)

TEST_F(view, everything)
{
	const bool has_rdtscp = kvm_cpu_has(X86_FEATURE_RDTSCP);
	const struct line *line;
	struct table *table;

	ask_for_everything(self->vcpu);
	table = read_table(self->vcpu);

	check(table, X86_FEATURE_XMM3, "XMM3", true, "-");
	check(table, X86_FEATURE_DSCPL, "DSCPL", false, "denied");
	check(table, X86_FEATURE_NAMELESS, "-", false, "unknown");
	check(table, X86_FEATURE_KEY_LOCKER, "KEY_LOCKER", false, "unknown");
	check(table, X86_FEATURE_EPSF, "EPSF", false, "unknown");
	check(table, X86_FEATURE_MWAIT, "MWAIT", true, "any:hidden");
	check(table, X86_FEATURE_MOVBE, "MOVBE", true,
	      kvm_cpu_has(X86_FEATURE_MOVBE) ? "-" : "any:advertised");
	check(table, X86_FEATURE_RDPID, "RDPID", has_rdtscp || kvm_cpu_has(X86_FEATURE_RDPID),
	      kvm_cpu_has(X86_FEATURE_RDPID) ? "-" : has_rdtscp ? "any:advertised" : "host");
	check(table, X86_FEATURE_LA57, "LA57", kvm_cpu_has(X86_FEATURE_LA57),
	      kvm_cpu_has(X86_FEATURE_LA57) ? "-" : "host");

	/* Each line is as good as KVM_GET_SUPPORTED_CPUID, but for what a vCPU's state decides. */
	for (line = table->line; line < &table->line[table->nr]; line++) {
		const bool plain = !strcmp(line->why, "-");
		const struct kvm_cpuid_entry2 *e;
		bool reported = false;
		u32 reg = 0;
		int i;

		for (i = 0; i < kvm_get_supported_cpuid()->nent; i++) {
			e = &kvm_get_supported_cpuid()->entries[i];
			if (e->function != line->function || e->index != line->index)
				continue;
			/* The second letter tells them apart. */
			reg = (&e->eax)[line->reg[1] - 'a'];
			reported = true;
		}
		/* KVM may support a feature of a leaf that is behind the host's last. */
		TEST_ASSERT(!reported || line->host == (reg >> line->bit & 1), "%s: host is %u",
			    line->name, line->host);
		TEST_ASSERT(plain == (line->effective == (line->host && line->guest) &&
				      line->effective == line->guest),
			    "%s: reason %s", line->name, line->why);
		if (!strcmp(line->why, "host") || !strcmp(line->why, "kernel") ||
		    !strcmp(line->why, "kvm") || !strcmp(line->why, "denied") ||
		    !strcmp(line->why, "unknown"))
			TEST_ASSERT(line->guest && !line->host && !line->effective, "%s: %s",
				    line->name, line->why);
	}
	free(table);
}

TEST_F(view, nothing)
{
	struct table *table = read_table(self->vcpu);
	const struct line *line;

	/* But for what the vCPU has whatever guest CPUID says. */
	for (line = table->line; line < &table->line[table->nr]; line++)
		TEST_ASSERT(!line->guest && strstr(line->why, ":exactly"), "%s: %s", line->name,
			    line->why);
	free(table);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	TEST_ASSERT(fd >= 0 && write(fd, text, strlen(text)) == strlen(text), "%s: %s", path,
		    strerror(errno));
	close(fd);
}

TEST_F(view, tracepoint)
{
	unsigned int vcpu, word, bit;
	char text[512], name[32], why[32];
	int i, seen = 0, massaged = 0;
	struct table *table;
	FILE *f;

	if (access(EVENT, F_OK))
		SKIP(return, EVENT ": no such event");

	write_file(TRACING "/trace", "");
	write_file(EVENT "/enable", "1");
	ask_for_everything(self->vcpu);
	write_file(EVENT "/enable", "0");
	/* Nobody asked. */
	ask_for_everything(self->vcpu);

	table = read_table(self->vcpu);
	f = fopen(TRACING "/trace", "r");
	TEST_ASSERT(f, TRACING "/trace: %s", strerror(errno));
	for (i = 0; i < table->nr; i++) {
		const struct line *line = &table->line[i];
		const char *event;

		if (line->effective)
			continue;
		/*
		 * The same features, in the same order, for the same reasons, and between them
		 * those that KVM took out of guest CPUID, as the vCPU's state has it.
		 */
		do {
			event = NULL;
			while (!event && fgets(text, sizeof(text), f))
				event = strstr(text, EVENT_NAME ": ");
			TEST_ASSERT(event, "no event for %s", line->name);
			event += strlen(EVENT_NAME ": ");
			TEST_ASSERT(sscanf(event,
					   "vcpu %u word %u bit %u name %31s reason %31s",
					   &vcpu, &word, &bit, name, why) == 5,
				    "cannot read: %s", event);
			if (!strcmp(name, "OSXSAVE") || !strcmp(name, "OSPKE")) {
				TEST_ASSERT(!strcmp(why, "runtime"), "%s: %s", name, why);
				massaged++;
				continue;
			}
			break;
		} while (true);
		TEST_ASSERT(vcpu == self->vcpu->id && word == line->word && bit == line->bit &&
			    !strcmp(name, line->name) && !strcmp(why, line->why),
			    "wanted %s for %s, got: %s", line->why, line->name, event);
		seen++;
	}
	TEST_ASSERT(seen, "everything is allowed");
	TEST_ASSERT(massaged == 2, "%d of OSXSAVE and OSPKE, which userspace asked for", massaged);
	while (fgets(text, sizeof(text), f))
		TEST_ASSERT(!strstr(text, EVENT_NAME ": "), "one too many: %s", text);
	fclose(f);
	free(table);
}

/* A file that was opened while the VM lived. */
TEST_F(view, outlives_the_vm)
{
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_vcpu *vcpu = __vm_vcpu_add(vm, 0);
	char path[128], text[16];
	int fd;

	get_path(path, sizeof(path), vcpu);
	fd = open(path, O_RDONLY);
	TEST_ASSERT(fd >= 0, "%s: %s", path, strerror(errno));
	kvm_vm_free(vm);
	TEST_ASSERT(read(fd, text, sizeof(text)) < 0, "read from a VM that is gone");
	close(fd);
}

#define ROUNDS	50

static void *read_all(void *done)
{
	char text[1024];
	glob_t files;
	size_t i;
	int fd;

	while (!READ_ONCE(*(bool *)done)) {
		if (glob(DEBUGFS_KVM "/*/vcpu*/guest_caps", 0, NULL, &files))
			continue;
		/* They may be gone when they are opened, or read. */
		for (i = 0; i < files.gl_pathc; i++) {
			fd = open(files.gl_pathv[i], O_RDONLY);
			while (fd >= 0 && read(fd, text, sizeof(text)) > 0)
				;
			close(fd);
		}
		globfree(&files);
	}
	return NULL;
}

struct racer {
	struct kvm_vcpu *vcpu;
	bool done;
};

/* As much of the time as possible is spent on the copy of the entries. */
static void *read_one(void *arg)
{
	struct racer *racer = arg;
	char path[128], text[64];
	int fd;

	get_path(path, sizeof(path), racer->vcpu);
	fd = open(path, O_RDONLY);
	TEST_ASSERT(fd >= 0, "%s: %s", path, strerror(errno));
	while (!READ_ONCE(racer->done))
		TEST_ASSERT(pread(fd, text, sizeof(text), 0) > 0, "%s: %s", path, strerror(errno));
	close(fd);
	return NULL;
}

static void *set_all(void *arg)
{
	struct kvm_cpuid2 *none = allocate_kvm_cpuid2(0), *full = allocate_kvm_cpuid2(256);
	struct kvm_vcpu *vcpu = arg;
	int i;

	/* Nothing that a vCPU could use, so that there is little to print. */
	for (i = 0; i < full->nent; i++)
		full->entries[i].function = 0x10000000 + i;

	for (i = 0; i < 100 * ROUNDS; i++) {
		vcpu_ioctl(vcpu, KVM_SET_CPUID2, full);
		vcpu_ioctl(vcpu, KVM_SET_CPUID2, none);
	}
	free(full);
	free(none);
	return NULL;
}

/* For KASAN and lockdep to look at: readers, a writer, and VMs that come and go. */
TEST_F_TIMEOUT(view, races, 200)
{
	struct racer racer = { .vcpu = self->vcpu };
	pthread_t all, one, writer;
	int i;

	TEST_ASSERT_EQ(pthread_create(&one, NULL, read_one, &racer), 0);
	TEST_ASSERT_EQ(pthread_create(&writer, NULL, set_all, self->vcpu), 0);
	pthread_join(writer, NULL);

	TEST_ASSERT_EQ(pthread_create(&all, NULL, read_all, &racer.done), 0);
	for (i = 0; i < ROUNDS; i++) {
		struct kvm_vm *vm = vm_create_barebones();

		ask_for_everything(__vm_vcpu_add(vm, 0));
		kvm_vm_free(vm);
	}
	WRITE_ONCE(racer.done, true);
	pthread_join(all, NULL);
	pthread_join(one, NULL);
}

static void toggle_osxsave(void)
{
	u32 eax, ebx, ecx, edx;
	int i;

	for (i = 0; i < 100 * ROUNDS; i++) {
		set_cr4(get_cr4() ^ X86_CR4_OSXSAVE);
		cpuid(1, &eax, &ebx, &ecx, &edx);
	}
	GUEST_DONE();
}

/*
 * For KCSAN: as the guest executes CPUID, KVM writes to guest CPUID and to what
 * the vCPU may use.
 */
TEST_F(view, runtime_races)
{
	struct racer racer = {};
	struct kvm_vm *vm;
	struct ucall uc;
	pthread_t one;

	if (!kvm_cpu_has(X86_FEATURE_XSAVE))
		SKIP(return, "no CR4.OSXSAVE");

	vm = vm_create_with_one_vcpu(&racer.vcpu, toggle_osxsave);
	TEST_ASSERT_EQ(pthread_create(&one, NULL, read_one, &racer), 0);
	vcpu_run(racer.vcpu);
	TEST_ASSERT_EQ(get_ucall(racer.vcpu, &uc), UCALL_DONE);
	WRITE_ONCE(racer.done, true);
	pthread_join(one, NULL);
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	char path[128];
	struct kvm_vm *vm = vm_create_barebones();

	get_path(path, sizeof(path), __vm_vcpu_add(vm, 0));
	__TEST_REQUIRE(!access(path, F_OK), "KVM has no guest_caps in debugfs");
	kvm_vm_free(vm);

	return test_harness_run(argc, argv);
}
