// SPDX-License-Identifier: GPL-2.0-only
/*
 * Say what KVM accepts in ID registers: for each of them, and each of the sixteen values of each of
 * its sixteen hexadecimal digits, the others being as they are in the beginning. On a line:
 *
 *	vm VM REGISTER DEFAULT [+DIGIT:ACCEPTED[/CHANGED]]... [!DIGIT:EBUSY/EINVAL]...
 *
 * ACCEPTED are the values taken, a bit each, CHANGED those of them that read back as another one;
 * digits in which only the default is accepted are left out. Behind "!", the values that are
 * refused after the VM has run, by their error; without, all but the present one are EBUSY. WI
 * stands for a register in which all values are accepted, and none changes anything. Of VMs
 * but the first, registers that are as in the first one are left out. Also what
 * KVM_ARM_GET_REG_WRITABLE_MASKS says, and what the guest reads where that is something else; and
 * what the host lets programs see of its own ID registers.
 *
 * With the argument "host", say only the latter.
 *
 * With another one, say only what VMs start with: the argument is the name of a machine that the
 * host was made to look like, and stands before the VM's. Of the first register each VM has a line.
 *
 * With a machine, a name, and REGISTER:VALUE..., what a VM had elsewhere, restore that: write it to
 * a plain VM, and have it run. On a line:
 *
 *	vm MACHINE/NAME REGISTER VALUE [error:ERRNO] [runs:VALUE] [guest:VALUE]
 *
 * VALUE is what is read back, once the VM has run, and by the guest, if that is something else.
 */
#include "id_regs.h"

static char first[NUM_ID_REGS][1024];

/* Try all values of a digit: bits of those that are accepted, and of how others fail. */
static void sweep_digit(struct kvm_vcpu *vcpu, unsigned int reg, u64 word, int digit,
			u16 *accepted, u16 *changed, u16 *busy)
{
	*accepted = *changed = *busy = 0;
	for (u64 value = 0; value < 16; value++) {
		u64 wanted = (word & ~(15ULL << (4 * digit))) | value << (4 * digit);
		u64 got;

		if (__vcpu_set_reg(vcpu, id_reg(reg), wanted)) {
			TEST_ASSERT(errno == EINVAL || errno == EBUSY, "errno %d", errno);
			if (errno == EBUSY)
				*busy |= BIT(value);
			TEST_ASSERT_EQ(vcpu_get_reg(vcpu, id_reg(reg)), word);
			continue;
		}
		*accepted |= BIT(value);
		got = vcpu_get_reg(vcpu, id_reg(reg));
		if (got != wanted)
			*changed |= BIT(value);
		if (got != word)
			vcpu_set_reg(vcpu, id_reg(reg), word);
	}
}

static bool ignores_writes(struct kvm_vcpu *vcpu, unsigned int reg)
{
	u64 word = vcpu_get_reg(vcpu, id_reg(reg));

	for (int digit = 15; digit >= 0; digit--) {
		u16 accepted, changed, busy;

		sweep_digit(vcpu, reg, word, digit, &accepted, &changed, &busy);
		if (accepted != 0xffff || changed != (u16)~BIT((word >> (4 * digit)) & 15))
			return false;
	}
	return true;
}

static int sweep(struct kvm_vcpu *vcpu, unsigned int reg, char *text)
{
	u64 word = vcpu_get_reg(vcpu, id_reg(reg));
	int len = sprintf(text, "%s %016lx", id_regs[reg].name, word);

	if (ignores_writes(vcpu, reg))
		return len + sprintf(text + len, " WI");

	for (int digit = 15; digit >= 0; digit--) {
		u16 accepted, changed, busy;

		sweep_digit(vcpu, reg, word, digit, &accepted, &changed, &busy);
		TEST_ASSERT(!busy, "EBUSY before the first run");
		if (accepted != BIT((word >> (4 * digit)) & 15) || changed)
			len += sprintf(text + len, changed ? " +%x:%04x/%04x" : " +%x:%04x", digit,
				       accepted, changed);
	}
	return len;
}

static void sweep_after_run(struct kvm_vcpu *vcpu, unsigned int reg, char *text)
{
	u64 word = vcpu_get_reg(vcpu, id_reg(reg));

	if (ignores_writes(vcpu, reg)) {
		sprintf(text, " !WI");
		return;
	}
	for (int digit = 15; digit >= 0; digit--) {
		u16 now = BIT((word >> (4 * digit)) & 15);
		u16 accepted, changed, busy;

		sweep_digit(vcpu, reg, word, digit, &accepted, &changed, &busy);
		if (accepted != now || busy != (u16)~now)
			text += sprintf(text, " !%x:%04x/%04x", digit, busy,
					(u16)~(busy | accepted));
	}
}

