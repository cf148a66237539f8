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
 * Leaves with modules on a fake guest: what is there when a leaf is verified, applied and reverted, and what the list
 * says that is not so.
 */
#include "module_fixture.h"
#include "leaf/registry.h"

/* Round trips of a leaf over the image and a module. */
static void present(void **state)
{
	struct fm a = arrives("alpha", 0, 0);
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_module("one", "alpha", WITH_IMAGE | WITH_DATA | WITH_INIT);
	was = before();
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(module_of(sha[0], 0)->state, NL_MODULE_PRESENT);
	assert_int_equal(module_of(sha[0], 0)->sites, 3);
	assert_int_equal(nl_registry_find(sha[0])->state.pages, 3); /* not the initialiser's, which is gone */
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	unchanged(was); /* and abandoned */
	for (unsigned round = 0; round < 3; round++) {
		uint8_t *home = malloc(FG_RAM);

		memcpy(home, fg.ram, FG_RAM);
		assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
		assert_int_equal(looks(&a), ORIGINAL); /* only at the flip */
		assert_int_equal(try_it(), NL_OK);
		assert_int_equal(commit_report()->pages, 3);
		assert_int_equal(looks(&a), PATCHED);
		assert_int_equal(data_looks(&a), PATCHED);
		assert_int_equal(image_looks(), PATCHED);
		assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
		assert_int_equal(looks(&a), PATCHED);
		assert_int_equal(try_it(), NL_OK);
		assert_int_equal(image_looks(), ORIGINAL);
		/* byte for byte, in every frame of the module */
		assert_memory_equal(fg.ram + FM_RAM, home + FM_RAM, FM_PAGES * NL_PAGE_SIZE);
		free(home);
	}
	assert_true(fm_hooked());
}

static void absent(void **state)
{
	uint8_t sha[1][32];
	uint8_t *home = malloc(FM_PAGES * NL_PAGE_SIZE);

	(void)state;
	memcpy(home, fg.ram + FM_RAM, FM_PAGES * NL_PAGE_SIZE);
	leaf_module("one", "alpha", WITH_IMAGE | WITH_DATA | WITH_INIT);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(module_of(sha[0], 0)->state, NL_MODULE_WAITING);
	assert_int_equal(nl_registry_find(sha[0])->state.pages, 1);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(commit((const void *)sha, 1), NL_OK);
		assert_int_equal(image_looks(), PATCHED);
		assert_true(fm_hooked());
		assert_int_equal(commit(NULL, 0), NL_OK);
	}
	assert_memory_equal(fg.ram + FM_RAM, home, FM_PAGES * NL_PAGE_SIZE);
	free(home);
}

/* A leaf that has modules alone, none of which is there: nothing changes but that it waits. */
static void absent_alone(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_module("one", "alpha", 0);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(nl_registry_find(sha[0])->state.condition, NL_LEAF_APPLIED);
	assert_int_equal(commit(NULL, 0), NL_OK);
}

/* On its way in: patched as one that runs. Not formed yet, or on its way out: not there, and nothing is written. */
static void coming_and_going(void **state)
{
	static const struct {
		unsigned state;
		enum look look;
	} all[] = {
	        {FM_LIVE, PATCHED}, {FM_COMING, PATCHED}, {FM_GOING, ORIGINAL}, {FM_UNFORMED, ORIGINAL}, {4, ORIGINAL}};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct fm a = comes("alpha", 0, 0, 0);
		uint8_t sha[1][32];

		fm_state(&a, all[i].state);
		leaf_module("one", "alpha", WITH_IMAGE | WITH_INIT);
		assert_int_equal(verify_leaf(sha[0]), NL_OK);
		assert_int_equal(module_of(sha[0], 0)->state,
		                 all[i].look == PATCHED ? NL_MODULE_PRESENT : NL_MODULE_WAITING);
		assert_int_equal(commit((const void *)sha, 1), NL_OK);
		assert_int_equal(image_looks(), PATCHED);
		assert_int_equal(looks(&a), all[i].look);
		assert_int_equal(init_looks(&a), all[i].look);
		assert_int_equal(commit(NULL, 0), NL_OK);
		assert_int_equal(looks(&a), ORIGINAL);
		assert_int_equal(init_looks(&a), ORIGINAL);
		teardown(state);
		module_setup(state);
	}
}

