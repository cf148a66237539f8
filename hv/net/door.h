// SPDX-License-Identifier: Apache-2.0
/*
 * The door: what the stack may ask of the core (newleaf/net.h), that is, what the wire may, through whatever the stack
 * has become. No argument is believed; what changes something wants an order, and what the policy does not let the wire
 * do is refused here, not in the stack.
 */
#pragma once

#include "vendor.h"
#include <newleaf/net.h>

/* In the core's initialisation: where the leaf that is brought is gathered, from the pool, and who fills a status.
 * NL_ENOMEM. */
enum nl_err nl_door_init(void (*status)(struct nl_status *));

/* One call but WAIT, SEND and FAIL: number in rax, arguments in rdi, rsi, rdx; answers in rax and rdx. *ctx: the guest
 * of this CPU, as it was left. Never waits: NL_AGAIN, also when another CPU works on the same. */
void nl_door_call(const struct nl_context *ctx, struct nl_gprs *regs, struct nl_net_mailbox *box);

/* A new stack: what the last one has begun is forgotten. */
void nl_door_forget(void);

extern struct nl_net_facts nl_net_facts; /* those of the network itself are kept up to date here */
