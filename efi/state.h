// SPDX-License-Identifier: Apache-2.0
/*
 * What a machine remembers between boots: one EFI variable that only boot services can reach, so that no operating
 * system reads or writes it, and that only this loader writes. Pure C, tested on the host; the variable itself: keep.c.
 */
#pragma once

#include <newleaf/bootblock.h>
#include <newleaf/kept.h>

#define NL_STATE_MAGIC 0x45544154534c4eULL /* "NLSTATE" */
#define NL_STATE_VERSION 3
#define NL_STATE_ATTRIBUTES 3u /* non-volatile, boot services only */

/* Whoever adds to it raises the version: an older image must not go on with half of what is remembered. */
struct nl_state {
	struct nl_record head;
	uint64_t checksum;         /* of all behind it */
	uint64_t list_sequence;    /* of the newest signed list that was accepted */
	uint64_t unused;           /* zero */
	uint64_t left;             /* physical address of the boot's struct nl_left; 0 = none yet */
	uint32_t security_version; /* the highest that was launched under Secure Boot: an image below it is refused */
	uint32_t boots;            /* number of the last one that was to be launched */
	uint8_t machine_id[16];    /* random; zero: no source of randomness yet */
	uint8_t machine_key[32];   /* random, a seed: never in memory that outlives the loader */
	struct nl_lockout lockouts[NL_MAX_LOCKOUTS];
	struct nl_standing standing;
};
/* Version 1 had eight lock-outs and nothing behind them; version 2 keys that shall sign no list any more. */
#define NL_STATE_SIZE_1 (offsetof(struct nl_state, lockouts) + 8 * sizeof(struct nl_lockout))
#define NL_STATE_SIZE_2 (offsetof(struct nl_state, standing) + NL_MAX_KEYS * 32)

/* `size` bytes as they were found, 8-byte aligned; of older versions too. NL_ERECORD: somebody else's, or damaged, so
 * that it counts as absent; NL_ENEWER. `out` is zero then. */
enum nl_err nl_state_read(const void *found, size_t size, uint32_t attributes, struct nl_state *out);
/* Head and checksum, before it is written. */
void nl_state_seal(struct nl_state *s);
/* Does `now` hold anything back that `before` let pass? Then it must not be lost. */
bool nl_state_rises(const struct nl_state *before, const struct nl_state *now);
