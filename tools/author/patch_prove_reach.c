// SPDX-License-Identifier: Apache-2.0
/*
 * Equal bytes and equal addresses may still mean another thing: a constant or a switch's table with another content, a
 * jump label that hangs on another key, a fault that continues elsewhere, an alternative for another CPU. All of it is
 * compared with the image, as far as it can be reached. Not compared: tables that follow from the code itself (returns,
 * retpolines, locks, calls of ftrace, static calls, ORC), and the line that a WARN names.
 */
#include "patch_prove_reach.h"
#include "livesites.h"

#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

struct place { /* without a name, to which something leads */
	uint32_t section;
	uint64_t offset;
};

struct seen {
	struct place at;
	const char *why;
};

struct proof_reach {
	struct place *place; /* ascending */
	size_t n_places;
	struct seen *seen;
	size_t n_seen, room;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Parts of the unit that only say something together with what leads there. The lists of type numbers are filled in
 * after the link. */
static bool is_part(const struct unit_section *s)
{
	return s->flags & SHF_ALLOC && s->bytes && !unit_is_string(s) && (unit_is_constant(s) || unit_is_code(s)) &&
	       strcmp(s->name, ".BTF_ids");
}

static struct proof_reach *start(const struct unit *u)
{
	struct proof_reach *c = xalloc(sizeof(*c));
	size_t relocs = 0;

	for (size_t i = 1; i < u->n_sections; i++)
		relocs += u->section[i].n_relocs;
	c->place = xalloc((relocs + 1) * sizeof(*c->place));
	for (size_t i = 1; i < u->n_sections; i++) {
		const struct unit_section *s = &u->section[i];

		for (size_t r = 0; s->flags & SHF_ALLOC && r < s->n_relocs; r++) {
			struct unit_target t;

			if (!is_part(&u->section[u->symbol[s->reloc[r].symbol].section]))
				continue;
			t = unit_target(u, s, &s->reloc[r]);
			if (!t.symbol && t.offset >= 0)
				c->place[c->n_places++] = (struct place){t.section, (uint64_t)t.offset};
		}
	}
	if (c->n_places)
		qsort(c->place, c->n_places, sizeof(*c->place), by_place);
	return c;
}

/* How far something without a name may reach: to the next name, or the next place that anything leads to. */
static uint64_t end_of(const struct proof *p, uint32_t section, uint64_t offset)
{
	uint64_t end = p->u->section[section].size;
	size_t low = 0, high = p->reach->n_places;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct place *m = &p->reach->place[middle];

		if (m->section < section || (m->section == section && m->offset <= offset))
			low = middle + 1;
		else
			high = middle;
	}
	if (low < p->reach->n_places && p->reach->place[low].section == section && p->reach->place[low].offset < end)
		end = p->reach->place[low].offset;
	for (size_t i = 1; i < p->u->n_symbols; i++) {
		const struct unit_symbol *s = &p->u->symbol[i];

		if (s->section == section && s->value > offset && s->value < end)
			end = s->value;
	}
	return end;
}

/* Remembers that the place was seen; the answer may be put there. */
static size_t see(struct proof_reach *c, struct place at)
{
	if (c->n_seen == c->room) {
		struct seen *more = xalloc((c->room = c->room * 2 + 64) * sizeof(*more));

		if (c->n_seen)
			memcpy(more, c->seen, c->n_seen * sizeof(*more));
		free(c->seen);
		c->seen = more;
	}
	c->seen[c->n_seen] = (struct seen){at, NULL};
	return c->n_seen++;
}

static const char *content(struct proof *p, struct place at, uint64_t size, const char *name, bool learn)
{
	struct proof_reach *c = p->reach;
	const char *why;
	size_t mine;

	for (size_t i = 0; i < c->n_seen; i++)
		if (!by_place(&c->seen[i].at, &at))
			return c->seen[i].why;
	if (!p->known[at.section])
		return NULL; /* whoever leads there says so */
	mine = see(c, at);   /* first: what leads back to it does not ask again */
	why = proof_range(p, &p->u->section[at.section], at.offset, size, p->base[at.section] + at.offset, learn);
	why = why ? xformat("%s, %s", name, why) : NULL;
	c->seen[mine].why = why;
	return why;
}

