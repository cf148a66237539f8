// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/gone.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/witness.c
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/commit/order.c hv/commit/standing.c hv/exits/own.c hv/leaf/order.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/core/kept.c hv/leaf/list.c
// sources: hv/commit/trial.c
// sources: hv/leaf/leaf.c hv/leaf/floor.c hv/leaf/reloc.c hv/leaf/signature.c hv/exits/hypercall.c
// sources: hv/view/view.c hv/view/npt.c
// sources: hv/view/current.c hv/core/clock.c hv/core/cpu.c hv/core/journal.c hv/core/pool.c hv/core/sha256.c
// sources: hv/core/sodium.c
// sources: tests/unit/fakeguest.c tests/unit/makeleaf.c tests/unit/commit_fixture.c
// libs: -lcrypto
/*
 * What is looked at while all CPUs are held, and who keeps a leaf off: bytes, probes, tasks, CPUs that stand badly.
 */
#include "commit_fixture.h"
#include "commit/commit.h"
#include "core/cpu.h"
#include "guest/linux/linux.h"
#include "commit/quiesce.h"
#include "leaf/registry.h"
#include "x86.h"

static void probed_by_bytes(void **state)
{
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	fg_shown(DATA_SITE)[3] = 0xcc; /* somebody else's byte in what we wrote */
	was = before();
	assert_int_equal(commit(NULL, 0), NL_EPROBED);
	was.free_pages = nl_pool_free_pages(); /* the first PREPARE since the flip released what the base had alone */
	unchanged(was);
	fg_shown(DATA_SITE)[3] = 0x11;
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
	fg_shown(DATA_SITE)[3] = 0xcc; /* only after PREPARE */
	was = before();
	was.free_pages = nl_pool_free_pages() + 3; /* root and tables that PREPARE took */
	assert_int_equal(try_it(), NL_EPROBED);
	assert_int_equal(commit_report()->blocker.site_va, FG_LINK + SLIDE + DATA_SITE);
	assert_int_equal(commit_report()->blocker.found[3], 0xcc);
	assert_int_equal(commit_report()->blocker.expected[3], 0x11);
	was.free_pages = nl_pool_free_pages();
	unchanged(was);
	fg_shown(DATA_SITE)[3] = 0x11;
	assert_int_equal(commit(NULL, 0), NL_OK);
}

static void probed_by_table(void **state)
{
	uint8_t sha[1][32];
	uint64_t site = FG_LINK + SLIDE + TEXT_SITE;
	struct moment was;

	(void)state;
	leaf_text_and_data("body", 1);
	fg_kprobe(site - 5); /* at the function's entry: in nobody's way */
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	fg_kprobe(site + 1); /* registered, perhaps disabled: no byte differs */
	was = before();
	was.free_pages = 0;
	assert_int_equal(try_it(), NL_EPROBED);
	assert_int_equal(commit_report()->blocker.site_va, site);
	was.free_pages = nl_pool_free_pages();
	unchanged(was);
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_EPROBED);
	unchanged(was);
	fg_image(TEXT_SITE)[1] ^= 0xff; /* armed: the bytes differ too, and the probe is the reason that is named */
	assert_int_equal(verify_leaf(sha[0]), NL_EPROBED);
}

/* A probe that comes while the leaf is on: status says so, also when no byte differs. */
static void probed_is_noted(void **state)
{
	const struct nl_leaf_state *l = (struct nl_leaf_state *)fg_user(FG_USER);
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_OK);
	fg_shown(DATA_SITE)[1] ^= 1;
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_EPROBED);
	fg_shown(DATA_SITE)[1] ^= 1;
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_OK);
	fg_kprobe(FG_LINK + SLIDE + TEXT_SITE);
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_EPROBED);
	assert_int_equal(commit(NULL, 0), NL_EPROBED);
}

