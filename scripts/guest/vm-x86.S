/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VM that prints what it reads of CPUID and of registers, which of their bits it may change, which
 * instructions it may use, and a count, again and again. Where it has SVM, it spends the time between
 * in a VM of its own.
 */

	.equ	DEBUGCON, 0xe9
	.equ	CR4, -1			/* beside MSRs */
	.equ	XCR0, -2
	.equ	EFER, 0xc0000080
	.equ	TRY, 1			/* which bits it may change */
	.equ	SET, 3			/* begin with all of these set */

	.section .note, "a", @note
	.long	4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.text
	.code32
	.global	_start
_start:	mov	$stack, %esp
	movl	$pd + 3, pdpt
	movl	$pdpt + 3, pml4
	mov	$0x83, %eax		/* the first 64 MiB, in 2 MiB pages */
	mov	$pd, %edi
1:	mov	%eax, (%edi)
	add	$8, %edi
	add	$0x200000, %eax
	cmp	$0x4000083, %eax
	jb	1b
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$1 << 5, %eax		/* PAE */
	mov	%eax, %cr4
	mov	$EFER, %ecx
	rdmsr
	or	$1 << 8, %eax		/* LME */
	wrmsr
	mov	$0x80010033, %eax	/* PG, WP, NE, ET, MP, PE */
	mov	%eax, %cr0
	lgdt	gdtr
	ljmp	$8, $1f

	.code64
1:	mov	$16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$ud, %eax
	mov	$idt + 6 * 16, %edi
	call	gate
	mov	$gp, %eax
	mov	$idt + 13 * 16, %edi
	call	gate
	lidt	idtr

	mov	$line, %edi
	xor	%ebp, %ebp		/* rounds */
	xor	%r13d, %r13d		/* the same, by the inner VM */

	/* XCR0 takes some bits only beside others. */
	call	set_bits
	call	set_bits
	mov	$0x80000001, %eax
	cpuid
	shr	$2, %ecx
	and	$1, %ecx
	mov	%ecx, nested
	jz	again
	call	inner

again:	mov	$0, %ebx
	call	leaves
	mov	$0x40000000, %ebx
	call	leaves
	mov	$0x40000100, %ebx
	call	leaves
	mov	$0x80000000, %ebx
	call	leaves
	call	registers
	call	instructions

	/* One count is in a register and one in memory: it ends here if they differ. */
	inc	%rbp
	incq	count
	cmp	count, %rbp
	jne	.
	mov	$round, %esi
	call	text
	mov	%rbp, %rax
	call	value
	call	end

	/* Some seconds: what is saved meanwhile is saved between rounds. */
	call	tsc
	mov	$1, %r12d
	shl	$33, %r12
	add	%rax, %r12
	cmpl	$0, nested
	jne	2f
	call	wait
	jmp	again
2:	mov	$vmcb, %eax
	vmrun	%rax
	stgi
	cmpl	$0x81, vmcb + 0x70	/* VMMCALL */
	jne	.
	cmp	%r13, %rbp
	jne	.
	addq	$3, vmcb + 0x578	/* behind it */
	jmp	again

wait:	call	tsc
	cmp	%r12, %rax
	jb	wait
	ret
tsc:	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	ret

/* The VM in the VM, which has all that this one has. */
in:	mov	$inner_stack, %esp
1:	call	wait
	inc	%r13
	vmmcall
	jmp	1b

