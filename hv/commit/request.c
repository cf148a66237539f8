// SPDX-License-Identifier: Apache-2.0
/* What a commit asks for: see request.h. */
#include "commit/request.h"
#include "core/core.h"
#include "leaf/floor.h"

/* The leaf that takes this one's place: the same id, newer. */
static bool superseded(const struct nl_entry *e, uint32_t set)
{
	unsigned i;

	for (i = 0; i < NL_MAX_LEAVES; i++) {
		const struct nl_entry *o = &nl_registry[i];

		if (set >> i & 1 && !memcmp(o->state.id, e->state.id, NL_LEAF_ID_LEN) &&
		    o->state.version > e->state.version)
			return true;
	}
	return false;
}

enum nl_err nl_request_set(const struct nl_commit_request *request, uint32_t *set)
{
	uint32_t i;

	if (request->count > NL_MAX_LEAVES || request->deadline_ms == 0 ||
	    request->deadline_ms > nl_boot.policy.deadline_ms)
		return NL_EUSAGE;
	*set = 0;
	for (i = 0; i < request->count; i++) {
		const struct nl_entry *e = nl_registry_find(request->set[i]);

		if (!e)
			return NL_EUNKNOWN_LEAF;
		*set |= 1u << (e - nl_registry);
	}
	return NL_OK;
}

static enum nl_err check_policy(uint32_t applied, uint32_t set)
{
	unsigned i, fresh = 0;

	for (i = 0; i < NL_MAX_LEAVES; i++) {
		const struct nl_entry *e = &nl_registry[i];
		const struct nl_floor *floor = nl_floor_find(e->state.id);
		bool is = applied >> i & 1, shall = set >> i & 1;

		if (shall && !is) {
			if (!(nl_boot.policy.guest_may & NL_GUEST_MAY_APPLY))
				return NL_EPOLICY;
			if (floor && e->state.version < floor->version)
				return NL_EVERSION;
			if (!floor && ++fresh > nl_floor_room())
				return NL_EFLOORS;
		}
		if (is && !shall && !(nl_boot.policy.guest_may & NL_GUEST_MAY_REVERT) && !superseded(e, set))
			return NL_EPOLICY;
	}
	return NL_OK;
}

static bool overlap(const struct nl_entry *a, const struct nl_entry *b, uint64_t *va)
{
	uint32_t i, j;

	for (i = 0; i < a->n_sites; i++)
		for (j = 0; j < b->n_sites; j++)
			if (a->sites[i].gpa < b->sites[j].gpa + b->sites[j].len &&
			    b->sites[j].gpa < a->sites[i].gpa + a->sites[i].len) {
				*va = a->sites[i].va;
				return true;
			}
	return false;
}

static enum nl_err check_overlaps(uint32_t set, uint64_t *va)
{
	unsigned i, j;

	for (i = 0; i < NL_MAX_LEAVES; i++)
		for (j = 0; j < i; j++)
			if (set >> i & 1 && set >> j & 1 && overlap(&nl_registry[i], &nl_registry[j], va))
				return NL_EOVERLAP;
	return NL_OK;
}

enum nl_err nl_request_check(uint32_t applied, uint32_t set, struct nl_blocker *blocker)
{
	enum nl_err err = check_policy(applied, set);

	return err ? err : check_overlaps(set, &blocker->site_va);
}
