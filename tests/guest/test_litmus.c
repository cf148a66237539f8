// SPDX-License-Identifier: Apache-2.0
/*
 * Litmus: every CPU makes passes over functions and data of one fix, each on a page of its own, while the fix is put on
 * and taken off. A pass that sees old and new is torn within; one that sees the old after it could know of a pass that
 * saw the new is torn between. With the instrument's build each test is one cell of a table: what is shown in which
 * order, with or without the freeze, with or without the scan (tests/instrument/litmus.h). Cells with both must show
 * nothing torn, and all others must: that is what makes the instrument believable. docs/explanation/litmus.md.
 */
#include "kernel.h"
#include "litmus.h"
#include "../instrument/litmus.h"
#include <newleaf/hypercall.h>

#define TASKS_PER_CPU 2
#define NOWHERE 99      /* a place in a pass that it has not */
#define SLEEPS 16       /* one pass of so many is left in its middle, */
#define PAUSES 4        /* and one of so many has an exit and a pause there */
#define EXITS 8         /* one turn of so many has an exit that has nothing to do with any of this */
#define LEAST_PASSES 2  /* of every CPU, between two flips; */
#define LEAST_IN_ALL 38 /* and of all together: 30,000 flips are 10,000,000 looks then */
#define WAKE_VECTOR 0xe1
#define MOST_TRIES 20000 /* of a transaction */
#define MORE 50          /* runs at the largest skew, where few flips have shown nothing that is torn */

extern const uint8_t litmus_text[], litmus_leaf[], litmus_leaf_end[];
extern const uint8_t litmus_user[], litmus_user_end[];
void litmus_switch(uint64_t *save, const uint64_t *load);
void enter_user(const struct user_regs *r, uint64_t rip, uint64_t rsp);

struct pass {
	uint64_t functions[LIT_N], data[LIT_N];
	void (*sleep)(struct pass *);
	uint64_t sleep_at;
	uint32_t seen[LIT_VERSIONS];
};
_Static_assert(offsetof(struct pass, data) == LIT_AT_DATUM && offsetof(struct pass, sleep) == LIT_AT_SLEEP &&
                       offsetof(struct pass, sleep_at) == LIT_AT_SLEEP_AT && offsetof(struct pass, seen) == LIT_AT_SEEN,
               "litmus_pass.inc");

struct task { /* the first of it as the leaf says */
	uint8_t unused[LIT_TASK_STACK];
	uint64_t stack, sp;
	int32_t pid, unused2;
	char comm[16];
	uint64_t next, prev;
	uint8_t unused1[LIT_TASK_ON_CPU - LIT_TASK_TASKS - 16];
	uint32_t on_cpu, on_rq;
	/* the rest is ours */
	struct runner *runner;
	bool inside; /* it is in the middle of a pass, */
	bool sleeps; /* and will leave it there */
	struct pass pass;
};
_Static_assert(offsetof(struct task, stack) == LIT_TASK_STACK && offsetof(struct task, next) == LIT_TASK_TASKS &&
                       offsetof(struct task, comm) == LIT_TASK_COMM && offsetof(struct task, on_cpu) == LIT_TASK_ON_CPU,
               "litmus.h");

struct runner { /* a CPU, and its tasks in turn */
	struct task *tasks[TASKS_PER_CPU];
	uint64_t sp;
	uint64_t random;
	uint64_t turns;
	uint64_t wanted; /* so many passes CPU 0 waits for, asleep; 0: it does not */
	/* counts, read by CPU 0 */
	volatile uint64_t passes, within, between;
};

static struct runner runners[MAX_CPUS];
static uint32_t order; /* with its flags */
static bool staged;
static uint8_t sha256[32], *build_id;
static volatile bool stop;
static uint64_t user_code;

/*
 * Flips are numbered, and the fix is on behind the odd ones. `flip` is the one under way or done. `known` is the last
 * one that a pass has seen all of. Who finds, behind his pass, that no further flip has been asked for than the one
 * that he knew of before it, must have seen the new and nothing else.
 */
