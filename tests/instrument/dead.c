// SPDX-License-Identifier: Apache-2.0
/*
 * A guest that can ask for nothing: the core commits by itself, on whatever CPU is on its way into the guest, as it
 * will for an order that is pending. Once told how often (RACES_DEAD), it puts all leaves that it knows on and takes
 * them off again by turns, one try for each NMI that brings a CPU here, and says on the console what became of it.
 * Nothing of the guest's is asked. Where the NMIs come from, and whether the guest gets them besides: enum dead_nmis.
 *
 *   dead: N of M, tries T     one more commit is done
 *   dead: again, ...          this try has not succeeded: by whom
 *   dead: refused N, ...      its time is over: by whom
 */
#include "apic.h"
#include "commit/commit.h"
#include "commit/quiesce.h"
#include "core/core.h"
#include "core/cpu.h"
#include "leaf/registry.h"
#include "races.h"
#include "x86.h"

void dead_deliver_init(struct nl_cpu *cpu);
void cell_pass(const struct nl_cpu *cpu);
void dead_call(struct nl_cpu *cpu, uint32_t commits, uint32_t deadline_ms, enum dead_nmis whose_they_are);

static uint32_t wanted, done, refused; /* by nl_generation_lock */
static uint32_t deadline;
static enum dead_nmis whose;
static bool prepared;
static uint64_t nmis[NL_MAX_CPUS]; /* that each CPU had had */
static bool owed[NL_MAX_CPUS];     /* whose turn it is in a chain: its kick may find it outside of the guest */

static bool try_lock(nl_lock_t *l) { return !__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE); }

static enum nl_err prepare(struct nl_cpu *cpu, const struct nl_context *ctx)
{
	static struct nl_commit_request request;
	uint32_t i;

	request = (struct nl_commit_request){
	        .expected_generation = UINT64_MAX, .deadline_ms = deadline, .flags = NL_COMMIT_AGENTLESS};
	for (i = 0; i < NL_MAX_LEAVES && !(done & 1); i++)
		if (nl_registry[i].used)
			memcpy(request.set[request.count++], nl_registry[i].state.sha256, 32);
	return nl_commit_prepare(cpu, ctx, &request);
}

static void attempt(struct nl_cpu *cpu)
{
	static struct nl_commit_report report;
	struct nl_context ctx;
	enum nl_err err = NL_OK;

	nl_vendor->context(cpu, &ctx);
	if (!prepared)
		err = prepare(cpu, &ctx);
	prepared = !err;
	if (!err)
		err = nl_commit_try(cpu, &ctx, &report);
	if (!err) {
		prepared = false;
		done++;
		nl_log("dead: %u of %u, tries %u\n", done, wanted, report.tries);
	} else if (err == NL_AGAIN) {
		nl_log("dead: again, CPU %u at %lx, pid %u, missing %u\n", report.blocker.cpu, report.blocker.rip,
		       report.blocker.pid, report.blocker.missing);
	} else {
		prepared = false;
		refused++;
		nl_log("dead: refused %u, error %u, CPU %u at %lx, pid %u\n", refused, err, report.blocker.cpu,
		       report.blocker.rip, report.blocker.pid);
	}
}

static void pass_on(const struct nl_cpu *cpu)
{
	unsigned next = cpu->index;

	do
		next = (next + 1) % nl_n_cpus;
	while (!nl_cpus[next] || !nl_cpu_is_running(nl_cpus[next]));
	__atomic_store_n(&owed[next], true, __ATOMIC_SEQ_CST);
	nl_vendor->kick(nl_cpus[next]);
}

/* In the place of apic_deliver_init: all that a CPU does before it looks whether it shall be held. */
void dead_deliver_init(struct nl_cpu *cpu)
{
	bool came = cpu->exits[NL_CAUSE_NMI] != nmis[cpu->index], mine = whose != DEAD_CHAIN;

	cell_pass(cpu);
	apic_deliver_init(cpu);
	nmis[cpu->index] = cpu->exits[NL_CAUSE_NMI];
	if (!mine)
		came = __atomic_load_n(&owed[cpu->index], __ATOMIC_SEQ_CST);
	if (!came || __atomic_load_n(&wanted, __ATOMIC_RELAXED) <= __atomic_load_n(&done, __ATOMIC_RELAXED) ||
	    !nl_cpu_is_running(cpu) || nl_quiesce_pending() || !try_lock(&nl_generation_lock))
		return;
	if (done < wanted)
		attempt(cpu);
	owed[cpu->index] = false;
	nl_unlock(&nl_generation_lock);
	if (whose == DEAD_OURS)
		__atomic_store_n(&cpu->nmi_pending, 0, __ATOMIC_SEQ_CST);
	if (whose == DEAD_CHAIN && done + refused < wanted)
		pass_on(cpu);
}

void dead_call(struct nl_cpu *cpu, uint32_t commits, uint32_t deadline_ms, enum dead_nmis whose_they_are)
{
	nl_lock(&nl_generation_lock);
	done = refused = 0;
	prepared = false;
	deadline = deadline_ms;
	whose = whose_they_are;
	wanted = commits;
	nl_unlock(&nl_generation_lock);
	if (whose == DEAD_CHAIN && commits)
		pass_on(cpu);
}
