// SPDX-License-Identifier: Apache-2.0
/* Who branches where in the kernel's text. */
#ifndef NEWLEAF_AUTHOR_BRANCHES_H
#define NEWLEAF_AUTHOR_BRANCHES_H

#include "kernel.h"

struct branch {
	uint64_t from, target; /* of the instruction, and where it leads */
	const struct ksym *in; /* the symbol that it belongs to; NULL = none */
	bool is_call;
};

/* For who will ask often: all that may be branches of this kernel are sought once, and found quickly from then on. */
void branches_remember(const struct kernel *k);

/*
 * Calls `unwanted` for each relative branch or call of the kernel that leads into [start, end), until it says true;
 * that branch goes to *found. False: it never did. It is asked before anybody has made sure that the bytes are a
 * branch, so it should be a quick look, and is asked again then.
 */
bool branches_find(const struct kernel *k, uint64_t start, uint64_t end,
                   bool (*unwanted)(const void *arg, const struct branch *b), const void *arg, struct branch *found);

/*
 * Does control run from the code in [start, end) on to end, by no branch? A call that comes last may be of somebody who
 * never returns, where there is room or a compiler's alignment behind it. Of data nobody can tell: false.
 */
bool branches_run_on(const struct kernel *k, uint64_t start, uint64_t end);

/* "; called by: a, b and more", the functions that branch to a place, or "" when none does. */
char *branches_callers(const struct kernel *k, uint64_t va);

#endif
