// SPDX-License-Identifier: Apache-2.0
/* Two compilations of a unit, before and after the patch: which functions and data changed, came and went. */
#ifndef NEWLEAF_AUTHOR_PATCH_COMPARE_H
#define NEWLEAF_AUTHOR_PATCH_COMPARE_H

#include "patch_object.h"

enum fate { FATE_NONE, FATE_SAME, FATE_CHANGED, FATE_NEW, FATE_GONE };

struct comparison {
	const struct unit *before, *after;
	uint32_t *origin;  /* of each symbol of `after`: its index in `before`, 0 = none */
	uint32_t *outcome; /* of each symbol of `before`: its index in `after`, 0 = none */
	enum fate *fate;   /* of each symbol of `after`; of what is gone see `outcome` */
	bool *unsure;      /* static variables of `after` of which it is not known which one of `before` they are */
	const char **why;  /* of what changed: the first difference */
};

/* The first function or datum that differs, and how; NULL: none. */
char *unit_difference(const struct comparison *c);
struct comparison *unit_compare(const struct unit *before, const struct unit *after);

/* What differs between two ranges of sections, when everything else has been compared; NULL: nothing. */
const char *unit_range_difference(const struct comparison *c, const struct unit_section *before, uint64_t from_before,
                                  const struct unit_section *after, uint64_t from_after, uint64_t size);

/* What differs in the kernel's tables (__ex_table and such) about two ranges of code; NULL: nothing. */
const char *unit_entries_difference(const struct comparison *c, const struct unit_symbol *before,
                                    const struct unit_symbol *after);

bool unit_is_datum(const struct unit *u, const struct unit_symbol *s);
bool unit_is_function(const struct unit *u, const struct unit_symbol *s);
/* Does code of `f` refer to the symbol? */
bool unit_refers(const struct unit *u, const struct unit_symbol *f, const struct unit_symbol *to);

#endif
