// SPDX-License-Identifier: Apache-2.0
/* The compiled body of a leaf: sections of one or more objects, laid out as text[] and data[] of the leaf. */
#ifndef NEWLEAF_AUTHOR_BODY_H
#define NEWLEAF_AUTHOR_BODY_H

#include "draft.h"
#include "place.h"

struct btf;

struct body_symbol {
	char *name;
	const struct btf *types; /* of its object; NULL = it has none */
	struct place place;
	uint64_t size;
	bool function, global;
};

struct body {
	struct body_symbol *symbols;
	size_t n_symbols;
};

/* Lays out the objects, adds text, data and relocations to the draft. Refuses NL_EBODY with the section or symbol that
 * is in the way. */
struct body *body_load(struct draft *d, const struct kernel *k, const struct recipe *r, char *const objects[],
                       size_t n);
/* A symbol that a body defines, or NULL. */
const struct body_symbol *body_find(const struct body *b, const char *name);

#endif
