// SPDX-License-Identifier: Apache-2.0
/*
 * The transaction between two generations: see commit.h. Every step before the flip can fail and leaves the
 * running generation, and every byte the guest can see, as they were; the flip itself is one store.
 */
#include "commit/commit.h"
#include "commit/generation.h"
#include "commit/order.h"
#include "core/cpu.h"
#include "core/kept.h"
#include "core/journal.h"
#include "core/pool.h"
#include "core/step.h"
#include "commit/quiesce.h"
#include "commit/request.h"
#include "leaf/bind.h"
#include "leaf/floor.h"
#include "commit/window.h"
#include "core/clock.h"
#include "x86.h"

#define PAGES_SLICE 8u         /* per call of PREPARE, some 3,000 instructions each: interrupts are off meanwhile */
#define REHEARSAL_TICKS 40000u /* beyond it the guest has more that waits for a CPU than is worth it */
/* Between two tries of the core's own, doubled up to the last; then it is the guest's turn. */
#define FIRST_PAUSE_US 50u
#define LAST_PAUSE_US 200u
#define SCAN_LIMIT_US 100000u /* the ceiling of a stop: beyond it watchdogs and clocks of the guest begin to suffer */

static struct {
	struct nl_generation *next; /* NULL: nothing is prepared */
	uint32_t made;              /* of the plan's changes: as long as some are left, more calls of PREPARE are due */
	uint64_t begun_tsc, limit_tsc; /* TSC, and how many ticks later it is over */
	enum nl_err late;              /* the answer when the deadline passes: what was in the way last */
	uint32_t orders;               /* nl_order_serial() when it was let in */
	bool agentless;
	bool stale; /* modules or the base have changed since: nothing is prepared any more */
	struct nl_commit_report report;
	struct nl_plan plan;
} tx;

void nl_commit_init(const struct nl_view *base)
{
	tx.next = NULL;
	nl_generation_init(base);
}

/* Drafts of pages that are written in place: no generation has them. */
static void release_drafts(void)
{
	NL_EACH(c, tx.plan.changes, tx.plan.n_changes)
		if (c->in_place && c->to)
			nl_pool_release(c->to);
	tx.plan.n_changes = 0;
}

static void drop(void)
{
	if (tx.next)
		nl_generation_release(tx.next);
	tx.next = NULL;
	tx.stale = false;
	release_drafts();
	nl_pinned = 0;
}

void nl_commit_drop(void)
{
	bool stale = tx.stale || tx.next;

	drop();
	tx.stale = stale;
}

static bool page_has_site(uint64_t gpa, uint32_t set)
{
	uint32_t i;

	NL_EACH_LEAF(i, set)
		NL_EACH(s, nl_registry[i].sites, nl_registry[i].n_sites)
			if (s->len && (s->gpa & ~NL_PAGE_MASK) == gpa)
				return true;
	return false;
}

/* The next generation, with the pages that stay as they are. */
static enum nl_err begin_generation(uint32_t set)
{
	const struct nl_generation *current = nl_generation_current();
	struct nl_generation *g;
	enum nl_err err;
	uint32_t j;

	if ((err = nl_generation_fork(&g)))
		return err;
	tx.next = g;
	tx.made = 0;
	g->applied = set;
	if (tx.plan.shared)
		return NL_ERANGE;
	NL_EACH(page, current->pages, current->n_pages) {
		for (j = 0; j < tx.plan.n_changes && tx.plan.changes[j].gpa != page->gpa; j++)
			;
		if (j == tx.plan.n_changes)
			g->pages[g->n_pages++] = *page;
	}
	return NL_OK;
}

/*
 * A frame for each changed page, and the forked view that shows it; a look at the bytes, before anybody is held for
 * them. One page in the call that plans, then some a call; NL_AGAIN: there are more. What was allocated is in the
 * generation even when this fails.
 */
static enum nl_err make_pages(uint32_t most)
{
	const struct nl_generation *current = nl_generation_current();
	struct nl_generation *g = tx.next;
	uint32_t first = tx.made, end = tx.plan.n_changes;
	enum nl_err err;

