// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/gone.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/witness.c hv/commit/order.c hv/leaf/order.c hv/exits/own.c
// sources: hv/commit/standing.c
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/core/kept.c hv/leaf/list.c
// sources: hv/commit/trial.c
// sources: hv/leaf/leaf.c hv/leaf/floor.c hv/leaf/reloc.c hv/leaf/signature.c hv/exits/hypercall.c
// sources: hv/view/view.c hv/view/npt.c
// sources: hv/view/current.c hv/core/clock.c hv/core/cpu.c hv/core/journal.c hv/core/pool.c hv/core/sha256.c
// sources: hv/core/sodium.c
// sources: tests/unit/fakeguest.c tests/unit/makeleaf.c tests/unit/commit_fixture.c tests/unit/order_fixture.c
// sources: tests/unit/trial_fixture.c
// libs: -lcrypto -Wl,--wrap=crypto_sign_ed25519_verify_detached,--wrap=nl_sha256_update,--wrap=nl_publish_view
/*
 * Probation: what starts and ends it, when its time has come by whatever clock, what the next boot and another kernel
 * find; docs/explanation/orders.md has the table.
 */
#include "trial_fixture.h"
#include "exits/hypercall.h"

/* on -> on trial: marked and flushed before the flip; -> confirmed: the mark is out, and it stays. */
static void confirmed(void **state)
{
	struct nl_journal_entry e;

	(void)state;
	assert_int_equal(confirm(alpha), NL_NOTHING);
	assert_int_equal(put_on(5000), NL_OK);
	assert_true(marked_at_flip);
	assert_int_equal(mark(alpha), NL_LOCKOUT_TRIAL);
	assert_in_range(until(alpha) - seam_tsc, 4900 * MS, 5000 * MS);
	e = last_of(NL_EV_TRIAL);
	assert_int_equal(e.error, NL_OK);
	assert_int_equal(e.a, NL_LEAF_APPLIED);
	assert_int_equal(e.b, until(alpha));
	assert_int_equal(confirm((uint8_t[32]){9}), NL_EUNKNOWN_LEAF);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL & ~NL_GUEST_MAY_CONFIRM;
	assert_int_equal(confirm(alpha), NL_EPOLICY);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	pass();
	assert_true(is_on(alpha));
	assert_int_equal(confirm(alpha), NL_OK);
	assert_int_equal(mark(alpha), 0);
	assert_int_equal(until(alpha), 0);
	e = last_of(NL_EV_TRIAL);
	assert_int_equal(e.error, NL_OK);
	assert_int_equal(e.a, NL_LEAF_APPLIED);
	assert_int_equal(e.b, 0);
	assert_int_equal(confirm(alpha), NL_NOTHING);
	time_comes(seam_tsc + 60 * SECOND);
	assert_true(is_on(alpha));
}

/* The time has come: it is taken back on the way into the guest, whoever is at CPL 0, and refused from then on. */
static void taken_back(void **state)
{
	struct nl_journal_entry e;
	uint64_t t;

	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	t = until(alpha);
	assert_in_range(nl_own_due, t - MS, t); /* nobody is asked before */
	nl_own_soon(0);
	time_comes(t - 2000 * MS);
	assert_true(is_on(alpha));
	assert_in_range(nl_own_due, t - MS, t); /* or but for somebody else's sake */
	time_comes(t);
	assert_false(is_on(alpha));
	assert_int_equal(mark(alpha), NL_LOCKOUT_TRIAL);
	assert_int_equal(until(alpha), t); /* it was taken back: for who asks */
	e = last_of(NL_EV_TRIAL);
	assert_int_equal(e.error, NL_ETRIAL);
	assert_int_equal(e.a, NL_LEAF_REVERTED);
	assert_int_equal(put_on(5000), NL_ETRIAL);
	assert_int_equal(put_on(0), NL_ETRIAL);
	assert_int_equal(bring("alpha", DATA_SITE), NL_ETRIAL);
	assert_int_equal(confirm(alpha), NL_ETRIAL);
	seam_tsc += 60 * SECOND;
	assert_int_equal(confirm(alpha), NL_ETRIAL);
	assert_int_equal(mark(alpha), NL_LOCKOUT_TRIAL);
	assert_int_equal(on_trial((const uint8_t(*)[32])beta, 1, 0), NL_OK); /* another is none of it */
	assert_int_equal(mark(beta), 0);
	time_comes(seam_tsc + 60 * SECOND);
	assert_true(is_on(beta));
}

