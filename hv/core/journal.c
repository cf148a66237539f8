// SPDX-License-Identifier: Apache-2.0
/* The journal: see journal.h. */
#include "core/journal.h"
#include "core/core.h"
#include "core/sha256.h"
#include "x86.h"

#define FAILURES_KEPT 16u
#define MODULES_KEPT 128u
#define UNCHAINED NL_MAX_LEAVES /* at most, of the newest: a commit writes many with all CPUs waiting for it */

static struct nl_kept_entry *ring;
static uint64_t newest, chained; /* seq: of the last one, and of the last one that holds the hash of the one before */
static uint64_t generation;
static nl_lock_t lock;
/* Since anything else: who may call, or have modules loaded, could fill the ring with them. */
static uint32_t failures, modules;

void nl_journal_generation(uint64_t now) { __atomic_store_n(&generation, now, __ATOMIC_RELAXED); }

static struct nl_kept_entry *at(uint64_t seq) { return &ring[(seq - 1) % NL_JOURNAL_ENTRIES]; }

static bool is_whole(const struct nl_kept_entry *k) { return k->checksum == nl_kept_entry_checksum(&k->entry); }

/* The guest's interrupts wait for a commit's end, not for 14,000 instructions an entry: they are hashed later, when
 * something short is asked for, when they are read, or when too many are not. Until then they lie where all of it lies,
 * out of the guest's reach. */
static void chain(void)
{
	struct nl_journal_entry *e = &at(chained + 1)->entry;

	if (chained++)
		nl_sha256_of(&at(chained - 1)->entry, sizeof(*e), e->hash);
	x86_flush(e, sizeof(*e));
}

/*
 * The newest is the highest number of a whole entry. Behind it may stand what a reset tore, in the place of the oldest
 * one; all others must be there. Those that no hash was made for yet get it now.
 */
enum nl_journal_past nl_journal_init(struct nl_kept_entry left[NL_JOURNAL_ENTRIES])
{
	enum nl_journal_past past;
	uint64_t oldest;
	uint8_t was[32];
	bool sound = true;

	ring = left;
	newest = 0;
	for (uint64_t i = 1; i <= NL_JOURNAL_ENTRIES; i++)
		if (at(i)->entry.seq > newest && is_whole(at(i)))
			newest = at(i)->entry.seq;
	oldest = newest + 2 - NL_JOURNAL_ENTRIES;
	for (uint64_t seq = oldest; seq != newest + 1; seq++)
		sound &= is_whole(at(seq)) && at(seq)->entry.seq == ((int64_t)seq > 0 ? seq : 0);
	for (chained = newest < NL_JOURNAL_ENTRIES ? 0 : oldest; sound && chained < newest;) {
		memcpy(was, at(chained + 1)->entry.hash, sizeof(was));
		chain();
		sound = nl_is_zero(was, sizeof(was)) ||
		        (chained > 1 && !memcmp(was, at(chained)->entry.hash, sizeof(was)));
	}
	past = !newest ? NL_PAST_NONE : sound ? NL_PAST_GOES_ON : NL_PAST_DAMAGED;
	if (past != NL_PAST_GOES_ON) {
		memset(ring, 0, sizeof(*ring) * NL_JOURNAL_ENTRIES);
		newest = chained = 0;
	}
	x86_flush(ring, sizeof(*ring) * NL_JOURNAL_ENTRIES);
	return past;
}

void nl_journal(enum nl_event event, enum nl_err error, const char *id, const uint8_t *sha256, uint64_t a, uint64_t b)
{
	struct nl_journal_entry *e;
	/* Not what became of an order that was accepted: there is one of it. */
	bool failure = event == NL_EV_REFUSED || event == NL_EV_ABANDONED ||
	               (event == NL_EV_ORDER && error && !(a & NL_ORDER_ENDED)) ||
	               (event == NL_EV_MODULE && error && error != NL_NOTHING); /* a load that anybody may try again */

	nl_lock(&lock);
	/* Tokens and modules: anybody can cause those, and would end the run. */
	if (!failure && event != NL_EV_TOKEN && event != NL_EV_STRANGER && event != NL_EV_MODULE && event != NL_EV_NET)
		failures = modules = 0;
	failures += failure;
	modules += event == NL_EV_MODULE;
	if (failure ? failures > FAILURES_KEPT : event == NL_EV_MODULE && modules > MODULES_KEPT) {
		nl_unlock(&lock);
		return;
	}
	e = &at(newest + 1)->entry;
	memset(at(newest + 1), 0, sizeof(*ring));
	e->seq = newest + 1;
	e->tsc = x86_rdtsc();
	memcpy(e->boot_id, nl_boot.facts.boot_id, sizeof(e->boot_id));
	e->event = event;
	e->error = error;
	e->generation = __atomic_load_n(&generation, __ATOMIC_RELAXED);
	if (id)
		memcpy(e->id, id, strlen(id) < sizeof(e->id) ? strlen(id) : sizeof(e->id) - 1);
	if (sha256)
		memcpy(e->leaf_sha256, sha256, sizeof(e->leaf_sha256));
	e->a = a;
	e->b = b;
	at(e->seq)->checksum = nl_kept_entry_checksum(e);
	x86_flush(at(e->seq), sizeof(*ring));
	newest++;
	if (newest - chained > UNCHAINED)
		chain();
	nl_unlock(&lock);
}

void nl_journal_tidy(void)
{
	nl_lock(&lock);
	if (chained < newest)
		chain();
	nl_unlock(&lock);
}

bool nl_journal_read(uint64_t seq, void *out, uint64_t *last)
{
	bool found;

	nl_lock(&lock);
	if (newest > NL_JOURNAL_ENTRIES && seq <= newest - NL_JOURNAL_ENTRIES)
		seq = newest - NL_JOURNAL_ENTRIES + 1;
	seq += !seq;
	found = seq <= newest;
	while (found && chained < seq)
		chain();
	if (found)
		memcpy(out, &at(seq)->entry, sizeof(struct nl_journal_entry));
	*last = newest;
	nl_unlock(&lock);
	return found;
}
