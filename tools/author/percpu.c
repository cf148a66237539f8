// SPDX-License-Identifier: Apache-2.0
/*
 * See percpu.h. A register, or a word of the stack where the compiler keeps one meanwhile, may hold the bare address of
 * such a variable, or certainly the distance to a CPU's copies (perhaps with more added) or the table of these. What
 * may hold a bare address must not be used, kept or given away before a distance is added. The states of all ways to an
 * instruction are joined until nothing changes.
 */
#include "percpu.h"
#include "modules.h"
#include "note.h"
#include "typenames.h"

#include <Zydis/Zydis.h>
#include <bpf/btf.h>
#include <stdlib.h>
#include <string.h>

#define REGISTERS 16
#define PLACES 64 /* registers, then words of the stack */
#define RAX 0x0001u
#define CALLER_SAVED 0x0fc7u
#define NOWHERE INT32_MIN

struct state { /* bit n = register number n, or a word of the stack */
	uint64_t address, distance, table;
	int32_t depth; /* of the stack below what a function is entered with; NOWHERE = unknown */
	bool reached;
};

enum what { NOTHING, VARIABLE, OFFSETS, RETURN };

struct field { /* of a relocation in the text */
	uint32_t offset;
	enum what what;
	uint64_t value;
	bool seen;
};

struct following {
	struct draft *d;
	const struct kernel *k;
	const struct recipe *r;
	const struct body *b;
	struct state *at; /* for each byte of the text */
	uint32_t *work;
	size_t n_work, room, n_fields;
	struct field *field;
	int32_t word[PLACES]; /* of the stack: how far below a function's entry */
	unsigned n_words;
	const struct field *bare; /* the last one that went into a register: for the message */
	char **allowed;           /* of each source */
	uint64_t start, end, this_cpu_off, offsets;
};

struct decoded {
	ZydisDecodedInstruction i;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	struct field *displacement, *immediate;
};

static uint64_t bit(ZydisRegister r)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);

	return ZydisRegisterGetClass(whole) == ZYDIS_REGCLASS_GPR64 ? 1u << ZydisRegisterGetId(whole) : 0;
}

/* The word of the stack that an operand is; 0 = none. */
static uint64_t word_of(struct following *f, const ZydisDecodedOperand *op, const struct state *s)
{
	int64_t at;
	unsigned i = 0;

	if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->mem.type != ZYDIS_MEMOP_TYPE_MEM ||
	    op->mem.base != ZYDIS_REGISTER_RSP || op->mem.index != ZYDIS_REGISTER_NONE || op->size != 64 ||
	    op->mem.segment == ZYDIS_REGISTER_GS || s->depth == NOWHERE)
		return 0;
	at = s->depth - op->mem.disp.value; /* of 32 bits: there is a base */
	if (at <= 0 || at > 65536)
		return 0;
	while (i < f->n_words && f->word[i] != at)
		i++;
	if (i == PLACES - REGISTERS)
		return 0;
	if (i == f->n_words)
		f->word[f->n_words++] = (int32_t)at;
	return 1ULL << (REGISTERS + i);
}

static const struct body_symbol *holder(const struct body *b, enum nl_reloc_symbol part, uint64_t offset)
{
	for (size_t i = 0; i < b->n_symbols; i++) {
		const struct body_symbol *s = &b->symbols[i];

		if (s->place.symbol == part && offset >= s->place.value && offset - s->place.value < s->size)
			return s;
	}
	return NULL;
}

static void misused(struct following *f, enum nl_reloc_symbol part, uint64_t offset, const struct field *field)
{
	const struct body_symbol *in = holder(f->b, part, offset);
	size_t object = in ? in->object : 0;
	const struct ksym *sym = field ? kallsyms_at(&f->k->syms, field->value) : NULL;
	const char *name = sym ? sym->name : "something";

	if (!(f->r->allow[object] & ALLOW_PERCPU))
		refuse(NL_EBODY,
		       "%s: %s is a variable of each CPU, and %s uses its bare address, as if there were one of it, or "
		       "in a way that cannot be followed; use this_cpu_read(), this_cpu_ptr(), per_cpu() or "
		       "per_cpu_ptr(); if it is right so, say: allow percpu",
		       f->r->source[object], name, in ? in->name : "the body");
	if (has_name(f->allowed[object], name))
		return;
	f->allowed[object] = f->allowed[object] ? xformat("%s, %s", f->allowed[object], name) : xformat("%s", name);
}

