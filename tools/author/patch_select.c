// SPDX-License-Identifier: Apache-2.0
/*
 * Walks from the new bodies over every address that they hold. A static variable that the kernel has stays the
 * kernel's; a function that the image has with the plain calling convention stays there; a clone is never taken from
 * the image, since its parameters are a private matter of its compilation.
 */
#include "patch_select.h"
#include "patch_homes.h"
#include "patch_modules.h"
#include "patch_shared.h"
#include "private.h"

#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

static uint64_t number_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? strtoull(dot + 1, NULL, 10) : 0;
}

/* Same source, other flags: could a datum of `in` be this one of `u`? It has the name but for the compiler's number,
 * the size, and the functions of the source. */
static bool could_be(const struct unit *u, const struct unit_symbol *s, const struct unit *in,
                     const struct unit_symbol *a)
{
	return unit_is_datum(in, a) && a->size == s->size && home_is(a->name) == home_is(s->name) &&
	       unit_same_base(a->name, s->name) &&
	       (!home_is(s->name) || home_same(u->home[s - u->symbol], in->home[a - in->symbol]));
}

/* How many such data the unit has, and how many of them are numbered lower. */
static size_t rank(const struct unit *u, const struct unit_symbol *of, size_t *total)
{
	size_t lower = 0;

	*total = 0;
	for (uint32_t i = 1; i < u->n_symbols; i++) {
		if (!could_be(u, of, u, &u->symbol[i]))
			continue;
		lower += number_of(u->symbol[i].name) < number_of(of->name);
		++*total;
	}
	return lower;
}

enum match { MATCH_NONE, MATCH_ONE, MATCH_UNSURE };

/* Which datum of `after` is the one of the third compilation? NONE: it has none of the name. */
static enum match find_datum(const struct patch_unit *p, const struct unit_symbol *s, const struct unit_symbol **found)
{
	const struct unit *after = p->c->after;
	size_t total, unused, others = 0, lower = rank(p->body, s, &total);
	bool named = false;

	*found = NULL;
	for (uint32_t i = 1; i < after->n_symbols; i++) {
		const struct unit_symbol *a = &after->symbol[i];

		named |= unit_is_datum(after, a) && unit_same_base(a->name, s->name);
		if (!could_be(p->body, s, after, a))
			continue;
		others++;
		if (rank(after, a, &unused) == lower)
			*found = a;
	}
	if (!named)
		return MATCH_NONE;
	return *found && total == others ? MATCH_ONE : MATCH_UNSURE;
}

/* The datum of the third compilation that is this one of `after`; a number is not enough, since there may be more. */
static const struct unit_symbol *fresh_of(const struct patch_unit *p, const struct unit_symbol *after)
{
	for (uint32_t i = 1; i < p->body->n_symbols; i++) {
		const struct unit_symbol *s = &p->body->symbol[i], *found;

		if (unit_is_datum(p->body, s) && unit_same_base(s->name, after->name) &&
		    find_datum(p, s, &found) == MATCH_ONE && found == after)
			return s;
	}
	return NULL;
}

static bool changes_in_place(const struct patch_unit *p, const struct unit_symbol *shipped)
{
	for (size_t i = 0; i < p->n_data; i++)
		if (p->datum[i].shipped == shipped)
			return true;
	return false;
}

struct fixed { /* where something stays */
	bool is;
	uint64_t va;
};

/* Of what has no content one is as good as another: a lock's class (__key) in a kernel without lockdep. */
static bool empty_place(const struct patch_unit *p, const struct unit_symbol *s, uint64_t *va)
{
	for (uint32_t i = 1; i < p->shipped->n_symbols; i++) {
		const struct unit_symbol *its = &p->shipped->symbol[i];

		if (unit_is_datum(p->shipped, its) && !its->size && unit_same_base(its->name, s->name) &&
		    proof_place(p->proof, its, va))
			return true;
	}
	return false;
}

static struct fixed datum_place(const struct patch_unit *p, const struct unit_symbol *s)
{
	const struct unit_symbol *after = NULL, *shipped;
	enum match m = find_datum(p, s, &after);
	struct fixed f = {0};
	uint32_t j;

