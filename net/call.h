// SPDX-License-Identifier: Apache-2.0
/*
 * The stack's way to the core: include/newleaf/net.h has the calls and what is in the mailbox. In the image a call is
 * one instruction; on the host it is a function of a fake.
 */
#ifndef NET_CALL_H
#define NET_CALL_H

#include <newleaf/net.h>

struct net_answer {
	uint64_t rax, rdx;
};

struct net_answer net_call(enum nl_net_call call, uint64_t rdi, uint64_t rsi, uint64_t rdx);

extern struct nl_net_mailbox net_mailbox;

/* Gives up: the core starts the image anew. Does not return. `where` is journaled: NET_FAIL_*. */
enum net_where {
	NET_FAIL_ASSERT = 1,  /* of lwIP; its line in bits 16 and above */
	NET_FAIL_START,       /* the mailbox makes no sense, or lwIP could not be set up */
	NET_FAIL_SETTING,     /* net-ip and net-ip6 are both unusable: nobody can be answered */
	NET_FAIL_STACK,       /* a stack frame was overwritten */
	NET_FAIL_HTTP = 0x100 /* and above: HTTP's own */
};
_Noreturn void net_fail(uint64_t where);

/* Milliseconds since the launch, as of the last frame or timeout; the same for everything done about it. */
uint64_t net_now(void);

/* Settings that nothing could be made of: the stack goes on with the other family. */
enum { NET_REFUSED_IP = 1, NET_REFUSED_IP6 = 2 };
unsigned net_refused(void);

#endif
