// SPDX-License-Identifier: Apache-2.0
/*
 * What the core learns while it runs and the next boot shall know: a place in the reserved region, which survives a
 * warm reset. The loader looks there at its start, keeps what is whole, and puts it into the next boot's place;
 * lock-outs it also writes into the machine's state. Memory may have been used by the firmware meanwhile: checksums
 * decide.
 */
#ifndef NEWLEAF_KEPT_H
#define NEWLEAF_KEPT_H

#include <newleaf/hypercall.h>
#include <newleaf/panic.h>
#include <newleaf/record.h>

#define NL_KEPT_MAGIC 0x5450454b4c4eULL /* "NLKEPT" */
#define NL_MAX_LOCKOUTS NL_MAX_LEAVES   /* so many can be on at a panic */
#define NL_MAX_FLOORS 128u              /* ids of leaves between two starts of the machine */
#define NL_JOURNAL_ENTRIES 512u

/*
 * Bits. PANIC: was on when the core gave up, and the guest had not said that it is up. TRIAL: is on and nobody has
 * confirmed it yet, or was so when it went; this boot does not put it on again. TRIED: so it was in the boot before,
 * and this boot does not put it on; the next one may. The bit behind each, beside others: no leaf is put on any more
 * for that reason, because there was no room for another name.
 */
enum nl_lockout_reason {
	NL_LOCKOUT_PANIC = 1,
	NL_LOCKOUT_ALL = 2,
	NL_LOCKOUT_TRIAL = 4,
	NL_LOCKOUT_TRIED = 16,
	NL_LOCKOUT_EACH = 21, /* the leaf that is named */
};
#define NL_LOCKOUT_PANICS 3u /* which a list can pardon */
#define NL_LOCKOUT_TRIALS 60u

/* Bits. NOW: by an order of that kind, until another releases it. STANDING: by the standing order in force. STOP,
 * beside NOW: nor is anything taken back because its probation is over. */
enum nl_frozen { NL_FROZEN_NOW = 1, NL_FROZEN_STANDING = 2, NL_FROZEN_STOP = 4 };

struct nl_lockout { /* a leaf that is not applied any more */
	uint8_t sha256[32];
	uint32_t reason; /* bits of enum nl_lockout_reason; 0: none, and so are all behind it */
	uint32_t reserved;
};

struct nl_floor {                /* how new a leaf has been */
	char id[NL_LEAF_ID_LEN]; /* empty: free, and so are all behind it */
	uint32_t version;        /* the highest that was applied */
	uint32_t reserved;
};

struct nl_kept {
	uint64_t magic;
	uint64_t checksum; /* of all behind it */
	uint8_t boot_id[16];
	uint64_t frozen;    /* bits of enum nl_frozen: nothing changes */
	uint64_t frozen_at; /* NOW: the newest standing order that was accepted by then; later ones are not */
	struct nl_lockout lockouts[NL_MAX_LOCKOUTS];
	struct nl_floor floors[NL_MAX_FLOORS];
};

/* A place of the journal's ring: three lines of a cache. All zero, and so whole: not written yet. */
struct nl_kept_entry {
	struct nl_journal_entry entry;
	uint64_t checksum; /* of the entry but its hash, which comes later and is proven by the entry before */
	uint64_t reserved;
};
_Static_assert(sizeof(struct nl_kept_entry) == 192, "whole lines");

struct nl_left { /* nl_boot_block.left: whole pages. What is damaged in one part says nothing of the others. */
	struct nl_panic_record panic;
	struct nl_kept kept;
	uint8_t reserved[0x3000 - sizeof(struct nl_kept)];
	struct nl_kept_entry journal[NL_JOURNAL_ENTRIES]; /* seq is at (seq - 1) % NL_JOURNAL_ENTRIES */
};
_Static_assert(sizeof(struct nl_left) == NL_PANIC_SIZE + 0x3000 + 0x18000, "whole pages");

/* Against chance. By words: it is made in a commit, while others wait. Goes on from `sum`. */
static inline uint64_t nl_kept_words(uint64_t sum, const void *p, size_t size)
{
	uint64_t word;
	size_t at;

	for (at = 0; at < size; at += sizeof(word)) {
		__builtin_memcpy(&word, (const uint8_t *)p + at, sizeof(word));
		sum = ((sum << 29 | sum >> 35) ^ word) * 0x9e3779b97f4a7c15ULL;
	}
	return sum;
}

static inline uint64_t nl_kept_checksum(const struct nl_kept *k)
{
	return nl_kept_words(NL_KEPT_MAGIC, k->boot_id, sizeof(*k) - offsetof(struct nl_kept, boot_id));
}
_Static_assert(!(sizeof(struct nl_kept) % 8) && !(offsetof(struct nl_kept, boot_id) % 8), "whole words");

static inline uint64_t nl_kept_entry_checksum(const struct nl_journal_entry *e)
{
	const size_t behind = offsetof(struct nl_journal_entry, event);

	return nl_kept_words(nl_kept_words(0, e, offsetof(struct nl_journal_entry, hash)), &e->event,
	                     sizeof(*e) - behind);
}

static inline bool nl_is_leaf(const uint8_t a[32], const uint8_t b[32])
{
	unsigned i = 0;

	while (i < 32 && a[i] == b[i])
		i++;
	return i == 32;
}

/* Adds a leaf to a list of lock-outs, once. Nobody is pushed out: when the list is full, all are locked out. */
static inline void nl_lock_out(struct nl_lockout list[NL_MAX_LOCKOUTS], const uint8_t sha256[32], uint32_t reasons)
{
	unsigned n = 0, i;

	if (!reasons)
		return;
	while (n < NL_MAX_LOCKOUTS - 1 && list[n].reason && !nl_is_leaf(list[n].sha256, sha256))
		n++;
	if (list[n].reason && !nl_is_leaf(list[n].sha256, sha256))
		reasons = (reasons & NL_LOCKOUT_EACH) << 1 | (reasons & ~(uint32_t)NL_LOCKOUT_EACH);
	for (i = 0; i < 32 && !list[n].reason; i++)
		list[n].sha256[i] = sha256[i];
	list[n].reason |= reasons;
}

/* Takes reasons back: of one leaf, or of all (NULL). Who has none left is on the list no more. */
static inline void nl_lock_in(struct nl_lockout list[NL_MAX_LOCKOUTS], const uint8_t *sha256, uint32_t reasons)
{
	unsigned from, to = 0;

	for (from = 0; from < NL_MAX_LOCKOUTS; from++) {
		struct nl_lockout l = list[from];

		if (!sha256 || nl_is_leaf(l.sha256, sha256))
			l.reason &= ~reasons;
		list[from] = (struct nl_lockout){.reason = 0};
		if (l.reason)
			list[to++] = l;
	}
}

/* Is a leaf on the list for one of these reasons? A mark is there while its leaf is on, too. */
static inline bool nl_locked_out(const struct nl_lockout list[NL_MAX_LOCKOUTS], const uint8_t sha256[32],
                                 uint32_t reasons)
{
	for (const struct nl_lockout *l = list; l < list + NL_MAX_LOCKOUTS; l++)
		if (l->reason & reasons & ~(uint32_t)NL_LOCKOUT_EACH ||
		    (l->reason & reasons && nl_is_leaf(l->sha256, sha256)))
			return true;
	return false;
}

/* What the reasons of one boot are for the next. */
static inline uint32_t nl_lockout_next(uint32_t reasons)
{
	return (reasons & NL_LOCKOUT_PANICS) | (reasons & (NL_LOCKOUT_TRIAL | NL_LOCKOUT_TRIAL << 1)) << 2;
}

#endif
