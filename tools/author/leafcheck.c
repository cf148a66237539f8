// SPDX-License-Identifier: Apache-2.0
/*
 * See leafcheck.h. Order of checks: where the parts lie, strings, counters, target, objects, sites, relocations, facts.
 * The parser has seen that every index is one, and that what has a length lies in its part.
 */
#include "leafcheck.h"

#include <stdio.h>
#include <string.h>

static const char *which(const char *kind, uint32_t index)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s %u", kind, index);
	return text;
}

bool leafcheck_is_zero(const void *p, size_t n)
{
	while (n && !((const uint8_t *)p)[n - 1])
		n--;
	return !n;
}

static bool printable(const char *p, size_t n)
{
	while (n && p[n - 1] >= 0x20 && p[n - 1] <= 0x7e)
		n--;
	return !n;
}

uint64_t leafcheck_va(const struct nl_leaf *l, uint16_t object, uint16_t region, uint64_t offset)
{
	const struct nl_leaf_region *r = &nl_leaf_object(l, object)->regions[region];

	return (object ? (uint64_t)object << 48 | (uint64_t)r->pointer_at << 32 : r->base) + offset;
}

/* Each part begins where the one before ends, and nothing but zeroes lies between. */
static bool parts_ok(const struct nl_leaf_header *h)
{
	const struct {
		struct nl_leaf_part part;
		size_t element, align;
	} parts[] = {{h->objects, sizeof(struct nl_leaf_object), 8},
	             {h->sites, sizeof(struct nl_leaf_site), 8},
	             {h->relocs, sizeof(struct nl_leaf_reloc), 8},
	             {h->facts, 1, 4},
	             {h->bytes, 1, 1},
	             {h->text, 1, 1},
	             {h->data, 1, 1},
	             {h->strings, 1, 1}};
	const uint8_t *file = (const uint8_t *)h;
	uint64_t at = sizeof(*h);

	for (size_t i = 0; i < NL_ARRAY_SIZE(parts); i++) {
		for (; at % parts[i].align; at++)
			if (at >= h->signed_size || file[at])
				return false;
		if (parts[i].part.offset != at)
			return false;
		at += (uint64_t)parts[i].part.count * parts[i].element; /* beyond the end: then the last one does not
		                                                           end there */
	}
	return at == h->signed_size;
}

/* They reach a terminal. */
static bool strings_ok(const struct nl_leaf_header *h)
{
	const char *strings = (const char *)h + h->strings.offset;

	if (!h->strings.count || h->strings.count > NL_LEAF_MAX_STRINGS || strings[h->strings.count - 1] ||
	    h->description >= h->strings.count)
		return false;
	for (uint32_t i = 0; i < h->strings.count; i++)
		if (strings[i] && !printable(strings + i, 1))
			return false;
	return true;
}

/* They lie in the zero bytes of the leaf, in rows that no two CPUs share. */
static bool counters_ok(const struct nl_leaf_header *h)
{
	if (!h->counters)
		return !h->counter_offset && !h->counter_cpus;
	return h->counter_cpus && !(h->counter_cpus & (h->counter_cpus - 1)) &&
	       h->counter_offset % NL_COUNTER_LINE == 0 &&
	       nl_inside(h->counter_offset, (uint64_t)NL_COUNTER_ROW(h->counters) * h->counter_cpus, h->data.count,
	                 (uint64_t)h->data.count + h->bss_size);
}

/* The part of an object, where it has to be. *at moves to its end. */
static bool object_part(const uint8_t *bytes, uint32_t n, const struct nl_leaf_part *p, uint64_t *at)
{
	for (; *at % NL_PART_ALIGN; ++*at)
		if (*at >= n || bytes[*at])
			return false;
	if (p->offset != *at)
		return false;
	*at += p->count;
	return true;
}

static enum nl_err check_objects(const struct nl_leaf *l)
{
	const struct nl_leaf_header *h = l->header;
	uint32_t n = h->objects.count;
	uint64_t text = 0, data = 0;
	enum nl_err err;

