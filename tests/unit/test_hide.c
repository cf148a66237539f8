// SPDX-License-Identifier: Apache-2.0
// sources: hv/net/hide.c
/*
 * Hiding of a card, on a bus that is made of functions with registers for places: what is switched off, what the guest
 * is shown instead, and that no other function comes to lie over the card's registers, by whatever write, while all
 * that does not goes through, and nothing is left changed that was only tried.
 */
#include "host.h"

#include "core/pool.h"
#include "insn.h"
#include "net/hide.h"
#include "view/base.h"
#include "view/current.h"

#define ECAM 0xb0000000ULL
#define CARD 0x28u  /* 00:05.0 */
#define OTHER 0x20u /* 00:04.0 */
#define BRIDGE 0x38u
#define AT 0xc02a0000u /* the card's registers */
#define MEMORY 2u
#define VOID 0x1122334455667788ULL /* what this machine reads where nothing is */
#define FUNCTIONS 0x200u           /* two buses */

static uint8_t space[FUNCTIONS][0x100], fixed[FUNCTIONS][0x100]; /* bits that no write changes */
static bool in_memory;
static uint32_t address; /* of the ports */
static uint16_t hiding;  /* the function that is being hidden */
static unsigned live;    /* places that moved while they were decoded */

static void set(uint16_t f, unsigned reg, unsigned width, uint64_t v) { memcpy(&space[f][reg], &v, width); }
static uint32_t get(uint16_t f, unsigned reg, unsigned width)
{
	uint32_t v = 0;

	memcpy(&v, &space[f][reg], width);
	return v;
}

static void poke(uint16_t f, unsigned reg, unsigned width, uint64_t v)
{
	/* Of a bridge its buses: nobody behind it would be where he was. */
	assert_true(space[f][0xe] != 1 || reg + width <= 0x18 || reg >= 0x1c);
	for (unsigned i = 0; i < width; i++) {
		uint8_t keeps = fixed[f][reg + i], byte = (uint8_t)(v >> 8 * i);

		if (reg + i >= 0x10 && reg + i < 0x3c && (space[f][4] & MEMORY) && (byte ^ space[f][reg + i]) & ~keeps)
			live++;
		space[f][reg + i] = (uint8_t)((space[f][reg + i] & keeps) | (byte & ~keeps));
	}
}

uint64_t nl_config_page(uint16_t f) { return in_memory && f < FUNCTIONS ? ECAM + ((uint64_t)f << 12) : 0; }
uint64_t nl_config_memory(uint64_t pa, unsigned width, bool write, uint64_t v)
{
	uint64_t at = pa - ECAM, got = VOID;

	if (at >> 12 >= FUNCTIONS) {
		assert_false(write);
		/* else it is the card that answers, on emulators even while it is off */
		assert_false(space[hiding][4] & MEMORY);
		assert_true(!pa || (get(hiding, 0x10, 4) != pa && get(hiding, 0x14, 4) != pa &&
		                    (get(hiding, 0x1c, 4) & ~15u) != (uint32_t)pa));
		return got;
	}
	assert_true(in_memory && (at & 0xfff) < 0x100);
	if (write)
		poke((uint16_t)(at >> 12), at & 0xfff, width, v);
	return get((uint16_t)(at >> 12), at & 0xfff, width);
}
uint32_t nl_config_peek(uint16_t f, unsigned reg, unsigned width)
{
	assert_true(reg % width == 0 && reg + width <= 0x100);
	return f < FUNCTIONS ? get(f, reg, width) : UINT32_MAX;
}
uint32_t x86_inl(uint16_t port)
{
	assert_int_equal(port, 0xcf8);
	return address;
}
void x86_outl(uint16_t port, uint32_t v)
{
	if (port == 0xcf8)
		address = v;
	else
		poke((uint16_t)(address >> 8), (address & 0xfc) | (port & 3), 4, v);
}
void x86_outw(uint16_t port, uint16_t v) { poke((uint16_t)(address >> 8), (address & 0xfc) | (port & 3), 2, v); }
void x86_outb(uint16_t port, uint8_t v) { poke((uint16_t)(address >> 8), (address & 0xfc) | (port & 3), 1, v); }

