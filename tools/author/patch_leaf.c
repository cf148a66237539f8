// SPDX-License-Identifier: Apache-2.0
/* What is known of a patch, as a recipe and a draft like any other's: its name, its sites, its facts. */
#include "patch_leaf.h"
#include "body_types.h"
#include "linux_modules.h"
#include "linux_target.h"
#include "livesites.h"
#include "module.h"
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
	r->confirm_s = o->confirm_s;
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

/* The units of one object, as a recipe of their own: each object has its own part of the leaf. */
struct group {
	const struct kernel *k;
	struct recipe *r;
	struct patch_unit **unit;
	size_t n;
	struct body *body;
};

/* The kernel's first, which is there whether it has units or not: the others may refer to its part. */
static size_t make_groups(struct group *groups, const struct recipe *r, const struct kernel *k,
                          struct patch_unit *units, size_t n)
{
	size_t n_groups = 0;

	for (size_t i = 0; i <= n; i++) {
		const struct kernel *of = i ? units[i - 1].k : k;
		struct group *g = groups;

		while (g < groups + n_groups && g->k != of)
			g++;
		if (g == groups + n_groups) {
			n_groups++;
			g->k = of;
			g->unit = xalloc((n + 1) * sizeof(struct patch_unit *));
			g->r = xalloc(sizeof(*g->r));
			*g->r = *r;
		}
		if (i)
			g->unit[g->n++] = &units[i - 1];
	}
	return n_groups;
}

/* What the patch adds to the image, and a unit of a module uses. patch_join() has seen to it that nobody else has it.
 */
static void bind_to_kernel(struct patch_unit *p, const struct body *kernel)
{
	for (uint32_t s = 1; s < p->body->n_symbols; s++) {
		const char *name = p->body->symbol[s].name;
		const struct body_symbol *of = p->wanted[s] && !p->outside[s].symbol ? body_find(kernel, name) : NULL;
		const struct ksym *known;

		if (!of || !of->global || kallsyms_find(&p->k->syms, name, 1, &known))
			continue;
		p->outside[s] = of->place;
		p->outside[s].symbol |= PLACE_OF_KERNEL;
	}
}

static void add_body(struct draft *d, struct group *g, const struct body *kernel, const struct build_with *o)
{
	struct body_object *objects = xalloc((g->n + 1) * sizeof(*objects));
	char **types = xalloc((g->n + 1) * sizeof(*types));
	struct compare_expected *expected = xalloc((g->n + 1) * sizeof(*expected));

	for (size_t i = 0; i < g->n; i++) {
		struct patch_unit *p = g->unit[i];

		if (kernel)
			bind_to_kernel(p, kernel);
		objects[i] = (struct body_object){.path = (char *)(uintptr_t)p->body->path,
		                                  .prefix = xformat("%zu:", i),
		                                  .take = p->take,
		                                  .bound = p->bound,
		                                  .outside = p->outside,
		                                  .fixed = p->fixed,
		                                  .n_fixed = p->n_fixed};
		types[i] = p->types_after;
		g->r->source[g->r->n_source] = xformat("%s", p->path);
		g->r->allow[g->r->n_source++] = p->layout || o->allow_unproven ? ALLOW_TYPES : 0;
		/* of the pairs alone, which were looked at by check_pointees */
		expected[i] = (struct compare_expected){is_pair, &p->types};
	}
	g->body = body_load_some(d, g->k, g->r, objects, g->n);
	body_take_types(g->body, types);
	body_types_check_patch(d, g->k, g->r, g->body, expected);
}

struct buf leaf_make(struct recipe *r, const struct kernel *k, struct patch_unit *units, size_t n,
                     const struct diff *diff, const char *compiler_note, const struct build_with *o)
{
	struct group *groups = xalloc((n + 1) * sizeof(*groups));
	size_t n_groups = make_groups(groups, r, k, units, n), replaced = 0;
	struct draft *d = xalloc(sizeof(*d));

	if (n > RECIPE_MAX)
		refuse(NL_EARENA, "the patch changes more than %u units", RECIPE_MAX);
	if (n_groups > NL_LEAF_MAX_OBJECTS)
		refuse(NL_EARENA,
		       "the patch changes %zu modules (%s, %s, ...), and a leaf has at most %u: give those that matter "
		       "by -M, "
		       "and the others keep what they have of the patch's headers: --allow modules",
		       n_groups - 1, groups[1].k->module->name, groups[2].k->module->name, NL_LEAF_MAX_OBJECTS - 1);
	draft_start(d);
	d->k = k;
	memcpy(d->h.id, r->id, strlen(r->id));
	d->h.version = r->version;
	d->h.consistency = r->consistency;
	d->h.confirm_s = r->confirm_s;
	d->h.description = draft_string(d, r->description);
	linux_target_fill(&d->h.target, k);
	for (size_t i = 0; i < n_groups; i++) {
		struct group *g = &groups[i];

		if (g->k->module)
			livesites_verify_module(g->k);
		for (size_t u = 0; u < g->n; u++)
			for (size_t f = 0; f < g->unit[u]->n_functions; f++)
				add_replace(g->r, g->unit[u], &g->unit[u]->function[f], u);
		for (size_t s = 0; s < g->r->n_replace; s++)
			redirect_check(g->k, g->r, &g->r->replace[s]);
		replaced += g->r->n_replace;
	}
	if (replaced > RECIPE_MAX)
		refuse(NL_EARENA, "the patch changes more than %u functions", RECIPE_MAX);
	add_facts(d, diff, units, n, compiler_note, o);
	for (size_t i = 0; i < n_groups; i++) {
		struct group *g = &groups[i];

		draft_switch(d, g->k->module);
		add_body(d, g, i ? groups->body : NULL, o);
		for (size_t u = 0; u < g->n; u++)
			for (size_t j = 0; j < g->unit[u]->n_data; j++)
				patch_data_add(d, g->unit[u], &g->unit[u]->datum[j], g->body, u);
		if (!i && o->counters && replaced)
			draft_counters(d, (uint32_t)replaced, NL_COUNTER_CPUS);
		for (size_t s = 0; s < g->r->n_replace; s++)
			redirect_add(d, g->k, g->r, &g->r->replace[s], g->body);
		for (size_t u = 0; u < g->n; u++)
			watch_clones(d, g->k, g->unit[u]);
	}
	if (draft_has_modules(d))
		linux_modules_fill(&d->h.target, k);
	return draft_finish(d);
}
