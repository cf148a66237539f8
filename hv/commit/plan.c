// SPDX-License-Identifier: Apache-2.0
/* What changes: see plan.h. */
#include "commit/plan.h"

static void watch_leaf(struct nl_plan *p, uint32_t leaf, bool remove, bool strict)
{
	const struct nl_entry *e = &nl_registry[leaf];

	strict |= e->state.consistency == NL_CONSISTENCY_STRICT;
	NL_EACH(s, e->sites, e->n_sites) {
		if (!s->len)
			continue;
		p->watches[p->n_watches++] = (struct nl_watch){s->va, s->va + s->len, leaf, true, false};
		if (!remove && s->func_end > s->func_start)
			p->watches[p->n_watches++] = (struct nl_watch){s->func_start, s->func_end, leaf, false, strict};
	}
	/* When a leaf is taken back, its body is the old code. */
	NL_EACH(b, e->objects, remove ? e->n_objects : 0) {
		uint64_t body = nl_guest_os(&e->target)->arena_text + b->text.offset;
		uint32_t size = b->text.size;

		if (size)
			p->watches[p->n_watches++] = (struct nl_watch){body, body + size, leaf, false, strict};
	}
}

/* Index of the change for the site's page, made if need be. A page that a module and the image share is none of
 * Linux's: build_generation refuses to write there in place. */
static uint32_t change_of(struct nl_plan *p, const struct nl_site *s)
{
	uint64_t page = s->gpa & ~NL_PAGE_MASK;

	NL_EACH(c, p->changes, p->n_changes)
		if (c->gpa == page) {
			p->shared |= c->in_place != !!s->object;
			return (uint32_t)(c - p->changes);
		}
	p->changes[p->n_changes] = (struct nl_change){.gpa = page, .in_place = s->object};
	return p->n_changes++;
}

static void plan_leaf(struct nl_plan *p, uint32_t leaf, bool remove, bool strict)
{
	const struct nl_entry *e = &nl_registry[leaf];

	NL_EACH(s, e->sites, e->n_sites)
		if (s->len)
			p->edits[p->n_edits++] = (struct nl_edit){s, change_of(p, s), remove};
	watch_leaf(p, leaf, remove, strict);
	if (!p->target || e->n_objects > 1) /* one that knows of modules, if there is one: it is one kernel */
		p->target = &e->target;
	p->has_modules |= !remove && e->n_objects > 1;
	NL_EACH(b, e->objects, remove ? 0 : e->n_objects)
		p->has_body |= b->text.size || b->data.size;
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
