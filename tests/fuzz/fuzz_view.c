// SPDX-License-Identifier: Apache-2.0
// sources: hv/view/view.c hv/view/npt.c tests/unit/history.c tests/unit/shape.c
// sources: tests/unit/host.c tests/unit/seam/seam.c
// libs: -lcmocka
// length: 256
// quick: 600
/*
 * Any sequence of operations on views, with memory that runs out at any place: each living view shows what the oracle
 * says (tests/unit/shape.c edits shapes, never tables), and exactly the tables that are reached are allocated.
 */
#include "fuzz.h"

#include "history.h"
#include "shape.h"
#include "view/view.h"

enum { ADDRESS_BITS = 32, CHAIN = 4, OPERATIONS = 24 };
#define SINK 0x7700000000ULL
#define APIC 0xfee00000ULL
#define FRAME 0x5500000000ULL

static struct nl_npt_format format;
static struct nl_views views;
static enum shape_format shape_format;
static struct {
	struct nl_view view;
	struct shape shape;
} chain[CHAIN];
static unsigned n_chain;
static bool forked; /* the base is in use: nothing is hidden any more */

static const struct nl_type_run pc[] = {{0, 0xa0000, NL_MT_WB},
                                        {0xa0000, 0x60000, NL_MT_UC},
                                        {0x100000, 0x7fe03000 - 0x100000, NL_MT_WB},
                                        {0x7fe03000, 0xc0000000 - 0x7fe03000, NL_MT_UC},
                                        {0xc0000000, 0x40000000, NL_MT_WB}};

static uint64_t page(struct fuzz *f)
{
	static const uint64_t near[] = {0, 0x9f000, 0x7fe00000, 0x3fe00000, 0x40000000, 0x80000000, 0xfffff000, APIC};
	uint8_t v = fuzz_byte(f);
	uint64_t gpa = near[v & 7] + (uint64_t)(v >> 3) * (v & 0x80 ? 0x200000 : 0x1000);

	return gpa & ((1ULL << ADDRESS_BITS) - 1);
}

static void check(void)
{
	static struct shape now;
	static bool met[HISTORY_PAGES];
	size_t n = 0;

	memset(met, 0, sizeof(met));
	for (unsigned i = 0; i < n_chain; i++) {
		shape_read(&now, shape_format, chain[i].view.root, ADDRESS_BITS);
		FUZZ_CHECK(!now.wrong && shape_equal(&now, &chain[i].shape));
		for (size_t t = 0; t < HISTORY_PAGES; t++)
			met[t] |= now.met[t];
	}
	for (size_t t = 0; t < HISTORY_PAGES; t++)
		n += met[t];
	FUZZ_CHECK(history_used() == n);
}

static void set_page(struct fuzz *f)
{
	const struct nl_view *parent = n_chain > 1 ? &chain[n_chain - 2].view : NULL;
	uint64_t gpa = page(f), frame;
	uint8_t v = fuzz_byte(f);
	enum nl_rights rights = (v & 6) | NL_R;
	enum nl_err err;

	if (forked && !parent) /* the base view is edited before its first use only */
		return;
	frame = v & 8 ? gpa : FRAME + (uint64_t)(v >> 4) * 0x1000;
	err = nl_view_set_page(&views, &chain[n_chain - 1].view, parent, GPA(gpa), HPA(frame), rights);
	FUZZ_CHECK(err == NL_OK || err == NL_ENOMEM);
	if (!err)
		shape_show(&chain[n_chain - 1].shape, gpa, NL_PAGE_SIZE, frame, rights);
}

static void fork_newest(void)
{
	enum nl_err err;

	if (n_chain == CHAIN)
		return;
	err = nl_view_fork(&views, &chain[n_chain - 1].view, &chain[n_chain].view);
	FUZZ_CHECK(err == NL_OK || err == NL_ENOMEM);
	if (err)
		return;
	chain[n_chain].shape = chain[n_chain - 1].shape;
	n_chain++;
	forked = true;
}

