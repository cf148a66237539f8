// SPDX-License-Identifier: Apache-2.0
/*
 * What a leaf takes from the third compilation of a unit, and what stays where the image has it. Everything that the
 * new functions lead to is one of: carried (new, a clone, a string, or inlined in the image), or bound to a proven
 * place.
 */
#ifndef NEWLEAF_AUTHOR_PATCH_SELECT_H
#define NEWLEAF_AUTHOR_PATCH_SELECT_H

#include "body.h"
#include "patch_compare.h"
#include "patch_layout.h"
#include "patch_prove.h"

struct patch_function {                    /* one function of the image that gets a new body */
	const struct unit_symbol *shipped; /* in the unit as shipped */
	uint64_t va;
	const char *why; /* the first difference, or whose clone changed */
	bool unproven;   /* allowed by the author */
};

struct patch_datum {                                       /* one read-only datum of the image that changes in place */
	const struct unit_symbol *shipped, *after, *fresh; /* fresh: in the third compilation */
	uint64_t va;
};

struct patch_unit {
	const char *path;       /* fs/pipe.c */
	const struct kernel *k; /* as the unit sees it: a module's view, where it is a part of one */
	const struct unit *shipped, *body;
	const struct proof *proof;
	const struct comparison *c;
	bool alike; /* the patch only divides its code into functions otherwise */
	bool allow_unproven, allow_state, stays;
	bool offsets;                     /* not linked: its numbers become a generated header */
	char *types_before, *types_after; /* objects with the unit's types */
	struct layout types;              /* what was read of them */
	const char *layout, *state;       /* what the author allowed to change, and to lose, or NULL */
	const char *prototype;            /* functions of others whose prototypes he allowed to change, or NULL */
	struct patch_function *function;
	struct patch_datum *datum;
	size_t n_functions, n_data;
	bool *replaced;  /* by symbol of c->before */
	uint64_t *moved; /* by symbol of c->after: where the image has what is new in the unit; 0 = nowhere */
	/* for each section of `body` */
	bool *take;
	struct place *bound;
	struct place *outside; /* for each undefined symbol; symbol 0 = by its name */
	bool *wanted;          /* whether anything taken uses it */
	bool *carried;         /* by symbol: of functions that share a section, those that the leaf has itself */
	struct body_fixed *fixed;
	size_t n_fixed;
	uint32_t *list; /* sections whose addresses are followed */
	size_t n_list, walked;
	char **notes;
	size_t n_notes;
};

/* Are both parts of the image, or of one module? Only then do they link to each other by plain names. */
static inline bool patch_same_object(const struct patch_unit *a, const struct patch_unit *b) { return a->k == b->k; }

void patch_note(struct patch_unit *p, char *text);
/* Where a function that the unit had before is in the image, to be replaced. Refuses NL_ESITE, NL_ETARGET; false: there
 * is nothing to replace, with a note. */
bool patch_site(struct patch_unit *p, const struct unit_symbol *before, const char *why, struct patch_function *out);
/* Which functions and data of the image must change. Refuses NL_ESITE, NL_EBODY by name what cannot. */
void patch_changes(struct patch_unit *p);
/* What goes into the leaf for that; fills take, bound and outside. */
void patch_select(struct patch_unit *p);
/* Takes a new global function or datum that another unit uses. False: it is none, or taken already. */
bool patch_offer(struct patch_unit *p, const char *name);
/* Binds what the units use of each other. Refuses NL_ESITE what a kernel could not link. */
void patch_join(struct patch_unit *units, size_t n);

#endif
