// SPDX-License-Identifier: Apache-2.0
/* Variables that the patch takes away, adds, renames or moves to another of its units: what the running kernel keeps in
 * them must not be lost. */
#ifndef NEWLEAF_AUTHOR_PATCH_STATE_H
#define NEWLEAF_AUTHOR_PATCH_STATE_H

#include "patch_select.h"

/* Of all units of the patch that the image has. Fills `moved`; refuses NL_ESITE by name. */
void state_check(struct patch_unit *units, size_t n);

#endif