inner:	mov	$0xc0010117, %ecx	/* VM_HSAVE_PA */
	mov	$hsave, %eax
	xor	%edx, %edx
	wrmsr
	movl	$1 << 18, vmcb + 0xc	/* intercept CPUID, */
	movl	$3, vmcb + 0x10		/* VMRUN and VMMCALL */
	movl	$1, vmcb + 0x58		/* ASID */
	mov	$vmcb + 0x400, %ebx
	mov	$0x0c930010, %eax	/* ES, SS, DS: attributes, selector */
	mov	%eax, (%rbx)
	mov	%eax, 0x20(%rbx)
	mov	%eax, 0x30(%rbx)
	movl	$0x0a9b0008, 0x10(%rbx)
	movl	$-1, 0x4(%rbx)
	movl	$-1, 0x14(%rbx)
	movl	$-1, 0x24(%rbx)
	movl	$-1, 0x34(%rbx)
	movl	$0xffff, 0x64(%rbx)	/* GDTR, IDTR */
	movl	$gdt, 0x68(%rbx)
	movl	$0xffff, 0x84(%rbx)
	movl	$idt, 0x88(%rbx)
	mov	$EFER, %ecx
	rdmsr
	mov	%eax, 0xd0(%rbx)
	mov	%cr4, %rax
	mov	%rax, 0x148(%rbx)
	mov	%cr3, %rax
	mov	%rax, 0x150(%rbx)
	mov	%cr0, %rax
	mov	%rax, 0x158(%rbx)
	movl	$0x400, 0x160(%rbx)	/* DR7, DR6 */
	movl	$0xffff0ff0, 0x168(%rbx)
	movl	$2, 0x170(%rbx)		/* RFLAGS */
	movl	$in, 0x178(%rbx)
	movl	$0x70406, 0x268(%rbx)	/* PAT */
	movl	$0x70406, 0x26c(%rbx)
	ret

/* All functions from rbx on, as far as the CPU has them, with some sub-leaves. */
leaves:	mov	%ebx, %r8d
	xor	%r9d, %r9d
	push	%rbx
	mov	%r8d, %eax
	xor	%ecx, %ecx
	cpuid
	pop	%rbx
	mov	%eax, %r10d
	sub	%ebx, %eax
	cmp	$0x40, %eax
	ja	9f
1:	mov	%r8d, %eax
	mov	%r9d, %ecx
	cpuid
	mov	%eax, %r11d
	or	%ebx, %eax
	or	%ecx, %eax
	or	%edx, %eax
	jz	2f
	push	%rdx
	push	%rcx
	push	%rbx
	push	%r11
	mov	$leaf, %esi
	call	text
	mov	%r8d, %eax
	call	half
	mov	$'.', %al
	stosb
	mov	%r9d, %eax
	mov	$2, %ecx
	call	hex
	mov	$' ', %al
	.rept	4
	stosb
	pop	%rax
	call	half
	mov	$'.', %al
	.endr
	call	end
2:	inc	%r9d
	mov	$3, %eax
	cmp	$0xd, %r8d
	jne	3f
	mov	$19, %eax
3:	cmp	%eax, %r9d
	jbe	1b
	xor	%r9d, %r9d
	inc	%r8d
	cmp	%r10d, %r8d
	jbe	1b
9:	ret

registers:
	mov	$table, %ebx
1:	mov	%ebx, %esi
	add	$8, %esi
	call	text
	call	get
	test	%r14d, %r14d
	jnz	2f
	call	value
	call	end
	testl	$TRY, 4(%rbx)
	jz	3f
	mov	%ebx, %esi
	add	$8, %esi
	call	text
	mov	$can, %esi
	call	text
	call	try
	call	value
	jmp	4f
2:	mov	$refused, %esi
	call	text
4:	call	end
3:	add	$24, %ebx
	cmp	$table_end, %ebx
	jb	1b
	ret

set_bits:
	mov	$table, %ebx
1:	cmpl	$SET, 4(%rbx)
	jne	2f
	call	get
	test	%r14d, %r14d
	jnz	2f
	mov	%rax, %r11
	call	try
	or	%r11, %rax
	call	put
2:	add	$24, %ebx
	cmp	$table_end, %ebx
	jb	1b
	ret

/* rax: the bits of row rbx that can be changed. */
try:	call	get
	mov	%rax, %r9
	xor	%r10d, %r10d
	mov	$1, %r8d
1:	cmpl	$EFER, (%rbx)
	jne	3f
	cmp	$1 << 13, %r8		/* LMSLE: KVM lets it through, TCG runs no VM with it */
	je	2f
