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
// sources: hv/core/sodium.c tests/unit/standing_fixture.c tests/unit/wish_fixture.c
// sources: tests/unit/fakeguest.c tests/unit/makeleaf.c tests/unit/commit_fixture.c tests/unit/order_fixture.c
// libs: -lcrypto -Wl,--wrap=crypto_sign_ed25519_verify_detached,--wrap=nl_sha256_update
/*
 * No program runs before a standing order is carried out, and none is held back longer than the order says; what is to
 * be on trial begins with the first one.
 */
#include "wish_fixture.h"
#include "commit/commit.h"
#include "commit/generation.h"
#include "core/cpu.h"
#include "core/journal.h"
#include "core/kept.h"
#include "exits/own.h"
#include "leaf/registry.h"
#include "view/current.h"
#include <insn.h>

/* From the launch on no program runs before it is carried out; not longer than its deadline, and the journal says so.
 */
static void programs_are_held_back(void **state)
{
	unsigned late = journaled(NL_EDEADLINE);

	(void)state;
	boot_with(1);
	assert_true(nl_standing_holds());
	seam_tsc += 100 * SECOND; /* nobody has come yet */
	nl_standing_hold();
	for (unsigned i = 0; i < 20 && nl_standing.carried == NL_AGAIN; i++) {
		assert_true(nl_standing_holds());
		try_after(SECOND / 100);
	}
	assert_int_equal(nl_standing.carried, NL_OK);
	assert_false(nl_standing_holds());
	assert_int_equal(journaled(NL_EDEADLINE), late);

	boot_with(1);
	seam_tsc_step = 1000;
	fg.ctx.rip = FG_LINK + SLIDE + FG_SWITCH + 8; /* somebody stands in the way for ever */
	try_after(100 * SECOND);
	assert_true(nl_standing_holds()); /* no program has come yet */
	nl_standing_hold();
	try_after(order.o.deadline_ms * (SECOND / 1000) / 2);
	nl_standing_hold(); /* the next program's fault */
	assert_true(nl_standing_holds());
	assert_int_equal(journaled(NL_EDEADLINE), late);
	try_after(order.o.deadline_ms * (SECOND / 1000) / 2 + SECOND / 10);
	assert_false(nl_standing_holds());
	assert_int_equal(nl_standing.carried, NL_AGAIN);
	assert_int_equal(journaled(NL_EDEADLINE), late + 1);
	fg.ctx.rip = FG_LINK + SLIDE + 0x8123;
	pass();
	assert_int_equal(on(), 1);
	seam_tsc_step = 1;
}

/* One that comes while programs run holds nobody back, and without the flag nobody carries it out. */
static void nobody_is_held_back(void **state)
{
	(void)state;
	boot_with(1);
	pass();
	standing(5);
	sign();
	fg.ctx.cpl = 3;
	assert_int_equal(by_call(), NL_OK);
	assert_int_equal(nl_standing.carried, NL_AGAIN);
	assert_false(nl_standing_holds());
	standing(6);
	order.o.flags = 0;
	sign();
	into(0);
	assert_int_equal(launched(6), NL_OK);
	assert_false(nl_standing_holds());
}

/* Whoever wants its leaves confirmed at each boot: taken back in time, and not put on any more in this one. */
static void on_probation(void **state)
{
	struct nl_entry *e;

	(void)state;
	for (unsigned confirmed = 0; confirmed < 2; confirmed++) {
		standing(4);
		entry(NL_ORDER_LEAF, alpha);
		order.o.confirm_ms = 1000;
		sign();
		into(0);
		assert_int_equal(launched(4), NL_OK);
		nl_standing_hold();
		nl_own_commit(&fg.cpus[0]);
		for (unsigned i = 0; i < 20 && !on(); i++) {
			seam_tsc += SECOND / 100;
			nl_own_commit(&fg.cpus[0]);
		}
		assert_int_equal(on(), 1);
		e = nl_registry_find(alpha);
		assert_int_not_equal(e->state.trial_tsc, 0);
		if (confirmed)
			assert_int_equal(nl_trial_over(e), NL_OK);
		fg.cpus[0].root_generation = nl_current_view()->generation;
		seam_tsc += 2 * SECOND;
		pass();
		assert_int_equal(on(), confirmed);
		assert_int_equal(!!memcmp(nl_kept->lockouts[0].sha256, alpha, 32), confirmed);
	}
}

