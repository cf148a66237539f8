// SPDX-License-Identifier: Apache-2.0
/*
 * Two lists of the boot block that the loader fills from what strangers give it: RAM ranges and trusted keys.
 */
// sources: efi/ranges.c efi/keylist.c
// cflags: -Iefi
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keylist.h"
#include "ranges.h"

static struct nl_boot_block block;

static int clear(void **state)
{
	(void)state;
	memset(&block, 0, sizeof(block));
	return 0;
}

static void test_ranges_join(void **state)
{
	(void)state;
	assert_true(nl_ranges_add(&block, 0x100000, 0x1000)); /* alone */
	assert_true(nl_ranges_add(&block, 0x103000, 0x1000)); /* behind, apart */
	assert_true(nl_ranges_add(&block, 0, 0x9f000));       /* in front */
	assert_int_equal(block.n_ranges, 3);
	assert_true(nl_ranges_add(&block, 0x101000, 0x1000)); /* joins below */
	assert_int_equal(block.n_ranges, 3);
	assert_true(nl_ranges_add(&block, 0x102000, 0x1000)); /* closes the gap */
	assert_int_equal(block.n_ranges, 2);
	assert_true(nl_ranges_add(&block, 0xff000, 0x1000)); /* joins above */
	assert_int_equal(block.n_ranges, 2);
	assert_int_equal(block.ranges[0].base, 0);
	assert_int_equal(block.ranges[0].size, 0x9f000);
	assert_int_equal(block.ranges[1].base, 0xff000);
	assert_int_equal(block.ranges[1].size, 0x5000);
}

/* Random pages in random order: the list is always the same as a bitmap says. */
static void test_ranges_any_order(void **state)
{
	enum { PAGES = 100 };
	bool there[PAGES + 1];

	srand(1);
	for (unsigned round = 0; round < 500; round++) {
		uint32_t n = 0;

		memset(there, 0, sizeof(there));
		clear(state);
		for (unsigned i = 0; i < 150; i++) {
			unsigned page = (unsigned)rand() % PAGES;

			if (there[page])
				continue;
			there[page] = true;
			assert_true(nl_ranges_add(&block, page * NL_PAGE_SIZE, NL_PAGE_SIZE));
		}
		for (unsigned page = 0; page < PAGES; page++) {
			unsigned end = page;

			if (!there[page])
				continue;
			while (there[end])
				end++;
			assert_true(n < block.n_ranges);
			assert_int_equal(block.ranges[n].base, page * NL_PAGE_SIZE);
			assert_int_equal(block.ranges[n].size, (end - page) * NL_PAGE_SIZE);
			n++;
			page = end;
		}
		assert_int_equal(n, block.n_ranges);
	}
}

static void test_ranges_full(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < NL_MAX_RANGES; i++)
		assert_true(nl_ranges_add(&block, i * 0x2000, 0x1000));
	assert_false(nl_ranges_add(&block, NL_MAX_RANGES * 0x2000, 0x1000));
	assert_int_equal(block.n_ranges, NL_MAX_RANGES);
	assert_true(nl_ranges_add(&block, 0x1000, 0x1000)); /* joining needs no room */
	assert_int_equal(block.n_ranges, NL_MAX_RANGES - 1);
}

static struct nl_key key(uint32_t role, const char *name)
{
	struct nl_key k = {.role = role};

	strncpy(k.name, name, sizeof(k.name));
	return k;
}

static struct {
	struct nl_record head;
	struct nl_key keys[NL_MAX_KEYS + 1];
} list;

/* The list lies in memory of exactly its size. */
static enum nl_err answer_of(size_t size)
{
	void *exact = malloc(size ? size : 1);
	enum nl_err err;

	memcpy(exact, &list, size);
	err = nl_keys_add(&block, exact, size);
	free(exact);
	return err;
}

static enum nl_err add(const struct nl_key *keys, uint32_t n)
{
	list.head = (struct nl_record){NL_KEYS_MAGIC, NL_KEYS_KIND->version, sizeof(list.head), sizeof(*keys), n};
	memcpy(list.keys, keys, n * sizeof(*keys));
	return answer_of(sizeof(list.head) + n * sizeof(*keys));
}

