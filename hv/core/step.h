// SPDX-License-Identifier: Apache-2.0
/* The timeline: a ring of the steps of transactions, written without a lock, by any CPU at any time. */
#pragma once

#include <newleaf/steps.h>

void nl_step(uint32_t cpu, enum nl_step step, uint64_t value);

/* The struct nl_step_record with this seq, or the oldest behind it that is there and whole. *newest: seq of the last
 * one, 0 = none. false: there is no such. */
bool nl_step_read(uint64_t seq, void *out, uint64_t *newest);
