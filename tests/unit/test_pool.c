// SPDX-License-Identifier: Apache-2.0
// sources: hv/core/pool.c
// libs: -lpthread
/*
 * The page pool: zeroed pages, runs, what it refuses, and that nothing is handed out twice, also by several CPUs at
 * once.
 */
#include "host.h"
#include "core/pool.h"
#include <pthread.h>

enum { PAGES = 200 };
static uint8_t region[PAGES * NL_PAGE_SIZE] __attribute__((aligned(NL_PAGE_SIZE)));
static const hpa_t region_hpa = {0x7f000000};

static int start(void **state)
{
	(void)state;
	host_seed(1);
	memset(region, 0xa5, sizeof(region)); /* what was there before must not shine through */
	nl_pool_init(region, region_hpa, PAGES);
	return 0;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void hands_out_every_page_once_and_zeroed(void **state)
{
	(void)state;
	bool seen[PAGES] = {false};
	size_t n = 0;

	assert_int_equal(nl_pool_total_pages(), PAGES);
	for (uint8_t *page; (page = nl_pool_page()); n++) {
		const size_t i = (size_t)(page - region) / NL_PAGE_SIZE;
		assert_true(page >= region && i < PAGES && page == region + i * NL_PAGE_SIZE);
		assert_false(seen[i]);
		assert_true(all_zero(page, NL_PAGE_SIZE));
		seen[i] = true;
		memset(page, 0xff, NL_PAGE_SIZE);
	}
	assert_int_equal(n, PAGES - 1); /* one holds the table */
	assert_int_equal(nl_pool_free_pages(), 0);
	assert_null(nl_pool_page());
}

static void a_released_page_comes_back_zeroed(void **state)
{
	(void)state;
	uint8_t *pages[PAGES];
	size_t n = 0;

	while ((pages[n] = nl_pool_page()))
		n++;
	for (unsigned round = 0; round < 500; round++) {
		const size_t i = host_below(n);
		memset(pages[i], 0xcc, NL_PAGE_SIZE);
		nl_pool_release(pages[i]);
		assert_int_equal(nl_pool_free_pages(), 1);
		assert_ptr_equal(nl_pool_page(), pages[i]); /* the only one there is */
		assert_true(all_zero(pages[i], NL_PAGE_SIZE));
	}
	for (size_t left = n; left;) { /* all of them, in any order: none is lost */
		const size_t i = host_below(left);
		nl_pool_release(pages[i]);
		pages[i] = pages[--left];
	}
	for (size_t i = 0; i < n; i++)
		assert_non_null(nl_pool_page());
	assert_null(nl_pool_page());
}

static void a_run_is_contiguous_and_apart_from_pages(void **state)
{
	(void)state;
	uint8_t *page = nl_pool_page(), *a = nl_pool_run(64), *b = nl_pool_run(100);

	assert_non_null(a);
	assert_non_null(b);
	assert_true(all_zero(a, 64 * NL_PAGE_SIZE) && all_zero(b, 100 * NL_PAGE_SIZE));
	assert_true(b + 100 * NL_PAGE_SIZE <= a);
	assert_int_equal(nl_pool_free_pages(), PAGES - 1 - 1 - 164);
	assert_null(nl_pool_run(40)); /* more than what is left */
	assert_null(nl_pool_run(SIZE_MAX / NL_PAGE_SIZE));
	memset(a, 1, 64 * NL_PAGE_SIZE);
	memset(b, 2, 100 * NL_PAGE_SIZE);
	for (uint8_t *p; (p = nl_pool_page());) {
		assert_true(p != page && p + NL_PAGE_SIZE <= b);
		memset(p, 3, NL_PAGE_SIZE);
	}
	assert_int_equal(a[0], 1);
	assert_int_equal(b[0], 2);
	assert_null(nl_pool_run(1));
	nl_pool_release(page);
	assert_null(nl_pool_run(1)); /* free, but not where runs are cut */
}

static void a_wrong_release_panics(void **state)
{
	(void)state;
	uint8_t *page = nl_pool_page(), *run = nl_pool_run(2);

	expect_panic(nl_pool_release(NULL));
	expect_panic(nl_pool_release(page + 8));
	expect_panic(nl_pool_release(page + NL_PAGE_SIZE)); /* free */
	expect_panic(nl_pool_release(region));              /* the table */
	expect_panic(nl_pool_release(run));
	expect_panic(nl_pool_release(region + sizeof(region)));
	expect_panic(nl_pool_release(region - NL_PAGE_SIZE));
	uint8_t *other = nl_pool_page();
	nl_pool_release(page);
	expect_panic(nl_pool_release(page)); /* twice */
	nl_pool_release(other);
	expect_panic(nl_pool_release(page)); /* twice, and not the last one */
	expect_panic(nl_pool_release(other));
	assert_int_equal(nl_pool_free_pages(), PAGES - 1 - 2);
	expect_panic(nl_pool_init(region + 8, region_hpa, PAGES));
	expect_panic(nl_pool_init(region, HPA(8), PAGES));
	expect_panic(nl_pool_init(region, region_hpa, 1));
	expect_panic(nl_pool_init(region, region_hpa, UINT16_MAX));
}

/* What is said of a page is not said in the page: a guest writes there. */
static void what_a_page_holds_is_nobodys_business(void **state)
{
	(void)state;
	uint8_t *a = nl_pool_page(), *b = nl_pool_page(), *c = nl_pool_page();

	nl_pool_release(a);
	memcpy(b, a, NL_PAGE_SIZE);
	memset(c, 0xff, NL_PAGE_SIZE);
	nl_pool_release(b);
	nl_pool_release(c);
	memset(a, 0xff, NL_PAGE_SIZE);
	memset(b, 0, NL_PAGE_SIZE);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *page = nl_pool_page();
		assert_true(page == a || page == b || page == c);
		assert_true(all_zero(page, NL_PAGE_SIZE));
	}
	assert_int_equal(nl_pool_free_pages(), PAGES - 1 - 3);
}

