// SPDX-License-Identifier: Apache-2.0
/*
 * See compare_types.h. Both objects come from anybody: libbpf has checked that each type lies inside them, and nothing
 * else. Chains may close upon themselves, so every step is counted.
 */
#include "compare_types.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <string.h>

#define STEPS_MAX 20000u /* of one comparison: the largest structure has hundreds of members, none of them deep */
#define DEPTH_MAX 32u
#define NAME_DEPTH_MAX 8u

struct comparison {
	const struct btf *here, *kernel;
	const char *there;
	uint32_t steps, depth;
};

static const struct compare_expected *expected;

void compare_expect(const struct compare_expected *e) { expected = e; }

static char *compare(struct comparison *c, uint32_t a, uint32_t b);

/* An id without what changes neither size nor sense: typedef, const, volatile, restrict. void is 0. */
static uint32_t plain(const struct btf *btf, uint32_t id)
{
	for (unsigned n = 0; n < DEPTH_MAX; n++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (!t || !(btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t)))
			return id;
		id = t->type;
	}
	return id;
}

/* How many of what: the kernel's types have one dimension for all of an array, the compiler's have each. */
static uint64_t elements(const struct btf *btf, uint32_t id, uint32_t *element)
{
	uint64_t all = 1;

	*element = plain(btf, id);
	for (unsigned n = 0; n < DEPTH_MAX; n++) {
		const struct btf_type *t = btf__type_by_id(btf, *element);

		if (!t || !btf_is_array(t))
			break;
		all *= btf_array(t)->nelems;
		*element = plain(btf, btf_array(t)->type);
	}
	return all;
}

static const char *string(const struct btf *btf, uint32_t offset)
{
	const char *s = btf__name_by_offset(btf, offset);

	return s ? s : "";
}

static const char *label(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	return t ? string(btf, t->name_off) : "";
}

const char *type_label(struct type_of t) { return label(t.btf, t.id); }

static char *name(const struct btf *btf, uint32_t id, unsigned depth)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const char *own = label(btf, id), *kind;
	uint64_t n;

	if (!id)
		return xformat("void");
	if (!t || depth > NAME_DEPTH_MAX)
		return xformat("...");
	switch (btf_kind(t)) {
	case BTF_KIND_PTR:
		return xformat("%s *", name(btf, t->type, depth + 1));
	case BTF_KIND_CONST:
		return xformat("const %s", name(btf, t->type, depth + 1));
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		return name(btf, t->type, depth + 1);
	case BTF_KIND_ARRAY:
		n = elements(btf, id, &id);
		return xformat("%s[%llu]", name(btf, id, depth + 1), (unsigned long long)n);
	case BTF_KIND_FUNC_PROTO:
		return xformat("a function");
	case BTF_KIND_STRUCT:
		kind = "struct";
		break;
	case BTF_KIND_UNION:
		kind = "union";
		break;
	case BTF_KIND_FWD:
		kind = btf_kflag(t) ? "union" : "struct";
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		kind = "enum";
		break;
	default:
		return xformat("%s", *own ? own : "...");
	}
	return xformat("%s %s", kind, *own ? own : "{...}");
}

char *type_name(struct type_of t) { return name(t.btf, t.id, 0); }

static char *differ(const struct comparison *c, uint32_t a, uint32_t b)
{
	return xformat("%s here, %s in %s", name(c->here, a, 0), name(c->kernel, b, 0), c->there);
}

/* The same kind of thing, and FWD is a structure or union without its inside. */
static bool same_kind(const struct btf_type *a, const struct btf_type *b)
{
	bool fwd_a = btf_is_fwd(a), fwd_b = btf_is_fwd(b);

	if (fwd_a && btf_is_any_enum(b)) /* GCC's way of an enumeration that is only named */
		return true;
	if (fwd_a || fwd_b) {
		bool union_a = fwd_a ? btf_kflag(a) : btf_is_union(a), union_b = fwd_b ? btf_kflag(b) : btf_is_union(b);

		return (fwd_a || btf_is_composite(a)) && (fwd_b || btf_is_composite(b)) && union_a == union_b;
	}
	if (btf_is_any_enum(a) && btf_is_any_enum(b))
		return true;
	return btf_kind(a) == btf_kind(b);
}

