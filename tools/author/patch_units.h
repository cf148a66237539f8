// SPDX-License-Identifier: Apache-2.0
/* Which units does a configuration link into the image? Answered by the kernel's own makefiles. */
#ifndef NEWLEAF_AUTHOR_PATCH_UNITS_H
#define NEWLEAF_AUTHOR_PATCH_UNITS_H

#include "patch_tree.h"

struct image_units {
	char **unit; /* "fs/pipe.c", each once, ascending */
	size_t n;
	size_t assembler; /* further units, which are no C */
};

struct image_units units_of_image(const struct tree *t);
/* `count` of them in the order of a lot, or all if there are not so many; returns how many. */
size_t units_draw(struct image_units *u, size_t count, uint64_t seed);

#endif
