// SPDX-License-Identifier: Apache-2.0
/*
 * Does a hypercall, and whatever else happens meanwhile, leave the registers of user space alone? Fills general, flag,
 * x87, SSE, AVX, AVX-512 and GS base with patterns, makes N (default 100000) hypercalls and compares everything after
 * each. The debug registers cannot be read from here; a hardware breakpoint that has to fire exactly once after each of
 * some calls stands for them. Prints one line and ends with 0 if nothing differed. Usage: regs [N]
 */
#define _GNU_SOURCE
#include "agent.h"

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARCH_SET_GS 0x1001 /* <asm/prctl.h> */
#define ARCH_GET_GS 0x1004
#define ARCH_GET_FS 0x1003
#define XSTATE_MASK 0xe7 /* x87, SSE, AVX, AVX-512; not PKRU and AMX, which Linux grants by other rules */
#define XSAVE_SIZE 8192

enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, RSP, GPRS };
static const char *const gpr_names[GPRS] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
                                            "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rsp"};
static const unsigned results = 1 << RAX | 1 << RCX | 1 << R8; /* hypercall.h: these carry the answer */

/* Flags that user space owns: CF PF AF ZF SF DF OF ID. */
#define FLAGS 0x200cd5ULL

/* Offsets are used by the assembly below. */
struct frame {
	uint64_t in[GPRS];            /* 0 */
	uint64_t out[GPRS];           /* 128 */
	uint64_t flags_in, flags_out; /* 256, 264 */
	uint64_t mask;                /* 272 */
	uint64_t xsave;               /* 280: 1 = XSAVE, 0 = FXSAVE */
	uint8_t *area_in, *area_out;  /* 288, 296 */
};
_Static_assert(offsetof(struct frame, out) == 128 && offsetof(struct frame, flags_in) == 256, "assembly offsets");
_Static_assert(offsetof(struct frame, mask) == 272 && offsetof(struct frame, area_in) == 288, "assembly offsets");

extern struct frame frame; /* seen by the assembly */
struct frame frame;
void one_call(void);

__asm__(".text\n"
        "one_call:\n\t"
        "push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
        "mov frame+272, %eax\n\txor %edx, %edx\n\tmov frame+288, %rsi\n\t"
        "cmpq $0, frame+280\n\tje 1f\n\txrstor64 (%rsi)\n\tjmp 2f\n"
        "1:\tfxrstor64 (%rsi)\n"
        "2:\tmov %rsp, frame+120\n\tpushq frame+256\n\tpopfq\n\t"
        "mov frame+0, %rax\n\tmov frame+8, %rbx\n\tmov frame+16, %rcx\n\tmov frame+24, %rdx\n\tmov frame+32, "
        "%rsi\n\tmov frame+40, %rdi\n\t"
        "mov frame+48, %rbp\n\tmov frame+56, %r8\n\tmov frame+64, %r9\n\tmov frame+72, %r10\n\tmov frame+80, "
        "%r11\n\tmov frame+88, %r12\n\t"
        "mov frame+96, %r13\n\tmov frame+104, %r14\n\tmov frame+112, %r15\n\t"
        "out %eax, %dx\n\t"
        "mov %rax, frame+128\n\tmov %rbx, frame+136\n\tmov %rcx, frame+144\n\tmov %rdx, frame+152\n\tmov %rsi, "
        "frame+160\n\tmov %rdi, "
        "frame+168\n\t"
        "mov %rbp, frame+176\n\tmov %r8, frame+184\n\tmov %r9, frame+192\n\tmov %r10, frame+200\n\tmov %r11, "
        "frame+208\n\tmov %r12, "
        "frame+216\n\t"
        "mov %r13, frame+224\n\tmov %r14, frame+232\n\tmov %r15, frame+240\n\tmov %rsp, frame+248\n\t"
        "pushfq\n\tpopq frame+264\n\tcld\n\t"
        "mov frame+272, %eax\n\txor %edx, %edx\n\tmov frame+296, %rsi\n\t"
        "cmpq $0, frame+280\n\tje 1f\n\txsave64 (%rsi)\n\tjmp 2f\n"
        "1:\tfxsave64 (%rsi)\n"
        "2:\tfninit\n\tpushq $0x1f80\n\tldmxcsr (%rsp)\n\tadd $8, %rsp\n\t"
        "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\tret\n");

static uint8_t area_in[XSAVE_SIZE] __attribute__((aligned(64))), area_out[XSAVE_SIZE] __attribute__((aligned(64)));
static uint64_t seed = 0x9e3779b97f4a7c15ULL;

