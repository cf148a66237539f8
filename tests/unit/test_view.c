// SPDX-License-Identifier: Apache-2.0
// sources: hv/view/view.c hv/view/npt.c tests/unit/history.c tests/unit/shape.c tests/unit/view_fixture.c
/*
 * Views, for both formats with and without 1 GiB pages: what they show, what they cost, what they release; what
 * hardware would see after every single write; and that a failed allocation at any point changes nothing. The oracle
 * edits shapes (shape.h), never tables.
 */
#include "view_fixture.h"

/* --- The base view --- */

/* Pages below 2 MiB are small, and no 1 GiB page is below 4 GiB: types change there that runs know nothing of. */
static size_t fewest_leaves(void)
{
	size_t n = 0;
	for (size_t i = 0; i < NL_ARRAY_SIZE(pc); i++) {
		const uint64_t end = pc[i].base + pc[i].size;
		for (uint64_t at = pc[i].base, size; at < end; at += size, n++) {
			size = at < NL_2M ? NL_PAGE_SIZE : at >= 4 * NL_1G && format.has_1g ? NL_1G : NL_2M;
			while (at & (size - 1) || at + size > end)
				size >>= 9;
		}
	}
	return n;
}

static void base_is_identity_from_the_largest_pages(void **state)
{
	(void)state;
	struct nl_view base;
	static struct shape shape;
	make_base(&base, &shape);

	assert_int_equal(shape.leaves, fewest_leaves());
	for (size_t i = 0; i < NL_ARRAY_SIZE(pc); i++) {
		const struct piece *p = shape_at(&shape, pc[i].base);
		assert_int_equal(p->hpa, p->gpa);
		assert_int_equal(p->rights, NL_RWX);
		assert_int_equal(p->type, format.has_type ? pc[i].type : NL_MT_WB);
	}
	for (size_t i = 0; i < NL_ARRAY_SIZE(pc); i++) { /* no leaf crosses a change of type, in either format */
		struct nl_shown page;
		assert_true(nl_view_walk(&views, &base, GPA(pc[i].base), &page));
		assert_int_equal(pc[i].base & (page.size - 1), 0);
	}
	release_last(&base);
}

static void walk_agrees_with_hardware(void **state)
{
	(void)state;
	struct nl_view base;
	static struct shape shape;
	struct nl_shown page;
	make_hidden_base(&base, &shape);

	for (unsigned i = 0; i < 20000; i++) {
		const gpa_t gpa = GPA(host_below(i % 2 ? END : 0x400000) + (i % 4 == 2 ? HIDDEN - 0x100000 : 0));
		const struct piece *p = shape_at(&shape, gpa.v);
		assert_true(nl_view_walk(&views, &base, gpa, &page));
		assert_int_equal(page.at.v, p->one_frame ? p->hpa + (gpa.v & NL_PAGE_MASK) : p->hpa + gpa.v - p->gpa);
		assert_int_equal(page.rights, p->rights);
		assert_int_equal(page.type, p->type);
	}
	assert_false(nl_view_walk(&views, &base, GPA(END), &page));
	assert_false(nl_view_walk(&views, &base, GPA(UINT64_MAX), &page));
	release_last(&base);
}

static void base_without_memory_leaves_nothing(void **state)
{
	(void)state;
	struct nl_view base;
	int n = 0;
	enum nl_err err;

	do {
		history_fail_after(n++);
		err = nl_view_base(&views, pc, NL_ARRAY_SIZE(pc), &base);
		assert_true(err == NL_OK || (err == NL_ENOMEM && !history_used()));
	} while (err);
	assert_int_equal(history_used(), n - 1);
	release_last(&base);
}

/* --- Hiding --- */

static void hidden_range_shows_the_sink(void **state)
{
	(void)state;
	struct nl_view base;
	static struct shape shape;
	make_base(&base, &shape);
	const size_t used = history_used();
	release_last(&base);

	make_hidden_base(&base, &shape);
	assert_shows(&base, &shape);
	/* A page table for each 2 MiB, and a directory for each of the two 1 GiB pages. */
	assert_int_equal(history_used(), used + HIDDEN_SIZE / NL_2M + (format.has_1g ? 2 : 0));
	release_last(&base);
}