/* The oldest or the newest. */
static void drop(unsigned i)
{
	nl_view_release(&views, &chain[i].view, n_chain == 1 ? NULL : &chain[i ? i - 1 : 1].view);
	memmove(&chain[i], &chain[i + 1], (n_chain - i - 1) * sizeof(chain[0]));
	n_chain--;
}

/* A run of pages that all show one frame: how the base hides what is the hypervisor's. */
static void hide(struct fuzz *f)
{
	uint64_t gpa = page(f), end = gpa + (uint64_t)fuzz_byte(f) * NL_PAGE_SIZE;

	for (; !forked && gpa < end && gpa < 1ULL << ADDRESS_BITS; gpa += NL_PAGE_SIZE) {
		enum nl_err err = nl_view_set_page(&views, &chain[0].view, NULL, GPA(gpa), HPA(SINK), NL_RWX);

		FUZZ_CHECK(err == NL_OK || err == NL_ENOMEM);
		if (!err)
			shape_show(&chain[0].shape, gpa, NL_PAGE_SIZE, SINK, NL_RWX);
	}
}

/* The rights of the APIC's page, in every living view: no memory is short, as the callers see to. */
static void base_edit(struct fuzz *f)
{
	enum nl_rights rights = fuzz_byte(f) & 1 ? NL_R : NL_RW;

	history_fail_after(-1);
	for (unsigned i = 0; i < n_chain; i++) {
		const struct piece *p = shape_at(&chain[i].shape, APIC);
		uint64_t frame = p->one_frame ? p->hpa : p->hpa + APIC - p->gpa;

		FUZZ_CHECK(nl_view_set_page(&views, &chain[i].view, NULL, GPA(APIC), HPA(frame), rights) == NL_OK);
		shape_show(&chain[i].shape, APIC, NL_PAGE_SIZE, frame, rights);
	}
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};
	uint8_t machine = fuzz_byte(&f);

	history_reset();
	history_reuse_at_once(machine & 4);
	shape_format = machine & 1 ? SHAPE_EPT : SHAPE_NPT;
	format = (machine & 1 ? nl_npt_format_ept : nl_npt_format_npt)(machine & 2, ADDRESS_BITS);
	views = (struct nl_views){.format = &format, .ops = history_ops()};
	n_chain = 1;
	forked = false;
	FUZZ_CHECK(nl_view_base(&views, pc, NL_ARRAY_SIZE(pc), &chain[0].view) == NL_OK);
	shape_read(&chain[0].shape, shape_format, chain[0].view.root, ADDRESS_BITS);
	for (unsigned i = 0; i < OPERATIONS && f.n; i++) {
		uint8_t v = fuzz_byte(&f);

		history_fail_after(v & 0x80 ? v >> 4 & 7 : -1);
		switch (v % 8) {
		case 0:
		case 1:
		case 2:
			set_page(&f);
			break;
		case 3:
		case 4:
			fork_newest();
			break;
		case 5:
			if (n_chain > 1)
				drop(fuzz_byte(&f) & 1 ? n_chain - 1 : 0);
			break;
		case 6:
			hide(&f);
			break;
		case 7:
			base_edit(&f);
		}
		history_fail_after(-1);
		if (v & 8)
			check();
	}
	check();
	while (n_chain)
		drop(size & 1 ? n_chain - 1 : 0);
	FUZZ_CHECK(history_used() == 0);
}

void fuzz_seeds(void)
{
	static const uint8_t commits[] = {3, 6,    3, 1, 0, 9, 0x2f, 3, 0, 0x11, 0x13, 1, 0x44, 0x21, 3,
	                                  2, 0xc5, 7, 7, 1, 5, 0,    4, 0, 0x1a, 0x77, 5, 1,    5,    0};
	uint8_t other[sizeof(commits)];

	for (unsigned machine = 0; machine < 8; machine++) {
		memcpy(other, commits, sizeof(other));
		other[0] = (uint8_t)machine;
		fuzz_seed(other, sizeof(other));
	}
}
