// SPDX-License-Identifier: Apache-2.0
/* From a recipe to the bytes of an unsigned leaf. */
#ifndef NEWLEAF_AUTHOR_BUILD_H
#define NEWLEAF_AUTHOR_BUILD_H

#include "kernel.h"
#include "recipe.h"

/* headers, cc: where they are, or NULL (compile.h). Refuses whatever cannot be proven right. */
struct buf build_leaf(const struct recipe *r, const struct kernel *k, const char *headers, const char *cc);

#endif
