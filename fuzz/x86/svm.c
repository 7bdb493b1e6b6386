// SPDX-License-Identifier: GPL-2.0
/* kvm-amd, as far as it has a say in capabilities: cut out of svm.c and sev.c. */
#include "cpuid.h"
#include "lapic.h"
#include "x86.h"
#include "pmu.h"
#include "svm/svm.h"
#include "fuzz.h"

bool npt_enabled, gmet_enabled;
int nrips, vgif, lbrv, vls;
static int nested, tsc_scaling, sev_enabled, sev_es_enabled, sev_snp_enabled;
bool vnmi;
static struct vcpu_svm svm;

/* Without CONFIG_KVM_AMD_SEV, svm.h has empty ones. */
#define sev_set_cpu_caps	fuzz_sev_set_cpu_caps
#define sev_take_snapshot	fuzz_sev_take_snapshot
#include "cut-svm.h"

struct kvm_vcpu *fuzz_svm_load(void)
{
	npt_enabled = fuzz_flag(HOST_TDP);
	gmet_enabled = fuzz_flag(HOST_GMET);
	nrips = fuzz_flag(HOST_NRIPS);
	vgif = fuzz_flag(HOST_VGIF);
	lbrv = fuzz_flag(HOST_LBRV);
	vls = fuzz_flag(HOST_VLS);
	vnmi = fuzz_flag(HOST_VNMI);
	nested = fuzz_flag(HOST_NESTED);
	tsc_scaling = fuzz_flag(HOST_TSC_SCALING);
	sev_enabled = fuzz_flag(HOST_SEV);
	sev_es_enabled = fuzz_flag(HOST_SEV_ES);
	sev_snp_enabled = fuzz_flag(HOST_SEV_SNP);
	svm_set_cpu_caps();
	return &svm.vcpu;
}

void fuzz_svm_after_set_cpuid(struct kvm_vcpu *vcpu)
{
	svm_vcpu_after_set_cpuid(vcpu);
}
