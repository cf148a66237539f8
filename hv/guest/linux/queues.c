// SPDX-License-Identifier: Apache-2.0
/*
 * Linux's run queues: who may stand inside a site. A site holds no call and no access that may fault and sleep (the
 * author's tool refuses both), so a task that is inside has not given up its CPU by itself: an interrupt came, and the
 * way back from it called the scheduler (irqentry_exit, preempt_schedule_irq). Such a task stays queued, whatever its
 * state says (core.c:__schedule dequeues only when it was not SM_PREEMPT), and it stays so while it dies: off the lists
 * of tasks, which is why those alone are not enough. What else was read in kernel/sched of 5.10, 6.1, 6.12, 7.2, 7.3:
 *
 *   Moving to another CPU (core.c:move_queued_task; fair.c:detach_task, attach_task; deadline.c, rt.c: push, pull): a
 *   task between two queues is carried by a CPU with interrupts off at CPL 0. No such CPU is ever held.
 *   Waking (core.c:ttwu_queue_wakelist): not yet queued, but it slept.
 *   Fair class: rq->cfs_tasks holds each queued task of all groups, the current one too
 * (fair.c:account_entity_enqueue). A throttled group leaves the counts and not that list, until 6.18 takes single tasks
 * off where they return to user mode (fair.c:throttle_cfs_rq_work): in code of the kernel, where they may be preempted
 * once more. Real time: rq->rt.active.queue[], the current one too. Throttled (rt.c:dequeue_top_rt_rq): only off the
 * counts. sched_ext: scx.runnable_list, without the current one (ext.c:set_next_task_scx), whatever queue of a BPF
 * scheduler they are in. Deadline: a throttled task is in no tree, but its bandwidth stays in dl.this_bw
 * (deadline.c:update_curr_dl) until it blocks for good; one that is boosted, or special and without bandwidth, is in
 * rq->nr_running. Stop: never preempted. Idle tasks: tasks.c. Core scheduling leaves a task where its class has it.
 * Proxy execution does not (core.c:find_proxy_task may dequeue one that was preempted on its way into a mutex): the
 * author's tool refuses such a kernel.
 */
#include "guest/linux/walk.h"

#define MAX_RT_PRIO 100u /* include/linux/sched/rt.h, sched/prio.h: an interface of user space */
#define LIST_HEAD 16u

struct queue {
	const struct walk *w;
	uint64_t rq;
	uint32_t seen; /* tasks found, in all classes */
	bool sound;
};

/* What cannot be read is 0, and the queue is not sound. */
static uint64_t read(struct queue *q, uint64_t va, unsigned size)
{
	uint64_t v;

	if (nl_guest_load(&q->w->k->space, GVA(va), size, &v)) {
		q->sound = false;
		return 0;
	}
	return v;
}

static uint32_t number(struct queue *q, uint32_t at) { return (uint32_t)read(q, q->rq + at, 4); }
static uint64_t word(struct queue *q, uint64_t va) { return read(q, va, 8); }

/* Is it a group of real-time tasks, and no task (rt.c:rt_entity_is_task)? */
static bool is_group(struct queue *q, uint64_t task)
{
	return q->w->t->task_rt_group && word(q, task + q->w->t->task_rt_group);
}

/*
 * One list. *left: how many tasks it should hold, less those that it does. More of them are visited all the same; a
 * list that runs in a circle is left where it comes back to a node that was marked, at powers of two (Brent).
 */
static enum nl_err visit_list(struct queue *q, uint64_t head, uint32_t node_at, uint32_t *left)
{
	const struct walk *w = q->w;
	uint64_t node = head, mark = 0;
	uint32_t n = 0;
	enum nl_err err;

	while (!nl_guest_read64(&w->k->space, GVA(node + LIST_NEXT), &node) && node != mark) {
		if (node == head)
			return NL_OK;
		if (!(n & (n + 1)))
			mark = node;
		n++;
		q->seen++;
		q->sound &= *left > 0;
		*left -= *left > 0;
		if (node_at == w->t->task_rt_node && is_group(q, node - node_at))
			break;
		if ((err = w->visit(w, node - node_at)))
			return err;
	}
	q->sound = false;
	return NL_OK;
}