/* Whoever may takes it off before: no mark is left, and it may come again. */
static void reverted(void **state)
{
	struct nl_journal_entry e;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(put_on(5000), NL_OK);
		assert_int_equal(revert_all(), NL_OK);
		assert_int_equal(mark(alpha), 0);
		assert_int_equal(until(alpha), 0);
		e = last_of(NL_EV_TRIAL);
		assert_int_equal(e.error, NL_OK);
		assert_int_equal(e.a, NL_LEAF_REVERTED);
	}
	assert_int_equal(put_on(0), NL_OK);
	time_comes(seam_tsc + 60 * SECOND);
	assert_true(is_on(alpha));
}

/* Not so behind its time: then it was taken back, whoever has made the commit. */
static void reverted_too_late(void **state)
{
	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	seam_tsc = until(alpha);
	assert_int_equal(confirm(alpha), NL_ETRIAL);
	assert_int_equal(revert_all(), NL_OK);
	assert_int_equal(mark(alpha), NL_LOCKOUT_TRIAL);
	assert_int_equal(last_of(NL_EV_TRIAL).error, NL_ETRIAL);
	assert_int_equal(put_on(0), NL_ETRIAL);
}

/* A mark is no lock-out while its leaf is on: another commit keeps it on, and it is verified again. */
static void a_mark_of_what_is_on(void **state)
{
	uint64_t t;

	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	t = until(alpha);
	assert_int_equal(bring("alpha", DATA_SITE), NL_OK);
	assert_int_equal(put_on(7000), NL_NOTHING);
	assert_int_equal(on_trial((const void *)both, 2, 0), NL_OK);
	assert_true(is_on(beta) && until(alpha) == t && !until(beta));
	time_comes(t);
	assert_false(is_on(alpha));
	assert_true(is_on(beta));
}

/* Those of one commit go together, those of two each in its time; one is confirmed, and the other is not. */
static void several(void **state)
{
	uint64_t t;

	(void)state;
	assert_int_equal(on_trial((const void *)both, 2, 5000), NL_OK);
	assert_int_equal(until(alpha) / SECOND, until(beta) / SECOND);
	assert_int_equal(confirm(alpha), NL_OK);
	assert_int_equal(mark(alpha), 0);
	assert_int_equal(mark(beta), NL_LOCKOUT_TRIAL);
	time_comes(until(beta));
	assert_true(is_on(alpha));
	assert_false(is_on(beta));
	assert_int_equal(revert_all(), NL_OK);
	assert_int_equal(put_on(20000), NL_OK);
	t = until(alpha);
	third(both[1]);
	assert_int_equal(on_trial((const void *)both, 2, 5000), NL_OK);
	time_comes(until(both[1]));
	assert_false(is_on(both[1]));
	assert_true(is_on(alpha));
	time_comes(t);
	assert_false(is_on(alpha));
}

/* The shortest of what is asked for counts, and the policy's is the longest that there is. */
static void how_long(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	assert_int_equal(put_on(3600000), NL_OK);
	assert_in_range(until(alpha) - seam_tsc, 59900 * MS, 60000 * MS);
	assert_int_equal(revert_all(), NL_OK);
	for (unsigned i = 0; i < 3; i++) {
		leaf_rodata("timed", DATA_SITE + 128, (uint8_t)(0x40 + i));
		m.header.version = i + 1;
		m.header.confirm_s = i < 2 ? 20 : UINT32_MAX;
		assert_int_equal(verify_leaf(sha[0]), NL_OK);
		assert_int_equal(nl_registry_find(sha[0])->state.confirm_s, m.header.confirm_s);
		assert_int_equal(on_trial((const void *)sha, 1, i == 1 ? 5000 : 0), NL_OK);
		assert_in_range(until(sha[0]) - seam_tsc,
		                (i == 2 ? 59900
		                 : i    ? 4900
		                        : 19900) *
		                        MS,
		                (i == 2 ? 60000
		                 : i    ? 5000
		                        : 20000) *
		                        MS);
	}
	assert_int_equal(revert_all(), NL_OK);
	nl_boot.facts.policy.confirm_ms = 0; /* knows no probation */
	assert_int_equal(on_trial((const void *)sha, 1, 0), NL_EPOLICY);
	assert_int_equal(put_on(1), NL_EPOLICY);
	assert_int_equal(put_on(0), NL_OK);
	assert_int_equal(revert_all(), NL_OK);
}

