// SPDX-License-Identifier: Apache-2.0
/*
 * Views: immutable nested page tables that share every unchanged table with the one before. A view is built beside the
 * running one, is never changed once it has been current, and is released when no CPU can still use it. Invalidation is
 * not done here: a CPU that loads a root flushes as its vendor demands (vendor.h, set_root).
 */
#pragma once

#include "core/pool.h"
#include "view/npt.h"

struct nl_view {
	hpa_t root;
	uint64_t generation; /* 1 = base; a fork counts on */
};

struct nl_views { /* what all views of one machine have in common */
	const struct nl_npt_format *format;
	struct nl_table_ops ops;
};

/* A run of guest-physical space with one memory type; from 0 on they cover all that is to be mapped, ascending. */
struct nl_type_run {
	uint64_t base, size;
	enum nl_memtype type;
};

/*
 * The base view: identity map of the runs, RWX, from the largest pages that they and the format allow.
 * NL_ENOMEM leaves nothing allocated.
 */
enum nl_err nl_view_base(const struct nl_views *v, const struct nl_type_run *runs, size_t n_runs, struct nl_view *out);

/* A new view equal to `from`: costs one root page. */
enum nl_err nl_view_fork(const struct nl_views *v, const struct nl_view *from, struct nl_view *out);

/*
 * In a forked view that is not yet current: let the 4 KiB page at `gpa` show `frame` with `rights`. Copies the path to
 * it (at most three tables), splits large pages, keeps the memory type of the page. `parent` is the view it was forked
 * from: tables that are not shared with the parent are private and edited in place; NULL for the base view itself
 * before it is first used (all is private). On NL_ENOMEM the view is still equal to what it was for every gpa.
 * NL_EINTERNAL: gpa is beyond the map.
 */
enum nl_err nl_view_set_page(const struct nl_views *v, struct nl_view *view, const struct nl_view *parent, gpa_t gpa,
                             hpa_t frame, enum nl_rights rights);

struct nl_shown { /* what a view shows at an address */
	hpa_t at;
	enum nl_rights rights;
	enum nl_memtype type;
	uint64_t size; /* of the page: 4K, 2M or 1G */
};

/* Translate. false: not mapped. */
bool nl_view_walk(const struct nl_views *v, const struct nl_view *view, gpa_t gpa, struct nl_shown *out);

/*
 * Release every table of `view` that its one living neighbour does not share: `keep` is the view that it was forked
 * from, or the one forked from it, or NULL. With both alive it cannot be released; tables are shared along a chain of
 * forks only, so views further away do not matter.
 */
void nl_view_release(const struct nl_views *v, struct nl_view *view, const struct nl_view *keep);