static struct field *field_at(const struct following *f, uint32_t offset)
{
	size_t low = 0, high = f->n_fields;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (f->field[middle].offset == offset)
			return &f->field[middle];
		if (f->field[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool decode(const struct following *f, uint32_t at, struct decoded *out)
{
	ZydisDecoder d;

	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, f->d->text.p + at, f->d->text.n - at, &out->i, out->op)))
		return false;
	out->displacement = out->i.raw.disp.size ? field_at(f, at + out->i.raw.disp.offset) : NULL;
	out->immediate = out->i.raw.imm[0].size ? field_at(f, at + out->i.raw.imm[0].offset) : NULL;
	if (out->displacement)
		out->displacement->seen = true;
	if (out->immediate)
		out->immediate->seen = true;
	return true;
}

static bool is(const struct field *f, enum what what) { return f && f->what == what; }

static void go(struct following *f, uint32_t at, const struct state *s)
{
	struct state *known = &f->at[at], old = *known;

	if (!known->reached) {
		*known = *s;
		known->reached = true;
	} else {
		known->address |= s->address;
		known->distance &= s->distance;
		known->table &= s->table;
		known->depth = known->depth == s->depth ? s->depth : NOWHERE;
	}
	if (old.reached && old.address == known->address && old.distance == known->distance &&
	    old.table == known->table && old.depth == known->depth)
		return;
	if (f->n_work == f->room) {
		uint32_t *more = xalloc((f->room = f->room * 2 + 1024) * sizeof(*more));

		if (f->n_work)
			memcpy(more, f->work, f->n_work * sizeof(*more));
		free(f->work);
		f->work = more;
	}
	f->work[f->n_work++] = at; /* bits only come or only go, so that this ends */
}

static void set(struct state *s, uint64_t r, bool address, bool distance, bool table)
{
	s->address = (s->address & ~r) | (address ? r : 0);
	s->distance = (s->distance & ~r) | (distance ? r : 0);
	s->table = (s->table & ~r) | (table ? r : 0);
}

/* What the place, or for LEA the value, of a memory operand is made of. */
static struct state place_of(struct following *f, const struct decoded *i, const ZydisDecodedOperand *op,
                             const struct state *s)
{
	uint64_t all = bit(op->mem.base) | bit(op->mem.index);
	const struct field *d = i->displacement;
	struct state m = {.reached = true};

	if (op->mem.segment == ZYDIS_REGISTER_GS && op->mem.type == ZYDIS_MEMOP_TYPE_MEM) {
		m.distance = d && d->what == VARIABLE && d->value == f->this_cpu_off;
		return m;
	}
	m.address = is(d, VARIABLE) || (s->address & all) != 0;
	m.distance = (s->distance & all) != 0;
	m.table = is(d, OFFSETS) || (s->table & all) != 0;
	if (is(d, VARIABLE))
		f->bare = i->displacement;
	if (m.address && m.distance)
		m.address = m.distance = 0;
	return m;
}

/* Two values added. */
static struct state sum(struct state a, struct state b)
{
	struct state s = {.reached = true,
	                  .address = a.address | b.address,
	                  .distance = a.distance | b.distance,
	                  .table = a.table | b.table};

	if (s.address && s.distance)
		s.address = s.distance = 0;
	return s;
}

static struct state value_of(struct following *f, const struct decoded *i, const ZydisDecodedOperand *op,
                             const struct state *s)
{
	struct state v = {.reached = true}, m;
	uint64_t r = op->type == ZYDIS_OPERAND_TYPE_REGISTER ? bit(op->reg.value) : word_of(f, op, s);

	if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && !r) {
		m = place_of(f, i, op, s);
		if (op->mem.type == ZYDIS_MEMOP_TYPE_AGEN)
			return m;
		v.distance = op->mem.segment == ZYDIS_REGISTER_GS ? m.distance : m.table;
		return v;
	}
	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i->immediate) {
		v.address = i->immediate->what == VARIABLE;
		v.table = i->immediate->what == OFFSETS;
		f->bare = v.address ? i->immediate : f->bare;
		return v;
	}
	v.address = (s->address & r) != 0;
	v.distance = (s->distance & r) != 0;
	v.table = (s->table & r) != 0;
	return v;
}

