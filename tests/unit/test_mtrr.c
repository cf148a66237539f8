// SPDX-License-Identifier: Apache-2.0
// sources: hv/view/mtrr.c
/*
 * Memory types from MTRRs: the manual's own example, register sets of the kinds that firmware writes, each rule of
 * precedence, and random snapshots against an oracle that asks the manual's question page by page, bit by bit.
 */
#include "host.h"
#include "view/mtrr.h"

#define ENABLE (1ULL << 11)
#define FIXED (1ULL << 10)
#define VALID (1ULL << 11)
#define CAP(variable) (1ULL << 10 | 1ULL << 8 | (variable)) /* WC and fixed ranges exist */
#define M (1ULL << 20)
#define G (1ULL << 30)
#define ALL(type) (0x0101010101010101ULL * (type))
/* WB up to 640K, UC for VGA, WP for ROMs: what every PC has. */
#define PC_FIXED \
	{ \
		ALL(NL_MT_WB), ALL(NL_MT_WB), ALL(NL_MT_UC), ALL(NL_MT_WP), ALL(NL_MT_WP), ALL(NL_MT_WP), \
		        ALL(NL_MT_WP), ALL(NL_MT_WP), ALL(NL_MT_WP), ALL(NL_MT_WP), ALL(NL_MT_WP) \
	}

enum { MAX_RUNS = 256 };
static struct nl_type_run runs[MAX_RUNS];
static size_t n;

/* What always holds of runs: ascending, without gaps, merged, the whole space, and each edge agrees with nl_mtrr_type.
 */
static void make_runs(const struct nl_mtrrs *m)
{
	const unsigned bits = m->phys_bits < 48 ? m->phys_bits : 48;
	uint64_t at = 0;

	assert_int_equal(nl_mtrr_runs(m, runs, MAX_RUNS, &n), NL_OK);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(runs[i].base, at);
		assert_true(runs[i].size > 0);
		assert_int_equal(runs[i].size & NL_PAGE_MASK, 0);
		assert_true(!i || runs[i].type != runs[i - 1].type);
		assert_int_equal(nl_mtrr_type(m, GPA(at)), runs[i].type);
		at += runs[i].size;
		assert_int_equal(nl_mtrr_type(m, GPA(at - 1)), runs[i].type);
	}
	assert_int_equal(at, 1ULL << bits);
}

#define assert_runs(...) \
	do { \
		const struct nl_type_run expected[] = {__VA_ARGS__}; \
		assert_int_equal(n, NL_ARRAY_SIZE(expected)); \
		for (size_t i_ = 0; i_ < n; i_++) { \
			assert_int_equal(runs[i_].base, expected[i_].base); \
			assert_int_equal(runs[i_].size, expected[i_].size); \
			assert_int_equal(runs[i_].type, expected[i_].type); \
		} \
	} while (0)

/* [base, base+size), size a power of two and base aligned to it: SDM vol. 3, 12.11.3. */
static void set(struct nl_mtrrs *m, uint64_t base, uint64_t size, enum nl_memtype type)
{
	const unsigned i = m->n_variable++;
	m->variable[i].base = base | type;
	m->variable[i].mask = (((1ULL << m->phys_bits) - 1) & ~(size - 1)) | VALID;
}

/* SDM vol. 3, example 12-2, with its register values: 96 MiB of memory around a 4 MiB card at 64 MiB, a hole at 15 MiB,
 * a frame buffer. */
static void the_example_of_the_manual(void **state)
{
	(void)state;
	const struct nl_mtrrs m = {
	        .cap = CAP(6),
	        .def_type = ENABLE | NL_MT_UC,
	        .n_variable = 6,
	        .phys_bits = 40,
	        .variable =
	                {
	                        {0x0000000000000006, 0x000000fffc000800},
	                        {0x0000000004000006, 0x000000fffe000800},
	                        {0x0000000006000006, 0x000000ffffc00800},
	                        {0x0000000004000000, 0x000000ffffc00800},
	                        {0x0000000000f00000, 0x000000fffff00800},
	                        {0x00000000a0000001, 0x000000ffff800800},
	                },
	};
	make_runs(&m);
	assert_runs({0, 15 * M, NL_MT_WB}, {15 * M, M, NL_MT_UC}, {16 * M, 48 * M, NL_MT_WB}, {64 * M, 4 * M, NL_MT_UC},
	            {68 * M, 32 * M, NL_MT_WB}, {100 * M, 0xa0000000 - 100 * M, NL_MT_UC},
	            {0xa0000000, 8 * M, NL_MT_WC}, {0xa0800000, (1ULL << 40) - 0xa0800000, NL_MT_UC});
}

