// SPDX-License-Identifier: Apache-2.0
/*
 * The whole stack, HTTP over lwIP, as a program of the host: frames and time come as tests/net/fake.h says, all other
 * calls go to the fake core, which has a machine with as many leaves and commits as there can be.
 * usage: net-core NET-IP NET-IP6 PORT
 */
#include "../net/fake.h"
#include "fake.h"

#include "../../net/main.h"

struct nl_net_mailbox net_mailbox;
static uint64_t ms;

static uint64_t now_ms(void) { return ms; }

struct net_answer net_call(enum nl_net_call call, uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
	struct net_answer a;

	if (call >= NL_NET_FACTS && call <= NL_NET_LEAF)
		return fake_core(call, rdi, rsi, rdx);
	a = fake_call(&net_mailbox, call, rdi, rsi, rdx);
	if (call == NL_NET_WAIT)
		ms = a.rdx;
	return a;
}

void net_fail(uint64_t where)
{
	net_call(NL_NET_FAIL, where, 0, 0);
	__builtin_trap();
}

uint64_t fake_depth(void) { return 0; }

int main(int argc, char **argv)
{
	fake.now_ms = now_ms;
	fake_start();
	fake.any_leaf = true;
	for (unsigned i = 0; i < NL_MAX_LEAVES - 1; i++)
		fake_leaf("a-leaf-with-a-name-that-is-rather-long", i, NL_LEAF_APPLIED);
	for (unsigned i = 0; i < 600; i++)
		fake_event(NL_EV_COMMIT, NL_OK, NULL, i, 0);
	fake_begin(&net_mailbox, argc, argv);
	net_start();
	for (;;)
		net_step();
}
