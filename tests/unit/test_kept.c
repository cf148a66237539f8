// SPDX-License-Identifier: Apache-2.0
/*
 * What outlives a warm reset: whole after each change, and lock-outs of a panic.
 */
// sources: hv/core/kept.c hv/leaf/floor.c
#include "host.h"
#include "core/kept.h"
#include "leaf/floor.h"

static struct nl_kept place;
static const uint8_t one[32] = {1}, two[32] = {0, 0, 2};

static bool locked_out(const uint8_t leaf[32]) { return nl_locked_out(nl_kept->lockouts, leaf, NL_LOCKOUT_PANICS); }
static bool whole(void) { return place.magic == NL_KEPT_MAGIC && place.checksum == nl_kept_checksum(&place); }

static void lock_out(const uint8_t leaf[32])
{
	memset(nl_kept_on, 0, sizeof(nl_kept_on));
	nl_kept_on[NL_MAX_LEAVES - 1] = leaf;
	nl_kept_panic();
}

static int start(void **state)
{
	(void)state;
	memset(&place, 0, sizeof(place));
	memset(nl_kept_on, 0, sizeof(nl_kept_on));
	memset(nl_boot.facts.boot_id, 0xb0, sizeof(nl_boot.facts.boot_id));
	nl_kept_init(&place);
	return 0;
}

/* The loader puts there what the boot before left. */
static void what_was_there_stays(void **state)
{
	struct nl_kept before = {.floors = {{"alpha", 4, 0}}, .lockouts = {{{9}, NL_LOCKOUT_PANIC, 0}}};
	static const uint8_t nine[32] = {9};

	(void)state;
	place = before;
	nl_kept_init(&place);
	assert_true(whole());
	assert_memory_equal(place.boot_id, nl_boot.facts.boot_id, 16);
	assert_int_equal(nl_floor_of(before.floors[0].id), 4);
	assert_true(locked_out(nine));
	assert_false(locked_out(one));
}

static void whole_after_each_change(void **state)
{
	(void)state;
	assert_true(whole());
	lock_out(one);
	assert_true(whole());
	assert_true(locked_out(one));
	assert_false(locked_out(two));
	place.floors[0].version = 1; /* as memory may look that somebody used meanwhile */
	assert_false(whole());
}

/* Nobody is pushed out: where there is no room, all are locked out, also those that had a place. */
static void full_of_lock_outs(void **state)
{
	uint8_t leaf[32] = {0};

	(void)state;
	for (unsigned i = 1; i <= NL_MAX_LOCKOUTS; i++) {
		leaf[0] = (uint8_t)i;
		lock_out(leaf);
		lock_out(one);
	}
	assert_true(locked_out(leaf));
	leaf[0] = NL_MAX_LOCKOUTS + 1;
	assert_false(locked_out(leaf));
	lock_out(leaf);
	for (unsigned i = 1; i <= NL_MAX_LOCKOUTS + 2; i++) {
		leaf[0] = (uint8_t)i;
		assert_true(locked_out(leaf));
	}
	assert_true(whole());
}

/* As many as can be on, and as many others at the next panic. */
static void two_panics(void **state)
{
	static uint8_t leaves[2][NL_MAX_LEAVES][32];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < NL_MAX_LEAVES; i++) {
			leaves[round][i][round] = (uint8_t)(i + 1);
			nl_kept_on[i] = leaves[round][i];
		}
		nl_kept_panic();
		for (unsigned i = 0; i < NL_MAX_LEAVES; i++)
			assert_true(locked_out(leaves[0][i]) && locked_out(leaves[round][i]));
		assert_int_equal(locked_out(two), round); /* was not on; there is no place to say so */
		assert_true(whole());
	}
}

static void a_panic_locks_out_what_is_on(void **state)
{
	(void)state;
	nl_kept_on[3] = one;
	nl_kept_panic();
	assert_true(whole());
	assert_true(locked_out(one));
	assert_false(locked_out(two));
}

/* Until another kernel runs. */
static void a_guest_that_is_up_is_no_proof_against_a_leaf(void **state)
{
	(void)state;
	nl_kept_on[0] = two;
	assert_true(nl_kept_alive());
	assert_false(nl_kept_alive());
	nl_kept_panic();
	assert_true(whole());
	assert_false(locked_out(two));
}

static void another_kernel(void **state)
{
	(void)state;
	nl_kept_alive();
	nl_kept_on[0] = one;
	nl_kept_forget();
	nl_kept_on[1] = two;
	nl_kept_panic();
	assert_true(locked_out(two));
	assert_false(locked_out(one));
	assert_true(nl_kept_alive());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(what_was_there_stays, start),
	        cmocka_unit_test_setup(whole_after_each_change, start),
	        cmocka_unit_test_setup(full_of_lock_outs, start),
	        cmocka_unit_test_setup(two_panics, start),
	        cmocka_unit_test_setup(a_panic_locks_out_what_is_on, start),
	        cmocka_unit_test_setup(a_guest_that_is_up_is_no_proof_against_a_leaf, start),
	        cmocka_unit_test_setup(another_kernel, start),
	};

	return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
