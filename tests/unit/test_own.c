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
// libs: -lcrypto -Wl,--wrap=crypto_sign_ed25519_verify_detached,--wrap=nl_sha256_update
/*
 * Commits of the core's own, for an order that wants no agent: the one CPU there is stands at CPL 0, on its way into a
 * guest whose root may do nothing. Whom they wait for, what they do to an agent's, and when they are given up.
 */
#include "order_fixture.h"
#include "commit/commit.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "exits/own.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/kept.h"
#include "core/sha256.h"
#include "core/step.h"
#include "guest/linux/linux.h"
#include "leaf/registry.h"
#include "view/current.h"
#include <insn.h>

#define ELSEWHERE (FG_LINK + SLIDE + 0x8123)
#define NOWHERE (FG_LINK + SLIDE + FG_SWITCH + 8)

/* A CPU that passes hv_before_entry. */
static void pass(void)
{
	if (nl_own_come())
		nl_own_commit(&fg.cpus[0]);
	fg.cpus[0].root_generation = nl_current_view()->generation;
}

static int stopped(void **state)
{
	begin(state);
	stands_at(ELSEWHERE);
	return 0;
}

static int ended(void **state)
{
	seam_tsc_step = 1;
	return teardown(state);
}

static enum nl_err order_agentless(enum nl_order_what what, const uint8_t *leaf)
{
	assert_int_equal(ask(), NL_OK);
	make(what);
	order.o.flags = NL_ORDER_AGENTLESS;
	order.o.deadline_ms = 100;
	if (leaf)
		add(leaf);
	sign();
	return carry();
}

static void known(const char *id, uint64_t at)
{
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	assert_int_equal(bring(id, at), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_NONE;
}

/* The newest entry of the journal that is of that kind. */
static struct nl_journal_entry newest(uint32_t event)
{
	struct nl_journal_entry e = {0}, found = {0};
	uint64_t seq = 0, last;

	while (nl_journal_read(seq + 1, &e, &last)) {
		seq = e.seq;
		if (e.event == event)
			found = e;
	}
	return found;
}

static void each_verb(void **state)
{
	(void)state;
	known("alpha", DATA_SITE);
	known("beta", DATA_SITE + 64);
	pass();
	assert_int_equal(nl_generation_current()->applied, 0);
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	assert_non_null(nl_order_waiting());
	pass();
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
	assert_null(nl_order_waiting());
	assert_int_equal(order_agentless(NL_ORDER_APPLY, beta), NL_OK);
	pass();
	assert_int_equal(__builtin_popcount(nl_generation_current()->applied), 2);
	assert_int_equal(order_agentless(NL_ORDER_REVERT, alpha), NL_OK);
	pass();
	assert_int_not_equal(shown64(DATA_SITE), 0x1111111111111111);
	assert_int_equal(shown64(DATA_SITE + 64), 0x1111111111111111);
	assert_int_equal(order_agentless(NL_ORDER_SYNC, alpha), NL_OK);
	pass();
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
	assert_int_equal(__builtin_popcount(nl_generation_current()->applied), 1);
	assert_int_equal(order_agentless(NL_ORDER_SYNC, alpha), NL_OK); /* it is so already */
	pass();
	assert_int_equal(newest(NL_EV_ORDER).error, NL_NOTHING);
	pass();
	assert_true(nl_own_due == UINT64_MAX); /* and nobody is kept by it */
}

/* Root asks for another challenge and presents what nobody has signed: the accepted one is carried out all the same. */
static void no_order_that_nobody_signed(void **state)
{
	(void)state;
	known("alpha", DATA_SITE);
	fg.ctx.rip = NOWHERE; /* for a moment it cannot be */
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	pass();
	assert_non_null(nl_order_waiting());
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_FREEZE);
	sign();
	memset((uint8_t *)&order + order_size - 64, 0, 64);
	assert_int_equal(present(), NL_AGAIN);
	assert_non_null(nl_order_waiting());
	fg.ctx.rip = ELSEWHERE;
	for (unsigned i = 0; i < 8; i++) {
		seam_tsc += SECOND / 500;
		pass();
	}
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
}

/* A try that takes long, because there are many tasks, say, and fails is not the guest's whole time. */
static void a_share_of_the_time(void **state)
{
	uint64_t start;

	(void)state;
	known("alpha", DATA_SITE);
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	fg.ctx.rip = NOWHERE;
	seam_tsc_step = SECOND / 1000;
	start = seam_tsc;
	nl_own_commit(&fg.cpus[0]);
	assert_int_equal(nl_generation_current()->applied, 0);
	assert_true(nl_own_due - seam_tsc > 7 * (seam_tsc - start));
}

