// SPDX-License-Identifier: Apache-2.0
/* Units of a made-up patch, compiled when run: for the tests of what a patch does across its units. */
#ifndef AUTHOR_UNITS_H
#define AUTHOR_UNITS_H

#include "../../tools/author/patch_select.h"

int author_units_start(void **state);
int author_units_end(void **state);

/* The unit of that path, whose source is one text before the patch and another after it. The kernel is
 * author_units_kernel, and shipped what is before. */
void author_unit(struct patch_unit *p, const char *path, const char *before, const char *after);

extern struct kernel author_units_kernel; /* without a name in it, at first */

#endif
