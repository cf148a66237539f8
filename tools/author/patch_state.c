// SPDX-License-Identifier: Apache-2.0
/*
 * A variable that goes while one like it comes may be the same under another name, or in another unit. In another unit
 * and under its own name it is the same, and stays where the image has it: the unit that loses it knows the place.
 */
#include "patch_state.h"
#include "patch_homes.h"
#include "patch_kind.h"
#include "private.h"

#include <string.h>

static bool is_state(const struct unit *u, const struct unit_symbol *s)
{
	const struct unit_section *in = &u->section[s->section];

	return unit_is_datum(u, s) && s->size && in->flags & SHF_WRITE && !unit_is_constant(in) &&
	       !unit_is_of_boot(in) && !starts_with(in->name, "__") && !private_is_harmless(s->name);
}

/* Of what others can link to there is one, constant or not. A variable of each CPU has no one place. */
static bool is_one(const struct unit *u, const struct unit_symbol *s)
{
	const struct unit_section *in = &u->section[s->section];

	return is_state(u, s) ? !starts_with(in->name, ".data..percpu")
	                      : unit_is_datum(u, s) && s->size && s->binding != STB_LOCAL && !unit_is_of_boot(in) &&
	                                !starts_with(in->name, "__");
}

static const struct unit_symbol *goes(const struct patch_unit *p, uint32_t i)
{
	const struct unit_symbol *s = &p->c->before->symbol[i];

	return !p->c->outcome[i] && unit_is_datum(p->c->before, s) ? s : NULL;
}

static const struct unit_symbol *comes(const struct patch_unit *p, uint32_t j)
{
	const struct unit_symbol *s = &p->c->after->symbol[j];

	return p->c->fate[j] == FATE_NEW && unit_is_datum(p->c->after, s) ? s : NULL;
}

/* By its name; a variable of a function also by that function. */
static bool is_named_so(const struct patch_unit *from, uint32_t i, const struct patch_unit *to, uint32_t j)
{
	const char *b = from->c->before->symbol[i].name, *a = to->c->after->symbol[j].name;

	if (!home_is(b) || !home_is(a))
		return !strcmp(a, b);
	return unit_same_base(a, b) && home_same(from->c->before->home[i], to->c->after->home[j]);
}

/* An address in it that the other unit's code of the same name would not be. */
static const char *leads_to(const struct unit *u, const struct unit_symbol *s)
{
	const struct unit_section *in = &u->section[s->section];

	for (size_t r = 0; r < in->n_relocs; r++) {
		struct unit_target t;

		if (in->reloc[r].offset < s->value || in->reloc[r].offset >= s->value + s->size)
			continue;
		t = unit_target(u, in, &in->reloc[r]);
		if (t.symbol ? t.symbol != s && t.symbol->binding == STB_LOCAL
		             : !unit_is_string(&u->section[t.section]))
			return t.symbol ? t.symbol->name : "what has no name";
	}
	return NULL;
}

/* What speaks against its being the same variable; NULL: nothing. */
static const char *differs(const struct patch_unit *from, uint32_t i, const struct patch_unit *to, uint32_t j)
{
	const struct unit *b = from->c->before, *a = to->c->after;
	const struct comparison *c;

	if (b->symbol[i].size != a->symbol[j].size)
		return "its size";
	if (!layout_same_variable(&from->types, &to->types, b->symbol[i].name))
		return "its type";
	c = unit_compare(b, a);
	if (c->origin[j] != i)
		return "which of several it is";
	if (c->fate[j] != FATE_SAME)
		return c->why[j];
	return leads_to(b, &b->symbol[i]);
}

static uint64_t place_of(const struct patch_unit *p, const struct unit_symbol *s)
{
	const struct unit_symbol *shipped = unit_find(p->shipped, s->name);
	const struct ksym *found;
	uint64_t va;

	if (!shipped || !proof_place(p->proof, shipped, &va) ||
	    (kallsyms_find(&p->k->syms, s->name, 1, &found) && !proof_is_named(p->k, s->name, va)))
		refuse(NL_ESITE, "%s: the variable %s moves to another unit, and where the image has it is not known",
		       p->path, s->name);
	return va;
}

static void lose(struct patch_unit *p, const struct unit_symbol *from, const struct patch_unit *to,
                 const struct unit_symbol *s, const char *how)
{
	if (!p->allow_state)
		refuse(NL_ESITE,
		       "%s: the variable %s goes and %s comes%s: if that is %s, what the running kernel keeps in it "
		       "would be lost; %s. If it is another, say: --allow state",
		       p->path, from->name, s->name, to == p ? "" : xformat(" in %s", to->path),
		       how ? xformat("the same, moved (%s changes)", how) : "its new name",
		       how ? "leave it as it was" : "leave the name");
	p->state = xformat("%s goes, %s comes", from->name, s->name);
}

