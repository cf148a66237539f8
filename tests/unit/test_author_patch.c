// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_diff.c tools/author/patch_cves.c tools/author/patch_apply.c tools/author/patch_head.c
// sources: tools/author/patch_names.c tools/author/patch_glue.c tools/author/author.c
// sources: tests/unit/author_refuse.c
// cflags: -Itools/author
/* The reader of patches: what is taken, how it is applied, which lines keep their number, whom a header concerns; and
 * that a hostile or damaged patch is refused. */
#include "author_refuse.h"
#include "patch_cves.h"
#include "patch_diff.h"
#include "patch_names.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define OLD "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"
#define HUNK "@@ -2,4 +2,5 @@\n two\n-three\n+THREE\n+more\n four\n five\n"

static struct buf text_of(const char *s)
{
	struct buf b = {0};

	if (*s)
		buf_add(&b, s, strlen(s));
	return b;
}

static struct diff *parse(const char *s)
{
	struct buf b = text_of(s);

	return diff_parse("x.patch", &b);
}

static char *applied(const char *patch, const char *old, bool keep_lines)
{
	struct diff *d = parse(patch);
	struct buf b = text_of(old), new = diff_apply(d, &d->file[0], &b, keep_lines);

	return xformat("%.*s", (int)new.n, (char *)new.p);
}

static void test_header(void **state)
{
	struct diff *d = parse("From 0123456789abcdef0123 Mon Sep 17 00:00:00 2001\nFrom: A B <a@example.org>\n"
	                       "Date: Mon, 1 Jan 2026\nSubject: [PATCH 1/2] fs: mend\n it\n\nFixes CVE-2026-12345, "
	                       "CVE-2026-12345 and CVE-2025-1\n---\n fs/x.c | 2 +\n\n"
	                       "diff --git a/fs/x.c b/fs/x.c\nindex 1..2 100644\n--- a/fs/x.c\n+++ b/fs/x.c\n" HUNK
	                       "-- \n2.39\n");

	(void)state;
	assert_string_equal(d->commit, "0123456789abcdef0123");
	assert_string_equal(d->author, "A B <a@example.org>");
	assert_string_equal(d->subject, "[PATCH 1/2] fs: mend it");
	assert_int_equal(d->n_cves, 1);
	assert_string_equal(d->cve[0], "CVE-2026-12345");
	assert_int_equal(d->n_files, 1);
	assert_string_equal(d->file[0].path, "fs/x.c");
	assert_int_equal(d->file[0].kind, DIFF_CHANGED);
	assert_int_equal(d->file[0].n_hunks, 1);
}

/* "claimed CVEs|those only spoken of", each before a blank */
static char *cves(const char *path, const char *header)
{
	struct buf b = text_of(xformat("%s\n--- a/x.c\n+++ b/x.c\n" HUNK, header));
	struct diff *d = diff_parse(path, &b);
	char *all = xformat("%s", "");

	for (size_t i = 0; i < d->n_cves; i++)
		all = xformat("%s%s ", all, d->cve[i]);
	all = xformat("%s|", all);
	for (size_t i = 0; i < d->n_spoken_of; i++)
		all = xformat("%s%s ", all, d->spoken_of[i]);
	return all;
}

#define A "CVE-2023-1234"
#define B "CVE-2024-56789"

