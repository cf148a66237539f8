// SPDX-License-Identifier: Apache-2.0
/*
 * An application processor's way from SIPI to nl_ap_entry: copied to the reserved page below 1 MiB, which the host page table maps one to one.
 * All it needs stands in struct trampoline_params (ap.c) at offset 0xf00 of the page. ebx = address of the page throughout.
 */
	.text
	.globl ap_trampoline, ap_trampoline_end, ap_trampoline_32, ap_trampoline_64
	.balign 16
	.code16
ap_trampoline:
	cli
	cld
	mov %cs, %ax
	mov %ax, %ds
	xor %ebx, %ebx
	mov %ax, %bx
	shl $4, %ebx
	lgdtl 0xf00			/* gdt_limit, gdt_base */
	mov %cr0, %eax
	and $~0x60000000, %eax		/* INIT set CD and NW */
	or $0x21, %eax			/* NE, PE */
	mov %eax, %cr0
	ljmpl *0xf08			/* far32 */
	.code32
ap_trampoline_32:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $0x20, %eax			/* PAE */
	mov %eax, %cr4
	mov 0xf18(%ebx), %eax		/* cr3 */
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	rdmsr
	or $0x900, %eax			/* LME, NXE */
	wrmsr
	mov %cr0, %eax
	or $0x80010000, %eax		/* PG, WP */
	mov %eax, %cr0
	ljmpl *0xf10(%ebx)		/* far64 */
	.code64
ap_trampoline_64:
	mov %ebx, %ebx
	mov 0xf20(%rbx), %rsp
	mov 0xf28(%rbx), %rdi
	mov 0xf30(%rbx), %rax
	jmp *%rax
ap_trampoline_end:
	.section .note.GNU-stack, "", @progbits
