// SPDX-License-Identifier: Apache-2.0
/*
 * The leaf parser. Order of checks: fixed header, where the parts lie, strings, target, sites, relocations, facts. All
 * arithmetic on offsets and counts is in 64 bits on 32-bit inputs, so that it cannot wrap; addresses are compared by
 * subtraction from a bound already checked.
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

/* The part begins where the one before ends, and nothing but zeroes lies between. */
static bool part_ok(const uint8_t *file, const struct nl_leaf_part *p, size_t element, size_t align, uint64_t *at,
                    size_t end)
{
	for (; *at % align; ++*at)
		if (*at >= end || file[*at])
			return false;
	if (p->offset != *at)
		return false;
	*at += (uint64_t)p->count * element; /* perhaps beyond the end: then the last one does not end there */
	return true;
}

bool nl_leaf_id_ok(const char *id)
{
	size_t i;

	for (i = 0; i < NL_LEAF_ID_LEN && id[i]; i++) {
		bool alnum = (id[i] >= 'a' && id[i] <= 'z') || (id[i] >= '0' && id[i] <= '9');

		if (!alnum && (i == 0 || (id[i] != '.' && id[i] != '_' && id[i] != '-')))
			return false;
	}
	if (i == 0 || i == NL_LEAF_ID_LEN)
		return false;
	for (; i < NL_LEAF_ID_LEN; i++)
		if (id[i])
			return false;
	return true;
}

static bool string_ok(const struct nl_leaf_header *h, uint32_t offset) { return offset < h->strings.count; }

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n && !p[n - 1])
		n--;
	return !n;
}

uint64_t nl_leaf_va(const struct nl_leaf *l, uint16_t object, uint16_t region, uint64_t offset)
{
	const struct nl_leaf_region *r = &nl_leaf_object(l, object)->regions[region];

	return (object ? (uint64_t)object << 48 | (uint64_t)r->pointer_at << 32 : r->base) + offset;
}

static bool region_ok(const struct nl_leaf *l, uint16_t object, uint16_t region)
{
	return object <= l->header->objects.count && region < nl_leaf_object(l, object)->n_regions;
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
	bool text = s->kind == NL_SITE_TEXT;
	const struct nl_leaf_region *r;
	const struct nl_leaf_part *body;

	if (!region_ok(l, s->object, s->region) || (!text && s->kind != NL_SITE_RODATA))
		return NL_ELEAF;
	if (s->len == 0 || s->len > NL_SITE_MAX_LEN || !string_ok(h, s->name))
		return NL_ELEAF;
	r = &nl_leaf_object(l, s->object)->regions[s->region];
	body = &nl_leaf_object(l, s->object)->text;
	if (!kind_ok(s->kind, r->kind) || !nl_inside(s->offset, s->len, 0, r->size) ||
	    (nl_leaf_va(l, s->object, s->region, s->offset) & NL_PAGE_MASK) + s->len > NL_PAGE_SIZE)
		return NL_ERANGE;
	if (s->counter > h->counters)
		return NL_ELEAF;
	if (!text)
		return s->func_offset || s->func_size || s->counter || s->body_offset || s->body_size ||
		                       !is_zero(s->old_hash, sizeof(s->old_hash))
		               ? NL_ELEAF
		               : NL_OK;
	if (!nl_inside(s->func_offset, s->func_size, 0, r->size) ||
	    !nl_inside(s->offset, s->len, s->func_offset, (uint64_t)s->func_offset + s->func_size))
		return NL_ERANGE;
	if (s->body_size ? !nl_inside(s->body_offset, s->body_size, body->offset, (uint64_t)body->offset + body->count)
	                 : s->body_offset > h->text.count)
		return NL_ERANGE;
	return NL_OK;
}

static enum nl_err check_sites(const struct nl_leaf *l)
{
	const struct nl_leaf_header *h = l->header;
	uint64_t used = 0;
	size_t i, j;

	for (i = 0; i < h->sites.count; i++) {
		const struct nl_leaf_site *s = &l->sites[i];
		enum nl_err err = check_site(l, s);

		if (err)
			return err;
		for (j = 0; j < i; j++) {
			const struct nl_leaf_site *o = &l->sites[j];

			if (nl_overlap(nl_leaf_va(l, s->object, s->region, s->offset), s->len,
			               nl_leaf_va(l, o->object, o->region, o->offset), o->len))
				return NL_EOVERLAP;
		}
		/* Runs of bytes follow each other: none shares a byte, and every byte is of one. */
		if (s->expected != used || s->fresh != used + s->len)
			return NL_ELEAF;
		used += 2ULL * s->len;
	}
	return used == h->bytes.count ? NL_OK : NL_ELEAF;
}