static void bytes_differ(void **state)
{
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	fg_image(DATA_SITE)[7] ^= 1;
	was = before();
	assert_int_equal(verify_leaf(sha[0]), NL_EBYTES);
	assert_int_equal(verify_report()->blocker.site_va, FG_LINK + SLIDE + DATA_SITE);
	assert_int_equal(verify_report()->blocker.bytes_len, 8);
	assert_int_equal(verify_report()->blocker.found[7] ^ verify_report()->blocker.expected[7], 1);
	assert_int_equal(nl_registry_count(), 0);
	unchanged(was);
	fg_image(DATA_SITE)[7] ^= 1;
	assert_int_equal(verify(), NL_OK);
	assert_int_equal(prepare((const void *)(memcpy(sha[0], verify_report()->sha256, 32), sha), 1, UINT64_MAX),
	                 NL_OK);
	fg_image(DATA_SITE)[7] ^= 1;
	assert_int_equal(try_it(), NL_EBYTES);
	assert_int_equal(nl_current_view()->generation, 1);
}

static void somebody_in_the_way(void **state)
{
	uint64_t site = FG_LINK + SLIDE + TEXT_SITE, task, *stack;
	uint8_t sha[1][32];

	(void)state;
	task = fg_task("sleeper", fg_task("leader", 0, 8, NULL), 32, &stack);
	fg_task("other", 0, 100, NULL);
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	stack[5] = site + 1;
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	assert_int_equal(commit_report()->blocker.pid, 2);
	assert_string_equal(commit_report()->blocker.comm, "sleeper");
	assert_int_equal(commit_report()->tries, 1);
	assert_int_equal(nl_current_view()->generation, 1);
	fg_task_on_cpu(task, true); /* it runs, on a CPU that is held in user mode: its saved stack means nothing */
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(commit_report()->tries, 2);
	assert_int_equal(commit_report()->tasks_scanned, 3);
	fg_task_on_cpu(task, false);
	stack[5] = site + 5;                /* the next instruction: not inside */
	stack[7] = NL_LINUX_ARENA_TEXT + 3; /* in the body */
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(commit_report()->old_tasks, NL_UNCOUNTED); /* who sleeps there was not asked */
	assert_int_equal(commit_report()->level, NL_LEVEL_CPU);
	assert_int_equal(nl_registry_find(sha[0])->state.old_tasks, NL_UNCOUNTED);
	fg_queue(0, fg.target.rq_tasks)[0]++; /* the counts of a run queue disagree: all are read */
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit_report()->old_tasks, 1); /* in the replaced function */
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(commit_report()->old_tasks, 1);
	assert_int_equal(commit_report()->level, NL_LEVEL_CPU);
	assert_int_equal(nl_registry_find(sha[0])->state.old_tasks, 1);
}

/* A CPU in kernel mode: the commit waits for another try, and says whose stack the CPU is on. */
static void blocker_is_named(void **state)
{
	struct nl_blocker blocker = {0};
	struct nl_kernel kernel = {.target = &fg.target, .slide = SLIDE};
	uint64_t *stack, *current = (uint64_t *)(void *)fg_queue(0, fg.target.rq_curr), idle = *current;

	(void)state;
	fg_task("other", 0, 8, NULL);
	*current = fg_task("thread", fg_task("busy", 0, 8, NULL), 8, &stack);
	nl_guest_init(&kernel.space, fg_views(), nl_current_view(), fg.ctx.cr3, false);
	nl_linux_name(&kernel, FG_DIRECT + (uint64_t)((uint8_t *)stack - fg.ram), &blocker);
	assert_string_equal(blocker.comm, "thread");
	assert_int_equal(blocker.pid, 3);
	nl_linux_name(&kernel, FG_LINK + SLIDE + FG_INIT_STACK + 8, &blocker);
	assert_int_equal(blocker.pid, 0); /* it has no CPU now */
	*current = idle;
	nl_linux_name(&kernel, FG_LINK + SLIDE + FG_INIT_STACK + 8, &blocker);
	assert_string_equal(blocker.comm, "swapper/0");
	nl_linux_name(&kernel, FG_DIRECT + 8, &blocker);
	assert_int_equal(blocker.pid, 0);
	assert_string_equal(blocker.comm, "");
}

