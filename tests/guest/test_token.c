// SPDX-License-Identifier: Apache-2.0
/*
 * The token channel: RDMSR at CPL 0 makes one, CPUID at CPL 3 spends it; whoever has none sees the CPUID of this
 * machine.
 */
#include <newleaf/bootblock.h>
#include <newleaf/hypercall.h>

#include "kernel.h"

#define LSTAR 0xc0000082u

__asm__(".globl token_cpuid, token_cpuid_end, token_guess, token_guess_end\n"
        ".globl token_rdmsr, token_rdmsr_end\n"
        "token_cpuid: cpuid\n int $0x80\ntoken_cpuid_end:\n"
        /* rsi guesses, from a generator whose state is r8; leaves when RDX is the answer of a call */
        "token_guess: mov %r8, %rdx\n mov $0x4e4c4631, %eax\n mov $1, %ebx\n xor %ecx, %ecx\n cpuid\n"
        "mov %rdx, %rcx\n shr $32, %rcx\n jnz 1f\n"
        "imul $0x5851f42d, %r8, %r8\n add $0x14057b7f, %r8\n ror $13, %r8\n dec %rsi\n jnz token_guess\n"
        "1: int $0x80\ntoken_guess_end:\n"
        "token_rdmsr: rdmsr\n int $0x80\ntoken_rdmsr_end:\n");
extern const uint8_t token_cpuid[], token_cpuid_end[], token_guess[], token_guess_end[], token_rdmsr[],
        token_rdmsr_end[];

static bool present(uint64_t token, struct user_regs *r)
{
	memset((void *)USER_DATA_VA, 0, 4096);
	*r = (struct user_regs){.rax = 0x7700000000000000 | NL_CALL_MAGIC,
	                        .rbx = 0x5500000000000000 | NL_CALL_STATUS,
	                        .rcx = 0x3300000000000000,
	                        .rdx = token,
	                        .rsi = USER_DATA_VA,
	                        .rdi = 4096,
	                        .r8 = 0x8888,
	                        .rflags = 0xad7};
	r->rbx = NL_CALL_STATUS;
	EXPECT_VECTOR(user_run(token_cpuid, token_cpuid_end, r), 0x80, "CPUID at CPL 3");
	return r->rdx == NL_TOKEN_TAKEN;
}

static uint64_t token(void)
{
	uint64_t v = 0;

	EXPECT_VECTOR(rdmsr(NL_TOKEN_MSR, &v), NONE, "a read of the token");
	return v;
}

static const struct nl_status *status(void)
{
	struct user_regs r;

	EXPECT(present(token(), &r), "the token is not taken: rax %lx rdx %lx", r.rax, r.rdx);
	EXPECT(r.rax == NL_OK, "STATUS: error %lu", r.rax);
	return (const struct nl_status *)USER_DATA_VA;
}

/* As on a machine without Newleaf: the same in every register, and nothing written. */
static void expect_plain(uint64_t with, const char *what)
{
	uint32_t want[4];
	struct user_regs r;

	cpuid(NL_CALL_MAGIC, 0, want);
	EXPECT(!present(with, &r), "%s is taken", what);
	EXPECT(r.rax == want[0] && r.rbx == want[1] && r.rcx == want[2] && r.rdx == want[3],
	       "%s: CPUID gives %lx %lx %lx %lx", what, r.rax, r.rbx, r.rcx, r.rdx);
	EXPECT(r.rsi == USER_DATA_VA && r.rdi == 4096 && r.r8 == 0x8888, "%s: a register was changed", what);
	for (unsigned i = 0; i < 512; i++)
		EXPECT(((volatile uint64_t *)USER_DATA_VA)[i] == 0, "%s: the buffer was written", what);
}

static void absent(void)
{
	struct user_regs r = {.rcx = NL_TOKEN_MSR, .rflags = 2};

	EXPECT_VECTOR(user_run(token_rdmsr, token_rdmsr_end, &r), GP, "the read at CPL 3");
	if (!machine.bare) /* the emulators take every MSR */
		EXPECT_VECTOR(wrmsr(NL_TOKEN_MSR, 0), GP, "a write");
	expect_plain(0, "zero");
	expect_plain(NL_CALL_PORT, "a port");
}

