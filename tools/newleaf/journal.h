// SPDX-License-Identifier: Apache-2.0
/*
 * What is to be known of the journal's entries wherever they come from: whether one follows another, and when it was
 * written. Of what a file holds nothing is believed.
 */
#ifndef NEWLEAF_JOURNAL_H
#define NEWLEAF_JOURNAL_H

#include <newleaf/hypercall.h>

/* How an entry stands to the one before. */
enum journal_fit {
	JOURNAL_FITS,    /* its number is the next one, and it holds the hash of the one before */
	JOURNAL_FIRST,   /* nothing stands before it */
	JOURNAL_ANEW,    /* number one of a later boot, as after a power-off: the chain begins anew */
	JOURNAL_MISSING, /* entries in front of it are not there */
	JOURNAL_BROKEN,
};

struct journal_chain {
	struct nl_journal_entry last;
	bool begun;
};
enum journal_fit journal_follows(struct journal_chain *c, const struct nl_journal_entry *e);

/* The clocks of the boot whose NL_EV_BOOT came last; all zero: none did. */
struct journal_clock {
	uint8_t boot_id[16];
	struct nl_boot_facts facts; /* what text_wall() reads of them */
};
/* Nanoseconds since 1970, UTC; 0: the clocks of the entry's boot are not known. Entries in their order. */
uint64_t journal_wall(struct journal_clock *k, const struct nl_journal_entry *e);

#endif