static void one_page_of_a_hidden_range_shows_itself(void **state)
{
	(void)state;
	struct nl_view base;
	static struct shape shape;
	make_hidden_base(&base, &shape);

	assert_int_equal(nl_view_set_page(&views, &base, NULL, GPA(HIDDEN + NL_2M), HPA(HIDDEN + NL_2M), NL_RX), NL_OK);
	shape_show(&shape, HIDDEN + NL_2M, NL_PAGE_SIZE, HIDDEN + NL_2M, NL_RX);
	assert_shows(&base, &shape);
	release_last(&base);
}

/* --- After every single write --- */

enum { LIVE_MAX = 2 };
static struct {
	hpa_t root;
	struct shape before, after, now;
} live[LIVE_MAX]; /* views that a CPU might be walking */
static unsigned n_live;
static const char *complaint;

static void after_a_write(hpa_t table, unsigned entry)
{
	(void)entry;
	for (unsigned i = 0; i < n_live; i++) {
		if (!shape_reaches(&live[i].now, table))
			continue;
		if (history_tore())
			complaint = "one instruction wrote more than one entry of a table in use";
		shape_read(&live[i].now, shape_format, live[i].root, ADDRESS_BITS);
		if (live[i].now.wrong)
			complaint = live[i].now.wrong;
		else if (!shape_between(&live[i].before, &live[i].now, &live[i].after))
			complaint = "a translation that is neither the old nor the new one";
	}
}

static void watch_view(const struct nl_view *view, const struct shape *before, const struct shape *after)
{
	live[n_live].root = view->root;
	live[n_live].before = *before;
	live[n_live].after = *after;
	read_view(&live[n_live].now, view);
	n_live++;
}

static void watched_set_page(struct nl_view *view, const struct nl_view *parent, struct shape *shape,
                             const struct shape *parent_shape, uint64_t gpa, enum nl_rights rights)
{
	static struct shape before;
	before = *shape;
	shape_show(shape, gpa, NL_PAGE_SIZE, FRAME + gpa, rights);

	n_live = 0;
	complaint = NULL;
	watch_view(view, &before, shape);
	if (parent)
		watch_view(parent, parent_shape, parent_shape);
	history_watch(after_a_write);
	const enum nl_err err = nl_view_set_page(&views, view, parent, GPA(gpa), HPA(FRAME + gpa), rights);
	history_unwatch();
	if (complaint)
		fail_msg("page %lx: %s", gpa, complaint);
	assert_int_equal(err, NL_OK);
	assert_true(history_writes() > 0);
	assert_shows(view, shape);
	if (parent)
		assert_shows(parent, parent_shape);
}

static void every_write_of_an_edit_leaves_valid_tables(void **state)
{
	(void)state;
	struct nl_view base, next;
	static struct shape shape, next_shape;
	make_hidden_base(&base, &shape);
	assert_int_equal(nl_view_fork(&views, &base, &next), NL_OK);
	next_shape = shape;

	const uint64_t pages[] = {
	        0x140c00000,       /* in a 2 MiB page, in a table that was split off a 1 GiB page */
	        0x180000000,       /* first of a 1 GiB page, where there are such */
	        0x1bffff000,       /* its last */
	        0x180001000,       /* in the table just made */
	        0x1000,            /* in a page table of the base */
	        0x140c01000,       /* the second page of a table */
	        HIDDEN + 0x1000,   /* in the hidden range */
	        HIDDEN + 0x601000, /* at its other end */
	        APIC,
	};
	for (size_t i = 0; i < NL_ARRAY_SIZE(pages); i++)
		watched_set_page(&next, &base, &next_shape, &shape, pages[i], i % 2 ? NL_RX : NL_RW);
	nl_view_release(&views, &next, &base);
	assert_shows(&base, &shape);
	release_last(&base);
}