/* A try that fails marks nothing. */
static void a_try_that_fails(void **state)
{
	(void)state;
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_APPLY);
	order.o.confirm_ms = 7000;
	order.o.flags = NL_ORDER_AGENTLESS;
	add(alpha);
	sign();
	assert_int_equal(carry(), NL_OK);
	fg.ctx.rip = NOWHERE;
	fg.ctx.cpl = 0;
	pass();
	assert_false(is_on(alpha));
	assert_int_equal(mark(alpha), 0);
	assert_int_equal(until(alpha), 0);
}

/* Somebody is in the way of taking it back: it stays on, is tried again and again, and the journal says who. */
static void in_vain(void **state)
{
	unsigned i;

	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	fg.ctx.rip = NOWHERE;
	time_comes(until(alpha));
	for (i = 0; i < 100; i++) {
		seam_tsc += 100 * MS;
		pass();
		assert_true(nl_own_due > seam_tsc); /* and it lets the guest run between */
	}
	assert_true(is_on(alpha));
	assert_int_equal(mark(alpha), NL_LOCKOUT_TRIAL);
	assert_int_equal(last_of(NL_EV_ABANDONED).error, NL_ESTANDS);
	assert_int_equal(confirm(alpha), NL_ETRIAL);
	fg.ctx.rip = ELSEWHERE;
	seam_tsc += 100 * MS;
	pass();
	assert_false(is_on(alpha));
}

/* FREEZE holds up no one whose time has come; STOP does, and RELEASE goes on with it. Confirmed it may be under both.
 */
static void frozen_and_stopped(void **state)
{
	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	assert_int_equal(ordered(NL_ORDER_FREEZE, NULL), NL_OK);
	time_comes(until(alpha));
	assert_false(is_on(alpha));
	assert_int_equal(ordered(NL_ORDER_RELEASE, NULL), NL_OK);
	assert_int_equal(on_trial((const uint8_t(*)[32])beta, 1, 5000), NL_OK);
	assert_int_equal(ordered(NL_ORDER_STOP, NULL), NL_OK);
	time_comes(until(beta));
	assert_true(is_on(beta));
	assert_int_equal(ordered(NL_ORDER_FREEZE, NULL), NL_OK); /* which ends no STOP */
	time_comes(until(beta) + SECOND);
	assert_true(is_on(beta));
	assert_int_equal(confirm(beta), NL_ETRIAL);
	assert_int_equal(ordered(NL_ORDER_RELEASE, NULL), NL_OK);
	pass();
	assert_false(is_on(beta));
	third(both[0]);
	assert_int_equal(on_trial((const void *)both, 1, 20000), NL_OK);
	assert_int_equal(ordered(NL_ORDER_STOP, NULL), NL_OK);
	assert_int_equal(confirm(both[0]), NL_OK);
	assert_int_equal(mark(both[0]), 0);
}

/* By an order: what it names, and nothing else; without one that it names there is no such order. */
static void confirmed_by_order(void **state)
{
	(void)state;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL & ~NL_GUEST_MAY_CONFIRM;
	assert_int_equal(on_trial((const void *)both, 2, 60000), NL_OK);
	assert_int_equal(ordered(NL_ORDER_CONFIRM, NULL), NL_EORDER);
	assert_int_equal(ordered(NL_ORDER_FREEZE, NULL), NL_OK);
	assert_int_equal(ordered(NL_ORDER_CONFIRM, alpha), NL_OK);
	assert_int_equal(mark(alpha), 0);
	assert_int_equal(mark(beta), NL_LOCKOUT_TRIAL);
	time_comes(until(beta));
	assert_true(is_on(alpha));
	assert_false(is_on(beta));
}

