// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/trial.c
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/gone.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/witness.c hv/commit/order.c hv/commit/standing.c hv/leaf/order.c
// sources: hv/exits/own.c hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/core/kept.c hv/leaf/list.c
// sources: hv/leaf/leaf.c hv/leaf/floor.c hv/leaf/reloc.c hv/leaf/signature.c hv/exits/hypercall.c
// sources: hv/view/view.c hv/view/npt.c
// sources: hv/view/current.c hv/core/clock.c hv/core/cpu.c hv/core/journal.c hv/core/pool.c hv/core/sha256.c
// sources: tests/unit/fakeguest.c tests/unit/makeleaf.c tests/unit/commit_fixture.c tests/unit/order_fixture.c
// sources: hv/core/sodium.c tests/unit/trial_fixture.c
// libs: -lcrypto -Wl,--wrap=crypto_sign_ed25519_verify_detached,--wrap=nl_sha256_update
// libs: -Wl,--wrap=nl_publish_view,--wrap=nl_guest_read
/*
 * What guest root, or a guest's kernel, might make of orders, of probation, and of what the journal says of them.
 */
#include "trial_fixture.h"
#include "core/sha256.h"
#include "commit/standing.h"
#include "exits/hypercall.h"
#include <newleaf/order.h>

static enum nl_err prepare_for(const uint8_t leaf[32], uint32_t deadline_ms)
{
	struct nl_commit_request r = {.expected_generation = UINT64_MAX, .deadline_ms = deadline_ms, .count = 1};
	enum nl_err err;

	memcpy(r.set, leaf, 32);
	do {
		memcpy(fg_user(FG_USER), &r, sizeof(r));
		err = call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0);
	} while (err == NL_AGAIN);
	return err;
}

static unsigned journaled(enum nl_event event, enum nl_err err)
{
	struct nl_journal_entry e = {0};
	uint64_t seq = 0, last;
	unsigned n = 0;

	while (nl_journal_read(seq + 1, &e, &last)) {
		seq = e.seq;
		n += e.event == event && e.error == err;
	}
	return n;
}

