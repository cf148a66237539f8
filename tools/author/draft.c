// SPDX-License-Identifier: Apache-2.0
/* Collects the parts of a leaf and writes them one behind the other. The same input gives the same bytes, always. */
#include "draft.h"
#include "modules.h"

#include <newleaf/types.h>
#include <string.h>

void draft_start(struct draft *d)
{
	memset(d, 0, sizeof(*d));
	d->h.magic = NL_LEAF_MAGIC;
	d->h.format = NL_LEAF_FORMAT;
	d->h.header_size = sizeof(d->h);
	d->n_parts = 1;
	draft_string(d, ""); /* offset 0 = no name */
}

static void put_away(struct draft *d)
{
	struct draft_part *p = &d->part[d->now];

	p->text = d->text;
	p->data = d->data;
	p->relocs = d->relocs;
	p->bss = d->h.bss_size;
}

static void take_out(struct draft *d, size_t now)
{
	const struct draft_part *p = &d->part[now];

	d->now = now;
	d->text = p->text;
	d->data = p->data;
	d->relocs = p->relocs;
	d->h.bss_size = p->bss;
}

/* The number of a module's part, which it gets if it has none. */
static size_t part_of(struct draft *d, const struct module *m)
{
	size_t i = 0;

	while (i < d->n_parts && d->part[i].module != m)
		i++;
	if (i == NL_LEAF_MAX_OBJECTS)
		refuse(NL_EARENA, "a leaf has at most %u modules", NL_LEAF_MAX_OBJECTS - 1);
	if (i == d->n_parts)
		d->part[d->n_parts++].module = m;
	return i;
}

void draft_switch(struct draft *d, const struct module *m)
{
	put_away(d);
	take_out(d, part_of(d, m));
}

static const struct module *module_of(const struct draft *d, uint64_t va) { return d->k ? module_at(d->k, va) : NULL; }

bool draft_has_modules(const struct draft *d)
{
	const struct draft_piece *all = (const struct draft_piece *)d->sites.p;
	bool any = d->n_parts > 1;

	for (size_t i = 0; i < d->sites.n / sizeof(*all); i++)
		any |= module_of(d, all[i].va) != NULL;
	return any;
}

uint32_t draft_string(struct draft *d, const char *s) { return (uint32_t)buf_add(&d->strings, s, strlen(s) + 1); }

void draft_fact_version(struct draft *d, enum nl_fact_kind kind, const char *text, uint32_t version)
{
	struct nl_leaf_fact f = {.kind = (uint16_t)kind, .length = (uint16_t)strlen(text), .version = version};

	if (!*text || strlen(text) > NL_FACT_MAX_LEN)
		refuse(NL_ERECIPE, "a fact has 1 to %u characters, not %zu: %s", NL_FACT_MAX_LEN, strlen(text), text);
	for (const char *p = text; *p; p++)
		if (*p < 0x20 || *p > 0x7e) /* the hypervisor takes no other text */
			refuse(NL_ERECIPE, "a fact is printable ASCII: %s", text);
	buf_add(&d->facts, &f, sizeof(f));
	buf_add(&d->facts, text, f.length);
	buf_align(&d->facts, 4, 0);
	if (d->facts.n > NL_LEAF_MAX_FACTS)
		refuse(NL_EARENA, "the facts of a leaf have at most %u bytes", NL_LEAF_MAX_FACTS);
}

void draft_fact(struct draft *d, enum nl_fact_kind kind, const char *text) { draft_fact_version(d, kind, text, 0); }

/* The counters go behind all else that the body has in memory. */
void draft_counters(struct draft *d, uint32_t counters, uint32_t cpus)
{
	struct nl_leaf_header *h = &d->h;
	uint32_t at = (uint32_t)d->data.n + h->bss_size;

	h->counters = counters;
	h->counter_cpus = cpus;
	h->counter_offset = (at + NL_COUNTER_LINE - 1) / NL_COUNTER_LINE * NL_COUNTER_LINE;
	h->bss_size = h->counter_offset + NL_COUNTER_ROW(counters) * cpus - (uint32_t)d->data.n;
}

static void add_relocs(struct draft *d, const struct nl_leaf_reloc *r, size_t n, uint32_t from, uint32_t len,
                       uint32_t bytes, uint32_t site)
{
	for (size_t i = 0; i < n; i++) {
		struct nl_leaf_reloc copy = r[i];
		uint32_t size = copy.type == NL_REL_ABS64 ? 8 : 4;

		if (copy.offset + size <= from || copy.offset >= from + len)
			continue;
		if (copy.offset < from || copy.offset + size > from + len)
			refuse(NL_ESITE, "an address inside the site crosses a page");
		copy.where = NL_AT_BYTES;
		copy.offset = bytes + copy.offset - from;
		copy.site = (uint16_t)site;
		buf_add(&d->relocs, &copy, sizeof(copy));
	}
}