/* Its answer is the worst that one of its leaves has, and what can be confirmed is; the journal names what came too
 * late. */
static void confirmed_too_late(void **state)
{
	struct nl_journal_entry e;
	uint8_t sha[32];

	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	assert_int_equal(on_trial((const void *)both, 2, 20000), NL_OK);
	nl_sha256_of(both, sizeof(both), sha); /* of none */
	assert_int_equal(ordered(NL_ORDER_CONFIRM, sha), NL_EUNKNOWN_LEAF);
	seam_tsc = until(alpha);
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_CONFIRM);
	add(alpha);
	add(beta);
	sign();
	assert_int_equal(carry(), NL_ETRIAL);
	assert_int_equal(last_of(NL_EV_ORDER).error, NL_ETRIAL);
	nl_sha256_of(&order, nl_order_signed_size(&order.o), sha);
	e = last_of(NL_EV_ORDER);
	assert_memory_equal(e.leaf_sha256, sha, 32);
	e = last_of(NL_EV_REFUSED);
	assert_int_equal(e.error, NL_ETRIAL);
	assert_memory_equal(e.leaf_sha256, alpha, 32);
	assert_int_equal(last_of(NL_EV_TRIAL).error, NL_OK); /* beta */
	assert_int_equal(until(beta), 0);
	assert_int_equal(mark(alpha), NL_LOCKOUT_TRIAL);
	assert_int_equal(confirm(alpha), NL_ETRIAL); /* and by root */
	assert_true(last_of(NL_EV_REFUSED).seq > e.seq);
	time_comes(until(alpha));
	assert_false(is_on(alpha));
	assert_int_equal(last_of(NL_EV_TRIAL).error, NL_ETRIAL);
	e = last_of(NL_EV_REFUSED);
	assert_int_equal(ordered(NL_ORDER_CONFIRM, alpha), NL_ETRIAL);
	assert_true(last_of(NL_EV_REFUSED).seq > e.seq);
	assert_int_equal(ordered(NL_ORDER_CONFIRM, beta), NL_NOTHING);
	assert_int_equal(last_of(NL_EV_ORDER).error, NL_NOTHING);
	e = last_of(NL_EV_REFUSED);
	assert_int_equal(e.error, NL_NOTHING);
	assert_memory_equal(e.leaf_sha256, beta, 32);
	assert_int_equal(confirm(beta), NL_NOTHING);
	assert_true(last_of(NL_EV_REFUSED).seq > e.seq);
}

/* An order that anybody carries is accepted or is no instruction at all, also where it names what nobody has to
 * confirm beside what it confirms. */
static void confirmed_by_anybody(void **state)
{
	struct nl_gprs *r = &fg.cpus[0].gprs, was = *r;
	bool taken = false;

	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	assert_int_equal(confirm(alpha), NL_OK);
	assert_int_equal(on_trial((const void *)both, 2, 20000), NL_OK);
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_CONFIRM);
	add(alpha);
	add(beta);
	sign();
	fg.ctx.cpl = 3;
	for (unsigned i = 0; i < 10 && !taken && until(beta); i++, seam_tsc += SECOND + 1) {
		memcpy(fg_user(FG_USER), &order, order_size);
		*r = (struct nl_gprs){
		        .rax = NL_CALL_MAGIC, .rbx = NL_CALL_ORDER, .rsi = FG_USER, .rdi = order_size, .rsp = was.rsp};
		taken = nl_hypercall(&fg.cpus[0], &fg.ctx, NL_PROOF_NONE);
	}
	*r = was;
	fg.ctx.cpl = 0;
	assert_int_equal(until(beta), 0); /* it was carried out */
	assert_true(taken);
}

