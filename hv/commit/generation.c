// SPDX-License-Identifier: Apache-2.0
/* Generations: see generation.h. */
#include "commit/generation.h"
#include "core/cpu.h"
#include "core/pool.h"

static struct nl_generation generations[3];
static struct nl_generation *current, *retired; /* retired: superseded, and perhaps still loaded on some CPU */

void nl_generation_init(const struct nl_view *base)
{
	current = &generations[0];
	current->view = *base;
	current->applied = current->n_pages = 0;
	retired = NULL;
	nl_publish_view(&current->view);
}

struct nl_generation *nl_generation_current(void) { return current; }

static bool has_frame(const struct nl_generation *g, const uint8_t *frame)
{
	NL_EACH(page, g->pages, g->n_pages)
		if (page->frame == frame)
			return true;
	return false;
}

void nl_generation_release(struct nl_generation *g)
{
	NL_EACH(page, g->pages, g->n_pages)
		if (!has_frame(current, page->frame))
			nl_pool_release(page->frame);
	g->n_pages = 0;
	nl_view_release(nl_views(), &g->view, &current->view);
}

/* When every CPU that runs has loaded a newer root; a CPU that waits for a SIPI loads the newest first. */
bool nl_generation_reclaim(void)
{
	if (!retired)
		return true;
	NL_EACH_CPU(cpu)
		if (nl_cpu_is_running(cpu) &&
		    __atomic_load_n(&cpu->root_generation, __ATOMIC_SEQ_CST) < current->view.generation)
			return false;
	nl_generation_release(retired);
	retired = NULL;
	return true;
}

enum nl_err nl_generation_fork(struct nl_generation **out)
{
	struct nl_generation *g = generations;
	enum nl_err err;

	if (!nl_generation_reclaim())
		return NL_AGAIN;
	while (g == current)
		g++;
	if ((err = nl_view_fork(nl_views(), &current->view, &g->view)))
		return err;
	g->view.generation = current->view.generation + 1;
	g->applied = g->n_pages = 0;
	*out = g;
	return NL_OK;
}

void nl_generation_turn(struct nl_generation *next)
{
	retired = current;
	current = next;
}
