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
 * Orders of kind NOW through the hypercalls, on a fake guest whose root may do nothing else: what each lets through,
 * for how long, and what is frozen.
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

static bool counts(void) /* does the guest's own way count again? */
{
	return call(NL_CALL_STAGE, FG_USER, 8, 0, 8) != NL_EPOLICY;
}

/* Both are known; what is on is alpha. */
static void two_leaves(void)
{
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	assert_int_equal(bring("beta", DATA_SITE + 64), NL_OK);
	assert_int_equal(bring("alpha", DATA_SITE), NL_OK);
	assert_int_equal(apply(alpha), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_NONE;
}

/* A guest whose root may do nothing: an order lets in its leaf, and no other; its commit, once, and nothing else. */
static void an_order_is_carried_out(void **state)
{
	struct nl_status *s = (struct nl_status *)fg_user(FG_USER);

	(void)state;
	assert_int_equal(bring("alpha", DATA_SITE), NL_EPOLICY);
	assert_int_equal(call(NL_CALL_VERIFY, FG_USER, sizeof(struct nl_verify_report), 0, 0), NL_EPOLICY);
	assert_int_equal(ordered(NL_ORDER_APPLY, alpha), NL_OK);
	call(NL_CALL_STATUS, FG_USER, sizeof(*s), 0, 0);
	assert_int_equal(s->orders, NL_ORDER_WAITS);
	signatures = 0;
	assert_int_equal(bring("beta", DATA_SITE + 64), NL_EPOLICY);
	assert_int_equal(signatures, 0);
	assert_int_equal(bring("alpha", DATA_SITE), NL_OK);
	assert_int_equal(apply(beta), NL_EUNKNOWN_LEAF);
	assert_int_equal(apply(alpha), NL_OK);
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
	call(NL_CALL_STATUS, FG_USER, sizeof(*s), 0, 0);
	assert_int_equal(s->orders, 0);
	assert_int_equal(commit(NULL, 0), NL_EPOLICY);
	assert_false(counts());
	assert_int_equal(ordered(NL_ORDER_REVERT, alpha), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(apply(alpha), NL_EPOLICY);
}

/* Each verb is one set, and no other is let through. */
static void exactly_what_it_says(void **state)
{
	uint8_t both[2][32], unknown[32] = {9};

	(void)state;
	two_leaves();
	memcpy(both[0], alpha, 32);
	memcpy(both[1], beta, 32);
	assert_int_equal(ordered(NL_ORDER_APPLY, beta), NL_OK);
	assert_int_equal(apply(beta), NL_EPOLICY); /* alpha would go */
	assert_int_equal(commit(NULL, 0), NL_EPOLICY);
	assert_int_equal(commit((const void *)both, 2), NL_OK);
	assert_int_equal(ordered(NL_ORDER_REVERT, beta), NL_OK);
	assert_int_equal(apply(beta), NL_EPOLICY); /* the other one */
	assert_int_equal(commit(NULL, 0), NL_EPOLICY);
	assert_int_equal(apply(alpha), NL_OK);
	assert_int_equal(ordered(NL_ORDER_SYNC, beta), NL_OK);
	assert_int_equal(commit((const void *)both, 2), NL_EPOLICY);
	assert_int_equal(commit(NULL, 0), NL_EPOLICY);
	assert_int_equal(apply(beta), NL_OK);
	assert_int_equal(ordered(NL_ORDER_SYNC, NULL), NL_OK);
	assert_int_equal(apply(alpha), NL_EPOLICY);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_SYNC); /* half of it is not what was ordered */
	add(alpha);
	add(unknown);
	sign();
	assert_int_equal(carry(), NL_OK);
	assert_int_equal(apply(alpha), NL_EPOLICY);
}

/* A newer version of a leaf takes the older one's place, as it does without an order; not in the other direction. */
static void a_newer_version(void **state)
{
	uint8_t newer[32];

	(void)state;
	two_leaves();
	leaf_rodata("alpha", DATA_SITE, 0x22);
	m.header.version = 2;
	nl_sha256_of(file, make_write(&m, file), newer);
	assert_int_equal(ordered(NL_ORDER_APPLY, newer), NL_OK);
	leaf_rodata("alpha", DATA_SITE, 0x22);
	m.header.version = 2;
	assert_int_equal(verify_leaf(newer), NL_OK);
	assert_int_equal(apply(newer), NL_OK);
	assert_int_equal(ordered(NL_ORDER_SYNC, alpha), NL_OK); /* an order allows no more than the rest does */
	assert_int_equal(apply(alpha), NL_EVERSION);
}

static void an_order_waits_a_minute(void **state)
{
	(void)state;
	two_leaves();
	assert_int_equal(ordered(NL_ORDER_APPLY, beta), NL_OK);
	seam_tsc += MINUTE - SECOND;
	assert_true(counts());
	seam_tsc += 2 * SECOND;
	assert_false(counts());
	assert_int_equal(ordered(NL_ORDER_REVERT, alpha), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	assert_int_equal(commit((const uint8_t(*)[32])beta, 1), NL_OK); /* something else changes */
	assert_int_equal(apply(alpha), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_NONE;
	assert_int_equal(commit(NULL, 0), NL_EPOLICY);
	assert_int_equal(ordered(NL_ORDER_REVERT, alpha), NL_OK);
	assert_true(counts());
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	assert_false(counts());
}

static void a_challenge_counts_once(void **state)
{
	(void)state;
	assert_int_equal(ordered(NL_ORDER_FREEZE, NULL), NL_OK);
	assert_int_equal(carry(), NL_ECHALLENGE);
	assert_int_equal(ordered(NL_ORDER_RELEASE, NULL), NL_OK);
	assert_int_equal(carry(), NL_ECHALLENGE);
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_APPLY);
	add(alpha);
	sign();
	((uint8_t *)&order)[order_size - 1] ^= 1;
	refused(NL_ESIGNATURE); /* which spends nothing */
	sign();
	assert_int_equal(carry(), NL_OK);
	assert_int_equal(carry(), NL_ECHALLENGE);
	assert_non_null(nl_order_waiting());
}

static void challenges(void **state)
{
	struct {
		char domain[32];
		uint8_t secret[32];
		uint64_t count, tsc;
	} seed = {"newleaf challenge", {0}, 0, 0};
	struct nl_challenge a = challenge;
	uint8_t expected[32] = {0};

	(void)state;
	assert_memory_equal(a.machine_id, nl_boot.facts.machine_id, 16);
	assert_memory_equal(a.boot_id, nl_boot.facts.boot_id, 16);
	assert_int_equal(a.generation, nl_current_view()->generation);
	assert_int_equal(nl_record_check(NL_CHALLENGE_KIND, &a, sizeof(a)), NL_OK);
	seam_tsc_step = 0; /* the clock stands still */
	assert_int_equal(ask(), NL_OK);
	a = challenge;
	assert_int_equal(ask(), NL_OK);
	seam_tsc_step = 1;
	assert_memory_not_equal(a.challenge, challenge.challenge, 32);
	memcpy(seed.secret, nl_boot.secret, 32);
	seed.tsc = seam_tsc;
	while (memcmp(expected, challenge.challenge, 32) && ++seed.count < 1000) /* as many as were asked for yet */
		nl_sha256_of(&seed, sizeof(seed), expected);
	assert_in_range(seed.count, 2, 999);
	nl_boot.facts.random = 0;
	assert_int_equal(call(NL_CALL_CHALLENGE, FG_USER, sizeof(challenge), 0, 0), NL_ENORANDOM);
	assert_int_equal(call(NL_CALL_CHALLENGE, FG_USER, 0, 0, 0), NL_EUSAGE);
	assert_int_equal(call(NL_CALL_CHALLENGE, FG_USER, sizeof(challenge) - 1, 0, 0), NL_EUSAGE);
}

static void journaled(void **state)
{
	struct nl_journal_entry e;
	uint64_t last;
	uint8_t sha[32];

	(void)state;
	assert_int_equal(ordered(NL_ORDER_APPLY, alpha), NL_OK);
	nl_sha256_of(&order, nl_order_signed_size(&order.o), sha);
	nl_journal_read(UINT64_MAX, &e, &last);
	nl_journal_read(last, &e, &last);
	assert_int_equal(e.event, NL_EV_ORDER);
	assert_int_equal(e.error, NL_OK);
	assert_memory_equal(e.leaf_sha256, sha, 32);
	assert_int_equal(e.a, NL_ORDER_APPLY | (uint64_t)NL_ORDER_NOW << 32);
	assert_int_equal(e.b, order.o.generation);
}

/* Nothing changes, whoever asks for it, what is prepared included; until it is released. */
static void frozen(void **state)
{
	static struct nl_kept kept;
	struct nl_status *s = (struct nl_status *)fg_user(FG_USER);
	struct moment was;

	(void)state;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	assert_int_equal(bring("alpha", DATA_SITE), NL_OK);
	for (unsigned i = 0; i < 2; i++) {
		was = before();
		assert_int_equal(ask(), NL_OK);
		make(i ? NL_ORDER_STOP : NL_ORDER_FREEZE);
		sign();
		assert_int_equal(prepare((const uint8_t(*)[32])alpha, 1, UINT64_MAX), NL_OK);
		assert_int_equal(carry(), NL_OK);
		assert_int_equal(try_it(), NL_EFROZEN);
		assert_int_equal(prepare((const uint8_t(*)[32])alpha, 1, UINT64_MAX), NL_EFROZEN);
		unchanged(was);
		call(NL_CALL_STATUS, FG_USER, sizeof(*s), 0, 0);
		assert_int_equal(s->orders, NL_ORDER_FROZE);
		assert_int_equal(ordered(NL_ORDER_APPLY, alpha), NL_EFROZEN);
		kept = *nl_kept; /* as the next boot finds it */
		assert_int_equal(kept.checksum, nl_kept_checksum(&kept));
		assert_int_equal(kept.frozen, i ? NL_FROZEN_NOW | NL_FROZEN_STOP : NL_FROZEN_NOW);
		assert_int_equal(ordered(NL_ORDER_RELEASE, NULL), NL_OK);
	}
	assert_int_equal(apply(alpha), NL_OK);
	assert_int_equal(ordered(NL_ORDER_FREEZE, NULL), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_EFROZEN);
	assert_int_equal(ordered(NL_ORDER_RELEASE, NULL), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
}

/* What is refused before anything is read costs the one that is being read nothing: neither hash nor signatures begin
 * anew. */
static void a_cheap_refusal_beside_it(void **state)
{
	static struct order good;
	static uint8_t old[sizeof(order)];
	enum nl_err err;
	size_t size, n;

	(void)state;
	make(NL_ORDER_FREEZE);
	order.o.generation++; /* what somebody has kept from before a commit */
	sign();
	memcpy(old, &order, n = order_size);
	make(NL_ORDER_FREEZE);
	sign();
	memcpy(&good, &order, size = order_size);
	while (signatures < 1 && ((err = present()) == NL_AGAIN || err == NL_ERATE))
		seam_tsc += err == NL_ERATE ? SECOND + 1 : 0;
	memcpy(fg_user(FG_USER), old, n);
	assert_int_equal(call(NL_CALL_ORDER, FG_USER, n, 0, 0), NL_EGENERATION);
	assert_int_equal(size, order_size);
	assert_int_equal(carry(), NL_OK);
	assert_int_equal(signatures, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(an_order_is_carried_out, begin, teardown),
	        cmocka_unit_test_setup_teardown(a_cheap_refusal_beside_it, begin, teardown),
	        cmocka_unit_test_setup_teardown(exactly_what_it_says, begin, teardown),
	        cmocka_unit_test_setup_teardown(a_newer_version, begin, teardown),
	        cmocka_unit_test_setup_teardown(an_order_waits_a_minute, begin, teardown),
	        cmocka_unit_test_setup_teardown(a_challenge_counts_once, begin, teardown),
	        cmocka_unit_test_setup_teardown(challenges, begin, teardown),
	        cmocka_unit_test_setup_teardown(journaled, begin, teardown),
	        cmocka_unit_test_setup_teardown(frozen, begin, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
