// SPDX-License-Identifier: Apache-2.0
/*
 * Lists that the linker gathers from all units, each in a section of its own: parameters, calls at boot, quirks of
 * devices, sets of functions. Their entries have no function that would change with them.
 */
#ifndef NEWLEAF_AUTHOR_PATCH_LISTS_H
#define NEWLEAF_AUTHOR_PATCH_LISTS_H

#include "patch_compare.h"

struct list_change {
	char *what;   /* what changes, and how */
	bool tracing; /* of what only tracers read */
};

/* What the patch changes of such lists, and of what asm() defines outside of functions. Returns how many. */
size_t lists_changes(const struct comparison *c, struct list_change **changes);

#endif
