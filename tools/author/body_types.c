// SPDX-License-Identifier: Apache-2.0
/* See body_types.h. What two types have to have in common is compare_types.c's. */
#include "body_types.h"
#include "modules.h"
#include "compare_types.h"
#include "note.h"
#include "typenames.h"
#include "types.h"

#include <bpf/btf.h>
#include <newleaf/types.h>
#include <string.h>

#define SHOWN_MAX 8u /* differences of one body; more would not fit a message */

struct check {
	struct draft *d;
	const struct kernel *k;
	const struct recipe *r;
	const struct body *b;
	size_t object;
	const struct btf *here;
	const char *way_out;
	bool patch;
	uint32_t differences;
	char *shown;
	char *functions, *variables, *types; /* that the kernel's types do not know */
	char *undeclared;                    /* called without a declaration, by the compiler or in assembler */
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

/* What a compiler calls that nobody has declared; their types are the language's. */
static bool compilers_own(const char *name)
{
	static const char *const names[] = {"memcpy",
	                                    "memmove",
	                                    "memset",
	                                    "memcmp",
	                                    "bcmp",
	                                    "strlen",
	                                    "stpcpy",
	                                    "__stack_chk_fail",
	                                    "__ref_stack_chk_guard"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/*
 * What is linked under a name that the body declares nothing by: an assembler's label, whatever was declared with it
 * was compared with nothing. Inline assembler calls routines so, too, which are assembler themselves; and GCC
 * tells nothing of what is declared inside a function: of a patch, whose source is the kernel's, that is let pass.
 */
static void check_undeclared(struct check *c, const char *name, bool code)
{
	const uint32_t *ids;
	size_t n;

	ids = typenames_find(c->k->btf, BTF_KIND_FUNC, name, &n);
	if (compilers_own(name) || c->patch)
		return;
	if (!code || (n && !tells_nothing(c->k->btf, btf__type_by_id(c->k->btf, ids[0])->type)))
		differs(c, name,
		        "the body declares nothing of that name, and links to it by another (asm) or inside a "
		        "function: so no type was "
		        "compared; declare it by its own name outside of functions, or by a symbol statement");
	else
		list(&c->undeclared, name);
}

/* theirs: the types of who has it. */
static void check_one(struct check *c, const struct btf *theirs, uint32_t kind, const char *name,
                      const char *kernel_name)
{
	uint32_t own = type_here(c, kind, name);
	const uint32_t *ids;
	char *first = NULL;
	size_t n, told = 0;

	ids = typenames_find(theirs, kind, kernel_name, &n);
	for (size_t i = 0; i < n; i++) {
		uint32_t id = btf__type_by_id(theirs, ids[i])->type;
		struct type_of here = {c->here, own}, kernel = {theirs, id};
		char *why;

		if (tells_nothing(theirs, id) && !tells_nothing(c->here, own))
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

/* The beginning or end of something, as linker scripts name it: extern char _etext[]. */
static bool is_marker(const struct check *c, const struct body_use *u)
{
	const struct btf_type *t = btf__type_by_id(c->here, type_here(c, BTF_KIND_VAR, u->name));
	size_t n;

	typenames_find(c->k->btf, BTF_KIND_FUNC, u->kernel_name, &n);
	return !n && t && btf_is_array(t) && btf__resolve_size(c->here, btf_array(t)->type) == 1;
}

/* A module's types are its own and the kernel's. */
static const struct btf *types_at(const struct kernel *k, uint64_t va)
{
	const struct module *m = module_at(k, va);

	return m && m != k->module ? module_types(m) : k->btf;
}

static void check_use(struct check *c, const struct body_use *u)
{
	bool code = kernel_is_text(c->k, u->va);
	bool function = type_here(c, BTF_KIND_FUNC, u->name), variable = type_here(c, BTF_KIND_VAR, u->name);

	if (!function && !variable)
		check_undeclared(c, u->kernel_name, code);
	else if (variable && code && !is_marker(c, u))
		differs(c, u->kernel_name, xformat("data here, a function in %s", c->k->release));
	else if (function && !code)
		differs(c, u->kernel_name, xformat("a function here, data in %s", c->k->release));
	else
		check_one(c, types_at(c->k, u->va), variable ? BTF_KIND_VAR : BTF_KIND_FUNC, u->name, u->kernel_name);
}

static void check_replace(struct check *c, const struct recipe_replace *s)
{
	if (type_here(c, BTF_KIND_FUNC, s->body))
		check_one(c, c->k->btf, BTF_KIND_FUNC, s->body, s->function.name);
	else if (body_find(c->b, s->body)) /* who defines none is told so by redirect_add() */
		check_undeclared(c, s->body, false);
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
	bool allowed = c->object < c->r->n_source && c->r->allow[c->object] & ALLOW_TYPES;

	c->here = c->b->types[c->object];
	c->differences = 0;
	c->shown = NULL;
	if (!c->here) {
		differs(c, source,
		        "its compiler tells no types (-gbtf: GCC 12 or later), so nothing could be compared");
	} else {
		for (size_t i = 0; i < c->r->n_replace && !c->patch; i++)
			if (c->r->replace[i].origin == FROM_SOURCE && !strcmp(c->r->replace[i].source, source))
				check_replace(c, &c->r->replace[i]);
		for (size_t i = 0; i < c->b->n_uses; i++)
			if (c->b->uses[i].object == c->object)
				check_use(c, &c->b->uses[i]);
		check_named(c);
	}
	if (!c->differences)
		return;
	if (c->differences > SHOWN_MAX)
		c->shown = xformat("%s; and %u more", c->shown, c->differences - SHOWN_MAX);
	if (!allowed)
		refuse(NL_ETYPES, "%s: %s; if that is right, say: %s", source, c->shown, c->way_out);
	note(c->d, NL_FACT_ALLOW, xformat("types of %s: %s", source, c->shown));
}

void body_types_check_patch(struct draft *d, const struct kernel *k, const struct recipe *r, const struct body *b,
                            const struct compare_expected *expected)
{
	struct check c = {.d = d, .k = k, .r = r, .b = b, .way_out = "--allow unproven", .patch = true};

	for (c.object = 0; c.object < b->n_objects; c.object++) {
		compare_expect(&expected[c.object]);
		check_object(&c);
	}
	compare_expect(NULL);
}

void body_types_check(struct draft *d, const struct kernel *k, const struct recipe *r, const struct body *b)
{
	struct check c = {.d = d, .k = k, .r = r, .b = b, .way_out = "allow types"};

	for (c.object = 0; c.object < b->n_objects; c.object++)
		check_object(&c);
	if (c.functions)
		note(d, NL_FACT_NOTE, xformat("the kernel's types do not know the functions %s", c.functions));
	if (c.variables)
		note(d, NL_FACT_NOTE, xformat("the kernel's types do not know the variables %s", c.variables));
	if (c.undeclared)
		note(d, NL_FACT_NOTE,
		     xformat("called from assembler, or by a name that no type was compared with: %s", c.undeclared));
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
