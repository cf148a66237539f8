// SPDX-License-Identifier: Apache-2.0
/* See body_types.h. What two types have to have in common is compare_types.c's. */
#include "body_types.h"
#include "compare_types.h"
#include "note.h"
#include "typenames.h"
#include "types.h"

#include <bpf/btf.h>
#include <string.h>

#define SHOWN_MAX 8u /* differences of one body; more would not fit a message */

struct check {
	struct draft *d;
	const struct kernel *k;
	const struct recipe *r;
	const struct body *b;
	size_t object;
	const struct btf *here;
	uint32_t differences;
	char *shown;
	char *functions, *variables, *types; /* that the kernel's types do not know */
	char *undeclared;                    /* of which the kernel knows the type, and the body has declared none */
};

static void list(char **all, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = *all; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL)
		if (!strncmp(at, name, n) && (!at[n] || at[n] == ','))
			return;
	*all = *all ? xformat("%s, %s", *all, name) : xformat("%s", name);
}

static void differs(struct check *c, const char *what, const char *why)
{
	if (++c->differences <= SHOWN_MAX)
		c->shown = xformat("%s%s%s%s%s", c->shown ? c->shown : "", c->shown ? "; " : "", what,
		                   *why == '.' ? "" : ": ", why);
}

/* The type of a function (its prototype) or variable by the object's own types; 0 = not there. */
static uint32_t type_here(const struct check *c, uint32_t kind, const char *name)
{
	size_t n;
	const uint32_t *ids = typenames_find(c->here, kind, name, &n);

	return n ? btf__type_by_id(c->here, ids[0])->type : 0;
}

/* A structure that is shared with the kernel by a call or a variable, and that the kernel does not know. */
static void list_unknown(struct check *c, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(c->here, id);
	struct type_of own;
	bool known;

	for (unsigned n = 0; t && n < 16 && (btf_is_mod(t) || btf_is_typedef(t) || btf_is_ptr(t)); n++) {
		id = t->type;
		t = btf__type_by_id(c->here, id);
	}
	own = (struct type_of){c->here, id};
	if (!t || !id || !(btf_is_composite(t) || btf_is_any_enum(t)) || !*type_label(own))
		return;
	compare_named(own, c->k->btf, c->k->release, &known);
	if (!known)
		list(&c->types, type_name(own));
}

static void list_unknown_of(struct check *c, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(c->here, id);

	if (!t || !btf_is_func_proto(t)) {
		list_unknown(c, id);
		return;
	}
	list_unknown(c, t->type);
	for (uint32_t i = 0; i < btf_vlen(t); i++)
		list_unknown(c, btf_params(t)[i].type);
}

/* The assembler's word for each of its functions is void f(void): that tells nothing of how it is called. */
static bool tells_nothing(const struct btf *btf, uint32_t proto)
{
	const struct btf_type *t = btf__type_by_id(btf, proto);

	return t && btf_is_func_proto(t) && !t->type && !btf_vlen(t);
}

static void check_one(struct check *c, uint32_t kind, const char *name, const char *kernel_name)
{
	uint32_t own = type_here(c, kind, name);
	const uint32_t *ids;
	char *first = NULL;
	size_t n, told = 0;

	ids = typenames_find(c->k->btf, kind, kernel_name, &n);
	if (!own) { /* assembler code and what the compiler calls by itself, or it has another name in the source */
		if (n && !tells_nothing(c->k->btf, btf__type_by_id(c->k->btf, ids[0])->type))
			list(&c->undeclared, kernel_name);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t theirs = btf__type_by_id(c->k->btf, ids[i])->type;
		struct type_of here = {c->here, own}, kernel = {c->k->btf, theirs};
		char *why;

		if (tells_nothing(c->k->btf, theirs) && !tells_nothing(c->here, own))
			continue;
		told++;
		why = compare_types(here, kernel, c->k->release);
		if (!why)
			return;
		first = first ? first : why;
	}
	if (told) {
		differs(c, kernel_name, first);
		return;
	}
	list(kind == BTF_KIND_FUNC ? &c->functions : &c->variables, kernel_name);
	list_unknown_of(c, own);
}

static void check_named(struct check *c)
{
	for (uint32_t id = 1; id < btf__type_cnt(c->here); id++) {
		const struct btf_type *t = btf__type_by_id(c->here, id);
		struct type_of own = {c->here, id};
		bool known;
		char *why;

		if (!(btf_is_composite(t) || btf_is_any_enum(t)) || !*type_label(own))
			continue;
		why = compare_named(own, c->k->btf, c->k->release, &known);
		if (why)
			differs(c, type_name(own), why);
	}
}

