// SPDX-License-Identifier: Apache-2.0
/* Page contents in the stop window: see window.h. */
#include "commit/window.h"
#include "core/core.h"
#include "x86.h"

static enum nl_err differs(const struct nl_edit *e, const uint8_t *found, const uint8_t *expected,
                           struct nl_blocker *blocker)
{
	uint32_t n = e->site->len < sizeof(blocker->found) ? e->site->len : sizeof(blocker->found);

	blocker->site_va = e->site->va;
	blocker->bytes_len = n;
	memcpy(blocker->expected, expected, n);
	memcpy(blocker->found, found, n);
	return e->remove ? NL_EPROBED : NL_EBYTES;
}

enum nl_err nl_window_build(const struct nl_plan *plan, uint32_t first, uint32_t end, struct nl_blocker *blocker)
{
	NL_EACH(c, plan->changes + first, end - first)
		if (!c->home && !nl_copy_safe(c->to, c->from, NL_PAGE_SIZE))
			return NL_EBYTES; /* the page is poisoned */
	NL_EACH(e, plan->edits, plan->n_edits) {
		const struct nl_change *c = &plan->changes[e->change];
		const uint8_t *was = e->remove ? e->site->fresh : e->site->expected;
		uint8_t *at = c->home ? c->from : c->to;

		if (e->change < first || e->change >= end)
			continue;
		at += e->site->gpa & NL_PAGE_MASK;
		if (memcmp(at, was, e->site->len))
			return differs(e, at, was, blocker);
		if (!c->home)
			memcpy(at, e->remove ? e->site->expected : e->site->fresh, e->site->len);
	}
	return NL_OK;
}

void nl_window_fold(const struct nl_plan *plan)
{
	NL_EACH(c, plan->changes, plan->n_changes)
		if (c->home)
			memcpy(c->to, c->from, NL_PAGE_SIZE);
	NL_EACH(e, plan->edits, plan->n_edits) {
		const struct nl_change *c = &plan->changes[e->change];

		if (c->home)
			memcpy(c->to + (e->site->gpa & NL_PAGE_MASK), e->site->expected, e->site->len);
		else if (c->in_place)
			memcpy(c->from + (e->site->gpa & NL_PAGE_MASK), c->to + (e->site->gpa & NL_PAGE_MASK),
			       e->site->len);
	}
}
