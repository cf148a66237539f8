// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/quiesce.c hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/guest/linux/queues.c hv/core/step.c
// sources: hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/view/view.c hv/view/npt.c hv/view/current.c hv/core/clock.c hv/core/cpu.c hv/core/pool.c
// sources: tests/unit/fakeguest.c
// libs: -lpthread
/*
 * The freeze, with threads for CPUs: while it holds nobody executes, whoever is late or stands badly makes it fail by
 * name, and in every case everybody runs on afterwards.
 */
#include "core/cpu.h"
#include "host.h"
#include "fakeguest.h"
#include "commit/quiesce.h"
#include "core/clock.h"
#include "core/journal.h"
#include "core/step.h"
#include "view/current.h"
#include "x86.h"
#include <pthread.h>
#include <sched.h>
#include <time.h>

enum { CPUS = 4 };

/* What the thread of a CPU does next. */
static struct cpu_thread {
	pthread_t thread;
	bool kicked, deaf, slow, answering, stop, parked;
	uint64_t executed; /* counts while the CPU is in the guest */
	uint64_t waited;   /* counts while it waits in nl_quiesce_answer */
	struct nl_context ctx;
} threads[CPUS];

void nl_journal_generation(uint64_t now) { (void)now; }

static bool flag(bool *f) { return __atomic_load_n(f, __ATOMIC_SEQ_CST); }
static void set(bool *f, bool v) { __atomic_store_n(f, v, __ATOMIC_SEQ_CST); }

static void kick(struct nl_cpu *cpu) { __atomic_store_n(&threads[cpu->index].kicked, true, __ATOMIC_SEQ_CST); }
static void context(struct nl_cpu *cpu, struct nl_context *out)
{
	struct cpu_thread *t = &threads[cpu->index];

	set(&t->answering, true);
	while (flag(&t->slow))
		sched_yield();
	set(&t->answering, false);
	*out = t->ctx;
}
static const struct nl_vendor vendor = {.name = "FAKE", .kick = kick, .context = context};

static uint64_t executed(unsigned i) { return __atomic_load_n(&threads[i].executed, __ATOMIC_SEQ_CST); }
static uint64_t waited(unsigned i) { return __atomic_load_n(&threads[i].waited, __ATOMIC_SEQ_CST); }

static _Thread_local struct cpu_thread *this_thread; /* NULL: the test itself, CPU 0 */

/* The run loop of a vendor in small: guest, exit, hv_before_entry. */
static void *run(void *arg)
{
	struct cpu_thread *t = arg;
	struct nl_cpu *cpu = nl_cpus[t - threads];

	this_thread = t;
	while (!flag(&t->stop)) {
		bool runs = __atomic_load_n(&cpu->state, __ATOMIC_SEQ_CST) == NL_CPU_RUNNING;

		set(&t->parked, !runs);
		if (runs && nl_quiesce_pending() && !flag(&t->deaf))
			nl_quiesce_answer(cpu);
		while (runs && !flag(&t->stop) && __atomic_load_n(&cpu->state, __ATOMIC_SEQ_CST) == NL_CPU_RUNNING &&
		       (flag(&t->deaf) || !__atomic_exchange_n(&t->kicked, false, __ATOMIC_SEQ_CST))) {
			__atomic_fetch_add(&t->executed, 1, __ATOMIC_SEQ_CST);
			sched_yield();
		}
		sched_yield();
	}
	return NULL;
}

static uint32_t request_of(unsigned i) { return __atomic_load_n(&nl_cpus[i]->request, __ATOMIC_SEQ_CST); }

static void begin(unsigned i) { assert_int_equal(pthread_create(&threads[i].thread, NULL, run, &threads[i]), 0); }

static int setup(void **state)
{
	unsigned i;

	(void)state;
	fg_start(0, false, false, CPUS);
	nl_views_init(fg_views());
	nl_publish_view(&fg.base);
	nl_vendor = &vendor;
	seam_tsc_step = 1;
	memset(threads, 0, sizeof(threads));
	for (i = 1; i < CPUS; i++) {
		threads[i].ctx = fg.ctx;
		begin(i);
	}
	return 0;
}

static int teardown(void **state)
{
	struct nl_freeze_result r;
	unsigned i;

	(void)state;
	for (i = 1; i < CPUS; i++) {
		set(&threads[i].stop, true);
		set(&threads[i].slow, false);
	}
	if (nl_quiesce_pending()) /* a case that failed in the midst of a freeze: its CPUs would wait for ever */
		nl_thaw(nl_cpus[0], &r);
	for (i = 1; i < CPUS; i++)
		pthread_join(threads[i].thread, NULL);
	fg_stop();
	return 0;
}