unsigned nl_reloc_size(uint16_t type)
{
	switch (type) {
	case NL_REL_ABS64:
		return 8;
	case NL_REL_ABS32S:
	case NL_REL_PC32:
	case NL_REL_ABS32:
		return 4;
	}
	return 0;
}

/* Whose field is it, wholly? UINT32_MAX: nobody's. */
static uint32_t owner(const struct nl_leaf *l, bool text, uint32_t offset, unsigned size)
{
	uint32_t i;

	for (i = 0; i <= l->header->objects.count; i++) {
		const struct nl_leaf_object *o = nl_leaf_object(l, i);
		const struct nl_leaf_part *p = text ? &o->text : &o->data;

		if (nl_inside(offset, size, p->offset, (uint64_t)p->offset + p->count))
			return i;
	}
	return UINT32_MAX;
}

static bool in_part(const struct nl_leaf *l, const struct nl_leaf_reloc *r, bool text, uint32_t by)
{
	const struct nl_leaf_object *o;

	if (r->object && r->object != by)
		return false;
	o = nl_leaf_object(l, r->object);
	return nl_inside(r->value, 0, text ? o->text.offset : o->data.offset, nl_part_end(l, r->object, text));
}

/* May a field of object `by` be filled with what the relocation names? */
static bool symbol_ok(const struct nl_leaf *l, const struct nl_leaf_reloc *r, uint32_t by)
{
	const struct nl_leaf_target *t = &l->header->target;

	switch (r->symbol) {
	case NL_SYM_REGION: /* one past the end is an address that C may form */
		return region_ok(l, r->object, r->region) && (by || !r->object) &&
		       r->value <= nl_leaf_object(l, r->object)->regions[r->region].size;
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

static enum nl_err check_reloc(const struct nl_leaf *l, const struct nl_leaf_reloc *r)
{
	const struct nl_leaf_header *h = l->header;
	unsigned size = nl_reloc_size(r->type);
	bool arena_symbol = r->symbol == NL_SYM_TEXT || r->symbol == NL_SYM_DATA;
	const struct nl_leaf_site *s;
	uint32_t by = UINT32_MAX;

	if (!size)
		return NL_ERELOC;
	if (r->where == NL_AT_TEXT || r->where == NL_AT_DATA) {
		if (r->site == 0)
			by = owner(l, r->where == NL_AT_TEXT, r->offset, size);
	} else if (r->where == NL_AT_BYTES && r->site < h->sites.count) {
		s = &l->sites[r->site];
		/* What stands there before any leaf cannot depend on where the arena is. */
		if (nl_inside(r->offset, size, s->fresh, (uint64_t)s->fresh + s->len) ||
		    (nl_inside(r->offset, size, s->expected, (uint64_t)s->expected + s->len) && !arena_symbol))
			by = s->object;
	}
	return by != UINT32_MAX && symbol_ok(l, r, by) ? NL_OK : NL_ERELOC;
}

static bool printable(const char *p, size_t n)
{
	while (n && p[n - 1] >= 0x20 && p[n - 1] <= 0x7e)
		n--;
	return !n;
}

static enum nl_err check_facts(const struct nl_leaf *l)
{
	const struct nl_leaf_fact *f = NULL;
	uint32_t size = l->header->facts.count, seen = 0;

	while ((f = nl_fact_next(l->facts, size, f))) {
		char id[NL_LEAF_ID_LEN] = "";

		seen += (uint32_t)nl_fact_size(f);
		if (!f->kind || f->kind >= NL_FACT_KINDS || !f->length || f->length > NL_FACT_MAX_LEN ||
		    !printable(f->text, f->length) ||
		    !is_zero((const uint8_t *)f->text + f->length, nl_fact_size(f) - sizeof(*f) - f->length))
			return NL_ELEAF;
		if (f->version && f->kind != NL_FACT_REQUIRES && f->kind != NL_FACT_SUPERSEDES)
			return NL_ELEAF;
		if (f->kind < NL_FACT_REQUIRES || f->kind > NL_FACT_CONFLICTS)
			continue;
		if (f->length >= sizeof(id))
			return NL_ELEAF;
		memcpy(id, f->text, f->length);
		if (!nl_leaf_id_ok(id) ||
		    !memcmp(id, l->header->id, sizeof(id))) /* of itself a leaf says nothing here */
			return NL_ELEAF;
	}
	return seen == size ? NL_OK : NL_ELEAF;
}

/* The counters of the leaf lie in its zero bytes. */
static bool counters_ok(const struct nl_leaf_header *h)
{
	uint64_t size = (uint64_t)NL_COUNTER_ROW(h->counters) * h->counter_cpus;

	if (!h->counters)
		return !h->counter_offset && !h->counter_cpus;
	if (!h->counter_cpus || h->counter_cpus > NL_COUNTER_CPUS || h->counter_cpus & (h->counter_cpus - 1))
		return false;
	return h->counters <= h->sites.count && h->counter_offset % NL_COUNTER_LINE == 0 &&
	       nl_inside(h->counter_offset, size, h->data.count, (uint64_t)h->data.count + h->bss_size);
}

/* The part of an object, where it has to be. *at moves to its end. */
static bool object_part(const uint8_t *bytes, uint32_t n, const struct nl_leaf_part *p, uint64_t *at)
{
	for (; *at % NL_PART_ALIGN; ++*at)
		if (*at >= n || bytes[*at])
			return false;
	if (p->offset != *at || p->count > n - *at)
		return false;
	*at += p->count;
	return true;
}

static enum nl_err check_objects(const struct nl_leaf *l)
{
	const struct nl_leaf_header *h = l->header;
	uint32_t i, j, n = h->objects.count;
	uint64_t text = 0, data = 0;
	enum nl_err err;

	for (i = 0; i <= n; i++) { /* the modules, then the kernel */
		const struct nl_leaf_object *o = nl_leaf_object(l, i < n ? i + 1 : 0);

		if (i < n && (err = nl_target_check_module(&h->target, o)))
			return err;
		for (j = 0; i < n && j < i; j++)
			if (!memcmp(l->modules[j].name, o->name, sizeof(o->name)))
				return NL_EOBJECT;
		if (!object_part(l->text, h->text.count, &o->text, &text) ||
		    !object_part(l->data, h->data.count, &o->data, &data))
			return NL_ELEAF;
	}
	return text == h->text.count && data == h->data.count ? NL_OK : NL_ELEAF;
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
	out->strings = (const char *)p + h->strings.offset;
}

enum nl_err nl_leaf_parse(const void *file, size_t signed_size, struct nl_leaf *out)
{
	const uint8_t *p = file;
	const struct nl_leaf_header *h = file;
	uint64_t at = sizeof(*h);
	enum nl_err err;
	size_t i;

	if (nl_leaf_split(file, signed_size, &i) || i != signed_size || (uintptr_t)file % 8)
		return NL_ELEAF;
	if (h->consistency > NL_CONSISTENCY_MIXABLE || !is_zero((const uint8_t *)h->reserved, sizeof(h->reserved)) ||
	    !nl_leaf_id_ok(h->id))
		return NL_ELEAF;
	if (h->objects.count >= NL_LEAF_MAX_OBJECTS || h->sites.count == 0 || h->sites.count > NL_LEAF_MAX_SITES ||
	    h->relocs.count > NL_LEAF_MAX_RELOCS || h->facts.count > NL_LEAF_MAX_FACTS ||
	    h->strings.count > NL_LEAF_MAX_STRINGS)
		return NL_ELEAF;
	if (!part_ok(p, &h->objects, sizeof(struct nl_leaf_object), 8, &at, signed_size) ||
	    !part_ok(p, &h->sites, sizeof(struct nl_leaf_site), 8, &at, signed_size) ||
	    !part_ok(p, &h->relocs, sizeof(struct nl_leaf_reloc), 8, &at, signed_size) ||
	    !part_ok(p, &h->facts, 1, 4, &at, signed_size) || !part_ok(p, &h->bytes, 1, 1, &at, signed_size) ||
	    !part_ok(p, &h->text, 1, 1, &at, signed_size) || !part_ok(p, &h->data, 1, 1, &at, signed_size) ||
	    !part_ok(p, &h->strings, 1, 1, &at, signed_size) || at != signed_size)
		return NL_ELEAF;
	nl_leaf_open(file, out);
	if (h->strings.count == 0 || out->strings[h->strings.count - 1])
		return NL_ELEAF;
	for (i = 0; i < h->strings.count; i++) /* they reach a terminal */
		if (out->strings[i] && !printable(out->strings + i, 1))
			return NL_ELEAF;
	if (!string_ok(h, h->description) || !counters_ok(h))
		return NL_ELEAF;
	if ((err = nl_target_check(&h->target)) || (err = check_objects(out)))
		return err;
	/* A body needs the arena, and so does what tells of modules; and the arena needs its place in the guest's page
	 * table. */
	if ((h->text.count || h->data.count || h->bss_size || h->objects.count) && !h->target.arena_pmd)
		return NL_EUNSUPPORTED;
	if ((err = check_sites(out)))
		return err;
	for (i = 0; i < h->relocs.count; i++)
		if ((err = check_reloc(out, &out->relocs[i])))
			return err;
	return check_facts(out);
}
