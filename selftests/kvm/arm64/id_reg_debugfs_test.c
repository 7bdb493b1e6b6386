// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test what KVM tells of refused ID register values: idregs_limits and idregs_refused in debugfs,
 * the tracepoint kvm_idreg_refused, and that all of it stands up to VMs that come, go, and change.
 */
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdlib.h>

#include "id_regs.h"
#include "kselftest.h"

#define DEBUGFS_KVM	"/sys/kernel/debug/kvm"
#define TRACING		"/sys/kernel/tracing"
#define EVENT		TRACING "/events/kvm/kvm_idreg_refused"
#define FORMAT	"vm %d register %47s field %47s asked 0x%lx limit 0x%lx host 0x%lx rule %31s"
#define KEPT		8	/* KVM_NR_IDREG_REFUSALS */

/* What is asked for, and who must be blamed. */
static const struct {
	u32 encoding;
	u64 flip;		/* of what the register holds */
	const char *field;
	const char *rule;
	u64 asked;
} refused[] = {
	{ SYS_ID_AA64PFR0_EL1, 0, "ID_AA64PFR0_EL1.CSV3", "lower-safe", 0xf },
	{ SYS_ID_AA64PFR1_EL1, ID_AA64PFR1_EL1_GCS, "ID_AA64PFR1_EL1.GCS", "denied", 0xf },
	{ SYS_ID_AA64DFR0_EL1, ID_AA64DFR0_EL1_BRPs, "ID_AA64DFR0_EL1.BRPs", "fixed", 0 },
	{ SYS_ID_AA64DFR0_EL1, ID_AA64DFR0_EL1_DebugVer, "ID_AA64DFR0_EL1.DebugVer", "least", 0 },
	{ SYS_ID_AA64ISAR0_EL1, 0xf, "ID_AA64ISAR0_EL1.RES0_3_0", "reserved", 0xf },
	{ SYS_ID_AA64MMFR0_EL1, ID_AA64MMFR0_EL1_TGRAN4_2, "ID_AA64MMFR0_EL1.TGRAN4_2", "exact",
	  0 },
	{ SYS_ID_AA64ZFR0_EL1, ID_AA64ZFR0_EL1_AES, "ID_AA64ZFR0_EL1.AES", "absent", 0xf },
	{ sys_reg(3, 0, 0, 6, 7), BIT(63), "S3_0_0_C6_7.RES0_63_0", "reserved", BIT(63) },
	{ SYS_CTR_EL0, BIT(31), "CTR_EL0.RES1_31_31", "reserved", 0 },
};

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	TEST_ASSERT(fd >= 0 && write(fd, text, strlen(text)) == strlen(text), "%s: %s", path,
		    strerror(errno));
	close(fd);
}

/* The value to write, and, where it isn't fixed, what must be reported as asked for. */
static u64 refuse(struct kvm_vcpu *vcpu, int n, u64 *asked)
{
	u64 id = KVM_ARM64_SYS_REG(refused[n].encoding);
	u64 word = vcpu_get_reg(vcpu, id);
	u64 flip = refused[n].flip;

	*asked = refused[n].asked;
	if (!flip)
		word |= 0xfULL << 60;
	else if (!strcmp(refused[n].rule, "fixed"))
		*asked = ((word ^= flip) & flip) >> __builtin_ctzll(flip);
	else if (!strcmp(refused[n].rule, "least"))
		word &= ~flip;
	else if (!strcmp(refused[n].rule, "exact"))
		*asked = ((word ^= flip) & flip) >> __builtin_ctzll(flip);
	else
		word ^= flip;
	TEST_ASSERT(__vcpu_set_reg(vcpu, id, word) && errno == EINVAL, "%s was not refused",
		    refused[n].field);
	return word;
}

