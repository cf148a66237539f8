// SPDX-License-Identifier: Apache-2.0
/*
 * What happened, out of the guest's reach: a ring of chained entries (each holds the SHA-256 of the one before), which
 * lies where a warm reset leaves it (newleaf/kept.h).
 */
#pragma once

#include <newleaf/kept.h>

/* From then on `left` is the ring, and goes on if all that stands in it is sound. Before anything is journaled. */
enum nl_journal_past nl_journal_init(struct nl_kept_entry left[NL_JOURNAL_ENTRIES]);

/* id and sha256 may be NULL; a and b by event (struct nl_journal_entry). Any CPU, any time after nl_boot is filled;
 * takes a spin lock. */
void nl_journal(enum nl_event event, enum nl_err error, const char *id, const uint8_t *sha256, uint64_t a, uint64_t b);

/* Hashes one entry that is not chained yet, 14,000 instructions: for callers that take less themselves. */
void nl_journal_tidy(void);

/* The generation that entries are stamped with from now on (hv/view/current.c). */
void nl_journal_generation(uint64_t now);

/* The struct nl_journal_entry with this seq, or the oldest behind it that was not overwritten. *newest: seq of the last
 * one, 0 = none. false: there is no such. */
bool nl_journal_read(uint64_t seq, void *out, uint64_t *newest);
