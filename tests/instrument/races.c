// SPDX-License-Identifier: Apache-2.0
/*
 * Race hunting in the product's own core (races.h): CPUs are late by chance at every step of a transaction, where they
 * are kicked and where they look which generation is current; and once, behind a step that is named, something fails.
 * The core's files are compiled unchanged; rules.mk renames what they call:
 *
 *   hv/commit/, hv/exits/exit.c    nl_step
 *   hv/exits/exit.c                nl_hypercall, nl_commit_told
 *   hv/commit/commit.c             nl_pool_page
 *   hv/view/base.c                 nl_pool_tables
 *   hv/commit/quiesce.c            nl_vendor (answers.h)
 *   who looks into the guest       x86_copy_safe, x86_load_safe (fails.h)
 *
 * Until it is told something, it does what the product does.
 */
#include "races.h"
#include "commit/commit.h"
#include "commit/quiesce.h"
#include "core/clock.h"
#include "core/core.h"
#include "core/pool.h"
#include "core/step.h"
#include "exits/hypercall.h"
#include "fails.h"
#include "x86.h"

#define LATE_US 5000000u /* a freeze that has not given up by then never does */

/* Declared here, since the core's headers know no renamed function. */
void race_step(uint32_t cpu, enum nl_step step, uint64_t value);
bool race_hypercall(struct nl_cpu *cpu, const struct nl_context *ctx, enum nl_proof proof);
unsigned race_told(struct nl_cpu *self, const struct nl_context *ctx);
void *race_pool_page(void);
const struct nl_vendor *race_vendor(void);
void race_dawdle(void);
void race_exits(const struct nl_cpu *cpu);
void race_call(struct nl_cpu *cpu);
void dead_call(struct nl_cpu *cpu, uint32_t commits, uint32_t deadline_ms, enum dead_nmis whose_they_are);

static uint32_t stale;           /* exits of CPUs that were in the guest with another generation than the current one */
static bool inside[NL_MAX_CPUS]; /* in a call of the guest's */

/* --- Delays --- */

static struct {
	uint32_t seed, one_in;       /* 0: nowhere */
	uint32_t count[NL_MAX_CPUS]; /* places that this CPU has passed */
	uint32_t delays, turns;      /* in all; turns in thousands */
} late;

static uint64_t mixed(uint64_t x) /* splitmix64 */
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Drawn from (seed, CPU, how many places it has passed): mostly nothing, else 10^2 to 10^6 instructions, each power as
 * likely as the other. With pauses: an emulator that runs the CPUs in turns goes to the next one there. */
void race_dawdle(void)
{
	static const uint32_t powers[] = {50, 500, 5000, 50000}; /* two instructions each turn */
	uint32_t cpu = nl_this_cpu()->index, one_in = late.one_in, n;
	uint64_t drawn;

	if (!one_in)
		return;
	drawn = mixed((uint64_t)late.seed << 32 ^ mixed((uint64_t)cpu << 32 | late.count[cpu]++));
	if (drawn % one_in)
		return;
	drawn = mixed(drawn);
	n = powers[drawn % NL_ARRAY_SIZE(powers)] * (1 + (uint32_t)(drawn >> 32) % 10);
	__atomic_add_fetch(&late.delays, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&late.turns, (n + 999) / 1000, __ATOMIC_RELAXED);
	for (; n; n--) {
		if (n % 500 == 0)
			x86_pause();
		__asm__ volatile("");
	}
}

/* --- Faults --- */

static struct {
	enum races_fault kind;
	uint32_t step, nth; /* the nth behind the step fails; 0: none */
	uint32_t piece;     /* behind which step the transaction is */
	uint32_t count;     /* of what could have failed there */
	uint32_t most[NL_N_STEPS + 1];
	bool met;
} fault;

/* One more of what could fail, here: is it the one? */
static bool fails(enum races_fault kind)
{
	if (__atomic_load_n(&fault.kind, __ATOMIC_ACQUIRE) != kind)
		return false;
	fault.count++;
	if (fault.count > fault.most[fault.piece])
		fault.most[fault.piece] = fault.count;
	if (fault.piece != fault.step || fault.count != fault.nth)
		return false;
	fault.met = true;
	fault.kind = RACES_NOTHING;
	return true;
}

/* Of the transaction: what other CPUs look at meanwhile is another matter. */
static bool own_fails(enum races_fault kind)
{
	return fault.kind == kind && inside[nl_this_cpu()->index] && fails(kind);
}

bool race_look_fails(void) { return own_fails(RACES_LOOK); }

void *race_pool_page(void) { return own_fails(RACES_PAGE) ? NULL : nl_pool_page(); }

static void *table_map(hpa_t table) { return nl_pool_tables.map(table); }
static void table_release(hpa_t table) { nl_pool_tables.release(table); }
static bool table_alloc(hpa_t *out) { return !own_fails(RACES_PAGE) && nl_pool_tables.alloc(out); }
extern const struct nl_table_ops race_pool_tables;
const struct nl_table_ops race_pool_tables = {.map = table_map, .alloc = table_alloc, .release = table_release};

