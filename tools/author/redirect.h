// SPDX-License-Identifier: Apache-2.0
/* Replacing a function: a jump behind its entry, and every reason why one cannot stand there. */
#ifndef NEWLEAF_AUTHOR_REDIRECT_H
#define NEWLEAF_AUTHOR_REDIRECT_H

#include "body.h"

/* All that can be said without the body. Refuses NL_ETARGET or NL_ESITE. */
void redirect_check(const struct kernel *k, const struct recipe *r, const struct recipe_replace *s);
void redirect_add(struct draft *d, const struct kernel *k, const struct recipe *r, const struct recipe_replace *s,
                  const struct body *b);
/* What the recipe lets pass for this function, as facts of the leaf. */
void redirect_overrides(struct draft *d, const struct kernel *k, const struct recipe_replace *s);

#endif
