// SPDX-License-Identifier: Apache-2.0
/*
 * Names come from three places: the kernel's symbols, its relocation list, and the leaf's relocations. Both sides must
 * say the same of the same place, or equal lines would look different.
 */
#include "codeview.h"
#include "leaf_modules.h"
#include "listing.h"
#include "place.h"
#include "thunks.h"

#include <ctype.h>
#include <string.h>

#define STRING_MIN 2u /* characters that make bytes a string for the reader */
#define STRING_MAX 60u
#define COLUMN 58 /* of the text form */

struct side { /* what a namer needs */
	const struct leaffile *l;
	const struct kernel *k;
	const struct nl_leaf_site *site;
	struct nl_leaf_reloc *moved; /* old side: fields that KASLR moves, offsets from the function */
	size_t n_moved;
};

static char *offset_name(const char *name, uint64_t off)
{
	return off ? xformat("%s+%#llx", name, (unsigned long long)off) : xformat("%s", name);
}

/* Bytes that read as a string, quoted; NULL = they do not. */
static char *as_string(const uint8_t *p, size_t room)
{
	size_t n = 0;

	while (n < room && (isprint(p[n]) || p[n] == '\n' || p[n] == '\t' || (n == 0 && p[n] == 1)))
		n++;
	if (n < STRING_MIN || n == room || p[n])
		return NULL;
	return xformat("\"%s%s\"",
	               escape(xformat("%.*s", (int)(n < STRING_MAX ? n : STRING_MAX), (const char *)p), FOR_TERMINAL),
	               n > STRING_MAX ? "..." : "");
}

static char *kernel_name(const struct kernel *k, uint64_t va)
{
	const struct ksection *ro;
	const struct ksym *s;
	char *text = NULL;

	if (!k)
		return xformat("kernel %#llx", (unsigned long long)va);
	s = kallsyms_at(&k->syms, va);
	ro = kernel_section_at(k, va);
	if (ro && ro->bytes && starts_with(ro->name, ".rodata") && (!s || s->va != va))
		text = as_string(ro->bytes + (va - ro->va), ro->size - (va - ro->va));
	return text ? text : offset_name(s ? s->name : "?", va - (s ? s->va : 0));
}

static char *reloc_name(const struct side *s, const struct nl_leaf_reloc *r, uint32_t distance)
{
	const struct nl_leaf_header *h = s->l->leaf.header;
	uint64_t v = r->value + (uint64_t)r->addend + distance;
	char *text;

	switch (r->symbol) {
	case NL_SYM_REGION:
		if (!s->k && r->object)
			return leaf_place_name(s->l, r->object, r->region, v);
		return kernel_name(s->k, leaf_place(s->l, s->k, r->object, r->region, r->value) + (uint64_t)r->addend +
		                                 distance);
	case NL_SYM_RETURN_THUNK:
		return xformat("__x86_return_thunk");
	case NL_SYM_INDIRECT_THUNK:
		return thunk_of_register(r->value);
	case NL_SYM_TEXT:
		return xformat("text+%#llx", (unsigned long long)v);
	case NL_SYM_DATA:
		text = v < h->data.count ? as_string(s->l->leaf.data + v, h->data.count - v) : NULL;
		return text ? text : xformat("data+%#llx", (unsigned long long)v);
	default:
		return s->k ? kernel_name(s->k, v) : xformat("%#llx", (unsigned long long)v);
	}
}

static char *new_namer(const void *with, uint32_t offset, uint32_t size, uint32_t end, uint64_t target)
{
	const struct side *s = with;

	for (uint32_t i = 0; i < s->l->leaf.header->relocs.count; i++) {
		const struct nl_leaf_reloc *r = &s->l->leaf.relocs[i];

		if (r->where == NL_AT_TEXT && r->offset == s->site->body_offset + offset)
			return reloc_name(s, r, r->type == NL_REL_PC32 ? end - offset : 0);
	}
	if (!target || size != 4 || target - s->site->body_offset < s->site->body_size)
		return NULL;
	return xformat("text+%#llx", (unsigned long long)target);
}

static char *old_namer(const void *with, uint32_t offset, uint32_t size, uint32_t end, uint64_t target)
{
	const struct side *s = with;
	uint64_t start = leaf_place(s->l, s->k, s->site->object, s->site->region, s->site->func_offset);

	for (size_t i = 0; i < s->n_moved; i++) {
		const struct nl_leaf_reloc *r = &s->moved[i];

		if (r->offset != offset)
			continue;
		return kernel_name(s->k, r->value + (uint64_t)r->addend + (r->type == NL_REL_PC32 ? end - offset : 0));
	}
	if (!target || size != 4 || target - start < s->site->func_size)
		return NULL;
	return kernel_name(s->k, target);
}

