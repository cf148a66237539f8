// SPDX-License-Identifier: Apache-2.0
// sources: hv/exits/config.c
// libs: -no-pie -Wl,--unresolved-symbols=ignore-all
/*
 * The gate's half that is ports, on a host bridge made of an address and 256 bytes: what is asked of the table before
 * which access, what reaches the bridge, and that other ports of the eight are done as they come. Without configuration
 * space in memory; the other half needs a guest (tests/guest/test_config.c).
 */
#include "host.h"

#include "exits/config.h"
#include "exits/windows.h"
#include "core/journal.h"
#include "insn.h"

static uint32_t address;
static uint8_t registers[256], other[0x10000]; /* of the one function that is there; ports that are nobody's */
static bool refuses;
static unsigned said;
static uint64_t said_of, said_value;
static unsigned asked;
static struct {
	uint16_t function;
	unsigned reg, width;
	uint64_t value;
} question[16];

const char *nl_windows_refuse(uint16_t function, unsigned reg, unsigned width, uint64_t value)
{
	assert_true(asked < NL_ARRAY_SIZE(question));
	question[asked].function = function;
	question[asked].reg = reg;
	question[asked].width = width;
	question[asked++].value = value;
	return refuses ? "test" : NULL;
}

/* The one that is hidden. */
#define HIDDEN 0x28
bool nl_hides(uint16_t function) { return function == HIDDEN; }

void nl_journal(enum nl_event event, enum nl_err error, const char *id, const uint8_t *sha256, uint64_t a, uint64_t b)
{
	assert_int_equal(event, NL_EV_CONFIG);
	(void)error, (void)id, (void)sha256;
	said_of = a;
	said_value = b;
	said++;
}

static uint32_t in(uint16_t p, unsigned width)
{
	uint32_t v = 0;

	assert_true((p & 3) + width <= 4); /* the bus has no other accesses */
	if (p == 0xcf8 && width == 4)
		return address;
	memcpy(&v, (p & ~3) == 0xcfc && address >> 31 ? &registers[(address & 0xfc) + (p & 3)] : &other[p], width);
	return v;
}

static void out(uint16_t p, unsigned width, uint32_t v)
{
	assert_true(p != 0xcf8 || width != 4 || v >> 31 == 0 || (uint16_t)(v >> 8) != HIDDEN);
	assert_true((p & 3) + width <= 4);
	if (p == 0xcf8 && width == 4)
		address = v;
	else
		memcpy((p & ~3) == 0xcfc && address >> 31 ? &registers[(address & 0xfc) + (p & 3)] : &other[p], &v,
		       width);
}

uint8_t x86_inb(uint16_t p) { return (uint8_t)in(p, 1); }
uint16_t x86_inw(uint16_t p) { return (uint16_t)in(p, 2); }
uint32_t x86_inl(uint16_t p) { return in(p, 4); }
void x86_outb(uint16_t p, uint8_t v) { out(p, 1, v); }
void x86_outw(uint16_t p, uint16_t v) { out(p, 2, v); }
void x86_outl(uint16_t p, uint32_t v) { out(p, 4, v); }

static struct nl_cpu cpu;

static void write(uint16_t port, unsigned width, uint32_t v)
{
	asked = 0;
	nl_config_port(&cpu, port, width, false, v);
}

static int setup(void **state)
{
	(void)state;
	memset(registers, 0x11, sizeof(registers));
	memset(other, 0x22, sizeof(other));
	refuses = false;
	address = 0;
	return 0;
}

static void one(uint16_t function, unsigned reg, unsigned width, uint64_t value)
{
	assert_true(asked >= 1);
	assert_int_equal(question[asked - 1].function, function);
	assert_int_equal(question[asked - 1].reg, reg);
	assert_int_equal(question[asked - 1].width, width);
	assert_int_equal(question[asked - 1].value, value);
}

static void data(void **state)
{
	(void)state;
	write(0xcf8, 4, 0x8001f8f0);
	assert_int_equal(asked, 0);
	assert_int_equal(nl_config_port(&cpu, 0xcf8, 4, true, 0), 0x8001f8f0);
	write(0xcfc, 4, 0x12345678);
	one(0x1f8, 0xf0, 4, 0x12345678);
	assert_int_equal(nl_config_port(&cpu, 0xcfc, 4, true, 0), 0x12345678);
	write(0xcfe, 2, 0xabcd);
	one(0x1f8, 0xf2, 2, 0xabcd);
	write(0xcfd, 1, 0xef);
	one(0x1f8, 0xf1, 1, 0xef);
	write(0xcfd, 2, 0x0102); /* within the dword: one access */
	assert_int_equal(asked, 1);
	one(0x1f8, 0xf1, 2, 0x0102);
	assert_int_equal(nl_config_port(&cpu, 0xcfd, 2, true, 0), 0x0102);
	refuses = true;
	write(0xcfc, 4, 0x99999999);
	assert_int_equal(asked, 1);
	assert_int_equal(nl_config_port(&cpu, 0xcfc, 4, true, 0), 0xab010278);
	assert_int_equal(nl_counts.config_refused, 1);
}

