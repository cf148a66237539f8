// SPDX-License-Identifier: Apache-2.0
/*
 * Firmware hands out its memory map in pieces and in any order; the core wants RAM in as few ascending ranges as there
 * are.
 */
#include "ranges.h"

/* Takes out whom it touches, on either side, and goes in with them as one. */
bool nl_ranges_add(struct nl_boot_block *b, uint64_t base, uint64_t size)
{
	struct nl_boot_range *r = b->ranges;
	uint64_t end = base + size;
	uint32_t at = 0;

	for (uint32_t i = 0; i < b->n_ranges; i++) {
		uint64_t its_end = r[i].base + r[i].size;

		if (its_end == base)
			base = r[i].base;
		else if (r[i].base == end)
			end = its_end;
		else
			r[at++] = r[i];
	}
	if (at == NL_MAX_RANGES)
		return false;
	b->n_ranges = at + 1;
	for (; at && r[at - 1].base > base; at--)
		r[at] = r[at - 1];
	r[at] = (struct nl_boot_range){base, end - base};
	return true;
}