const char *reach_field(struct proof *p, const struct unit_section *s, const struct unit_reloc *r, bool learn)
{
	const struct unit_symbol *sym = &p->u->symbol[r->symbol];
	struct unit_target t;
	struct place at;
	uint64_t size;

	if (!sym->section || !is_part(&p->u->section[sym->section]) || sym->binding == STB_WEAK)
		return NULL;
	if (unit_is_code(&p->u->section[sym->section]) && sym->type == STT_FUNC)
		return NULL; /* functions are compared by themselves */
	if (!p->reach)
		p->reach = start(p->u);
	t = unit_target(p->u, s, r);
	if (t.symbol && unit_is_code(&p->u->section[t.section]))
		return NULL;
	at = (struct place){t.section, t.symbol ? t.symbol->value : (uint64_t)t.offset};
	if ((!t.symbol && t.offset < 0) || at.offset >= p->u->section[at.section].size)
		return NULL;
	size = t.symbol && t.symbol->size ? t.symbol->size : end_of(p, at.section, at.offset) - at.offset;
	return content(p, at, size, t.symbol ? t.symbol->name : p->u->section[at.section].name, learn);
}

/* The place that an entry is about: its first field leads there. */
static bool about(const struct unit *u, const struct unit_section *table, uint64_t entry, uint32_t section,
                  uint64_t *offset)
{
	for (size_t i = 0; i < table->n_relocs; i++) {
		const struct unit_reloc *r = &table->reloc[i];

		if (r->offset != entry || u->symbol[r->symbol].section != section)
			continue;
		*offset = u->symbol[r->symbol].value + (uint64_t)r->addend;
		return true;
	}
	return false;
}

#define WARN_FLAGS 2 /* the end of struct bug_entry (asm-generic/bug.h); before it, */
#define WARN_PLACE 6 /* the file and the line */

static const char *same_entry(struct proof *p, const struct unit_section *s, uint64_t at, uint64_t size, uint64_t va,
                              bool learn)
{
	const char *why;

	if (strcmp(s->name, "__bug_table") || size < WARN_FLAGS + WARN_PLACE)
		return proof_range(p, s, at, size, va, learn);
	size -= WARN_FLAGS;
	why = proof_range(p, s, at, size - WARN_PLACE, va, learn);
	return why ? why : proof_range(p, s, at + size, WARN_FLAGS, va + size, learn);
}

/* One table of the unit; counts its entries about the function. */
static const char *same_entries(struct proof *p, const struct unit_section *s, const struct unit_symbol *f, uint64_t va,
                                size_t *n, bool learn)
{
	uint32_t entry = livesites_entry_size(p->k, s->name);

	for (uint64_t at = 0; at < s->size; at += entry) {
		uint64_t size = s->size - at < entry ? s->size - at : entry, place, image;
		size_t nth = 0;
		const char *why;

		if (!about(p->u, s, at, f->section, &place) || place - f->value >= f->size)
			continue;
		for (uint64_t before = 0, other; before < at; before += entry)
			nth += about(p->u, s, before, f->section, &other) && other == place;
		place -= f->value;
		++*n;
		image = livesites_entry(p->k, s->name, va + place, 1, nth);
		if (!image)
			return xformat("%s of the image says nothing about +%#llx", s->name, (unsigned long long)place);
		why = same_entry(p, s, at, size, image, learn);
		if (why)
			return xformat("%s says another thing about +%#llx: %s", s->name, (unsigned long long)place,
			               why);
	}
	return NULL;
}

/* Each table that either side has; a table may come in several sections of one name. */
static const char *same_table(struct proof *p, const char *name, const struct unit_symbol *f, uint64_t va, bool learn)
{
	size_t n = 0;

	for (size_t i = 1; i < p->u->n_sections; i++) {
		const struct unit_section *s = &p->u->section[i];
		const char *why = strcmp(s->name, name) ? NULL : same_entries(p, s, f, va, &n, learn);

		if (why)
			return why;
	}
	return livesites_entry(p->k, name, va, f->size, n) ? xformat("%s of the image says more about it", name) : NULL;
}

const char *reach_tables(struct proof *p, const struct unit_symbol *f, uint64_t va, bool learn)
{
	static const char marked[] = "__jump_table"; /* in the image by symbols alone */
	const char *why = same_table(p, marked, f, va, learn);

	for (size_t i = 0; i < p->k->n_sections && !why; i++)
		if (livesites_says(p->k->sections[i].name))
			why = same_table(p, p->k->sections[i].name, f, va, learn);
	for (size_t i = 1; i < p->u->n_sections && !why; i++) {
		const char *name = p->u->section[i].name;

		if (livesites_says(name) && strcmp(name, marked) && !kernel_section(p->k, name))
			why = same_table(p, name, f, va, learn);
	}
	return why;
}

void reach_forget(struct proof *p)
{
	if (p->reach)
		p->reach->n_seen = 0;
}
