// SPDX-License-Identifier: Apache-2.0
/* The journal: see journal.h. */
#include "core/journal.h"
#include "core/core.h"
#include "core/clock.h"
#include "core/sha256.h"
#include "x86.h"

#define JOURNAL_ENTRIES 512u
#define FAILURES_KEPT 16u
#define MODULES_KEPT 128u
#define UNCHAINED NL_MAX_LEAVES /* at most, of the newest: a commit writes many with all CPUs waiting for it */

static struct nl_journal_entry ring[JOURNAL_ENTRIES];
static uint64_t newest, chained; /* seq: of the last one, and of the last one that holds the hash of the one before */
static uint64_t generation;
static nl_lock_t lock;
/* Since anything else: who may call, or have modules loaded, could fill the ring with them. */
static uint32_t failures, modules;

void nl_journal_generation(uint64_t now) { __atomic_store_n(&generation, now, __ATOMIC_RELAXED); }

/* The guest's interrupts wait for a commit's end, not for 14,000 instructions an entry: they are hashed later, when
 * something short is asked for, when they are read, or when too many are not. Until then they lie where all of it lies,
 * out of the guest's reach. */
static void chain(void)
{
	struct nl_journal_entry *e = &ring[chained % JOURNAL_ENTRIES];

	if (chained++)
		nl_sha256_of(&ring[(chained - 2) % JOURNAL_ENTRIES], sizeof(*e), e->hash);
}

void nl_journal(enum nl_event event, enum nl_err error, const char *id, const uint8_t *sha256, uint64_t a, uint64_t b)
{
	struct nl_journal_entry *e;
	bool failure = event == NL_EV_REFUSED || event == NL_EV_ABANDONED ||
	               (event == NL_EV_MODULE && error && error != NL_NOTHING); /* a load that anybody may try again */

	nl_lock(&lock);
	/* Tokens and modules: anybody can cause those, and would end the run. */
	if (!failure && event != NL_EV_TOKEN && event != NL_EV_MODULE)
		failures = modules = 0;
	failures += failure;
	modules += event == NL_EV_MODULE;
	if (failure ? failures > FAILURES_KEPT : event == NL_EV_MODULE && modules > MODULES_KEPT) {
		nl_unlock(&lock);
		return;
	}
	e = &ring[newest % JOURNAL_ENTRIES];
	memset(e, 0, sizeof(*e));
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
	if (newest > JOURNAL_ENTRIES && seq <= newest - JOURNAL_ENTRIES)
		seq = newest - JOURNAL_ENTRIES + 1;
	seq += !seq;
	found = seq <= newest;
	while (found && chained < seq)
		chain();
	if (found)
		memcpy(out, &ring[(seq - 1) % JOURNAL_ENTRIES], sizeof(ring[0]));
	*last = newest;
	nl_unlock(&lock);
	return found;
}
