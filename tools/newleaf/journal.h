// SPDX-License-Identifier: Apache-2.0
/*
 * Whether one of the journal's entries follows another, wherever they come from. Of what a file holds nothing is
 * believed.
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

#endif
