// SPDX-License-Identifier: Apache-2.0
/* The part of struct nl_leaf_target that tells the hypervisor how to walk the run queues: hv/guest/linux/queues.c. */
#include "linux_target.h"
#include "types.h"

#include <newleaf/types.h>

static const char *const why = "the hypervisor walks the run queues";

static uint32_t at(const struct kernel *k, const char *type, const char *path)
{
	return member_find(k, type, path, why).offset;
}

static uint32_t count_at(const struct kernel *k, const char *path)
{
	struct member m = member_find(k, "struct rq", path, why);

	if (m.size != 4)
		refuse(NL_EKERNEL, "%s: rq.%s has %u bytes, not 4", k->path, path, m.size);
	return m.offset;
}

static struct nl_leaf_field number_at(const struct kernel *k, const char *path)
{
	struct member m = member_find(k, "struct task_struct", path, why);

	if (m.size != 1 && m.size != 2 && m.size != 4 && m.size != 8)
		refuse(NL_EKERNEL, "%s: task_struct.%s has %u bytes", k->path, path, m.size);
	return (struct nl_leaf_field){(uint16_t)m.offset, (uint16_t)m.size};
}

static uint32_t at_or_0(const struct kernel *k, const char *type, const char *path)
{
	struct member m;

	return member_maybe(k, type, path, why, &m) ? m.offset : 0;
}

/* What the walk takes for granted. */
static void check_shapes(const struct kernel *k)
{
	struct member queues = member_find(k, "struct rq", "rt.active.queue", why), donor;

	if (at(k, "struct list_head", "next") || at(k, "struct static_key", "enabled"))
		refuse(NL_EKERNEL, "%s: a list or a static key does not begin as it did", k->path);
	if (queues.array_count != 100)
		refuse(NL_EKERNEL, "%s: there are %u real-time priorities, not 100", k->path, queues.array_count);
	/* sched.h: without it both are one member. */
	if (member_maybe(k, "struct rq", "donor", why, &donor) && donor.offset != at(k, "struct rq", "curr"))
		refuse(NL_EKERNEL,
		       "%s: built with CONFIG_SCHED_PROXY_EXEC: a task that was preempted may be on no run queue",
		       k->path);
}

static void fill_sched_ext(struct nl_leaf_target *t, const struct kernel *k)
{
	struct member scx;

	if (!member_maybe(k, "struct rq", "scx", why, &scx))
		return;
	t->ext_class = kernel_symbol(k, "ext_sched_class");
	t->rq_ext_tasks = at(k, "struct rq", "scx.runnable_list");
	t->rq_ext = count_at(k, "scx.nr_running");
	t->task_ext_node = at(k, "struct task_struct", "scx.runnable_node");
	t->task_class = at(k, "struct task_struct", "sched_class");
}

static void fill_deadline(struct nl_leaf_target *t, const struct kernel *k)
{
	uint32_t bit;

	t->rq_dl_bw = at(k, "struct rq", "dl.this_bw");
	t->rq_server_bw[0] = at_or_0(k, "struct rq", "fair_server.dl_bw");
	t->rq_server_bw[1] = at_or_0(k, "struct rq", "ext_server.dl_bw");
	if (!member_bit(k, "struct sched_dl_entity", "dl_bw_attached", why, &bit))
		return;
	t->server_attached = bit / 8 - at(k, "struct sched_dl_entity", "dl_bw");
	t->server_attached_mask = 1u << bit % 8;
}

void linux_queues_fill(struct nl_leaf_target *t, const struct kernel *k)
{
	check_shapes(k);
	t->runqueues = kernel_symbol(k, "runqueues");
	/* Since then throttled tasks, not groups, are taken off: sched/fair.c:throttle_cfs_rq_work. */
	if (at_or_0(k, "struct task_struct", "throttle_node"))
		t->cfs_bandwidth = kernel_symbol(k, "__cfs_bandwidth_used");
	t->task_on_cpu = number_at(k, "on_cpu");
	t->task_on_rq = number_at(k, "on_rq");
	t->task_cfs_node = at(k, "struct task_struct", "se.group_node");
	t->task_rt_node = at(k, "struct task_struct", "rt.run_list");
	t->task_rt_group = at_or_0(k, "struct task_struct", "rt.my_q");
	t->rq_tasks = count_at(k, "nr_running");
	t->rq_cfs = count_at(k, at_or_0(k, "struct rq", "cfs.h_nr_queued") ? "cfs.h_nr_queued" : "cfs.h_nr_running");
	t->rq_rt = count_at(k, "rt.rt_nr_running");
	t->rq_cfs_tasks = at(k, "struct rq", "cfs_tasks");
	t->rq_rt_queues = at(k, "struct rq", "rt.active.queue");
	t->rq_curr = at(k, "struct rq", "curr");
	t->rq_stop = at(k, "struct rq", "stop");
	fill_sched_ext(t, k);
	fill_deadline(t, k);
}
