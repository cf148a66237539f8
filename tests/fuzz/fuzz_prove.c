// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/patch_prove.c tools/author/patch_prove_reach.c tools/author/patch_object.c
// sources: tools/author/patch_homes.c tools/author/patch_kind.c
// sources: tools/author/patch_compare.c tools/author/patch_cmdfile.c tools/author/livesites.c tools/author/code.c
// sources: tools/author/kallsyms.c tools/author/krelocs.c tools/author/unpack.c tools/author/kernel.c
// sources: tools/author/author.c tools/author/escape.c tests/unit/author_refuse.c
// sources: tests/fuzz/author.c tests/unit/makekernel.c
// libs: -lelf -lbpf -llz4 -lzstd -llzma -lbz2 -lz -lZydis
// length: 4096
// quick: 10000
/*
 * Any bytes as a compiled unit of the kernel: read, proven against a small kernel, compared with itself. The same bytes
 * as a .cmd file.
 */
#include "author.h"

#include "author_refuse.h"
#include "makekernel.h"
#include "patch_cmdfile.h"
#include "patch_compare.h"
#include "patch_prove.h"

#include <elf.h>
#include <string.h>

#define EX_TABLE 8 /* of the tables in author.c */

static void command(const uint8_t *bytes, size_t size)
{
	char *text = xformat("%.*s", (int)size, (const char *)bytes);
	struct unit_command c = {0};

	if (!command_parse(text, "gcc", &c))
		return;
	FUZZ_CHECK(c.n >= 3 && c.n <= COMMAND_WORDS && !c.argv[c.n]);
	for (size_t i = 0; i < c.n; i++)
		FUZZ_CHECK(strlen(c.argv[i]) <= size);
}

static void check(const struct kernel *k, const struct proof *p)
{
	size_t proven = 0;

	FUZZ_CHECK(p->n_names <= p->u->n_symbols);
	for (size_t i = 0; i < p->n_functions; i++) {
		const struct proof_function *f = &p->function[i];

		FUZZ_CHECK(f->symbol->size);
		proven += !f->why;
		if (f->why)
			continue;
		FUZZ_CHECK(kernel_bytes(k, f->va, f->symbol->size));
		FUZZ_CHECK(f->overridden || proof_is_named(k, f->symbol->name, f->va));
	}
	FUZZ_CHECK(proven == p->n_proven);
	for (size_t i = 0; i < p->u->n_symbols; i++)
		proof_data(p, &p->u->symbol[i]);
}

/* One function `f` of nops, of which __ex_table has an entry. */
static struct kernel *kernel_with_table(void)
{
	const int32_t entry[3] = {(int32_t)(FUZZ_TEXT + 0x104 - FUZZ_DATA - EX_TABLE * 0x1000), 0, 0};
	struct buf b = fuzz_kernel_seed(NULL, 0, EX_TABLE, entry, sizeof(entry));
	struct fuzz from = {b.p, b.n};

	return fuzz_kernel(&from);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct made_section s[MADE_O_COUNT];
	struct unit *u, *other;
	struct kernel *k;
	struct buf b;

	command(bytes, size);
	if (setjmp(author_refused))
		return;
	u = unit_read(make_file(0, bytes, size));
	k = kernel_with_table();
	check(k, prove(k, u));
	unit_difference(unit_compare(u, u));
	make_object(s);
	b = make_elf(ET_REL, s, MADE_O_COUNT);
	other = unit_read(make_file(1, b.p, b.n));
	unit_difference(unit_compare(u, other));
	unit_difference(unit_compare(other, u));
}

static void seed_object(bool tables, bool wraps)
{
	static const Elf64_Rela about[] = {{0, ELF64_R_INFO(1, R_X86_64_PC32), 4},
	                                   {4, ELF64_R_INFO(1, R_X86_64_PC32), 8}};
	struct made_section s[MADE_O_COUNT + 2];
	struct buf b;

	make_object(s);
	((Elf64_Rela *)s[MADE_O_RELA].bytes.p)[0].r_addend = wraps ? INT64_MAX : -4;
	s[MADE_O_COUNT] = (struct made_section){.name = "__ex_table", .type = SHT_PROGBITS, .flags = SHF_ALLOC};
	buf_add(&s[MADE_O_COUNT].bytes, NULL, 12);
	s[MADE_O_COUNT + 1] = s[MADE_O_RELA];
	s[MADE_O_COUNT + 1].name = ".rela__ex_table";
	s[MADE_O_COUNT + 1].info = MADE_O_COUNT + 1;
	s[MADE_O_COUNT + 1].bytes = (struct buf){0};
	buf_add(&s[MADE_O_COUNT + 1].bytes, about, sizeof(about));
	b = make_elf(ET_REL, s, MADE_O_COUNT + (tables ? 2 : 0));
	fuzz_seed(b.p, b.n);
	s[MADE_O_DATA].flags = SHF_ALLOC | SHF_MERGE | SHF_STRINGS; /* with what it holds instead of .data */
	s[MADE_O_DATA].entry = 1;
	b = make_elf(ET_REL, s, MADE_O_COUNT + (tables ? 2 : 0));
	fuzz_seed(b.p, b.n);
}

void fuzz_seeds(void)
{
	static const char cmd[] = "savedcmd_fs/pipe.o := gcc -Wp,-MMD,fs/.pipe.o.d -DMODULE "
	                          "-DKBUILD_MODNAME='\"pipe\"' -c -o fs/pipe.o fs/pipe.c ; ./tools/objtool/objtool x\n";

	seed_object(false, false);
	seed_object(true, false);
	seed_object(false, true);
	fuzz_seed(cmd, sizeof(cmd) - 1);
}