static struct listing old_code(struct side *s)
{
	uint64_t va = leaf_place(s->l, s->k, s->site->object, s->site->region, s->site->func_offset);
	const uint8_t *bytes = kernel_bytes(s->k, va, s->site->func_size);
	uint8_t *scratch = xalloc(s->site->func_size);

	if (!bytes)
		refuse(NL_EBYTES, "%s holds no bytes at %#llx", s->k->release, (unsigned long long)va);
	s->moved = xalloc((s->site->func_size / 4 + 1) * sizeof(*s->moved));
	s->n_moved =
	        runtime_bytes(s->k, va, s->site->func_size, scratch, s->moved, s->site->func_size / 4 + 1, "old code");
	return listing_make(bytes, s->site->func_size, va, old_namer, s);
}

struct view { /* one function */
	const char *name;
	struct listing a, b;
	struct listing_row *rows;
	size_t n_rows, differ;
};

static bool first_of_function(const struct leaffile *l, uint32_t index)
{
	for (uint32_t i = 0; i < index; i++)
		if (leaf_same_function(&l->leaf.sites[i], &l->leaf.sites[index]))
			return false;
	return true;
}

/* False: the site replaces no function with a body. */
static bool view_of(const struct leaffile *l, const struct kernel *k, uint32_t index, struct view *v)
{
	const struct nl_leaf_site *site = &l->leaf.sites[index];
	struct side s = {.l = l, .k = leaf_view(l, k, site->object), .site = site};
	struct listing_row *rows;

	if (site->kind != NL_SITE_TEXT || !site->body_size || !first_of_function(l, index))
		return false;
	*v = (struct view){.name = l->strings + site->name};
	if (k)
		v->a = old_code(&s);
	v->b = listing_make(l->leaf.text + site->body_offset, site->body_size, site->body_offset, new_namer, &s);
	v->n_rows = listing_align(&v->a, &v->b, &rows);
	v->rows = rows;
	for (size_t i = 0; i < v->n_rows; i++)
		v->differ += !rows[i].same;
	return true;
}

static const char *cell(const struct listing *l, int32_t i) { return i < 0 ? "" : l->line[i].text; }

void codeview_text(FILE *f, const struct leaffile *l, const struct kernel *k)
{
	struct view v;

	for (uint32_t i = 0; i < l->leaf.header->sites.count; i++) {
		if (!view_of(l, k, i, &v))
			continue;
		fprintf(f, "\n%s: old %zu instructions%s, new %zu, %zu lines differ\n", escape(v.name, FOR_TERMINAL),
		        v.a.n, k ? "" : " (give the kernel by -k to see them)", v.b.n, v.differ);
		for (size_t r = 0; r < v.n_rows; r++)
			fprintf(f, "%c %-*.*s | %s\n",
			        v.rows[r].same    ? ' '
			        : v.rows[r].b < 0 ? '<'
			                          : '>',
			        COLUMN, COLUMN, escape(cell(&v.a, v.rows[r].a), FOR_TERMINAL),
			        escape(cell(&v.b, v.rows[r].b), FOR_TERMINAL));
	}
}

void html_print(FILE *f, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		default:
			fputc(*text, f);
		}
}

static void html_cell(FILE *f, const struct listing *l, int32_t i)
{
	if (i < 0) {
		fputs("<td></td><td></td>", f);
		return;
	}
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a row names no line that is not there
	fprintf(f, "<td>%x</td><td title=\"%s\">", l->line[i].offset, l->line[i].bytes);
	html_print(f, escape(l->line[i].text, FOR_TERMINAL));
	fputs("</td>", f);
}

void codeview_html(FILE *f, const struct leaffile *l, const struct kernel *k)
{
	struct view v;

	for (uint32_t i = 0; i < l->leaf.header->sites.count; i++) {
		if (!view_of(l, k, i, &v))
			continue;
		fputs("<h2>", f);
		html_print(f, escape(v.name, FOR_TERMINAL));
		fprintf(f,
		        "</h2>\n<p>%zu of %zu lines differ</p>\n<table><tr><th colspan=2>old</th><th "
		        "colspan=2>new</th></tr>\n",
		        v.differ, v.n_rows);
		for (size_t r = 0; r < v.n_rows; r++) {
			const struct listing_row *row = &v.rows[r];

			fprintf(f, "<tr class=\"%s\">", row->same ? "same" : row->b < 0 ? "old" : "new");
			html_cell(f, &v.a, row->a);
			html_cell(f, &v.b, row->b);
			fputs("</tr>\n", f);
		}
		fputs("</table>\n", f);
	}
}
