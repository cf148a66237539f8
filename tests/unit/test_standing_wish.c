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
 * A standing order is carried out by the core, on CPUs on their way into the guest, with the leaves that the loader
 * found: as soon as a kernel is there that is like that, once in its life, and in the next one again.
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

static void it_is_carried_out(void **state)
{
	(void)state;
	boot_with(BOTH);
	signatures = 0;
	assert_in_range(pass(), 1, 20);
	assert_int_equal(on(), 2);
	assert_int_equal(signatures, 0); /* that was before the launch */
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
	assert_int_equal(shown64(DATA_SITE + 64), 0x1111111111111111);
	assert_int_equal(nl_standing.carried, NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL; /* once: who may take it back may */
	fg.ctx.cpl = 3;
	assert_int_equal(commit(NULL, 0), NL_OK);
	nl_own_soon(0);
	pass();
	assert_int_equal(on(), 0);
}

/* Neither the policy nor a freeze is in its way; the set is exact. */
static void whatever_the_guest_may(void **state)
{
	(void)state;
	boot_with(1);
	nl_kept->frozen = NL_FROZEN_NOW;
	pass();
	assert_int_equal(on(), 1);
	nl_kept->frozen = 0;
	standing(5);
	entry(NL_ORDER_LEAF, beta);
	order.o.flags |= NL_ORDER_FROZEN;
	sign();
	fg.ctx.cpl = 3;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	assert_int_equal(bring("beta", DATA_SITE + 64), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_NONE;
	fg.ctx.cpl = 0;
	assert_int_equal(by_call(), NL_OK);
	assert_int_equal(nl_standing.carried, NL_AGAIN);
	pass();
	assert_int_equal(on(), 1);
	assert_int_equal(shown64(DATA_SITE + 64), 0x1111111111111111);
	standing(6); /* nothing at all */
	sign();
	assert_int_equal(by_call(), NL_OK);
	pass();
	assert_int_equal(on(), 0);
	standing(7); /* by hypercall, and its leaf is nowhere */
	entry(NL_ORDER_LEAF, (const uint8_t[32]){9});
	sign();
	assert_int_equal(by_call(), NL_OK);
	pass();
	assert_int_equal(nl_standing.carried, NL_EUNKNOWN_LEAF);
	standing(8); /* somebody else is to carry it out */
	order.o.flags = 0;
	sign();
	assert_int_equal(by_call(), NL_OK);
	assert_int_equal(nl_standing.carried, NL_NOTHING);
}

/* A kernel that patches itself first; and one that stays other than what the leaf is for. */
static void bytes_that_are_not_there_yet(void **state)
{
	uint8_t *site = fg_image(DATA_SITE), was = *site;

	(void)state;
	boot_with(1);
	nl_standing_hold(); /* a program has come, and a CPU in the kernel tries */
	*site ^= 1;
	assert_int_equal(pass(), 100);
	assert_int_equal(on(), 0);
	assert_int_equal(nl_standing.carried, NL_AGAIN);
	assert_int_equal(journaled(NL_EBYTES), 0);
	*site = was;
	pass();
	assert_int_equal(on(), 1);
	assert_int_equal(nl_standing.carried, NL_OK);

	boot_with(1);
	*site ^= 1;
	fg.ctx.cpl = 3;
	nl_standing_hold(); /* a program has come */
	pass();
	assert_int_equal(on(), 0);
	assert_int_equal(nl_standing.carried, NL_EBYTES);
	assert_int_equal(journaled(NL_EBYTES), 1);
	*site = was;
	nl_own_soon(0);
	pass();
	assert_int_equal(on(), 0); /* given up, for this kernel's life */
}

static void kernels(void **state)
{
	uint8_t *id = fg_image(FG_BUILD_ID), was = id[3];
	uint64_t lstar = fg.ctx.lstar;
	uint8_t site[8];

	memcpy(site, fg_image(DATA_SITE), sizeof(site));
	(void)state;
	boot_with(1);
	id[3] ^= 1;
	assert_int_equal(pass(), 100); /* this CPU may not have begun: until a program runs */
	assert_int_equal(nl_standing.carried, NL_AGAIN);
	fg.ctx.cpl = 3;
	pass();
	fg.ctx.cpl = 0;
	assert_int_equal(on(), 0);
	assert_int_equal(nl_standing.carried, NL_EBUILDID);
	assert_int_equal(journaled(NL_EBUILDID), 1);
	nl_own_soon(0);
	pass();
	assert_int_equal(journaled(NL_EBUILDID), 1);
	id[3] = was;
	for (unsigned i = 0; i < 2; i++) { /* another one, and one more */
		fg.ctx.lstar = lstar;
		nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, lstar + 1);
		assert_int_equal(on(), 0);
		assert_true(nl_standing_holds());
		memcpy(fg_image(DATA_SITE), site, sizeof(site)); /* the next one's own */
		id[3] = was;
		pass();
		assert_int_equal(on(), 1);
		assert_int_equal(nl_standing.carried, NL_OK);
		id[3] ^= 1; /* so that it goes */
	}
	id[3] = was;
}

/* CPUs that the kernel has just started pass while the first one stands badly. */
static void cpus_that_start(void **state)
{
	const struct nl_context kernel = fg.ctx;

	(void)state;
	boot_with(1);
	seam_tsc_step = 1000; /* it waits between tries */
	fg.ctx.rip = FG_LINK + SLIDE + FG_SWITCH + 8;
	assert_int_equal(pass(), 100);
	assert_int_equal(nl_registry_count(), 1);
	fg.ctx.cr0 = fg.ctx.cr3 = fg.ctx.efer = fg.ctx.lstar = 0;
	fg.ctx.rip = 0x9a000;
	assert_int_equal(pass(), 100);
	assert_int_equal(nl_standing.carried, NL_AGAIN);
	fg.ctx = kernel;
	fg.ctx.lstar += 0x1230;
	assert_int_equal(pass(), 100);
	assert_int_equal(nl_standing.carried, NL_AGAIN);
	fg.ctx = kernel;
	pass();
	assert_int_equal(on(), 1);
	seam_tsc_step = 1;
}

/* A kernel's mitigations, and with them its return thunk, are chosen before its first process; a body is bound by
 * them. */
static void before_the_first_process(void **state)
{
	uint64_t *next = (uint64_t *)(void *)fg_image(FG_INIT_TASK + fg.target.task_tasks), was = *next;

	(void)state;
	boot_with(1);
	*next = FG_LINK + SLIDE + FG_INIT_TASK + fg.target.task_tasks; /* of the list of tasks: empty */
	assert_int_equal(pass(), 100);
	assert_int_equal(nl_registry_count(), 0);
	assert_int_equal(nl_standing.carried, NL_AGAIN);
	*next = was;
	pass();
	assert_int_equal(on(), 1);
}

/* A machine check waits for the guest: until it has it, nothing can be read, and nothing is known by that. */
static void a_machine_check(void **state)
{
	(void)state;
	boot_with(1);
	fg.ctx.cpl = 3;
	fg.cpus[0].mc_pending = true;
	nl_own_due = 1;
	nl_own_commit(&fg.cpus[0]);
	assert_int_equal(nl_own_due, 1); /* another CPU may */
	assert_int_equal(pass(), 100);
	assert_int_equal(nl_standing.carried, NL_AGAIN);
	fg.cpus[0].mc_pending = false;
	pass();
	assert_int_equal(on(), 1);
}

/* By orders NOW of later something else; they are heard first. */
static void an_order_now_goes_before(void **state)
{
	(void)state;
	boot_with(1);
	pass();
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_REVERT);
	order.o.flags = NL_ORDER_AGENTLESS;
	add(alpha);
	sign();
	assert_int_equal(carry(), NL_OK);
	pass();
	assert_int_equal(on(), 0);
	assert_int_equal(nl_standing.epoch, 4);
}

