// SPDX-License-Identifier: Apache-2.0
/* Was the recipe written against the functions that this kernel has? */
#ifndef NEWLEAF_AUTHOR_OLDCODE_H
#define NEWLEAF_AUTHOR_OLDCODE_H

#include "draft.h"
#include "kernel.h"
#include "recipe.h"

/*
 * The hash of each function that a source replaces must be one that the recipe names by `old`, or it says `allow old`,
 * which becomes a fact of the leaf. Refuses NL_FIXED where all of them are what the sources compile to, else
 * NL_EOLDCODE with what to add. headers, cc: as for compile().
 */
void oldcode_check(struct draft *d, const struct kernel *k, const struct recipe *r, const char *headers,
                   const char *cc);

#endif
