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
 * The hook that tells of modules: where it is linked and when, what its stub does, and who is believed to be it.
 */
#include "module_fixture.h"
#include "commit/quiesce.h"
#include "core/cpu.h"
#include "x86.h"
#include "commit/commit.h"
#include "core/cpu.h"
#include "guest/linux/linux.h"
#include <sys/mman.h>

#define OWN (NL_REGION_ARENA_DATA - NL_REGION_ARENA_TEXT - NL_ARENA_OWN)
#define STUB (fg.region + NL_REGION_ARENA_TEXT + OWN)
#define BLOCK (fg.region + NL_REGION_ARENA_DATA + OWN)
#define RETURNS 34 /* where the stub does, by a thunk or plainly */

static uint8_t one[1][32];

/* "one" is on: over the image and alpha, which is not there yet. */
static void on(unsigned with)
{
	leaf_module("one", "alpha", with);
	assert_int_equal(verify_leaf(one[0]), NL_OK);
	assert_int_equal(commit((const void *)one, 1), NL_OK);
}

static void hook_is_linked_once(void **state)
{
	uint64_t block[8], other = FG_LINK + SLIDE + FM_OTHER, *chain = fm_chain();
	uint8_t sha[2][32];
	struct moment was;

	(void)state;
	leaf_rodata("none", DATA_SITE, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(*chain, other); /* nobody needs it */
	leaf_module("one", "alpha", WITH_IMAGE);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	was = before();
	*fm_rwsem() = 0x100; /* somebody is being told, or asks to be */
	assert_int_equal(prepare((const void *)sha, 2, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	assert_int_equal(*chain, other);
	assert_int_equal(image_looks(), ORIGINAL);
	*fm_rwsem() = 0;
	assert_int_equal(try_it(), NL_OK);
	assert_true(fm_hooked());
	memcpy(block, BLOCK, sizeof(block));
	assert_int_equal((uint32_t)block[4], 0x7fffffff); /* priority */
	*fm_rwsem() = 0x100;                              /* it is there: no matter */
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit((const void *)sha, 2), NL_OK);
	assert_true(fm_hooked());
	assert_memory_equal(BLOCK, block, sizeof(block));
	free(was.seen);
	free(was.home);
}

/* Somebody came before us since, or took us out. */
static void hook_is_found_again(void **state)
{
	uint64_t ours, theirs = FG_LINK + SLIDE + FM_OTHER + 0x40;

	(void)state;
	on(0);
	ours = *fm_chain();
	memcpy(fg_image(FM_OTHER + 0x40) + fg.target.block_next, &ours, 8);
	*fm_chain() = theirs;
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(commit((const void *)one, 1), NL_OK);
	assert_int_equal(*fm_chain(), theirs);
	*fm_chain() = FG_LINK + SLIDE + FM_OTHER;
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(commit((const void *)one, 1), NL_OK);
	assert_true(fm_hooked());
	memcpy(fg_image(FM_OTHER) + fg.target.block_next, &(uint64_t){FG_LINK + SLIDE + FM_OTHER},
	       8); /* an endless chain */
	*fm_chain() = FG_LINK + SLIDE + FM_OTHER;
	assert_int_equal(commit(NULL, 0), NL_OK);
	assert_int_equal(commit((const void *)one, 1), NL_EKERNEL);
	*fm_chain() = 0xdead000000000100;
	assert_int_equal(commit((const void *)one, 1), NL_EKERNEL);
}

/* The stub as the guest would run it: rax, for that event; *rbx must be kept. `answer`: who is asked says that. */
static uint64_t run_stub(uint64_t event, const uint64_t *answer)
{
	uint8_t *code =
	        mmap(NULL, NL_PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t rax = ~0ULL, rbx = 0x1234567890, rdx = 0x77;
	struct nl_context c = fm_context();
	struct nl_told told;
	struct nl_gprs r = {.rsi = event, .rdx = rdx};

	memcpy(code, STUB, NL_ARENA_OWN);
	assert_true(nl_linux_told(&c, &r, &told));
	assert_int_equal(told.module, rdx);
	assert_int_equal(told.coming, event == FM_COMING);
	code[RETURNS] = 0xc3; /* where it would go to the kernel's thunk */
	if (answer) {         /* the CPUID goes on where the answer is used */
		code[16] = 0xeb;
		code[17] = (uint8_t)(told.further - 2);
		memcpy(code + 12, answer, 4);
	}
	/* as a call would: the red zone is not the stub's */
	__asm__ volatile("sub $256, %%rsp\n\tcall *%4\n\tadd $256, %%rsp"
	                 : "+a"(rax), "+b"(rbx), "+d"(rdx)
	                 : "S"(event), "r"(code)
	                 : "rcx", "rdi", "memory", "cc");
	assert_int_equal(rbx, 0x1234567890);
	munmap(code, NL_PAGE_SIZE);
	return rax;
}

static void stub_runs(void **state)
{
	static const uint8_t opens[] = {0xf3, 0x0f, 0x1e, 0xfa};
	const uint64_t bad = 0x8002, done = 0;

	for (unsigned refuse = 0; refuse < 2; refuse++) {
		int32_t displacement;

		nl_boot.facts.policy.unpatched = refuse ? NL_UNPATCHED_REFUSE : NL_UNPATCHED_LET_IN;
		on(0);
		assert_memory_equal(STUB, opens, 4); /* an indirect call ends there */
		assert_memory_equal(STUB + 16, "\x0f\xa2", 2);
		assert_int_equal(STUB[RETURNS], 0xe9); /* the kernel has a thunk for it */
		memcpy(&displacement, STUB + RETURNS + 1, 4);
		assert_int_equal(NL_LINUX_ARENA_TEXT + OWN + RETURNS + 5 + (uint64_t)(int64_t)displacement,
		                 FG_LINK + SLIDE + FG_THUNK);
		/* nobody answers: coming as the policy has it, going in any case; that it lives is no news */
		assert_int_equal(run_stub(FM_COMING, NULL), refuse ? bad : done);
		assert_int_equal(run_stub(FM_GOING, NULL), done);
		assert_int_equal(run_stub(FM_LIVE, NULL), done);
		assert_int_equal(run_stub(FM_COMING, &bad), bad);
		assert_int_equal(run_stub(FM_COMING, &done), done);
		assert_int_equal(run_stub(FM_GOING, &done), done);
		teardown(state);
		module_setup(state);
	}
}

/* Who may say so: the kernel, at that instruction of that page. */
static void who_is_believed(void **state)
{
	struct nl_gprs *r = &fg.cpus[0].gprs;
	struct nl_context c;
	struct fm a;

	(void)state;
	leaf_module("one", "alpha", WITH_IMAGE);
	assert_int_equal(verify_leaf(one[0]), NL_OK);
	c = fm_context();
	assert_int_equal(nl_commit_told(&fg.cpus[0], &c), 0); /* the arena is not mapped: nobody can stand there */
	assert_int_equal(commit((const void *)one, 1), NL_OK);
	a = comes("alpha", 0, 0, 0);
	for (unsigned i = 0; i < 7; i++) {
		c = fm_context();
		if (i == 0)
			c.cpl = 3;
		if (i == 1)
			c.rip++;
		if (i == 2)
			c.rip = NL_LINUX_ARENA_TEXT;
		if (i == 3)
			c.rip = FG_LINK + SLIDE + 0x100;
		if (i == 4) /* another page stands there */
			((uint64_t *)(void *)fg_image(FG_ARENA_PMD))[508] = FG_KERNEL | 0xe1;
		if (i == 5)
			c.lstar += 0x200000; /* and another kernel */
		if (i == 6) {                /* the page stands somewhere else, too */
			fm_map(FM_SPACE, FG_REGION + NL_REGION_ARENA_TEXT + (OWN & ~NL_PAGE_MASK));
			c.rip = FM_SPACE + (c.rip & NL_PAGE_MASK);
		}
		*r = (struct nl_gprs){.rsi = FM_COMING, .rdx = a.va, .rax = 0x77};
		assert_int_equal(nl_commit_told(&fg.cpus[0], &c), 0);
		assert_int_equal(r->rax, 0x77);
		assert_int_equal(looks(&a), ORIGINAL);
		if (i == 4)
			((uint64_t *)(void *)fg_image(FG_ARENA_PMD))[508] = (FG_REGION + NL_REGION_ARENA_TEXT) | 0xe1;
	}
	assert_int_equal(fm_tell(a.va, FM_COMING), 0);
	assert_int_equal(looks(&a), PATCHED);
}

/* README: a patch that is abandoned has changed not one byte. Somebody is being told of modules all the time. */
static void abandoned_changes_nothing(void **state)
{
	struct moment was;
	uint8_t sha[1][32];

	(void)state;
	leaf_module("one", "alpha", WITH_IMAGE);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	*fm_rwsem() = 0x100;
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	assert_int_equal(commit_report()->blocker.rip, 0); /* nobody is blamed */
	seam_tsc += 3600 * nl_boot.facts.tsc_hz;
	assert_int_equal(try_it(), NL_EDEADLINE);
	was.free_pages = nl_pool_free_pages();
	unchanged(was);
}

/* One of the guest's tables changes before all are held, so that nothing that was seen before is believed. */
static void changes_and_comes(struct nl_cpu *cpu)
{
	uint64_t *table = (uint64_t *)(void *)fg_image(FG_TOP);
	unsigned i;

	for (i = 0; i < 512; i++)
		table[i] |= table[i] & 1 ? 1ULL << 52 : 0; /* ignored by the CPU */
	nl_held[cpu->index] = (struct nl_held){.cpl = 3, .rip = 0x1000};
	cpu->request = (cpu->request & ~3u) | 2;
}

/* What an earlier leaf has mapped stays: somebody may sleep in its body. */
static void abandoned_unmaps_nothing_of_others(void **state)
{
	static const struct nl_vendor vendor = {.name = "FAKE", .paging = "NPT", .kick = changes_and_comes};
	uint64_t *pmd = (uint64_t *)(void *)fg_image(FG_ARENA_PMD), text, data;
	uint8_t sha[2][32];

	(void)state;
	leaf_module("one", "alpha", 0);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	text = pmd[508];
	data = pmd[509];
	assert_true(text && data);
	*fm_chain() = 0; /* the hook is gone: it asks to be told again */
	*fm_rwsem() = 0x100;
	leaf_module("two", "beta", 0);
	assert_int_equal(verify_leaf(sha[1]), NL_OK);
	nl_n_cpus = 2;
	fg.cpus[1] = (struct nl_cpu){.index = 1, .state = NL_CPU_RUNNING, .root_generation = ~0ULL};
	nl_cpus[1] = &fg.cpus[1];
	nl_vendor = &vendor;
	assert_int_equal(prepare((const void *)sha, 2, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	assert_int_equal(pmd[508], text);
	assert_int_equal(pmd[509], data);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, module_setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(hook_is_linked_once), T(hook_is_found_again),       T(stub_runs),
	        T(who_is_believed),     T(abandoned_changes_nothing), T(abandoned_unmaps_nothing_of_others),
	};

	return cmocka_run_group_tests_name("module hook", tests, NULL, NULL);
}
