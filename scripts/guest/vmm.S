/* SPDX-License-Identifier: GPL-2.0 */
/* A guest of scripts/vmm.sh's VMM: prints what it reads of one register, and powers off. */

#ifdef __x86_64__
	.section .note, "a", @note
	.long	4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.text
	.code32
	.global	_start
_start:	mov	$1, %eax
	cpuid
	mov	%ecx, %ebx
	mov	$0x3f8, %edx		/* COM1 */
	mov	$text, %esi
1:	lodsb
	test	%al, %al
	jz	2f
	out	%al, %dx
	jmp	1b
2:	mov	$8, %ecx
3:	rol	$4, %ebx
	mov	%ebx, %eax
	and	$15, %eax
	mov	digits(%eax), %al
	out	%al, %dx
	loop	3b
	mov	$'\n', %al
	out	%al, %dx
	mov	$0x600, %edx		/* ACPI's sleep control, S5 */
	mov	$5 << 2 | 1 << 5, %al
	out	%al, %dx
	hlt
text:	.asciz	"guest: 0x1.0:ecx "
#else
	/* An Image, as Linux is one. */
	.global	_start
_start:	b	start
	.long	0
	.quad	0, end - _start, 0, 0, 0, 0
	.ascii	"ARM\x64"
	.long	0

start:	mrs	x1, ID_AA64ISAR0_EL1
	ldr	x3, =0x2ffff000		/* a PL011 */
	adr	x0, text
1:	ldrb	w2, [x0], #1
	cbz	w2, 2f
	str	w2, [x3]
	b	1b
2:	adr	x0, digits
	mov	x4, #16
3:	ror	x1, x1, #60
	and	x2, x1, #15
	ldrb	w2, [x0, x2]
	str	w2, [x3]
	subs	x4, x4, #1
	b.ne	3b
	mov	w2, #'\n'
	str	w2, [x3]
	ldr	x0, =0x84000008		/* PSCI's SYSTEM_OFF */
	hvc	#0
	b	.
	.ltorg
text:	.asciz	"guest: ID_AA64ISAR0_EL1 "
#endif
digits:	.ascii	"0123456789abcdef"
	.balign	8
end:
