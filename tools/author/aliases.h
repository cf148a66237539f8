// SPDX-License-Identifier: Apache-2.0
/* Several names of one piece of code: aliases of the source, and equal functions that gcc has folded (-fipa-icf). Who
 * patches one patches all. */
#ifndef NEWLEAF_AUTHOR_ALIASES_H
#define NEWLEAF_AUTHOR_ALIASES_H

#include "kernel.h"

/* "b, c", the other functions at va, of which `name` is one; NULL: there are none. Not the names of one system call,
 * which are one function of the source, and not the linker's marks. */
char *aliases_of(const struct kernel *k, const char *name, uint64_t va);

#endif
