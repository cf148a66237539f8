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
// sources: hv/core/sodium.c tests/unit/standing_fixture.c
// sources: tests/unit/fakeguest.c tests/unit/makeleaf.c tests/unit/commit_fixture.c tests/unit/order_fixture.c
// libs: -lcrypto -Wl,--wrap=crypto_sign_ed25519_verify_detached,--wrap=nl_sha256_update
/*
 * Which standing order is in force: what is taken at a launch and by hypercall, and by which name the rest is refused;
 * floors, keys and who is revoked, over boots that are warm, cold, or do not finish.
 */
#include "standing_fixture.h"
#include "core/kept.h"
#include <insn.h>

/* Of `order`, as it is, in the newer place: it is refused, and what was in force before is so still. */
static void not_taken(enum nl_err err, uint64_t before)
{
	into(1);
	assert_int_equal(cold(), err);
	assert_int_equal(nl_standing.epoch, before);
	assert_true(operates(public[0]) && operates(public[1]) && !operates(public[2]));
}

static void good(uint64_t epoch, unsigned place)
{
	standing(epoch);
	entry(NL_ORDER_LEAF, alpha);
	sign();
	into(place);
}

static void it_counts_at_each_boot(void **state)
{
	(void)state;
	assert_int_equal(cold(), NL_NOTHING);
	good(4, 0);
	signatures = 0;
	assert_int_equal(launched(4), NL_OK);
	assert_int_equal(signatures, 3); /* the leaf's, too */
	assert_int_equal(nl_boot.standing.epoch, 4);
	assert_int_equal(nl_standing.floor, 4);
	for (unsigned i = 0; i < 2; i++) { /* it is known: nobody's key is asked again */
		signatures = 0;
		assert_int_equal(i ? warm() : cold(), NL_OK);
		assert_int_equal(nl_standing.epoch, 4);
		assert_int_equal(signatures, 1);
	}
	good(5, 1);
	assert_int_equal(launched(5), NL_OK);
	empty(1);
	assert_int_equal(launched(0), NL_EEPOCH); /* 4 is there, and no more in force */
	assert_int_equal(nl_standing.floor, 5);
	empty(0);
	assert_int_equal(launched(0), NL_EEPOCH);
}

/* Whatever is wrong with the newer one, it has its name, and the older one counts. */
static void refused_by_name(void **state)
{
	struct nl_policy policy;

	(void)state;
	good(4, 0);
	assert_int_equal(launched(4), NL_OK);
	good(5, 1);
	sign_by(&one, 1);
	not_taken(NL_EQUORUM, 4);
	sign_two(one, one);
	not_taken(NL_EQUORUM, 4);
	sign_two(third, author);
	not_taken(NL_EKEY, 4);
	sign_by(NULL, 0);
	order_size = nl_order_signed_size(&order.o);
	not_taken(NL_EUNSIGNED, 4);
	for (unsigned byte = 0; byte < sizeof(order.o) + 40; byte += 8) { /* any flipped bit */
		good(5, 1);
		((uint8_t *)&order)[byte] ^= 0x10;
		into(1);
		assert_int_not_equal(cold(), NL_OK);
		assert_int_equal(nl_standing.epoch, 4);
	}
	good(5, 1);
	((uint8_t *)&order)[order_size - 1] ^= 1;
	not_taken(NL_ESIGNATURE, 4);
	good(5, 1);
	order.o.machine_id[0]++;
	sign();
	not_taken(NL_EMACHINEID, 4);
	make(NL_ORDER_FREEZE);
	sign();
	not_taken(NL_OK, 4); /* it is older than any: not looked at */
	empty(0);
	assert_int_equal(launched(0), NL_ECHALLENGE);
	assert_int_equal(nl_kept->frozen, 0);
	good(4, 0);
	good(5, 1);
	order.o.build_id_len = 20;
	memset(order.o.build_id, 1, 20);
	sign();
	not_taken(NL_EUNSUPPORTED, 4);
	good(5, 1);
	order.o.confirm_ms = nl_boot.facts.policy.confirm_ms + 1;
	sign();
	not_taken(NL_EPOLICY, 4);
	good(5, 1);
	policy = nl_boot.facts.policy;
	nl_boot.facts.policy.order_may &= ~(uint32_t)NL_ORDER_MAY_AGENTLESS;
	not_taken(NL_EPOLICY, 0); /* both */
	nl_boot.facts.policy = policy;
	for (unsigned epoch = 3; epoch < 5; epoch++) { /* older, and other bytes of the same */
		good(epoch, 1);
		entry(NL_ORDER_LEAF, beta);
		sign();
		into(1);
		empty(0);
		assert_int_equal(launched(0), NL_EEPOCH);
		good(4, 0);
	}
	sign_two(second, one); /* the same order, signed once more */
	into(0);
	empty(1);
	assert_int_equal(launched(0), NL_EEPOCH);
}

