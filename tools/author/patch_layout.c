// SPDX-License-Identifier: Apache-2.0
/*
 * Compares the types (-gbtf) of two compilations of a unit, member by member. Several may have one name, or none: then
 * something changed when one of before has no like in after, and one of after none in before. What is only new, or only
 * gone, lies in nobody's memory (unless both are one: patch_renamed.c).
 */
#include "patch_layout.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8 /* of unnamed structures in each other */

struct types { /* two compilations */
	const struct btf *b, *a;
	struct layout *pairs; /* where prototypes that differ are taken down; NULL: they differ */
	bool exactly;         /* void * is not anything's */
	bool renamed;         /* what goes and what comes may be one structure */
	bool any_names;       /* of members */
};

static const struct btf_type *bare(const struct btf *t, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(t, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type)))
		type = btf__type_by_id(t, type->type);
	return type;
}

static const char *text(const struct btf *t, uint32_t offset)
{
	const char *name = btf__name_by_offset(t, offset);

	return name ? name : "";
}

static const char *name_of(const struct btf *t, const struct btf_type *type) { return text(t, type->name_off); }

static char *composite(const struct types *c, const struct btf_type *x, const struct btf_type *y, int depth);
static bool same_member(const struct types *c, uint32_t x, uint32_t y, int depth);

static bool is_in(const struct btf *t, const struct btf *of, const struct btf_type *type)
{
	size_t n;

	typenames_find(t, btf_kind(type), name_of(of, type), &n);
	return n;
}

/* Two structures, of which pointers are: of one name, or of two of which one goes and the other comes. */
static bool called_alike(const struct types *c, const struct btf_type *s, const struct btf_type *t)
{
	if (!strcmp(name_of(c->b, s), name_of(c->a, t)))
		return true;
	return c->renamed && !is_in(c->a, c->b, s) && !is_in(c->b, c->a, t);
}

static bool same_prototype(const struct types *c, const struct btf_type *s, const struct btf_type *t, int depth)
{
	if (btf_vlen(s) != btf_vlen(t) || !s->type != !t->type)
		return false;
	for (uint32_t i = 0; i < btf_vlen(s); i++)
		if (!same_member(c, btf_params(s)[i].type, btf_params(t)[i].type, depth + 1))
			return false;
	return !s->type || same_member(c, s->type, t->type, depth + 1);
}

/* What functions behind a pointer take and return: the running kernel's memory points to some. They may change when all
 * of them do (layout_pointees). */
static bool same_function(const struct types *c, uint32_t x, uint32_t y, int depth)
{
	const struct types alone = {c->b, c->a, NULL, c->exactly, c->renamed, c->any_names};
	struct layout *l = c->pairs;

	if (same_prototype(&alone, bare(c->b, x), bare(c->a, y), depth))
		return true;
	if (!l)
		return false;
	for (size_t i = 0; i < l->n_pairs; i++)
		if (l->pair[i].before == x && l->pair[i].after == y)
			return true;
	if (l->n_pairs == LAYOUT_PAIRS)
		return false;
	l->pair[l->n_pairs].before = x;
	l->pair[l->n_pairs++].after = y;
	return true;
}

static bool same_target(const struct types *c, uint32_t x, uint32_t y, int depth)
{
	const struct btf_type *s = bare(c->b, x), *t = bare(c->a, y);

	if (!s || !t || btf_is_void(s) || btf_is_void(t)) /* void * may be anything's */
		return !c->exactly || (!s || btf_is_void(s)) == (!t || btf_is_void(t));
	if (depth > DEPTH_MAX)
		return true;
	if (btf_is_func_proto(s) && btf_is_func_proto(t))
		return same_function(c, x, y, depth);
	if ((btf_is_composite(s) || btf_is_fwd(s)) && (btf_is_composite(t) || btf_is_fwd(t)))
		return called_alike(c, s, t);
	return same_member(c, x, y, depth + 1);
}