static void old_layout(void **state)
{
	struct fm a;
	uint8_t sha[1][32];

	(void)state;
	a = comes("alpha", 0, 0, 0);
	leaf_module("one", "alpha", WITH_IMAGE | WITH_DATA | WITH_INIT);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(module_of(sha[0], 0)->state, NL_MODULE_PRESENT);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(looks(&a), PATCHED);
	assert_int_equal(data_looks(&a), PATCHED);
	assert_int_equal(init_looks(&a), PATCHED);
	lives(&a);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(looks(&a), ORIGINAL);
	assert_int_equal(data_looks(&a), ORIGINAL);
	leaves_memory(&a);
}

static void other_build(void **state)
{
	struct fm a = comes("alpha", 1, 0, 0);
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_module("one", "alpha", WITH_IMAGE);
	assert_int_equal(verify_leaf(sha[0]), NL_OK); /* the image is as it should be */
	assert_int_equal(module_of(sha[0], 0)->state, NL_MODULE_OTHER);
	nl_boot.facts.policy.unpatched = NL_UNPATCHED_REFUSE;
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_EMODULE);
	assert_int_equal(call(NL_CALL_ABANDON, FG_USER, sizeof(struct nl_commit_report), 0, 0), NL_NOTHING);
	assert_string_equal(commit_report()->blocker.leaf, "one");
	assert_string_equal(commit_report()->blocker.other, "alpha");
	unchanged(was);
	nl_boot.facts.policy.unpatched = NL_UNPATCHED_LET_IN;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(image_looks(), PATCHED);
	assert_int_equal(looks(&a), ORIGINAL);
	assert_int_equal(module_of(sha[0], 0)->state, NL_MODULE_OTHER);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(looks(&a), ORIGINAL);
}

/* struct module, one thing wrong in it at a time: it is not the leaf's, or it cannot be. Nothing is written there. */
static void wrong_structs(void **state)
{
	const struct nl_leaf_object o = fm_object("alpha", 0);
	const struct nl_leaf_region *text = &o.regions[FM_TEXT], *data = &o.regions[FM_DATA];
	const struct {
		uint32_t at, size;
		uint64_t value; /* added */
	} wrong[] = {
	        {text->size_at, 4, 1},
	        {text->size_at, 4, 0x100000000 - NL_PAGE_SIZE},
	        {data->size_at, 4, 8},
	        {o.regions[FM_PERCPU].size_at, 4, 8},
	        {o.regions[FM_PERCPU].pointer_at, 8, 0 - 0x1000ULL},      /* 0: no per-CPU area */
	        {text->pointer_at, 8, 0x10},                              /* skewed */
	        {text->pointer_at, 8, 1ULL << 63},                        /* the user's half */
	        {text->pointer_at, 8, 0 - (FM_SPACE + 0x10000)},          /* none */
	        {text->pointer_at, 8, 0 - (FM_SPACE + 0x10000) - 0x1000}, /* wraps */
	        {text->pointer_at, 8, 0x200000},                          /* mapped nowhere */
	        {o.regions[FM_RODATA].pointer_at, 8, 0x1000},             /* another page: no such note in it */
	        {o.regions[FM_RODATA].pointer_at, 8, 0x300000},           /* mapped nowhere */
	        {o.regions[FM_INIT_TEXT].size_at, 4, 8},
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct fm a = comes("alpha", 0, 0, 0);
		uint8_t sha[1][32], *frames = malloc(FM_PAGES * NL_PAGE_SIZE);
		uint64_t v = 0;
		enum nl_err err;

		memcpy(&v, fm_struct(&a) + wrong[i].at, wrong[i].size);
		v += wrong[i].value;
		memcpy(fm_struct(&a) + wrong[i].at, &v, wrong[i].size);
		memcpy(frames, fg.ram + FM_RAM, FM_PAGES * NL_PAGE_SIZE);
		leaf_module("one", "alpha", WITH_IMAGE);
		err = verify_leaf(sha[0]);
		if (err == NL_ERANGE) { /* a text that is nowhere: named, and refused */
			assert_int_equal(i, 9);
			assert_string_equal(verify_report()->blocker.other, "alpha");
		} else if (err == NL_EKERNEL) { /* its note cannot be read: neither is it known to be another build */
			assert_int_equal(i, 11);
		} else {
			assert_int_equal(err, NL_OK);
			assert_int_equal(module_of(sha[0], 0)->state, NL_MODULE_OTHER);
			assert_int_equal(commit((const void *)sha, 1), NL_OK);
			assert_int_equal(image_looks(), PATCHED);
			assert_int_equal(commit(NULL, 0), NL_OK);
		}
		assert_memory_equal(fg.ram + FM_RAM, frames, FM_PAGES * NL_PAGE_SIZE);
		free(frames);
		teardown(state);
		module_setup(state);
	}
}

