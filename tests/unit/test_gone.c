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
/* Another kernel begins where leaves were on (kexec). */
#include "commit_fixture.h"
#include "commit/commit.h"
#include "core/cpu.h"
#include "core/step.h"
#include "leaf/registry.h"
#include "view/current.h"

static unsigned kicks;
static void count_kick(struct nl_cpu *cpu)
{
	(void)cpu;
	kicks++;
}

static uint64_t steps(void)
{
	struct nl_step_record r;
	uint64_t n;

	nl_step_read(UINT64_MAX, &r, &n);
	return n;
}

static struct nl_step_record step_at(uint64_t seq)
{
	struct nl_step_record r;
	uint64_t n;

	assert_true(nl_step_read(seq, &r, &n));
	return r;
}

/* kexec. The copies are the new kernel's memory, and go home before its devices look for it there. The other CPU halts
 * in text that has been written over: it is not asked for anything, and keeps its root until it is started anew; so
 * long nobody commits, who would kick it. */
static void kernel_replaced(void **state)
{
	uint64_t step = steps() + 1;
	const struct nl_vendor watched = {.name = "FAKE", .kick = count_kick}, *before_it = nl_vendor;
	uint8_t sha[1][32], name[20];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	memset(fg_shown(DATA_SITE & ~0xfffULL), 0x77, 4096); /* a new kernel was loaded there */
	memcpy(name, fg_shown(FG_BUILD_ID), 20);
	memset(fg_shown(FG_BUILD_ID), 0x77, 20);
	nl_vendor = &watched;
	fg.cpus[1] =
	        (struct nl_cpu){.index = 1, .state = NL_CPU_RUNNING, .root_generation = fg.cpus[0].root_generation};
	nl_cpus[1] = &fg.cpus[1];
	nl_n_cpus = 2;
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	nl_vendor = before_it;
	assert_int_equal(kicks, 0);
	while (step_at(step).step != NL_STEP_GONE)
		step++;
	assert_int_equal(step_at(step + 1).step, NL_STEP_FLIP);
	assert_int_equal(step_at(step + 1).transaction, step_at(step).transaction);
	assert_int_equal(fg_image(DATA_SITE)[0], 0x77);
	assert_ptr_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE));
	assert_int_equal(nl_registry_count(), 0);
	fg.cpus[0].root_generation = nl_current_view()->generation; /* it has entered */
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_EUNKNOWN_LEAF);
	memcpy(fg_shown(FG_BUILD_ID), name, 20);
	leaf_rodata("other", DATA_SITE + 0x10000, 0x11);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_AGAIN);
	fg.cpus[1].state = NL_CPU_WAIT_SIPI;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
	nl_n_cpus = 1;
	assert_ptr_equal(fg_shown(DATA_SITE + 0x10000), fg_image(DATA_SITE + 0x10000));
}

/* kexec of the same kernel without KASLR: all is where it was, but for processes, which a kernel that begins has none
 * of. A CPU that comes writes LSTAR, too, and ends nothing. */
static void the_same_place(void **state)
{
	uint64_t task = fg_task("init", 0, 0, NULL);
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	assert_int_equal(nl_registry_count(), 1);
	fg_released(task);
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	assert_int_equal(nl_registry_count(), 0);
	assert_ptr_equal(fg_shown(DATA_SITE), fg_image(DATA_SITE));
}

/* A crash kernel begins on the CPU that panicked. */
static void on_any_cpu(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	fg_task("init", 0, 0, NULL);
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	fg.cpus[1].index = 1;
	nl_commit_kernel_gone(&fg.cpus[1], &fg.ctx, fg.ctx.lstar + 1);
	assert_int_equal(nl_registry_count(), 1);
	fg_shown(FG_BUILD_ID)[0] ^= 1;
	nl_commit_kernel_gone(&fg.cpus[1], &fg.ctx, fg.ctx.lstar + 1);
	assert_int_equal(nl_registry_count(), 0);
}

/* Where no kernel is known, LSTAR says little: only the boot CPU writes it once in a kernel's life. */
static void who_says_nothing(void **state)
{
	uint64_t before = steps();

	(void)state;
	fg.cpus[1].index = 1;
	nl_commit_kernel_gone(&fg.cpus[1], &fg.ctx, fg.ctx.lstar + 1);
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar);
	assert_int_equal(steps(), before);
}

/* The first kernel that begins ends none: LSTAR was nobody's. */
static void the_first_kernel(void **state)
{
	uint64_t before = steps();

	(void)state;
	fg.ctx.lstar = 0;
	nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
	assert_int_equal(steps(), before);
}

/* kexec with no leaf ever on: the other CPU halts in text that has been written over all the same, and nobody commits
 * until it is started anew. Nor when there was another kexec meanwhile. */
static void nothing_was_known(void **state)
{
	const struct nl_vendor watched = {.name = "FAKE", .kick = count_kick}, *before_it = nl_vendor;
	uint64_t step = steps() + 1, kicked = kicks;
	uint8_t sha[1][32];
	unsigned i;

	(void)state;
	fg.cpus[1] =
	        (struct nl_cpu){.index = 1, .state = NL_CPU_RUNNING, .root_generation = fg.cpus[0].root_generation};
	nl_cpus[1] = &fg.cpus[1];
	nl_n_cpus = 2;
	nl_vendor = &watched;
	for (i = 0; i < 2; i++) {
		nl_commit_kernel_gone(&fg.cpus[0], &fg.ctx, fg.ctx.lstar + 1);
		assert_int_equal(step_at(step).step, NL_STEP_GONE);
		assert_int_equal(step_at(step + 1).step, NL_STEP_FLIP);
		fg.cpus[0].root_generation = nl_current_view()->generation; /* it has entered */
		leaf_rodata("other", DATA_SITE, 0x11);
		assert_int_equal(verify_leaf(sha[0]), NL_OK);
		assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_AGAIN);
	}
	assert_int_equal(kicks, kicked);
	nl_vendor = before_it;
	fg.cpus[1].state = NL_CPU_WAIT_SIPI;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	assert_int_equal(commit(NULL, 0), NL_OK);
	nl_n_cpus = 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(kernel_replaced, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(the_same_place, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(on_any_cpu, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(who_says_nothing, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(the_first_kernel, setup, teardown),
	                                   cmocka_unit_test_setup_teardown(nothing_was_known, setup, teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
