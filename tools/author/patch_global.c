// SPDX-License-Identifier: Apache-2.0
/*
 * Of one name there is one function or variable in the kernel: a strong one before a weak one (__weak, by which an
 * architecture or a configuration gives its own). Units of the patch tell what is theirs; of all others the image's
 * symbols do: a capital letter is what others can link to, and W what is weak.
 */
#include "patch_global.h"
#include "aliases.h"
#include "branches.h"
#include "references.h"

#include <ctype.h>
#include <string.h>

static bool is_thing(const struct unit *u, const struct unit_symbol *s)
{
	return *s->name && (unit_is_function(u, s) || unit_is_datum(u, s));
}

/* Defined here, for others to link to. */
static const struct unit_symbol *global_of(const struct unit *u, const char *name)
{
	for (uint32_t i = 1; i < u->n_symbols; i++)
		if (u->symbol[i].binding != STB_LOCAL && is_thing(u, &u->symbol[i]) && !strcmp(u->symbol[i].name, name))
			return &u->symbol[i];
	return NULL;
}

/* Variables of each CPU have the letter A, whether others can link to them or not. */
static const struct ksym *image_has(const struct kernel *k, const char *name)
{
	const struct ksym *found;
	size_t n = kallsyms_find(&k->syms, name, 1, &found);

	for (size_t i = 1; i <= n; i++) {
		kallsyms_find(&k->syms, name, i, &found);
		if (kernel_owns(k, found->va) && isupper((unsigned char)found->type) && found->type != 'A')
			return found;
	}
	return NULL;
}

static void add(struct patch_unit *p, uint32_t j, struct patch_function f)
{
	struct patch_function *more = xalloc((p->n_functions + 1) * sizeof(*more));

	if (p->n_functions)
		memcpy(more, p->function, p->n_functions * sizeof(*more));
	more[p->n_functions++] = f;
	p->function = more;
	p->moved[j] = f.va; /* whoever takes its address takes the image's */
}

/* The unit of the patch that had the function, and has it no more. */
static struct patch_unit *loser_of(const struct patch_unit *p, struct patch_unit *units, size_t n, const char *name,
                                   const struct unit_symbol **s)
{
	for (size_t i = 0; i < n; i++) {
		const struct unit *b = units[i].c->before;

		*s = patch_same_object(p, &units[i]) ? global_of(b, name) : NULL;
		if (*s && unit_is_function(b, *s) && !units[i].c->outcome[*s - b->symbol])
			return &units[i];
	}
	return NULL;
}

static bool moves_here(struct patch_unit *p, uint32_t j, struct patch_unit *units, size_t n)
{
	const struct unit_symbol *s = &p->c->after->symbol[j], *before;
	struct patch_unit *loser = loser_of(p, units, n, s->name, &before);
	struct patch_function f;
	char *others;

	if (!loser || !patch_site(loser, before, xformat("moves to %s", p->path), &f))
		return false;
	others = aliases_of(p->k, s->name, f.va);
	if (others)
		refuse(NL_ESITE, "%s: %s moves to %s, and is one code with %s in this kernel", loser->path, s->name,
		       p->path, others);
	f.why = xformat("moves here from %s", loser->path);
	add(p, j, f);
	return true;
}

/* A weak one and a strong one in the same patch, or two weak ones: the linker chooses. */
static void check_twice(const struct patch_unit *p, const struct unit_symbol *s, const struct patch_unit *units,
                        size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct comparison *c = units[i].c;
		const struct unit_symbol *other =
		        &units[i] == p || !patch_same_object(p, &units[i]) ? NULL : global_of(c->after, s->name);

		if (other && c->fate[other - c->after->symbol] != FATE_SAME)
			refuse(NL_ESITE,
			       "%s: %s is new, and the patch changes or adds one in %s, too: which one the kernel "
			       "would use "
			       "is not followed; leave the weak one out",
			       p->path, s->name, units[i].path);
	}
}

static void check_new(struct patch_unit *p, uint32_t j, struct patch_unit *units, size_t n)
{
	const struct unit_symbol *s = &p->c->after->symbol[j];
	const struct ksym *found;
	char *others;

	check_twice(p, s, units, n);
	if (p->moved[j] || (unit_is_function(p->c->after, s) && moves_here(p, j, units, n)))
		return;
	found = image_has(p->k, s->name);
	if (!found)
		return;
	if (s->binding == STB_WEAK && found->type != 'W' && found->type != 'V') {
		p->moved[j] = found->va;
		patch_note(p, xformat("%s is weak, and the image has another, which stays", s->name));
		return;
	}
	if (!unit_is_function(p->c->after, s) || s->binding == STB_WEAK || found->type != 'W')
		refuse(NL_ESITE,
		       "%s: %s is new here, and the image has one of that name of another unit%s; change that one, or "
		       "give this another name",
		       p->path, s->name, found->type == 'W' ? ", which is weak, too" : "");
	others = aliases_of(p->k, s->name, found->va);
	if (others)
		refuse(NL_ESITE, "%s: %s is new here, and the image's weak one is one code with %s", p->path, s->name,
		       others);
	add(p, j, (struct patch_function){s, found->va, "takes the place of the image's weak one", false});
}

