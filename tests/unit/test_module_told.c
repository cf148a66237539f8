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
 * Modules that come and go while leaves that name them are on: all leaves or none; what is believed; bodies that are
 * placed anew.
 */
#include "module_fixture.h"
#include "commit/commit.h"
#include "commit/generation.h"
#include "core/cpu.h"
#include "guest/linux/linux.h"
#include "leaf/registry.h"
#include "view/current.h"
#include "x86.h"
#include <sys/mman.h>

#define MAX_STALE 448
#define MAX_OWN 16

static uint8_t one[1][32];

/* "one" is on: over the image and alpha, which is not there yet. */
static void on(unsigned with)
{
	leaf_module("one", "alpha", with);
	assert_int_equal(verify_leaf(one[0]), NL_OK);
	assert_int_equal(commit((const void *)one, 1), NL_OK);
}

static void comes_and_goes(void **state)
{
	uint64_t free_text;

	(void)state;
	on(WITH_IMAGE | WITH_DATA | WITH_INIT);
	free_text = text_free();
	for (unsigned i = 0; i < 6; i++) {
		struct fm a = comes("alpha", 0, i & 1, i >> 1 & 1);
		uint8_t *frames = malloc(FM_PAGES * NL_PAGE_SIZE);

		assert_int_equal(looks(&a), ORIGINAL);
		assert_int_equal(told_coming(&a), 0);
		assert_int_equal(looks(&a), PATCHED);
		assert_int_equal(init_looks(&a), PATCHED);
		assert_int_equal(data_looks(&a), PATCHED);
		assert_int_equal(module_of(one[0], 0)->state, NL_MODULE_PRESENT);
		if (i & 1)
			lives(&a);
		fm_state(&a, FM_GOING);
		memcpy(frames, fg.ram + FM_RAM, FM_PAGES * NL_PAGE_SIZE);
		assert_int_equal(fm_tell(a.va, FM_GOING), 0);
		assert_int_equal(module_of(one[0], 0)->state, NL_MODULE_WAITING);
		assert_memory_equal(fg.ram + FM_RAM, frames, FM_PAGES * NL_PAGE_SIZE); /* nothing is written to it */
		assert_int_equal(looks(&a), PATCHED); /* and its body is still there: somebody may be in */
		assert_int_equal(text_free(), free_text - PART * (i + 1));
		fm_unlist(&a);
		fm_free(&a);
		free(frames);
	}
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_true(fm_reused(FM_RAM, FM_PAGES));
}

/* Another notifier refuses it: the chain tells all who were told that it goes, while its state is COMING. */
static void refused_by_another(void **state)
{
	struct fm a, b;

	(void)state;
	on(WITH_IMAGE);
	for (unsigned i = 0; i < 4; i++) {
		a = comes("alpha", 0, 0, i & 1);
		assert_int_equal(told_coming(&a), 0);
		assert_int_equal(looks(&a), PATCHED);
		assert_int_equal(fm_tell(a.va, FM_GOING), 0);
		assert_int_equal(module_of(one[0], 0)->state, NL_MODULE_WAITING);
		fm_state(&a, FM_GOING);
		fm_unlist(&a);
		fm_free(&a);
	}
	/* A leaf goes on just then: it finds the module, and is not told that it goes. Then it comes to the same place,
	 * in other frames, and those that it had hold what they held. */
	leaf_module("two", "alpha", WITH_DATA);
	m.sites[0] = m.sites[1]; /* the data alone */
	m.n_sites = 1;
	m.n_relocs = 0;
	m.sites[0].expected = 0;
	m.sites[0].fresh = 8;
	memmove(m.bytes, m.bytes + 10, m.n_bytes = 16);
	uint8_t set[2][32], bytes[8];

	memcpy(set[0], one[0], 32);
	assert_int_equal(verify_leaf(set[1]), NL_OK);
	a = comes("alpha", 0, 0, 0);
	assert_int_equal(told_coming(&a), 0);
	assert_int_equal(fm_tell(a.va, FM_GOING), 0);
	assert_int_equal(commit((const void *)set, 2), NL_OK);
	assert_int_equal(data_looks(&a), PATCHED);
	memcpy(bytes, fm_at(&a, FM_RODATA, MODULE_DATA), 8);
	b = a;
	fm_state(&a, FM_GOING);
	fm_unlist(&a);
	fm_free(&a);
	memcpy(fm_at(&b, FM_RODATA, MODULE_DATA), bytes, 8);
	a = comes("alpha", 0, 0, 1);
	assert_int_equal(told_coming(&a), 0);
	assert_int_equal(data_looks(&a), PATCHED);
	assert_int_equal(looks(&a), PATCHED);
	lives(&a);
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(data_looks(&a), ORIGINAL);
	assert_memory_equal(fm_at(&b, FM_RODATA, MODULE_DATA), bytes, 8);
}

