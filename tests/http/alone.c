// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP without a stack under it: its calls go to the fake core.
 */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>

struct nl_net_mailbox net_mailbox;

struct net_answer net_call(enum nl_net_call call, uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
	return fake_core(call, rdi, rsi, rdx);
}

void net_fail(uint64_t where)
{
	fprintf(stderr, "HTTP gave up: %#llx\n", (unsigned long long)where);
	abort();
}