/* What an order puts on is on probation as it says, whoever makes the commit; and once it is made nothing else is. */
static void by_an_order(void **state)
{
	(void)state;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_AGENTLESS;
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *leaf = i ? beta : alpha;

		assert_int_equal(ask(), NL_OK);
		make(NL_ORDER_APPLY);
		order.o.confirm_ms = 7000;
		order.o.flags = i ? 0 : NL_ORDER_AGENTLESS;
		add(leaf);
		sign();
		assert_int_equal(carry(), NL_OK);
		if (i)
			assert_int_equal(on_trial((const uint8_t(*)[32])beta, 1, 0), NL_OK);
		else
			pass();
		assert_true(is_on(leaf));
		assert_in_range(until(leaf) - seam_tsc, 6800 * MS, 7000 * MS);
		assert_int_equal(mark(leaf), NL_LOCKOUT_TRIAL);
		time_comes(until(leaf));
		assert_false(is_on(leaf));
	}
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	third(both[0]);
	assert_int_equal(on_trial((const void *)both, 1, 0), NL_OK);
	assert_int_equal(until(both[0]), 0);
}

/* What came later and requires it does not keep it on. */
static void with_what_requires_it(void **state)
{
	uint8_t set[2][32];

	(void)state;
	assert_int_equal(put_on(5000), NL_OK);
	leaf_rodata("gamma", DATA_SITE + 128, 0x33);
	make_fact(&m, NL_FACT_REQUIRES, "alpha", 1);
	memcpy(set[0], alpha, 32);
	assert_int_equal(verify_leaf(set[1]), NL_OK);
	assert_int_equal(on_trial((const void *)set, 2, 0), NL_OK);
	time_comes(until(alpha));
	assert_false(is_on(alpha));
	assert_false(is_on(set[1]));
	assert_int_equal(mark(set[1]), 0);
}

/* A probation takes off what it put on. Who may not revert has none begin: neither with what the policy lets him apply,
 * nor with what an order does, which would be taken back, with what it took the place of, and locked out. */
static void who_may_not_revert(void **state)
{
	uint8_t newer[32];

	(void)state;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_APPLY | NL_GUEST_MAY_AGENTLESS;
	assert_int_equal(put_on(1), NL_EPOLICY);
	assert_int_equal(put_on(0), NL_OK);
	leaf_rodata("alpha", DATA_SITE, 0x22);
	m.header.version = 7;
	assert_int_equal(verify_leaf(newer), NL_OK);
	assert_int_equal(on_trial((const uint8_t(*)[32])newer, 1, 1), NL_EPOLICY);
	time_comes(seam_tsc + 60 * SECOND);
	assert_true(is_on(alpha));
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	assert_int_equal(revert_all(), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_AGENTLESS;
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_APPLY);
	add(alpha);
	sign();
	assert_int_equal(carry(), NL_OK);
	assert_int_equal(put_on(1), NL_EPOLICY);
	assert_int_equal(put_on(0), NL_OK);
	time_comes(seam_tsc + 60 * SECOND);
	assert_true(is_on(alpha));
	assert_int_equal(mark(alpha), 0);
}

/* An order that nobody carried out in its minute says nothing of what comes behind. */
static void by_an_order_that_has_lapsed(void **state)
{
	(void)state;
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_APPLY);
	order.o.confirm_ms = 7000;
	add(alpha);
	sign();
	assert_int_equal(carry(), NL_OK);
	seam_tsc += MINUTE + SECOND;
	assert_int_equal(put_on(0), NL_OK);
	assert_int_equal(until(alpha), 0);
}

/* A CPU whose clock is a little behind does not end it; one that was set back long before does. */
static void clocks(void **state)
{
	uint64_t t;

	(void)state;
	assert_int_equal(put_on(20000), NL_OK);
	t = seam_tsc;
	seam_tsc -= SECOND - 100 * MS;
	nl_own_soon(0);
	pass();
	assert_true(is_on(alpha));
	seam_tsc = t - 2 * SECOND;
	nl_own_soon(0);
	pass();
	assert_false(is_on(alpha));
	seam_tsc = t;
	assert_int_equal(on_trial((const uint8_t(*)[32])beta, 1, 20000), NL_OK);
	nl_trial_clock++; /* somebody sets a clock, whatever it shows then */
	nl_own_soon(0);
	pass();
	assert_false(is_on(beta));
	third(both[0]);
	seam_tsc = UINT64_MAX - 5 * SECOND; /* over the end */
	assert_int_equal(on_trial((const void *)both, 1, 20000), NL_OK);
	pass();
	assert_true(is_on(both[0]));
	seam_tsc += 19 * SECOND;
	nl_own_soon(0);
	pass();
	assert_true(is_on(both[0]));
	seam_tsc += SECOND;
	nl_own_soon(0);
	pass();
	assert_false(is_on(both[0]));
}

