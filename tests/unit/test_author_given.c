// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_given.c tools/author/patch_object.c tools/author/patch_homes.c
// sources: tools/author/patch_kind.c tools/author/patch_compare.c tools/author/patch_layout.c
// sources: tools/author/kallsyms.c tools/author/code.c tools/author/author.c tools/author/typenames.c
// sources: tests/unit/author_refuse.c tests/unit/author_units.c
// libs: -lelf -lbpf -lZydis
// cflags: -Itools/author
/* Functions whose addresses somebody may have: units of our own, and who gave them away in the image. */
#include "author_refuse.h"
#include "author_units.h"
#include "patch_given.h"
#include "references.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define PLACE 0xffffffff81000000ULL /* of whichever function is asked for */
#define TABLE 0xffffffff82000000ULL

/* --- What the rest of the tool would say --- */

static const char *giver; /* who has the address in the image: code, or at TABLE */
static bool in_table, overridden;

const struct proof_function *proof_of(const struct proof *p, const char *function)
{
	static struct proof_function f;
	const struct unit *u = (const struct unit *)(const void *)p;

	f = (struct proof_function){.symbol = unit_find(u, function), .va = PLACE, .overridden = overridden};
	return f.symbol ? &f : NULL;
}

bool references_find(const struct kernel *k, uint64_t start, uint64_t end,
                     bool (*wanted)(const void *arg, const struct reference *r), const void *arg,
                     struct reference *found)
{
	static struct ksym in;

	(void)k;
	assert_int_equal(start, PLACE);
	assert_true(end > PLACE);
	in = (struct ksym){0, giver, 't'};
	*found = (struct reference){in_table ? TABLE + 8 : PLACE + 0x100, &in, !in_table};
	return giver && wanted(arg, found);
}

static bool placed = true;

bool proof_place(const struct proof *p, const struct unit_symbol *s, uint64_t *va)
{
	(void)p, (void)s;
	*va = PLACE;
	return placed;
}

/* --- Units --- */

static struct patch_unit units[2];

static void make(const char *a, const char *b, const char *c, const char *d)
{
	author_unit(&units[0], "a", a, b);
	author_unit(&units[1], "b", c, d);
	for (size_t i = 0; i < 2; i++) {
		const struct comparison *cmp = units[i].c;

		units[i].proof = (const struct proof *)(const void *)units[i].shipped;
		units[i].replaced = xalloc(cmp->before->n_symbols + 1);
		for (uint32_t j = 1; j < cmp->after->n_symbols; j++)
			if (cmp->fate[j] == FATE_CHANGED)
				units[i].replaced[cmp->origin[j]] = true;
	}
}

static bool refuses(const char *says)
{
	return AUTHOR_REFUSES(NL_ESITE, given_check(units, 2, false)) && strstr(author_why, says);
}

static void passes(bool allow)
{
	if (setjmp(author_refused))
		fail_msg("refused: %s", author_why);
	given_check(units, 2, allow);
}

/* The table is a constant of the first unit that changes where it lies. */
static void change_in_place(const char *table)
{
	static struct patch_datum datum;

	datum = (struct patch_datum){.shipped = unit_find(units[0].shipped, table), .va = TABLE};
	units[0].datum = &datum;
	units[0].n_data = 1;
}

#define HEAD "struct w { long a[4]; void (*f)(struct w *); };\nvoid queue(struct w *);\n"
#define OTHER HEAD "int other(int a) { return a + 1; }\n"
#define WORK(name, body) "void " name "(struct w *w) { " body " }\n"
#define START(name) "void start(struct w *w) { w->f = " name "; queue(w); }\n"
#define FORM "work takes or returns something else after the patch, and start gave its address away before"

