// SPDX-License-Identifier: Apache-2.0
/* Who holds or takes the address of a place of the kernel, by no branch. */
#ifndef NEWLEAF_AUTHOR_REFERENCES_H
#define NEWLEAF_AUTHOR_REFERENCES_H

#include "kernel.h"

struct reference {
	uint64_t at;           /* where the address stands, or the distance to it */
	const struct ksym *in; /* the function or variable that has it; NULL = none */
	bool in_code;
};

/*
 * Calls `wanted` for each reference of the kernel to [start, end), until it says true; that one goes to *found. False:
 * it never did. Not asked about: tables in which addresses only say where something is (ftrace's nops, what may not be
 * probed), and exit code, which never runs.
 */
bool references_find(const struct kernel *k, uint64_t start, uint64_t end,
                     bool (*wanted)(const void *arg, const struct reference *r), const void *arg,
                     struct reference *found);

#endif
