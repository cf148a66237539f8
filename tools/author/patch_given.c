// SPDX-License-Identifier: Apache-2.0
/*
 * Who calls by name changes with the patch, and so does who calls through a pointer whose own type changes
 * (layout_pointees). Whoever has got an address at run time keeps it: there the image has the jump to the new body, or
 * the old code. The image's relocations tell who gave an address away, in whatever unit. A constant that changes where
 * it lies is read anew each time.
 */
#include "patch_given.h"
#include "patch_homes.h"
#include "patch_kind.h"
#include "references.h"

#include <newleaf/types.h>
#include <string.h>

enum how { FORM, GONE, LEFT, TABLE };

struct asking {
	const struct patch_unit *units;
	size_t n;
	bool in_place; /* also constants that change in place count */
	bool foreign;  /* only what no unit of the patch has counts */
};

static bool changes_in_place(const struct asking *ask, uint64_t va)
{
	for (size_t i = 0; i < ask->n; i++)
		for (size_t d = 0; d < ask->units[i].n_data; d++) {
			const struct patch_datum *datum = &ask->units[i].datum[d];

			if (va >= datum->va && va - datum->va < datum->shipped->size)
				return true;
		}
	return false;
}

static bool is_ours(const struct asking *ask, const struct ksym *in)
{
	for (size_t i = 0; in && i < ask->n; i++)
		if (unit_find(ask->units[i].shipped, in->name))
			return true;
	return false;
}

static bool counts(const void *arg, const struct reference *r)
{
	const struct asking *ask = arg;

	return (ask->in_place || !changes_in_place(ask, r->at)) && !(ask->foreign && is_ours(ask, r->in));
}

/* Defined there, for others to link to. */
static bool gives_name(const struct patch_unit *p, const char *name)
{
	const struct unit *a = p->c->after;

	for (uint32_t j = 1; j < a->n_symbols; j++)
		if (a->symbol[j].binding != STB_LOCAL && a->symbol[j].section && !strcmp(a->symbol[j].name, name))
			return true;
	return false;
}

/* The unit that has the function or table after the patch. */
static const struct patch_unit *home_after(const struct patch_unit *p, uint32_t i, const struct patch_unit *units,
                                           size_t n)
{
	const struct unit_symbol *s = &p->c->before->symbol[i];

	if (p->c->outcome[i])
		return p;
	for (size_t u = 0; u < n && s->binding != STB_LOCAL; u++)
		if (patch_same_object(p, &units[u]) && gives_name(&units[u], s->name))
			return &units[u];
	return NULL;
}

/* Callers by pointer know the new form, too, where the pointers change as it does. */
static bool changes_form(const struct patch_unit *p, const struct patch_unit *to, const char *name,
                         const struct patch_unit *units, size_t n)
{
	if (layout_same_function(&p->types, &to->types, name))
		return false;
	for (size_t u = 0; u < n; u++)
		if (layout_is_pair(&units[u].types, &p->types, &to->types, name))
			return false;
	return true;
}

/* By the source, which inlining does not change; false where it is not known, too. */
static bool no_longer_given(const struct patch_unit *p, const struct unit_symbol *s, const struct patch_unit *units,
                            size_t n)
{
	if (!home_givers(p->c->before, s->name) || !p->c->after->n_spoken)
		return false;
	for (size_t u = 0; u < n; u++)
		if ((&units[u] == p || s->binding != STB_LOCAL) && home_givers(units[u].c->after, s->name))
			return false;
	return true;
}

/* Of one code with two names, whose address it was tells the source alone. */
static bool shares_place(const struct patch_unit *p, uint32_t i)
{
	const struct unit *u = p->c->before;

	for (uint32_t j = 1; j < u->n_symbols; j++)
		if (j != i && p->c->outcome[j] && unit_is_function(u, &u->symbol[j]) &&
		    u->symbol[j].section == u->symbol[i].section && u->symbol[j].value == u->symbol[i].value)
			return !home_givers(u, u->symbol[i].name);
	return false;
}

/* An event's own functions, which TRACE_EVENT() makes: where the source has the event no more the image has it still,
 * whole, as patch_lists.c says. */
static bool is_of_event(const char *name)
{
	static const char *const of[] = {
	        "__traceiter_", "__probestub_", "trace_event_raw_event_",    "trace_raw_output_",
	        "perf_trace_",  "__bpf_trace_", "trace_event_define_fields_"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(of); i++)
		if (starts_with(name, of[i]))
			return true;
	return false;
}