/* Both places, and each leaf in them, in memory that somebody else could write before. */
static void places_of_any_form(void **state)
{
	size_t size;

	(void)state;
	good(4, 0);
	assert_int_equal(launched(4), NL_OK);
	good(5, 1);
	size = shown(1)->leaves[0].base + shown(1)->leaves[0].size;
	for (size_t cut = 1; cut < size;
	     cut += cut < 64 || size - cut < 64 ? 1 : 61) { /* power goes while it is written */
		resize(1, cut);
		assert_int_equal(cold(), cut < sizeof(struct nl_order_place) ? NL_EORDER : NL_EUNKNOWN_LEAF);
		assert_int_equal(nl_standing.epoch, 4);
	}
	good(5, 1);
	shown(1)->size = NL_ORDER_MAX_SIZE + 8;
	assert_int_equal(launched(4), NL_EORDER);
	good(5, 1);
	shown(1)->leaves[0].base += 4;
	assert_int_equal(launched(4), NL_EUNKNOWN_LEAF);
	shown(1)->leaves[0].base = UINT64_MAX - 7;
	assert_int_equal(launched(4), NL_EUNKNOWN_LEAF);
	good(5, 1);
	shown(1)->leaves[0].size = 1 << 20;
	assert_int_equal(launched(4), NL_EUNKNOWN_LEAF);
	good(5, 1);
	((uint8_t *)shown(1))[shown(1)->leaves[0].base + 300] ^= 1;
	assert_int_equal(launched(4), NL_EUNKNOWN_LEAF);
	standing(5); /* another leaf than it names */
	entry(NL_ORDER_LEAF, beta);
	sign();
	good(6, 1);
	memcpy(shown(1)->bytes, &order, order_size);
	order.entries[0].name[0] ^= 1;
	sign();
	memcpy(shown(1)->bytes, &order, order_size);
	assert_int_equal(launched(4), NL_EUNKNOWN_LEAF);
	good(5, 1);
	assert_int_equal(launched(5), NL_OK);
}

/* The keys that one order brings sign the next; those that it takes do not; what is known stays so. */
static void keys_rotate(void **state)
{
	(void)state;
	good(4, 0);
	entry(NL_ORDER_TRUST, public[2]);
	entry(NL_ORDER_DISTRUST, public[0]);
	sign();
	into(0);
	assert_int_equal(launched(4), NL_OK);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(!operates(public[0]) && operates(public[1]) && operates(public[2]));
		assert_int_equal(launched(4), NL_OK); /* though first has signed it */
	}
	good(5, 1);
	assert_int_equal(launched(4), NL_EQUORUM);
	sign_two(second, third);
	into(1);
	assert_int_equal(launched(5), NL_OK);
	empty(0);
	empty(1);
	assert_int_equal(launched(0), NL_EEPOCH);
	assert_true(!operates(public[0]) && operates(public[1]) && operates(public[2])); /* by the state alone */
	good(6, 0);
	entry(NL_ORDER_TRUST, public[0]); /* the image's, again */
	entry(NL_ORDER_DISTRUST, public[2]);
	sign_two(second, third);
	into(0);
	assert_int_equal(launched(6), NL_OK);
	assert_true(operates(public[0]) && operates(public[1]) && !operates(public[2]));
}

/* Without a boot in between, then the power goes: one place leads to the other. Not so where it was passed over. */
/* Of who is not the image's: who has signed the one in force stays known as such, over any number of boots. */
static void keys_rotate_beyond_the_image(void **state)
{
	struct nl_key key;
	unsigned fourth = make_key(&key, "fourth", 0);

	(void)state;
	good(4, 0);
	entry(NL_ORDER_TRUST, public[2]);
	sign();
	into(0);
	assert_int_equal(launched(4), NL_OK);
	good(5, 1);
	entry(NL_ORDER_TRUST, key.key);
	entry(NL_ORDER_DISTRUST, public[2]);
	order.o.flags |= NL_ORDER_FROZEN;
	sign_two(second, third);
	into(1);
	assert_int_equal(launched(5), NL_OK);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(launched(5), NL_OK);
		assert_int_equal(nl_kept->frozen, NL_FROZEN_STANDING);
		assert_true(operates(key.key) && !operates(public[2]));
	}
	(void)fourth;
}