/* Without its flag an order waits for an agent. */
static void only_if_asked(void **state)
{
	(void)state;
	known("alpha", DATA_SITE);
	assert_int_equal(ordered(NL_ORDER_APPLY, alpha), NL_OK);
	pass();
	assert_int_equal(nl_generation_current()->applied, 0);
	assert_non_null(nl_order_waiting());
	assert_true(nl_own_due - seam_tsc > MINUTE - SECOND); /* and is asked nothing before it lapses */
	seam_tsc = nl_own_due;
	pass();
	assert_null(nl_order_waiting());
	assert_int_equal(newest(NL_EV_ORDER).error, NL_EDEADLINE);
	assert_true(nl_own_due == UINT64_MAX);
}

/* What has lapsed is told once, whatever the agent asks for afterwards. */
static void lapsed(void **state)
{
	uint64_t seq;

	(void)state;
	known("alpha", DATA_SITE);
	assert_int_equal(order_agentless(NL_ORDER_APPLY, beta), NL_OK); /* which nobody brings */
	for (unsigned n = 0; nl_order_waiting() && n < 2000; n++) {
		seam_tsc = nl_own_due;
		pass();
	}
	assert_null(nl_order_waiting());
	pass();
	assert_int_equal(newest(NL_EV_ORDER).error, NL_EUNKNOWN_LEAF);
	seq = newest(NL_EV_ORDER).seq;
	seam_tsc += SECOND;
	pass();
	assert_int_equal(ordered(NL_ORDER_APPLY, alpha), NL_OK);
	assert_int_equal(newest(NL_EV_ORDER).seq, seq + 1);
	seam_tsc += MINUTE + SECOND;
	assert_int_equal(apply(alpha), NL_EPOLICY); /* who asks finds it first */
	assert_int_equal(newest(NL_EV_ORDER).error, NL_EDEADLINE);
	seq = newest(NL_EV_ORDER).seq;
	pass();
	assert_int_equal(apply(alpha), NL_EPOLICY);
	assert_int_equal(newest(NL_EV_ORDER).seq, seq);
}

/* What ends an order that waits is told by name; not if what it says is so. */
static void ended_by_others(void **state)
{
	struct nl_journal_entry e;
	uint8_t sha[32];
	uint64_t last;

	(void)state;
	known("alpha", DATA_SITE);
	known("beta", DATA_SITE + 64);
	assert_int_equal(ordered(NL_ORDER_APPLY, alpha), NL_OK);
	nl_sha256_of(&order, nl_order_signed_size(&order.o), sha);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	fg.ctx.cpl = 3;
	fg.ctx.rip = FG_USER;
	assert_int_equal(apply(beta), NL_OK);
	e = newest(NL_EV_ORDER);
	assert_int_equal(e.error, NL_EGENERATION);
	assert_memory_equal(e.leaf_sha256, sha, 32);
	assert_true(e.seq < newest(NL_EV_COMMIT).seq);
	assert_null(nl_order_waiting());
	assert_int_equal(ordered(NL_ORDER_SYNC, alpha), NL_OK);
	assert_int_equal(apply(alpha), NL_OK);
	assert_int_equal(newest(NL_EV_ORDER).error, NL_OK);
	assert_int_equal(ordered(NL_ORDER_APPLY, beta), NL_OK);
	nl_sha256_of(&order, nl_order_signed_size(&order.o), sha);
	assert_int_equal(ordered(NL_ORDER_RELEASE, NULL), NL_OK);
	assert_true(nl_journal_read(newest(NL_EV_ORDER).seq - 1, &e, &last));
	assert_int_equal(e.error, NL_EINTERRUPTED);
	assert_memory_equal(e.leaf_sha256, sha, 32);
	assert_int_equal(ordered(NL_ORDER_APPLY, beta), NL_OK);
	fg_shown(FG_BUILD_ID)[0] ^= 1; /* another kernel */
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	assert_int_equal(newest(NL_EV_ORDER).error, NL_EKERNEL);
}

