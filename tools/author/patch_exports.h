// SPDX-License-Identifier: Apache-2.0
/* What is used by others than the kernel's own sources: modules link to exported functions by a checksum of their
 * prototypes, and BPF programs call by the prototypes that the running kernel tells. */
#ifndef NEWLEAF_AUTHOR_PATCH_EXPORTS_H
#define NEWLEAF_AUTHOR_PATCH_EXPORTS_H

#include "patch_select.h"

/* Of all units of the patch that the image has. Notes what is exported, or no longer; refuses NL_ESITE prototypes that
 * change, or fills `prototype` with what the author allows. */
void exports_check(struct patch_unit *units, size_t n, bool allow_modules);

#endif