/* Whatever the hint is, nothing happens to who is not about to come. */
static void hostile_hints(void **state)
{
	static const uint64_t hints[] = {0,
	                                 1,
	                                 0x7fffffffffff,
	                                 0x800000000000,
	                                 0xffffffffffffffff,
	                                 0xfffffffffffffff0,
	                                 FG_DIRECT,
	                                 FG_LINK + SLIDE,
	                                 FM_SPACE,
	                                 FG_DIRECT + FG_RAM};
	struct fm a, b;
	uint8_t *frames = malloc(FM_PAGES * NL_PAGE_SIZE);

	(void)state;
	on(WITH_IMAGE);
	a = arrives("alpha", 0, 0);
	b = comes("alpha", 0, 1, 1); /* the same name, not on the list */
	fm_unlist(&b);
	memcpy(frames, fg.ram + FM_RAM, FM_PAGES * NL_PAGE_SIZE);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t hint = i < NL_ARRAY_SIZE(hints) ? hints[i] : host_random() >> (i & 63);

		fm_tell(hint, i & 1 ? FM_COMING : FM_GOING);
	}
	fm_tell(b.va, FM_COMING);
	fm_tell(a.va, FM_COMING); /* it runs */
	fm_tell(a.va, FM_GOING);  /* and does not go */
	fm_tell(a.va, 77);
	assert_memory_equal(fg.ram + FM_RAM, frames, FM_PAGES * NL_PAGE_SIZE);
	assert_int_equal(looks(&a), PATCHED);
	assert_int_equal(module_of(one[0], 0)->state, NL_MODULE_PRESENT);
	/* A list without an end: unpatched, and said. */
	memcpy(fm_struct(&a) + fg.target.module_list, &(uint64_t){a.va + fg.target.module_list}, 8);
	memcpy(frames, fg.ram + FM_RAM, FM_PAGES * NL_PAGE_SIZE);
	b = fm_load("alpha", 0, 2, 2);
	fm_state(&b, FM_COMING);
	nl_boot.facts.policy.unpatched = NL_UNPATCHED_REFUSE;
	fm_tell(b.va, FM_COMING);
	assert_int_equal(looks(&b), ORIGINAL);
	free(frames);
}

/* It is not as the leaf says: refused or let in, as the policy has it, and patched in no leaf. */
static void cannot_be_patched(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		uint8_t set[2][32];
		struct fm a, other;

		nl_boot.facts.policy.unpatched = i & 1 ? NL_UNPATCHED_REFUSE : NL_UNPATCHED_LET_IN;
		leaf_module("one", "alpha", WITH_IMAGE);
		assert_int_equal(verify_leaf(set[0]), NL_OK);
		leaf_module("two", "alpha", WITH_DATA);
		m.sites[0].offset += 0x400; /* another function, and its bytes */
		m.sites[0].func_offset += 0x400;
		for (unsigned k = 0; k < 5; k++)
			m.bytes[m.sites[0].expected + k] = fm_byte("alpha", 0, FM_TEXT, MODULE_SITE + 0x400 + k);
		assert_int_equal(verify_leaf(set[1]), NL_OK);
		assert_int_equal(commit((const void *)set, 2), NL_OK);
		a = comes("alpha", i >> 1, 0, 0);
		if (!(i >> 1))
			fm_at(&a, FM_RODATA, MODULE_DATA)[3] ^= 1; /* the second leaf's */
		other = a;
		assert_int_equal(told_coming(&a), i & 1 ? 0x8002 : 0);
		assert_int_equal(looks(&a), ORIGINAL);
		assert_int_equal(*fm_at(&a, FM_TEXT, MODULE_SITE + 0x400),
		                 fm_byte("alpha", i >> 1, FM_TEXT, MODULE_SITE + 0x400));
		for (unsigned k = 0; k < 2; k++)
			assert_int_equal(module_of(set[k], 0)->state, i >> 1 ? NL_MODULE_OTHER : NL_MODULE_UNPATCHED);
		if (i == 0) { /* it runs: whoever says that it comes, nothing is written to it without a stop */
			fm_at(&a, FM_RODATA, MODULE_DATA)[3] ^= 1;
			lives(&a);
			assert_int_equal(fm_tell(a.va, FM_COMING), 0);
			assert_int_equal(looks(&a), ORIGINAL);
			assert_int_equal(data_looks(&a), ORIGINAL);
		}
		assert_int_equal(fm_tell(a.va, FM_GOING), 0);
		fm_state(&a, FM_GOING);
		fm_unlist(&a);
		fm_free(&a);
		a = comes("alpha", 0, 1, 0); /* a good one */
		assert_int_equal(told_coming(&a), 0);
		assert_int_equal(looks(&a), PATCHED);
		assert_int_equal(*fm_at(&a, FM_TEXT, MODULE_SITE + 0x400), 0xe9);
		assert_int_equal(data_looks(&a), PATCHED);
		(void)other;
		teardown(state);
		module_setup(state);
	}
}

