// SPDX-License-Identifier: Apache-2.0
/* What is known of a patch, as a recipe and a draft like any other's: its name, its sites, its facts. */
#include "patch_leaf.h"
#include "body_types.h"
#include "linux_target.h"
#include "patch_data.h"
#include "redirect.h"
#include "watch.h"

#include <ctype.h>
#include <string.h>

static char *ascii(const char *text)
{
	char *copy = xformat("%s", text);

	for (char *p = copy; *p; p++)
		if (*p < 0x20 || *p > 0x7e || *p == '"')
			*p = *p == '"' ? '\'' : '?';
	return copy;
}

/* "[PATCH 6.1 1/2] mm: fix it" -> "mm: fix it" */
static const char *subject(const struct diff *d)
{
	const char *s = d->subject;

	while (s && (*s == '[' || *s == ' '))
		s = *s == '[' && strchr(s, ']') ? strchr(s, ']') + 1 : s + 1;
	return s;
}

/* A leaf's name: the CVE, else what the subject says, else the file's name. */
static char *make_id(const struct diff *d, const char *path)
{
	const char *from = d->n_cves ? d->cve[0] : subject(d);
	char id[NL_LEAF_ID_LEN] = "";
	size_t n = 0;

	if (!from || !*from) {
		from = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
		from = xformat("%.*s", (int)(strrchr(from, '.') ? strrchr(from, '.') - from : (long)strlen(from)),
		               from);
	}
	for (; *from && n < sizeof(id) - 1; from++) {
		if (isalnum((unsigned char)*from))
			id[n++] = (char)tolower((unsigned char)*from);
		else if (n && id[n - 1] != '-')
			id[n++] = '-';
	}
	while (n && id[n - 1] == '-')
		n--;
	return n ? xformat("%.*s", (int)n, id) : xformat("patch");
}

struct recipe *leaf_recipe(const struct diff *d, const struct build_with *o, const char *path)
{
	struct recipe *r = xalloc(sizeof(*r));

	r->path = xformat("%s", path);
	r->directory = xformat(".");
	r->id = o->id ? xformat("%s", o->id) : make_id(d, path);
	r->description = ascii(o->description ? o->description : subject(d) ? subject(d) : "");
	if (strlen(r->id) >= NL_LEAF_ID_LEN || !isalnum((unsigned char)*r->id) ||
	    strspn(r->id, "abcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(r->id))
		refuse(NL_EUSAGE,
		       "'%s': an id is made of a-z, 0-9, '.', '_', '-', begins with a letter or digit and has "
		       "at most %d characters",
		       r->id, NL_LEAF_ID_LEN - 1);
	r->version = o->version ? o->version : 1;
	if (o->consistency && !recipe_consistency(o->consistency, &r->consistency))
		refuse(NL_EUSAGE, "unknown consistency '%s': switch, strict or mixable", o->consistency);
	return r;
}

/* What changes together must be seen together: a call that has begun in an old function may not go on into a new one
 * that expects more of it. The author of the patch may know better. */
void leaf_consistency(struct recipe *r, const struct patch_unit *units, size_t n, const char *given)
{
	size_t functions = 0, data = 0;

	for (size_t i = 0; i < n; i++) {
		functions += units[i].n_functions;
		data += units[i].n_data;
	}
	if (!given && functions && functions + data > 1)
		r->consistency = NL_CONSISTENCY_STRICT;
}

static void add_replace(struct recipe *r, const struct patch_unit *p, const struct patch_function *f, size_t object)
{
	struct recipe_replace *s = &r->replace[r->n_replace];
	const char *name = f->shipped->name;
	const struct unit_symbol *body = unit_find(p->body, name);
	const struct ksym *found;
	size_t n = kallsyms_find(&p->k->syms, name, 1, &found);

	if (r->n_replace++ == RECIPE_MAX)
		refuse(NL_EARENA, "the patch changes more than %u functions", RECIPE_MAX);
	s->function.name = xformat("%s", name);
	for (uint32_t i = 1; i <= n && n > 1; i++)
		if (kallsyms_find(&p->k->syms, name, i, &found) && found && found->va == f->va)
			s->function.position = i;
	s->source = xformat("%s", p->path);
	s->body = body->binding == STB_LOCAL ? xformat("%zu:%s", object, name) : xformat("%s", name);
	s->allow_clones = true;  /* the comparison has seen every caller, */
	s->allow_aliases = true; /* and patch_changes every name */
}

static void add_facts(struct draft *draft, const struct diff *d, const struct patch_unit *units, size_t n,
                      const char *compiler_note, const struct build_with *o)
{
	for (size_t i = 0; i < d->n_cves; i++)
		draft_fact(draft, NL_FACT_CVE, d->cve[i]);
	if (d->author && *d->author)
		draft_fact(draft, NL_FACT_AUTHOR, ascii(d->author));
	draft_fact(draft, NL_FACT_LICENCE, "GPL-2.0-only"); /* the kernel's code, compiled */
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < units[i].n_functions; j++)
			if (units[i].function[j].unproven)
				draft_fact(draft, NL_FACT_ALLOW,
				           xformat("unproven: %s", units[i].function[j].shipped->name));
		if (units[i].layout)
			draft_fact(draft, NL_FACT_ALLOW, xformat("layout: %s", units[i].layout));
		if (units[i].state)
			draft_fact(draft, NL_FACT_ALLOW, xformat("state: %s", units[i].state));
	}
	for (size_t i = 0; i < n; i++)
		if (units[i].prototype)
			draft_fact(draft, NL_FACT_ALLOW,
			           xformat("modules: may call %s by the old prototype", units[i].prototype));
	if (o->allow_objects)
		draft_fact(draft, NL_FACT_ALLOW,
		           "objects: those that live already may lack what the patch adds, or go on with what it "
		           "replaces");
	if (o->allow_modules)
		draft_fact(draft, NL_FACT_ALLOW, "modules: loaded modules keep what the patch's headers change");
	if (compiler_note)
		draft_fact(draft, NL_FACT_NOTE, ascii(compiler_note));
}

