// SPDX-License-Identifier: Apache-2.0
/*
 * State that the hypervisor never touches or must restore: debug registers, x87, SSE, AVX, over many exits and
 * hypercalls.
 */
#include <newleaf/hypercall.h>

#include "kernel.h"

#define EXITS 100000

static void many_exits(uint64_t n)
{
	uint32_t r[4];

	for (uint64_t i = 0; i < n; i++) {
		if (i % 16 == 0)
			apic_write(APIC_TPR, 0);
		else if (i % 16 == 1)
			outl(NL_CALL_PORT, NL_CALL_MAGIC);
		else
			cpuid((uint32_t)i & 15, 0, r);
	}
}

static void debug_registers(void)
{
	static const uint64_t value[4] = {0x1111222233334444, 0x00007fff12345678, 0xffff888800001111,
	                                  0x4444333322221111};
	uint64_t dr6 = 0xffff0ff0, dr7 = 0x400 | 0x1 | 0x30000 | 0x8 |
	                                 0xd00000; /* DR0 write/1 byte local, DR1 read-write/4 bytes global */

	write_dr0(0x123456789000);
	write_dr1(value[1]);
	write_dr2(value[2] & 0x7fffffffffff);
	write_dr3(0x444433332221);
	write_dr6(dr6);
	write_dr7(dr7);
	many_exits(rounds(5000));
	EXPECT(read_dr0() == 0x123456789000 && read_dr1() == value[1] && read_dr2() == (value[2] & 0x7fffffffffff) &&
	               read_dr3() == 0x444433332221,
	       "DR0-3 %lx %lx %lx %lx", read_dr0(), read_dr1(), read_dr2(), read_dr3());
	EXPECT(read_dr6() == dr6, "DR6 was %lx and is %lx", dr6, read_dr6());
	EXPECT(read_dr7() == dr7, "DR7 was %lx and is %lx", dr7, read_dr7());
	write_dr7(0x400);
}

/*
 * A probe for a defect of Bochs 3 with several CPUs: its loop for them keeps the RIP from before an exception for the
 * first instruction of the handler. If that one faults it is said to stand there; a breakpoint there comes again and
 * again. So #UD goes to an instruction that faults.
 */
__asm__("ud_then_gp: mov (%rax), %al\n");
extern const uint8_t ud_then_gp[];

static bool handlers_begin_right(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr;
	uint64_t at = (uint64_t)ud_then_gp, rax = 1ULL << 63;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	volatile uint64_t *gate = (uint64_t *)idtr.base + 2 * UD;
	const uint64_t was[] = {gate[0], gate[1]};
	gate[0] = (was[0] & 0x0000ffffffff0000) | (at & 0xffff) | (at >> 16 & 0xffff) << 48;
	gate[1] = at >> 32;
	int vector = TRY("lea 1f(%%rip), %%r10; mov %%r10, %%gs:8; mov %%rsp, %%r10; ud2\n1: mov %%r10, %%rsp",
	                 ARGS("+a"(rax)), ARGS(), "r10");
	gate[0] = was[0];
	gate[1] = was[1];
	return vector == GP && this_cpu()->fault_rip == at;
}

/* A breakpoint still fires when exits lie between setting and reaching it. */
static void breakpoint(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t at;

	if (machine.intel && machine.n_cpus > 1 && !handlers_begin_right()) {
		skip("this Bochs forgets where a handler's first instruction stands");
		return;
	}
	cpu->db_max = 8;
	cpu->db_count = 0;
	write_dr6(0xffff0ff0);
	__asm__ volatile(
	        "lea 1f(%%rip), %0; mov %0, %%dr0; mov $0x401, %%eax; mov %%rax, %%dr7; xor %%eax, %%eax; cpuid\n"
	        "1: nop; mov $0x400, %%eax; mov %%rax, %%dr7"
	        : "=&r"(at)
	        :
	        : "rax", "rbx", "rcx", "rdx", "memory", "cc");
	cpu->db_max = 0;
	EXPECT(cpu->db_count == 1 && cpu->db_rip[0] == at, "%u traps, the first at %lx, expected %lx", cpu->db_count,
	       cpu->db_rip[0], at);
	EXPECT((cpu->db_dr6[0] & 0xf) == 1, "DR6 %lx", cpu->db_dr6[0]);
}

/* Loads all of x87 and SSE (and AVX) from memory, makes exits, stores it and compares. */
static void compare(const uint8_t *before, const uint8_t *after, unsigned from, unsigned to, const char *what)
{
	for (unsigned i = from; i < to; i++)
		if (before[i] != after[i]) {
			fail("%s: byte %u was %x and is %x", what, i, before[i], after[i]);
			return;
		}
}

