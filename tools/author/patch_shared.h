// SPDX-License-Identifier: Apache-2.0
/* Sections that hold several variables of a unit, since the source names the section. */
#ifndef NEWLEAF_AUTHOR_PATCH_SHARED_H
#define NEWLEAF_AUTHOR_PATCH_SHARED_H

#include "patch_select.h"

/* Is a section of the third compilation the shipped one, variable by variable? Then *va is its start in the image. */
bool shared_as_shipped(const struct patch_unit *p, uint32_t section, uint64_t *va);

#endif