static void keys_rotate_twice(void **state)
{
	(void)state;
	good(3, 0);
	assert_int_equal(launched(3), NL_OK);
	good(4, 1);
	entry(NL_ORDER_TRUST, public[2]);
	entry(NL_ORDER_DISTRUST, public[0]);
	sign();
	into(1);
	good(5, 0);
	sign_two(second, third);
	into(0);
	assert_int_equal(launched(5), NL_OK);
	assert_true(!operates(public[0]) && operates(public[2]));

	no_machine(state);
	machine(state);
	good(3, 0);
	entry(NL_ORDER_TRUST, public[2]);
	entry(NL_ORDER_DISTRUST, public[0]);
	sign();
	into(0);
	good(4, 1);
	assert_int_equal(launched(4), NL_OK);
	assert_true(operates(public[0]) && !operates(public[2]));
}

static void somebody_is_left(void **state)
{
	uint8_t key[32] = {0};

	(void)state;
	good(4, 0);
	entry(NL_ORDER_DISTRUST, public[0]);
	sign();
	into(0);
	assert_int_equal(launched(0), NL_EQUORUM);
	assert_true(operates(public[0]) && operates(public[1]));
	good(4, 0);
	entry(NL_ORDER_TRUST, public[3]); /* an author's key, too */
	entry(NL_ORDER_DISTRUST, public[0]);
	sign();
	into(0);
	assert_int_equal(launched(4), NL_OK);
	assert_int_equal(nl_boot.keys[0].role & NL_ROLES, NL_ROLE_AUTHOR | NL_ROLE_OPERATOR);
	good(5, 1);
	for (key[0] = 1; key[0] < 13; key[0]++) /* more than there is room for beside the image's five */
		entry(NL_ORDER_TRUST, key);
	sign_two(second, author);
	into(1);
	assert_int_equal(launched(4), NL_ENOMEM);
	standing(5);
	for (key[0] = 1; key[0] < 12; key[0]++)
		entry(NL_ORDER_TRUST, key);
	sign_two(second, author);
	into(1);
	assert_int_equal(launched(5), NL_OK);
	standing(6); /* places of those that go are free again */
	for (key[0] = 1; key[0] < 9; key[0]++)
		entry(NL_ORDER_DISTRUST, key);
	sign_two(second, author);
	into(0);
	assert_int_equal(launched(6), NL_OK);
	standing(7);
	for (key[0] = 20; key[0] < 28; key[0]++)
		entry(NL_ORDER_TRUST, key);
	sign_two(second, author);
	into(1);
	assert_int_equal(launched(7), NL_OK);
	key[0] = 27;
	assert_true(operates(key));
	key[0] = 8;
	assert_false(operates(key));
}

static void who_is_revoked(void **state)
{
	(void)state;
	good(4, 0);
	assert_int_equal(launched(4), NL_OK);
	revoke(public[1]);
	assert_int_equal(launched(0), NL_EKEYREVOKED); /* what he has signed before */
	good(5, 1);
	assert_int_equal(launched(0), NL_EQUORUM); /* and now */
	sign_by(&second, 1);
	into(1);
	assert_int_equal(launched(0), NL_EKEYREVOKED);

	no_machine(state);
	machine(state);
	good(4, 0);
	entry(NL_ORDER_TRUST, public[2]);
	sign();
	into(0);
	assert_int_equal(launched(4), NL_OK);
	revoke(public[2]); /* who has not signed it, and was brought by it */
	assert_int_equal(launched(4), NL_OK);
	assert_false(operates(public[2]));
	good(5, 1);
	entry(NL_ORDER_TRUST, public[2]); /* nobody can bring him back */
	sign();
	into(1);
	assert_int_equal(launched(5), NL_OK);
	assert_false(operates(public[2]));
	good(6, 0);
	sign_by((unsigned[]){one, second, third}, 3);
	into(0);
	assert_int_equal(launched(6), NL_OK);
	assert_int_equal(launched(6), NL_OK); /* his signature never counted */
	revoke(public[0]);
	assert_int_equal(launched(0), NL_EKEYREVOKED);
}

