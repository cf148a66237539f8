// SPDX-License-Identifier: Apache-2.0
/* Walks BTF (Linux Documentation/bpf/btf.rst) along a member path. Bit fields are refused: no site is made of bits. */
#include "types.h"

#include <bpf/btf.h>
#include <stdlib.h>
#include <string.h>

static int find_type(const struct kernel *k, const char *type, const char *where)
{
	int id = 0;

	if (!strncmp(type, "struct ", 7))
		id = btf__find_by_name_kind(k->btf, type + 7, BTF_KIND_STRUCT);
	else if (!strncmp(type, "union ", 6))
		id = btf__find_by_name_kind(k->btf, type + 6, BTF_KIND_UNION);
	if (id <= 0)
		refuse(NL_ETARGET, "%s: %s has no type '%s'", where, k->release, type);
	return id;
}

uint32_t type_size(const struct kernel *k, const char *type, const char *where)
{
	return (uint32_t)btf__resolve_size(k->btf, (uint32_t)find_type(k, type, where));
}

static const struct btf_type *plain(const struct kernel *k, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(k->btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t)))
		t = btf__type_by_id(k->btf, t->type);
	return t;
}

/* Finds `name` in t, also inside unnamed members; adds its bit offset. */
static bool descend(const struct kernel *k, const struct btf_type *t, const char *name, uint32_t *bits, uint32_t *id)
{
	const struct btf_member *m = btf_members(t);

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const char *its = btf__name_by_offset(k->btf, m[i].name_off);
		uint32_t at = btf_member_bit_offset(t, i);
		const struct btf_type *inner = plain(k, m[i].type);

		if (*its && !strcmp(its, name) && !btf_member_bitfield_size(t, i)) {
			*bits += at;
			*id = m[i].type;
			return true;
		}
		if (!*its && inner && btf_is_composite(inner) && descend(k, inner, name, bits, id)) {
			*bits += at;
			return true;
		}
	}
	return false;
}

struct member member_find(const struct kernel *k, const char *type, const char *path, const char *where)
{
	uint32_t id = (uint32_t)find_type(k, type, where), bits = 0;
	const struct btf_type *t = plain(k, id);
	struct member found = {0};

	while (*path) {
		size_t n = strcspn(path, ".[");
		char *name = xformat("%.*s", (int)n, path);

		if (!t || !btf_is_composite(t) || !descend(k, t, name, &bits, &id))
			refuse(NL_ETARGET, "%s: '%s' of %s has no member '%s' (or it is a bit field)", where, type,
			       k->release, name);
		t = plain(k, id);
		path += n;
		while (*path == '[') {
			char *end;
			unsigned long index = strtoul(path + 1, &end, 0);

			if (*end != ']' || !t || !btf_is_array(t) || index >= btf_array(t)->nelems)
				refuse(NL_ETARGET, "%s: '%s' is no array, or the index is beyond its end", where, name);
			id = btf_array(t)->type;
			bits += (uint32_t)index * (uint32_t)btf__resolve_size(k->btf, id) * 8;
			t = plain(k, id);
			path = end + 1;
		}
		if (*path == '.')
			path++;
	}
	found.offset = bits / 8;
	found.size = (uint32_t)btf__resolve_size(k->btf, id);
	found.array_count = t && btf_is_array(t) ? btf_array(t)->nelems : 0;
	return found;
}