static void test_refused(void)
{
	u64 asked[ARRAY_SIZE(refused)], got, limit, host;
	char line[512], field[64], rule[32];
	int first = ARRAY_SIZE(refused) - KEPT, n = 0;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = id_vm_create(&id_vms[0], &vcpu);
	FILE *f = id_vm_open(vm, "idregs_refused");

	TEST_ASSERT(f && !fgets(line, sizeof(line), f), "refusals before any");
	fclose(f);

	for (int i = 0; i < ARRAY_SIZE(refused); i++)
		refuse(vcpu, i, &asked[i]);
	f = id_vm_open(vm, "idregs_refused");
	for (n = first; fgets(line, sizeof(line), f); n++) {
		TEST_ASSERT(n < ARRAY_SIZE(refused), "too many lines: %s", line);
		TEST_ASSERT(sscanf(line, "%63s asked 0x%lx limit 0x%lx host 0x%lx rule %31s\n",
				   field, &got, &limit, &host, rule) == 5, "format: %s", line);
		TEST_ASSERT(!strcmp(field, refused[n].field) && !strcmp(rule, refused[n].rule) &&
			    got == asked[n], "%s, %s, %lx expected: %s", refused[n].field,
			    refused[n].rule, asked[n], line);
	}
	TEST_ASSERT_EQ(n, ARRAY_SIZE(refused));
	fclose(f);
	kvm_vm_free(vm);
	ksft_test_result_pass("refused\n");
}

static void test_tracepoint(void)
{
	char line[512], reg[48], field[48], name[96], rule[32];
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	u64 asked, got, limit, host;
	int n = 0, pid;
	FILE *f;

	if (access(EVENT, F_OK)) {
		ksft_test_result_skip("tracepoint: no tracefs\n");
		return;
	}
	vm = id_vm_create(&id_vms[0], &vcpu);
	write_file(TRACING "/trace", "");
	write_file(EVENT "/enable", "1");
	for (int i = 0; i < ARRAY_SIZE(refused); i++)
		refuse(vcpu, i, &asked);
	write_file(EVENT "/enable", "0");

	f = fopen(TRACING "/trace", "r");
	TEST_ASSERT(f, "trace");
	while (fgets(line, sizeof(line), f)) {
		char *event = strstr(line, "kvm_idreg_refused: vm ");

		if (!event)
			continue;
		TEST_ASSERT(n < ARRAY_SIZE(refused), "too many events: %s", line);
		event += strlen("kvm_idreg_refused: ");
		TEST_ASSERT(sscanf(event, FORMAT, &pid, reg, field, &got, &limit, &host,
				   rule) == 7, "format: %s", line);
		snprintf(name, sizeof(name), "%s.%s", reg, field);
		TEST_ASSERT(pid == getpid() && !strcmp(name, refused[n].field) &&
			    !strcmp(rule, refused[n].rule), "%s expected: %s", refused[n].field,
			    line);
		n++;
	}
	fclose(f);
	TEST_ASSERT_EQ(n, ARRAY_SIZE(refused));
	kvm_vm_free(vm);
	ksft_test_result_pass("tracepoint\n");
}

/* How often the tracepoint told of a rule between fields that this field breaks. */
static int count_broken(const char *name)
{
	char line[512], reg[48], field[48], got[96], rule[32];
	u64 asked, limit, host;
	int n = 0, pid;
	FILE *f = fopen(TRACING "/trace", "r");

	TEST_ASSERT(f, "trace");
	while (fgets(line, sizeof(line), f)) {
		char *event = strstr(line, "kvm_idreg_refused: ");

		if (!event || sscanf(event, "kvm_idreg_refused: " FORMAT, &pid, reg, field, &asked,
				     &limit, &host, rule) != 7)
			continue;
		snprintf(got, sizeof(got), "%s.%s", reg, field);
		n += pid == getpid() && !strcmp(got, name) && !strcmp(rule, "needs");
	}
	fclose(f);
	return n;
}

