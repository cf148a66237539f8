// SPDX-License-Identifier: Apache-2.0
// sources: guest-agent/agent.c guest-agent/look.c guest-agent/order.c guest-agent/own.c tools/newleaf/sha256.c
// sources: tests/unit/agent_fixture.c tests/unit/fake_newleaf.c
// cflags: -Iguest-agent -Itools/newleaf
/*
 * What the agent costs those who run beside it: how long it lets CPUs be kept from them, and that it says so.
 */
#include "host.h"

#include <limits.h>

#include "agent_fixture.h"
#include "own.h"

/* Who was interrupted behind a call has not taken what others had then; and not less than the call, when that was
 * before or after its two readings. A millisecond is a million ticks. */
static void others_are_not_counted(void **state)
{
	(void)state;
	assert_int_equal(nl_own_taken(900000, 910000, 905000, 905000), 900000); /* nobody came */
	assert_int_equal(nl_own_taken(10900000, 11000000, 905000, 10905000), 912883);
	assert_int_equal(nl_own_taken(900000, 11000000, 905000, 10905000), 900000);
	assert_int_equal(nl_own_taken(900000, 910000, 0, 905000), 900000); /* a clock that counts ticks of the kernel */
	assert_int_equal(nl_own_taken(900000, 910000, 4000000, 905000), 900000);
}

/* Less than a tick of any kernel, however often somebody is missing. An emulator's CPUs come when the host lets them.
 */
static void nobody_spins_for_a_tick(void **state)
{
	struct fake *f = opened();
	struct nl_status s;

	(void)state;
	staged("demo");
	f->gather_missing = UINT_MAX;
	assert_int_equal(commit(10000), NL_EDEADLINE);
	assert_true(f->gathers > 5);
	assert_in_range(f->longest_spin_ns, 1, 1000000);
	f = opened();
	f->status.emulated = 1;
	assert_int_equal(nl_agent_status(&agent, &s), NL_OK);
	staged("demo");
	f->gather_missing = UINT_MAX;
	assert_int_equal(commit(10000), NL_EDEADLINE);
	assert_int_equal(f->longest_spin_ns, 256000000);
	f->gather_missing = 0;
	assert_int_equal(commit(1000), NL_OK);
	assert_int_equal(f->spin_ns, 4000000); /* each commit begins anew */
}

/* Of each kind of call the longest, of gathers as they say themselves, and what failed counts as what did not. */
static void what_is_taken_is_noted(void **state)
{
	struct fake *f = opened();
	uint8_t file[4096];

	(void)state;
	f->takes[NL_CALL_STAGE] = 3;
	f->takes[NL_CALL_VERIFY] = 700;
	f->takes[NL_PIECE_CHECK] = 6000;
	f->verify_again = 3;
	f->efault = 1;
	f->verify_error = NL_EKEY;
	assert_int_equal(nl_agent_verify(&agent, file, fake_leaf(file, "demo", 1), &verified), NL_EKEY);
	f->verify_error = NL_OK;
	f->takes[NL_CALL_VERIFY] = 650;
	staged("demo");
	assert_int_equal(agent.taken[NL_CALL_STAGE], 3);
	assert_int_equal(agent.taken[NL_CALL_VERIFY], 700); /* not the last, not the sum */
	assert_int_equal(agent.taken[NL_PIECE_CHECK], 6000);
	f->takes[NL_CALL_PREPARE] = 40;
	f->takes[NL_CALL_TRY] = 90;
	f->takes[NL_PIECE_GATHER] = 120;
	f->gather_missing = UINT_MAX;
	assert_int_equal(commit(1000), NL_EDEADLINE);
	assert_int_equal(agent.taken[NL_PIECE_GATHER], 120);
	assert_int_equal(agent.taken[NL_CALL_TRY], 0); /* nobody got there */
	f->gather_missing = 0;
	f->takes[NL_PIECE_GATHER] = 110;
	f->takes[NL_CALL_ABANDON] = 9;
	f->try_error = NL_EBYTES;
	assert_int_equal(commit(1000), NL_EBYTES);
	assert_int_equal(agent.taken[NL_PIECE_GATHER], 120);
	assert_int_equal(agent.taken[NL_CALL_PREPARE], 40);
	assert_int_equal(agent.taken[NL_CALL_TRY], 90);
	assert_int_equal(agent.taken[NL_CALL_ABANDON], 9);
}

/* A try that took long is not made again at once, however long the deadline; and the deadline is not slept through. */
static void tries_leave_the_cpus_alone(void **state)
{
	struct fake *f = opened();
	struct nl_status s;
	uint64_t begin;

	(void)state;
	f->status.boot.tsc_hz = 1000000000;
	assert_int_equal(nl_agent_status(&agent, &s), NL_OK);
	staged("demo");
	f->try_again = UINT_MAX;
	f->blocker = (struct nl_blocker){.cpu = UINT32_MAX, .rip = 0x1010, .site_va = 0x1000, .pid = 499};
	f->takes[NL_CALL_TRY] = 10000000;
	begin = f->now_ns;
	assert_int_equal(commit(1000), NL_EDEADLINE);
	assert_in_range(f->tries, 12, 14);
	assert_in_range(f->longest_pause_ns, 80000000, 80000000);
	assert_in_range(f->now_ns - begin, 1000000000, 1001000000);
	f->takes[NL_CALL_TRY] = 10000;
	f->tries = 0;
	assert_int_equal(commit(1000), NL_EDEADLINE);
	assert_true(f->tries > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(others_are_not_counted),
	        cmocka_unit_test(nobody_spins_for_a_tick),
	        cmocka_unit_test(what_is_taken_is_noted),
	        cmocka_unit_test(tries_leave_the_cpus_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