static uint64_t page_of_nothing[NL_PAGE_SIZE / 8];
#define NOTHING 0x77000000ULL
static bool pool_is_empty;
void *nl_pool_page(void) { return pool_is_empty ? NULL : page_of_nothing; }
hpa_t nl_pool_hpa(const void *va) { return va == page_of_nothing ? HPA(NOTHING) : HPA(0); }

static uint64_t ram_end;
bool nl_is_guest_ram(gpa_t gpa) { return gpa.v < ram_end; }

/* What the base view shows where somebody has said so. */
static struct {
	uint64_t gpa, hpa;
	enum nl_rights rights;
} shown[FUNCTIONS + 0x100];
static unsigned n_shown, room;

enum nl_err nl_base_page(gpa_t gpa, hpa_t frame, enum nl_rights rights)
{
	if (n_shown >= room)
		return NL_ENOMEM;
	shown[n_shown].gpa = gpa.v;
	shown[n_shown].hpa = frame.v;
	shown[n_shown++].rights = rights;
	return NL_OK;
}

static void expect_shown(uint64_t gpa, uint64_t hpa, enum nl_rights rights)
{
	for (unsigned i = 0; i < n_shown; i++)
		if (shown[i].gpa == gpa) {
			assert_int_equal(shown[i].hpa, hpa);
			assert_int_equal(shown[i].rights, rights);
			return;
		}
	fail_msg("nothing is said of %lx", gpa);
}

static void function(uint16_t f, uint8_t type)
{
	memset(space[f], 0, sizeof(space[f]));
	memset(fixed[f], 0xff, sizeof(fixed[f]));
	set(f, 0, 4, 0x10d38086);
	set(f, 0xe, 1, type);
	set(f, 4, 2, 7);
	memset(&fixed[f][4], 0, 2);
	memset(&fixed[f][0x3c], 0, 4);
}

/* A BAR or ROM of so many bytes; upper: its other half, or NULL of a narrow one. */
static void place(uint16_t f, unsigned reg, uint64_t at, uint64_t size, uint32_t flags)
{
	bool wide = reg < 0x30 && (flags & 7) == 4;
	uint64_t keeps = reg < 0x30 ? size - 1 : (size - 1) & ~1ULL;

	set(f, reg, wide ? 8 : 4, at | flags);
	memcpy(&fixed[f][reg], &keeps, wide ? 8 : 4);
}

static int setup(void **state)
{
	(void)state;
	memset(space, 0xff, sizeof(space));
	memset(fixed, 0xff, sizeof(fixed));
	memset(page_of_nothing, 0, sizeof(page_of_nothing));
	in_memory = true;
	pool_is_empty = false;
	n_shown = live = 0;
	room = NL_ARRAY_SIZE(shown);
	ram_end = 0x80000000;
	nl_boot.direct_size = 1ULL << 40;
	function(0, 0);
	set(0, 0, 4, 0x29c08086);
	function(CARD, 0);
	place(CARD, 0x10, AT, 0x20000, 0);
	place(CARD, 0x14, AT + 0x20000, 0x4000, 0);
	place(CARD, 0x18, 0xc040, 0x20, 1);
	place(CARD, 0x1c, 0xe000008000, 0x4000, 0xc);
	place(CARD, 0x30, AT + 0x40000, 0x40000, 1);
	function(OTHER, 0);
	place(OTHER, 0x10, 0xc0300000, 0x100000, 8);
	place(OTHER, 0x14, 0xc060, 0x20, 1);
	place(OTHER, 0x18, 0xe000010000, 0x10000, 0xc);
	place(OTHER, 0x30, 0xc0400000, 0x40000, 0);
	function(BRIDGE, 1);
	place(BRIDGE, 0x10, 0xc0500000, 0x1000, 0);
	place(BRIDGE, 0x38, 0xc0700000, 0x10000, 0);
	memset(&fixed[BRIDGE][0x18], 0, 4);
	memset(&fixed[BRIDGE][0x30], 0, 4);
	memset(&fixed[BRIDGE][0x1c], 0, 0x14);
	set(BRIDGE, 0x20, 4, 0x0000fff0);
	set(BRIDGE, 0x24, 4, 0x0001fff1);
	return 0;
}