/* Offsets: SDM vol. 1, table 10-2 */
static void fill(uint8_t *area)
{
	uint16_t fcw = 0x0e7f;
	uint32_t mxcsr = 0x5fa1;

	for (unsigned i = 32; i < 416; i++)
		area[i] = (uint8_t)(i * 7 + 3);
	memcpy(area, &fcw, 2);
	area[4] = 0xff; /* all registers in use */
	memcpy(area + 24, &mxcsr, 4);
	for (unsigned i = 0; i < 8; i++)
		memset(area + 32 + 16 * i + 10, 0, 6); /* reserved */
}

static void x87_sse(void)
{
	uint8_t *before = page_alloc(1), *after = page_alloc(1);
	uint64_t n = rounds(EXITS), start;

	fill(before);
	__asm__ volatile("fxrstor (%0)" ::"r"(before) : "memory");
	start = tsc();
	many_exits(n);
	start = tsc() - start;
	__asm__ volatile("fxsave (%0)" ::"r"(after) : "memory");
	compare(before, after, 0, 5, "x87 control");
	compare(before, after, 24, 28, "MXCSR");
	compare(before, after, 32, 416, "x87 or SSE register");
	__asm__ volatile("fninit");
	note("%lu exits, %lu ticks each", n, start / n);
}

static void avx(void)
{
	uint8_t *before = page_alloc(2), *after = page_alloc(2);
	uint64_t cr4 = read_cr4();
	uint32_t r[4];

	cpuid(1, 0, r);
	if (!(r[2] >> 28 & 1) || !(r[2] >> 26 & 1)) {
		skip("the CPU has no AVX");
		return;
	}
	write_cr4(cr4 | CR4_OSXSAVE);
	__asm__ volatile("xsetbv" ::"a"(7), "d"(0), "c"(0));
	cpuid(13, 2, r); /* where the upper halves are */
	REQUIRE(r[1] + r[0] <= 2 * NL_PAGE_SIZE, "AVX state at %u", r[1]);
	fill(before);
	for (unsigned i = r[1]; i < r[1] + r[0]; i++)
		before[i] = (uint8_t)(i * 13 + 5);
	before[512] = 7; /* XSTATE_BV */
	__asm__ volatile("xrstor (%0)" ::"r"(before), "a"(7), "d"(0) : "memory");
	many_exits(rounds(EXITS));
	__asm__ volatile("xsave (%0)" ::"r"(after), "a"(7), "d"(0) : "memory");
	compare(before, after, 32, 416, "x87 or SSE register");
	compare(before, after, r[1], r[1] + r[0], "AVX upper half");
	__asm__ volatile("vzeroall; fninit");
	write_cr4(cr4);
}

/* Hypercalls do much more than other exits; they come from CPL 3, whose registers are compared by test_call.c. */
__asm__(".globl user_many, user_many_end\n"
        "user_many: movl $0x4e4c4631, %eax\n movl $1, %ebx\n movl $0x4e4c, %edx\n out %eax, (%dx)\n test %eax, %eax\n "
        "jnz 1f\n"
        "dec %r8\n jnz user_many\n 1: int $0x80\nuser_many_end:\n");
extern const uint8_t user_many[], user_many_end[];

static void hypercalls(void)
{
	uint8_t *before = page_alloc(1), *after = page_alloc(1);
	uint64_t n = rounds(EXITS), start = tsc();
	struct user_regs r = {.rsi = USER_DATA_VA, .rdi = 4096, .r8 = n, .rflags = 2};

	fill(before);
	user_allow_ports(true);
	__asm__ volatile("fxrstor (%0)" ::"r"(before) : "memory");
	int vector = user_run(user_many, user_many_end, &r);
	__asm__ volatile("fxsave (%0)" ::"r"(after) : "memory");
	start = tsc() - start;
	user_allow_ports(false);
	EXPECT_VECTOR(vector, 0x80, "a loop of hypercalls");
	EXPECT(r.rax == NL_OK && r.r8 == 0, "answer %lu with %lu calls to go", r.rax, r.r8);
	compare(before, after, 24, 28, "MXCSR");
	compare(before, after, 32, 416, "x87 or SSE register");
	__asm__ volatile("fninit");
	note("%lu calls, %lu ticks each", n, start / n);
}

const struct test state_tests[] = {
        {"state-debug-registers", debug_registers, 0},
        {"state-breakpoint", breakpoint, 0},
        {"state-x87-sse", x87_sse, 0},
        {"state-avx", avx, 0},
        {"state-hypercalls", hypercalls, NEWLEAF_ONLY},
        {NULL, NULL, 0},
};