/* Every running CPU executes on, within a time that no healthy run needs. */
static void all_execute(void)
{
	time_t limit = time(NULL) + 60;
	unsigned i;

	for (i = 1; i < CPUS; i++) {
		uint64_t was = executed(i);

		if (nl_cpus[i]->state != NL_CPU_RUNNING)
			continue;
		while (executed(i) == was) {
			assert_true(time(NULL) < limit);
			sched_yield();
		}
	}
}

/* What each CPU had executed when the freeze had asked all of them. */
static struct {
	bool taken;
	uint64_t executed[CPUS];
} asked;

/* The clock stands still: only a CPU that never answers makes the limit pass, in the test that lets it (seam/insn.h).
 */
static enum nl_err freeze_for(bool look_only, struct nl_freeze_result *r)
{
	asked.taken = false;
	return nl_freeze(nl_cpus[0], &fg.ctx, look_only, r);
}

static enum nl_err freeze(struct nl_freeze_result *r) { return freeze_for(false, r); }

/* Does somebody run on though asked? Who is kicked stops with the next step, on however slow a host. */
static bool ignored(void)
{
	bool is = false;
	unsigned i;

	for (i = 1; i < CPUS; i++) {
		if (!asked.taken)
			asked.executed[i] = executed(i);
		is |= !flag(&threads[i].deaf) && executed(i) > asked.executed[i] + 1000;
	}
	asked.taken = true;
	return is;
}

static uint64_t newest_step(void)
{
	struct nl_step_record r;
	uint64_t n;

	nl_step_read(UINT64_MAX, &r, &n);
	return n;
}

/* seq of the only such step behind `from`. */
static uint64_t the_step(uint64_t from, unsigned cpu, enum nl_step step)
{
	struct nl_step_record r;
	uint64_t n, found = 0;

	for (; nl_step_read(from + 1, &r, &n); from = r.seq)
		if (r.cpu == cpu && r.step == step) {
			assert_int_equal(found, 0);
			found = r.seq;
		}
	assert_int_not_equal(found, 0);
	return found;
}

static void steps_come_in_their_order(void **state)
{
	struct nl_freeze_result r;
	uint64_t from = newest_step(), window, thaw;
	unsigned i;

	(void)state;
	assert_int_equal(freeze(&r), NL_OK);
	window = the_step(from, 0, NL_STEP_WINDOW);
	for (i = 1; i < CPUS; i++) {
		assert_true(the_step(from, 0, NL_STEP_FREEZE) < the_step(from, i, NL_STEP_ASK));
		assert_true(the_step(from, i, NL_STEP_ASK) < the_step(from, i, NL_STEP_HELD));
		assert_true(the_step(from, i, NL_STEP_HELD) < window);
	}
	nl_thaw(nl_cpus[0], &r);
	all_execute();
	thaw = the_step(from, 0, NL_STEP_THAW);
	assert_true(window < thaw);
	for (i = 0; i < CPUS; i++)
		assert_true(thaw < the_step(from, i, NL_STEP_RESUME));
	assert_int_equal(newest_step() - from, 1 + 2 * (CPUS - 1) + 2 + CPUS);
}

static void holds_everybody(void **state)
{
	struct nl_freeze_result r;
	uint64_t was[CPUS];
	unsigned i, round, spin;

	(void)state;
	for (round = 0; round < 50; round++) {
		assert_int_equal(freeze(&r), NL_OK);
		assert_int_equal(r.held, CPUS);
		assert_int_equal(r.total, CPUS);
		for (i = 1; i < CPUS; i++) {
			was[i] = executed(i);
			assert_true(nl_held[i].held);
			assert_int_equal(nl_held[i].rip, FG_USER);
		}
		for (spin = 0; spin < 20; spin++)
			sched_yield();
		for (i = 1; i < CPUS; i++)
			assert_int_equal(executed(i), was[i]);
		nl_thaw(nl_cpus[0], &r);
		assert_true(r.longest_hold_tsc > 0);
		all_execute();
	}
	for (i = 1; i < CPUS; i++)
		assert_int_equal(nl_cpus[i]->hold_since_tsc, 0);
}

static void kernel_mode_is_refused(void **state)
{
	struct nl_freeze_result r;

	(void)state;
	threads[2].ctx.cpl = 0;
	threads[2].ctx.rip = FG_LINK + 0x2345;
	assert_int_equal(freeze(&r), NL_AGAIN);
	assert_int_equal(r.blocker.cpu, 2);
	assert_int_equal(r.blocker.cpl, 0);
	assert_int_equal(r.blocker.rip, FG_LINK + 0x2345);
	assert_false(nl_quiesce_pending());
	all_execute();
	assert_int_equal(freeze_for(true, &r), NL_OK); /* by who only looks it is held there */
	assert_true(nl_held[2].held && nl_held[2].cpl == 0 && nl_held[2].rip == FG_LINK + 0x2345);
	nl_thaw(nl_cpus[0], &r);
	all_execute();
	assert_int_equal(freeze(&r), NL_AGAIN);
	threads[2].ctx = fg.ctx;
	assert_int_equal(freeze(&r), NL_OK);
	nl_thaw(nl_cpus[0], &r);
	all_execute();
}

