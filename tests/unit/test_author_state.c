// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_state.c tools/author/patch_object.c tools/author/patch_homes.c
// sources: tools/author/patch_kind.c tools/author/patch_compare.c tools/author/patch_layout.c
// sources: tools/author/kallsyms.c tools/author/code.c
// sources: tools/author/author.c tools/author/typenames.c tests/unit/author_refuse.c tests/unit/author_units.c
// libs: -lelf -lbpf -lZydis
// cflags: -Itools/author
/* Variables that go in one unit of a patch and come in another: the same ones, others, and what nobody can tell. */
#include "author_refuse.h"
#include "author_units.h"
#include "patch_state.h"
#include "private.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define PLACE 0xffffffff82000000ULL

static bool known = true; /* where the image has the first unit's data */

bool proof_place(const struct proof *p, const struct unit_symbol *s, uint64_t *va)
{
	(void)p;
	*va = PLACE + s->value;
	return known;
}

bool proof_is_named(const struct kernel *k, const char *name, uint64_t va)
{
	(void)k, (void)name, (void)va;
	return true;
}

bool private_is_harmless(const char *name) { return starts_with(name, "__warned"); }

static struct patch_unit units[2];

/* Two units, before and after. */
static void make(const char *a, const char *b, const char *c, const char *d)
{
	author_unit(&units[0], "a", a, b);
	author_unit(&units[1], "b", c, d);
}

static bool refuses(const char *says)
{
	return AUTHOR_REFUSES(NL_ESITE, state_check(units, 2)) && strstr(author_why, says);
}

static void passes(void)
{
	if (setjmp(author_refused))
		fail_msg("refused: %s", author_why);
	state_check(units, 2);
}

/* Where the first such variable of the second unit is. */
static uint64_t moved(const char *name)
{
	const struct unit *u = units[1].c->after;

	for (uint32_t i = 1; i < u->n_symbols; i++)
		if (unit_same_base(u->symbol[i].name, name))
			return units[1].moved[i];
	return 0;
}

#define USE(name) "int use_" name "(void) { return ++" name "; }\n"
#define OTHER "int other(int a) { return a + 1; }\n"

static void test_moves(void **state)
{
	(void)state;
	make("int x = 5;\n" USE("x"), "extern int x;\n" USE("x"), OTHER, "int x = 5;\n" OTHER);
	passes();
	assert_int_equal(moved("x"), PLACE);
	make("static int x = 5;\n" USE("x") OTHER, OTHER, "int b;\n", "int b;\nstatic int x = 5;\n" USE("x"));
	passes();
	assert_int_equal(moved("x"), PLACE);
	make("int f(void) { static int n; return ++n; }\n" OTHER, OTHER,
	     "int g(void) { static int n; return n += 2; }\n",
	     "int f(void) { static int n; return ++n; }\nint g(void) { static int n; return n += 2; }\n");
	passes();
	assert_int_equal(moved("n.0") | moved("n.1"), PLACE);
	/* a constant that all can link to; a list's head, which leads to itself; the address of what all can link to */
	make("const int x[2] = {1, 2};\n" OTHER, OTHER, OTHER, "const int x[2] = {1, 2};\n" OTHER);
	passes();
	assert_int_equal(moved("x"), PLACE);
	make("int f(void);\nvoid *x[3] = {&x, &x, f};\n" OTHER, OTHER, OTHER,
	     "int f(void);\nvoid *x[3] = {&x, &x, f};\n" OTHER);
	passes();
	assert_int_equal(moved("x"), PLACE);
}

static void test_moves_and_changes(void **state)
{
	(void)state;
	make("int x = 5;\n" OTHER, OTHER, OTHER, "int x = 6;\n" OTHER);
	assert_true(refuses("x moves to b and changes (other bytes)"));
	make("int x = 5;\n" OTHER, OTHER, OTHER, "long x = 5;\n" OTHER);
	assert_true(refuses("x moves to b and changes (its size)"));
	make("int *x = 0;\n" OTHER, OTHER, OTHER, "long x = 0;\n" OTHER);
	assert_true(refuses("x moves to b and changes (its type)"));
	make("static int x = 5;\n" USE("x"), OTHER, OTHER, OTHER "static int x = 6;\n" USE("x"));
	assert_true(refuses("a: the variable x goes and x comes in b: if that is the same, moved"));
	/* of each unit's own functions one of the name */
	make("static int h(void) { return 1; }\nint (*x)(void) = h;\n", OTHER, OTHER,
	     "static int h(void) { return 1; }\nint (*x)(void) = h;\n" OTHER);
	assert_true(refuses("x moves to b and changes (h)"));
}

static void test_renamed(void **state)
{
	(void)state;
	make("static int x;\n" USE("x"), OTHER, OTHER, OTHER "static int y;\n" USE("y"));
	assert_true(refuses("a: the variable x goes and y comes in b: if that is its new name"));
	for (int i = 0; i < 2; i++)
		units[i].allow_state = true;
	passes();
	assert_string_equal(units[0].state, "x goes, y comes");
	assert_int_equal(moved("y"), 0);
	make("static int x;\n" USE("x"), "static int y;\n" USE("y"), OTHER, OTHER);
	assert_true(refuses("a: the variable x goes and y comes: if that is its new name"));
	make("static int x;\n" USE("x"), OTHER, OTHER, OTHER "static long y;\n" USE("y"));
	assert_true(refuses("a: the variable x goes and y comes in b: if that is its new name")); /* of another size */
	make("static int x;\n" USE("x"), "static int x;\n" USE("x"), OTHER, OTHER "static int x;\n" USE("x"));
	passes(); /* only new */
	assert_int_equal(moved("x"), 0);
}

static void test_not_known(void **state)
{
	(void)state;
	make("int x = 5;\n" OTHER, OTHER, OTHER, "int x = 5;\n" OTHER);
	known = false;
	assert_true(refuses("where the image has it is not known"));
	known = true;
	/* in a function of another name; a variable of each CPU */
	make("int f(void) { static int n; return ++n; }\n", OTHER, OTHER,
	     OTHER "int g(void) { static int n; return ++n; }\n");
	assert_true(refuses("if that is its new name"));
	make("int x __attribute__((section(\".data..percpu\"))) = 5;\n" OTHER, OTHER, OTHER,
	     "int x __attribute__((section(\".data..percpu\"))) = 5;\n" OTHER);
	assert_true(refuses("the variable x goes and x comes in b"));
}

static void test_reads(void **state)
{
	(void)state;
	make("static int x;\nvoid g(int a) { x = a; }\nint f(void) { return x; }\n",
	     "static int x;\nvoid g(int a) {}\nint f(void) { return x; }\n", OTHER, OTHER);
	assert_true(refuses("nothing writes x any more"));
	make("int x;\nint f(int a) { x = a; return x; }\n", "extern int x;\nint f(int a) { return x; }\n", OTHER,
	     OTHER);
	passes();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_moves),   cmocka_unit_test(test_moves_and_changes),
	        cmocka_unit_test(test_renamed), cmocka_unit_test(test_not_known),
	        cmocka_unit_test(test_reads),
	};

	return cmocka_run_group_tests_name("author_state", tests, author_units_start, author_units_end);
}