static struct nl_wire_card card;

static enum nl_err hide(uint16_t f)
{
	hiding = f;
	return nl_hide_card(f, &card);
}

static void hidden_whole(void **state)
{
	(void)state;
	assert_int_equal(hide(CARD), NL_OK);
	assert_int_equal(card.function, CARD);
	assert_int_equal(get(CARD, 4, 2), 0x400); /* off, and INTx as well */
	assert_int_equal(get(CARD, 0x30, 4) & 1, 0);
	/* The registers are where they were. */
	assert_int_equal(get(CARD, 0x10, 4), AT);
	assert_int_equal(get(CARD, 0x1c, 4), 0x0000800c);
	assert_int_equal(get(CARD, 0x18, 4) & ~0x1fu, 0); /* but for ports */
	assert_int_equal(get(CARD, 0x20, 4), 0xe0);
	const uint64_t bars[6][2] = {{AT, 0x20000}, {AT + 0x20000, 0x4000}, {0, 0}, {0xe000008000, 0x4000}, {0, 0},
	                             {0, 0}};
	assert_memory_equal(card.bar, bars, sizeof(bars));
	for (unsigned i = 0; i < 4; i++)
		for (uint64_t at = 0; at < bars[i][1]; at += NL_PAGE_SIZE)
			expect_shown(bars[i][0] + at, NOTHING, NL_R);
	assert_int_equal(nl_hide_nothing, VOID);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(page_of_nothing); i++)
		assert_int_equal(page_of_nothing[i], VOID);
	for (uint16_t f = 0; f < FUNCTIONS; f++)
		assert_int_equal(nl_hides(f), f == CARD);
	/* In memory its page is one of a function that is not there; all others are watched. */
	for (uint16_t f = 0; f < FUNCTIONS; f++)
		expect_shown(ECAM + ((uint64_t)f << 12), ECAM + ((f == CARD ? CARD + 7ULL : f) << 12),
		             f == CARD ? NL_RWX : NL_R);
	assert_int_equal(n_shown, FUNCTIONS + 0x28);
	assert_true(nl_hide_meets(AT, 1) && nl_hide_meets(AT + 0x23fff, 1) && nl_hide_meets(0, UINT64_MAX) &&
	            nl_hide_meets(0xe00000bfff, 2) && nl_hide_meets(AT - 1, 2));
	assert_false(nl_hide_meets(AT - 1, 1) || nl_hide_meets(AT + 0x24000, 0x10000) || nl_hide_meets(0, AT) ||
	             nl_hide_meets(0xe00000c000, 1));
	assert_int_equal(address, 0);
}

/* Function 0 takes its siblings along, and these decode nothing any more. Another function goes alone. */
static void several_functions(void **state)
{
	(void)state;
	function(CARD + 1, 0x80);
	set(CARD, 0xe, 1, 0x80);
	place(CARD + 1, 0x10, 0xc0600000, 0x20000, 0);
	assert_int_equal(hide(CARD), NL_OK);
	assert_int_equal(get(CARD + 1, 4, 2), 0x400);
	for (uint16_t f = CARD; f < CARD + 8; f++) {
		assert_true(nl_hides(f));
		expect_shown(ECAM + ((uint64_t)f << 12), ECAM + ((CARD + 7ULL) << 12), NL_RWX);
	}
	assert_false(nl_hides(CARD - 1) || nl_hides(CARD + 8));
	setup(NULL);
	function(CARD + 6, 0x80);
	set(CARD, 0xe, 1, 0x80);
	place(CARD + 6, 0x10, 0xc0600000, 0x20000, 0);
	assert_int_equal(hide(CARD + 6), NL_OK);
	for (uint16_t f = CARD; f < CARD + 8; f++)
		assert_int_equal(nl_hides(f), f == CARD + 6);
	assert_int_equal(get(CARD, 4, 2), 7);
	assert_int_equal(card.bar[0].base, 0xc0600000);
	setup(NULL); /* all eight are there: none to show instead */
	for (uint16_t f = CARD + 1; f < CARD + 8; f++)
		function(f, 0x80);
	set(CARD, 0xe, 1, 0x80);
	assert_int_equal(hide(CARD), NL_EUNSUPPORTED);
}

