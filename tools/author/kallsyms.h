// SPDX-License-Identifier: Apache-2.0
/* The symbol table that a kernel carries in its own read-only data for stack traces (CONFIG_KALLSYMS). */
#ifndef NEWLEAF_AUTHOR_KALLSYMS_H
#define NEWLEAF_AUTHOR_KALLSYMS_H

#include "author.h"

struct ksym {
	uint64_t va;
	const char *name;
	char type; /* as nm(1), but of no meaning for what it is: kallsyms.c */
};

struct kallsyms { /* ascending by va */
	struct ksym *sym;
	size_t n, n_hidden; /* which by_name leaves out */
	uint32_t *by_name;  /* indices, ascending by name, then by va */
};

/* Searches `bytes`, which the kernel has at `va`, for the tables. False: not there. */
bool kallsyms_decode(struct kallsyms *out, const uint8_t *bytes, size_t n, uint64_t va);

/* How many different addresses carry the name; the `position`th (from 1, by address) goes to *found. */
size_t kallsyms_find(const struct kallsyms *s, const char *name, size_t position, const struct ksym **found);
/* First symbol that starts above va, or NULL. */
const struct ksym *kallsyms_next(const struct kallsyms *s, uint64_t va);
/* Last symbol that starts at or below va, or NULL. */
const struct ksym *kallsyms_at(const struct kallsyms *s, uint64_t va);

#endif
