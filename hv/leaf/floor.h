// SPDX-License-Identifier: Apache-2.0
/*
 * How new each leaf has been since the machine was switched on: versions never go down. Kept apart from the registry,
 * because that is forgotten with the kernel, and a guest kernel can pretend to be another; and where it survives a warm
 * reset. Callers hold the commit lock.
 */
#pragma once

#include <newleaf/kept.h>

uint32_t nl_floor_of(const char *id);                  /* the highest that was applied; 0: none */
uint32_t nl_floor_room(void);                          /* for how many ids more */
bool nl_floor_raise(const char *id, uint32_t version); /* false: no room. nl_kept_seal follows */
