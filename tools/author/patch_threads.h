// SPDX-License-Identifier: Apache-2.0
/* Functions in which a kernel thread spends its life: no new call of them comes, so a new body would never run. */
#ifndef NEWLEAF_AUTHOR_PATCH_THREADS_H
#define NEWLEAF_AUTHOR_PATCH_THREADS_H

#include "patch_select.h"

/* Of what is to be replaced, after patch_changes(). Refuses NL_ESITE by name, or notes it if the author allows it. */
void threads_check(struct patch_unit *units, size_t n, bool allow_objects);

#endif
