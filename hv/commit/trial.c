// SPDX-License-Identifier: Apache-2.0
/* Probation: see wish.h. */
#include "commit/request.h"
#include "commit/wish.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/journal.h"
#include "core/kept.h"
#include "x86.h"

#define SKEW_US 1000000u /* of two CPUs' clocks. One that is further behind was set back */

uint32_t nl_trial_clock;
static uint64_t planned; /* ticks; 0: what is prepared puts nothing on probation */

static uint64_t shorter(uint64_t a, uint64_t b) { return a - 1 < b - 1 ? a : b; } /* 0 is none */

enum nl_err nl_trial_plan(uint32_t fresh, uint64_t asked_ms, uint64_t ordered_ms)
{
	uint64_t ms = shorter(asked_ms, ordered_ms), most = nl_boot.facts.policy.confirm_ms;
	uint32_t i;

	NL_EACH_LEAF(i, fresh)
		ms = shorter(ms, 1000ULL * nl_registry[i].state.confirm_s);
	planned = nl_us_to_tsc(1000 * (ms < most ? ms : most));
	return ms && !most ? NL_EPOLICY : NL_OK;
}

void nl_trial_begin(uint32_t fresh)
{
	uint32_t i;

	NL_EACH_LEAF(i, planned ? fresh : 0) {
		struct nl_entry *e = &nl_registry[i];

		e->trial_clock = nl_trial_clock;
		e->trial_from = x86_rdtsc() - nl_us_to_tsc(SKEW_US);
		e->state.trial_tsc = (x86_rdtsc() + planned) | 1;
		nl_own_soon(e->state.trial_tsc);
		nl_lock_out(nl_kept->lockouts, e->state.sha256, NL_LOCKOUT_TRIAL);
	}
	if (planned)
		nl_kept_seal();
}

/* Once it has it is so on each CPU, whatever its clock says, and for who reads. */
static bool came(struct nl_entry *e)
{
	uint64_t now = x86_rdtsc(), until = e->state.trial_tsc;

	if (!until || (e->trial_clock == nl_trial_clock && now - e->trial_from < until - e->trial_from))
		return false;
	e->trial_clock = nl_trial_clock - 1;
	e->state.trial_tsc = (int64_t)(until - now) > 0 ? now | 1 : until;
	return true;
}

enum nl_err nl_trial_over(struct nl_entry *e)
{
	if (!e || !e->state.trial_tsc)
		return e ? NL_NOTHING : NL_EUNKNOWN_LEAF;
	if (came(e))
		return NL_ETRIAL;
	e->state.trial_tsc = 0;
	nl_lock_in(nl_kept->lockouts, e->state.sha256, NL_LOCKOUT_TRIAL);
	nl_kept_seal();
	nl_journal(NL_EV_TRIAL, NL_OK, e->state.id, e->state.sha256, e->state.condition, 0);
	return NL_OK;
}

enum nl_err nl_trial_confirm(const uint8_t sha256[32])
{
	struct nl_entry *e = nl_registry_find(sha256);
	enum nl_err err = nl_trial_over(e);

	if (err)
		nl_journal(NL_EV_REFUSED, err, e ? e->state.id : NULL, sha256, 0, 0);
	return err;
}

/* Each try is made as if it were the last, so that the journal names who is in the way, some times in a run. */
static enum nl_err wants(const struct nl_context *ctx, uint32_t applied, uint32_t *set, bool *last)
{
	uint32_t i;

	(void)ctx;
	*last = true;
	*set = applied;
	NL_EACH_LEAF(i, nl_kept->frozen & NL_FROZEN_STOP ? 0 : applied)
		if (came(&nl_registry[i]))
			*set &= ~(1u << i);
		else if (nl_registry[i].state.trial_tsc)
			nl_own_soon(nl_registry[i].state.trial_tsc);
	if (*set == applied)
		return NL_NOTHING;
	*set = nl_request_satisfied(*set); /* else what came later, and needs it, would keep it on */
	return NL_OK;
}

static void done(enum nl_err err) { (void)err; }

const struct nl_wish nl_trial_wish = {.wants = wants, .done = done};
