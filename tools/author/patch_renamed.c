// SPDX-License-Identifier: Apache-2.0
/*
 * What is called struct x before a patch and struct y after it is compared by nobody's name, and yet objects of x that
 * hang on lists, on queues or on a void * are read as y by the new code. Two that share most of their members are taken
 * for one; of two that each hang on something the definition of the first must be taken away besides: a unit may lose
 * its last use of a structure by any fix.
 */
#include "patch_renamed.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <ctype.h>
#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

#define TAKEN_MAX 64
#define MEMBERS_MAX 512
#define DEPTH_MAX 4 /* of unnamed structures in each other */
#define SURE 3      /* members of one name, which are no accident */

struct named { /* a structure or union, by its own name or a typedef's */
	const struct btf *btf;
	uint32_t name_of, id;
};

struct members {
	const char *name[MEMBERS_MAX];
	size_t n;
	bool linked; /* what it hangs on, or is waited for by, is a part of it */
};

static const char *text(const struct btf *t, uint32_t offset)
{
	const char *name = btf__name_by_offset(t, offset);

	return name ? name : "";
}

static const char *label(const struct named *s) { return text(s->btf, btf__type_by_id(s->btf, s->name_of)->name_off); }

static bool is_named(const struct btf *t, uint32_t id, struct named *out)
{
	const struct btf_type *type = btf__type_by_id(t, id);

	*out = (struct named){t, id, id};
	if (!*text(t, type->name_off))
		return false;
	if (!btf_is_typedef(type))
		return btf_is_composite(type);
	out->id = type->type;
	type = btf__type_by_id(t, out->id);
	return type && btf_is_composite(type) && !*text(t, type->name_off);
}

static bool knows(const struct btf *t, const struct named *s)
{
	size_t n;

	typenames_find(t, btf_kind(btf__type_by_id(s->btf, s->name_of)), label(s), &n);
	return n;
}

static bool is_link(const char *name)
{
	static const char *const links[] = {
	        "list_head", "hlist_node",   "hlist_nulls_node", "hlist_bl_node", "llist_node",
	        "rb_node",   "plist_node",   "callback_head",    "work_struct",   "delayed_work",
	        "rcu_work",  "kthread_work", "tasklet_struct",   "timer_list",    "hrtimer",
	        "irq_work",  "kref",         "kobject",          "device"};

	for (size_t i = 0; i < NL_ARRAY_SIZE(links); i++)
		if (!strcmp(name, links[i]))
			return true;
	return false;
}

static void collect(const struct btf *t, const struct btf_type *s, struct members *m, int depth)
{
	for (uint32_t i = 0; i < btf_vlen(s); i++) {
		const struct btf_type *type = btf__type_by_id(t, btf_members(s)[i].type);
		const char *name = text(t, btf_members(s)[i].name_off);

		while (type && (btf_is_mod(type) || btf_is_typedef(type)))
			type = btf__type_by_id(t, type->type);
		if (*name && m->n < MEMBERS_MAX)
			m->name[m->n++] = name;
		if (type && btf_is_composite(type) && !*name && depth < DEPTH_MAX)
			collect(t, type, m, depth + 1);
		else if (type && btf_is_composite(type))
			m->linked |= is_link(text(t, type->name_off));
	}
}

static void members_of(const struct named *s, struct members *m)
{
	m->n = 0;
	m->linked = false;
	collect(s->btf, btf__type_by_id(s->btf, s->id), m, 0);
}

static size_t shared(const struct members *x, const struct members *y)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		for (size_t j = 0; j < y->n; j++)
			if (!strcmp(x->name[i], y->name[j])) {
				n++;
				break;
			}
	return n;
}

/* Has the running kernel one of that name, size and members? Then the patch only begins to use it here. */
static bool is_of_kernel(const struct btf *kernel, const struct named *s, const struct members *m)
{
	const struct btf_type *type = btf__type_by_id(s->btf, s->id);
	static struct members other;
	const uint32_t *ids;
	struct named its;
	size_t n;

	if (!kernel)
		return false;
	ids = typenames_find(kernel, btf_kind(btf__type_by_id(s->btf, s->name_of)), label(s), &n);
	for (size_t i = 0; i < n; i++) {
		if (!is_named(kernel, ids[i], &its) || btf__type_by_id(kernel, its.id)->size != type->size)
			continue;
		members_of(&its, &other);
		if (other.n == m->n && shared(&other, m) == m->n)
			return true;
	}
	return false;
}

static bool is_taken(const char *name, char *const *taken, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(taken[i], name))
			return true;
	return false;
}

static const char *kind(const struct named *s)
{
	const struct btf_type *t = btf__type_by_id(s->btf, s->name_of);

	return btf_is_struct(t) ? "struct" : btf_is_union(t) ? "union" : "type";
}