/* Its text lies in a page of the image that shows a copy: neither is written. */
static void in_a_page_of_the_image(void **state)
{
	const uint64_t page = TEXT_SITE & ~NL_PAGE_MASK;
	uint8_t set[2][32], home[NL_PAGE_SIZE], shown[NL_PAGE_SIZE];
	struct fm a;

	(void)state;
	nl_boot.facts.policy.unpatched = NL_UNPATCHED_REFUSE;
	leaf_text_and_data("image", 1);
	assert_int_equal(verify_leaf(set[0]), NL_OK);
	leaf_module("one", "alpha", 0);
	assert_int_equal(verify_leaf(set[1]), NL_OK);
	assert_int_equal(commit((const void *)set, 2), NL_OK);
	a = comes("alpha", 0, 0, 0);
	memcpy(fg_shown(page) + MODULE_SITE, fm_at(&a, FM_TEXT, MODULE_SITE), 5);
	memcpy(fg_image(page) + MODULE_SITE, fm_at(&a, FM_TEXT, MODULE_SITE), 5);
	fm_map(a.base[FM_TEXT], FG_KERNEL + page);
	memcpy(home, fg_image(page), NL_PAGE_SIZE);
	memcpy(shown, fg_shown(page), NL_PAGE_SIZE);
	assert_int_equal(told_coming(&a), 0x8002);
	assert_memory_equal(fg_image(page), home, NL_PAGE_SIZE);
	assert_memory_equal(fg_shown(page), shown, NL_PAGE_SIZE);
	assert_int_equal(looks(&a), ORIGINAL);
	assert_int_equal(module_of(set[1], 0)->state, NL_MODULE_UNPATCHED);
}

/* A page of its text that no longer holds what was written to it: reading it stops the machine. */
static void in_a_poisoned_page(void **state)
{
	struct fm a;

	(void)state;
	nl_boot.facts.policy.unpatched = NL_UNPATCHED_REFUSE;
	on(WITH_IMAGE);
	a = comes("alpha", 0, 0, 0);
	seam_poison = fm_at(&a, FM_TEXT, 0);
	seam_pending = &fg.cpus[0].mc_pending;
	seam_checks = 0;
	mprotect(fm_at(&a, FM_TEXT, 0), NL_PAGE_SIZE, PROT_NONE);
	assert_int_equal(told_coming(&a), 0x8002);
	mprotect(fm_at(&a, FM_TEXT, 0), NL_PAGE_SIZE, PROT_READ | PROT_WRITE);
	seam_poison = NULL;
	seam_pending = NULL;
	fg.cpus[0].mc_pending = false;
	assert_int_equal(seam_checks, 1); /* a second one is a shutdown */
	assert_int_equal(looks(&a), ORIGINAL);
	assert_int_equal(told_coming(&a), 0);
	assert_int_equal(looks(&a), PATCHED);
	seam_poison = fm_at(&a, FM_TEXT, 0);
	mprotect(fm_at(&a, FM_TEXT, 0), NL_PAGE_SIZE, PROT_NONE);
	fm_state(&a, FM_GOING);
	assert_int_equal(fm_tell(a.va, FM_GOING), 0);
	mprotect(fm_at(&a, FM_TEXT, 0), NL_PAGE_SIZE, PROT_READ | PROT_WRITE);
	seam_poison = NULL;
}