/* What an order NOW, that waits, wants of what it puts on is none of the standing one's. */
static void no_probation_of_another_order(void **state)
{
	(void)state;
	for (unsigned late = 0; late < 2; late++) {
		boot_with(1);
		assert_int_equal(ask(), NL_OK);
		make(NL_ORDER_APPLY);
		order.o.confirm_ms = 1000;
		add(beta);
		sign();
		assert_int_equal(carry(), NL_OK);
		seam_tsc += late * 100 * SECOND;
		pass();
		assert_int_equal(nl_standing.carried, NL_OK);
		assert_int_equal(on(), 1);
		assert_int_equal(nl_registry_find(alpha)->state.trial_tsc, 0);
	}
}

/* Room for one more leaf, and the order names two: half of an order is not what was ordered. */
static void not_half_of_it(void **state)
{
	(void)state;
	boot_with(BOTH);
	for (unsigned i = 1; i < NL_MAX_LEAVES; i++) {
		nl_registry[i].used = nl_registry[i].ever_applied = true;
		nl_registry[i].state.sha256[0] = (uint8_t)i;
		nl_registry[i].state.condition = NL_LEAF_REVERTED;
	}
	pass();
	assert_int_equal(on(), 0);
	assert_int_equal(nl_standing.carried, NL_ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(it_is_carried_out, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(whatever_the_guest_may, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(bytes_that_are_not_there_yet, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(kernels, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(not_half_of_it, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(no_probation_of_another_order, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(cpus_that_start, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(before_the_first_process, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(a_machine_check, stopped, no_machine),
	        cmocka_unit_test_setup_teardown(an_order_now_goes_before, stopped, no_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
