// SPDX-License-Identifier: Apache-2.0
/*
 * Between the two Linux files of the agent only.
 */
#ifndef NEWLEAF_AGENT_LINUX_H
#define NEWLEAF_AGENT_LINUX_H

#include "agent.h"

bool nl_linux_gather(void *ctx, uint64_t until_ns, void (*last)(void *arg), void *arg, struct nl_missing *missing);
void nl_linux_disperse(void *ctx);
uint64_t nl_linux_now_ns(void *ctx);
void nl_linux_pause_ns(void *ctx, uint64_t ns);

#endif