/* How the second differs, if it seems to be the first. */
static char *successor(const struct named *x, const struct named *y, const struct btf *kernel, bool taken)
{
	static struct members old, new;
	size_t both;
	bool alike;
	char *how;

	members_of(x, &old);
	members_of(y, &new);
	both = shared(&old, &new);
	alike = 2 * both > old.n && (taken || both >= SURE);
	if (!alike && !(taken && old.linked && new.linked))
		return NULL;
	how = layout_renamed(x->btf, x->id, y->btf, y->id, alike);
	if (!how || is_of_kernel(kernel, y, &new))
		return NULL;
	return xformat("%s %s goes while %s %s comes with %s, and is laid out otherwise (%s)", kind(x), label(x),
	               kind(y), label(y), alike ? "most of its members" : "links of its own", how);
}

struct list {
	struct named *s;
	size_t n;
};

/* What the first has and the second has not. */
static struct list only_in(const struct btf *t, const struct btf *other)
{
	struct list l = {.s = xalloc(btf__type_cnt(t) * sizeof(*l.s))};

	for (uint32_t id = 1; id < btf__type_cnt(t); id++)
		if (is_named(t, id, &l.s[l.n]) && !knows(other, &l.s[l.n]))
			l.n++;
	return l;
}

static bool any_knows(const struct layout *unit, size_t n, const struct named *s, bool after)
{
	for (size_t i = 0; i < n; i++)
		if (knows(after ? unit[i].after : unit[i].before, s))
			return true;
	return false;
}

char *renamed_change(const struct layout *unit, size_t n, const struct btf *kernel, char *const *taken, size_t n_taken)
{
	struct list *gone = xalloc((n + 1) * sizeof(*gone)), *come = xalloc((n + 1) * sizeof(*come));
	char *how = NULL;

	for (size_t i = 0; i < n; i++) {
		gone[i] = only_in(unit[i].before, unit[i].after);
		come[i] = only_in(unit[i].after, unit[i].before);
	}
	for (size_t i = 0; i < n; i++)
		for (size_t a = 0; a < gone[i].n; a++)
			for (size_t j = 0; j < n; j++)
				for (size_t b = 0; b < come[j].n && !how; b++) {
					const struct named *x = &gone[i].s[a], *y = &come[j].s[b];

					/* where it goes from one unit and comes in another, it goes from all */
					if (i == j || (!any_knows(unit, n, x, true) && !any_knows(unit, n, y, false)))
						how = successor(x, y, kernel, is_taken(label(x), taken, n_taken));
				}
	for (size_t i = 0; i < n; i++) {
		free(gone[i].s);
		free(come[i].s);
	}
	free(gone);
	free(come);
	return how;
}

static size_t word(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '_')
		n++;
	return n;
}

static const char *blank(const char *p) { return p + strspn(p, " \t"); }

/* "struct x {" or its first line; "} x;", which a typedef or a variable begins. NULL: the line defines nothing. */
static char *defined(const char *line)
{
	const char *p = blank(line), *last;

	if (!strncmp(p, "typedef ", 8))
		p = blank(p + 8);
	if (!strncmp(p, "struct ", 7) || !strncmp(p, "union ", 6)) {
		p = blank(p + (*p == 's' ? 7 : 6));
		last = blank(p + word(p));
		return word(p) && strchr("{\r\n", *last) ? xformat("%.*s", (int)word(p), p) : NULL;
	}
	if (*p != '}')
		return NULL;
	for (last = p = blank(p + 1); word(p); p = blank(p + word(p)))
		last = p;
	return *p == ';' && word(last) ? xformat("%.*s", (int)word(last), last) : NULL;
}

static size_t definitions(const struct diff *d, char sign, char **out)
{
	size_t n = 0;

	for (size_t f = 0; f < d->n_files; f++)
		for (size_t h = 0; h < d->file[f].n_hunks; h++)
			for (size_t l = 0; l < d->file[f].hunk[h].n_lines && n < TAKEN_MAX; l++) {
				const struct diff_line *line = &d->file[f].hunk[h].line[l];
				char *name = line->kind == sign
				                     ? defined(xformat("%.*s", (int)line->length, line->text))
				                     : NULL;

				if (name)
					out[n++] = name;
			}
	return n;
}

char **renamed_taken(const struct diff *d, size_t *n)
{
	char **taken = xalloc(TAKEN_MAX * sizeof(*taken)), **brought = xalloc(TAKEN_MAX * sizeof(*brought));
	size_t all = definitions(d, '-', taken), n_brought = definitions(d, '+', brought);

	*n = 0;
	for (size_t i = 0; i < all; i++)
		if (!is_taken(taken[i], brought, n_brought))
			taken[(*n)++] = taken[i];
	free(brought);
	return taken;
}