static void test_keys(void **state)
{
	struct nl_key k[2] = {key(NL_ROLE_AUTHOR, "one"), key(NL_ROLE_AUTHOR, "twenty-six characters long")};

	(void)state;
	assert_int_equal(add(k, 2), NL_OK);
	assert_int_equal(block.facts.n_keys, 2);
	assert_memory_equal(block.keys, k, sizeof(k));
	assert_int_equal(add(k, 1), NL_OK); /* a second list is added */
	assert_int_equal(block.facts.n_keys, 3);
	assert_int_equal(add(k, 0), NL_OK);
	assert_int_equal(block.facts.n_keys, 3);
	add(k, 1);
	memset(&list.keys[1], 0xff, sizeof(k[1])); /* the room behind them in a section does not count */
	assert_int_equal(answer_of(sizeof(list)), NL_OK);
	assert_int_equal(block.facts.n_keys, 5);
}

static void test_keys_damaged(void **state)
{
	struct nl_key good = key(NL_ROLE_AUTHOR, "name"), bad;

	(void)state;
	add(&good, 1);
	clear(NULL);
	for (size_t cut = 0; cut < sizeof(list.head) + sizeof(good); cut++)
		assert_int_equal(answer_of(cut), NL_ERECORD);
	bad = good;
	memset(bad.name, 'x', sizeof(bad.name)); /* without an end */
	assert_int_equal(add(&bad, 1), NL_ERECORD);
	bad = good;
	bad.name[0] = '\x1b';
	assert_int_equal(add(&bad, 1), NL_ERECORD);
	assert_int_equal(block.facts.n_keys, 0);
}

/* Longer records of the same version: what is known of each counts. Another version: refused by name. */
static void test_keys_versions(void **state)
{
	enum { LARGER = sizeof(struct nl_key) + 16 };
	struct nl_key k = key(NL_ROLE_AUTHOR, "name");

	(void)state;
	add(&k, 1);
	clear(NULL);
	list.head.count = 2;
	list.head.record_size = LARGER;
	memcpy((char *)list.keys + LARGER, &k, sizeof(k));
	assert_int_equal(answer_of(sizeof(list.head) + 2 * LARGER), NL_OK);
	assert_int_equal(block.facts.n_keys, 2);
	assert_memory_equal(&block.keys[1], &k, sizeof(k));
	list.head.version++;
	assert_int_equal(answer_of(sizeof(list.head) + 2 * LARGER), NL_ENEWER);
	list.head.version = 1; /* P-256 */
	assert_int_equal(answer_of(sizeof(list.head) + 2 * LARGER), NL_ERECORD);
	add(&k, 1);
	list.head.magic = NL_POLICY_MAGIC;
	assert_int_equal(answer_of(sizeof(list)), NL_ERECORD);
}

/* Roles are bits; one that nothing here acts on would be a promise that nobody keeps: refused by its own name. */
static void test_keys_roles(void **state)
{
	static const uint32_t unknown[] = {0, 8, 1u << 31, NL_ROLES + 1};

	(void)state;
	for (uint32_t role = 1; role <= NL_ROLES; role++) {
		struct nl_key k = key(role, "good");

		assert_int_equal(add(&k, 1), NL_OK);
		assert_int_equal(block.keys[role - 1].role, role);
	}
	for (size_t i = 0; i < NL_ARRAY_SIZE(unknown); i++) {
		struct nl_key k[2] = {key(NL_ROLE_AUTHOR, "good"), key(unknown[i], "early")};

		assert_int_equal(add(k, 2), NL_EROLE);
	}
}

static void test_keys_full(void **state)
{
	struct nl_key k[NL_MAX_KEYS + 1];

	(void)state;
	for (unsigned i = 0; i <= NL_MAX_KEYS; i++)
		k[i] = key(NL_ROLE_AUTHOR, "name");
	assert_int_equal(add(k, NL_MAX_KEYS + 1), NL_ERECORD);
	clear(NULL);
	assert_int_equal(add(k, NL_MAX_KEYS), NL_OK);
	assert_int_equal(block.facts.n_keys, NL_MAX_KEYS);
	assert_int_equal(add(k, 1), NL_ERECORD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_ranges_join, clear),   cmocka_unit_test(test_ranges_any_order),
	        cmocka_unit_test_setup(test_ranges_full, clear),   cmocka_unit_test_setup(test_keys, clear),
	        cmocka_unit_test_setup(test_keys_damaged, clear),  cmocka_unit_test_setup(test_keys_roles, clear),
	        cmocka_unit_test_setup(test_keys_versions, clear), cmocka_unit_test_setup(test_keys_full, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
