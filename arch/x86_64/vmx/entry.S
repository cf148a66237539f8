// SPDX-License-Identifier: Apache-2.0
/*
 * Entering the guest and coming back.
 *
 * Between vmx_restart and vmx_restart_end the general registers may be the guest's already; all that the restart needs
 * is the stack, whose top word is the struct vmx_cpu, or odd: what cell_enter.S has there. An NMI in this range, which
 * has passed the check of nmis and would be forgotten, sends it back to the check (host_nmi).
 */
#include <rows.S>
#include "vmx.h"

	.text
/* void vmx_loop(struct vmx_cpu *v, void *stack_top): never returns. HOST_RSP is stack_top - 16. */
	.globl vmx_loop, vmx_restart, vmx_restart_end
vmx_loop:
	lea -16(%rsi), %rsp
	mov %rdi, (%rsp)
loop:
	mov (%rsp), %rdi
	call vmx_before_entry
vmx_restart:
	mov (%rsp), %rdi
	test $1, %dil			/* the entry was a cell's */
	jnz cell_back
	mov VMX_CPU_CPU(%rdi), %rsi
	cmpl $0, NL_CPU_NMIS(%rsi)
	jne loop
	cmpl $0, VMX_CPU_LAUNCHED(%rdi)	/* the flags stay until the jump */
	mov %rsi, %rdi
	row load, rdi, VMX_GPRS, 8, GPRS
	mov VMX_GPRS+56(%rdi), %rdi
	jne 1f
	vmlaunch
	jmp failed
1:	vmresume
	jmp failed
#include "cell_enter.S" /* vmx_restart_end is in it */
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
	row save, rdi, VMX_GPRS, 8, GPRS
	popq VMX_GPRS+56(%rdi)
	xor %ebp, %ebp
	mov (%rsp), %rdi
	call vmx_after_exit
	jmp loop
	.section .note.GNU-stack, "", @progbits