static void halted_is_good(void **state)
{
	struct nl_freeze_result r;

	(void)state;
	threads[1].ctx.cpl = threads[2].ctx.cpl = threads[3].ctx.cpl = 0;
	threads[1].ctx.halted = true;
	fg_image(0x2344)[0] = 0xf4; /* HLT; RIP is behind it */
	threads[2].ctx.rip = FG_LINK + 0x2345;
	threads[2].ctx.cr3 = FG_KERNEL + FG_TOP;
	memcpy(fg_image(0x3342), "\x0f\x01\xc9", 3); /* MWAIT */
	threads[3].ctx.rip = FG_LINK + 0x3345;
	threads[3].ctx.cr3 = FG_KERNEL + FG_TOP;
	nl_cpus[2]->gprs.rsp = 0x1234;
	assert_int_equal(freeze(&r), NL_OK);
	assert_true(nl_held[1].halted && nl_held[2].halted && nl_held[3].halted && !nl_held[0].halted);
	assert_int_equal(nl_held[2].rsp, 0x1234);
	nl_thaw(nl_cpus[0], &r);
	all_execute();
}

/* Where firmware leaves CPUs that nobody uses: a loop of HLT or MWAIT, perhaps in 32-bit code without paging. */
static void halted_by_firmware(void **state)
{
	struct nl_freeze_result r;

	(void)state;
	memcpy(fg.ram + 0x3342, "\x0f\x01\xc9\xf4", 4); /* MWAIT, HLT */
	for (unsigned i = 2; i < 4; i++) {
		threads[i].ctx = fg.ctx;
		threads[i].ctx.cpl = 0;
		threads[i].ctx.long_mode = false;
		threads[i].ctx.cr0 = threads[i].ctx.efer = threads[i].ctx.cr3 = 0;
		threads[i].ctx.cs_base = 0x3000;
		threads[i].ctx.rip = i == 2 ? 0x345 : 0x346;
	}
	assert_int_equal(freeze(&r), NL_OK);
	assert_true(nl_held[2].halted && nl_held[3].halted);
	nl_thaw(nl_cpus[0], &r);
	all_execute();
	threads[2].ctx.rip = 0x347; /* runs */
	assert_int_equal(freeze(&r), NL_AGAIN);
	assert_int_equal(r.blocker.cpu, 2);
	all_execute();
}

static void a_cpu_that_never_answers(void **state)
{
	struct nl_freeze_result r;
	uint64_t start;

	(void)state;
	set(&threads[3].deaf, true);
	start = seam_tsc;
	seam_tsc_step = nl_us_to_tsc(NL_FREEZE_LIMIT_US) / 8;
	assert_int_equal(freeze(&r), NL_AGAIN);
	seam_tsc_step = 1;
	assert_true(seam_tsc - start >= nl_us_to_tsc(NL_FREEZE_LIMIT_US));
	assert_true(r.blocker.missing >= 1);
	assert_int_equal(r.total, CPUS);
	assert_false(nl_quiesce_pending());
	assert_int_equal(request_of(3), 0); /* withdrawn */
	all_execute();
	set(&threads[3].deaf, false); /* its answer comes late and belongs to no freeze */
	all_execute();
	assert_int_equal(freeze(&r), NL_OK);
	assert_int_equal(r.held, CPUS);
	nl_thaw(nl_cpus[0], &r);
	all_execute();
}

/* Our CPUs are threads and must share the host's few: where the core spins, they give way, and say so. The limit passes
 * when the slow one has begun, and when one is not kicked, whose case would come to no end. */
void x86_pause(void)
{
	if (this_thread)
		__atomic_fetch_add(&this_thread->waited, 1, __ATOMIC_SEQ_CST);
	if ((flag(&threads[3].slow) && flag(&threads[3].answering)) ||
	    (!this_thread && nl_quiesce_pending() && ignored()))
		__atomic_store_n(&seam_tsc_step, nl_us_to_tsc(NL_FREEZE_LIMIT_US), __ATOMIC_SEQ_CST);
	sched_yield();
}

/* It has begun to answer when the freeze is given up. */
static void a_late_answer_belongs_to_no_freeze(void **state)
{
	struct nl_freeze_result r;
	uint64_t from = newest_step();

	(void)state;
	set(&threads[3].slow, true);
	assert_int_equal(freeze(&r), NL_AGAIN);
	seam_tsc_step = 1;
	set(&threads[3].slow, false);
	all_execute();
	assert_int_equal(request_of(3), 0);
	assert_true(the_step(from, 0, NL_STEP_WITHDRAW) < the_step(from, 3, NL_STEP_LATE));
	assert_true(the_step(from, 3, NL_STEP_ASK) < the_step(from, 3, NL_STEP_HELD)); /* which did not count */
}

