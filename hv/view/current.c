// SPDX-License-Identifier: Apache-2.0
/* The published view: see current.h. */
#include "view/current.h"
#include "core/journal.h"

nl_lock_t nl_generation_lock;

static const struct nl_views *views;
static struct nl_view *current;

const struct nl_views *nl_views(void) { return views; }

void nl_views_init(const struct nl_views *all) { views = all; }

const struct nl_view *nl_current_view(void) { return __atomic_load_n(&current, __ATOMIC_SEQ_CST); }

void nl_publish_view(struct nl_view *view)
{
	__atomic_store_n(&current, view, __ATOMIC_SEQ_CST);
	nl_journal_generation(view->generation);
}
