// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/gone.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/witness.c hv/commit/order.c hv/leaf/order.c hv/exits/own.c
// sources: hv/net/door.c
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
 * The door: what the wire may ask of the core, by way of a stack that may have become anything. Each call with all that
 * it must refuse, and an order with its leaf all the way from the challenge to the core's own commit.
 */
#include "order_fixture.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/kept.h"
#include "core/sha256.h"
#include "exits/hypercall.h"
#include "exits/own.h"
#include "leaf/witness.h"
#include "net/door.h"
#include "net/wire.h"
#include "view/current.h"
#include <insn.h>

#define ELSEWHERE (FG_LINK + SLIDE + 0x8123)

struct nl_wire nl_wire = {.received = 5, .sent = 6, .refused = 7, .lost = 8};
static struct nl_net_mailbox box;
static uint64_t answer; /* of the last call, in rdx */

static uint64_t knock(uint64_t number, uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
	struct nl_gprs regs = {.rax = number, .rdi = rdi, .rsi = rsi, .rdx = rdx, .rbx = 7, .rcx = 8};

	nl_door_call(&fg.ctx, &regs, &box);
	assert_int_equal(regs.rbx, 7);
	assert_int_equal(regs.rcx, 8);
	answer = regs.rdx;
	return regs.rax;
}

static int open_door(void **state)
{
	begin(state);
	memset(&box, 0, sizeof(box));
	nl_boot.facts.policy.net_may = NL_NET_MAY_ALL;
	nl_door_forget();
	assert_int_equal(nl_door_init(nl_status_now), NL_OK);
	stands_at(ELSEWHERE);
	return 0;
}

static int shut(void **state)
{
	seam_tsc_step = 1;
	nl_boot.facts.policy.net_may = 0;
	return teardown(state);
}

/* What the policy does not let the wire do is refused, whatever the stack asks. */
static void policy(void **state)
{
	static const struct {
		enum nl_net_call call;
		uint32_t may;
	} calls[] = {{NL_NET_FACTS, NL_NET_MAY_METRICS | NL_NET_MAY_READ},
	             {NL_NET_LEAVES, NL_NET_MAY_READ},
	             {NL_NET_JOURNAL, NL_NET_MAY_READ},
	             {NL_NET_SIGNED, NL_NET_MAY_READ},
	             {NL_NET_CHALLENGE, NL_NET_MAY_ORDERS},
	             {NL_NET_ORDER, NL_NET_MAY_ORDERS},
	             {NL_NET_LEAF, NL_NET_MAY_ORDERS}};

	(void)state;
	for (uint32_t may = 0; may <= NL_NET_MAY_ALL; may++)
		for (unsigned i = 0; i < NL_ARRAY_SIZE(calls); i++) {
			nl_boot.facts.policy.net_may = may;
			assert_int_equal(knock(calls[i].call, 0, 0, 0) == NL_EPOLICY, !(calls[i].may & may));
		}
	nl_boot.facts.policy.net_may = 0;
	assert_int_not_equal(knock(NL_NET_RANDOM, 0, 0, 0), knock(NL_NET_RANDOM, 0, 0, 0));
}

/* Another CPU commits: nothing waits for it. */
static void busy(void **state)
{
	(void)state;
	nl_lock(&nl_generation_lock);
	for (uint64_t number = NL_NET_LEAVES; number < NL_NET_LEAF; number++)
		if (number != NL_NET_JOURNAL)
			assert_int_equal(knock(number, 0, 0, 0), NL_AGAIN);
	nl_unlock(&nl_generation_lock);
	assert_int_equal(knock(NL_NET_CHALLENGE, 0, 0, 0), NL_OK);
}

