// SPDX-License-Identifier: GPL-2.0
/*
 * debug_claim - Guests have no debug claim tags and no debug communication
 * channel, not even those that debug
 *
 * Nothing switches them: what one VM sets, another one would read. KVM has no
 * trap for them without FEAT_FGT but that of all debug registers.
 */
#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"

#define TAGS	0xff

static void guest_code(void)
{
	u64 tags, received, sent;

	/* The debug registers are the guest's from here on. */
	write_sysreg(read_sysreg(mdscr_el1) | MDSCR_EL1_MDE | MDSCR_EL1_KDE, mdscr_el1);
	isb();
	write_sysreg(0, dbgbcr0_el1);
	isb();

	write_sysreg(TAGS, dbgclaimset_el1);
	isb();
	tags = read_sysreg(dbgclaimclr_el1);
	/* Leave nothing behind where they are there. */
	write_sysreg(TAGS, dbgclaimclr_el1);
	isb();

	write_sysreg_s(~0U, SYS_OSDTRRX_EL1);
	write_sysreg_s(~0U, SYS_OSDTRTX_EL1);
	isb();
	received = read_sysreg_s(SYS_OSDTRRX_EL1);
	sent = read_sysreg_s(SYS_OSDTRTX_EL1);
	write_sysreg_s(0, SYS_OSDTRRX_EL1);
	write_sysreg_s(0, SYS_OSDTRTX_EL1);
	isb();

	GUEST_ASSERT_EQ(tags, 0);
	GUEST_ASSERT_EQ(received, 0);
	GUEST_ASSERT_EQ(sent, 0);
	GUEST_DONE();
}

int main(void)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	u64 mmfr0 = vcpu_get_reg(vcpu, KVM_ARM64_SYS_REG(SYS_ID_AA64MMFR0_EL1));
	struct ucall uc;

	TEST_REQUIRE(SYS_FIELD_GET(ID_AA64MMFR0_EL1, FGT, mmfr0));

	vcpu_run(vcpu);
	switch (get_ucall(vcpu, &uc)) {
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
		break;
	case UCALL_DONE:
		break;
	default:
		TEST_FAIL("Unexpected exit: %s", exit_reason_str(vcpu->run->exit_reason));
	}

	kvm_vm_free(vm);
	return 0;
}
