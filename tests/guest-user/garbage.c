// SPDX-License-Identifier: Apache-2.0
/*
 * Does garbage from user space do any harm? As an ordinary user: VMCALL, VMMCALL, the vendors' own instructions and the
 * port must fault as on bare hardware. As root: random hypercalls and arguments must be answered by a named error, must
 * not touch memory that the caller could not touch itself, and must leave the generation alone. Prints one line for
 * each part and ends with 0 if all is well. Usage: garbage [ROUNDS [SEED]]
 */
#define _GNU_SOURCE
#include "agent.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534
#define PAGE 4096

static uint64_t seed = 1;

static uint64_t rnd(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return seed ^ seed >> 29;
}

static sigjmp_buf back;
static volatile sig_atomic_t got;

static void on_signal(int signal)
{
	got = signal;
	siglongjmp(back, 1);
}

/* Each runs one instruction with the registers of `r` (rdx is the port where there is one). */
#define TRIAL(name, text) \
	static void name(const uint64_t r[8]) \
	{ \
		uint64_t a = r[0], b = r[1], c = r[2], d = r[3], s = r[4], t = r[5]; \
		__asm__ volatile(text \
		                 : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(s), "+D"(t) \
		                 : \
		                 : "memory", "cc", "r8", "r9"); \
	}
TRIAL(do_vmcall, ".byte 0x0f, 0x01, 0xc1")
TRIAL(do_vmmcall, ".byte 0x0f, 0x01, 0xd9")
TRIAL(do_outl, "outl %%eax, %%dx")
TRIAL(do_outw, "outw %%ax, %%dx")
TRIAL(do_outb, "outb %%al, %%dx")
TRIAL(do_inl, "inl %%dx, %%eax")
TRIAL(do_vmrun, ".byte 0x0f, 0x01, 0xd8")
TRIAL(do_vmload, ".byte 0x0f, 0x01, 0xda")
TRIAL(do_vmsave, ".byte 0x0f, 0x01, 0xdb")
TRIAL(do_stgi, ".byte 0x0f, 0x01, 0xdc")
TRIAL(do_clgi, ".byte 0x0f, 0x01, 0xdd")
TRIAL(do_vmlaunch, ".byte 0x0f, 0x01, 0xc2")
TRIAL(do_vmxoff, ".byte 0x0f, 0x01, 0xc4")

static const struct trial {
	const char *name;
	void (*run)(const uint64_t r[8]);
	bool port;
	int signal, or_signal;
} trials[] = {
        {"vmcall", do_vmcall, false, SIGILL, SIGILL},
        {"vmmcall", do_vmmcall, false, SIGILL, SIGILL},
        {"out dword", do_outl, true, SIGSEGV, SIGSEGV},
        {"out word", do_outw, true, SIGSEGV, SIGSEGV},
        {"out byte", do_outb, true, SIGSEGV, SIGSEGV},
        {"in dword", do_inl, true, SIGSEGV, SIGSEGV},
        /* EFER.SVME must be set for a guest to run at all, and then the CPL check comes before the intercept: #GP (APM
           vol. 2, 15.7). */
        {"vmrun", do_vmrun, false, SIGILL, SIGSEGV},
        {"vmload", do_vmload, false, SIGILL, SIGSEGV},
        {"vmsave", do_vmsave, false, SIGILL, SIGSEGV},
        {"stgi", do_stgi, false, SIGILL, SIGSEGV},
        {"clgi", do_clgi, false, SIGILL, SIGSEGV},
        {"vmlaunch", do_vmlaunch, false, SIGILL, SIGILL},
        {"vmxoff", do_vmxoff, false, SIGILL, SIGILL},
};

