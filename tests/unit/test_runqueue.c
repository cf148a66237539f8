// SPDX-License-Identifier: Apache-2.0
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c hv/guest/linux/queues.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/view/view.c hv/view/npt.c hv/view/current.c hv/core/pool.c tests/unit/fakeguest.c
/*
 * Who is looked for in a stop window: the tasks on the run queues for a site, all of them where that is not enough.
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
#define IDLE 1u /* there is one idle task: the second CPU never had one */

static struct nl_kernel kernel;
static struct nl_scan result;
static bool strict;

void nl_journal_generation(uint64_t now) { (void)now; }

static uint64_t at(uint64_t offset) { return FG_LINK + fg.slide + offset; }

static void start(unsigned cpus)
{
	fg_start(SLIDE, false, false, cpus);
	nl_views_init(fg_views());
	nl_publish_view(&fg.base);
	strict = false;
}

static int setup(void **state)
{
	(void)state;
	start(2);
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
	static const struct nl_held none[NL_MAX_CPUS];
	static struct nl_watch watches[2];

	watches[0] = (struct nl_watch){at(SITE), at(SITE + 9), 0, true, false};
	watches[1] = (struct nl_watch){at(FUNC), at(FUNC + 0x80), 0, false, strict};
	kernel = (struct nl_kernel){.target = &fg.target, .slide = fg.slide};
	nl_guest_init(&kernel.space, fg_views(), nl_current_view(), fg.ctx.cr3, false);
	nl_scan_init(&result, watches, 2);
	result.held = none;
	return nl_linux.scan(&kernel, &result);
}

static uint32_t *count(unsigned cpu, uint32_t offset) { return (uint32_t *)fg_queue(cpu, offset); }
static uint64_t *word(unsigned cpu, uint32_t offset) { return (uint64_t *)fg_queue(cpu, offset); }

/* A task that is interrupted in the middle of the site, queued as a fair one of CPU 0. */
static uint64_t inside(void)
{
	uint64_t *stack, task = fg_task("inside", 0, 8, &stack);

	stack[3] = at(SITE + 5);
	return task;
}

/* It dies, and its parent has been told: on no list of tasks, and preempted inside the site. */
static void dying(void **state)
{
	uint64_t task = inside();

	(void)state;
	assert_int_equal(scan(), NL_AGAIN);
	fg_released(task);
	assert_int_equal(scan(), NL_AGAIN);
	assert_string_equal(result.blocker.comm, "inside");
	assert_int_equal(result.blocker.rip, at(SITE + 5));
	strict = true;
	assert_int_equal(scan(), NL_AGAIN);
	assert_string_equal(result.blocker.comm, "inside");
	fg_sleeps(task, FG_FAIR, 0);
	assert_int_equal(scan(), NL_OK);
}

static void sleepers_are_not_read(void **state)
{
	unsigned i;

	(void)state;
	fg_task("ready", 0, 8, NULL);
	assert_int_equal(scan(), NL_OK);
	assert_int_equal(result.scanned, 1);
	for (i = 0; i < 300; i++)
		fg_sleeps(fg_task("asleep", 0, 8, NULL), FG_FAIR, 0);
	assert_int_equal(scan(), NL_OK);
	assert_int_equal(result.scanned, 1);
	assert_false(result.all);
	strict = true;
	assert_int_equal(scan(), NL_OK);
	assert_true(result.all);
	assert_int_equal(result.scanned, 1 + IDLE + 301);
	assert_int_equal(result.old_tasks, 0);
}

static void every_class(void **state)
{
	unsigned class, cpu;

	for (class = FG_FAIR; class <= FG_EXT; class ++)
		for (cpu = 0; cpu < 2; cpu++) {
			uint64_t task = inside();

			fg_sleeps(task, FG_FAIR, 0);
			assert_int_equal(scan(), NL_OK);
			fg_runs(task, class, cpu);
			assert_int_equal(scan(), NL_AGAIN);
			assert_false(result.all);
			fg_released(task);
			assert_int_equal(scan(), NL_AGAIN);
			teardown(state);
			setup(state);
		}
}

