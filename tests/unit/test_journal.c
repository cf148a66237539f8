// SPDX-License-Identifier: Apache-2.0
// sources: hv/core/journal.c hv/core/clock.c hv/core/sha256.c hv/core/sodium.c
// libs: -lcrypto -lpthread
/* The journal: numbers without gaps, each entry holds the hash of the one before, old ones give way, writers on several
 * CPUs do not mix. */
#include "host.h"
#include "core/core.h"
#include "core/journal.h"
#include <openssl/sha.h>
#include <pthread.h>

/* All from `seq` on; how many. */
static size_t read_from(uint64_t seq, struct nl_journal_entry *out, size_t max, uint64_t *n)
{
	size_t got = 0;

	for (; got < max && nl_journal_read(seq, &out[got], n); seq = out[got++].seq + 1)
		;
	return got;
}

static uint64_t newest(void)
{
	struct nl_journal_entry e;
	uint64_t n;

	assert_int_equal(nl_journal_read(UINT64_MAX, &e, &n), 0);
	return n;
}

static void chain(void **state)
{
	struct nl_journal_entry e[4];
	uint8_t hash[32];
	uint64_t n, i;

	(void)state;
	nl_journal_generation(5);
	nl_boot.facts.tsc_hz = 1000000000;
	memset(nl_boot.facts.boot_id, 7, 16);
	assert_int_equal(newest(), 0);
	nl_journal(NL_EV_BOOT, NL_OK, NULL, NULL, 2, 0);
	nl_journal(NL_EV_VERIFIED, NL_OK, "prctl-auxv", (const uint8_t *)"0123456789abcdef0123456789abcdef", 0, 0);
	nl_journal(NL_EV_REFUSED, NL_EBYTES, "an-id-that-is-as-long-as-no-leaf-may-have-because-it-would-not-end", NULL,
	           1, 2);
	assert_int_equal(read_from(1, e, 4, &n), 3);
	assert_int_equal(n, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(e[i].seq, i + 1);
		assert_int_equal(e[i].generation, 5);
		assert_int_equal(e[i].boot_id[15], 7);
		if (i) {
			SHA256((const uint8_t *)&e[i - 1], sizeof(e[0]), hash);
			assert_memory_equal(e[i].hash, hash, 32);
		}
	}
	assert_int_equal(e[0].hash[0] | e[0].hash[31], 0);
	assert_string_equal(e[1].id, "prctl-auxv");
	assert_int_equal(strlen(e[2].id), NL_LEAF_ID_LEN - 1);
	assert_int_equal(e[2].error, NL_EBYTES);
	assert_int_equal(nl_journal_read(3, e, &n), 1);
	assert_int_equal(nl_journal_read(4, e, &n), 0);
	assert_int_equal(nl_journal_read(2, e, &n), 1);
	assert_int_equal(e[0].seq, 2);
}

/* Tokens that are not valid need no right to call: they do not let a run of refusals go on, and are not lost in one. */
static void refusals_in_a_row(void **state)
{
	struct nl_journal_entry e;
	uint64_t before, n;

	(void)state;
	nl_journal_read(UINT64_MAX, &e, &before);
	for (unsigned i = 0; i < 200; i++)
		nl_journal(i % 20 != 19   ? NL_EV_REFUSED
		           : i % 40 == 19 ? NL_EV_NET
		                          : NL_EV_TOKEN,
		           NL_EROOT, NULL, NULL, i, 0);
	nl_journal_read(UINT64_MAX, &e, &n);
	assert_int_equal(n - before, 16 + 10);
	nl_journal_read(n, &e, &n);
	assert_int_equal(e.event, NL_EV_TOKEN);
	nl_journal(NL_EV_CPU, NL_OK, NULL, NULL, 0, 0);
	nl_journal(NL_EV_REFUSED, NL_EBYTES, NULL, NULL, 0, 0);
	nl_journal_read(UINT64_MAX, &e, &before);
	assert_int_equal(before - n, 2);
}