/* A rule that a VM breaks is told when it runs first, and not before: it might be mended. */
static void test_rules(void)
{
	const u64 reg = KVM_ARM64_SYS_REG(SYS_ID_AA64ISAR0_EL1);
	const struct id_vm *config = &id_vms[1];
	u64 values[NUM_ID_REGS], word;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	TEST_ASSERT_EQ(config->irqchip, VGIC_V3);
	vm = id_vm_create(config, &vcpu);
	word = vcpu_get_reg(vcpu, reg);
	if (access(EVENT, F_OK) || !(word & ID_AA64ISAR0_EL1_SHA2)) {
		ksft_test_result_skip("rules: no tracefs, or no SHA-256\n");
		kvm_vm_free(vm);
		return;
	}
	vcpu_set_reg(vcpu, reg, word & ~ID_AA64ISAR0_EL1_SHA1);

	write_file(TRACING "/trace", "");
	write_file(EVENT "/enable", "1");
	id_vm_finalize(config, vm, vcpu);
	TEST_ASSERT_EQ(count_broken("ID_AA64ISAR0_EL1.SHA2"), 0);
	id_vm_read_finalized(vm, vcpu, values);
	TEST_ASSERT_EQ(count_broken("ID_AA64ISAR0_EL1.SHA2"), 1);
	write_file(EVENT "/enable", "0");
	kvm_vm_free(vm);
	ksft_test_result_pass("rules\n");
}

/* Nothing before the VM is configured; then what the VM holds, as userspace changes it. */
static void test_limits(void)
{
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_vcpu *vcpu;
	char line[512];
	bool seen = false;
	FILE *f = id_vm_open(vm, "idregs_limits");

	TEST_ASSERT(f && !fgets(line, sizeof(line), f), "limits of an unknown VM");
	fclose(f);
	kvm_vm_free(vm);

	vm = id_vm_create(&id_vms[0], &vcpu);
	vcpu_set_reg(vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64ISAR0_EL1), 0);
	f = id_vm_open(vm, "idregs_limits");
	while (fgets(line, sizeof(line), f)) {
		struct id_reg_line l;

		TEST_ASSERT(id_reg_parse(line, &l), "format: %s", line);
		TEST_ASSERT(strcmp(l.rule, "denied") || strstr(line, "denied ("), "why: %s", line);
		if (strcmp(l.reg, "ID_AA64ISAR0_EL1") || strcmp(l.field, "AES"))
			continue;
		TEST_ASSERT(l.msb == 7 && l.lsb == 4, "bits: %s", line);
		TEST_ASSERT(l.limit <= l.host && !l.value, "%s", line);
		seen = true;
	}
	TEST_ASSERT(seen, "ID_AA64ISAR0_EL1.AES is missing");
	fclose(f);
	kvm_vm_free(vm);
	ksft_test_result_pass("limits\n");
}

static void *read_all(void *done)
{
	while (!READ_ONCE(*(bool *)done)) {
		glob_t found;

		if (glob(DEBUGFS_KVM "/*/idregs_*", 0, NULL, &found))
			continue;
		for (size_t i = 0; i < found.gl_pathc; i++) {
			char text[4096];
			int fd = open(found.gl_pathv[i], O_RDONLY);

			while (fd >= 0 && read(fd, text, sizeof(text)) > 0)
				;
			if (fd >= 0)
				close(fd);
		}
		globfree(&found);
	}
	return NULL;
}

static void test_races(void)
{
	bool done = false;
	pthread_t reader[2];

	for (int i = 0; i < ARRAY_SIZE(reader); i++)
		TEST_ASSERT(!pthread_create(&reader[i], NULL, read_all, &done), "no thread");
	for (int round = 0; round < 30; round++) {
		struct kvm_vcpu *vcpu;
		struct kvm_vm *vm = id_vm_create(&id_vms[0], &vcpu);
		u64 asked;

		for (int i = 0; i < 10 * ARRAY_SIZE(refused); i++)
			refuse(vcpu, i % ARRAY_SIZE(refused), &asked);
		kvm_vm_free(vm);
	}
	WRITE_ONCE(done, true);
	for (int i = 0; i < ARRAY_SIZE(reader); i++)
		pthread_join(reader[i], NULL);
	ksft_test_result_pass("races\n");
}

int main(void)
{
	struct kvm_vm *vm = vm_create_barebones();
	FILE *f = id_vm_open(vm, "idregs_refused");

	__TEST_REQUIRE(f, "KVM has no idregs_refused in debugfs");
	fclose(f);
	kvm_vm_free(vm);

	ksft_print_header();
	ksft_set_plan(5);
	test_refused();
	test_tracepoint();
	test_rules();
	test_limits();
	test_races();
	ksft_finished();
}