/* Nobody has looked there: then it is what hardware has. */
static void out_of_reach(void **state)
{
	(void)state;
	nl_boot.direct_size = AT;
	assert_int_equal(hide(CARD), NL_OK);
	assert_int_equal(nl_hide_nothing, UINT64_MAX);
	assert_int_equal(page_of_nothing[7], UINT64_MAX);
}

static void cannot_be_hidden(void **state)
{
	(void)state;
	assert_int_equal(hide(0x40), NL_ECARD); /* nobody */
	assert_int_equal(hide(BRIDGE), NL_ECARD);
	setup(NULL);
	place(CARD, 0x10, 0, 0x20000, 0); /* the firmware gave it no place */
	assert_int_equal(hide(CARD), NL_ECARD);
	setup(NULL);
	place(CARD, 0x14, 0xc0600800, 0x800, 0); /* others in its page */
	assert_int_equal(hide(CARD), NL_EUNSUPPORTED);
	setup(NULL);
	pool_is_empty = true;
	assert_int_equal(hide(CARD), NL_ENOMEM);
	for (unsigned n = 0; n < FUNCTIONS + 0x28; n += 13) {
		setup(NULL);
		room = n;
		assert_int_equal(hide(CARD), NL_ENOMEM);
	}
	setup(NULL);
	in_memory = false; /* a chipset that is not known: where would it be? */
	assert_int_equal(hide(CARD), NL_EMACHINE);
	assert_int_equal(get(CARD, 4, 2), 7);
	set(0, 0, 4, 0x12378086); /* 440FX has none */
	address = 0x80001234;
	assert_int_equal(hide(CARD), NL_OK);
	assert_int_equal(address, 0x80001234);
	assert_int_equal(get(CARD, 4, 2), 0x400);
	assert_int_equal(n_shown, 0x28);
}

/* Does the gate's answer leave everything as it was? Whatever it is. */
static bool refuses(uint16_t f, unsigned reg, unsigned width, uint64_t v)
{
	static uint8_t before[FUNCTIONS][0x100];
	const char *name;

	memcpy(before, space, sizeof(space));
	live = 0;
	name = nl_hide_refuse(f, reg, width, v);
	assert_memory_equal(before, space, sizeof(space));
	assert_int_equal(live, 0); /* nothing moves under its owner's eyes */
	return name;
}

