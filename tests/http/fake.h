// SPDX-License-Identifier: Apache-2.0
/*
 * A core for the network's stack that is none: answers the calls of include/newleaf/net.h from a table, as a machine
 * would whose leaves and orders are what the options say. Signatures of orders and leaves are not checked; form,
 * machine, boot, challenge and hashes are. The status that it signs is signed.
 */
#ifndef TESTS_HTTP_FAKE_H
#define TESTS_HTTP_FAKE_H

#include "../../net/call.h"

#include <newleaf/order.h>
#include <newleaf/witness.h>

enum fake_signed {
	FAKE_SIGNED_GOOD,
	FAKE_SIGNED_FORGED,  /* one bit of the signature is another */
	FAKE_SIGNED_CHANGED, /* one bit of what was signed */
	FAKE_SIGNED_NONCE,   /* of another nonce: replayed */
	FAKE_SIGNED_KEY,     /* by another machine's key */
	FAKE_SIGNED_CUT      /* its last byte is missing */
};

struct fake {
	struct nl_net_facts facts; /* status and counts, as they are said */
	struct nl_leaf_state leaves[NL_MAX_LEAVES];
	struct nl_journal_entry journal[512];
	uint64_t newest; /* seq */
	uint8_t machine_seed[32], boot_seed[32];
	struct nl_challenge challenge; /* magic 0: none is out */
	/* As wished. */
	bool again_between; /* of a leaf: so often before each piece but the last is taken, too */
	unsigned again;     /* how often a call that may says NL_AGAIN first */
	bool rates;         /* one signature a second */
	enum fake_signed sign;
	enum nl_err order, leaf, commit, challenge_error; /* how they end, whatever they are */
	bool any_leaf;                                    /* is taken, without an order, and whatever is in it */
	uint64_t pause_ms;                                /* from the order to its commit */
	uint64_t (*now_ms)(void);
	/* Under way. */
	unsigned agains;
	unsigned between;
	uint64_t signed_ms;
	uint8_t staged[NL_LEAF_MAX_SIZE];
	size_t n_staged;
	bool waits;
	uint64_t waits_ms;
	uint8_t wanted[NL_ORDER_MAX_SIZE]; /* the order that waits */
};

extern struct fake fake;

/* The calls, but those for frames. */
struct net_answer fake_core(enum nl_net_call call, uint64_t rdi, uint64_t rsi, uint64_t rdx);
void fake_start(void); /* a machine of two CPUs that was just launched, with no leaf */
struct nl_leaf_state *fake_leaf(const char *id, uint32_t version, enum nl_leaf_condition condition);
void fake_event(enum nl_event event, enum nl_err error, const struct nl_leaf_state *l, uint64_t a, uint64_t b);
void fake_tick(void); /* what is due is done */

/* sign.c */
void fake_sha256(const void *bytes, size_t n, uint8_t hash[32]);
/* Ed25519 of a domain and of the SHA-256 of these bytes. */
void fake_sign(const uint8_t seed[32], const char *domain, const void *bytes, size_t n, uint8_t signature[64]);
void fake_public(const uint8_t seed[32], uint8_t key[32]);

#endif
