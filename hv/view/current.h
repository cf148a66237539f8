// SPDX-License-Identifier: Apache-2.0
/*
 * The one view that every CPU must have loaded before it enters the guest, and who may change it. Generations are made
 * above (hv/commit/); they come down here by nl_publish_view.
 */
#pragma once

#include "core/core.h"
#include "view/view.h"

/* Held by whoever makes a generation. Nobody who holds it waits for another CPU but in a freeze, which has a limit. */
extern nl_lock_t nl_generation_lock;

const struct nl_views *nl_views(void);
void nl_views_init(const struct nl_views *views); /* before the first view is published */

/* NULL before the first one. The order of generations is that of their numbers. */
const struct nl_view *nl_current_view(void);
void nl_publish_view(struct nl_view *view); /* the flip: one store */