/* OVMF of today: everything is WB, except what is not memory. q35 has its hole from 2 GiB on. */
static void firmware_that_defaults_to_wb(void **state)
{
	(void)state;
	struct nl_mtrrs m = {.cap = CAP(8), .def_type = ENABLE | FIXED | NL_MT_WB, .fixed = PC_FIXED, .phys_bits = 40};
	set(&m, 2 * G, 2 * G, NL_MT_UC);
	set(&m, 512 * G, 512 * G, NL_MT_UC);
	make_runs(&m);
	assert_runs({0, 0xa0000, NL_MT_WB}, {0xa0000, 0x20000, NL_MT_UC}, {0xc0000, 0x40000, NL_MT_WP},
	            {M, 2 * G - M, NL_MT_WB}, {2 * G, 2 * G, NL_MT_UC}, {4 * G, 508 * G, NL_MT_WB},
	            {512 * G, 512 * G, NL_MT_UC});
}

/* SeaBIOS and older OVMF: only memory is WB; Bochs alike. */
static void firmware_that_defaults_to_uc(void **state)
{
	(void)state;
	struct nl_mtrrs m = {.cap = CAP(8), .def_type = ENABLE | FIXED | NL_MT_UC, .fixed = PC_FIXED, .phys_bits = 40};
	set(&m, 0, 2 * G, NL_MT_WB);
	set(&m, 4 * G, 4 * G, NL_MT_WB);
	make_runs(&m);
	assert_runs({0, 0xa0000, NL_MT_WB}, {0xa0000, 0x20000, NL_MT_UC}, {0xc0000, 0x40000, NL_MT_WP},
	            {M, 2 * G - M, NL_MT_WB}, {2 * G, 2 * G, NL_MT_UC}, {4 * G, 4 * G, NL_MT_WB},
	            {8 * G, (1ULL << 40) - 8 * G, NL_MT_UC});
}

/* A laptop with 8 GiB of which graphics took 1 MiB multiples below 0xbf: few registers, so memory is rounded up and
 * holes cut out by UC. */
static void a_laptop_whose_firmware_subtracts(void **state)
{
	(void)state;
	struct nl_mtrrs m = {.cap = CAP(10), .def_type = ENABLE | FIXED | NL_MT_UC, .fixed = PC_FIXED, .phys_bits = 39};
	set(&m, 0, 8 * G, NL_MT_WB);
	set(&m, 8 * G, 512 * M, NL_MT_WB);
	set(&m, 8 * G + 496 * M, 16 * M, NL_MT_UC);
	set(&m, 0xc0000000, G, NL_MT_UC);
	set(&m, 0xbf000000, 16 * M, NL_MT_UC);
	set(&m, 0xbe800000, 8 * M, NL_MT_UC);
	set(&m, 0xd0000000, 256 * M, NL_MT_WC); /* the frame buffer, inside a UC range: stays UC */
	make_runs(&m);
	assert_runs({0, 0xa0000, NL_MT_WB}, {0xa0000, 0x20000, NL_MT_UC}, {0xc0000, 0x40000, NL_MT_WP},
	            {M, 0xbe800000 - M, NL_MT_WB}, {0xbe800000, 4 * G - 0xbe800000, NL_MT_UC},
	            {4 * G, 4 * G + 496 * M, NL_MT_WB}, {8 * G + 496 * M, (1ULL << 39) - 8 * G - 496 * M, NL_MT_UC});
}

