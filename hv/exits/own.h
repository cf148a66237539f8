// SPDX-License-Identifier: Apache-2.0
/* The core's own commits (commit/wish.h). */
#pragma once

#include "commit/wish.h"
#include "core/clock.h"
#include "core/core.h"
#include "x86.h"

/* Is it time? What is further off than anything can be was said by a clock that is far ahead. */
static inline bool nl_own_come(void)
{
	uint64_t due = __atomic_load_n(&nl_own_due, __ATOMIC_RELAXED), now = x86_rdtsc();

	return now >= due ||
	       (due != UINT64_MAX && due - now > nl_us_to_tsc(1000ULL * nl_boot.facts.policy.confirm_ms + 120000000));
}

/* For hv_before_entry, before nl_quiesce_answer: when nl_own_due says so, makes such a commit or tries to. Without the
 * lock. */
void nl_own_commit(struct nl_cpu *cpu);
