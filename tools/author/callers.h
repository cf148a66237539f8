// SPDX-License-Identifier: Apache-2.0
/* Who calls a function and does not look at what it returns. */
#ifndef NEWLEAF_AUTHOR_CALLERS_H
#define NEWLEAF_AUTHOR_CALLERS_H

#include "kernel.h"

/* GCC from 14 on tells the callers of a unit which values a function returns; who needs not ask then does not. Names
 * some of those who do not look at rax behind a call of va: NULL = there is none, or an older compiler. */
char *callers_told(const struct kernel *k, uint64_t va);

#endif
