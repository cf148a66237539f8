/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of leaf/litmus.c, and the strings behind them. */
#include "../litmus_pass.inc"

	.section .body, "a"
body:
	LITMUS_PASS 1
	.set n, 0
	.rept LIT_N
	.org body + LIT_BODY_FUNCTION + n * LIT_BODY_STEP, 0xcc
	LITMUS_FUNCTION 1
	.set n, n + 1
	.endr
	.org body + LIT_BODY_SIZE, 0xcc
	.asciz "a look"
	.section .note.GNU-stack, "", @progbits
