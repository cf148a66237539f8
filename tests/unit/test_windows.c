// SPDX-License-Identifier: Apache-2.0
// sources: hv/exits/windows.c
/*
 * The table of chipset windows on machines that are made of their configuration space: who is recognised, what is
 * watched, what is refused. Whatever the width, the offset and what stood there before: no value may come to stand in a
 * window's register that lets it meet the region, and nothing else may be refused.
 */
#include "host.h"

#include <newleaf/hypercall.h>

#include "exits/windows.h"
#include "insn.h"

#define REGION 0x7c000000ULL

static uint8_t space[0x200][0x1000]; /* buses 0 and 1 */
static uint64_t mmio_cfg_base;

static uint32_t signature = 0x00800f11; /* family 17h */

void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	assert_in_range(leaf, 0, 1);
	memset(r, 0, 16);
	r[0] = leaf ? signature + sub : 1;
}

bool x86_rdmsr_safe(uint32_t index, uint64_t *value)
{
	assert_int_equal(index, 0xc0010058);
	*value = mmio_cfg_base;
	return true;
}

uint32_t nl_config_peek(uint16_t function, unsigned reg, unsigned width)
{
	uint32_t v = 0;

	assert_true(reg % width == 0 && reg + width <= 0x1000);
	if (function < 0x200)
		memcpy(&v, &space[function][reg], width);
	return function < 0x200 ? v : UINT32_MAX >> (32 - 8 * width);
}

static uint64_t hidden_at, hidden_size; /* registers of a card that is hidden */
bool nl_hide_meets(uint64_t at, uint64_t size) { return at < hidden_at + hidden_size && hidden_at < at + size; }

static bool covers; /* what is written puts a BAR there */
const char *nl_hide_refuse(uint16_t function, unsigned reg, unsigned width, uint64_t value)
{
	return covers && function == 0x20 && reg == 0x10 && width == 4 && value == 0xc0000000 ? "hidden" : NULL;
}

static void set(uint16_t function, unsigned reg, unsigned width, uint64_t v)
{
	memcpy(&space[function][reg], &v, width);
}

static void bridge(uint16_t function, uint32_t id)
{
	set(function, 0, 4, id);
	set(function, 10, 2, 0x0600);
}

static void machine(uint32_t id)
{
	memset(space, 0, sizeof(space));
	nl_boot.region = REGION;
	nl_boot.region_size = NL_REGION_SIZE(1);
	bridge(0, id);
	set(0, 0x34, 1, 0xe0);
	set(0, 0xe0, 1, 9);
}

static const char *refuse(uint16_t function, unsigned reg, unsigned width, uint64_t v)
{
	return nl_windows_refuse(function, reg, width, v);
}

/* Nor over a card of the core's own. */
static void card(void **state)
{
	(void)state;
	machine(0x29c08086);
	set(0xf8, 0xf0, 4, 0xfed1c001);
	assert_int_equal(nl_windows_init(), NL_OK);
	hidden_at = 0xc02a0000;
	hidden_size = 0x20000;
	assert_string_equal(refuse(0xf8, 0xf0, 4, 0xc02a0001), "RCBA");
	assert_string_equal(refuse(0xf8, 0xf0, 4, 0xc02bc001), "RCBA");
	assert_null(refuse(0xf8, 0xf0, 4, 0xc02a0000)); /* off */
	assert_null(refuse(0xf8, 0xf0, 4, 0xc029c001));
	assert_null(refuse(0xf8, 0xf0, 4, 0xc02c0001));
	hidden_size = 0;
	assert_null(refuse(0x20, 0x10, 4, 0xc0000000));
	covers = true;
	assert_string_equal(refuse(0x20, 0x10, 4, 0xc0000000), "hidden");
}

