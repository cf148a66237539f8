// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_diff.c tools/author/patch_cves.c tools/author/patch_apply.c tools/author/patch_head.c
// sources: tools/author/patch_names.c tools/author/patch_glue.c tools/author/author.c
// sources: tests/unit/author_refuse.c
// length: 1024
// quick: 2000
// reader: a patch
/* Any text as a patch: a path that is taken stays below the tree and is nothing but a name to make or a shell; and what
 * applies gives a file that holds every line that was added. */
#define _GNU_SOURCE /* memmem */
#include "fuzz.h"

#include "author_refuse.h"
#include "patch_diff.h"
#include "patch_names.h"

static const char old[] = "int a(void)\n{\n\treturn 1;\n}\n\nint b(void)\n{\n\treturn 2;\n}\n";

static void check_path(const char *p)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+,";

	FUZZ_CHECK(*p && *p != '/' && *p != '-' && strlen(p) < 256 && strspn(p, plain) == strlen(p));
	FUZZ_CHECK(!strstr(p, "/../") && strncmp(p, "../", 3) && !strstr(p, "//") && !strstr(p, "/-"));
}

static void check(const struct diff *d)
{
	struct buf text = {0};

	FUZZ_CHECK(d->n_files && d->n_files <= DIFF_FILES_MAX && d->n_cves <= DIFF_CVES_MAX);
	for (size_t i = 0; i < d->n_files; i++)
		check_path(d->file[i].path);
	buf_add(&text, old, sizeof(old) - 1);
	for (size_t i = 0; i < d->n_files; i++) {
		struct buf new;

		if (setjmp(author_refused))
			continue;
		new = diff_apply(d, &d->file[i], &text, i & 1);
		for (size_t h = 0; h < d->file[i].n_hunks; h++)
			for (size_t l = 0; l < d->file[i].hunk[h].n_lines; l++) {
				const struct diff_line *line = &d->file[i].hunk[h].line[l];

				FUZZ_CHECK(line->kind != '+' || !line->length ||
				           memmem(new.p, new.n, line->text, line->length));
			}
	}
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct buf text = {0};
	struct names names = {0};
	char *copy = malloc(size + 1);

	if (size)
		buf_add(&text, bytes, size);
	memcpy(copy, bytes, size);
	copy[size] = 0;
	names_strip(copy);
	FUZZ_CHECK(strlen(copy) <= size);
	names_changed(&names, copy, old);
	names_spread(&names, copy);
	if (!setjmp(author_refused))
		check(diff_parse("x.patch", &text));
}

void fuzz_seeds(void)
{
	static const char all[] =
	        "From 0123456789abcdef Mon\nSubject: [PATCH] x: CVE-2026-1234\n y\n---\n"
	        "diff --git a/fs/x.c b/fs/x.c\nindex 1..2 100644\n--- a/fs/x.c\n+++ b/fs/x.c\n"
	        "@@ -1,4 +1,5 @@ int a(void)\n int a(void)\n {\n-\treturn 1;\n+\tf();\n+\treturn 3;\n }\n"
	        "@@ -6,3 +7,3 @@\n int b(void)\n {\n-\treturn 2;\n+\treturn 4;\n";
	static const char more[] =
	        "diff --git a/a b/b\nrename from a\nrename to b\n--- /dev/null\n+++ b/n.h\n@@ -0,0 +1 @@\n"
	        "+x\n\\ No newline at end of file\n";
	static const char header[] =
	        "/* x */\n#define A(x) \\\n\t(x)\nenum { B, C };\nstatic inline int f(int a)\n{\n}\n";

	fuzz_seed(all, sizeof(all) - 1);
	fuzz_seed(more, sizeof(more) - 1);
	fuzz_seed(header, sizeof(header) - 1);
}