static void all_on_or_off(void **state)
{
	(void)state;
	struct nl_mtrrs m = {.cap = CAP(8), .def_type = FIXED | NL_MT_WB, .fixed = PC_FIXED, .phys_bits = 36};
	set(&m, 0, G, NL_MT_WB);
	make_runs(&m); /* E = 0: all is UC, whatever the rest says */
	assert_runs({0, 1ULL << 36, NL_MT_UC});

	m.def_type = ENABLE | NL_MT_WT; /* FE = 0: variable ranges reach down to 0 */
	make_runs(&m);
	assert_runs({0, G, NL_MT_WB}, {G, (1ULL << 36) - G, NL_MT_WT});

	m.def_type |= FIXED;
	m.cap &= ~(1ULL << 8); /* no fixed ranges in this CPU */
	make_runs(&m);
	assert_runs({0, G, NL_MT_WB}, {G, (1ULL << 36) - G, NL_MT_WT});

	m.variable[0].mask &= ~VALID;
	make_runs(&m);
	assert_runs({0, 1ULL << 36, NL_MT_WT});

	m.variable[0].mask = VALID; /* an empty mask matches everything */
	make_runs(&m);
	assert_runs({0, 1ULL << 36, NL_MT_WB});
}

static void each_byte_of_a_fixed_register_counts(void **state)
{
	(void)state;
	static const struct {
		unsigned reg;
		uint64_t base, unit;
	} registers[] = {{0, 0, 0x10000},      {1, 0x80000, 0x4000}, {2, 0xa0000, 0x4000}, {3, 0xc0000, 0x1000},
	                 {4, 0xc8000, 0x1000}, {5, 0xd0000, 0x1000}, {6, 0xd8000, 0x1000}, {7, 0xe0000, 0x1000},
	                 {8, 0xe8000, 0x1000}, {9, 0xf0000, 0x1000}, {10, 0xf8000, 0x1000}};

	for (size_t r = 0; r < NL_ARRAY_SIZE(registers); r++)
		for (unsigned byte = 0; byte < 8; byte++) {
			struct nl_mtrrs m = {.cap = CAP(0), .def_type = ENABLE | FIXED | NL_MT_UC, .phys_bits = 36};
			const uint64_t base = registers[r].base + byte * registers[r].unit;
			m.fixed[registers[r].reg] = (uint64_t)NL_MT_WP << 8 * byte;
			make_runs(&m);
			assert_int_equal(n, base ? 3 : 2);
			assert_int_equal(runs[base ? 1 : 0].base, base);
			assert_int_equal(runs[base ? 1 : 0].size, registers[r].unit);
		}
}

static void overlaps_by_the_book(void **state)
{
	(void)state;
	static const struct {
		enum nl_memtype a, b, both;
	} rules[] = {
	        {NL_MT_WB, NL_MT_WB, NL_MT_WB},
	        {NL_MT_WC, NL_MT_WC, NL_MT_WC},
	        {NL_MT_UC, NL_MT_WB, NL_MT_UC},
	        {NL_MT_UC, NL_MT_WC, NL_MT_UC},
	        {NL_MT_UC, NL_MT_WT, NL_MT_UC},
	        {NL_MT_UC, NL_MT_WP, NL_MT_UC},
	        {NL_MT_WT, NL_MT_WB, NL_MT_WT},
	        /* undefined in the manual: UC here */
	        {NL_MT_WC, NL_MT_WB, NL_MT_UC},
	        {NL_MT_WP, NL_MT_WB, NL_MT_UC},
	        {NL_MT_WC, NL_MT_WT, NL_MT_UC},
	};

	for (size_t i = 0; i < NL_ARRAY_SIZE(rules); i++)
		for (unsigned turned = 0; turned < 2; turned++) {
			struct nl_mtrrs m = {.cap = CAP(8), .def_type = ENABLE | NL_MT_WB, .phys_bits = 36};
			set(&m, G, G, turned ? rules[i].b : rules[i].a);
			set(&m, G, G, turned ? rules[i].a : rules[i].b);
			assert_int_equal(nl_mtrr_type(&m, GPA(G)), rules[i].both);
			assert_int_equal(nl_mtrr_type(&m, GPA(2 * G)), NL_MT_WB); /* the default takes no part */
		}
	struct nl_mtrrs m = {.cap = CAP(8), .def_type = ENABLE | NL_MT_WC, .phys_bits = 36};
	set(&m, 0, G, NL_MT_WB);
	set(&m, 0, G, NL_MT_WT);
	set(&m, 0, G, NL_MT_WB);
	assert_int_equal(nl_mtrr_type(&m, GPA(0)), NL_MT_WT);
	set(&m, 0, G, NL_MT_UC); /* UC wins from any place */
	assert_int_equal(nl_mtrr_type(&m, GPA(0)), NL_MT_UC);
}

