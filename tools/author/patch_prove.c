// SPDX-License-Identifier: Apache-2.0
/*
 * The linker puts each section of an object down in one piece. So the place of one symbol gives the places of all
 * others of its section, and one address in code whose bytes are equal gives the place of the section that it leads to.
 * Names only propose a place (there may be several of a name); bytes decide. What a function reads, and what the
 * kernel's tables say about it: patch_prove_reach.c.
 */
#include "patch_prove.h"
#include "patch_prove_reach.h"

#include <newleaf/types.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 64 /* of one name */

bool proof_is_named(const struct kernel *k, const char *name, uint64_t va)
{
	const struct ksym *found;
	size_t n = kallsyms_find(&k->syms, name, 1, &found);

	for (size_t i = 1; i <= n; i++)
		if (kallsyms_find(&k->syms, name, i, &found) && found && found->va == va)
			return true;
	return false;
}

static bool linked(const struct unit_section *s)
{
	return s->flags & SHF_ALLOC && s->size && (s->type == SHT_PROGBITS || s->type == SHT_NOBITS);
}

/* What the image's field says about the address of the relocation's symbol. */
static bool implied(const struct kernel *k, uint64_t at, const struct unit_reloc *r, uint64_t *s)
{
	size_t size = unit_reloc_size(r->type);
	const uint8_t *field = kernel_bytes(k, at, size);
	uint64_t v = 0;

	if (!field)
		return false;
	memcpy(&v, field, size);
	switch (r->type) {
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		v = (uint64_t)(int64_t)(int32_t)v + at;
		break;
	case R_X86_64_PC8:
		v = (uint64_t)(int64_t)(int8_t)v + at;
		break;
	case R_X86_64_32S:
		v = (uint64_t)(int64_t)(int32_t)v;
		break;
	case R_X86_64_PC64:
		v += at;
		break;
	case R_X86_64_32:
	case R_X86_64_64:
		break;
	default:
		return false;
	}
	*s = v - (uint64_t)r->addend;
	return true;
}

#define JUMP_ENTRY 16 /* struct jump_entry: s32 code, target; s64 key (include/linux/jump_label.h) */

/*
 * Where objtool runs on the whole kernel only (CONFIG_X86_KERNEL_IBT), a unit still has the jump of a jump label that
 * objtool makes a nop of the same length (tools/objtool/check.c, handle_jump_alt). Returns that length, or 0.
 */
static uint32_t jump_nop(const struct unit *u, const struct unit_section *s, uint64_t offset, const uint8_t *image)
{
	static const uint8_t nop5[] = {0x0f, 0x1f, 0x44, 0x00, 0x00}, nop2[] = {0x66, 0x90};
	const uint8_t *own = s->bytes + offset;
	uint32_t n = *own == 0xe9 && s->size - offset >= 5 ? 5 : *own == 0xeb && s->size - offset >= 2 ? 2 : 0;

	if (!n || memcmp(image, n == 5 ? nop5 : nop2, n))
		return 0;
	for (size_t i = 1; i < u->n_sections; i++) {
		const struct unit_section *t = &u->section[i];

		for (size_t r = 0; t->name && !strcmp(t->name, "__jump_table") && r < t->n_relocs; r++) {
			const struct unit_symbol *sym = &u->symbol[t->reloc[r].symbol];

			if (!(t->reloc[r].offset % JUMP_ENTRY) && sym->section == (uint32_t)(s - u->section) &&
			    sym->value + (uint64_t)t->reloc[r].addend == offset)
				return n;
		}
	}
	return 0;
}

/* Equal but for the fields of relocations. Returns the first offset that differs, or `size`. */
static uint64_t first_difference(const struct kernel *k, const struct unit *u, const struct unit_section *s,
                                 uint64_t from, uint64_t size, uint64_t va)
{
	const uint8_t *image = kernel_bytes(k, va, size);
	size_t r = 0;

	if (!image || !s->bytes)
		return 0;
	while (r < s->n_relocs && s->reloc[r].offset + unit_reloc_size(s->reloc[r].type) <= from)
		r++;
	for (uint64_t i = 0; i < size; i++) {
		while (r < s->n_relocs && s->reloc[r].offset + unit_reloc_size(s->reloc[r].type) <= from + i)
			r++;
		if (r < s->n_relocs && s->reloc[r].offset <= from + i)
			continue;
		if (image[i] != s->bytes[from + i]) {
			uint32_t n = size - i >= 5 ? jump_nop(u, s, from + i, image + i) : 0;

			if (!n)
				return i;
			i += n - 1;
		}
	}
	return size;
}

