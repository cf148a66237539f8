// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_live.c tools/author/patch_diff.c tools/author/patch_cves.c
// sources: tools/author/patch_glue.c tools/author/author.c
// sources: tools/author/patch_names.c tests/unit/author_refuse.c
// cflags: -Itools/author
/* Structures that a patch hangs on objects which live already: what is such a one, and what only looks like it. */
#include "author_refuse.h"
#include "patch_live.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static void test_structures(void **state)
{
	const char *text =
	        "--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,6 @@\n struct old {\n+struct state {\n+\tstruct user *user;\n"
	        "-struct gone {\n+struct other\n+{\n \tint a;\n";
	struct buf b = {0};
	char **names;
	size_t n;

	(void)state;
	buf_add(&b, text, strlen(text));
	names = live_structures(diff_parse("x.patch", &b), &n);
	assert_int_equal(n, 2);
	assert_string_equal(names[0], "state");
	assert_string_equal(names[1], "other");
}

static char *ask(const char *dump)
{
	static char *structures[] = {"state"};
	char *copy = xformat("%s", dump);

	return live_member(copy, structures, 1);
}

#define PUT \
	"int make (struct inode * inode)\n{\n  struct state * s;\n\n  s = kzalloc (8);\n  inode->i_private = s;\n}\n"
#define GET "int fault (struct file * f)\n{\n  struct state * s;\n\n  inode = file_inode (f);\n"

static void test_found_where_it_was_put(void **state)
{
	(void)state;
	assert_non_null(strstr(ask(PUT GET "  s = inode->i_private;\n}\n"), "fault finds a struct state"));
	assert_non_null(strstr(ask(PUT GET "  s = inode->i_private;\n}\n"), "i_private of an object, where make puts"));
	/* by way of other objects, and as a member of a member */
	assert_non_null(ask(PUT GET "  s = f->f_inode->i_private;\n}\n"));
	assert_non_null(
	        ask("int a (struct k * k, struct state * s)\n{\n  k->u.own = s;\n}\n" GET "  s = k->u.own;\n}\n"));
}

static void test_only_looks_like_it(void **state)
{
	(void)state;
	assert_null(ask(PUT));                                /* nobody looks for it */
	assert_null(ask(GET "  s = inode->i_private;\n}\n")); /* somebody else's: handed on for a call */
	assert_null(ask(PUT GET "  s = inode->i_other;\n}\n"));
	assert_null(ask("int f (struct walk * w)\n{\n  struct state s;\n\n  w->i_private = &s;\n}\n" GET
	                "  s = w->i_private;\n}\n"));
	assert_null(ask(
	        "int f (struct state * s)\n{\n  struct state * next;\n\n  s->next = next;\n  next = s->next;\n}\n"));
	/* a variable of the same name in another function has another type */
	assert_null(ask(PUT "int g (struct inode * inode)\n{\n  struct other * s;\n\n  s = inode->i_private;\n}\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_structures),
	        cmocka_unit_test(test_found_where_it_was_put),
	        cmocka_unit_test(test_only_looks_like_it),
	};

	return cmocka_run_group_tests_name("author_live", tests, NULL, NULL);
}
