// SPDX-License-Identifier: Apache-2.0
/* Does a function ever come back? */
#ifndef NEWLEAF_AUTHOR_RETURNS_H
#define NEWLEAF_AUTHOR_RETURNS_H

#include "kernel.h"

/* False: neither the code in [va, va + size) nor its cold half holds a return or a jump to anybody else, so callers
 * have no code behind their calls. */
bool returns_ever(const struct kernel *k, const char *name, uint64_t va, uint32_t size);

#endif