static void masks_with_holes_and_odd_widths(void **state)
{
	(void)state;
	/* Bit 30 is free, bit 31 must be 1: two pieces within each 4 GiB. */
	struct nl_mtrrs m = {.cap = CAP(1), .def_type = ENABLE | NL_MT_UC, .phys_bits = 33, .n_variable = 1};
	m.variable[0].base = 2 * G | NL_MT_WB;
	m.variable[0].mask = 2 * G | VALID;
	make_runs(&m);
	assert_runs({0, 2 * G, NL_MT_UC}, {2 * G, 2 * G, NL_MT_WB}, {4 * G, 2 * G, NL_MT_UC}, {6 * G, 2 * G, NL_MT_WB});

	/* A mask written for fewer bits than the CPU has repeats above them; bits above MAXPHYADDR mean nothing. */
	m.phys_bits = 34;
	m.variable[0].mask = ((1ULL << 33) - 1) & ~(G - 1);
	m.variable[0].mask |= VALID | 1ULL << 60;
	m.variable[0].base = G | NL_MT_WB | 1ULL << 60;
	make_runs(&m);
	assert_runs({0, G, NL_MT_UC}, {G, G, NL_MT_WB}, {2 * G, 7 * G, NL_MT_UC}, {9 * G, G, NL_MT_WB},
	            {10 * G, 6 * G, NL_MT_UC});

	/* Base bits outside the mask mean nothing either. */
	m = (struct nl_mtrrs){.cap = CAP(1), .def_type = ENABLE | NL_MT_UC, .phys_bits = 36};
	set(&m, G, G, NL_MT_WB);
	m.variable[0].base += 0x12345000;
	make_runs(&m);
	assert_runs({0, G, NL_MT_UC}, {G, G, NL_MT_WB}, {2 * G, (1ULL << 36) - 2 * G, NL_MT_UC});

	/* Four levels of nested tables reach 48 bits, and reserved types read as UC. */
	m = (struct nl_mtrrs){.cap = CAP(0), .def_type = ENABLE | 7, .phys_bits = 52};
	make_runs(&m);
	assert_runs({0, 1ULL << 48, NL_MT_UC});
}

static void too_little_room_is_an_error(void **state)
{
	(void)state;
	struct nl_mtrrs m = {.cap = CAP(8), .def_type = ENABLE | FIXED | NL_MT_WB, .fixed = PC_FIXED, .phys_bits = 40};
	set(&m, 2 * G, 2 * G, NL_MT_UC);
	make_runs(&m);
	const size_t need = n;
	assert_int_equal(nl_mtrr_runs(&m, runs, need, &n), NL_OK);
	for (size_t max = 0; max < need; max++)
		assert_int_equal(nl_mtrr_runs(&m, runs, max, &n), NL_ENOMEM);

	/* A mask of every second bit makes more pieces than anybody has room for: an answer, not a loop. */
	m.variable[0].mask = 0x5555555000 | VALID;
	m.variable[0].base = NL_MT_UC;
	assert_int_equal(nl_mtrr_runs(&m, runs, MAX_RUNS, &n), NL_ENOMEM);

	/* The same when all pieces are of one type, and so would be one run: 2^27 of them would hold a CPU for seconds.
	 */
	m.variable[0].mask = NL_PAGE_SIZE | VALID;
	m.variable[0].base = NL_MT_WB;
	assert_int_equal(nl_mtrr_runs(&m, runs, MAX_RUNS, &n), NL_ENOMEM);
}

