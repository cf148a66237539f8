// SPDX-License-Identifier: Apache-2.0
/* Layouts that a patch changes. What lives in the running kernel's memory keeps the old one. */
#ifndef NEWLEAF_AUTHOR_PATCH_LAYOUT_H
#define NEWLEAF_AUTHOR_PATCH_LAYOUT_H

#include "author.h"

struct btf;

/* The first structure, union, enumeration or variable that has another form in the second of two objects, as
 * "struct x: what"; NULL = none. */
char *layout_change(const char *before, const char *after);
char *layout_change_of(const struct btf *before, const struct btf *after);

#endif