/* Answers of all CPUs are counted, one at a time. */
static bool answer_fails(enum races_fault kind)
{
	static nl_lock_t lock;
	bool met;

	if (fault.kind != kind)
		return false;
	nl_lock(&lock);
	met = fails(kind);
	nl_unlock(&lock);
	return met;
}

static void context(struct nl_cpu *cpu, struct nl_context *out)
{
	race_dawdle();
	nl_vendor->context(cpu, out);
	if (!answer_fails(RACES_REFUSE))
		return;
	out->cpl = 0;
	out->halted = false;
	out->rip = 0; /* behind no instruction that waits */
}

static void kick(struct nl_cpu *target)
{
	race_dawdle();
	nl_vendor->kick(target);
	race_dawdle();
}

const struct nl_vendor *race_vendor(void)
{
	static struct nl_vendor own;
	static enum { NONE, BEING_MADE, MADE } state;
	int none = NONE;

	if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == MADE)
		return &own;
	if (!__atomic_compare_exchange_n((int *)&state, &none, BEING_MADE, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return nl_vendor;
	own = *nl_vendor;
	own.context = context;
	own.kick = kick;
	__atomic_store_n(&state, MADE, __ATOMIC_RELEASE);
	return &own;
}

/* --- Steps --- */

/* Said by whoever is in a call: another piece begins. Answers of the others are counted all through. */
static void turn(enum nl_step step)
{
	if (fault.kind == RACES_REFUSE || fault.kind == RACES_LATE)
		return;
	fault.piece = step;
	fault.count = 0;
}

/* The answer is given when nobody waits for it any more. */
static void be_late(void)
{
	uint64_t end = x86_rdtsc() + nl_us_to_tsc(LATE_US);

	while (nl_quiesce_pending() && x86_rdtsc() < end)
		x86_pause();
}

void race_step(uint32_t cpu, enum nl_step step, uint64_t value)
{
	race_dawdle();
	nl_step(cpu, step, value);
	if (inside[nl_this_cpu()->index])
		turn(step);
	if ((step == NL_STEP_HELD || step == NL_STEP_REFUSED) && answer_fails(RACES_LATE))
		be_late();
	race_dawdle();
}

bool race_hypercall(struct nl_cpu *cpu, const struct nl_context *ctx, enum nl_proof proof)
{
	bool taken;

	inside[cpu->index] = true;
	taken = nl_hypercall(cpu, ctx, proof);
	inside[cpu->index] = false;
	return taken;
}

unsigned race_told(struct nl_cpu *self, const struct nl_context *ctx)
{
	unsigned further;

	inside[self->index] = true;
	further = nl_commit_told(self, ctx);
	inside[self->index] = false;
	return further;
}

/* Nobody is held between his exit and here, so nothing has flipped since he was in the guest: unless he went there with
 * an old root behind a flip. A kernel that is gone takes its leaves along without a freeze. */
void race_exits(const struct nl_cpu *cpu)
{
	if (cpu->root_generation != nl_current_view()->generation)
		__atomic_add_fetch(&stale, 1, __ATOMIC_RELAXED);
}

/* --- The leaf --- */

static void arm(uint32_t kind, uint32_t step, uint32_t nth)
{
	__atomic_store_n(&fault.kind, RACES_NOTHING, __ATOMIC_SEQ_CST);
	fault.step = step;
	fault.nth = nth;
	fault.piece = RACES_BEGIN;
	fault.count = 0;
	memset(fault.most, 0, sizeof(fault.most));
	fault.met = false;
	__atomic_store_n(&fault.kind, kind < RACES_FAULTS ? kind : RACES_NOTHING, __ATOMIC_SEQ_CST);
}

void race_call(struct nl_cpu *cpu)
{
	struct nl_gprs *g = &cpu->gprs;

	switch ((enum races_call)g->rcx) {
	case RACES_DELAYS:
		late.one_in = 0;
		late.seed = (uint32_t)g->rbx;
		late.delays = late.turns = 0;
		memset(late.count, 0, sizeof(late.count));
		__atomic_store_n(&late.one_in, (uint32_t)g->rdx, __ATOMIC_SEQ_CST);
		break;
	case RACES_FAULT:
		arm((uint32_t)g->rbx, (uint32_t)g->rsi, (uint32_t)g->rdx);
		break;
	case RACES_TOLD:
		g->rbx = fault.met;
		g->rcx = g->rsi <= RACES_BEGIN ? fault.most[g->rsi] : 0;
		g->rdx = late.delays;
		g->rsi = late.turns;
		g->rdi = stale;
		break;
	case RACES_DEAD:
		dead_call(cpu, (uint32_t)g->rbx, (uint32_t)g->rdx, (enum dead_nmis)g->rsi);
		break;
	default:
		break;
	}
	g->rax = RACES_PRESENT;
}
