// SPDX-License-Identifier: Apache-2.0
/*
 * CPUs that are held at CPL 0, and who has a CPU: docs/explanation/orders.md has the rule and why each clause is there.
 * What is relied on: rq->curr is the next task before the stack pointer is (kernel/sched/core.c:__schedule), the idle
 * tasks have pid 0, kernel stacks are thread_size bytes, an interrupt stack's last word links to where it was entered
 * from (arch/x86/include/asm/irq_stack.h).
 */
#include "guest/linux/walk.h"
#include "core/core.h"

#define WORD 8u

/* Who has a CPU, as the queues say; filled when a CPU is held at CPL 0. */
static struct current {
	uint64_t task, stack;
} currents[NL_MAX_CPUS];
static uint32_t n_currents;

static enum nl_err note_current(const struct walk *w, uint64_t task)
{
	struct current c = {.task = task};

	if (n_currents == NL_MAX_CPUS || nl_guest_read64(&w->k->space, GVA(task + w->t->task_stack), &c.stack))
		return NL_EKERNEL;
	currents[n_currents++] = c;
	return NL_OK;
}

static enum nl_err find_currents(struct walk *w)
{
	const struct walk find = {.k = w->k, .t = w->t, .scan = w->scan, .visit = note_current};

	n_currents = 0;
	return nl_linux_visit_per_cpu(&find, w->t->runqueues, w->t->rq_curr);
}

bool nl_linux_has_cpu(uint64_t task)
{
	for (uint32_t i = 0; i < n_currents; i++)
		if (currents[i].task == task)
			return true;
	return false;
}

static const struct current *owner(const struct walk *w, uint64_t sp)
{
	for (uint32_t i = 0; i < n_currents; i++)
		if (currents[i].stack && sp - currents[i].stack < w->t->thread_size)
			return &currents[i];
	return NULL;
}

static bool is_idle(const struct walk *w, const struct current *c)
{
	uint32_t pid;

	return !nl_guest_read(&w->k->space, GVA(c->task + w->t->task_pid), NL_GUEST_READ, &pid, sizeof(pid)) && !pid;
}

/* The end of the interrupt stack in which it lies, or 0. They are as long as tasks', and begin at a page. */
static uint64_t irq_stack_end(const struct walk *w, uint64_t sp)
{
	for (uint32_t i = 0; w->t->irq_stack && i < w->t->nr_cpu_ids_max && i < nl_n_cpus; i++) {
		uint64_t at, end;

		if (!nl_linux_per_cpu(w, i, w->t->irq_stack, &at) || !at ||
		    nl_guest_read64(&w->k->space, GVA(at), &end))
			continue;
		end = (end + WORD) & ~NL_PAGE_MASK;
		if (end - WORD - sp < w->t->thread_size)
			return end;
	}
	return 0;
}

/* Code that a compiler made: what it holds of others' return addresses is on its stack or in a register. */
static bool in_c(const struct walk *w, uint64_t rip)
{
	const struct nl_leaf_target *t = w->t;
	uint64_t link = rip - w->k->slide, offset = link - nl_region_start(t, NL_KERNEL_IMAGE);

	for (size_t i = 0; i < NL_ARRAY_SIZE(t->nowhere); i++)
		if (offset - t->nowhere[i].offset < t->nowhere[i].size)
			return false;
	return rip >= nl_region_start(t, NL_KERNEL_TEXT) + w->k->slide;
}

/* *who: as far as it can be told, also of who is not good. */
static enum nl_err judge(const struct walk *w, const struct nl_held *h, const struct current **who)
{
	const uint64_t *registers = &h->gprs->rax;
	uint64_t sp = h->rsp, end = 0, link;
	const struct current *c = owner(w, sp);
	uint32_t old = 0;
	enum nl_err err = NL_OK;
	bool blocks;

	if (!c && w->scan->anywhere && (end = irq_stack_end(w, sp))) {
		if (nl_guest_read64(&w->k->space, GVA(end - WORD), &link))
			return NL_EKERNEL;
		err = nl_linux_scan_words(w, sp, end, &old);
		c = owner(w, sp = link);
	}
	*who = c;
	if (!c || (!(h->halted && !end && is_idle(w, c)) && (!w->scan->anywhere || !in_c(w, h->rip))))
		return NL_ESTANDS;
	blocks = err || nl_scan_word(w->scan, h->rip, &old);
	for (size_t i = 0; i < sizeof(*h->gprs) / sizeof(*registers); i++)
		blocks |= nl_scan_word(w->scan, registers[i], &old);
	err = nl_linux_scan_words(w, sp, c->stack + w->t->thread_size, &old);
	nl_linux_count_old(w->scan, old);
	return err ? err : blocks ? NL_AGAIN : NL_OK;
}

enum nl_err nl_linux_scan_held(struct walk *w)
{
	const struct current *who = NULL;
	enum nl_err err;

	for (unsigned i = 0; w->scan->held && i < nl_n_cpus; i++) {
		const struct nl_held *h = &w->scan->held[i];

		/* Both below: the firmware's wait loop, which a CPU leaves by INIT only. */
		if (!h->held || h->cpl == 3 || !(h->rip >> 63 | h->rsp >> 63))
			continue;
		if (!w->running && (err = find_currents(w)))
			return err;
		w->running = true;
		w->scan->blocker.cpu = i;
		w->scan->blocker.rip = h->rip;
		err = judge(w, h, &who);
		if (err && who)
			nl_linux_name_task(w, who->task);
		if (err)
			return err;
	}
	w->scan->blocker.cpu = UINT32_MAX;
	return NL_OK;
}

void nl_linux_name(struct nl_kernel *k, uint64_t sp, struct nl_blocker *blocker)
{
	static struct nl_scan scan;
	struct walk w = {.k = k, .t = k->target, .scan = &scan};
	const struct current *c = find_currents(&w) ? NULL : owner(&w, sp);

	memset(&scan.blocker, 0, sizeof(scan.blocker));
	if (c)
		nl_linux_name_task(&w, c->task);
	blocker->pid = scan.blocker.pid;
	memcpy(blocker->comm, scan.blocker.comm, sizeof(blocker->comm));
}