/* A module comes or goes beside it: it is tried again, as long as it has time. */
static void stale(void **state)
{
	bool last = false;
	uint32_t set = 0;

	(void)state;
	known("alpha", DATA_SITE);
	fg.ctx.rip = NOWHERE;
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(nl_order_wish.wants(&fg.ctx, 0, &set, &last), NL_OK);
		assert_false(last);
		nl_order_wish.done(i ? NL_EDEADLINE : NL_ESTALE);
		assert_non_null(nl_order_waiting());
		assert_int_equal(newest(NL_EV_ORDER).error, NL_OK);
	}
	seam_tsc += SECOND;
	assert_int_equal(nl_order_wish.wants(&fg.ctx, 0, &set, &last), NL_OK);
	assert_true(last);
	nl_order_wish.done(NL_ESTALE);
	assert_null(nl_order_waiting());
	assert_int_equal(newest(NL_EV_ORDER).error, NL_ESTALE);
}

/* Its leaf may come behind it. */
static void for_its_leaf(void **state)
{
	struct moment was = before();

	(void)state;
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	pass();
	pass();
	unchanged(was);
	assert_non_null(nl_order_waiting());
	assert_int_equal(bring("alpha", DATA_SITE), NL_OK);
	seam_tsc += SECOND;
	pass();
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
}

static void in_the_way(void **state)
{
	struct moment was;
	unsigned n;

	(void)state;
	known("alpha", DATA_SITE);
	fg.ctx.rip = NOWHERE;
	was = before();
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	pass();
	assert_true(nl_own_due != UINT64_MAX && nl_own_due > x86_rdtsc()); /* the guest's turn */
	assert_non_null(nl_order_waiting());
	for (n = 0; nl_order_waiting() && n < 100; n++) {
		seam_tsc = nl_own_due;
		pass();
	}
	assert_in_range(n, 5, 12); /* a tenth of a second by pauses of 1 to 64 ms */
	unchanged(was);
	assert_int_equal(newest(NL_EV_ORDER).error, NL_ESTANDS);
	assert_int_equal(newest(NL_EV_ABANDONED).error, NL_ESTANDS);
	assert_int_equal(newest(NL_EV_ABANDONED).b, NOWHERE);
	fg.ctx.rip = ELSEWHERE;
	pass();
	assert_int_equal(nl_generation_current()->applied, 0);
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	fg.ctx.rip = NOWHERE;
	pass();
	fg.ctx.rip = ELSEWHERE;
	seam_tsc = nl_own_due;
	pass();
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
}

/* The next CPU's clock is a little behind: no minute has passed by that. */
static void a_clock_behind(void **state)
{
	(void)state;
	known("alpha", DATA_SITE);
	fg.ctx.rip = NOWHERE;
	seam_tsc += SECOND;
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	pass();
	fg.ctx.rip = ELSEWHERE;
	nl_own_due = 0;
	seam_tsc -= SECOND / 4;
	pass();
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
}

/* A CPU that has just been started passes while another is in the way. */
static void a_cpu_that_starts(void **state)
{
	const struct nl_context kernel = fg.ctx;

	(void)state;
	known("alpha", DATA_SITE);
	fg.ctx.rip = NOWHERE;
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	pass();
	fg.ctx.cr0 = fg.ctx.cr3 = fg.ctx.efer = fg.ctx.lstar = 0; /* behind the SIPI */
	fg.ctx.rip = 0x9a000;
	seam_tsc = nl_own_due;
	pass();
	assert_non_null(nl_order_waiting());
	fg.ctx = kernel;
	fg.ctx.lstar += 0x1230; /* of the kernel before: MSRs live through INIT */
	seam_tsc = nl_own_due;
	pass();
	assert_non_null(nl_order_waiting());
	fg.ctx = kernel;
	seam_tsc = nl_own_due;
	pass();
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
}

/* What an agent has prepared is dropped, and it is told; it does not come in between either. */
static void beside_an_agent(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	known("alpha", DATA_SITE);
	known("beta", DATA_SITE + 64);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	memcpy(sha[0], beta, 32);
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	fg.ctx.cpl = 3;
	fg.ctx.rip = FG_USER;
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	nl_lock(&nl_generation_lock);
	pass();
	nl_unlock(&nl_generation_lock);
	assert_int_equal(nl_generation_current()->applied, 0);
	pass();
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
	assert_int_equal(try_it(), NL_ESTALE);
	assert_int_not_equal(shown64(DATA_SITE + 64), 0x1111111111111111);
	assert_int_equal(try_it(), NL_ESTATE);
}

