// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/module_at.c
// sources: tools/author/nearby.c
// sources: tools/author/thunks.c
// sources: tools/author/body.c tools/author/draft.c tools/author/place.c tools/author/kallsyms.c tools/author/krelocs.c
// sources: tools/author/author.c tests/unit/author_refuse.c tests/unit/author_kernel.c
// sources: tests/unit/makekernel.c
// libs: -lelf -lbpf -llz4
// cflags: -Itools/author
/* Object files as any compiler, assembler or hand may make them: laid out, or refused by name. */
#include "author_kernel.h"
#include "author_refuse.h"
#include "body.h"
#include "makekernel.h"

#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static struct made_section s[MADE_O_COUNT];
static struct draft d;

static int setup(void **state)
{
	(void)state;
	make_object(s);
	return 0;
}

static const struct body *load_n(size_t n)
{
	static const uint8_t code[] = {0xc3, 0xcc};
	struct kernel *k = author_kernel(code, sizeof(code), AUTHOR_NOT_TRACED);
	struct recipe *r = xalloc(sizeof(*r));
	char *paths[2];

	r->alias[r->n_alias++] = (struct recipe_alias){"g", {.name = (char *)(uintptr_t) "behind_f"}};
	for (size_t i = 0; i < n; i++) {
		struct buf file = make_elf(ET_REL, s, MADE_O_COUNT);

		paths[i] = (char *)(uintptr_t)make_file((unsigned)i, file.p, file.n);
	}
	draft_start(&d);
	return body_load(&d, k, r, paths, n);
}

static const struct body *load(void) { return load_n(1); }
static Elf64_Sym *symbol(unsigned n) { return (Elf64_Sym *)s[MADE_O_SYMTAB].bytes.p + n; }
static Elf64_Rela *rela(unsigned n) { return (Elf64_Rela *)s[MADE_O_RELA].bytes.p + n; }

static void test_good(void **state)
{
	const struct body *b = load();
	const struct nl_leaf_reloc *r = (const struct nl_leaf_reloc *)d.relocs.p;

	(void)state;
	assert_int_equal(d.text.n, 32);
	assert_int_equal(d.data.n, 24);
	assert_int_equal(d.h.bss_size, 8 + 64); /* .bss begins at a multiple of 32 */
	assert_true(body_find(b, "f")->function);
	assert_int_equal(body_find(b, "zeroes")->place.value, 32);
	assert_int_equal(d.relocs.n / sizeof(*r), 5);
	assert_int_equal(r[0].symbol, NL_SYM_REGION);
	assert_int_equal(r[2].symbol, NL_SYM_TEXT);
	assert_int_equal(r[4].symbol, NL_SYM_ABSOLUTE);
}

static void test_distance_within_the_text(void **state)
{
	int32_t v;

	(void)state;
	rela(0)->r_info = ELF64_R_INFO(1, R_X86_64_PC32);
	load();
	memcpy(&v, d.text.p + 1, 4);
	assert_int_equal(v, -4 - 1);
	rela(0)->r_addend = INT64_MIN;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	rela(0)->r_addend = (1LL << 31) + 1;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
}

/* A branch that the assembler resolved within its section, and that leads into the image all the same. */
static void test_resolved_branch(void **state)
{
	static const struct body_fixed fixed = {MADE_O_TEXT + 1, 5, {NL_SYM_REGION, 0x1234}, true, -4};
	struct buf file = make_elf(ET_REL, s, MADE_O_COUNT);
	struct body_object o = {
	        .path = (char *)(uintptr_t)make_file(0, file.p, file.n), .prefix = "", .fixed = &fixed, .n_fixed = 1};
	static const uint8_t code[] = {0xc3, 0xcc};
	struct recipe *r = xalloc(sizeof(*r));
	const struct nl_leaf_reloc *last;

	(void)state;
	r->alias[r->n_alias++] = (struct recipe_alias){"g", {.name = (char *)(uintptr_t) "behind_f"}};
	draft_start(&d);
	body_load_some(&d, author_kernel(code, sizeof(code), AUTHOR_NOT_TRACED), r, &o, 1);
	last = (const struct nl_leaf_reloc *)(d.relocs.p + d.relocs.n) - 1;
	assert_int_equal(d.relocs.n / sizeof(*last), 6);
	assert_int_equal(last->offset, 5);
	assert_int_equal(last->type, NL_REL_PC32);
	assert_int_equal(last->symbol, NL_SYM_REGION);
	assert_int_equal(last->value, 0x1234);
	assert_int_equal(last->addend, -4);
	assert_memory_equal(d.text.p + 5, "\0\0\0\0", 4);
}