/* What a member is: its kind, size and name; what is named is compared by itself. */
static bool same_member(const struct types *c, uint32_t x, uint32_t y, int depth)
{
	const struct btf_type *s = bare(c->b, x), *t = bare(c->a, y);

	if (!s || !t)
		return !x && !y;
	if (btf_is_fwd(s) || btf_is_fwd(t)) /* named here, and looked into there */
		return !strcmp(name_of(c->b, s), name_of(c->a, t));
	if (btf_kind(s) != btf_kind(t) || depth > DEPTH_MAX)
		return depth > DEPTH_MAX;
	if (btf_is_array(s))
		return (btf_array(s)->nelems == btf_array(t)->nelems || !btf_array(s)->nelems ||
		        !btf_array(t)->nelems) &&
		       same_member(c, btf_array(s)->type, btf_array(t)->type, depth + 1);
	if (btf_is_ptr(s))
		return same_target(c, s->type, t->type, depth + 1);
	if (btf_is_composite(s) && !*name_of(c->b, s) && !*name_of(c->a, t))
		return !composite(c, s, t, depth + 1);
	if (btf_is_int(s) || btf_is_any_enum(s))
		return s->size == t->size;
	if (c->renamed && btf_is_composite(s) && strcmp(name_of(c->b, s), name_of(c->a, t)))
		return called_alike(c, s, t) && !composite(c, s, t, depth + 1);
	return !strcmp(name_of(c->b, s), name_of(c->a, t));
}

static char *composite(const struct types *c, const struct btf_type *x, const struct btf_type *y, int depth)
{
	const struct btf_member *m = btf_members(x), *n = btf_members(y);

	for (uint32_t i = 0; i < btf_vlen(x) || i < btf_vlen(y); i++) {
		if (i >= btf_vlen(x))
			return xformat("%s is added", text(c->a, n[i].name_off));
		if (i >= btf_vlen(y))
			return xformat("%s is gone", text(c->b, m[i].name_off));
		if (!c->any_names && strcmp(text(c->b, m[i].name_off), text(c->a, n[i].name_off)))
			return xformat("%s where %s was", text(c->a, n[i].name_off), text(c->b, m[i].name_off));
		if (btf_member_bit_offset(x, i) != btf_member_bit_offset(y, i))
			return xformat("%s moves", text(c->b, m[i].name_off));
		if (btf_member_bitfield_size(x, i) != btf_member_bitfield_size(y, i))
			return xformat("%s gets another number of bits", text(c->b, m[i].name_off));
		if (!same_member(c, m[i].type, n[i].type, depth))
			return xformat("%s gets another type", text(c->b, m[i].name_off));
	}
	if (x->size != y->size)
		return xformat("%u instead of %u bytes", y->size, x->size);
	return NULL;
}

static int64_t value_of(const struct btf_type *t, uint32_t i, uint32_t *name)
{
	if (btf_is_enum64(t)) {
		*name = btf_enum64(t)[i].name_off;
		return (int64_t)btf_enum64_value(&btf_enum64(t)[i]);
	}
	*name = btf_enum(t)[i].name_off;
	return btf_enum(t)[i].val;
}

static int64_t greatest(const struct btf_type *t)
{
	int64_t most = INT64_MIN;
	uint32_t name;

	for (uint32_t i = 0; i < btf_vlen(t); i++)
		most = value_of(t, i, &name) > most ? value_of(t, i, &name) : most;
	return most;
}

/* A constant of before that has another value: the running kernel's memory holds the old ones. How many there are may
 * change, which the last ones tell. */
static char *values(const struct types *c, const struct btf_type *x, const struct btf_type *y)
{
	for (uint32_t i = 0; i < btf_vlen(x); i++) {
		uint32_t its, other;
		int64_t old = value_of(x, i, &its);

		for (uint32_t j = 0; j < btf_vlen(y); j++) {
			int64_t new = value_of(y, j, &other);

			if (old == new || strcmp(text(c->b, its), text(c->a, other)) ||
			    (old == greatest(x) && new == greatest(y)) || strstr(text(c->b, its), "MAX"))
				continue;
			return xformat("%s is %lld instead of %lld", text(c->b, its), (long long)new, (long long)old);
		}
	}
	return NULL;
}