	if (end - first > most)
		end = first + most;
	for (; tx.made < end; tx.made++) {
		struct nl_change *c = &tx.plan.changes[tx.made];
		struct nl_shown shown;

		c->from = nl_view_pointer(nl_views(), &current->view, GPA(c->gpa), NL_R);
		c->home = !c->in_place && !page_has_site(c->gpa, g->applied);
		if (!c->from || !nl_view_walk(nl_views(), &current->view, GPA(c->gpa), &shown) ||
		    (c->in_place && shown.at.v != c->gpa))
			return NL_ERANGE;
		c->to = c->home ? nl_phys(HPA(c->gpa)) : nl_pool_page();
		if (!c->to)
			return NL_ENOMEM;
		if (c->in_place)
			continue;
		if (!c->home)
			g->pages[g->n_pages++] = (struct nl_private_page){c->gpa, c->to};
		err = nl_view_set_page(nl_views(), &g->view, &current->view, GPA(c->gpa),
		                       c->home ? HPA(c->gpa) : nl_pool_hpa(c->to), shown.rights);
		if (err)
			return err;
	}
	err = nl_window_build(&tx.plan, first, end, &tx.report.blocker);
	return err ? err : end < tx.plan.n_changes ? NL_AGAIN : NL_OK;
}

/*
 * Modules that have come and gone since their leaves were verified. Of a leaf that is on nothing is bound here, because
 * who binds there writes: what is gone is forgotten. The leaves that change are to have one kernel.
 */
static enum nl_err bind_all(const struct nl_context *ctx, uint32_t set)
{
	const struct nl_generation *current = nl_generation_current();
	uint32_t i;

	NL_EACH_LEAF(i, set ^ current->applied) {
		struct nl_entry *e = &nl_registry[i];
		bool on = set >> i & 1;
		struct nl_kernel kernel;
		enum nl_err err;

		if (e->n_objects < 2)
			continue;
		err = nl_guest_find(ctx, &e->target, &kernel);
		if (!err)
			err = nl_bind(e, NULL, on ? UINT32_MAX : 0, &kernel, &tx.report.blocker);
		for (uint32_t j = 0; !err && on && j < e->facts.n_modules; j++)
			if (e->facts.modules[j].sites && e->facts.modules[j].state == NL_MODULE_OTHER &&
			    nl_boot.facts.policy.unpatched != NL_UNPATCHED_LET_IN)
				err = nl_bind_blames(e, j + 1, NL_EMODULE, &tx.report.blocker);
		if (err)
			return err;
	}
	return NL_OK;
}

/* The kernel is still where it was, and so are the sites. */
static enum nl_err find_kernel(const struct nl_context *ctx, struct nl_kernel *kernel)
{
	enum nl_err err = nl_guest_find(ctx, tx.plan.target, kernel);
	gpa_t gpa;

	NL_EACH(e, tx.plan.edits, err ? 0 : tx.plan.n_edits) /* those in modules: in the window */
		if (!e->site->object && (nl_guest_translate(&kernel->space, GVA(e->site->va), NL_GUEST_READ, &gpa) ||
		                         gpa.v != e->site->gpa))
			return NL_EKERNEL;
	return err;
}

static enum nl_err check_probes(struct nl_kernel *kernel)
{
	static struct nl_scan scan;
	enum nl_err err;

	nl_scan_init(&scan, tx.plan.watches, tx.plan.n_watches);
	err = kernel->os->probes(kernel, &scan);
	if (err)
		tx.report.blocker = scan.blocker;
	return err;
}

/* `may`: what policy or an order lets who asks, bits of enum nl_guest_may. */
static enum nl_err begin(const struct nl_context *ctx, uint32_t set, uint32_t deadline_ms, uint32_t confirm_ms,
                         uint32_t ordered_ms, uint32_t may)
{
	const struct nl_generation *current = nl_generation_current();
	struct nl_kernel kernel;
	enum nl_err err;

	if (set == current->applied)
		return NL_NOTHING;
	if ((err = nl_request_check(current->applied, set, may, &tx.report.blocker)) ||
	    (err = nl_trial_plan(set & ~current->applied, confirm_ms, ordered_ms)) || (err = bind_all(ctx, set)))
		return err;
	nl_plan_make(&tx.plan, current->applied, set, tx.agentless);
	if ((err = find_kernel(ctx, &kernel)) || (err = check_probes(&kernel)))
		return err;
	if ((err = begin_generation(set)))
		return err;
	tx.limit_tsc = nl_us_to_tsc(1000ULL * deadline_ms);
	tx.report.generation_to = tx.next->view.generation;
	tx.report.pages = tx.plan.n_changes;
	return NL_OK;
}

