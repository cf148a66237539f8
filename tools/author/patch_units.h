// SPDX-License-Identifier: Apache-2.0
/* Which units does a configuration link into the image, or into modules? Answered by the kernel's own makefiles. */
#ifndef NEWLEAF_AUTHOR_PATCH_UNITS_H
#define NEWLEAF_AUTHOR_PATCH_UNITS_H

#include "patch_tree.h"

struct unit_list {
	char **unit; /* "fs/pipe.c", each once, ascending; of modules as the makefile has it: "a/../b/c.c" */
	size_t n;
	size_t assembler; /* further units, which are no C */
};

struct unit_list units_of_image(const struct tree *t);
struct unit_list units_of_modules(const struct tree *t);
/* How the makefile of a module calls a unit of another directory, for which make has no goal by its own name; or NULL.
 */
char *units_spelled(const struct tree *t, const char *unit);
/* `count` of them in the order of a lot, or all if there are not so many; returns how many. */
size_t units_draw(struct unit_list *u, size_t count, uint64_t seed);

#endif