/* A CPU that halts: only on an idle task's stack, and then no task is taken at its word that it runs. */
static void halted_cpus(void **state)
{
	const uint64_t site = FG_LINK + SLIDE + TEXT_SITE, idle = FG_LINK + SLIDE + FG_INIT_STACK + FG_THREAD_SIZE - 32;
	const struct nl_watch watch = {site, site + 5, 0, true, false};
	uint64_t *idle_stack = (uint64_t *)fg_image(FG_INIT_STACK + FG_THREAD_SIZE - 32), *stack,
	         task = fg_task("task", 0, 8, &stack);
	struct nl_kernel kernel = {.target = &fg.target, .slide = SLIDE};
	struct nl_scan scan;

	(void)state;
	nl_guest_init(&kernel.space, fg_views(), nl_current_view(), fg.ctx.cr3, false);
	nl_scan_init(&scan, &watch, 1);
	scan.held = nl_held;
	nl_held[0] = (struct nl_held){
	        .held = true, .halted = true, .rip = FG_LINK + SLIDE + 0x100, .rsp = idle, .gprs = &fg.cpus[0].gprs};
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_OK);
	idle_stack[2] = site + 1;
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_AGAIN);
	assert_int_equal(scan.blocker.cpu, 0);
	idle_stack[2] = 0;
	nl_held[0].rip = site + 1;
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_AGAIN);
	nl_held[0].rip = FG_LINK + SLIDE + 0x100;
	nl_held[0].rsp = FG_DIRECT + (uint64_t)((uint8_t *)stack - fg.ram); /* some task's stack: no idle loop */
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_ESTANDS);
	nl_held[0].rsp = idle;
	fg_task_on_cpu(task, true); /* about to be switched to */
	stack[3] = site + 1;
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_AGAIN);
	nl_held[0].halted = false; /* with every CPU in user mode it does run */
	nl_held[0].cpl = 3;
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_OK);
	/* Held where it stands, in the kernel: good on the stack of the task that has a CPU, which is read from there
	 * on. */
	fg_task_on_cpu(task, false);
	stack[3] = 0;
	nl_held[0].cpl = 0;
	scan.anywhere = true;
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_OK);
	idle_stack[1] = site + 1;
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_AGAIN);
	idle_stack[1] = 0;
	nl_held[0].rsp = FG_DIRECT + (uint64_t)((uint8_t *)stack - fg.ram); /* in a switch, or behind an interrupt */
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_ESTANDS);
	nl_held[0].held = false;
}

static void strict_leaf(void **state)
{
	uint64_t *stack;
	uint8_t sha[1][32];

	(void)state;
	fg_task("sleeper", 0, 32, &stack);
	leaf_text_and_data("body", 1);
	m.header.consistency = NL_CONSISTENCY_STRICT;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	stack[5] = FG_LINK + SLIDE + FUNC + 0x40;
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	assert_string_equal(commit_report()->blocker.comm, "sleeper");
	stack[5] = FG_LINK + SLIDE + FUNC + FUNC_SIZE;
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(commit_report()->level, NL_LEVEL_TASK);
}

/* A site of one byte that stays: who is in its function is waited for, also where the byte itself is, and nothing is
 * seen to change. */
static void watched_half(void **state)
{
	const uint64_t half = FG_LINK + SLIDE + HALF;
	const uint8_t byte = fg_image(HALF)[0x10];
	uint64_t *stack;
	uint8_t sha[1][32];

	(void)state;
	fg_task("sleeper", 0, 32, &stack);
	leaf_text_and_data("body", 1);
	m.header.consistency = NL_CONSISTENCY_STRICT;
	make_site(&m, FG_LINK + HALF + 0x10, &byte, &byte, 1, FG_LINK + HALF, 0x40);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	stack[5] = half + 0x3f;
	assert_int_equal(try_it(), NL_AGAIN);
	assert_string_equal(commit_report()->blocker.comm, "sleeper");
	stack[5] = half + 0x10;
	assert_int_equal(try_it(), NL_AGAIN);
	stack[5] = half + 0x40;
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(fg_shown(HALF)[0x10], byte);
}

