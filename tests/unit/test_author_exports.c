// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_exports.c tools/author/patch_object.c tools/author/patch_homes.c
// sources: tools/author/patch_kind.c tools/author/patch_compare.c tools/author/patch_layout.c
// sources: tools/author/kallsyms.c tools/author/code.c tools/author/author.c tools/author/typenames.c
// sources: tests/unit/author_refuse.c tests/unit/author_units.c
// libs: -lelf -lbpf -lZydis
// cflags: -Itools/author
/* Prototypes of what modules and BPF programs use: units of our own, and what the image has. */
#include "author_refuse.h"
#include "author_units.h"
#include "patch_exports.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static struct patch_unit units[2];
static struct ksym sym = {0xffffffff82000000ULL, NULL, 'r'};

static void make(const char *name, const char *a, const char *b, const char *c, const char *d)
{
	static uint32_t order[] = {0};

	sym.name = name;
	author_units_kernel.syms = (struct kallsyms){.sym = &sym, .n = name != NULL, .by_name = order};
	author_unit(&units[0], "a", a, b);
	author_unit(&units[1], "b", c, d);
}

static bool refuses(const char *says)
{
	return AUTHOR_REFUSES(NL_ESITE, exports_check(units, 2, false)) && strstr(author_why, says);
}

static void passes(bool allow_modules)
{
	if (setjmp(author_refused))
		fail_msg("refused: %s", author_why);
	exports_check(units, 2, allow_modules);
}

#define OTHER "int other(int a) { return a + 1; }\n"
#define X(parameters) "int x(" parameters ") { return a + 2; }\n"
#define EXPORT(name) \
	"static const int __ksymtab_" name " __attribute__((used, section(\"___ksymtab_gpl+" name "\"))) = 1;\n"
#define MODULES "x takes or returns something else after the patch, and modules"

static void test_modules(void **state)
{
	(void)state;
	make(NULL, X("int a") EXPORT("x"), X("int b, int a") EXPORT("x"), OTHER, OTHER);
	assert_true(refuses("a: " MODULES));
	passes(true);
	assert_string_equal(units[0].prototype, "x");
	assert_null(units[1].prototype);
	make(NULL, X("int a") EXPORT("x"), X("long a") EXPORT("x"), OTHER, OTHER);
	assert_true(refuses(MODULES));
	make(NULL, X("int a") EXPORT("x"), "void x(int a) { __asm__(\"\"); }\n" EXPORT("x"), OTHER, OTHER);
	assert_true(refuses(MODULES));
	/* by the image's name alone; and in another unit after the patch */
	make("__ksymtab_x", X("int a"), X("int b, int a"), OTHER, OTHER);
	assert_true(refuses(MODULES));
	make(NULL, X("int a") EXPORT("x"), OTHER, OTHER, OTHER X("int b, int a") EXPORT("x"));
	assert_true(refuses("b: " MODULES));
}

static void test_same(void **state)
{
	(void)state;
	make(NULL, X("int a") EXPORT("x"), "int x(const int a) { return a + 3; }\n" EXPORT("x"), OTHER, OTHER);
	passes(false);
	assert_null(units[0].prototype);
	make(NULL, X("int a") EXPORT("y"), X("int b, int a"), OTHER, OTHER); /* not this one */
	passes(false);
	make("__ksymtab_y", OTHER, OTHER X("int a") EXPORT("x"), OTHER, OTHER); /* new */
	passes(false);
	make("__ksymtab_x", X("int a"), X("int a"), OTHER "static __attribute__((noinline,used)) " X("int a"),
	     OTHER "static __attribute__((noinline,used)) " X("int a")); /* others of the name stay */
	passes(false);
}

static void test_bpf(void **state)
{
	(void)state;
	make("__BTF_ID__func__x__1234", X("int a"), X("int b, int a"), OTHER, OTHER);
	assert_true(refuses("x takes or returns something else after the patch, and BPF programs"));
	make("__BTF_ID__func__x__y__1234", X("int a"), X("int b, int a"), OTHER, OTHER);
	passes(false);
	make("__BTF_ID__struct__x__1234", X("int a"), X("int b, int a"), OTHER, OTHER);
	passes(false);
}

/* Parameters' names that the checker of BPF programs reads, of what is in its lists. */
static void test_marks(void **state)
{
	(void)state;
	make("__BTF_ID__func__x__1234", X("int a"), "int x(int a__k) { return a__k + 2; }\n", OTHER, OTHER);
	assert_true(refuses("a parameter of x is called otherwise after the patch (__k)"));
	make("__BTF_ID__func__x__1234", "int x(int a__sz) { return a__sz + 2; }\n", X("int a"), OTHER, OTHER);
	assert_true(refuses("a parameter of x is called otherwise after the patch (__sz)"));
	make("__BTF_ID__func__x__1234", X("int a"), OTHER, OTHER, OTHER "int x(int a__k) { return a__k + 2; }\n");
	assert_true(refuses("b: a parameter of x is called otherwise after the patch (__k)"));
	make("__BTF_ID__func__x__1234", X("int a"), "int x(int rdonly_buf_size) { return rdonly_buf_size + 2; }\n",
	     OTHER, OTHER);
	assert_true(refuses("(rdonly_buf_size)"));
	/* of others, only what counts without a list; and names without a mark are the source's own matter */
	make("__BTF_ID__func__y__1234", X("int a"), "int x(int a__k) { return a__k + 2; }\n", OTHER, OTHER);
	passes(false);
	make(NULL, "int x(int *a) { return *a + 2; }\n", "int x(int *a__nullable) { return *a__nullable + 2; }\n",
	     OTHER, OTHER);
	assert_true(refuses("(__nullable)"));
	make("__BTF_ID__func__x__1234", X("int a"), "int x(int b) { return b + 3; }\n", OTHER, OTHER);
	passes(false);
	make("__BTF_ID__func__x__1234", "int x(int a__k) { return a__k + 2; }\n",
	     "int x(int b__k) { return b__k + 3; }\n", OTHER, OTHER);
	passes(false);
}

/* An export that comes or goes is noted. */
static void test_notes(void **state)
{
	(void)state;
	make(NULL, X("int a"), X("int a") EXPORT("x"), OTHER EXPORT("other"), OTHER);
	passes(false);
	assert_int_equal(units[0].n_notes, 1);
	assert_non_null(strstr(units[0].notes[0], "the patch exports x; the leaf does not"));
	assert_int_equal(units[1].n_notes, 1);
	assert_non_null(strstr(units[1].notes[0], "the patch no longer exports other"));
#define EXPORT_TO(all, value) \
	"static const int __ksymtab_x __attribute__((used, section(\"___ksymtab" all "+x\"))) = " value ";\n"
	memset(units, 0, sizeof(units));
	make(NULL, X("int a") EXPORT_TO("", "1"), X("int a") EXPORT_TO("_gpl", "1"), X("int a") EXPORT_TO("", "1"),
	     X("int a") EXPORT_TO("", "2"));
	passes(false);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(units[i].n_notes, 1);
		assert_non_null(strstr(units[i].notes[0], "exports x to other modules or in another namespace"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_modules), cmocka_unit_test(test_same),  cmocka_unit_test(test_bpf),
	        cmocka_unit_test(test_marks),   cmocka_unit_test(test_notes),
	};

	return cmocka_run_group_tests_name("author_exports", tests, author_units_start, author_units_end);
}