static void test_cves(void **state)
{
	static const char *const mended[] = {
	        "Subject: [PATCH] fs: mend it (" A ")",
	        "Subject: [SRU][" A "] fs: mend it",
	        "Subject: fs: mend\n " A " at last",
	        "CVE: " A,
	        "CVE: " A " #Dependent patch",
	        A,
	        "    " A,
	        "Fixes " A ".",
	        "Fixes: " A,
	        "References: bsc#1209035 " A,
	        "Bug-Debian-Security: https://security-tracker.debian.org/tracker/" A,
	        "Bug: https://bugzilla.example.org/" A,
	        "Description: fs: mend " A,
	};
	static const char *const named[] = {
	        "The mitigation of " A " was incomplete.",
	        "This is similar to " A,
	        "Subject: Revert \"fs: mend " A "\"",
	        "Subject: fs: mend a regression by the fix of " A,
	        "Fixes: 0123456789ab (\"fs: mend " A "\")",
	        "Link: https://nvd.nist.gov/vuln/detail/" A,
	        "Not this one: " A,
	        "Fixes " A " in part only",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mended) / sizeof(*mended); i++)
		assert_string_equal(cves("x.patch", mended[i]), A " |");
	for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
		assert_string_equal(cves("x.patch", named[i]), "|" A " ");
	assert_string_equal(cves("x.patch", "CVE: " A ", " B), A " " B " |");
	assert_string_equal(cves("x.patch", "See " A " and " B "\n" A " " B), A " " B " |");
	assert_string_equal(cves("x.patch", A "\nSee " A " and " B), A " |" B " ");
	assert_string_equal(cves("CVE-1.d/0001-" A "-fix.patch", "See " A), A " |");
	assert_string_equal(cves("cve-2023-1234.diff", ""), A " |");
	assert_string_equal(cves("revert-" A ".patch", ""), "|" A " ");
	assert_string_equal(cves("x.patch", "CVE: CVE-2025-1, CVE-20251-12345"), "|");
}

static void test_cves_of_the_author(void **state)
{
	static const char *const given[] = {B};
	struct diff *d = parse(A "\n--- a/x.c\n+++ b/x.c\n" HUNK);

	(void)state;
	cves_given(d, given, 0);
	assert_string_equal(d->cve[0], A);
	cves_given(d, given, 1);
	assert_int_equal(d->n_cves, 1);
	assert_string_equal(d->cve[0], B);
	assert_int_equal(d->n_spoken_of, 1);
	assert_string_equal(d->spoken_of[0], A);
	assert_true(cve_is_one(A) && cve_is_one(B));
	assert_false(cve_is_one("CVE-2023-123") || cve_is_one("cve-2023-1234") || cve_is_one(A "x") || cve_is_one(""));
}

static void test_kinds(void **state)
{
	struct diff *d =
	        parse("--- /dev/null\n+++ b/fs/new.c\n@@ -0,0 +1 @@\n+x\n"
	              "--- a/fs/old.c\t2026-01-01\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
	              "diff --git a/fs/a.c b/fs/b.c\nsimilarity index 100%\nrename from fs/a.c\nrename to fs/b.c\n"
	              "--- a/fs/c.c\n+++ b/fs/d.c\n@@ -1 +1 @@\n-x\n+y\n"
	              "diff --git a/fs/a.c b/fs/b.c\nsimilarity index 100%\nrename from fs/a.c\nrename to fs/b.c\n");

	(void)state;
	assert_int_equal(d->n_files, 4);
	assert_int_equal(d->file[0].kind, DIFF_NEW);
	assert_int_equal(d->file[1].kind, DIFF_GONE);
	assert_int_equal(d->file[2].kind, DIFF_RENAMED);
	assert_int_equal(d->file[3].kind, DIFF_RENAMED);
}

