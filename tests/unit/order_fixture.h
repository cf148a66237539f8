// SPDX-License-Identifier: Apache-2.0
/*
 * Orders of kind NOW for a fake guest (commit_fixture.h) whose root may do nothing else: asked for, made, signed by two
 * operators and presented; and what that costs, counted.
 */
#ifndef TESTS_UNIT_ORDER_FIXTURE_H
#define TESTS_UNIT_ORDER_FIXTURE_H

#include "commit_fixture.h"
#include <newleaf/order.h>

#define SECOND 1000000000ULL
#define MINUTE (60 * SECOND)

extern struct order {
	struct nl_order o;
	struct nl_order_entry entries[NL_ORDER_MAX_ENTRIES];
	uint8_t signatures[1024];
} order;
extern size_t order_size;
extern struct nl_challenge challenge;
extern unsigned one, second, author; /* keys: two operators, and who signs leaves */
extern uint8_t alpha[32], beta[32];  /* leaves */
extern unsigned signatures, hashes;  /* so many were checked, and pieces hashed */
extern size_t longest_hash;

int begin(void **state);
void stands_at(
        uint64_t rip); /* the one CPU, at CPL 0, on its way into the guest: what nobody calls for is made there */
enum nl_err ask(void); /* for a challenge */
void make(enum nl_order_what what);
void add(const uint8_t leaf[32]);
void sign_by(const unsigned *by, unsigned n);
void sign(void);                                                   /* by both */
enum nl_err present(void);                                         /* once, as it is */
enum nl_err carry(void);                                           /* until there is an answer */
enum nl_err ordered(enum nl_order_what what, const uint8_t *leaf); /* all of it */
enum nl_err bring(const char *id, uint64_t at);                    /* a leaf, staged and verified */
enum nl_err apply(const uint8_t leaf[32]);                         /* alone */
void refused(enum nl_err err); /* carried, that is; and nothing is frozen or waits */

#endif
