// SPDX-License-Identifier: Apache-2.0
/*
 * Firmware hands out its memory map in pieces and in any order; the core wants RAM in as few ascending ranges as there
 * are.
 */
#include "ranges.h"

bool nl_ranges_add(struct nl_boot_block *b, uint64_t base, uint64_t size)
{
	struct nl_boot_range *r = b->ranges;
	uint32_t at = 0;

	while (at < b->n_ranges && r[at].base < base)
		at++;
	if (at > 0 && r[at - 1].base + r[at - 1].size == base) {
		r[at - 1].size += size;
		if (at < b->n_ranges && base + size == r[at].base) {
			r[at - 1].size += r[at].size;
			for (b->n_ranges--; at < b->n_ranges; at++)
				r[at] = r[at + 1];
		}
		return true;
	}
	if (at < b->n_ranges && base + size == r[at].base) {
		r[at].base = base;
		r[at].size += size;
		return true;
	}
	if (b->n_ranges == NL_MAX_RANGES)
		return false;
	for (uint32_t i = b->n_ranges++; i > at; i--)
		r[i] = r[i - 1];
	r[at] = (struct nl_boot_range){base, size};
	return true;
}