static void test_apply(void **state)
{
	(void)state;
	assert_string_equal(applied("--- a/x.c\n+++ b/x.c\n" HUNK, OLD, false),
	                    "one\ntwo\nTHREE\nmore\nfour\nfive\nsix\nseven\neight\n");
	/* moved by two lines */
	assert_string_equal(applied("--- a/x.c\n+++ b/x.c\n" HUNK, "a\nb\n" OLD, false),
	                    "a\nb\none\ntwo\nTHREE\nmore\nfour\nfive\nsix\nseven\neight\n");
	/* the context differs: fuzz takes it, and the file's own line stays */
	assert_string_equal(
	        applied("--- a/x.c\n+++ b/x.c\n@@ -2,4 +2,4 @@\n TWO\n-three\n+3\n four\n five\n", OLD, false),
	        "one\ntwo\n3\nfour\nfive\nsix\nseven\neight\n");
	/* a hunk behind something that is none of a patch would be lost */
	assert_true(AUTHOR_REFUSES(
	        NL_ERECIPE,
	        applied("--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-one\n+1\n\n@@ -3 +3 @@\n-three\n+3\n", OLD, false)));
	/* where all of one end differs it could be another function, and where two places fit nobody knows which */
	assert_true(AUTHOR_REFUSES(
	        NL_ETARGET,
	        applied("--- a/x.c\n+++ b/x.c\n@@ -1,6 +1,7 @@\n two\n three\n four\n+new\n A\n B\n C\n", OLD, false)));
	assert_true(AUTHOR_REFUSES(
	        NL_ETARGET, applied("--- a/x.c\n+++ b/x.c\n@@ -2,3 +2,4 @@\n nor_that();\n+new\n return 0;\n }\n",
	                            "a\nreturn 0;\n}\nb\nreturn 0;\n}\n", false)));
	assert_true(AUTHOR_REFUSES(NL_ETARGET, applied("--- a/x.c\n+++ b/x.c\n@@ -9,2 +9,3 @@\n+new\n return 0;\n }\n",
	                                               "a\nreturn 0;\n}\nb\nreturn 0;\n}\n", false)));
	assert_true(AUTHOR_REFUSES(
	        NL_ETARGET,
	        applied("--- a/x.c\n+++ b/x.c\n@@ -1,6 +1,7 @@\n X\n Y\n Z\n+new\n A\n B\n C\n", OLD, false)));
	/* no newline at the end of the file */
	assert_string_equal(
	        applied("--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+y\n", "x", false),
	        "y\n");
	/* what is removed must be there */
	assert_true(AUTHOR_REFUSES(NL_ETARGET,
	                           applied("--- a/x.c\n+++ b/x.c\n@@ -2,2 +2,1 @@\n two\n-drei\n", OLD, false)));
	assert_non_null(strstr(author_why, "fits nowhere"));
}

static bool is_in(const char *patch, const char *file)
{
	struct buf text = {(uint8_t *)(uintptr_t)file, strlen(file), strlen(file)};
	struct buf p = {(uint8_t *)(uintptr_t)patch, strlen(patch), strlen(patch)};

	return diff_state(&diff_parse("p", &p)->file[0], &text) == DIFF_IS_IN;
}

/* What the patch makes is there: wherever it lies, but word by word, and not where something is only not removed. */
static void test_is_there_already(void **state)
{
	(void)state;
	assert_false(is_in("--- a/x.c\n+++ b/x.c\n" HUNK, OLD));
	assert_true(is_in("--- a/x.c\n+++ b/x.c\n" HUNK, applied("--- a/x.c\n+++ b/x.c\n" HUNK, OLD, false)));
	assert_true(is_in("--- a/x.c\n+++ b/x.c\n" HUNK, applied("--- a/x.c\n+++ b/x.c\n" HUNK, "a\n" OLD, false)));
	assert_false(is_in("--- a/x.c\n+++ b/x.c\n" HUNK, "one\nTWO\nTHREE\nmore\nfour\nfive\n"));
	assert_false(is_in("--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,2 @@\n one\n-two\n three\n", OLD));
	assert_true(is_in("--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,2 @@\n one\n-two\n three\n", "one\nthree\nfour\n"));
}

#define BODY "{\n\tint r;\n\n\tif (!p)\n\t\treturn 1;\n\tr = go(p);\n\treturn r;\n}\n\n"
#define MENDED "{\n\tint r;\n\n\tif (!p)\n\t\treturn 1;\n\tlock(p);\n\tr = go(p);\n\treturn r;\n}\n\n"
#define MEND(head) \
	"--- a/x.c\n+++ b/x.c\n@@ -14,6 +14,7 @@" head "\n \n \tif (!p)\n \t\treturn 1;\n+\tlock(p);\n \tr = go(p);\n" \
	" \treturn r;\n }\n"

