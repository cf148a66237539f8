// SPDX-License-Identifier: Apache-2.0
/*
 * Is a commit request one that may be carried out? Rules about sets of leaves alone: known, allowed by policy, no
 * version going down, no overlap. Sets are words with a bit per entry of the registry.
 */
#ifndef HV_REQUEST_H
#define HV_REQUEST_H

#include "leaf/registry.h"

/* NL_EUSAGE, NL_EUNKNOWN_LEAF. */
enum nl_err nl_request_set(const struct nl_commit_request *request, uint32_t *set);

/* May the applied set become this one? NL_EPOLICY, NL_EVERSION, NL_EOVERLAP (the blocker names a site). */
enum nl_err nl_request_check(uint32_t applied, uint32_t set, struct nl_blocker *blocker);

#endif