static uint64_t pattern(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Which bytes of an XSAVE area are registers; the rest is header, reserved, or the x87 pointers that AMD saves only
 * with an exception. */
static bool is_register(size_t at, size_t size)
{
	if (at < 6)
		return at != 5; /* FCW FSW FTW; byte 5 is reserved */
	if (at < 24)
		return false; /* FOP FIP FDP */
	if (at < 28)
		return true; /* MXCSR */
	if (at < 32)
		return false; /* MXCSR_MASK */
	if (at < 160)
		return (at - 32) % 16 < 10; /* ST0..ST7 */
	if (at < 416)
		return true; /* XMM0..XMM15 */
	return at >= 576 && at < size;
}

static void fill(size_t size, uint64_t i)
{
	static const uint16_t rounding[4] = {0x037f, 0x077f, 0x0b7f, 0x0f7f};
	uint32_t mxcsr = 0x1f80 | (uint32_t)(i & 3) << 13 | (uint32_t)(i & 0x3f);

	for (size_t at = 0; at < size; at += 8) {
		uint64_t v = pattern();

		memcpy(area_in + at, &v, 8);
	}
	memset(area_in, 0, 32);
	memcpy(area_in, &rounding[i & 3], 2);
	area_in[3] = (uint8_t)((i & 7) << 3); /* FSW.TOP */
	area_in[4] = 0xff;                    /* all of ST0..ST7 in use */
	memcpy(area_in + 24, &mxcsr, 4);
	memset(area_in + 416, 0, 160); /* reserved, and the XSAVE header */
	memcpy(area_in + 512, &frame.mask, 8);
}

static int differs(uint64_t i, const char *what, uint64_t before, uint64_t after)
{
	printf("regs: FAIL call %llu: %s was %llx, is %llx\n", (unsigned long long)i, what, (unsigned long long)before,
	       (unsigned long long)after);
	return 1;
}

static int compare(uint64_t i, size_t size)
{
	for (unsigned r = 0; r < GPRS; r++)
		if (!(results & 1u << r) && frame.in[r] != frame.out[r])
			return differs(i, gpr_names[r], frame.in[r], frame.out[r]);
	if ((frame.flags_in ^ frame.flags_out) & FLAGS)
		return differs(i, "rflags", frame.flags_in, frame.flags_out);
	for (size_t at = 0; at < size; at++)
		if (is_register(at, size) && area_in[at] != area_out[at]) {
			printf("regs: FAIL call %llu: byte %zu of the XSAVE area was %02x, is %02x\n",
			       (unsigned long long)i, at, area_in[at], area_out[at]);
			return 1;
		}
	return 0;
}

/*
 * perf_event_open(2) by hand: a hardware write watchpoint on `watched`, counted by the kernel. The first 88 bytes of
 * struct perf_event_attr.
 */
static volatile uint64_t watched;
static int watch(void)
{
	uint64_t attr[14] = {0};

	attr[0] = 5 | (uint64_t)sizeof(attr) << 32; /* type PERF_TYPE_BREAKPOINT, size */
	attr[5] = 1 << 5 | 1 << 6;                  /* exclude_kernel, exclude_hv */
	attr[6] = 2ULL << 32;                       /* bp_type HW_BREAKPOINT_W */
	attr[7] = (uintptr_t)&watched;              /* bp_addr */
	attr[8] = 8;                                /* bp_len */
	return (int)syscall(SYS_perf_event_open, attr, 0, -1, -1, 0);
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000, hits = 0, expected_hits = 0, base;
	struct nl_exit_counts *buffer = NULL;
	uint32_t a, b, c, d, xcr0 = 0;
	size_t size = 512;
	uint64_t fs[2];
	struct nl_agent agent;
	enum nl_err e = nl_agent_open(&agent, nl_linux_transport(), NULL);
	int fd;

	if (e != NL_OK) {
		printf("regs: FAIL cannot open Newleaf: error %d\n", e);
		return 1;
	}
	buffer = (void *)agent.buffer; /* resident */
	__cpuid(1, a, b, c, d);
	frame.xsave = c >> 27 & 1; /* OSXSAVE */
	frame.mask = 3;
	if (frame.xsave) {
		__asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(d) : "c"(0));
		frame.mask = xcr0 & XSTATE_MASK;
		for (unsigned i = 2; i < 8; i++) {
			if (!(frame.mask >> i & 1))
				continue;
			__cpuid_count(0xd, i, a, b, c, d);
			if (b + a > size)
				size = b + a;
		}
		if (size < 576)
			size = 576;
		if (size > XSAVE_SIZE)
			return printf("regs: FAIL XSAVE area of %zu bytes\n", size), 1;
	}
	frame.area_in = area_in;
	frame.area_out = area_out;
	base = pattern() >> 20;
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, base) || syscall(SYS_arch_prctl, ARCH_GET_FS, &fs[0]))
		return printf("regs: FAIL arch_prctl\n"), 1;
	fd = watch();
	for (uint64_t i = 0; i < n; i++) {
		uint64_t gs = 0;

		fill(size, i);
		for (unsigned r = 0; r < GPRS; r++)
			frame.in[r] = pattern();
		frame.in[RAX] = NL_CALL_MAGIC;
		frame.in[RBX] = NL_CALL_EXITS;
		frame.in[RCX] = 0;
		frame.in[RDX] = NL_CALL_PORT;
		frame.in[RSI] = (uintptr_t)buffer;
		frame.in[RDI] = sizeof(*buffer);
		frame.flags_in = (pattern() & FLAGS) | 0x202;
		memset(area_out, 0, size);
		one_call();
		if (frame.out[RAX] != NL_OK)
			return differs(i, "answer", NL_OK, frame.out[RAX]);
		if (compare(i, size))
			return 1;
		if (syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) || gs != base)
			return differs(i, "GS base", base, gs);
		if (fd >= 0 && i % 64 == 0) {
			watched = i;
			expected_hits++;
		}
	}
	if (syscall(SYS_arch_prctl, ARCH_GET_FS, &fs[1]) || fs[0] != fs[1])
		return differs(n, "FS base", fs[0], fs[1]);
	if (fd >= 0 && (read(fd, &hits, sizeof(hits)) != sizeof(hits) || hits != expected_hits))
		return differs(n, "hits of the hardware breakpoint", expected_hits, hits);
	nl_agent_close(&agent);
	printf("regs: ok %llu calls; general, flags, FS, GS, %s (XCR0 bits %llx)%s unchanged\n", (unsigned long long)n,
	       frame.xsave ? "XSAVE state" : "FXSAVE state", (unsigned long long)frame.mask,
	       fd >= 0 ? ", debug registers" : "; debug registers not checked: no hardware breakpoint here");
	return 0;
}