/* Functions that are twins: a hunk that is in where it belongs must not go to the other. */
static void test_twins(void **state)
{
	(void)state;
	assert_string_equal(applied(MEND(""), "int one(int *p)\n" BODY "int two(int *p)\n" BODY, false),
	                    "int one(int *p)\n" BODY "int two(int *p)\n" MENDED);
	assert_true(AUTHOR_REFUSES(NL_ETARGET,
	                           applied(MEND(""), "int one(int *p)\n" BODY "int two(int *p)\n" MENDED, false)));
	assert_true(is_in(MEND(""), "int one(int *p)\n" BODY "int two(int *p)\n" MENDED));
	assert_true(is_in(MEND(" int two(int *p)"), "int one(int *p)\n" BODY "int two(int *p)\n" MENDED));
	/* the fix has moved, and only the head tells */
	assert_true(is_in(MEND(" int two(int *p)"), "\nint one(int *p)\n" BODY "int two(int *p)\n" MENDED));
	assert_false(is_in(MEND(""), "\nint one(int *p)\n" BODY "int two(int *p)\n" MENDED));
	assert_false(is_in(MEND(" int one(int *p)"), "\nint one(int *p)\n" BODY "int two(int *p)\n" MENDED));
	/* by fuzz it would fit a second time, beside itself */
	assert_true(is_in("--- a/x.c\n+++ b/x.c\n@@ -1,6 +1,7 @@\n a\n b\n x\n+x\n x\n x\n c\n",
	                  "1\na\nb\nx\nx\nx\nx\nc\n"));
}

/* Where a hunk has moved, it must be in the function that its head names. */
static void test_heads(void **state)
{
	static const char *const others[] = {" int two(int *p)", " static int two(int *p, int",
	                                     " SYSCALL_DEFINE2(two, int *, p)"};
	char *moved = xformat("/* new */\nint one(int *p)\n%s/*\n * x\n */\nint three(int *p)\n{\n}\n", BODY);
	char *twin = xformat("%sint four(int *p)\n%s", moved, MENDED);

	(void)state;
	assert_non_null(strstr(applied(MEND(""), moved, false), "lock"));
	assert_non_null(strstr(applied(MEND(" int one(int *p)"), twin, false), "lock"));
	assert_true(AUTHOR_REFUSES(NL_ETARGET, applied(MEND(""), twin, false)));
	assert_true(AUTHOR_REFUSES(NL_ETARGET, applied(MEND(" int __one(int *p)"), twin, false)));
	assert_non_null(strstr(applied(MEND(" static inline int __one(void"), moved, false), "lock"));
	assert_non_null(strstr(applied(MEND(" out:"), moved, false), "lock"));
	assert_non_null(strstr(applied(MEND(" static inline int *something_so_long_th"), moved, false), "lock"));
	for (volatile size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		char *patch = xformat(MEND("%s"), others[i]);

		if (!AUTHOR_REFUSES(NL_ETARGET, applied(patch, moved, false)))
			fail_msg("%s was taken", others[i]);
		/* at its own line it is what it says, whatever its head is */
		applied(patch, "int one(int *p)\n" BODY "int three(int *p)\n" BODY, false);
	}
	/* a hunk that shows the function's beginning needs no other name */
	applied("--- a/x.c\n+++ b/x.c\n@@ -30,4 +30,5 @@ int zero(void)\n int one(int *p)\n {\n \tint r;\n+\tint s;\n "
	        "\n",
	        moved, false);
}

