// SPDX-License-Identifier: Apache-2.0
/* See view_fixture.h. */
#include "view_fixture.h"

/* A PC with its legacy hole, memory that ends at no 2 MiB boundary, and memory above 4 GiB. */
const struct nl_type_run pc[7] = {
        {0, 0xa0000, NL_MT_WB},
        {0xa0000, 0x20000, NL_MT_UC},
        {0xc0000, 0x40000, NL_MT_WP},
        {0x100000, 0x7fe03000 - 0x100000, NL_MT_WB},
        {0x7fe03000, 0x100000000 - 0x7fe03000, NL_MT_UC},
        {0x100000000, 0xc0000000, NL_MT_WB},
        {0x1c0000000, 0x40000000, NL_MT_UC},
};

struct machine {
	enum shape_format shape;
	bool has_1g;
};

struct nl_npt_format format;
struct nl_views views;
enum shape_format shape_format;

static int start(void **state)
{
	const struct machine *m = *state;
	history_reset();
	host_seed(1);
	shape_format = m->shape;
	format = (m->shape == SHAPE_EPT ? nl_npt_format_ept : nl_npt_format_npt)(m->has_1g, ADDRESS_BITS);
	views = (struct nl_views){.format = &format, .ops = history_ops()};
	return 0;
}

void read_view(struct shape *s, const struct nl_view *view) { shape_read(s, shape_format, view->root, ADDRESS_BITS); }

void assert_shows(const struct nl_view *view, const struct shape *expected)
{
	static struct shape now;
	read_view(&now, view);
	if (shape_equal(&now, expected))
		return;
	shape_print("expected", expected);
	shape_print("shown", &now);
	fail();
}

void make_base(struct nl_view *base, struct shape *shape)
{
	assert_int_equal(nl_view_base(&views, pc, NL_ARRAY_SIZE(pc), base), NL_OK);
	read_view(shape, base);
	assert_null(shape->wrong);
}

void make_hidden_base(struct nl_view *base, struct shape *shape)
{
	make_base(base, shape);
	for (uint64_t at = HIDDEN; at < HIDDEN + HIDDEN_SIZE; at += NL_PAGE_SIZE)
		assert_int_equal(nl_view_set_page(&views, base, NULL, GPA(at), HPA(SINK), NL_RWX), NL_OK);
	shape_hide(shape, HIDDEN, HIDDEN_SIZE, SINK);
}

void release_last(struct nl_view *view)
{
	nl_view_release(&views, view, NULL);
	assert_int_equal(history_used(), 0);
}

int run_for_all_formats(const struct view_test *tests, size_t n)
{
	static struct machine machines[] = {
	        {SHAPE_EPT, true}, {SHAPE_EPT, false}, {SHAPE_NPT, true}, {SHAPE_NPT, false}};
	struct CMUnitTest group[32];
	int failed = 0;

	assert_true(n <= NL_ARRAY_SIZE(group));
	for (size_t m = 0; m < NL_ARRAY_SIZE(machines); m++) {
		char name[32];
		snprintf(name, sizeof(name), "view: %s, %s", machines[m].shape == SHAPE_EPT ? "EPT" : "NPT",
		         machines[m].has_1g ? "1G pages" : "2M pages");
		for (size_t t = 0; t < n; t++)
			group[t] = (struct CMUnitTest){tests[t].name, tests[t].function, start, NULL, &machines[m]};
		failed += _cmocka_run_group_tests(name, group, n, NULL, NULL);
	}
	return failed;
}