static void add_piece(struct draft *d, const struct draft_site *s, uint32_t from, uint32_t len)
{
	struct draft_piece piece = {s->va + from, s->func_va, {.len = len, .kind = (uint16_t)s->kind}};
	const struct draft_piece *all = (const struct draft_piece *)d->sites.p;
	uint32_t index = (uint32_t)(d->sites.n / sizeof(piece));
	struct nl_leaf_site *site = &piece.site;

	if (module_of(d, s->va) != d->part[d->now].module)
		refuse(NL_EINTERNAL, "%s is put into the part of another object", s->name);
	for (uint32_t i = 0; i < index; i++)
		if (piece.va < all[i].va + all[i].site.len && all[i].va < piece.va + len)
			refuse(NL_EOVERLAP, "%s overlaps %s", s->name, (char *)d->strings.p + all[i].site.name);
	site->func_size = s->func_size;
	site->counter = s->counter;
	site->body_offset = s->body_offset;
	site->body_size = s->body_size;
	if (s->old_hash)
		memcpy(site->old_hash, s->old_hash, sizeof(site->old_hash));
	site->expected = (uint32_t)buf_add(&d->bytes, s->expected + from, len);
	site->fresh = (uint32_t)buf_add(&d->bytes, s->fresh + from, len);
	site->name = draft_string(d, s->name);
	buf_add(&d->sites, &piece, sizeof(piece));
	add_relocs(d, s->expected_relocs, s->n_expected_relocs, from, len, site->expected, index);
	add_relocs(d, s->fresh_relocs, s->n_fresh_relocs, from, len, site->fresh, index);
}

void draft_add_site(struct draft *d, const struct draft_site *s)
{
	for (uint32_t from = 0; from < s->len;) {
		uint32_t room = (uint32_t)(NL_PAGE_SIZE - ((s->va + from) & NL_PAGE_MASK));
		uint32_t len = s->len - from < room ? s->len - from : room;

		add_piece(d, s, from, len);
		from += len;
	}
}

static struct nl_leaf_part place(struct buf *file, const struct buf *part, uint32_t element, uint32_t align)
{
	struct nl_leaf_part p = {.offset = (uint32_t)buf_align(file, align, 0), .count = (uint32_t)(part->n / element)};

	buf_add(file, part->p, part->n);
	return p;
}

static uint32_t offset_in(const struct draft *d, enum nl_kernel_region region, uint64_t va, const char *name)
{
	const struct nl_leaf_region *r = &d->h.target.kernel.regions[region];

	if (va < r->base || va - r->base > r->size)
		refuse(NL_ERANGE, "%s: %#llx lies outside the kernel's %s", name, (unsigned long long)va,
		       region == NL_KERNEL_IMAGE  ? "image"
		       : region == NL_KERNEL_TEXT ? "text"
		                                  : "read-only data");
	return (uint32_t)(va - r->base);
}

/* Which regions of each part's module the leaf says something of: only they are in it. */
struct finishing {
	struct draft *d;
	bool used[NL_LEAF_MAX_OBJECTS][NL_MAX_REGIONS];
	bool init[NL_LEAF_MAX_OBJECTS];                                /* has sites in the initialiser's code */
	uint32_t text[NL_LEAF_MAX_OBJECTS], data[NL_LEAF_MAX_OBJECTS]; /* where the parts begin */
};

/* Number of a region of a module among those that are used; its object and the offset in it go to *object, *offset. */
static uint16_t region_at(struct finishing *f, uint64_t va, const char *name, uint16_t *object, uint64_t *offset)
{
	const struct module *m = module_of(f->d, va);
	const struct module_region *r = m ? module_region_at(m, va) : NULL;
	size_t number, before = 0;

	if (!r)
		refuse(NL_ERANGE, "%s: %#llx lies in no part of a module", name, (unsigned long long)va);
	*object = (uint16_t)part_of(f->d, m);
	*offset = va - r->va;
	number = (size_t)(r - m->regions);
	f->used[*object][number] = true;
	for (size_t i = 0; i < number; i++)
		before += f->used[*object][i];
	return (uint16_t)before;
}

