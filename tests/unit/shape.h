// SPDX-License-Identifier: Apache-2.0
/*
 * What nested page tables show, found by a walker that is written from the manuals alone and shares nothing with
 * hv/view/view.c: it knows the hardware's entry bits, refuses what hardware would refuse (EPT misconfiguration,
 * reserved bits), and yields the map as merged pieces.
 */
#ifndef TESTS_UNIT_SHAPE_H
#define TESTS_UNIT_SHAPE_H

#include "history.h"

struct piece {
	uint64_t gpa, size;
	uint64_t hpa;
	bool one_frame; /* every page of it shows the same frame; else frames go up with gpa */
	enum nl_rights rights;
	enum nl_memtype type;
};

#define SHAPE_PIECES 512
struct shape {
	size_t n;
	struct piece p[SHAPE_PIECES];
	size_t leaves;           /* entries that map a page, of any size */
	bool met[HISTORY_PAGES]; /* tables that the walk came through, by their number in the fake memory */
	const char *wrong;       /* what hardware would refuse; NULL = valid */
};

enum shape_format { SHAPE_EPT, SHAPE_NPT };
void shape_read(struct shape *s, enum shape_format format, hpa_t root, unsigned address_bits);
bool shape_reaches(const struct shape *s, hpa_t table); /* did the walk come through this table? */

/* An oracle edits shapes directly: let [gpa, gpa+size) show frame (or all of it one frame). Keeps each piece's type
 * unless hidden. */
void shape_show(struct shape *s, uint64_t gpa, uint64_t size, uint64_t hpa, enum nl_rights rights);
void shape_type(struct shape *s, uint64_t gpa, uint64_t size, enum nl_memtype type);
void shape_hide(struct shape *s, uint64_t gpa, uint64_t size, uint64_t sink);

bool shape_equal(const struct shape *a, const struct shape *b);
/* Is every translation of `now` that of `before` or that of `after`? */
bool shape_between(const struct shape *before, const struct shape *now, const struct shape *after);
const struct piece *shape_at(const struct shape *s, uint64_t gpa);
void shape_print(const char *title, const struct shape *s);

#endif