static bool is_function(const struct unit *u, const struct unit_symbol *s)
{
	return s->section && s->type == STT_FUNC && s->size && unit_is_code(&u->section[s->section]) &&
	       strcmp(u->section[s->section].name, ".discard.text");
}

static bool is_named(const struct unit_symbol *s)
{
	return s->section && (s->type == STT_FUNC || s->type == STT_OBJECT || s->type == STT_NOTYPE) && *s->name;
}

/* How well a section would fit at a place: functions with equal bytes count most, names that fit a little. */
static uint32_t fit(const struct proof *p, uint32_t section, uint64_t base)
{
	const struct unit_section *s = &p->u->section[section];
	uint32_t score = 0;

	for (size_t i = 1; i < p->u->n_symbols; i++) {
		const struct unit_symbol *sym = &p->u->symbol[i];

		if (sym->section != section || !is_named(sym))
			continue;
		score += proof_is_named(p->k, sym->name, base + sym->value);
		if (is_function(p->u, sym) &&
		    first_difference(p->k, p->u, s, sym->value, sym->size, base + sym->value) == sym->size)
			score += 1000;
	}
	return score;
}

/* The places that names propose for a section; false when two fit equally well, or none does. */
static bool propose(const struct proof *p, uint32_t section, uint64_t *base)
{
	uint64_t tried[PLACES_MAX];
	uint32_t best = 0, n_tried = 0;
	bool twice = false;

	for (size_t i = 1; i < p->u->n_symbols && n_tried < PLACES_MAX; i++) {
		const struct unit_symbol *sym = &p->u->symbol[i];
		const struct ksym *found;
		size_t n;

		if (sym->section != section || !is_named(sym))
			continue;
		n = kallsyms_find(&p->k->syms, sym->name, 1, &found);
		if (n > 1 && !unit_is_code(&p->u->section[section]))
			continue; /* no bytes of its own would decide: code that leads there will */
		for (size_t j = 1; j <= n && n_tried < PLACES_MAX; j++) {
			uint64_t candidate;
			uint32_t score, t = 0;

			kallsyms_find(&p->k->syms, sym->name, j, &found);
			candidate = found->va - sym->value;
			while (t < n_tried && tried[t] != candidate)
				t++;
			if (t < n_tried)
				continue;
			tried[n_tried++] = candidate;
			score = fit(p, section, candidate);
			twice = score == best ? true : score > best ? false : twice;
			if (score > best) {
				best = score;
				*base = candidate;
			}
		}
	}
	return best && !twice;
}

static bool same_string(const struct proof *p, uint32_t section, int64_t offset, uint64_t va)
{
	const struct unit_section *s = &p->u->section[section];
	uint64_t n = offset < 0 ? 0 : unit_merged_size(s, (uint64_t)offset);

	return n && kernel_bytes(p->k, va, n) && !memcmp(kernel_bytes(p->k, va, n), s->bytes + offset, n);
}

/* Data that no name leads to, as the tables of names themselves are. */
static bool nameless(const struct kernel *k, uint64_t va)
{
	const struct ksym *at = kallsyms_at(&k->syms, va);

	for (size_t i = 0; i < k->n_sections; i++)
		if (k->sections[i].code && va >= k->sections[i].va && va - k->sections[i].va < k->sections[i].size)
			return false;
	return !at || at->va != va;
}

/* Could the section lie there? Not if the image has one of its names, but elsewhere. */
static bool names_allow(const struct proof *p, uint32_t section, uint64_t base)
{
	for (size_t i = 1; i < p->u->n_symbols; i++) {
		const struct unit_symbol *s = &p->u->symbol[i];
		const struct ksym *found;

		if (s->section == section && is_named(s) && s->binding != STB_WEAK &&
		    kallsyms_find(&p->k->syms, s->name, 1, &found) && !proof_is_named(p->k, s->name, base + s->value))
			return false;
	}
	return true;
}

static void remember(struct proof *p, const char *name, uint64_t va)
{
	for (size_t i = 0; i < p->n_names; i++)
		if (!strcmp(p->name[i].name, name))
			return;
	p->name[p->n_names++] = (struct proof_name){name, va};
}

/* One address field at va of the image. NULL: leads where the unit's does. With `learn`, sections that nobody knows yet
 * get their place from it. */
