// SPDX-License-Identifier: Apache-2.0
/* See transplant_draw.h. */
#include "transplant_draw.h"
#include "lot.h"

#include <stdlib.h>
#include <string.h>

#define PER_LEAF (NL_LEAF_MAX_SITES - 2) /* a site that goes on in the next page is two */

/* No clone, no half, no mark. */
static bool is_plain(const char *name)
{
	return *name && !strchr(name, '.') && strncmp(name, "__pfx_", 6) && strncmp(name, "_R", 2);
}

static bool is_candidate(const struct kernel *k, const struct ksym *s, uint64_t start, uint64_t end)
{
	return s->va >= start && s->va < end && kallsyms_next(&k->syms, s->va) && is_plain(s->name) &&
	       kallsyms_at(&k->syms, s->va) == s;
}

static char *named(const struct kernel *k, const struct ksym *s)
{
	const struct ksym *found = NULL;
	size_t n = kallsyms_find(&k->syms, s->name, 1, &found);

	for (size_t i = 1; n > 1 && i <= n; i++)
		if (kallsyms_find(&k->syms, s->name, i, &found) && found->va == s->va)
			return xformat("%s,%zu", s->name, i);
	return xformat("%s", s->name);
}

size_t draw_of_image(const struct kernel *k, size_t count, uint64_t seed, char ***names)
{
	uint64_t start = kernel_symbol(k, "_stext"), end = kernel_symbol(k, "_etext"), state = lot_start(seed);
	uint32_t *all = xalloc(k->syms.n * sizeof(*all));
	size_t n = 0;

	for (uint32_t i = 0; i < k->syms.n; i++)
		if (is_candidate(k, &k->syms.sym[i], start, end))
			all[n++] = i;
	count = count < n ? count : n;
	*names = xalloc((count + 1) * sizeof(**names));
	for (size_t i = 0; i < count; i++) {
		size_t j = i + lot_draw(&state, n - i);
		uint32_t chosen = all[j];

		all[j] = all[i];
		(*names)[i] = named(k, &k->syms.sym[chosen]);
	}
	free(all);
	return count;
}

struct candidate {
	const struct module *m;
	const struct module_symbol *s;
};

struct candidates {
	struct candidate *at;
	size_t n, room;
};

/* Of several names of one code the first; the loader's own names for the first and last function are no others. */
static bool is_first(const struct module *m, const struct module_symbol *s)
{
	for (const struct module_symbol *o = m->symbols; o < s; o++)
		if (o->section == s->section && o->va == s->va && o->function && is_plain(o->name))
			return false;
	return strcmp(s->name, "init_module") && strcmp(s->name, "cleanup_module");
}

static void add_module(struct candidates *all, const struct module *m)
{
	for (size_t i = 1; i < m->n_symbols; i++) {
		const struct module_symbol *s = &m->symbols[i];

		if (!s->section || !s->function || !s->size || !is_plain(s->name) || !is_first(m, s) ||
		    strstr(m->sections[s->section].name, "static_call") ||
		    (m->sections[s->section].memory != MODULE_TEXT &&
		     m->sections[s->section].memory != MODULE_INIT_TEXT))
			continue;
		if (all->n == all->room) {
			struct candidate *more = xalloc((all->room = all->room * 2 + 4096) * sizeof(*more));

			if (all->n)
				memcpy(more, all->at, all->n * sizeof(*more));
			free(all->at);
			all->at = more;
		}
		all->at[all->n++] = (struct candidate){m, s};
	}
}

/* Several functions of a module may have one name: which place it is, by address. */
static char *named_in(const struct candidate *c)
{
	size_t lower = 0, others = 0;

	for (size_t i = 1; i < c->m->n_symbols; i++) {
		const struct module_symbol *o = &c->m->symbols[i];

		if (!o->section || o == c->s || strcmp(o->name, c->s->name))
			continue;
		others++;
		lower += o->va < c->s->va;
	}
	return others ? xformat("%s:%s,%zu", c->m->name, c->s->name, lower + 1)
	              : xformat("%s:%s", c->m->name, c->s->name);
}

size_t draw_of_modules(const struct kernel *k, char *const *modules, size_t n, size_t count, uint64_t seed,
                       char ***names)
{
	struct candidates all = {0};
	uint64_t state = lot_start(seed);

	for (size_t i = 0; i < (n ? n : k->modules->n); i++) {
		const char *name = n ? modules[i] : k->modules->file[i].name;
		const struct module *m = module_named(k, name);

		if (!m)
			refuse(NL_ETARGET, "%s is none of the modules that -M gives", name);
		add_module(&all, m);
	}
	count = count < all.n ? count : all.n;
	*names = xalloc((count + 1) * sizeof(**names));
	for (size_t i = 0; i < count; i++) {
		size_t j = i + lot_draw(&state, all.n - i);
		struct candidate chosen = all.at[j];

		all.at[j] = all.at[i];
		(*names)[i] = named_in(&chosen);
	}
	free(all.at);
	return count;
}

/* Up to the ':', which the names of the image do not have. */
static size_t module_length(const char *name)
{
	const char *colon = strchr(name, ':');

	return colon ? (size_t)(colon - name) : 0;
}

static bool same_module(const char *a, const char *b)
{
	return module_length(a) == module_length(b) && !strncmp(a, b, module_length(a));
}

void draw_sort(char **names, size_t n)
{
	for (size_t i = 1; i < n; i++) /* behind the last of its module; the others keep their order */
		for (size_t j = i; j-- > 0;)
			if (same_module(names[j], names[i])) {
				char *moved = names[i];

				memmove(&names[j + 2], &names[j + 1], (i - j - 1) * sizeof(*names));
				names[j + 1] = moved;
				break;
			}
}

/* Its own, and those that it depends on, which code of it may refer to; words between blanks. */
static char *with_objects(const struct kernel *k, char *have, const char *name)
{
	char *own = xformat("%.*s", (int)module_length(name), name);
	const struct module *m = *own ? module_named(k, own) : NULL;
	const char *needs = m ? module_info(m, "depends") : NULL;

	if (*own && !has_name(have, own))
		have = xformat("%s, %s", have, own);
	for (const char *p = needs; p && *p; p += strcspn(p, ","), p += *p == ',') {
		char *one = xformat("%.*s", (int)strcspn(p, ","), p);

		for (char *c = one; *c; c++)
			*c = *c == '-' ? '_' : *c;
		if (*one && !has_name(have, one))
			have = xformat("%s, %s", have, one);
	}
	return have;
}

static size_t count_names(const char *list)
{
	size_t n = 0;

	for (; *list; list++)
		n += *list == ',';
	return n;
}

size_t draw_for_leaf(const struct kernel *k, char *const *names, size_t n)
{
	char *objects = xformat("%s", "");
	size_t i = 0;

	for (; i < n && i < PER_LEAF; i++) {
		if (i && same_module(names[i], names[i - 1]))
			continue;
		objects = with_objects(k, objects, names[i]);
		if (i && count_names(objects) > NL_LEAF_MAX_OBJECTS - 1)
			break;
	}
	return i;
}