static uint64_t flip, known;

static uint32_t litmus_call(enum litmus_call call, uint32_t b, uint32_t d)
{
	uint32_t a = LITMUS_LEAF, c = call;

	__asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d)::"memory");
	return a;
}

static uint32_t draw(struct runner *r, uint32_t below)
{
	r->random = r->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(r->random >> 33) % below;
}

/* --- Passes --- */

static void judge(struct runner *r, const struct pass *p, uint64_t asked, uint64_t knew)
{
	uint64_t now = __atomic_load_n(&flip, __ATOMIC_ACQUIRE);
	unsigned fresh = 0, odd;

	for (unsigned i = 0; i < LIT_VERSIONS; i++)
		fresh += p->seen[i];
	r->passes++;
	if (fresh && fresh != LIT_VERSIONS) {
		r->within++;
		return;
	}
	odd = fresh ? 1 : 0;
	if (knew == now && odd != (knew & 1))
		r->between++;
	if (odd == (asked & 1))
		while (knew < asked &&
		       !__atomic_compare_exchange_n(&known, &knew, asked, false, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
			;
}

static _Noreturn void task_main(void)
{
	struct runner *r = &runners[this_cpu()->index];
	struct task *t = r->tasks[r->turns % TASKS_PER_CPU];

	for (;;) {
		uint64_t asked = __atomic_load_n(&flip, __ATOMIC_ACQUIRE);
		uint64_t knew = __atomic_load_n(&known, __ATOMIC_ACQUIRE);

		t->sleeps = !draw(r, SLEEPS);
		t->pass.sleep_at = t->sleeps || !draw(r, PAUSES) ? draw(r, LIT_N) : NOWHERE;
		t->inside = true;
		((void (*)(struct pass *))(LIT_TEXT + LIT_PASS))(&t->pass);
		t->inside = false;
		judge(r, &t->pass, asked, knew);
		litmus_switch(&t->sp, &r->sp);
	}
}

/* In the middle of a pass: the CPU is another's for a while. */
static void in_the_middle(struct pass *p)
{
	struct task *t = (struct task *)((uint8_t *)p - offsetof(struct task, pass));

	if (t->sleeps) {
		litmus_switch(&t->sp, &t->runner->sp);
		return;
	}
	litmus_call(LITMUS_ASK, 0, 0);
	pause();
}

/* The next task of this CPU: to the end of its pass, or to its sleep. */
static void turn(struct runner *r)
{
	struct task *t = r->tasks[++r->turns % TASKS_PER_CPU];

	if (!draw(r, EXITS))
		litmus_call(LITMUS_ASK, 0, 0);
	if ((order & 0xf) == LITMUS_TASK)
		litmus_call(t->inside ? LITMUS_RESUME : LITMUS_ENTER, (uint32_t)t->pid, 0);
	__atomic_store_n(&t->on_cpu, 1, __ATOMIC_SEQ_CST);
	litmus_switch(&r->sp, &t->sp);
	__atomic_store_n(&t->on_cpu, 0, __ATOMIC_SEQ_CST);
}

static void wake_who_waits(struct runner *r)
{
	uint64_t wanted = __atomic_load_n(&r->wanted, __ATOMIC_SEQ_CST);

	if (wanted && r->passes >= wanted) {
		__atomic_store_n(&r->wanted, 0, __ATOMIC_SEQ_CST);
		apic_send(cpus[0].apic_id, ICR_FIXED | ICR_ASSERT | WAKE_VECTOR);
	}
}

/* On CPU 0. It halts: on a machine with less processors than this one has CPUs the others get on. */
static void wait_for(struct runner *r, uint64_t passes)
{
	if (r->passes >= passes)
		return;
	__atomic_store_n(&r->wanted, passes, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&r->wanted, __ATOMIC_SEQ_CST))
		__asm__ volatile("sti; hlt; cli" ::: "memory");
}

/* The job of every CPU but CPU 0: a turn in the kernel, then user mode for a while, where a freeze may find it. With
 * more CPUs it is there for longer, or they would hardly ever be there together. */
static void run_turns(struct cpu *cpu)
{
	struct runner *r = &runners[cpu->index];

	while (!stop) {
		struct user_regs regs = {.rflags = 2, .rcx = 1 + draw(r, 4000 * (machine.n_cpus - 1))};

		turn(r);
		wake_who_waits(r);
		enter_user(&regs, user_code, 0);
	}
}

/* --- The transaction --- */

static int call(enum nl_call number, uint64_t length, uint64_t rcx, uint64_t r8)
{
	struct user_regs r;
	int vector;

	user_allow_ports(true);
	vector = user_call(number, USER_DATA_VA, length, rcx, r8, &r);
	user_allow_ports(false);
	return vector == 0x80 ? (int)r.rax : -1;
}

static enum nl_err prepare(bool applied)
{
	struct nl_commit_request *q = (struct nl_commit_request *)USER_DATA_VA;
	int err;

	do {
		memset(q, 0, sizeof(*q));
		q->expected_generation = UINT64_MAX;
		q->deadline_ms = 10000;
		q->count = applied;
		memcpy(q->set[0], sha256, sizeof(sha256));
		err = call(NL_CALL_PREPARE, sizeof(*q), 0, 0);
	} while (err == NL_AGAIN);
	return (enum nl_err)err;
}

/* Tries in all, and passes of CPU 0 between them: one of its own tasks may be what is in the way. */
static bool flip_once(struct runner *r, uint64_t *tries)
{
	uint64_t next = flip + 1;
	enum nl_err err = prepare(next & 1);

	__atomic_store_n(&flip, next, __ATOMIC_RELEASE);
	for (uint64_t n = 0; !err && n < MOST_TRIES; n++) {
		(*tries)++;
		err = (enum nl_err)call(NL_CALL_TRY, sizeof(struct nl_commit_report), 0, 0);
		if (!err)
			return true;
		if (err == NL_AGAIN)
			err = NL_OK;
		turn(r);
	}
	fail("flip %lu: error %d", next, err ? err : NL_AGAIN);
	return false;
}

/* --- The Linux of it --- */

static void show(uint64_t va, const void *page) { map_kernel_page(va, (uint64_t)page); }

/* The page directory of the last GiB, as the kernel's own table has it. */
static uint64_t last_directory(void)
{
	uint64_t *table = (uint64_t *)kernel_cr3();

	map_kernel_page(0xffffffffc0000000, (uint64_t)page_alloc(1));
	for (unsigned level = read_cr4() & CR4_LA57 ? 5 : 4; level > 2; level--)
		table = (uint64_t *)(table[511] & ~NL_PAGE_MASK);
	return (uint64_t)table;
}

static void make_tasks(struct task *init)
{
	uint64_t *before = &init->next;
	unsigned n = 0;

	for (unsigned i = 0; i < machine.n_cpus; i++)
		for (unsigned j = 0; j < TASKS_PER_CPU; j++) {
			struct task *t = page_alloc(1);
			uint64_t *top;

			t->stack = (uint64_t)page_alloc(LIT_STACK_SIZE / NL_PAGE_SIZE);
			top = (uint64_t *)(t->stack + LIT_STACK_SIZE) - 2;
			*top = (uint64_t)task_main;
			t->sp = (uint64_t)(top - 6);
			t->pid = (int32_t)++n;
			memcpy(t->comm, "litmus", 7);
			t->runner = &runners[i];
			t->pass.sleep = in_the_middle;
			for (unsigned k = 0; k < LIT_N; k++) {
				t->pass.functions[k] = LIT_TEXT + (1 + k) * LIT_PAGE + LIT_FUNCTION;
				t->pass.data[k] = LIT_RODATA + k * LIT_PAGE + LIT_DATUM;
			}
			runners[i].tasks[j] = t;
			runners[i].random = i + 1;
			*before = (uint64_t)&t->next;
			before = &t->next;
		}
	*before = LIT_INIT_TASK + LIT_TASK_TASKS;
}

static void make_linux(void)
{
	uint8_t *text = page_alloc(LIT_TEXT_PAGES), *rodata = page_alloc(LIT_N), *data = page_alloc(1);
	uint8_t *code = page_alloc(1);
	unsigned i;

	memcpy(text, litmus_text, LIT_TEXT_PAGES * LIT_PAGE);
	build_id = rodata + LIT_BUILD_ID;
	for (i = 0; i < LIT_TEXT_PAGES; i++)
		show(LIT_TEXT + i * LIT_PAGE, text + i * LIT_PAGE);
	for (i = 0; i < LIT_N; i++)
		show(LIT_RODATA + i * LIT_PAGE, rodata + i * LIT_PAGE);
	show(LIT_PAGE_TABLE, (void *)kernel_cr3());
	show(LIT_INIT_TASK, data);
	show(LIT_PMD, (void *)last_directory());
	make_tasks((struct task *)data);
	memcpy(code, litmus_user, (size_t)(litmus_user_end - litmus_user));
	user_code = (uint64_t)map_window(64, (uint64_t)code, PTE_U);
}

static bool begin(void)
{
	const struct nl_verify_report *report = (const struct nl_verify_report *)USER_DATA_VA;
	size_t size = (size_t)(litmus_leaf_end - litmus_leaf);
	int err;

	if (staged)
		return true;
	if (!smp_start_all()) {
		fail("%u CPUs of %u run", smp_running(), machine.n_cpus);
		return false;
	}
	if (!build_id)
		make_linux();
	memcpy(build_id, LIT_ID, sizeof(LIT_ID) - 1);
	wrmsr(MSR_LSTAR, LIT_TEXT);
	memcpy((void *)USER_DATA_VA, litmus_leaf, size);
	err = call(NL_CALL_STAGE, size, 0, size);
	while (!err && (err = call(NL_CALL_VERIFY, sizeof(*report), 0, 0)) == NL_AGAIN)
		err = NL_OK;
	memcpy(sha256, report->sha256, sizeof(sha256));
	EXPECT(!err, "the leaf is refused: error %d", err);
	return staged = !err;
}

/* This Linux is gone, as soon as another begins: its leaf is forgotten. */
static void end(void)
{
	memset(build_id, 0, sizeof(LIT_ID) - 1);
	staged = false;
}

/* --- A cell --- */

struct counts {
	uint64_t flips, tries, passes, within, between;
	uint64_t torn_within, torn_between; /* flips in which there was at least one */
};

static struct counts sum(void)
{
	struct counts c = {0};

	for (unsigned i = 0; i < machine.n_cpus; i++) {
		c.passes += runners[i].passes;
		c.within += runners[i].within;
		c.between += runners[i].between;
	}
	return c;
}

static void wait_for_passes(struct runner *own)
{
	uint64_t before[MAX_CPUS], in_all = sum().passes;

	for (unsigned i = 0; i < machine.n_cpus; i++)
		before[i] = runners[i].passes;
	while (own->passes < before[0] + LEAST_PASSES)
		turn(own);
	for (unsigned i = 1; i < machine.n_cpus; i++)
		wait_for(&runners[i], before[i] + LEAST_PASSES);
	while (sum().passes < in_all + LEAST_IN_ALL)
		turn(own);
}

static struct counts run_cell(uint32_t how, uint32_t skew, uint64_t flips)
{
	struct counts c = {0}, before = sum(), last = before, now = before;
	struct runner *own = &runners[0];

	order = how;
	litmus_call(LITMUS_SET, how, skew);
	stop = false;
	for (unsigned i = 1; i < machine.n_cpus; i++)
		smp_give(&cpus[i], run_turns);
	while (c.flips < flips && flip_once(own, &c.tries)) {
		c.flips++;
		wait_for_passes(own);
		now = sum();
		c.torn_within += now.within > last.within;
		c.torn_between += now.between > last.between;
		last = now;
	}
	stop = true;
	for (unsigned i = 1; i < machine.n_cpus; i++)
		EXPECT(smp_wait(&cpus[i]), "CPU %u does not come back", i);
	now = sum();
	c.passes = now.passes - before.passes;
	c.within = now.within - before.within;
	c.between = now.between - before.between;
	return c;
}

/* One line for the runner (tests/instrument/litmus), which reads it by its words. */
static uint64_t run_line(const char *name, uint32_t how, uint32_t skew, uint64_t flips)
{
	struct counts c = run_cell(how, skew, flips);

	print("litmus: order %s freeze %u scan %u skew %u flips %lu tries %lu passes %lu looks %lu within %lu between "
	      "%lu torn_within %lu torn_between %lu\n",
	      name, how & LITMUS_FREEZE ? 1 : 0, how & LITMUS_SCAN ? 1 : 0, skew, c.flips, c.tries, c.passes,
	      c.passes * LIT_VERSIONS, c.within, c.between, c.torn_within, c.torn_between);
	return c.within + c.between;
}

static void cell(const char *name, uint32_t how)
{
	static const uint32_t flips[] = {100, 100, 100, 100, 80, 20}; /* at scale 100, by the zeroes of the skew */
	bool both = (how & LITMUS_FREEZE) && (how & LITMUS_SCAN);
	uint32_t skew = 1;
	uint64_t torn = 0;

	if (machine.n_cpus == 1 && !(how & LITMUS_FREEZE) && (how & LITMUS_SCAN)) {
		skip("with one CPU nobody runs while it flips");
		return;
	}
	if (!begin())
		return;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(flips) && !failed(); i++)
		torn += run_line(name, how, skew *= 10, rounds(flips[i]));
	for (unsigned i = 0; i < MORE && !both && !torn && !failed(); i++)
		torn += run_line(name, how, skew, rounds(flips[NL_ARRAY_SIZE(flips) - 1]));
	if (both)
		EXPECT(!torn, "%lu passes are torn", torn);
	else
		EXPECT(torn, "nothing is torn: an instrument that sees nothing");
}

