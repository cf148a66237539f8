// SPDX-License-Identifier: Apache-2.0
/* The timeline: see step.h. */
#include "core/step.h"
#include "core/core.h"
#include "x86.h"

#define STEPS 4096u
#define WRITING UINT64_MAX

static struct nl_step_record ring[STEPS];
static uint64_t newest;
static uint32_t begun, commit, transaction; /* the lock of generations is held where they change */

void nl_step(uint32_t cpu, enum nl_step step, uint64_t value)
{
	uint64_t seq = __atomic_add_fetch(&newest, 1, __ATOMIC_SEQ_CST);
	struct nl_step_record *r = &ring[seq % STEPS];
	uint64_t old = __atomic_load_n(&r->seq, __ATOMIC_RELAXED);

	if (step <= NL_STEP_LAST_FIRST)
		__atomic_store_n(&transaction, ++begun, __ATOMIC_RELAXED);
	if (step == NL_STEP_PREPARE)
		commit = begun;
	/* Who was stopped here while others went all around the ring (SMM, a host below) neither mixes with them nor
	 * undoes what they wrote: of two steps for one place, one is left out. */
	if (old < seq &&
	    __atomic_compare_exchange_n(&r->seq, &old, WRITING, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
		*r = (struct nl_step_record){WRITING,       x86_rdtsc(),
		                             value,         __atomic_load_n(&transaction, __ATOMIC_RELAXED),
		                             (uint16_t)cpu, (uint16_t)step};
		__atomic_store_n(&r->seq, seq, __ATOMIC_RELEASE);
	}
	if (step == NL_STEP_SETTLE) /* a module that came in the midst of a commit: its tries go on */
		__atomic_store_n(&transaction, commit, __ATOMIC_RELAXED);
}

bool nl_step_read(uint64_t seq, void *out, uint64_t *last)
{
	*last = __atomic_load_n(&newest, __ATOMIC_SEQ_CST);
	if (*last >= STEPS && seq <= *last - STEPS)
		seq = *last - STEPS + 1;
	for (seq += !seq; seq <= *last; seq++) {
		const struct nl_step_record *r = &ring[seq % STEPS];

		if (__atomic_load_n(&r->seq, __ATOMIC_ACQUIRE) != seq)
			continue; /* being written, or written over */
		memcpy(out, r, sizeof(*r));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&r->seq, __ATOMIC_RELAXED) == seq)
			return true;
	}
	return false;
}