static void start_over(uint32_t flags)
{
	drop();
	memset(&tx.report, 0, sizeof(tx.report));
	tx.report.blocker.cpu = UINT32_MAX;
	tx.report.generation_from = tx.report.generation_to = nl_generation_current()->view.generation;
	tx.report.flags = flags;
	tx.agentless = flags & NL_COMMIT_AGENTLESS;
	tx.late = NL_EDEADLINE;
	tx.begun_tsc = x86_rdtsc();
}

static bool half_made(void) { return tx.next && tx.made < tx.plan.n_changes; }

/* Is this another call for what is half made? */
static bool again(uint32_t set, bool agentless)
{
	return half_made() && tx.next->applied == set && tx.agentless == agentless;
}

enum nl_err nl_commit_prepare(struct nl_cpu *self, const struct nl_context *ctx,
                              const struct nl_commit_request *request)
{
	const struct nl_generation *current = nl_generation_current();
	uint32_t set = 0;
	enum nl_err err =
	        request->expected_generation != UINT64_MAX && request->expected_generation != current->view.generation
	                ? NL_EGENERATION
	                : nl_request_set(request, &set);

	nl_step(self->index, NL_STEP_PREPARE, request->flags & NL_COMMIT_AGENTLESS);
	if (err || !again(set, request->flags & NL_COMMIT_AGENTLESS)) {
		start_over(request->flags);
		if (!err && nl_kept->frozen)
			err = NL_EFROZEN;
		if (!err) {
			uint32_t may = nl_boot.facts.policy.guest_may | nl_order_may(current->applied, set);

			tx.orders = nl_order_serial();
			err = begin(ctx, set, request->deadline_ms, request->confirm_ms, nl_order_confirm_ms(), may);
		}
	}
	err = err ? err : make_pages(tx.made ? PAGES_SLICE : 1);
	nl_step(self->index, NL_STEP_PREPARED, err);
	tx.report.prepare_ns = nl_tsc_to_ns(x86_rdtsc() - tx.begun_tsc);
	if (err && (err != NL_AGAIN || !tx.next))
		drop();
	if (err && err != NL_NOTHING && err != NL_AGAIN)
		nl_journal(NL_EV_REFUSED, err, NULL,
		           request->count && request->count <= NL_MAX_LEAVES ? request->set[0] : NULL,
		           tx.report.blocker.site_va, 0);
	return err;
}

/* Leaves that replace functions, a bit each: in the others nobody can stand. */
static uint32_t replacing(void)
{
	uint32_t leaves = 0;

	NL_EACH(w, tx.plan.watches, tx.plan.n_watches)
		leaves |= w->site ? 0 : 1u << w->leaf;
	return leaves;
}

/* Are the modules of the leaves that change what they were when the plan was made? */
static bool modules_stand(struct nl_kernel *kernel)
{
	uint32_t i;

	NL_EACH_LEAF(i, tx.next->applied ^ nl_generation_current()->applied)
		if (!nl_bind_stands(&nl_registry[i], kernel))
			return false;
	return true;
}

/* Bodies can be reached, and modules that come are told of; or nothing is as it was not. */
static enum nl_err make_ready(struct nl_kernel *kernel, bool has_arena)
{
	struct nl_thunks thunks;
	enum nl_err err = NL_OK;
	bool made = false;

	if (!has_arena && (tx.plan.has_body || tx.plan.has_modules))
		err = kernel->os->map_arena(kernel, &made);
	if (err || !tx.plan.has_modules)
		return err;
	kernel->os->thunks(kernel, &thunks);
	err = kernel->os->watch_modules(kernel, thunks.ret);
	if (err && made)
		kernel->os->unmap_arena(kernel);
	return err;
}

/*
 * What the window will look at is looked at while the guest still runs. No answer counts but the one returned, whether
 * the arena is mapped already; it and the translations that were needed hold if the guest's tables read the same when
 * all CPUs are held.
 */
static bool rehearse(struct nl_kernel *kernel)
{
	static struct nl_entries entries;
	static struct nl_scan scan;

	nl_guest_keep(&kernel->space, &entries);
	nl_scan_init(&scan, tx.plan.watches, tx.plan.n_watches);
	scan.until = x86_rdtsc() + REHEARSAL_TICKS;
	if (modules_stand(kernel) && !kernel->os->probes(kernel, &scan))
		kernel->os->scan(kernel, &scan);
	return kernel->os->has_arena(kernel);
}