/* Over the ends of a dword: byte by byte, and each byte of data is asked for. */
static void across(void **state)
{
	(void)state;
	write(0xcf8, 4, 0x80000840);
	write(0xcfa, 4, 0xa1a2a3a4);
	assert_int_equal(asked, 2);
	one(8, 0x41, 1, 0xa1);
	assert_int_equal(question[0].reg, 0x40);
	assert_int_equal(other[0xcfa], 0xa4);
	assert_int_equal(other[0xcfb], 0xa3);
	assert_int_equal(registers[0x40], 0xa2);
	assert_int_equal(registers[0x41], 0xa1);
	assert_int_equal(nl_config_port(&cpu, 0xcfa, 4, true, 0), 0xa1a2a3a4);
	refuses = true;
	write(0xcfb, 2, 0x5566);
	assert_int_equal(registers[0x40], 0xa2);
	assert_int_equal(other[0xcfb], 0x66);
	write(0xcfe, 4, 0x01020304);
	assert_int_equal(asked, 2);
	assert_int_equal(other[0xd00], 0x02);
	assert_int_equal(address, 0x80000840);
}

static void other_ports(void **state)
{
	(void)state;
	write(0xcf8, 4, 0x80000840);
	write(0xcf9, 1, 6);
	write(0xcf8, 2, 0x7777);
	write(0xcfa, 1, 0x33);
	assert_int_equal(asked, 0);
	assert_int_equal(address, 0x80000840);
	assert_int_equal(other[0xcf9], 0x77);
	assert_int_equal(other[0xcfa], 0x33);
	assert_int_equal(nl_config_port(&cpu, 0xcf8, 2, true, 0), 0x7777);
	write(0xcf8, 4, 0x00000840); /* not enabled: the data port is another device's */
	write(0xcfc, 4, 0x44444444);
	assert_int_equal(asked, 0);
	assert_int_equal(nl_config_port(&cpu, 0xcfc, 4, true, 0), 0x44444444);
}

/* The register's upper bits count or do not: both registers are asked for. */
static void extended(void **state)
{
	(void)state;
	write(0xcf8, 4, 0x8300c110);
	write(0xcfd, 1, 5);
	assert_int_equal(asked, 2);
	assert_int_equal(question[0].reg, 0x11);
	one(0xc1, 0x311, 1, 5);
}

/* All are counted; the first eight of all are said. */
static void refusals(void **state)
{
	(void)state;
	uint32_t before = nl_counts.config_refused;

	refuses = true;
	write(0xcf8, 4, 0x8001f8f0);
	for (uint32_t i = 0; i < 20; i++)
		write(0xcfc, 4, i);
	assert_int_equal(nl_counts.config_refused, before + 20);
	assert_int_equal(said, 8);
	assert_int_equal(said_of, 0x1f8 << 12 | 0xf0);
	assert_int_equal(said_value, 7 - before);
}

/* The bridge never hears the name of what is hidden, so that no trick with the ports leads there; the guest's address
 * is what it wrote, and the data are what an address that is off shows. */
static void hidden(void **state)
{
	(void)state;
	memset(&other[0xcfc], 0xff, 4);
	write(0xcf8, 4, 0x80000840);
	write(0xcfc, 4, 0x01020304);
	for (uint32_t reg = 0; reg < 0x100; reg += 4) {
		uint32_t named = 0x80000000 | HIDDEN << 8 | reg;

		write(0xcf8, 4, named);
		assert_int_equal(nl_config_port(&cpu, 0xcf8, 4, true, 0), named);
		assert_int_equal(address, named & 0x7fffffff);
		assert_int_equal(nl_config_port(&cpu, 0xcfc, 4, true, 0), UINT32_MAX);
		assert_int_equal(nl_config_port(&cpu, 0xcfe, 2, true, 0), UINT16_MAX);
		assert_int_equal(nl_config_port(&cpu, 0xcf8, 4, true, 0), named);
		write(0xcfd, 2, 0xffff);
		assert_int_equal(asked, 0);
		write(0xcf8, 4, named & 0x7fffffff); /* off by itself: so it stays */
		assert_int_equal(nl_config_port(&cpu, 0xcf8, 4, true, 0), named & 0x7fffffff);
		write(0xcf8, 4, named);
		write(0xcf9, 1, 0); /* no address */
		assert_int_equal(nl_config_port(&cpu, 0xcf8, 4, true, 0), named);
	}
	write(0xcf8, 4, 0x80000840);
	assert_int_equal(nl_config_port(&cpu, 0xcf8, 4, true, 0), 0x80000840);
	assert_int_equal(nl_config_port(&cpu, 0xcfc, 4, true, 0), 0x01020304);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(data, setup),        cmocka_unit_test_setup(across, setup),
	        cmocka_unit_test_setup(other_ports, setup), cmocka_unit_test_setup(extended, setup),
	        cmocka_unit_test_setup(refusals, setup),    cmocka_unit_test_setup(hidden, setup)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