/* Who takes the list away that this machine has accepted brings no revoked operator back, nor whom he would trust. */
static void a_list_that_is_withheld(void **state)
{
	(void)state;
	good(4, 0);
	assert_int_equal(launched(4), NL_OK);
	revoke(public[0]);
	assert_int_equal(launched(0), NL_EKEYREVOKED);
	no_list();
	good(5, 1);
	entry(NL_ORDER_TRUST, public[2]);
	entry(NL_ORDER_DISTRUST, public[1]);
	sign();
	into(1);
	assert_int_equal(launched(0), NL_ELIST);
	assert_int_equal(by_call(), NL_ELIST);
	assert_int_equal(ordered(NL_ORDER_FREEZE, NULL), NL_ELIST);
	assert_false(operates(public[2]));

	no_machine(state); /* what it knows is in force all the same */
	machine(state);
	good(4, 0);
	assert_int_equal(launched(4), NL_OK);
	revoke(public[2]);
	assert_int_equal(launched(4), NL_OK);
	no_list();
	assert_int_equal(launched(4), NL_OK);
}

/* Of who may sign lists, and what the state has of the image's keys in general. */
static void barred_for_good(void **state)
{
	(void)state;
	revoke(nl_boot.keys[4].key);
	assert_int_equal(cold(), NL_NOTHING);
	assert_int_equal(nl_boot.keys[3].role, NL_ROLE_REVOKE);
	revoke(public[0]);
	assert_int_equal(cold(), NL_NOTHING);
	no_list(); /* and another one could come, signed by the lost key */
	assert_int_equal(cold(), NL_NOTHING);
	assert_true(operates(public[0]));
	assert_int_equal(nl_boot.keys[4].role & NL_ROLES, 0);
	assert_int_equal(nl_boot.standing.keys[4].role, NL_KEY_LOST(NL_ROLE_REVOKE));
	assert_int_equal(nl_boot.standing.keys[1].role, 0); /* that is the list's, and no more */
}

/* A boot that does not finish: what it had, and what it would take, is left out until there is something newer. */
static void it_must_not_brick(void **state)
{
	(void)state;
	good(4, 0);
	assert_int_equal(launched(4), NL_OK);
	unfinished = true;
	assert_int_equal(launched(0), NL_ETRIAL);
	assert_int_equal(nl_standing.floor, 4);
	assert_int_equal(launched(0), NL_ETRIAL);
	good(5, 1);
	unfinished = true; /* this one was handed over in that boot, and may have ended it */
	assert_int_equal(launched(0), NL_ETRIAL);
	assert_int_equal(nl_boot.standing.tried, 5);
	assert_int_equal(launched(0), NL_ETRIAL);
	good(6, 0);
	order.o.flags |= NL_ORDER_FROZEN;
	sign();
	into(0);
	assert_int_equal(launched(6), NL_OK);
	assert_int_equal(nl_kept->frozen, NL_FROZEN_STANDING);
	unfinished = true;
	assert_int_equal(launched(0), NL_ETRIAL);
	assert_int_equal(nl_kept->frozen, 0);
}

static void by_hypercall(void **state)
{
	(void)state;
	good(4, 0);
	assert_int_equal(launched(4), NL_OK);
	good(4, 1);
	assert_int_equal(by_call(), NL_EEPOCH); /* the one in force, too */
	good(5, 1);
	sign_by(&one, 1);
	assert_int_equal(by_call(), NL_EQUORUM);
	sign_two(one, third);
	assert_int_equal(by_call(), NL_EQUORUM);
	assert_int_equal(nl_standing.epoch, 4);
	entry(NL_ORDER_TRUST, public[2]);
	entry(NL_ORDER_DISTRUST, public[0]);
	sign();
	assert_int_equal(by_call(), NL_OK);
	assert_int_equal(nl_standing.epoch, 5);
	assert_int_equal(nl_standing.floor, 4); /* no boot has heard of it */
	good(6, 1);
	assert_int_equal(by_call(), NL_EQUORUM);
	sign_two(second, third);
	assert_int_equal(by_call(), NL_OK);
	assert_int_equal(ask(), NL_OK);
	make(NL_ORDER_FREEZE);
	sign();
	assert_int_equal(carry(), NL_EQUORUM);
	sign_two(second, third);
	assert_int_equal(carry(), NL_OK);
}

/* By an order NOW nothing newer is taken, over a warm reset, too: what was accepted by then is. By the flag of a
 * standing order nothing commits, until one of a higher epoch says otherwise. */