static bool compares(ZydisMnemonic m) { return m == ZYDIS_MNEMONIC_CMP || m == ZYDIS_MNEMONIC_TEST; }
static bool moves(ZydisMnemonic m)
{
	return m == ZYDIS_MNEMONIC_MOV || m == ZYDIS_MNEMONIC_MOVSXD || m == ZYDIS_MNEMONIC_LEA;
}

/* Memory at a bare address, and a bare address into memory. */
static bool goes_wrong(struct following *f, const struct decoded *i, const struct state *s)
{
	for (unsigned o = 0; o < i->i.operand_count; o++) {
		const ZydisDecodedOperand *op = &i->op[o];

		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->mem.type == ZYDIS_MEMOP_TYPE_AGEN ||
		    i->i.meta.category == ZYDIS_CATEGORY_NOP || i->i.meta.category == ZYDIS_CATEGORY_WIDENOP)
			continue;
		if (place_of(f, i, op, s).address)
			return true;
		if (!(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
		    (i->i.mnemonic == ZYDIS_MNEMONIC_MOV && word_of(f, op, s)))
			continue;
		for (unsigned j = 0; j < i->i.operand_count; j++)
			if (j != o && i->op[j].actions & ZYDIS_OPERAND_ACTION_MASK_READ &&
			    i->op[j].type != ZYDIS_OPERAND_TYPE_MEMORY && value_of(f, i, &i->op[j], s).address)
				return true;
	}
	return false;
}

/* How many arguments a function takes in registers, by its name; 6 where nobody knows. */
static unsigned arguments(const struct btf *btf, const char *name)
{
	size_t n = 0;
	const uint32_t *ids = btf ? typenames_find(btf, BTF_KIND_FUNC, name, &n) : NULL;
	const struct btf_type *t = n == 1 ? btf__type_by_id(btf, btf__type_by_id(btf, ids[0])->type) : NULL;

	return t && btf_is_func_proto(t) && (t->type || btf_vlen(t)) && btf_vlen(t) < 6 ? btf_vlen(t) : 6;
}

static bool returns_nothing(const struct following *f, uint32_t at)
{
	const struct body_symbol *in = holder(f->b, NL_SYM_TEXT, at);
	const struct btf *btf = in && f->b->types ? f->b->types[in->object] : NULL;
	size_t n = 0;
	const uint32_t *ids = btf ? typenames_find(btf, BTF_KIND_FUNC, in->name, &n) : NULL;

	return n == 1 && !btf__type_by_id(btf, btf__type_by_id(btf, ids[0])->type)->type;
}

/* Whether a call or a jump out of a function gives a bare address away. */
static bool gives_away(struct following *f, const struct decoded *i, uint32_t at, const struct state *s)
{
	static const uint8_t order[] = {7, 6, 2, 1, 8, 9}; /* rdi rsi rdx rcx r8 r9 */
	const struct field *to = field_at(f, at + i->i.raw.imm[0].offset);
	const struct body_symbol *own;
	const struct ksym *sym;
	unsigned n = 6;
	uint64_t target;

	if (to && (sym = kallsyms_at(&f->k->syms, to->value)) && sym->va == to->value)
		n = arguments(f->k->btf, sym->name);
	else if (!to && i->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
	         ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&i->i, &i->op[0], at, &target)) &&
	         (own = holder(f->b, NL_SYM_TEXT, target)) && f->b->types)
		n = arguments(f->b->types[own->object], own->name);
	for (unsigned a = 0; a < n; a++)
		if (s->address & 1u << order[a])
			return true;
	return false;
}

