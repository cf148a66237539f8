// SPDX-License-Identifier: Apache-2.0
/* Makes struct kernel by hand, and stands in for tools/author/kernel.c. */
#include "author_kernel.h"

#include <stdlib.h>
#include <string.h>

#define TEXT 0xffffffff81000000ULL
#define DATA 0xffffffff82000000ULL
#define PAGE 4096

static const struct ksym names[] = {
        /* ascending by address */
        {0x10, "percpu", 'A'},
        {TEXT, "_text", 'T'},
        {TEXT, "_stext", 'T'},
        {TEXT + 0x20, "__fentry__", 'T'},
        {TEXT + 0x30, "__x86_return_thunk", 'T'},
        {TEXT + 0x100, "twice", 't'},
        {TEXT + 0x110, "twice", 't'},
        {TEXT + 0x120, "g.isra.0", 't'},
        {TEXT + 0x130, "__entry_text_start", 'T'},
        {TEXT + 0x138, "entry_f", 'T'},
        {TEXT + 0x140, "__entry_text_end", 'T'},
        {AUTHOR_F, "f", 't'},
        {0, "behind_f", 't'}, /* where f ends */
        {TEXT + PAGE, "_etext", 'T'},
        {DATA, "__start_mcount_loc", 'D'},
        {DATA + 8, "__stop_mcount_loc", 'D'},
        {DATA + 0x100, "outside", 'D'},
        {DATA + 0x400, "text_here", 'D'},
        {DATA + PAGE, "_end", 'B'},
};
#define NAMES (sizeof(names) / sizeof(names[0]))
#define NAMES_MAX 128

static const struct ksym *sorting;

static int by_name(const void *a, const void *b)
{
	const struct ksym *x = &sorting[*(const uint32_t *)a], *y = &sorting[*(const uint32_t *)b];
	int order = strcmp(x->name, y->name);

	return order ? order : x->va < y->va ? -1 : x->va > y->va;
}

static int by_va(const void *a, const void *b)
{
	const struct ksym *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

static void sort(struct kernel *k)
{
	for (uint32_t i = 0; i < k->syms.n; i++)
		k->syms.by_name[i] = i;
	sorting = k->syms.sym;
	qsort(k->syms.by_name, k->syms.n, sizeof(uint32_t), by_name);
}

static uint8_t *section(struct kernel *k, const char *name, uint64_t va, size_t size)
{
	uint8_t *bytes = xalloc(size);

	k->sections[k->n_sections++] = (struct ksection){name, va, size, bytes, !strcmp(name, ".text"), NULL};
	return bytes;
}

struct kernel *author_kernel(const uint8_t *code, size_t n, uint32_t traced)
{
	struct kernel *k = xalloc(sizeof(*k));
	uint64_t site = traced == AUTHOR_NOT_TRACED ? TEXT + 0x800 : AUTHOR_F + traced;
	uint8_t *text;

	k->path = "made-up";
	k->release = xformat("0.0-test");
	k->sections = xalloc(16 * sizeof(*k->sections));
	text = section(k, ".text", TEXT, PAGE);
	memset(text, 0xcc, PAGE);
	memcpy(text + (AUTHOR_F - TEXT), code, n);
	memcpy(section(k, ".data", DATA, PAGE), &site, 8);
	k->syms.sym = xalloc(NAMES_MAX * sizeof(names[0]));
	memcpy(k->syms.sym, names, sizeof(names));
	k->syms.n = NAMES;
	k->syms.by_name = xalloc(NAMES_MAX * sizeof(uint32_t));
	for (uint32_t i = 0; i < NAMES; i++)
		if (!k->syms.sym[i].va)
			k->syms.sym[i].va = AUTHOR_F + n;
	sort(k);
	k->relocs.rel = xalloc(8 * sizeof(struct krel));
	return k;
}

void author_kernel_section(struct kernel *k, const char *name, uint64_t va, const void *bytes, size_t n)
{
	memcpy(section(k, name, va, n), bytes, n);
}

void author_kernel_rename(struct kernel *k, const char *from, const char *to)
{
	for (size_t i = 0; i < k->syms.n; i++)
		if (!strcmp(k->syms.sym[i].name, from))
			k->syms.sym[i].name = to;
	sort(k);
}

void author_kernel_symbol(struct kernel *k, const char *name, uint64_t va)
{
	if (k->syms.n == NAMES_MAX)
		abort();
	k->syms.sym[k->syms.n++] = (struct ksym){va, name, 't'};
	qsort(k->syms.sym, k->syms.n, sizeof(*k->syms.sym), by_va);
	sort(k);
}

void author_kernel_reloc(struct kernel *k, uint64_t va, enum krel_kind kind)
{
	k->relocs.rel[k->relocs.n++] = (struct krel){.va = va, .kind = kind};
}

void author_kernel_pointer(struct kernel *k, uint64_t value)
{
	memcpy((uint8_t *)(uintptr_t)kernel_bytes(k, DATA + 0x200, 8), &value, 8);
	author_kernel_reloc(k, DATA + 0x200, KREL_64);
}

void author_kernel_text(struct kernel *k, const char *name, const char *text)
{
	memcpy((uint8_t *)(uintptr_t)kernel_bytes(k, DATA + 0x400, 1), text, strlen(text) + 1);
	author_kernel_rename(k, "text_here", name);
}

void author_kernel_table(struct kernel *k, const char *name, uint64_t va)
{
	int32_t distance = (int32_t)(va - (DATA + 2 * PAGE));

	memcpy(section(k, name, DATA + 2 * PAGE, 4), &distance, 4);
}

const uint8_t *kernel_bytes(const struct kernel *k, uint64_t va, size_t n)
{
	for (size_t i = 0; i < k->n_sections; i++) {
		const struct ksection *s = &k->sections[i];

		if (va >= s->va && va - s->va < s->size && n <= s->size - (va - s->va))
			return s->bytes + (va - s->va);
	}
	return NULL;
}

const struct ksection *kernel_section(const struct kernel *k, const char *name)
{
	for (size_t i = 0; i < k->n_sections; i++)
		if (!strcmp(k->sections[i].name, name))
			return &k->sections[i];
	return NULL;
}

uint64_t kernel_symbol_or_0(const struct kernel *k, const char *name)
{
	const struct ksym *s = NULL;

	return kallsyms_find(&k->syms, name, 1, &s) ? s->va : 0;
}

uint64_t kernel_symbol(const struct kernel *k, const char *name) { return kernel_symbol_or_0(k, name); }
