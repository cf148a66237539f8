// SPDX-License-Identifier: Apache-2.0
// sources: hv/exits/token.c hv/core/journal.c hv/core/clock.c hv/core/sha256.c hv/core/sodium.c
// libs: -lcrypto -lpthread
/*
 * Tokens: each counts once, on its CPU, in its time, for its kernel; guesses and replays change nothing but a count
 * that the journal keeps at powers of two.
 */
#include "host.h"
#include "core/core.h"
#include "core/journal.h"
#include "exits/token.h"
#include "x86.h"

static struct nl_cpu cpus[2];

static int setup(void **state)
{
	(void)state;
	memset(cpus, 0, sizeof(cpus));
	cpus[1].index = 1;
	for (size_t i = 0; i < sizeof(nl_boot.secret); i++)
		nl_boot.secret[i] = i * 5;
	nl_boot.facts.policy.proofs = NL_PROOF_PORT | NL_PROOF_TOKEN;
	nl_boot.facts.random = 1;
	nl_boot.facts.tsc_hz = 1000000000;
	return 0;
}

static uint64_t made(unsigned cpu)
{
	uint64_t t = 0;

	assert_true(nl_token_make(&cpus[cpu], &t));
	return t;
}

static void counts_once(void **state)
{
	uint64_t t = made(0), refused = nl_counts.tokens_refused;

	(void)state;
	assert_true(nl_token_spend(&cpus[0], t));
	assert_int_equal(nl_counts.tokens_refused, refused);
	assert_false(nl_token_spend(&cpus[0], t));
	assert_false(nl_token_spend(&cpus[0], t));
	assert_int_equal(nl_counts.tokens_refused, refused + 2);
}

/* Nothing that an ordinary user can present is one where none was made: least of all zero. */
static void none_was_made(void **state)
{
	(void)state;
	assert_false(nl_token_spend(&cpus[0], 0));
	assert_false(nl_token_spend(&cpus[0], UINT64_MAX));
	nl_token_spend(&cpus[0], made(0));
	assert_false(nl_token_spend(&cpus[0], 0));
}

static void belongs_to_its_cpu(void **state)
{
	uint64_t a = made(0), b = made(1);

	(void)state;
	assert_int_not_equal(a, b);
	assert_false(nl_token_spend(&cpus[1], a));
	assert_false(nl_token_spend(&cpus[0], b));
	assert_true(nl_token_spend(&cpus[0], a)); /* the wrong ones took nothing from the right ones */
	assert_true(nl_token_spend(&cpus[1], b));
}

/* Two callers on one CPU: the later token holds, the earlier one is void. */
static void later_one_holds(void **state)
{
	uint64_t a = made(0), b = made(0);

	(void)state;
	assert_int_not_equal(a, b);
	assert_false(nl_token_spend(&cpus[0], a));
	assert_true(nl_token_spend(&cpus[0], b));
	assert_false(nl_token_spend(&cpus[0], b));
}

static void ends_in_time(void **state)
{
	uint64_t t = made(0);

	(void)state;
	seam_tsc += NL_TOKEN_LIFE_MS * 1000000ULL - 1000;
	assert_true(nl_token_spend(&cpus[0], t));
	t = made(0);
	seam_tsc += NL_TOKEN_LIFE_MS * 1000000ULL + 1;
	assert_false(nl_token_spend(&cpus[0], t));
}

static void ends_with_its_kernel(void **state)
{
	uint64_t t = made(0);

	(void)state;
	nl_tokens_forget();
	assert_false(nl_token_spend(&cpus[0], t));
	assert_true(nl_token_spend(&cpus[0], made(0)));
}

/* Every bit counts, and two boots with the same ticks have other tokens. */
static void follows_from_the_secret_alone(void **state)
{
	uint64_t now = seam_tsc, t = made(0), other;

	(void)state;
	for (unsigned bit = 0; bit < 64; bit++)
		assert_false(nl_token_spend(&cpus[0], t ^ 1ULL << bit));
	assert_true(nl_token_spend(&cpus[0], t));
	seam_tsc = now;
	cpus[0].token.made = 0;
	nl_boot.secret[31] ^= 1;
	other = made(0);
	assert_int_not_equal(other, t);
}

static void not_without_policy_or_secret(void **state)
{
	uint64_t t = made(0), refused, v = 77;

	(void)state;
	nl_boot.facts.policy.proofs = NL_PROOF_PORT;
	refused = nl_counts.tokens_refused;
	assert_false(nl_token_make(&cpus[0], &v));
	assert_false(nl_token_spend(&cpus[0], t));
	nl_boot.facts.policy.proofs = NL_PROOF_TOKEN;
	nl_boot.facts.random = 0;
	assert_false(nl_token_make(&cpus[0], &v));
	assert_false(nl_token_spend(&cpus[0], t));
	assert_int_equal(v, 77);
	assert_int_equal(nl_counts.tokens_refused, refused); /* nobody is told apart from a machine without tokens */
}

static void guesses_do_not_flood_the_journal(void **state)
{
	struct nl_journal_entry e;
	uint64_t t = made(0), before, after, refused = nl_counts.tokens_refused, guess = 0x9e3779b97f4a7c15;

	(void)state;
	nl_journal_read(UINT64_MAX, &e, &before);
	for (unsigned i = 0; i < 1000000; i++, guess = guess * 6364136223846793005 + 1442695040888963407)
		assert_false(nl_token_spend(&cpus[0], guess));
	assert_int_equal(nl_counts.tokens_refused, refused + 1000000);
	nl_journal_read(UINT64_MAX, &e, &after);
	assert_in_range(after - before, 10, 20);
	assert_int_equal(nl_journal_read(after, &e, &after), 1);
	assert_int_equal(e.event, NL_EV_TOKEN);
	assert_int_equal(e.a, 524288);
	assert_false(nl_token_spend(&cpus[0], ~t));
}

/* With 32 bits an ordinary user of a big machine had filled the journal within minutes: 32 entries for each 2^32. */
static void not_even_by_four_thousand_million(void **state)
{
	struct nl_journal_entry e;
	uint64_t before, after;

	(void)state;
	nl_counts.tokens_refused = UINT32_MAX - 10;
	nl_journal_read(UINT64_MAX, &e, &before);
	for (unsigned i = 0; i < 1000; i++)
		assert_false(nl_token_spend(&cpus[0], i));
	nl_journal_read(UINT64_MAX, &e, &after);
	assert_int_equal(after - before, 1);
	assert_int_equal(nl_counts.tokens_refused, UINT32_MAX - 10 + 1000ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(counts_once, setup),
	        cmocka_unit_test_setup(none_was_made, setup),
	        cmocka_unit_test_setup(belongs_to_its_cpu, setup),
	        cmocka_unit_test_setup(later_one_holds, setup),
	        cmocka_unit_test_setup(ends_in_time, setup),
	        cmocka_unit_test_setup(ends_with_its_kernel, setup),
	        cmocka_unit_test_setup(follows_from_the_secret_alone, setup),
	        cmocka_unit_test_setup(not_without_policy_or_secret, setup),
	        cmocka_unit_test_setup(guesses_do_not_flood_the_journal, setup),
	        cmocka_unit_test_setup(not_even_by_four_thousand_million, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
