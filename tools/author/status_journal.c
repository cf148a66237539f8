// SPDX-License-Identifier: Apache-2.0
/* See status_journal.h. */
#include "status_journal.h"

#include "../newleaf/logfile.h"
#include "../newleaf/sha256.h"

#include <string.h>

/* Not by its number and boot alone: by all of its bytes. */
static bool is_the_newest(const struct nl_signed_status *s, const struct nl_journal_entry *e)
{
	uint8_t hash[32];

	cli_sha256(e, sizeof(*e), hash);
	return e->seq == s->status.journal_newest && !memcmp(hash, s->journal, sizeof(hash));
}

enum nl_err status_journal(const struct nl_signed_status *s, const void *file, uint64_t size,
                           struct proven_journal *proven)
{
	struct journal_chain chain = {.begun = false};
	struct proven_journal run = {0}; /* of entries that fit, up to this one */
	struct logfile f;
	bool found = false;

	if (logfile_read(file, size, &f))
		return NL_EJOURNAL;
	for (uint64_t i = 0; i < f.records; i++) {
		struct nl_journal_entry e, before = chain.last;

		logfile_entry(file, i, &e); /* its own checksum is against chance: the hash of all of it decides */
		if (journal_follows(&chain, &e) != JOURNAL_FITS)
			run = (struct proven_journal){.first = e.seq};
		run.boots += run.first == e.seq || memcmp(before.boot_id, e.boot_id, sizeof(e.boot_id));
		run.last = e.seq;
		if (is_the_newest(s, &e)) {
			*proven = run;
			proven->behind = f.records - i - 1;
			found = true;
		}
	}
	return found ? NL_OK : NL_EJOURNAL;
}