static void test_lines_keep_their_number(void **state)
{
	(void)state;
	assert_string_equal(applied("--- a/x.c\n+++ b/x.c\n" HUNK, OLD, true),
	                    "one\ntwo\nTHREE\nmore\n#line 4\nfour\nfive\nsix\nseven\neight\n");
	/* never inside a macro, a comment or brackets */
	assert_string_equal(
	        applied("--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,4 @@\n a\n+b \\\n c \\\n d\n", "a\nc \\\nd\ne\n", true),
	        "a\nb \\\nc \\\nd\n#line 4\ne\n");
	assert_string_equal(
	        applied("--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,4 @@\n f(a,\n+b,\n c,\n d);\n", "f(a,\nc,\nd);\ne\n", true),
	        "f(a,\nb,\nc,\nd);\n#line 4\ne\n");
	assert_string_equal(
	        applied("--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,4 @@\n /* a\n+b\n c\n d */\n", "/* a\nc\nd */\ne\n", true),
	        "/* a\nb\nc\nd */\n#line 4\ne\n");
}

static void test_hostile_paths(void **state)
{
	static const char *const paths[] = {
	        "/etc/passwd", "a/../../etc/passwd", "a/fs/../x.c",   "a/$(touch x).c", "a/fs/x;y.c", "a/fs/ x.c",
	        "a/-o.c",      "a/fs/-x.c",          "a/fs//-x.c",    "a/fs/`id`.c",    "a/",         "\"a/fs/x.c\"",
	        "a/./x.c",     "a/fs/x\\\n.c",       "nodirectory.c", "a/fs/x=y.c",
	};

	(void)state;
	for (volatile size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		char *p = xformat("--- %s\n+++ %s\n@@ -1 +1 @@\n-x\n+y\n", paths[i], paths[i]);

		if (!AUTHOR_REFUSES(NL_ERECIPE, parse(p)))
			fail_msg("%s was taken", paths[i]);
	}
	assert_true(AUTHOR_REFUSES(NL_ERECIPE, parse("diff --git a/x b/x\nrename from x\nrename to ../../x\n")));
}

static void test_damaged(void **state)
{
	static const char *const bad[] = {
	        "",
	        "nothing\n",
	        "--- a/x.c\n",
	        "--- a/x.c\n+++ b/x.c\n",
	        "--- a/x.c\n+++ b/x.c\n@@ -1,3 +1 @@\n-x\n",
	        "--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-x\n?y\n",
	        "--- a/x.c\n+++ b/x.c\n@@ -1 @@\n-x\n+y\n",
	        "--- a/x.c\n+++ b/x.c\n@@ -99999999999 +1 @@\n-x\n+y\n",
	        "--- a/x.c\n+++ b/x.c\n@@ -1,4000000 +1,4000000 @@\n-x\n+y\n",
	        "--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-x\n+y\n--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n-x\n+y\n",
	        "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-x\n+y\n",
	        "diff --git a/x b/x\nGIT binary patch\n",
	};

	(void)state;
	for (volatile size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!AUTHOR_REFUSES(NL_ERECIPE, parse(bad[i])))
			fail_msg("case %zu was taken", (size_t)i);
}

static char *stripped(const char *text)
{
	char *copy = xformat("%s", text);

	names_strip(copy);
	return copy;
}

static void test_names(void **state)
{
	char *before = stripped("#define A 1 /* B */\nenum { X, Y };\nstatic inline int f(int a)\n{\n\treturn a;\n}\n"
	                        "struct s {\n\tint m;\n};\nextern int g(struct s *p);\n");
	char *after =
	        stripped("#define A 2 /* C */\nenum { X, Y, Z };\nstatic inline int f(int a)\n{\n\treturn a + 1;\n}\n"
	                 "struct s {\n\tint m; /* said */\n};\nextern int g(struct s *p);\n");
	struct names n = {0};

	(void)state;
	names_changed(&n, before, after);
	assert_true(names_have(&n, "A", 1) && names_have(&n, "Z", 1) && names_have(&n, "f", 1));
	assert_false(names_have(&n, "s", 1) || names_have(&n, "g", 1) || names_have(&n, "B", 1) ||
	             names_have(&n, "int", 3));
	assert_true(names_used(&n, "x = f(3);"));
	assert_false(names_used(&n, stripped("x = ff(3); /* f */ \"A\"")));
	assert_true(names_spread(
	        &n, "#define H(x) \\\n\tf(x)\nstatic inline void k(void)\n{\n\tl();\n}\nint proto(enum A);\n"));
	assert_true(names_have(&n, "H", 1));
	assert_false(names_have(&n, "k", 1) || names_have(&n, "l", 1) || names_have(&n, "proto", 5));
	assert_false(names_spread(&n, "static inline void k(void)\n{\n\tl();\n}\n"));
}

