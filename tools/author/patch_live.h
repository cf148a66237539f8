// SPDX-License-Identifier: Apache-2.0
/* Objects that live already lack what a patch gives to those made later. */
#ifndef NEWLEAF_AUTHOR_PATCH_LIVE_H
#define NEWLEAF_AUTHOR_PATCH_LIVE_H

#include "patch_diff.h"

/* Structures that the patch's own lines define, a name each; *n of them. */
char **live_structures(const struct diff *d, size_t *n);
/* Is a pointer to one of them put into a member of an object, and sought there? `dump` is what gcc -fdump-tree-gimple
 * says of the unit. NULL, or a sentence about it. */
char *live_member(char *dump, char **structure, size_t n);

#endif
