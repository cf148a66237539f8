// SPDX-License-Identifier: Apache-2.0
/* What every target says, whatever its OS: see target.h. */
#include "guest/target.h"
#include "core/core.h"

static bool zero_from(const void *p, size_t from, size_t n)
{
	for (; from < n; from++)
		if (((const uint8_t *)p)[from])
			return false;
	return true;
}

/* What every object says of itself: regions and nothing behind them, a build-id in one of them. */
static bool object_ok(const struct nl_leaf_object *o)
{
	return o->n_regions && o->n_regions <= NL_MAX_REGIONS && !o->reserved &&
	       zero_from(o->regions, o->n_regions * sizeof(o->regions[0]), sizeof(o->regions)) &&
	       o->build_id_len >= 8 && o->build_id_len <= NL_BUILD_ID_MAX &&
	       zero_from(o->build_id, o->build_id_len, NL_BUILD_ID_MAX) && o->build_id_region < o->n_regions;
}

static bool build_id_inside(const struct nl_leaf_object *o)
{
	return nl_inside(o->build_id_offset, o->build_id_len, 0, o->regions[o->build_id_region].size);
}

/* Three regions in their order, two of them inside the first. */
static enum nl_err check_kernel(const struct nl_leaf_object *o)
{
	static const char name[NL_OBJECT_NAME_LEN] = "vmlinux";
	const struct nl_leaf_region *image = &o->regions[NL_KERNEL_IMAGE], *r;
	size_t i;

	if (o->kind != NL_OBJECT_KERNEL || o->n_regions != NL_KERNEL_REGIONS || memcmp(o->name, name, sizeof(name)) ||
	    !object_ok(o))
		return NL_ELEAF;
	if (!image->size || image->base + image->size < image->base)
		return NL_ERANGE;
	for (i = 0; i < NL_KERNEL_REGIONS; i++) {
		r = &o->regions[i];
		if (r->kind != NL_MEM_IMAGE + i || r->pointer_at || r->size_at)
			return NL_ELEAF;
		if (!nl_inside(r->base, r->size, image->base, image->base + image->size))
			return NL_ERANGE;
	}
	return build_id_inside(o) ? NL_OK : NL_ERANGE;
}

enum nl_err nl_target_check_module(const struct nl_leaf_target *t, const struct nl_leaf_object *o)
{
	size_t i, n;

	if (!t->modules)
		return NL_EUNSUPPORTED;
	for (n = 0; n < sizeof(o->name) && o->name[n] > ' ' && o->name[n] <= '~'; n++)
		;
	if (o->kind != NL_OBJECT_MODULE || !object_ok(o) || !n || n == sizeof(o->name) ||
	    !zero_from(o->name, n, sizeof(o->name)))
		return NL_EOBJECT;
	for (i = 0; i < o->n_regions; i++) {
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

enum nl_err nl_target_check(const struct nl_leaf_target *t)
{
	enum nl_err err;

	if (t->guest_os != NL_GUEST_LINUX)
		return NL_EUNSUPPORTED;
	err = check_kernel(&t->kernel);
	return err ? err : nl_linux_target_check(t);
}
