// SPDX-License-Identifier: Apache-2.0
/*
 * The instrument: the product's own core, in which a transaction can be told to do without its freeze or its scan, and
 * to show what it changes in another order (litmus.h). The core's files are compiled unchanged; rules.mk renames those
 * functions in single files that are asked for here:
 *
 *   hv/commit/commit.c        nl_freeze, nl_thaw, nl_publish_view
 *   hv/guest/linux/kernel.c   nl_linux_scan
 *   hv/exits/exit.c           nl_current_view (what hv_before_entry loads), hv_exit
 *
 * It also has the door through which the test kernel asks for cells (cell.c).
 *
 * Until it is told something, it does what the product does.
 */
#include "litmus.h"
#include "races.h"
#include "../guest/cell/commands.h"
#include "commit/generation.h"
#include "commit/quiesce.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/cpu.h"
#include "guest/linux/linux.h"
#include "view/current.h"
#include "x86.h"

#define LATE_US 2000000u /* a CPU that has not answered a kick by then: the emulator has no time for it */

/* Declared here, since the core's headers know no renamed function. */
enum nl_err lit_freeze(struct nl_cpu *self, const struct nl_context *ctx, bool look_only, struct nl_freeze_result *r);
void lit_thaw(struct nl_cpu *self, struct nl_freeze_result *r);
void lit_publish_view(struct nl_view *view);
const struct nl_view *lit_current_view(void);
enum nl_err lit_scan(struct nl_kernel *k, struct nl_scan *scan);
void lit_core_exit(struct nl_cpu *cpu, const struct nl_exit *exit);
void hv_exit(struct nl_cpu *cpu, const struct nl_exit *exit);
void race_dawdle(void);
void race_exits(const struct nl_cpu *cpu);
void race_call(struct nl_cpu *cpu);
void cell_call(struct nl_cpu *cpu);
void echo_exit(void);

static enum litmus_order order = LITMUS_ROOT;
static bool with_freeze = true, with_scan = true;
static uint32_t skew; /* instructions */
static struct nl_cpu *initiator;

/* What CPUs load while a transaction is between two views: shown[] by CPU, or by the task that a CPU runs. */
static enum { SETTLED, BY_CPU, BY_TASK } between;
static struct nl_view shown[NL_MAX_CPUS];
static const struct nl_view *old_view, *new_view;
static uint64_t numbers; /* how often a root was to be loaded that no generation's number tells */
static struct {
	bool lives, pending, flipped;
	uint32_t cpu; /* the last one it ran on */
} tasks[LITMUS_MAX_TASKS];
static uint32_t task_of[NL_MAX_CPUS]; /* 0: nobody */

/* With pauses: an emulator that runs the CPUs in turns goes to the next one there. */
static void spin(void)
{
	for (uint32_t n = skew / 2; n; n--) { /* DEC and JNZ */
		if (n % 500 == skew / 2 % 500)
			x86_pause();
		__asm__ volatile("");
	}
}

enum nl_err lit_freeze(struct nl_cpu *self, const struct nl_context *ctx, bool look_only, struct nl_freeze_result *r)
{
	initiator = self;
	if (with_freeze)
		return nl_freeze(self, ctx, look_only, r);
	memset(r, 0, sizeof(*r));
	r->held = r->total = 1;
	r->blocker.cpu = UINT32_MAX;
	return NL_OK;
}

void lit_thaw(struct nl_cpu *self, struct nl_freeze_result *r)
{
	if (with_freeze)
		nl_thaw(self, r);
}

enum nl_err lit_scan(struct nl_kernel *k, struct nl_scan *scan) { return with_scan ? nl_linux_scan(k, scan) : NL_OK; }

/* --- Who loads what --- */

