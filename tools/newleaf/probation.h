// SPDX-License-Identifier: Apache-2.0
/* What is said of leaves on probation: confirm.c. */
#ifndef NEWLEAF_PROBATION_H
#define NEWLEAF_PROBATION_H

#include "cli.h"
#include "text.h"

/* RUNNING: a confirmation is waited for. OVER: it did not come, and the leaf is still on: what is so for long cannot be
 * taken back. TAKEN_BACK: it is off, and this boot does not put it on again. */
enum probation { PROBATION_NONE, PROBATION_RUNNING, PROBATION_OVER, PROBATION_TAKEN_BACK };

enum probation probation_of(const struct nl_status *s, const struct nl_leaf_state *l);
uint64_t probation_left_ns(const struct nl_status *s, const struct nl_leaf_state *l); /* 0 unless it runs */
const char *probation_name(enum probation p);                                         /* for programs; NULL: none */
void probation_print(const struct nl_status *s, const struct nl_leaf_state *l);       /* a line, or nothing */

/* The leaf that is on trial the longest yet; NULL: none is. */
const struct nl_leaf_state *probation_longest(const struct nl_leaf_state *leaves, size_t n);

/* One that is over weakens the leaf, whose note says so. True: the leaf is on and may yet be taken back. */
bool probation_weakens(const struct nl_status *s, struct nl_leaf_state *l);

#endif
