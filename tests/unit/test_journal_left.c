// SPDX-License-Identifier: Apache-2.0
// sources: hv/core/journal.c hv/core/clock.c hv/core/sha256.c hv/core/sodium.c
// libs: -lcrypto
/*
 * The journal over a reset: on a machine whose memory has what was flushed, and any other line of its caches or not.
 * Wherever the reset comes, at most the entry being written is lost; what is damaged is never gone on with.
 */
#include "host.h"
#include "core/core.h"
#include "core/journal.h"
#include "x86.h"
#include <openssl/sha.h>

#define LINE 64u

static struct nl_kept_entry ring[NL_JOURNAL_ENTRIES] __attribute__((aligned(LINE))); /* as the core sees it */
static uint8_t memory[sizeof(ring)];                                                 /* as a reset leaves it */
static uint64_t lines_left; /* that come to memory before the reset */
static bool over;           /* it has come: whatever is done from here on is not */

static void write_back(size_t line) { memcpy(memory + line * LINE, (uint8_t *)ring + line * LINE, LINE); }

/* Line by line, and before each of them any other may have been pushed out of the cache. */
static void flushed(const void *p, size_t size)
{
	size_t first = (size_t)((const uint8_t *)p - (uint8_t *)ring) / LINE;

	assert_int_equal((uintptr_t)p % LINE, 0);
	for (size_t line = first; line < first + (size + LINE - 1) / LINE && !over; line++) {
		write_back((size_t)host_below(sizeof(ring) / LINE));
		over = !lines_left--;
		if (!over)
			write_back(line);
	}
}

static uint64_t newest(void)
{
	uint64_t n;

	nl_journal_read(UINT64_MAX, NULL, &n);
	return n;
}

/* Every entry that can be read: numbers and chain. How many. */
static unsigned all_hold(void)
{
	struct nl_journal_entry e, before;
	uint8_t hash[32];
	uint64_t n = 0;
	unsigned count = 0;

	for (uint64_t seq = 1; nl_journal_read(seq, &e, &n); seq = e.seq + 1, before = e, count++) {
		SHA256((const uint8_t *)&before, sizeof(before), hash);
		if (count)
			assert_memory_equal(e.hash, hash, sizeof(hash));
		assert_int_equal(e.seq, count                    ? before.seq + 1
		                        : n > NL_JOURNAL_ENTRIES ? n - NL_JOURNAL_ENTRIES + 1
		                                                 : 1);
		assert_int_equal(e.a, e.seq); /* as write_entry() said */
	}
	return count;
}

static void write_entry(void) { nl_journal(NL_EV_CPU, NL_OK, "an id", NULL, newest() + 1, 0); }

static void write_entries(unsigned n)
{
	while (n--)
		write_entry();
}

/* The machine is reset; the loader of the next boot copies what memory holds. */
static enum nl_journal_past warm_reset(void)
{
	enum nl_journal_past past;

	over = false;
	lines_left = UINT64_MAX;
	memcpy(ring, memory, sizeof(ring));
	nl_boot.facts.boot_id[0]++;
	past = nl_journal_init(ring);
	assert_int_equal(past == NL_PAST_GOES_ON, newest() != 0);
	return past;
}

static int power_on(void **state)
{
	(void)state;
	host_seed(20261127);
	seam_flushed = flushed;
	memset(memory, 0, sizeof(memory));
	assert_int_equal(warm_reset(), NL_PAST_NONE);
	return 0;
}

static void goes_on(void **state)
{
	struct nl_journal_entry e;
	uint8_t hash[32];
	uint64_t n;

	(void)state;
	/* One; none of them chained; some; the ring just full, and written over. */
	for (unsigned i = 1; i <= 2000; i += i < 60 ? 1 : i > 500 && i < 530 ? 2 : 97) {
		power_on(NULL);
		write_entries(i);
		assert_int_equal(warm_reset(), NL_PAST_GOES_ON);
		assert_int_equal(newest(), i);
		if (i < NL_JOURNAL_ENTRIES)
			assert_int_equal(all_hold(), i); /* before there is anything of this boot */
		nl_journal(NL_EV_BOOT, NL_OK, NULL, NULL, i + 1, NL_PAST_GOES_ON);
		assert_true(nl_journal_read(i, &e, &n));
		assert_int_equal(e.boot_id[0], (uint8_t)(nl_boot.facts.boot_id[0] - 1));
		SHA256((const uint8_t *)&e, sizeof(e), hash);
		assert_true(nl_journal_read(i + 1, &e, &n));
		assert_int_equal(e.boot_id[0], nl_boot.facts.boot_id[0]);
		assert_memory_equal(e.hash, hash, sizeof(hash));
		assert_int_equal(all_hold(), i + 1 < NL_JOURNAL_ENTRIES ? i + 1 : NL_JOURNAL_ENTRIES);
	}
}

