// SPDX-License-Identifier: Apache-2.0
/* Layouts that a patch changes. What lives in the running kernel's memory keeps the old one. */
#ifndef NEWLEAF_AUTHOR_PATCH_LAYOUT_H
#define NEWLEAF_AUTHOR_PATCH_LAYOUT_H

#include "author.h"

/* The first struct or union that both objects know by name and have in another form, as "struct x: what"; NULL = none.
 */
char *layout_change(const char *before, const char *after);

#endif
