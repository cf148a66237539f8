// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/gone.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/witness.c
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
// sources: hv/commit/order.c hv/commit/standing.c hv/exits/own.c hv/leaf/order.c
// sources: hv/guest/linux/queues.c hv/guest/linux/target.c hv/guest/linux/modules.c hv/guest/linux/hook.c
// sources: hv/core/kept.c hv/leaf/list.c
// sources: hv/commit/trial.c
// sources: hv/leaf/leaf.c hv/leaf/floor.c hv/leaf/reloc.c hv/leaf/signature.c hv/exits/hypercall.c
// sources: hv/view/view.c hv/view/npt.c
// sources: hv/view/current.c hv/core/clock.c hv/core/cpu.c hv/core/journal.c hv/core/pool.c hv/core/sha256.c
// sources: hv/core/sodium.c
// sources: tests/unit/fakeguest.c tests/unit/makeleaf.c tests/unit/commit_fixture.c
// libs: -lcrypto
/*
 * Which leaf takes another's place where the policy forbids reverts: one whose author knew that version, and that
 * everybody has signed who signed the other.
 */
#include "commit_fixture.h"

enum { OLD, NEW, OTHER, ALL };

struct succession {
	const char *id; /* of the newer leaf */
	uint32_t version;
	const char *said; /* of which it says that it supersedes it */
	uint32_t said_version;
	unsigned old_by, by; /* authors, a bit each: 1 and 2 */
	enum nl_fact_kind kind;
	enum nl_err err;
};

static unsigned keys[2];

static void verified_by(uint8_t sha[32], unsigned authors)
{
	size_t size = make_sign_by(file, make_write(&m, file), keys + (authors == 2), authors == 3 ? 2 : 1);

	assert_int_equal(stage(size), NL_OK);
	assert_int_equal(verify(), NL_OK);
	memcpy(sha, verify_report()->sha256, 32);
}

static void newer(const struct succession *s, uint8_t sha[32], unsigned authors)
{
	leaf_rodata(s->id, DATA_SITE + 16, 0x22);
	m.header.version = s->version;
	make_fact(&m, s->kind, s->said, s->said_version);
	verified_by(sha, authors);
}

static void start_with(const struct succession *s, uint8_t sha[ALL][32])
{
	keys[0] = make_key(&nl_boot.keys[0], "one", NL_ROLE_AUTHOR);
	keys[1] = make_key(&nl_boot.keys[1], "two", NL_ROLE_AUTHOR);
	nl_boot.facts.n_keys = 2;
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_APPLY;
	leaf_rodata("old", DATA_SITE, 0x11);
	m.header.version = 7;
	verified_by(sha[OLD], s->old_by);
	newer(s, sha[NEW], s->by);
	leaf_rodata("other", DATA_SITE + 32, 0x33);
	verified_by(sha[OTHER], 3);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
}

static void takes_the_place(void **state)
{
	static const struct succession good[] = {
	        {"new", 1, "old", 7, 1, 1, NL_FACT_SUPERSEDES, NL_EPOLICY},
	        {"new", 1, "old", 9, 1, 1, NL_FACT_SUPERSEDES, NL_EPOLICY},
	        {"new", 1, "old", 7, 1, 3, NL_FACT_SUPERSEDES, NL_EPOLICY},
	        {"new", 1, "old", 7, 3, 3, NL_FACT_SUPERSEDES, NL_EPOLICY},
	        {"old", 8, "else", 1, 2, 2, NL_FACT_SUPERSEDES, NL_EVERSION}, /* a newer version of itself */
	};
	uint8_t sha[ALL][32];

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		start_with(&good[i], sha);
		assert_int_equal(commit((const void *)(sha + OTHER), 1), NL_EPOLICY); /* it is not of the set */
		assert_int_equal(commit((const void *)(sha + NEW), 2), NL_OK);
		assert_int_equal(shown64(DATA_SITE + 16), 0x2222222222222222);
		assert_memory_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE), 8);
		assert_int_equal(commit((const void *)sha, 1), good[i].err); /* and never back */
		teardown(state);
		setup(state);
	}
}

static void does_not(void **state)
{
	static const struct succession bad[] = {
	        {"new", 1, "old", 6, 1, 1, NL_FACT_SUPERSEDES, NL_EPOLICY},   /* the old one is newer */
	        {"new", 1, "old", 0, 1, 1, NL_FACT_SUPERSEDES, NL_EPOLICY},   /* it may be */
	        {"new", 1, "ol", 7, 1, 1, NL_FACT_SUPERSEDES, NL_EPOLICY},    /* another leaf */
	        {"new", 1, "older", 7, 1, 1, NL_FACT_SUPERSEDES, NL_EPOLICY}, /* another leaf */
	        {"new", 1, "old", 0, 1, 1, NL_FACT_CONFLICTS, NL_EPOLICY},    /* no successor */
	        {"new", 1, "old", 7, 1, 2, NL_FACT_SUPERSEDES, NL_OK},        /* another author's */
	        {"new", 1, "old", 7, 3, 1, NL_FACT_SUPERSEDES, NL_OK},        /* one of two authors' */
	        {"old", 8, "else", 1, 1, 2, NL_FACT_SUPERSEDES, NL_OK},       /* another author's of that name */
	};
	uint8_t sha[ALL][32];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start_with(&bad[i], sha);
		assert_int_equal(commit((const void *)(sha + NEW), 2), NL_EPOLICY);
		assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
		assert_int_equal(call(NL_CALL_ABANDON, FG_USER, sizeof(struct nl_commit_report), 0, 0), NL_NOTHING);
		assert_string_equal(commit_report()->blocker.leaf, "old"); /* what would go */
		newer(&bad[i], sha[NEW], 3);                               /* the same leaf, which both have signed */
		assert_int_equal(commit((const void *)(sha + NEW), 2), bad[i].err);
		nl_boot.facts.policy.guest_may |= NL_GUEST_MAY_REVERT; /* who may revert may do all of that */
		assert_int_equal(commit((const void *)(sha + NEW), 1), NL_OK);
		teardown(state);
		setup(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(takes_the_place, setup, teardown),
	        cmocka_unit_test_setup_teardown(does_not, setup, teardown),
	};

	return cmocka_run_group_tests_name("supersede", tests, NULL, NULL);
}