static void boot_after_boot(void **state)
{
	(void)state;
	for (unsigned boot = 0; boot < 60; boot++) {
		uint64_t before = newest();

		write_entries((unsigned)host_below(60));
		if (host_below(2))
			nl_journal_tidy();
		before = newest();
		assert_int_equal(warm_reset(), before ? NL_PAST_GOES_ON : NL_PAST_NONE);
		assert_int_equal(newest(), before);
	}
	assert_true(newest() > 2 * NL_JOURNAL_ENTRIES);
	write_entry();
	assert_int_equal(all_hold(), NL_JOURNAL_ENTRIES);
}

/* At any line that goes to memory, of anything that is done. */
static void a_reset_anywhere(void **state)
{
	static const unsigned before[] = {0, 1, 31, 32, 33, 40, 509, 510, 511, 512, 513, 700};
	static uint8_t there[sizeof(memory)];

	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(before); i++) {
		bool came = true;

		power_on(NULL);
		write_entries(before[i]);
		memcpy(there, memory, sizeof(there));
		for (uint64_t after = 0; came; after++) {
			uint64_t written = before[i];

			memcpy(memory, there, sizeof(memory));
			warm_reset();
			assert_int_equal(newest(), before[i]);
			lines_left = after;
			for (unsigned j = 0; j < 3; j++, written += !over)
				write_entry();
			nl_journal_tidy();
			came = over;
			warm_reset();
			assert_in_range(newest(), written, written + came);
			write_entry();
			all_hold();
		}
	}
}

/* The reset may as well come while the ring that was left is looked through. */
static void a_reset_in_the_beginning(void **state)
{
	static uint8_t there[sizeof(memory)];

	(void)state;
	for (unsigned before = 20; before < 700; before += 600) {
		power_on(NULL);
		write_entries(before);
		memcpy(there, memory, sizeof(there));
		for (uint64_t after = 0; after < 100; after++) {
			memcpy(memory, there, sizeof(memory));
			memcpy(ring, memory, sizeof(ring));
			over = false;
			lines_left = after;
			nl_journal_init(ring);
			assert_true(over);
			assert_int_equal(warm_reset(), NL_PAST_GOES_ON);
			assert_int_equal(newest(), before);
		}
	}
}

static void from_the_beginning(enum nl_journal_past past)
{
	static const uint8_t zero[sizeof(memory)];
	uint64_t n;

	assert_int_equal(warm_reset(), past);
	assert_int_equal(newest(), 0);
	assert_memory_equal(memory, zero, sizeof(zero)); /* nothing of it comes up after the next reset */
	write_entries(40);
	assert_int_equal(warm_reset(), NL_PAST_GOES_ON);
	assert_int_equal(all_hold(), 40);
	assert_false(nl_journal_read(41, NULL, &n));
}

static void nothing_was_left(void **state)
{
	(void)state;
	from_the_beginning(NL_PAST_NONE);
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)host_random();
	from_the_beginning(NL_PAST_NONE);
	memset(memory, 0xff, sizeof(memory));
	from_the_beginning(NL_PAST_NONE);
	/* What an older Newleaf left: entries of its size, without checksums. */
	for (size_t at = 0; at < sizeof(memory); at += sizeof(struct nl_journal_entry))
		memcpy(memory + at, &(struct nl_journal_entry){.seq = at / sizeof(struct nl_journal_entry) + 1},
		       sizeof(memory) - at < sizeof(struct nl_journal_entry) ? sizeof(memory) - at
		                                                             : sizeof(struct nl_journal_entry));
	from_the_beginning(NL_PAST_NONE);
}

/* Each bit of some entries, and some of all. */
static void one_bit(void **state)
{
	static const unsigned entries[] = {1, 2, 33, 100, 511, 512, 513, 1300};
	static uint8_t there[sizeof(memory)];

	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(entries); i++) {
		uint64_t n = entries[i];

		power_on(NULL);
		write_entries((unsigned)n);
		for (unsigned tidied = 0; tidied < 10; tidied++) /* some with a hash, and some without */
			nl_journal_tidy();
		memcpy(there, memory, sizeof(there));
		for (unsigned look = 0; look < 3000; look++) {
			uint64_t seq = n - (look < 1600 ? look & 1
			                                : host_below(n < NL_JOURNAL_ENTRIES ? n : NL_JOURNAL_ENTRIES));
			unsigned bit = look < 1600 ? look / 2 : (unsigned)host_below(1600);
			size_t place = (seq - 1) % NL_JOURNAL_ENTRIES * sizeof(struct nl_kept_entry);
			enum nl_journal_past past;

			if (!seq || bit >= 8 * offsetof(struct nl_kept_entry, reserved))
				continue;
			memcpy(memory, there, sizeof(memory));
			memory[place + bit / 8] ^= (uint8_t)(1u << bit % 8);
			past = warm_reset();
			if (past == NL_PAST_GOES_ON && newest() == n) {
				/* what gives way to the next one */
				assert_true(n >= NL_JOURNAL_ENTRIES && seq == n - NL_JOURNAL_ENTRIES + 1);
			} else if (past == NL_PAST_GOES_ON) {
				assert_int_equal(newest(), n - 1); /* as one that a reset tore */
				assert_int_equal(seq, n);
			} else {
				assert_true(past == NL_PAST_DAMAGED || n == 1);
				assert_int_equal(newest(), 0);
			}
			write_entry();
			all_hold();
		}
	}
}

