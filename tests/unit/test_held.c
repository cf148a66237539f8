// SPDX-License-Identifier: Apache-2.0
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c hv/guest/linux/queues.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/view/view.c hv/view/npt.c hv/view/current.c hv/core/pool.c tests/unit/fakeguest.c
/*
 * Where a CPU may stand at CPL 0 when a commit without an agent holds it: each clause of the rule by a context that it
 * alone, or the one that is named beside it, keeps out.
 */
#include "core/journal.h"
#include "fakeguest.h"
#include "guest/linux/linux.h"
#include "host.h"
#include "view/current.h"
#include "x86.h"

#define SLIDE 0x12000000ULL
#define SITE 0x5005ULL
#define FUNC 0x5000ULL
#define ELSEWHERE 0x8123ULL
#define WORDS 8u

static struct nl_kernel kernel;
static struct nl_scan result;
static struct nl_held held[NL_MAX_CPUS];
static struct nl_gprs gprs[2];
static bool anywhere;
static uint64_t task, sp, *stack; /* what CPU 1 runs, */
static uint64_t user, *users;     /* and CPU 0 */

void nl_journal_generation(uint64_t now) { (void)now; }

static uint64_t at(uint64_t offset) { return FG_LINK + fg.slide + offset; }
static uint64_t direct(const void *p) { return FG_DIRECT + (uint64_t)((const uint8_t *)p - fg.ram); }

static int setup(void **state)
{
	(void)state;
	fg_start(SLIDE, false, false, 2);
	nl_views_init(fg_views());
	nl_publish_view(&fg.base);
	anywhere = true;
	memset(held, 0, sizeof(held));
	memset(gprs, 0, sizeof(gprs));
	task = fg_task("held", 0, WORDS, &stack);
	sp = direct(stack);
	fg_task_on_cpu(task, true);
	fg_current(1, task);
	user = fg_task("user", 0, WORDS, &users);
	fg_task_on_cpu(user, true);
	fg_current(0, user);
	held[0] = (struct nl_held){.held = true, .cpl = 3, .rip = FG_USER, .gprs = &gprs[0]};
	held[1] = (struct nl_held){.held = true, .rip = at(ELSEWHERE), .rsp = sp, .gprs = &gprs[1]};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fg_stop();
	return 0;
}

static enum nl_err scan(void)
{
	const struct nl_watch watches[] = {{at(SITE), at(SITE + 9), 0, true, false},
	                                   {at(FUNC), at(FUNC + 0x80), 0, false, true}};

	kernel = (struct nl_kernel){.target = &fg.target, .slide = fg.slide};
	nl_guest_init(&kernel.space, fg_views(), nl_current_view(), fg.ctx.cr3, false);
	nl_scan_init(&result, watches, 2);
	result.held = held;
	result.anywhere = anywhere;
	return nl_linux.scan(&kernel, &result);
}

static void stands(enum nl_err expected)
{
	assert_int_equal(scan(), expected);
	if (expected == NL_OK)
		return;
	assert_int_equal(result.blocker.cpu, 1);
}

static void good(void **state)
{
	(void)state;
	stands(NL_OK);
	held[1].rip = 0xffffffffc0123456ULL; /* a module's code, a BPF program */
	stands(NL_OK);
	held[1].rip = NL_LINUX_ARENA_TEXT + 0x40;
	stands(NL_OK);
	anywhere = false; /* with an agent none of them is */
	stands(NL_ESTANDS);
}

/* Clause 1: code in which a stack does not tell who is where. */
static void nowhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(fg.target.nowhere); i++) {
		const struct nl_leaf_run *r = &fg.target.nowhere[i];

		held[1].rip = at(r->offset);
		stands(NL_ESTANDS);
		assert_int_equal(result.blocker.rip, at(r->offset));
		assert_string_equal(result.blocker.comm, "held");
		held[1].rip = at(r->offset + r->size - 1);
		stands(NL_ESTANDS);
		held[1].rip = at(r->offset - 1);
		stands(NL_OK);
		held[1].rip = at(r->offset + r->size);
		stands(NL_OK);
	}
	held[1].rip = 0xffffffef00001000ULL; /* the firmware's runtime services, below the image */
	stands(NL_ESTANDS);
	held[1].rip = 0x401000; /* below, on a kernel's stack */
	stands(NL_ESTANDS);
	held[1].rsp = 0x7000; /* and not: the firmware's loop for a CPU that waits */
	assert_int_equal(scan(), NL_OK);
}

