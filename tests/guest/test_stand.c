// SPDX-License-Identifier: Apache-2.0
/*
 * Where CPU 1 may stand at CPL 0 when a commit that gathers nobody stops it (docs/explanation/orders.md), in a Linux of
 * which there is just as much as the core looks at (fake_linux.h): a place of its text, a stack, words on it, a
 * register. Where it stands well the commit is made; else it is refused by name, with CPU and address, and nothing is
 * changed.
 */
#include "kernel.h"
#include "fake_linux.h"

#define DEADLINE_MS 100
#define TASK (FAKE_AREA(1) + 0x1000)
#define OTHER (FAKE_AREA(1) + 0x2000) /* another task, and its stack: CPU 0's */
#define OTHER_STACK (FAKE_AREA(0) + 0x4000)
#define SWITCHED (FAKE_AREA(1) + 0x3000) /* a third one, which has no CPU */
#define SWITCHED_STACK (FAKE_AREA(1) + 0xc000)
#define STACK (FAKE_AREA(1) + 0x4000)
#define IRQ (FAKE_AREA(1) + 0x8000)
#define SP (STACK + FAKE_STACK - 0x100)
#define IRQ_SP (IRQ + FAKE_STACK - 0x100)
#define INSIDE (FAKE_FUNCTION + 0x20)

/* Says that it is there, and stays until it is told to go. */
extern const uint8_t stand_loop[], stand_loop_end[];
__asm__(".text; stand_loop: movq $1, (%r13); 1: pause; cmpq $0, (%r12); je 1b; jmp *%r14; stand_loop_end:");

static struct {
	uint64_t rip, rsp, r15;
	volatile uint64_t stands, go;
} place;

static void stand(struct cpu *cpu)
{
	register uint64_t go __asm__("r12") = (uint64_t)&place.go;
	register uint64_t stands __asm__("r13") = (uint64_t)&place.stands;
	register uint64_t word __asm__("r15") = place.r15;

	(void)cpu;
	/* No register holds where it goes: that would be another context. */
	__asm__ volatile("push %%rbp; mov %%rsp, %%rbp; lea 1f(%%rip), %%r14; mov %1, %%rsp; jmp *%0\n"
	                 "1: mov %%rbp, %%rsp; pop %%rbp"
	                 :
	                 : "m"(place.rip), "b"(place.rsp), "r"(go), "r"(stands), "r"(word)
	                 : "rax", "r14", "memory");
}

static uint64_t *word_at(uint64_t va) { return (uint64_t *)va; }

static void map(uint64_t va, unsigned n)
{
	uint8_t *p = page_alloc(n);

	for (unsigned i = 0; i < n; i++)
		map_kernel_page(va + i * NL_PAGE_SIZE, (uint64_t)p + i * NL_PAGE_SIZE);
}

static void plant_loop(uint64_t va) { memcpy((void *)va, stand_loop, (size_t)(stand_loop_end - stand_loop)); }

/* Per-CPU areas of the first two CPUs: a queue without tasks that names the one who has the CPU. Who has none has no
 * area, and is no possible CPU. */
static void build(void)
{
	static const uint64_t tasks[] = {OTHER, TASK}, stacks[] = {OTHER_STACK, STACK};

	for (unsigned i = 0; i < 2; i++) {
		uint64_t rq = FAKE_AREA(i) + FAKE_RUNQUEUES;

		map(FAKE_AREA(i), 16);
		*word_at(rq + FAKE_RQ_TASKS) = rq + FAKE_RQ_TASKS;
	}
	for (unsigned i = 0; i < 2; i++) {
		*word_at(FAKE_AREA(i) + FAKE_RUNQUEUES + FAKE_RQ_CURR) = tasks[i];
		*word_at(tasks[i] + FAKE_TASK_STACK) = stacks[i];
		*word_at(tasks[i] + FAKE_TASK_SP) = stacks[i] + FAKE_STACK;
	}
	*word_at(SWITCHED + FAKE_TASK_STACK) = SWITCHED_STACK;
	*word_at(SWITCHED + FAKE_TASK_SP) = SWITCHED_STACK + FAKE_STACK - 0x100;
	*word_at(SWITCHED + FAKE_TASK_ON_CPU) = 1; /* says that he has one */
	*word_at(SWITCHED + FAKE_TASK_TASKS) = FAKE_INIT_TASK + FAKE_TASK_TASKS;
	*word_at(FAKE_AREA(1) + FAKE_IRQ_STACK) = IRQ + FAKE_STACK - 8;
	*word_at(IRQ + FAKE_STACK - 8) = SP;
	map(FAKE_SLOT_PAGE, 1);
	plant_loop(FAKE_SLOT_PAGE);
	*word_at(FAKE_SLOTS + FAKE_SLOTS_PAGES) = FAKE_SLOTS + 0x80; /* one page, of the first cache */
	*word_at(FAKE_SLOTS + 0x80) = FAKE_SLOTS + FAKE_SLOTS_PAGES;
	*word_at(FAKE_SLOTS + 0x80 + 0x10) = FAKE_SLOT_PAGE;
	for (unsigned i = 0; i <= 6; i++)
		plant_loop(FAKE_NOWHERE(i));
	plant_loop(INSIDE - 0x10);
}