/* A CPU that Linux thinks possible and we have never seen: its queue is read all the same. */
static void every_possible_cpu(void **state)
{
	uint64_t task = inside();

	(void)state;
	fg_sleeps(task, FG_FAIR, 0);
	fg_runs(task, FG_FAIR, 1);
	nl_n_cpus = 1;
	assert_int_equal(scan(), NL_AGAIN);
	fg_image(FG_NR_CPUS)[2] = 1; /* more than there are areas */
	assert_int_equal(scan(), NL_AGAIN);
	fg.target.nr_cpu_ids = 0; /* not a variable */
	assert_int_equal(scan(), NL_AGAIN);
	fg.target.nr_cpu_ids = FG_LINK + FG_NR_CPUS;
	memset(fg_image(FG_NR_CPUS), 0, 4); /* no CPU at all: nothing that adds up */
	assert_int_equal(scan(), NL_AGAIN);
	assert_true(result.all);
}

static void all_are_read(void)
{
	assert_int_equal(scan(), NL_AGAIN);
	assert_string_equal(result.blocker.comm, "inside");
	assert_true(result.all);
}

/* One who is on no queue, though he should be: only the counts say so. */
static void counts_disagree(void **state)
{
	const uint32_t counts[] = {fg.target.rq_tasks, fg.target.rq_cfs, fg.target.rq_rt, fg.target.rq_ext};
	uint64_t task = inside();
	unsigned i;

	(void)state;
	fg_task("ready", 0, 8, NULL);
	fg_sleeps(task, FG_FAIR, 0);
	assert_int_equal(scan(), NL_OK);
	for (i = 0; i < 8; i++) {
		uint32_t *n = count(i / 4, counts[i % 4]), was = *n;

		(*n)++;
		all_are_read();
		*n = was - 1;
		all_are_read();
		*n = was;
		assert_int_equal(scan(), NL_OK);
	}
}

static void lists_without_an_end(void **state)
{
	uint64_t a = fg_task("a", 0, 8, NULL), b = fg_task("b", 0, 8, NULL), c = fg_task("c", 0, 8, NULL),
	         task = inside(), was, back[3] = {a, b, c};
	uint32_t node = fg.target.task_cfs_node;
	unsigned i;

	(void)state;
	fg_sleeps(task, FG_FAIR, 0);
	memcpy(&was, fg_object(c + node), 8);
	for (i = 0; i < 3; i++) {
		uint64_t to = back[i] + node;

		memcpy(fg_object(c + node), &to, 8);
		all_are_read();
		assert_true(result.scanned < 30);
	}
	memset(fg_object(c + node), 0, 8);
	assert_int_equal(scan(), NL_EKERNEL); /* no task of anybody's */
	memcpy(fg_object(c + node), &was, 8);
	assert_int_equal(scan(), NL_OK);
	*word(0, fg.target.rq_cfs_tasks) = 0xdead000000000100;
	assert_int_equal(scan(), NL_EKERNEL);
	*word(0, fg.target.rq_cfs_tasks) = 0;
	all_are_read();
}