/* Clause 1b: inside what is replaced, or in a page of probes' slots; at a function's first byte nothing has run. */
static void inside(void **state)
{
	(void)state;
	held[1].rip = at(FUNC);
	stands(NL_OK);
	held[1].rip = at(FUNC + 1);
	stands(NL_AGAIN);
	assert_int_equal(result.blocker.rip, at(FUNC + 1));
	held[1].rip = at(FUNC + 0x7f);
	stands(NL_AGAIN);
	held[1].rip = at(FUNC + 0x80);
	stands(NL_OK);
}

/* Clause 2: on the stack of the task that has a CPU, and on no other. */
static void stacks(void **state)
{
	uint64_t *other;

	(void)state;
	fg_task("other", 0, WORDS, &other);
	held[1].rsp = direct(other); /* in the middle of a switch */
	stands(NL_ESTANDS);
	held[1].rsp = 0x7ffd00001000; /* the user's: the first instructions of a system call */
	stands(NL_ESTANDS);
	held[1].rsp = 0xfffffe0000002fd0ULL; /* the entry's own, an exception's */
	stands(NL_ESTANDS);
	held[1].rsp = sp + 8 * WORDS; /* empty, so that it is another's */
	stands(NL_ESTANDS);
	held[1].rsp = sp + 8 * (WORDS - 1);
	stands(NL_OK);
}

/* Clause 2: an interrupt's stack, whose last word leads back. Both ways in which kernels keep its pointer. */
static void interrupts(void **state)
{
	uint64_t *words, at_sp;

	(void)state;
	for (unsigned end = 0; end < 2; end++) {
		at_sp = fg_irq_stack(0, end, sp, &words);
		held[1].rsp = at_sp;
		stands(NL_OK);
		words[1] = at(SITE + 5);
		stands(NL_AGAIN);
		words[1] = 0;
		stack[2] = at(SITE + 5);
		stands(NL_AGAIN);
		stack[2] = 0;
		words[7] = sp + 8 * WORDS; /* the link leads to no task's stack */
		stands(NL_ESTANDS);
		words[7] = sp;
		held[1].rsp = at_sp + 56; /* the link alone is left */
		stands(NL_OK);
		held[1].rsp = at_sp + 64;
		stands(NL_ESTANDS);
		held[1].rsp = at_sp;
		anywhere = false;
		stands(NL_ESTANDS);
		anywhere = true;
	}
}

/* Clause 3: words of the stack, and the registers. */
static void words_and_registers(void **state)
{
	uint64_t *r = &gprs[1].rax;

	(void)state;
	for (unsigned i = 0; i < WORDS; i++) {
		stack[i] = at(FUNC + 0x20);
		stands(NL_AGAIN);
		assert_string_equal(result.blocker.comm, "held");
		stack[i] = 0;
	}
	stack[-1] = at(FUNC + 0x20); /* below: left over */
	stands(NL_OK);
	for (unsigned i = 0; i < sizeof(gprs[1]) / 8; i++) {
		r[i] = at(FUNC + 0x20);
		stands(NL_AGAIN);
		r[i] = at(FUNC); /* a function's address is no return address */
		stands(NL_OK);
		r[i] = 0;
	}
}

/* Clause 4: who has a CPU was read from where that stands; who says so and has none is read from what was saved. */
static void others(void **state)
{
	uint64_t *saved, switched = fg_task("switched", 0, WORDS, &saved);

	(void)state;
	*(uint64_t *)(void *)fg_object(task + fg.target.task_thread_sp) = sp - 64; /* what was saved, long ago */
	stack[-4] = at(SITE + 5);
	stands(NL_OK);
	users[3] = at(SITE + 5); /* at CPL 3 nothing of its stack counts */
	stands(NL_OK);
	fg_task_on_cpu(switched, true); /* its stack was left, and finish_task has not said so */
	saved[3] = at(SITE + 5);
	assert_int_equal(scan(), NL_AGAIN);
	assert_string_equal(result.blocker.comm, "switched");
	*(uint64_t *)(void *)fg_object(switched + fg.target.task_thread_sp) = sp; /* on no stack of its own */
	assert_int_equal(scan(), NL_EKERNEL);
}