/* What stands in quotes is a change like another; only whoever seeks names does not look there. */
static void test_names_of_changed_strings(void **state)
{
	struct names n = {0}, none = {0};

	(void)state;
	names_changed(
	        &n,
	        "static inline void f(void)\n{\n\tasm(\"cmp;{\");\n}\nstatic inline int g(void)\n{\n\treturn 1;\n}\n"
	        "#define C 'a' /* \"x\" */\n#define S \"a b\"\n#define T \"a\"\n",
	        "static inline void f(void)\n{\n\tasm(\"cmp; lfence;{\");\n}\nstatic inline int g(void)\n{\n\treturn "
	        "1;\n}\n"
	        "#define C 'b'\n#define S \"ab\"\n#define  T\t\"a\" // \"y\"\n");
	assert_true(names_have(&n, "f", 1) && names_have(&n, "C", 1) && names_have(&n, "S", 1));
	assert_false(names_have(&n, "g", 1) || names_have(&n, "T", 1));
	names_changed(&none, "#define N(x) \\\n\tf(x, \"/* no comment */\")\n",
	              "#define N(x) f(x, \\\n\t\"/* no comment */\")\n");
	assert_false(names_have(&none, "N", 1));
}

/* Names that stand nowhere, because a macro makes them of an argument. */
static void test_names_that_macros_glue(void **state)
{
	struct names n = {0};

	(void)state;
	names_add(&n, "x_get_name", 10);
	assert_true(names_used(&n, "#define GET(a) a##_get_##name\nint y = GET(x);\n"));
	assert_false(names_used(&n, "#define GET(a) a##_get_##name\nint y = GET(z);\n"));
	assert_true(names_used(&n, "#define GET(what, b) \\\n\tf(x_get_ ## b)\nGET(1, name)\n"));
	assert_true(names_used(&n, "#define GET(args...) x_##args\nGET(get_name)\n"));
	assert_true(names_used(&n, "#define GET(a, ...) call(a ## _name, __VA_ARGS__ ## _get_name)\nGET(, x)\n"));
	assert_true(names_used(&n, "#define P(a, b) a##_get_##b\nP(x, name)\n"));
	assert_true(names_used(&n, "#define P(a) a##_name\n#define Q(b) P(b##_get)\nQ(x)\n"));
	assert_true(names_used(&n, "#define P(a) a##_name\n#define Q(b) P(b)\nQ(x_get)\n"));
	assert_false(names_used(&n, "#define GET(a) a##_get_names\nGET(x)\n"));
	assert_false(names_used(&n, "#define GET(a) y_##a\nGET(get_name)\n"));
	assert_false(names_used(&n, "#define PASTE(a, b) a##b\nPASTE(x_get_, name)\n"));
	assert_false(names_used(&n, "#define SAY(a) #a x_get_\n#define OTHER(a) _name(a)\nOTHER(x)\n"));
	assert_true(names_spread(&n, "#define GET(a) a##_get_name\n"));
	assert_false(names_have(&n, "GET", 3));
	assert_true(names_spread(
	        &n, "static inline int k(void)\n{\n\treturn GET(x);\n}\nint l(void) { return GET(y); }\n"));
	assert_true(names_have(&n, "k", 1));
	assert_false(names_have(&n, "l", 1));
}

