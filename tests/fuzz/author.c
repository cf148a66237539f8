// SPDX-License-Identifier: Apache-2.0
/* A kernel from the input: see author.h. */
#include "author.h"

#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const tables[] = {
        ".altinstructions", ".parainstructions", ".retpoline_sites", ".return_sites", ".call_sites", ".cfi_sites",
        ".ibt_endbr_seal",  ".smp_locks",        "__ex_table",       "__bug_table",   ".data"};

/* Ascending when the input says nothing. */
static const struct ksym names[] = {
        {FUZZ_TEXT, "_text", 'T'},
        {FUZZ_TEXT, "_stext", 'T'},
        {FUZZ_TEXT + 0x40, "__entry_text_start", 'T'},
        {FUZZ_TEXT + 0x50, "__entry_text_end", 'T'},
        {FUZZ_TEXT + 0x60, "__noinstr_text_start", 'T'},
        {FUZZ_TEXT + 0x70, "__noinstr_text_end", 'T'},
        {FUZZ_TEXT + 0x80, "__x86_return_thunk", 'T'},
        {FUZZ_TEXT + 0xf0, "f.cold", 't'},
        {FUZZ_TEXT + 0x100, "f", 't'},
        {FUZZ_TEXT + 0x140, "g", 't'},
        {FUZZ_TEXT + FUZZ_TEXT_SIZE, "_etext", 'T'},
        {FUZZ_DATA + 0xa000, "__start___jump_table", 'D'},
        {FUZZ_DATA + 0xa020, "__stop___jump_table", 'D'},
        {FUZZ_DATA + 0xa020, "__start_static_call_sites", 'D'},
        {FUZZ_DATA + 0xa030, "__stop_static_call_sites", 'D'},
        {FUZZ_DATA + 0xa030, "__start_mcount_loc", 'D'},
        {FUZZ_DATA + 0xa040, "__stop_mcount_loc", 'D'},
        {FUZZ_DATA + 0x100000, "_end", 'B'},
};

static struct kernel *k;

static int by_va(const void *a, const void *b)
{
	const struct ksym *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static int by_name(const void *a, const void *b)
{
	const struct ksym *x = &k->syms.sym[*(const uint32_t *)a], *y = &k->syms.sym[*(const uint32_t *)b];
	int order = strcmp(x->name, y->name);

	return order ? order : by_va(x, y);
}

static int by_place(const void *a, const void *b)
{
	const struct krel *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static void add_section(struct fuzz *f, const char *name, uint64_t va, size_t size, uint8_t fill)
{
	size_t got;
	uint8_t *from = fuzz_bytes(f, size, &got), *bytes = malloc(size ? size : 1);

	memset(bytes, fill, size);
	memcpy(bytes, from, got);
	k->sections[k->n_sections++] = (struct ksection){name, va, size, bytes, false, NULL};
}

static void add_symbols(struct fuzz *f)
{
	k->syms.n = COUNT(names);
	k->syms.sym = xalloc(sizeof(names));
	memcpy(k->syms.sym, names, sizeof(names));
	for (unsigned moved = fuzz_byte(f) % 4; moved; moved--) {
		struct ksym *s = &k->syms.sym[fuzz_byte(f) % COUNT(names)];

		s->va += fuzz_number(f, 2) - 0x100;
	}
	qsort(k->syms.sym, k->syms.n, sizeof(*k->syms.sym), by_va);
	k->syms.by_name = xalloc(k->syms.n * sizeof(*k->syms.by_name));
	for (uint32_t i = 0; i < k->syms.n; i++)
		k->syms.by_name[i] = i;
	qsort(k->syms.by_name, k->syms.n, sizeof(*k->syms.by_name), by_name);
}

struct kernel *fuzz_kernel(struct fuzz *f)
{
	uint32_t present = (uint32_t)fuzz_number(f, 2);

	k = xalloc(sizeof(*k));
	k->path = "vmlinuz";
	k->release = xformat("6.1.0-fuzz");
	k->sections = xalloc((COUNT(tables) + 1) * sizeof(*k->sections));
	add_symbols(f);
	k->relocs.n = fuzz_byte(f) % 6;
	k->relocs.rel = xalloc(8 * sizeof(*k->relocs.rel));
	for (size_t i = 0; i < k->relocs.n; i++) {
		k->relocs.rel[i].kind = fuzz_byte(f) % 3;
		k->relocs.rel[i].va = FUZZ_TEXT + 0xf0 + fuzz_byte(f);
		if (k->relocs.rel[i].va % 4 == 3)
			k->relocs.rel[i].va = FUZZ_DATA + 0xa000 + fuzz_byte(f);
	}
	qsort(k->relocs.rel, k->relocs.n, sizeof(*k->relocs.rel), by_place);
	for (uint32_t i = 0; i < COUNT(tables); i++)
		if (present >> i & 1)
			add_section(f, tables[i], FUZZ_DATA + i * 0x1000,
			            i == COUNT(tables) - 1 ? 64 : fuzz_byte(f) % 64, 0);
	add_section(f, ".text", FUZZ_TEXT, 0, 0);
	k->n_sections--;
	{ /* the input's bytes begin where f does */
		uint8_t *bytes = malloc(FUZZ_TEXT_SIZE), *from;
		size_t got;

		memset(bytes, 0x90, FUZZ_TEXT_SIZE);
		from = fuzz_bytes(f, FUZZ_TEXT_SIZE - 0x100, &got);
		memcpy(bytes + 0x100, from, got);
		k->sections[k->n_sections++] = (struct ksection){".text", FUZZ_TEXT, FUZZ_TEXT_SIZE, bytes, true, NULL};
	}
	return k;
}

struct buf fuzz_kernel_seed(const void *code, size_t n, unsigned table, const void *entry, size_t size)
{
	uint32_t present = size ? 1u << table : 0;
	struct buf b = {0};

	buf_add(&b, &present, 2);
	buf_add(&b, "\0\0", 2); /* no symbol moved, no relocation */
	if (size && table != COUNT(tables) - 1)
		buf_add(&b, &(uint8_t){(uint8_t)size}, 1);
	buf_add(&b, entry, size);
	buf_add(&b, code, n);
	return b;
}
