// SPDX-License-Identifier: Apache-2.0
// sources: tools/author/patch_data.c tools/author/patch_object.c tools/author/patch_homes.c
// sources: tools/author/patch_kind.c tools/author/patch_compare.c tools/author/patch_layout.c
// sources: tools/author/kallsyms.c tools/author/code.c tools/author/author.c tools/author/typenames.c
// sources: tests/unit/author_refuse.c tests/unit/author_units.c
// libs: -lelf -lbpf -lZydis
// cflags: -Itools/author
/* Constants that change in place, word by word: units of our own, compiled when run. */
#include "author_refuse.h"
#include "author_units.h"
#include "data.h"
#include "patch_data.h"

#include <stdarg.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define PLACE 0xffffffff82000000ULL
#define LEADS_TO 0x5678

/* --- What the rest of the tool would say --- */

static size_t sites, addresses;

size_t runtime_bytes(const struct kernel *k, uint64_t va, uint32_t len, uint8_t *out, struct nl_leaf_reloc *relocs,
                     size_t max, const char *where)
{
	(void)k, (void)va, (void)relocs, (void)max, (void)where;
	memset(out, 0, len);
	return 0;
}

void data_check_writable(const struct kernel *k, uint64_t va, uint32_t size, const char *name, const char *where)
{
	(void)k, (void)va, (void)size, (void)name, (void)where;
}

struct place body_place(const struct body *b, size_t object, uint32_t section, const GElf_Rela *r)
{
	(void)b, (void)object, (void)section, (void)r;
	return (struct place){NL_SYM_REGION, LEADS_TO};
}

void draft_add_site(struct draft *d, const struct draft_site *s)
{
	(void)d;
	sites++;
	addresses += s->n_fresh_relocs;
	if (s->n_fresh_relocs)
		assert_int_equal(s->fresh_relocs->value, LEADS_TO);
}

/* --- Constants --- */

#define UNIT(packed, value) \
	"extern int x;\nconst struct " packed " { int number; void *p; long more; } c = {" value "};\n"

static void add(const char *source)
{
	static struct patch_unit p;
	static struct draft d;
	struct patch_datum datum = {.va = PLACE};

	sites = addresses = 0;
	author_unit(&p, "words", source, source);
	p.body = p.c->after;
	datum.shipped = unit_find(p.shipped, "c");
	datum.after = datum.fresh = unit_find(p.body, "c");
	patch_data_add(&d, &p, &datum, NULL, 0);
}

static void test_words(void **state)
{
	(void)state;
	add(UNIT("", "1"));
	assert_true(sites == 1 && !addresses);
	add(UNIT("", "0, &x, 7"));
	assert_true(sites == 2 && addresses == 1);
}

/* An address that begins within a word, or ends in the next one. */
static void test_packed(void **state)
{
	(void)state;
	assert_true(AUTHOR_REFUSES(NL_ESITE, add(UNIT("__attribute__((packed))", "1, &x"))));
	assert_non_null(strstr(author_why, "c holds an address of a form that cannot be written"));
	add(UNIT("__attribute__((packed))", "1, 0, 7"));
	assert_true(sites == 2 && !addresses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_packed)};

	return cmocka_run_group_tests_name("author_words", tests, author_units_start, author_units_end);
}