/* All CPUs are held. Whatever fails here leaves nothing that the guest could see. */
static enum nl_err window(uint32_t self, struct nl_kernel *kernel, bool had_arena)
{
	const struct nl_generation *current = nl_generation_current();
	static struct nl_scan scan;
	uint32_t i, unread;
	enum nl_err err;

	had_arena = nl_guest_hold(&kernel->space) && had_arena;
	nl_scan_init(&scan, tx.plan.watches, tx.plan.n_watches);
	scan.held = nl_held;
	scan.anywhere = tx.agentless;
	scan.until = x86_rdtsc() + nl_us_to_tsc(nl_emulated ? 10 * SCAN_LIMIT_US : SCAN_LIMIT_US);
	if (!modules_stand(kernel))
		return NL_ESTALE;
	err = kernel->os->probes(kernel, &scan);
	if (!err)
		err = kernel->os->scan(kernel, &scan);
	tx.report.tasks_scanned = scan.scanned;
	unread = scan.all ? 0 : replacing();
	tx.report.old_tasks = unread ? NL_UNCOUNTED : scan.old_tasks;
	if (err) {
		tx.report.blocker = scan.blocker;
		return err;
	}
	nl_step(self, NL_STEP_SCAN, scan.scanned);
	if ((err = nl_window_build(&tx.plan, 0, tx.plan.n_changes, &tx.report.blocker)))
		return err;
	nl_step(self, NL_STEP_BUILD, tx.plan.n_changes);
	if ((err = make_ready(kernel, had_arena)))
		return err;
	NL_EACH_LEAF(i, tx.next->applied ^ current->applied)
		nl_registry[i].state.old_tasks = unread >> i & 1 ? NL_UNCOUNTED : scan.old_by_leaf[i];
	NL_EACH_LEAF(i, tx.next->applied) /* to blame from the flip on, not from when all CPUs run again */
		nl_kept_on[i] = nl_registry[i].state.sha256;
	nl_trial_begin(tx.next->applied & ~current->applied);
	nl_window_fold(&tx.plan);
	nl_step(self, NL_STEP_FOLD, tx.plan.n_changes);
	nl_step(self, NL_STEP_FLIP, tx.next->view.generation);
	nl_publish_view(&tx.next->view);
	return NL_OK;
}

/* The flip is done: what is left is bookkeeping. */
static void settle(void)
{
	const struct nl_generation *now = tx.next;
	uint32_t changed = now->applied ^ nl_generation_current()->applied, i;
	struct nl_commit_report *r = &tx.report;

	nl_generation_turn(tx.next);
	nl_order_made();
	tx.next = NULL;
	release_drafts();
	nl_pinned = 0;
	NL_EACH_LEAF(i, changed & now->applied) /* there is room: nl_request_check */
		nl_floor_raise(nl_registry[i].state.id, nl_registry[i].state.version);
	nl_kept_seal();
	NL_EACH_LEAF(i, changed) {
		struct nl_entry *e = &nl_registry[i];
		bool on = now->applied >> i & 1;

		e->ever_applied = true;
		if (!on)
			nl_kept_on[i] = NULL;
		e->state.condition = on ? NL_LEAF_APPLIED : NL_LEAF_REVERTED;
		if (on ? e->state.trial_tsc : nl_trial_over(e) == NL_ETRIAL)
			nl_journal(NL_EV_TRIAL, on ? NL_OK : NL_ETRIAL, e->state.id, e->state.sha256,
			           e->state.condition, e->state.trial_tsc);
		e->state.since_tsc = x86_rdtsc();
		e->state.generation = now->view.generation;
		e->state.note = NL_OK;
		nl_journal(on ? NL_EV_APPLIED : NL_EV_REVERTED, NL_OK, e->state.id, e->state.sha256, r->window_ns,
		           e->state.old_tasks);
	}
	nl_journal(NL_EV_COMMIT, NL_OK, NULL, NULL, r->window_ns, r->old_tasks);
}

static enum nl_err try_once(struct nl_cpu *self, const struct nl_context *ctx)
{
	struct nl_commit_report *r = &tx.report;
	static struct nl_freeze_result freeze;
	static struct nl_kernel kernel;
	uint64_t start;
	bool had_arena;
	enum nl_err err;