static void sweep_vm(const struct id_vm *config)
{
	char text[NUM_ID_REGS][1024];
	u64 values[NUM_ID_REGS];
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	if (!id_vm_is_possible(config)) {
		printf("%s is not possible\n", config->name);
		return;
	}
	vm = id_vm_create(config, &vcpu);
	for (unsigned int i = 0; i < NUM_ID_REGS; i++)
		sweep(vcpu, i, text[i]);

	id_vm_read(config, vm, vcpu, values);
	for (unsigned int i = 0; i < NUM_ID_REGS; i++) {
		char *end = text[i] + strlen(text[i]);
		u64 now = vcpu_get_reg(vcpu, id_reg(i));

		if (strtoull(strchr(text[i], ' '), NULL, 16) != now)
			end += sprintf(end, " runs:%016lx", now);
		if (values[i] != now)
			end += sprintf(end, " guest:%016lx", values[i]);
		sweep_after_run(vcpu, i, end);
	}
	kvm_vm_free(vm);

	for (unsigned int i = 0; i < NUM_ID_REGS; i++) {
		if (config == id_vms)
			strcpy(first[i], text[i]);
		else if (!strcmp(first[i], text[i]))
			continue;
		printf("vm %s %s\n", config->name, text[i]);
	}
}

/* The registers that a VM starts with. */
static void show_start(const char *machine, const struct id_vm *config)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	if (!id_vm_is_possible(config))
		return;
	vm = id_vm_create(config, &vcpu);
	for (unsigned int i = 0; i < NUM_ID_REGS; i++) {
		u64 word = vcpu_get_reg(vcpu, id_reg(i));
		char text[32];

		snprintf(text, sizeof(text), "%016lx", word);
		/* That it is possible shows. */
		if (config == id_vms)
			strcpy(first[i], text);
		else if (i && !strcmp(first[i], text))
			continue;
		printf("vm %s/%s %s %s\n", machine, config->name, id_regs[i].name, text);
	}
	kvm_vm_free(vm);
}

static unsigned int find_reg(const char *name)
{
	for (unsigned int i = 0; i < NUM_ID_REGS; i++) {
		if (!strcmp(id_regs[i].name, name))
			return i;
	}
	TEST_FAIL("no register %s", name);
	return 0;
}

static void restore(const char *machine, const char *name, int nr, char **stream)
{
	const struct id_vm *config = &id_vms[0];
	u64 words[NUM_ID_REGS], values[NUM_ID_REGS];
	int errors[NUM_ID_REGS] = {};
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = id_vm_create(config, &vcpu);
	for (int n = 0; n < nr; n++) {
		char reg[32];
		unsigned int i;
		u64 value;

		TEST_ASSERT(sscanf(stream[n], "%31[^:]:%lx", reg, &value) == 2,
			    "what is %s?", stream[n]);
		i = find_reg(reg);
		errors[i] = __vcpu_set_reg(vcpu, id_reg(i), value) ? errno : 0;
	}
	for (unsigned int i = 0; i < NUM_ID_REGS; i++)
		words[i] = vcpu_get_reg(vcpu, id_reg(i));
	id_vm_read(config, vm, vcpu, values);

	for (unsigned int i = 0; i < NUM_ID_REGS; i++) {
		u64 now = vcpu_get_reg(vcpu, id_reg(i));

		printf("vm %s/%s %s %016lx", machine, name, id_regs[i].name, words[i]);
		if (errors[i])
			printf(" error:%d", errors[i]);
		if (now != words[i])
			printf(" runs:%016lx", now);
		if (values[i] != now)
			printf(" guest:%016lx", values[i]);
		printf("\n");
	}
	kvm_vm_free(vm);
}

#define show_host(name)	printf("host %s %016lx\n", #name, (u64)read_sysreg_s(SYS_##name))

static void show_hosts_registers(void)
{
	show_host(MIDR_EL1);
	show_host(ID_AA64PFR0_EL1);
	show_host(ID_AA64PFR1_EL1);
	show_host(ID_AA64ISAR0_EL1);
	show_host(ID_AA64ISAR1_EL1);
	show_host(ID_AA64ISAR2_EL1);
	show_host(ID_AA64MMFR0_EL1);
	show_host(ID_AA64MMFR1_EL1);
	show_host(ID_AA64MMFR2_EL1);
	show_host(CTR_EL0);
}

int main(int argc, char **argv)
{
	static u64 masks[KVM_ARM_FEATURE_ID_RANGE_SIZE];
	struct kvm_vm *vm;

	if (argc > 2) {
		restore(argv[1], argv[2], argc - 3, argv + 3);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "host")) {
		show_hosts_registers();
		return 0;
	}
	if (argc > 1) {
		for (int i = 0; i < ARRAY_SIZE(id_vms); i++)
			show_start(argv[1], &id_vms[i]);
		return 0;
	}

	vm = vm_create_barebones();
	show_hosts_registers();
	id_vm_get_masks(vm, masks);
	for (int i = 0; i < ARRAY_SIZE(masks); i++) {
		if (masks[i])
			printf("writable %d %016lx\n", i, masks[i]);
	}
	kvm_vm_free(vm);

	for (int i = 0; i < ARRAY_SIZE(id_vms); i++)
		sweep_vm(&id_vms[i]);
	return 0;
}
