// SPDX-License-Identifier: Apache-2.0
/* Names that the linker sees: what a patch adds under one that the image has, moves to another unit, makes weak, or
 * takes away. */
#ifndef NEWLEAF_AUTHOR_PATCH_GLOBAL_H
#define NEWLEAF_AUTHOR_PATCH_GLOBAL_H

#include "patch_select.h"

/* Of all units of the patch that the image has, after state_check(). What is new to a unit and replaces a function of
 * the image becomes one of its `function`s. Refuses NL_ESITE, NL_ETARGET by name. */
void global_check(struct patch_unit *units, size_t n);

#endif