/* Two leaves of one module, each for a build of its own: where they may be let in, each has its own. */
static void each_its_build(void **state)
{
	const struct nl_leaf_object second = fm_object("alpha", 1);
	uint8_t set[2][32];

	(void)state;
	leaf_module("one", "alpha", WITH_IMAGE);
	assert_int_equal(verify_leaf(set[0]), NL_OK);
	leaf_modules("two", 1, &second, 1, 0);
	m.sites[0].offset += 0x400;
	m.sites[0].func_offset += 0x400;
	for (unsigned k = 0; k < 5; k++)
		m.bytes[m.sites[0].expected + k] = fm_byte("alpha", 1, FM_TEXT, MODULE_SITE + 0x400 + k);
	assert_int_equal(verify_leaf(set[1]), NL_OK);
	assert_int_equal(commit((const void *)set, 2), NL_OK);
	for (unsigned i = 0; i < 4; i++) {
		struct fm a = comes("alpha", i & 1, 0, 0);

		assert_int_equal(told_coming(&a), 0);
		assert_int_equal(looks(&a), i & 1 ? ORIGINAL : PATCHED);
		assert_int_equal(*fm_at(&a, FM_TEXT, MODULE_SITE + 0x400) == 0xe9, i & 1);
		lives(&a);
		leaves_memory(&a);
	}
}

/* A leaf that is only known, and whose author has other offsets, hides nothing. */
static void another_target(void **state)
{
	uint8_t sha[32];
	struct fm a;

	(void)state;
	leaf_module("wrong", "alpha", 0);
	m.header.target.module_name++;
	assert_int_equal(verify_leaf(sha), NL_OK);
	on(WITH_IMAGE);
	a = comes("alpha", 0, 0, 0);
	assert_int_equal(told_coming(&a), 0);
	assert_int_equal(looks(&a), PATCHED);
}

/* What was prepared is stale when a module that it names comes or goes, however often and in however many leaves. */
static void prepared_is_stale(void **state)
{
	uint8_t set[2][32];
	struct fm a;

	(void)state;
	on(WITH_IMAGE);
	memcpy(set[0], one[0], 32);
	leaf_module("other", "alpha", 0);
	m.sites[0].offset += 0x400;
	m.sites[0].func_offset += 0x400;
	for (unsigned k = 0; k < 5; k++)
		m.bytes[m.sites[0].expected + k] = fm_byte("alpha", 0, FM_TEXT, MODULE_SITE + 0x400 + k);
	assert_int_equal(verify_leaf(set[1]), NL_OK);
	assert_int_equal(prepare((const void *)set, 2, UINT64_MAX), NL_OK);
	a = comes("alpha", 0, 0, 0);
	assert_int_equal(told_coming(&a), 0);
	assert_int_equal(try_it(), NL_ESTALE);
	assert_int_equal(try_it(), NL_ESTATE); /* said once */
	assert_int_equal(prepare((const void *)set, 2, UINT64_MAX), NL_OK);
	leaves_memory(&a);
	a = comes("alpha", 0, 0, 0);
	assert_int_equal(told_coming(&a), 0);
	assert_int_equal(try_it(), NL_ESTALE);
	assert_int_equal(prepare((const void *)set, 2, UINT64_MAX), NL_OK);
	assert_int_equal(call(NL_CALL_ABANDON, 0, 0, 0, 0), NL_OK);
	assert_int_equal(try_it(), NL_ESTATE);
	assert_int_equal(commit((const void *)set, 2), NL_OK);
	assert_int_equal(*fm_at(&a, FM_TEXT, MODULE_SITE + 0x400), 0xe9);
	leaves_memory(&a);
	a = comes("beta", 0, 0, 0); /* nobody's */
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
	assert_int_equal(told_coming(&a), 0);
	assert_int_equal(try_it(), NL_OK);
}