static void move_stack(const struct decoded *i, struct state *s)
{
	const ZydisDecodedOperand *by = &i->op[1];
	int64_t n = NOWHERE;

	if (i->i.mnemonic == ZYDIS_MNEMONIC_PUSH || i->i.mnemonic == ZYDIS_MNEMONIC_PUSHFQ)
		n = 8;
	else if (i->i.mnemonic == ZYDIS_MNEMONIC_POP || i->i.mnemonic == ZYDIS_MNEMONIC_POPFQ)
		n = -8;
	else if (i->i.mnemonic == ZYDIS_MNEMONIC_CALL || i->i.mnemonic == ZYDIS_MNEMONIC_RET)
		n = 0;
	else if (i->i.mnemonic == ZYDIS_MNEMONIC_SUB && by->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		n = by->imm.value.s;
	else if (i->i.mnemonic == ZYDIS_MNEMONIC_ADD && by->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		n = -by->imm.value.s;
	s->depth = s->depth == NOWHERE || n < -65536 || n > 65536 || s->depth + n > 1 << 20 ? NOWHERE
	                                                                                    : s->depth + (int32_t)n;
}

static struct state behind(struct following *f, const struct decoded *i, struct state s)
{
	const ZydisDecodedOperand *to = &i->op[0], *from = &i->op[1];
	struct state v = {.reached = true};
	uint64_t written = 0;

	if (compares(i->i.mnemonic))
		return s;
	for (unsigned o = 0; o < i->i.operand_count; o++) {
		const ZydisDecodedOperand *op = &i->op[o];

		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			written |= bit(op->reg.value);
		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
			v.address |= value_of(f, i, op, &s).address;
	}
	if (i->i.mnemonic == ZYDIS_MNEMONIC_CALL) {
		written |= CALLER_SAVED;
		v.address = 0;
	} else if (i->i.mnemonic == ZYDIS_MNEMONIC_MOV && word_of(f, to, &s)) {
		written = word_of(f, to, &s);
		v = value_of(f, i, from, &s);
	} else if (i->i.operand_count_visible >= 2 && to->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		if (moves(i->i.mnemonic))
			v = value_of(f, i, from, &s);
		else if (i->i.mnemonic == ZYDIS_MNEMONIC_ADD)
			v = sum(value_of(f, i, to, &s), value_of(f, i, from, &s));
		else if ((i->i.mnemonic == ZYDIS_MNEMONIC_XOR || i->i.mnemonic == ZYDIS_MNEMONIC_SUB) &&
		         from->type == ZYDIS_OPERAND_TYPE_REGISTER && to->reg.value == from->reg.value)
			v.address = 0;
		else
			v.address |= i->immediate && i->immediate->what == VARIABLE;
	}
	set(&s, written, v.address, v.distance, v.table);
	if (written & bit(ZYDIS_REGISTER_RSP))
		move_stack(i, &s);
	return s;
}

static bool begins_function(const struct following *f, uint64_t at)
{
	for (size_t i = 0; i < f->b->n_symbols; i++) {
		const struct body_symbol *s = &f->b->symbols[i];

		if (s->function && s->place.symbol == NL_SYM_TEXT && s->place.value == at && !strstr(s->name, ".cold"))
			return true;
	}
	return false;
}

static void step(struct following *f, uint32_t at)
{
	struct state s = f->at[at], next;
	struct decoded i;
	uint64_t target;
	bool leaves = false, jumps = false, returns;

	if (!decode(f, at, &i))
		return;
	if (goes_wrong(f, &i, &s))
		misused(f, NL_SYM_TEXT, at, i.displacement ? i.displacement : i.immediate ? i.immediate : f->bare);
	next = behind(f, &i, s);
	returns = i.i.meta.category == ZYDIS_CATEGORY_RET || is(i.immediate, RETURN);
	if (i.i.meta.category == ZYDIS_CATEGORY_UNCOND_BR || i.i.meta.category == ZYDIS_CATEGORY_COND_BR) {
		bool known = i.op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i.op[0].imm.is_relative &&
		             ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&i.i, &i.op[0], at, &target));

		jumps = known && target < f->d->text.n && !begins_function(f, target);
		leaves = !jumps;
		if (jumps)
			go(f, (uint32_t)target, &next);
	}
	leaves = !returns && (leaves || i.i.mnemonic == ZYDIS_MNEMONIC_CALL);
	if ((leaves && gives_away(f, &i, at, &s)) || (returns && s.address & RAX && !returns_nothing(f, at)))
		misused(f, NL_SYM_TEXT, at, f->bare);
	if (returns || i.i.meta.category == ZYDIS_CATEGORY_UNCOND_BR || i.i.mnemonic == ZYDIS_MNEMONIC_UD2 ||
	    i.i.mnemonic == ZYDIS_MNEMONIC_INT3)
		return;
	if (at + i.i.length < f->d->text.n)
		go(f, at + i.i.length, &next);
}

