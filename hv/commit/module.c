// SPDX-License-Identifier: Apache-2.0
/*
 * A module comes or goes, and leaves that are on name it: see commit.h. Nobody runs the code of one that is coming, so
 * it is written where it lies without a stop, before its first instruction: all leaves that are on and name it, or
 * none. Nothing is written to one that goes; it is forgotten before its memory can be anybody else's. The guest waits
 * here in the call of its notifier, with interrupts off: what is done is bounded by the limits of leaves and by the
 * length of its list of modules.
 */
#include "commit/commit.h"
#include "commit/quiesce.h"
#include "commit/request.h"
#include "core/clock.h"
#include "core/journal.h"
#include "core/step.h"
#include "leaf/bind.h"
#include "leaf/registry.h"
#include "leaf/room.h"
#include "view/current.h"
#include "x86.h"

#define SWEEP_FROM 8u /* parts of bodies that were left behind, before all CPUs are stopped to look into them */
#define SWEEP_LIMIT_US 10000u

struct told {
	const struct nl_context *ctx;
	struct nl_kernel kernel;
	struct nl_told hint;
	struct {
		uint32_t object; /* 0: the leaf is not on, or does not name it */
		bool came, went; /* was it bound now, and is to be written; was it forgotten now */
		enum nl_err err;
	} leaves[NL_MAX_LEAVES];
};

static const struct nl_leaf_target *any_target(void)
{
	NL_EACH(e, nl_registry, NL_MAX_LEAVES)
		if (e->used && e->n_objects > 1)
			return &e->target;
	return NULL;
}

/* The object of the leaf that is so called; 0: none. One whose name cannot be read is looked for, and not found. */
static uint32_t object_of(struct told *t, const struct nl_entry *e)
{
	for (uint32_t i = 0; i < e->facts.n_modules; i++)
		if (t->kernel.os->module_named(&t->kernel, t->hint.module, e->facts.modules[i].name) != NL_NOTHING)
			return i + 1;
	return 0;
}

/* A commit may have been quicker than the hook. */
static bool is_written(const struct nl_entry *e, uint32_t object)
{
	uint8_t now[NL_SITE_MAX_LEN];

	NL_EACH(s, e->sites, e->n_sites)
		if (s->len && s->object == object &&
		    (!nl_copy_safe(now, nl_phys(HPA(s->gpa)), s->len) || memcmp(now, s->fresh, s->len)))
			return false;
	return true;
}

/*
 * A leaf that is on. If the module comes, it is bound; if it goes, it is forgotten. One that fails to load because
 * another notifier says so goes while its state is COMING; and one that comes where it was before is another.
 */
static enum nl_err follow(struct told *t, uint32_t leaf)
{
	struct nl_entry *e = &nl_registry[leaf];
	uint32_t object = t->leaves[leaf].object;
	uint64_t was = e->objects[object].va;
	struct nl_blocker unused;
	struct nl_module m = {0};
	enum nl_err err;

	err = t->kernel.os->module(&t->kernel, nl_bind_object(e, object), &m);
	if (was == t->hint.module && (t->hint.coming ? !is_written(e, object) : err || m.coming))
		nl_unbind(e, object);
	if (err == NL_EKERNEL && t->hint.coming) /* a second look may find it, and not know that it is about to come */
		return err;
	/* Who is not about to come has run: to him nothing is written without a stop. */
	err = nl_bind(e, NULL, !err && t->hint.coming && m.coming && m.va == t->hint.module ? 1u << object : 0,
	              &t->kernel, &unused);
	t->leaves[leaf].went = was && !e->objects[object].va;
	t->leaves[leaf].came = e->objects[object].va && !is_written(e, object);
	if (!err && e->facts.modules[object - 1].state == NL_MODULE_OTHER)
		err = NL_EMODULE;
	if (err || !t->leaves[leaf].came)
		return err;
	return nl_registry_check(e, object, &t->kernel, &unused);
}

static void write_sites(const struct nl_entry *e, uint32_t object)
{
	NL_EACH(s, e->sites, e->n_sites)
		if (s->len && s->object == object)
			memcpy(nl_phys(HPA(s->gpa)), s->fresh, s->len);
}

/* All leaves that are on and name it, or none: what the first of them answers that cannot. */
static enum nl_err follow_all(struct told *t)
{
	struct nl_blocker unused;
	enum nl_err err = NL_OK;
	uint32_t i, on = 0;