/* A throttled deadline task is in no tree, but its bandwidth is known; that of servers is not a task's. */
static void deadline(void **state)
{
	const uint32_t attached = fg.target.server_attached, mask = fg.target.server_attached_mask;
	uint8_t *ext = fg_queue(1, fg.target.rq_server_bw[1] + attached);
	uint64_t *bw = word(1, fg.target.rq_dl_bw), *server = word(1, fg.target.rq_server_bw[0]), task = inside();

	(void)state;
	fg_sleeps(task, FG_FAIR, 0);
	assert_int_equal(scan(), NL_OK);
	*bw += 1000;
	all_are_read();
	*bw -= 1000;
	*ext |= (uint8_t)mask; /* a BPF scheduler is loaded: the second server counts from now on, */
	all_are_read();        /* and a task whose bandwidth is that server's is told from it */
	*bw *= 2;
	assert_int_equal(scan(), NL_OK);
	*ext &= (uint8_t)~mask;
	all_are_read();
	fg.target.server_attached_mask = 0; /* before 7.2 a server always counts */
	*word(0, fg.target.rq_dl_bw) *= 2;
	assert_int_equal(scan(), NL_OK);
	fg.target.rq_server_bw[1] = 0; /* and there was one */
	*bw = *server;
	*word(0, fg.target.rq_dl_bw) = *server;
	assert_int_equal(scan(), NL_OK);
	fg.target.rq_server_bw[0] = 0; /* before 6.8 none */
	all_are_read();
	*word(0, fg.target.rq_dl_bw) = *bw = 0;
	assert_int_equal(scan(), NL_OK);
}

/* A boosted task, or one of a class that nobody here knows: counted with all, and on no list that is walked. */
static void other_class(void **state)
{
	uint64_t task = inside();

	(void)state;
	fg_sleeps(task, FG_FAIR, 0);
	++*count(0, fg.target.rq_tasks);
	all_are_read();
}

static void throttled(void **state)
{
	uint64_t task = inside();

	(void)state;
	fg_released(task);
	--*count(0, fg.target.rq_cfs); /* its group is throttled: the counts forget it, the list does not */
	--*count(0, fg.target.rq_tasks);
	assert_int_equal(scan(), NL_AGAIN);
	++*count(0, fg.target.rq_cfs);
	++*count(0, fg.target.rq_tasks);
	fg_sleeps(task, FG_FAIR, 0);
	assert_int_equal(scan(), NL_OK);
	task = inside(); /* since 6.18: off all queues, and still in the kernel */
	fg_sleeps(task, FG_FAIR, 0);
	assert_int_equal(scan(), NL_OK);
	fg_image(FG_BANDWIDTH)[0] = 1; /* a group with a quota exists */
	all_are_read();
	fg.target.cfs_bandwidth = 0;
	assert_int_equal(scan(), NL_OK);
}

static void real_time_groups(void **state)
{
	uint64_t group = fg_task("group", 0, 8, NULL), task = inside(), queue = 1;

	(void)state;
	fg_sleeps(task, FG_FAIR, 0);
	fg_sleeps(group, FG_FAIR, 0);
	fg_runs(group, FG_REAL_TIME, 0);
	assert_int_equal(scan(), NL_OK);
	memcpy(fg_object(group + fg.target.task_rt_group), &queue, 8);
	memset(fg_object(group + fg.target.task_stack), 0x77, 8); /* it is no task: nothing else of it may be read */
	fg_released(group);
	all_are_read();
	fg.target.task_rt_group = 0; /* a kernel without */
	assert_int_equal(scan(), NL_EKERNEL);
}

/* The running task of sched_ext is off its list, and counts. */
static void current_of_sched_ext(void **state)
{
	uint64_t task = inside(), ready = fg_task("ready", 0, 8, NULL), next;
	uint32_t node = fg.target.task_ext_node;

	(void)state;
	fg_sleeps(task, FG_FAIR, 0);
	fg_sleeps(ready, FG_FAIR, 0);
	fg_runs(ready, FG_EXT, 1);
	assert_int_equal(scan(), NL_OK);
	memcpy(&next, fg_object(ready + node), 8);
	*word(1, fg.target.rq_ext_tasks) = next;
	all_are_read();
	*word(1, fg.target.rq_curr) = ready;
	assert_int_equal(scan(), NL_OK);
	memset(fg_object(ready + fg.target.task_class), 0, 8);
	all_are_read();
	fg.target.ext_class = 0;
	--*count(1, fg.target.rq_tasks);
	assert_int_equal(scan(), NL_OK);
}

