// SPDX-License-Identifier: Apache-2.0
/* The image's own: its first instruction in C, the call to the core, and what an overwritten stack frame is. */
#include "call.h"
#include "main.h"

struct nl_net_mailbox net_mailbox __attribute__((section(".mailbox")));

/* Compared at each function's end (-mstack-protector-guard=global). */
uintptr_t __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);

static enum nl_net_vendor vendor;

struct net_answer net_call(enum nl_net_call call, uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
	struct net_answer a = {call, rdx};

	if (vendor == NL_NET_SVM)
		__asm__ volatile("vmmcall" : "+a"(a.rax), "+d"(a.rdx) : "D"(rdi), "S"(rsi) : "memory");
	else
		__asm__ volatile("vmcall" : "+a"(a.rax), "+d"(a.rdx) : "D"(rdi), "S"(rsi) : "memory");
	return a;
}

_Noreturn void net_fail(uint64_t where)
{
	net_call(NL_NET_FAIL, where, 0, 0);
	for (;;) /* the core does not come back */
		__asm__ volatile("ud2");
}

_Noreturn void __stack_chk_fail(void) { net_fail(NET_FAIL_STACK); }

/* Called by start.S. No frame of its own may be compared: it makes what is compared. */
__attribute__((no_stack_protector)) _Noreturn void net_entry(enum nl_net_vendor at)
{
	vendor = at;
	__stack_chk_guard = net_mailbox.config.seed[0] ^ net_mailbox.config.seed[3];
	net_start();
	for (;;)
		net_step();
}
