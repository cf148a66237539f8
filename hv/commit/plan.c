// SPDX-License-Identifier: Apache-2.0
/* What changes: see plan.h. */
#include "commit/plan.h"
#include "core/core.h"

static void watch_leaf(struct nl_plan *p, uint32_t leaf, bool remove, bool strict)
{
	const struct nl_entry *e = &nl_registry[leaf];
	uint32_t i;

	strict |= e->state.consistency == NL_CONSISTENCY_STRICT;
	for (i = 0; i < e->n_sites; i++) {
		const struct nl_site *s = &e->sites[i];

		if (!s->len)
			continue;
		p->watches[p->n_watches++] = (struct nl_watch){s->va, s->va + s->len, leaf, true, false};
		if (!remove && s->func_end > s->func_start)
			p->watches[p->n_watches++] = (struct nl_watch){s->func_start, s->func_end, leaf, false, strict};
	}
	/* When a leaf is taken back, its body is the old code. */
	for (i = 0; remove && i < e->n_objects; i++) {
		uint64_t body = nl_guest_os(&e->target)->arena_text + e->objects[i].text.offset;
		uint32_t size = e->objects[i].text.size;

		if (size)
			p->watches[p->n_watches++] = (struct nl_watch){body, body + size, leaf, false, strict};
	}
}

/* Index of the change for the site's page, made if need be. A page that a module and the image share is none of
 * Linux's: build_generation refuses to write there in place. */
static uint32_t change_of(struct nl_plan *p, const struct nl_site *s)
{
	uint64_t page = s->gpa & ~NL_PAGE_MASK;
	uint32_t i;

	for (i = 0; i < p->n_changes; i++)
		if (p->changes[i].gpa == page) {
			p->shared |= p->changes[i].in_place != !!s->object;
			return i;
		}
	p->changes[p->n_changes] = (struct nl_change){.gpa = page, .in_place = s->object};
	return p->n_changes++;
}

static void plan_leaf(struct nl_plan *p, uint32_t leaf, bool remove, bool strict)
{
	const struct nl_entry *e = &nl_registry[leaf];
	uint32_t i;

	for (i = 0; i < e->n_sites; i++)
		if (e->sites[i].len)
			p->edits[p->n_edits++] = (struct nl_edit){&e->sites[i], change_of(p, &e->sites[i]), remove};
	watch_leaf(p, leaf, remove, strict);
	if (!p->target || e->n_objects > 1) /* one that knows of modules, if there is one: it is one kernel */
		p->target = &e->target;
	p->has_modules |= !remove && e->n_objects > 1;
	for (i = 0; i < e->n_objects; i++)
		p->has_body |= !remove && (e->objects[i].text.size || e->objects[i].data.size);
}

void nl_plan_make(struct nl_plan *p, uint32_t applied, uint32_t set, bool strict)
{
	uint32_t i;

	p->n_changes = p->n_edits = p->n_watches = 0;
	p->has_body = p->has_modules = p->shared = false;
	p->target = NULL;
	NL_EACH_LEAF(i, applied & ~set)
		plan_leaf(p, i, true, strict);
	NL_EACH_LEAF(i, set & ~applied)
		plan_leaf(p, i, false, strict);
	nl_pinned = applied | set;
}
