// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/recipe.c tools/author/author.c tests/unit/author_refuse.c
// cflags: -Itools/author
/* The recipe language: what each statement means, and that every mistake is refused with its line. */
#include "author_refuse.h"
#include "recipe.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define HEAD "id x\nversion 1\n"
#define DATA "data (u32) a = 1\n"

static void test_all_statements(void **state)
{
	struct recipe *r =
	        recipe_parse("some/dir/x.recipe",
	                     "# comment\n"
	                     "id fix-1.2_a\n"
	                     "version 7 # trailing\n"
	                     "description \"says # what\"\n"
	                     "consistency strict\n"
	                     "data (struct inode_operations) ops.setattr = &proc_setattr expect NULL\n"
	                     "data (struct table) many,2+0x40.entry[3].max = -1 expect 0x10\n"
	                     "data (u16) word+2 = 5\n"
	                     "body helper.c\n"
	                     "replace func with body.c\n"
	                     "replace other,3 with body.c:new_other old 0123456789abcdef allow types allow clones\n"
	                     "old fedcba98765432100 00112233445566778899 # two\n"
	                     "symbol lock = mutex,2\n"
	                     "cve CVE-2024-1086 CVE-2026-12345 # two\n"
	                     "author A. N. Other <a@example.org>  # of the fix\n"
	                     "source https://example.org/?p=a.git#top # and no comment before it\n"
	                     "licence GPL-2.0-only\n"
	                     "date 2026-11-25\n"
	                     "requires base-fix 3\n"
	                     "requires other.fix\n"
	                     "supersedes old_fix 4\n"
	                     "supersedes older\n"
	                     "conflicts enemy\n");
	static const struct recipe_fact facts[] = {
	        {NL_FACT_CVE, (char *)"CVE-2024-1086", 0},
	        {NL_FACT_CVE, (char *)"CVE-2026-12345", 0},
	        {NL_FACT_AUTHOR, (char *)"A. N. Other <a@example.org>", 0},
	        {NL_FACT_SOURCE, (char *)"https://example.org/?p=a.git#top", 0},
	        {NL_FACT_LICENCE, (char *)"GPL-2.0-only", 0},
	        {NL_FACT_DATE, (char *)"2026-11-25", 0},
	        {NL_FACT_REQUIRES, (char *)"base-fix", 3},
	        {NL_FACT_REQUIRES, (char *)"other.fix", 0},
	        {NL_FACT_SUPERSEDES, (char *)"old_fix", 4},
	        {NL_FACT_SUPERSEDES, (char *)"older", 0},
	        {NL_FACT_CONFLICTS, (char *)"enemy", 0},
	};

	(void)state;
	assert_string_equal(r->directory, "some/dir");
	assert_string_equal(r->id, "fix-1.2_a");
	assert_int_equal(r->version, 7);
	assert_string_equal(r->description, "says # what");
	assert_int_equal(r->n_fact, NL_ARRAY_SIZE(facts));
	for (size_t i = 0; i < r->n_fact; i++) {
		assert_int_equal(r->fact[i].kind, facts[i].kind);
		assert_string_equal(r->fact[i].text, facts[i].text);
		assert_int_equal(r->fact[i].version, facts[i].version);
	}
	assert_int_equal(r->consistency, NL_CONSISTENCY_STRICT);
	assert_int_equal(r->n_data, 3);
	assert_string_equal(r->data[0].type, "struct inode_operations");
	assert_string_equal(r->data[0].symbol.name, "ops");
	assert_int_equal(r->data[0].symbol.position, 0);
	assert_string_equal(r->data[0].path, "setattr");
	assert_true(r->data[0].value.address);
	assert_string_equal(r->data[0].value.symbol.name, "proc_setattr");
	assert_true(r->data[0].has_expect && !r->data[0].expect.address && !r->data[0].expect.number);
	assert_int_equal(r->data[0].line, 6);
	assert_int_equal(r->data[1].symbol.position, 2);
	assert_int_equal(r->data[1].symbol.addend, 0x40);
	assert_string_equal(r->data[1].path, "entry[3].max");
	assert_true(r->data[1].value.number == UINT64_MAX);
	assert_int_equal(r->data[1].expect.number, 0x10);
	assert_string_equal(r->data[2].type, "u16");
	assert_string_equal(r->data[2].path, "");
	assert_int_equal(r->data[2].symbol.addend, 2);
	assert_false(r->data[2].has_expect);
	assert_int_equal(r->n_replace, 2);
	assert_string_equal(r->replace[0].body, "func");
	assert_false(r->replace[0].allow_clones);
	assert_int_equal(r->replace[1].function.position, 3);
	assert_string_equal(r->replace[1].body, "new_other");
	assert_true(r->replace[1].allow_clones && !r->replace[1].allow_old);
	assert_int_equal(r->replace[1].n_old, 3);
	assert_string_equal(r->replace[1].old[2], "00112233445566778899");
	assert_int_equal(r->replace[0].n_old, 0);
	assert_int_equal(r->n_source, 2); /* each source once */
	assert_string_equal(r->source[0], "helper.c");
	assert_string_equal(r->source[1], "body.c");
	assert_true(!r->allow[0] && r->allow[1] == ALLOW_TYPES);
	assert_int_equal(r->n_alias, 1);
	assert_string_equal(r->alias[0].symbol.name, "mutex");
	assert_int_equal(r->alias[0].symbol.position, 2);
}

