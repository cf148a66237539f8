// SPDX-License-Identifier: Apache-2.0
/*
 * When the journal's entries were written, also those of boots before, whose clocks their own NL_EV_BOOT has.
 */
#ifndef NEWLEAF_DATES_H
#define NEWLEAF_DATES_H

#include <newleaf/hypercall.h>

/* The clocks of the boot whose NL_EV_BOOT came last; all zero: none did. */
struct journal_clock {
	uint8_t boot_id[16];
	struct nl_boot_facts facts; /* what text_wall() reads of them */
};
/* Nanoseconds since 1970, UTC; 0: the clocks of the entry's boot are not known. Entries in their order. */
uint64_t journal_wall(struct journal_clock *k, const struct nl_journal_entry *e);

#endif