static bool refuses(void) { return AUTHOR_REFUSES(NL_EBODY, load()); }

static void test_numbers_of_sections(void **state)
{
	(void)state;
	for (unsigned n = MADE_O_COUNT + 2; n < SHN_LORESERVE; n = n * 2 + 1) {
		symbol(2)->st_shndx = (uint16_t)n;
		assert_true(refuses());
	}
	setup(NULL);
	symbol(2)->st_shndx = SHN_COMMON;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
}

static void test_symbols_beyond_their_section(void **state)
{
	(void)state;
	symbol(1)->st_size = 33; /* a body's instructions are read to its end */
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	symbol(1)->st_size = UINT64_MAX;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	setup(NULL);
	symbol(1)->st_value = 0ULL - 16;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
}

static void test_names(void **state)
{
	(void)state;
	symbol(3)->st_name = 0x7fffffff;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	setup(NULL);
	symbol(1)->st_name = 0x7fffffff;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	setup(NULL);
	s[MADE_O_SYMTAB].link = 77; /* no such table of names */
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
}

static void test_relocations(void **state)
{
	(void)state;
	s[MADE_O_RELA].entry = 0; /* a divisor of old */
	load();
	assert_int_equal(d.relocs.n / sizeof(struct nl_leaf_reloc), 5);
	setup(NULL);
	rela(2)->r_offset = 25; /* of 8 bytes, in a section of 32 */
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	rela(2)->r_offset = 0ULL - 8;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	setup(NULL);
	rela(4)->r_info = ELF64_R_INFO(5, R_X86_64_32S);
	rela(4)->r_addend = INT64_MAX;
	symbol(5)->st_value = 1;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	setup(NULL);
	rela(1)->r_info = ELF64_R_INFO(99, R_X86_64_64);
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	setup(NULL);
	s[MADE_O_RELA].info = MADE_O_BSS + 1; /* bytes that there are not */
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
}

static void test_zeroes(void **state)
{
	(void)state;
	s[MADE_O_BSS].size = UINT64_MAX - 31; /* round the end */
	assert_true(AUTHOR_REFUSES(NL_EARENA, load()));
	s[MADE_O_BSS].size = UINT32_MAX;
	assert_true(AUTHOR_REFUSES(NL_EARENA, load()));
	s[MADE_O_BSS].size = 64;
	s[MADE_O_BSS].flags |= SHF_EXECINSTR; /* code without bytes */
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
}

static void test_sections(void **state)
{
	(void)state;
	s[MADE_O_TEXT].align = 48;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	setup(NULL);
	s[MADE_O_DATA].type = SHT_NOTE;
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	setup(NULL);
	s[MADE_O_DATA].name = ".strange";
	assert_true(AUTHOR_REFUSES(NL_EBODY, load()));
	setup(NULL);
	s[MADE_O_TEXT].name = ".sched.text";
	load();
	setup(NULL);
	buf_add(&s[MADE_O_DATA].bytes, NULL, NL_LEAF_MAX_SIZE);
	assert_true(AUTHOR_REFUSES(NL_EARENA, load()));
	setup(NULL);
	assert_true(AUTHOR_REFUSES(NL_EBODY, load_n(2))); /* f twice */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_good, setup),
	        cmocka_unit_test_setup(test_distance_within_the_text, setup),
	        cmocka_unit_test_setup(test_resolved_branch, setup),
	        cmocka_unit_test_setup(test_numbers_of_sections, setup),
	        cmocka_unit_test_setup(test_symbols_beyond_their_section, setup),
	        cmocka_unit_test_setup(test_names, setup),
	        cmocka_unit_test_setup(test_relocations, setup),
	        cmocka_unit_test_setup(test_zeroes, setup),
	        cmocka_unit_test_setup(test_sections, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
