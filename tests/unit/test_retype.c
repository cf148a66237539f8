// SPDX-License-Identifier: Apache-2.0
// sources: hv/view/view.c hv/view/npt.c tests/unit/history.c
/*
 * Memory types that follow changed MTRRs: every page of a view gets the type of the new runs and keeps everything else;
 * a failed allocation leaves every translation as it was; a format without types is not touched.
 */
#include "host.h"
#include "history.h"
#include "view/view.h"

enum { BITS = 33 };
#define APIC 0xfee00000ULL
#define HIDDEN 0x40000000ULL
#define FRAME 0x5500000000ULL

static const struct nl_type_run before[] = {
        {0, 0x80000000, NL_MT_WB}, {0x80000000, 0x80000000, NL_MT_UC}, {0x100000000, 0x100000000, NL_MT_WB}};
static const struct nl_type_run after[] = {{0, 0x80000000, NL_MT_WB},
                                           {0x80000000, 0x50000000, NL_MT_UC},
                                           {0xd0000000, 0x1001000, NL_MT_WC},
                                           {0xd1001000, 0x2efff000, NL_MT_UC},
                                           {0x100000000, 0x100000000, NL_MT_WT}};
static const uint64_t probes[] = {0,           0x7ffff000,  0x80000000, 0xcffff000, 0xd0000000,
                                  0xd1000000,  0xd1001000,  0xd1200000, 0xfee00000, 0xfffff000,
                                  0x100000000, 0x1fffff000, 0x12345000, 0x40000000, 0x401ff000};

static struct nl_npt_format format;
static struct nl_views views;
static struct nl_view view;

static void begin(bool ept)
{
	history_reset();
	format = ept ? nl_npt_format_ept(true, BITS) : nl_npt_format_npt(true, BITS);
	views = (struct nl_views){.format = &format, .ops = history_ops()};
	assert_int_equal(nl_view_base(&views, before, NL_ARRAY_SIZE(before), &view), NL_OK);
	for (uint64_t at = HIDDEN; at < HIDDEN + NL_2M; at += NL_PAGE_SIZE)
		assert_int_equal(nl_view_set_page(&views, &view, NULL, GPA(at), HPA(FRAME), NL_RWX), NL_OK);
	assert_int_equal(nl_view_set_page(&views, &view, NULL, GPA(APIC), HPA(APIC), NL_R), NL_OK);
	assert_int_equal(nl_view_set_page(&views, &view, NULL, GPA(0x12345000), HPA(FRAME), NL_RX), NL_OK);
}

static enum nl_memtype wanted(uint64_t gpa)
{
	for (unsigned i = 0;; i++)
		if (gpa - after[i].base < after[i].size)
			return after[i].type;
}

struct seen {
	hpa_t at;
	enum nl_rights rights;
	enum nl_memtype type;
};

static void look(struct seen *s)
{
	for (unsigned i = 0; i < NL_ARRAY_SIZE(probes); i++)
		assert_true(nl_view_walk(&views, &view, GPA(probes[i]), &s[i].at, &s[i].rights, &s[i].type, NULL));
}

static void types_follow(void **state)
{
	struct seen was[NL_ARRAY_SIZE(probes)], is[NL_ARRAY_SIZE(probes)];

	(void)state;
	begin(true);
	look(was);
	assert_int_equal(nl_view_retype(&views, &view, after, NL_ARRAY_SIZE(after), NULL, 0), NL_OK);
	look(is);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(probes); i++) {
		assert_int_equal(is[i].at.v, was[i].at.v);
		assert_int_equal(is[i].rights, was[i].rights);
		assert_int_equal(is[i].type, wanted(probes[i]));
	}
	nl_view_release(&views, &view, NULL);
	assert_int_equal(history_used(), 0);
}

/* Only what changes is walked: the tables that are looked at are those on the way to it. */
static size_t looked_at;

static void *counted(hpa_t table)
{
	looked_at++;
	return history_ops().map(table);
}

