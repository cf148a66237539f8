// SPDX-License-Identifier: Apache-2.0
/* Standing orders on the EFI partition: in which of the two places one goes, and what is written there. */
#ifndef NEWLEAF_TOOL_STANDING_H
#define NEWLEAF_TOOL_STANDING_H

#include <newleaf/order.h>

struct standing_leaf {
	const uint8_t *bytes;
	size_t size;
};

/* What lies in a place: the order with those leaves that it names. malloc'ed; NULL: one of them is not here, or it is
 * too large. */
uint8_t *standing_place(const struct nl_order *o, size_t size, const struct standing_leaf *leaves, size_t n,
                        size_t *out);

/*
 * The place for another order, of what the two hold (size 0: nothing). Not that of the order in force by the core's
 * word; nor that of the first one since the launch, that is above the floor, which has changed keys: the keys of the
 * machine's state have signed it, and nothing else leads to those of now. -1: neither is free, until the machine boots.
 */
int standing_free(const struct nl_standing_state *s, const uint8_t *const places[2], const size_t sizes[2]);

#endif