static const char *check_field(struct proof *p, const struct unit_section *s, const struct unit_reloc *r, uint64_t va,
                               bool learn)
{
	const struct unit_symbol *sym = &p->u->symbol[r->symbol];
	struct unit_target t;
	uint64_t implies;

	if (r->type == R_X86_64_NONE)
		return NULL;
	if (!implied(p->k, va, r, &implies))
		return xformat("a relocation of type %u", r->type);
	if (!sym->section) {
		const struct ksym *found;
		uint64_t known;

		if (sym->absolute)
			return implies == sym->value ? NULL : xformat("another constant than %s", sym->name);
		if (proof_is_named(p->k, sym->name, implies)) {
			remember(p, sym->name, implies);
			return NULL;
		}
		if (proof_name_place(p, sym->name, &known))
			return known == implies ? NULL : xformat("%s is another place", sym->name);
		if (!kallsyms_find(&p->k->syms, sym->name, 1, &found) && nameless(p->k, implies)) {
			remember(p, sym->name, implies);
			return NULL;
		}
		if (sym->binding == STB_WEAK && !implies)
			return NULL;
		return xformat("%s is another place", sym->name);
	}
	if (unit_is_string(&p->u->section[sym->section])) {
		/* The linker moves the string that the symbol names, wherever the instruction then points (behind the
		 * end, where a loop ends); a section's symbol names none, there the address does. */
		t = unit_target(p->u, s, r);
		if (sym->type != STT_SECTION)
			t = (struct unit_target){NULL, sym->section, (int64_t)sym->value};
		return same_string(p, t.section, t.offset, implies + (uint64_t)t.offset - sym->value)
		               ? NULL
		               : xformat("another string");
	}
	if (sym->binding == STB_WEAK && proof_is_named(p->k, sym->name, implies))
		return NULL; /* possibly another than the unit's own */
	implies -= sym->value;
	if (p->known[sym->section])
		return p->base[sym->section] == implies ? NULL : xformat("%s is another place", sym->name);
	if (learn && names_allow(p, sym->section, implies)) {
		p->known[sym->section] = true;
		p->base[sym->section] = implies;
	}
	return learn ? NULL : xformat("the place of %s is not known", p->u->section[sym->section].name);
}

const char *proof_range(struct proof *p, const struct unit_section *s, uint64_t from, uint64_t size, uint64_t va,
                        bool learn)
{
	uint64_t same = first_difference(p->k, p->u, s, from, size, va);
	const char *why;

	if (same != size)
		return xformat("other bytes from +%#llx on", (unsigned long long)same);
	for (size_t i = 0; i < s->n_relocs; i++) {
		const struct unit_reloc *r = &s->reloc[i];

		if (r->offset < from || r->offset >= from + size)
			continue;
		why = check_field(p, s, r, va + r->offset - from, learn);
		why = why ? why : reach_field(p, s, r, learn);
		if (why)
			return xformat("at +%#llx: %s", (unsigned long long)(r->offset - from), why);
	}
	return NULL;
}

static const char *check_code(struct proof *p, const struct unit_symbol *f, uint64_t va, bool learn)
{
	const char *why = proof_range(p, &p->u->section[f->section], f->value, f->size, va, learn);

	return why ? why : reach_tables(p, f, va, learn);
}

static bool has_label(const struct unit *u, const char *name, uint32_t section, uint64_t value)
{
	for (size_t i = 1; i < u->n_symbols; i++)
		if (u->symbol[i].section == section && u->symbol[i].value == value && !strcmp(u->symbol[i].name, name))
			return true;
	return false;
}

/* What has a name inside the function there must have it here. */
static const char *check_end(const struct proof *p, const struct unit_symbol *f, uint64_t va)
{
	const struct ksym *next = kallsyms_next(&p->k->syms, va);

	for (; next && next->va < va + f->size; next = kallsyms_next(&p->k->syms, next->va))
		if (!has_label(p->u, next->name, f->section, f->value + (next->va - va)))
			return xformat("%s begins inside it", next->name);
	return NULL;
}

static void check_function(struct proof *p, struct proof_function *f)
{
	const char *section = p->u->section[f->symbol->section].name;

	f->discarded = !p->k->module && !strncmp(section, ".exit.", 6);
	if (!p->known[f->symbol->section]) {
		f->why = f->discarded ? "exit code, which the kernel drops" : "no such function in the image";
		return;
	}
	f->va = p->base[f->symbol->section] + f->symbol->value;
	f->why = check_code(p, f->symbol, f->va, false);
	f->why = f->why ? f->why : check_end(p, f->symbol, f->va);
	if (proof_is_named(p->k, f->symbol->name, f->va))
		return;
	if (f->why) {
		f->why = xformat("not where the unit would have it; %s", f->why);
		return;
	}
	f->overridden = f->symbol->binding == STB_WEAK;
	f->why = f->overridden ? NULL : "the image has another name there";
}