static bool runs_ext_task(struct queue *q)
{
	const struct nl_leaf_target *t = q->w->t;

	return word(q, word(q, q->rq + t->rq_curr) + t->task_class) == t->ext_class + q->w->k->slide;
}

static enum nl_err visit_ext(struct queue *q)
{
	const struct nl_leaf_target *t = q->w->t;
	uint32_t left = number(q, t->rq_ext);
	enum nl_err err;

	if (left && runs_ext_task(q)) {
		left--;
		q->seen++;
	}
	err = visit_list(q, q->rq + t->rq_ext_tasks, t->task_ext_node, &left);
	q->sound &= !left;
	return err;
}

/* The bandwidth of what serves the other classes as if it were a deadline task. */
static uint64_t servers(struct queue *q)
{
	const struct nl_leaf_target *t = q->w->t;
	uint64_t sum = 0;

	NL_EACH(bandwidth, t->rq_server_bw, NL_ARRAY_SIZE(t->rq_server_bw)) {
		uint64_t at = q->rq + *bandwidth;

		if (*bandwidth &&
		    (!t->server_attached_mask || (read(q, at + t->server_attached, 1) & t->server_attached_mask)))
			sum += word(q, at);
	}
	return sum;
}

static enum nl_err visit_queue(struct queue *q)
{
	const struct nl_leaf_target *t = q->w->t;
	uint32_t fair = number(q, t->rq_cfs), rt = number(q, t->rq_rt), i;
	uint64_t stop = word(q, q->rq + t->rq_stop);
	enum nl_err err;

	err = visit_list(q, q->rq + t->rq_cfs_tasks, t->task_cfs_node, &fair);
	for (i = 0; !err && rt && i < MAX_RT_PRIO; i++)
		err = visit_list(q, q->rq + t->rq_rt_queues + LIST_HEAD * i, t->task_rt_node, &rt);
	if (!err && t->ext_class)
		err = visit_ext(q);
	if (stop && read(q, stop + t->task_on_rq.offset, t->task_on_rq.size))
		q->seen++;
	q->sound &= !fair && !rt && q->seen == number(q, t->rq_tasks) && word(q, q->rq + t->rq_dl_bw) == servers(q);
	return err;
}

/* NR_CPUS is 8192 in a kernel of a distribution: more than the machine has, and than the window has time for. */
static uint32_t possible_cpus(const struct walk *w)
{
	const struct nl_leaf_target *t = w->t;
	uint32_t n;

	if (!t->nr_cpu_ids ||
	    nl_guest_read(&w->k->space, GVA(t->nr_cpu_ids + w->k->slide), NL_GUEST_READ, &n, sizeof(n)) ||
	    n > t->nr_cpu_ids_max)
		return t->nr_cpu_ids_max;
	return n;
}

/* May single tasks be taken off their queue: does the kernel do so, and has a group a quota? */
static bool throttles(const struct walk *w)
{
	uint64_t key = w->t->cfs_bandwidth;
	uint32_t users;

	return key &&
	       (nl_guest_read(&w->k->space, GVA(key + w->k->slide), NL_GUEST_READ, &users, sizeof(users)) || users);
}

enum nl_err nl_linux_visit_queues(const struct walk *w, bool *sound)
{
	uint32_t cpus = possible_cpus(w), i, queues = 0;
	enum nl_err err;

	*sound = !throttles(w);
	for (i = 0; i < cpus; i++) {
		struct queue q = {.w = w, .sound = true};

		if (!nl_linux_per_cpu(w, i, w->t->runqueues, &q.rq))
			return NL_EKERNEL;
		if (!q.rq)
			continue;
		queues++;
		if ((err = visit_queue(&q)))
			return err;
		*sound &= q.sound;
	}
	*sound &= queues > 0;
	return NL_OK;
}
