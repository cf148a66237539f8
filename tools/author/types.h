// SPDX-License-Identifier: Apache-2.0
/* Offsets and sizes from the target's own type information (BTF). */
#ifndef NEWLEAF_AUTHOR_TYPES_H
#define NEWLEAF_AUTHOR_TYPES_H

#include "kernel.h"

struct member {
	uint32_t offset, size; /* bytes */
	uint32_t array_count;  /* 0 = no array */
	uint32_t type;         /* id in the kernel's BTF */
};

/* type: "struct x", "union x"; path: "a.b[2].c", through unnamed members too. Refuses NL_ETARGET with `where` in front.
 */
struct member member_find(const struct kernel *k, const char *type, const char *path, const char *where);
/* The same, but false where there is no such member. */
bool member_maybe(const struct kernel *k, const char *type, const char *path, const char *where, struct member *out);
/* A bit field of one bit among the members of `type` itself: its place from the structure's first bit. */
bool member_bit(const struct kernel *k, const char *type, const char *name, const char *where, uint32_t *bit);

#endif