static void looking(void **state)
{
	const struct nl_net_facts *f = (void *)box.data;
	const struct nl_leaf_state *leaf = (void *)box.data;
	const struct nl_journal_entry *e = (void *)box.data;
	const struct nl_signed_status *s = (void *)box.data;
	static const uint8_t seed[32] = {5};
	uint64_t from = 1, newest, n = 0, err;

	(void)state;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
	assert_int_equal(bring("alpha", DATA_SITE), NL_OK);
	assert_int_equal(bring("beta", DATA_SITE + 64), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_NONE;
	fg.cpus[0].exits[NL_CAUSE_CPUID] = 41;
	assert_int_equal(knock(NL_NET_FACTS, 0, 0, 0), NL_OK);
	assert_int_equal(f->status.abi, NL_ABI_VERSION);
	assert_int_equal(f->status.leaves, 2);
	assert_int_equal(f->status.lockouts, 0);
	assert_int_equal(f->status.kernel_slide, 0);
	assert_int_equal(f->exits[NL_CAUSE_CPUID], 41);
	assert_int_equal(f->frames_received, 5);
	assert_int_equal(f->frames_sent, 6);
	assert_int_equal(f->frames_refused, 7);
	assert_int_equal(f->frames_lost, 8);
	newest = f->status.journal_newest;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(knock(NL_NET_LEAVES, 0, 0, 0), NL_AGAIN);
	assert_int_equal(knock(NL_NET_LEAVES, 0, 0, 0), NL_OK);
	assert_int_equal(answer, 2);
	assert_string_equal(leaf[0].id, "alpha");
	assert_string_equal(leaf[1].id, "beta");
	for (unsigned i = 0; i < 200; i++)
		nl_journal(NL_EV_POLICY, NL_OK, "x", NULL, 0, 0);
	newest += 200;
	while (!knock(NL_NET_JOURNAL, from, 0, 0) && answer) {
		assert_true(answer <= NL_NET_DATA / sizeof(*e));
		for (uint64_t i = 0; i < answer; i++)
			assert_true(e[i].seq >= from + i);
		n += answer;
		from = e[answer - 1].seq + 1;
	}
	assert_int_equal(from, newest + 1);
	assert_true(n > NL_NET_DATA / sizeof(*e));
	nl_boot.facts.boots = 1;
	nl_witness_init(seed);
	seam_tsc += SECOND;
	do {
		memset(box.data, 9, 32);
		err = knock(NL_NET_SIGNED, 0, 0, 0);
	} while (err == NL_AGAIN);
	assert_int_equal(err, NL_OK);
	assert_int_equal(answer, nl_signed_status_size(s) + NL_SIGNATURE_LEN);
	assert_int_equal(s->nonce[31], 9);
	assert_int_equal(s->head.count, 2);
	memset(box.data, 9, 32);
	while ((err = knock(NL_NET_SIGNED, 0, 0, 0)) == NL_AGAIN)
		memset(box.data, 9, 32);
	assert_int_equal(err, NL_ERATE);
}

/* The order that is made now goes by the wire. */
static uint64_t send_order(void)
{
	uint64_t err;

	do {
		memcpy(box.data, &order, order_size);
		err = knock(NL_NET_ORDER, order_size, 0, 0);
		seam_tsc += err == NL_ERATE ? SECOND + 1 : 0;
	} while (err == NL_AGAIN || err == NL_ERATE);
	return err;
}

static void ask_by_wire(enum nl_order_what what)
{
	assert_int_equal(knock(NL_NET_CHALLENGE, 0, 0, 0), NL_OK);
	memcpy(&challenge, box.data, sizeof(challenge));
	make(what);
}

static uint64_t send_piece(const uint8_t sha256[32], const uint8_t *bytes, uint64_t at, uint64_t size, uint64_t n)
{
	memcpy(box.data, sha256, 32);
	if (n <= NL_NET_DATA - 32)
		memcpy(box.data + 32, bytes, n);
	return knock(NL_NET_LEAF, at, size, n);
}

/* In pieces of n bytes; NL_AGAIN until it is verified. */
static uint64_t send_leaf(const uint8_t sha256[32], uint64_t size, uint64_t n)
{
	uint64_t err = NL_OK;

	for (uint64_t at = 0; !err && at < size; at += n)
		err = send_piece(sha256, file + at, at, size, size - at < n ? size - at : n);
	while (err == NL_AGAIN)
		err = send_piece(sha256, file, size, size, 0);
	return err;
}

static size_t leaf_file(const char *id, uint64_t at)
{
	leaf_rodata(id, at, 0x11);
	return make_sign(file, make_write(&m, file));
}

/* A guest that may nothing and does nothing; all of it comes by the wire. */
static void order_and_leaf(void **state)
{
	size_t size;

	(void)state;
	for (unsigned way = 0; way < 2; way++) { /* in small pieces, and in large ones */
		ask_by_wire(NL_ORDER_SYNC);
		order.o.flags = NL_ORDER_AGENTLESS;
		order.o.deadline_ms = 1000;
		add(way ? beta : alpha);
		sign();
		assert_int_equal(send_order(), NL_OK);
		assert_int_equal(send_order(), NL_ECHALLENGE); /* again */
		size = leaf_file(way ? "beta" : "alpha", way ? DATA_SITE + 64 : DATA_SITE);
		assert_int_equal(send_leaf(way ? beta : alpha, size, way ? NL_NET_DATA - 32 : 100), NL_OK);
		for (unsigned i = 0; i < 1000 && !nl_generation_current()->applied; i++)
			if (nl_own_come())
				nl_own_commit(&fg.cpus[0]);
		fg.cpus[0].root_generation = nl_current_view()->generation;
		assert_int_not_equal(nl_generation_current()->applied, 0);
		assert_int_equal(shown64(way ? DATA_SITE + 64 : DATA_SITE), 0x1111111111111111);
		assert_null(nl_order_waiting());
		ask_by_wire(NL_ORDER_REVERT);
		order.o.flags = NL_ORDER_AGENTLESS;
		order.o.deadline_ms = 1000;
		add(way ? beta : alpha);
		sign();
		assert_int_equal(send_order(), NL_OK);
		for (unsigned i = 0; i < 1000 && nl_generation_current()->applied; i++)
			if (nl_own_come())
				nl_own_commit(&fg.cpus[0]);
		fg.cpus[0].root_generation = nl_current_view()->generation;
		assert_int_equal(nl_generation_current()->applied, 0);
	}
}

/* Nobody fills the room: a leaf is taken while an accepted order waits for it, and for its own name. */
static void leaves_that_nobody_ordered(void **state)
{
	size_t size = leaf_file("alpha", DATA_SITE), n;
	uint32_t known = nl_registry_count();
	struct nl_journal_entry e;
	uint64_t newest;

	(void)state;
	assert_int_equal(send_leaf(alpha, size, 100), NL_EUNKNOWN_LEAF);
	ask_by_wire(NL_ORDER_APPLY);
	order.o.flags = NL_ORDER_AGENTLESS;
	add(alpha);
	sign();
	memcpy(box.data, &order, order_size); /* shown, and not accepted yet */
	assert_int_equal(knock(NL_NET_ORDER, order_size, 0, 0), NL_AGAIN);
	assert_int_equal(send_leaf(alpha, size, 100), NL_EUNKNOWN_LEAF);
	assert_int_equal(send_order(), NL_OK);
	assert_int_equal(send_leaf(beta, size, 100), NL_EUNKNOWN_LEAF);
	/* sizes and places */
	assert_int_equal(send_piece(alpha, file, 0, NL_LEAF_MAX_SIZE + 1, 100), NL_ELEAF);
	assert_int_equal(send_piece(alpha, file, 100, size, 100), NL_ESTATE);
	assert_int_equal(send_piece(alpha, file, 0, size, 100), NL_OK);
	assert_int_equal(send_piece(alpha, file, 200, size, 100), NL_EUSAGE);
	assert_int_equal(send_piece(alpha, file, 100, size + 1, 100), NL_ESTATE);
	assert_int_equal(send_piece(alpha, file, 100, size, size), NL_EUSAGE);
	assert_int_equal(send_piece(alpha, file, 100, size, UINT64_MAX), NL_EUSAGE);
	assert_int_equal(send_piece(alpha, file, 100, size, NL_NET_DATA - 31), NL_EUSAGE);
	/* another file under its name, and one that is damaged */
	n = leaf_file("beta", DATA_SITE + 64);
	assert_int_not_equal(send_leaf(alpha, n, 100), NL_OK);
	size = leaf_file("alpha", DATA_SITE);
	file[size - 1] ^= 1;
	assert_int_equal(send_leaf(alpha, size, 100), NL_ESIGNATURE);
	nl_journal_read(UINT64_MAX, &e, &newest);
	assert_true(nl_journal_read(newest, &e, &newest));
	assert_int_equal(e.event, NL_EV_REFUSED);
	assert_int_equal(e.error, NL_ESIGNATURE);
	assert_memory_equal(e.leaf_sha256, alpha, sizeof(alpha));
	assert_int_equal(nl_registry_count(), known);
	file[size - 1] ^= 1;
	assert_int_equal(send_piece(alpha, file, 0, size, 100), NL_OK);
	nl_door_forget(); /* the stack died */
	assert_int_equal(send_piece(alpha, file, 100, size, 100), NL_ESTATE);
	assert_int_equal(send_leaf(alpha, size, 64), NL_OK);
	assert_int_equal(nl_registry_count(), known + 1);
}

/* Two leaves of one order, the one under the other's name: what was ordered is what comes on. */
static void the_others_name(void **state)
{
	size_t size;
	uint64_t known;

	(void)state;
	ask_by_wire(NL_ORDER_APPLY);
	order.o.flags = NL_ORDER_AGENTLESS;
	add(alpha);
	add(beta);
	sign();
	assert_int_equal(send_order(), NL_OK);
	size = leaf_file("beta", DATA_SITE + 64);
	assert_int_equal(send_leaf(alpha, size, 100), NL_EUNKNOWN_LEAF);
	size = leaf_file("alpha", DATA_SITE);
	for (uint64_t at = 0; at < size; at += 100) { /* a commit is under way all the time: the pieces are taken */
		nl_lock(&nl_generation_lock);
		assert_int_equal(send_piece(alpha, file + at, at, size, size - at < 100 ? size - at : 100),
		                 size - at <= 100 ? NL_AGAIN : NL_OK);
		for (unsigned i = 0; i < 100; i++)
			assert_int_equal(send_piece(alpha, file, size, size, 0),
			                 size - at <= 100 ? NL_AGAIN : NL_ESTATE);
		nl_unlock(&nl_generation_lock);
	}
	while ((known = send_piece(alpha, file, size, size, 0)) == NL_AGAIN)
		;
	assert_int_equal(known, NL_OK);
}

/* Whatever number, whatever arguments: an answer, and nothing beyond the mailbox (the sanitizers say). */
static void anything(void **state)
{
	static const uint64_t odd[] = {0,
	                               1,
	                               31,
	                               32,
	                               33,
	                               NL_NET_DATA - 33,
	                               NL_NET_DATA - 32,
	                               NL_NET_DATA,
	                               4096,
	                               4097,
	                               NL_LEAF_MAX_SIZE,
	                               NL_LEAF_MAX_SIZE + 1,
	                               UINT32_MAX,
	                               UINT64_MAX};

	(void)state;
	ask_by_wire(NL_ORDER_APPLY);
	order.o.flags = NL_ORDER_AGENTLESS;
	order.o.deadline_ms = 1000;
	add(alpha);
	sign();
	assert_int_equal(send_order(), NL_OK);
	for (uint64_t number = 0; number < 40; number++)
		if (number < NL_NET_RANDOM || number > NL_NET_LEAF)
			assert_int_equal(knock(number, 0, 0, 0), NL_EUSAGE);
	assert_int_equal(knock(UINT64_MAX, 0, 0, 0), NL_EUSAGE);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(odd) * NL_ARRAY_SIZE(odd) * NL_ARRAY_SIZE(odd); i++)
		for (uint64_t number = NL_NET_RANDOM; number <= NL_NET_LEAF; number++) {
			memcpy(box.data, alpha, 32);
			knock(number, odd[i % NL_ARRAY_SIZE(odd)], odd[i / NL_ARRAY_SIZE(odd) % NL_ARRAY_SIZE(odd)],
			      odd[i / NL_ARRAY_SIZE(odd) / NL_ARRAY_SIZE(odd)]);
		}
	assert_int_equal(nl_generation_current()->applied, 0);
}

static void random_numbers(void **state)
{
	uint64_t seen[1000];

	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(seen); i++) {
		seen[i] = knock(NL_NET_RANDOM, 0, 0, 0);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(seen[k], seen[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(policy, open_door, shut),
	        cmocka_unit_test_setup_teardown(anything, open_door, shut),
	        cmocka_unit_test_setup_teardown(busy, open_door, shut),
	        cmocka_unit_test_setup_teardown(looking, open_door, shut),
	        cmocka_unit_test_setup_teardown(order_and_leaf, open_door, shut),
	        cmocka_unit_test_setup_teardown(leaves_that_nobody_ordered, open_door, shut),
	        cmocka_unit_test_setup_teardown(the_others_name, open_door, shut),
	        cmocka_unit_test_setup_teardown(random_numbers, open_door, shut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