/* A clone that changes has no jump: all who call it are replaced. Who got there by a jump has no frame of theirs. */
static void watch_clones(struct draft *d, const struct kernel *k, const struct patch_unit *p)
{
	const struct unit *u = p->c->before;

	for (uint32_t i = 1; i < u->n_symbols; i++) {
		const struct proof_function *f = p->replaced[i] && unit_is_clone(u->symbol[i].name)
		                                         ? proof_of(p->proof, u->symbol[i].name)
		                                         : NULL;

		if (f && f->va)
			watch_code(d, k, f->va, p->path);
	}
}

static bool is_pair(const void *types, struct type_of here, struct type_of kernel)
{
	return layout_expects(types, here.btf, here.id, kernel.btf, kernel.id);
}

struct buf leaf_make(struct recipe *r, const struct kernel *k, struct patch_unit *units, size_t n,
                     const struct diff *diff, const char *compiler_note, const struct build_with *o)
{
	struct body_object *objects = xalloc((n + 1) * sizeof(*objects));
	struct draft *d = xalloc(sizeof(*d));
	char **types = xalloc((n + 1) * sizeof(*types));
	struct compare_expected *expected = xalloc((n + 1) * sizeof(*expected));
	struct body *b;

	if (n > RECIPE_MAX)
		refuse(NL_EARENA, "the patch changes more than %u units", RECIPE_MAX);
	draft_start(d);
	memcpy(d->h.id, r->id, strlen(r->id));
	d->h.version = r->version;
	d->h.consistency = r->consistency;
	d->h.description = draft_string(d, r->description);
	linux_target_fill(&d->h.target, k);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < units[i].n_functions; j++)
			add_replace(r, &units[i], &units[i].function[j], i);
		objects[i] = (struct body_object){.path = (char *)(uintptr_t)units[i].body->path,
		                                  .prefix = xformat("%zu:", i),
		                                  .take = units[i].take,
		                                  .bound = units[i].bound,
		                                  .outside = units[i].outside,
		                                  .fixed = units[i].fixed,
		                                  .n_fixed = units[i].n_fixed};
		types[i] = units[i].types_after;
		r->source[r->n_source] = xformat("%s", units[i].path);
		r->allow[r->n_source++] = units[i].layout || o->allow_unproven ? ALLOW_TYPES : 0;
		/* of the pairs alone, which were looked at by check_pointees */
		expected[i] = (struct compare_expected){is_pair, &units[i].types};
	}
	for (size_t i = 0; i < r->n_replace; i++)
		redirect_check(k, r, &r->replace[i]);
	add_facts(d, diff, units, n, compiler_note, o);
	b = body_load_some(d, k, r, objects, n);
	body_take_types(b, types);
	body_types_check_patch(d, k, r, b, expected);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < units[i].n_data; j++)
			patch_data_add(d, &units[i], &units[i].datum[j], b, i);
	if (o->counters && r->n_replace)
		draft_counters(d, (uint32_t)r->n_replace, NL_COUNTER_CPUS);
	for (size_t i = 0; i < r->n_replace; i++)
		redirect_add(d, k, r, &r->replace[i], b);
	for (size_t i = 0; i < n; i++)
		watch_clones(d, k, &units[i]);
	return draft_finish(d);
}