	if (private_is_harmless(s->name) || m == MATCH_NONE)
		return f;
	if (!s->size && s->binding == STB_LOCAL && empty_place(p, s, &f.va))
		return (struct fixed){true, f.va};
	if (unit_is_constant(&p->body->section[s->section]) && s->binding == STB_LOCAL &&
	    (m == MATCH_UNSURE || p->c->unsure[after - p->c->after->symbol]))
		return f; /* of a constant the new code may have its own */
	if (m == MATCH_UNSURE || p->c->unsure[j = (uint32_t)(after - p->c->after->symbol)])
		refuse(NL_EBODY, "%s: which %s of the running kernel is meant cannot be told: there are several",
		       p->path, unit_base_name(s->name));
	if (p->c->fate[j] == FATE_NEW)
		return (struct fixed){p->moved[j] != 0, p->moved[j]};
	shipped = unit_find(p->shipped, p->c->before->symbol[p->c->origin[j]].name);
	if (p->c->fate[j] == FATE_CHANGED && !(shipped && changes_in_place(p, shipped)))
		return f; /* read by new code only */
	f.is = shipped && proof_place(p->proof, shipped, &f.va);
	if (!f.is && unit_is_constant(&p->body->section[s->section]) && s->binding == STB_LOCAL)
		return f; /* a constant that the image does not have under a name */
	if (!f.is)
		refuse(NL_EBODY, "%s: where the kernel has %s is not known", p->path, s->name);
	return f;
}

static struct fixed function_place(const struct patch_unit *p, const struct unit_symbol *s)
{
	const struct unit_symbol *shipped = unit_find(p->shipped, s->name);
	const struct proof_function *proven = shipped ? proof_of(p->proof, s->name) : NULL;
	const struct unit_symbol *was = unit_find(p->c->before, s->name), *after = unit_find(p->c->after, s->name);
	struct fixed f = {0};

	if (after && p->moved[after - p->c->after->symbol])
		return (struct fixed){true, p->moved[after - p->c->after->symbol]};
	if (unit_is_clone(s->name) || !proven || proven->discarded)
		return f;
	/* The patch has made a clone of it alone, or nothing: what the image has is the old code. */
	if (!was || !p->c->outcome[was - p->c->before->symbol])
		return f;
	if (proven->overridden) {
		const struct ksym *found;

		if (kallsyms_find(&p->k->syms, s->name, 1, &found) != 1)
			refuse(NL_EBODY, "%s: where the kernel has %s is not known", p->path, s->name);
		return (struct fixed){true, found->va};
	}
	if (!p->k->module && starts_with(p->shipped->section[shipped->section].name, ".init."))
		refuse(NL_EBODY, "%s: the new code calls %s, which is gone after boot (__init)", p->path, s->name);
	if (proven->why && !p->allow_unproven)
		refuse(NL_ETARGET,
		       "%s: the new code uses %s, which is not the one in the image (%s); if the source is right, say: "
		       "--allow unproven",
		       p->path, s->name, proven->why);
	f.is = proven->va != 0;
	f.va = proven->va;
	return f;
}

static bool is_thing(const struct unit *u, const struct unit_symbol *s)
{
	return *s->name && (unit_is_function(u, s) || unit_is_datum(u, s));
}

static const struct unit_symbol *symbol_of(const struct patch_unit *p, uint32_t section)
{
	for (uint32_t i = 1; i < p->body->n_symbols; i++)
		if (p->body->symbol[i].section == section && is_thing(p->body, &p->body->symbol[i]))
			return &p->body->symbol[i];
	return NULL;
}

/* Where the source names the section, -ffunction-sections and -fdata-sections divide nothing. */
static bool is_shared(const struct patch_unit *p, uint32_t section)
{
	const struct unit_symbol *first = symbol_of(p, section);

	for (uint32_t i = 1; first && i < p->body->n_symbols; i++)
		if (p->body->symbol[i].section == section && is_thing(p->body, &p->body->symbol[i]) &&
		    p->body->symbol[i].value != first->value)
			return true;
	return false;
}

/* The numbers of types of a unit lie in one section: whoever is bound to it finds each where the image has it. */
static void check_type_ids(const struct patch_unit *p, uint32_t section)
{
	const struct unit *u = p->body;

	for (uint32_t i = 1; i < u->n_symbols; i++) {
		const struct unit_symbol *s = &u->symbol[i], *shipped = NULL;

		if (s->section != section || !unit_is_datum(u, s))
			continue;
		for (uint32_t j = 1; j < p->shipped->n_symbols && !shipped; j++)
			if (unit_is_datum(p->shipped, &p->shipped->symbol[j]) &&
			    unit_same_base(p->shipped->symbol[j].name, s->name) &&
			    !strcmp(p->shipped->section[p->shipped->symbol[j].section].name,
			            u->section[section].name) &&
			    p->shipped->symbol[j].value == s->value)
				shipped = &p->shipped->symbol[j];
		if (!shipped)
			refuse(NL_EBODY, "%s: the patch adds or moves %s, a number that the kernel's build fills in",
			       p->path, s->name);
	}
}

