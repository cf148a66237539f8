/* SPDX-License-Identifier: Apache-2.0 */
/* The text that litmus.c shows as Linux's, the leaf for it, and how a CPU goes from one stack to another. */
#include "litmus_pass.inc"

	.data
	.balign 4096
	.globl litmus_text, litmus_leaf, litmus_leaf_end, litmus_switch, litmus_user, litmus_user_end
litmus_text:
	.org litmus_text + LIT_PASS, 0xcc
	.byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0
	LITMUS_PASS 0
	.set n, 1
	.rept LIT_N
	.org litmus_text + n * LIT_PAGE + LIT_FUNCTION, 0xcc
	.byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0
	LITMUS_FUNCTION 0
	.set n, n + 1
	.endr
	.org litmus_text + LIT_TEXT_PAGES * LIT_PAGE, 0xcc

litmus_leaf:
	.incbin "litmus.leaf"
litmus_leaf_end:

	.text
/* void litmus_switch(uint64_t *save, const uint64_t *load): stack pointers */
litmus_switch:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, (%rdi)
	mov (%rsi), %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/* At CPL 3: RCX times round, then back */
litmus_user:
	dec %rcx
	jnz litmus_user
	pause
	int $0x80
litmus_user_end:
	.section .note.GNU-stack, "", @progbits
