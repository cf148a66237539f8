// SPDX-License-Identifier: Apache-2.0
/*
 * Modules, from raw memory: see guest.h. Linux keeps them in one list (kernel/module/main.c, before 5.18
 * kernel/module.c, read in 5.10, 6.1, 6.12, 7.2, 7.3): there from add_unformed_module to free_module, each name once.
 * Its state says more: UNFORMED until relocations, alternatives and rights are done (complete_formation), COMING until
 * its initialiser has returned, then LIVE; GOING from before its exit function, or when its load has failed. A module
 * that is COMING or LIVE keeps its text and data; what only the initialiser needs is unlinked from struct module before
 * it is freed (do_init_module).
 */
#include "guest/linux/walk.h"
#include "core/core.h"

enum { LIVE = 0, COMING = 1 };

#define MAX_MODULES 4096u
#define WALKS 3u /* the guest may take out the module that is being looked at */

enum nl_err nl_linux_module_named(struct nl_kernel *k, uint64_t va, const char *name)
{
	char found[NL_OBJECT_NAME_LEN];

	if (nl_guest_read(&k->space, GVA(va + k->target->module_name), NL_GUEST_READ, found, sizeof(found)))
		return NL_EKERNEL;
	return memcmp(found, name, strlen(name) + 1) ? NL_NOTHING : NL_OK;
}

/* Where a region is; *base 0: freed. NL_EMODULE: it is not what the leaf says; NL_EKERNEL: that cannot be read. */
static enum nl_err read_region(struct nl_guest *space, uint64_t va, const struct nl_leaf_region *r, uint64_t *base)
{
	uint32_t size;
	bool fits;

	if (nl_guest_read64(space, GVA(va + r->pointer_at), base) ||
	    nl_guest_read(space, GVA(va + r->size_at), NL_GUEST_READ, &size, sizeof(size)))
		return NL_EKERNEL;
	if (!size && nl_region_is_init(r)) /* both are cleared while we look, in whatever order */
		*base = 0;
	/* Pages of the kernel's half, or an offset from each CPU's area. */
	fits = r->kind == NL_MEM_PERCPU || (*base >> 63 && !(*base & NL_PAGE_MASK) && *base + size > *base);
	return (*base ? fits && size == r->size : nl_region_is_init(r)) ? NL_OK : NL_EMODULE;
}

/* NL_OK: it is what the leaf says. */
static enum nl_err compare(struct nl_guest *space, const struct nl_leaf_object *o, struct nl_module *m)
{
	uint8_t id[NL_BUILD_ID_MAX];
	enum nl_err err = NL_OK;
	uint32_t i;

	for (i = 0; !err && i < o->n_regions; i++)
		err = read_region(space, m->va, &o->regions[i], &m->base[i]);
	if (!err && nl_guest_read(space, GVA(m->base[o->build_id_region] + o->build_id_offset), NL_GUEST_READ, id,
	                          o->build_id_len))
		err = NL_EKERNEL;
	return err || !memcmp(id, o->build_id, o->build_id_len) ? err : NL_EMODULE;
}

/* NL_OK: it is on the list, at m->va. */
static enum nl_err search(struct nl_kernel *k, const char *name, struct nl_module *m)
{
	uint64_t head = k->target->modules + k->slide, node = head;
	enum nl_err err;
	uint32_t n;

	for (n = 0; n < MAX_MODULES && !nl_guest_read64(&k->space, GVA(node + LIST_NEXT), &node); n++) {
		if (node == head)
			return NL_NOTHING;
		m->va = node - k->target->module_list;
		if ((err = nl_linux_module_named(k, m->va, name)) != NL_NOTHING)
			return err;
	}
	return NL_EKERNEL;
}

enum nl_err nl_linux_module(struct nl_kernel *k, const struct nl_leaf_object *o, struct nl_module *out)
{
	const struct nl_leaf_field state_at = k->target->module_state;
	uint64_t state = 0;
	enum nl_err err = NL_EKERNEL;
	unsigned i;

	memset(out, 0, sizeof(*out));
	for (i = 0; err == NL_EKERNEL && i < WALKS; i++)
		err = search(k, o->name, out);
	if (err)
		return err;
	if (nl_guest_read(&k->space, GVA(out->va + state_at.offset), NL_GUEST_READ, &state, state_at.size))
		return NL_EKERNEL;
	if ((out->leaving = state != LIVE && state != COMING))
		return NL_NOTHING;
	out->coming = state == COMING;
	return compare(&k->space, o, out);
}
