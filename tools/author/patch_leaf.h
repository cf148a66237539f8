// SPDX-License-Identifier: Apache-2.0
/* The leaf of a patch, when it is known what of which units goes into it. */
#ifndef NEWLEAF_AUTHOR_PATCH_LEAF_H
#define NEWLEAF_AUTHOR_PATCH_LEAF_H

#include "build.h"
#include "patch_diff.h"
#include "patch_select.h"

/* With the leaf's name: what the author says, else the CVE, else what the subject says, else the file's name. */
struct recipe *leaf_recipe(const struct diff *d, const struct build_with *o, const char *path);
void leaf_consistency(struct recipe *r, const struct patch_unit *units, size_t n, const char *given);
struct buf leaf_make(struct recipe *r, const struct kernel *k, struct patch_unit *units, size_t n,
                     const struct diff *diff, const char *compiler_note, const struct build_with *o);

#endif