/* The list: whatever it is, the walk ends, the leaf says by name what is wrong, and nothing is written. */
static void wrong_lists(void **state)
{
	enum { NOWHERE, LOOP, ITSELF, NULLED, NAMELESS, LONGER, SHORTER, ALL };

	for (unsigned i = 0; i < ALL; i++) {
		struct fm a = comes("alpha", 0, 0, 0), b = comes("beta", 0, 1, 1); /* head, beta, alpha */
		uint8_t sha[1][32], *frames = malloc(FM_PAGES * NL_PAGE_SIZE);
		const uint64_t value[ALL] = {0xdead000000000100, 0, 0, 0};
		uint64_t next = value[i];
		enum nl_err expected = i < NULLED + 1 ? NL_EKERNEL : NL_OK;

		if (i == LOOP)
			next = b.va + fg.target.module_list; /* of alpha: back to beta */
		if (i == ITSELF)
			next = b.va + fg.target.module_list; /* of beta */
		if (i == NAMELESS)
			memset(fm_struct(&a) + fg.target.module_name, 'a', NL_OBJECT_NAME_LEN);
		else if (i == LONGER)
			strcpy((char *)fm_struct(&a) + fg.target.module_name, "alphabet");
		else if (i == SHORTER)
			strcpy((char *)fm_struct(&a) + fg.target.module_name, "alph");
		else
			memcpy((i == LOOP ? fm_struct(&a) : fm_struct(&b)) + fg.target.module_list, &next, 8);
		if (i == LOOP)
			fm_struct(&a)[fg.target.module_name] = 'x'; /* it is not found on the way round */
		memcpy(frames, fg.ram + FM_RAM, FM_PAGES * NL_PAGE_SIZE);
		leaf_module("one", "alpha", WITH_IMAGE);
		assert_int_equal(verify_leaf(sha[0]), expected);
		if (!expected) {
			assert_int_equal(module_of(sha[0], 0)->state, NL_MODULE_WAITING);
			assert_int_equal(commit((const void *)sha, 1), NL_OK);
		}
		assert_memory_equal(fg.ram + FM_RAM, frames, FM_PAGES * NL_PAGE_SIZE);
		free(frames);
		teardown(state);
		module_setup(state);
	}
}

/* A module's own page shows another frame, or is one that the image has a copy of. */
static void shared_pages(void **state)
{
	struct fm a = comes("alpha", 0, 0, 0);
	const uint64_t page = FG_KERNEL + (TEXT_SITE & ~NL_PAGE_MASK);
	uint8_t sha[2][32];
	struct moment was;

	(void)state;
	leaf_module("one", "alpha", WITH_IMAGE);
	memcpy(fg_image(TEXT_SITE & ~NL_PAGE_MASK) + MODULE_SITE, fm_at(&a, FM_TEXT, MODULE_SITE), 5);
	fm_map(a.base[FM_TEXT], page); /* its text lies in a page of the image */
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_ERANGE); /* both want it */
	unchanged(was);
	leaf_module("two", "alpha", WITH_DATA);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	leaf_rodata("three", DATA_SITE, 0x11);
	make_start(&m, "three", 1, &fg.target);
	make_site(&m, FG_LINK + (TEXT_SITE & ~NL_PAGE_MASK) + 0x40, fg_image((TEXT_SITE & ~NL_PAGE_MASK) + 0x40),
	          "\1\2\3\4", 4, FG_LINK + (TEXT_SITE & ~NL_PAGE_MASK) + 0x40, 16);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK); /* the page has a copy now */
	was = before();
	assert_int_equal(prepare((const void *)sha, 2, UINT64_MAX), NL_ERANGE);
	was.free_pages = nl_pool_free_pages();
	unchanged(was);
}