static int plain(void **state)
{
	begin(state);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	nl_boot.facts.policy.deadline_ms = 10000;
	assert_int_equal(bring("alpha", DATA_SITE), NL_OK);
	assert_int_equal(bring("beta", DATA_SITE + 64), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_NONE;
	fg.ctx.cpl = 3;
	return 0;
}

/* An order lets alpha in; guest root, who may do nothing else, prepares it and waits. The operator thinks again, and
 * orders beta: what was prepared for the first order counts no more. */
static void an_ended_order_counts_no_more(void **state)
{
	(void)state;
	assert_int_equal(ordered(NL_ORDER_APPLY, alpha), NL_OK);
	assert_int_equal(prepare_for(alpha, 10000), NL_OK);
	assert_int_equal(ordered(NL_ORDER_SYNC, beta), NL_OK);
	assert_int_equal(journaled(NL_EV_ORDER, NL_EINTERRUPTED), 1);
	assert_int_not_equal(try_it(), NL_OK);
	assert_false(is_on(alpha));
	assert_non_null(nl_order_waiting());
}

/* The same by a standing order that takes away who signed the first one. */
static void nor_one_of_a_key_that_is_distrusted(void **state)
{
	uint8_t id[32];

	(void)state;
	make_key(&nl_boot.keys[3], "other", NL_ROLE_OPERATOR);
	nl_boot.facts.n_keys = 4;
	assert_int_equal(ordered(NL_ORDER_APPLY, alpha), NL_OK);
	assert_int_equal(prepare_for(alpha, 10000), NL_OK);
	make(NL_ORDER_SYNC);
	order.o.kind = NL_ORDER_STANDING;
	order.o.epoch = 1;
	order.o.generation = 0;
	memset(order.o.boot_id, 0, sizeof(order.o.boot_id));
	memset(order.o.challenge, 0, sizeof(order.o.challenge));
	nl_key_id(nl_boot.keys[1].key, id);
	order.entries[0] = (struct nl_order_entry){.what = NL_ORDER_DISTRUST};
	memcpy(order.entries[0].name, id, 32);
	order.o.head.count = 1;
	sign();
	assert_int_equal(carry(), NL_OK);
	assert_false(nl_boot.keys[1].role & NL_ROLE_OPERATOR);
	assert_null(nl_order_waiting());
	assert_int_not_equal(try_it(), NL_OK);
	assert_false(is_on(alpha));
}

/* Nor one whose minute is over. */
static void nor_one_that_has_lapsed(void **state)
{
	(void)state;
	assert_int_equal(ordered(NL_ORDER_APPLY, alpha), NL_OK);
	seam_tsc += MINUTE - SECOND;
	assert_int_equal(prepare_for(alpha, 10000), NL_OK);
	seam_tsc += 5 * SECOND;
	assert_null(nl_order_waiting());
	assert_int_not_equal(try_it(), NL_OK);
	assert_false(is_on(alpha));
}

/* "What waited and was not carried out is journaled once": not if root calls in vain sixteen times before. */
static void how_an_order_ends_is_journaled(void **state)
{
	unsigned said = journaled(NL_EV_ORDER, NL_EDEADLINE);

	(void)state;
	assert_int_equal(ordered(NL_ORDER_APPLY, alpha), NL_OK);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(prepare_for(beta, 1000), NL_EPOLICY);
	seam_tsc += 2 * MINUTE;
	fg.ctx.cpl = 0;
	nl_own_commit(&fg.cpus[0]);
	assert_null(nl_order_waiting());
	assert_int_equal(journaled(NL_EV_ORDER, NL_EDEADLINE), said + 1);
}

/* Taken back on one CPU, and then an operator's word, which root has held back, comes by one whose clock is half a
 * second behind: it is too late, and the leaf stays locked out. */
static void what_was_taken_back_is_not_confirmed(void **state)
{
	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	time_comes(until(alpha));
	assert_false(is_on(alpha));
	assert_int_equal(mark(alpha), NL_LOCKOUT_TRIAL);
	seam_tsc -= SECOND / 2;
	assert_int_equal(confirm(alpha), NL_ETRIAL);
	assert_int_equal(mark(alpha), NL_LOCKOUT_TRIAL);
	assert_int_equal(put_on(0), NL_ETRIAL);
}

/* The clock was set, so its time has come, and somebody stands in the way: who reads a status is told so, as who
 * confirms is. */
static void a_status_says_that_its_time_has_come(void **state)
{
	struct nl_leaf_state s;

	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	nl_trial_clock++; /* as msr.c does at a write of the TSC */
	seam_tsc -= SECOND / 2;
	nl_own_soon(0);
	fg.ctx.rip = NOWHERE; /* in the way for ever */
	pass();
	assert_true(is_on(alpha));
	assert_int_equal(confirm(alpha), NL_ETRIAL);
	call(NL_CALL_LEAVES, FG_USER, sizeof(s), 0, 0);
	while (call(NL_CALL_LEAVES, FG_USER, FG_USER_SIZE, nl_registry_count(), 0) == NL_AGAIN)
		;
	memcpy(&s, &nl_registry_find(alpha)->state, sizeof(s));
	/* as confirm.c and verify-status do: running, or over? */
	assert_true((int64_t)(s.trial_tsc - seam_tsc) <= 0 || s.note == NL_ETRIAL);
}

/* Root, who may apply, prepares alpha; then the operator orders it on probation ("while an order that wants it waits
 * for its commit, it is so for whoever commits"). What was prepared before is not
 * tried any more. */
static void an_ordered_probation_is_not_avoided(void **state)
{
	unsigned said = journaled(NL_EV_ORDER, NL_EGENERATION);

	(void)state;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_APPLY;
	assert_int_equal(prepare_for(alpha, 10000), NL_OK);
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_APPLY);
	order.o.confirm_ms = 1000;
	add(alpha);
	sign();
	assert_int_equal(carry(), NL_OK);
	(void)try_it();
	assert_true(!is_on(alpha) || until(alpha) || journaled(NL_EV_ORDER, NL_EGENERATION) > said);
}

/* As `newleaf carry` reads it (tools/newleaf/order.c, await): what it is told of an order that another commit ended. */
static void who_carries_is_told_that_it_was_not_done(void **state)
{
	struct nl_journal_entry e = {0};
	bool accepted = false, done = false;
	uint64_t seq, last;
	uint8_t sha[32];

	(void)state;
	nl_journal_read(UINT64_MAX, &e, &seq);
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_APPLY);
	order.o.flags = NL_ORDER_AGENTLESS; /* its leaf is still to be brought */
	add((const uint8_t[32]){9});
	sign();
	assert_int_equal(carry(), NL_OK);
	nl_sha256_of(&order, nl_order_signed_size(&order.o), sha);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_NONE;
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(prepare_for(beta, 1000), NL_EPOLICY);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_APPLY; /* as if it always had been, and root had asked amiss */
	assert_int_equal(commit((const uint8_t(*)[32])beta, 1), NL_OK);
	assert_null(nl_order_waiting());
	while (!done && nl_journal_read(seq + 1, &e, &last)) {
		bool its = e.event == NL_EV_ORDER && !memcmp(e.leaf_sha256, sha, sizeof(sha));

		seq = e.seq;
		if (its && e.error)
			break;
		done = accepted && e.event == NL_EV_COMMIT;
		accepted |= its;
	}
	assert_true(accepted);
	assert_false(done); /* "order apply: accepted, and done" */
}

/* A kernel sets the clock of one CPU far ahead, so the time of what is on trial has come; it is in the way of the try
 * on that CPU, which then sleeps for good, and out of it a moment later. The other CPUs never try. */
static void a_clock_far_ahead_stops_no_other_cpu(void **state)
{
	uint64_t others;

	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	others = seam_tsc;
	nl_trial_clock++; /* as msr.c does */
	nl_own_soon(0);
	seam_tsc = 1ULL << 62; /* on that CPU */
	fg.ctx.rip = NOWHERE;
	pass();
	assert_true(is_on(alpha));
	fg.ctx.rip = ELSEWHERE;
	seam_tsc = others;
	for (unsigned i = 0; i < 1000 && is_on(alpha); i++) {
		seam_tsc += 60 * SECOND;
		pass();
	}
	assert_false(is_on(alpha));
}