static void finish_site(struct finishing *f, struct draft_piece *p)
{
	const char *name = (const char *)f->d->strings.p + p->site.name;
	bool text = p->site.kind == NL_SITE_TEXT;
	const struct module *m = module_of(f->d, p->va);
	uint64_t offset, func = 0;
	uint16_t object;

	if (!m) {
		p->site.region = text ? NL_KERNEL_TEXT : NL_KERNEL_RODATA;
		p->site.offset = offset_in(f->d, p->site.region, p->va, name);
		p->site.func_offset = text ? offset_in(f->d, p->site.region, p->func_va, name) : 0;
		object = 0;
	} else {
		const struct module_region *r = module_region_at(m, p->va);

		p->site.region = region_at(f, p->va, name, &p->site.object, &offset);
		object = p->site.object;
		p->site.offset = (uint32_t)offset;
		f->init[object] |= module_region_is_init(r);
		if (text ? r->leaf.kind != NL_MEM_TEXT && r->leaf.kind != NL_MEM_INIT_TEXT
		         : r->leaf.kind != NL_MEM_RODATA)
			refuse(NL_ESITE, "%s lies in another kind of memory than its site is of", name);
		if (text && module_region_at(m, p->func_va) != r)
			refuse(NL_ESITE, "%s lies in two kinds of memory", name);
		func = text ? p->func_va - r->va : 0;
		p->site.func_offset = (uint32_t)func;
	}
	if (p->site.body_size)
		p->site.body_offset += f->text[object];
}

static void finish_reloc(struct finishing *f, struct nl_leaf_reloc *r, uint16_t own)
{
	uint64_t offset;

	if (r->where == NL_AT_TEXT || r->where == NL_AT_DATA)
		r->offset += r->where == NL_AT_TEXT ? f->text[own] : f->data[own];
	if (r->symbol == NL_SYM_TEXT || r->symbol == NL_SYM_DATA) {
		r->object = r->object == DRAFT_OF_KERNEL ? 0 : own;
		r->value += r->symbol == NL_SYM_TEXT ? f->text[r->object] : f->data[r->object];
	} else if (r->symbol == NL_SYM_REGION && module_of(f->d, r->value)) {
		if (!own)
			refuse(NL_EBODY, "%s: the kernel's own code cannot refer to a module, which may not be there",
			       module_of(f->d, r->value)->name);
		if (module_region_is_init(module_region_at(module_of(f->d, r->value), r->value)) && !f->init[own])
			refuse(NL_EBODY,
			       "%s: what is left when its initialiser is gone cannot refer to what goes with it",
			       module_of(f->d, r->value)->name);
		r->region = region_at(f, r->value, "a relocation", &r->object, &offset);
		r->value = offset;
	} else if (r->symbol == NL_SYM_REGION) {
		r->region = NL_KERNEL_IMAGE;
		r->value = offset_in(f->d, r->region, r->value, "a relocation");
	}
}

/* In the order in which they were made: of the modules', then the kernel's; of one part that is the order of before. */
static void finish_all(struct finishing *f, struct buf *sites, struct buf *relocs)
{
	*sites = *relocs = (struct buf){0};
	for (size_t i = 0; i < f->d->sites.n / sizeof(struct draft_piece); i++) {
		struct draft_piece p = ((const struct draft_piece *)f->d->sites.p)[i];

		finish_site(f, &p);
		buf_add(sites, &p.site, sizeof(p.site));
	}
	for (size_t n = 1, parts = f->d->n_parts; n <= parts; n++) { /* the list may grow meanwhile, by empty ones */
		size_t own = n % parts;
		struct buf from = f->d->part[own].relocs;

		for (size_t i = 0; i < from.n / sizeof(struct nl_leaf_reloc); i++) {
			struct nl_leaf_reloc r = ((const struct nl_leaf_reloc *)(const void *)from.p)[i];

			finish_reloc(f, &r, (uint16_t)own);
			buf_add(relocs, &r, sizeof(r));
		}
	}
}
/* The parts of the modules, then the kernel's, each from a multiple of NL_PART_ALIGN on. */
static void join_parts(struct finishing *f, struct buf *text, struct buf *data)
{
	*text = *data = (struct buf){0};
	for (size_t n = 1; n <= f->d->n_parts; n++) {
		size_t i = n % f->d->n_parts;
		const struct draft_part *p = &f->d->part[i];

		f->text[i] = (uint32_t)buf_align(text, NL_PART_ALIGN, 0);
		f->data[i] = (uint32_t)buf_align(data, NL_PART_ALIGN, 0);
		if (p->text.n)
			buf_add(text, p->text.p, p->text.n);
		if (p->data.n)
			buf_add(data, p->data.p, p->data.n);
		if (i)
			buf_add(data, NULL, p->bss);
		if (text->n > NL_LEAF_MAX_SIZE || data->n > NL_LEAF_MAX_SIZE)
			refuse(NL_EARENA, "the bodies are too large; a leaf has at most %u bytes", NL_LEAF_MAX_SIZE);
	}
}