/* A process whose list of threads is empty is looked at itself, so that each step of the walk counts and takes time. */
static void process_without_threads(void **state)
{
	const uint64_t site = FG_LINK + SLIDE + TEXT_SITE;
	const struct nl_watch watch = {site, site + 5, 0, false, true}; /* strict: the lists of tasks are walked */
	uint64_t *stack, task = fg_task("leader", 0, 8, &stack), signal, head, next = task + fg.target.task_tasks;
	struct nl_kernel kernel = {.target = &fg.target, .slide = SLIDE};
	struct nl_scan scan;

	(void)state;
	fg_sleeps(task, FG_FAIR, 0);
	memcpy(&signal, fg.ram + (task - FG_DIRECT) + fg.target.task_signal, 8);
	head = signal + fg.target.signal_thread_head;
	memcpy(fg.ram + (head - FG_DIRECT), &head, 8);
	stack[3] = site + 1;
	nl_guest_init(&kernel.space, fg_views(), nl_current_view(), fg.ctx.cr3, false);
	nl_scan_init(&scan, &watch, 1);
	scan.held = nl_held;
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_AGAIN);
	stack[3] = 0;
	memcpy(fg.ram + (task - FG_DIRECT) + fg.target.task_tasks, &next, 8); /* a circle */
	scan.until = seam_tsc + 1000;
	assert_int_equal(nl_linux_scan(&kernel, &scan), NL_EDEADLINE);
}

static void broken_lists(void **state)
{
	uint8_t sha[1][32];
	uint64_t leader = fg_task("leader", 0, 8, NULL), was, bad = 0xdead000000000100;
	uint8_t *next = fg.ram + (leader - FG_DIRECT) + fg.target.task_tasks;
	struct moment then;

	(void)state;
	leaf_text_and_data("body", 1);
	m.header.consistency = NL_CONSISTENCY_STRICT;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	memcpy(&was, next, 8);
	memcpy(next, &bad, 8);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_EKERNEL);
	then = before();
	bad = leader + fg.target.task_tasks; /* a loop */
	memcpy(next, &bad, 8);
	memcpy(then.seen + (next - fg.ram), &bad, 8);
	memcpy(then.home + (next - fg.ram), &bad, 8);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	seam_tsc_step = nl_boot.facts.tsc_hz / 1000; /* each look at the clock */
	assert_int_equal(try_it(), NL_EDEADLINE);    /* the window's time limit ended the walk */
	seam_tsc_step = 1;
	unchanged(then);
	memcpy(next, &was, 8);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
}

/* The entry that maps the beginning of the direct map, in its second table from above. */
static uint64_t *direct_entry(void)
{
	uint64_t table = fg.ctx.cr3 & 0xffffffffff000, *e = NULL;
	unsigned level;

	for (level = 4; level > 2; level--) {
		e = (uint64_t *)(fg.ram + table) + (FG_DIRECT >> (12 + 9 * (level - 1)) & 511);
		table = *e & 0xffffffffff000;
	}
	return e;
}

static uint64_t *changed, change;

/* The other CPU comes, in user mode; the guest has changed one of its tables before. */
static void changes_and_comes(struct nl_cpu *cpu)
{
	*changed ^= change;
	nl_held[cpu->index] = (struct nl_held){.cpl = 3, .rip = 0x1000};
	cpu->request = (cpu->request & ~3u) | 2;
}

/* What was looked at before the freeze counts no further than the guest's tables say the same afterwards. */
static void tables_change_before_all_are_held(void **state)
{
	static const struct nl_vendor vendor = {.name = "FAKE", .paging = "NPT", .kick = changes_and_comes};
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	fg_task("waits", 0, 8, NULL);
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	nl_n_cpus = 2;
	fg.cpus[1] = (struct nl_cpu){.index = 1, .state = NL_CPU_RUNNING, .root_generation = ~0ULL};
	nl_cpus[1] = &fg.cpus[1];
	nl_vendor = &vendor;
	changed = direct_entry();
	change = 1; /* not present any more */
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_EKERNEL);
	*changed ^= change;
	unchanged(was);
	change = 0x60; /* the CPU has noted that it was used */
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
}

/* The entries that make the arena part of the guest go before all are held: they are made again. */
static void arena_goes_before_all_are_held(void **state)
{
	static const struct nl_vendor vendor = {.name = "FAKE", .paging = "NPT", .kick = changes_and_comes};
	uint64_t *pmd = (uint64_t *)(void *)fg_image(FG_ARENA_PMD), text, data;
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
	text = pmd[508];
	data = pmd[509];
	nl_n_cpus = 2;
	fg.cpus[1] = (struct nl_cpu){.index = 1, .state = NL_CPU_RUNNING, .root_generation = ~0ULL};
	nl_cpus[1] = &fg.cpus[1];
	nl_vendor = &vendor;
	changed = pmd + 508;
	change = text;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(pmd[508], text);
	change = 0;
	assert_int_equal(commit(NULL, 0), NL_OK);
	pmd[509] ^= 1ULL << 63; /* it is there, and not as it must be */
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_EARENA);
	pmd[509] = data;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
}