static char *compare_member(struct comparison *c, const struct btf_type *a, const struct btf_type *b, uint32_t i)
{
	const struct btf_member *x = btf_members(a) + i, *y = btf_members(b) + i;
	uint32_t at = btf_member_bit_offset(a, i), bits = btf_member_bitfield_size(a, i);
	uint32_t their_at = btf_member_bit_offset(b, i), their_bits = btf_member_bitfield_size(b, i);
	const char *own = string(c->here, x->name_off), *theirs = string(c->kernel, y->name_off);
	char *inside;

	if (strcmp(own, theirs))
		return xformat("'%s' here where %s has '%s'", own, c->there, theirs);
	if (bits != their_bits)
		return xformat(".%s: %u bits here, %u in %s (0 = no bit field)", own, bits, their_bits, c->there);
	if (bits && at != their_at)
		return xformat(".%s: at bit %u here, at bit %u in %s", own, at, their_at, c->there);
	if (at != their_at)
		return xformat(".%s: %lld bytes at %u here, %lld at %u in %s", own,
		               (long long)btf__resolve_size(c->here, x->type), at / 8,
		               (long long)btf__resolve_size(c->kernel, y->type), their_at / 8, c->there);
	inside = compare(c, x->type, y->type);
	if (!inside || !*own) /* of an unnamed member the inner name is enough */
		return inside;
	return xformat(".%s%s%s", own, *inside == '.' ? "" : ": ", inside);
}

static char *compare_members(struct comparison *c, const struct btf_type *a, const struct btf_type *b)
{
	for (uint32_t i = 0; i < btf_vlen(a) && i < btf_vlen(b); i++) {
		char *why = compare_member(c, a, b, i);

		if (why)
			return why;
	}
	if (btf_vlen(a) != btf_vlen(b))
		return xformat("%u members here, %u in %s", btf_vlen(a), btf_vlen(b), c->there);
	if (a->size != b->size)
		return xformat("%u bytes here, %u in %s", a->size, b->size, c->there);
	return NULL;
}

static uint64_t value(const struct btf_type *t, uint32_t i, const char **of, const struct btf *btf)
{
	if (btf_is_enum64(t)) {
		*of = string(btf, btf_enum64(t)[i].name_off);
		return btf_enum64_value(&btf_enum64(t)[i]);
	}
	*of = string(btf, btf_enum(t)[i].name_off);
	return (uint64_t)(int64_t)btf_enum(t)[i].val;
}

/* GCC before 13 leaves values out of its types that do not fit an int (gcc/btfout.cc); the kernel's have them, but in
 * kernels before 6.2 the lower half of them alone, of which 0 may be any that has no other. */
static bool left_out(const struct btf_type *own, const struct btf_type *t, uint64_t v)
{
	if (btf_is_enum64(own))
		return false;
	if (btf_is_enum64(t))
		return (int64_t)v != (int32_t)v;
	return (int32_t)v < 0 || (t->size == 8 && !(uint32_t)v);
}

static char *compare_values(struct comparison *c, const struct btf_type *a, const struct btf_type *b)
{
	uint32_t i = 0, j = 0;

	if (a->size != b->size)
		return xformat("%u bytes here, %u in %s", a->size, b->size, c->there);
	for (; i < btf_vlen(a) && j < btf_vlen(b); i++, j++) {
		const char *own, *theirs;
		uint64_t v = value(a, i, &own, c->here), w = value(b, j, &theirs, c->kernel);

		while (strcmp(own, theirs) && left_out(a, b, w) && j + 1 < btf_vlen(b))
			w = value(b, ++j, &theirs, c->kernel);
		/* An unsigned value of 32 bits may come with or without its sign. */
		if (strcmp(own, theirs) || (a->size < 8 ? (uint32_t)v != (uint32_t)w : v != w))
			return xformat("%s = %lld here, %s = %lld in %s", own, (long long)v, theirs, (long long)w,
			               c->there);
	}
	for (const char *name; j < btf_vlen(b) && left_out(a, b, value(b, j, &name, c->kernel)); j++)
		;
	if (i < btf_vlen(a) || j < btf_vlen(b))
		return xformat("%u values here, %u in %s", btf_vlen(a), btf_vlen(b), c->there);
	return NULL;
}