/* f.cold is a part of f. */
static void check_halves(const struct proof *p, struct proof_function *f)
{
	const struct proof_function *cold = f->why ? NULL : proof_of(p, xformat("%s.cold", f->symbol->name));

	if (cold && cold->why)
		f->why = xformat("%s: %s", cold->symbol->name, cold->why);
}

struct proof *prove(const struct kernel *k, const struct unit *u)
{
	struct proof *p = xalloc(sizeof(*p));
	bool progress = true;

	p->k = k;
	p->u = u;
	p->base = xalloc(u->n_sections * sizeof(*p->base));
	p->known = xalloc(u->n_sections * sizeof(*p->known));
	p->function = xalloc((u->n_symbols + 1) * sizeof(*p->function));
	p->name = xalloc((u->n_symbols + 1) * sizeof(*p->name));
	for (uint32_t i = 1; i < u->n_sections; i++)
		if (linked(&u->section[i]) && !unit_is_string(&u->section[i]))
			p->known[i] = propose(p, i, &p->base[i]);
	for (size_t i = 1; i < u->n_symbols; i++)
		if (is_function(u, &u->symbol[i]))
			p->function[p->n_functions++].symbol = &u->symbol[i];
	while (progress) { /* equal code teaches where other sections lie, which may make more code comparable */
		size_t before = 0, after = 0;

		for (size_t i = 1; i < u->n_sections; i++)
			before += p->known[i];
		for (size_t i = 0; i < p->n_functions; i++) {
			const struct unit_symbol *f = p->function[i].symbol;

			if (p->known[f->section])
				check_code(p, f, p->base[f->section] + f->value, true);
		}
		for (size_t i = 1; i < u->n_sections; i++)
			after += p->known[i];
		progress = after > before;
		reach_forget(p);
	}
	for (size_t i = 0; i < p->n_functions; i++)
		check_function(p, &p->function[i]);
	for (size_t i = 0; i < p->n_functions; i++)
		check_halves(p, &p->function[i]);
	for (size_t i = 0; i < p->n_functions; i++) {
		p->n_proven += !p->function[i].why;
		p->n_discarded += p->function[i].discarded && p->function[i].why;
	}
	return p;
}

/* Functions that others can link to tell, else the unit's own; a unit of data alone is taken for linked. What the image
 * has by name and not by its bytes is linked and unproven, which is never the same as not there. */
bool proof_is_linked(const struct proof *p)
{
	const struct ksym *found;
	bool named = false;

	for (int own = 0; own < 2 && !named; own++)
		for (size_t i = 0; i < p->n_functions; i++) {
			const struct unit_symbol *s = p->function[i].symbol;

			if ((s->binding == STB_LOCAL) != own)
				continue;
			named = true;
			for (size_t at = 1; at <= kallsyms_find(&p->k->syms, s->name, at, &found); at++)
				if (kernel_owns(p->k, found->va)) /* a module sees the image's, too */
					return true;
		}
	return !named;
}

const struct proof_function *proof_of(const struct proof *p, const char *function)
{
	for (size_t i = 0; i < p->n_functions; i++)
		if (!strcmp(p->function[i].symbol->name, function))
			return &p->function[i];
	return NULL;
}

bool proof_place(const struct proof *p, const struct unit_symbol *s, uint64_t *va)
{
	if (!s->section || !p->known[s->section])
		return false;
	*va = p->base[s->section] + s->value;
	return true;
}

bool proof_name_place(const struct proof *p, const char *name, uint64_t *va)
{
	for (size_t i = 0; i < p->n_names; i++) {
		if (strcmp(p->name[i].name, name))
			continue;
		*va = p->name[i].va;
		return true;
	}
	return false;
}

const char *proof_data(const struct proof *p, const struct unit_symbol *s)
{
	uint64_t va;

	if (!proof_place(p, s, &va))
		return "its place in the image is not known";
	if (p->u->section[s->section].type == SHT_NOBITS)
		return NULL;
	return proof_range((struct proof *)(uintptr_t)p, &p->u->section[s->section], s->value, s->size, va, false);
}
