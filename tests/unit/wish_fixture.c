// SPDX-License-Identifier: Apache-2.0
/* See wish_fixture.h. */
#include "wish_fixture.h"
#include "commit/generation.h"
#include "core/journal.h"
#include "exits/own.h"
#include "view/current.h"

int stopped(void **state)
{
	uint64_t task, *stack;

	machine(state);
	task = fg_task("stopped", 0, 8, &stack);
	fg_task_on_cpu(task, true);
	fg_current(0, task);
	fg.cpus[0].gprs.rsp = FG_DIRECT + (uint64_t)((uint8_t *)stack - fg.ram);
	fg.ctx.cpl = 0;
	fg.ctx.rip = FG_LINK + SLIDE + 0x8123;
	return 0;
}

unsigned pass(void)
{
	unsigned n = 0;

	for (; n < 100 && nl_own_due != UINT64_MAX; n++) {
		seam_tsc += SECOND;
		nl_own_commit(&fg.cpus[0]);
		fg.cpus[0].root_generation = nl_current_view()->generation;
	}
	return n;
}

void try_after(uint64_t ticks)
{
	seam_tsc += ticks;
	nl_own_due = 0;
	nl_own_commit(&fg.cpus[0]);
}

unsigned journaled(enum nl_err err)
{
	struct nl_journal_entry e = {0};
	uint64_t seq = 0, last;
	unsigned n = 0;

	while (nl_journal_read(seq + 1, &e, &last)) {
		seq = e.seq;
		n += e.event == NL_EV_ORDER && e.error == err;
	}
	return n;
}

unsigned on(void) { return (unsigned)__builtin_popcount(nl_generation_current()->applied); }

void boot_with(unsigned leaves)
{
	standing(4);
	if (leaves)
		entry(NL_ORDER_LEAF, alpha);
	if (leaves == BOTH)
		entry(NL_ORDER_LEAF, beta);
	sign();
	into(0);
	assert_int_equal(launched(4), NL_OK);
	assert_int_equal(nl_standing.carried, NL_AGAIN);
}