static char *differ(const struct types *c, uint32_t x, uint32_t y)
{
	const struct btf_type *s = btf__type_by_id(c->b, x), *t = btf__type_by_id(c->a, y);

	if (btf_is_any_enum(s))
		return values(c, s, t);
	if (btf_is_var(s) || btf_is_typedef(s))
		return same_member(c, s->type, t->type, 0) ? NULL : xformat("another type");
	return composite(c, s, t, 0);
}

static bool any_like(const struct types *c, uint32_t id, bool of_after, const uint32_t *others, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(of_after ? differ(c, others[i], id) : differ(c, id, others[i])))
			return true;
	return false;
}

/* How one of a group of one name, or without one, changed; NULL: none did. */
static char *group(const struct types *c, const uint32_t *before, size_t n, const uint32_t *after, size_t m)
{
	uint32_t gone = 0, come = 0;

	for (size_t i = 0; i < n && !gone; i++)
		gone = any_like(c, before[i], false, after, m) ? 0 : before[i];
	for (size_t i = 0; gone && i < m && !come; i++)
		come = any_like(c, after[i], true, before, n) ? 0 : after[i];
	return come ? differ(c, gone, come) : NULL;
}

static bool is_unnamed(const struct btf *t, const struct btf_type *type)
{
	return type && (btf_is_composite(type) || btf_is_any_enum(type)) && !*name_of(t, type);
}

/* By name: also the name that a typedef gives to what has none. */
static bool is_compared(const struct btf *t, const struct btf_type *type)
{
	if (btf_is_typedef(type))
		return is_unnamed(t, bare(t, type->type));
	if (btf_is_var(type) && starts_with(name_of(t, type), "__UNIQUE_ID_"))
		return false; /* counted: another's name the next time */
	return *name_of(t, type) && (btf_is_composite(type) || btf_is_any_enum(type) || btf_is_var(type));
}

/* What is looked at by another's name: a part of another, or what a typedef names. */
static void mark(const struct btf *t, uint32_t id, bool *seen)
{
	const struct btf_type *type = btf__type_by_id(t, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type) || btf_is_array(type))) {
		id = btf_is_array(type) ? btf_array(type)->type : type->type;
		type = btf__type_by_id(t, id);
	}
	if (type && id < btf__type_cnt(t))
		seen[id] = true;
}

/* What has no name at all. */
static uint32_t *list_unnamed(const struct btf *t, size_t *n)
{
	uint32_t *ids = xalloc(btf__type_cnt(t) * sizeof(*ids));
	bool *seen = xalloc(btf__type_cnt(t) * sizeof(*seen));

	*n = 0;
	for (uint32_t i = 1; i < btf__type_cnt(t); i++) {
		const struct btf_type *type = btf__type_by_id(t, i);

		if (btf_is_typedef(type) || btf_is_var(type))
			mark(t, type->type, seen);
		for (uint32_t m = 0; btf_is_composite(type) && m < btf_vlen(type); m++)
			mark(t, btf_members(type)[m].type, seen);
	}
	for (uint32_t i = 1; i < btf__type_cnt(t); i++)
		if (!seen[i] && is_unnamed(t, btf__type_by_id(t, i)))
			ids[(*n)++] = i;
	free(seen);
	return ids;
}

static size_t of_kind(const struct btf *t, const uint32_t *ids, size_t n, uint32_t kind, uint32_t *out)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		if (btf_kind(btf__type_by_id(t, ids[i])) == kind)
			out[found++] = ids[i];
	return found;
}

/* Which of the unnamed ones is another's successor nobody says. */
static char *unnamed_change(const struct types *c)
{
	static const uint32_t kinds[] = {BTF_KIND_STRUCT, BTF_KIND_UNION};
	size_t n, m;
	uint32_t *before = list_unnamed(c->b, &n), *after = list_unnamed(c->a, &m);
	uint32_t *x = xalloc((n + 1) * sizeof(*x)), *y = xalloc((m + 1) * sizeof(*y));
	char *how = NULL;

	for (size_t i = 0; i < 2 && !how; i++)
		how = group(c, x, of_kind(c->b, before, n, kinds[i], x), y, of_kind(c->a, after, m, kinds[i], y));
	free(before);
	free(after);
	free(x);
	free(y);
	return how ? xformat("an unnamed structure: %s", how) : NULL;
}

