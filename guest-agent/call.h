// SPDX-License-Identifier: Apache-2.0
/*
 * Between the files of the agent that make hypercalls. Each of these begins nl_agent.details anew.
 */
#ifndef NEWLEAF_AGENT_CALL_H
#define NEWLEAF_AGENT_CALL_H

#include "agent.h"

enum nl_err nl_agent_fail(struct nl_agent *a, enum nl_err e, enum nl_reason why); /* returns e */
/* One call that answers into `out`. */
enum nl_err nl_agent_call(struct nl_agent *a, enum nl_call which, void *out, size_t out_len, uint64_t *rcx,
                          uint64_t *r8);
/* One that reads the buffer that it answers into; NL_EBUSY is waited out. */
enum nl_err nl_agent_exchange(struct nl_agent *a, enum nl_call which, void *both, size_t len, uint64_t *rcx);

#endif
