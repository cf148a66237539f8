// SPDX-License-Identifier: Apache-2.0
/*
 * Is a commit request one that may be carried out? Rules about sets of leaves alone: known, allowed by policy, no
 * version going down, no overlap. Sets are words with a bit per entry of the registry.
 */
#pragma once

#include "leaf/registry.h"

/* NL_EUSAGE, NL_EUNKNOWN_LEAF; NL_EPOLICY: it wants no agent, and the policy wants one. */
enum nl_err nl_request_set(const struct nl_commit_request *request, uint32_t *set);

/* Of what is applied, what newer leaves of the set take the place of. */
uint32_t nl_request_superseded(uint32_t applied, uint32_t set);

/* Of a set, what has all that it requires in it. */
uint32_t nl_request_satisfied(uint32_t set);

/* May the applied set become this one, for who has these rights (enum nl_guest_may)? The blocker names leaves or a site
 * where NL_EPOLICY forbids a revert, with NL_EREQUIRES, NL_ECONFLICT and NL_EOVERLAP; NL_EVERSION, NL_EFLOORS and what
 * nl_list_bars answers. */
enum nl_err nl_request_check(uint32_t applied, uint32_t set, uint32_t may, struct nl_blocker *blocker);

/* NL_EOVERLAP: two leaves of the set change the same bytes, in a module that need not be loaded. */
enum nl_err nl_request_overlaps(uint32_t set, struct nl_blocker *blocker);