3:	mov	%r9, %rax
	xor	%r8, %rax
	call	put
	test	%r14d, %r14d
	jnz	2f
	or	%r8, %r10
	mov	%r9, %rax
	call	put
2:	shl	%r8
	jnz	1b
	mov	%r10, %rax
	ret

/* What row rbx names to rax, or from there; r14 is the exception. */
get:	mov	(%rbx), %ecx
	xor	%r14d, %r14d
	mov	$8f, %r15d
	cmp	$CR4, %ecx
	je	1f
	cmp	$XCR0, %ecx
	je	2f
	rdmsr
	jmp	3f
1:	mov	%cr4, %rax
	ret
2:	xor	%ecx, %ecx
	xgetbv
3:	shl	$32, %rdx
	or	%rdx, %rax
8:	ret

put:	mov	(%rbx), %ecx
	xor	%r14d, %r14d
	mov	$8f, %r15d
	mov	%rax, %rdx
	shr	$32, %rdx
	cmp	$CR4, %ecx
	je	1f
	cmp	$XCR0, %ecx
	je	2f
	wrmsr
	ret
1:	mov	%rax, %cr4
	ret
2:	xor	%ecx, %ecx
	xsetbv
8:	ret

	.macro	instruction name:req, code:vararg
	xor	%r14d, %r14d
	mov	$7f, %r15d
	mov	$1, %eax		/* no VMCB's address */
	xor	%ecx, %ecx
	xor	%edx, %edx
	\code
7:	mov	$6f, %esi
	call	text
	mov	%r14d, %eax
	call	value
	call	end
	.pushsection .rodata
6:	.asciz	"\name"
	.popsection
	.endm

instructions:
	push	%rbp
	push	%rbx
	instruction rdtscp, rdtscp
	instruction rdpid, rdpid %rcx
	instruction invpcid, invpcid hsave, %rcx
	instruction monitor, monitor
	instruction mwait, mwait
	instruction movbe, movbe hsave, %ecx
	instruction rdrand, rdrand %ecx
	instruction rdseed, rdseed %ecx
	instruction rdpkru, rdpkru
	instruction rdpru, rdpru
	instruction rdfsbase, rdfsbase %rcx
	instruction wbnoinvd, wbnoinvd
	instruction clzero, clzero
	instruction xsavec, xsavec hsave
	instruction xsaves, xsaves hsave
	instruction vmmcall, vmmcall
	instruction vmrun, vmrun %rax
	instruction vmload, vmload %rax
	instruction vmsave, vmsave %rax
	instruction invlpga, invlpga %rax, %ecx
	instruction clgi, clgi
	instruction stgi, stgi
	pop	%rbx
	pop	%rbp
	ret

/* Exceptions go on at r15. */
gp:	add	$8, %rsp
	mov	$13, %r14d
	jmp	1f
ud:	mov	$6, %r14d
1:	mov	%r15, (%rsp)
	iretq

gate:	mov	%ax, (%rdi)
	movl	$0x8e000008, 2(%rdi)
	shr	$16, %eax
	mov	%ax, 6(%rdi)
	ret

/* A line is made at rdi: the text at rsi, a value of rax with its blank, digits of rax. */
text:	push	%rax
1:	lodsb
	test	%al, %al
	jz	2f
	stosb
	jmp	1b
2:	pop	%rax
	ret
value:	movb	$' ', (%rdi)
	inc	%edi
	mov	$16, %ecx
	jmp	hex
half:	mov	$8, %ecx
hex:	dec	%ecx
	mov	%rax, %rdx
	shl	$2, %ecx
	shr	%cl, %rdx
	shr	$2, %ecx
	and	$15, %edx
	mov	digits(%rdx), %dl
	mov	%dl, (%rdi)
	inc	%edi
	test	%ecx, %ecx
	jnz	hex
	ret
end:	mov	$'\n', %al
	stosb
	mov	$line, %esi
	mov	%edi, %ecx
	sub	%esi, %ecx
	mov	$DEBUGCON, %edx
	rep	outsb
	mov	$line, %edi
	ret

	.macro	row name:req, number:req, flags=0