/* What is installed, as it is. */
static void product(void)
{
	struct counts c;

	if (!begin())
		return;
	c = run_cell(LITMUS_ROOT | LITMUS_FREEZE | LITMUS_SCAN, 0, 2 * rounds(20));
	EXPECT(!c.within && !c.between, "%lu passes are torn within, %lu between", c.within, c.between);
	note("%lu flips, %lu tries, %lu passes", c.flips, c.tries, c.passes);
	end();
}

#define CELLS(order, ORDER) \
	static void order(void) { cell(#order, LITMUS_##ORDER); } \
	static void order##_scan(void) { cell(#order, LITMUS_##ORDER | LITMUS_SCAN); } \
	static void order##_freeze(void) { cell(#order, LITMUS_##ORDER | LITMUS_FREEZE); } \
	static void order##_both(void) { cell(#order, LITMUS_##ORDER | LITMUS_FREEZE | LITMUS_SCAN); }
#define TESTS(order) \
	{"litmus-" #order, order, NEWLEAF_ONLY}, {"litmus-" #order "-scan", order##_scan, NEWLEAF_ONLY}, \
	        {"litmus-" #order "-freeze", order##_freeze, NEWLEAF_ONLY}, \
	{ \
		"litmus-" #order "-freeze-scan", order##_both, NEWLEAF_ONLY \
	}
CELLS(root, ROOT)
CELLS(page, PAGE)
CELLS(cpu, CPU)
CELLS(task, TASK)

const struct test litmus_tests[] = {TESTS(root), TESTS(page), TESTS(cpu), TESTS(task), {NULL, NULL, 0}};

const struct test litmus_product_tests[] = {{"litmus-product", product, SMP_ONLY | NEWLEAF_ONLY}, {NULL, NULL, 0}};

/* Only of the instrument's build is anything of this asked. */
bool litmus_present(void) { return !machine.bare && litmus_call(LITMUS_ASK, 0, 0) == LITMUS_PRESENT; }
