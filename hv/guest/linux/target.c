// SPDX-License-Identifier: Apache-2.0
/* Linux's part of a target: what shifts, loops and buffers of kernel.c, tasks.c, queues.c, modules.c and hook.c are
 * bounded by. */
#include "guest/target.h"

enum nl_err nl_linux_target_check(const struct nl_leaf_target *t)
{
	const struct nl_leaf_field fields[] = {t->task_on_cpu, t->task_on_rq};
	const uint32_t block[] = {t->block_call, t->block_next, t->block_priority};

	/* A table is written to by index, and its page is all that is ours to write. */
	if (t->arena_pmd & NL_PAGE_MASK || t->kprobe_hash_bits > 16)
		return NL_ERANGE;
	if (t->nr_cpu_ids_max > 8192 || t->thread_size > 65536 || t->module_state.size > 8)
		return NL_ELEAF;
	NL_EACH(field, fields, NL_ARRAY_SIZE(fields))
		if (field->size == 0 || field->size > 8)
			return NL_ELEAF;
	NL_EACH(at, block, NL_ARRAY_SIZE(block))
		if (*at > NL_LINUX_BLOCK_SIZE - 8)
			return NL_ELEAF;
	return NL_OK;
}
