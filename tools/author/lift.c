// SPDX-License-Identifier: Apache-2.0
/*
 * Every instruction is decoded (Zydis). Three kinds of field depend on the place: addresses that KASLR moves, which the
 * kernel's own relocation list names (place.c); distances to what lies outside, which only the code itself tells; and
 * distances within the function, which stay.
 */
#include "lift.h"
#include "branches.h"
#include "livesites.h"
#include "thunks.h"
#include "place.h"

#include <Zydis/Zydis.h>
#include <string.h>

#define LIFT_MAX (64u << 10) /* bytes of one function */
#define CALL_LENGTH 5
static const uint8_t nop5[CALL_LENGTH] = {0x0f, 0x1f, 0x44, 0x00, 0x00};

struct lift {
	struct draft *d;
	const struct kernel *k;
	const char *where;
	uint64_t va, end;
	uint8_t *code;                /* the copy */
	struct nl_leaf_reloc *relocs; /* of the fields that KASLR moves; offsets count from va */
	size_t n_relocs;
	uint32_t text; /* where the copy will lie */
};

static const char *place_name(const struct lift *l, uint64_t va)
{
	const struct ksym *s = kallsyms_at(&l->k->syms, va);

	return xformat("%s+%#llx", s ? s->name : "?", (unsigned long long)(va - (s ? s->va : 0)));
}

static bool in_relocs(const struct lift *l, uint64_t va)
{
	for (size_t i = 0; i < l->n_relocs; i++)
		if (l->va + l->relocs[i].offset == va)
			return true;
	return false;
}

static void add(const struct lift *l, struct nl_leaf_reloc r, uint32_t offset)
{
	r.where = NL_AT_TEXT;
	r.offset = l->text + offset;
	buf_add(&l->d->relocs, &r, sizeof(r));
}

/* A 32-bit distance at `field` that is counted from `next`, to a place outside of the function. */
static void reach(const struct lift *l, uint64_t field, uint64_t next, uint64_t target)
{
	const struct ksym *to = kallsyms_at(&l->k->syms, target);
	struct nl_leaf_reloc r = {.type = NL_REL_PC32, .addend = (int64_t)(field - next)};
	struct place thunk;

	if (to && to->va == target && thunk_place(&l->d->h.target, to->name, &thunk))
		r.symbol = thunk.symbol, r.value = thunk.value;
	else if ((target >= kernel_symbol(l->k, "_text") && target < kernel_symbol(l->k, "_end")) ||
	         kernel_section_at(l->k, target))
		r.symbol = NL_SYM_REGION, r.value = target;
	else
		refuse(NL_ESITE, "%s: the instruction that ends at %s reaches out of the kernel", l->where,
		       place_name(l, next));
	memset(l->code + (field - l->va), 0, 4);
	add(l, r, (uint32_t)(field - l->va));
}

static void one(const struct lift *l, const ZydisDecodedInstruction *i, uint64_t at)
{
	uint64_t next = at + i->length, target;

	if (i->raw.modrm.mod == 0 && i->raw.modrm.rm == 5 && i->raw.disp.size == 32) {
		uint64_t field = at + i->raw.disp.offset;

		if (!in_relocs(l, field)) { /* else what it reaches does not move (per CPU), or is named already */
			target = next + (uint64_t)i->raw.disp.value;
			if (target < l->va || target >= l->end)
				reach(l, field, next, target);
		}
	}
	if (!i->raw.imm[0].is_relative)
		return;
	target = next + (uint64_t)i->raw.imm[0].value.s;
	if (target >= l->va && target < l->end)
		return;
	if (i->raw.imm[0].size != 32)
		refuse(NL_ESITE, "%s: the short branch at %s leaves the function", l->where, place_name(l, at));
	if (in_relocs(l, at + i->raw.imm[0].offset))
		return;
	if (target == kernel_symbol_or_0(l->k, "__fentry__") && i->length == CALL_LENGTH)
		memcpy(l->code + (at - l->va), nop5, sizeof(nop5));
	else
		reach(l, at + i->raw.imm[0].offset, next, target);
}

/* What a module's relocations name: thunks are not reached there, and the call of ftrace becomes a nop. */
static void name_distances(struct lift *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n_relocs; i++) {
		struct nl_leaf_reloc *r = &l->relocs[i];
		const struct ksym *to = r->type == NL_REL_PC32 && r->symbol == NL_SYM_REGION
		                                ? kallsyms_at(&l->k->syms, r->value)
		                                : NULL;
		struct place thunk;

		if (to && to->va == r->value && thunk_place(&l->d->h.target, to->name, &thunk))
			r->symbol = (uint16_t)thunk.symbol, r->value = thunk.value;
		if (!to || r->value != kernel_symbol_or_0(l->k, "__fentry__"))
			l->relocs[kept++] = *r;
	}
	l->n_relocs = kept;
}

struct lifted lift_function(struct draft *d, const struct kernel *k, uint64_t va, uint32_t size, const char *where)
{
	struct lift l = {.d = d, .k = k, .where = where, .va = va, .end = va + size};
	const char *conflict;
	ZydisDecoder decoder;

	if (size > LIFT_MAX)
		refuse(NL_EARENA, "%s: %u bytes of code are more than %u", where, size, LIFT_MAX);
	conflict = livesites_uncopyable(k, va, size);
	if (conflict)
		refuse(NL_ESITE, "%s: %s holds %s", where, place_name(&l, va), conflict);
	l.code = xalloc(size);
	l.relocs = xalloc((size / 4 + 1) * sizeof(*l.relocs));
	l.n_relocs = runtime_bytes(k, va, size, l.code, l.relocs, size / 4 + 1, where);
	name_distances(&l);
	/* Instructions are read from the file: the fields in the copy are zero. */
	l.text = (uint32_t)buf_align(&d->text, 16, 0xcc);
	for (size_t i = 0; i < l.n_relocs; i++)
		add(&l, l.relocs[i], l.relocs[i].offset);
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (uint32_t at = 0; at < size;) {
		const uint8_t *bytes = kernel_bytes(k, va, size);
		ZydisDecodedInstruction i;

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes + at, size - at, &i)))
			refuse(NL_ESITE, "%s: %s holds no instruction", where, place_name(&l, va + at));
		one(&l, &i, va + at);
		at += i.length;
	}
	if (branches_run_on(k, va, va + size))
		refuse(NL_ESITE, "%s: the code of %s goes on behind its end", where, place_name(&l, va));
	buf_add(&d->text, l.code, size);
	return (struct lifted){l.text, size};
}
