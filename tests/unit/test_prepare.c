// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/gone.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/witness.c
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/commit/order.c hv/commit/standing.c hv/exits/own.c hv/leaf/order.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/core/kept.c hv/leaf/list.c
// sources: hv/commit/trial.c
// sources: hv/leaf/leaf.c hv/leaf/floor.c hv/leaf/reloc.c hv/leaf/signature.c hv/exits/hypercall.c
// sources: hv/view/view.c hv/view/npt.c
// sources: hv/view/current.c hv/core/clock.c hv/core/cpu.c hv/core/journal.c hv/core/pool.c hv/core/sha256.c
// sources: hv/core/sodium.c
// sources: tests/unit/fakeguest.c tests/unit/makeleaf.c tests/unit/commit_fixture.c
// libs: -lcrypto
/*
 * A generation is made some pages a call. Half of one is nothing: it is not tried, it is given up for another, and
 * every page of it comes back.
 */
#include "commit_fixture.h"
#include "view/current.h"

#define PAGES 12u /* in three calls */
#define OTHER (DATA_SITE + 0x10000)

/* A leaf with a site in each of so many pages. */
static void leaf_of_pages(const char *id, unsigned n)
{
	uint8_t bytes[8];
	unsigned i;

	memset(bytes, 0x11, sizeof(bytes));
	make_start(&m, id, 1, &fg.target);
	for (i = 0; i < n; i++)
		make_site(&m, FG_LINK + DATA_SITE + i * NL_PAGE_SIZE, fg_image(DATA_SITE + i * NL_PAGE_SIZE), bytes, 8,
		          0, 0);
}

static unsigned prepared_after(const uint8_t (*set)[32], unsigned count, unsigned most)
{
	unsigned calls = 1;
	enum nl_err err;

	while ((err = prepare_some(set, count, UINT64_MAX)) == NL_AGAIN && calls < most)
		calls++;
	assert_int_equal(err, NL_OK);
	return calls;
}

static int with_leaves(void **state)
{
	static uint8_t sha[2][32];
	int err = setup(state);

	leaf_of_pages("many", PAGES);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_rodata("one", OTHER, 0x22);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	*state = sha;
	return err;
}

static void one_page_is_one_call(void **state)
{
	const uint8_t(*sha)[32] = *state;

	assert_int_equal(prepare_some(sha + 1, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(shown64(OTHER), 0x2222222222222222);
}

static void many_are_some_calls(void **state)
{
	const uint8_t(*sha)[32] = *state;
	size_t free_pages = nl_pool_free_pages(), after_one;
	unsigned i;

	assert_int_equal(prepare_some(sha, 1, UINT64_MAX), NL_AGAIN);
	after_one = free_pages - nl_pool_free_pages();
	assert_in_range(prepared_after(sha, 1, PAGES), 1, PAGES - 1);
	assert_true(free_pages - nl_pool_free_pages() > after_one);
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(commit_report()->pages, PAGES);
	for (i = 0; i < PAGES; i++)
		assert_int_equal(shown64(DATA_SITE + i * NL_PAGE_SIZE), 0x1111111111111111);
	/* and back: those that need no copy any more go home, some a call as well */
	assert_int_equal(prepare_some(sha, 0, UINT64_MAX), NL_AGAIN);
	prepared_after(sha, 0, PAGES);
	assert_int_equal(try_it(), NL_OK);
	for (i = 0; i < PAGES; i++)
		assert_ptr_equal(fg_shown(DATA_SITE + i * NL_PAGE_SIZE), fg_image(DATA_SITE + i * NL_PAGE_SIZE));
	assert_int_equal(prepare_some(sha, 0, UINT64_MAX), NL_NOTHING);
}

static void half_of_one_is_not_tried(void **state)
{
	const uint8_t(*sha)[32] = *state;
	struct moment was = before();

	assert_int_equal(prepare_some(sha, 1, UINT64_MAX), NL_AGAIN);
	assert_int_equal(try_it(), NL_ESTATE);
	assert_int_equal(call(NL_CALL_ABANDON, 0, 0, 0, 0), NL_OK);
	assert_int_equal(try_it(), NL_ESTATE);
	unchanged(was);
}

static void another_request_begins_anew(void **state)
{
	const uint8_t(*sha)[32] = *state;
	struct moment was = before();

	assert_int_equal(prepare_some(sha, 1, UINT64_MAX), NL_AGAIN);
	assert_int_equal(prepare_some(sha + 1, 1, UINT64_MAX), NL_OK);
	assert_int_equal(call(NL_CALL_ABANDON, 0, 0, 0, 0), NL_OK);
	assert_int_equal(prepare_some(sha, 1, UINT64_MAX), NL_AGAIN);
	assert_int_equal(prepare_some(sha, 1, was.generation + 1), NL_EGENERATION);
	assert_int_equal(nl_pool_free_pages(), was.free_pages);
	assert_int_equal(try_it(), NL_ESTATE);
	unchanged(was);
	assert_int_equal(prepare_some(sha, 1, UINT64_MAX), NL_AGAIN);
	assert_int_equal(prepare_some(sha + 1, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(shown64(OTHER), 0x2222222222222222);
	assert_ptr_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE));
}

/* Bytes of a page that a later call makes are not what the leaf expects: refused, and the pages before it come back. */
static void a_later_page_differs(void **state)
{
	const uint8_t(*sha)[32] = *state;
	struct moment was;
	enum nl_err err;
	unsigned calls = 0;

	fg_image(DATA_SITE + (PAGES - 1) * NL_PAGE_SIZE)[3] ^= 1;
	was = before();
	while ((err = prepare_some(sha, 1, UINT64_MAX)) == NL_AGAIN)
		calls++;
	assert_true(calls);
	assert_int_equal(err, NL_EBYTES);
	assert_int_equal(nl_pool_free_pages(), was.free_pages);
	unchanged(was);
}

/* What a commit has superseded goes with the next short call, not in the commit that follows. */
static void a_short_call_reclaims(void **state)
{
	const uint8_t(*sha)[32] = *state;
	size_t free_pages;

	assert_int_equal(commit(sha, 1), NL_OK); /* splits large pages for good */
	assert_int_equal(commit(sha, 0), NL_OK);
	assert_int_equal(call(NL_CALL_FACTS, FG_USER, sizeof(struct nl_leaf_facts), 0, 0), NL_OK);
	free_pages = nl_pool_free_pages();
	assert_int_equal(commit(sha, 1), NL_OK);
	assert_int_equal(commit(sha, 0), NL_OK);
	assert_true(nl_pool_free_pages() < free_pages);
	fg.cpus[0].root_generation = nl_current_view()->generation - 1;
	assert_int_equal(call(NL_CALL_FACTS, FG_USER, sizeof(struct nl_leaf_facts), 0, 0), NL_OK);
	assert_true(nl_pool_free_pages() < free_pages);
	fg.cpus[0].root_generation = nl_current_view()->generation;
	assert_int_equal(call(NL_CALL_FACTS, FG_USER, sizeof(struct nl_leaf_facts), 0, 0), NL_OK);
	assert_int_equal(nl_pool_free_pages(), free_pages);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, with_leaves, teardown)
	const struct CMUnitTest tests[] = {
	        T(one_page_is_one_call),        T(many_are_some_calls),  T(half_of_one_is_not_tried),
	        T(another_request_begins_anew), T(a_later_page_differs), T(a_short_call_reclaims),
	};

	return cmocka_run_group_tests_name("prepare", tests, NULL, NULL);
}