/* What only the initialiser needed is somebody else's: that weakens no leaf. */
static void note_of_an_initialiser(void **state)
{
	const struct nl_leaf_state *l = (struct nl_leaf_state *)(void *)fg_user(FG_USER);
	struct fm a;

	(void)state;
	on(WITH_IMAGE | WITH_INIT);
	a = arrives("alpha", 0, 0);
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_OK);
	fm_at(&a, FM_TEXT, MODULE_SITE)[1] ^= 1;
	assert_int_equal(call(NL_CALL_LEAVES, FG_USER, 4096, 0, 0), NL_OK);
	assert_int_equal(l->note, NL_EPROBED);
}

/* The module comes and goes so often; where its first body of all was is in *first. */
static void reload_it(const char *name, unsigned n, int32_t *first)
{
	for (unsigned i = 0; i < n; i++) {
		struct fm a = comes(name, 0, i & 1, i >> 1 & 1);

		assert_int_equal(told_coming(&a), 0);
		assert_int_equal(looks(&a), PATCHED);
		if (first && !i)
			memcpy(first, fm_at(&a, FM_TEXT, MODULE_SITE + 1), 4);
		lives(&a);
		leaves_memory(&a);
	}
}

static void reload(unsigned n, int32_t *first) { reload_it("alpha", n, first); }

static void arena_stays(void **state)
{
	uint64_t least, now;

	(void)state;
	on(WITH_IMAGE);
	reload(40, NULL);
	least = text_free() - 8 * PART;
	for (unsigned i = 0; i < 1000 / 20; i++) {
		reload(20, NULL);
		now = text_free();
		assert_true(now >= least);
	}
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(commit((const void *)one, 1), NL_OK);
	reload(20, NULL);
	assert_true(text_free() >= least);
}

/* The room of a body that a module left behind is not used again while somebody stands in it. */
static void somebody_inside(void **state)
{
	enum { IN_THE_MIDDLE, AT_ITS_FIRST_BYTE, THE_CPU, BEHIND_IT, ALL };

	for (unsigned i = 0; i < ALL; i++) {
		uint64_t va, *stack;
		uint8_t *last;
		int32_t first;
		unsigned kept = i != BEHIND_IT;

		fg_task("sleeper", 0, 32, &stack);
		on(0);
		reload(1, &first);
		va = FM_SPACE + 0x10000 + MODULE_SITE + 5 + (uint64_t)(int64_t)first;
		last = fg.region + NL_REGION_ARENA_TEXT + (va - NL_LINUX_ARENA_TEXT) + PART - 1;
		*last = 0xee; /* until somebody uses the room */
		if (i == THE_CPU)
			((uint64_t *)(void *)fg_image(FG_INIT_STACK + FG_THREAD_SIZE - 128))[3] = va + 1;
		else
			stack[7] = va + (i == IN_THE_MIDDLE ? PART - 1 : i == BEHIND_IT ? PART : 0);
		reload(60, NULL);
		assert_int_equal(*last == 0xee, kept);
		stack[7] = 0;
		((uint64_t *)(void *)fg_image(FG_INIT_STACK + FG_THREAD_SIZE - 128))[3] = 0;
		reload(60, NULL);
		assert_int_not_equal(*last, 0xee);
		teardown(state);
		module_setup(state);
	}
}

/* Another CPU, which is never held where it stands. */
static void refuses(struct nl_cpu *cpu) { cpu->request = (cpu->request & ~3u) | 3; }
static const struct nl_vendor busy = {.name = "FAKE", .paging = "NPT", .kick = refuses};

/* A kernel that begins where leaves of modules alone were on: no page is a copy, and they are off all the same. */
static void another_kernel(void **state)
{
	struct nl_context c = fg.ctx;

	(void)state;
	on(0);
	assert_int_equal(nl_generation_current()->n_pages, 0);
	c.lstar = 0;
	fg_image(FG_BUILD_ID)[0] ^= 1;
	nl_commit_kernel_gone(&fg.cpus[0], &c, fg.ctx.lstar);
	fg_image(FG_BUILD_ID)[0] ^= 1;
	assert_int_equal(nl_registry_count(), 0);
	assert_int_equal(nl_generation_current()->applied, 0);
	fg.cpus[0].root_generation = nl_current_view()->generation;
	assert_int_equal(commit(NULL, 0), NL_NOTHING);
}

static void nobody_can_be_held(void)
{
	nl_n_cpus = 2;
	fg.cpus[1] = (struct nl_cpu){.index = 1, .state = NL_CPU_RUNNING, .root_generation = ~0ULL};
	nl_cpus[1] = &fg.cpus[1];
	nl_vendor = &busy;
}