static _Noreturn void refuse_order(const struct patch_unit *p, uint32_t section, const struct unit_symbol *x,
                                   const struct unit_symbol *y)
{
	const char *name = p->body->section[section].name, *cause = body_table_cause(name);

	refuse(NL_EBODY,
	       "%s: %s and %s share section %s, and the patch adds to it, takes from it, or orders it anew; %s",
	       p->path, x->name, y->name, name,
	       cause ? xformat("it is made by %s: leave that out", cause)
	             : "leave the attribute that names it (__read_mostly, ...) out of what is new");
}

/* Variables that share a section keep their distances, or nobody knows which of them an address near two means. */
static struct fixed shared_place(const struct patch_unit *p, uint32_t section)
{
	const struct unit_symbol *first = symbol_of(p, section);
	struct fixed at = {0};

	if (shared_as_shipped(p, section, &at.va))
		return (struct fixed){true, at.va + first->value};
	at = datum_place(p, first);
	for (uint32_t i = 1; i < p->body->n_symbols; i++) {
		const struct unit_symbol *s = &p->body->symbol[i];
		struct fixed f;

		if (s->section != section || !unit_is_datum(p->body, s))
			continue;
		f = datum_place(p, s);
		if (f.is != at.is || (f.is && f.va - s->value != at.va - first->value))
			refuse_order(p, section, first, s);
	}
	return at;
}

static void take(struct patch_unit *p, uint32_t section)
{
	if (!p->take[section])
		p->list[p->n_list++] = section;
	p->take[section] = true;
}

/* A function that shares its section: each by itself. Only a call, or what is inside, of one that the leaf carries is
 * its own; a pointer to it is the image's. */
static void want_function(struct patch_unit *p, uint32_t in, const struct unit_reloc *r)
{
	const struct unit_symbol *to = &p->body->symbol[r->symbol];
	struct unit_target t = unit_target(p->body, &p->body->section[in], r);
	struct body_fixed *fixed = &p->fixed[p->n_fixed];
	struct fixed f;

	if (!t.symbol || !unit_is_function(p->body, t.symbol))
		refuse(NL_EBODY, "%s: refers to a place of %s that is of no function", p->path,
		       p->body->section[to->section].name);
	f = function_place(p, t.symbol);
	if (!f.is)
		p->carried[t.symbol - p->body->symbol] = true;
	if (p->carried[t.symbol - p->body->symbol])
		take(p, to->section);
	if (!f.is || (p->carried[t.symbol - p->body->symbol] && (r->type == R_X86_64_PLT32 || t.offset)))
		return;
	if (t.offset) /* its inside is another in the image */
		refuse(NL_EBODY, "%s: the new code leads into the middle of %s, which stays as it is", p->path,
		       t.symbol->name);
	if (r->type == R_X86_64_PC8)
		refuse(NL_EBODY,
		       "%s: the new code reaches %s, which stays where it is, by a short jump within their section %s; "
		       "leave out the attribute that names it",
		       p->path, t.symbol->name, p->body->section[in].name);
	*fixed = (struct body_fixed){
	        in, r->offset,
	        place_at(p->k, f.va - t.symbol->value + to->value, xformat("%s: %s", p->path, t.symbol->name)),
	        r->resolved, r->addend};
	p->n_fixed++;
}

/* Takes a section, or binds it. With one symbol a section the two agree. */
static void want(struct patch_unit *p, uint32_t section)
{
	const struct unit_symbol *s = symbol_of(p, section);
	struct fixed f = {0};

	if (p->bound[section].symbol || (p->take[section] && !(s && unit_is_function(p->body, s))))
		return;
	if (s && unit_is_function(p->body, s))
		f = function_place(p, s);
	else if (s)
		f = is_shared(p, section) ? shared_place(p, section) : datum_place(p, s);
	if (f.is && !strcmp(p->body->section[section].name, ".BTF_ids"))
		check_type_ids(p, section);
	if (f.is) {
		p->bound[section] = place_at(p->k, f.va - s->value, xformat("%s: %s", p->path, s->name));
		return;
	}
	take(p, section);
}

/* A name from outside of which the image has several: the proven code knows which. */
static void want_name(struct patch_unit *p, uint32_t symbol)
{
	const char *name = p->body->symbol[symbol].name;
	const struct ksym *found;
	uint64_t va;

	p->wanted[symbol] = true;
	if (p->outside[symbol].symbol || kallsyms_find(&p->k->syms, name, 1, &found) < 2)
		return;
	if (proof_name_place(p->proof, name, &va))
		p->outside[symbol] = place_at(p->k, va, xformat("%s: %s", p->path, name));
}