/* --- The oracle: what 12.11.4.1 says of one address, as a reader would do it by hand --- */

static int oracle(const struct nl_mtrrs *m, uint64_t gpa)
{
	unsigned seen[8] = {0}, matches = 0;

	if (!(m->def_type & ENABLE))
		return NL_MT_UC;
	if (gpa < M && m->cap & 1 << 8 && m->def_type & FIXED) {
		const uint8_t *bytes = (const uint8_t *)m->fixed; /* 88 types in a row */
		if (gpa < 0x80000)
			return bytes[gpa >> 16];
		return gpa < 0xc0000 ? bytes[8 + ((gpa - 0x80000) >> 14)] : bytes[24 + ((gpa - 0xc0000) >> 12)];
	}
	for (unsigned i = 0; i < m->n_variable; i++) {
		bool match = m->variable[i].mask & VALID;
		for (unsigned bit = 12; bit < m->phys_bits; bit++)
			if (m->variable[i].mask >> bit & 1 && (m->variable[i].base >> bit & 1) != (gpa >> bit & 1))
				match = false;
		if (match) {
			seen[m->variable[i].base & 7]++;
			matches++;
		}
	}
	if (!matches)
		return m->def_type & 7;
	for (unsigned type = 0; type < 8; type++)
		if (seen[type] == matches)
			return type;
	return seen[NL_MT_WT] && seen[NL_MT_WT] + seen[NL_MT_WB] == matches ? NL_MT_WT : NL_MT_UC;
}

static enum nl_memtype some_type(void)
{
	static const enum nl_memtype types[] = {NL_MT_UC, NL_MT_WC, NL_MT_WT, NL_MT_WP, NL_MT_WB, NL_MT_WB};
	return types[host_below(NL_ARRAY_SIZE(types))];
}

/* A space small enough to look at every page of it: 16 MiB. */
static void random_snapshots_agree_with_the_oracle(void **state)
{
	(void)state;
	host_seed(3);
	for (unsigned round = 0; round < 400; round++) {
		struct nl_mtrrs m = {.cap = CAP(8) & ~(host_below(4) ? 0 : 1ULL << 8), .phys_bits = 24};
		m.def_type = (host_below(16) ? ENABLE : 0) | (host_below(4) ? FIXED : 0) | some_type();
		for (unsigned i = 0; i < 88; i++)
			((uint8_t *)m.fixed)[i] = some_type();
		for (unsigned i = host_below(NL_MTRR_MAX_VARIABLE + 1); i; i--) {
			const uint64_t size = NL_PAGE_SIZE << host_below(13);
			set(&m, host_below(1 << 24) & ~(size - 1), size, some_type());
			if (!host_below(4)) /* a hole in the mask, high up: few pieces */
				m.variable[m.n_variable - 1].mask &= ~(1ULL << (20 + host_below(4)));
			if (!host_below(8))
				m.variable[m.n_variable - 1].mask &= ~VALID;
		}
		make_runs(&m);
		for (size_t i = 0; i < n; i++)
			for (uint64_t at = runs[i].base; at < runs[i].base + runs[i].size; at += NL_PAGE_SIZE) {
				assert_int_equal(oracle(&m, at), runs[i].type);
				assert_int_equal(nl_mtrr_type(&m, GPA(at)), runs[i].type);
			}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_example_of_the_manual),
	        cmocka_unit_test(firmware_that_defaults_to_wb),
	        cmocka_unit_test(firmware_that_defaults_to_uc),
	        cmocka_unit_test(a_laptop_whose_firmware_subtracts),
	        cmocka_unit_test(all_on_or_off),
	        cmocka_unit_test(each_byte_of_a_fixed_register_counts),
	        cmocka_unit_test(overlaps_by_the_book),
	        cmocka_unit_test(masks_with_holes_and_odd_widths),
	        cmocka_unit_test(too_little_room_is_an_error),
	        cmocka_unit_test(random_snapshots_agree_with_the_oracle),
	};
	return cmocka_run_group_tests_name("mtrr", tests, NULL, NULL);
}
