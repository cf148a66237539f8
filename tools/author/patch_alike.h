// SPDX-License-Identifier: Apache-2.0
/* A patch that only divides code into functions otherwise has no effect, though the compiler inlines otherwise. */
#ifndef NEWLEAF_AUTHOR_PATCH_ALIKE_H
#define NEWLEAF_AUTHOR_PATCH_ALIKE_H

#include "patch_compile.h"
#include "patch_diff.h"
#include "patch_files.h"
#include "patch_select.h"

/* Marks the units (`alike`) of which before and after are the same code once everything is inlined. Only those to which
 * functions came, or from which they went, are compiled for it. The overlay holds the patch, before and afterwards. */
void patch_alike(struct patch_unit *units, struct unit_command **commands, size_t n, const struct tree *t,
                 const struct diff *d, const struct patch_files *files);

#endif
