// SPDX-License-Identifier: Apache-2.0
/*
 * The core's entry from the loader, and exception stubs.
 */
#define NL_CPU_NMIS 136 /* offset of nmis in struct nl_cpu */
	.section .header, "a"
	.globl nl_core_header
nl_core_header:
	.quad 0x45524f434c4e /* NL_CORE_MAGIC */
	.long 4		     /* NL_BOOT_VERSION */
	.long core_image_size
	.quad core_memory_size
	.quad core_text_size
	.quad core_rodata_size
	.quad nl_entry

	.text
/*
 * uint64_t nl_entry(struct nl_boot_block *, enum nl_enter what, uint64_t firmware_cr3), on any CPU: see bootblock.h.
 * struct launch_frame is made on the firmware's stack, below all that the firmware needs of it.
 */
	.equ FRAME_SIZE, 136
	.globl nl_entry
nl_entry:
	pushfq
	pop %rcx
	sub $FRAME_SIZE, %rsp
	mov %rbx, 0(%rsp)
	mov %rbp, 8(%rsp)
	mov %r12, 16(%rsp)
	mov %r13, 24(%rsp)
	mov %r14, 32(%rsp)
	mov %r15, 40(%rsp)
	lea FRAME_SIZE+8(%rsp), %rax
	mov %rax, 48(%rsp)
	mov FRAME_SIZE(%rsp), %rax
	mov %rax, 56(%rsp)
	mov %rcx, 64(%rsp)
	mov %cr0, %rax
	mov %rax, 72(%rsp)
	mov %rdx, 80(%rsp)
	mov %cr4, %rax
	mov %rax, 88(%rsp)
	sgdt 96(%rsp)
	sidt 106(%rsp)
	mov %cs, 116(%rsp)
	mov %ds, 118(%rsp)
	mov %es, 120(%rsp)
	mov %fs, 122(%rsp)
	mov %gs, 124(%rsp)
	mov %ss, 126(%rsp)
	str 128(%rsp)
	sldt 130(%rsp)
	mov %rsp, %rbx
	mov %rdi, %r12
	mov %esi, %r13d
	mov %esi, %edi
	call nl_entry_stack
	mov %rax, %rcx
	mov $54, %eax			/* NL_ECPUS */
	test %rcx, %rcx
	jz 1f
	mov %rcx, %rsp
	xor %ebp, %ebp
	mov %rbx, %rdi
	mov %r13d, %esi
	mov %r12, %rdx
	call nl_main
1:	mov %rbx, %rsp
	mov 0(%rsp), %rbx
	mov 8(%rsp), %rbp
	mov 16(%rsp), %r12
	mov 24(%rsp), %r13
	mov 32(%rsp), %r14
	mov 40(%rsp), %r15
	add $FRAME_SIZE, %rsp
	ret

/* void host_reload_segments(void) */
	.globl host_reload_segments
host_reload_segments:
	pop %rax
	pushq $0x08
	push %rax
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	lretq

/* The SVM core takes an NMI only in a STGI window, and only to get rid of it; host_nmis tells that one came. */
	.globl host_nmi_ignore
host_nmi_ignore:
	push %rax
	mov %rsp, %rax
	and $~16383, %rax
	mov (%rax), %rax		/* struct nl_cpu *, see nl_this_cpu */
	incl NL_CPU_NMIS(%rax)
	pop %rax
	iretq

/* An interrupt in the window that apic_reset_local opens: acknowledged and forgotten. */
	.globl host_interrupt_stub
host_interrupt_stub:
	push %rax
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	cld
	call host_interrupt
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rax
	iretq

	.balign 16
	.globl host_stubs
host_stubs:
	vector = 0
	.rept 32
	.balign 16
	/* 8, 10-14, 17, 21, 29, 30 come with an error code (SDM vol. 3, table 7-1) */
	.if !((0x60227d00 >> vector) & 1)
	pushq $0
	.endif
	pushq $vector
	jmp host_common
	vector = vector + 1
	.endr

host_common:
	push %rax
	push %rcx
	push %rdx
	push %rbx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	cld
	call host_exception
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	add $16, %rsp
	iretq

	.bss
	.balign 16384
	.globl nl_boot_stack, nl_boot_stack_top
nl_boot_stack:
	.skip 16384
nl_boot_stack_top:
	.section .note.GNU-stack, "", @progbits
