// SPDX-License-Identifier: Apache-2.0
/* Linux's part of a target: what kernel.c and tasks.c will rely on, as far as it can be judged without the machine. */
#include "guest/target.h"

/* The highest 2 GiB, where Linux links its image (SDM vol. 1, 3.3.7.1: canonical form keeps the rest of the top half
 * apart). */
#define KERNEL_LOW 0xffffffff80000000ULL

#define PER_CPU_MAX (16u << 20) /* a per-CPU area is smaller */

static bool is_per_cpu(const struct nl_leaf_target *t, uint64_t symbol)
{
	return symbol < PER_CPU_MAX || nl_in_image(t, symbol, 8);
}

static bool is_number(struct nl_leaf_field f) { return f.size == 1 || f.size == 2 || f.size == 4 || f.size == 8; }

/* What tells who may stand inside a site. All of it must be there: a leaf without it would be taken for one of a kernel
 * in which nobody can. Offset 0 is that of a field of another structure, except for the first of struct rq. */
static enum nl_err check_queues(const struct nl_leaf_target *t)
{
	const uint32_t needed[] = {t->task_cfs_node, t->task_rt_node, t->rq_cfs_tasks, t->rq_rt_queues, t->rq_cfs,
	                           t->rq_rt,         t->rq_curr,      t->rq_stop,      t->rq_dl_bw};
	const uint32_t ext[] = {t->task_ext_node, t->task_class, t->rq_ext_tasks, t->rq_ext};
	size_t i;

	for (i = 0; i < NL_ARRAY_SIZE(needed); i++)
		if (!needed[i])
			return NL_ELEAF;
	for (i = 0; i < NL_ARRAY_SIZE(ext); i++)
		if (!ext[i] != !t->ext_class)
			return NL_ELEAF;
	if (!is_number(t->task_on_cpu) || !is_number(t->task_on_rq) || !t->runqueues || t->server_attached_mask > 0xff)
		return NL_ELEAF;
	if (!is_per_cpu(t, t->runqueues) || !is_per_cpu(t, t->idle_threads) ||
	    (t->ext_class && !nl_in_image(t, t->ext_class, 8)) ||
	    (t->cfs_bandwidth && !nl_in_image(t, t->cfs_bandwidth, 4)) ||
	    (t->nr_cpu_ids && !nl_in_image(t, t->nr_cpu_ids, 4)))
		return NL_ERANGE;
	return NL_OK;
}

/* Code of the image, or none. */
static bool is_run(const struct nl_leaf_target *t, uint32_t run)
{
	uint64_t at = nl_region_start(t, NL_KERNEL_IMAGE) + NL_RUN_AT(run), size = NL_RUN_SIZE(run);

	return !run ||
	       (size && nl_inside(at, size, nl_region_start(t, NL_KERNEL_TEXT), nl_region_end(t, NL_KERNEL_TEXT)));
}

/* What modules are found by, and what tells of them. */
static enum nl_err check_modules(const struct nl_leaf_target *t)
{
	const uint32_t block[] = {t->block_call, t->block_next, t->block_priority};
	size_t i;

	if (!t->modules)
		return NL_OK;
	if (!nl_in_image(t, t->modules, 16) || !nl_in_image(t, t->module_notify, NL_LINUX_NOTIFY_MAX))
		return NL_ERANGE;
	if (t->module_size > 1u << 16 || !is_number(t->module_state) ||
	    !nl_inside(t->module_state.offset, t->module_state.size, 0, t->module_size) ||
	    !nl_inside(t->module_list, 16, 0, t->module_size) ||
	    !nl_inside(t->module_name, NL_OBJECT_NAME_LEN, 0, t->module_size))
		return NL_ELEAF;
	for (i = 0; i < NL_ARRAY_SIZE(block); i++)
		if (block[i] > NL_LINUX_BLOCK_SIZE - 8)
			return NL_ELEAF;
	return t->notify_count % 8 || t->notify_count > NL_LINUX_NOTIFY_MAX - 8 || t->notify_head % 8 ||
	                       t->notify_head > NL_LINUX_NOTIFY_MAX - 8
	               ? NL_ELEAF
	               : NL_OK;
}

enum nl_err nl_linux_target_check(const struct nl_leaf_target *t)
{
	const uint32_t offsets[] = {t->kprobe_hlist,     t->kprobe_addr,     t->task_tasks,
	                            t->task_thread_node, t->task_signal,     t->signal_thread_head,
	                            t->task_stack,       t->task_thread_sp,  t->task_pid,
	                            t->task_comm,        t->task_class,      t->task_cfs_node,
	                            t->task_rt_node,     t->task_ext_node,   t->task_rt_group,
	                            t->rq_cfs_tasks,     t->rq_rt_queues,    t->rq_ext_tasks,
	                            t->rq_tasks,         t->rq_cfs,          t->rq_rt,
	                            t->rq_ext,           t->rq_curr,         t->rq_stop,
	                            t->rq_dl_bw,         t->rq_server_bw[0], t->rq_server_bw[1],
	                            t->server_attached};
	enum nl_err err;
	size_t i;

	/* KASLR moves the image up by less than 1 GiB: with the image below the top by that much, no address with the
	 * slide wraps. */
	if (nl_region_start(t, NL_KERNEL_IMAGE) < KERNEL_LOW || nl_region_end(t, NL_KERNEL_IMAGE) > 0ULL - NL_1G)
		return NL_ERANGE;
	if (!nl_in_image(t, t->syscall_entry, 1) || !nl_in_image(t, t->page_table, NL_PAGE_SIZE) ||
	    t->page_table & NL_PAGE_MASK || !nl_in_image(t, t->init_task, 8) || !nl_in_image(t, t->per_cpu_offset, 8))
		return NL_ERANGE;
	if (t->arena_pmd && (!nl_in_image(t, t->arena_pmd, NL_PAGE_SIZE) || t->arena_pmd & NL_PAGE_MASK))
		return NL_ERANGE;
	if (t->return_thunk && !nl_in_image(t, t->return_thunk, 8))
		return NL_ERANGE;
	if ((t->return_default && !nl_in_image(t, t->return_plain, 1)) ||
	    (t->indirect_thunks && !nl_in_image(t, t->indirect_thunks, 16 * 32)) ||
	    (t->its_thunks && !nl_in_image(t, t->its_thunks, 16 * 64)))
		return NL_ERANGE;
	if (!is_run(t, t->probe_return) || !is_run(t, t->graph_return))
		return NL_ERANGE;
	if (t->kprobe_hash_bits > 16 ||
	    (t->kprobe_table && !nl_in_image(t, t->kprobe_table, 8ULL << t->kprobe_hash_bits)))
		return NL_ERANGE;
	if (t->nr_cpu_ids_max == 0 || t->nr_cpu_ids_max > 8192)
		return NL_ELEAF;
	/* Kernel stacks: a power of two from 8 to 64 KiB. */
	if (t->thread_size < 8192 || t->thread_size > 65536 || t->thread_size & (t->thread_size - 1))
		return NL_ELEAF;
	for (i = 0; i < NL_ARRAY_SIZE(offsets); i++)
		if (offsets[i] >= 1u << 16)
			return NL_ELEAF;
	err = check_queues(t);
	return err ? err : check_modules(t);
}
