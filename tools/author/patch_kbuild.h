// SPDX-License-Identifier: Apache-2.0
/* Does a configuration build a unit? Answered from the makefiles' text alone, and "perhaps" wherever that is not clear:
 * only what is surely left out is. */
#ifndef NEWLEAF_AUTHOR_PATCH_KBUILD_H
#define NEWLEAF_AUTHOR_PATCH_KBUILD_H

#include "patch_tree.h"

struct kbuild;

struct kbuild *kbuild_open(const struct tree *t);
bool kbuild_may_build(struct kbuild *k, const char *unit);            /* fs/pipe.c */
bool kbuild_may_enter(struct kbuild *k, const char *directory);       /* fs/ext4 */
const char *kbuild_makefile(struct kbuild *k, const char *directory); /* its text, or "" */

#endif
