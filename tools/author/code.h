// SPDX-License-Identifier: Apache-2.0
/* Questions about machine code, answered by Zydis. */
#ifndef NEWLEAF_AUTHOR_CODE_H
#define NEWLEAF_AUTHOR_CODE_H

#include "author.h"

struct code_step {    /* one instruction */
	uint32_t len; /* 0 = not an instruction */
	bool is_call;
	bool resumes; /* an interrupt may come in its middle, and it goes on there: REP, gathers, scatters */
	bool ends;    /* control does not continue behind it: ret, jmp, ud2, int3, hlt */
	bool pads;    /* a nop, int3: for nobody */
	bool refers;  /* to memory at `address` alone: by a distance, or per CPU; the 4 bytes of it stand at `field` */
	uint8_t field;
	uint64_t address;
	uint8_t stores; /* where the 4 bytes of the address stand that it writes to, whatever is added; 0 = nowhere */
	uint8_t loads;  /* the same of what it reads; lea reads nothing */
	bool jumps;     /* a relative branch or call; `target` is where to */
	uint64_t target;
	/* general registers, bit n = register number n; a call writes CALLER_SAVED, and reads nothing that is known */
	uint32_t reads, writes;
};

#define CODE_CALLER_SAVED 0x0fc7u /* rax rcx rdx rsi rdi r8-r11 */

struct code_step code_decode(const uint8_t *p, size_t n, uint64_t va);
#endif
