// SPDX-License-Identifier: Apache-2.0
/*
 * What a signed status says of a kept journal (tools/newleaf/logfile.h): it has the hash of the newest entry, and each
 * entry that of the one before. Pure.
 */
#ifndef NEWLEAF_AUTHOR_STATUS_JOURNAL_H
#define NEWLEAF_AUTHOR_STATUS_JOURNAL_H

#include <newleaf/witness.h>

struct proven_journal { /* numbers of entries that the machine has written, in one chain, the last one when it signed */
	uint64_t first, last;
	uint64_t boots;
	uint64_t behind; /* entries of the file that came later: nothing is known of them */
};

/* `s` is believed already; `file` is 8-byte aligned. NL_EJOURNAL: it is no journal, or does not have that entry. */
enum nl_err status_journal(const struct nl_signed_status *s, const void *file, uint64_t size,
                           struct proven_journal *proven);

#endif