static void stop_task(void **state)
{
	uint64_t task = inside(), stopper = fg_task("migration/0", 0, 8, NULL);

	(void)state;
	fg_sleeps(task, FG_FAIR, 0);
	fg_sleeps(stopper, FG_FAIR, 0);
	*word(0, fg.target.rq_stop) = stopper;
	assert_int_equal(scan(), NL_OK);
	++*count(0, fg.target.rq_tasks); /* woken */
	all_are_read();
	fg_object(stopper + fg.target.task_on_rq.offset)[1] = 1;
	assert_int_equal(scan(), NL_OK);
}

/* What only strict leaves ask, and who is counted when all are read. */
static void functions(void **state)
{
	uint64_t *stack, task = fg_task("old", 0, 8, &stack);

	(void)state;
	stack[3] = at(FUNC + 0x40);
	assert_int_equal(scan(), NL_OK);
	++*count(1, fg.target.rq_tasks);
	assert_int_equal(scan(), NL_OK);
	assert_true(result.all);
	assert_int_equal(result.old_tasks, 1); /* though it was read twice */
	assert_int_equal(result.old_by_leaf[0], 1);
	fg_sleeps(task, FG_FAIR, 0);
	assert_int_equal(scan(), NL_OK);
	assert_int_equal(result.old_tasks, 1);
	strict = true;
	assert_int_equal(scan(), NL_AGAIN);
}

/* A return address that a tracer keeps elsewhere could be anywhere but in a site: as in every replaced function. */
static void hidden(void **state)
{
	static const uint64_t trampolines[][2] = {{FG_PROBE_RETURN, 96}, {FG_GRAPH_RETURN, 64}};
	uint64_t *stack, task = fg_task("traced", 0, 8, &stack), from, size;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		from = trampolines[i][0], size = trampolines[i][1];
		stack[3] = at(from);
		strict = false;
		assert_int_equal(scan(), NL_OK);
		++*count(1, fg.target.rq_tasks);
		assert_int_equal(scan(), NL_OK);
		assert_int_equal(result.old_by_leaf[0], 1); /* it may be an old one */
		--*count(1, fg.target.rq_tasks);
		strict = true;
		assert_int_equal(scan(), NL_AGAIN);
		assert_string_equal(result.blocker.comm, "traced");
		assert_int_equal(result.blocker.rip, at(from));
		assert_int_equal(result.blocker.site_va, at(FUNC));
		stack[3] = at(from + size - 1);
		assert_int_equal(scan(), NL_AGAIN);
		stack[3] = at(from + size);
		assert_int_equal(scan(), NL_OK);
		stack[3] = at(from - 1);
		assert_int_equal(scan(), NL_OK);
		fg_sleeps(task, FG_FAIR, 0);
		stack[3] = at(from);
		assert_int_equal(scan(), NL_AGAIN);
		fg_runs(task, FG_FAIR, 0);
	}
	fg.target.returns[1].size = 0; /* a leaf of an older tool */
	assert_int_equal(scan(), NL_OK);
}

/* A probe of which the kernel may make a jump, at any time, whose last bytes would lie in the site. */
static void probes_that_may_jump(void **state)
{
	(void)state;
	assert_int_equal(scan(), NL_OK);
	fg_kprobe(at(SITE - 5));
	assert_int_equal(nl_linux.probes(&kernel, &result), NL_OK);
	fg_kprobe(at(SITE - 4));
	assert_int_equal(nl_linux.probes(&kernel, &result), NL_EPROBED);
}

/* One is idle behind a call of the scheduler, in which no site can be; where functions are watched it is like any task.
 */
static void idle_tasks(void **state)
{
	uint64_t *word = (uint64_t *)(void *)fg_image(FG_INIT_STACK + FG_THREAD_SIZE - 64) + 3;

	(void)state;
	*word = at(SITE + 5);
	assert_int_equal(scan(), NL_OK);
	assert_int_equal(result.scanned, 0);
	strict = true;
	assert_int_equal(scan(), NL_AGAIN);
	*word = 0;
	assert_int_equal(scan(), NL_OK);
	assert_int_equal(result.scanned, IDLE);
}

