/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What el2_e2h0 has the guest do.
 */
#ifndef SELFTEST_KVM_ARM64_EL2_E2H0_CODE_H
#define SELFTEST_KVM_ARM64_EL2_E2H0_CODE_H

/*
 * One page: code that runs to code_done, and vectors. x0 is data, x1 a page of
 * MMIO, x2 an address or other data. Instructions that an assembler may not
 * know are numbers.
 */
extern char code_pacia[], code_pacib[], code_pacda[], code_pacdb[];
extern char code_svc[], code_ldar[], code_ldr[], code_str[], code_br[], code_landing[];
extern char code_eretaa[], code_hacr[], code_el12[], code_gcr[], code_imo[], code_stage2[];
extern char code_cntkctl[], code_vectors[];

asm(".pushsection .text\n"
	".balign 4096\n"
	"code_pacia:	.inst 0xdac10040\n"	/* pacia x0, x2 */
	"			b	code_done\n"
	"code_pacib:	.inst 0xdac10440\n"
	"			b	code_done\n"
	"code_pacda:	.inst 0xdac10840\n"
	"			b	code_done\n"
	"code_pacdb:	.inst 0xdac10c40\n"
	"			b	code_done\n"
	"code_svc:		svc	#0\n"
	"			b	code_done\n"
	"code_ldar:		ldar	x0, [x2]\n"
	"			b	code_done\n"
	"code_ldr:		ldr	x0, [x2]\n"
	"			b	code_done\n"
	"code_str:		str	x0, [x2]\n"
	"			b	code_done\n"
	"code_br:		br	x2\n"
	"code_landing:	hint	#36\n"		/* bti j */
	"			adr	x3, 1f\n"
	"			br	x3\n"
	"1:			hint	#25\n"		/* paciasp */
	"			b	code_done\n"
	"code_eretaa:	adr	x0, code_done\n"
	"			.inst 0xdac103e0\n"	/* pacia x0, sp */
	"			msr	elr_el2, x0\n"
	"			mov	x3, #0x3c9\n"	/* EL2h */
	"			msr	spsr_el2, x3\n"
	"			isb\n"
	"			.inst 0xd69f0bff\n"	/* eretaa */
	"code_hacr:		msr	s3_4_c1_c1_7, x2\n"
	"			mrs	x0, s3_4_c1_c1_7\n"
	"			b	code_done\n"
	"code_el12:		mrs	x0, s3_5_c2_c0_2\n"	/* TCR_EL12 */
	"			b	code_done\n"
	"code_gcr:		mrs	x0, s3_0_c1_c0_6\n"	/* GCR_EL1 */
	"			b	code_done\n"
	"code_cntkctl:	mov	x3, #3\n"
	"			msr	cntkctl_el1, x3\n"
	"			b	code_done\n"
	"code_imo:		mov	x3, #0x80000000\n"	/* RW, IMO */
	"			orr	x3, x3, #16\n"
	"			msr	hcr_el2, x3\n"
	"code_enter:		mov	x3, #0x3c5\n"	/* EL1h */
	"			msr	spsr_el2, x3\n"
	"			adr	x3, code_done\n"
	"			msr	elr_el2, x3\n"
	"			isb\n"
	"			eret\n"
	"code_stage2:	nop\n"			/* what a return from MMIO skips */
	"			and	x3, x2, #0xff\n"	/* T0SZ, SL0 */
	"			orr	x3, x3, #0x20000\n"	/* PS=40 bits */
	"			msr	vtcr_el2, x3\n"
	"			mov	x3, #0x4000000000\n"	/* no memory */
	"			msr	vttbr_el2, x3\n"
	"			mov	x3, #0x80000000\n"	/* RW, VM */
	"			orr	x3, x3, #1\n"
	"			msr	hcr_el2, x3\n"
	"			isb\n"
	"			.inst 0xd50c7880\n"	/* at s12e1r, x0 */
	"			b	code_enter\n"
	"code_done:		str	x0, [x1]\n"
	"			b	.\n"
	".balign 2048\n"
	"code_vectors:\n"
	".rept 16\n"
	".balign 128\n"
	"			str	x0, [x1, #8]\n"
	"			b	.\n"
	".endr\n"
	".balign 2048\n"
	".popsection");

#endif
