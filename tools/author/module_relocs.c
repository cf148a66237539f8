// SPDX-License-Identifier: Apache-2.0
/*
 * Applies a module's relocations as the loader does (arch/x86/kernel/module.c:__apply_relocate_add()), at the addresses
 * that module_layout.c made up, and takes down which fields would be others at others.
 */
#include "modules.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define BAD(m, ...) refuse(NL_EKERNEL, "%s: %s", (m)->path, xformat(__VA_ARGS__))

struct relocating {
	const struct module *m;
	uint64_t (*find)(const struct module *m, const char *name);
	struct buf fields; /* of struct krel */
};

/* In memory that keeps its shape: the distance is the same wherever it lies. */
static bool move_together(const struct module *m, uint64_t a, uint64_t b)
{
	const struct module_region *x = module_region_at(m, a), *y = module_region_at(m, b);

	return x && y && x->leaf.kind != NL_MEM_PERCPU && y->leaf.kind != NL_MEM_PERCPU &&
	       x->leaf.pointer_at == y->leaf.pointer_at;
}

static uint64_t symbol_value(struct relocating *r, size_t index, bool *constant)
{
	const struct module *m = r->m;
	const struct module_symbol *s;

	if (index >= m->n_symbols)
		BAD(m, "a relocation names no symbol");
	s = &m->symbols[index];
	*constant = false;
	if (s->undefined)
		return r->find(m, s->name);
	if (s->section)
		return s->va;
	*constant = true; /* SHN_ABS */
	return s->va;
}

static void apply(struct relocating *r, const struct module_section *s, uint8_t *bytes, const Elf64_Rela *rela)
{
	uint32_t type = (uint32_t)ELF64_R_TYPE(rela->r_info);
	uint64_t at = s->va + rela->r_offset, symbol, value;
	size_t size = type == R_X86_64_64 || type == R_X86_64_PC64 ? 8 : 4;
	struct krel field = {.va = at, .linked = true};
	bool constant, fits = true;
	uint8_t *p;

	if (type == R_X86_64_NONE)
		return;
	if (rela->r_offset > s->size || size > s->size - rela->r_offset || !s->bytes)
		BAD(r->m, "a relocation lies outside of section %s", s->name);
	p = bytes + rela->r_offset;
	if (memcmp(p, "\0\0\0\0\0\0\0\0", size)) /* the loader refuses it, too */
		BAD(r->m, "section %s holds something where a relocation goes", s->name);
	field.symbol = symbol = symbol_value(r, ELF64_R_SYM(rela->r_info), &constant);
	value = symbol + (uint64_t)rela->r_addend;
	switch (type) {
	case R_X86_64_64:
		field.kind = KREL_64;
		break;
	case R_X86_64_32S:
		field.kind = KREL_32;
		fits = (int64_t)value == (int32_t)value;
		break;
	case R_X86_64_32:
		field.kind = KREL_32;
		fits = value == (uint32_t)value; /* so it is a number, or per CPU */
		break;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		field.kind = KREL_PC32;
		value -= at;
		fits = (int64_t)value == (int32_t)value;
		break;
	case R_X86_64_PC64:
		field.kind = KREL_PC64;
		value -= at;
		break;
	default:
		BAD(r->m, "relocation type %u, which the loader of Linux does not know", type);
	}
	if (!fits)
		BAD(r->m, "a relocation of section %s does not fit its field", s->name);
	memcpy(p, &value, size);
	if (krel_is_address(&field) ? constant || symbol < kernel_symbol(r->m->k, "_text")
	                            : move_together(r->m, at, symbol))
		return;
	buf_add(&r->fields, &field, sizeof(field));
}

static int by_place(const void *a, const void *b)
{
	const struct krel *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static int by_address(const void *a, const void *b)
{
	const struct ksection *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

void module_relocate(const struct module *m, uint64_t (*find)(const struct module *m, const char *name),
                     struct ksection *sections, size_t *n_sections, struct krelocs *fields)
{
	struct relocating r = {.m = m, .find = find};
	uint8_t **bytes = xalloc(m->n_sections * sizeof(*bytes));
	size_t n = 0;

	for (size_t i = 1; i < m->n_sections; i++) {
		const struct module_section *s = &m->sections[i];

		if (s->memory == MODULE_NOWHERE)
			continue;
		bytes[i] = s->bytes ? xalloc(s->size + 1) : NULL;
		if (s->bytes)
			memcpy(bytes[i], s->bytes, s->size);
		sections[n++] =
		        (struct ksection){s->name, s->va, s->size, bytes[i], (s->flags & SHF_EXECINSTR) != 0, s};
	}
	for (size_t i = 1; i < m->n_sections; i++) {
		const struct module_section *rela = &m->sections[i];

		if (rela->type == SHT_REL)
			BAD(m, "has a section of relocations without addends");
		if (rela->type != SHT_RELA || rela->info >= m->n_sections ||
		    m->sections[rela->info].memory == MODULE_NOWHERE)
			continue;
		for (size_t at = 0; at + sizeof(Elf64_Rela) <= rela->size; at += sizeof(Elf64_Rela)) {
			Elf64_Rela one;

			memcpy(&one, rela->bytes + at, sizeof(one));
			apply(&r, &m->sections[rela->info], bytes[rela->info], &one);
		}
	}
	fields->n = r.fields.n / sizeof(struct krel);
	fields->rel = (struct krel *)(void *)r.fields.p;
	if (fields->n)
		qsort(fields->rel, fields->n, sizeof(struct krel), by_place);
	for (size_t i = 1; i < fields->n; i++)
		if (fields->rel[i].va < fields->rel[i - 1].va + krel_size(&fields->rel[i - 1]))
			BAD(m, "two relocations of one field");
	qsort(sections, n, sizeof(*sections), by_address);
	*n_sections = n;
	free(bytes);
}
