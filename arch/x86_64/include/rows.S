// SPDX-License-Identifier: Apache-2.0
/*
 * Included by the assembly files: what is done to many registers, said once.
 */
#define NL_CPU_NMIS 136 /* offset of nmis in struct nl_cpu */
/* struct nl_gprs; `none` has a place there and is left alone: rsp, and rdi, through which the others are reached. */
#define GPRS rax, rcx, rdx, rbx, none, rbp, rsi, none, r8, r9, r10, r11, r12, r13, r14, r15

.macro load reg, base, at
	mov \at(%\base), %\reg
.endm
.macro save reg, base, at
	mov %\reg, \at(%\base)
.endm

/* load or save: the first of the registers at \at(\base), each of the others \step bytes behind the one before. */
.macro row move, base, at, step, regs:vararg
	place = \at
	.irp reg, \regs
	.ifnc \reg, none
	\move \reg, \base, place
	.endif
	place = place + \step
	.endr
.endm

/* push or pop, in the order given. */
.macro each insn, regs:vararg
	.irp reg, \regs
	\insn %\reg
	.endr
.endm