static void test_form(void **state)
{
	static const char old[] = HEAD WORK("work", "w->a[1]++;") START("work");
	static const char new[] =
	        HEAD "void work(long *a) { a[1]++; a[2]++; }\n" WORK("wrap", "work(w->a);") START("wrap");

	(void)state;
	giver = "start";
	make(old, new, OTHER, OTHER);
	assert_true(refuses("a: " FORM));
	passes(true);
	assert_int_equal(units[0].n_notes, 1);
	assert_non_null(strstr(units[0].notes[0], FORM "; ALLOWED"));
	giver = "somebody"; /* of another unit */
	assert_true(refuses("and somebody gave its address away"));
	giver = NULL;
	make(old, new, OTHER, OTHER);
	passes(false);
	/* a copy of what a table held would be called, too */
	giver = "ops", in_table = true;
	make(HEAD WORK("work", "w->a[1]++;") "const struct w ops = {.f = work};\n",
	     HEAD "void work(long *a) { a[1]++; a[2]++; }\n" WORK("wrap", "work(w->a);") "const struct w ops = {.f = "
	                                                                                 "wrap};\n",
	     OTHER, OTHER);
	change_in_place("ops");
	assert_true(refuses("work takes or returns something else after the patch, and ops gave"));
	in_table = false, giver = "start";
	/* what stays as it is; and what is another form by its names alone */
	make(old, HEAD "void work(const struct w *x) { ((struct w *)x)->a[1] += 2; }\n" START("(void *)work"), OTHER,
	     OTHER);
	passes(false);
	make(old, HEAD WORK("work", "w->a[1]++; w->a[2]++;") START("work"), OTHER, OTHER);
	passes(false);
	/* in another unit after the patch */
	make(old, HEAD "void wrap(struct w *);\n" START("wrap"), OTHER,
	     OTHER "void work(long *a) { a[1]++; a[2]++; }\n" WORK("wrap", "work(w->a);"));
	assert_true(refuses("a: " FORM));
}

/* Pointers that change as all their functions do: whoever calls through one knows. */
static void test_form_of_pointers(void **state)
{
#define LINK(more) "struct l { int (*f)(int a" more "); };\nint link(int a" more ") { return a + 2"
#define GIVE "void give(struct l *l) { l->f = link; }\n"
	(void)state;
	giver = "give";
	make(LINK("") "; }\n" GIVE, LINK(", int b") "+ b; }\n" GIVE, OTHER, OTHER);
	assert_int_equal(units[0].types.n_pairs, 1);
	passes(false);
	make(LINK("") "; }\n" GIVE, LINK(", int b") "+ b; }\n" GIVE, HEAD WORK("work", "w->a[1]++;") START("work"),
	     HEAD "int work(long *a) { return a[1]++; }\n" WORK("wrap", "work(w->a);") START("wrap"));
	giver = "start";
	assert_true(refuses("b: " FORM));
}

static void test_gone(void **state)
{
	static const char old[] = HEAD WORK("work", "w->a[1]++;") START("work");
	static const char new[] = HEAD WORK("works", "w->a[2]++;") START("works");
#define GONE "work is gone, or only a part of others, after the patch, and start gave its address away before"

	(void)state;
	giver = "start";
	make(old, new, OTHER, OTHER);
	assert_true(refuses("a: " GONE));
	passes(true);
	assert_non_null(strstr(units[0].notes[0], GONE "; ALLOWED"));
	overridden = true;
	make(old, new, OTHER, OTHER);
	passes(false);
	overridden = false;
	giver = NULL;
	passes(false);
	giver = "start"; /* it moves: global_check() has it */
	make(old, HEAD "void work(struct w *);\n" START("work"), OTHER, OTHER WORK("work", "w->a[2]++;"));
	passes(false);
	make(HEAD "static " WORK("work", "w->a[1]++;") START("work"), HEAD "void works(struct w *);\n" START("works"),
	     OTHER, OTHER "static " WORK("work", "w->a[1]++;") WORK("works", "work(w);"));
	assert_true(refuses("a: " GONE)); /* another one of the name is not it */
	make(HEAD "static " WORK("work", "w->a[1]++;") START("work"), HEAD "void work(struct w *);\n" START("work"),
	     OTHER, OTHER WORK("work", "w->a[1]++;"));
	assert_true(refuses("a: " GONE)); /* nor is one for all */
	make(HEAD "__attribute__((section(\".init.text\"))) " WORK("work", "w->a[1]++;") START("work"), new, OTHER,
	     OTHER);
	passes(false); /* nobody runs it any more */
}

/* A table that changes where it lies is read anew; one that does not has it still. */
static void test_gone_from_a_table(void **state)
{
#define OPS(name, f) "const struct w " name " = {.f = " f "};\n"
	(void)state;
	giver = "ops", in_table = true;
	make(HEAD WORK("work", "w->a[1]++;") OPS("ops", "work"), HEAD WORK("works", "w->a[2]++;") OPS("ops", "works"),
	     OTHER, OTHER);
	change_in_place("ops");
	passes(false);
	units[0].n_data = 0;
	assert_true(refuses(
	        "work is gone, or only a part of others, after the patch, and ops gave its address away before"));
	in_table = false;
}

