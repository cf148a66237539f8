// SPDX-License-Identifier: Apache-2.0
/* Hit counters: how often each CPU has called a body (struct nl_leaf_header of include/newleaf/leaf.h). */
#ifndef NEWLEAF_AUTHOR_COUNTER_H
#define NEWLEAF_AUTHOR_COUNTER_H

#include "draft.h"
#include "kernel.h"

/* Adds code to text[] that counts one call in that counter (from 1, of those that draft_counters made room for) and
 * goes on at text[] + to with every register as it was; returns its offset. Refuses NL_EKERNEL where the kernel keeps
 * the CPU's number otherwise. */
uint64_t counter_add(struct draft *d, const struct kernel *k, uint32_t counter, uint64_t to, const char *where);

#endif