static void check_object(struct check *c)
{
	const char *source = c->object < c->r->n_source ? c->r->source[c->object] : "the body";
	bool allowed = c->object < c->r->n_source && c->r->allow_types[c->object];

	c->here = c->b->types[c->object];
	c->differences = 0;
	c->shown = NULL;
	if (!c->here) {
		differs(c, source,
		        "its compiler tells no types (-gbtf: GCC 12 or later), so nothing could be compared");
	} else {
		for (size_t i = 0; i < c->r->n_replace; i++)
			if (c->r->replace[i].origin == FROM_SOURCE && !strcmp(c->r->replace[i].source, source))
				check_one(c, BTF_KIND_FUNC, c->r->replace[i].body, c->r->replace[i].function.name);
		for (size_t i = 0; i < c->b->n_uses; i++) {
			const struct body_use *u = &c->b->uses[i];

			if (u->object != c->object)
				continue;
			if (type_here(c, BTF_KIND_VAR, u->name))
				check_one(c, BTF_KIND_VAR, u->name, u->kernel_name);
			else
				check_one(c, BTF_KIND_FUNC, u->name, u->kernel_name);
		}
		check_named(c);
	}
	if (!c->differences)
		return;
	if (c->differences > SHOWN_MAX)
		c->shown = xformat("%s; and %u more", c->shown, c->differences - SHOWN_MAX);
	if (!allowed)
		refuse(NL_ETYPES, "%s: %s; if that is right, say: allow types", source, c->shown);
	note(c->d, NL_FACT_ALLOW, xformat("types of %s: %s", source, c->shown));
}

void body_types_check(struct draft *d, const struct kernel *k, const struct recipe *r, const struct body *b)
{
	struct check c = {.d = d, .k = k, .r = r, .b = b};

	for (c.object = 0; c.object < b->n_objects; c.object++)
		check_object(&c);
	if (c.functions)
		note(d, NL_FACT_NOTE, xformat("the kernel's types do not know the functions %s", c.functions));
	if (c.variables)
		note(d, NL_FACT_NOTE, xformat("the kernel's types do not know the variables %s", c.variables));
	if (c.undeclared)
		note(d, NL_FACT_NOTE, xformat("the body has no declaration of its own of %s", c.undeclared));
	if (c.types)
		note(d, NL_FACT_NOTE, xformat("types that the kernel does not know: %s", c.types));
}

/* The prototype of a function by name: of the body, if it defines one, else of the kernel. False: nobody knows. */
static bool find_prototype(const struct kernel *k, const struct body *b, const char *name, struct type_of *proto)
{
	const struct body_symbol *own = b ? body_find(b, name) : NULL;
	const uint32_t *ids;
	size_t n;

	if (own && !own->function)
		return false;
	proto->btf = own ? b->types[own->object] : k->btf;
	if (!proto->btf)
		return false;
	ids = typenames_find(proto->btf, BTF_KIND_FUNC, name, &n);
	if (n != 1 || tells_nothing(proto->btf, btf__type_by_id(proto->btf, ids[0])->type))
		return false;
	proto->id = btf__type_by_id(proto->btf, ids[0])->type;
	return true;
}

void data_types_check(const struct kernel *k, const struct recipe *r, const struct body *b)
{
	for (size_t i = 0; i < r->n_data; i++) {
		const struct recipe_data *s = &r->data[i];
		char *where = xformat("%s:%u", r->path, s->line), *why;
		const struct btf_type *pointer, *target;
		struct type_of here, there;

		if (!s->value.address || !*s->path || !find_prototype(k, b, s->value.symbol.name, &here))
			continue;
		there = (struct type_of){k->btf, member_find(k, s->type, s->path, where).type};
		pointer = btf__type_by_id(k->btf, there.id);
		for (unsigned n = 0; pointer && n < 16 && (btf_is_mod(pointer) || btf_is_typedef(pointer)); n++)
			pointer = btf__type_by_id(k->btf, pointer->type);
		target = pointer && btf_is_ptr(pointer) ? btf__type_by_id(k->btf, pointer->type) : NULL;
		if (!target || !btf_is_func_proto(target))
			continue;
		there.id = pointer->type;
		why = compare_types(here, there, k->release);
		if (why)
			refuse(NL_ETYPES, "%s: %s is no function for %s.%s: %s", where, s->value.symbol.name, s->type,
			       s->path, why);
	}
}
