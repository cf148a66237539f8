// SPDX-License-Identifier: Apache-2.0
/* What every target says, whatever its OS: see target.h. */
#include "guest/target.h"
#include "core/core.h"

/* Only the kernel yet: its three regions in their order, two of them inside the first, and no byte beside what is used.
 */
static enum nl_err check_kernel(const struct nl_leaf_object *o)
{
	static const char name[NL_OBJECT_NAME_LEN] = "vmlinux";
	static const struct nl_leaf_region unused;
	const struct nl_leaf_region *image = &o->regions[NL_KERNEL_IMAGE], *r;
	size_t i;

	if (o->kind != NL_OBJECT_KERNEL || o->n_regions != NL_KERNEL_REGIONS || memcmp(o->name, name, sizeof(name)) ||
	    o->reserved || o->build_id_len < 8 || o->build_id_len > NL_BUILD_ID_MAX)
		return NL_ELEAF;
	for (i = o->build_id_len; i < NL_BUILD_ID_MAX; i++)
		if (o->build_id[i])
			return NL_ELEAF;
	if (!image->size || image->base + image->size < image->base)
		return NL_ERANGE;
	for (i = 0; i < NL_MAX_REGIONS; i++) {
		r = &o->regions[i];
		if (i >= NL_KERNEL_REGIONS ? memcmp(r, &unused, sizeof(*r)) != 0 : r->kind != NL_MEM_IMAGE + i)
			return NL_ELEAF;
		if (i < NL_KERNEL_REGIONS && !nl_inside(r->base, r->size, image->base, image->base + image->size))
			return NL_ERANGE;
	}
	if (o->build_id_region >= NL_KERNEL_REGIONS)
		return NL_ELEAF;
	r = &o->regions[o->build_id_region];
	return nl_inside(o->build_id_offset, o->build_id_len, 0, r->size) ? NL_OK : NL_ERANGE;
}

enum nl_err nl_target_check(const struct nl_leaf_target *t)
{
	enum nl_err err;

	if (t->guest_os != NL_GUEST_LINUX)
		return NL_EUNSUPPORTED;
	if (t->reserved0)
		return NL_ELEAF;
	err = check_kernel(&t->kernel);
	return err ? err : nl_linux_target_check(t);
}
