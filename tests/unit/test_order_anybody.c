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
 * Orders that anybody carries, by VMCALL or VMMCALL: accepted when all is good, and nothing at all in every other case.
 */
#include "order_fixture.h"
#include "commit/order.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/kept.h"
#include "exits/hypercall.h"
#include "view/current.h"
#include <insn.h>

/* Once; what is not answered has changed no register. */
static bool anybody(enum nl_call number, const void *from, size_t size)
{
	struct nl_gprs *r = &fg.cpus[0].gprs, was;
	bool taken;

	memcpy(fg_user(FG_USER), from, size);
	*r = (struct nl_gprs){.rax = NL_CALL_MAGIC, .rbx = number, .rsi = FG_USER, .rdi = size, .rcx = 5, .r8 = 6};
	was = *r;
	taken = nl_hypercall(&fg.cpus[0], &fg.ctx, NL_PROOF_NONE);
	if (taken)
		assert_int_equal(r->rax, NL_OK);
	else
		assert_memory_equal(r, &was, sizeof(was));
	return taken;
}

/* As long as it may take; how often it was presented, 0: in vain. */
static unsigned carried(void)
{
	for (unsigned n = 1; n < 10; n++, seam_tsc += SECOND + 1)
		if (anybody(NL_CALL_ORDER, &order, order_size))
			return n;
	return 0;
}

static void it_is_accepted(void **state)
{
	(void)state;
	make(NL_ORDER_FREEZE);
	sign();
	assert_int_equal(carried(), 4); /* the hash, two signatures, and who they are */
	assert_int_equal(nl_kept->frozen, 1);
	assert_int_equal(carried(), 0); /* once */
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_RELEASE);
	sign();
	assert_int_equal(carried(), 4);
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_APPLY);
	add(alpha);
	sign();
	assert_int_equal(carried(), 4);
	assert_non_null(nl_order_waiting());
}

static void it_is_not(void **state)
{
	(void)state;
	make(NL_ORDER_FREEZE);
	sign_by(&one, 1);
	assert_int_equal(carried(), 0);
	sign();
	((uint8_t *)&order)[order_size - 1] ^= 1;
	assert_int_equal(carried(), 0);
	make(NL_ORDER_FREEZE);
	order.o.generation++;
	sign();
	assert_int_equal(carried(), 0);
	make(NL_ORDER_FREEZE);
	sign();
	fg.ctx.long_mode = false;
	assert_int_equal(carried(), 0);
	fg.ctx.long_mode = true;
	nl_lock(&nl_generation_lock); /* it comes again */
	assert_int_equal(carried(), 0);
	nl_unlock(&nl_generation_lock);
	for (unsigned number = 0; number < 64; number++)
		if (number != NL_CALL_ORDER)
			assert_false(anybody(number, &order, order_size));
	assert_int_equal(nl_kept->frozen, 0);
	assert_int_equal(carried(), 4);
}

/* Neither a hash nor a signature, no lock that others want, and no place in the journal that they need. */
static void a_flood(void **state)
{
	uint64_t before, after, refused_before = nl_counts.orders_refused;
	struct nl_journal_entry e;
	static const struct nl_order nothing;

	(void)state;
	make(NL_ORDER_FREEZE);
	order.o.challenge[31] ^= 1;
	sign();
	nl_journal(NL_EV_ALIVE, NL_OK, NULL, NULL, 0, 0); /* behind it another run of refusals begins */
	nl_journal_read(UINT64_MAX, &e, &before);
	for (unsigned i = 0; i < 100000; i++)
		assert_false(anybody(NL_CALL_ORDER, &order, order_size));
	assert_int_equal(nl_counts.orders_refused - refused_before, 100000);
	assert_int_equal(signatures + hashes, 0);
	nl_journal_read(UINT64_MAX, &e, &after);
	assert_in_range(after - before, 1, 18);
	nl_journal_read(after, &e, &after);
	assert_int_equal(e.event, NL_EV_STRANGER);
	for (unsigned i = 0; i < 16; i++)
		nl_journal(NL_EV_REFUSED, NL_EBYTES, NULL, NULL, 0, 0);
	nl_journal_read(UINT64_MAX, &e, &before);
	assert_int_equal(before - after, 16);
	anybody(NL_CALL_ORDER, &order, order_size); /* nor does it end the run */
	nl_journal(NL_EV_STRANGER, NL_EROOT, NULL, NULL, 0, 0);
	nl_journal(NL_EV_REFUSED, NL_EBYTES, NULL, NULL, 0, 0);
	nl_journal_read(before + 2, &e, &after);
	assert_int_equal(after, before + 1);
	nl_order_forget(); /* none is out, and none is what they say */
	memcpy(&order.o, &nothing, sizeof(nothing));
	assert_false(anybody(NL_CALL_ORDER, &order, sizeof(order.o)));
	memcpy(order.o.machine_id, challenge.machine_id, 16);
	memcpy(order.o.boot_id, challenge.boot_id, 16);
	assert_false(nl_order_addressed((const uint8_t *)&order + offsetof(struct nl_order, machine_id)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(it_is_accepted, begin, teardown),
	        cmocka_unit_test_setup_teardown(it_is_not, begin, teardown),
	        cmocka_unit_test_setup_teardown(a_flood, begin, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
