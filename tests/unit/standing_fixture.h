// SPDX-License-Identifier: Apache-2.0
/*
 * Standing orders for a fake guest (order_fixture.h): made and signed, in the places that a loader found, and machines
 * that boot with them, warm or cold.
 */
#ifndef TESTS_UNIT_STANDING_FIXTURE_H
#define TESTS_UNIT_STANDING_FIXTURE_H

#include "order_fixture.h"
#include "commit/standing.h"

extern unsigned third, revoker; /* keys: of the operators' side, but not the image's; who signs lists */
extern uint8_t public[4][32];   /* of one, second, third and author */

int machine(void **state); /* that has never booted, whose image has two operators, first and second */
int no_machine(void **state);

void standing(uint64_t epoch); /* in `order`, without entries, to be carried out by the core */
void entry(enum nl_order_entry_what what, const void *name); /* a leaf, a key to trust, a key to distrust */
void sign_two(unsigned a, unsigned b);
void into(unsigned place); /* with its leaves */
void empty(unsigned place);
struct nl_order_place *shown(unsigned place);
void resize(unsigned place, size_t size); /* cut off, or nothing */
void revoke(const uint8_t key[32]);       /* by the list that the next boots find */
void no_list(void);
void image_names(const uint8_t key[32], uint32_t role); /* the next boots' has one key more */

enum nl_err warm(void);               /* a boot, up to the launch: what became of the newest order */
enum nl_err cold(void);               /* with what the state has, and nothing else */
enum nl_err launched(uint64_t epoch); /* a cold boot, in which that one is in force */
enum nl_err by_call(void);            /* `order`, by hypercall */
extern bool unfinished;               /* the boot before */
bool operates(const uint8_t key[32]);

#endif
