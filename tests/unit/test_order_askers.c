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
 * Guest and wire ask for orders and for the signed status beside each other: each has its own challenge, its own order
 * that is read, and its own second for signatures, so that neither can keep the other out.
 */
#include "order_fixture.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "core/core.h"
#include "core/kept.h"
#include "leaf/witness.h"
#include <insn.h>

static struct nl_challenge of_the_wire;

static enum nl_err by_wire(void) { return nl_order_take(NL_ASKER_WIRE, &order.o, order_size); }

/* For the challenge that the wire has. */
static void make_for_the_wire(enum nl_order_what what)
{
	make(what);
	memcpy(order.o.challenge, of_the_wire.challenge, sizeof(order.o.challenge));
	sign();
}

static void challenges(void **state)
{
	struct nl_challenge of_the_guest = challenge, again;

	(void)state;
	assert_int_equal(nl_order_challenge(NL_ASKER_WIRE, &of_the_wire), NL_OK);
	assert_memory_not_equal(of_the_wire.challenge, of_the_guest.challenge, 32);
	for (unsigned i = 0; i < 100; i++) { /* whoever asks takes it from nobody */
		assert_int_equal(nl_order_challenge(NL_ASKER_WIRE, &again), NL_OK);
		assert_memory_equal(&again, &of_the_wire, sizeof(again));
	}
	seam_tsc += 11 * MINUTE;
	assert_int_equal(nl_order_challenge(NL_ASKER_WIRE, &again), NL_OK);
	assert_memory_not_equal(again.challenge, of_the_wire.challenge, 32);
	of_the_wire = again;
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_FREEZE);
	sign();
	assert_int_equal(by_wire(), NL_ECHALLENGE);
	make_for_the_wire(NL_ORDER_FREEZE);
	refused(NL_ECHALLENGE); /* by the guest */
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(ask(), NL_OK);
		assert_int_not_equal(present(), NL_OK);
	}
	make_for_the_wire(NL_ORDER_FREEZE);
	assert_true(nl_order_addressed((const uint8_t *)&challenge + offsetof(struct nl_challenge, machine_id)));
	assert_false(nl_order_addressed((const uint8_t *)&order + offsetof(struct nl_order, machine_id)));
	while (by_wire() == NL_AGAIN || by_wire() == NL_ERATE)
		seam_tsc += SECOND;
	assert_int_not_equal(nl_kept->frozen, 0);
	assert_int_equal(by_wire(), NL_ECHALLENGE); /* it counts once */
	assert_int_equal(nl_order_challenge(NL_ASKER_WIRE, &again), NL_OK);
	assert_memory_not_equal(again.challenge, of_the_wire.challenge, 32);
	nl_kept->frozen = 0;
	make(NL_ORDER_RELEASE);
	sign();
	assert_int_equal(carry(), NL_OK); /* and the guest's is as it was */
	assert_int_equal(nl_order_challenge(NL_ASKER_WIRE, &of_the_wire), NL_OK);
	make_for_the_wire(NL_ORDER_FREEZE);
	nl_order_forget(); /* of another kernel */
	assert_int_equal(by_wire(), NL_ECHALLENGE);
}

/* Whatever the guest presents in between, the wire's order is read on, and checked as soon as its own second is over.
 */
static void seconds(void **state)
{
	struct order wire;
	size_t size;

	(void)state;
	assert_int_equal(nl_order_challenge(NL_ASKER_WIRE, &of_the_wire), NL_OK);
	make_for_the_wire(NL_ORDER_FREEZE);
	wire = order;
	size = order_size;
	make(NL_ORDER_STOP);
	sign();
	signatures = 0;
	assert_int_equal(nl_order_take(NL_ASKER_WIRE, &wire.o, size), NL_AGAIN);
	while (present() == NL_AGAIN)
		;
	assert_int_equal(signatures, 1);
	assert_int_equal(present(), NL_ERATE);
	while (nl_order_take(NL_ASKER_WIRE, &wire.o, size) == NL_AGAIN)
		;
	assert_int_equal(signatures, 2); /* in the same second */
	assert_int_equal(nl_order_take(NL_ASKER_WIRE, &wire.o, size), NL_ERATE);
	seam_tsc += SECOND;
	assert_int_equal(present(), NL_AGAIN);
	assert_int_equal(nl_order_take(NL_ASKER_WIRE, &wire.o, size), NL_AGAIN);
	assert_int_equal(present(), NL_OK);
	assert_int_equal(nl_order_take(NL_ASKER_WIRE, &wire.o, size), NL_OK);
	assert_int_equal(signatures, 4);
}

/* A status is signed for each of two that ask in turns, over a nonce of their own. */
static void statuses(void **state)
{
	static uint8_t seed[32] = {5};
	struct nl_status now = {.leaves = 2};
	struct nl_context ctx = {0};
	const struct nl_signed_status *of[NL_ASKERS];
	const void *answer;
	size_t size;

	(void)state;
	nl_boot.facts.boots = 1;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	nl_witness_init(seed);
	assert_int_equal(bring("alpha", DATA_SITE), NL_OK);
	assert_int_equal(bring("beta", DATA_SITE + 64), NL_OK);
	now.generation = nl_generation_current()->view.generation;
	now.tsc_now = seam_tsc += SECOND;
	for (unsigned step = 0; step < 3; step++)
		for (unsigned asker = 0; asker < NL_ASKERS; asker++) {
			uint8_t nonce[32] = {(uint8_t)(1 + asker)};

			assert_int_equal(nl_witness_sign(asker, &ctx, &now, nonce, &answer, &size),
			                 step < 2 ? NL_AGAIN : NL_OK);
			of[asker] = answer;
		}
	for (unsigned asker = 0; asker < NL_ASKERS; asker++) {
		uint8_t nonce[32] = {(uint8_t)(1 + asker)};

		assert_memory_equal(of[asker]->nonce, nonce, sizeof(nonce));
		assert_int_equal(of[asker]->head.count, 2);
		assert_int_equal(of[asker]->witness.boot.boots, 1);
		for (unsigned step = 0; step < 2; step++)
			assert_int_equal(nl_witness_sign(asker, &ctx, &now, nonce, &answer, &size), NL_AGAIN);
		assert_int_equal(nl_witness_sign(asker, &ctx, &now, nonce, &answer, &size), NL_ERATE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(challenges, begin, teardown),
	        cmocka_unit_test_setup_teardown(seconds, begin, teardown),
	        cmocka_unit_test_setup_teardown(statuses, begin, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
