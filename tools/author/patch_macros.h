// SPDX-License-Identifier: Apache-2.0
/* What patches written for kpatch or klp-build use beside the kernel's own words. */
#ifndef NEWLEAF_AUTHOR_PATCH_MACROS_H
#define NEWLEAF_AUTHOR_PATCH_MACROS_H

#include "patch_diff.h"
#include "patch_tree.h"

/* Refuses what means nothing in a leaf, with the way out. True: the patch includes a header of kpatch's. */
bool macros_check(const struct diff_file *file);
/* Puts headers of our own into the overlay, which give the rest a meaning. */
void macros_write(const struct tree *t);

#endif
