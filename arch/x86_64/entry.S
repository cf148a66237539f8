// SPDX-License-Identifier: Apache-2.0
/*
 * The core's entry from the loader, and the handlers of exceptions and NMIs.
 */
#include <rows.S>
	.section .header, "a"
	.globl nl_core_header
nl_core_header:
	.quad 0x45524f434c4e /* NL_CORE_MAGIC */
	.long 6		     /* NL_BOOT_VERSION */
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
	.equ FRAME_SIZE, 216
	.globl nl_entry
nl_entry:
	pushfq
	pop %rcx
	sub $FRAME_SIZE, %rsp
	row save, rsp, 0, 8, GPRS
	lea FRAME_SIZE+8(%rsp), %rax	/* RSP and RIP of the caller */
	mov %rax, 32(%rsp)
	mov FRAME_SIZE(%rsp), %rax
	mov %cr0, %r8
	mov %cr4, %r9
	row save, rsp, 128, 8, rax, rcx, r8, rdx, r9
	sgdt 168(%rsp)
	sidt 178(%rsp)
	row save, rsp, 188, 2, es, cs, ss, ds, fs, gs
	str 200(%rsp)
	sldt 202(%rsp)
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
	row load, rsp, 24, 8, rbx, none, rbp
	row load, rsp, 96, 8, r12, r13, r14, r15
	add $FRAME_SIZE, %rsp
	ret

/*
 * An NMI that comes to the core: counted, and looked at before the next entry. On SVM it comes in a STGI window only.
 * On VMX at any time: where an entry is being made already (vmx/entry.S), that is sent back to look.
 */
	.globl host_nmi
host_nmi:
	push %rax
	push %rcx
	mov %rsp, %rax
	and $-16384, %rax		/* HOST_STACK_SIZE: the lowest word points to the CPU (host.h) */
	mov (%rax), %rcx
	incl NL_CPU_NMIS(%rcx)
	mov 16(%rsp), %rax		/* RIP */
	cmp $vmx_restart, %rax
	jb 1f
	cmp $vmx_restart_end, %rax
	jae 1f
	movq $vmx_restart, 16(%rsp)
1:	pop %rcx
	pop %rax
	iretq

/* An interrupt in the window that apic_reset_local opens, whichever it is. */
	.globl host_interrupt_stub
host_interrupt_stub:
	pushq $0
	pushq $32			/* HOST_INTERRUPT */
	jmp host_common

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
	each push, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	mov %rsp, %rdi
	cld
	call host_exception
	each pop, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
	add $16, %rsp
	iretq

	.bss
	.balign 16384
	.globl nl_boot_stack
nl_boot_stack:
	.skip 16384
	.section .note.GNU-stack, "", @progbits
