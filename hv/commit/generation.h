// SPDX-License-Identifier: Apache-2.0
/*
 * Generations: a view and the pages that it shows in the place of the guest's own. One is current; the one before may
 * still be loaded on some CPU. All functions want the commit lock.
 */
#pragma once

#include "commit/window.h"
#include "view/current.h"

struct nl_private_page {
	uint64_t gpa;
	uint8_t *frame;
};

struct nl_generation {
	struct nl_view view;
	uint32_t applied; /* bit per entry of the registry */
	uint32_t n_pages;
	struct nl_private_page pages[NL_MAX_PAGES];
};

/* Takes over *base as the first one and publishes it. */
void nl_generation_init(const struct nl_view *base);
struct nl_generation *nl_generation_current(void);

/* The one before the current goes, if no CPU uses it any more: done beside short calls, so that a commit does not find
 * it. False: somebody does. */
bool nl_generation_reclaim(void);
/* A fork of the current one with the next number, no pages and nothing applied. NL_AGAIN: the one before the current is
 * still in use on some CPU. NL_ENOMEM. */
enum nl_err nl_generation_fork(struct nl_generation **out);
/* Frames and tables of `g` that the current one does not use. */
void nl_generation_release(struct nl_generation *g);
/* The flip was made: `next` is the current one, the other goes when no CPU uses it any more. */
void nl_generation_turn(struct nl_generation *next);
