// SPDX-License-Identifier: Apache-2.0
/* Compares the types (-gbtf) of two compilations of a unit, member by member. */
#include "patch_layout.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8 /* of unnamed structures in each other */

static const struct btf_type *bare(const struct btf *t, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(t, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type)))
		type = btf__type_by_id(t, type->type);
	return type;
}

static const char *name_of(const struct btf *t, const struct btf_type *type)
{
	const char *name = btf__name_by_offset(t, type->name_off);

	return name ? name : "";
}

static char *composite(const struct btf *b, const struct btf_type *x, const struct btf *a, const struct btf_type *y,
                       int depth);

/* What a member is: its kind, size and name; what is named is compared by itself. */
static bool same_member(const struct btf *b, uint32_t x, const struct btf *a, uint32_t y, int depth)
{
	const struct btf_type *s = bare(b, x), *t = bare(a, y);

	if (!s || !t)
		return !x && !y;
	if (btf_kind(s) != btf_kind(t) || depth > DEPTH_MAX)
		return false;
	if (btf_is_array(s))
		return btf_array(s)->nelems == btf_array(t)->nelems &&
		       same_member(b, btf_array(s)->type, a, btf_array(t)->type, depth + 1);
	if (btf_is_ptr(s))
		return true;
	if (btf_is_composite(s) && !*name_of(b, s) && !*name_of(a, t))
		return !composite(b, s, a, t, depth + 1);
	if (btf_is_int(s) || btf_is_any_enum(s))
		return s->size == t->size;
	return !strcmp(name_of(b, s), name_of(a, t));
}

static char *composite(const struct btf *b, const struct btf_type *x, const struct btf *a, const struct btf_type *y,
                       int depth)
{
	const struct btf_member *m = btf_members(x), *n = btf_members(y);

	for (uint32_t i = 0; i < btf_vlen(x) || i < btf_vlen(y); i++) {
		if (i >= btf_vlen(x))
			return xformat("%s is added", btf__name_by_offset(a, n[i].name_off));
		if (i >= btf_vlen(y))
			return xformat("%s is gone", btf__name_by_offset(b, m[i].name_off));
		if (strcmp(btf__name_by_offset(b, m[i].name_off), btf__name_by_offset(a, n[i].name_off)))
			return xformat("%s where %s was", btf__name_by_offset(a, n[i].name_off),
			               btf__name_by_offset(b, m[i].name_off));
		if (m[i].offset != n[i].offset)
			return xformat("%s moves", btf__name_by_offset(b, m[i].name_off));
		if (!same_member(b, m[i].type, a, n[i].type, depth))
			return xformat("%s gets another type", btf__name_by_offset(b, m[i].name_off));
	}
	if (x->size != y->size)
		return xformat("%u instead of %u bytes", y->size, x->size);
	return NULL;
}

static int silent(enum libbpf_print_level level, const char *format, va_list ap)
{
	(void)level, (void)format, (void)ap;
	return 0;
}

char *layout_change(const char *before, const char *after)
{
	struct btf *b, *a;
	char *found = NULL;

	libbpf_set_print(silent);
	b = btf__parse_elf(before, NULL);
	a = btf__parse_elf(after, NULL);
	if (libbpf_get_error(b) || libbpf_get_error(a))
		refuse(NL_ECOMPILE, "the types that the compiler wrote (-gbtf) are not understood");
	for (uint32_t i = 1; i < btf__type_cnt(a) && !found; i++) {
		const struct btf_type *t = btf__type_by_id(a, i), *old;
		char *how;
		int32_t id;

		if (!btf_is_composite(t) || !*name_of(a, t))
			continue;
		id = btf__find_by_name_kind(b, name_of(a, t), btf_kind(t));
		if (id <= 0 || btf__find_by_name_kind(a, name_of(a, t), btf_kind(t)) != (int32_t)i)
			continue; /* new, or one of several of that name */
		old = btf__type_by_id(b, (uint32_t)id);
		how = composite(b, old, a, t, 0);
		if (how)
			found = xformat("%s %s: %s", btf_is_struct(t) ? "struct" : "union", name_of(a, t), how);
	}
	btf__free(a);
	btf__free(b);
	return found;
}