const struct nl_view *lit_current_view(void)
{
	const struct nl_cpu *cpu = nl_this_cpu();

	if (nl_quiesce_pending() || cpu->root_generation != nl_current_view()->generation)
		race_dawdle(); /* beside a freeze, and at each flip: it looks late, or finds another freeze behind it */
	switch (__atomic_load_n(&between, __ATOMIC_ACQUIRE)) {
	case BY_CPU:
		return &shown[cpu->index];
	case BY_TASK:
		if (!with_scan && tasks[task_of[cpu->index]].pending)
			tasks[task_of[cpu->index]].flipped = true;
		return tasks[task_of[cpu->index]].flipped ? new_view : old_view;
	default:
		return nl_current_view();
	}
}

static bool takes_part(unsigned cpu)
{
	return nl_cpus[cpu] && nl_cpus[cpu] != initiator && nl_cpu_is_running(nl_cpus[cpu]);
}

/* Without a freeze: out of the guest and back, so that it loads what it is shown. Held CPUs do so at the thaw. */
static void kick(unsigned cpu)
{
	if (!with_freeze && takes_part(cpu))
		nl_vendor->kick(nl_cpus[cpu]);
}

static void await(unsigned cpu, uint64_t generation)
{
	uint64_t end = x86_rdtsc() + nl_us_to_tsc(LATE_US);

	while (!with_freeze && takes_part(cpu) && x86_rdtsc() < end &&
	       __atomic_load_n(&nl_cpus[cpu]->root_generation, __ATOMIC_SEQ_CST) != generation)
		x86_pause();
}

/* Every CPU loads the view that is current now. */
static void settle(const struct nl_view *view)
{
	unsigned i;

	__atomic_store_n(&between, SETTLED, __ATOMIC_SEQ_CST);
	for (i = 0; i < nl_n_cpus; i++)
		kick(i);
	for (i = 0; i < nl_n_cpus; i++)
		await(i, view->generation);
}

static void show(unsigned cpu, const struct nl_view *view)
{
	shown[cpu].root = view->root;
	__atomic_store_n(&shown[cpu].generation, view->generation, __ATOMIC_RELEASE);
}

/* --- The orders --- */

static void root_at_once(struct nl_view *view)
{
	nl_publish_view(view);
	spin();
	settle(view);
}

static void cpu_by_cpu(struct nl_view *view)
{
	unsigned i;

	for (i = 0; i < nl_n_cpus; i++)
		show(i, nl_current_view());
	__atomic_store_n(&between, BY_CPU, __ATOMIC_SEQ_CST);
	for (i = 0; i < nl_n_cpus; i++) {
		show(i, view);
		kick(i);
		await(i, view->generation);
		spin();
	}
	nl_publish_view(view);
	settle(view);
}

/* The next view is shown with the contents of the last one. Its tables are its own from the root to each changed page,
 * where entries are then replaced, one store each: a CPU sees it when it walks there. */
static void page_by_page(struct nl_view *view)
{
	static struct {
		gpa_t gpa;
		hpa_t fresh;
		enum nl_rights rights;
	} pages[2 * NL_MAX_PAGES];
	const struct nl_generation *was = nl_generation_current(), *next = (const struct nl_generation *)view;
	const struct nl_view *from = &was->view;
	uint32_t i, n = 0;
	struct nl_shown before, after;

	_Static_assert(offsetof(struct nl_generation, view) == 0, "a view that is published is a generation's");
	for (i = 0; i < was->n_pages + next->n_pages; i++) {
		gpa_t gpa = GPA(i < was->n_pages ? was->pages[i].gpa : next->pages[i - was->n_pages].gpa);

		if (!nl_view_walk(nl_views(), view, gpa, &after) || !nl_view_walk(nl_views(), from, gpa, &before) ||
		    before.at.v == after.at.v)
			continue;
		pages[n].gpa = gpa;
		pages[n].fresh = after.at;
		pages[n].rights = after.rights;
		if (nl_view_set_page(nl_views(), view, from, gpa, before.at, after.rights))
			nl_panic("litmus: no page");
		n++;
	}
	nl_publish_view(view);
	settle(view);
	for (i = 0; i < n; i++) {
		spin();
		nl_view_set_page(nl_views(), view, from, pages[i].gpa, pages[i].fresh, pages[i].rights);
	}
	/* Whoever has an old translation still forgets it by loading the root anew, under a number of its own. */
	for (i = 0; i < nl_n_cpus; i++)
		show(i, &(struct nl_view){.root = view->root, .generation = view->generation | ++numbers << 32});
	__atomic_store_n(&between, BY_CPU, __ATOMIC_SEQ_CST);
	for (i = 0; i < nl_n_cpus; i++)
		kick(i);
	for (i = 0; i < nl_n_cpus; i++)
		await(i, shown[i].generation);
	settle(view);
}