	memset(&r->blocker, 0, sizeof(r->blocker));
	r->blocker.cpu = UINT32_MAX;
	if ((err = find_kernel(ctx, &kernel)))
		return err;
	had_arena = rehearse(&kernel);
	r->tries++;
	if (self->mc_pending) /* the guest's first */
		return NL_AGAIN;
	err = nl_freeze(self, ctx, tx.agentless, &freeze);
	r->cpus_held = freeze.held;
	r->cpus_total = freeze.total;
	if (err) {
		r->blocker = freeze.blocker;
		if (!freeze.blocker.missing && freeze.blocker.cpu < nl_n_cpus)
			kernel.os->name(&kernel, nl_held[freeze.blocker.cpu].rsp, &r->blocker);
		tx.late = NL_EDEADLINE;
		return err;
	}
	start = x86_rdtsc();
	err = window(self->index, &kernel, had_arena);
	r->window_ns = nl_tsc_to_ns(x86_rdtsc() - start);
	nl_thaw(self, &freeze);
	r->longest_hold_ns = nl_tsc_to_ns(freeze.longest_hold_tsc);
	if (err == NL_AGAIN)
		tx.late = r->blocker.rip ? NL_EPREEMPTED : NL_EDEADLINE;
	if (err == NL_ESTANDS) {
		tx.late = err;
		err = NL_AGAIN;
	}
	if (!err) {
		r->level = r->old_tasks ? NL_LEVEL_CPU : NL_LEVEL_TASK;
		settle();
		nl_step(self->index, NL_STEP_SETTLE, r->generation_to);
	}
	return err;
}

static void give_up(struct nl_cpu *self, enum nl_err err)
{
	nl_step(self->index, NL_STEP_DROP, err);
	if (err != NL_ESTALE && err != NL_AGAIN && err != NL_NOTHING)
		nl_journal(NL_EV_ABANDONED, err, NULL, NULL, tx.report.blocker.cpu, tx.report.blocker.rip);
	drop();
}

enum nl_err nl_commit_try(struct nl_cpu *self, const struct nl_context *ctx, struct nl_commit_report *report)
{
	enum nl_err err;

	if (!tx.next || half_made()) {
		err = tx.stale ? NL_ESTALE : NL_ESTATE;
	} else if (nl_kept->frozen) {
		err = NL_EFROZEN; /* since it was prepared */
	} else if (tx.orders != nl_order_serial()) {
		err = NL_ESTALE;
	} else if (x86_rdtsc() - tx.begun_tsc + tx.limit_tsc > 2 * tx.limit_tsc) {
		err = tx.late; /* the report still names who was in the way last */
	} else {
		err = try_once(self, ctx);
	}
	tx.report.since_prepare_ns = nl_tsc_to_ns(x86_rdtsc() - tx.begun_tsc);
	*report = tx.report;
	if (err && err != NL_AGAIN && err != NL_ESTATE)
		give_up(self, err);
	return err;
}

enum nl_err nl_commit_own(struct nl_cpu *self, const struct nl_context *ctx, uint32_t set, uint32_t confirm_ms,
                          bool last)
{
	bool stale = tx.stale || tx.next; /* an agent's: it is told */
	uint64_t us, start;
	enum nl_err err;

	nl_step(self->index, NL_STEP_PREPARE, NL_COMMIT_AGENTLESS | NL_STEP_OWN);
	start_over(NL_COMMIT_AGENTLESS);
	err = begin(ctx, set, 0, 0, confirm_ms, NL_GUEST_MAY_ALL);
	err = err ? err : make_pages(tx.plan.n_changes);
	nl_step(self->index, NL_STEP_PREPARED, err);
	for (us = FIRST_PAUSE_US; !err && (err = try_once(self, ctx)) == NL_AGAIN && us <= LAST_PAUSE_US; us *= 2)
		for (start = x86_rdtsc(), err = NL_OK; x86_rdtsc() - start < nl_us_to_tsc(us);)
			x86_pause();
	err = err == NL_AGAIN && last ? tx.late : err;
	/* A CPU that starts, in its trampoline or with the LSTAR of a kernel before, is in none yet: ask another. */
	if (ctx->cpl < 3 && (err == NL_EKERNEL || err == NL_EBUILDID))
		err = NL_AGAIN;
	if (err)
		give_up(self, err);
	tx.stale = stale;
	return err;
}

enum nl_err nl_commit_abandon(struct nl_cpu *self, struct nl_commit_report *report)
{
	bool prepared = tx.next;

	*report = tx.report;
	if (prepared)
		give_up(self, NL_OK);
	drop();
	return prepared ? NL_OK : NL_NOTHING;
}
