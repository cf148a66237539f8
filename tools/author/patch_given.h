// SPDX-License-Identifier: Apache-2.0
/* Functions whose addresses were given away before the patch: work, timers, interrupts, tables of functions hold them,
 * and call what stands there by the prototype of before. */
#ifndef NEWLEAF_AUTHOR_PATCH_GIVEN_H
#define NEWLEAF_AUTHOR_PATCH_GIVEN_H

#include "patch_select.h"

/* Of all units of the patch that the image has, after global_check(). Refuses NL_ESITE those of another prototype,
 * those that are gone, and those that nobody gives away any more; or notes them, if the author allows it. */
void given_check(struct patch_unit *units, size_t n, bool allow_objects);

#endif
