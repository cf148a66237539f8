// SPDX-License-Identifier: Apache-2.0
/* Walks over Linux's tasks and kprobes: see linux.h and guest.h. What is relied on is in include/linux of the target:
 * list_head, hlist, task_struct. */
#include "guest/linux/walk.h"
#include "x86.h"

#define MAX_TASKS (4u << 20) /* Linux's PID_MAX_LIMIT: against lists without an end; time is bounded by scan->until */
#define MAX_PROBES 65536u
#define JUMP_SIZE 5u
#define WORDS 64u /* of a stack, or heads of the kprobe table: read at once */

enum nl_err nl_linux_scan_words(const struct walk *w, uint64_t from, uint64_t to, uint32_t *old)
{
	uint64_t va = (from + 7) & ~7ULL, words[WORDS];
	bool blocks = false;

	if (va < from || to < from || to > 0ULL - NL_PAGE_SIZE || to - from > w->t->thread_size)
		return NL_EKERNEL; /* no stack of an honest kernel; and the sums below must not wrap */
	while (va < to) {
		uint64_t n = to - va < sizeof(words) ? to - va : sizeof(words), i;

		if (nl_guest_read(&w->k->space, GVA(va), NL_GUEST_READ, words, n))
			return NL_EKERNEL;
		for (i = 0; i < n / 8; i++)
			blocks |= nl_scan_word(w->scan, words[i], old);
		va += n;
	}
	return blocks ? NL_AGAIN : NL_OK;
}

static bool read_field(const struct walk *w, uint64_t object, struct nl_leaf_field field, uint64_t *out)
{
	return !nl_guest_load(&w->k->space, GVA(object + field.offset), field.size, out);
}

void nl_linux_name_task(const struct walk *w, uint64_t task)
{
	struct nl_blocker *b = &w->scan->blocker;

	if (nl_guest_read(&w->k->space, GVA(task + w->t->task_pid), NL_GUEST_READ, &b->pid, sizeof(b->pid)))
		b->pid = 0;
	if (nl_guest_read(&w->k->space, GVA(task + w->t->task_comm), NL_GUEST_READ, b->comm, sizeof(b->comm)))
		b->comm[0] = 0;
	b->comm[sizeof(b->comm) - 1] = 0;
}

void nl_linux_count_old(struct nl_scan *scan, uint32_t old)
{
	uint32_t i;

	if (old)
		scan->old_tasks++;
	for (i = 0; i < NL_MAX_LEAVES; i++)
		scan->old_by_leaf[i] += old >> i & 1;
}

/* The next try would take as long: one stop, not one after another. */
static bool too_late(const struct nl_scan *scan) { return scan->until && x86_rdtsc() > scan->until; }

static enum nl_err scan_task(const struct walk *w, uint64_t task)
{
	uint64_t on_cpu, stack, sp;
	uint32_t old = 0;
	enum nl_err err;

	if (too_late(w->scan))
		return NL_EDEADLINE;
	if (++w->scan->scanned > MAX_TASKS || !read_field(w, task, w->t->task_on_cpu, &on_cpu) ||
	    nl_guest_read64(&w->k->space, GVA(task + w->t->task_stack), &stack) ||
	    nl_guest_read64(&w->k->space, GVA(task + w->t->task_thread_sp), &sp)) {
		nl_linux_name_task(w, task);
		return NL_EKERNEL;
	}
	/* It has a CPU that is held: what was saved is old, and held.c reads its stack. Or it is dead and has given its
	 * stack back. */
	if ((on_cpu && (!w->running || nl_linux_has_cpu(task))) || !stack)
		return NL_OK;
	if (sp < stack || sp > stack + w->t->thread_size) {
		nl_linux_name_task(w, task);
		return NL_EKERNEL;
	}
	err = nl_linux_scan_words(w, sp, stack + w->t->thread_size, &old);
	if (w->counts)
		nl_linux_count_old(w->scan, old);
	if (err)
		nl_linux_name_task(w, task);
	return err;
}

static enum nl_err visit_threads(const struct walk *w, uint64_t leader)
{
	uint64_t signal, head, node;
	bool any = false;
	enum nl_err err;

	if (nl_guest_read64(&w->k->space, GVA(leader + w->t->task_signal), &signal))
		return NL_EKERNEL;
	if (!signal) /* on its way out of the lists */
		return w->visit(w, leader);
	node = head = signal + w->t->signal_thread_head;
	for (; !nl_guest_read64(&w->k->space, GVA(node + LIST_NEXT), &node); any = true) {
		if (node == head) /* so is who has none; and a walk in which nobody is visited would not be bounded */
			return any ? NL_OK : w->visit(w, leader);
		if ((err = w->visit(w, node - w->t->task_thread_node)))
			return err;
	}
	return NL_EKERNEL;
}

static enum nl_err visit_processes(const struct walk *w)
{
	/* init_task, the boot CPU's idle task, is the head of the list and is not in it as a process. */
	uint64_t head = w->t->init_task + w->k->slide + w->t->task_tasks, node = head;
	uint32_t count = 0;
	enum nl_err err;

