// SPDX-License-Identifier: Apache-2.0
/* Layouts that a patch changes. What lives in the running kernel's memory keeps the old one. */
#ifndef NEWLEAF_AUTHOR_PATCH_LAYOUT_H
#define NEWLEAF_AUTHOR_PATCH_LAYOUT_H

#include "kallsyms.h"

#define LAYOUT_PAIRS 16 /* of prototypes in one unit */

struct btf;

/* One unit's types. Pairs: prototypes of functions behind pointers that differ before and after. */
struct layout {
	const struct btf *before, *after;
	struct {
		uint32_t before, after;
	} pair[LAYOUT_PAIRS];
	size_t n_pairs;
};

/* The first structure, union, enumeration or variable that has another form in the second of two objects, as
 * "struct x: what"; NULL = none but for the pairs. */
char *layout_change(const char *before, const char *after, struct layout *l);
char *layout_change_of(struct layout *l);

/* How one structure of before differs from another of after, whatever both are called; NULL: not in its layout. By
 * name: members are looked at by theirs, too. */
char *layout_renamed(const struct btf *before, uint32_t x, const struct btf *after, uint32_t y, bool by_name);

/* The running kernel's memory points to functions of the old prototypes: all there are, in it and in the units before,
 * must be of the new ones after the patch. The name of one that is not; NULL = all are. */
const char *layout_pointees(const struct layout *unit, size_t n, const struct btf *kernel, const struct kallsyms *syms);

/* Are these two prototypes, of the patch's code and of the running kernel, a pair of the unit's? */
bool layout_expects(const struct layout *l, const struct btf *here, uint32_t x, const struct btf *kernel, uint32_t y);

/* Is a variable of one unit before what another unit after the patch has under its name? What has no type is. */
bool layout_same_variable(const struct layout *from, const struct layout *to, const char *name);
/* The same of what a function takes and returns. */
bool layout_same_function(const struct layout *from, const struct layout *to, const char *name);
/* Does it change as the pointers do that one of the unit's pairs is of? Then who calls by a pointer changes, too. */
bool layout_is_pair(const struct layout *unit, const struct layout *from, const struct layout *to, const char *name);

#endif