static int one_trial(const struct trial *t)
{
	uint64_t r[8];

	for (unsigned i = 0; i < NL_ARRAY_SIZE(r); i++)
		r[i] = rnd();
	if (rnd() & 1) { /* half of them look like the real thing */
		r[0] = NL_CALL_MAGIC;
		r[1] = rnd() % 13;
	}
	if (t->port)
		r[3] = (r[3] & ~0xffffULL) | NL_CALL_PORT;
	got = 0;
	if (!sigsetjmp(back, 1))
		t->run(r);
	if (got == t->signal || got == t->or_signal)
		return 0;
	printf("garbage: FAIL user: %s ended with signal %d, not %d\n", t->name, got, t->signal);
	return 1;
}

static int as_user(unsigned rounds)
{
	struct sigaction sa = {.sa_handler = on_signal};

	if (setgid(NOBODY) || setuid(NOBODY)) {
		printf("garbage: FAIL cannot become an ordinary user\n");
		return 1;
	}
	sigaction(SIGILL, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	for (unsigned i = 0; i < rounds; i++)
		if (one_trial(&trials[i % NL_ARRAY_SIZE(trials)]))
			return 1;
	printf("garbage: ok user: %u instructions faulted as on bare hardware\n", rounds);
	return 0;
}

static int in_child(int (*part)(unsigned), unsigned rounds)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int result = part(rounds);

		fflush(stdout);
		_exit(result);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
		printf("garbage: FAIL the child died\n");
		return 1;
	}
	return WEXITSTATUS(status);
}

static struct nl_agent agent;

static int root_fail(const char *what, uint64_t call, uint64_t rsi, uint64_t answer)
{
	printf("garbage: FAIL root: %s (call %llu, buffer %llx, answer %llu)\n", what, (unsigned long long)call,
	       (unsigned long long)rsi, (unsigned long long)answer);
	return 1;
}

/* Answers that write must not go where the caller cannot write: read-only memory, the kernel, nowhere. */
static int forbidden_buffers(uint8_t *readonly, uint8_t *edge)
{
	const uint64_t targets[] = {(uintptr_t)readonly,
	                            0,
	                            0xffffffff81000000ULL,
	                            0xffff888000000000ULL,
	                            0x0000800000000000ULL,
	                            ~0ULL,
	                            (uintptr_t)edge + PAGE,
	                            (uintptr_t)edge + PAGE - 8,
	                            ~0ULL - 64,
	                            0xffffffffff600000ULL};
	const enum nl_call writers[] = {NL_CALL_STATUS, NL_CALL_LEAVES, NL_CALL_JOURNAL, NL_CALL_EXITS,
	                                NL_CALL_CONSOLE};

	for (size_t w = 0; w < NL_ARRAY_SIZE(writers); w++)
		for (size_t t = 0; t < NL_ARRAY_SIZE(targets); t++) {
			struct nl_registers r = {
			        .rax = NL_CALL_MAGIC, .rbx = writers[w], .rsi = targets[t], .rdi = 2048};

			if (!agent.t->call(agent.t->ctx, &r))
				return root_fail("the call faulted", r.rbx, targets[t], 0);
			/* No leaf, nothing to write: then the buffer does not matter. */
			if (r.rax == NL_OK && writers[w] != NL_CALL_LEAVES)
				return root_fail("wrote where the caller may not", r.rbx, targets[t], r.rax);
			for (unsigned i = 0; i < PAGE; i++)
				if (readonly[i])
					return root_fail("read-only memory was written", r.rbx, targets[t], r.rax);
		}
	return 0;
}

static int is_named(uint64_t rax)
{
#define IS_CODE(name, code, exit, what, next) || rax == (code)
	return 0 NL_ERRORS(IS_CODE);
#undef IS_CODE
}

