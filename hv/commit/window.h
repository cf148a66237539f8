// SPDX-License-Identifier: Apache-2.0
/*
 * What happens to pages while all CPUs are held: every site is checked, then contents go from the running generation's
 * pages to the next one's, with the sites edited. Prepared before; allocates nothing.
 */
#pragma once

#include "commit/plan.h"

/*
 * Fill the private frames of the changes [first, end); the guest does not see them yet. NL_EBYTES: a site to be written
 * does not hold what the leaf expects. NL_EPROBED: a site to be taken back does not hold what we wrote: somebody else's
 * bytes are never merged with ours.
 */
enum nl_err nl_window_build(const struct nl_plan *plan, uint32_t first, uint32_t end, struct nl_blocker *blocker);

/* Bring pages home that need no copy any more, with what the guest wrote to the copy outside the sites, and write what
 * is written in place. All CPUs held; cannot fail. */
void nl_window_fold(const struct nl_plan *plan);
