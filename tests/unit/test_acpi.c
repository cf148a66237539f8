// SPDX-License-Identifier: Apache-2.0
/*
 * ACPI tables as the loader reads them: good ones, damaged ones, and every single wrong byte.
 */
// sources: efi/acpi.c
// cflags: -Iefi
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "acpi.h"

#define BASE 0x7f77d000ULL
#define RSDP 0x14u
#define XSDT 0x100u
#define RSDT 0x200u
#define FADT 0x300u
#define MADT 0x400u
#define SIZE 0x3000u

static uint8_t memory[SIZE];
static void *handed_out[64]; /* copies of exactly the length asked for: ASan sees what is read behind them */
static unsigned n_handed_out;

static const void *map(uint64_t pa, size_t length)
{
	void *copy;

	if (pa < BASE || pa - BASE > SIZE || length > SIZE - (pa - BASE))
		return NULL;
	assert_true(n_handed_out < NL_ARRAY_SIZE(handed_out));
	copy = malloc(length);
	memcpy(copy, memory + (pa - BASE), length);
	handed_out[n_handed_out++] = copy;
	return copy;
}

/* What they say of a machine whose firmware hands over the CPUs 2 and 0. */
static struct nl_boot_block read_tables(uint64_t rsdp)
{
	struct nl_boot_block b = {.n_cpus = 2, .apic_ids = {2, 0}};

	nl_acpi_read(map, rsdp, &b);
	while (n_handed_out)
		free(handed_out[--n_handed_out]);
	return b;
}

static void put(unsigned at, uint64_t v, unsigned bytes)
{
	for (; bytes--; v >>= 8)
		memory[at++] = (uint8_t)v;
}

static void seal(unsigned at, unsigned length, unsigned checksum)
{
	uint8_t sum = 0;

	memory[at + checksum] = 0;
	for (unsigned i = 0; i < length; i++)
		sum = (uint8_t)(sum + memory[at + i]);
	memory[at + checksum] = (uint8_t)-sum;
}

static void table(unsigned at, const char *signature, unsigned length)
{
	memcpy(memory + at, signature, 4);
	put(at + 4, length, 4);
	seal(at, length, 9);
}

static void build_rsdp(unsigned revision)
{
	memcpy(memory + RSDP, "RSD PTR ", 8);
	memory[RSDP + 15] = (uint8_t)revision;
	put(RSDP + 16, BASE + RSDT, 4);
	seal(RSDP, 20, 8);
	put(RSDP + 20, 36, 4);
	put(RSDP + 24, BASE + XSDT, 8);
	seal(RSDP, 36, 32);
}

static unsigned local_apic(unsigned at, uint8_t id, uint32_t flags)
{
	put(at, 0, 1);
	put(at + 1, 8, 1);
	put(at + 2, id, 1);
	put(at + 3, id, 1);
	put(at + 4, flags, 4);
	return at + 8;
}

static unsigned x2apic(unsigned at, uint32_t id, uint32_t flags)
{
	put(at, 9, 1);
	put(at + 1, 16, 1);
	put(at + 2, 0, 2);
	put(at + 4, id, 4);
	put(at + 8, flags, 4);
	put(at + 12, id, 4);
	return at + 16;
}

/* CPUs in the MADT: 0, 2 (boot CPU, as x2APIC as well), 4, 7 that may come later, 0x1234; two that never will; and
 * a table of another kind. */
static void build(void)
{
	unsigned at = MADT + 44;

	memset(memory, 0xee, sizeof(memory));
	build_rsdp(2);
	put(XSDT + 36, BASE + MADT, 8);
	put(XSDT + 44, BASE + FADT, 8);
	table(XSDT, "XSDT", 52);
	put(RSDT + 36, BASE + MADT, 4);
	put(RSDT + 40, BASE + FADT, 4);
	table(RSDT, "RSDT", 44);
	at = local_apic(at, 0, 1);
	at = local_apic(at, 2, 1);
	put(at, 0x010c01, 3); /* an I/O APIC: 12 bytes that are skipped */
	at += 12;
	at = local_apic(at, 4, 1);
	at = local_apic(at, 6, 0);
	at = local_apic(at, 7, 2); /* online capable, not enabled */
	at = x2apic(at, 2, 1);
	at = x2apic(at, 0x1234, 1);
	at = x2apic(at, 0x1235, 0);
	table(MADT, "APIC", at - MADT);
	memset(memory + FADT, 0, 244);
	table(FADT, "FACP", 244);
}