/* To the lowest limit. */
static void calm_down(void)
{
	struct nl_freeze_result r;

	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(freeze(&r), NL_OK);
		nl_thaw(nl_cpus[0], &r);
	}
	all_execute(); /* nobody is on the way out of the last one */
}

/* The limit doubles with every try that a CPU is late for, to the highest, and comes back with those that succeed. */
static void the_limit_adapts(void **state)
{
	struct nl_freeze_result r;
	uint64_t expected = NL_FREEZE_LIMIT_US;
	unsigned i;

	(void)state;
	calm_down();
	set(&threads[3].deaf, true);
	for (i = 0; i < 8; i++) {
		uint64_t limit = nl_us_to_tsc(expected), start = seam_tsc;

		seam_tsc_step = nl_us_to_tsc(NL_FREEZE_LIMIT_US) / 64;
		assert_int_equal(freeze(&r), NL_AGAIN);
		seam_tsc_step = 1;
		assert_in_range(seam_tsc - start, limit, limit + nl_us_to_tsc(NL_FREEZE_LIMIT_US));
		assert_in_range(r.longest_hold_tsc, limit, limit + nl_us_to_tsc(NL_FREEZE_LIMIT_US));
		if (expected < NL_FREEZE_HIGHEST_US)
			expected *= 2;
	}
	assert_int_equal(expected, NL_FREEZE_HIGHEST_US);
	set(&threads[3].deaf, false);
	calm_down();
	set(&threads[3].deaf, true);
	seam_tsc_step = nl_us_to_tsc(NL_FREEZE_LIMIT_US) / 64;
	assert_int_equal(freeze(&r), NL_AGAIN);
	seam_tsc_step = 1;
	assert_in_range(r.longest_hold_tsc, nl_us_to_tsc(NL_FREEZE_LIMIT_US), nl_us_to_tsc(2 * NL_FREEZE_LIMIT_US));
	set(&threads[3].deaf, false);
	assert_int_equal(freeze(&r), NL_OK);
	nl_thaw(nl_cpus[0], &r);
}

static void parked_cpus_are_not_awaited(void **state)
{
	struct nl_freeze_result r;

	(void)state;
	__atomic_store_n(&nl_cpus[3]->state, NL_CPU_WAIT_SIPI, __ATOMIC_SEQ_CST);
	assert_int_equal(freeze(&r), NL_OK);
	assert_int_equal(r.total, CPUS - 1);
	assert_false(nl_held[3].held);
	nl_thaw(nl_cpus[0], &r);
	all_execute();
}

/* A SIPI in the middle of a freeze: the CPU begins to run, and must not enter the guest before the freeze is over. */
static void a_cpu_that_starts_meanwhile(void **state)
{
	struct nl_freeze_result r;
	uint64_t was, waits;
	unsigned round;

	(void)state;
	for (round = 0; round < 20; round++) {
		__atomic_store_n(&nl_cpus[3]->state, NL_CPU_WAIT_SIPI, __ATOMIC_SEQ_CST);
		while (!flag(&threads[3].parked))
			sched_yield();
		was = executed(3);
		waits = waited(3);
		assert_int_equal(freeze(&r), NL_OK);
		__atomic_store_n(&nl_cpus[3]->state, NL_CPU_RUNNING, __ATOMIC_SEQ_CST);
		/* It has seen that it runs: it waits now, or is in the guest already, which it must not be. */
		while (waited(3) < waits + 20 && executed(3) == was)
			sched_yield();
		assert_int_equal(executed(3), was);
		nl_thaw(nl_cpus[0], &r);
		all_execute();
	}
}

/* Freezes in a row without a pause: answers to one never count for the next. */
static void back_to_back(void **state)
{
	struct nl_freeze_result r;
	unsigned i;

	(void)state;
	for (i = 0; i < 200; i++) {
		threads[1].ctx.cpl = i % 3 ? 3 : 0;
		assert_int_equal(freeze(&r), i % 3 ? NL_OK : NL_AGAIN);
		if (i % 3) {
			assert_int_equal(r.held, CPUS);
			nl_thaw(nl_cpus[0], &r);
		}
	}
	all_execute();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(steps_come_in_their_order),
	        T(holds_everybody),
	        T(kernel_mode_is_refused),
	        T(halted_is_good),
	        T(halted_by_firmware),
	        T(a_cpu_that_never_answers),
	        T(a_late_answer_belongs_to_no_freeze),
	        T(the_limit_adapts),
	        T(parked_cpus_are_not_awaited),
	        T(a_cpu_that_starts_meanwhile),
	        T(back_to_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
