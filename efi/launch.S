// SPDX-License-Identifier: Apache-2.0
/*
 * The step into the core, on any CPU. On success the core lets the return path below run as its guest: CR3 is then the
 * firmware's again already, and every instruction here means the same for both. Callee-saved registers and the stack
 * are the core's to keep.
 */
#include <rows.S>
#define MSR_EFER 0xc0000080
#define EFER_NXE (1 << 11)

	.text
/* uint64_t launch(uint64_t launch_cr3, uint64_t entry_va, uint64_t boot_va, enum nl_enter what) */
	.globl launch
launch:
	pushfq
	each push, rbp, r12, r13, r14
	cli
	cld
	mov %rsi, %r13
	mov %rdx, %r14
	mov %ecx, %esi
	mov %cr3, %r12
	/* The host page table forbids execution; before CR3 knows of it, EFER must. */
	mov $MSR_EFER, %ecx
	rdmsr
	or $EFER_NXE, %eax
	wrmsr
	mov %rdi, %cr3
	mov %r14, %rdi
	mov %r12, %rdx
	call *%r13
	mov %r12, %cr3
	each pop, r14, r13, r12, rbp
	popfq
	ret

	.section .note.GNU-stack, "", @progbits
