// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_boot.c tools/author/patch_object.c tools/author/patch_homes.c
// sources: tools/author/patch_kind.c tools/author/patch_compare.c tools/author/patch_layout.c
// sources: tools/author/kallsyms.c tools/author/code.c tools/author/author.c tools/author/typenames.c
// sources: tests/unit/author_refuse.c tests/unit/author_units.c
// libs: -lelf -lbpf -lZydis
// cflags: -Itools/author
/* What code of boot does with constants: units of our own. */
#include "author_units.h"
#include "patch_boot.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define BOOT "__attribute__((section(\".init.text\"))) "
#define DECLARED \
	"const void *x86_match_cpu(const void *);\nvoid register_it(const void *);\nint strcmp(const char *, const " \
	"char " \
	"*);\nint other(int);\n"
#define TABLE "static const long table[4] = {3, 5, 7, 9};\n"

static enum boot_use use(const char *text)
{
	static struct patch_unit p;

	author_unit(&p, "a", xformat("%s%s", DECLARED, text), xformat("%s%s", DECLARED, text));
	return boot_use_of(p.shipped, unit_find(p.shipped, "table"));
}

static void test_reads(void **state)
{
	(void)state;
	assert_int_equal(use(TABLE BOOT "long init(int i) { return table[i]; }\n"), BOOT_READS);
	assert_int_equal(use(TABLE BOOT "long init(int i) { return other(table[i]) + other(table[2] + 1); }\n"),
	                 BOOT_READS);
	assert_int_equal(use(TABLE BOOT "const void *init(void) { return x86_match_cpu(table); }\n"), BOOT_READS);
	assert_int_equal(use(TABLE BOOT "int init(void) { return other(1) + (x86_match_cpu(table) ? 3 : 5); }\n"),
	                 BOOT_READS);
	/* and in both ways */
	assert_int_equal(use(TABLE BOOT "long init(int i) { return table[i] + (x86_match_cpu(table) != 0); }\n"),
	                 BOOT_READS);
}

static void test_hands_on(void **state)
{
	(void)state;
	assert_int_equal(use(TABLE BOOT "void init(void) { register_it(table); }\n"), BOOT_HANDS_ON);
	assert_int_equal(use(TABLE BOOT "long init(int i) { register_it(table); return table[i]; }\n"), BOOT_HANDS_ON);
	assert_int_equal(use(TABLE "const void *kept;\n" BOOT "void init(void) { kept = table; }\n"), BOOT_HANDS_ON);
	/* through a constant of a constant, and one of boot */
	assert_int_equal(use(TABLE "static const long *const tables[] = {table, 0};\n" BOOT
	                           "void init(int i) { register_it(tables[i]); }\n"),
	                 BOOT_HANDS_ON);
	assert_int_equal(use(TABLE
	                     "static const void *tables[] __attribute__((section(\".init.data\"))) = {table};\n" BOOT
	                     "void init(int i) { register_it(tables[i]); }\n"),
	                 BOOT_HANDS_ON);
}

static void test_not(void **state)
{
	(void)state;
	assert_int_equal(use(TABLE BOOT "long init(int i) { return table[i]; }\nlong f(int i) { return table[i]; }\n"),
	                 BOOT_NOT);
	assert_int_equal(use(TABLE "const void *f(void) { return x86_match_cpu(table); }\n"), BOOT_NOT);
	assert_int_equal(use(TABLE "static const long *const tables[] = {table, 0};\n" BOOT
	                           "void init(int i) { register_it(tables[i]); }\n"
	                           "void f(int i) { register_it(tables[i]); }\n"),
	                 BOOT_NOT);
	assert_int_equal(use(TABLE "const long *kept = table;\n" BOOT "long init(int i) { return table[i]; }\n"),
	                 BOOT_NOT);                                               /* others may read it through that */
	assert_int_equal(use("const long table[4] = {3, 5, 7, 9};\n"), BOOT_NOT); /* others do */
}

#define MEMORY "__attribute__((section(\".meminit.text\"))) "

static const char *alone(const char *text, const char *name, uint64_t va)
{
	static struct ksym sym[] = {{0xffffffff81800000ULL, "_sinittext", 't'},
	                            {0xffffffff81900000ULL, "_einittext", 't'}};
	static uint32_t order[] = {1, 0};
	static struct patch_unit p;

	author_units_kernel.syms = (struct kallsyms){.sym = sym, .n = 2, .by_name = order};
	author_unit(&p, "a", text, text);
	return boot_alone(p.k, p.shipped, unit_find(p.shipped, name), va);
}

/* The section's name tells it of __init alone: the image has __meminit among code, or among what boot runs. */
static void test_functions(void **state)
{
	(void)state;
	assert_string_equal(alone(BOOT "int f(void) { return 1; }\n", "f", 0), "__init");
	assert_null(alone("int f(void) { return 1; }\n", "f", 0xffffffff81000000ULL));
	assert_null(alone(MEMORY "int f(void) { return 1; }\n", "f", 0xffffffff81000000ULL));
	assert_null(alone(MEMORY "int f(void) { return 1; }\n", "f", 0xffffffff81900000ULL));
	assert_string_equal(alone(MEMORY "int f(void) { return 1; }\n", "f", 0xffffffff81800000ULL), "__init");
	assert_string_equal(alone(MEMORY "int f(void) { return 1; }\n", "f", 0xffffffff818ffff0ULL), "__init");
}

#define MEMBLOCK(name) MEMORY "int " name "(void) { return 1; }\n"

static void test_memblock(void **state)
{
	static const char discards[] = BOOT "void memblock_discard(void) { __asm__(\"\"); }\n";

	(void)state;
	assert_non_null(alone(xformat("%s%s", discards, MEMBLOCK("memblock_add_range")), "memblock_add_range", 0));
	assert_non_null(alone(xformat("%s%s", discards, MEMBLOCK("__next_mem_range")), "__next_mem_range", 0));
	assert_null(
	        alone(xformat("%s%s", discards, MEMBLOCK("reserve_mem_find_by_name")), "reserve_mem_find_by_name", 0));
	assert_null(alone(MEMBLOCK("memblock_add_range"), "memblock_add_range", 0)); /* kept */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_reads),     cmocka_unit_test(test_hands_on), cmocka_unit_test(test_not),
	        cmocka_unit_test(test_functions), cmocka_unit_test(test_memblock),
	};

	return cmocka_run_group_tests_name("author_boot", tests, author_units_start, author_units_end);
}
