// SPDX-License-Identifier: Apache-2.0
/*
 * One store to memory, decoded: what the core knows of instructions that write to a page it watches. The address is
 * known from the nested fault; what is needed is the value and the length. Knows what compilers make of accesses to
 * registers of devices: MOV, XCHG, and for |= and &= OR and AND. Not known: all else. Pure, and compared with Zydis and
 * a CPU on the host.
 */
#pragma once

#include <newleaf/types.h>

enum store_op { STORE_MOV, STORE_XCHG, STORE_OR, STORE_AND };

struct store {
	uint8_t length; /* bytes of the instruction */
	uint8_t width;  /* of the store: 1, 2, 4, 8 */
	uint8_t op;     /* enum store_op */
	int8_t reg;     /* source, in the order of struct nl_gprs; -1: immediate */
	uint8_t shift;  /* 8: AH, CH, DH, BH */
	uint64_t immediate;
};

#define STORE_MAX_LENGTH 15
#define STORE_BYTES 32 /* what the decoder may look at: bytes behind the fifteenth are never part of an answer */

/* bits: 16, 32 or 64, the code segment's default. false: not known, or longer than 15 bytes. */
bool store_decode(const uint8_t p[STORE_BYTES], unsigned bits, struct store *out);

/* Does the value depend on what is there? Then it must be read first. */
static inline bool store_reads(const struct store *s) { return s->op != STORE_MOV; }

/*
 * Executes it on a set of registers: returns the value that goes to memory. `old` is what memory holds (if
 * store_reads). Registers (gprs[16]) and the arithmetic flags in *rflags change as the manual says; RIP is the caller's
 * business.
 */
uint64_t store_execute(const struct store *s, uint64_t *gprs, uint64_t *rflags, uint64_t old);
