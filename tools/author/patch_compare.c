// SPDX-License-Identifier: Apache-2.0
/*
 * Functions are compared byte by byte, and address by address by what it leads to: a symbol, or the content of a
 * string. Static variables of functions are numbered by the compiler, and the numbers move; which is which is learnt
 * from functions that are equal otherwise, then by what they begin with; both only among those of one function of the
 * source.
 */
#include "patch_compare.h"
#include "patch_homes.h"
#include "patch_kind.h"

#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

/* Tables whose entries belong to the function that their first field leads to; the last ones are one for each variable
 * (6.12's and later kernels' runtime constants). */
static bool is_table(const char *name)
{
	static const char *const names[] = {"__ex_table", "__bug_table", "__jump_table", ".altinstructions",
	                                    ".parainstructions"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return !strncmp(name, "runtime_", 8);
}

struct guess { /* pairs that a function's comparison supposes */
	uint32_t before, after;
};

struct comparing {
	struct comparison *c;
	struct guess *guess;
	size_t n_guesses;
	unsigned depth; /* constants without a name that lead to others */
};
#define DEPTH_MAX 16u /* a circle of them is another's, to be sure */

static bool kept(const struct unit_section *s)
{
	static const char *const without[] = {".discard", ".modinfo", "__ksymtab", "___ksymtab"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(without); i++)
		if (!strncmp(s->name, without[i], strlen(without[i])))
			return false;
	return s->flags & SHF_ALLOC;
}

bool unit_is_function(const struct unit *u, const struct unit_symbol *s)
{
	return s->section && s->type == STT_FUNC && s->size && unit_is_code(&u->section[s->section]) &&
	       kept(&u->section[s->section]);
}

bool unit_is_datum(const struct unit *u, const struct unit_symbol *s)
{
	return s->section && s->type == STT_OBJECT && !unit_is_code(&u->section[s->section]) &&
	       kept(&u->section[s->section]);
}

static uint32_t index_of(const struct unit *u, const struct unit_symbol *s) { return (uint32_t)(s - u->symbol); }

static bool numbered(const char *name)
{
	char *base = unit_base_name(name);
	bool is = strcmp(base, name) != 0;

	free(base);
	return is;
}

/* Enough to ask whether one is the other; what the patch may not do to it is asked of what is. */
static bool could_be(const struct unit *b, const struct unit_symbol *x, const struct unit *a,
                     const struct unit_symbol *y)
{
	const struct unit_section *sx = &b->section[x->section], *sy = &a->section[y->section];

	return unit_is_constant(sx) == unit_is_constant(sy) && unit_is_code(sx) == unit_is_code(sy);
}

/* By the source they are variables of the same function. Of constants the value matters alone. */
static bool same_home(const struct comparison *c, uint32_t before, uint32_t after)
{
	const struct unit_symbol *b = &c->before->symbol[before];

	return !home_is(b->name) || unit_is_constant(&c->before->section[b->section]) ||
	       home_same(c->before->home[before], c->after->home[after]);
}

static const char *same_range(struct comparing *m, const struct unit_section *sb, uint64_t fb,
                              const struct unit_section *sa, uint64_t fa, uint64_t size);

/* Of what the compiler made for one function the value matters alone: with another it is another function. */
static bool same_value(struct comparing *m, const struct unit_symbol *b, const struct unit_symbol *a)
{
	return !unit_is_made(b->name) || !same_range(m, &m->c->before->section[b->section], b->value,
	                                             &m->c->after->section[a->section], a->value, b->size);
}

/* Are these two the same thing? With a guess where nothing speaks against it. */
static bool paired(struct comparing *m, uint32_t before, uint32_t after)
{
	struct comparison *c = m->c;
	const struct unit_symbol *b = &c->before->symbol[before], *a = &c->after->symbol[after];

	if (c->origin[after] || c->outcome[before])
		return c->origin[after] == before;
	if (!unit_is_datum(c->before, b) || !unit_is_datum(c->after, a) || !unit_same_base(b->name, a->name) ||
	    b->size != a->size || !could_be(c->before, b, c->after, a) || !same_home(c, before, after))
		return false;
	for (size_t i = 0; i < m->n_guesses; i++)
		if (m->guess[i].before == before || m->guess[i].after == after)
			return m->guess[i].before == before && m->guess[i].after == after;
	m->guess[m->n_guesses++] = (struct guess){before, after};
	return same_value(m, b, a);
}

static bool same_merged(const struct unit_section *b, int64_t x, const struct unit_section *a, int64_t y)
{
	uint64_t n = x < 0 ? 0 : unit_merged_size(b, (uint64_t)x);

	return n && y >= 0 && n == unit_merged_size(a, (uint64_t)y) && !memcmp(b->bytes + x, a->bytes + y, n);
}

/* Strings, constants, code that boot may put in another's place: told apart by what they hold. */
static bool same_unnamed(struct comparing *m, const struct unit_target *x, const struct unit_target *y)
{
	const struct unit_section *b = &m->c->before->section[x->section], *a = &m->c->after->section[y->section];
	uint64_t nb, na;
	bool same;

	if (unit_is_string(b) || unit_is_string(a))
		return unit_is_string(b) && unit_is_string(a) && same_merged(b, x->offset, a, y->offset);
	if (unit_is_code(b) != unit_is_code(a) || unit_is_constant(b) != unit_is_constant(a) || x->offset < 0 ||
	    y->offset < 0 || (uint64_t)x->offset >= b->size || (uint64_t)y->offset >= a->size)
		return false;
	nb = unit_unnamed_size(m->c->before, x->section, (uint64_t)x->offset);
	na = unit_unnamed_size(m->c->after, y->section, (uint64_t)y->offset);
	if (nb != na || m->depth == DEPTH_MAX)
		return false;
	m->depth++;
	same = !same_range(m, b, (uint64_t)x->offset, a, (uint64_t)y->offset, nb);
	m->depth--;
	return same;
}

/* By a name that asm() gives outside of functions: what stands there is compared by itself (patch_lists.c), but
 * strings.
 */
static bool same_label(const struct comparison *c, const struct unit_target *x, const struct unit_target *y)
{
	const struct unit_symbol *s = x->symbol, *t = y->symbol;
	const struct unit_section *b = &c->before->section[x->section], *a = &c->after->section[y->section];

	if (!s || !t || s->type != STT_NOTYPE || t->type != STT_NOTYPE || x->offset != y->offset ||
	    unit_is_string(b) != unit_is_string(a) || strcmp(s->name, t->name))
		return false;
	return !unit_is_string(b) || same_merged(b, (int64_t)s->value + x->offset, a, (int64_t)t->value + y->offset);
}

static const char *same_target(struct comparing *m, const struct unit_section *sb, const struct unit_reloc *rb,
                               const struct unit_section *sa, const struct unit_reloc *ra)
{
	const struct unit *b = m->c->before, *a = m->c->after;
	struct unit_target x = unit_target(b, sb, rb), y = unit_target(a, sa, ra);

	if (rb->type != ra->type || !x.section != !y.section)
		return "another kind of address";
	if (!x.section)
		return x.offset == y.offset && !strcmp(x.symbol->name, y.symbol->name)
		               ? NULL
		               : xformat("%s instead of %s", y.symbol->name, x.symbol->name);
	if (x.symbol && y.symbol && *x.symbol->name && *y.symbol->name && x.offset == y.offset &&
	    x.symbol->type != STT_SECTION && paired(m, index_of(b, x.symbol), index_of(a, y.symbol)))
		return NULL;
	if (same_label(m->c, &x, &y))
		return NULL;
	if (!x.symbol && !y.symbol)
		return same_unnamed(m, &x, &y) ? NULL : "another string or constant";
	if (x.symbol && y.symbol && unit_is_made(x.symbol->name) && unit_same_base(x.symbol->name, y.symbol->name))
		return xformat("another %s", starts_with(x.symbol->name, "CSWTCH.") ? "table of what a switch gives"
		                                                                    : "name of a function");
	return xformat("%s instead of %s", y.symbol ? y.symbol->name : "a place",
	               x.symbol ? x.symbol->name : "a place");
}

static size_t first_reloc(const struct unit_section *s, uint64_t from)
{
	size_t r = 0;

	while (r < s->n_relocs && s->reloc[r].offset < from)
		r++;
	return r;
}

/* Equal ranges of two sections? NULL or the first difference. */
static const char *same_range(struct comparing *m, const struct unit_section *sb, uint64_t fb,
                              const struct unit_section *sa, uint64_t fa, uint64_t size)
{
	size_t rb = first_reloc(sb, fb), ra = first_reloc(sa, fa);

	if (!sb->bytes || !sa->bytes)
		return !sb->bytes && !sa->bytes ? NULL : "no longer only zeroes";
	for (uint64_t i = 0; i < size;) {
		bool hit_b = rb < sb->n_relocs && sb->reloc[rb].offset == fb + i;
		bool hit_a = ra < sa->n_relocs && sa->reloc[ra].offset == fa + i;

		if (hit_b != hit_a)
			return "an address and no address";
		if (hit_b) {
			const char *why = same_target(m, sb, &sb->reloc[rb], sa, &sa->reloc[ra]);

			if (why)
				return why;
			i += unit_reloc_size(sb->reloc[rb].type);
			rb++;
			ra++;
			continue;
		}
		if (sb->bytes[fb + i] != sa->bytes[fa + i])
			return "other bytes";
		i++;
	}
	return NULL;
}

static bool belongs(const struct unit *u, const struct unit_section *s, const struct unit_reloc *r,
                    const struct unit_symbol *f)
{
	struct unit_target t = unit_target(u, s, r);

	uint64_t at = t.symbol ? t.symbol->value : (uint64_t)t.offset; /* what asm() names has no size, and no inside */

	return t.symbol == f || (t.section == f->section && at >= f->value && at - f->value < f->size);
}

static const struct unit_section *table_of(const struct unit *u, const char *name)
{
	for (size_t i = 1; i < u->n_sections; i++)
		if (u->section[i].n_relocs && !strcmp(u->section[i].name, name))
			return &u->section[i];
	return NULL;
}

/* The first relocation from i on that leads into the function. */
static size_t next_of(const struct unit *u, const struct unit_section *s, size_t i, const struct unit_symbol *f)
{
	while (s && i < s->n_relocs && !belongs(u, s, &s->reloc[i], f))
		i++;
	return i;
}

/* Up to the next field that leads to code: another's, or the same entry's other one. */
static uint64_t until_code(const struct unit *u, const struct unit_section *s, size_t i)
{
	uint64_t from = s->reloc[i].offset;

	while (++i < s->n_relocs)
		if (unit_is_code(&u->section[u->symbol[s->reloc[i].symbol].section]))
			return s->reloc[i].offset - from;
	return s->size - from;
}

/* The entries of a function in one table of the kernel. */
static const char *same_table(struct comparing *m, const char *name, const struct unit_symbol *b,
                              const struct unit_symbol *a)
{
	const struct unit_section *sb = table_of(m->c->before, name), *sa = table_of(m->c->after, name);

	for (size_t i = 0, j = 0;; i++, j++) {
		uint64_t size;

		i = next_of(m->c->before, sb, i, b);
		j = next_of(m->c->after, sa, j, a);
		if ((!sb || i >= sb->n_relocs) && (!sa || j >= sa->n_relocs))
			return NULL;
		if (!sb || !sa || i >= sb->n_relocs || j >= sa->n_relocs)
			return xformat("another number of entries in %s", name);
		size = until_code(m->c->before, sb, i);
		if (size != until_code(m->c->after, sa, j) ||
		    same_range(m, sb, sb->reloc[i].offset, sa, sa->reloc[j].offset, size))
			return xformat("another entry in %s", name);
	}
}

/* They say as much about it as its code. */
static const char *same_entries(struct comparing *m, const struct unit_symbol *b, const struct unit_symbol *a)
{
	const struct unit *u[] = {m->c->before, m->c->after};
	const char *why = NULL;

	for (size_t side = 0; side < 2; side++)
		for (size_t i = 1; i < u[side]->n_sections && !why; i++)
			if (is_table(u[side]->section[i].name))
				why = same_table(m, u[side]->section[i].name, b, a);
	return why;
}

static const char *same_symbol(struct comparing *m, uint32_t before, uint32_t after)
{
	const struct unit_symbol *b = &m->c->before->symbol[before], *a = &m->c->after->symbol[after];
	const struct unit_section *sb = &m->c->before->section[b->section], *sa = &m->c->after->section[a->section];
	const char *why;

	if (b->size != a->size)
		return xformat("%llu instead of %llu bytes", (unsigned long long)a->size, (unsigned long long)b->size);
	if (!unit_same_kind(sb, sa))
		return xformat("it becomes %s", unit_kind_text(sa));
	why = same_range(m, sb, b->value, sa, a->value, b->size);
	return why || !unit_is_function(m->c->before, b) ? why : same_entries(m, b, a);
}

static void pair(struct comparison *c, uint32_t before, uint32_t after)
{
	c->origin[after] = before;
	c->outcome[before] = after;
}

/* Names that the compiler does not number, and functions whatever their name. */
static void pair_by_name(struct comparison *c)
{
	for (uint32_t j = 1; j < c->after->n_symbols; j++) {
		const struct unit_symbol *a = &c->after->symbol[j];
		bool function = unit_is_function(c->after, a);

		if (!function && (!unit_is_datum(c->after, a) || numbered(a->name)))
			continue;
		for (uint32_t i = 1; i < c->before->n_symbols && !c->origin[j]; i++) {
			const struct unit_symbol *b = &c->before->symbol[i];

			if (!c->outcome[i] && !strcmp(a->name, b->name) &&
			    (function ? unit_is_function(c->before, b) : unit_is_datum(c->before, b)))
				pair(c, i, j);
		}
	}
}

/* What is left of one base name, on one side. */
static size_t left(const struct unit *u, const uint32_t *done, const char *name, uint32_t *list)
{
	size_t n = 0;

	for (uint32_t i = 1; i < u->n_symbols; i++)
		if (unit_is_datum(u, &u->symbol[i]) && !done[i] && unit_same_base(u->symbol[i].name, name))
			list[n++] = i;
	return n;
}

/* The functions of u that refer to a datum, without what the compiler added to their names: "f g ", in no order. */
static char *users_of(const struct unit *u, const struct unit_symbol *s)
{
	char *all = xformat(" ");

	for (uint32_t i = 1; i < u->n_symbols; i++) {
		const char *name = u->symbol[i].name;
		char *one;

		if (!unit_is_function(u, &u->symbol[i]) || !unit_refers(u, &u->symbol[i], s))
			continue;
		one = xformat(" %.*s ", (int)strcspn(name, "."), name);
		if (!strstr(all, one))
			all = xformat("%s%s", all, one + 1);
	}
	return all;
}

/* Could one be the other? By size, kind, what they begin with, and who uses them: in the source where that is known, as
 * it must be of what is written. */
static bool alike(struct comparing *m, uint32_t before, uint32_t after)
{
	const struct unit *u = m->c->before, *v = m->c->after;
	const struct unit_symbol *b = &u->symbol[before], *a = &v->symbol[after];
	const struct unit_section *sb = &u->section[b->section], *sa = &v->section[a->section];
	const char *x = u->home[before], *y = v->home[after];

	m->n_guesses = 0;
	if (b->size != a->size || !could_be(u, b, v, a) || !same_home(m->c, before, after) ||
	    same_range(m, sb, b->value, sa, a->value, b->size))
		return false;
	return x && y ? home_same(x, y) : home_same(users_of(u, b), users_of(v, a));
}

/*
 * Variables of functions, which the compiler numbers: one that comes or goes moves the numbers of all others of its
 * name. So before and after are the same only where each is alike the other alone.
 */
static void pair_alike(struct comparing *m)
{
	struct comparison *c = m->c;
	uint32_t *b = xalloc(c->before->n_symbols * sizeof(*b)), *a = xalloc(c->after->n_symbols * sizeof(*a));

	for (uint32_t j = 1; j < c->after->n_symbols; j++) {
		const struct unit_symbol *s = &c->after->symbol[j];
		size_t nb, na, alone = 0, others = 0;
		uint32_t its = 0;

		if (!unit_is_datum(c->after, s) || c->origin[j])
			continue;
		nb = left(c->before, c->outcome, s->name, b);
		na = left(c->after, c->origin, s->name, a);
		for (size_t i = 0; i < nb; i++)
			if (alike(m, b[i], j))
				its = b[i], alone++;
		for (size_t i = 0; i < na && its; i++)
			others += alike(m, its, a[i]);
		if (alone == 1 && others == 1)
			pair(c, its, j);
	}
	free(a);
	free(b);
}

/* Where all variables of before are known again, what is left is new. */
static void mark_unsure(struct comparison *c)
{
	uint32_t *b = xalloc(c->before->n_symbols * sizeof(*b));

	for (uint32_t j = 1; j < c->after->n_symbols; j++)
		c->unsure[j] = unit_is_datum(c->after, &c->after->symbol[j]) && !c->origin[j] &&
		               left(c->before, c->outcome, c->after->symbol[j].name, b);
	free(b);
}

static void compare_functions(struct comparing *m, bool last)
{
	struct comparison *c = m->c;

	for (uint32_t j = 1; j < c->after->n_symbols; j++) {
		const char *why;

		if (!c->origin[j] || c->fate[j] == FATE_SAME || !unit_is_function(c->after, &c->after->symbol[j]))
			continue;
		m->n_guesses = 0;
		why = same_symbol(m, c->origin[j], j);
		for (size_t i = 0; i < m->n_guesses && !why; i++)
			pair(c, m->guess[i].before, m->guess[i].after);
		if (!why)
			c->fate[j] = FATE_SAME;
		else if (last)
			c->fate[j] = FATE_CHANGED;
		c->why[j] = why;
	}
}

static void compare_data(struct comparing *m)
{
	struct comparison *c = m->c;

	for (uint32_t j = 1; j < c->after->n_symbols; j++) {
		const char *why;

		if (!c->origin[j] || !unit_is_datum(c->after, &c->after->symbol[j]))
			continue;
		m->n_guesses = 0;
		why = same_symbol(m, c->origin[j], j);
		c->fate[j] = why ? FATE_CHANGED : FATE_SAME;
		c->why[j] = why;
	}
}

/* f.cold is a part of f: whoever has a new f has left the old f.cold. */
static void join_cold(struct comparison *c)
{
	for (uint32_t j = 1; j < c->after->n_symbols; j++) {
		const char *name = c->after->symbol[j].name, *cold = strstr(name, ".cold");
		char *whole;

		if (!cold || c->fate[j] != FATE_CHANGED)
			continue;
		whole = xformat("%.*s", (int)(cold - name), name);
		for (uint32_t i = 1; i < c->after->n_symbols; i++)
			if (c->fate[i] == FATE_SAME && !strcmp(c->after->symbol[i].name, whole)) {
				c->fate[i] = FATE_CHANGED;
				c->why[i] = c->why[j];
			}
	}
}

/* Of what a comparison may suppose: no more than there are addresses. */
static struct guess *guesses(const struct unit *u)
{
	size_t relocs = 1;

	for (size_t i = 1; i < u->n_sections; i++)
		relocs += u->section[i].n_relocs;
	return xalloc(relocs * sizeof(struct guess));
}

const char *unit_range_difference(const struct comparison *c, const struct unit_section *before, uint64_t from_before,
                                  const struct unit_section *after, uint64_t from_after, uint64_t size)
{
	struct comparing m = {.c = (struct comparison *)(uintptr_t)c, .guess = guesses(c->after)};
	const char *why = same_range(&m, before, from_before, after, from_after, size);

	free(m.guess);
	return why;
}

const char *unit_entries_difference(const struct comparison *c, const struct unit_symbol *before,
                                    const struct unit_symbol *after)
{
	struct comparing m = {.c = (struct comparison *)(uintptr_t)c, .guess = guesses(c->after)};
	const char *why = same_entries(&m, before, after);

	free(m.guess);
	return why;
}

struct comparison *unit_compare(const struct unit *before, const struct unit *after)
{
	struct comparison *c = xalloc(sizeof(*c));
	struct comparing m = {.c = c};

	c->before = before;
	c->after = after;
	c->origin = xalloc((after->n_symbols + 1) * sizeof(*c->origin));
	c->outcome = xalloc((before->n_symbols + 1) * sizeof(*c->outcome));
	c->fate = xalloc((after->n_symbols + 1) * sizeof(*c->fate));
	c->unsure = xalloc((after->n_symbols + 1) * sizeof(*c->unsure));
	c->why = xalloc((after->n_symbols + 1) * sizeof(*c->why));
	m.guess = guesses(after);
	pair_by_name(c);
	compare_functions(&m, false);
	pair_alike(&m);
	compare_functions(&m, true);
	mark_unsure(c);
	compare_data(&m);
	join_cold(c);
	for (uint32_t j = 1; j < after->n_symbols; j++)
		if (!c->origin[j] && !c->unsure[j] &&
		    (unit_is_function(after, &after->symbol[j]) || unit_is_datum(after, &after->symbol[j])))
			c->fate[j] = FATE_NEW;
	return c;
}

bool unit_refers(const struct unit *u, const struct unit_symbol *f, const struct unit_symbol *to)
{
	const struct unit_section *s = &u->section[f->section];
	bool function = unit_is_function(u, to); /* of one with several names any of them will do */

	for (size_t i = 0; i < s->n_relocs; i++) {
		const struct unit_symbol *its;

		if (s->reloc[i].offset < f->value || s->reloc[i].offset - f->value >= f->size)
			continue;
		its = unit_target(u, s, &s->reloc[i]).symbol;
		if (its == to || (function && its && its->section == to->section && its->value == to->value))
			return true;
	}
	return false;
}

char *unit_difference(const struct comparison *c)
{
	for (uint32_t j = 1; j < c->after->n_symbols; j++)
		if (c->fate[j] == FATE_CHANGED)
			return xformat("%s: %s", c->after->symbol[j].name, c->why[j]);
	return NULL;
}