/* As hv_before_entry does: nobody tries before nl_own_due. For this long at most, in seconds, is a program
 * held that faults again and again; tries that take as long as this by the clock. */
static void spin(unsigned seconds)
{
	uint64_t end = seam_tsc + (uint64_t)seconds * SECOND;

	nl_own_due = 0;
	while (seam_tsc < end && nl_standing_holds()) {
		nl_standing_hold();
		if (seam_tsc >= nl_own_due)
			nl_own_commit(&fg.cpus[0]);
		seam_tsc += SECOND / 1000;
	}
}

static void not_beyond_its_deadline(void **state)
{
	uint64_t start;

	(void)state;
	boot_with(1);
	pass();
	boot_with(1);
	fg.ctx.rip = FG_LINK + SLIDE + FG_SWITCH + 8; /* somebody stands in the way for ever */
	seam_tsc_step = SECOND / 100; /* a try takes half a second: four scans of 100 ms, or CPUs that are late */
	start = seam_tsc;
	spin(60);
	assert_false(nl_standing_holds());
	assert_in_range(seam_tsc - start, 0, (order.o.deadline_ms + 1000) * (SECOND / 1000));
	seam_tsc_step = 1;
}

/* The CPU that tried last counts half an hour before the one on which the program is, and does nothing any more. */
static void another_cpus_clock(void **state)
{
	(void)state;
	boot_with(1);
	seam_tsc_step = 1000;
	fg.ctx.rip = FG_LINK + SLIDE + FG_SWITCH + 8;
	seam_tsc += 1800 * SECOND;
	nl_own_due = 0;
	nl_own_commit(&fg.cpus[0]);
	seam_tsc -= 1800 * SECOND;
	for (unsigned i = 0; i < 60000 && nl_standing_holds(); i++) {
		nl_standing_hold();
		if (seam_tsc >= nl_own_due)
			nl_own_commit(&fg.cpus[0]);
		seam_tsc += SECOND / 1000;
	}
	assert_false(nl_standing_holds()); /* in a minute, of a deadline of a second */
	seam_tsc_step = 1;
}

/* A crash kernel: the others halt in the one before and are never started, so that nobody can commit, and
 * its programs wait for nothing. */
static void not_in_a_crash_kernel(void **state)
{
	uint8_t *id = fg_image(FG_BUILD_ID), site[8];
	uint64_t start;

	(void)state;
	memcpy(site, fg_image(DATA_SITE), sizeof(site));
	boot_with(1);
	pass();
	assert_int_equal(on(), 1);
	fg.cpus[1] =
	        (struct nl_cpu){.index = 1, .state = NL_CPU_RUNNING, .root_generation = fg.cpus[0].root_generation};
	nl_cpus[1] = &fg.cpus[1];
	nl_n_cpus = 2;
	id[3] ^= 1;
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	id[3] ^= 1;
	fg.cpus[0].root_generation = nl_current_view()->generation;
	memcpy(fg_image(DATA_SITE), site, sizeof(site));
	fg.ctx.cpl = 3; /* its first program */
	start = seam_tsc;
	while (nl_standing_holds() && seam_tsc - start < 10 * SECOND) {
		nl_standing_hold();
		if (seam_tsc >= nl_own_due)
			nl_own_commit(&fg.cpus[0]);
		seam_tsc += SECOND / 1000;
	}
	nl_n_cpus = 1;
	assert_int_equal(on(), 0);
	assert_in_range(seam_tsc - start, 0, SECOND / 4); /* and not the whole deadline, which is a second */
}

/* A kernel starts its CPUs and corrects their clocks before its first program: what is on trial begins then,
 * or nobody could have confirmed it. */