static bool same_constants(const struct types *c, const struct btf_type *x, const struct btf_type *y)
{
	uint32_t its, other;

	if (!btf_is_any_enum(x) || btf_vlen(x) != btf_vlen(y))
		return false;
	for (uint32_t i = 0; i < btf_vlen(x); i++)
		if (value_of(x, i, &its) != value_of(y, i, &other) || strcmp(text(c->b, its), text(c->a, other)))
			return false;
	return true;
}

/* Constants without a name for their kind: each by its own. */
static char *constants_change(const struct types *c)
{
	size_t n, m;
	uint32_t *before = list_unnamed(c->b, &n), *after = list_unnamed(c->a, &m);
	char *how = NULL;

	for (size_t j = 0; j < m && !how; j++) {
		const struct btf_type *y = btf__type_by_id(c->a, after[j]);
		bool known = !btf_is_any_enum(y);

		for (size_t i = 0; i < n && !known; i++)
			known = same_constants(c, btf__type_by_id(c->b, before[i]), y);
		for (size_t i = 0; i < n && !known && !how; i++)
			if (btf_is_any_enum(btf__type_by_id(c->b, before[i])))
				how = values(c, btf__type_by_id(c->b, before[i]), y);
	}
	free(before);
	free(after);
	return how ? xformat("an unnamed enumeration: %s", how) : NULL;
}

static int silent(enum libbpf_print_level level, const char *format, va_list ap)
{
	(void)level, (void)format, (void)ap;
	return 0;
}

static const char *kind_name(const struct btf_type *t)
{
	return btf_is_struct(t)    ? "struct"
	       : btf_is_union(t)   ? "union"
	       : btf_is_var(t)     ? "variable"
	       : btf_is_typedef(t) ? "type"
	                           : "enum";
}

char *layout_change_of(struct layout *l)
{
	const struct btf *before = l->before, *after = l->after;
	const struct types c = {.b = before, .a = after, .pairs = l};
	char *unnamed;

	for (uint32_t i = 1; i < btf__type_cnt(after); i++) {
		const struct btf_type *t = btf__type_by_id(after, i);
		const uint32_t *x, *y;
		size_t n, m;
		char *how;

		if (!is_compared(after, t))
			continue;
		y = typenames_find(after, btf_kind(t), name_of(after, t), &m);
		x = typenames_find(before, btf_kind(t), name_of(after, t), &n);
		how = m && y[0] == i ? group(&c, x, n, y, m) : NULL;
		if (how)
			return xformat("%s %s: %s", kind_name(t), name_of(after, t), how);
	}
	unnamed = unnamed_change(&c);
	return unnamed ? unnamed : constants_change(&c);
}

char *layout_change(const char *before, const char *after, struct layout *l)
{
	libbpf_set_print(silent);
	*l = (struct layout){.before = btf__parse_elf(before, NULL), .after = btf__parse_elf(after, NULL)};
	if (libbpf_get_error(l->before) || libbpf_get_error(l->after))
		refuse(NL_ECOMPILE, "the types that the compiler wrote (-gbtf) are not understood");
	return layout_change_of(l); /* both stay: typenames.h knows them by their place */
}

char *layout_renamed(const struct btf *before, uint32_t x, const struct btf *after, uint32_t y, bool by_name)
{
	const struct types c = {.b = before, .a = after, .renamed = true, .any_names = !by_name};

	return composite(&c, btf__type_by_id(before, x), btf__type_by_id(after, y), 0);
}

/* Is it of this prototype? */
static bool are_like(const struct btf *t, uint32_t proto, const struct btf *other, uint32_t id)
{
	const struct types c = {.b = t, .a = other, .exactly = true};
	const struct btf_type *theirs = bare(other, id);

	return theirs && btf_is_func_proto(theirs) && same_prototype(&c, bare(t, proto), theirs, 0);
}

static bool is_like(const struct btf *t, uint32_t proto, const struct btf *other, const struct btf_type *function)
{
	return are_like(t, proto, other, function->type);
}

