// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_global.c tools/author/patch_object.c tools/author/patch_homes.c
// sources: tools/author/patch_kind.c tools/author/patch_compare.c tools/author/patch_layout.c
// sources: tools/author/kallsyms.c tools/author/code.c tools/author/author.c tools/author/typenames.c
// sources: tests/unit/author_refuse.c tests/unit/author_units.c
// libs: -lelf -lbpf -lZydis
// cflags: -Itools/author
/* Names that others can link to: units of our own, and what the image has under the same names. */
#include "aliases.h"
#include "author_refuse.h"
#include "author_units.h"
#include "branches.h"
#include "patch_global.h"
#include "references.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define PLACE 0xffffffff81000000ULL /* of a unit's functions */
#define OTHERS 0xffffffff81800000ULL
#define CALLER 0xffffffff81900000ULL
#define MODULE 0xffffffffc0000000ULL

/* --- What the rest of the tool would say --- */

static const char *caller, *holder; /* who calls, and holds the address of, whatever is asked for */
static bool overridden, folded;

const struct proof_function *proof_of(const struct proof *p, const char *function)
{
	static struct proof_function f;
	const struct unit *u = (const struct unit *)(const void *)p;
	const struct unit_symbol *s = unit_find(u, function);

	f = (struct proof_function){.symbol = s, .va = PLACE, .overridden = overridden};
	return s ? &f : NULL;
}

bool patch_site(struct patch_unit *p, const struct unit_symbol *before, const char *why, struct patch_function *out)
{
	*out = (struct patch_function){unit_find(p->shipped, before->name), PLACE, why, false};
	return true;
}

bool kernel_owns(const struct kernel *k, uint64_t va) { return k->module ? va >= MODULE : va < MODULE; }

char *aliases_of(const struct kernel *k, const char *name, uint64_t va)
{
	(void)k, (void)name, (void)va;
	return folded ? xformat("another") : NULL;
}

bool branches_find(const struct kernel *k, uint64_t start, uint64_t end,
                   bool (*unwanted)(const void *arg, const struct branch *b), const void *arg, struct branch *found)
{
	static struct ksym in;

	(void)k, (void)end;
	in = (struct ksym){CALLER, caller, 't'};
	*found = (struct branch){CALLER + 8, start, &in, true};
	return caller && unwanted(arg, found);
}

bool references_find(const struct kernel *k, uint64_t start, uint64_t end,
                     bool (*wanted)(const void *arg, const struct reference *r), const void *arg,
                     struct reference *found)
{
	static struct ksym in;

	(void)k;
	assert_true(end > start);
	in = (struct ksym){CALLER, holder, 'd'};
	*found = (struct reference){CALLER + 8, &in, false};
	return holder && wanted(arg, found);
}

bool proof_place(const struct proof *p, const struct unit_symbol *s, uint64_t *va)
{
	(void)p, (void)s;
	*va = PLACE + 0x800;
	return true;
}

/* --- Units and the image --- */

static struct patch_unit units[2];
static struct ksym sym = {OTHERS, "x", 0};

static void make(char letter, const char *a, const char *b, const char *c, const char *d)
{
	static uint32_t order[] = {0};

	sym.type = letter;
	author_units_kernel.syms = (struct kallsyms){.sym = &sym, .n = letter != 0, .by_name = order};
	author_unit(&units[0], "a", a, b);
	author_unit(&units[1], "b", c, d);
	for (size_t i = 0; i < 2; i++) {
		units[i].proof = (const struct proof *)(const void *)units[i].shipped;
		units[i].moved = xalloc((units[i].c->after->n_symbols + 1) * sizeof(*units[i].moved));
	}
}

static bool refuses(const char *says)
{
	return AUTHOR_REFUSES(NL_ESITE, global_check(units, 2)) && strstr(author_why, says);
}

static void passes(void)
{
	if (setjmp(author_refused))
		fail_msg("refused: %s", author_why);
	global_check(units, 2);
}

/* Where the second unit's x is bound. */
static uint64_t bound(void) { return units[1].moved[unit_find(units[1].c->after, "x") - units[1].c->after->symbol]; }

#define OTHER "int other(int a) { return a + 1; }\n"
#define X "int x(int a) { return a + 2; }\n"
#define WEAK "__attribute__((weak)) "

static void test_of_another_unit(void **state)
{
	(void)state;
	make('W', OTHER, OTHER, OTHER, OTHER X);
	passes();
	assert_int_equal(units[1].n_functions, 1);
	assert_string_equal(units[1].function[0].shipped->name, "x");
	assert_int_equal(units[1].function[0].va, OTHERS);
	assert_int_equal(bound(), OTHERS);
	make('W', OTHER, OTHER, OTHER, OTHER X);
	folded = true;
	assert_true(refuses("the image's weak one is one code with another"));
	folded = false;
	make('T', OTHER, OTHER, OTHER, OTHER X);
	assert_true(refuses("b: x is new here, and the image has one of that name"));
	make('D', OTHER, OTHER, OTHER, OTHER "int x = 1;\n");
	assert_true(refuses("b: x is new here, and the image has one of that name"));
	make('T', OTHER, OTHER, OTHER, OTHER WEAK X);
	passes();
	assert_int_equal(units[1].n_functions, 0);
	assert_int_equal(bound(), OTHERS);
	make('W', OTHER, OTHER, OTHER, OTHER WEAK X);
	assert_true(refuses("which is weak, too"));
}

