// SPDX-License-Identifier: GPL-2.0
/* kvm-intel, as far as it has a say in capabilities: cut out of vmx.c. */
#include "cpuid.h"
#include "lapic.h"
#include "x86.h"
#include "pmu.h"
#include "vmx/vmx.h"
#include "fuzz.h"

struct vmcs_config vmcs_config;
struct vmx_capability vmx_capability;
bool enable_ept, enable_unrestricted_guest;
int pt_mode;
static bool nested, enable_cet;
static struct vcpu_vmx vmx;

#undef enable_sgx
#define enable_sgx	fuzz_flag(HOST_SGX)
#define vmx_get_perf_capabilities()		0
#define vmx_setup_uret_msrs(vmx)		do { } while (0)
#define vmx_secondary_exec_control(vmx)		0
#define vmcs_set_secondary_exec_control(...)	do { } while (0)
#define update_intel_pt_cfg(vcpu)		do { } while (0)
#define vmx_find_uret_msr(...)			NULL
#define vmx_set_guest_uret_msr(...)		do { } while (0)
#define set_cr4_guest_host_mask(vmx)		do { } while (0)
#define vmx_write_encls_bitmap(...)		do { } while (0)
#define vmx_update_exception_bitmap(vcpu)	do { } while (0)

#include "cut-vmx.h"

struct kvm_vcpu *fuzz_vmx_load(void)
{
	vmcs_config.basic = fuzz_flag(HOST_NO_ERRCODE_CC) ? VMX_BASIC_NO_HW_ERROR_CODE_CC : 0;
	vmcs_config.cpu_based_2nd_exec_ctrl =
		(fuzz_flag(HOST_INVPCID) ? SECONDARY_EXEC_ENABLE_INVPCID : 0) |
		(fuzz_flag(HOST_XSAVES) ? SECONDARY_EXEC_ENABLE_XSAVES : 0) |
		(fuzz_flag(HOST_RDTSCP) ? SECONDARY_EXEC_ENABLE_RDTSCP : 0) |
		(fuzz_flag(HOST_WAITPKG) ? SECONDARY_EXEC_ENABLE_USR_WAIT_PAUSE : 0) |
		(fuzz_flag(HOST_DESC) ? SECONDARY_EXEC_DESC : 0);
	pt_mode = fuzz_flag(HOST_PT) ? PT_MODE_HOST_GUEST : PT_MODE_SYSTEM;
	enable_ept = fuzz_flag(HOST_TDP);
	enable_unrestricted_guest = fuzz_flag(HOST_UNRESTRICTED_GUEST);
	nested = fuzz_flag(HOST_NESTED);
	enable_cet = fuzz_flag(HOST_CET);
	vmx_set_cpu_caps();
	return &vmx.vcpu;
}

void fuzz_vmx_after_set_cpuid(struct kvm_vcpu *vcpu)
{
	/* As vt_vcpu_after_set_cpuid(): nothing of this is for TDs. */
	if (vcpu->kvm->arch.vm_type != KVM_X86_TDX_VM)
		vmx_vcpu_after_set_cpuid(vcpu);
}

u64 *fuzz_vmx_cr4_fixed1(void)
{
	return &vmx.nested.msrs.cr4_fixed1;
}
