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
// libs: -lcrypto -Wl,--wrap=nl_publish_view
/*
 * The way of a leaf through the hypercalls, on a fake guest: applied, reverted, superseded; what the guest writes
 * meanwhile stays; whatever refuses, refuses by name and changes neither a byte that the guest can see, nor the
 * generation, nor the count of free pages.
 */
#include "commit_fixture.h"
#include "commit/quiesce.h"
#include "core/cpu.h"
#include "core/kept.h"
#include "commit/commit.h"
#include "guest/linux/linux.h"
#include "leaf/registry.h"
#include "x86.h"

static void apply_and_revert(void)
{
	uint8_t sha[1][32], original[8], text[5];
	const uint8_t *thunk_field;
	int32_t displacement;
	unsigned round;

	memcpy(original, fg_image(DATA_SITE), 8);
	memcpy(text, fg_image(TEXT_SITE), 5);
	leaf_text_and_data("prctl-auxv", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(nl_registry_find(sha[0])->state.pages, 2);
	assert_int_equal(verify_report()->slide, fg.slide);
	assert_memory_equal(verify_report()->found_build_id, fg.target.kernel.build_id, 20);
	for (round = 0; round < 3; round++) {
		assert_int_equal(commit((const void *)sha, 1), NL_OK);
		assert_int_equal(commit_report()->pages, 2);
		assert_int_equal(commit_report()->generation_to, commit_report()->generation_from + 1);
		assert_int_equal(commit_report()->level, NL_LEVEL_CPU);
		assert_int_equal(commit_report()->old_tasks, NL_UNCOUNTED);
		assert_int_equal(fg_shown(TEXT_SITE)[0], 0xe9);
		memcpy(&displacement, fg_shown(TEXT_SITE + 1), 4);
		assert_int_equal(FG_LINK + fg.slide + TEXT_SITE + 5 + (uint64_t)(int64_t)displacement,
		                 NL_LINUX_ARENA_TEXT); /* same slot each round */
		assert_int_equal(shown64(DATA_SITE), NL_LINUX_ARENA_TEXT);
		assert_memory_equal(fg_image(DATA_SITE), original, 8); /* the home frame is untouched */
		assert_memory_equal(fg_shown(DATA_SITE - 64), fg_image(DATA_SITE - 64), 64);
		assert_int_equal(commit((const void *)sha, 1), NL_NOTHING);
		assert_int_equal(commit(NULL, 0), NL_OK);
		assert_memory_equal(fg_shown(TEXT_SITE), text, 5);
		assert_memory_equal(fg_shown(DATA_SITE), original, 8);
		assert_int_equal(commit(NULL, 0), NL_NOTHING);
	}
	thunk_field = fg.region + NL_REGION_ARENA_TEXT + 90;
	memcpy(&displacement, thunk_field, 4);
	assert_int_equal(NL_LINUX_ARENA_TEXT + 94 + (uint64_t)(int64_t)displacement, FG_LINK + fg.slide + FG_THUNK);
	memcpy(original, fg.region + NL_REGION_ARENA_DATA, 8);
	assert_int_equal(*(uint64_t *)original, FG_LINK + fg.slide + 0x777);
}

/* Where the body's call or jump at an offset of its text leads to, as an offset of the image. */
static uint64_t leads(uint32_t at)
{
	int32_t displacement;

	memcpy(&displacement, fg.region + NL_REGION_ARENA_TEXT + at, 4);
	return NL_LINUX_ARENA_TEXT + at + 4 + (uint64_t)(int64_t)displacement - fg.slide - FG_LINK;
}

/* What boot makes of the kernel's own returns and indirect calls decides what a body's are. */
static void thunks(void **state)
{
	static const struct {
		uint64_t pointer, its;
		uint8_t first;
		uint64_t ret, indirect;
	} kernels[] = {
	        {FG_THUNK, FG_ITS_THUNKS, 0xff, FG_THUNK, FG_ITS_THUNKS + 3 * 64},      /* bare jumps, perhaps ITS */
	        {FG_THUNK, FG_ITS_THUNKS, 0xe8, FG_THUNK, FG_INDIRECT_THUNKS + 3 * 32}, /* retpolines */
	        {FG_THUNK, FG_ITS_THUNKS, 0x0f, FG_THUNK, FG_INDIRECT_THUNKS + 3 * 32}, /* behind LFENCE */
	        {FG_THUNK, 0, 0xff, FG_THUNK, FG_INDIRECT_THUNKS + 3 * 32},             /* a kernel before ITS */
	        {FG_THUNK_DEFAULT, FG_ITS_THUNKS, 0xff, FG_THUNK_PLAIN, FG_ITS_THUNKS + 3 * 64}, /* no thunk wanted */
	};

	uint8_t sha[1][32];

	for (unsigned i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		uint64_t pointer = FG_LINK + fg.slide + kernels[i].pointer;

		fg.target.its_thunks = kernels[i].its ? FG_LINK + kernels[i].its : 0;
		memcpy(fg_image(FG_RETURN_THUNK), &pointer, 8);
		*fg_image(FG_INDIRECT_THUNKS) = kernels[i].first;
		leaf_text_and_data("prctl-auxv", 1);
		assert_int_equal(verify_leaf(sha[0]), NL_OK);
		assert_int_equal(leads(90), kernels[i].ret);
		assert_int_equal(leads(80), kernels[i].indirect);
		teardown(state);
		setup(state);
	}
}

static void round_trip(void **state)
{
	(void)state;
	apply_and_revert();
}

static void round_trip_everywhere(void **state)
{
	static const uint64_t slides[] = {0, 0x200000, 0x3e600000};
	unsigned i;

	for (i = 0; i < 12; i++) {
		teardown(state);
		start(slides[i % 3], i / 3 & 1, i / 6 & 1);
		apply_and_revert();
	}
}

static void arena_is_mapped_once(void **state)
{
	uint8_t sha[1][32];
	uint64_t *pmd = (uint64_t *)fg_image(FG_ARENA_PMD);
	struct moment was;

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(pmd[508], 0);
	pmd[509] = 0x123000 | 1; /* the guest has something of its own there */
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_EARENA);
	assert_int_equal(pmd[508], 0);
	unchanged(was);
	pmd[509] = 0;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(pmd[508], FG_REGION + NL_REGION_ARENA_TEXT + 0xe1);
	assert_int_equal(pmd[509], (FG_REGION + NL_REGION_ARENA_DATA + 0xe3) | 1ULL << 63);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(pmd[508], FG_REGION + NL_REGION_ARENA_TEXT + 0xe1); /* stays: a sleeper may be in the body */
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
}