static bool refused(const char *text)
{
	author_why[0] = 0;
	return AUTHOR_REFUSES(NL_ERECIPE, recipe_parse("r", text));
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
	        {"version 1\n" DATA, "no 'id'"},
	        {"id x\n" DATA, "no 'version'"},
	        {HEAD, "do nothing"},
	        {HEAD "id y\n" DATA, ":3: a second id"},
	        {"id X\nversion 1\n" DATA, ":1: an id"},
	        {"id -x\nversion 1\n" DATA, ":1: an id"},
	        {"id aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nversion 1\n" DATA, ":1: an id"},
	        {"id x\nversion 0\n" DATA, ":2: versions"},
	        {"id x\nversion 4294967296\n" DATA, ":2: versions"},
	        {"id x\nversion one\n" DATA, ":2: a number"},
	        {HEAD "sing\n", ":3: unknown statement 'sing'"},
	        {HEAD "cve CVE-24-1086\n" DATA, ":3: 'CVE-24-1086' is no CVE"},
	        {HEAD "cve CVE-2024-108\n" DATA, ":3: 'CVE-2024-108' is no CVE"},
	        {HEAD "cve CVE-2024-1086x\n" DATA, ":3: 'CVE-2024-1086x' is no CVE"},
	        {HEAD "cve\n" DATA, ":3: a CVE expected"},
	        {HEAD "author  # nobody\n" DATA, ":3: an author has 1 to 512 characters"},
	        {HEAD "author gr\303\274n\n" DATA, ":3: an author is plain text"},
	        {HEAD "source ftp://example.org\n" DATA, ":3: 'ftp://example.org' is no https"},
	        {HEAD "date 25.11.2026\n" DATA, ":3: '25' is no date"},
	        {HEAD "date 2026-11-255\n" DATA, ":3: '2026-11-255' is no date"},
	        {HEAD "requires Base\n" DATA, ":3: the id of a leaf expected"},
	        {HEAD "requires base x\n" DATA, ":3: a number expected"},
	        {HEAD "requires -x\n" DATA, ":3: '-x' is no id of a leaf"},
	        {HEAD "conflicts a b\n" DATA, ":3: not understood from 'b' on"},
	        {HEAD "consistency loud\n" DATA, ":3: unknown consistency 'loud'"},
	        {HEAD "data (struct) a.b = 1\n", ":3: the name of a type"},
	        {HEAD "data (long) a = 1\n", ":3: 'long' is no type"},
	        {HEAD "data (struct s) a = 1\n", ":3: which member"},
	        {HEAD "data (u32) a 1\n", ":3: '='"},
	        {HEAD "data (u32) a = \n", ":3: a number"},
	        {HEAD "data (u32) a = 1 2\n", ":3: not understood from '2'"},
	        {HEAD "data (u32) a = 1 expect\n", ":3: a number"},
	        {HEAD "data (u32) a,0 = 1\n", ":3: places"},
	        {HEAD "data (u64) a = 18446744073709551616\n", ":3: a number"},
	        {HEAD "data (u32) a = 1x\n", ":3: a number"},
	        {HEAD "replace f body.c\n", ":3: 'with'"},
	        {HEAD "replace f with body.o\n", ":3: 'body.o' is no C source"},
	        {HEAD "body .c\n" DATA, ":3: '.c' is no C source"},
	        {HEAD "body dir/.c\n" DATA, ":3: 'dir/.c' is no C source"},
	        {HEAD "body \"x$(shell id).c\"\n" DATA, ":3: 'x$(shell id).c': the name of a source"},
	        {HEAD "body dir/--eval=x.c\n" DATA, ":3: '--eval=x.c': the name of a source"},
	        {HEAD "replace f with \"a b.c\"\n", ":3: 'a b.c': the name of a source"},
	        {HEAD "replace f with dir/.b.c\n", ":3: '.b.c': the name of a source"},
	        {HEAD "replace f with body.c: \n", ":3: the name of a function"},
	        {HEAD "replace f with body.c allow all\n", ":3: unknown permission 'all'"},
	        {HEAD "replace f with body.c old 0123\n", ":3: '0123' is no hash"},
	        {HEAD "replace f with body.c old 0123456789ABCDEF\n", "is no hash"},
	        {HEAD "old 0123456789abcdef\n", ":3: 'old' belongs below a 'replace'"},
	        {HEAD "description \"open\n" DATA, ":3: '\"'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!refused(bad[i].text) || !strstr(author_why, bad[i].says))
			fail_msg("case %zu: wanted '%s', got '%s'", i, bad[i].says, author_why);
	}
}

static void test_too_many(void **state)
{
	char *text = xformat(HEAD);

	(void)state;
	for (int i = 0; i <= (int)RECIPE_MAX; i++)
		text = xformat("%s" DATA, text);
	assert_true(refused(text));
	assert_non_null(strstr(author_why, "too many data"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_all_statements),
	        cmocka_unit_test(test_mistakes),
	        cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
