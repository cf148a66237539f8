// SPDX-License-Identifier: Apache-2.0
// sources: hv/commit/commit.c hv/commit/generation.c hv/commit/gone.c hv/commit/module.c hv/core/step.c
// sources: hv/commit/request.c hv/commit/window.c hv/commit/plan.c hv/commit/quiesce.c hv/leaf/registry.c
// sources: hv/commit/order.c hv/commit/standing.c hv/exits/own.c hv/leaf/order.c
// sources: hv/leaf/bind.c hv/leaf/room.c hv/leaf/witness.c
// sources: hv/guest/guest.c hv/guest/guestmem.c hv/guest/linux/kernel.c hv/guest/linux/tasks.c
// sources: hv/guest/linux/held.c hv/guest/linux/hidden.c
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
 * Commits for which nobody has gathered the CPUs. The one CPU there is asks from CPL 0, as if it were stopped on its
 * way into the guest: where it stands is judged like where any other does (test_held.c has that rule).
 */
#include "commit_fixture.h"
#include "commit/commit.h"
#include "guest/linux/linux.h"
#include "leaf/registry.h"
#include "x86.h"

#define ELSEWHERE (FG_LINK + SLIDE + 0x8123)

static uint64_t *mine; /* the stack of the task that has the CPU */

static int stopped(void **state)
{
	uint64_t task;

	setup(state);
	task = fg_task("stopped", 0, 8, &mine);
	fg_task_on_cpu(task, true);
	fg_current(0, task);
	fg.cpus[0].gprs.rsp = FG_DIRECT + (uint64_t)((uint8_t *)mine - fg.ram);
	fg.ctx.cpl = 0;
	fg.ctx.rip = ELSEWHERE;
	commit_flags = NL_COMMIT_AGENTLESS;
	return 0;
}

static void every_leaf_is_strict(void **state)
{
	uint64_t *stack;
	uint8_t sha[1][32];

	(void)state;
	fg_task("sleeper", 0, 8, &stack);
	leaf_text_and_data("body", 1);
	m.header.consistency = NL_CONSISTENCY_MIXABLE;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	stack[5] = FG_LINK + SLIDE + FUNC + 0x40;
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	assert_string_equal(commit_report()->blocker.comm, "sleeper");
	stack[5] = 0;
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(commit_report()->level, NL_LEVEL_TASK);
	assert_int_equal(commit_report()->old_tasks, 0);
	assert_int_equal(commit_report()->flags, NL_COMMIT_AGENTLESS);
	/* and taken back, with somebody in the body */
	stack[5] = NL_LINUX_ARENA_TEXT + nl_registry[0].objects[0].text.offset + 4;
	assert_int_equal(prepare(NULL, 0, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	stack[5] = 0;
	assert_int_equal(try_it(), NL_OK);
}

static void where_it_stands(void **state)
{
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	fg.ctx.rip = FG_LINK + SLIDE + FG_SWITCH + 8;
	was = before();
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_AGAIN);
	assert_int_equal(commit_report()->blocker.cpu, 0);
	assert_int_equal(commit_report()->blocker.rip, fg.ctx.rip);
	assert_string_equal(commit_report()->blocker.comm, "stopped");
	seam_tsc += 2000000000; /* past the deadline, that is the answer */
	assert_int_equal(try_it(), NL_ESTANDS);
	unchanged(was);
	fg.ctx.rip = ELSEWHERE;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
	fg.ctx.rip = NL_LINUX_ARENA_TEXT + nl_registry[0].objects[0].text.offset + 4; /* in the body */
	assert_int_equal(commit(NULL, 0), NL_AGAIN);
	fg.ctx.rip = ELSEWHERE;
	assert_int_equal(try_it(), NL_OK);
}

static void only_if_asked(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	commit_flags = 0;
	mine[2] = FG_LINK + SLIDE + FUNC + 0x40; /* an ordinary leaf would pass it by */
	assert_int_equal(commit((const void *)sha, 1), NL_AGAIN);
	mine[2] = 0;
	assert_int_equal(try_it(), NL_AGAIN);
	fg.ctx.cpl = 3;
	fg.ctx.rip = FG_USER;
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(commit_report()->flags, 0);
}

static void flags(void **state)
{
	uint8_t sha[1][32];

	(void)state;
	leaf_text_and_data("body", 1);
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	commit_flags = 2;
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_EUSAGE);
	commit_flags = NL_COMMIT_AGENTLESS;
	nl_boot.facts.policy.guest_may &= ~(uint32_t)NL_GUEST_MAY_AGENTLESS;
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_EPOLICY);
	nl_boot.facts.policy.guest_may |= NL_GUEST_MAY_AGENTLESS;
	fg.target.nowhere[0].size = 0; /* the leaf's own copy says enough */
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
}

/* A leaf whose author did not find what must be known: said, and nothing changed. */
static void unknown(void **state)
{
	uint8_t sha[1][32];
	struct moment was;

	(void)state;
	leaf_text_and_data("body", 1);
	m.header.target.irq_stack = 0;
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	was = before();
	assert_int_equal(try_it(), NL_EUNSUPPORTED);
	was.free_pages = nl_pool_free_pages();
	unchanged(was);
	commit_flags = 0;
	fg.ctx.cpl = 3;
	assert_int_equal(commit((const void *)sha, 1), NL_OK);
}

/* Another way to stop the CPUs is another commit, half made or not. */
static void asked_for_anew(void **state)
{
	uint8_t sha[1][32];
	unsigned i;

	(void)state;
	leaf_rodata("many", 0x200100, 1);
	for (i = 1; i < 20; i++) {
		m.sites[i] = m.sites[0];
		m.sites[i].offset += (uint32_t)(i * NL_PAGE_SIZE);
		memcpy(m.bytes + m.n_bytes, fg_image(0x200100 + i * NL_PAGE_SIZE), m.sites[0].len);
		m.sites[i].expected = m.n_bytes;
		m.n_bytes += m.sites[0].len;
		memcpy(m.bytes + m.n_bytes, m.bytes + m.sites[0].fresh, m.sites[0].len);
		m.sites[i].fresh = m.n_bytes;
		m.n_bytes += m.sites[0].len;
		m.n_sites++;
	}
	assert_int_equal(verify_leaf(sha[0]), NL_OK);
	commit_flags = 0;
	assert_int_equal(prepare_some((const void *)sha, 1, UINT64_MAX), NL_AGAIN);
	commit_flags = NL_COMMIT_AGENTLESS;
	assert_int_equal(prepare((const void *)sha, 1, UINT64_MAX), NL_OK);
	assert_int_equal(try_it(), NL_OK);
	assert_int_equal(commit_report()->flags, NL_COMMIT_AGENTLESS);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, stopped, teardown)
	const struct CMUnitTest tests[] = {
	        T(every_leaf_is_strict), T(where_it_stands), T(only_if_asked), T(flags), T(unknown), T(asked_for_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
