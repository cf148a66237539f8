// SPDX-License-Identifier: Apache-2.0
/* What belongs to a function without standing in its bytes: the constants that it reads, code without a name, and what
 * the kernel's tables say about it. Between the two files of the proof. */
#ifndef NEWLEAF_AUTHOR_PATCH_PROVE_REACH_H
#define NEWLEAF_AUTHOR_PATCH_PROVE_REACH_H

#include "patch_prove.h"

struct proof_reach; /* what was compared already */

/* Of patch_prove.c: is [from, from+size) of a section what the image has at va? NULL or why not. With `learn`, sections
 * that nobody knows yet get their place from the addresses in it. */
const char *proof_range(struct proof *p, const struct unit_section *s, uint64_t from, uint64_t size, uint64_t va,
                        bool learn);

/* Where the relocation leads, if that is part of what refers to it: the same there? NULL or why not. */
const char *reach_field(struct proof *p, const struct unit_section *s, const struct unit_reloc *r, bool learn);
/* Do the tables of the kernel say of the function at va what the unit's say? NULL or why not. */
const char *reach_tables(struct proof *p, const struct unit_symbol *f, uint64_t va, bool learn);
void reach_forget(struct proof *p); /* answers of before a section was known */

#endif
