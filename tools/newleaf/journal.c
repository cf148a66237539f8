// SPDX-License-Identifier: Apache-2.0
/* See journal.h. */
#include "journal.h"
#include "sha256.h"

#include <string.h>

static bool same_boot(const struct nl_journal_entry *a, const struct nl_journal_entry *b)
{
	return !memcmp(a->boot_id, b->boot_id, sizeof(a->boot_id));
}

static enum journal_fit follows(const struct journal_chain *c, const struct nl_journal_entry *e)
{
	static const uint8_t none[32];
	uint8_t want[32];
	bool first = e->seq == 1 && !memcmp(e->hash, none, sizeof(none));

	if (!c->begun)
		return first || e->seq > 1 ? JOURNAL_FIRST : JOURNAL_BROKEN;
	if (c->last.seq != UINT64_MAX && e->seq == c->last.seq + 1) {
		cli_sha256(&c->last, sizeof(c->last), want);
		if (!memcmp(want, e->hash, sizeof(want)))
			return JOURNAL_FITS;
	}
	/* Within a boot the chain does not begin anew, nor do numbers go back. */
	if (first && !same_boot(e, &c->last))
		return JOURNAL_ANEW;
	if (e->seq > 1 && (e->seq > c->last.seq + 1 || !same_boot(e, &c->last)))
		return JOURNAL_MISSING;
	return JOURNAL_BROKEN;
}

enum journal_fit journal_follows(struct journal_chain *c, const struct nl_journal_entry *e)
{
	enum journal_fit fit = follows(c, e);

	c->last = *e;
	c->begun = true;
	return fit;
}
