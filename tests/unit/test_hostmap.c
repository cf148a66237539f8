// SPDX-License-Identifier: Apache-2.0
/*
 * The host page table that the loader builds: walked as the MMU would, for machines of several shapes.
 */
// sources: efi/hostmap.c hv/view/view.c hv/view/npt.c
// cflags: -Iefi
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <newleaf/bootblock.h>

#include "hostmap.h"

#define REGION_PA 0x17ce00000ULL
#define TEXT NL_REGION_CORE
#define RODATA (TEXT + 0x12000)
#define DATA (TEXT + 0x18000)
#define FIRST (TEXT + 0x46000) /* offset of the first table */
#define NX (1ULL << 63)
#define ADDRESS 0x000ffffffffff000ULL

struct translation {
	uint64_t pa, page;
	bool execute, write;
};

static uint8_t *region;

static int setup(void **state)
{
	(void)state;
	region = malloc(NL_REGION_MAX);
	return region == NULL;
}

static int teardown(void **state)
{
	(void)state;
	free(region);
	return 0;
}

/* The MMU's walk; every table must lie between FIRST and the next free page in the region. */
static bool walk(const struct nl_hostmap *m, uint64_t root, uint64_t va, struct translation *t)
{
	uint64_t table = root;
	unsigned shift = m->la57 ? 64 - 57 : 64 - 48;

	assert_int_equal((int64_t)(va << shift) >> shift, va); /* canonical */
	*t = (struct translation){.execute = true, .write = true};
	for (int level = m->la57 ? 4 : 3; level >= 0; level--) {
		uint64_t e, size = 1ULL << (12 + 9 * level);

		assert_true(table >= REGION_PA + FIRST && table + NL_PAGE_SIZE <= REGION_PA + m->next);
		assert_int_equal(table & NL_PAGE_MASK, 0);
		e = ((uint64_t *)(region + (table - REGION_PA)))[va >> (12 + 9 * level) & 511];
		if (!(e & 1))
			return false;
		assert_int_equal(e & 0x118, 0); /* not global; write-back */
		assert_int_equal(e & 0x4, 0);   /* supervisor */
		t->execute &= !(e & NX);
		t->write &= e >> 1 & 1;
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
	memset(region, 0xa5, NL_REGION_MAX); /* tables must not depend on what was there */
	return (struct nl_hostmap){.region = region,
	                           .region_pa = REGION_PA,
	                           .region_size = NL_REGION_SIZE(1),
	                           .text = TEXT,
	                           .rodata = RODATA,
	                           .data = DATA,
	                           .next = FIRST,
	                           .ram_top = ram_top,
	                           .phys_bits = bits,
	                           .has_1g = has_1g};
}

static void check_core(const struct nl_hostmap *m, uint64_t root)
{
	struct translation t;

	for (uint64_t o = 0; o < m->region_size; o += NL_PAGE_SIZE) {
		assert_true(walk(m, root, NL_CORE_VA + o, &t));
		assert_int_equal(t.pa, REGION_PA + o);
		assert_int_equal(t.execute, o >= TEXT && o < RODATA);
		assert_int_equal(t.write, o < TEXT || o >= DATA);
	}
	assert_false(walk(m, root, NL_CORE_VA + m->region_size, &t));
	assert_false(walk(m, root, NL_CORE_VA - NL_PAGE_SIZE, &t));
}

static uint64_t step(uint64_t pa)
{
	return pa < 4 * NL_1G ? NL_2M / 2 + NL_PAGE_SIZE : pa < 512 * NL_1G ? NL_1G / 2 + NL_PAGE_SIZE : 300 * NL_1G;
}

static void check(struct nl_hostmap m, uint64_t mapped)
{
	struct translation t;

	assert_int_equal(nl_hostmap_top(&m), mapped);
	assert_int_equal(nl_hostmap_build(&m), NL_OK);
	assert_true(m.next > FIRST && m.next <= m.region_size);
	check_core(&m, m.host_cr3);
	check_core(&m, m.launch_cr3);
	for (uint64_t pa = 0; pa < mapped;
	     pa = pa == mapped - 1 || pa + step(pa) < mapped ? pa + step(pa) : mapped - 1) {
		for (unsigned i = 0; i < 2; i++) {
			assert_true(walk(&m, i ? m.launch_cr3 : m.host_cr3, NL_DIRECT_VA + pa, &t));
			assert_int_equal(t.pa, pa);
			assert_true(!t.execute && t.write);
			assert_true(pa >= NL_2M || t.page == NL_PAGE_SIZE); /* fixed MTRRs */
			assert_true(pa >= 4 * NL_1G || t.page <= NL_2M);
		}
		assert_false(walk(&m, m.host_cr3, pa, &t));
		assert_true(walk(&m, m.launch_cr3, pa, &t));
		assert_int_equal(t.pa, pa);
		assert_true(t.execute && t.write);
	}
	assert_false(walk(&m, m.host_cr3, NL_DIRECT_VA + mapped, &t));
	assert_false(walk(&m, m.launch_cr3, NL_DIRECT_VA + mapped, &t));
}

static void test_large_pages(void **state)
{
	(void)state;
	check(machine(true, 40, 0x40000000), 1024 * NL_1G);
	check(machine(true, 39, 0x40000000), 512 * NL_1G);
	check(machine(true, 46, 0x40000000), 1ULL << 46);
	check(machine(true, 47, 0x40000000), NL_DIRECT_MAX);
	check(machine(true, 52, 0x40000000), NL_DIRECT_MAX);
	check(machine(true, 36, 0x40000000), 64 * NL_1G);
}

static void test_without_1g(void **state)
{
	(void)state;
	check(machine(false, 40, 0x20000000), 4 * NL_1G);
	check(machine(false, 40, 6 * NL_1G + 0x1000), 7 * NL_1G);
	check(machine(false, 40, 1ULL << 40), 1024 * NL_1G);
	check(machine(false, 32, 0x20000000), 4 * NL_1G);
}

static void test_five_levels(void **state)
{
	struct nl_hostmap m = machine(true, 52, 0x40000000), small = machine(false, 40, 6 * NL_1G);

	(void)state;
	m.la57 = small.la57 = true;
	check(m, NL_DIRECT_MAX);
	check(small, 6 * NL_1G);
}

/* Whatever the room: NL_ENOMEM or a whole table, and not a byte outside the room. */
static void test_every_limit(void **state)
{
	(void)state;
	for (unsigned la57 = 0; la57 < 2; la57++) {
		enum nl_err e = NL_ENOMEM;
		unsigned tables = 0;

		for (uint64_t end = FIRST; e; end += NL_PAGE_SIZE, tables++) {
			struct nl_hostmap m = machine(true, 40, 0x40000000);

			m.la57 = la57;
			m.region_size = end;
			e = nl_hostmap_build(&m);
			assert_true(e == NL_OK || e == NL_ENOMEM);
			assert_true(m.next <= end);
			for (uint64_t o = end; o < end + 64 * NL_PAGE_SIZE; o++)
				assert_int_equal(region[o], 0xa5);
			if (!e)
				check_core(&m, m.host_cr3);
		}
		/* Roots; below 1 TiB two of 1 GiB pages, and four of 2 MiB and one of 4 KiB; the core's. */
		assert_in_range(tables, 14, 18);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_large_pages),
	        cmocka_unit_test(test_without_1g),
	        cmocka_unit_test(test_five_levels),
	        cmocka_unit_test(test_every_limit),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