static void addresses_go_both_ways(void **state)
{
	(void)state;
	assert_int_equal(nl_pool_hpa(region + 12345).v, region_hpa.v + 12345);
	assert_ptr_equal(nl_pool_va(HPA(region_hpa.v + 12345)), region + 12345);
	/* The pool lies in the region behind the core image, whose own addresses count as well. */
	assert_int_equal(nl_pool_hpa((void *)((uintptr_t)region - 0x3000)).v, region_hpa.v - 0x3000);
	assert_int_equal((uintptr_t)nl_pool_va(HPA(region_hpa.v - 0x3000)), (uintptr_t)region - 0x3000);
	expect_panic(nl_pool_hpa((void *)((uintptr_t)region + NL_REGION_MAX)));
	expect_panic(nl_pool_hpa((void *)((uintptr_t)region - NL_REGION_MAX)));
	expect_panic(nl_pool_va(HPA(region_hpa.v + NL_REGION_MAX)));
	expect_panic(nl_pool_va(HPA(0)));
}

static void tables_are_pages(void **state)
{
	(void)state;
	const struct nl_table_ops *ops = &nl_pool_tables;
	const size_t before = nl_pool_free_pages();
	hpa_t table = HPA(0);

	assert_true(ops->alloc(&table));
	assert_ptr_equal(ops->map(table), nl_pool_va(table));
	ops->release(table);
	assert_int_equal(nl_pool_free_pages(), before);
	while (nl_pool_page())
		;
	assert_false(ops->alloc(&table));
}

/* Each thread marks the pages it holds: two holders of one page would find the other's mark. Few pages, so that they
 * meet. */
static void *holder(void *mark)
{
	uintptr_t clashes = 0;

	for (unsigned round = 0; round < 100000; round++) {
		volatile uintptr_t *page = nl_pool_page();
		if (!page)
			continue;
		clashes += *page != 0;
		*page = (uintptr_t)mark;
		for (unsigned i = 0; i < round % 64; i++)
			clashes += *page != (uintptr_t)mark;
		nl_pool_release((void *)page);
	}
	return (void *)clashes;
}

static void several_cpus_never_hold_the_same_page(void **state)
{
	(void)state;
	pthread_t threads[8];
	nl_pool_init(region, region_hpa, 6);
	const size_t before = nl_pool_free_pages();

	for (uintptr_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, holder, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < 8; i++) {
		void *clashes;
		assert_int_equal(pthread_join(threads[i], &clashes), 0);
		assert_null(clashes);
	}
	assert_int_equal(nl_pool_free_pages(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(hands_out_every_page_once_and_zeroed, start),
	        cmocka_unit_test_setup(a_released_page_comes_back_zeroed, start),
	        cmocka_unit_test_setup(a_run_is_contiguous_and_apart_from_pages, start),
	        cmocka_unit_test_setup(a_wrong_release_panics, start),
	        cmocka_unit_test_setup(what_a_page_holds_is_nobodys_business, start),
	        cmocka_unit_test_setup(addresses_go_both_ways, start),
	        cmocka_unit_test_setup(tables_are_pages, start),
	        cmocka_unit_test_setup(several_cpus_never_hold_the_same_page, start),
	};
	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
