// SPDX-License-Identifier: Apache-2.0
/* The core's own commits: see own.h. */
#include "exits/own.h"
#include "commit/commit.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "commit/standing.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "x86.h"

#define FIRST_US 1000u /* until an exit tries again; doubled up to the last */
#define LAST_US 64000u
#define SHARE 8u /* nor before so many times what a try took: whoever stands in the way may do so for ever */

/* The first that wants something is heard. */
static const struct nl_wish *const wishes[] = {&nl_trial_wish, &nl_order_wish, &nl_standing_wish};
static uint64_t pause_us = FIRST_US;
uint64_t nl_own_due = UINT64_MAX;

void nl_own_commit(struct nl_cpu *cpu)
{
	uint64_t due = UINT64_MAX, start = x86_rdtsc(), pause, spent;
	struct nl_context ctx;

	/* Who has met poison reads nothing: the guest's first. */
	if (cpu->mc_pending || !nl_trylock(&nl_generation_lock))
		return;
	/* Before what anybody wants is read: who sets a clock counts it first, and has no lock (msr.c). */
	__atomic_store_n(&nl_own_due, UINT64_MAX, __ATOMIC_SEQ_CST);
	nl_vendor->context(cpu, &ctx);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(wishes) && due; i++) {
		bool last = false;
		uint32_t set = 0;
		enum nl_err err = wishes[i]->wants(&ctx, nl_generation_current()->applied, &set, &last);

		if (err == NL_NOTHING)
			continue;
		err = err ? err
		          : nl_commit_own(cpu, &ctx, set, wishes[i]->confirm_ms ? *wishes[i]->confirm_ms : 0, last);
		if (err && cpu->mc_pending) /* it could not read on */
			err = NL_AGAIN;
		if (err != NL_AGAIN)
			wishes[i]->done(err);
		/* once it is done, others may want something of the new generation */
		pause = nl_us_to_tsc(pause_us);
		spent = SHARE * (x86_rdtsc() - start);
		if (err != NL_NOTHING)
			due = err ? x86_rdtsc() + (pause > spent ? pause : spent) : 0;
	}
	/* Again from the shortest on when nobody wants anything, or at once. */
	pause_us = due + 1 < 2 ? FIRST_US : pause_us < LAST_US ? 2 * pause_us : pause_us;
	nl_own_soon(due);
	nl_unlock(&nl_generation_lock);
}