static void task_by_task(struct nl_view *view)
{
	uint64_t end = x86_rdtsc() + nl_us_to_tsc(LATE_US);
	unsigned i, j;

	old_view = nl_current_view();
	new_view = view;
	for (i = 0; i < LITMUS_MAX_TASKS; i++)
		tasks[i].pending = tasks[i].flipped = false;
	__atomic_store_n(&between, BY_TASK, __ATOMIC_SEQ_CST);
	for (i = 0; i < LITMUS_MAX_TASKS; i++) {
		if (!tasks[i].lives)
			continue;
		tasks[i].pending = true;
		if (with_freeze || tasks[i].cpu == initiator->index)
			tasks[i].flipped = true;
		for (j = 0; j < nl_n_cpus; j++)
			if (task_of[j] == i)
				kick(j);
		spin();
	}
	for (i = 0; i < LITMUS_MAX_TASKS; i++)
		while (tasks[i].lives && !__atomic_load_n(&tasks[i].flipped, __ATOMIC_ACQUIRE) && x86_rdtsc() < end)
			x86_pause();
	nl_publish_view(view);
	settle(view);
}

void lit_publish_view(struct nl_view *view)
{
	static void (*const orders[])(struct nl_view * view) = {root_at_once, page_by_page, cpu_by_cpu, task_by_task};

	orders[order](view);
}

/* --- The leaves of CPUID --- */

static void call(struct nl_cpu *cpu)
{
	uint32_t how = (uint32_t)cpu->gprs.rbx, what = how % LITMUS_MAX_TASKS;

	switch ((enum litmus_call)cpu->gprs.rcx) {
	case LITMUS_SET:
		order = (how & 0xf) % LITMUS_ORDERS;
		with_freeze = how & LITMUS_FREEZE;
		with_scan = how & LITMUS_SCAN;
		skew = (uint32_t)cpu->gprs.rdx;
		memset(tasks, 0, sizeof(tasks));
		memset(task_of, 0, sizeof(task_of));
		break;
	case LITMUS_ENTER:
		tasks[what].flipped |= tasks[what].pending;
		__attribute__((fallthrough));
	case LITMUS_RESUME:
		tasks[what].lives = true;
		tasks[what].cpu = cpu->index;
		task_of[cpu->index] = what;
		break;
	default:
		break;
	}
	cpu->gprs.rax = LITMUS_PRESENT;
}

void hv_exit(struct nl_cpu *cpu, const struct nl_exit *exit)
{
	uint32_t leaf = exit->cause == NL_CAUSE_CPUID ? (uint32_t)cpu->gprs.rax : 0;
	struct nl_context c;

	race_exits(cpu);
	echo_exit();
	if (leaf == LITMUS_LEAF || leaf == CELL_LEAF) {
		nl_vendor->context(cpu, &c);
		leaf = c.cpl ? 0 : leaf;
	}
	if (leaf != LITMUS_LEAF && leaf != CELL_LEAF && leaf != RACES_LEAF) {
		lit_core_exit(cpu, exit);
		return;
	}
	cpu->exits[NL_CAUSE_CPUID]++;
	(leaf == RACES_LEAF ? race_call : leaf == CELL_LEAF ? cell_call : call)(cpu);
	nl_vendor->skip(cpu, exit->length);
}
