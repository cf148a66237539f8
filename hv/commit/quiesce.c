// SPDX-License-Identifier: Apache-2.0
/*
 * The freeze: see quiesce.h. Each CPU has a ticket word, cpu->request: ticket << 2 | state. The initiator asks by
 * writing it, the CPU answers by compare-and-swap, the initiator withdraws a question by compare-and-swap: exactly one
 * of the two happens, so a late answer belongs to no freeze.
 */
#include "commit/quiesce.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/cpu.h"
#include "core/step.h"
#include "x86.h"

enum { IDLE = 0, ASKED = 1, HELD = 2, REFUSED = 3, STATE = 3 };

struct nl_held nl_held[NL_MAX_CPUS];

static uint32_t armed;    /* ticket of the freeze under way, 0 = none */
static uint32_t ticket;   /* last one given out; the commit lock protects it */
static bool anywhere;     /* where a CPU stands is judged by who freezes */
static unsigned patience; /* how often the limit is doubled */

bool nl_quiesce_pending(void) { return __atomic_load_n(&armed, __ATOMIC_SEQ_CST) != 0; }

static bool stands(struct nl_cpu *cpu, const struct nl_context *ctx) /* well, whoever is in the way? */
{
	struct nl_held *h = &nl_held[cpu->index];

	h->rip = ctx->rip;
	h->rsp = cpu->gprs.rsp;
	h->gprs = &cpu->gprs;
	h->cr3 = ctx->cr3;
	h->cpl = ctx->cpl;
	h->halted = ctx->cpl == 0 && nl_guest_waits(ctx);
	return ctx->cpl == 3 || h->halted;
}

static void note_hold(struct nl_cpu *cpu)
{
	uint64_t held = x86_rdtsc() - cpu->hold_since_tsc;

	if (cpu->hold_since_tsc)
		nl_step(cpu->index, NL_STEP_RESUME, held);
	cpu->hold_since_tsc = 0;
}

/* Answer a question that is still asked. */
static void answer(struct nl_cpu *cpu, uint32_t mine)
{
	uint32_t asked = mine << 2 | ASKED;
	struct nl_context ctx;
	bool good;

	cpu->hold_since_tsc = x86_rdtsc();
	nl_vendor->context(cpu, &ctx);
	good = stands(cpu, &ctx) || anywhere;
	nl_step(cpu->index, good ? NL_STEP_HELD : NL_STEP_REFUSED, mine);
	if (!__atomic_compare_exchange_n(&cpu->request, &asked, mine << 2 | (good ? HELD : REFUSED), false,
	                                 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		nl_step(cpu->index, NL_STEP_LATE, mine);
}

void nl_quiesce_answer(struct nl_cpu *cpu)
{
	uint32_t mine;

	/* A CPU that was not asked has just begun to run and has no state of its own yet: it waits like one that stands
	 * well. */
	while ((mine = __atomic_load_n(&armed, __ATOMIC_SEQ_CST))) {
		uint32_t r = __atomic_load_n(&cpu->request, __ATOMIC_SEQ_CST);

		if (r == (mine << 2 | REFUSED))
			break;
		if (r == (mine << 2 | ASKED))
			answer(cpu, mine);
		x86_pause();
	}
	note_hold(cpu);
}

static bool takes_part(const struct nl_cpu *cpu, const struct nl_cpu *self)
{
	/* Pairs with the CPU's own order: state to RUNNING, then nl_quiesce_pending. */
	return cpu != self && nl_cpu_is_running(cpu);
}

/* Withdraw what is still asked and let everybody go. */
static void release(void)
{
	NL_EACH_CPU(cpu) {
		uint32_t asked = armed << 2 | ASKED;

		__atomic_compare_exchange_n(&cpu->request, &asked, IDLE, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		nl_held[cpu->index].held = false;
	}
	__atomic_store_n(&armed, 0, __ATOMIC_SEQ_CST);
}

/* One look at everybody: how many have not answered; *refused is the first CPU that does not stand well, or -1. */
static unsigned look(uint32_t mine, struct nl_freeze_result *result, int *refused)
{
	unsigned missing = 0;

	*refused = -1;
	result->held = 1;
	NL_EACH_CPU(cpu) {
		uint32_t r = __atomic_load_n(&cpu->request, __ATOMIC_SEQ_CST);

		if (r >> 2 != mine)
			continue;
		if ((r & STATE) == ASKED) {
			if (!missing++)
				result->blocker.cpu = cpu->index;
		} else if ((r & STATE) == HELD) {
			result->held++;
		} else if (*refused < 0) {
			*refused = (int)cpu->index;
		}
	}
	return missing;
}

static uint64_t limit_us(void) { return (nl_emulated ? NL_FREEZE_LIMIT_EMULATED_US : NL_FREEZE_LIMIT_US) << patience; }

static void adapt(bool late)
{
	if (late && limit_us() < (nl_emulated ? NL_FREEZE_HIGHEST_EMULATED_US : NL_FREEZE_HIGHEST_US))
		patience++;
	else if (!late && patience)
		patience--;
}

enum nl_err nl_freeze(struct nl_cpu *self, const struct nl_context *ctx, bool judged_later,
                      struct nl_freeze_result *result)
{
	uint64_t start = x86_rdtsc(), limit = nl_us_to_tsc(limit_us());
	unsigned missing;
	int refused;

	memset(result, 0, sizeof(*result));
	anywhere = judged_later;
	result->blocker.cpu = UINT32_MAX;
	result->total = 1;
	ticket = (ticket + 1) & 0x3fffffff ? (ticket + 1) & 0x3fffffff : 1;
	self->hold_since_tsc = start;
	stands(self, ctx);
	nl_held[self->index].held = true;
	nl_step(self->index, NL_STEP_FREEZE, ticket);
	__atomic_store_n(&armed, ticket, __ATOMIC_SEQ_CST);
	NL_EACH_CPU(cpu) {
		if (!takes_part(cpu, self))
			continue;
		result->total++;
		nl_step(cpu->index, NL_STEP_ASK, ticket);
		__atomic_store_n(&cpu->request, ticket << 2 | ASKED, __ATOMIC_SEQ_CST);
		nl_vendor->kick(cpu);
	}
	while ((missing = look(ticket, result, &refused)) && refused < 0 && x86_rdtsc() - start < limit)
		x86_pause();
	if (refused < 0)
		adapt(missing);
	if (!missing && refused < 0) {
		NL_EACH_CPU(cpu)
			if (cpu->request == (ticket << 2 | HELD))
				nl_held[cpu->index].held = true;
		nl_step(self->index, NL_STEP_WINDOW, ticket);
		return NL_OK;
	}
	if (refused >= 0)
		result->blocker = (struct nl_blocker){
		        .cpu = (uint32_t)refused, .cpl = nl_held[refused].cpl, .rip = nl_held[refused].rip};
	result->blocker.missing = missing;
	nl_step(self->index, NL_STEP_WITHDRAW, ticket);
	release();
	result->longest_hold_tsc = x86_rdtsc() - start;
	note_hold(self);
	return NL_AGAIN;
}

void nl_thaw(struct nl_cpu *self, struct nl_freeze_result *result)
{
	uint64_t now, first = ~0ULL;

	NL_EACH_CPU(cpu)
		if (nl_held[cpu->index].held && cpu->hold_since_tsc < first)
			first = cpu->hold_since_tsc;
	nl_step(self->index, NL_STEP_THAW, ticket);
	release();
	now = x86_rdtsc();
	result->longest_hold_tsc = first < now ? now - first : 0;
	note_hold(self);
}