/* What replays read (tests/model/traced.pml): whose commit a PREPARE begins, and that of the agent's one DROP is left.
 */
static void its_steps(void **state)
{
	static const struct {
		enum nl_step step;
		uint64_t value;
	} expected[] = {{NL_STEP_PREPARE, 0},
	                {NL_STEP_PREPARED, NL_OK},
	                {NL_STEP_PREPARE, NL_COMMIT_AGENTLESS | NL_STEP_OWN},
	                {NL_STEP_PREPARED, NL_ETRIAL},
	                {NL_STEP_DROP, NL_ETRIAL},
	                {NL_STEP_DROP, NL_ESTALE}};
	struct nl_step_record r = {.seq = 0};
	uint8_t sha[1][32];
	uint64_t last;

	(void)state;
	known("alpha", DATA_SITE);
	known("beta", DATA_SITE + 64);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	memcpy(sha[0], beta, 32);
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	nl_lock_out(nl_kept->lockouts, alpha, NL_LOCKOUT_TRIAL);
	fg.ctx.cpl = 3;
	fg.ctx.rip = FG_USER;
	nl_step_read(UINT64_MAX, &r, &last);
	r.seq = last;
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	pass();
	assert_int_equal(try_it(), NL_ESTALE);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(expected); i++) {
		assert_true(nl_step_read(r.seq + 1, &r, &last));
		assert_int_equal(r.step, expected[i].step);
		assert_int_equal(r.value, expected[i].value);
	}
	assert_int_equal(r.seq, last);
	nl_lock_in(nl_kept->lockouts, alpha, NL_LOCKOUT_TRIAL);
}

static void what_is_frozen_since(void **state)
{
	(void)state;
	known("alpha", DATA_SITE);
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	assert_int_equal(ordered(NL_ORDER_FREEZE, NULL), NL_OK);
	pass();
	assert_int_equal(nl_generation_current()->applied, 0);
	assert_int_equal(ordered(NL_ORDER_RELEASE, NULL), NL_OK);
	pass();
	assert_int_equal(nl_generation_current()->applied, 0);
}

static void a_newer_version(void **state)
{
	uint8_t newer[32];

	(void)state;
	known("alpha", DATA_SITE);
	known("beta", DATA_SITE + 64);
	assert_int_equal(order_agentless(NL_ORDER_APPLY, alpha), NL_OK);
	pass();
	assert_int_equal(order_agentless(NL_ORDER_APPLY, beta), NL_OK);
	pass();
	leaf_rodata("alpha", DATA_SITE, 0x22);
	m.header.version = 2;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	assert_int_equal(verify_leaf(newer), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_NONE;
	assert_int_equal(order_agentless(NL_ORDER_APPLY, newer), NL_OK);
	pass();
	assert_int_equal(shown64(DATA_SITE), 0x2222222222222222);
	assert_int_equal(shown64(DATA_SITE + 64), 0x1111111111111111);
	assert_int_equal(order_agentless(NL_ORDER_SYNC, alpha), NL_OK); /* no order lets go back */
	pass();
	assert_int_equal(newest(NL_EV_ORDER).error, NL_EVERSION);
	assert_int_equal(shown64(DATA_SITE), 0x2222222222222222);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(each_verb, stopped, ended),
	        cmocka_unit_test_setup_teardown(no_order_that_nobody_signed, stopped, ended),
	        cmocka_unit_test_setup_teardown(a_share_of_the_time, stopped, ended),
	        cmocka_unit_test_setup_teardown(only_if_asked, stopped, ended),
	        cmocka_unit_test_setup_teardown(lapsed, stopped, ended),
	        cmocka_unit_test_setup_teardown(ended_by_others, stopped, ended),
	        cmocka_unit_test_setup_teardown(stale, stopped, ended),
	        cmocka_unit_test_setup_teardown(for_its_leaf, stopped, ended),
	        cmocka_unit_test_setup_teardown(in_the_way, stopped, ended),
	        cmocka_unit_test_setup_teardown(a_clock_behind, stopped, ended),
	        cmocka_unit_test_setup_teardown(a_cpu_that_starts, stopped, ended),
	        cmocka_unit_test_setup_teardown(beside_an_agent, stopped, ended),
	        cmocka_unit_test_setup_teardown(its_steps, stopped, ended),
	        cmocka_unit_test_setup_teardown(what_is_frozen_since, stopped, ended),
	        cmocka_unit_test_setup_teardown(a_newer_version, stopped, ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
