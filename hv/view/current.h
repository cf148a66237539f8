// SPDX-License-Identifier: Apache-2.0
/*
 * The one view that every CPU must have loaded before it enters the guest, and who may change it. Generations are made
 * above (hv/commit/); they come down here by nl_publish_view. Base edits change tables that generations share.
 */
#pragma once

#include "core/core.h"
#include "view/view.h"

/* Held by whoever makes a generation, or edits the base. Nobody who holds it waits for another CPU beyond one freeze.
 */
extern nl_lock_t nl_generation_lock;

const struct nl_views *nl_views(void);
void nl_views_init(const struct nl_views *views); /* before the first view is published */

/* NULL before the first one. The order of generations is that of their numbers. */
const struct nl_view *nl_current_view(void);
void nl_publish_view(struct nl_view *view); /* the flip: one store */

/*
 * A base edit of the current view: takes the lock. What was prepared beside the view as it was is stale afterwards:
 * nl_base_edits tells, by counting. Flushing is the caller's.
 */
enum nl_err nl_edit_base(enum nl_err (*edit)(struct nl_view *view));
uint32_t nl_base_edits(void); /* with the lock held */
