// SPDX-License-Identifier: Apache-2.0
/*
 * Between the Linux files of the agent only.
 */
#ifndef NEWLEAF_AGENT_LINUX_H
#define NEWLEAF_AGENT_LINUX_H

#include "agent.h"

bool nl_linux_gather(void *ctx, uint64_t until_ns, uint64_t spin_ns, void (*last)(void *arg), void *arg,
                     struct nl_missing *missing);
uint64_t nl_linux_disperse(void *ctx);
uint64_t nl_linux_now_ns(void *ctx);
uint64_t nl_linux_thread_ns(void); /* CPU time of the calling thread */
void nl_linux_pause_ns(void *ctx, uint64_t ns);

/* linux_token.c: the channel for kernels under lockdown. open: NL_EROOT, details.reason and sys_errno say why. call:
 * false: no token could be read; unanswered, rax stays NL_CALL_MAGIC. */
enum nl_err nl_linux_token_open(struct nl_details *details);
bool nl_linux_token_call(struct nl_registers *r);
void nl_linux_token_close(void);

#endif