/* A base edit works on tables in use: here they are in use by a fork as well, which must see the same change. */
static void every_write_of_a_base_edit_leaves_valid_tables(void **state)
{
	(void)state;
	struct nl_view base, next;
	static struct shape shape, before;
	make_hidden_base(&base, &shape);
	watched_set_page(&base, NULL, &shape, NULL, 0x1000, NL_RW); /* the base alone: in place */

	for (unsigned i = 0; i < 4; i++) {
		if (i == 1)
			assert_int_equal(nl_view_fork(&views, &base, &next), NL_OK);
		before = shape;
		shape_show(&shape, APIC, NL_PAGE_SIZE, APIC, i % 2 ? NL_RW : NL_R);
		n_live = 0;
		complaint = NULL;
		watch_view(&base, &before, &shape);
		if (i)
			watch_view(&next, &before, &shape);
		history_watch(after_a_write);
		const enum nl_err err =
		        nl_view_set_page(&views, &base, NULL, GPA(APIC), HPA(APIC), i % 2 ? NL_RW : NL_R);
		history_unwatch();
		assert_int_equal(err, NL_OK);
		if (complaint)
			fail_msg("%s", complaint);
		if (i)
			assert_int_equal(history_writes(), 1);
		assert_shows(&base, &shape);
		if (i)
			assert_shows(&next, &shape);
	}
	nl_view_release(&views, &next, &base);
	release_last(&base);
}

/* The watch itself must see what it is there for: the same edit, made in the wrong order by hand. */
static void the_watch_sees_a_table_linked_too_early(void **state)
{
	(void)state;
	struct nl_view base;
	static struct shape shape;
	make_hidden_base(&base, &shape);
	const hpa_t directory =
	        HPA(history_map(HPA(history_map(base.root)[0] & ~0xfffULL))[0] & ~0xfffULL); /* of the first GiB */
	uint64_t *entry = &history_map(directory)[5];
	hpa_t fresh;

	n_live = 0;
	complaint = NULL;
	watch_view(&base, &shape, &shape);
	history_watch(after_a_write);
	assert_true(views.ops.alloc(&fresh));
	const uint64_t old = *entry;
	*(volatile uint64_t *)entry = format.table | fresh.v;
	history_unwatch();
	assert_string_equal(complaint, "a hole in the map");
	*entry = old;
	views.ops.release(fresh);
	release_last(&base);
}

/* --- No memory --- */

static void an_edit_without_memory_changes_nothing(void **state)
{
	(void)state;
	struct nl_view base, next;
	static struct shape shape, next_shape;
	make_hidden_base(&base, &shape);
	history_fail_after(0);
	assert_int_equal(nl_view_fork(&views, &base, &next), NL_ENOMEM);
	history_fail_after(1);
	assert_int_equal(nl_view_fork(&views, &base, &next), NL_OK);
	next_shape = shape;

	const uint64_t pages[] = {0x180000000, 0x180001000, 0x1000, HIDDEN, 0x1c0000000};
	const int costs[] = {3, 0, 3, 2, 3}; /* tables, at most; fewer where one is private already */
	for (size_t i = 0; i < NL_ARRAY_SIZE(pages); i++) {
		const size_t used = history_used();
		enum nl_err err;
		int n = 0;
		do {
			assert_shows(&next, &next_shape);
			assert_int_equal(history_used(), used);
			history_fail_after(n++);
			err = nl_view_set_page(&views, &next, &base, GPA(pages[i]), HPA(FRAME), NL_RX);
			assert_true(err == NL_OK || err == NL_ENOMEM);
		} while (err);
		assert_in_range(n - 1, 0, costs[i]);
		assert_int_equal(history_used(), used + n - 1);
		shape_show(&next_shape, pages[i], NL_PAGE_SIZE, FRAME, NL_RX);
	}
	history_fail_after(-1);
	assert_int_equal(nl_view_set_page(&views, &next, &base, GPA(END), HPA(FRAME), NL_RX), NL_EINTERNAL);
	expect_panic(nl_view_set_page(&views, &next, &base, GPA(0), HPA(FRAME), NL_W)); /* EPT would be misconfigured */
	assert_shows(&next, &next_shape);
	assert_shows(&base, &shape);
	nl_view_release(&views, &next, &base);
	release_last(&base);
}

int main(void)
{
#define TEST(f) \
	{ \
#f, f \
	}
	static const struct view_test tests[] = {
	        TEST(base_is_identity_from_the_largest_pages),
	        TEST(walk_agrees_with_hardware),
	        TEST(base_without_memory_leaves_nothing),
	        TEST(hidden_range_shows_the_sink),
	        TEST(one_page_of_a_hidden_range_shows_itself),
	        TEST(every_write_of_an_edit_leaves_valid_tables),
	        TEST(every_write_of_a_base_edit_leaves_valid_tables),
	        TEST(the_watch_sees_a_table_linked_too_early),
	        TEST(an_edit_without_memory_changes_nothing),
	};

	return run_for_all_formats(tests, NL_ARRAY_SIZE(tests));
}
