// SPDX-License-Identifier: Apache-2.0
/*
 * What happens to pages while all CPUs are held: every site is checked, then contents go from the running generation's
 * pages to the next one's, with the sites edited. Prepared before; allocates nothing.
 */
#pragma once

#include "leaf/registry.h"

#define NL_MAX_PAGES (NL_MAX_LEAVES * NL_LEAF_MAX_SITES)

struct nl_change { /* one page whose sites change */
	uint64_t gpa;
	uint8_t *from; /* what the running generation shows */
	uint8_t *to;   /* the next one's frame */
	bool home;     /* `to` is the guest's own frame: written last, when nothing can fail */
	bool in_place; /* of a module: `from` is the guest's own frame and stays; `to` is a draft, whose sites are
	                  copied when nothing can fail */
};

struct nl_edit { /* one site that changes; edits that remove come before those that add */
	const struct nl_site *site;
	uint32_t change; /* index */
	bool remove;
};

struct nl_plan {
	uint32_t n_changes, n_edits;
	bool shared; /* a page of the image and of a module: none of Linux's, and not to be written */
	struct nl_change changes[NL_MAX_PAGES];
	struct nl_edit edits[NL_MAX_PAGES];
};

/*
 * Fill the private frames of the changes [first, end); the guest does not see them yet. NL_EBYTES: a site to be written
 * does not hold what the leaf expects. NL_EPROBED: a site to be taken back does not hold what we wrote: somebody else's
 * bytes are never merged with ours.
 */
enum nl_err nl_window_build(const struct nl_plan *plan, uint32_t first, uint32_t end, struct nl_blocker *blocker);

/* Bring pages home that need no copy any more, with what the guest wrote to the copy outside the sites, and write what
 * is written in place. All CPUs held; cannot fail. */
void nl_window_fold(const struct nl_plan *plan);
