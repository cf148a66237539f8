// SPDX-License-Identifier: Apache-2.0
/* Stores of new code to what the running kernel holds read-only. */
#ifndef NEWLEAF_AUTHOR_PATCH_STORES_H
#define NEWLEAF_AUTHOR_PATCH_STORES_H

#include "patch_compare.h"

struct store {
	const struct unit_symbol *function, *to; /* of `after` */
};

/* Is what another unit defines read-only? */
typedef bool store_outside(const void *with, const char *name);

/* The first such store that the patch brings: what the running code does already it may do (before boot is over, say).
 * False: none that stands in the code with its address. */
bool store_find(const struct comparison *c, store_outside *outside, const void *with, struct store *found);

#endif
