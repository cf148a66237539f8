// SPDX-License-Identifier: Apache-2.0
/*
 * Entering the guest and coming back, and the NMI handler of root operation, which belongs here because it must know
 * where an entry stands.
 *
 * Between vmx_restart and vmx_restart_end the general registers may be the guest's already; all that the restart needs
 * is the stack, whose top word is the struct vmx_cpu. An NMI in this range, which has passed the check of nmis and
 * would be forgotten, sends it back to the check.
 */
#include "vmx.h"

	.text
/* void vmx_loop(struct vmx_cpu *v, void *stack_top): never returns. HOST_RSP is stack_top - 16. */
	.globl vmx_loop
vmx_loop:
	lea -16(%rsi), %rsp
	mov %rdi, (%rsp)
loop:
	mov (%rsp), %rdi
	call vmx_before_entry
vmx_restart:
	mov (%rsp), %rdi
	mov VMX_CPU_CPU(%rdi), %rsi
	cmpl $0, VMX_NMIS(%rsi)
	jne loop
	cmpl $0, VMX_CPU_LAUNCHED(%rdi)	/* the flags stay until the jump */
	mov %rsi, %rdi
	mov VMX_GPRS+0(%rdi), %rax
	mov VMX_GPRS+8(%rdi), %rcx
	mov VMX_GPRS+16(%rdi), %rdx
	mov VMX_GPRS+24(%rdi), %rbx
	mov VMX_GPRS+40(%rdi), %rbp
	mov VMX_GPRS+48(%rdi), %rsi
	mov VMX_GPRS+64(%rdi), %r8
	mov VMX_GPRS+72(%rdi), %r9
	mov VMX_GPRS+80(%rdi), %r10
	mov VMX_GPRS+88(%rdi), %r11
	mov VMX_GPRS+96(%rdi), %r12
	mov VMX_GPRS+104(%rdi), %r13
	mov VMX_GPRS+112(%rdi), %r14
	mov VMX_GPRS+120(%rdi), %r15
	mov VMX_GPRS+56(%rdi), %rdi
	jne 1f
	vmlaunch
	jmp failed
1:	vmresume
	jmp failed
vmx_restart_end:
failed: /* the instruction itself failed: still in root operation, CF or ZF says how (SDM vol. 3, 31.2) */
	pushfq
	pop %rsi
	mov (%rsp), %rdi
	call vmx_entry_failed
	ud2

/* HOST_RIP: rsp is HOST_RSP, all other general registers are the guest's. */
	.globl vmx_exit_entry
vmx_exit_entry:
	push %rdi
	mov 8(%rsp), %rdi
	mov VMX_CPU_CPU(%rdi), %rdi
	mov %rax, VMX_GPRS+0(%rdi)
	mov %rcx, VMX_GPRS+8(%rdi)
	mov %rdx, VMX_GPRS+16(%rdi)
	mov %rbx, VMX_GPRS+24(%rdi)
	mov %rbp, VMX_GPRS+40(%rdi)
	mov %rsi, VMX_GPRS+48(%rdi)
	popq VMX_GPRS+56(%rdi)
	mov %r8, VMX_GPRS+64(%rdi)
	mov %r9, VMX_GPRS+72(%rdi)
	mov %r10, VMX_GPRS+80(%rdi)
	mov %r11, VMX_GPRS+88(%rdi)
	mov %r12, VMX_GPRS+96(%rdi)
	mov %r13, VMX_GPRS+104(%rdi)
	mov %r14, VMX_GPRS+112(%rdi)
	mov %r15, VMX_GPRS+120(%rdi)
	xor %ebp, %ebp
	mov (%rsp), %rdi
	call vmx_after_exit
	jmp loop

/* An NMI in root operation (nmi.c): counted, and if an entry is being made, seen by it. */
	.globl vmx_nmi
vmx_nmi:
	push %rax
	push %rcx
	mov %rsp, %rax
	and $-16384, %rax		/* HOST_STACK_SIZE: the lowest word points to the CPU (host.h) */
	mov (%rax), %rcx
	incl VMX_NMIS(%rcx)
	mov 16(%rsp), %rax		/* RIP */
	cmp $vmx_restart, %rax
	jb 1f
	cmp $vmx_restart_end, %rax
	jae 1f
	movq $vmx_restart, 16(%rsp)
1:	pop %rcx
	pop %rax
	iretq
	.section .note.GNU-stack, "", @progbits