static void frozen(void **state)
{
	struct nl_status *s = (struct nl_status *)fg_user(FG_USER);

	(void)state;
	good(4, 0);
	assert_int_equal(launched(4), NL_OK);
	good(5, 1);
	assert_int_equal(by_call(), NL_OK);
	assert_int_equal(ordered(NL_ORDER_FREEZE, NULL), NL_OK);
	good(6, 0);
	assert_int_equal(by_call(), NL_EFROZEN);
	assert_int_equal(warm(), NL_EFROZEN);
	assert_int_equal(nl_standing.epoch, 5);
	assert_int_equal(warm(), NL_EFROZEN);
	assert_int_equal(nl_standing.epoch, 5);
	assert_int_equal(ordered(NL_ORDER_RELEASE, NULL), NL_OK);
	assert_int_equal(warm(), NL_OK);
	assert_int_equal(nl_standing.epoch, 6);
	good(7, 1);
	assert_int_equal(by_call(), NL_OK);
	assert_int_equal(ordered(NL_ORDER_FREEZE, NULL), NL_OK);
	empty(1); /* withheld in one boot, and there in the next: nothing changes by it */
	assert_int_equal(warm(), NL_OK);
	good(7, 1);
	assert_int_equal(warm(), NL_EFROZEN);
	assert_int_equal(nl_standing.epoch, 6);
	assert_int_equal(ordered(NL_ORDER_RELEASE, NULL), NL_OK);
	good(7, 1);
	order.o.flags |= NL_ORDER_FROZEN;
	sign();
	into(1);
	assert_int_equal(by_call(), NL_OK);
	for (unsigned i = 0; i < 2; i++) {
		call(NL_CALL_STATUS, FG_USER, sizeof(*s), 0, 0);
		assert_int_equal(s->orders, NL_ORDER_FROZE);
		nl_boot.facts.policy.guest_may = NL_GUEST_MAY_ALL;
		assert_int_equal(commit(NULL, 0), NL_EFROZEN);
		nl_boot.facts.policy.guest_may = NL_GUEST_MAY_NONE;
		assert_int_equal(ordered(NL_ORDER_RELEASE, NULL), NL_OK); /* that is another one's */
		assert_int_equal(warm(), NL_OK);
	}
	good(8, 0);
	assert_int_equal(by_call(), NL_OK);
	assert_int_equal(nl_kept->frozen, 0);
	assert_int_equal(nl_kept->checksum, nl_kept_checksum(nl_kept));
}

/* What a file that anybody writes vouches for is nothing that the machine knows later. */
static void keys_of_a_file(void **state)
{
	(void)state;
	nl_boot.facts.keys_from_file = 1;
	good(1ULL << 62, 0);
	assert_int_equal(launched(1ULL << 62), NL_OK);
	assert_int_equal(nl_standing.floor, 0);
	nl_boot.facts.keys_from_file = 0;
	good(1, 0);
	assert_int_equal(launched(1), NL_OK);
}

/* There is nothing to remember him by, and an image that names him later would have him back. */
static void who_is_not_known_is_not_distrusted(void **state)
{
	(void)state;
	standing(4);
	entry(NL_ORDER_DISTRUST, public[2]);
	sign();
	into(0);
	assert_int_equal(launched(0), NL_EKEY);
	image_names(public[2], NL_ROLE_OPERATOR);
	assert_int_equal(launched(4), NL_OK);
	assert_false(operates(public[2]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(it_counts_at_each_boot, machine, no_machine),
	        cmocka_unit_test_setup_teardown(refused_by_name, machine, no_machine),
	        cmocka_unit_test_setup_teardown(places_of_any_form, machine, no_machine),
	        cmocka_unit_test_setup_teardown(keys_rotate, machine, no_machine),
	        cmocka_unit_test_setup_teardown(keys_rotate_beyond_the_image, machine, no_machine),
	        cmocka_unit_test_setup_teardown(who_is_not_known_is_not_distrusted, machine, no_machine),
	        cmocka_unit_test_setup_teardown(keys_rotate_twice, machine, no_machine),
	        cmocka_unit_test_setup_teardown(somebody_is_left, machine, no_machine),
	        cmocka_unit_test_setup_teardown(who_is_revoked, machine, no_machine),
	        cmocka_unit_test_setup_teardown(a_list_that_is_withheld, machine, no_machine),
	        cmocka_unit_test_setup_teardown(barred_for_good, machine, no_machine),
	        cmocka_unit_test_setup_teardown(it_must_not_brick, machine, no_machine),
	        cmocka_unit_test_setup_teardown(by_hypercall, machine, no_machine),
	        cmocka_unit_test_setup_teardown(frozen, machine, no_machine),
	        cmocka_unit_test_setup_teardown(keys_of_a_file, machine, no_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
