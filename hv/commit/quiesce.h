// SPDX-License-Identifier: Apache-2.0
/*
 * The freeze is a try-lock on all CPUs at once: kick everybody, wait a short inner limit, and if one CPU is late or
 * stands where the switch is not safe, let everybody go again. No CPU is ever held while another is awaited beyond that
 * limit: holding one CPU for long deadlocks a guest that waits for its IPI.
 */
#pragma once

#include "guest/guest.h"
#include "vendor.h"

/*
 * How long the first CPU may be held while the last is awaited. A kick waits for an SMI's end and for the way out of a
 * deep C-state, and nobody says how long these are: the limit doubles after each try in which a CPU was late, up to the
 * highest, and halves after each that succeeded. Emulators schedule their CPUs in slices of milliseconds.
 */
#define NL_FREEZE_LIMIT_US 1000u
#define NL_FREEZE_HIGHEST_US 16000u
#define NL_FREEZE_LIMIT_EMULATED_US 50000u
#define NL_FREEZE_HIGHEST_EMULATED_US 200000u

/*
 * For hv_before_entry, in this order: nl_quiesce_pending, nl_quiesce_answer, compare cpu->root_generation with
 * nl_current_view(), enter. A CPU that becomes NL_CPU_RUNNING stores its state (seq_cst) before it comes here.
 */
bool nl_quiesce_pending(void);
void nl_quiesce_answer(struct nl_cpu *cpu); /* reports where this CPU stands, if asked; returns at once if that is not
                                               good, else when released */

/* Where each CPU stands, valid between nl_freeze = NL_OK and nl_thaw. */
extern struct nl_held nl_held[NL_MAX_CPUS];

struct nl_freeze_result {
	uint32_t held, total;      /* CPUs with the initiator, CPUs that run */
	uint64_t longest_hold_tsc; /* filled by nl_thaw */
	struct nl_blocker blocker; /* NL_AGAIN: who was not good, or how many did not answer */
};

/* NL_OK: every running CPU is held. NL_AGAIN: nobody is. `self` stands well, or is at CPL 0 in a call that waits for
 * us. judged_later: every CPU is held wherever it stands, and the caller changes nothing before a scan has judged them.
 * One initiator at a time.
 */
enum nl_err nl_freeze(struct nl_cpu *self, const struct nl_context *ctx, bool judged_later,
                      struct nl_freeze_result *result);
void nl_thaw(struct nl_cpu *self, struct nl_freeze_result *result);