	for (uint32_t i = 0; i <= n; i++) { /* the modules, then the kernel */
		const struct nl_leaf_object *o = nl_leaf_object(l, i < n ? i + 1 : 0);

		if (i < n && (err = leafcheck_module(&h->target, o)))
			return err;
		for (uint32_t j = 0; i < n && j < i; j++)
			if (!memcmp(l->modules[j].name, o->name, sizeof(o->name)))
				return NL_EOBJECT;
		if (!object_part(l->text, h->text.count, &o->text, &text) ||
		    !object_part(l->data, h->data.count, &o->data, &data))
			return NL_ELEAF;
	}
	if (text != h->text.count || data != h->data.count)
		return NL_ELEAF;
	/* A body needs the arena, and so does what tells of modules; and the arena needs its place in the guest's page
	 * table. */
	return (text || data || h->bss_size || n) && !h->target.arena_pmd ? NL_EUNSUPPORTED : NL_OK;
}

static bool kind_ok(uint16_t site, uint32_t memory)
{
	if (site == NL_SITE_TEXT)
		return memory == NL_MEM_TEXT || memory == NL_MEM_INIT_TEXT;
	return site == NL_SITE_RODATA && memory == NL_MEM_RODATA;
}

static enum nl_err check_site(const struct nl_leaf *l, const struct nl_leaf_site *s)
{
	const struct nl_leaf_header *h = l->header;
	const struct nl_leaf_object *o = nl_leaf_object(l, s->object);
	const struct nl_leaf_region *r = &o->regions[s->region];
	uint64_t text = o->text.offset;

	if ((s->kind != NL_SITE_TEXT && s->kind != NL_SITE_RODATA) || s->name >= h->strings.count)
		return NL_ELEAF;
	if (!kind_ok(s->kind, r->kind) || !nl_inside(s->offset, s->len, 0, r->size) ||
	    (leafcheck_va(l, s->object, s->region, s->offset) & NL_PAGE_MASK) + s->len > NL_PAGE_SIZE)
		return NL_ERANGE;
	if (s->counter > h->counters)
		return NL_ELEAF;
	if (s->kind == NL_SITE_RODATA)
		return s->func_offset || s->func_size || s->counter || s->body_offset || s->body_size ||
		                       !leafcheck_is_zero(s->old_hash, sizeof(s->old_hash))
		               ? NL_ELEAF
		               : NL_OK;
	if (!nl_inside(s->func_offset, s->func_size, 0, r->size) ||
	    !nl_inside(s->offset, s->len, s->func_offset, (uint64_t)s->func_offset + s->func_size))
		return NL_ERANGE;
	if (s->body_size ? !nl_inside(s->body_offset, s->body_size, text, text + o->text.count)
	                 : s->body_offset > h->text.count)
		return NL_ERANGE;
	return NL_OK;
}

static enum nl_err check_sites(const struct nl_leaf *l, const char **what)
{
	const struct nl_leaf_header *h = l->header;
	uint64_t used = 0;

	for (uint32_t i = 0; i < h->sites.count; i++) {
		const struct nl_leaf_site *s = &l->sites[i];
		enum nl_err err = check_site(l, s);

		*what = which("site", i);
		if (err)
			return err;
		for (uint32_t j = 0; j < i; j++) {
			const struct nl_leaf_site *o = &l->sites[j];

			if (nl_overlap(leafcheck_va(l, s->object, s->region, s->offset), s->len,
			               leafcheck_va(l, o->object, o->region, o->offset), o->len))
				return NL_EOVERLAP;
		}
		/* Runs of bytes follow each other: none shares a byte, and every byte is of one. */
		if (s->expected != used || s->fresh != used + s->len)
			return NL_ELEAF;
		used += 2ULL * s->len;
	}
	*what = "its bytes of sites";
	return used == h->bytes.count ? NL_OK : NL_ELEAF;
}

/* Whose field is it, wholly? UINT32_MAX: nobody's. */
static uint32_t owner(const struct nl_leaf *l, bool text, uint32_t offset, unsigned size)
{
	for (uint32_t i = 0; i <= l->header->objects.count; i++) {
		const struct nl_leaf_object *o = nl_leaf_object(l, i);
		const struct nl_leaf_part *p = text ? &o->text : &o->data;

		if (nl_inside(offset, size, p->offset, (uint64_t)p->offset + p->count))
			return i;
	}
	return UINT32_MAX;
}

static bool in_part(const struct nl_leaf *l, const struct nl_leaf_reloc *r, bool text, uint32_t by)
{
	const struct nl_leaf_object *o = nl_leaf_object(l, r->object);

	return (!r->object || r->object == by) &&
	       nl_inside(r->value, 0, text ? o->text.offset : o->data.offset, nl_part_end(l, r->object, text));
}

