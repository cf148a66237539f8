// SPDX-License-Identifier: Apache-2.0
/*
 * Leaves on probation of a fake guest (order_fixture.h): what puts them on, how time passes, and what a reset would
 * find.
 */
#ifndef TESTS_UNIT_TRIAL_FIXTURE_H
#define TESTS_UNIT_TRIAL_FIXTURE_H

#include "order_fixture.h"
#include "commit/commit.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/kept.h"
#include "exits/own.h"
#include "guest/linux/linux.h"
#include "leaf/registry.h"
#include "view/current.h"
#include <insn.h>

#define ELSEWHERE (FG_LINK + SLIDE + 0x8123)
#define NOWHERE (FG_LINK + SLIDE + FG_SWITCH + 8)
#define MS 1000000ULL

extern struct nl_kept flushed; /* as a reset would leave it */
extern bool marked_at_flip;
extern uint8_t both[2][32];

uint32_t reason_in(const struct nl_kept *k, const uint8_t leaf[32]);
uint32_t mark(const uint8_t leaf[32]);
void pass(void);
int stopped(void **state);
int ended(void **state);
enum nl_err on_trial(const uint8_t (*set)[32], unsigned count, uint32_t confirm_ms);
enum nl_err put_on(uint32_t confirm_ms);
enum nl_err confirm(const uint8_t leaf[32]);
enum nl_err revert_all(void);
void third(uint8_t sha[32]);
bool is_on(const uint8_t leaf[32]);
uint64_t until(const uint8_t leaf[32]);
struct nl_journal_entry last_of(enum nl_event event);
void time_comes(uint64_t at);

#endif