/* However deep a stack is, and wherever it begins. */
static void deep_stacks(void **state)
{
	const uint64_t site = FG_LINK + SLIDE + TEXT_SITE;
	static const unsigned deep[] = {0, 1, 62, 63, 64, 65, 127, 128, 199};
	uint8_t sha[1][32];
	uint64_t *stack;
	unsigned i;

	(void)state;
	fg_task("deep", 0, 200, &stack);
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	for (i = 0; i < NL_ARRAY_SIZE(deep); i++) {
		const uint64_t was = stack[deep[i]];

		stack[deep[i]] = site + 1;
		assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
		assert_int_equal(try_it(), NL_AGAIN);
		assert_string_equal(commit_report()->blocker.comm, "deep");
		stack[deep[i]] = was;
		assert_int_equal(try_it(), NL_OK);
		assert_int_equal(commit(NULL, 0), NL_OK);
	}
}

/* A second machine check before the guest's handler has cleared MCG_STATUS.MCIP is a shutdown (SDM vol. 3, 16.3.1.2):
 * on one way through the core one poisoned line is met once. */
static void one_machine_check_a_call(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	fg_kprobe(FG_LINK + SLIDE + TEXT_SITE - 5);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	seam_poison = fg_image(FG_KPROBES);
	seam_checks = 0;
	seam_pending = &fg.cpus[0].mc_pending;
	assert_int_equal(try_it(), NL_AGAIN); /* when the guest has seen it */
	seam_poison = NULL;
	seam_pending = NULL;
	fg.cpus[0].mc_pending = false;
	assert_true(seam_checks <= 1);
}

/* Nobody is held, and no CPU is kept from its interrupts, for longer than was said. */
static void probes_know_the_limit(void **state)
{
	struct nl_kernel kernel = {.target = &fg.target, .os = &nl_linux, .slide = fg.slide};
	const struct nl_watch watch = {FG_LINK + SLIDE + TEXT_SITE, FG_LINK + SLIDE + TEXT_SITE + 5, 0, true, false};
	struct nl_scan scan;
	unsigned i;

	(void)state;
	for (i = 0; i < 2000; i++)
		fg_kprobe(FG_LINK + SLIDE + 0x8000 + 16 * i);
	nl_guest_init(&kernel.space, fg_views(), nl_current_view(), fg.ctx.cr3, false);
	nl_scan_init(&scan, &watch, 1);
	scan.until = x86_rdtsc(); /* which has passed */
	seam_looks = 0;
	i = nl_linux.probes(&kernel, &scan);
	assert_int_equal(i, NL_EDEADLINE);
}

/* Status is one piece with interrupts off: the table of probes is read once, not for each site. */
static void probes_are_read_once_for_status(void **state)
{
	static uint8_t sha[1][32];
	uint8_t bytes[8];
	unsigned i, one;

	(void)state;
	for (i = 0; i < 500; i++)
		fg_kprobe(FG_LINK + SLIDE + 0x8000 + 16 * i);
	make_start(&m, "many", 1, &fg.target);
	memset(bytes, 0x11, 8);
	for (i = 0; i < NL_LEAF_MAX_SITES; i++)
		make_site(&m, FG_LINK + DATA_SITE + 16 * i, fg_image(DATA_SITE + 16 * i), bytes, 8, 0, 0);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	seam_looks = 0;
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	one = seam_looks;
	assert_true(one < 10000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(probed_by_bytes),
	        T(probed_by_table),
	        T(probed_is_noted),
	        T(bytes_differ),
	        T(somebody_in_the_way),
	        T(blocker_is_named),
	        T(halted_cpus),
	        T(strict_leaf),
	        T(watched_half),
	        T(process_without_threads),
	        T(broken_lists),
	        T(tables_change_before_all_are_held),
	        T(arena_goes_before_all_are_held),
	        T(deep_stacks),
	        T(one_machine_check_a_call),
	        T(probes_know_the_limit),
	        T(probes_are_read_once_for_status),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