static void recognised(void **state)
{
	unsigned buses;

	(void)state;
	machine(0x29c08086); /* q35 */
	assert_int_equal(nl_windows_init(), NL_OK);
	assert_int_equal(nl_windows_undecided(), NL_UNDECIDED_MCHBAR);
	assert_int_equal(nl_windows_ecam(&buses), 0);
	set(0, 0x60, 4, 0xb0000001);
	assert_int_equal(nl_windows_ecam(&buses), 0xb0000000);
	assert_int_equal(buses, 256);
	set(0, 0x60, 4, 0xf8000005);
	assert_int_equal(nl_windows_ecam(&buses), 0xf8000000);
	assert_int_equal(buses, 64);
	assert_true(nl_windows_watched(0) && nl_windows_watched(0xf8) && !nl_windows_watched(0xfa) &&
	            !nl_windows_watched(0x100));
	machine(0x3e1f8086); /* a client */
	set(0, 0x60, 8, 0x4000000001);
	assert_int_equal(nl_windows_init(), NL_OK);
	assert_int_equal(nl_windows_ecam(&buses), 0x4000000000);
	set(0, 0x60, 8, 0x408000000b); /* 2 GiB: 256 buses, and seven segments behind them */
	assert_int_equal(nl_windows_ecam(&buses), 0x4080000000);
	assert_int_equal(buses, 256);
	set(0, 0x60, 8, 0x4000000001);
	assert_non_null(refuse(0, 0xbc, 4, 1));
	machine(0x20208086); /* a server's: PCI Express where the client has its map */
	set(0, 0x34, 1, 0x90);
	assert_int_equal(nl_windows_init(), NL_OK);
	assert_int_equal(nl_windows_undecided(), NL_UNDECIDED_CHIPSET);
	assert_null(refuse(0, 0xbc, 4, 1));
	machine(0x12378086);
	assert_int_equal(nl_windows_init(), NL_OK);
	assert_int_equal(nl_windows_undecided(), 0);
	machine(0xffffffff);
	assert_int_equal(nl_windows_init(), NL_OK);
	assert_int_equal(nl_windows_undecided(), NL_UNDECIDED_CHIPSET);
}

static void covered_already(void **state)
{
	static const struct {
		unsigned function, reg;
		uint64_t v;
		bool covers;
	} rows[] = {{0xf8, 0xf0, REGION | 1, true},
	            {0xf8, 0xf0, REGION, false},
	            {0xf8, 0xf0, REGION - 0x4000 + 1, false},
	            {0xf8, 0xf0, (REGION + NL_REGION_SIZE(1) - 0x4000) | 1, true},
	            {0xf8, 0xf0, (REGION + NL_REGION_SIZE(1)) | 1, false},
	            {0, 0x48, (REGION - 0x1c000) | 1, true},
	            {0, 0x48, REGION | 1 | 1ULL << 35, false},
	            {0, 0x40, (REGION + 0x1000) | 1, true},
	            {0, 0x68, (REGION + 0x1000) | 1, true},
	            {0xf9, 0x10, REGION, true}};

	(void)state;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(rows); i++) {
		machine(0x29c08086);
		set((uint16_t)rows[i].function, rows[i].reg, 8, rows[i].v);
		assert_int_equal(nl_windows_init(), rows[i].covers ? NL_EWINDOW : NL_OK);
	}
}

/* Random accesses to RCBA and its neighbours, against what the register would hold. */
static void partial_writes(void **state)
{
	unsigned refused = 0, done = 0;

	(void)state;
	machine(0x29c08086);
	assert_int_equal(nl_windows_init(), NL_OK);
	host_seed(3);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned width = 1u << host_below(4), reg = 0xe8 + (unsigned)host_below(0x14);
		uint64_t near = REGION - 0x8000 + (host_below(NL_REGION_SIZE(1) + 0x10000) & ~0x3fffULL);
		near |= host_below(2);
		uint8_t *at = &space[0xf8][0xf0], before[32];
		uint32_t after;

		memcpy(before, &space[0xf8][0xe0], sizeof(before));
		uint64_t v = host_below(2) ? near : near >> 8 * host_below(4);
		bool said = refuse(0xf8, reg, width, v) != NULL;
		assert_memory_equal(before, &space[0xf8][0xe0], sizeof(before));
		set(0xf8, reg, width, v);
		memcpy(&after, at, 4);
		uint64_t base = after & 0xffffc000;
		bool meets = (after & 1) && base < REGION + NL_REGION_SIZE(1) && REGION < base + 0x4000;
		if (reg + width <= 0xf0 || reg >= 0xf4)
			assert_false(said);
		else
			assert_int_equal(said, meets);
		refused += said;
		done += !said;
		if (said)
			memcpy(&space[0xf8][0xe0], before, sizeof(before));
		if (host_below(4) == 0) /* anything harmless: disabled, or far away */
			set(0xf8, 0xf0, 4, host_below(2) ? host_random() & 0xfffffffe : 0xfed1c001);
	}
	assert_true(refused > 1000 && done > 1000);
}

