// SPDX-License-Identifier: Apache-2.0
/*
 * Is a type of a body the kernel's own? Two types are the same when code that is compiled with one works on data of the
 * other: sizes, signs, offsets, names. Structures, unions and enumerations with a name are the same by their name; what
 * is inside each is compared once, by compare_named().
 */
#ifndef NEWLEAF_AUTHOR_COMPARE_TYPES_H
#define NEWLEAF_AUTHOR_COMPARE_TYPES_H

#include "author.h"

struct btf;

struct type_of { /* a type in its object */
	const struct btf *btf;
	uint32_t id;
};

/* Prototypes behind pointers that differ and are known to: who is asked, and of what. For all comparisons that follow;
 * NULL = none. */
struct compare_expected {
	bool (*is)(const void *of, struct type_of here, struct type_of kernel);
	const void *of;
};

void compare_expect(const struct compare_expected *e);

/* NULL = the same; else what differs, "long here, int there", where `there` names the kernel. */
char *compare_types(struct type_of here, struct type_of kernel, const char *there);

/*
 * The members of a structure or union, the values of an enumeration: against all types of that kind and name in the
 * kernel, of which one must be the same. NULL = it is, or *known is false: the kernel has none.
 */
char *compare_named(struct type_of here, const struct btf *kernel, const char *there, bool *known);

/* As C would write it, roughly; for messages. */
char *type_name(struct type_of t);
const char *type_label(struct type_of t); /* its own name, "" = none */

#endif
