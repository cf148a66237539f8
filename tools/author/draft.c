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
		copy.site = site;
		buf_add(&d->relocs, &copy, sizeof(copy));
	}
}

static void add_piece(struct draft *d, const struct draft_site *s, uint32_t from, uint32_t len)
{
	struct nl_leaf_site site = {
	        .va = s->va + from, .len = len, .kind = s->kind, .func_va = s->func_va, .func_size = s->func_size};
	const struct nl_leaf_site *all = (const struct nl_leaf_site *)d->sites.p;
	uint32_t index = (uint32_t)(d->sites.n / sizeof(site));

	for (uint32_t i = 0; i < index; i++)
		if (site.va < all[i].va + all[i].len && all[i].va < site.va + len)
			refuse(NL_EOVERLAP, "%s overlaps %s", s->name, (char *)d->strings.p + all[i].name);
	site.expected = (uint32_t)buf_add(&d->bytes, s->expected + from, len);
	site.fresh = (uint32_t)buf_add(&d->bytes, s->fresh + from, len);
	site.name = draft_string(d, s->name);
	buf_add(&d->sites, &site, sizeof(site));
	add_relocs(d, s->expected_relocs, s->n_expected_relocs, from, len, site.expected, index);
	add_relocs(d, s->fresh_relocs, s->n_fresh_relocs, from, len, site.fresh, index);
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

struct buf draft_finish(struct draft *d)
{
	struct buf file = {0};
	struct nl_leaf_header *h = &d->h;

	buf_add(&file, NULL, sizeof(*h));
	h->sites = place(&file, &d->sites, sizeof(struct nl_leaf_site), 8);
	h->relocs = place(&file, &d->relocs, sizeof(struct nl_leaf_reloc), 8);
	h->bytes = place(&file, &d->bytes, 1, 1);
	h->text = place(&file, &d->text, 1, 1);
	h->data = place(&file, &d->data, 1, 1);
	h->strings = place(&file, &d->strings, 1, 1);
	h->signed_size = (uint32_t)file.n;
	if (h->sites.count > NL_LEAF_MAX_SITES)
		refuse(NL_EARENA, "%u sites; a leaf has at most %u", h->sites.count, NL_LEAF_MAX_SITES);
	if (h->relocs.count > NL_LEAF_MAX_RELOCS)
		refuse(NL_EARENA, "%u relocations; a leaf has at most %u", h->relocs.count, NL_LEAF_MAX_RELOCS);
	if (file.n + sizeof(struct nl_leaf_signature) > NL_LEAF_MAX_SIZE)
		refuse(NL_EARENA, "%zu bytes; a leaf has at most %u", file.n, NL_LEAF_MAX_SIZE);
	memcpy(file.p, h, sizeof(*h));
	return file;
}
