// SPDX-License-Identifier: Apache-2.0
/* A body from the kernel's own machine code: the shipped bytes of one function, made to run at another place. */
#ifndef NEWLEAF_AUTHOR_LIFT_H
#define NEWLEAF_AUTHOR_LIFT_H

#include "draft.h"
#include "kernel.h"

struct lifted { /* in text[] of the draft */
	uint32_t offset, size;
};

/*
 * Copies [va, va + size) into text[]. What reaches out of the function gets a relocation, what stays inside keeps its
 * distance. Refuses NL_ESITE where the code is listed in a table of the kernel by its address (faults, BUGs, jump
 * labels, static calls, alternatives), because nobody would list the copy.
 */
struct lifted lift_function(struct draft *d, const struct kernel *k, uint64_t va, uint32_t size, const char *where);

#endif
