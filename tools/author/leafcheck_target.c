// SPDX-License-Identifier: Apache-2.0
/*
 * What a leaf says of its kernel and of modules, as far as it can be judged without them: see leafcheck.h. The
 * hypervisor reads by it in the guest's memory, which may hold anything; what is wrong here is found there late, or as
 * another kernel.
 */
#include "leafcheck.h"

#include <string.h>

/* The highest 2 GiB, where Linux links its image (SDM vol. 1, 3.3.7.1: canonical form keeps the rest of the top half
 * apart). */
#define KERNEL_LOW 0xffffffff80000000ULL

#define PER_CPU_MAX (16u << 20) /* a per-CPU area is smaller */
#define NOTIFY_MAX 256u         /* bytes: no struct blocking_notifier_head is longer */

/* What every object says of itself: nothing behind its regions and its build-id, which lies in one of them. */
static bool object_ok(const struct nl_leaf_object *o)
{
	return !o->reserved &&
	       leafcheck_is_zero(o->regions + o->n_regions, (NL_MAX_REGIONS - o->n_regions) * sizeof(o->regions[0])) &&
	       leafcheck_is_zero(o->build_id + o->build_id_len, NL_BUILD_ID_MAX - o->build_id_len);
}

static bool build_id_inside(const struct nl_leaf_object *o)
{
	return nl_inside(o->build_id_offset, o->build_id_len, 0, o->regions[o->build_id_region].size);
}

/* Three regions in their order, two of them inside the first. */
static enum nl_err check_kernel(const struct nl_leaf_object *o)
{
	static const char name[NL_OBJECT_NAME_LEN] = "vmlinux";
	const struct nl_leaf_region *image = &o->regions[NL_KERNEL_IMAGE];

	if (o->kind != NL_OBJECT_KERNEL || o->n_regions != NL_KERNEL_REGIONS || memcmp(o->name, name, sizeof(name)) ||
	    !object_ok(o))
		return NL_ELEAF;
	if (!image->size || image->base + image->size < image->base)
		return NL_ERANGE;
	for (uint32_t i = 0; i < NL_KERNEL_REGIONS; i++) {
		const struct nl_leaf_region *r = &o->regions[i];

		if (r->kind != NL_MEM_IMAGE + i || r->pointer_at || r->size_at)
			return NL_ELEAF;
		if (!nl_inside(r->base, r->size, image->base, image->base + image->size))
			return NL_ERANGE;
	}
	return build_id_inside(o) ? NL_OK : NL_ERANGE;
}

enum nl_err leafcheck_module(const struct nl_leaf_target *t, const struct nl_leaf_object *o)
{
	size_t n;

	if (!t->modules)
		return NL_EUNSUPPORTED;
	for (n = 0; o->name[n] > ' ' && o->name[n] <= '~'; n++)
		;
	if (o->kind != NL_OBJECT_MODULE || !object_ok(o) || !n || !leafcheck_is_zero(o->name + n, sizeof(o->name) - n))
		return NL_EOBJECT;
	for (uint32_t i = 0; i < o->n_regions; i++) {
		const struct nl_leaf_region *r = &o->regions[i];

		if (r->kind < NL_MEM_IMAGE || r->kind > NL_MEM_PERCPU || r->base || !r->size ||
		    !nl_inside(r->pointer_at, 8, 0, t->module_size) || !nl_inside(r->size_at, 4, 0, t->module_size))
			return NL_EOBJECT;
	}
	if (!build_id_inside(o) || nl_region_is_init(&o->regions[o->build_id_region]) ||
	    o->regions[o->build_id_region].kind == NL_MEM_PERCPU)
		return NL_EOBJECT;
	return NL_OK;
}

static bool is_per_cpu(const struct nl_leaf_target *t, uint64_t symbol)
{
	return symbol < PER_CPU_MAX || nl_in_image(t, symbol, 8);
}

static bool is_number(struct nl_leaf_field f) { return f.size == 1 || f.size == 2 || f.size == 4 || f.size == 8; }

/* In the image, or none. */
static bool is_symbol(const struct nl_leaf_target *t, uint64_t va, uint64_t size)
{
	return !va || nl_in_image(t, va, size);
}

/* What tells who may stand inside a site. All of it must be there: a leaf without it would be taken for one of a kernel
 * in which nobody can. Offset 0 is that of a field of another structure, except for the first of struct rq. */
static enum nl_err check_queues(const struct nl_leaf_target *t)
{
	const uint32_t needed[] = {t->task_cfs_node, t->task_rt_node, t->rq_cfs_tasks, t->rq_rt_queues, t->rq_cfs,
	                           t->rq_rt,         t->rq_curr,      t->rq_stop,      t->rq_dl_bw};
	const uint32_t ext[] = {t->task_ext_node, t->task_class, t->rq_ext_tasks, t->rq_ext};

