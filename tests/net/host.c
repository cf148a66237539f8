// SPDX-License-Identifier: Apache-2.0
/* The stack as a program of the host, from the image's own sources, with sanitizers; its core is fake.c. */
#include "fake.h"

#include "../../net/main.h"

#include <lwip/mem.h>
#include <lwip/memp.h>
#include <stdbool.h>

struct nl_net_mailbox net_mailbox;

struct net_answer net_call(enum nl_net_call call, uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
	return fake_call(&net_mailbox, call, rdi, rsi, rdx);
}

_Noreturn void net_fail(uint64_t where)
{
	net_call(NL_NET_FAIL, where, 0, 0);
	__builtin_trap();
}

uint64_t fake_depth(void) { return 0; }

/*
 * Every allocation of lwIP comes by here (ld --wrap). Timers are left alone: their pool has one for each that there can
 * be, and lwIP asserts that it gets it.
 */
static bool inside; /* in a pool's that takes its block from the heap */

#if MEMP_OVERFLOW_CHECK
void *__real_memp_malloc_fn(memp_t type, const char *file, const int line);
void *__wrap_memp_malloc_fn(memp_t type, const char *file, const int line);
void *__wrap_memp_malloc_fn(memp_t type, const char *file, const int line)
{
	return type != MEMP_SYS_TIMEOUT && fake_allocation() ? NULL : __real_memp_malloc_fn(type, file, line);
}
#else
void *__real_memp_malloc(memp_t type);
void *__wrap_memp_malloc(memp_t type);
void *__wrap_memp_malloc(memp_t type)
{
	void *block;

	if (type != MEMP_SYS_TIMEOUT && fake_allocation())
		return NULL;
	inside = true;
	block = __real_memp_malloc(type);
	inside = false;
	return block;
}
#endif

void *__real_mem_malloc(mem_size_t size);
void *__wrap_mem_malloc(mem_size_t size);
void *__wrap_mem_malloc(mem_size_t size) { return !inside && fake_allocation() ? NULL : __real_mem_malloc(size); }

int main(int argc, char **argv)
{
	fake_begin(&net_mailbox, argc, argv);
	net_start();
	for (;;)
		net_step();
}
