// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module.c tools/author/module_layout.c tools/author/module_relocs.c tools/author/module_at.c
// sources: tools/author/modules.c tools/author/escape.c tools/author/unpack.c tools/author/types.c
// sources: tools/author/kallsyms.c
// sources: tools/author/krelocs.c tools/author/place.c tools/author/kernel.c tools/author/livesites.c
// sources: tools/author/code.c tools/author/author.c tests/unit/author_refuse.c tests/unit/makekernel.c
// sources: tests/unit/makemodule.c
// libs: -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz -lZydis
// length: 8192
// quick: 6000
// reader: a module
/* Any bytes as a kernel module: laid out, seen through, its tables read. The first byte chooses the line of Linux. */
#include "author_refuse.h"
#include "fuzz.h"
#include "livesites.h"
#include "makemodule.h"
#include "place.h"

#include <elf.h>

static const char *const releases[] = {"6.1.0-0-made-amd64", "7.3.4-made-amd64", "5.10.0-made-amd64",
                                       "6.12.1-made-amd64"};

/* Whatever is kept lies in a region, and nothing lies upon another. */
static void check_layout(const struct module *m)
{
	FUZZ_CHECK(m->start == MODULE_SPACE && m->end > m->start && m->end < MODULE_SPACE_END);
	for (size_t i = 1; i < m->n_sections; i++) {
		const struct module_section *a = &m->sections[i];
		const struct module_region *r = module_region_at(m, a->va);

		if (a->memory == MODULE_NOWHERE)
			continue;
		FUZZ_CHECK(!a->size || (r && a->va + a->size <= m->end));
		for (size_t j = 1; j < i; j++) {
			const struct module_section *b = &m->sections[j];

			FUZZ_CHECK(b->memory == MODULE_NOWHERE || a->va >= b->va + b->size || b->va >= a->va + a->size);
		}
	}
}

static void check_view(const struct kernel *v, const struct module *m)
{
	struct nl_leaf_reloc r[64];
	uint8_t bytes[64];

	for (size_t i = 1; i < v->relocs.n; i++)
		FUZZ_CHECK(v->relocs.rel[i].va >= v->relocs.rel[i - 1].va + krel_size(&v->relocs.rel[i - 1]));
	for (size_t i = 1; i < v->syms.n; i++)
		FUZZ_CHECK(v->syms.sym[i].va >= v->syms.sym[i - 1].va);
	for (size_t i = 1; i < m->n_symbols; i++) {
		const struct module_symbol *s = &m->symbols[i];

		if (s->section && kernel_bytes(v, s->va, 16))
			runtime_bytes(v, s->va, 16, bytes, r, 64, s->name);
	}
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	const struct module *m;
	const struct kernel *v;
	struct kernel *k;
	unsigned line;

	if (!size || setjmp(author_refused))
		return;
	line = bytes[0] % 4;
	k = make_module_kernel(releases[line], line % 2 == 0);
	k->modules = xalloc(sizeof(*k->modules));
	k->modules->file = xalloc(sizeof(*k->modules->file));
	m = module_read(k, make_file(0, bytes + 1, size - 1), MODULE_SPACE);
	k->modules->n = 1;
	k->modules->file[0] = (struct modules_file){NULL, (char *)(uintptr_t)m->name, (struct module *)(uintptr_t)m};
	check_layout(m);
	v = module_view(k, m);
	check_view(v, m);
	livesites_verify_module(v);
}

static void seed(unsigned line, const struct made_section *s)
{
	struct buf b = make_elf(ET_REL, s, MADE_M_COUNT), all = {0};
	uint8_t first = (uint8_t)line;

	buf_add(&all, &first, 1);
	buf_add(&all, b.p, b.n);
	fuzz_seed(all.p, all.n);
}

void fuzz_seeds(void)
{
	struct made_section s[MADE_M_COUNT];

	for (unsigned line = 0; line < 4; line++) {
		make_module(s, releases[line], "m", "", NULL);
		seed(line, s);
		s[MADE_M_JUMPS].bytes = (struct buf){(uint8_t[16]){0}, 16, 16};
		s[MADE_M_CALLS].bytes = (struct buf){(uint8_t[8]){0}, 8, 8};
		s[MADE_M_DATA].name = "__bug_table";
		seed(line, s);
	}
}
