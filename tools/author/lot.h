// SPDX-License-Identifier: Apache-2.0
/* Drawing by lot: the same seed draws the same everywhere. */
#ifndef NEWLEAF_AUTHOR_LOT_H
#define NEWLEAF_AUTHOR_LOT_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t lot_start(uint64_t seed) { return seed * 2 + 1; }

/* xorshift64*, below n */
static inline size_t lot_draw(uint64_t *state, size_t n)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL % n;
}

#endif
