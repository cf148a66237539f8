// SPDX-License-Identifier: Apache-2.0
/*
 * Two modules and an agent, step by step. The modules take the steps that Linux's loader takes (kernel/module/main.c),
 * each of which may fail, and may come with other bytes than a leaf expects; the agent verifies, prepares, tries and
 * gives up; whoever frees memory gives it to somebody else. Who is next is the caller's choice. After each step:
 *
 * - a module whose code may run is patched when the leaf is on and is not when it is off, by a body that is whole and
 *   made for this instance; one that goes stays as it was;
 * - the image is patched together with all that is there, or nothing is;
 * - only a step that may write has written, and only to sites of modules that are there;
 * - the hook is first in its chain from the first leaf on, and was not put there while somebody held the chain;
 * - the arena holds what is bound and what was left behind, to the byte;
 * - a commit fails because a module came or went in between, or is refused, and for no other reason.
 */
#ifndef TESTS_UNIT_MODULE_MODEL_H
#define TESTS_UNIT_MODULE_MODEL_H

#include "fakemodules.h"

#define MODEL_SLOTS 2u
#define MODEL_FRAMES (MODEL_SLOTS * FM_SLOT_PAGES * NL_PAGE_SIZE)
#define MODEL_HALF (NL_REGION_ARENA_DATA - NL_REGION_ARENA_TEXT - NL_ARENA_OWN)

enum phase {
	ABSENT,
	UNFORMED, /* on the list; then relocated, and COMING */
	COMING,
	CHAIN,    /* in its chain, before anybody was told */
	OTHERS,   /* we were told; the others are */
	ROLLBACK, /* one of them refuses: we are told that it goes */
	REFUSED,  /* and its state is still COMING */
	READY,    /* its parameters' handlers run */
	PARAMS,   /* its initialiser runs */
	RETURNED, /* LIVE, and what the initialiser needed is still there */
	LIVE,
	LEAVING,     /* GOING: its exit function runs; or its load has failed */
	GOING_CHAIN, /* in its chain */
	DEAD,        /* told; or nobody is to be told */
	PHASES
};

/* A beginning: with another leaf on, so many bodies left behind, and modules that far. */
struct beginning {
	bool zero;
	unsigned left_behind;
	enum phase phases[2];
};
void model_begin(const struct beginning *b);
void model_end(void);

#define MODEL_ACTIONS (2 * 4 + 5)  /* four ways of each module, and the agent's */
bool model_steps(unsigned action); /* false: it cannot be done now */
uint64_t model_key(void);          /* what tells states from each other */
enum phase model_phase(unsigned i);

/* For messages: what was done; forget what was done since. */
unsigned model_told(void);
void model_forget(unsigned told);

#endif
