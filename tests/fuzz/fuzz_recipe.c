// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/recipe.c tools/author/author.c tests/unit/author_refuse.c
// length: 1024
// quick: 15000
// reader: a recipe
/* Any text as a recipe. What is taken has the form that the rest of the companion, make among it, relies on. */
#include "fuzz.h"

#include "author_refuse.h"
#include "recipe.h"

#include <ctype.h>

static void check(const struct recipe *r)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	FUZZ_CHECK(strlen(r->id) < NL_LEAF_ID_LEN && r->version && (r->n_data || r->n_replace));
	FUZZ_CHECK(strspn(r->id, plain) == strlen(r->id));
	FUZZ_CHECK(r->n_data <= RECIPE_MAX && r->n_replace <= RECIPE_MAX && r->n_alias <= RECIPE_MAX);
	for (size_t i = 0; i < r->n_replace; i++) {
		FUZZ_CHECK(r->replace[i].n_old <= RECIPE_OLD_MAX);
		for (size_t j = 0; j < r->replace[i].n_old; j++)
			FUZZ_CHECK(strlen(r->replace[i].old[j]) >= 16 && strlen(r->replace[i].old[j]) <= 64);
	}
	for (const char *p = r->description; *p; p++)
		FUZZ_CHECK(*p >= 0x20 && *p <= 0x7e);
	for (size_t i = 0; i < r->n_source; i++) {
		const char *slash = strrchr(r->source[i], '/'), *base = slash ? slash + 1 : r->source[i];

		FUZZ_CHECK(isalnum((unsigned char)*base) && strspn(base, plain) == strlen(base));
		FUZZ_CHECK(strlen(base) > 2 && !strcmp(base + strlen(base) - 2, ".c"));
	}
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size + 1);

	memcpy(text, bytes, size);
	text[size] = 0;
	if (!setjmp(author_refused))
		check(recipe_parse("dir/x.recipe", text));
}

void fuzz_seeds(void)
{
	static const char all[] =
	        "# comment\nid fix-1.2_a\nversion 7 # trailing\ndescription \"says # what\"\n"
	        "consistency mixable\n"
	        "data (struct inode_operations) ops.setattr = &proc_setattr expect NULL\n"
	        "data (union t) many,2+0x40.entry[3].max = -1 expect 0x10\ndata (u16) word+2 = 5\n"
	        "body helper.c\nreplace func with \"dir/body.c\"\n"
	        "replace other,3 with body.c:new_other old 0123456789abcdef allow types allow clones\n"
	        "old fedcba98765432100 00112233445566778899 # two\n"
	        "symbol lock = mutex,2\ncve CVE-2024-1086 CVE-2026-12345\nauthor A # b\n"
	        "source https://example.org/#x\ndate 2026-11-25\nrequires a 3\nconflicts b\n";

	fuzz_seed(all, sizeof(all) - 1);
	fuzz_seed("id x\nversion 1\ndata (u32) a = 1\n", 31);
}