static void comes_unpatched(const char *name, const uint8_t sha[32])
{
	struct fm a = comes(name, 0, 0, 0);

	assert_int_equal(told_coming(&a), 0);
	assert_int_equal(looks(&a), ORIGINAL);
	assert_int_equal(module_of(sha, 0)->state, NL_MODULE_UNPATCHED);
	leaves_memory(&a);
}

/* Who can make one module come again and again, and keeps others from being held or stands in what is left, does harm
 * to that module alone. */
static void its_own_share(void **state)
{
	uint8_t two[1][32];
	uint64_t *stack;
	unsigned how, i;

	(void)state;
	for (how = 0; how < 2; how++) {
		on(0);
		leaf_module("two", "beta", 0);
		assert_int_equal(verify_leaf(two[0]), NL_OK);
		{
			uint8_t both[2][32];

			memcpy(both[0], one[0], 32);
			memcpy(both[1], two[0], 32);
			assert_int_equal(commit((const void *)both, 2), NL_OK);
		}
		fg_task("user", 0, 64, &stack);
		memset(stack, 0, 64 * 8);
		if (!how)
			nobody_can_be_held();
		for (i = 0; i < MAX_OWN; i++) {
			struct fm a = comes("alpha", 0, 0, 0);

			assert_int_equal(told_coming(&a), 0);
			assert_int_equal(looks(&a), PATCHED);
			stack[i] = NL_LINUX_ARENA_TEXT + nl_registry_find(one[0])->objects[1].text.offset + 8;
			leaves_memory(&a);
		}
		comes_unpatched("alpha", one[0]);
		reload_it("beta", MAX_OWN, NULL);
		memset(stack, 0, 64 * 8); /* they go; all can be held again */
		nl_n_cpus = 1;
		reload_it("beta", 20, NULL);
		reload(20, NULL);
		teardown(state);
		module_setup(state);
	}
}

/* However much is left behind, what is bound can be left behind as well. */
static void never_too_much_left_behind(void **state)
{
	static char names[MAX_STALE / MAX_OWN][8];
	static const char *const others[] = {"beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"};
	struct nl_leaf_object objects[7];
	uint8_t sha[5][32];
	struct fm all[7];
	unsigned i, j;

	(void)state;
	on(0);
	memcpy(sha[0], one[0], 32);
	for (i = 0; i < 4; i++) {
		char id[] = {'l', (char)('0' + i), 0};

		for (j = 0; j < 7; j++) {
			snprintf(names[7 * i + j], sizeof(names[0]), "m%u", 7 * i + j);
			objects[j] = fm_object(names[7 * i + j], 0);
		}
		leaf_modules(id, 1, objects, 7, 0);
		assert_int_equal(verify_leaf(sha[i + 1]), NL_OK);
	}
	assert_int_equal(commit((const void *)sha, 5), NL_OK);
	nobody_can_be_held();
	for (i = 0; i < NL_ARRAY_SIZE(names); i++)
		reload_it(names[i], MAX_OWN - !i, NULL);
	for (i = 0; i < 7; i++) {
		objects[i] = fm_object(others[i], 0);
		all[i] = comes(others[i], 0, i, i);
	}
	leaf_modules("two", 1, objects, 7, 0);
	assert_int_equal(verify_leaf(sha[1]), NL_EARENA);
	for (i = 0; i < 7; i++)
		leaves_memory(&all[i]);
	assert_int_equal(verify_leaf(sha[1]), NL_OK); /* of modules that are not there */
	reload(1, NULL);                              /* the last that there is place for */
	comes_unpatched("alpha", one[0]);
	nl_n_cpus = 1; /* all CPUs can be held again: it is looked who is inside */
	reload(20, NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, module_setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(comes_and_goes),
	        T(refused_by_another),
	        T(hostile_hints),
	        T(cannot_be_patched),
	        T(in_a_page_of_the_image),
	        T(in_a_poisoned_page),
	        T(each_its_build),
	        T(another_target),
	        T(prepared_is_stale),
	        T(note_of_an_initialiser),
	        T(arena_stays),
	        T(somebody_inside),
	        T(another_kernel),
	        T(its_own_share),
	        T(never_too_much_left_behind),
	};

	return cmocka_run_group_tests_name("module told", tests, NULL, NULL);
}