static int as_root(unsigned rounds)
{
	uint8_t *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct nl_status before, after;
	struct nl_registers r;

	if (map == MAP_FAILED || munmap(map + 3 * PAGE, PAGE))
		return root_fail("mmap", 0, 0, 0);
	memset(map, 0, 3 * PAGE); /* present: the zero page would not be ours to write either */
	if (mprotect(map, PAGE, PROT_READ) || nl_agent_open(&agent, nl_linux_transport(), NULL) != NL_OK)
		return root_fail("cannot open Newleaf", 0, 0, agent.details.error);
	if (nl_agent_status(&agent, &before) != NL_OK)
		return root_fail("status", NL_CALL_STATUS, 0, agent.details.error);
	if (forbidden_buffers(map, map + 2 * PAGE))
		return 1;
	for (unsigned i = 0; i < rounds; i++) {
		const uint64_t buffers[] = {(uintptr_t)(map + PAGE),
		                            (uintptr_t)(map + PAGE + 1),
		                            (uintptr_t)(map + 3 * PAGE - 16),
		                            0,
		                            rnd() | 1ULL << 63,
		                            rnd() & 0xfff,
		                            ~0ULL,
		                            0x0000800000000000ULL};
		const uint64_t lengths[] = {
		        0, 1, rnd() % PAGE, 2 * PAGE, NL_CALL_MAX_BUFFER, NL_CALL_MAX_BUFFER + 1, rnd(), ~0ULL};

		for (unsigned k = PAGE; k < 3 * PAGE; k += 8) {
			uint64_t v = rnd();

			memcpy(map + k, &v, 8);
		}
		r = (struct nl_registers){.rax = NL_CALL_MAGIC,
		                          .rbx = rnd() % 4 ? rnd() % 13 : rnd(),
		                          .rcx = rnd() % 3 ? rnd() % 8 : rnd(),
		                          .rsi = buffers[rnd() % NL_ARRAY_SIZE(buffers)],
		                          .rdi = lengths[rnd() % NL_ARRAY_SIZE(lengths)],
		                          .r8 = rnd() % 3 ? rnd() % 70000 : rnd()};
		struct nl_registers asked = r;

		if (!agent.t->call(agent.t->ctx, &r))
			return root_fail("the call faulted", asked.rbx, asked.rsi, 0);
		if (!is_named(r.rax))
			return root_fail("an answer without a name", asked.rbx, asked.rsi, r.rax);
		if ((asked.rbx == 0 || asked.rbx > NL_CALL_ALIVE) && r.rax == NL_OK)
			return root_fail("an unknown call was answered with OK", asked.rbx, asked.rsi, r.rax);
		if (asked.rdi > NL_CALL_MAX_BUFFER && r.rax == NL_OK && asked.rbx != NL_CALL_ABANDON &&
		    asked.rbx != NL_CALL_ALIVE)
			return root_fail("a length over the limit was taken", asked.rbx, asked.rsi, r.rax);
		if (asked.rbx != r.rbx || asked.rsi != r.rsi || asked.rdi != r.rdi)
			return root_fail("a register changed that carries no answer", asked.rbx, asked.rsi, r.rax);
	}
	/* Any other value on the port, or reading it: an unused port. */
	r = (struct nl_registers){
	        .rax = 0x12345678, .rbx = NL_CALL_STATUS, .rsi = (uintptr_t)agent.buffer, .rdi = sizeof(before)};
	if (!agent.t->call(agent.t->ctx, &r) || r.rax != 0x12345678)
		return root_fail("a call without the magic value was answered", r.rbx, r.rsi, r.rax);
	if (nl_agent_status(&agent, &after) != NL_OK || after.generation != before.generation)
		return root_fail("the generation changed", NL_CALL_STATUS, 0, after.generation);
	nl_agent_close(&agent);
	printf("garbage: ok root: %u random calls, all answers named, generation %llu unchanged\n", rounds,
	       (unsigned long long)after.generation);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
	int failed;

	if (argc > 2)
		seed = strtoull(argv[2], NULL, 10);
	failed = in_child(as_user, rounds) + in_child(as_root, rounds);
	if (!failed)
		printf("garbage: ok\n");
	return failed ? 1 : 0;
}