static void taken(void)
{
	const struct nl_status *s = status();
	struct user_regs r;

	EXPECT(s->abi == NL_ABI_VERSION && s->size == sizeof(*s), "abi %u size %u", s->abi, s->size);
	EXPECT(s->proof == NL_PROOF_TOKEN && s->boot.policy.proofs == (NL_PROOF_PORT | NL_PROOF_TOKEN),
	       "proof %u of %u", s->proof, s->boot.policy.proofs);
	EXPECT(present(token(), &r), "a second token is not taken");
	EXPECT(r.rbx == NL_CALL_STATUS && r.rsi == USER_DATA_VA && r.rdi == 4096 && r.rcx == sizeof(*s),
	       "rbx %lx rcx %lx rsi %lx rdi %lx", r.rbx, r.rcx, r.rsi, r.rdi);
	EXPECT((r.rflags & 0xcd5) == 0x8d5, "flags %lx", r.rflags);
}

static void refused(void)
{
	uint64_t before = status()->counts.tokens_refused;
	uint64_t t = token(), newer;
	struct user_regs r;

	EXPECT(present(t, &r), "the token is not taken");
	expect_plain(t, "a replay");
	t = token();
	newer = token();
	expect_plain(t, "the token before the last");
	expect_plain(newer ^ 1ULL << 63, "a flipped bit");
	EXPECT(present(newer, &r), "the right one is not taken after wrong ones");
	t = token();
	/* on an emulator it lives ten times as long; loader and test measured the clock apart, on a busy host */
	settle(NL_TOKEN_LIFE_MS * 1000 * 30);
	expect_plain(t, "a token that is too old");
	EXPECT(status()->counts.tokens_refused == before + 4, "%lu refusals are counted, %lu were before",
	       ((const struct nl_status *)USER_DATA_VA)->counts.tokens_refused, before);
}

/* What begins another kernel ends all tokens of the one before. */
static void other_kernel(void)
{
	uint64_t lstar = msr(LSTAR), t = token();

	EXPECT_VECTOR(wrmsr(LSTAR, lstar ^ 0x1000), NONE, "LSTAR");
	expect_plain(t, "a token of the kernel before");
	EXPECT_VECTOR(wrmsr(LSTAR, lstar), NONE, "LSTAR");
	status();
}

static void at_cpl0(void)
{
	uint64_t t = token(), rax = NL_CALL_MAGIC, rbx = NL_CALL_STATUS, rcx = 0, rdx = t;
	struct user_regs r;
	uint32_t want[4];

	cpuid(NL_CALL_MAGIC, 0, want);
	__asm__ volatile("cpuid"
	                 : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx)
	                 : "S"(USER_DATA_VA), "D"(4096ULL)
	                 : "memory");
	EXPECT(rax == want[0] && rbx == want[1] && rcx == want[2] && rdx == want[3], "the call at CPL 0 is answered");
	EXPECT(present(t, &r), "a CPUID at CPL 0 has spent the token");
}

static void guesses(void)
{
	uint64_t before = status()->counts.tokens_refused;
	uint64_t n = rounds(100000), begin;
	struct user_regs r = {.rsi = n, .r8 = tsc() | 1, .rflags = 2};

	token(); /* one is out, for as long as it lives */
	begin = tsc();
	EXPECT_VECTOR(user_run(token_guess, token_guess_end, &r), 0x80, "guesses");
	EXPECT(r.rsi == 0, "a guess was taken, %lu before the end", r.rsi);
	note("%lu guesses in %lu us", n, (tsc() - begin) / (machine.tsc_hz / 1000000));
	EXPECT(status()->counts.tokens_refused == before + n, "%lu guesses, %lu are counted", n,
	       ((const struct nl_status *)USER_DATA_VA)->counts.tokens_refused - before);
}

static void read_token(struct cpu *cpu) { rdmsr(NL_TOKEN_MSR, (uint64_t *)&cpu->result); }

static void other_cpu(void)
{
	uint64_t mine = token(), theirs;
	struct user_regs r;

	REQUIRE(smp_call(&cpus[1], read_token), "CPU 1 does not answer");
	theirs = cpus[1].result;
	EXPECT(theirs && theirs != mine, "CPU 1 reads %lx, this one %lx", theirs, mine);
	expect_plain(theirs, "a token of another CPU");
	EXPECT(present(mine, &r), "this CPU's own token is not taken");
}

const struct test token_tests[] = {
        {"token-absent", absent, 0},
        {"token-taken", taken, NEWLEAF_ONLY},
        {"token-refused", refused, NEWLEAF_ONLY},
        {"token-other-kernel", other_kernel, NEWLEAF_ONLY},
        {"token-cpl0", at_cpl0, NEWLEAF_ONLY},
        {"token-guesses", guesses, NEWLEAF_ONLY},
        {"token-other-cpu", other_cpu, NEWLEAF_ONLY | SMP_ONLY},
        {NULL, NULL, 0},
};