/* Binds what moves to another unit. True: it does, or another of its name comes, which the author has allowed. */
static bool move(struct patch_unit *p, uint32_t i, struct patch_unit *units, size_t n)
{
	const struct unit_symbol *from = goes(p, i), *to;
	struct patch_unit *home = NULL;

	for (size_t g = 0; g < n; g++)
		for (uint32_t j = 1; j < units[g].c->after->n_symbols; j++) {
			const char *how;

			to = comes(&units[g], j);
			if (&units[g] == p || !patch_same_object(&units[g], p) || !to ||
			    !is_one(units[g].c->after, to) || !is_named_so(p, i, &units[g], j))
				continue;
			if (home)
				refuse(NL_ESITE, "%s: the variable %s goes, and both %s and %s get one of its name",
				       p->path, from->name, home->path, units[g].path);
			home = &units[g];
			how = differs(p, i, home, j);
			if (how && from->binding != STB_LOCAL)
				refuse(NL_ESITE,
				       "%s: %s moves to %s and changes (%s); the running kernel has the old one",
				       p->path, from->name, home->path, how);
			if (how) {
				lose(p, from, home, to, how);
				continue;
			}
			home->moved[j] = place_of(p, from);
			patch_note(home, xformat("%s moves here from %s, and stays where the image has it", to->name,
			                         p->path));
		}
	return home;
}

/* What is read and never written is its first value to the compiler; the running kernel has written it. */
static void check_read(struct patch_unit *p, const char *name)
{
	if (!p->allow_state)
		refuse(NL_ESITE,
		       "%s: after the patch nothing writes %s any more, and the compiler takes the first value of %s "
		       "for it; the running kernel may hold another. If it shall be the first value, say: --allow "
		       "state",
		       p->path, name, name);
	p->state = xformat("%s keeps its first value", name);
}

/* Does any unit of the patch get a variable that it may have become? Of whatever size: a list becomes a hash. */
static void check_renamed(struct patch_unit *p, const struct unit_symbol *s, const struct patch_unit *units, size_t n)
{
	for (size_t g = 0; g < n; g++)
		for (uint32_t j = 1; j < units[g].c->after->n_symbols; j++) {
			const struct unit_symbol *to = comes(&units[g], j);

			if (to && patch_same_object(&units[g], p) && is_state(units[g].c->after, to) &&
			    !units[g].moved[j])
				lose(p, s, &units[g], to, NULL);
		}
}

static bool is_gone(const struct patch_unit *p, const char *name)
{
	const struct unit *a = p->c->after;

	for (uint32_t j = 1; j < a->n_symbols; j++)
		if (p->c->unsure[j] && unit_same_base(a->symbol[j].name, name))
			return false;
	return true;
}

/* It is another unit's now. */
static bool is_elsewhere(const struct patch_unit *p, const char *name)
{
	const struct unit *a = p->c->after;

	for (uint32_t j = 1; j < a->n_symbols; j++)
		if (!a->symbol[j].section && !strcmp(a->symbol[j].name, name))
			return true;
	return false;
}

static void check_gone(struct patch_unit *p, const bool *moves, const struct patch_unit *units, size_t n)
{
	const struct unit *b = p->c->before;

	for (uint32_t i = 1; i < b->n_symbols; i++) {
		const struct unit_symbol *s = goes(p, i);
		const char *name;

		if (!s || moves[i] || !is_state(b, s))
			continue;
		name = s->name;
		check_renamed(p, s, units, n);
		if (is_elsewhere(p, name))
			continue;
		if (home_reads(p->c->after, name, b->home[i]))
			check_read(p, name);
		if (is_gone(p, name))
			patch_note(p, xformat("the variable %s is gone from the source; the image keeps it", name));
	}
}

void state_check(struct patch_unit *units, size_t n)
{
	bool **moves = xalloc((n + 1) * sizeof(*moves));

	for (size_t i = 0; i < n; i++)
		units[i].moved = xalloc((units[i].c->after->n_symbols + 1) * sizeof(*units[i].moved));
	for (size_t i = 0; i < n; i++) {
		const struct unit *b = units[i].c->before;

		moves[i] = xalloc((b->n_symbols + 1) * sizeof(*moves[i]));
		for (uint32_t s = 1; s < b->n_symbols; s++)
			moves[i][s] = goes(&units[i], s) && is_one(b, &b->symbol[s]) && move(&units[i], s, units, n);
	}
	for (size_t i = 0; i < n; i++)
		check_gone(&units[i], moves[i], units, n);
}