static void clocks_corrected_at_boot(void **state)
{
	(void)state;
	standing(4);
	entry(NL_ORDER_LEAF, alpha);
	order.o.confirm_ms = 1000;
	sign();
	into(0);
	assert_int_equal(launched(4), NL_OK);
	for (unsigned i = 0; i < 20; i++) {
		seam_tsc += SECOND / 100;
		nl_own_due = 0;
		nl_own_commit(&fg.cpus[0]);
	}
	__atomic_add_fetch(&nl_trial_clock, 1, __ATOMIC_RELAXED); /* msr.c: TSC_ADJUST of a CPU that comes */
	nl_own_soon(0);
	fg.ctx.cpl = 3;
	nl_standing_hold(); /* the first program */
	for (unsigned i = 0; i < 20; i++) {
		seam_tsc += SECOND / 100;
		nl_own_due = 0;
		nl_own_commit(&fg.cpus[0]);
		fg.cpus[0].root_generation = nl_current_view()->generation;
	}
	assert_int_equal(on(), 1);
	assert_int_equal(nl_standing.carried, NL_OK);
}

/* Nobody is in the way: each slice of verifying (one a leaf, and one more) waits for
 * nothing, or of 20 leaves they would take the second that an order has by default. */
static void slices_do_not_wait(void **state)
{
	uint64_t start;

	(void)state;
	boot_with(BOTH);
	fg.ctx.cpl = 3;
	start = seam_tsc;
	for (unsigned i = 0; i < 1000000 && nl_standing_holds(); i++) {
		nl_standing_hold();
		if (seam_tsc >= nl_own_due)
			nl_own_commit(&fg.cpus[0]);
		seam_tsc += SECOND / 1000000;
	}
	assert_int_equal(on(), 2);
	assert_in_range(seam_tsc - start, 0, SECOND / 1000); /* three slices: 1 + 2 + 4 ms */
}

/* Until a program runs bytes that are not there mean not yet, also when its leaf is known: a kernel
 * that is just patching (a breakpoint of text_poke, for some microseconds) does not end the order. */
static void a_kernel_that_patches_itself(void **state)
{
	uint8_t *site = fg_image(DATA_SITE), was = *site;

	(void)state;
	boot_with(1);
	seam_tsc_step = 1000;
	fg.ctx.rip = FG_LINK + SLIDE + FG_SWITCH + 8; /* it is verified, and somebody stands in the way */
	pass();
	assert_int_equal(nl_registry_count(), 1);
	fg.ctx.rip = FG_LINK + SLIDE + 0x8123;
	*site = 0xcc;
	try_after(SECOND / 100); /* at CPL 0, and no program has come yet */
	*site = was;
	pass();
	seam_tsc_step = 1;
	assert_int_equal(nl_standing.carried, NL_OK);
	assert_int_equal(on(), 1);
}

/* As long as no kernel is there the pauses grow to 64 ms, and the first program finds them so: of a shorter deadline
 * none is left when the first try is made, though nobody is in the way. */
static void a_short_deadline(void **state)
{
	const struct nl_context kernel = fg.ctx;
	unsigned before = journaled(NL_EDEADLINE);

	(void)state;
	standing(4);
	order.o.deadline_ms = 50;
	entry(NL_ORDER_LEAF, alpha);
	sign();
	into(0);
	assert_int_equal(launched(4), NL_OK);
	fg.ctx.lstar = 0;
	pass();
	fg.ctx = kernel;
	fg.ctx.cpl = 3;
	for (unsigned i = 0; i < 100000 && nl_standing_holds(); i++) {
		nl_standing_hold();
		if (seam_tsc >= nl_own_due)
			nl_own_commit(&fg.cpus[0]);
		seam_tsc += SECOND / 100000;
	}
	assert_int_equal(journaled(NL_EDEADLINE), before);
	assert_int_equal(on(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(programs_are_held_back, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(nobody_is_held_back, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(on_probation, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(not_beyond_its_deadline, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(another_cpus_clock, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(not_in_a_crash_kernel, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(clocks_corrected_at_boot, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(slices_do_not_wait, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(a_kernel_that_patches_itself, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(a_short_deadline, stopped, no_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
