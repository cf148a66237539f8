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
 * Commits of leaves with modules on a fake guest: who is in the way, what is missing, and what is left when they fail.
 */
#include "module_fixture.h"
#include "commit/commit.h"
#include "core/pool.h"
#include "leaf/registry.h"
#include "leaf/room.h"

/* Who stands in what changes of a module, as in the image. */
static void somebody_in_the_way(void **state)
{
	struct fm a = comes("alpha", 0, 0, 0);
	uint64_t *stack, site = a.base[FM_TEXT] + MODULE_SITE;
	uint8_t sha[1][32];
	int32_t displacement;

	(void)state;
	fg_task("sleeper", 0, 32, &stack);
	leaf_module("one", "alpha", WITH_IMAGE);
	m.header.consistency = NL_CONSISTENCY_STRICT;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	stack[5] = site + 1;
	assert_int_equal(try_it(), NL_AGAIN);
	assert_string_equal(commit_report()->blocker.comm, "sleeper");
	assert_in_range(commit_report()->blocker.site_va, site - 5, site);
	stack[5] = a.base[FM_TEXT] + MODULE_FUNC + 1; /* in the old function */
	assert_int_equal(try_it(), NL_AGAIN);
	stack[5] = a.base[FM_TEXT] + MODULE_FUNC + MODULE_FUNC_SIZE;
	assert_int_equal(try_it(), NL_OK);
	memcpy(&displacement, fm_at(&a, FM_TEXT, MODULE_SITE + 1), 4);
	stack[5] = site + 5 + (uint64_t)(int64_t)displacement + 3; /* in the module's body */
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	assert_int_equal(looks(&a), PATCHED);
	stack[5] = 0;
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(looks(&a), ORIGINAL);
	fg_kprobe(site + 1); /* somebody's probe in the module */
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_EPROBED);
}

/* A module that another's body refers to, and in which nothing changes: it must be there before that one. */
static void referred_to(void **state)
{
	const struct nl_leaf_object o[] = {fm_object("alpha", 0), fm_object("gamma", 0)};
	const struct nl_leaf_object *gamma = &o[1];
	struct fm a = comes("alpha", 0, 0, 0), g;
	uint8_t sha[1][32];
	uint64_t where;

	(void)state;
	leaf_modules("one", 1, o, 1, WITH_IMAGE);
	make_module(&m, gamma);
	make_layout(&m);
	make_reloc(&m, (struct nl_leaf_reloc){NL_AT_TEXT, NL_REL_ABS64, NL_SYM_REGION, 0, 40, 2, FM_DATA,
	                                      fm_offset(FM_DATA, 8), 0});
	assert_int_equal(verify_leaf(sha[0]), NL_EMODULE);
	assert_string_equal(verify_report()->blocker.other, "alpha"); /* which cannot be patched without it */
	g = comes("gamma", 0, 1, 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(module_of(sha[0], 1)->state, NL_MODULE_PRESENT);
	assert_int_equal(module_of(sha[0], 1)->sites, 0);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(looks(&a), PATCHED);
	leaves_memory(&a);
	leaves_memory(&g);
	/* The other way round, both come when the leaf is on. */
	g = comes("gamma", 0, 0, 0);
	assert_int_equal(told_coming(&g), 0);
	a = comes("alpha", 0, 1, 1);
	assert_int_equal(told_coming(&a), 0);
	assert_int_equal(looks(&a), PATCHED);
	where = g.base[FM_DATA] + 8;
	assert_memory_equal(nl_room_at(NL_ROOM_TEXT, nl_registry_find(sha[0])->objects[1].text.offset + 40), &where, 8);
	leaves_memory(&a);
	leaves_memory(&g);
	nl_boot.facts.policy.unpatched = NL_UNPATCHED_REFUSE;
	a = comes("alpha", 0, 1, 1);
	assert_int_equal(fm_tell(a.va, FM_COMING), 0x8002);
	assert_int_equal(looks(&a), ORIGINAL);
	assert_int_equal(module_of(sha[0], 0)->state, NL_MODULE_UNPATCHED);
}

/* Wherever memory ends: drafts of pages that are written in place go back as well. */
static void out_of_memory_everywhere(void **state)
{
	static void *taken[512];
	struct fm a = comes("alpha", 0, 0, 0);
	uint8_t sha[1][32];
	struct moment was;
	unsigned n, failures = 0;
	enum nl_err err = NL_ENOMEM;

	(void)state;
	leaf_module("one", "alpha", WITH_IMAGE | WITH_DATA | WITH_INIT);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	for (size_t give = 0; err == NL_ENOMEM; give++) {
		for (n = 0; (taken[n] = nl_pool_page()); n++)
			;
		while (n > 0 && nl_pool_free_pages() < give)
			nl_pool_release(taken[--n]);
		err = prepare((const void *)sha, 1, UINT64_MAX);
		failures += err == NL_ENOMEM;
		call(NL_CALL_ABANDON, 0, 0, 0, 0);
		assert_int_equal(nl_pool_free_pages(), give);
		while (n)
			nl_pool_release(taken[--n]);
	}
	assert_int_equal(err, NL_OK);
	assert_true(failures >= 6);
	unchanged(was);
	for (n = 0; n < 20; n++) { /* and those of commits that are made */
		assert_int_equal(commit((const void *)sha, 1), NL_OK);
		assert_int_equal(commit(NULL, 0), NL_OK);
		assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
		assert_int_equal(call(NL_CALL_ABANDON, 0, 0, 0, 0), NL_OK);
		if (n == 10)
			failures = (unsigned)nl_pool_free_pages();
	}
	assert_int_equal(nl_pool_free_pages(), failures);
	assert_int_equal(looks(&a), ORIGINAL);
}

/* Another kernel has begun: what was the modules' memory is not written to, and all is forgotten. */
static void kernel_gone(void **state)
{
	struct fm a = comes("alpha", 0, 0, 0);
	uint64_t text = text_free();
	struct nl_context c = fg.ctx;
	uint8_t sha[1][32], *frames = malloc(FM_PAGES * NL_PAGE_SIZE);

	(void)state;
	leaf_module("one", "alpha", WITH_IMAGE);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
	lives(&a);
	memcpy(frames, fg.ram + FM_RAM, FM_PAGES * NL_PAGE_SIZE);
	fg_image(FG_BUILD_ID)[0] ^= 1;
	nl_commit_kernel_gone(&fg.cpus[0], &c, c.lstar + 1);
	assert_int_equal(nl_registry_count(), 0);
	assert_int_equal(text_free(), text);
	assert_memory_equal(fg.ram + FM_RAM, frames, FM_PAGES * NL_PAGE_SIZE);
	assert_int_equal(try_it(), NL_ESTALE);
	assert_int_equal(fm_tell(a.va, FM_GOING), 0); /* nobody answers */
	free(frames);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, module_setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(somebody_in_the_way),
	        T(referred_to),
	        T(kernel_gone),
	        T(out_of_memory_everywhere),
	};

	return cmocka_run_group_tests_name("module commit", tests, NULL, NULL);
}
