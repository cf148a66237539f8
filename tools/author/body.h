// SPDX-License-Identifier: Apache-2.0
/* The compiled body of a leaf: sections of one or more objects, laid out as text[] and data[] of the leaf. */
#ifndef NEWLEAF_AUTHOR_BODY_H
#define NEWLEAF_AUTHOR_BODY_H

#include "draft.h"
#include "place.h"

struct btf;

struct body_symbol {
	char *name;
	size_t object; /* where it is from: an index of types[] */
	struct place place;
	uint64_t size;
	bool function, global;
};

struct body_use { /* what a body uses of the kernel */
	const char *name, *kernel_name;
	size_t object;
};

struct body {
	struct body_symbol *symbols;
	struct body_use *uses;    /* each once for an object */
	const struct btf **types; /* of each object; NULL = it has none */
	size_t n_symbols, n_uses, n_objects;
};

/* Lays out the objects, adds text, data and relocations to the draft. Refuses NL_EBODY with the section or symbol that
 * is in the way. */
struct body *body_load(struct draft *d, const struct kernel *k, const struct recipe *r, char *const objects[],
                       size_t n);
/* Types for the objects that have none, from the same sources compiled again. */
void body_take_types(struct body *b, char *const objects[]);
/* A symbol that a body defines, or NULL. */
const struct body_symbol *body_find(const struct body *b, const char *name);

#endif