static void guest_writes_survive(void **state)
{
	uint8_t sha[2][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_rodata("two", DATA_SITE + 64, 0x22);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	fg_shown(DATA_SITE + 32)[0] = 0xa1; /* before PREPARE: a static key, say */
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	fg_shown(DATA_SITE + 32)[1] = 0xa2; /* between PREPARE and TRY */
	assert_int_equal(try_it(), NL_OK);
	assert_memory_equal(fg_shown(DATA_SITE + 32), "\xa1\xa2", 2);
	fg_shown(DATA_SITE + 32)[2] = 0xa3; /* with the leaf on: in the copy */
	assert_int_not_equal(fg_image(DATA_SITE + 32)[2], 0xa3);
	assert_int_equal(commit((const void *)sha, 2), NL_OK); /* from copy to copy */
	assert_memory_equal(fg_shown(DATA_SITE + 32), "\xa1\xa2\xa3", 3);
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
	assert_int_equal(shown64(DATA_SITE + 64), 0x2222222222222222);
	fg_shown(DATA_SITE + 32)[3] = 0xa4;
	assert_int_equal(commit((const void *)(sha + 1), 1), NL_OK); /* one of two goes: the page stays private */
	assert_memory_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE), 8);
	fg_shown(DATA_SITE + 32)[4] = 0xa5;
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
	fg_shown(DATA_SITE + 32)[5] = 0xa6;
	assert_int_equal(try_it(), NL_OK); /* home */
	assert_ptr_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE));
	assert_memory_equal(fg_image(DATA_SITE + 32), "\xa1\xa2\xa3\xa4\xa5\xa6", 6);
	assert_int_equal(fg_image(DATA_SITE)[0], (uint8_t)(DATA_SITE * 7 + (DATA_SITE >> 8) * 13));
}

static void deadline(void **state)
{
	struct nl_commit_request r = {.expected_generation = UINT64_MAX, .deadline_ms = 1, .count = 1};
	struct moment was;
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	memcpy(r.set, sha, 32);
	memcpy(fg_user(FG_USER), &r, sizeof(r));
	assert_int_equal(call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0), NL_OK);
	seam_tsc += 2 * nl_boot.facts.tsc_hz / 1000;
	assert_int_equal(try_it(), NL_EDEADLINE);
	assert_int_equal(try_it(), NL_ESTATE);
	unchanged(was);
	r.deadline_ms = 10001;
	memcpy(fg_user(FG_USER), &r, sizeof(r));
	assert_int_equal(call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0), NL_EUSAGE);
	r.deadline_ms = 0;
	memcpy(fg_user(FG_USER), &r, sizeof(r));
	assert_int_equal(call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0), NL_EUSAGE);
}