static void only_what_changes_is_walked(void **state)
{
	const struct nl_type_run moved[] = {{0, 0x80000000, NL_MT_WB},
	                                    {0x80000000, 0x50000000, NL_MT_UC},
	                                    {0xd0000000, 0x1000000, NL_MT_WC}, /* a page less than in `after` */
	                                    {0xd1000000, 0x2f000000, NL_MT_UC},
	                                    {0x100000000, 0x100000000, NL_MT_WT}};
	size_t all, few;
	enum nl_memtype type;

	(void)state;
	begin(true);
	assert_int_equal(nl_view_retype(&views, &view, after, NL_ARRAY_SIZE(after), NULL, 0), NL_OK);
	views.ops.map = counted;
	looked_at = 0;
	assert_int_equal(nl_view_retype(&views, &view, after, NL_ARRAY_SIZE(after), NULL, 0), NL_OK);
	all = looked_at;
	looked_at = 0;
	assert_int_equal(nl_view_retype(&views, &view, moved, NL_ARRAY_SIZE(moved), after, NL_ARRAY_SIZE(after)),
	                 NL_OK);
	few = looked_at;
	assert_int_equal(few, 4); /* one a level */
	assert_true(all > few);
	assert_true(nl_view_walk(&views, &view, GPA(0xd1000000), NULL, NULL, &type, NULL));
	assert_int_equal(type, NL_MT_UC);
	assert_true(nl_view_walk(&views, &view, GPA(0xd0fff000), NULL, NULL, &type, NULL));
	assert_int_equal(type, NL_MT_WC);
	looked_at = 0;
	assert_int_equal(nl_view_retype(&views, &view, moved, NL_ARRAY_SIZE(moved), moved, NL_ARRAY_SIZE(moved)),
	                 NL_OK);
	assert_int_equal(looked_at, 1);
	nl_view_release(&views, &view, NULL);
}

/* A view forked before shares the tables that were edited, and can be edited on its own all the same. */
static void forks_follow(void **state)
{
	struct nl_view fork;

	(void)state;
	begin(true);
	assert_int_equal(nl_view_fork(&views, &view, &fork), NL_OK);
	assert_int_equal(nl_view_set_page(&views, &fork, &view, GPA(0xd0000000), HPA(FRAME), NL_RW), NL_OK);
	assert_int_equal(nl_view_retype(&views, &fork, after, NL_ARRAY_SIZE(after), NULL, 0), NL_OK);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(probes); i++) {
		enum nl_memtype type;
		assert_true(nl_view_walk(&views, &fork, GPA(probes[i]), NULL, NULL, &type, NULL));
		assert_int_equal(type, wanted(probes[i]));
	}
	nl_view_release(&views, &view, &fork);
	nl_view_release(&views, &fork, NULL);
	assert_int_equal(history_used(), 0);
}

static void without_memory_nothing_moves(void **state)
{
	struct seen was[NL_ARRAY_SIZE(probes)], is[NL_ARRAY_SIZE(probes)];
	enum nl_err err = NL_ENOMEM;

	(void)state;
	for (int n = 0; err == NL_ENOMEM; n++) {
		begin(true);
		look(was);
		history_fail_after(n);
		err = nl_view_retype(&views, &view, after, NL_ARRAY_SIZE(after), NULL, 0);
		history_fail_after(-1);
		assert_true(n > 0 || err == NL_ENOMEM); /* this change does need tables */
		look(is);
		for (unsigned i = 0; i < NL_ARRAY_SIZE(probes); i++) {
			assert_int_equal(is[i].at.v, was[i].at.v);
			assert_int_equal(is[i].rights, was[i].rights);
		}
		nl_view_release(&views, &view, NULL);
		assert_int_equal(history_used(), 0);
	}
	assert_int_equal(err, NL_OK);
}

static void npt_has_no_types(void **state)
{
	size_t used;

	(void)state;
	begin(false);
	used = history_used();
	assert_int_equal(nl_view_retype(&views, &view, after, NL_ARRAY_SIZE(after), NULL, 0), NL_OK);
	assert_int_equal(history_used(), used);
	nl_view_release(&views, &view, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(types_follow),     cmocka_unit_test(only_what_changes_is_walked),
	        cmocka_unit_test(forks_follow),     cmocka_unit_test(without_memory_nothing_moves),
	        cmocka_unit_test(npt_has_no_types),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
