// SPDX-License-Identifier: Apache-2.0
/* Structures that a patch takes away while it brings others, which may be the same ones under another name. */
#ifndef NEWLEAF_AUTHOR_PATCH_RENAMED_H
#define NEWLEAF_AUTHOR_PATCH_RENAMED_H

#include "patch_diff.h"
#include "patch_layout.h"

/* The names of structures, unions and types whose definition the patch's lines take away, and bring nowhere. */
char **renamed_taken(const struct diff *d, size_t *n);

/* The first structure that goes from the units while one comes that the running kernel does not know, is laid out
 * otherwise, and seems to be the same; as the beginning of a sentence. NULL: there is none. */
char *renamed_change(const struct layout *unit, size_t n, const struct btf *kernel, char *const *taken, size_t n_taken);

#endif
