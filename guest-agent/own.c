// SPDX-License-Identifier: Apache-2.0
/* The agent's part of a timeline: see own.h. */
#include "own.h"

#include <string.h>

struct nl_own nl_own;

uint64_t nl_own_now(void) { return __builtin_ia32_rdtsc(); }

/* A CPU that takes a page fault is not found in user mode. */
void nl_own_touch(void)
{
	volatile uint8_t *byte = (volatile uint8_t *)&nl_own;

	for (size_t i = 0; i < sizeof(nl_own); i += 4096)
		byte[i] = byte[i]; // NOLINT(misc-redundant-expression)
	byte[sizeof(nl_own) - 1] = byte[sizeof(nl_own) - 1];
}

void nl_own_step(enum nl_own_kind kind, uint64_t tsc, uint32_t cpu, uint32_t round)
{
	uint32_t n = __atomic_fetch_add(&nl_own.n_steps, 1, __ATOMIC_RELAXED);

	if (kind == NL_OWN_GATHER)
		nl_own.last = nl_own.base + round;
	nl_own.steps[n % NL_OWN_STEPS] = (struct nl_own_step){
	        .tsc = tsc, .gather = nl_own.base + round, .cpu = (uint16_t)cpu, .kind = (uint16_t)kind};
}

struct nl_own_try *nl_own_try(uint64_t begin)
{
	struct nl_own_try *t = &nl_own.tries[nl_own.n_tries++ % NL_OWN_TRIES];

	*t = (struct nl_own_try){.begin = begin, .end = nl_own_now(), .cpu = UINT32_MAX};
	return t;
}

uint64_t nl_own_taken(uint64_t taken, uint64_t ticks, uint64_t mine, uint64_t wall)
{
	double own = (double)ticks * (double)mine / (double)wall;

	return mine && mine < wall && own < (double)taken ? (uint64_t)own : taken;
}

static bool makes_sense(const struct nl_own *o)
{
	for (uint32_t i = 0; i < NL_OWN_STEPS && i < o->n_steps; i++)
		if (o->steps[i].kind >= NL_N_OWN || o->steps[i].cpu >= NL_MAX_CPUS)
			return false;
	for (uint32_t i = 0; i < NL_OWN_TRIES && i < o->n_tries; i++)
		if (!memchr(o->tries[i].comm, 0, sizeof(o->tries[i].comm)))
			return false;
	return true;
}

bool nl_own_take(const struct nl_own *earlier, const uint8_t boot_id[16])
{
	bool good = earlier && earlier->magic == NL_OWN_MAGIC &&
	            !memcmp(earlier->boot_id, boot_id, sizeof(earlier->boot_id)) && makes_sense(earlier);

	if (good)
		nl_own = *earlier;
	else
		memset(&nl_own, 0, sizeof(nl_own));
	nl_own.magic = NL_OWN_MAGIC;
	memcpy(nl_own.boot_id, boot_id, sizeof(nl_own.boot_id));
	nl_own.base = nl_own.last;
	return good;
}