static bool is_variable(const struct following *f, const struct nl_leaf_reloc *r)
{
	const struct module *m = r->symbol == NL_SYM_REGION ? module_at(f->k, r->value) : NULL;

	if (m)
		return module_region_at(m, r->value) && module_region_at(m, r->value)->leaf.kind == NL_MEM_PERCPU;
	return (r->symbol == NL_SYM_ABSOLUTE || r->symbol == NL_SYM_REGION) && r->value >= f->start &&
	       r->value < f->end;
}

static int by_offset(const void *a, const void *b)
{
	const struct field *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Fields of the text into a list; an address in data is kept there. False: no such variable. */
static bool collect(struct following *f)
{
	const struct nl_leaf_reloc *r = (const struct nl_leaf_reloc *)f->d->relocs.p;
	size_t n = f->d->relocs.n / sizeof(*r);
	bool any = false;

	f->field = xalloc((n + 1) * sizeof(*f->field));
	for (size_t i = 0; i < n; i++) {
		struct field field = {r[i].offset, is_variable(f, &r[i]) ? VARIABLE : NOTHING, r[i].value, false};

		if (r[i].symbol == NL_SYM_REGION && r[i].value == f->offsets)
			field.what = OFFSETS;
		if (r[i].symbol == NL_SYM_RETURN_THUNK)
			field.what = RETURN;
		if (field.what == VARIABLE && r[i].where == NL_AT_DATA)
			misused(f, NL_SYM_DATA, r[i].offset, &field);
		else if (r[i].where == NL_AT_TEXT)
			f->field[f->n_fields++] = field;
		any |= field.what == VARIABLE;
	}
	qsort(f->field, f->n_fields, sizeof(*f->field), by_offset);
	return any;
}

void percpu_check(struct draft *d, const struct kernel *k, const struct recipe *r, const struct body *b)
{
	struct following f = {.d = d, .k = k, .r = r, .b = b};
	const struct state nothing = {.reached = true};

	f.start = kernel_symbol_or_0(k, "__per_cpu_start");
	f.end = kernel_symbol_or_0(k, "__per_cpu_end");
	f.this_cpu_off = kernel_symbol_or_0(k, "this_cpu_off");
	f.offsets = kernel_symbol_or_0(k, "__per_cpu_offset");
	f.allowed = xalloc((r->n_source + 1) * sizeof(*f.allowed));
	if (!collect(&f))
		return;
	f.at = xalloc((d->text.n + 1) * sizeof(*f.at));
	for (size_t i = 0; i < b->n_symbols; i++)
		if (b->symbols[i].function && b->symbols[i].place.symbol == NL_SYM_TEXT)
			if (begins_function(&f, b->symbols[i].place.value))
				go(&f, (uint32_t)b->symbols[i].place.value, &nothing);
	while (f.n_work)
		step(&f, f.work[--f.n_work]);
	for (size_t i = 0; i < f.n_fields; i++)
		if (!f.field[i].seen && f.field[i].what == VARIABLE)
			misused(&f, NL_SYM_TEXT, f.field[i].offset, &f.field[i]);
	free(f.at);
	free(f.work);
	for (size_t i = 0; i < r->n_source; i++)
		if (f.allowed[i])
			note(d, NL_FACT_ALLOW, xformat("per-CPU variables of %s: %s", r->source[i], f.allowed[i]));
}
