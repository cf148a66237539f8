// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's door on Linux: CPUID, proof of root by ioperm(2), the OUT that is the hypercall, and memory that stays
 * resident. The other proof is in linux_token.c, gathering the CPUs in linux_gather.c.
 */
#define _GNU_SOURCE
#include "linux.h"
#include "own.h"

#include <newleaf/bootblock.h>

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static uint8_t call_buffer[NL_CALL_MAX_BUFFER] __attribute__((aligned(4096)));
static struct sigaction old_segv;

static void linux_cpuid(void *ctx, uint32_t leaf, uint32_t out[4])
{
	(void)ctx;
	__cpuid_count(leaf, 0, out[0], out[1], out[2], out[3]);
}

extern const char nl_call_instruction[], nl_call_faulted[]; /* labels in do_call() */

/*
 * false: the OUT faulted. Without the right to the port it is #GP, which Linux delivers as SIGSEGV (SDM vol. 3, 6.15,
 * "Interrupt 13"); the handler lets the thread go on at the second label. Everything but the named registers comes back
 * unchanged.
 */
static __attribute__((noinline)) bool do_call(struct nl_registers *r)
{
	register uint64_t r8 __asm__("r8") = r->r8;
	uint64_t ok = 1, begin = __builtin_ia32_rdtsc();

	__asm__ volatile("nl_call_instruction:\n\t"
	                 "outl %%eax, %%dx\n\t"
	                 "jmp 1f\n"
	                 "nl_call_faulted:\n\t"
	                 "xorl %k[ok], %k[ok]\n"
	                 "1:"
	                 : "+a"(r->rax), "+b"(r->rbx), "+c"(r->rcx), "+S"(r->rsi), "+D"(r->rdi), "+r"(r8), [ok] "+r"(ok)
	                 : "d"(NL_CALL_PORT)
	                 : "memory", "cc");
	r->taken = __builtin_ia32_rdtsc() - begin;
	r->r8 = r8;
	return ok;
}

static enum nl_proof proof; /* the channel that open() chose */

static bool one_call(struct nl_registers *r) { return proof == NL_PROOF_TOKEN ? nl_linux_token_call(r) : do_call(r); }

/* An interrupt that waited for the end of the call may give the CPU to another task, before this thread reads the TSC:
 * what others had is not taken from them. What says how much this thread had is read outside of what says of how much,
 * so that the answer is never too low. */
static bool linux_call(void *ctx, struct nl_registers *r)
{
	uint64_t ticks, mine, wall;
	bool ok;

	if (r->rbx == NL_CALL_TRY) /* nobody is above this thread in a gather, and all CPUs wait for it */
		return one_call(r);
	ticks = nl_own_now();
	mine = nl_linux_thread_ns();
	wall = nl_linux_now_ns(ctx);
	ok = one_call(r);
	wall = nl_linux_now_ns(ctx) - wall;
	mine = nl_linux_thread_ns() - mine;
	r->taken = nl_own_taken(r->taken, nl_own_now() - ticks, mine, wall);
	return ok;
}

static void on_segv(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)info;
	if (regs[REG_RIP] == (greg_t)(uintptr_t)nl_call_instruction)
		regs[REG_RIP] = (greg_t)(uintptr_t)nl_call_faulted;
	else
		sigaction(signal, &old_segv,
		          NULL); /* not ours: it happens again, and ends as it would have without us */
}

static bool port_answers(void)
{
	struct nl_registers nothing = {.rax = NL_CALL_MAGIC};

	return ioperm(NL_CALL_PORT, 4, 1) == 0 && do_call(&nothing) && nothing.rax != NL_CALL_MAGIC;
}

/* Known before: each refused ioperm is a line in the kernel's log. */
static bool locked_down(void)
{
	char text[128] = "";
	int fd = open("/sys/kernel/security/lockdown", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

	if (fd >= 0)
		close(fd);
	return n > 0 && !strstr(text, "[none]");
}

/* The port, which needs no driver; where lockdown or policy keep it shut, the token. */
static enum nl_err choose_proof(struct nl_details *details)
{
	proof = !locked_down() && port_answers() ? NL_PROOF_PORT : NL_PROOF_TOKEN;
	return proof == NL_PROOF_PORT ? NL_OK : nl_linux_token_open(details);
}

static void linux_close(void *ctx)
{
	nl_linux_disperse(ctx);
	nl_linux_token_close();
	munlockall();
	sigaction(SIGSEGV, &old_segv, NULL);
	ioperm(NL_CALL_PORT, 4, 0);
}

static enum nl_err linux_open(void *ctx, struct nl_details *details, uint8_t **buffer)
{
	struct sigaction sa = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
	enum nl_err e;

	if (sigaction(SIGSEGV, &sa, &old_segv) != 0) {
		details->sys_errno = errno;
		return NL_EENVIRONMENT;
	}
	if ((e = choose_proof(details))) {
		linux_close(ctx);
		return e;
	}
	/* A page fault inside the gather would put a CPU into the kernel, and the hypervisor reads no page that is not
	 * there. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		details->sys_errno = errno; /* a limit of this machine; call() touches the pages each time and retries
		                               on NL_EFAULT */
	memset(call_buffer, 0, sizeof(call_buffer));
	*buffer = call_buffer;
	return NL_OK;
}

const struct nl_transport *nl_linux_transport(void)
{
	static const struct nl_transport t = {
	        .cpuid = linux_cpuid,
	        .open = linux_open,
	        .close = linux_close,
	        .call = linux_call,
	        .gather = nl_linux_gather,
	        .disperse = nl_linux_disperse,
	        .now_ns = nl_linux_now_ns,
	        .pause_ns = nl_linux_pause_ns,
	};

	return &t;
}