static void areas(bool there)
{
	for (unsigned i = 0; i < 2; i++)
		*word_at(FAKE_PER_CPU + 8 * i) = there ? FAKE_AREA(i) : 0;
	*word_at(FAKE_INIT_TASK + FAKE_TASK_TASKS) = (there ? SWITCHED : FAKE_INIT_TASK) + FAKE_TASK_TASKS;
}

static struct nl_commit_report report;

static bool shows(bool applied)
{
	static const uint8_t insn[][FAKE_INSN_SIZE] = {FAKE_INSN_OLD, FAKE_INSN_NEW};

	return !memcmp((const void *)FAKE_INSN, insn[applied], FAKE_INSN_SIZE);
}

/* CPU 1 goes to that place; then so many commits. */
static void judged(const char *what, uint64_t rip, uint64_t rsp, enum nl_err expected)
{
	const struct nl_blocker *b = &report.blocker;
	struct cpu *c = &cpus[1];
	uint64_t late = tsc() + us(LIMIT_MS * 1000ULL);

	place.rip = rip;
	place.rsp = rsp;
	place.stands = place.go = 0;
	smp_give(c, stand);
	REQUIRE(WAIT(place.stands), "%s: CPU 1 does not come", what);
	for (uint64_t n = 2 * rounds(2); n && !failed(); n--) {
		bool on = expected != NL_OK || !(n & 1);
		enum nl_err err;

		do /* the host is busy: CPU 1 did not come in time to be judged */
			err = fake_linux_commit(on, DEADLINE_MS, &report);
		while (err == NL_EDEADLINE && b->missing && tsc() < late);
		EXPECT(err == expected, "%s: error %d, CPU %d at %lx", what, err, (int)b->cpu, b->rip);
		EXPECT(shows(on && expected == NL_OK), "%s: CPU 0 reads other bytes", what);
		if (expected == NL_ESTANDS)
			EXPECT(b->cpu == 1 && b->rip - rip < 32, "%s: CPU %d at %lx is named", what, (int)b->cpu,
			       b->rip);
	}
	place.go = 1;
	EXPECT(smp_wait(c), "%s: CPU 1 does not leave", what);
}

static void standing(void)
{
	uint64_t physical;

	REQUIRE(smp_start_all() && smp_start(&cpus[1], 0), "not all CPUs run");
	if (!fake_linux_begin_agentless())
		return;
	if (!*word_at(FAKE_ELSEWHERE))
		build();
	areas(true);
	physical = fake_linux_physical(FAKE_ELSEWHERE);

	judged("all well", FAKE_ELSEWHERE, SP, NL_OK);
	judged("an interrupt", FAKE_ELSEWHERE, IRQ_SP, NL_OK);

	judged("entry", FAKE_NOWHERE(0), SP, NL_ESTANDS); /* 1 */
	judged("noinstr", FAKE_NOWHERE(1), SP, NL_ESTANDS);
	judged("__switch_to_asm", FAKE_NOWHERE(2), SP, NL_ESTANDS);
	judged("__switch_to", FAKE_NOWHERE(3), SP, NL_ESTANDS);
	judged("below the kernel", physical, SP, NL_ESTANDS);
	judged("inside", INSIDE - 0x10, SP, NL_EPREEMPTED);                             /* 1b */
	judged("another's stack", FAKE_ELSEWHERE, SWITCHED_STACK + 0x1000, NL_ESTANDS); /* 2 */
	judged("the user's stack", FAKE_ELSEWHERE, USER_DATA_VA + 0x1000, NL_ESTANDS);
	*word_at(IRQ + FAKE_STACK - 8) = SWITCHED_STACK + 0x1000;
	judged("an interrupt of nobody", FAKE_ELSEWHERE, IRQ_SP, NL_ESTANDS);
	*word_at(IRQ + FAKE_STACK - 8) = SP;

	*word_at(SP + 0x10) = INSIDE; /* 3 */
	judged("a word", FAKE_ELSEWHERE, SP, NL_EPREEMPTED);
	judged("a word of who was interrupted", FAKE_ELSEWHERE, IRQ_SP, NL_EPREEMPTED);
	*word_at(SP + 0x10) = 0;
	*word_at(IRQ_SP + 0x10) = INSIDE;
	judged("a word of the interrupt", FAKE_ELSEWHERE, IRQ_SP, NL_EPREEMPTED);
	*word_at(IRQ_SP + 0x10) = 0;
	place.r15 = INSIDE;
	judged("a register", FAKE_ELSEWHERE, SP, NL_EPREEMPTED);
	place.r15 = 0;

	*word_at(SWITCHED_STACK + FAKE_STACK - 0xf0) = INSIDE; /* 4 */
	judged("beside who was switched from", FAKE_ELSEWHERE, SP, NL_EPREEMPTED);
	*word_at(SWITCHED_STACK + FAKE_STACK - 0xf0) = 0;

	judged("a slot", FAKE_SLOT_PAGE, SP, NL_EPREEMPTED);             /* 5 */
	judged("a tracer's trampoline", FAKE_RETURN, SP, NL_EPREEMPTED); /* 6 */
	*word_at(SP + 0x10) = FAKE_RETURN;
	judged("a tracer's return address", FAKE_ELSEWHERE, SP, NL_EPREEMPTED);
	*word_at(SP + 0x10) = 0;

	judged("all well again", FAKE_ELSEWHERE, SP, NL_OK);
	areas(false);
}

const struct test stand_tests[] = {
        {"stand", standing, SMP_ONLY | NEWLEAF_ONLY},
        {NULL, NULL, 0},
};