/* Two modules and the image in one leaf: all of it or nothing. */
static void all_or_nothing(void **state)
{
	const struct nl_leaf_object o[] = {fm_object("alpha", 0), fm_object("beta", 0)};
	struct fm a = comes("alpha", 0, 0, 0), b = comes("beta", 0, 1, 1);
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_modules("one", 1, o, 2, WITH_IMAGE | WITH_DATA);
	fm_at(&b, FM_RODATA, MODULE_DATA)[7] ^= 1; /* the very last byte of all */
	was = before();
	assert_int_equal(verify_leaf(sha[0]), NL_EBYTES);
	assert_int_equal(verify_report()->blocker.site_va, b.base[FM_RODATA] + MODULE_DATA);
	unchanged(was);
	fm_at(&b, FM_RODATA, MODULE_DATA)[7] ^= 1;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	fm_at(&b, FM_RODATA, MODULE_DATA)[7] ^= 1; /* since */
	assert_int_equal(try_it(), NL_EBYTES);
	assert_int_equal(looks(&a), ORIGINAL);
	assert_int_equal(looks(&b), ORIGINAL);
	assert_int_equal(image_looks(), ORIGINAL);
	fm_at(&b, FM_RODATA, MODULE_DATA)[7] ^= 1;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(looks(&a), PATCHED);
	assert_int_equal(looks(&b), PATCHED);
	fm_at(&b, FM_RODATA, MODULE_DATA)[7] ^= 1; /* somebody else's byte in what we wrote */
	assert_int_equal(commit(NULL, 0), NL_EPROBED);
	assert_int_equal(looks(&a), PATCHED);
	assert_int_equal(image_looks(), PATCHED);
	fm_at(&b, FM_RODATA, MODULE_DATA)[7] ^= 1;
	leaves_memory(&b); /* what is left of it */
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(looks(&a), ORIGINAL);
	assert_int_equal(image_looks(), ORIGINAL);
}

/* Two leaves of one place are told from each other though the module is not there. */
static void absent_overlap(void **state)
{
	uint8_t sha[2][32];

	(void)state;
	leaf_module("one", "alpha", 0);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_module("two", "alpha", WITH_DATA);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 2, UINT64_MAX), NL_EOVERLAP);
	leaf_module("two", "alpha", WITH_DATA); /* whatever stands behind the name */
	m.modules[0].name[20] = 'x';
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 2, UINT64_MAX), NL_EOVERLAP);
	leaf_module("three", "alphabet", 0); /* another module */
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	assert_int_equal(commit((const void *)sha, 2), NL_OK);
}

/* One for the other, on the same bytes of a module, in one flip. */
static void superseded(void **state)
{
	struct fm a = comes("alpha", 0, 0, 0);
	uint8_t sha[2][32];

	(void)state;
	leaf_module("one", "alpha", WITH_DATA);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	leaf_module("one", "alpha", WITH_DATA); /* expects the bytes that the first one hides */
	m.header.version = 2;
	memset(m.bytes + m.sites[1].fresh, 0x77, 8);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_APPLY;
	assert_int_equal(commit((const void *)(sha + 1), 1), NL_OK);
	assert_int_equal(looks(&a), PATCHED);
	assert_memory_equal(fm_at(&a, FM_RODATA, MODULE_DATA), "wwwwwwww", 8);
	nl_boot.facts.policy.guest_may |= NL_GUEST_MAY_REVERT;
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(looks(&a), ORIGINAL);
	assert_int_equal(data_looks(&a), ORIGINAL);
}

/* The initialiser's memory is somebody else's when the leaf is taken back. */
static void freed_initialiser(void **state)
{
	struct fm a = comes("alpha", 0, 0, 0);
	uint32_t frame = a.frame[FM_INIT_TEXT];
	uint8_t sha[1][32], bytes[5];

	(void)state;
	leaf_module("one", "alpha", WITH_IMAGE | WITH_INIT);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(init_looks(&a), PATCHED);
	memcpy(bytes, fm_at(&a, FM_INIT_TEXT, INIT_SITE), 5);
	lives(&a);
	memcpy(fg.ram + frame + INIT_SITE, bytes, 5); /* and by chance it holds what was there */
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_memory_equal(fg.ram + frame + INIT_SITE, bytes, 5);
	assert_int_equal(looks(&a), ORIGINAL);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_memory_equal(fg.ram + frame + INIT_SITE, bytes, 5);
}

