// SPDX-License-Identifier: Apache-2.0
/*
 * An order carried by a process without any right: by VMCALL or VMMCALL, whichever this CPU has. Both are no
 * instructions (SIGILL) unless the hypervisor accepts the order, and it says nothing of why not; a piece of the check
 * is done each time, so the order is presented again and again.
 */
#include "cli.h"

#include <newleaf/order.h>

#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LIMIT_S 15
#define PAUSE_NS 100000000 /* a second must pass between signatures; nobody tells when it has */

static sigjmp_buf back;

static void illegal(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

/* NL_EROOT: it is no instruction. */
static enum nl_err answer(bool vmmcall, const void *file, size_t size)
{
	uint64_t rax = NL_CALL_MAGIC;

	if (sigsetjmp(back, 1))
		return NL_EROOT;
	if (vmmcall)
		__asm__ volatile(".byte 0x0f, 0x01, 0xd9"
		                 : "+a"(rax)
		                 : "b"((uint64_t)NL_CALL_ORDER), "S"(file), "D"(size)
		                 : "rcx", "r8", "memory");
	else
		__asm__ volatile(".byte 0x0f, 0x01, 0xc1"
		                 : "+a"(rax)
		                 : "b"((uint64_t)NL_CALL_ORDER), "S"(file), "D"(size)
		                 : "rcx", "r8", "memory");
	return (enum nl_err)rax;
}

enum nl_err anybody_carries(const void *file, size_t size)
{
	static uint8_t page[NL_ORDER_MAX_SIZE] __attribute__((aligned(NL_ORDER_MAX_SIZE)));
	struct sigaction old, ours = {.sa_handler = illegal};
	struct timespec pause = {0, PAUSE_NS};
	enum nl_err said = NL_EROOT;

	memcpy(page, file, size);
	(void)mlock(page, sizeof(page)); /* it is not there, else it is there a moment later */
	sigaction(SIGILL, &ours, &old);
	for (unsigned i = 0; said == NL_EROOT && !cli_cancel && i < LIMIT_S * (1000000000 / PAUSE_NS); i++) {
		said = answer(false, page, size);
		if (said == NL_EROOT)
			said = answer(true, page, size);
		if (said == NL_EROOT)
			nanosleep(&pause, NULL);
	}
	sigaction(SIGILL, &old, NULL);
	return said;
}