/* Objects lead to a table: it may change where it lies, and not be another one. */
static void test_tables(void **state)
{
#define CALLS "static __attribute__((noinline,used)) " WORK("work", "w->a[1]++;")
#define LEADS(name) "const void *start(void) { return &" name "; }\n"
	(void)state;
	giver = "start";
	make(HEAD CALLS "static " OPS("ops", "work") LEADS("ops"), HEAD CALLS "static " OPS("opt", "work") LEADS("opt"),
	     OTHER, OTHER);
	units[0].c->outcome[unit_find(units[0].c->before, "work") - units[0].c->before->symbol] = 1;
	assert_true(
	        refuses("a: ops is gone from the source, and start gave its address away before: who has it goes on"));
	passes(true);
	placed = false;
	passes(false);
	placed = true;
	giver = NULL;
	passes(false);
	giver = "start"; /* no functions in it; and it moves: state_check() has it */
	make("static const int ops[2] = {1, 2};\n" LEADS("ops"), "static const int opt[2] = {1, 2};\n" LEADS("opt"),
	     OTHER, OTHER);
	passes(false);
	make(HEAD "void work(struct w *);\n" OPS("ops", "work") LEADS("ops"), OTHER, OTHER,
	     HEAD "void work(struct w *);\n" OPS("ops", "work") LEADS("ops"));
	units[0].replaced[unit_find(units[0].c->before, "start") - units[0].c->before->symbol] = false;
	passes(false);
}

/* An event that goes stays in the image, whole. */
static void test_events(void **state)
{
	(void)state;
	giver = "event", in_table = true;
	make(HEAD WORK("trace_raw_output_x", "w->a[1]++;"), OTHER, OTHER, OTHER);
	passes(false);
	in_table = false;
}

/* Who no longer gives away what others still do is named. */
static void test_fewer(void **state)
{
	(void)state;
	giver = "start";
	make(HEAD WORK("work", "w->a[1]++;") START("work") "void *more(void) { return work; }\n",
	     HEAD WORK("work",
	               "w->a[1]++;") "void works(struct w *);\n" START("works") "void *more(void) { return work; }\n",
	     OTHER, OTHER);
	passes(false);
	assert_int_equal(units[0].n_notes, 1);
	assert_string_equal(units[0].notes[0], "start no longer gives work away; who got it before goes on with it");
}

/* Still there, and called by what is registered in its place from now on. */
static void test_left(void **state)
{
	static const char old[] = HEAD WORK("work", "w->a[1]++;") START("work");
	static const char new[] = HEAD WORK("work", "w->a[1]++;") WORK("wrap", "queue(w); work(w);") START("wrap");
#define LEFT "work is given away by nobody after the patch, and start gave its address away before"

	(void)state;
	giver = "start";
	make(old, new, OTHER, OTHER);
	assert_true(refuses("a: " LEFT));
	passes(true);
	assert_non_null(strstr(units[0].notes[0], LEFT "; ALLOWED"));
	giver = "somebody"; /* who gives it away after the patch as before */
	make(old, new, OTHER, OTHER);
	passes(false);
	giver = "start";
	make(old, xformat("%svoid *more(void) { return work; }\n", new), OTHER, OTHER);
	passes(false);
	make(old, new, OTHER, OTHER "void work(struct w *);\nvoid *more(void) { return work; }\n");
	passes(false);
	/* whoever lists it does not give it away */
	make(old, xformat("%svoid *__UNIQUE_ID___addressable_work7 = work;\n", new), OTHER, OTHER);
	assert_true(refuses("a: " LEFT));
	/* in a table that changes where it lies */
	giver = "ops", in_table = true;
	make(HEAD WORK("work", "w->a[1]++;") OPS("ops", "work"),
	     HEAD WORK("work", "w->a[1]++;") WORK("wrap", "queue(w); work(w);") OPS("ops", "wrap"), OTHER, OTHER);
	change_in_place("ops");
	passes(false);
	in_table = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_form),   cmocka_unit_test(test_form_of_pointers),
	        cmocka_unit_test(test_gone),   cmocka_unit_test(test_gone_from_a_table),
	        cmocka_unit_test(test_tables), cmocka_unit_test(test_events),
	        cmocka_unit_test(test_fewer),  cmocka_unit_test(test_left),
	};

	return cmocka_run_group_tests_name("author_given", tests, author_units_start, author_units_end);
}
