// SPDX-License-Identifier: Apache-2.0
/*
 * Reads signed orders (newleaf/order.h): pure functions, in the order in which a machine asks, what costs nothing
 * first. Not in the hypervisor yet, which heeds no order; written so that it can move there as it is.
 */
#ifndef NEWLEAF_AUTHOR_ORDER_H
#define NEWLEAF_AUTHOR_ORDER_H

#include <newleaf/bootblock.h>
#include <newleaf/order.h>

/* What a policy allows (orders.md): bits. */
enum order_may { ORDER_MAY_NOW = 1, ORDER_MAY_STANDING = 2, ORDER_MAY_KEYS = 4, ORDER_MAY_AGENTLESS = 8 };

struct order_here { /* the machine that is asked */
	uint8_t machine_id[16], boot_id[16];
	uint8_t challenge[32];
	bool challenge_out; /* one was given, and neither spent nor too old */
	bool frozen;
	uint64_t generation;
	uint64_t epoch;                   /* of the newest standing order that was accepted; 0: none */
	uint8_t in_force[32];             /* the SHA-256 of its signed part, if it is known; else zero */
	uint32_t may;                     /* bits of enum order_may; 0: orders are off */
	uint32_t deadline_ms, confirm_ms; /* the longest */
};

/* Is it an order, whole and by itself lawful? `file` is 8-byte aligned; after NL_OK every field means what order.h
 * says, and its signatures, if any, begin at nl_order_signed_size. NL_EORDER, NL_ENEWER. */
enum nl_err order_form(const void *file, size_t size);

/* Is it for this machine, at this moment? The form is good. NL_EMACHINEID, NL_EBOOTID, NL_ECHALLENGE, NL_EEPOCH,
 * NL_EPOLICY, NL_EFROZEN, NL_EGENERATION. */
enum nl_err order_bound(const struct nl_order *o, const struct order_here *here);

/* The form is good, and it is bound here: a standing order of the epoch that is in force is that very order
 * (NL_NOTHING) or another (NL_EEPOCH); any other goes on. sha256: of its signed part. */
enum nl_err order_fresh(const struct nl_order *o, const struct order_here *here, const uint8_t sha256[32]);

/* Have `needed` different operators of these keys signed it, and is no signature wrong? *good: how many have.
 * NL_EUNSIGNED, NL_EORDER (malformed), NL_ESIGNATURE, NL_EKEY, NL_EQUORUM. */
enum nl_err order_signed(const void *file, size_t size, const struct nl_key *keys, uint32_t n_keys, uint32_t needed,
                         uint32_t *good);

#endif
