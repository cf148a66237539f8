// SPDX-License-Identifier: Apache-2.0
/*
 * Commits that nobody calls for: what an order or a clock wants of the core, made without an agent on whatever CPU is
 * on its way into the guest, again and again until it is done or given up. Who makes them: exits/own.h.
 */
#pragma once

#include "vendor.h"
#include "leaf/entry.h"
#include <newleaf/errors.h>

/* One who may want something. Both with the commit lock. */
struct nl_wish {
	/* On a CPU that is about to enter the guest in *ctx, at any CPL. NL_OK: *set, a bit per entry of the registry;
	 * *last: for the last time. NL_NOTHING: nothing is wanted. NL_AGAIN: not yet. Else: done() is told. May do a
	 * slice of work. */
	enum nl_err (*wants)(const struct nl_context *ctx, uint32_t applied, uint32_t *set, bool *last);
	/* What became of it: NL_OK, NL_NOTHING if it was so already, or by what it was refused. */
	void (*done)(enum nl_err err);
	const uint32_t *confirm_ms; /* while it wants something: on probation for so long; NULL: not */
};

/* When somebody may want something, by the TSC; UINT64_MAX: nobody does. */
extern uint64_t nl_own_due;

/* What may be otherwise at the next try: a module came or went, a scan took too long, a probe stands there. */
static inline bool nl_own_passes(enum nl_err err)
{
	return err == NL_ESTALE || err == NL_EDEADLINE || err == NL_EPROBED;
}

/* From this moment on, or from one before; 0: now. Needs no lock. */
static inline void nl_own_soon(uint64_t tsc)
{
	uint64_t due = __atomic_load_n(&nl_own_due, __ATOMIC_RELAXED);

	while (tsc < due &&
	       !__atomic_compare_exchange_n(&nl_own_due, &due, tsc, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

/*
 * Probation (trial.c): what nobody confirms in time is taken back by such a commit; and from its flip on a mark in
 * nl_kept sees to it that a machine that it takes along does not put it on in its next boot. With the commit lock.
 */
extern const struct nl_wish nl_trial_wish;

/* What the commit that is prepared puts on is on probation for so long, as it was asked for or ordered, if that is not
 * 0, or as authors or the policy say: the shortest counts. NL_EPOLICY: the policy knows no probation. */
enum nl_err nl_trial_plan(uint32_t fresh, uint64_t asked_ms, uint64_t ordered_ms);
void nl_trial_begin(uint32_t fresh); /* in the window, behind all that can fail, and before the flip */

/* It is confirmed, or off. NL_NOTHING: it was on no probation. NL_ETRIAL: its time has come, and the mark stays.
 * NL_EUNKNOWN_LEAF: it is none. */
enum nl_err nl_trial_over(struct nl_entry *e);
enum nl_err nl_trial_confirm(const uint8_t sha256[32]); /* the same of that leaf; journaled if it is not */

extern uint32_t nl_trial_clock; /* how often the guest has set a TSC: what is on probation then has come; no lock */
