// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers in the tables of others: little-endian, at any address.
 */
#pragma once

#include <newleaf/types.h>

static inline uint64_t nl_number_at(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}
