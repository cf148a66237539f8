// SPDX-License-Identifier: Apache-2.0
/* A leaf straight from a patch: see docs/how-to/leaf-from-patch.md. */
#ifndef NEWLEAF_AUTHOR_PATCH_BUILD_H
#define NEWLEAF_AUTHOR_PATCH_BUILD_H

#include "build.h"

bool patch_is(const struct buf *text); /* is it a diff, and not a recipe? */
struct built patch_build(const char *path, const struct buf *text, const struct kernel *k, const struct build_with *o);

#endif
