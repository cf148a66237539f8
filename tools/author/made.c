// SPDX-License-Identifier: Apache-2.0
/* Machine code by hand, 64-bit mode: mov imm to rax, return. See made.h. */
#include "made.h"
#include "callers.h"
#include "contract.h"
#include "lift.h"
#include "returns.h"
#include "typenames.h"

#include <bpf/btf.h>
#include <string.h>

#define INT3 0xcc
#define ERRNO_MAX 4095 /* include/linux/err.h: what a pointer may say of an error */

/* Does an integer of that many bytes hold v? An unsigned one also holds what C would convert: -1 is a common value. */
static bool fits(int64_t v, uint32_t bytes, bool is_signed)
{
	int64_t low = bytes >= 8 ? INT64_MIN : -((int64_t)1 << (8 * bytes - 1));
	int64_t high = bytes >= 8 ? INT64_MAX : ((int64_t)1 << (8 * bytes - (is_signed ? 1 : 0))) - 1;

	return v >= low && v <= high;
}

/* What is wrong with the value, or NULL. returns 0: void. */
static char *trouble_of(const struct btf *btf, uint32_t returns, const struct recipe_replace *s)
{
	const struct btf_type *t = returns ? contract_plain(btf, returns) : NULL;
	long long v = s->value;

	if (!returns)
		return s->has_value ? xformat("it returns nothing: write kill %s", s->function.name) : NULL;
	if (!t || !(btf_is_int(t) || btf_is_ptr(t) || btf_is_any_enum(t)))
		return xformat("what it returns is no integer and no pointer");
	if (!s->has_value)
		return xformat("it returns a value: write kill %s = VALUE", s->function.name);
	if (btf_is_ptr(t))
		return !v || (v < 0 && v >= -ERRNO_MAX)
		               ? NULL
		               : xformat("it returns a pointer: only 0 and -1 to -%d can be right", ERRNO_MAX);
	if (btf_is_int(t) && btf_int_encoding(t) & BTF_INT_BOOL)
		return v == 0 || v == 1 ? NULL : xformat("it returns true or false: 1 or 0");
	if (fits(v, t->size, btf_is_int(t) && btf_int_encoding(t) & BTF_INT_SIGNED))
		return NULL;
	return xformat("it returns %u byte%s, which do not hold %lld", t->size, t->size == 1 ? "" : "s", v);
}

/* Where the function is and how long; refuses NL_ESITE when nobody knows. */
static uint64_t find(const struct kernel *k, const struct recipe_replace *s, const char *where, uint32_t *size)
{
	struct place p = place_in_kernel(k, &s->function, where);

	*size = p.symbol == NL_SYM_REGION ? (uint32_t)kernel_extent(k, p.value) : 0;
	if (!*size)
		refuse(NL_ESITE, "%s: where %s ends is not known", where, s->function.name);
	return p.value;
}

static void check_value(const struct kernel *k, const struct recipe_replace *s, const char *where)
{
	uint32_t size;
	uint64_t va = find(k, s, where, &size);
	size_t n;
	char *told;
	const uint32_t *ids = typenames_find(k->btf, BTF_KIND_FUNC, s->function.name, &n);

	if (!n)
		refuse(NL_ETARGET, "%s: the types of %s do not know %s, so what it returns cannot be told", where,
		       k->release, s->function.name);
	if (!returns_ever(k, s->function.name, va, size))
		refuse(NL_ESITE, "%s: %s never returns, and its callers have no code behind the call", where,
		       s->function.name);
	told = s->has_value && !s->allow_callers ? callers_told(k, va) : NULL;
	if (told)
		refuse(NL_ESITE,
		       "%s: %s does not look at what %s returns: its compiler may have known what that always is. If "
		       "it "
		       "may go on as before, say: allow callers",
		       where, told, s->function.name);
	for (size_t i = 0; i < n; i++) {
		const struct btf_type *proto = btf__type_by_id(k->btf, btf__type_by_id(k->btf, ids[i])->type);
		char *trouble = proto && btf_is_func_proto(proto) ? trouble_of(k->btf, proto->type, s)
		                                                  : xformat("its type is damaged");

		if (contract_of_assembler(k, btf__type_by_id(k->btf, ids[i])->type, va, size))
			trouble = xformat("it is assembler code, of which nobody says what it returns");
		if (trouble)
			refuse(NL_ERECIPE, "%s: %s: %s", where, s->function.name, trouble);
	}
}

static struct lifted value_code(struct draft *d, const struct recipe_replace *s)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa}, mov_rax[] = {0x48, 0xb8}, jmp[5] = {0xe9},
	                     ret = 0xc3;
	uint32_t at = (uint32_t)buf_align(&d->text, 16, INT3);

	buf_add(&d->text, endbr64, sizeof(endbr64)); /* a nop where there is no IBT */
	if (s->has_value) {
		buf_add(&d->text, mov_rax, sizeof(mov_rax));
		buf_add(&d->text, &s->value, sizeof(s->value));
	}
	if (d->h.target.return_thunk) {
		struct nl_leaf_reloc r = {
		        .where = NL_AT_TEXT, .type = NL_REL_PC32, .symbol = NL_SYM_RETURN_THUNK, .addend = -4};

		r.offset = (uint32_t)buf_add(&d->text, jmp, sizeof(jmp)) + 1;
		buf_add(&d->relocs, &r, sizeof(r));
	} else {
		buf_add(&d->text, &ret, 1);
	}
	return (struct lifted){at, (uint32_t)d->text.n - at};
}

static const char *where_of(const struct recipe *r, const struct recipe_replace *s)
{
	return xformat("%s:%u", r->path, s->line);
}

void made_check(const struct kernel *k, const struct recipe *r, const struct recipe_replace *s)
{
	if (s->origin == FROM_VALUE)
		check_value(k, s, where_of(r, s));
}

void made_add(struct draft *d, const struct kernel *k, const struct recipe *r, const struct recipe_replace *s,
              struct body *b)
{
	struct body_symbol *symbols = xalloc((b->n_symbols + 1) * sizeof(*symbols));
	struct lifted code;

	if (s->origin == FROM_VALUE) {
		code = value_code(d, s);
	} else {
		uint32_t size;
		uint64_t va = find(k, s, where_of(r, s), &size);

		code = lift_function(d, k, va, size, where_of(r, s));
	}
	buf_align(&d->text, 16, INT3);
	if (b->n_symbols)
		memcpy(symbols, b->symbols, b->n_symbols * sizeof(*symbols));
	symbols[b->n_symbols++] = (struct body_symbol){.name = s->body,
	                                               .place = {NL_SYM_TEXT, code.offset},
	                                               .size = code.size,
	                                               .function = true,
	                                               .global = true};
	b->symbols = symbols;
}
