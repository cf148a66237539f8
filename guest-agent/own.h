// SPDX-License-Identifier: Apache-2.0
/*
 * What the agent itself saw of its commits: when it gathered the CPUs, when each arrived in user mode and left again,
 * and how each try ended. The hypervisor's ring (newleaf/steps.h) has the rest, by the same clock: no core of this
 * project gives the guest another TSC than its own. The newest are kept; a command may hand them on to the next one.
 */
#ifndef NEWLEAF_OWN_H
#define NEWLEAF_OWN_H

#include <newleaf/bootblock.h>
#include <newleaf/hypercall.h>

#define NL_OWN_MAGIC 0x316e776f666c6e00ULL
#define NL_OWN_STEPS 2048u
#define NL_OWN_TRIES 128u

/* In user space; on the timeline beside enum nl_step. */
enum nl_own_kind { NL_OWN_GATHER, NL_OWN_ARRIVE, NL_OWN_LEAVE, NL_N_OWN };

struct nl_own_step {
	uint64_t tsc;
	uint32_t gather; /* names the gather */
	uint16_t cpu;
	uint16_t kind; /* enum nl_own_kind */
};

struct nl_own_try {
	uint64_t begin, end; /* TSC: of the gather, and of the answer */
	uint64_t rip, site_va;
	uint32_t error;    /* enum nl_err of TRY */
	uint32_t gathered; /* 0: a CPU was missing: `cpu`, and who ran there */
	uint32_t cpu;      /* UINT32_MAX = none */
	uint32_t pid;
	char comm[16];
};

/* Rings: number n, from 0, lies at n % their length. */
struct nl_own {
	uint64_t magic;
	uint8_t boot_id[16];
	uint32_t n_steps, n_tries;
	uint32_t last, base; /* names of gathers: the last one; this process's begin behind `base` */
	struct nl_own_step steps[NL_OWN_STEPS];
	struct nl_own_try tries[NL_OWN_TRIES];
};
extern struct nl_own nl_own;

/* `round`: of this process. Any thread at any time; it takes no fault if nl_own_touch was called. */
void nl_own_step(enum nl_own_kind kind, uint64_t tsc, uint32_t cpu, uint32_t round);
void nl_own_touch(void);
struct nl_own_try *nl_own_try(uint64_t begin); /* the next one, ended now, with no blocker */
uint64_t nl_own_now(void);

/*
 * For so many ticks a call took the CPU from everybody at the most: `taken` by its own two readings of the TSC, between
 * which others may have run when it was over; and what this thread had of the time around it, `mine` of `wall`
 * nanoseconds, which were `ticks`.
 */
uint64_t nl_own_taken(uint64_t taken, uint64_t ticks, uint64_t mine, uint64_t wall);

/* Go on behind what an earlier command saw on this boot. What makes no sense is not taken. */
bool nl_own_take(const struct nl_own *earlier, const uint8_t boot_id[16]);

#endif