	while (!nl_guest_read64(&w->k->space, GVA(node + LIST_NEXT), &node) && count++ <= MAX_TASKS) {
		if (node == head)
			return NL_OK;
		if ((err = visit_threads(w, node - w->t->task_tasks)))
			return err;
	}
	return NL_EKERNEL;
}

bool nl_linux_per_cpu(const struct walk *w, uint32_t cpu, uint64_t symbol, uint64_t *va)
{
	const struct nl_leaf_target *t = w->t;
	uint64_t area;

	if (nl_guest_read64(&w->k->space, GVA(t->per_cpu_offset + w->k->slide + 8ULL * cpu), &area))
		return false;
	/* A CPU that Linux does not think possible: nothing, or still the initial area, inside the image and long
	 * freed (setup_percpu.c: BOOT_PERCPU_OFFSET). */
	*va = 0;
	if (area && !nl_in_image(t, area - w->k->slide, 1))
		*va = area + symbol + (nl_in_image(t, symbol, 1) ? w->k->slide : 0);
	return true;
}

enum nl_err nl_linux_visit_per_cpu(const struct walk *w, uint64_t symbol, uint32_t offset)
{
	uint64_t at, task;
	enum nl_err err;
	uint32_t i;

	for (i = 0; i < w->t->nr_cpu_ids_max && i < nl_n_cpus; i++) {
		if (too_late(w->scan))
			return NL_EDEADLINE;
		if (!nl_linux_per_cpu(w, i, symbol, &at))
			return NL_EKERNEL;
		if (!at)
			continue;
		if (nl_guest_read64(&w->k->space, GVA(at + offset), &task))
			return NL_EKERNEL;
		if (task && (err = w->visit(w, task)))
			return err;
	}
	return NL_OK;
}

/* Idle tasks are on no list. They matter when another task has the CPU: a running one is on a CPU that is held. */
static enum nl_err visit_idle_tasks(const struct walk *w)
{
	return w->t->idle_threads ? nl_linux_visit_per_cpu(w, w->t->idle_threads, 0)
	                          : w->visit(w, w->t->init_task + w->k->slide);
}

/*
 * Inside a site may stand whom the run queues name; inside a replaced function anybody. Both walks are made for strict
 * leaves: one that dies is on a queue alone. Idle tasks have preemption off (init_idle; before 5.14 start_kernel,
 * start_secondary): another has their CPU only because they called the scheduler, and no site holds a call.
 */
enum nl_err nl_linux_scan(struct nl_kernel *k, struct nl_scan *scan)
{
	struct walk w = {.k = k, .t = k->target, .scan = scan, .visit = scan_task};
	enum nl_err err;
	bool sound;

	if ((err = nl_linux_find_hidden(k, scan)) || (err = nl_linux_scan_held(&w)) ||
	    (err = nl_linux_visit_queues(&w, &sound)))
		return err;
	scan->all = scan->held && (scan->anywhere || scan->strict || !sound);
	w.counts = scan->all;
	if (!scan->all || (err = visit_idle_tasks(&w)))
		return err;
	return visit_processes(&w);
}

/* A probe may at any time be made a jump, of whose bytes the last ones lie in the site, to a copy of what was there
 * when it was registered. */
static bool in_site(struct nl_scan *scan, uint64_t va)
{
	NL_EACH(w, scan->watches, scan->n)
		if (w->site && va + JUMP_SIZE > w->start && va < w->end) {
			scan->blocker.site_va = w->start;
			scan->blocker.rip = va;
			return true;
		}
	return false;
}

/* Kprobes that have one place in the table. */
static enum nl_err visit_probes(struct nl_kernel *k, struct nl_scan *scan, uint64_t node, uint32_t *count)
{
	const struct nl_leaf_target *t = k->target;
	uint64_t addr;

	while (node) {
		if (too_late(scan))
			return NL_EDEADLINE;
		if (++*count > MAX_PROBES ||
		    nl_guest_read64(&k->space, GVA(node - t->kprobe_hlist + t->kprobe_addr), &addr) ||
		    nl_guest_read64(&k->space, GVA(node + LIST_NEXT), &node))
			return NL_EKERNEL;
		if (in_site(scan, addr))
			return NL_EPROBED;
	}
	return NL_OK;
}

enum nl_err nl_linux_probes(struct nl_kernel *k, struct nl_scan *scan)
{
	const struct nl_leaf_target *t = k->target;
	uint32_t i, j, count = 0, n = t->kprobe_table ? 1u << t->kprobe_hash_bits : 0;
	uint64_t heads[WORDS];
	enum nl_err err;

	for (i = 0; i < n; i += WORDS) {
		uint32_t some = n - i < WORDS ? n - i : WORDS;

		if (nl_guest_read(&k->space, GVA(t->kprobe_table + k->slide + 8ULL * i), NL_GUEST_READ, heads,
		                  8 * some))
			return NL_EKERNEL;
		for (j = 0; j < some; j++)
			if (heads[j] && (err = visit_probes(k, scan, heads[j], &count)))
				return err;
	}
	return NL_OK;
}
