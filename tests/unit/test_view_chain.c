// SPDX-License-Identifier: Apache-2.0
// sources: hv/view/view.c hv/view/npt.c tests/unit/history.c tests/unit/shape.c tests/unit/view_fixture.c
/*
 * Any sequence of forks, edits, base edits and releases, with memory that runs out in between: every view alive shows
 * what it should, and not a table more is allocated than they reach.
 */
#include "view_fixture.h"

enum { CHAIN = 5, STEPS = 1500 };
static struct {
	struct nl_view view;
	struct shape shape;
} chain[CHAIN];
static unsigned n_chain;

/* Exactly the tables that some living view reaches are allocated. */
static void assert_nothing_leaks(void)
{
	static struct shape now;
	static bool met[HISTORY_PAGES];
	size_t n = 0;

	memset(met, 0, sizeof(met));
	for (unsigned i = 0; i < n_chain; i++) {
		read_view(&now, &chain[i].view);
		assert_true(shape_equal(&now, &chain[i].shape));
		for (size_t t = 0; t < HISTORY_PAGES; t++)
			met[t] |= now.met[t];
	}
	for (size_t t = 0; t < HISTORY_PAGES; t++)
		n += met[t];
	assert_int_equal(history_used(), n);
}

static uint64_t some_page(void)
{
	static const uint64_t near[] = {0,          0x7fe00000, HIDDEN,      HIDDEN + NL_2M,
	                                0x12345000, 0x12400000, 0x180000000, 0x1c0000000};
	return near[host_below(NL_ARRAY_SIZE(near))] + host_below(24) * NL_PAGE_SIZE;
}

static void edit_newest(unsigned pages)
{
	static const enum nl_rights rights[] = {NL_R, NL_RX, NL_RW, NL_RWX};
	const struct nl_view *parent = n_chain > 1 ? &chain[n_chain - 2].view : NULL;

	while (pages--) {
		const uint64_t gpa = some_page(),
		               frame = host_below(3) ? FRAME + host_below(1 << 20) * NL_PAGE_SIZE : gpa;
		const enum nl_rights r = rights[host_below(4)];
		history_fail_after(host_below(4) ? -1 : (int)host_below(3));
		const enum nl_err err =
		        nl_view_set_page(&views, &chain[n_chain - 1].view, parent, GPA(gpa), HPA(frame), r);
		history_fail_after(-1);
		if (err == NL_OK)
			shape_show(&chain[n_chain - 1].shape, gpa, NL_PAGE_SIZE, frame, r);
		else
			assert_int_equal(err, NL_ENOMEM);
	}
}

static void fork_newest(void)
{
	assert_int_equal(nl_view_fork(&views, &chain[n_chain - 1].view, &chain[n_chain].view), NL_OK);
	assert_int_equal(chain[n_chain].view.generation, chain[n_chain - 1].view.generation + 1);
	chain[n_chain].shape = chain[n_chain - 1].shape;
	n_chain++;
	edit_newest(1 + host_below(4));
}

/* The oldest or the newest. */
static void drop(unsigned i)
{
	nl_view_release(&views, &chain[i].view, n_chain == 1 ? NULL : &chain[i ? i - 1 : 1].view);
	memmove(&chain[i], &chain[i + 1], (n_chain - i - 1) * sizeof(chain[0]));
	n_chain--;
}

static void base_edit(void)
{
	const enum nl_rights rights = host_below(2) ? NL_R : NL_RW;
	for (unsigned i = 0; i < n_chain; i++) {
		const uint64_t frame =
		        shape_at(&chain[i].shape, APIC)->hpa + APIC - shape_at(&chain[i].shape, APIC)->gpa;
		assert_int_equal(nl_view_set_page(&views, &chain[i].view, NULL, GPA(APIC), HPA(frame), rights), NL_OK);
		shape_show(&chain[i].shape, APIC, NL_PAGE_SIZE, frame, rights);
	}
}

static void any_sequence_of_commits_keeps_every_view_and_leaks_nothing(void **state)
{
	(void)state;
	make_hidden_base(&chain[0].view, &chain[0].shape);
	n_chain = 1;
	edit_newest(8); /* the base before it is first used */
	assert_nothing_leaks();
	for (unsigned step = 0; step < STEPS; step++) {
		switch (host_below(8)) {
		case 0:
			base_edit();
			break;
		case 1:
		case 2: /* prepared, then abandoned */
			if (n_chain < CHAIN) {
				fork_newest();
				drop(n_chain - 1);
			}
			break;
		case 3: /* a generation that no CPU uses any more */
			if (n_chain > 1)
				drop(0);
			break;
		default:
			if (n_chain == CHAIN)
				drop(0);
			fork_newest();
		}
		assert_nothing_leaks();
	}
	while (n_chain > 1)
		drop(host_below(2) ? 0 : n_chain - 1);
	release_last(&chain[0].view);
}

int main(void)
{
#define TEST(f) \
	{ \
#f, f \
	}
	static const struct view_test tests[] = {
	        TEST(any_sequence_of_commits_keeps_every_view_and_leaks_nothing),
	};

	return run_for_all_formats(tests, NL_ARRAY_SIZE(tests));
}