/* What came, went or moved between verify, prepare and try. */
static void stale(void **state)
{
	enum { COMES, GOES, MOVES, OTHER_GOES, INIT_FREED, OTHER_COMES, ALL };

	for (unsigned i = 0; i < ALL; i++) {
		struct fm a;
		uint8_t sha[1][32], *frames = malloc(FM_PAGES * NL_PAGE_SIZE);
		bool first = i != COMES && i != OTHER_COMES;

		if (first)
			a = comes("alpha", i == OTHER_GOES, 0, 0);
		leaf_module("one", "alpha", WITH_IMAGE | WITH_INIT);
		assert_int_equal(verify_leaf(sha[0]), NL_OK);
		assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
		if (first && i != INIT_FREED)
			leaves_memory(&a);
		if (i == COMES || i == OTHER_GOES || i == MOVES || i == OTHER_COMES)
			a = comes("alpha", i == OTHER_COMES, 1, 1);
		if (i == INIT_FREED)
			lives(&a);
		memcpy(frames, fg.ram + FM_RAM, FM_PAGES * NL_PAGE_SIZE);
		assert_int_equal(try_it(), NL_ESTALE);
		assert_memory_equal(fg.ram + FM_RAM, frames, FM_PAGES * NL_PAGE_SIZE);
		assert_int_equal(image_looks(), ORIGINAL);
		assert_int_equal(try_it(), NL_ESTATE);
		assert_int_equal(commit((const void *)sha, 1), NL_OK); /* prepared again */
		assert_int_equal(image_looks(), PATCHED);
		if (i != GOES && i != OTHER_COMES)
			assert_int_equal(looks(&a), PATCHED);
		assert_int_equal(module_of(sha[0], 0)->state, i == GOES          ? NL_MODULE_WAITING
		                                              : i == OTHER_COMES ? NL_MODULE_OTHER
		                                                                 : NL_MODULE_PRESENT);
		free(frames);
		teardown(state);
		module_setup(state);
	}
}

/* It came back to where it was, in other memory; the old one holds what it held, or something else. */
static void same_place_other_frames(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		struct fm a = comes("alpha", 0, 0, 0);
		uint8_t sha[1][32], *old = malloc(4 * NL_PAGE_SIZE);

		leaf_module("one", "alpha", WITH_IMAGE | WITH_DATA);
		assert_int_equal(verify_leaf(sha[0]), NL_OK);
		memcpy(old, fg.ram + FM_RAM, 4 * NL_PAGE_SIZE);
		leaves_memory(&a);
		if (i)
			memcpy(fg.ram + FM_RAM, old, 4 * NL_PAGE_SIZE);
		memcpy(old, fg.ram + FM_RAM, 4 * NL_PAGE_SIZE);
		a = comes("alpha", 0, 0, 1);
		assert_int_equal(verify_leaf(sha[0]), NL_OK);
		assert_int_equal(commit((const void *)sha, 1), NL_OK);
		assert_int_equal(looks(&a), PATCHED);
		assert_int_equal(data_looks(&a), PATCHED);
		assert_memory_equal(fg.ram + FM_RAM, old, 4 * NL_PAGE_SIZE);
		free(old);
		teardown(state);
		module_setup(state);
	}
}

/* Verified again while it is prepared: what is prepared stays what it was. */
static void verified_when_prepared(void **state)
{
	enum { COMES, MOVES, ALL };

	for (unsigned i = 0; i < ALL; i++) {
		struct fm a;
		uint8_t sha[1][32], text[5];

		if (i == MOVES)
			a = comes("alpha", 0, 0, 0);
		leaf_module("one", "alpha", WITH_IMAGE);
		assert_int_equal(verify_leaf(sha[0]), NL_OK);
		assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
		if (i == MOVES) {
			memcpy(text, fm_at(&a, FM_TEXT, MODULE_SITE), 5);
			leaves_memory(&a);
			memcpy(fg.ram + a.frame[FM_TEXT] + MODULE_SITE, text, 5); /* still there, by chance */
		}
		a = comes("alpha", 0, 1, 1);
		assert_int_equal(verify_leaf(sha[0]), NL_OK);
		assert_int_equal(try_it(), NL_ESTALE);
		assert_int_equal(looks(&a), ORIGINAL);
		if (i == MOVES)
			assert_memory_equal(fg.ram + FM_RAM + MODULE_SITE, text, 5);
		assert_int_equal(commit((const void *)sha, 1), NL_OK);
		assert_int_equal(looks(&a), PATCHED);
		teardown(state);
		module_setup(state);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, module_setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(present),
	        T(absent),
	        T(absent_alone),
	        T(coming_and_going),
	        cmocka_unit_test_setup_teardown(old_layout, old_module_setup, teardown),
	        T(other_build),
	        T(wrong_structs),
	        T(wrong_lists),
	        T(shared_pages),
	        T(all_or_nothing),
	        T(absent_overlap),
	        T(superseded),
	        T(freed_initialiser),
	        T(stale),
	        T(same_place_other_frames),
	        T(verified_when_prepared),
	};

	return cmocka_run_group_tests_name("module", tests, NULL, NULL);
}
