/* SPDX-License-Identifier: GPL-2.0 */
/* A VM that prints what it reads of its CPU, and a count, again and again. */

	.macro	report name:req, register:req
	adr	x0, 1f
	mrs	x1, \register
	bl	line
	.pushsection .rodata
1:	.asciz	"\name"
	.popsection
	.endm

	.global	_start
_start:	mov	x19, #0x09000000	/* the PL011 of QEMU's virt */
	mrs	x20, CurrentEL
	mov	x21, #0
	adr	x22, count
	msr	tpidr_el1, x19
	cmp	x20, #2 << 2
	b.ne	again
	msr	tpidr_el2, x22
again:	report	CurrentEL, CurrentEL
	report	TPIDR_EL1, tpidr_el1
	cmp	x20, #2 << 2
	b.ne	0f
	report	TPIDR_EL2, tpidr_el2
0:	report	CTR_EL0, ctr_el0
	.irp	crm, 1, 2, 3, 4, 5, 6, 7
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