/* A kernel that is lied to by its own clock, or lies by it, does not apply later than was said. */
static void deadline_and_a_clock_set_back(void **state)
{
	struct nl_commit_request r = {.expected_generation = UINT64_MAX, .deadline_ms = 1, .count = 1};
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	memcpy(r.set, sha, 32);
	memcpy(fg_user(FG_USER), &r, sizeof(r));
	seam_tsc += nl_boot.facts.tsc_hz;
	assert_int_equal(call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0), NL_OK);
	seam_tsc -= nl_boot.facts.tsc_hz / 2;
	assert_int_equal(try_it(), NL_EDEADLINE);
	memcpy(fg_user(FG_USER), &r, sizeof(r));
	assert_int_equal(call(NL_CALL_PREPARE, FG_USER, sizeof(r), 0, 0), NL_OK);
	seam_tsc -= nl_boot.facts.tsc_hz / 2000; /* another CPU's clock is a little behind: that is no set-back */
	assert_int_equal(try_it(), NL_OK);
}

static void abandon_and_replace(void **state)
{
	uint8_t sha[2][32];
	struct moment was;

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_rodata("two", DATA_SITE + 0x10000, 0x22);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	was = before();
	assert_int_equal(call(NL_CALL_ABANDON, 0, 0, 0, 0), NL_NOTHING);
	assert_int_equal(prepare((const void *)sha, 2, UINT64_MAX), NL_OK);
	assert_int_equal(call(NL_CALL_ABANDON, 0, 0, 0, 0), NL_OK);
	assert_int_equal(try_it(), NL_ESTATE);
	unchanged(was);
	assert_int_equal(prepare((const void *)sha, 2, UINT64_MAX), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX),
	                 NL_OK); /* an agent died; the next one prepares anew */
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
	assert_ptr_equal(fg_shown(DATA_SITE + 0x10000), fg_image(DATA_SITE + 0x10000));
}

static void generations_and_sets(void **state)
{
	uint8_t sha[3][32], unknown[1][32] = {{1}};

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(verify(), NL_OK); /* idempotent */
	assert_int_equal(nl_registry_count(), 1);
	assert_int_equal(prepare((const void *)sha, 1, 2), NL_EGENERATION);
	assert_int_equal(prepare(unknown, 1, 1), NL_EUNKNOWN_LEAF);
	assert_int_equal(prepare((const void *)sha, 33, 1), NL_EUSAGE);
	assert_int_equal(prepare(NULL, 0, 1), NL_NOTHING);
	assert_int_equal(prepare((const void *)sha, 1, 1), NL_OK);
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(prepare(NULL, 0, 1), NL_EGENERATION);
	leaf_rodata("lap", DATA_SITE + 4, 0x33); /* shares bytes with the first */
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 2, 2), NL_EOVERLAP);
	assert_int_equal(commit((const void *)(sha + 1), 1), NL_OK); /* one for the other, in one flip */
	assert_memory_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE), 4);
	assert_int_equal(shown64(DATA_SITE + 4), 0x3333333333333333);
	assert_int_equal(nl_current_view()->generation, 3);
}

