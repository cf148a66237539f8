// SPDX-License-Identifier: Apache-2.0
/*
 * The host page table that the loader builds: walked as the MMU would, for machines of several shapes.
 */
// sources: efi/hostmap.c
// cflags: -Iefi
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <newleaf/bootblock.h>

#include "hostmap.h"

#define REGION_PA 0x7ce00000ULL
#define FIRST 0x46000ULL /* offset of the first table */
#define NX (1ULL << 63)
#define ADDRESS 0x000ffffffffff000ULL

struct translation {
	uint64_t pa, page;
	bool execute;
};

static uint8_t *region;

static int setup(void **state)
{
	(void)state;
	region = malloc(NL_REGION_SIZE);
	return region == NULL;
}

static int teardown(void **state)
{
	(void)state;
	free(region);
	return 0;
}

/* The MMU's walk; every table must lie between FIRST and `end` in the region. */
static bool walk(uint64_t root, uint64_t end, uint64_t va, struct translation *t)
{
	uint64_t table = root;

	t->execute = true;
	for (int level = 3; level >= 0; level--) {
		uint64_t e, size = 1ULL << (12 + 9 * level);

		assert_true(table >= REGION_PA + FIRST && table + NL_PAGE_SIZE <= REGION_PA + end);
		assert_int_equal(table & NL_PAGE_MASK, 0);
		e = ((uint64_t *)(region + (table - REGION_PA)))[va >> (12 + 9 * level) & 511];
		if (!(e & 1))
			return false;
		assert_int_equal(e & 0x2, 2);   /* writable: the core protects itself */
		assert_int_equal(e & 0x118, 0); /* not global; write-back */
		assert_int_equal(e & 0x4, 0);   /* supervisor */
		if (e & NX)
			t->execute = false;
		if (level == 0 || (e & 0x80)) {
			assert_true(level < 3);
			assert_int_equal(e & ADDRESS & (size - 1), 0);
			t->page = size;
			t->pa = (e & ADDRESS) | (va & (size - 1));
			return true;
		}
		table = e & ADDRESS;
	}
	return false;
}

static struct nl_hostmap machine(bool has_1g, unsigned bits, uint64_t ram_top)
{
	memset(region, 0xa5, NL_REGION_SIZE); /* tables must not depend on what was there */
	return (struct nl_hostmap){.region = region,
	                           .region_pa = REGION_PA,
	                           .image_size = 0x45000,
	                           .next = FIRST,
	                           .limit = NL_REGION_ARENA_TEXT,
	                           .ram_top = ram_top,
	                           .phys_bits = bits,
	                           .has_1g = has_1g};
}

static void check(struct nl_hostmap m, uint64_t mapped)
{
	struct translation t;
	uint64_t root, pa;

	assert_int_equal(nl_hostmap_build(&m, &root), NL_OK);
	assert_true(m.next > FIRST && m.next <= m.limit);

	for (uint64_t o = 0; o < NL_REGION_SIZE; o += NL_PAGE_SIZE) {
		assert_true(walk(root, m.next, NL_CORE_VA + o, &t));
		assert_int_equal(t.pa, REGION_PA + o);
		assert_int_equal(t.execute, o < m.image_size);
	}
	assert_false(walk(root, m.next, NL_CORE_VA + NL_REGION_SIZE, &t));
	assert_false(walk(root, m.next, NL_CORE_VA - NL_PAGE_SIZE, &t));

	for (pa = 0; pa < mapped; pa += pa < 4 * NL_1G ? NL_2M / 2 + NL_PAGE_SIZE : NL_1G / 2 + NL_PAGE_SIZE) {
		assert_true(walk(root, m.next, NL_DIRECT_VA + pa, &t));
		assert_int_equal(t.pa, pa);
		assert_false(t.execute);
		assert_true(pa >= NL_2M || t.page == NL_PAGE_SIZE); /* fixed MTRRs */
		assert_true(pa >= 4 * NL_1G || t.page <= NL_2M);
		assert_true(walk(root, m.next, pa, &t));
		assert_int_equal(t.pa, pa);
		assert_true(t.execute);
	}
	if (mapped < 512 * NL_1G)
		assert_false(walk(root, m.next, NL_DIRECT_VA + mapped, &t));
	assert_true(walk(root, m.next, NL_DIRECT_VA + mapped - 1, &t));
	assert_false(walk(root, m.next, 512 * NL_1G, &t));
	assert_false(walk(root, m.next, NL_DIRECT_VA + 512 * NL_1G, &t));
}

static void test_large_pages(void **state)
{
	(void)state;
	check(machine(true, 40, 0x40000000), 512 * NL_1G);
	check(machine(true, 39, 0x40000000), 512 * NL_1G);
	check(machine(true, 52, 0x40000000), 512 * NL_1G);
	check(machine(true, 36, 0x40000000), 64 * NL_1G);
}

static void test_without_1g(void **state)
{
	(void)state;
	check(machine(false, 40, 0x20000000), 4 * NL_1G);
	check(machine(false, 40, 6 * NL_1G + 0x1000), 7 * NL_1G);
	check(machine(false, 40, 1ULL << 40), 512 * NL_1G);
	check(machine(false, 32, 0x20000000), 4 * NL_1G);
}

/* Whatever the room: NL_ENOMEM or a whole table, and not a byte outside the room. */
static void test_every_limit(void **state)
{
	struct nl_hostmap m = machine(true, 40, 0x40000000);
	uint64_t root, need;

	(void)state;
	assert_int_equal(nl_hostmap_build(&m, &root), NL_OK);
	need = m.next;
	for (uint64_t limit = FIRST; limit < need; limit += NL_PAGE_SIZE) {
		m = machine(true, 40, 0x40000000);
		m.limit = limit;
		assert_int_equal(nl_hostmap_build(&m, &root), NL_ENOMEM);
		assert_true(m.next <= limit);
		for (uint64_t o = limit; o < need; o++)
			assert_int_equal(region[o], 0xa5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_large_pages),
	        cmocka_unit_test(test_without_1g),
	        cmocka_unit_test(test_every_limit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
