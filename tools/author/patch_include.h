// SPDX-License-Identifier: Apache-2.0
/* Which units include a header, directly or through others, and use what changes in it? */
#ifndef NEWLEAF_AUTHOR_PATCH_INCLUDE_H
#define NEWLEAF_AUTHOR_PATCH_INCLUDE_H

#include "patch_sources.h"

#define INCLUDE_UNITS_MAX 64 /* more are refused: a change that is inlined everywhere wants another kernel */

struct include_header {
	char *path, *before, *after; /* both texts as they are written; before is NULL of a new one */
};

/* Adds the units to list[n], each once, and returns 0; when there are too many it adds none and returns how many. */
size_t include_find(struct sources *all, const struct include_header *header, size_t n_headers, char **list, size_t *n);

#endif
