// SPDX-License-Identifier: Apache-2.0
/*
 * Whose a variable of a function is. The compiler numbers such variables, and by its code a variable seems to be of
 * every function that its own was inlined into: only the source says which is which.
 */
#ifndef NEWLEAF_AUTHOR_PATCH_HOMES_H
#define NEWLEAF_AUTHOR_PATCH_HOMES_H

#include "patch_object.h"

/* Fills u->home from what the compiler wrote about this compilation. */
void homes_read(struct unit *u, const char *dump);
/* Is that the name of a variable of a function? */
bool home_is(const char *name);
/* The same functions; false where one of the two is not known. */
bool home_same(const char *x, const char *y);
/* Does the source read such a variable, whatever the compiler makes of that? */
bool home_reads(const struct unit *u, const char *name, const char *home);
/* Those that take the address of a function in the source, " f g "; NULL: nobody does. Not who only lists it: exports,
 * what may not be probed. */
char *home_givers(const struct unit *u, const char *function);

#endif