static bool other_thread; /* writes the order over what has just been compared */
enum nl_err __real_nl_guest_read(struct nl_guest *g, gva_t va, unsigned access, void *out, size_t n);
enum nl_err __wrap_nl_guest_read(struct nl_guest *g, gva_t va, unsigned access, void *out, size_t n);
enum nl_err __wrap_nl_guest_read(struct nl_guest *g, gva_t va, unsigned access, void *out, size_t n)
{
	enum nl_err err = __real_nl_guest_read(g, va, access, out, n);

	if (other_thread && n == 64)
		memcpy(fg_user(FG_USER), &order, order_size);
	return err;
}

/* By VMCALL anybody may carry orders of kind now alone. Who knows the challenge shows it, and has another thread write
 * a standing order there before all of it is read. */
static void nobody_brings_a_standing_order(void **state)
{
	struct nl_gprs *r = &fg.cpus[0].gprs;
	struct nl_challenge address;

	(void)state;
	assert_int_equal(ask(), NL_OK);
	address = challenge;
	make(NL_ORDER_SYNC);
	order.o.kind = NL_ORDER_STANDING;
	order.o.epoch = nl_standing.epoch + 7;
	order.o.generation = 0;
	memset(order.o.boot_id, 0, sizeof(order.o.boot_id));
	memset(order.o.challenge, 0, sizeof(order.o.challenge));
	sign();
	other_thread = true;
	for (unsigned i = 0; i < 10; i++, seam_tsc += SECOND + 1) {
		memcpy(fg_user(FG_USER) + offsetof(struct nl_order, machine_id), address.machine_id, 64);
		*r = (struct nl_gprs){.rax = NL_CALL_MAGIC, .rbx = NL_CALL_ORDER, .rsi = FG_USER, .rdi = order_size};
		if (nl_hypercall(&fg.cpus[0], &fg.ctx, NL_PROOF_NONE))
			break;
	}
	other_thread = false;
	assert_int_not_equal(nl_standing.epoch, order.o.epoch);
}

/* A kernel that takes its probe out again writes what it has found there, which was the leaf's: so a probe at a site
 * keeps the leaf on, and the journal and the leaf's state say so, until it is gone. */
static void a_probe_keeps_it_on_and_is_named(void **state)
{
	unsigned said = journaled(NL_EV_ABANDONED, NL_EPROBED);

	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	fg_kprobe(FG_LINK + SLIDE + DATA_SITE);
	for (unsigned i = 0; i < 10 && is_on(alpha); i++)
		time_comes(seam_tsc + 60 * SECOND);
	assert_true(is_on(alpha));
	assert_true(journaled(NL_EV_ABANDONED, NL_EPROBED) > said);
	assert_true((int64_t)(until(alpha) - seam_tsc) <= 0);
	fg_no_kprobes(FG_LINK + SLIDE + DATA_SITE);
	time_comes(seam_tsc + 60 * SECOND);
	assert_false(is_on(alpha));
}

/* Nor does it make the core give up at once what an operator has ordered it to take back ("flag AGENTLESS takes that
 * from it", until the deadline at least). */
static void nor_ends_an_order_at_once(void **state)
{
	(void)state;
	assert_int_equal(put_on(0), NL_OK);
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_REVERT);
	order.o.flags = NL_ORDER_AGENTLESS;
	add(alpha);
	sign();
	fg_kprobe(FG_LINK + SLIDE + DATA_SITE);
	fg.ctx.cpl = 3;
	assert_int_equal(carry(), NL_OK);
	pass();
	assert_true(!is_on(alpha) || nl_order_waiting());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(an_ended_order_counts_no_more, plain, teardown),
	        cmocka_unit_test_setup_teardown(nor_one_of_a_key_that_is_distrusted, plain, teardown),
	        cmocka_unit_test_setup_teardown(nor_one_that_has_lapsed, plain, teardown),
	        cmocka_unit_test_setup_teardown(an_ordered_probation_is_not_avoided, plain, teardown),
	        cmocka_unit_test_setup_teardown(how_an_order_ends_is_journaled, plain, teardown),
	        cmocka_unit_test_setup_teardown(who_carries_is_told_that_it_was_not_done, plain, teardown),
	        cmocka_unit_test_setup_teardown(nobody_brings_a_standing_order, plain, teardown),
	        cmocka_unit_test_setup_teardown(a_clock_far_ahead_stops_no_other_cpu, stopped, ended),
	        cmocka_unit_test_setup_teardown(a_probe_keeps_it_on_and_is_named, stopped, ended),
	        cmocka_unit_test_setup_teardown(nor_ends_an_order_at_once, stopped, ended),
	        cmocka_unit_test_setup_teardown(what_was_taken_back_is_not_confirmed, stopped, ended),
	        cmocka_unit_test_setup_teardown(a_status_says_that_its_time_has_come, stopped, ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
