// SPDX-License-Identifier: Apache-2.0
/*
 * What changes between two sets of leaves: pages, sites in them, and where nobody may stand meanwhile.
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
	bool shared;                /* a page of the image and of a module: none of Linux's, and not to be written */
	bool has_body, has_modules; /* of leaves that are to be on */
	const struct nl_leaf_target *target; /* of all that change */
	uint32_t n_watches;                  /* where nobody may stand, or who does is counted */
	struct nl_watch watches[2 * NL_MAX_PAGES];
	struct nl_change changes[NL_MAX_PAGES];
	struct nl_edit edits[NL_MAX_PAGES];
};

/* From the set that is applied to the other one; what takes part is pinned. `strict`: nobody may stand in any function
 * that is replaced, whatever its leaf says. */
void nl_plan_make(struct nl_plan *p, uint32_t applied, uint32_t set, bool strict);