static const struct unit_symbol *body_of(const struct patch_unit *p, const char *name)
{
	const struct unit_symbol *s = unit_find(p->body, name);

	if (!s || !unit_is_function(p->body, s))
		refuse(NL_EBODY, "%s: the compiler makes no plain %s for the leaf", p->path, name);
	return s;
}

/* What lists code by address. Not: who may be probed, which nobody will ask of the leaf; and what only refers to code.
 */
static bool is_table(const struct unit_section *s)
{
	static const char *const others[] = {"_kprobe_blacklist", "_error_inj", ".init",  ".exit",
	                                     "__ksymtab",         ".data",      ".entry", ".noinstr",
	                                     ".modinfo",          "__param"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(others); i++)
		if (starts_with(s->name, others[i]))
			return false;
	return !unit_is_code(s);
}

/* Has the leaf taken it, not only its section? */
static bool is_own(const struct patch_unit *p, const struct unit_symbol *s)
{
	return p->take[s->section] &&
	       (!unit_is_function(p->body, s) || !is_shared(p, s->section) || p->carried[s - p->body->symbol]);
}

/* Entries of the kernel's tables about what is taken: it would need them. */
static void check_tables(const struct patch_unit *p)
{
	for (uint32_t i = 1; i < p->body->n_sections; i++) {
		const struct unit_section *s = &p->body->section[i];
		const char *cause = s->name && is_table(s) ? body_table_cause(s->name) : NULL;

		for (size_t r = 0; cause && r < s->n_relocs; r++) {
			struct unit_target t = unit_target(p->body, s, &s->reloc[r]);

			if (t.section && p->take[t.section] && unit_is_code(&p->body->section[t.section]) &&
			    (!t.symbol || is_own(p, t.symbol)))
				refuse(NL_EBODY, "%s: the new code of %s needs an entry in %s: %s", p->path,
				       t.symbol ? t.symbol->name : "a function", s->name, cause);
		}
	}
}

/* Follows everything that is in the list, and what comes to it meanwhile. */
static void walk(struct patch_unit *p)
{
	for (; p->walked < p->n_list; p->walked++) {
		const struct unit_section *s = &p->body->section[p->list[p->walked]];

		for (size_t r = 0; r < s->n_relocs; r++) {
			const struct unit_symbol *to = &p->body->symbol[s->reloc[r].symbol];

			if (to->section && unit_is_code(&p->body->section[to->section]) && is_shared(p, to->section))
				want_function(p, p->list[p->walked], &s->reloc[r]);
			else if (to->section)
				want(p, to->section);
			else if (!to->absolute)
				want_name(p, s->reloc[r].symbol);
		}
	}
}

bool patch_offer(struct patch_unit *p, const char *name)
{
	const struct unit_symbol *body = unit_find(p->body, name), *after = unit_find(p->c->after, name);

	if (!body || !after || body->binding == STB_LOCAL || is_own(p, body) ||
	    p->c->fate[after - p->c->after->symbol] != FATE_NEW || p->moved[after - p->c->after->symbol])
		return false;
	if (!unit_is_code(&p->body->section[body->section]) && is_shared(p, body->section))
		refuse_order(p, body->section, symbol_of(p, body->section), body);
	p->carried[body - p->body->symbol] = true;
	take(p, body->section);
	walk(p);
	return true;
}

void patch_select(struct patch_unit *p)
{
	size_t relocs = 0;

	p->list = xalloc((p->body->n_sections + p->n_data + 1) * sizeof(*p->list));
	p->take = xalloc(p->body->n_sections * sizeof(*p->take));
	p->bound = xalloc(p->body->n_sections * sizeof(*p->bound));
	p->outside = xalloc((p->body->n_symbols + 1) * sizeof(*p->outside));
	p->wanted = xalloc((p->body->n_symbols + 1) * sizeof(*p->wanted));
	p->carried = xalloc((p->body->n_symbols + 1) * sizeof(*p->carried));
	for (uint32_t i = 1; i < p->body->n_sections; i++)
		relocs += p->body->section[i].n_relocs;
	p->fixed = xalloc((relocs + 1) * sizeof(*p->fixed));
	for (size_t i = 0; i < p->n_functions; i++) {
		const struct unit_symbol *s = body_of(p, p->function[i].shipped->name);

		p->carried[s - p->body->symbol] = true;
		take(p, s->section);
	}
	for (size_t i = 0; i < p->n_data; i++) {
		p->datum[i].fresh = fresh_of(p, p->datum[i].after);
		if (!p->datum[i].fresh)
			refuse(NL_EBODY, "%s: %s is not among what the compiler makes for the leaf", p->path,
			       p->datum[i].shipped->name);
		/* its bytes are needed as a value only; where it leads to, as a place */
		p->list[p->n_list++] = p->datum[i].fresh->section;
	}
	walk(p);
}

