// SPDX-License-Identifier: Apache-2.0
/* A recipe for several objects becomes one for each: what one has to do with the others is said by names alone. */
#include "objects.h"
#include "livesites.h"

#include <string.h>

#define SHOWN 4u

static const char image_name[] = "vmlinux";

/* The function, or what the compiler has made of it (x.isra.0): then the answer is the kernel's to give. */
static bool image_has(const struct kernel *k, const char *name)
{
	const struct ksym *found;

	return kallsyms_find(&k->syms, name, 1, &found) != 0;
}

const struct module *object_with(const struct kernel *k, const struct recipe_symbol *s, const char *where)
{
	const struct module *found[SHOWN];
	char *names = xformat("%s", image_has(k, s->name) ? image_name : "");
	size_t n;

	if (s->module && !strcmp(s->module, image_name))
		return NULL;
	if (s->module) {
		found[0] = module_named(k, s->module);
		if (!found[0])
			refuse(NL_ETARGET, "%s: there is no module %s beside the kernel file, or among what -M gives",
			       where, s->module);
		return found[0];
	}
	n = modules_with(k, s->name, found, SHOWN);
	for (size_t i = 0; i < n && i < SHOWN; i++)
		names = xformat("%s%s%s", names, *names ? ", " : "", found[i]->name);
	if (n > SHOWN)
		names = xformat("%s and more", names);
	if (n + image_has(k, s->name) > 1)
		refuse(NL_ETARGET, "%s: %s is a name of several: %s; say which: MODULE:%s", where, s->name, names,
		       s->name);
	return n ? found[0] : NULL;
}

struct split {
	const struct kernel *k;
	const struct recipe *r;
	const struct module *module[NL_LEAF_MAX_OBJECTS]; /* NULL = the kernel */
	struct recipe *part[NL_LEAF_MAX_OBJECTS];
	size_t n, of_source[RECIPE_MAX]; /* n = nobody's yet */
};

static size_t part_of(struct split *s, const struct module *m)
{
	size_t i = 0;

	while (i < s->n && s->module[i] != m)
		i++;
	if (i < s->n)
		return i;
	if (s->n == NL_LEAF_MAX_OBJECTS)
		refuse(NL_EARENA, "%s: a leaf is for at most %u objects", s->r->path, NL_LEAF_MAX_OBJECTS);
	s->module[s->n] = m;
	s->part[s->n] = xalloc(sizeof(struct recipe));
	*s->part[s->n] = *s->r;
	s->part[s->n]->n_data = s->part[s->n]->n_replace = s->part[s->n]->n_source = 0;
	return s->n++;
}

static const char *name_of(const struct split *s, size_t part)
{
	return s->module[part] ? s->module[part]->name : "the kernel";
}

static size_t source_number(const struct recipe *r, const char *source)
{
	size_t i = 0;

	while (strcmp(r->source[i], source))
		i++;
	return i;
}

/* A source is compiled once, and its static variables are there once: it has one home. */
static void give_source(struct split *s, size_t source, size_t part, const char *where)
{
	struct recipe *p = s->part[part];

	if (s->of_source[source] == part)
		return;
	if (s->of_source[source] != NL_LEAF_MAX_OBJECTS)
		refuse(NL_ERECIPE,
		       "%s: %s has a function of %s and one of %s; a module comes and goes by itself: put them into "
		       "two "
		       "sources",
		       where, s->r->source[source], name_of(s, s->of_source[source]), name_of(s, part));
	s->of_source[source] = part;
	p->allow[p->n_source] = s->r->allow[source];
	p->source[p->n_source++] = s->r->source[source];
}

static void split(struct split *s)
{
	const struct recipe *r = s->r;

	for (size_t i = 0; i < r->n_source; i++)
		s->of_source[i] = NL_LEAF_MAX_OBJECTS;
	for (size_t i = 0; i < r->n_replace; i++) {
		const struct recipe_replace *p = &r->replace[i];
		char *where = xformat("%s:%u", r->path, p->line);
		size_t part = part_of(s, object_with(s->k, &p->function, where));

		s->part[part]->replace[s->part[part]->n_replace++] = *p;
		if (p->origin == FROM_SOURCE)
			give_source(s, source_number(r, p->source), part, where);
	}
	for (size_t i = 0; i < r->n_data; i++) {
		const struct recipe_data *p = &r->data[i];
		size_t part = part_of(s, object_with(s->k, &p->symbol, xformat("%s:%u", r->path, p->line)));

		s->part[part]->data[s->part[part]->n_data++] = *p;
	}
	if (!s->n)
		part_of(s, NULL);
	for (size_t i = 0; i < r->n_source; i++) { /* of a `body` statement alone */
		if (s->of_source[i] != NL_LEAF_MAX_OBJECTS)
			continue;
		if (s->n > 1)
			refuse(NL_ERECIPE, "%s: whose %s is, of %s and %s, nobody says: no function of it is named",
			       r->path, r->source[i], name_of(s, 0), name_of(s, 1));
		give_source(s, i, 0, r->path);
	}
}

size_t objects_of(const struct kernel *k, const struct recipe *r, struct object out[NL_LEAF_MAX_OBJECTS])
{
	struct split *s = xalloc(sizeof(*s));
	size_t n = 0;

	s->k = k;
	s->r = r;
	split(s);
	for (unsigned image = 0; image < 2; image++)
		for (size_t i = 0; i < s->n; i++) {
			if ((s->module[i] == NULL) != image)
				continue;
			s->part[i]->is_part = s->n > 1;
			out[n++] =
			        (struct object){s->module[i], module_view(k, s->module[i]), s->n == 1 ? r : s->part[i]};
			if (s->module[i])
				livesites_verify_module(out[n - 1].k);
		}
	return n;
}
