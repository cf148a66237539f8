// SPDX-License-Identifier: Apache-2.0
/*
 * Where Newleaf's reserved memory is: found by what it shows, one sink page in every page of the hidden part.
 */
#ifndef GUEST_REGION_H
#define GUEST_REGION_H

#include <newleaf/bootblock.h>
#include <newleaf/types.h>

uint64_t region_base(void); /* 0: not found */

#endif