static void fill_object(struct nl_leaf_object *o, const struct finishing *f, size_t number)
{
	const struct draft_part *p = &f->d->part[number];
	const struct module *m = p->module;

	o->kind = NL_OBJECT_MODULE;
	memcpy(o->name, m->name, strlen(m->name));
	memcpy(o->build_id, m->build_id, m->build_id_len);
	o->build_id_len = m->build_id_len;
	o->text = (struct nl_leaf_part){f->text[number], (uint32_t)p->text.n};
	o->data = (struct nl_leaf_part){f->data[number], (uint32_t)p->data.n + p->bss};
	for (size_t i = 0; i < m->n_regions; i++) {
		const struct module_region *r = &m->regions[i];

		if (!f->used[number][i])
			continue;
		if (r == module_region_at(m, m->build_id_va)) {
			o->build_id_region = o->n_regions;
			o->build_id_offset = (uint32_t)(m->build_id_va - r->va);
		}
		o->regions[o->n_regions++] = r->leaf;
	}
}

/* Whatever else is used: the build-id is read, and the code's size is that of the file. */
static void use_always(struct finishing *f)
{
	for (size_t i = 1; i < f->d->n_parts; i++) {
		const struct module *m = f->d->part[i].module;

		for (size_t r = 0; r < m->n_regions; r++)
			f->used[i][r] |= m->regions[r].leaf.kind == NL_MEM_TEXT ||
			                 &m->regions[r] == module_region_at(m, m->build_id_va);
	}
}

struct buf draft_finish(struct draft *d)
{
	struct buf file = {0}, objects = {0}, sites, relocs, text, data;
	struct finishing *f = xalloc(sizeof(*f));
	struct nl_leaf_header *h = &d->h;

	f->d = d;
	put_away(d);
	finish_all(f, &sites, &relocs); /* finds out who takes part */
	use_always(f);
	join_parts(f, &text, &data);
	finish_all(f, &sites, &relocs);
	for (size_t i = 1; i < d->n_parts; i++) {
		struct nl_leaf_object o = {0};

		fill_object(&o, f, i);
		buf_add(&objects, &o, sizeof(o));
	}
	h->target.kernel.text = (struct nl_leaf_part){f->text[0], (uint32_t)d->part[0].text.n};
	h->target.kernel.data = (struct nl_leaf_part){f->data[0], (uint32_t)d->part[0].data.n};
	h->bss_size = d->part[0].bss;
	h->counter_offset += h->counters ? f->data[0] : 0;
	buf_add(&file, NULL, sizeof(*h));
	h->objects = place(&file, &objects, sizeof(struct nl_leaf_object), 8);
	h->sites = place(&file, &sites, sizeof(struct nl_leaf_site), 8);
	h->relocs = place(&file, &relocs, sizeof(struct nl_leaf_reloc), 8);
	h->facts = place(&file, &d->facts, 1, 4);
	h->bytes = place(&file, &d->bytes, 1, 1);
	h->text = place(&file, &text, 1, 1);
	h->data = place(&file, &data, 1, 1);
	h->strings = place(&file, &d->strings, 1, 1);
	h->signed_size = (uint32_t)file.n;
	if (h->sites.count > NL_LEAF_MAX_SITES)
		refuse(NL_EARENA, "%u sites; a leaf has at most %u", h->sites.count, NL_LEAF_MAX_SITES);
	if (h->relocs.count > NL_LEAF_MAX_RELOCS)
		refuse(NL_EARENA, "%u relocations; a leaf has at most %u", h->relocs.count, NL_LEAF_MAX_RELOCS);
	if (h->strings.count > NL_LEAF_MAX_STRINGS)
		refuse(NL_EARENA, "%u bytes of names and description; a leaf has at most %u", h->strings.count,
		       NL_LEAF_MAX_STRINGS);
	if (file.n + sizeof(struct nl_signatures) + sizeof(struct nl_signature) > NL_LEAF_MAX_SIZE)
		refuse(NL_EARENA, "%zu bytes; a leaf has at most %u", file.n, NL_LEAF_MAX_SIZE);
	memcpy(file.p, h, sizeof(*h));
	return file;
}
