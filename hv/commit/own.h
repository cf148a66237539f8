// SPDX-License-Identifier: Apache-2.0
/*
 * Commits that nobody calls for: what an order or a clock wants of the core, made without an agent on whatever CPU is
 * on its way into the guest, again and again until it is done or given up.
 */
#pragma once

#include "vendor.h"
#include <newleaf/errors.h>

/* One who may want something. Both with the commit lock. */
struct nl_wish {
	/* On a CPU that is about to enter the guest in *ctx, at any CPL. NL_OK: *set, a bit per entry of the registry;
	 * *last: for the last time. NL_NOTHING: nothing is wanted. NL_AGAIN: not yet. May do a slice of work. */
	enum nl_err (*wants)(const struct nl_context *ctx, uint32_t applied, uint32_t *set, bool *last);
	/* What became of it: NL_OK, NL_NOTHING if it was so already, or by what it was refused. */
	void (*done)(enum nl_err err);
};

/* Somebody may want something, from this moment of the TSC on; 0: now. With the commit lock. */
void nl_own_soon(uint64_t tsc);

/* For hv_before_entry, before nl_quiesce_answer: makes such a commit, or tries to, when it is time. Without the lock.
 */
extern uint64_t nl_own_due; /* TSC */
void nl_own_commit(struct nl_cpu *cpu);
