// SPDX-License-Identifier: Apache-2.0
/* Who calls a function, and what its compiler may have told them of it. */
#ifndef NEWLEAF_AUTHOR_CALLERS_H
#define NEWLEAF_AUTHOR_CALLERS_H

#include "draft.h"
#include "kernel.h"
#include "recipe.h"

/* GCC from 14 on tells the callers of a unit which values a function returns; who needs not ask then does not. Names
 * some of those who do not look at rax behind a call of va: NULL = there is none, or an older compiler. */
char *callers_told(const struct kernel *k, uint64_t va);

/* A recipe's function is compiled apart from its callers, which may rely on what the old one was like. Notes those that
 * certainly stand in the same file, and refuses who does not look at a value that may be another now, unless the
 * recipe says `allow callers`. */
void callers_check(struct draft *d, const struct kernel *k, const struct recipe *r, const struct recipe_replace *s);

#endif