bool layout_expects(const struct layout *l, const struct btf *here, uint32_t x, const struct btf *kernel, uint32_t y)
{
	for (size_t i = 0; i < l->n_pairs; i++)
		if (are_like(l->after, l->pair[i].after, here, x) && are_like(l->before, l->pair[i].before, kernel, y))
			return true;
	return false;
}

static bool any_is_like(const struct btf *t, uint32_t proto, const struct btf *other, const char *name)
{
	size_t n = 0;
	const uint32_t *ids = other ? typenames_find(other, BTF_KIND_FUNC, name, &n) : NULL;

	for (size_t i = 0; i < n; i++)
		if (is_like(t, proto, other, btf__type_by_id(other, ids[i])))
			return true;
	return false;
}

/* In how many units the function is of the new prototype. */
static size_t become(const struct layout *l, size_t pair, const char *name, const struct layout *unit, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += any_is_like(l->after, l->pair[pair].after, unit[i].after, name);
	return found;
}

/* A function of the old prototype that does not change everywhere. `of`: of the running kernel, or of one unit before.
 */
static const char *pointee(const struct layout *l, size_t pair, const struct btf *of, const struct kallsyms *syms,
                           const struct layout *unit, size_t n)
{
	for (uint32_t i = 1; i < btf__type_cnt(of); i++) {
		const struct btf_type *t = btf__type_by_id(of, i);
		const struct ksym *found;
		size_t there;

		/* GCC writes one without a name for the type itself. */
		if (!btf_is_func(t) || !*name_of(of, t) || !is_like(l->before, l->pair[pair].before, of, t))
			continue;
		there = syms ? kallsyms_find(syms, name_of(of, t), 1, &found) : 1;
		if (become(l, pair, name_of(of, t), unit, n) < (there ? there : 1))
			return name_of(of, t);
	}
	return NULL;
}

const char *layout_pointees(const struct layout *unit, size_t n, const struct btf *kernel, const struct kallsyms *syms)
{
	const char *stays = NULL;

	for (size_t i = 0; i < n; i++)
		for (size_t p = 0; p < unit[i].n_pairs; p++) {
			if (kernel)
				stays = pointee(&unit[i], p, kernel, syms, unit, n);
			for (size_t j = 0; j < n && !stays; j++)
				stays = pointee(&unit[i], p, unit[j].before, NULL, &unit[j], 1);
			if (stays || !kernel)
				return stays ? stays : "any function";
		}
	return NULL;
}

bool layout_same_variable(const struct layout *from, const struct layout *to, const char *name)
{
	const struct types c = {.b = from->before, .a = to->after};
	size_t n = 0, m = 0;
	const uint32_t *x = c.b ? typenames_find(c.b, BTF_KIND_VAR, name, &n) : NULL;
	const uint32_t *y = c.a ? typenames_find(c.a, BTF_KIND_VAR, name, &m) : NULL;

	return !n || !m || !group(&c, x, n, y, m);
}

bool layout_same_function(const struct layout *from, const struct layout *to, const char *name)
{
	const struct types c = {.b = from->before, .a = to->after, .exactly = true};
	size_t n = 0, m = 0;
	const uint32_t *x = c.b ? typenames_find(c.b, BTF_KIND_FUNC, name, &n) : NULL;
	const uint32_t *y = c.a ? typenames_find(c.a, BTF_KIND_FUNC, name, &m) : NULL;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < m; j++) {
			const struct btf_type *s = bare(c.b, btf__type_by_id(c.b, x[i])->type);
			const struct btf_type *t = bare(c.a, btf__type_by_id(c.a, y[j])->type);

			if (same_prototype(&c, s, t, 0))
				return true;
		}
	return !n || !m;
}

bool layout_is_pair(const struct layout *unit, const struct layout *from, const struct layout *to, const char *name)
{
	for (size_t i = 0; i < unit->n_pairs; i++)
		if (any_is_like(unit->before, unit->pair[i].before, from->before, name) &&
		    any_is_like(unit->after, unit->pair[i].after, to->after, name))
			return true;
	return false;
}
