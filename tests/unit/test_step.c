// SPDX-License-Identifier: Apache-2.0
// sources: hv/core/step.c
// libs: -lpthread
/* The ring of steps: numbered without gaps, old ones give way, what is being written is left out, who is lapped
 * mixes with nobody, and no writer waits for another. */
#include "host.h"
#include "core/core.h"
#include "core/step.h"
#include <pthread.h>
#include <signal.h>

enum { RING = 4096, WRITERS = 4, EACH = 50000 };

static uint64_t newest(void)
{
	struct nl_step_record r;
	uint64_t n;

	assert_false(nl_step_read(UINT64_MAX, &r, &n));
	return n;
}

static void transactions(void **state)
{
	struct nl_step_record r;
	uint64_t n;

	(void)state;
	assert_int_equal(newest(), 0);
	assert_false(nl_step_read(0, &r, &n));
	nl_step(3, NL_STEP_PREPARE, 0);
	nl_step(3, NL_STEP_FREEZE, 77);
	nl_step(2, NL_STEP_COMES, 0xffffffffc0000000);
	assert_true(nl_step_read(0, &r, &n));
	assert_int_equal(n, 3);
	assert_int_equal(r.seq, 1);
	assert_int_equal(r.transaction, 1);
	assert_true(nl_step_read(2, &r, &n));
	assert_int_equal(r.seq, 2);
	assert_int_equal(r.transaction, 1);
	assert_int_equal(r.cpu, 3);
	assert_int_equal(r.step, NL_STEP_FREEZE);
	assert_int_equal(r.value, 77);
	assert_true(nl_step_read(3, &r, &n));
	assert_int_equal(r.transaction, 2);
	assert_int_equal(r.value, 0xffffffffc0000000);
	assert_false(nl_step_read(4, &r, &n));
}

static uint32_t first; /* transactions before this test */

static void of_transaction(uint64_t seq, enum nl_step step, uint32_t transaction)
{
	struct nl_step_record r;
	uint64_t n;

	nl_step(0, step, 0);
	assert_true(nl_step_read(seq, &r, &n));
	assert_int_equal(r.step, step);
	assert_int_equal(r.transaction - first, transaction);
}

/* What is done for a module between two tries of a commit is none of its own. */
static void a_module_in_the_midst(void **state)
{
	struct nl_step_record r;
	uint64_t seq = newest() + 1, n;

	(void)state;
	nl_step(0, NL_STEP_GONE, 0);
	assert_true(nl_step_read(seq, &r, &n));
	first = r.transaction;
	of_transaction(++seq, NL_STEP_PREPARE, 1);
	of_transaction(++seq, NL_STEP_FREEZE, 1);
	of_transaction(++seq, NL_STEP_COMES, 2);
	of_transaction(++seq, NL_STEP_FREEZE, 2);
	of_transaction(++seq, NL_STEP_SETTLE, 2);
	of_transaction(++seq, NL_STEP_FREEZE, 1);
	of_transaction(++seq, NL_STEP_SETTLE, 1);
	of_transaction(++seq, NL_STEP_GOES, 3);
	of_transaction(++seq, NL_STEP_SETTLE, 3);
	of_transaction(++seq, NL_STEP_PREPARE, 4);
	of_transaction(++seq, NL_STEP_DROP, 4);
}

static void old_ones_give_way(void **state)
{
	struct nl_step_record r;
	uint64_t n, from = newest();

	(void)state;
	for (uint64_t i = 0; i < 2 * RING; i++)
		nl_step(0, NL_STEP_ASK, from + i + 1);
	assert_true(nl_step_read(1, &r, &n));
	assert_int_equal(n, from + 2 * RING);
	assert_int_equal(r.seq, n - RING + 1);
	for (uint64_t seq = r.seq; seq <= n; seq++) {
		assert_true(nl_step_read(seq, &r, &n));
		assert_int_equal(r.seq, seq);
		assert_int_equal(r.value, seq);
	}
}

/* A writer is stopped before each of its instructions in turn (by the trap flag) while another goes all around the
 * ring. Whatever it does behind that: what is read is of one of the two and whole, and what could be read once, can. */
static unsigned instruction, stopped_before, looks;
static uint64_t place; /* the older of the two numbers that the writers have for one place in the ring */
static bool newer_seen;

static void look_at_the_place(void)
{
	struct nl_step_record r;
	uint64_t n;
	bool newer = false;

	for (uint64_t seq = place; seq <= place + RING; seq += RING)
		if (nl_step_read(seq, &r, &n) && (r.seq == place || r.seq == place + RING)) {
			assert_true(r.cpu == 1 || r.cpu == 2);
			assert_int_equal(r.value, r.cpu * 0x100000001);
			newer |= r.seq != place;
			looks++;
		}
	assert_true(newer || !newer_seen);
	newer_seen = newer;
}

static void on_trap(int sig)
{
	(void)sig;
	if (instruction++ == stopped_before)
		for (unsigned i = 0; i < RING; i++)
			nl_step(2, NL_STEP_ADOPT, 0x200000002);
	if (instruction > stopped_before)
		look_at_the_place();
}

static void trap_each_instruction(bool on)
{
	if (on)
		__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::: "memory", "cc");
	else
		__asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" ::: "memory", "cc");
}

static void who_is_lapped(void **state)
{
	(void)state;
	assert_true(signal(SIGTRAP, on_trap) != SIG_ERR);
	do {
		instruction = 0;
		newer_seen = false;
		place = newest() + 1;
		trap_each_instruction(true);
		nl_step(1, NL_STEP_ADOPT, 0x100000001);
		trap_each_instruction(false);
	} while (instruction > stopped_before++);
	assert_true(stopped_before > 20 && looks > stopped_before);
}

static bool stop;

static void *write_many(void *arg)
{
	uint32_t cpu = (uint32_t)(uintptr_t)arg;

	for (uint64_t i = 0; i < EACH; i++)
		nl_step(cpu, NL_STEP_ADOPT, (uint64_t)cpu << 32 | (i & 0xffffffff));
	return NULL;
}

/* What is read is whole: each writer's values come in its own order, and none is of two. Once more when all is done. */
static void *read_all(void *arg)
{
	uint64_t seen[WRITERS], *from = arg, n;
	struct nl_step_record r;
	bool last;

	memset(seen, 0xff, sizeof(seen));
	do {
		last = __atomic_load_n(&stop, __ATOMIC_SEQ_CST);
		for (; nl_step_read(*from, &r, &n); *from = r.seq + 1) {
			uint64_t i = r.value & 0xffffffff;

			assert_true(r.seq >= *from && r.seq <= n && r.cpu < WRITERS && r.value >> 32 == r.cpu);
			assert_true(seen[r.cpu] == UINT64_MAX || i > seen[r.cpu]);
			seen[r.cpu] = i;
		}
	} while (!last);
	return NULL;
}

static void writers_do_not_mix(void **state)
{
	pthread_t writer[WRITERS], reader;
	uint64_t begin = newest(), from = begin + 1;

	(void)state;
	assert_int_equal(pthread_create(&reader, NULL, read_all, &from), 0);
	for (uintptr_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writer[i], NULL, write_many, (void *)i), 0);
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writer[i], NULL);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(reader, NULL);
	assert_int_equal(newest() - begin, WRITERS * EACH);
	assert_true(from > newest() - RING); /* not newest() + 1: two may want the last place */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(transactions),       cmocka_unit_test(a_module_in_the_midst),
	        cmocka_unit_test(old_ones_give_way),  cmocka_unit_test(who_is_lapped),
	        cmocka_unit_test(writers_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