#define BEYOND 3 /* 4, 7, 0x1234 */

static void check(const struct nl_boot_block *b, uint32_t beyond) { assert_int_equal(b->facts.n_beyond, beyond); }

static void test_good(void **state)
{
	struct nl_boot_block b;

	(void)state;
	build();
	b = read_tables(BASE + RSDP);
	check(&b, BEYOND);
}

/* ACPI 1.0: the RSDP is 20 bytes and the root table has 32-bit pointers. */
static void test_revision_0(void **state)
{
	struct nl_boot_block b;

	(void)state;
	build();
	build_rsdp(0);
	memset(memory + XSDT, 0, 52);
	b = read_tables(BASE + RSDP);
	check(&b, BEYOND);
}

static void test_none(void **state)
{
	struct nl_boot_block b;

	(void)state;
	build();
	b = read_tables(0);
	check(&b, 0);
	b = read_tables(BASE + 0x700000);
	check(&b, 0);
	put(XSDT + 4, 0xffffffff, 4);
	b = read_tables(BASE + RSDP);
	check(&b, 0);
	put(XSDT + 4, 3, 4);
	b = read_tables(BASE + RSDP);
	check(&b, 0);
}

static bool within(unsigned byte, unsigned at, unsigned length) { return byte >= at && byte < at + length; }

/* One wrong bit is seen by a checksum: the tables it concerns are left out, the others count. */
static void test_every_bit(void **state)
{
	(void)state;
	for (unsigned byte = RSDP; byte < FADT + 244; byte++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct nl_boot_block b;
			unsigned madt;

			build();
			madt = memory[MADT + 4];
			memory[byte] ^= (uint8_t)(1u << bit);
			b = read_tables(BASE + RSDP);
			if (within(byte, RSDP, 20) || within(byte, XSDT, 52)) {
				check(&b, 0);
			} else if (within(byte, MADT, madt)) {
				check(&b, 0);
			} else { /* in another table, between them, in the RSDT that nobody asks, or in the second half
				    of the RSDP: the RSDT is asked */
				check(&b, BEYOND);
			}
		}
}

/* A writer of tables who gets the checksum right may still get everything else wrong. */
static void test_sealed_nonsense(void **state)
{
	static const uint8_t values[] = {0, 1, 2, 7, 9, 0x7f, 0x80, 0xff};

	(void)state;
	for (unsigned byte = MADT + 10; byte < FADT + 244; byte++)
		for (size_t k = 0; k < NL_ARRAY_SIZE(values); k++) {
			struct nl_boot_block b;
			unsigned length;

			build();
			length = memory[MADT + 4] | (unsigned)memory[MADT + 5] << 8;
			memory[byte] = values[k];
			seal(MADT, length, 9);
			seal(FADT, 244, 9);
			b = read_tables(BASE + RSDP);
			assert_true(b.facts.n_beyond <= (length - 44) / 8);
		}
	for (unsigned length = 0; length < 200; length++) { /* cut short, and longer than what is there */
		build();
		table(MADT, "APIC", length < 36 ? 36 : length);
		put(MADT + 4, length, 4);
		read_tables(BASE + RSDP);
	}
}

/* More than could be listed are counted all the same. */
static void test_many(void **state)
{
	unsigned at = MADT + 44;
	struct nl_boot_block b;

	(void)state;
	build();
	for (unsigned i = 0; i < NL_MAX_CPUS + 5; i++)
		at = x2apic(at, i, 1);
	table(MADT, "APIC", at - MADT);
	b = read_tables(BASE + RSDP);
	assert_int_equal(b.facts.n_beyond, NL_MAX_CPUS + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_good),      cmocka_unit_test(test_revision_0),      cmocka_unit_test(test_none),
	        cmocka_unit_test(test_every_bit), cmocka_unit_test(test_sealed_nonsense), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
