// SPDX-License-Identifier: Apache-2.0
/*
 * The leaf parser: what the memory and the time of the core hang on, and nothing else. An address of the guest's may be
 * any: it is read and written through the guest's own tables. What a leaf means is judged by the author's tools
 * (tools/author/leafcheck.c); docs/explanation/threat-model.md says what is checked where, and why.
 */
#include "leaf/leaf.h"
#include "core/core.h"
#include "guest/target.h"

enum nl_err nl_leaf_split(const void *file, size_t size, size_t *signed_size)
{
	struct nl_leaf_header h;

	if (size < sizeof(h) || size > NL_LEAF_MAX_SIZE)
		return NL_ELEAF;
	memcpy(&h, file, sizeof(h));
	if (h.magic != NL_LEAF_MAGIC || h.format != NL_LEAF_FORMAT || h.header_size != sizeof(h) ||
	    h.signed_size < sizeof(h) || h.signed_size > size)
		return NL_ELEAF;
	*signed_size = h.signed_size;
	return NL_OK;
}

static bool part_ok(const struct nl_leaf_part *p, size_t element, size_t align, size_t end)
{
	return p->offset % align == 0 && nl_inside(p->offset, (uint64_t)p->count * element, 0, end);
}

bool nl_leaf_id_ok(const char *id)
{
	size_t n = 0;

	while (n < NL_LEAF_ID_LEN && ((id[n] >= 'a' && id[n] <= 'z') || (id[n] >= '0' && id[n] <= '9') ||
	                              (n && (id[n] == '.' || id[n] == '_' || id[n] == '-'))))
		n++;
	return n && n < NL_LEAF_ID_LEN && nl_is_zero(id + n, NL_LEAF_ID_LEN - n);
}

static bool region_ok(const struct nl_leaf *l, uint16_t object, uint16_t region)
{
	return object <= l->header->objects.count && region < nl_leaf_object(l, object)->n_regions;
}

/* Where it lies is seen when it is bound. */
static bool site_ok(const struct nl_leaf *l, const struct nl_leaf_site *s)
{
	uint32_t bytes = l->header->bytes.count;

	return region_ok(l, s->object, s->region) && s->len && s->len <= NL_SITE_MAX_LEN &&
	       nl_inside(s->expected, s->len, 0, bytes) && nl_inside(s->fresh, s->len, 0, bytes);
}

unsigned nl_reloc_size(uint16_t type)
{
	static const uint8_t sizes[] = {[NL_REL_ABS64] = 8, [NL_REL_ABS32S] = 4, [NL_REL_PC32] = 4, [NL_REL_ABS32] = 4};

	return type < NL_ARRAY_SIZE(sizes) ? sizes[type] : 0;
}

/* Of those that the core acts on the ids fit; and it does not pass over what it does not know. */
static bool facts_ok(const struct nl_leaf *l)
{
	const struct nl_leaf_fact *f = NULL;

	while ((f = nl_fact_next(l->facts, l->header->facts.count, f)))
		if (f->kind >= NL_FACT_KINDS ||
		    (f->kind >= NL_FACT_REQUIRES && f->kind <= NL_FACT_CONFLICTS && f->length >= NL_LEAF_ID_LEN))
			return false;
	return true;
}

/* The counters of the leaf lie in the kernel's part of its data, where they can be read as numbers. */
static bool counters_ok(const struct nl_leaf *l)
{
	const struct nl_leaf_header *h = l->header;
	uint32_t start = h->target.kernel.data.offset;

	if (!h->counters)
		return !h->counter_cpus;
	return h->counters <= h->sites.count && h->counter_cpus <= NL_COUNTER_CPUS &&
	       (h->counter_offset - start) % sizeof(uint64_t) == 0 &&
	       nl_inside(h->counter_offset, (uint64_t)NL_COUNTER_ROW(h->counters) * h->counter_cpus, start,
	                 nl_part_end(l, 0, false));
}

static enum nl_err check_object(const struct nl_leaf *l, uint32_t i)
{
	const struct nl_leaf_object *o = nl_leaf_object(l, i);

	if (o->n_regions > NL_MAX_REGIONS || o->build_id_region >= o->n_regions || o->build_id_len < 8 ||
	    o->build_id_len > NL_BUILD_ID_MAX || o->name[NL_OBJECT_NAME_LEN - 1])
		return i ? NL_EOBJECT : NL_ELEAF;
	return nl_inside(o->text.offset, o->text.count, 0, l->header->text.count) &&
	                       nl_inside(o->data.offset, o->data.count, 0, l->header->data.count)
	               ? NL_OK
	               : NL_ELEAF;
}

void nl_leaf_open(const void *file, struct nl_leaf *out)
{
	const struct nl_leaf_header *h = file;
	const uint8_t *p = file;

	out->header = h;
	out->modules = (const void *)(p + h->objects.offset);
	out->sites = (const void *)(p + h->sites.offset);
	out->relocs = (const void *)(p + h->relocs.offset);
	out->facts = p + h->facts.offset;
	out->bytes = p + h->bytes.offset;
	out->text = p + h->text.offset;
	out->data = p + h->data.offset;
}

enum nl_err nl_leaf_parse(const void *file, size_t signed_size, struct nl_leaf *out)
{
	const struct nl_leaf_header *h = file;
	enum nl_err err;
	size_t i;

	if (nl_leaf_split(file, signed_size, &i) || i != signed_size || (uintptr_t)file % 8)
		return NL_ELEAF;
	if (h->consistency > NL_CONSISTENCY_MIXABLE || h->reserved || !nl_leaf_id_ok(h->id))
		return NL_ELEAF;
	if (h->objects.count >= NL_LEAF_MAX_OBJECTS || h->sites.count == 0 || h->sites.count > NL_LEAF_MAX_SITES ||
	    h->relocs.count > NL_LEAF_MAX_RELOCS || h->facts.count > NL_LEAF_MAX_FACTS)
		return NL_ELEAF;
	if (!part_ok(&h->objects, sizeof(struct nl_leaf_object), 8, signed_size) ||
	    !part_ok(&h->sites, sizeof(struct nl_leaf_site), 8, signed_size) ||
	    !part_ok(&h->relocs, sizeof(struct nl_leaf_reloc), 8, signed_size) ||
	    !part_ok(&h->facts, 1, 4, signed_size) || !part_ok(&h->bytes, 1, 1, signed_size) ||
	    !part_ok(&h->text, 1, 1, signed_size) || !part_ok(&h->data, 1, 1, signed_size))
		return NL_ELEAF;
	nl_leaf_open(file, out);
	if ((err = nl_target_check(&h->target)))
		return err;
	for (i = 0; i <= h->objects.count; i++)
		if ((err = check_object(out, (uint32_t)i)))
			return err;
	NL_EACH(s, out->sites, h->sites.count)
		if (!site_ok(out, s))
			return NL_ELEAF;
	NL_EACH(r, out->relocs, h->relocs.count) /* where one writes is seen when it does */
		if (!nl_reloc_size(r->type) || !region_ok(out, r->object, r->region))
			return NL_ERELOC;
	return counters_ok(out) && facts_ok(out) ? NL_OK : NL_ELEAF;
}