static void versions_never_go_down(void **state)
{
	uint8_t v1[1][32], v2[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(v1[0]), NL_OK);
	assert_int_equal(commit((const void *)v1, 1), NL_OK);
	assert_int_equal(nl_kept->checksum, nl_kept_checksum(nl_kept)); /* a warm reset would find it */
	leaf_text_and_data("body", 2); /* expects the original bytes, which the first version hides */
	assert_int_equal(verify_leaf(v2[0]), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_APPLY; /* to supersede is to apply */
	assert_int_equal(commit((const void *)v2, 1), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_APPLY | NL_GUEST_MAY_REVERT;
	assert_int_equal(commit((const void *)v1, 1), NL_EVERSION);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(commit((const void *)v1, 1), NL_EVERSION);
	assert_int_equal(commit((const void *)v2, 1), NL_OK);
}

static void policy(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_REVERT;
	assert_int_equal(stage(64), NL_EPOLICY);
	assert_int_equal(commit((const void *)sha, 1), NL_EPOLICY);
	nl_boot.facts.policy.guest_may = NL_GUEST_MAY_APPLY;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_EPOLICY);
	assert_int_equal(shown64(DATA_SITE), 0x1111111111111111);
}

static void out_of_memory_everywhere(void **state)
{
	static void *taken[512];
	uint8_t sha[1][32];
	struct moment was;
	unsigned give, n, failures = 0;
	enum nl_err err = NL_ENOMEM;

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	for (give = 0; err == NL_ENOMEM; give++) {
		for (n = 0; (taken[n] = nl_pool_page()); n++)
			;
		assert_true(n >= give);
		while (n > 0 && nl_pool_free_pages() < give)
			nl_pool_release(taken[--n]);
		err = prepare((const void *)sha, 1, UINT64_MAX);
		failures += err == NL_ENOMEM;
		if (err == NL_ENOMEM)
			assert_int_equal(nl_pool_free_pages(), give);
		call(NL_CALL_ABANDON, 0, 0, 0, 0);
		assert_int_equal(nl_pool_free_pages(), give);
		while (n)
			nl_pool_release(taken[--n]);
	}
	assert_int_equal(err, NL_OK);
	assert_true(failures >= 4); /* root, tables, frames: it failed at more than one point */
	unchanged(was);
}

static void no_leak_over_rounds(void **state)
{
	uint8_t sha[2][32];
	size_t free_pages = 0;
	unsigned i;

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	leaf_rodata("two", DATA_SITE + 64, 0x22);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	for (i = 0; i < 60; i++) {
		assert_int_equal(commit((const void *)(i % 3 == 1 ? sha + 1 : sha), i % 3),
		                 i || i % 3 ? NL_OK : NL_NOTHING);
		if (i == 30)
			free_pages = nl_pool_free_pages();
	}
	while (i % 30)
		i++;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	call(NL_CALL_ABANDON, 0, 0, 0, 0);
	assert_true(nl_pool_free_pages() + 8 >= free_pages);
}

/* At the flip itself, what goes home is there already: a CPU that enters at once finds it. */
static const uint8_t *at_the_flip;
static uint8_t shown_at_the_flip[8];
static const uint8_t *blamed_at_the_flip[NL_MAX_LEAVES];
static bool held_at_the_flip;

void __real_nl_publish_view(struct nl_view *view);
void __wrap_nl_publish_view(struct nl_view *view);
void __wrap_nl_publish_view(struct nl_view *view)
{
	if (at_the_flip)
		memcpy(shown_at_the_flip, at_the_flip, sizeof(shown_at_the_flip));
	memcpy(blamed_at_the_flip, nl_kept_on, sizeof(blamed_at_the_flip));
	held_at_the_flip = nl_quiesce_pending();
	__real_nl_publish_view(view);
}

static void home_before_the_flip(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	memcpy(fg_shown(DATA_SITE + 32), "12345678", 8); /* the guest writes to the copy */
	at_the_flip = fg_image(DATA_SITE + 32);
	assert_int_equal(commit(NULL, 0), NL_OK);
	at_the_flip = NULL;
	assert_memory_equal(shown_at_the_flip, "12345678", 8);
}

/* Nobody enters between the look at bytes and stacks and the flip: it is made while all are held, both ways. */
static void the_flip_is_made_while_all_are_held(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	for (unsigned on = 2; on--;) {
		held_at_the_flip = false;
		assert_int_equal(commit((const void *)sha, on), NL_OK);
		assert_true(held_at_the_flip);
		assert_false(nl_quiesce_pending());
	}
}

/* If the core gives up as soon as a leaf shows, the leaf is locked out; so is one that is on its way off. */
static void blamed_from_the_flip_on(void **state)
{
	uint8_t sha[1][32];
	unsigned i;

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	i = (unsigned)(nl_registry_find(sha[0]) - nl_registry);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_null(nl_kept_on[i]);
	assert_int_equal(try_it(), NL_OK);
	assert_non_null(blamed_at_the_flip[i]);
	assert_memory_equal(blamed_at_the_flip[i], sha[0], 32);
	assert_ptr_equal(nl_kept_on[i], blamed_at_the_flip[i]);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_non_null(blamed_at_the_flip[i]);
	assert_null(nl_kept_on[i]);
}

/* The kernel that was there at PREPARE is another at TRY. */
static void prepared_for_another_kernel(void **state)
{
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	fg_image(FG_BUILD_ID)[5] ^= 1;
	assert_int_equal(try_it(), NL_EBUILDID);
	fg_image(FG_BUILD_ID)[5] ^= 1;
	unchanged(was);
}

static void old_root_in_use(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_rodata("one", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	nl_n_cpus = 2; /* a second CPU that has not entered since: it still has the first root loaded */
	fg.cpus[1] = (struct nl_cpu){.index = 1, .state = NL_CPU_RUNNING, .root_generation = 1};
	nl_cpus[1] = &fg.cpus[1];
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_AGAIN);
	fg.cpus[1].state = NL_CPU_WAIT_SIPI; /* such a one loads the current root before it enters */
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_OK);
}

