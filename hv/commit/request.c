// SPDX-License-Identifier: Apache-2.0
/* What a commit asks for: see request.h. */
#include "commit/request.h"
#include "core/core.h"
#include "guest/target.h"
#include "leaf/floor.h"
#include "leaf/list.h"

/* A newer version takes a leaf's place, and a leaf that says so of this version or a later one. What is older than what
 * it would replace does not know its version: a guest cannot go back by it. */
static bool succeeds(const struct nl_entry *o, const struct nl_entry *e)
{
	const struct nl_leaf_fact *f = NULL;

	if (!memcmp(o->state.id, e->state.id, NL_LEAF_ID_LEN))
		return o->state.version > e->state.version;
	while ((f = nl_fact_next(o->facts.bytes, o->facts.size, f)))
		if (f->kind == NL_FACT_SUPERSEDES && f->version >= e->state.version &&
		    f->length == strlen(e->state.id) && !memcmp(f->text, e->state.id, f->length))
			return true;
	return false;
}

/* By one of the set, that every author has signed who signed this one: nobody takes another's leaf away. */
static bool superseded(const struct nl_entry *e, uint32_t set)
{
	for (unsigned i = 0; i < NL_MAX_LEAVES; i++)
		if (set >> i & 1 && !(e->authors & ~nl_registry[i].authors) && succeeds(&nl_registry[i], e))
			return true;
	return false;
}

uint32_t nl_request_superseded(uint32_t applied, uint32_t set)
{
	for (unsigned i = 0; i < NL_MAX_LEAVES; i++)
		if (applied >> i & 1 && !superseded(&nl_registry[i], set))
			applied &= ~(1u << i);
	return applied;
}

enum nl_err nl_request_set(const struct nl_commit_request *request, uint32_t *set)
{
	uint32_t i;

	if (request->count > NL_MAX_LEAVES || request->deadline_ms == 0 ||
	    request->deadline_ms > nl_boot.facts.policy.deadline_ms || request->flags & ~NL_COMMIT_AGENTLESS)
		return NL_EUSAGE;
	/* A probation's end is a revert, also of what an order puts on, and of what that takes the place of. */
	if ((request->flags && !(nl_boot.facts.policy.guest_may & NL_GUEST_MAY_AGENTLESS)) ||
	    (request->confirm_ms && !(nl_boot.facts.policy.guest_may & NL_GUEST_MAY_REVERT)))
		return NL_EPOLICY;
	*set = 0;
	for (i = 0; i < request->count; i++) {
		const struct nl_entry *e = nl_registry_find(request->set[i]);

		if (!e)
			return NL_EUNKNOWN_LEAF;
		*set |= 1u << (e - nl_registry);
	}
	return NL_OK;
}

static enum nl_err named(struct nl_blocker *blocker, const struct nl_entry *e, const char *other, enum nl_err err)
{
	memcpy(blocker->leaf, e->state.id, sizeof(blocker->leaf));
	memcpy(blocker->other, other, sizeof(blocker->other));
	return err;
}

static enum nl_err check_policy(uint32_t applied, uint32_t set, uint32_t may, struct nl_blocker *blocker)
{
	unsigned i, fresh = 0;
	enum nl_err err;

	for (i = 0; i < NL_MAX_LEAVES; i++) {
		const struct nl_entry *e = &nl_registry[i];
		bool is = applied >> i & 1, shall = set >> i & 1;

		if (shall && !is) {
			if (!(may & NL_GUEST_MAY_APPLY))
				return NL_EPOLICY;
			if ((err = nl_list_bars(e->state.sha256, false)))
				return err;
			if (e->state.version < nl_list_floor(e->state.id))
				return NL_EVERSION;
			if (!nl_floor_of(e->state.id) && ++fresh > nl_floor_room())
				return NL_EFLOORS;
		}
		if (is && !shall && !(may & NL_GUEST_MAY_REVERT) && !superseded(e, set))
			return named(blocker, e, e->state.id, NL_EPOLICY);
	}
	return NL_OK;
}

