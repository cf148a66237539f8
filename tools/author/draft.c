// SPDX-License-Identifier: Apache-2.0
/* Collects the parts of a leaf and writes them one behind the other. The same input gives the same bytes, always. */
#include "draft.h"

#include <string.h>

void draft_start(struct draft *d)
{
	memset(d, 0, sizeof(*d));
	d->h.magic = NL_LEAF_MAGIC;
	d->h.format = NL_LEAF_FORMAT;
	d->h.header_size = sizeof(d->h);
	draft_string(d, ""); /* offset 0 = no name */
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

static struct nl_leaf_part place_sites(const struct draft *d, struct buf *file)
{
	struct buf sites = {0};

	for (size_t i = 0; i < d->sites.n / sizeof(struct draft_piece); i++) {
		struct draft_piece p = ((const struct draft_piece *)d->sites.p)[i];
		const char *name = (const char *)d->strings.p + p.site.name;
		bool text = p.site.kind == NL_SITE_TEXT;

		p.site.region = text ? NL_KERNEL_TEXT : NL_KERNEL_RODATA;
		p.site.offset = offset_in(d, p.site.region, p.va, name);
		p.site.func_offset = text ? offset_in(d, p.site.region, p.func_va, name) : 0;
		buf_add(&sites, &p.site, sizeof(p.site));
	}
	return place(file, &sites, sizeof(struct nl_leaf_site), 8);
}

static struct nl_leaf_part place_relocs(const struct draft *d, struct buf *file)
{
	struct buf relocs = {0};

	for (size_t i = 0; i < d->relocs.n / sizeof(struct nl_leaf_reloc); i++) {
		struct nl_leaf_reloc r = ((const struct nl_leaf_reloc *)d->relocs.p)[i];

		if (r.symbol == NL_SYM_REGION) {
			r.region = NL_KERNEL_IMAGE;
			r.value = offset_in(d, r.region, r.value, "a relocation");
		}
		buf_add(&relocs, &r, sizeof(r));
	}
	return place(file, &relocs, sizeof(struct nl_leaf_reloc), 8);
}

struct buf draft_finish(struct draft *d)
{
	struct buf file = {0};
	struct nl_leaf_header *h = &d->h;

	buf_add(&file, NULL, sizeof(*h));
	h->target.kernel.text = (struct nl_leaf_part){0, (uint32_t)d->text.n};
	h->target.kernel.data = (struct nl_leaf_part){0, (uint32_t)d->data.n};
	h->objects = place(&file, &(struct buf){0}, sizeof(struct nl_leaf_object), 8);
	h->sites = place_sites(d, &file);
	h->relocs = place_relocs(d, &file);
	h->facts = place(&file, &d->facts, 1, 4);
	h->bytes = place(&file, &d->bytes, 1, 1);
	h->text = place(&file, &d->text, 1, 1);
	h->data = place(&file, &d->data, 1, 1);
	h->strings = place(&file, &d->strings, 1, 1);
	h->signed_size = (uint32_t)file.n;
	if (h->sites.count > NL_LEAF_MAX_SITES)
		refuse(NL_EARENA, "%u sites; a leaf has at most %u", h->sites.count, NL_LEAF_MAX_SITES);
	if (h->relocs.count > NL_LEAF_MAX_RELOCS)
		refuse(NL_EARENA, "%u relocations; a leaf has at most %u", h->relocs.count, NL_LEAF_MAX_RELOCS);
	if (file.n + sizeof(struct nl_signatures) + sizeof(struct nl_signature) > NL_LEAF_MAX_SIZE)
		refuse(NL_EARENA, "%zu bytes; a leaf has at most %u", file.n, NL_LEAF_MAX_SIZE);
	memcpy(file.p, h, sizeof(*h));
	return file;
}
