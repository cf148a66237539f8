// SPDX-License-Identifier: Apache-2.0
/* What helps an author whose name the kernel does not have. */
#ifndef NEWLEAF_AUTHOR_NEARBY_H
#define NEWLEAF_AUTHOR_NEARBY_H

#include "kernel.h"

/* "; there is: a, b", the names that differ least, or "" when none is near. */
char *nearby_names(const struct kernel *k, const char *name);

#endif
