// SPDX-License-Identifier: Apache-2.0
/*
 * Code that goes on where no stack says. Kretprobes and the function graph tracer put the address of their own code in
 * the place of a return address, which they keep on a list of the task's (kernel/trace/rethook.c, kernel/kprobes.c,
 * kernel/trace/fgraph.c). No leaf has a call inside a site: what is hidden so is in none. A kprobe's copy of the
 * instruction that was probed ends with a jump behind that instruction, or is stepped over, and an optimised one's
 * detour likewise (arch/x86/kernel/kprobes/): who is there will be where that was, though the probe be off the table.
 */
#include "guest/linux/walk.h"

/* NL_EPROBED: there are more than can be looked at. */
static enum nl_err hide(struct nl_scan *scan, uint64_t at, uint64_t size, bool sites)
{
	if (scan->n_hidden == NL_MAX_HIDDEN)
		return NL_EPROBED;
	scan->hidden[scan->n_hidden++] = (struct nl_hidden){at, size, sites};
	if (at <= scan->low)
		scan->low = at - 1;
	if (at + size > scan->high)
		scan->high = at + size;
	return NL_OK;
}

static enum nl_err hide_slots(struct nl_kernel *k, struct nl_scan *scan, uint64_t cache)
{
	uint64_t head = cache + k->slide + k->target->slots_pages, node = head, page;
	enum nl_err err = NL_OK;

	while (!err && cache) {
		if (nl_guest_read64(&k->space, GVA(node + LIST_NEXT), &node))
			return NL_EKERNEL;
		if (node == head)
			break;
		if (nl_guest_read64(&k->space, GVA(node - k->target->slots_list + k->target->slots_insns), &page) ||
		    !(page >> 63) || page & NL_PAGE_MASK) /* at 0 it would hide everything else from the scan */
			return NL_EKERNEL;
		err = hide(scan, page, NL_PAGE_SIZE, true);
	}
	return err;
}

enum nl_err nl_linux_find_hidden(struct nl_kernel *k, struct nl_scan *scan)
{
	const struct nl_leaf_target *t = k->target;
	enum nl_err err = NL_OK;

	if (scan->anywhere && (!t->nowhere[0].size || !t->irq_stack || (t->kprobe_table && !t->probe_slots[0])))
		return NL_EUNSUPPORTED;
	scan->n_hidden = 0;
	NL_EACH(r, t->returns, NL_ARRAY_SIZE(t->returns))
		if (r->size)
			hide(scan, nl_region_start(t, NL_KERNEL_IMAGE) + k->slide + r->offset, r->size, false);
	for (size_t i = 0; i < NL_ARRAY_SIZE(t->probe_slots) && !err; i++)
		err = hide_slots(k, scan, t->probe_slots[i]);
	return err;
}
