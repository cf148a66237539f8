// SPDX-License-Identifier: Apache-2.0
/* Functions drawn by lot: of the image, or of modules. */
#ifndef NEWLEAF_AUTHOR_TRANSPLANT_DRAW_H
#define NEWLEAF_AUTHOR_TRANSPLANT_DRAW_H

#include "modules.h"

#define DRAW_MODULES_MAX 256u

/* Draws `count` different functions that a source could name, or takes all if there are not so many: as a recipe names
 * them. */
size_t draw_of_image(const struct kernel *k, size_t count, uint64_t seed, char ***names);
/* Of these modules; n = 0: of all that were given. Refuses NL_ETARGET what was not given. */
size_t draw_of_modules(const struct kernel *k, char *const *modules, size_t n, size_t count, uint64_t seed,
                       char ***names);

/* Puts those of one module behind each other; returns how many, from the first on, one leaf can have. */
void draw_sort(char **names, size_t n);
size_t draw_for_leaf(const struct kernel *k, char *const *names, size_t n);

#endif