/* Clause 5: in a copy of what was probed. Without an agent or with one, in any leaf: it goes on behind that. */
static void slots(void **state)
{
	const uint64_t page = 0xffffffffc0200000ULL;
	uint64_t *saved, *last;

	(void)state;
	for (unsigned cache = 0; cache < 2; cache++) {
		held[1].rip = page + 0x10000 * cache;
		stands(NL_OK);
		fg_slots(cache, page + 0x10000 * cache);
		stands(NL_AGAIN);
		assert_int_equal(result.blocker.site_va, at(FUNC));
		held[1].rip += NL_PAGE_SIZE - 1;
		stands(NL_AGAIN);
		held[1].rip++;
		stands(NL_OK);
		held[1].rip -= NL_PAGE_SIZE + 1;
		stands(NL_OK);
	}
	held[1].rip = at(ELSEWHERE);
	fg_task("preempted", 0, WORDS, &saved);
	saved[3] = page + 0x20;
	assert_int_equal(scan(), NL_AGAIN);
	assert_string_equal(result.blocker.comm, "preempted");
	anywhere = false;
	held[1].cpl = 3;
	assert_int_equal(scan(), NL_AGAIN);
	saved[3] = 0;
	assert_int_equal(scan(), NL_OK);
	last = fg_slots(0, 0); /* no page of the kernel's: who believed it would look for nobody */
	assert_int_equal(scan(), NL_EKERNEL);
	*last = page + 0x18008;
	assert_int_equal(scan(), NL_EKERNEL);
	*last = page + 0x18000;
	for (unsigned i = 0; i < NL_MAX_HIDDEN - 5; i++)
		fg_slots(0, page + 0x20000 + 0x1000 * (uint64_t)i);
	assert_int_equal(scan(), NL_OK);
	fg_slots(0, page);
	assert_int_equal(scan(), NL_EPROBED);
}

/* Clause 6: a return address that a tracer keeps. */
static void traced(void **state)
{
	(void)state;
	stack[4] = at(FG_GRAPH_RETURN);
	stands(NL_AGAIN);
	stack[4] = 0;
	held[1].rip = at(FG_PROBE_RETURN + 16); /* the next one is in a register, or nowhere yet */
	stands(NL_AGAIN);
}

/* A target whose author did not find all of it. */
static void unknown(void **state)
{
	const struct nl_leaf_target whole = fg.target;

	(void)state;
	fg.target.nowhere[0].size = 0;
	assert_int_equal(scan(), NL_EUNSUPPORTED);
	fg.target = whole;
	fg.target.irq_stack = 0;
	assert_int_equal(scan(), NL_EUNSUPPORTED);
	fg.target = whole;
	fg.target.probe_slots[0] = 0;
	assert_int_equal(scan(), NL_EUNSUPPORTED);
	fg.target.kprobe_table = 0; /* a kernel without kprobes */
	assert_int_equal(scan(), NL_OK);
	fg.target = whole;
	fg.target.probe_slots[1] = 0; /* and one that optimises none */
	assert_int_equal(scan(), NL_OK);
}

/* A CPU that halts on its idle task's own stack is good without all this, and a task's is not. */
static void halted(void **state)
{
	(void)state;
	anywhere = false;
	held[1].halted = true;
	stands(NL_ESTANDS);
	held[1].rip = at(FG_NOINSTR);
	held[1].rsp = at(FG_INIT_STACK + FG_THREAD_SIZE - 32);
	stands(NL_ESTANDS); /* the queue says that another has the CPU: it is in a switch */
	fg_current(1, at(FG_INIT_TASK));
	assert_int_equal(scan(), NL_OK);
	((uint64_t *)(void *)fg_image(FG_INIT_STACK + FG_THREAD_SIZE - 32))[1] = at(SITE + 5);
	stands(NL_AGAIN);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(good),   T(nowhere), T(inside), T(stacks),  T(interrupts), T(words_and_registers),
	        T(others), T(slots),   T(traced), T(unknown), T(halted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