/* Where names, or macros that make them, become too many, everything may use them. */
static void test_names_without_end(void **state)
{
	struct names n = {0}, glued = {0};

	(void)state;
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		char *name = xformat("name%u", i);

		names_add(&n, name, strlen(name));
	}
	assert_false(n.lost || names_used(&n, "other"));
	assert_true(names_used(&n, "name4095"));
	names_add(&n, "one_more", 8);
	assert_true(n.lost && names_used(&n, "other"));
	names_add(&glued, "x_name", 6);
	for (unsigned i = 0; i < NAMES_GLUE_MAX; i++)
		names_spread(&glued, xformat("#define M%u(a) a##_name\n", i));
	assert_int_equal(glued.n_glue, NAMES_GLUE_MAX);
	assert_false(glued.lost || names_used(&glued, "M1(y)"));
	assert_true(names_used(&glued, "M1(x)"));
	assert_true(names_used(&glued, "#define ONE_MORE(a) a##_name\n"));
	assert_false(glued.lost);
	assert_true(names_spread(&glued, "#define ONE_MORE(a) a##_name\n") || glued.lost);
}

/* An #else that leaves a brace open must not make one piece of the rest of the file. */
static void test_names_end_at_braces(void **state)
{
	struct names n = {0};

	(void)state;
	names_add(&n, "a", 1);
	assert_true(names_spread(
	        &n, "#ifdef X\nstatic inline int f(void)\n{\n#else\nstatic inline int f(int x)\n{\n#endif\n"
	            "\treturn a;\n}\nstatic inline int g(void)\n{\n\treturn b;\n}\n"));
	assert_false(names_have(&n, "g", 1));
}

/* A new #if concerns what it holds, and nothing else of its header; an old one whose words change, likewise. */
static void test_names_under_conditions(void **state)
{
	const char *before =
	        "#ifndef H\n#define H\n#ifdef A\n#define X 1\n#else\n#define Y 1\n#endif\n#define Z 1\n#endif\n";
	struct names n = {0}, more = {0}, other = {0};

	(void)state;
	names_changed(&n, before,
	              "#ifndef H\n#define H\n#ifdef N\n#define V 1\n#endif\n#ifdef A\n#define X 1\n#else\n#define Y 1\n"
	              "#endif\n#define Z 1\n#endif\n");
	assert_true(names_have(&n, "V", 1));
	assert_false(names_have(&n, "X", 1) || names_have(&n, "Y", 1) || names_have(&n, "Z", 1));
	names_changed(&more, before,
	              "#ifndef H\n#define H\n#ifdef B\n#define X 1\n#else\n#define Y 1\n#endif\n#define Z 1\n#endif\n");
	assert_true(names_have(&more, "X", 1) && names_have(&more, "Y", 1));
	assert_false(names_have(&more, "Z", 1));
	names_add(&other, "A", 1);
	assert_true(names_spread(&other, before));
	assert_true(names_have(&other, "X", 1) && names_have(&other, "Y", 1));
	assert_false(names_have(&other, "Z", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_header),
	        cmocka_unit_test(test_cves),
	        cmocka_unit_test(test_cves_of_the_author),
	        cmocka_unit_test(test_kinds),
	        cmocka_unit_test(test_apply),
	        cmocka_unit_test(test_lines_keep_their_number),
	        cmocka_unit_test(test_hostile_paths),
	        cmocka_unit_test(test_damaged),
	        cmocka_unit_test(test_is_there_already),
	        cmocka_unit_test(test_twins),
	        cmocka_unit_test(test_heads),
	        cmocka_unit_test(test_names),
	        cmocka_unit_test(test_names_of_changed_strings),
	        cmocka_unit_test(test_names_that_macros_glue),
	        cmocka_unit_test(test_names_without_end),
	        cmocka_unit_test(test_names_end_at_braces),
	        cmocka_unit_test(test_names_under_conditions),
	};

	return cmocka_run_group_tests_name("author_patch", tests, NULL, NULL);
}
