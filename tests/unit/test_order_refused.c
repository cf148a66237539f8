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
 * Orders of kind NOW that are refused: by which name, and what it costs; what is refused early reaches neither a hash
 * nor a signature.
 */
#include "order_fixture.h"
#include "commit/commit.h"
#include "commit/order.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/kept.h"
#include "core/sha256.h"
#include "leaf/registry.h"
#include "view/current.h"
#include <insn.h>

static void who_signs(void **state)
{
	struct nl_key stranger;
	unsigned nobody = make_key(&stranger, "stranger", NL_ROLE_OPERATOR);

	(void)state;
	make(NL_ORDER_FREEZE);
	sign_by(&one, 1);
	refused(NL_EQUORUM);
	sign_by((unsigned[]){one, one}, 2);
	refused(NL_EQUORUM);
	sign_by((unsigned[]){one, author}, 2);
	refused(NL_EQUORUM);
	sign_by((unsigned[]){author, nobody}, 2);
	refused(NL_EKEY);
	order_size = nl_order_signed_size(&order.o);
	refused(NL_EUNSIGNED);
	order_size += 8;
	refused(NL_EORDER);
	sign();
	order.signatures[order_size - sizeof(order.o) - 1] ^= 1;
	sign();
	((uint8_t *)&order)[order_size - 1] ^= 1;
	refused(NL_ESIGNATURE);
	nl_boot.keys[1].role = 0; /* revoked */
	sign();
	refused(NL_EQUORUM);
	nl_boot.keys[1].role = NL_ROLE_OPERATOR;
	sign_by((unsigned[]){author, second, one}, 3);
	assert_int_equal(carry(), NL_OK);
	assert_int_equal(nl_kept->frozen, 1);
}

static void what_it_is_bound_to(void **state)
{
	struct nl_challenge old = challenge;

	(void)state;
	make(NL_ORDER_FREEZE);
	order.o.machine_id[3] ^= 1;
	sign();
	refused(NL_EMACHINEID);
	make(NL_ORDER_FREEZE);
	order.o.boot_id[3] ^= 1;
	sign();
	refused(NL_EBOOTID);
	make(NL_ORDER_FREEZE);
	order.o.challenge[31] ^= 0x80;
	sign();
	refused(NL_ECHALLENGE);
	make(NL_ORDER_FREEZE);
	order.o.generation++;
	sign();
	refused(NL_EGENERATION);
	assert_int_equal(ask(), NL_OK); /* and void is the one before */
	challenge = old;
	make(NL_ORDER_FREEZE);
	sign();
	refused(NL_ECHALLENGE);
	assert_int_equal(signatures + hashes, 0);
}

static void a_challenge_ends(void **state)
{
	uint64_t now;

	(void)state;
	make(NL_ORDER_FREEZE);
	sign();
	seam_tsc += 10 * MINUTE - SECOND;
	assert_int_equal(present(), NL_AGAIN);
	seam_tsc += 2 * SECOND;
	refused(NL_ECHALLENGE);
	seam_tsc -= 5 * MINUTE; /* and does not come back by a TSC that is set back, */
	refused(NL_ECHALLENGE);
	now = seam_tsc;
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_FREEZE);
	sign();
	seam_tsc = now - 2 * SECOND; /* which ends one that is out: no CPU's is that far behind */
	refused(NL_ECHALLENGE);
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_FREEZE);
	sign();
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	assert_int_equal(bring("alpha", DATA_SITE), NL_OK); /* a kernel is known, and another one begins */
	memset(fg_image(0), 0xcc, 0x1000);
	fg.ctx.lstar += 8 << 20;
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar);
	refused(NL_ECHALLENGE);
}