5:	.long	\number, \flags
	.ascii	"\name"
	.org	5b + 24
	.endm

	.section .rodata
digits:	.ascii	"0123456789abcdef"
leaf:	.asciz	"cpuid."
round:	.asciz	"round"
can:	.asciz	".can"
refused: .asciz	" refused"
	.balign	8
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:	.short	. - gdt - 1
	.quad	gdt
idtr:	.short	14 * 16 - 1
	.quad	idt
	.balign	8
table:	row	CR4, CR4, SET
	row	XCR0, XCR0, SET
	row	EFER, EFER, SET
	row	XSS, 0xda0, SET
	row	APIC_BASE, 0x1b
	row	FEAT_CTL, 0x3a
	row	TSC_ADJUST, 0x3b
	row	SPEC_CTRL, 0x48, SET
	row	MISC_PACKAGE, 0xbc
	row	PLATFORM_INFO, 0xce, TRY
	row	UMWAIT, 0xe1, SET
	row	MTRRCAP, 0xfe
	row	ARCH_CAPS, 0x10a, TRY
	row	FLUSH_CMD, 0x10b
	row	TSX_CTRL, 0x122, TRY
	row	FEATURES, 0x140, TRY
	row	SYSENTER_CS, 0x174, SET
	row	SYSENTER_ESP, 0x175, TRY	/* on AMD KVM sets 32 bits of these */
	row	SYSENTER_EIP, 0x176, TRY
	row	MCG_CAP, 0x179
	row	MISC_ENABLE, 0x1a0
	row	XFD, 0x1c4, TRY
	row	XFD_ERR, 0x1c5, TRY
	row	DEBUGCTL, 0x1d9
	row	PAT, 0x277
	row	MTRR_DEFTYPE, 0x2ff
	row	PERF_CAPS, 0x345
	row	VMX_BASIC, 0x480
	row	BNDCFGS, 0xd90, TRY
	row	U_CET, 0x6a0
	row	S_CET, 0x6a2
	row	PL0_SSP, 0x6a4
	row	STAR, 0xc0000081, SET
	row	LSTAR, 0xc0000082, SET
	row	CSTAR, 0xc0000083, SET
	row	SFMASK, 0xc0000084, SET
	row	FS_BASE, 0xc0000100, SET
	row	KERNEL_GS, 0xc0000102, SET
	row	TSC_AUX, 0xc0000103, SET
	row	TSC_RATIO, 0xc0000104, TRY
	row	PERF_GLOBAL, 0xc0000301
	row	PERFEVTSEL, 0xc0010000
	row	HWCR, 0xc0010015, TRY
	row	NB_CFG, 0xc001001f
	row	VM_CR, 0xc0010114
	row	HSAVE_PA, 0xc0010117, TRY
	row	VIRT_SPEC, 0xc001011f, TRY
	row	OSVW, 0xc0010140
	row	PERF_CTL0, 0xc0010200
	row	DE_CFG, 0xc0011029, TRY
	row	KVM_CLOCK, 0x4b564d01
	row	KVM_ASYNC_PF, 0x4b564d02
	row	KVM_STEAL, 0x4b564d03
	row	KVM_EOI, 0x4b564d04
	row	KVM_POLL, 0x4b564d05, TRY
	row	KVM_MIGRATION, 0x4b564d08
	row	HV_OS_ID, 0x40000000
	row	HV_HYPERCALL, 0x40000001
	row	HV_VP_INDEX, 0x40000002
	row	HV_TSC, 0x40000021
	row	HV_ASSIST, 0x40000073
	row	HV_SCONTROL, 0x40000080
	row	HV_STIMER, 0x400000b0
	row	HV_INVARIANT, 0x40000118
table_end:

	.bss
	.balign	4096
pml4:	.skip	4096
pdpt:	.skip	4096
pd:	.skip	4096
idt:	.skip	4096
vmcb:	.skip	4096
hsave:	.skip	4096
	.skip	4096
stack:	.skip	4096
inner_stack:
line:	.skip	256
nested:	.quad	0
count:	.quad	0