static void verified(uint8_t sha[32], const char *id, uint64_t site, uint32_t version, enum nl_fact_kind kind,
                     const char *other, uint32_t least)
{
	leaf_rodata(id, site, 0x11);
	m.header.version = version;
	if (other)
		make_fact(&m, kind, other, least);
	assert_int_equal(verify_leaf(sha), NL_OK);
}

/* Refused by that name, which says who says so of whom; and nothing has changed. */
static void excluded(const uint8_t (*set)[32], unsigned n, enum nl_err err, const char *leaf, const char *other)
{
	struct moment was = before();

	assert_int_equal(prepare(set, n, UINT64_MAX), err);
	assert_int_equal(call(NL_CALL_ABANDON, FG_USER, sizeof(struct nl_commit_report), 0, 0), NL_NOTHING);
	assert_string_equal(commit_report()->blocker.leaf, leaf);
	assert_string_equal(commit_report()->blocker.other, other);
	unchanged(was);
}

static void requirements(void **state)
{
	enum { NEEDS, OLD, NEEDED, ALL }; /* sha */
	uint8_t sha[ALL][32];

	(void)state;
	verified(sha[NEEDS], "needs", DATA_SITE, 1, NL_FACT_REQUIRES, "needed", 2);
	verified(sha[OLD], "needed", DATA_SITE + 16, 1, 0, NULL, 0);
	verified(sha[NEEDED], "needed", DATA_SITE + 32, 2, 0, NULL, 0);
	excluded((const void *)sha, 1, NL_EREQUIRES, "needs", "needed");
	excluded((const void *)sha, 2, NL_EREQUIRES, "needs", "needed");       /* too old */
	excluded((const void *)sha[OLD], 2, NL_ECONFLICT, "needed", "needed"); /* two versions of one leaf */
	assert_int_equal(commit((const void *)sha[NEEDED], 1), NL_OK);         /* in two steps */
	memcpy(sha[OLD], sha[NEEDED], 32);
	assert_int_equal(commit((const void *)sha, 2), NL_OK);
	excluded((const void *)sha[NEEDS], 1, NL_EREQUIRES, "needs", "needed"); /* a revert of what another needs */
	assert_int_equal(commit((const void *)sha[NEEDED], 1), NL_OK);
	assert_int_equal(commit((const void *)sha, 2), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK); /* both together */
}

static void exclusions(void **state)
{
	enum { OLD, NEW, OTHER, ENEMY, ALL };
	uint8_t sha[ALL][32];

	(void)state;
	verified(sha[OLD], "old", DATA_SITE, 7, 0, NULL, 0);
	verified(sha[NEW], "new", DATA_SITE + 16, 1, NL_FACT_SUPERSEDES, "old", 0);
	verified(sha[OTHER], "other", DATA_SITE + 32, 1, 0, NULL, 0);
	verified(sha[ENEMY], "enemy", DATA_SITE + 48, 1, NL_FACT_CONFLICTS, "other", 0);
	excluded((const void *)sha, 2, NL_ECONFLICT, "new", "old");
	excluded((const void *)sha[OTHER], 2, NL_ECONFLICT, "enemy", "other");
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit((const void *)sha[NEW], 2), NL_OK); /* takes the old one's place, in one flip */
	assert_int_equal(nl_registry_find(sha[OLD])->state.condition, NL_LEAF_REVERTED);
	excluded((const void *)sha[NEW], 3, NL_ECONFLICT, "enemy", "other");
}

static void overlap_is_named(void **state)
{
	uint8_t sha[2][32];

	(void)state;
	verified(sha[0], "one", DATA_SITE, 1, 0, NULL, 0);
	verified(sha[1], "two", DATA_SITE + 7, 1, 0, NULL, 0);
	excluded((const void *)sha, 2, NL_EOVERLAP, "two", "one");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(thunks),
	        T(round_trip),
	        T(round_trip_everywhere),
	        T(arena_is_mapped_once),
	        T(guest_writes_survive),
	        T(deadline),
	        T(deadline_and_a_clock_set_back),
	        T(abandon_and_replace),
	        T(generations_and_sets),
	        T(versions_never_go_down),
	        T(policy),
	        T(requirements),
	        T(exclusions),
	        T(overlap_is_named),
	        T(out_of_memory_everywhere),
	        T(no_leak_over_rounds),
	        T(home_before_the_flip),
	        T(the_flip_is_made_while_all_are_held),
	        T(blamed_from_the_flip_on),
	        T(prepared_for_another_kernel),
	        T(old_root_in_use),
	};

	return cmocka_run_group_tests_name("commit", tests, NULL, NULL);
}
