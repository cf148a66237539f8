// SPDX-License-Identifier: Apache-2.0
/* Ed25519 against the trusted keys. libsodium does the arithmetic, compiled with the core's flags. */
#pragma once

#include "core/sha256.h"
#include <newleaf/bootblock.h>
#include <newleaf/errors.h>
#include <newleaf/signature.h>

/*
 * The signatures in the `size` bytes behind what is signed, believing nothing but lengths: NL_EUNSIGNED where there is
 * nothing, NL_ELEAF where they are no whole block, else the first of *count.
 */
enum nl_err nl_signatures_find(const void *block, size_t size, const struct nl_signature **first, uint32_t *count);

/*
 * Is it a signature over `sha256` in this domain? NL_ESIGNATURE; NL_OK also where nobody here knows the key. *known
 * gets the bit of the first among the keys that it is, and that has the role. Takes 0.64 million instructions and some
 * 4 KiB of stack, in one piece: callers that check several come back in between.
 */
enum nl_err nl_signature_check(const char *domain, const uint8_t sha256[32], const struct nl_signature *s,
                               const struct nl_key *keys, uint32_t n_keys, uint32_t role, uint32_t *known);

/* By a private key as libsodium has it: the seed, and the public one. The nonce follows from key and message (RFC
 * 8032): a bad source of randomness costs no key. */
void nl_signature_make(const char *domain, const uint8_t sha256[32], const uint8_t key[64], uint8_t out[64]);

/* Who has what is signed made or checked. Each has channels of its own, so that neither can keep the other out. */
enum nl_asker { NL_ASKER_GUEST, NL_ASKER_WIRE, NL_ASKERS };

/* Of a whole file that somebody signed, a piece at a time. At first zero behind `role`. */
struct nl_check {
	const void *file; /* of `size` bytes, the first signed_size of them signed */
	size_t size, signed_size;
	const char *domain;
	uint32_t role;
	uint32_t count, checked, known, n_known; /* signatures, as soon as a step was made; this machine's keys among
	                                            theirs, a bit each; how many */
	size_t hashed;                           /* bytes of signed_size */
	struct nl_sha256 hash;
	uint8_t sha256[32]; /* when all are hashed */
	bool parsed;        /* what is signed: the reader's own */
};

/* One piece: some of the hash, or one signature. NL_AGAIN: more is to come. NL_OK: all signatures are good, whoever's
 * they are. What nl_signatures_find and nl_signature_check answer. */
enum nl_err nl_check_step(struct nl_check *c);
enum nl_err nl_check_whole(struct nl_check *c); /* where nobody waits */

void nl_key_id(const uint8_t key[32], uint8_t id[32]);
