// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_renamed.c tools/author/patch_layout.c tools/author/patch_diff.c tools/author/patch_cves.c
// sources: tools/author/patch_object.c tools/author/patch_homes.c tools/author/patch_kind.c
// sources: tools/author/patch_compare.c tools/author/kallsyms.c tools/author/code.c
// sources: tools/author/author.c tools/author/typenames.c tests/unit/author_refuse.c tests/unit/author_units.c
// libs: -lelf -lbpf -lZydis
// cflags: -Itools/author
/* Structures that go while others come: the same under another name, and what only happens at once. */
#include "author_units.h"
#include "patch_renamed.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define LIST "struct list_head { struct list_head *next, *prev; };\n"
#define USE(type) "long f(struct " type " *p) { return (long)p + sizeof(*p); }\n"
#define OTHER "int other(void) { return 7; }\n"

static struct patch_unit units[2], image;

static struct buf text_of(const char *s)
{
	struct buf b = {0};

	buf_add(&b, s, strlen(s));
	return b;
}

/* Is it said of the patch whose lines are `lines`? what: NULL = nothing is. */
static bool says(const char *what, const char *lines, size_t n)
{
	const struct layout types[] = {units[0].types, units[1].types};
	char *patch = xformat("--- a/x.c\n+++ b/x.c\n@@ -1,%d +1,%d @@\n%s", (int)*lines, (int)lines[1], lines + 2);
	struct buf b = text_of(patch);
	char **taken, *how;
	size_t n_taken;

	taken = renamed_taken(diff_parse("x.patch", &b), &n_taken);
	how = renamed_change(types, n, image.types.before, taken, n_taken);
	if (how && (!what || !strstr(how, what)))
		print_message("said: %s\n", how);
	return what ? how && strstr(how, what) : !how;
}

#define NO_DEFINITION "\1\1-a\n+b\n"

static void make(const char *before, const char *after)
{
	author_unit(&units[0], "a", before, after);
	author_unit(&image, "image", before, OTHER);
}

static void test_most_members(void **state)
{
	(void)state;
	make("struct x { void *d; int a; int b; };\n" USE("x"),
	     "struct y { int new; void *d; int a; int b; };\n" USE("y"));
	assert_true(says("struct x goes while struct y comes with most of its members, and is laid out otherwise (new "
	                 "where d was)",
	                 NO_DEFINITION, 1));
	/* laid out as it was, though it points to itself */
	make("struct x { struct x *d; int a; int b; };\n" USE("x"),
	     "struct y { struct y *d; int a; int b; };\n" USE("y"));
	assert_true(says(NULL, NO_DEFINITION, 1));
	/* through unnamed parts, and by typedefs */
	make("typedef struct { struct { int a, b; }; int c; } x;\nlong f(x *p) { return p->a + sizeof(*p); }\n",
	     "typedef struct { int c; struct { int a, b; }; } y;\nlong f(y *p) { return p->a + sizeof(*p); }\n");
	assert_true(says("type x goes while type y comes", NO_DEFINITION, 1));
	/* a part of it, renamed with it */
	make("struct i { int a, b, c; };\nstruct x { struct i i; int b, c; };\n" USE("x"),
	     "struct j { int a, b, c; };\nstruct y { struct j i; int b, c; };\n" USE("y"));
	assert_true(says(NULL, NO_DEFINITION, 1));
	make("struct i { int a, b, c; };\nstruct x { struct i i; int b, c; };\n" USE("x"),
	     "struct j { int b, a, c; };\nstruct y { struct j i; int b, c; };\n" USE("y"));
	assert_true(says("struct i goes while struct j comes", NO_DEFINITION, 1));
}

/* Few members of one name are an accident, unless the patch takes the definition itself away. */
static void test_few_members(void **state)
{
	(void)state;
	make("struct x { void *d; int a; };\n" USE("x"), "struct y { int new; void *d; int a; };\n" USE("y"));
	assert_true(says(NULL, NO_DEFINITION, 1));
	assert_true(says("struct x goes", "\1\1-struct x {\n+struct y\n", 1));
	assert_true(says("struct x goes", "\1\1-typedef struct x\n+struct y {\n", 1));
	assert_true(says(NULL, "\1\1-struct x {\n+struct x {\n", 1)); /* it only moves within the source */
	assert_true(says(NULL, "\1\1-struct x *a;\n+struct y *a;\n", 1));
	make("struct x { int state, z; };\n" USE("x"), "struct y { long t; int u; };\n" USE("y"));
	assert_true(says(NULL, "\1\1-struct x {\n+struct y {\n", 1));
}

/* What hangs on a list is found there, whatever its other members are called. */
static void test_links(void **state)
{
	(void)state;
	make(LIST "struct x { struct list_head l; int a; };\n" USE("x"),
	     LIST "struct y { int b; struct list_head m; };\n" USE("y"));
	assert_true(says(NULL, NO_DEFINITION, 1)); /* one more, while a last user goes */
	assert_true(says("links of its own", "\1\1-struct x {\n+struct y {\n", 1));
	make(LIST "struct x { struct list_head l; int a; };\n" USE("x"),
	     LIST "struct y { struct list_head m; int b; };\n" USE("y"));
	assert_true(says(NULL, "\1\1-struct x {\n+struct y {\n", 1)); /* new names, and nothing else */
	make("struct x { void *l; int a; };\n" USE("x"), LIST "struct y { int b; struct list_head m; };\n" USE("y"));
	assert_true(says(NULL, "\1\1-struct x {\n+struct y {\n", 1));
}

static void test_lawful(void **state)
{
	(void)state;
	/* only gone, only new */
	make("struct x { void *d; int a; int b; };\n" USE("x"), OTHER);
	assert_true(says(NULL, "\1\1-struct x {\n+a\n", 1));
	make(OTHER, "struct x { void *d; int a; int b; };\n" USE("x"));
	assert_true(says(NULL, "\1\1-a\n+struct x {\n", 1));
	/* the second is one that the kernel has had all along */
	make("struct x { void *d; int a; int b; };\n" USE("x"),
	     "struct y { int new; void *d; int a; int b; };\n" USE("y"));
	author_unit(&image, "image", "struct y { int new; void *d; int a; int b; };\n" USE("y"), OTHER);
	assert_true(says(NULL, NO_DEFINITION, 1));
	author_unit(&image, "image", "struct y { int old; void *d; int a; int c; };\n" USE("y"), OTHER);
	assert_true(says("struct x goes", NO_DEFINITION, 1));
}

/* From one unit of the patch to another. */
static void test_across_units(void **state)
{
	(void)state;
	make("struct x { void *d; int a; int b; };\n" USE("x"), OTHER);
	author_unit(&units[1], "b", OTHER, "struct y { int new; void *d; int a; int b; };\n" USE("y"));
	assert_true(says("struct x goes while struct y comes", NO_DEFINITION, 2));
	author_unit(
	        &units[1], "b", "struct x { void *d; int a; int b; };\n" USE("x"),
	        "struct x { void *d; int a; int b; };\n" USE("x") "struct y { int new; void *d; int a; int b; };\nlong "
	                                                          "g(struct y *p) { return (long)p + sizeof(*p); }\n");
	assert_true(says(NULL, NO_DEFINITION, 2)); /* it goes on there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_most_members), cmocka_unit_test(test_few_members),  cmocka_unit_test(test_links),
	        cmocka_unit_test(test_lawful),       cmocka_unit_test(test_across_units),
	};

	return cmocka_run_group_tests_name("author_renamed", tests, author_units_start, author_units_end);
}