/* A static one of another unit, a new static one, and what the image does not have. */
static void test_none(void **state)
{
	static const char letters[] = {'t', 'A', 0};

	(void)state;
	for (size_t i = 0; i < sizeof(letters); i++) {
		make(letters[i], OTHER, OTHER, OTHER, OTHER X);
		passes();
		assert_int_equal(units[1].n_functions, 0);
		assert_int_equal(bound(), 0);
	}
	make('T', OTHER, OTHER, OTHER "int y(int a) { return a; }\n",
	     OTHER "static __attribute__((noinline)) " X "int y(int a) { return x(a); }\n");
	passes();
	assert_int_equal(bound(), 0);
}

static void test_moves(void **state)
{
	(void)state;
	make('T', X OTHER, OTHER, OTHER, OTHER "int x(int a) { return a + 3; }\n");
	passes();
	assert_int_equal(units[1].n_functions, 1);
	assert_int_equal(units[1].function[0].va, PLACE);
	assert_string_equal(units[1].function[0].why, "moves here from a");
	assert_int_equal(bound(), PLACE);
	make('T', X OTHER, OTHER, OTHER, OTHER "int x(int a) { return a + 3; }\n");
	folded = true;
	assert_true(refuses("x moves to b, and is one code with another"));
	folded = false;
}

static void test_two(void **state)
{
	(void)state;
	make(0, OTHER, OTHER WEAK X, OTHER, OTHER X);
	assert_true(refuses("and the patch changes or adds one in"));
	make('W', OTHER WEAK X, OTHER WEAK "int x(int a) { return a + 3; }\n", OTHER, OTHER X);
	assert_true(refuses("b: x is new, and the patch changes or adds one in a, too"));
	make('W', OTHER WEAK X, OTHER WEAK X, OTHER, OTHER X);
	passes();
	assert_int_equal(units[1].n_functions, 1);
}

static void test_binding(void **state)
{
	(void)state;
	make('W', OTHER, OTHER, WEAK X, X);
	passes();
	make('T', OTHER, OTHER, X, WEAK X);
	passes();
	overridden = true;
	make('T', OTHER, OTHER, WEAK X, X);
	assert_true(refuses("x is no longer weak"));
	overridden = false;
	make('W', OTHER, OTHER, "static __attribute__((noinline,used)) " X, X);
	assert_true(refuses("x is no longer static"));
	make('t', OTHER, OTHER, "static __attribute__((noinline,used)) " X, X);
	passes();
}

/* The second unit's x goes: for those who still call it there is another. */
static void test_gone(void **state)
{
	(void)state;
	make('T', OTHER, OTHER, OTHER X, OTHER);
	caller = "somebody";
	assert_true(refuses("b: the patch takes x away, and somebody, which it does not change, calls it"));
	caller = "other";
	passes();
	caller = NULL;
	passes();
	caller = "somebody";
	make('T', OTHER, OTHER, OTHER X, OTHER "static __attribute__((noinline,used)) " X);
	assert_true(refuses("b: the patch takes x away"));
	make('T', OTHER, OTHER X, OTHER X, OTHER);
	passes();
	make('T', OTHER, OTHER, OTHER X, OTHER);
	folded = true; /* the call may mean the other name */
	assert_true(refuses("b: the patch takes x away, which is one code with another, and somebody"));
	caller = NULL;
	passes();
	folded = false;
}

/* A table of another unit has its address; a variable goes. */
static void test_held(void **state)
{
	(void)state;
	make('T', OTHER, OTHER, OTHER X, OTHER);
	holder = "table";
	assert_true(refuses("b: the patch takes x away, and table, which it does not change, uses it"));
	holder = "other";
	passes();
	make('D', OTHER, OTHER, OTHER "int x = 1;\n", OTHER);
	passes();
	holder = "table";
	assert_true(refuses("b: the patch takes x away, and table, which it does not change, uses it"));
	make('D', OTHER, OTHER, OTHER "int x = 1;\n", OTHER "static int x = 1;\nint f(void) { return ++x; }\n");
	assert_true(refuses("b: the patch takes x away"));
	holder = NULL;
	make('D', OTHER, OTHER, OTHER "int x = 1;\n", OTHER);
	passes();
}

/* What a module adds is another than what the image has under that name, and than what another module has. */
static void test_of_another_object(void **state)
{
	struct kernel module = {.module = (const struct module *)(const void *)&module}, other = module;

	(void)state;
	make('T', OTHER, OTHER, OTHER, OTHER X);
	module.syms = other.syms = author_units_kernel.syms;
	units[1].k = &module;
	passes();
	assert_int_equal(bound(), 0);
	sym.va = MODULE + 0x800;
	assert_true(refuses("b: x is new here, and the image has one of that name"));
	sym.va = OTHERS;
	make('T', OTHER X, OTHER, OTHER, OTHER X); /* it does not move from one to the other */
	units[0].k = &other;
	units[1].k = &module;
	passes();
	assert_int_equal(bound(), 0);
	assert_int_equal(units[1].n_functions, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_of_another_unit),
	        cmocka_unit_test(test_of_another_object),
	        cmocka_unit_test(test_none),
	        cmocka_unit_test(test_moves),
	        cmocka_unit_test(test_two),
	        cmocka_unit_test(test_binding),
	        cmocka_unit_test(test_gone),
	        cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests_name("author_global", tests, author_units_start, author_units_end);
}