/* Does what the patch does to it matter to who has its address? */
static bool concerns(const struct patch_unit *p, uint32_t i, const struct patch_unit *units, size_t n, enum how *how)
{
	const struct unit_symbol *s = &p->c->before->symbol[i];
	const struct patch_unit *to = home_after(p, i, units, n);

	if (!to) {
		*how = GONE;
		return !shares_place(p, i) && !is_of_event(s->name);
	}
	*how = FORM;
	if ((to != p || p->replaced[i]) && changes_form(p, to, s->name, units, n))
		return true;
	*how = LEFT;
	return no_longer_given(p, s, units, n);
}

static const struct {
	const char *what, *then;
} verdict[] = {
        [FORM] =
                {"takes or returns something else after the patch",
                 "who has it would call the new code in the old way. Let the old name keep its prototype, and give the "
                 "new form another name"},
        [GONE] = {"is gone, or only a part of others, after the patch",
                  "who has it goes on with the old code. Let the old name lead to the new function"},
        [LEFT] = {"is given away by nobody after the patch",
                  "who has it goes on with it, without what comes in its place. Let the old name do the new work"},
        [TABLE] = {"is gone from the source",
                   "who has it goes on with that table. Let the old name stay, and change what stands there"},
};

static void object(struct patch_unit *p, const char *name, enum how how, const struct reference *r, bool allow_objects)
{
	const char *by = r->in ? r->in->name : xformat("0x%llx", (unsigned long long)r->at);

	if (!allow_objects)
		refuse(NL_ESITE,
		       "%s: %s %s, and %s gave its address away before: %s; if nobody has it any more, say: --allow "
		       "objects",
		       p->path, name, verdict[how].what, by, verdict[how].then);
	patch_note(p, xformat("%s %s, and %s gave its address away before; ALLOWED", name, verdict[how].what, by));
}

static void check(struct patch_unit *p, uint32_t i, const struct patch_unit *units, size_t n, bool allow_objects)
{
	const struct unit_symbol *s = &p->c->before->symbol[i];
	const struct proof_function *f = proof_of(p->proof, s->name);
	struct asking ask = {units, n, false, false};
	struct reference r;
	enum how how;

	if (!f || !f->va || f->overridden || f->discarded || !concerns(p, i, units, n, &how))
		return;
	ask.in_place = how == FORM; /* copies of what a constant held would be called, too */
	ask.foreign = true;
	if (how == LEFT && references_find(p->k, f->va, f->va + 1, counts, &ask, &r))
		return; /* others give it away as before */
	ask.foreign = false;
	if (references_find(p->k, f->va, f->va + 1, counts, &ask, &r))
		object(p, s->name, how, &r, allow_objects);
}

/* Others give it away as before, and who did so does no more: the author of the patch wants that. */
static void note_fewer(struct patch_unit *p, const struct unit_symbol *s, const struct patch_unit *units, size_t n)
{
	for (size_t u = 0; u < n; u++) {
		const struct unit *b = units[u].c->before;
		char *old = &units[u] == p || s->binding != STB_LOCAL ? home_givers(b, s->name) : NULL;
		char *new = old ? home_givers(units[u].c->after, s->name) : NULL;

		for (char *word = new ? strtok(old, " ") : NULL; word; word = strtok(NULL, " ")) {
			const struct unit_symbol *giver = unit_find(b, word);

			if (giver && unit_is_function(b, giver) && !strstr(new, xformat(" %s ", word)))
				patch_note(p, xformat("%s no longer gives %s away; who got it before goes on with it",
				                      word, s->name));
		}
	}
}

/* A table of functions that objects lead to (file operations). */
static void check_table(struct patch_unit *p, uint32_t i, const struct patch_unit *units, size_t n, bool allow_objects)
{
	const struct unit_symbol *s = &p->c->before->symbol[i], *shipped = unit_find(p->shipped, s->name);
	struct asking ask = {units, n, false, false};
	struct reference r;
	uint64_t va;

	if (home_is(s->name) || home_after(p, i, units, n) || !shipped || !proof_place(p->proof, shipped, &va))
		return;
	if (references_find(p->k, va, va + s->size, counts, &ask, &r))
		object(p, s->name, TABLE, &r, allow_objects);
}

static bool is_table(const struct unit *u, const struct unit_symbol *s)
{
	return unit_is_datum(u, s) && unit_kind(&u->section[s->section]) == KIND_CONSTANT && unit_holds_functions(u, s);
}

void given_check(struct patch_unit *units, size_t n, bool allow_objects)
{
	for (size_t u = 0; u < n; u++) {
		const struct unit *b = units[u].c->before;

		for (uint32_t i = 1; i < b->n_symbols; i++) {
			const struct unit_symbol *s = &b->symbol[i];

			if (is_table(b, s))
				check_table(&units[u], i, units, n, allow_objects);
			if (!unit_is_function(b, s) || unit_is_clone(s->name) ||
			    unit_is_of_boot(&b->section[s->section]))
				continue;
			check(&units[u], i, units, n, allow_objects);
			note_fewer(&units[u], s, units, n);
		}
	}
}