static void policy_and_what_is_not_done_yet(void **state)
{
	(void)state;
	nl_boot.facts.policy.operators = 0;
	make(NL_ORDER_FREEZE);
	sign();
	refused(NL_EPOLICY);
	nl_boot.facts.policy.operators = 2;
	nl_boot.facts.policy.order_may = NL_ORDER_MAY_STANDING;
	refused(NL_EPOLICY);
	nl_boot.facts.policy.order_may = NL_ORDER_MAY_ALL;
	make(NL_ORDER_CONFIRM); /* of what? */
	sign();
	refused(NL_EORDER);
	make(NL_ORDER_SYNC);
	order.o.confirm_ms = 1001;
	sign();
	refused(NL_EPOLICY);
	make(NL_ORDER_SYNC);
	order.o.kind = NL_ORDER_STANDING;
	order.o.epoch = 1;
	order.o.build_id_len = 20;
	memset(order.o.build_id, 1, 20);
	order.o.generation = 0;
	memset(order.o.boot_id, 0, 16);
	memset(order.o.challenge, 0, 32);
	sign();
	refused(NL_EUNSUPPORTED);
	make(NL_ORDER_FREEZE);
	order.o.reserved = 1;
	sign();
	refused(NL_EORDER);
	assert_int_equal(call(NL_CALL_ORDER, FG_USER, NL_ORDER_MAX_SIZE + 8, 0, 0), NL_EORDER);
	assert_int_equal(call(NL_CALL_ORDER, FG_USER, 0, 0, 0), NL_EORDER);
	assert_int_equal(call(NL_CALL_ORDER, FG_USER + (1ULL << 40), 168, 0, 0), NL_EFAULT);
	assert_int_equal(signatures + hashes, 0);
}

/* Whichever bit of it: nothing happens, and the order itself is still taken behind it. */
static void any_flipped_bit(void **state)
{
	uint64_t now = seam_tsc;

	(void)state;
	make(NL_ORDER_FREEZE);
	sign();
	for (size_t bit = 0; bit < 8 * order_size; bit++) {
		seam_tsc = now; /* the challenge ends in ten minutes */
		((uint8_t *)&order)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(carry(), NL_OK);
		assert_int_equal(nl_kept->frozen, 0);
		((uint8_t *)&order)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(carry(), NL_OK);
	assert_int_equal(nl_kept->frozen, 1);
}

/* One signature a second, whoever asks for which order; the hash in slices. */
static void a_second_for_each_signature(void **state)
{
	uint8_t name[32] = {1};
	unsigned calls = 0;

	(void)state;
	make(NL_ORDER_SYNC);
	for (unsigned i = 0; i < NL_MAX_LEAVES; i++, name[0]++)
		add(name);
	sign();
	while (!signatures) {
		assert_int_equal(present(), NL_AGAIN);
		calls++;
	}
	assert_int_equal(calls, 3);
	assert_true(hashes >= 2 && longest_hash <= 768);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(present(), NL_ERATE);
	order.o.deadline_ms++; /* another one */
	sign();
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(present(), NL_AGAIN);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(present(), NL_ERATE);
	assert_int_equal(signatures, 1);
	seam_tsc += SECOND;
	assert_int_equal(present(), NL_AGAIN);
	assert_int_equal(present(), NL_ERATE);
	seam_tsc += SECOND;
	assert_int_equal(present(), NL_AGAIN);
	assert_int_equal(present(), NL_OK);
	assert_int_equal(signatures, 3);
}

/* What does not bear the challenge that is out costs no hash and no signature, and fills no journal. */
static void a_flood(void **state)
{
	struct nl_journal_entry e;
	uint64_t before, after;

	(void)state;
	make(NL_ORDER_FREEZE);
	order.o.challenge[0] ^= 1;
	sign();
	call(NL_CALL_ABANDON, 0, 0, 0, 0);
	nl_journal_read(UINT64_MAX, &e, &before);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(present(), NL_ECHALLENGE);
	assert_int_equal(signatures + hashes, 0);
	nl_journal_read(UINT64_MAX, &e, &after);
	assert_in_range(after - before, 1, 16);
	nl_journal_read(after, &e, &after);
	assert_int_equal(e.event, NL_EV_ORDER);
	assert_int_equal(e.error, NL_ECHALLENGE);
	assert_int_equal(e.a, NL_ORDER_FREEZE | (uint64_t)NL_ORDER_NOW << 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(who_signs, begin, teardown),
	        cmocka_unit_test_setup_teardown(what_it_is_bound_to, begin, teardown),
	        cmocka_unit_test_setup_teardown(a_challenge_ends, begin, teardown),
	        cmocka_unit_test_setup_teardown(policy_and_what_is_not_done_yet, begin, teardown),
	        cmocka_unit_test_setup_teardown(any_flipped_bit, begin, teardown),
	        cmocka_unit_test_setup_teardown(a_second_for_each_signature, begin, teardown),
	        cmocka_unit_test_setup_teardown(a_flood, begin, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