	for (i = 0; i < NL_MAX_LEAVES; i++) {
		struct nl_entry *e = &nl_registry[i];
		uint32_t object;

		if (!e->used)
			continue;
		t->kernel.target = &e->target; /* the same kernel, as its author has it */
		if (!(object = object_of(t, e)))
			continue;
		nl_commit_drop();
		if (e->state.condition != NL_LEAF_APPLIED) { /* what comes is looked for when it is to be on */
			nl_unbind(e, object);
			continue;
		}
		on |= 1u << i;
		t->leaves[i].object = object;
		t->leaves[i].err = follow(t, i);
		if (!err &&
		    (e->facts.modules[object - 1].state != NL_MODULE_OTHER ||
		     nl_boot.facts.policy.unpatched != NL_UNPATCHED_LET_IN)) /* it is left alone, by this leaf */
			err = t->leaves[i].err;
	}
	return err ? err : nl_request_overlaps(on, &unused);
}

/* What has come is written, or not: then it is unpatched in all of them. Returns the answer. */
static uint64_t settle(struct told *t, enum nl_err err)
{
	bool refused = err && t->hint.coming && nl_boot.facts.policy.unpatched != NL_UNPATCHED_LET_IN;
	uint32_t i;

	for (i = 0; i < NL_MAX_LEAVES; i++) {
		struct nl_entry *e = &nl_registry[i];
		uint32_t object = t->leaves[i].object;
		enum nl_err own = t->leaves[i].err ? t->leaves[i].err : err;
		struct nl_leaf_module *m;

		if (!object || (!t->leaves[i].came && !t->leaves[i].went && !t->leaves[i].err))
			continue;
		m = &e->facts.modules[object - 1];
		if (t->leaves[i].came && !own)
			write_sites(e, object);
		if (t->leaves[i].came && own)
			nl_unbind(e, object);
		if (own && !t->leaves[i].went && m->state == NL_MODULE_WAITING)
			m->state = NL_MODULE_UNPATCHED;
		nl_journal(NL_EV_MODULE, t->leaves[i].went ? NL_NOTHING : own, m->name, e->state.sha256, t->hint.module,
		           refused);
	}
	return refused ? t->hint.refuse : t->hint.go_on;
}

/* One that goes can be forgotten before its exit function has run, which is patched still: it may yet enter what it has
 * left behind. */
static bool any_leaves(struct told *t)
{
	struct nl_module m = {0};

	NL_EACH(e, nl_registry, NL_MAX_LEAVES)
		for (uint32_t i = 1; e->used && i < e->n_objects; i++) {
			t->kernel.target = &e->target;
			if (t->kernel.os->module(&t->kernel, nl_bind_object(e, i), &m) == NL_EKERNEL || m.leaving)
				return true;
		}
	return false;
}

/* Stop all CPUs where they stand, try it once, and look who is inside what modules have left behind. */
static void sweep(struct nl_cpu *self, struct told *t)
{
	static struct nl_watch watches[NL_MAX_LEAVES];
	static struct nl_freeze_result freeze;
	static struct nl_scan scan;
	uint32_t n = nl_room_watch(t->kernel.os->arena_text, watches);
	enum nl_err err;

	if (n < SWEEP_FROM || any_leaves(t) || nl_freeze(self, t->ctx, true, &freeze))
		return;
	nl_guest_keep(&t->kernel.space, NULL); /* what was found before */
	nl_scan_init(&scan, watches, n);
	scan.held = nl_held;
	scan.anywhere = true;
	scan.until = x86_rdtsc() + nl_us_to_tsc(nl_emulated ? 10 * SWEEP_LIMIT_US : SWEEP_LIMIT_US);
	err = t->kernel.os->scan(&t->kernel, &scan);
	nl_thaw(self, &freeze);
	if (!err)
		nl_room_reuse(n, scan.old_by_leaf);
}

unsigned nl_commit_told(struct nl_cpu *self, const struct nl_context *ctx)
{
	static struct told t; /* the lock's */
	const struct nl_leaf_target *target;
	unsigned further = 0;

	/* Who holds it waits for this CPU in freezes alone, that have a limit each: one a call, and of a commit of the
	 * core's own four with pauses between. The lock is not fair: beside a CPU that calls for ever it may be long in
	 * coming. */
	nl_lock(&nl_generation_lock);
	target = any_target();
	memset(&t, 0, sizeof(t));
	t.ctx = ctx;
	/* If nobody answers, what the hook itself says holds. */
	if (target && nl_guest_os(target)->told(ctx, &self->gprs, &t.hint) && !nl_guest_find(ctx, target, &t.kernel)) {
		nl_step(self->index, t.hint.coming ? NL_STEP_COMES : NL_STEP_GOES, t.hint.module);
		sweep(self, &t);
		self->gprs.rax = settle(&t, follow_all(&t));
		nl_step(self->index, NL_STEP_SETTLE, self->gprs.rax);
		further = t.hint.further;
	}
	nl_unlock(&nl_generation_lock);
	return further;
}