static char *compare_prototypes(struct comparison *c, const struct btf_type *a, const struct btf_type *b)
{
	char *why = compare(c, a->type, b->type);

	if (why)
		return xformat("what it returns: %s", why);
	if (btf_vlen(a) != btf_vlen(b))
		return xformat("%u arguments here, %u in %s", btf_vlen(a), btf_vlen(b), c->there);
	for (uint32_t i = 0; i < btf_vlen(a); i++) {
		why = compare(c, btf_params(a)[i].type, btf_params(b)[i].type);
		if (why)
			return xformat("argument %u: %s", i + 1, why);
	}
	return NULL;
}

/* Of one kind, both. */
static char *compare_inside(struct comparison *c, uint32_t a, uint32_t b)
{
	const struct btf_type *x = btf__type_by_id(c->here, a), *y = btf__type_by_id(c->kernel, b);
	uint32_t own, theirs;
	char *why;

	switch (btf_kind(x)) {
	case BTF_KIND_INT:
		/* Older kernels do not say that char is signed. */
		if (x->size == y->size && (!((btf_int_encoding(x) ^ btf_int_encoding(y)) & BTF_INT_SIGNED) ||
		                           !strcmp(label(c->here, a), label(c->kernel, b))))
			return NULL;
		return differ(c, a, b);
	case BTF_KIND_FLOAT:
		return x->size == y->size ? NULL : differ(c, a, b);
	case BTF_KIND_PTR:
		own = plain(c->here, x->type);
		theirs = plain(c->kernel, y->type);
		/* One who says void * knows nothing of what is behind it, as with a forward declaration. */
		why = own && theirs ? compare(c, own, theirs) : NULL;
		return why && strcmp(name(c->here, a, 0), name(c->kernel, b, 0)) ? differ(c, a, b) : why;
	case BTF_KIND_ARRAY:
		if (elements(c->here, a, &own) != elements(c->kernel, b, &theirs))
			return differ(c, a, b);
		return compare(c, own, theirs);
	case BTF_KIND_FUNC_PROTO:
		why = compare_prototypes(c, x, y);
		if (why && expected && expected->is &&
		    expected->is(expected->of, (struct type_of){c->here, a}, (struct type_of){c->kernel, b}))
			return NULL;
		return why;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return compare_values(c, x, y);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return compare_members(c, x, y);
	}
	return differ(c, a, b);
}

static char *compare(struct comparison *c, uint32_t a, uint32_t b)
{
	const struct btf_type *x, *y;
	const char *own, *theirs;
	char *why;

	a = plain(c->here, a);
	b = plain(c->kernel, b);
	x = btf__type_by_id(c->here, a);
	y = btf__type_by_id(c->kernel, b);
	if (!a || !b)
		return a == b ? NULL : differ(c, a, b);
	if (!x || !y || ++c->steps > STEPS_MAX || c->depth > DEPTH_MAX)
		return xformat("types that run in a circle");
	if (btf_is_array(x) != btf_is_array(y) && elements(c->here, a, &a) == elements(c->kernel, b, &b))
		return compare(c, a, b); /* [6] of [1] is [6] */
	if (!same_kind(x, y))
		return differ(c, a, b);
	own = label(c->here, a);
	theirs = label(c->kernel, b);
	if (btf_is_composite(x) || btf_is_any_enum(x) || btf_is_fwd(x)) {
		if (strcmp(own, theirs))
			return differ(c, a, b);
		if (*own || btf_is_fwd(x) || btf_is_fwd(y))
			return NULL; /* compare_named() looks inside, once */
	}
	c->depth++;
	why = compare_inside(c, a, b);
	c->depth--;
	return why;
}

char *compare_types(struct type_of here, struct type_of kernel, const char *there)
{
	struct comparison c = {here.btf, kernel.btf, there, 0, 0};

	return compare(&c, here.id, kernel.id);
}

char *compare_named(struct type_of here, const struct btf *kernel, const char *there, bool *known)
{
	const struct btf_type *t = btf__type_by_id(here.btf, here.id);
	uint32_t kinds[] = {btf_kind(t), btf_is_any_enum(t) ? BTF_KIND_ENUM64 : 0};
	char *first = NULL;

	*known = false;
	for (size_t j = 0; j < 2 && kinds[j]; j++) {
		size_t n;
		const uint32_t *ids = typenames_find(kernel, kinds[j], label(here.btf, here.id), &n);

		for (size_t i = 0; i < n; i++) {
			struct comparison c = {here.btf, kernel, there, 0, 0};
			char *why = compare_inside(&c, here.id, ids[i]);

			*known = true;
			if (!why)
				return NULL;
			first = first ? first : why;
		}
	}
	return first;
}
