// SPDX-License-Identifier: Apache-2.0
/* The core's own commits: see own.h. */
#include "commit/own.h"
#include "commit/commit.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "x86.h"

#define FIRST_US 1000u /* until an exit tries again; doubled up to the last */
#define LAST_US 64000u

static const struct nl_wish *const wishes[] = {&nl_order_wish}; /* the first that wants something is heard */
static uint64_t pause_us;
uint64_t nl_own_due = UINT64_MAX;

void nl_own_soon(uint64_t tsc)
{
	pause_us = FIRST_US;
	if (tsc < nl_own_due)
		__atomic_store_n(&nl_own_due, tsc, __ATOMIC_RELAXED);
}

void nl_own_commit(struct nl_cpu *cpu)
{
	uint64_t due = UINT64_MAX;
	struct nl_context ctx;
	uint32_t set = 0;
	bool last = false;

	if (!nl_trylock(&nl_generation_lock))
		return;
	nl_vendor->context(cpu, &ctx);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(wishes) && due; i++) {
		enum nl_err err = wishes[i]->wants(&ctx, nl_generation_current()->applied, &set, &last);

		if (err == NL_OK && (err = nl_commit_own(cpu, &ctx, set, last)) != NL_AGAIN) {
			wishes[i]->done(err);
			due = 0; /* for others */
		}
		if (err == NL_AGAIN)
			due = x86_rdtsc() + nl_us_to_tsc(pause_us);
	}
	pause_us = pause_us < LAST_US ? 2 * pause_us : pause_us;
	__atomic_store_n(&nl_own_due, due, __ATOMIC_RELAXED);
	nl_unlock(&nl_generation_lock);
}
