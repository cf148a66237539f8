// SPDX-License-Identifier: Apache-2.0
/* See leaf_modules.h. A leaf names only the regions that it needs, in the order in which the module has them. */
#include "leaf_modules.h"
#include "leafcheck.h"

#include <newleaf/types.h>
#include <string.h>

static const struct module *given(const struct leaffile *l, const struct kernel *k, uint32_t object)
{
	return module_named(k, nl_leaf_object(&l->leaf, object)->name);
}

/* The region of the file's that the leaf means. */
static const struct module_region *region_of(const struct module *m, const struct nl_leaf_region *r)
{
	for (size_t i = 0; i < m->n_regions; i++)
		if (!memcmp(&m->regions[i].leaf, r, sizeof(*r)))
			return &m->regions[i];
	return NULL;
}

static void check_one(const struct leaffile *l, const struct kernel *k, uint32_t object)
{
	const struct nl_leaf_object *o = nl_leaf_object(&l->leaf, object);
	const struct module *m = given(l, k, object);
	const struct module_region *r;

	if (!m)
		refuse(NL_ETARGET,
		       "the leaf is for the module %s, too, which is not beside the kernel file: give it by -M",
		       o->name);
	if (o->build_id_len != m->build_id_len || memcmp(o->build_id, m->build_id, m->build_id_len))
		refuse(NL_EBUILDID,
		       "the leaf wants build-id %02x%02x%02x%02x.. of the module %s, %s has %02x%02x%02x%02x..",
		       o->build_id[0], o->build_id[1], o->build_id[2], o->build_id[3], o->name, m->path, m->build_id[0],
		       m->build_id[1], m->build_id[2], m->build_id[3]);
	for (uint32_t i = 0; i < o->n_regions; i++)
		if (!region_of(m, &o->regions[i]))
			refuse(NL_EOBJECT, "the leaf describes the module %s otherwise than its file does", o->name);
	r = region_of(m, &o->regions[o->build_id_region]);
	if (r->va + o->build_id_offset != m->build_id_va)
		refuse(NL_EOBJECT, "the leaf seeks the build-id of the module %s elsewhere than its file has it",
		       o->name);
}

void leaf_modules_check(const struct leaffile *l, const struct kernel *k)
{
	for (uint32_t i = 1; i <= l->leaf.header->objects.count; i++)
		check_one(l, k, i);
}

const struct kernel *leaf_view(const struct leaffile *l, const struct kernel *k, uint16_t object)
{
	return k && object ? module_view(k, given(l, k, object)) : k;
}

uint64_t leaf_place(const struct leaffile *l, const struct kernel *k, uint16_t object, uint16_t region, uint64_t offset)
{
	const struct module *m = k && object ? given(l, k, object) : NULL;

	return m ? region_of(m, &nl_leaf_object(&l->leaf, object)->regions[region])->va + offset
	         : leafcheck_va(&l->leaf, object, region, offset);
}

const char *leaf_memory_name(uint32_t kind)
{
	static const char *const names[] = {"?",    "image",     "text",      "rodata", "ro-after-init",
	                                    "data", "init-text", "init-data", "percpu"};

	return names[kind < NL_ARRAY_SIZE(names) ? kind : 0];
}

char *leaf_place_name(const struct leaffile *l, uint16_t object, uint16_t region, uint64_t offset)
{
	const struct nl_leaf_object *o = nl_leaf_object(&l->leaf, object);

	if (!object)
		return xformat("%#llx", (unsigned long long)leafcheck_va(&l->leaf, object, region, offset));
	return xformat("%s+%s+%#llx", o->name, leaf_memory_name(o->regions[region].kind), (unsigned long long)offset);
}

bool leaf_same_function(const struct nl_leaf_site *a, const struct nl_leaf_site *b)
{
	return a->kind == b->kind && a->object == b->object && a->region == b->region &&
	       a->func_offset == b->func_offset;
}