/* One of the set, but not `but`, with that id. */
static const struct nl_entry *member(uint32_t set, const struct nl_entry *but, const char *id)
{
	unsigned i;

	for (i = 0; i < NL_MAX_LEAVES; i++)
		if (set >> i & 1 && &nl_registry[i] != but && !memcmp(nl_registry[i].state.id, id, NL_LEAF_ID_LEN))
			return &nl_registry[i];
	return NULL;
}

/* What the authors say of other leaves holds in the set. */
static enum nl_err check_facts(const struct nl_entry *e, uint32_t set, struct nl_blocker *blocker)
{
	const struct nl_leaf_fact *f = NULL;

	if (member(set, e, e->state.id)) /* two versions of one leaf */
		return named(blocker, e, e->state.id, NL_ECONFLICT);
	while ((f = nl_fact_next(e->facts.bytes, e->facts.size, f))) {
		char id[NL_LEAF_ID_LEN] = "";
		const struct nl_entry *o;

		if (f->kind < NL_FACT_REQUIRES || f->kind > NL_FACT_CONFLICTS)
			continue;
		memcpy(id, f->text, f->length);
		o = member(set, e, id);
		if (f->kind == NL_FACT_REQUIRES ? !o || o->state.version < f->version : o != NULL)
			return named(blocker, e, id, f->kind == NL_FACT_REQUIRES ? NL_EREQUIRES : NL_ECONFLICT);
	}
	return NL_OK;
}

uint32_t nl_request_satisfied(uint32_t set)
{
	struct nl_blocker unused;
	uint32_t before;

	do {
		before = set;
		for (unsigned i = 0; i < NL_MAX_LEAVES; i++)
			if (set >> i & 1 && check_facts(&nl_registry[i], set, &unused) == NL_EREQUIRES)
				set &= ~(1u << i);
	} while (set != before);
	return set;
}

/* Sites in modules are compared by their places there: the module need not be loaded. */
static bool sites_meet(const struct nl_entry *a, const struct nl_site *s, const struct nl_entry *b,
                       const struct nl_site *o)
{
	if (!s->object != !o->object)
		return false;
	if (!s->object)
		return nl_overlap(s->gpa, s->len, o->gpa, o->len);
	return !memcmp(a->facts.modules[s->object - 1].name, b->facts.modules[o->object - 1].name,
	               NL_OBJECT_NAME_LEN) &&
	       nl_overlap(s->run, s->size, o->run, o->size);
}

static bool overlap(const struct nl_entry *a, const struct nl_entry *b, uint64_t *va)
{
	NL_EACH(s, a->sites, a->n_sites)
		NL_EACH(o, b->sites, b->n_sites)
			if (sites_meet(a, s, b, o)) {
				*va = s->va;
				return true;
			}
	return false;
}

enum nl_err nl_request_overlaps(uint32_t set, struct nl_blocker *blocker)
{
	unsigned i, j;

	for (i = 0; i < NL_MAX_LEAVES; i++)
		for (j = 0; set >> i & 1 && j < i; j++)
			if (set >> j & 1 && overlap(&nl_registry[i], &nl_registry[j], &blocker->site_va))
				return named(blocker, &nl_registry[i], nl_registry[j].state.id, NL_EOVERLAP);
	return NL_OK;
}

enum nl_err nl_request_check(uint32_t applied, uint32_t set, uint32_t may, struct nl_blocker *blocker)
{
	enum nl_err err = check_policy(applied, set, may, blocker);
	unsigned i;

	for (i = 0; i < NL_MAX_LEAVES && !err; i++)
		if (set >> i & 1)
			err = check_facts(&nl_registry[i], set, blocker);
	return err ? err : nl_request_overlaps(set, blocker);
}