/* A place that is as if it was never written, or holds a whole entry that belongs into another. */
static void holes(void **state)
{
	static uint8_t there[sizeof(memory)];
	const size_t size = sizeof(struct nl_kept_entry);

	(void)state;
	for (unsigned n = 40; n < 1000; n += 480) {
		power_on(NULL);
		write_entries(n);
		memcpy(there, memory, sizeof(there));
		for (uint64_t seq = n; seq > n - 39; seq--)
			for (unsigned what = 0; what < 2; what++) {
				memcpy(memory, there, sizeof(memory));
				if (what)
					memcpy(memory + (seq - 1) % NL_JOURNAL_ENTRIES * size,
					       there + (n - 39 - 1) % NL_JOURNAL_ENTRIES * size, size);
				else
					memset(memory + (seq - 1) % NL_JOURNAL_ENTRIES * size, 0, size);
				assert_int_equal(warm_reset(), seq == n ? NL_PAST_GOES_ON : NL_PAST_DAMAGED);
				write_entry();
				all_hold();
			}
	}
}

/* Parts of the ring as they were some time before, of the same boot or of one that began anew. */
static void two_boots_mixed(void **state)
{
	static uint8_t older[sizeof(memory)], now[sizeof(memory)];
	const size_t size = sizeof(struct nl_kept_entry);

	(void)state;
	for (unsigned anew = 0; anew < 2; anew++)
		for (unsigned n = 300; n < 1000; n += 400)
			for (unsigned parts = 2; parts < 40; parts += 3) {
				power_on(NULL);
				write_entries(700);
				memcpy(older, memory, sizeof(older));
				if (anew)
					power_on(NULL);
				write_entries(n);
				memcpy(now, memory, sizeof(now));
				/* Alternating; the place behind the newest one may hold anything, and all is of one
				 * boot where the other one wrote nothing. */
				for (unsigned i = 0; i < NL_JOURNAL_ENTRIES; i++)
					memcpy(memory + i * size, (i / parts & 1 ? older : now) + i * size, size);
				from_the_beginning(NL_PAST_DAMAGED);
			}
}

static void a_ring_of_another_size(void **state)
{
	struct nl_kept_entry copy[NL_JOURNAL_ENTRIES];

	(void)state;
	write_entries(1000); /* its last 256, as a ring of 256 has them, and other memory behind it */
	memcpy(copy, memory, sizeof(copy));
	for (uint64_t seq = 1000 - 255; seq <= 1000; seq++)
		memcpy(memory + (seq - 1) % 256 * sizeof(copy[0]), &copy[(seq - 1) % NL_JOURNAL_ENTRIES],
		       sizeof(copy[0]));
	memset(memory + 256 * sizeof(copy[0]), 0x5a, 256 * sizeof(copy[0]));
	from_the_beginning(NL_PAST_DAMAGED);
	power_on(NULL);
	write_entries(256); /* all of them are where we look */
	memset(memory + 256 * sizeof(copy[0]), 0x5a, 256 * sizeof(copy[0]));
	from_the_beginning(NL_PAST_DAMAGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(goes_on, power_on),
	        cmocka_unit_test_setup(boot_after_boot, power_on),
	        cmocka_unit_test_setup(a_reset_anywhere, power_on),
	        cmocka_unit_test_setup(a_reset_in_the_beginning, power_on),
	        cmocka_unit_test_setup(nothing_was_left, power_on),
	        cmocka_unit_test_setup(one_bit, power_on),
	        cmocka_unit_test_setup(holes, power_on),
	        cmocka_unit_test_setup(two_boots_mixed, power_on),
	        cmocka_unit_test_setup(a_ring_of_another_size, power_on),
	};

	return cmocka_run_group_tests_name("journal_left", tests, NULL, NULL);
}