static void frozen(void **state)
{
	(void)state;
	machine(0x29c08086);
	set(0, 0x60, 4, 0xb0000001);
	set(0, 0xb0, 2, 0x8000);
	assert_int_equal(nl_windows_init(), NL_OK);
	assert_null(refuse(0, 0x60, 4, 0xb0000001)); /* the same value */
	assert_string_equal(refuse(0, 0x60, 4, 0xb0000000), "PCIEXBAR");
	assert_string_equal(refuse(0, 0x63, 1, 0xa0), "PCIEXBAR");
	assert_null(refuse(0, 0x63, 1, 0xb0));
	assert_string_equal(refuse(0, 0x64, 1, 1), "PCIEXBAR");
	assert_string_equal(refuse(0, 0x5c, 8, 0xc000000100000000), "PCIEXBAR");
	assert_null(refuse(0, 0x5c, 8, 0xb000000112345678));
	assert_string_equal(refuse(0, 0xb0, 2, 0x7000), "TOLUD");
	assert_string_equal(refuse(0, 0xaf, 2, 0x0100), "TOLUD");
	assert_string_equal(refuse(0, 0x9e, 1, 1), "SMRAM, ESMRAMC");
	assert_string_equal(refuse(0xf8, 0xf0, 4, 0xb00f8001), "RCBA"); /* over the configuration space */
	assert_null(refuse(0xf8, 0xf0, 4, 0xc0000001));
	assert_null(refuse(0xf8, 0xf0, 4, 0xb00f8000));
	assert_null(refuse(0, 0x90, 4, 0x33333333)); /* PAM */
	assert_null(refuse(8, 0x60, 4, 0));          /* another function */
	assert_null(refuse(0x100, 0x60, 4, 0));
	assert_null(refuse(0, 0x3c, 4, 0xffffffff));
}

static void amd_machine(uint32_t cpu)
{
	signature = cpu;
	machine(0x14501022);
	for (uint16_t fn = 0; fn < 8; fn++)
		bridge(0xc0 + fn, 0x14601022 + ((uint32_t)fn << 16));
	bridge(0x100, 0x14501022); /* the root of another die */
	set(0x108, 0, 4, 0x14501022);
	set(0x1f0, 0, 4, 0x14501022);
	mmio_cfg_base = 0xf8000000 | 6 << 2 | 1;
	assert_int_equal(nl_windows_init(), NL_OK);
}

static void amd(void **state)
{
	unsigned buses;

	(void)state;
	amd_machine(0x00800f11);
	assert_int_equal(nl_windows_ecam(&buses), 0xf8000000);
	assert_int_equal(buses, 64);
	mmio_cfg_base &= ~1ULL;
	assert_int_equal(nl_windows_ecam(&buses), 0);
	assert_int_equal(nl_windows_undecided(), NL_UNDECIDED_SMN);
	assert_null(refuse(0, 0x60, 4, 0x59800)); /* the index, which k10temp writes */
	assert_string_equal(refuse(0, 0x64, 4, 0), "SMN data");
	assert_string_equal(refuse(0x100, 0xbc, 1, 0), "SMN data");
	assert_null(refuse(0x108, 0xbc, 4, 0)); /* no device 0 */
	set(0x100, 10, 2, 0x0108);
	assert_null(refuse(0x100, 0xbc, 4, 0)); /* no host bridge: a disk */
	assert_string_equal(refuse(0xc0, 0x110, 4, 1), "data fabric");
	assert_string_equal(refuse(0xd8, 0x200, 4, 1), "data fabric");
	assert_null(refuse(0xc3, 0x110, 4, 1));
	assert_null(refuse(0xc4, 0x5c, 4, 1));
	assert_string_equal(refuse(0xc4, 0x98, 4, 0), "data fabric, indirect");
	assert_true(nl_windows_watched(0xc4) && nl_windows_watched(0) && !nl_windows_watched(0xc3));
	assert_false(nl_windows_watched(0x1c4));
	amd_machine(0x00600f12); /* family 15h */
	assert_int_equal(nl_windows_undecided(), NL_UNDECIDED_CHIPSET);
	assert_string_equal(refuse(0xc1, 0x40, 4, 1), "address map");
	assert_null(refuse(0xc1, 0x10c, 4, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(recognised),
	                                   cmocka_unit_test(covered_already),
	                                   cmocka_unit_test(partial_writes),
	                                   cmocka_unit_test(frozen),
	                                   cmocka_unit_test(amd),
	                                   cmocka_unit_test(card)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