/* Another kernel: the mark stays, and is a lock-out there as well. */
static void another_kernel(void **state)
{
	uint8_t was[8];

	(void)state;
	memcpy(was, fg_image(DATA_SITE), sizeof(was));
	assert_int_equal(put_on(5000), NL_OK);
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	if (nl_registry_count()) { /* the same place */
		fg_shown(FG_BUILD_ID)[0] ^= 1;
		nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
		fg_shown(FG_BUILD_ID)[0] ^= 1;
	}
	memcpy(fg_image(DATA_SITE), was, sizeof(was)); /* it was loaded anew */
	assert_int_equal(nl_registry_count(), 0);
	assert_int_equal(mark(alpha), NL_LOCKOUT_TRIAL);
	fg.cpus[0].root_generation = nl_current_view()->generation;
	assert_int_equal(bring("alpha", DATA_SITE), NL_ETRIAL);
	assert_int_equal(bring("beta", DATA_SITE + 64), NL_OK);
	assert_int_equal(on_trial((const uint8_t(*)[32])beta, 1, 0), NL_OK);
}

/* Whoever makes more marks than there is room for: nothing is put on any more, and nobody was pushed out. */
static void no_room(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < NL_MAX_LOCKOUTS; i++)
		nl_lock_out(nl_kept->lockouts, (uint8_t[32]){1, i}, NL_LOCKOUT_TRIED);
	assert_int_equal(put_on(5000), NL_OK);
	assert_int_equal(on_trial((const void *)both, 2, 0), NL_ETRIAL);
	time_comes(until(alpha));
	assert_false(is_on(alpha));
	assert_int_equal(put_on(0), NL_ETRIAL);
}

/* A list pardons what a panic has locked out, and not this. */
static void locked_out_besides(void **state)
{
	(void)state;
	nl_lock_out(nl_kept->lockouts, alpha, NL_LOCKOUT_PANIC);
	assert_int_equal(put_on(0), NL_ELOCKEDOUT);
	nl_lock_in(nl_kept->lockouts, alpha, NL_LOCKOUT_PANIC);
	nl_lock_out(nl_kept->lockouts, alpha, NL_LOCKOUT_TRIED);
	assert_int_equal(put_on(0), NL_ETRIAL);
	nl_lock_in(nl_kept->lockouts, NULL, NL_LOCKOUT_TRIALS);
	assert_int_equal(put_on(5000), NL_OK);
	nl_lock_out(nl_kept->lockouts, alpha, NL_LOCKOUT_PANIC);
	assert_int_equal(confirm(alpha), NL_OK); /* the other reason is not taken back with it */
	assert_int_equal(mark(alpha), NL_LOCKOUT_PANIC);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, stopped, ended)
	const struct CMUnitTest tests[] = {
	        CASE(confirmed),
	        CASE(taken_back),
	        CASE(reverted),
	        CASE(reverted_too_late),
	        CASE(a_mark_of_what_is_on),
	        CASE(several),
	        CASE(how_long),
	        CASE(a_try_that_fails),
	        CASE(in_vain),
	        CASE(frozen_and_stopped),
	        CASE(confirmed_by_order),
	        CASE(confirmed_too_late),
	        CASE(confirmed_by_anybody),
	        CASE(by_an_order),
	        CASE(with_what_requires_it),
	        CASE(who_may_not_revert),
	        CASE(by_an_order_that_has_lapsed),
	        CASE(clocks),
	        CASE(another_kernel),
	        CASE(no_room),
	        CASE(locked_out_besides),
	};

	return cmocka_run_group_tests_name("trial", tests, NULL, NULL);
}
