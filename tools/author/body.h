// SPDX-License-Identifier: Apache-2.0
/* The compiled body of a leaf: sections of one or more objects, laid out as text[] and data[] of the leaf. */
#ifndef NEWLEAF_AUTHOR_BODY_H
#define NEWLEAF_AUTHOR_BODY_H

#include "draft.h"
#include "place.h"

#include <gelf.h>

struct btf;

struct body_symbol {
	char *name;
	size_t object; /* where it is from: an index of types[] */
	struct place place;
	uint64_t size;
	bool function, global, writable;
};

struct body_use { /* what a body uses of the kernel */
	const char *name, *kernel_name;
	size_t object;
	uint64_t va;
};

struct body {
	struct body_symbol *symbols;
	struct body_use *uses;    /* each once for an object */
	const struct btf **types; /* of each object; NULL = it has none */
	size_t n_symbols, n_uses, n_objects;
	struct loading *loading; /* for body_place */
	struct object *objects;
};

/* What one relocation counts from, where neither its section nor its name says it. */
struct body_fixed {
	uint32_t section; /* that holds the relocation */
	uint64_t offset;
	struct place place;
	bool resolved; /* a branch, and the object has no relocation for it: with this addend */
	int64_t addend;
};

/* One object, and what of it is wanted. NULL in take: all that the kernel keeps in memory. */
struct body_object {
	char *path;
	const char *prefix;          /* of the names of its symbols, "" or what tells them from other objects' */
	const bool *take;            /* by section */
	const struct place *bound;   /* by section: where the kernel has it; symbol 0 = nowhere. Of a function that is
	                                taken, too: what a pointer to it holds */
	const struct place *outside; /* by symbol, where its name does not say it */
	const struct body_fixed *fixed;
	size_t n_fixed;
};

/* Lays out the objects, adds text, data and relocations to the draft. Refuses NL_EBODY with the section or symbol that
 * is in the way. */
struct body *body_load(struct draft *d, const struct kernel *k, const struct recipe *r, char *const objects[],
                       size_t n);
/* Types for the objects that have none, from the same sources compiled again. */
void body_take_types(struct body *b, char *const objects[]);
struct body *body_load_some(struct draft *d, const struct kernel *k, const struct recipe *r,
                            const struct body_object *objects, size_t n);
/* Where a relocation of a section of the nth object leads to. */
struct place body_place(const struct body *b, size_t object, uint32_t section, const GElf_Rela *r);
/* What in the source makes a section that would need the kernel's own tables; NULL for other sections. */
const char *body_table_cause(const char *section);
/* A symbol that a body defines, or NULL. */
const struct body_symbol *body_find(const struct body *b, const char *name);

#endif
