// SPDX-License-Identifier: Apache-2.0
/*
 * Walks BTF (Linux Documentation/bpf/btf.rst) along a member path. The file comes from anybody: libbpf has checked that
 * each type lies inside it, and nothing else. Chains of types may close upon themselves and names lie outside their
 * table, so every step is counted and every name looked at before use. Bit fields are refused: no site is made of bits.
 */
#include "types.h"

#include <bpf/btf.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 100000u /* of one question; the largest struct of Linux has hundreds of members */
#define DEPTH_MAX 32u     /* of unnamed members in each other */
#define OFFSET_MAX (1u << 24)

struct walk {
	const struct kernel *k;
	const char *where;
	uint32_t steps;
};

static _Noreturn void damaged(const struct walk *w)
{
	refuse(NL_EKERNEL, "%s: the types of %s (.BTF) are damaged or run in a circle; use the package's own file",
	       w->where, w->k->path);
}

static void step(struct walk *w)
{
	if (++w->steps > STEPS_MAX)
		damaged(w);
}

static const struct btf_type *find_type(const struct walk *w, const char *type, uint32_t *id)
{
	const struct btf *btf = w->k->btf;
	int found = 0;

	if (!strncmp(type, "struct ", 7))
		found = btf__find_by_name_kind(btf, type + 7, BTF_KIND_STRUCT);
	else if (!strncmp(type, "union ", 6))
		found = btf__find_by_name_kind(btf, type + 6, BTF_KIND_UNION);
	if (found <= 0)
		refuse(NL_ETARGET, "%s: %s has no type '%s'", w->where, w->k->release, type);
	*id = (uint32_t)found;
	return btf__type_by_id(btf, *id);
}

static uint32_t size_of(const struct walk *w, uint32_t id)
{
	int64_t size = btf__resolve_size(w->k->btf, id); /* counts its own steps */

	if (size < 0 || size > UINT32_MAX)
		damaged(w);
	return (uint32_t)size;
}

static const struct btf_type *plain(struct walk *w, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(w->k->btf, id);

	for (; t && (btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t)); step(w))
		t = btf__type_by_id(w->k->btf, t->type);
	return t;
}

/* Finds `name` in t, also inside unnamed members; adds its bit offset. */
static bool descend(struct walk *w, const struct btf_type *t, const char *name, uint64_t *bits, uint32_t *id,
                    unsigned depth)
{
	const struct btf_member *m = btf_members(t);

	for (uint32_t i = 0; i < btf_vlen(t); i++, step(w)) {
		const char *its = btf__name_by_offset(w->k->btf, m[i].name_off);
		uint32_t at = btf_member_bit_offset(t, i);
		const struct btf_type *inner;

		if (!its || depth > DEPTH_MAX)
			damaged(w);
		if (*its && !strcmp(its, name) && !btf_member_bitfield_size(t, i)) {
			*bits += at;
			*id = m[i].type;
			return true;
		}
		if (*its)
			continue;
		inner = plain(w, m[i].type);
		if (inner && btf_is_composite(inner) && descend(w, inner, name, bits, id, depth + 1)) {
			*bits += at;
			return true;
		}
	}
	return false;
}

/* "[2][1]" behind an array of type *id; returns what is behind it. */
static const char *subscripts(struct walk *w, const char *path, const char *name, uint64_t *bits, uint32_t *id)
{
	while (*path == '[') {
		const struct btf_type *t = plain(w, *id);
		char *end;
		unsigned long index = strtoul(path + 1, &end, 0);

		if (*end != ']' || end == path + 1 || !t || !btf_is_array(t) || index >= btf_array(t)->nelems)
			refuse(NL_ETARGET, "%s: '%s' is no array, or the index is beyond its end", w->where, name);
		*id = btf_array(t)->type;
		*bits += index * 8 * size_of(w, *id);
		path = end + 1;
	}
	return path;
}

/* False: no such member; *missing is its name. */
static bool find(struct walk *w, const char *type, const char *path, struct member *found, char **missing)
{
	const struct btf_type *t;
	uint64_t bits = 0;
	uint32_t id;

	find_type(w, type, &id);
	while (*path) {
		size_t n = strcspn(path, ".[");

		*missing = xformat("%.*s", (int)n, path);
		t = plain(w, id);
		if (!t || !btf_is_composite(t) || !descend(w, t, *missing, &bits, &id, 0))
			return false;
		path = subscripts(w, path + n, *missing, &bits, &id);
		if (*path == '.')
			path++;
	}
	if (bits % 8 || bits / 8 > OFFSET_MAX)
		damaged(w);
	t = plain(w, id);
	found->offset = (uint32_t)(bits / 8);
	found->size = size_of(w, id);
	found->type = id;
	found->array_count = t && btf_is_array(t) ? btf_array(t)->nelems : 0;
	return true;
}

struct member member_find(const struct kernel *k, const char *type, const char *path, const char *where)
{
	struct walk w = {.k = k, .where = where};
	struct member found;
	char *missing;

	if (!find(&w, type, path, &found, &missing))
		refuse(NL_ETARGET, "%s: '%s' of %s has no member '%s' (or it is a bit field)", where, type, k->release,
		       missing);
	return found;
}

bool member_maybe(const struct kernel *k, const char *type, const char *path, const char *where, struct member *out)
{
	struct walk w = {.k = k, .where = where};
	char *missing;

	return find(&w, type, path, out, &missing);
}

bool member_bit(const struct kernel *k, const char *type, const char *name, const char *where, uint32_t *bit)
{
	struct walk w = {.k = k, .where = where};
	const struct btf_type *t;
	uint32_t id;

	t = find_type(&w, type, &id);
	for (uint32_t i = 0; i < btf_vlen(t); i++, step(&w)) {
		const char *its = btf__name_by_offset(k->btf, btf_members(t)[i].name_off);

		if (!its)
			damaged(&w);
		if (btf_member_bitfield_size(t, i) != 1 || strcmp(its, name))
			continue;
		*bit = btf_member_bit_offset(t, i);
		return true;
	}
	return false;
}