static void places_of_others(void **state)
{
	static const struct {
		uint16_t f;
		unsigned reg, width;
		uint64_t v;
		bool refused;
	} tries[] = {
	        {OTHER, 0x10, 4, 0xc0200000, true}, /* a megabyte that begins below */
	        {OTHER, 0x10, 4, AT, true},         /* which the hardware rounds down to there */
	        {OTHER, 0x10, 4, 0xc0100000, false},
	        {OTHER, 0x10, 4, 0xc0300000, false},
	        {OTHER, 0x10, 4, UINT32_MAX, false},
	        {OTHER, 0x12, 1, 0x20, true},
	        {OTHER, 0x12, 2, 0xc02f, true},
	        {OTHER, 0x13, 1, 0xc1, false},
	        {OTHER, 0x0c, 8, 0xc020000000000000, true}, /* over the edge of what counts */
	        {OTHER, 0x0c, 4, AT, false},
	        {OTHER, 0x14, 4, AT, false},    /* ports */
	        {OTHER, 0x18, 4, 0x8000, true}, /* of e0_00010000 the lower half: over the third BAR */
	        {OTHER, 0x18, 8, AT, true},     /* both halves */
	        {OTHER, 0x18, 4, AT, false},    /* e0_c02a0000 */
	        {OTHER, 0x1c, 4, 0, false},     /* 0_00010000 */
	        {OTHER, 0x18, 8, 0xe000020000, false},
	        {OTHER, 0x30, 4, AT | 1, true},
	        {OTHER, 0x30, 4, AT, false}, /* a ROM that is off */
	        {OTHER, 0x30, 4, 0xc0400001, false},
	        {OTHER, 0x3c, 4, UINT32_MAX, false},
	        {OTHER, 0x40, 4, AT, false},
	        {OTHER, 4, 2, 0, false},
	        {OTHER, 4, 2, 0x407, false},
	        {BRIDGE, 0x10, 4, AT + 0x3000, true},
	        {BRIDGE, 0x20, 4, 0xc020c020, true},
	        {BRIDGE, 0x20, 4, 0xc020c030, false}, /* base above limit: closed */
	        {BRIDGE, 0x20, 4, 0xc030c030, false},
	        {BRIDGE, 0x20, 2, 0, false},      /* up to 0fffff */
	        {BRIDGE, 0x22, 2, 0xffff, false}, /* base is fff00000 */
	        {BRIDGE, 0x24, 4, 0xfff1c001, true},
	        {BRIDGE, 0x24, 8, 0x000000e000010001, false},
	        {BRIDGE, 0x28, 8, 0x000000e0000000e0, false}, /* closed in its lower half */
	        {BRIDGE, 0x2c, 4, 1, false},                  /* fff00000 to 1_000fffff */
	        {BRIDGE, 0x2c, 4, 0xe0, true},
	        {BRIDGE, 0x38, 4, AT | 1, true},
	        {BRIDGE, 0x38, 4, AT, false},
	        {BRIDGE, 0x30, 4, AT | 1, false}, /* of its ports */
	        {0x40, 0x10, 4, AT, false},       /* nobody is there */
	        {0x40, 4, 2, 2, false},
	};

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(tries); i++)
		assert_false(refuses(tries[i].f, tries[i].reg, tries[i].width, tries[i].v)); /* no card, no matter */
	assert_int_equal(hide(CARD), NL_OK);
	for (size_t i = 0; i < NL_ARRAY_SIZE(tries); i++)
		if (refuses(tries[i].f, tries[i].reg, tries[i].width, tries[i].v) != tries[i].refused)
			fail_msg("%x, register %x, %u bytes, %lx", tries[i].f, tries[i].reg, tries[i].width,
			         tries[i].v);
	/* While nothing is decoded all may lie anywhere: it is asked when that is switched on. */
	set(OTHER, 4, 2, 5);
	set(BRIDGE, 4, 2, 5);
	for (size_t i = 0; i < NL_ARRAY_SIZE(tries); i++)
		assert_false(refuses(tries[i].f, tries[i].reg, tries[i].width, tries[i].v));
	assert_false(refuses(OTHER, 4, 2, 7));
	assert_false(refuses(BRIDGE, 4, 1, 7));
	poke(OTHER, 0x10, 4, 0xc0200000);
	poke(BRIDGE, 0x20, 4, 0xfff0c000);
	assert_true(refuses(OTHER, 4, 2, 7) && refuses(OTHER, 4, 1, 2) && refuses(OTHER, 0, 8, 2ULL << 32) &&
	            refuses(BRIDGE, 4, 4, 2));
	assert_false(refuses(OTHER, 5, 1, 2) || refuses(OTHER, 4, 2, 0x405) || refuses(OTHER, 6, 2, UINT16_MAX));
	assert_false(refuses(OTHER, 0, 8, 2ULL << 40));
	poke(BRIDGE, 0x20, 4, 0x0000fff0);
	assert_false(refuses(BRIDGE, 4, 2, 2));
	poke(BRIDGE, 0x24, 8, 0xfff10001); /* from 0 on */
	poke(BRIDGE, 0x2c, 4, UINT32_MAX); /* to the end of all */
	assert_true(refuses(BRIDGE, 4, 2, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(places_of_others, setup), /* first, while none is hidden yet */
	        cmocka_unit_test_setup(hidden_whole, setup),     cmocka_unit_test_setup(several_functions, setup),
	        cmocka_unit_test_setup(out_of_reach, setup),     cmocka_unit_test_setup(cannot_be_hidden, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
