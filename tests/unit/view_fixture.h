// SPDX-License-Identifier: Apache-2.0
/*
 * Views of a PC in the fake memory of history.h, and the shapes (shape.h) that say what they must show; every test runs
 * for both formats, with and without 1 GiB pages.
 */
#ifndef TESTS_UNIT_VIEW_FIXTURE_H
#define TESTS_UNIT_VIEW_FIXTURE_H

#include "host.h"
#include "history.h"
#include "shape.h"
#include "view/view.h"

enum { ADDRESS_BITS = 33 };
#define END (1ULL << ADDRESS_BITS)
#define SINK 0x7700000000ULL
#define HIDDEN 0x13fc00000ULL /* across the boundary of two 1 GiB pages */
#define HIDDEN_SIZE 0x800000ULL
#define APIC 0xfee00000ULL
#define FRAME 0x5500000000ULL

extern const struct nl_type_run pc[7];
extern struct nl_npt_format format;
extern struct nl_views views;
extern enum shape_format shape_format;

void read_view(struct shape *s, const struct nl_view *view);
void assert_shows(const struct nl_view *view, const struct shape *expected);
void make_base(struct nl_view *base, struct shape *shape);
void make_hidden_base(struct nl_view *base, struct shape *shape);
void release_last(struct nl_view *view); /* and nothing is left */

struct view_test {
	const char *name;
	CMUnitTestFunction function;
};
int run_for_all_formats(const struct view_test *tests, size_t n); /* how many failed */

#endif
