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
// sources: tests/unit/fakeguest.c tests/unit/fakemodules.c tests/unit/makeleaf.c tests/unit/commit_fixture.c
// sources: tests/unit/module_fixture.c
// libs: -lcrypto
/*
 * Every look into the guest's memory that may fail does, one after the other, in each step of each transaction: a
 * machine check, a page that goes, a device's memory behind an address. What cannot be done is named and nothing has
 * changed; what goes on all the same is done as if nothing had been; and the next try without a fault does it.
 */
#include "module_fixture.h"
#include "core/pool.h"
#include "leaf/registry.h"
#include "view/current.h"
#include "x86.h"

#define FRESH 0x22
#define REFUSED 0x8002u /* NOTIFY_BAD */
#define SLACK 4096u     /* parts that are left behind are used again a few at a time */

static uint8_t sha[2][32];
static struct fm a;
static unsigned taken, failed, went_on; /* looks that failed so far, and what became of them */

/* A leaf for the image, one for the image and a module that is there. The arena is mapped and the hook is linked: they
 * stay. */
static void begin_again(void **state)
{
	module_setup(state);
	leaf_rodata("image", DATA_SITE, FRESH);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_module("module", "alpha", WITH_IMAGE | WITH_DATA | WITH_INIT);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	a = arrives("alpha", 0, 0);
	assert_int_equal(commit((const void *)sha, 2), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
	nl_boot.facts.policy.unpatched = NL_UNPATCHED_REFUSE;
}

static int begin(void **state)
{
	begin_again(state);
	taken = failed = went_on = 0;
	return 0;
}

/* All sites of both leaves. */
static enum look shows(void)
{
	bool fresh = shown64(DATA_SITE) == FRESH * 0x0101010101010101ULL;
	enum look look = looks(&a);

	return look == data_looks(&a) && look == image_looks() && fresh == (look == PATCHED) ? look : NEITHER;
}

/* The n-th look of what follows fails. */
static void fault(unsigned n) { seam_fault_in = n; }

/* Did it come to that, and what became of it? false: there are no more looks. */
static bool told(enum nl_err err)
{
	bool came = !seam_fault_in;

	seam_fault_in = 0;
	taken += came;
	failed += came && err;
	went_on += came && !err;
	return came;
}

static void commits(const uint8_t (*to)[32], unsigned n_to, const uint8_t (*from)[32], unsigned n_from)
{
	enum look was = shows(), will = n_to ? PATCHED : ORIGINAL;
	bool more = true;

	for (unsigned n = 1; more; n++) {
		size_t pages = nl_pool_free_pages();
		enum nl_err err;

		fault(n);
		err = commit(to, n_to);
		more = told(err);
		if (err) {
			assert_true(more);
			call(NL_CALL_ABANDON, 0, 0, 0, 0);
			assert_true(nl_pool_free_pages() >= pages); /* what the last commit has kept may go */
			if (err == NL_EFAULT && shows() == will)    /* the answer alone could not be written */
				err = NL_OK;
			else
				assert_int_equal(shows(), was);
		}
		if (err)
			err = commit(to, n_to);
		assert_int_equal(err, NL_OK);
		assert_int_equal(shows(), will);
		assert_int_equal(commit(from, n_from), NL_OK);
	}
	print_message("%u looks: %u named, %u of no matter\n", taken, failed, went_on);
	assert_true(failed > 50);
}

static void apply(void **state)
{
	struct moment was = before();

	(void)state;
	commits((const void *)sha, 2, NULL, 0);
	was.generation = nl_current_view()->generation;
	was.free_pages = nl_pool_free_pages();
	unchanged(was);
}

static void revert(void **state)
{
	(void)state;
	assert_int_equal(commit((const void *)sha, 2), NL_OK);
	commits(NULL, 0, (const void *)sha, 2);
}

static uint32_t state_of(void) { return module_of(sha[1], 0)->state; }

/* Comes again, at the place and in the memory that another has left; the leaves are on. */
static uint64_t comes_again(unsigned n)
{
	uint64_t answer;

	a = comes("alpha", 0, n % 3, n % 4);
	fault(n);
	answer = told_coming(&a);
	return answer;
}

/* A module comes: it is patched in all its sites, or refused and not touched at all. */
static void coming(void **state)
{
	uint64_t room = 0;
	bool more = true;

	(void)state;
	assert_int_equal(commit((const void *)sha, 2), NL_OK);
	leaves_memory(&a);
	for (unsigned n = 1; more; n++) {
		uint64_t answer = comes_again(n);
		enum look look = looks(&a);

		more = told(answer ? NL_EMODULE : NL_OK);
		assert_true(answer == 0 || answer == REFUSED);
		assert_int_equal(look, answer ? ORIGINAL : PATCHED);
		assert_int_equal(look, data_looks(&a));
		assert_int_equal(look, init_looks(&a));
		if (!answer)
			lives(&a);
		assert_int_equal(image_looks(), PATCHED);
		leaves_memory(&a);
		assert_int_equal(state_of(), NL_MODULE_WAITING);
		if (n == 1)
			room = text_free();
		assert_in_range(text_free() + SLACK, room, room + 2 * SLACK);
	}
	print_message("%u looks: %u refused, %u of no matter\n", taken, failed, went_on);
	assert_true(failed > 20);
	assert_int_equal(commit(NULL, 0), NL_OK);
}

/* A module goes: nothing is written to it, and whoever has its memory then keeps what is his. */
static void going(void **state)
{
	bool more = true;

	(void)state;
	assert_int_equal(commit((const void *)sha, 2), NL_OK);
	for (unsigned n = 1; more; n++) {
		struct fm was = a;

		fm_state(&a, FM_GOING);
		fault(n);
		assert_int_equal(fm_tell(a.va, FM_GOING), 0);
		more = told(NL_OK);
		assert_int_equal(looks(&a), PATCHED);
		fm_state(&a, FM_UNFORMED);
		fm_unlist(&a);
		fm_free(&a); /* and somebody else has its memory */
		assert_int_equal(commit(NULL, 0), NL_OK);
		assert_int_equal(commit((const void *)sha, 2), NL_OK);
		for (unsigned i = 0; i < FM_PERCPU; i++)
			assert_true(!was.base[i] || fm_reused(was.frame[i], 1));
		a = arrives("alpha", n % 3, n % 4);
		assert_int_equal(looks(&a), PATCHED);
	}
	print_message("%u looks\n", taken);
	assert_true(taken > 20);
}

/* Somebody looks at the leaves that are on: what is on stays so, and can be taken back. */
static void looking(void **state)
{
	static struct nl_leaf_state seen[2];
	bool more = true;

	(void)state;
	assert_int_equal(commit((const void *)sha, 2), NL_OK);
	for (unsigned n = 1; more; n++) {
		fault(n);
		more = told(call(NL_CALL_LEAVES, FG_USER, sizeof(seen), 0, 0));
		assert_int_equal(call(NL_CALL_LEAVES, FG_USER, sizeof(seen), 0, 0), NL_OK);
		memcpy(seen, fg_user(FG_USER), sizeof(seen));
		assert_int_equal(seen[0].note, NL_OK);
		assert_int_equal(seen[1].note, NL_OK);
		assert_int_equal(state_of(), NL_MODULE_PRESENT);
		assert_int_equal(shows(), PATCHED);
		if (n % 10)
			continue;
		assert_int_equal(commit(NULL, 0), NL_OK);
		assert_int_equal(shows(), ORIGINAL);
		assert_int_equal(commit((const void *)sha, 2), NL_OK);
	}
	print_message("%u looks\n", taken);
	assert_true(taken > 20);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(shows(), ORIGINAL);
}

/* Another leaf is verified: it is refused by name and not there, or there and whole. */
static void verifying(void **state)
{
	bool more = true;

	(void)state;
	for (unsigned n = 1; more; n++) {
		unsigned there = nl_registry_count();
		uint8_t other[1][32];
		enum nl_err err;

		leaf_modules("other", 1, (struct nl_leaf_object[]){fm_object("alpha", 0)}, 1, WITH_IMAGE | WITH_DATA);
		assert_int_equal(stage(make_sign(file, make_write(&m, file))), NL_OK);
		fault(n);
		err = verify();
		more = told(err);
		if (err != NL_EFAULT) /* then the answer alone could not be written, perhaps */
			assert_int_equal(nl_registry_count(), there + !err);
		if (err) {
			assert_true(more);
			assert_int_equal(verify(), NL_OK);
		}
		memcpy(other[0], verify_report()->sha256, 32);
		assert_int_equal(commit((const void *)other, 1), NL_OK);
		assert_int_equal(looks(&a), PATCHED);
		assert_int_equal(image_looks(), PATCHED);
		assert_int_equal(commit(NULL, 0), NL_OK);
		teardown(state);
		begin_again(state);
	}
	print_message("%u looks: %u named, %u of no matter\n", taken, failed, went_on);
	assert_true(failed > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(apply, begin, teardown),
	        cmocka_unit_test_setup_teardown(revert, begin, teardown),
	        cmocka_unit_test_setup_teardown(coming, begin, teardown),
	        cmocka_unit_test_setup_teardown(going, begin, teardown),
	        cmocka_unit_test_setup_teardown(looking, begin, teardown),
	        cmocka_unit_test_setup_teardown(verifying, begin, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