/* Does a name from outside mean that place to the unit? Of one object it does; another may have its own of that name.
 */
static bool sees(const struct patch_unit *user, const struct patch_unit *owner, const char *name, uint64_t va)
{
	return patch_same_object(user, owner) || proof_is_named(user->k, name, va);
}

/* A function that another unit of the patch replaces keeps its address: whoever calls it is redirected, and whoever
 * compares pointers finds the same. */
static void bind_replaced(struct patch_unit *user, const struct patch_unit *owner)
{
	for (uint32_t s = 1; s < user->body->n_symbols; s++)
		for (size_t f = 0; f < owner->n_functions && user->wanted[s]; f++)
			if (owner->function[f].shipped->binding != STB_LOCAL &&
			    !strcmp(owner->function[f].shipped->name, user->body->symbol[s].name) &&
			    sees(user, owner, user->body->symbol[s].name, owner->function[f].va))
				user->outside[s] = place_at(user->k, owner->function[f].va, user->path);
}

/* A section that the source names comes as a whole; whoever names a function of it that is not carried means the
 * image's. */
static void bind_uncarried(struct patch_unit *user, const struct patch_unit *owner)
{
	const struct unit *b = owner->body;

	for (uint32_t i = 1; i < b->n_symbols; i++)
		for (uint32_t s = 1; s < user->body->n_symbols; s++) {
			struct fixed f;

			if (b->symbol[i].binding == STB_LOCAL || !unit_is_function(b, &b->symbol[i]) ||
			    !owner->take[b->symbol[i].section] || is_own(owner, &b->symbol[i]) || !user->wanted[s] ||
			    user->outside[s].symbol || strcmp(user->body->symbol[s].name, b->symbol[i].name))
				continue;
			f = function_place(owner, &b->symbol[i]);
			if (f.is && sees(user, owner, b->symbol[i].name, f.va))
				user->outside[s] = place_at(user->k, f.va, user->path);
		}
}

/* So does what is new in a unit, and was in the image before. */
static void bind_moved(struct patch_unit *user, const struct patch_unit *home)
{
	const struct unit *a = home->c->after;

	for (uint32_t j = 1; j < a->n_symbols; j++)
		for (uint32_t s = 1; home->moved[j] && a->symbol[j].binding != STB_LOCAL && s < user->body->n_symbols;
		     s++)
			if (user->wanted[s] && !strcmp(user->body->symbol[s].name, a->symbol[j].name) &&
			    sees(user, home, a->symbol[j].name, home->moved[j]))
				user->outside[s] = place_at(user->k, home->moved[j], user->path);
}

/* What is new in another object can be had of the image alone: a module comes and goes, and with it what the leaf holds
 * for it. A name that the user's own object has, or is linked to, means that. */
static bool is_reachable(const struct patch_unit *user, const struct patch_unit *owner, const char *name)
{
	const struct unit_symbol *s = patch_same_object(user, owner) ? NULL : unit_find(owner->c->after, name);
	const struct ksym *known;

	if (patch_same_object(user, owner))
		return true;
	if (!s || s->binding == STB_LOCAL || owner->c->fate[s - owner->c->after->symbol] != FATE_NEW ||
	    kallsyms_find(&user->k->syms, name, 1, &known))
		return false;
	if (owner->k->module)
		refuse(NL_ESITE,
		       "%s uses %s, which the patch adds to %s, a part of %s: it would have to be loaded, and what a "
		       "leaf "
		       "holds for a module is there for that module alone. Add it where it is used",
		       user->path, name, owner->path, unit_kernel_text(owner->k));
	return true;
}

/* What one unit of the patch adds and another uses: until nothing more is asked for. */
void patch_join(struct patch_unit *units, size_t n)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++)
			for (uint32_t s = 1; s < units[i].body->n_symbols; s++)
				for (size_t j = 0; j < n && units[i].wanted[s]; j++)
					more |= j != i &&
					        is_reachable(&units[i], &units[j], units[i].body->symbol[s].name) &&
					        patch_offer(&units[j], units[i].body->symbol[s].name);
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++)
			if (j != i) {
				bind_replaced(&units[i], &units[j]);
				bind_moved(&units[i], &units[j]);
				bind_uncarried(&units[i], &units[j]);
			}
		check_tables(&units[i]);
	}
}