	for (size_t i = 0; i < NL_ARRAY_SIZE(needed); i++)
		if (!needed[i])
			return NL_ELEAF;
	for (size_t i = 0; i < NL_ARRAY_SIZE(ext); i++)
		if (!ext[i] != !t->ext_class)
			return NL_ELEAF;
	if (!is_number(t->task_on_cpu) || !is_number(t->task_on_rq) || !t->runqueues || t->server_attached_mask > 0xff)
		return NL_ELEAF;
	return is_per_cpu(t, t->runqueues) && is_per_cpu(t, t->idle_threads) && is_symbol(t, t->ext_class, 8) &&
	                       is_symbol(t, t->cfs_bandwidth, 4) && is_symbol(t, t->nr_cpu_ids, 4)
	               ? NL_OK
	               : NL_ERANGE;
}

/* Code of the image, or none. */
static bool are_runs(const struct nl_leaf_target *t, const struct nl_leaf_run *runs, size_t n)
{
	const struct nl_leaf_region *text = &t->kernel.regions[NL_KERNEL_TEXT];
	uint64_t image = nl_region_start(t, NL_KERNEL_IMAGE);

	for (size_t i = 0; i < n; i++)
		if (runs[i].size ? !nl_inside(image + runs[i].offset, runs[i].size, text->base, text->base + text->size)
		                 : runs[i].offset)
			return false;
	return true;
}

/* What a commit without an agent knows besides: all of it, or nothing. */
static bool is_agentless(const struct nl_leaf_target *t)
{
	return are_runs(t, t->nowhere, NL_ARRAY_SIZE(t->nowhere)) && is_per_cpu(t, t->irq_stack) &&
	       is_symbol(t, t->probe_slots[0], 8) && is_symbol(t, t->probe_slots[1], 8) && is_symbol(t, t->formats, 16);
}

/* What modules are found by, and what tells of them. */
static enum nl_err check_modules(const struct nl_leaf_target *t)
{
	if (!t->modules)
		return NL_OK;
	if (!nl_in_image(t, t->modules, 16) || !nl_in_image(t, t->module_notify, NOTIFY_MAX))
		return NL_ERANGE;
	if (t->module_size > 1u << 16 || !is_number(t->module_state) ||
	    !nl_inside(t->module_state.offset, t->module_state.size, 0, t->module_size) ||
	    !nl_inside(t->module_list, 16, 0, t->module_size) ||
	    !nl_inside(t->module_name, NL_OBJECT_NAME_LEN, 0, t->module_size))
		return NL_ELEAF;
	return t->notify_count % 8 || t->notify_count > NOTIFY_MAX - 8 || t->notify_head % 8 ||
	                       t->notify_head > NOTIFY_MAX - 8
	               ? NL_ELEAF
	               : NL_OK;
}

static enum nl_err check_linux(const struct nl_leaf_target *t)
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
	                            t->server_attached,  t->slots_pages,     t->slots_list,
	                            t->slots_insns,      t->format_load};
	enum nl_err err;

	/* KASLR moves the image up by less than 1 GiB: with the image below the top by that much, no address with the
	 * slide wraps. */
	if (nl_region_start(t, NL_KERNEL_IMAGE) < KERNEL_LOW || nl_region_end(t, NL_KERNEL_IMAGE) > 0ULL - NL_1G)
		return NL_ERANGE;
	if (!nl_in_image(t, t->syscall_entry, 1) || !nl_in_image(t, t->page_table, NL_PAGE_SIZE) ||
	    t->page_table & NL_PAGE_MASK || !nl_in_image(t, t->init_task, 8) || !nl_in_image(t, t->per_cpu_offset, 8))
		return NL_ERANGE;
	if (!is_symbol(t, t->arena_pmd, NL_PAGE_SIZE) || !is_symbol(t, t->return_thunk, 8) ||
	    (t->return_default && !nl_in_image(t, t->return_plain, 1)) || !is_symbol(t, t->indirect_thunks, 16 * 32) ||
	    !is_symbol(t, t->its_thunks, 16 * 64) || !are_runs(t, t->returns, NL_ARRAY_SIZE(t->returns)) ||
	    !is_agentless(t) || !is_symbol(t, t->kprobe_table, 8ULL << t->kprobe_hash_bits))
		return NL_ERANGE;
	/* Kernel stacks: a power of two, from 8 KiB. */
	if (!t->nr_cpu_ids_max || t->thread_size < 8192 || t->thread_size & (t->thread_size - 1))
		return NL_ELEAF;
	for (size_t i = 0; i < NL_ARRAY_SIZE(offsets); i++)
		if (offsets[i] >= 1u << 16)
			return NL_ELEAF;
	err = check_queues(t);
	return err ? err : check_modules(t);
}

enum nl_err leafcheck_target(const struct nl_leaf_target *t)
{
	enum nl_err err = check_kernel(&t->kernel);

	return err ? err : check_linux(t);
}