/* A task that says it runs does, on a CPU that is held; the byte beside, which is not 0, says nothing. */
static void width(void **state)
{
	uint64_t task = inside();

	(void)state;
	assert_int_equal(scan(), NL_AGAIN);
	fg_task_on_cpu(task, true);
	assert_int_equal(scan(), NL_OK);
}

/* From 7.2 on per-CPU variables are linked into the image: they move with it, and a CPU that cannot be has no area. */
static void per_cpu_in_image(void **state)
{
	const uint64_t base = 0x3e0000;
	uint64_t task = inside(), *offset = (uint64_t *)fg_image(FG_PER_CPU);
	unsigned i;

	(void)state;
	for (i = 0; i < 64; i++)
		offset[i] = i < 2 ? offset[i] - at(base) : 0;
	fg.target.runqueues += FG_LINK + base;
	fg.target.idle_threads += FG_LINK + base;
	assert_int_equal(scan(), NL_AGAIN);
	fg_sleeps(task, FG_FAIR, 0);
	fg_runs(task, FG_FAIR, 1);
	assert_int_equal(scan(), NL_AGAIN);
	fg_sleeps(task, FG_FAIR, 1);
	assert_int_equal(scan(), NL_OK);
	assert_int_equal(result.scanned, 0);
	memset(offset, 0, 64 * 8); /* not one queue */
	all_are_read();
}

/* Whatever the queues hold: an answer, and never NL_OK with less than all read unless it adds up. */
static void garbage(void **state)
{
	unsigned i;

	(void)state;
	inside();
	for (i = 0; i < 50; i++)
		fg_task("t", 0, 8, NULL);
	for (i = 0; i < 3000; i++) {
		uint8_t *byte = fg_queue(host_below(2) ? 1 : 0, (uint32_t)host_below(0x700)), was = *byte;

		*byte = (uint8_t)host_random();
		assert_int_not_equal(scan(), NL_OK); /* who is inside is on the list of tasks, too */
		*byte = was;
	}
}

/* `nosmt`, or CPUs taken offline: they halt on their idle tasks' stacks. Each is looked for among all, and the limit of
 * the window is asked for tasks alone. */
static void halted_cpus_know_the_limit(void **state)
{
	static struct nl_held held[NL_MAX_CPUS];
	const struct nl_watch watch = {at(SITE), at(SITE + 9), 0, true, false};
	uint64_t task = at(FG_INIT_TASK);
	unsigned i;

	(void)state;
	fg_stop();
	start(64);
	for (i = 0; i < 64; i++) {
		uint64_t area = *(uint64_t *)fg_image(FG_PER_CPU + 8 * i);

		*(uint64_t *)fg_object(area + fg.target.idle_threads) = i == 63 ? task : 0;
		held[i] = (struct nl_held){
		        .held = true, .halted = true, .rip = at(0x100), .rsp = at(FG_INIT_STACK + FG_THREAD_SIZE - 32)};
	}
	kernel = (struct nl_kernel){.target = &fg.target, .slide = fg.slide};
	nl_guest_init(&kernel.space, fg_views(), nl_current_view(), fg.ctx.cr3, false);
	nl_scan_init(&result, &watch, 1);
	result.held = held;
	result.until = x86_rdtsc(); /* has passed */
	seam_looks = 0;
	i = nl_linux.scan(&kernel, &result);
	assert_true(seam_looks < 64 * 64);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(halted_cpus_know_the_limit),
	        T(dying),
	        T(sleepers_are_not_read),
	        T(idle_tasks),
	        T(every_class),
	        T(every_possible_cpu),
	        T(counts_disagree),
	        T(lists_without_an_end),
	        T(deadline),
	        T(other_class),
	        T(throttled),
	        T(real_time_groups),
	        T(current_of_sched_ext),
	        T(stop_task),
	        T(functions),
	        T(hidden),
	        T(probes_that_may_jump),
	        T(width),
	        T(per_cpu_in_image),
	        T(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
