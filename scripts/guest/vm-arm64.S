/* SPDX-License-Identifier: GPL-2.0 */
/* A VM that prints what it reads of its CPU, and a count, again and again. */

	.arch	armv8.2-a+sve

	/* x1, that is. */
	.macro	say name:req
	adr	x0, 1f
	bl	line
	.pushsection .rodata
1:	.asciz	"\name"
	.popsection
	.endm

	.macro	report name:req, register:req
	mrs	x1, \register
	say	\name
	.endm

	.global	_start
_start:	mov	x19, #0x09000000	/* the PL011 of QEMU's virt */
	mrs	x20, CurrentEL
	mov	x21, #0
	adr	x22, count
	msr	tpidr_el1, x19
	mov	x23, #0			/* whether it has a PMU */
	mov	x24, #0			/* and SVE */
	cmp	x20, #2 << 2
	b.ne	el1
	msr	tpidr_el2, x22
	b	again

el1:	mrs	x0, id_aa64dfr0_el1
	ubfx	x23, x0, #8, #4
	cbz	x23, 0f
	mov	x0, #0x11		/* cycles */
	msr	pmevtyper0_el0, x0
	mov	w0, #0x80000001
	msr	pmcntenset_el0, x0
	msr	pmintenset_el1, x0
	mov	x0, #0x1000
	msr	pmccfiltr_el0, x0
0:	mrs	x0, id_aa64pfr0_el1
	ubfx	x24, x0, #32, #4
	cbz	x24, again
	mov	x0, #0x330000		/* FPEN, ZEN */
	msr	cpacr_el1, x0
	isb
	mov	x0, #7			/* 1024 bits: QEMU 11.1 saves no more */
	msr	zcr_el1, x0
	isb
	/* In each element something else, and as many bytes as a multiple of three. */
	ptrue	p3.d
	index	z8.d, #5, #3
	ptrue	p4.b, mul3
	wrffr	p4.b
again:	report	CurrentEL, CurrentEL
	report	TPIDR_EL1, tpidr_el1
	cmp	x20, #2 << 2
	b.ne	0f
	report	TPIDR_EL2, tpidr_el2
0:	report	CTR_EL0, ctr_el0
	cbz	x23, 0f
	report	PMCR_EL0, pmcr_el0
	report	PMCNTENSET_EL0, pmcntenset_el0
	report	PMINTENSET_EL1, pmintenset_el1
	report	PMEVTYPER0_EL0, pmevtyper0_el0
	report	PMCCFILTR_EL0, pmccfiltr_el0
0:	cbz	x24, 0f
	report	ZCR_EL1, zcr_el1
	rdvl	x1, #1
	say	VL
	lastb	x1, p3, z8.d
	say	Z8
	cntp	x1, p4, p4.b
	say	P4
	rdffr	p5.b
	ptrue	p6.b
	cntp	x1, p6, p5.b
	say	FFR
0:	.irp	crm, 1, 2, 3, 4, 5, 6, 7
	.irp	op2, 0, 1, 2, 3, 4, 5, 6, 7
	report	S3_0_C0_C\crm\()_\op2, S3_0_C0_C\crm\()_\op2
	.endr
	.endr

	/* One count is in a register and one in memory: it ends here if they differ. */
	add	x21, x21, #1
	ldr	x1, [x22]
	add	x1, x1, #1
	str	x1, [x22]
	cmp	x1, x21
	b.ne	.
	adr	x0, round
	bl	line

	/* Four seconds, by the VM's own clock. */
	mrs	x0, cntfrq_el0
	mrs	x1, cntvct_el0
	add	x0, x1, x0, lsl #2
2:	mrs	x1, cntvct_el0
	cmp	x1, x0
	b.lo	2b
	b	again

/* Print the text at x0 and the value of x1. */
line:	ldrb	w2, [x0], #1
	cbz	w2, 3f
	str	w2, [x19]
	b	line
3:	mov	w2, #' '
	str	w2, [x19]
	mov	x3, #60
4:	lsr	x2, x1, x3
	and	x2, x2, #15
	cmp	x2, #10
	add	x4, x2, #'0'
	add	x2, x2, #'a' - 10
	csel	x2, x4, x2, lo
	str	w2, [x19]
	subs	x3, x3, #4
	b.pl	4b
	mov	w2, #'\n'
	str	w2, [x19]
	ret

round:	.asciz	"round"
	.balign	8
count:	.quad	0