/* May a field of object `by` be filled with what the relocation names? */
static bool symbol_ok(const struct nl_leaf *l, const struct nl_leaf_reloc *r, uint32_t by)
{
	const struct nl_leaf_target *t = &l->header->target;

	switch (r->symbol) {
	case NL_SYM_REGION: /* one past the end is an address that C may form */
		return (by || !r->object) && r->value <= nl_leaf_object(l, r->object)->regions[r->region].size;
	case NL_SYM_TEXT:
		return !r->region && in_part(l, r, true, by);
	case NL_SYM_DATA:
		return !r->region && in_part(l, r, false, by);
	case NL_SYM_ABSOLUTE:
		return !r->object && !r->region;
	case NL_SYM_RETURN_THUNK:
		return !r->object && !r->region && t->return_thunk && !r->value;
	case NL_SYM_INDIRECT_THUNK:
		return !r->object && !r->region && t->indirect_thunks && r->value <= 15;
	}
	return false;
}

static bool reloc_ok(const struct nl_leaf *l, const struct nl_leaf_reloc *r)
{
	bool arena_symbol = r->symbol == NL_SYM_TEXT || r->symbol == NL_SYM_DATA;
	unsigned size = nl_reloc_size(r->type);
	const struct nl_leaf_site *s;
	uint32_t by = UINT32_MAX;

	if (r->where == NL_AT_TEXT || r->where == NL_AT_DATA) {
		if (r->site == 0)
			by = owner(l, r->where == NL_AT_TEXT, r->offset, size);
	} else if (r->where == NL_AT_BYTES && r->site < l->header->sites.count) {
		s = &l->sites[r->site];
		/* What stands there before any leaf cannot depend on where the arena is. */
		if (nl_inside(r->offset, size, s->fresh, (uint64_t)s->fresh + s->len) ||
		    (nl_inside(r->offset, size, s->expected, (uint64_t)s->expected + s->len) && !arena_symbol))
			by = s->object;
	}
	return by != UINT32_MAX && symbol_ok(l, r, by);
}

static bool fact_ok(const struct nl_leaf_header *h, const struct nl_leaf_fact *f)
{
	char id[NL_LEAF_ID_LEN] = "";

	if (!f->kind || !f->length || f->length > NL_FACT_MAX_LEN || !printable(f->text, f->length) ||
	    !leafcheck_is_zero(f->text + f->length, nl_fact_size(f) - sizeof(*f) - f->length))
		return false;
	if (f->version && f->kind != NL_FACT_REQUIRES && f->kind != NL_FACT_SUPERSEDES)
		return false;
	if (f->kind < NL_FACT_REQUIRES || f->kind > NL_FACT_CONFLICTS)
		return true;
	memcpy(id, f->text, f->length);
	return nl_leaf_id_ok(id) && memcmp(id, h->id, sizeof(id)); /* of itself a leaf says nothing here */
}

static enum nl_err check_facts(const struct nl_leaf *l, const char **what)
{
	const struct nl_leaf_fact *f = NULL;
	uint32_t size = l->header->facts.count, seen = 0, i = 0;

	while ((f = nl_fact_next(l->facts, size, f))) {
		*what = which("fact", i++);
		seen += (uint32_t)nl_fact_size(f);
		if (!fact_ok(l->header, f))
			return NL_ELEAF;
	}
	*what = "what it says of itself";
	return seen == size ? NL_OK : NL_ELEAF;
}

enum nl_err leafcheck(const struct nl_leaf *l, const char **what)
{
	const struct nl_leaf_header *h = l->header;
	enum nl_err err;

	*what = "its layout";
	if (!parts_ok(h))
		return NL_ELEAF;
	*what = "its names";
	if (!strings_ok(h))
		return NL_ELEAF;
	*what = "its counters";
	if (!counters_ok(h))
		return NL_ELEAF;
	*what = "how long it is on trial";
	if (h->confirm_s > NL_LEAF_MAX_CONFIRM_S)
		return NL_ELEAF;
	*what = "what it says of the kernel";
	if ((err = leafcheck_target(&h->target)))
		return err;
	*what = "what it says of kernel and modules";
	if ((err = check_objects(l)) || (err = check_sites(l, what)))
		return err;
	for (uint32_t i = 0; i < h->relocs.count; i++)
		if (!reloc_ok(l, &l->relocs[i])) {
			*what = which("relocation", i);
			return NL_ERELOC;
		}
	return check_facts(l, what);
}
