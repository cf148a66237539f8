// SPDX-License-Identifier: Apache-2.0
/* Which statements of a recipe are for the kernel, and which for a module of it. */
#ifndef NEWLEAF_AUTHOR_OBJECTS_H
#define NEWLEAF_AUTHOR_OBJECTS_H

#include "modules.h"
#include "recipe.h"

struct object {
	const struct module *module; /* NULL = the kernel */
	const struct kernel *k;      /* as it sees it */
	const struct recipe *r;      /* its statements, and its sources */
};

/* Each source belongs to one of them. Modules come first, the kernel last, in the order of the recipe. Refuses what two
 * of them have, NL_ERECIPE what is mixed, NL_EARENA when there are too many; returns how many, at least one. */
size_t objects_of(const struct kernel *k, const struct recipe *r, struct object out[NL_LEAF_MAX_OBJECTS]);

/* The object that a name belongs to; NULL: the kernel, or nobody. `where` begins the message. */
const struct module *object_with(const struct kernel *k, const struct recipe_symbol *s, const char *where);

#endif