/* Anybody may have a module loaded that is refused, again and again. */
static void refused_modules_in_a_row(void **state)
{
	struct nl_journal_entry e;
	uint64_t before, n;

	(void)state;
	nl_journal(NL_EV_CPU, NL_OK, NULL, NULL, 0, 0);
	nl_journal_read(UINT64_MAX, &e, &before);
	for (unsigned i = 0; i < 150; i++)
		nl_journal(i % 3 ? NL_EV_MODULE : NL_EV_REFUSED, NL_EMODULE, "alpha", NULL, i, 1);
	nl_journal_read(UINT64_MAX, &e, &n);
	assert_int_equal(n - before, 16);
	nl_journal(NL_EV_MODULE, NL_OK, "alpha", NULL, 0, 0);      /* it is patched, */
	nl_journal(NL_EV_MODULE, NL_NOTHING, "alpha", NULL, 0, 0); /* and goes: that is no failure */
	nl_journal(NL_EV_MODULE, NL_EMODULE, "alpha", NULL, 0, 0);
	nl_journal_read(UINT64_MAX, &e, &before);
	assert_int_equal(before - n, 2); /* who has it refused can have it loaded as well: no new beginning */
	nl_journal(NL_EV_COMMIT, NL_OK, NULL, NULL, 0, 0);
	nl_journal(NL_EV_MODULE, NL_EMODULE, "alpha", NULL, 0, 0);
	nl_journal_read(UINT64_MAX, &e, &n);
	assert_int_equal(n - before, 2);
}

/* Nor is what was said before washed away by a module that comes and goes. */
static void modules_in_a_row(void **state)
{
	struct nl_journal_entry e;
	uint64_t before, n;

	(void)state;
	nl_journal(NL_EV_COMMIT, NL_OK, NULL, NULL, 0, 0);
	nl_journal_read(UINT64_MAX, &e, &before);
	for (unsigned i = 0; i < 600; i++)
		nl_journal(i % 5 ? NL_EV_MODULE : NL_EV_TOKEN, i % 2 ? NL_OK : NL_NOTHING, "alpha", NULL, i, 0);
	nl_journal_read(UINT64_MAX, &e, &n);
	assert_int_equal(n - before, 128 + 120);
	nl_journal(NL_EV_MODULE, NL_EARENA, "alpha", NULL, 0, 0); /* let in unpatched: that is said all the same */
	nl_journal_read(UINT64_MAX, &e, &before);
	assert_int_equal(before - n, 1);
	n = before;
	nl_journal(NL_EV_COMMIT, NL_OK, NULL, NULL, 0, 0);
	nl_journal(NL_EV_MODULE, NL_OK, "alpha", NULL, 0, 0);
	nl_journal_read(UINT64_MAX, &e, &before);
	assert_int_equal(before - n, 2);
}

static void *writer(void *arg)
{
	unsigned i;

	(void)arg;
	for (i = 0; i < 300; i++)
		nl_journal(NL_EV_CPU, NL_OK, NULL, NULL, i, 0);
	return NULL;
}

static void overwritten_by_many(void **state)
{
	static struct nl_journal_entry e[2000];
	pthread_t t[3];
	uint8_t hash[32];
	uint64_t n, got, i, before;

	(void)state;
	nl_journal_read(UINT64_MAX, e, &before);
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, writer, NULL), 0);
	for (i = 0; i < 200; i++)
		nl_journal_tidy();
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	got = read_from(1, e, 2000, &n);
	assert_int_equal(n, before + 900);
	nl_journal_tidy(); /* nothing is left to do */
	nl_journal(NL_EV_CPU, NL_OK, NULL, NULL, 0, 0);
	got += read_from(n + 1, &e[got], 1, &n);
	assert_int_equal(n, before + 901);
	assert_true(got > 100 && got < 900); /* a ring */
	assert_int_equal(e[got - 1].seq, n);
	for (i = 1; i < got; i++) {
		assert_int_equal(e[i].seq, e[i - 1].seq + 1);
		SHA256((const uint8_t *)&e[i - 1], sizeof(e[0]), hash);
		assert_memory_equal(e[i].hash, hash, 32);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(chain), cmocka_unit_test(overwritten_by_many), cmocka_unit_test(refusals_in_a_row),
	        cmocka_unit_test(refused_modules_in_a_row), cmocka_unit_test(modules_in_a_row)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