/* It has the place that it had; who links to it may be others now. */
static void check_binding(const struct patch_unit *p, uint32_t j)
{
	const struct unit_symbol *a = &p->c->after->symbol[j], *b = &p->c->before->symbol[p->c->origin[j]];
	const struct proof_function *f = proof_of(p->proof, b->name);

	if (b->binding == STB_LOCAL && a->binding != STB_LOCAL && image_has(p->k, a->name))
		refuse(NL_ESITE, "%s: %s is no longer static, and the image has one of that name of another unit",
		       p->path, a->name);
	if (b->binding == STB_WEAK && a->binding == STB_GLOBAL && f && f->overridden)
		refuse(NL_ESITE, "%s: %s is no longer weak, and the image uses another unit's", p->path, a->name);
}

struct asking {
	const struct patch_unit *units;
	size_t n;
	uint64_t va;
};

/* Called by code of no unit of the patch. */
static bool is_foreign(const void *arg, const struct branch *b)
{
	const struct asking *ask = *(const struct asking *const *)arg;

	if (b->target != ask->va || !b->in)
		return false;
	for (size_t i = 0; i < ask->n; i++)
		if (proof_of(ask->units[i].proof, b->in->name))
			return false;
	return true;
}

/* Held or taken by what is of no unit of the patch. */
static bool is_held(const void *arg, const struct reference *r)
{
	const struct asking *ask = arg;

	for (size_t i = 0; r->in && i < ask->n; i++)
		if (unit_find(ask->units[i].shipped, r->in->name))
			return false;
	return r->in != NULL;
}

/* Where the image has what was the unit's, and how much of it whoever uses it may name. */
static bool place_before(const struct patch_unit *p, const struct unit_symbol *s, uint64_t *va, uint64_t *size)
{
	const struct proof_function *f = unit_is_function(p->c->before, s) ? proof_of(p->proof, s->name) : NULL;
	const struct unit_symbol *shipped = unit_find(p->shipped, s->name);

	if (unit_is_function(p->c->before, s)) {
		*va = f ? f->va : 0;
		*size = 1;
		return *va && !f->overridden && !f->discarded;
	}
	*size = s->size;
	return shipped && s->size && s->binding != STB_WEAK &&
	       !starts_with(p->shipped->section[shipped->section].name, ".data..percpu") &&
	       proof_place(p->proof, shipped, va);
}

/* No unit gives it to others any more, and others use it: they must get it from somewhere. */
static void check_gone(const struct patch_unit *p, uint32_t i, const struct patch_unit *units, size_t n)
{
	const struct unit_symbol *s = &p->c->before->symbol[i];
	bool function = unit_is_function(p->c->before, s);
	struct asking ask = {units, n, 0}, *arg = &ask;
	const struct ksym *who = NULL;
	struct reference held = {0};
	struct branch called = {0};
	uint64_t size;
	char *others;

	for (size_t u = 0; u < n; u++)
		if (patch_same_object(p, &units[u]) && global_of(units[u].c->after, s->name))
			return;
	if (!place_before(p, s, &ask.va, &size))
		return;
	if (function && branches_find(p->k, ask.va, ask.va + 1, is_foreign, &arg, &called))
		who = called.in;
	else if (references_find(p->k, ask.va, ask.va + size, is_held, &ask, &held))
		who = held.in;
	if (!who)
		return;
	others = function ? aliases_of(p->k, s->name, ask.va) : NULL;
	if (others)
		refuse(NL_ESITE,
		       "%s: the patch takes %s away, which is one code with %s, and %s, which it does not change, uses "
		       "one of them: which one cannot be told",
		       p->path, s->name, others, who->name);
	refuse(NL_ESITE,
	       "%s: the patch takes %s away, and %s, which it does not change, %s it: another one must be there, a "
	       "weak one, and where is not known",
	       p->path, s->name, who->name, who == held.in ? "uses" : "calls");
}

void global_check(struct patch_unit *units, size_t n)
{
	for (size_t u = 0; u < n; u++) {
		struct patch_unit *p = &units[u];
		const struct comparison *c = p->c;

		for (uint32_t j = 1; j < c->after->n_symbols; j++) {
			const struct unit_symbol *s = &c->after->symbol[j];

			if (!is_thing(c->after, s))
				continue;
			if (c->fate[j] == FATE_NEW && s->binding != STB_LOCAL)
				check_new(p, j, units, n);
			else if (c->origin[j])
				check_binding(p, j);
		}
		for (uint32_t i = 1; i < c->before->n_symbols; i++) {
			const struct unit_symbol *s = &c->before->symbol[i];
			uint32_t j = c->outcome[i];

			if (is_thing(c->before, s) && s->binding != STB_LOCAL &&
			    (!j || c->after->symbol[j].binding == STB_LOCAL))
				check_gone(p, i, units, n);
		}
	}
}
