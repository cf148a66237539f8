// SPDX-License-Identifier: Apache-2.0
// sources: efi/acpi.c
// length: 2048
// quick: 30000
/*
 * Any bytes as the firmware's ACPI tables. Checksums are put right where the input says so, else nothing behind them
 * would be reached; each table is handed out in memory of exactly the length asked for.
 */
#include "fuzz.h"

#include "acpi.h"

#define BASE 0x7f77d000ULL

static struct {
	uint8_t *p;
	size_t n;
} tables; /* the memory that tables are in */

static const void *map(uint64_t pa, size_t length)
{
	uint8_t *copy;

	if (pa < BASE || pa - BASE > tables.n || length > tables.n - (pa - BASE))
		return NULL;
	copy = malloc(length ? length : 1); /* fuzz.c frees it */
	return memcpy(copy, tables.p + (pa - BASE), length);
}

static void correct(uint8_t *p, size_t n, size_t at)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + p[i]);
	p[at] = (uint8_t)(p[at] - sum);
}

void fuzz_one(const uint8_t *bytes, size_t size)
{
	struct fuzz f = {bytes, size};
	uint32_t rsdp = (uint32_t)fuzz_number(&f, 2), boot_id = (uint32_t)fuzz_number(&f, 1);
	uint8_t fix = fuzz_byte(&f);
	static struct nl_boot_block b;

	tables.p = fuzz_bytes(&f, f.n, &tables.n);
	for (size_t at = 0; at + 36 <= tables.n; at += 4) { /* tables begin at multiples of 4 here */
		uint32_t length;

		memcpy(&length, tables.p + at + 4, 4);
		if (fix & 1 && tables.p[at] >= 'A' && tables.p[at] <= 'Z' && length >= 36 && length <= tables.n - at)
			correct(tables.p + at, length, 9);
	}
	if (fix & 2 && rsdp + 36 <= tables.n) {
		correct(tables.p + rsdp, 20, 8);
		correct(tables.p + rsdp, 36, 32);
	}
	memset(&b, 0, sizeof(b));
	b.n_cpus = 1;
	b.apic_ids[0] = boot_id;
	nl_acpi_read(map, fix & 4 ? 0 : BASE + rsdp, &b);
	FUZZ_CHECK(b.n_cpus == 1 && b.apic_ids[0] == boot_id);
	FUZZ_CHECK(b.facts.n_beyond <=
	           tables.n / 8 * (tables.n / 4)); /* a root table may name one MADT again and again */
}

static uint8_t *table(uint8_t *image, size_t at, const char *name, uint32_t length)
{
	memcpy(image + at, name, 4);
	memcpy(image + at + 4, &length, 4);
	image[at + 8] = 6;
	return image + at;
}

void fuzz_seeds(void)
{
	static uint8_t image[4 + 0x300];
	uint8_t *m = image + 4, *madt;
	const uint64_t pa[] = {BASE + 0x100, BASE + 0x200};
	const uint32_t low[] = {BASE + 0x100, BASE + 0x200};

	image[3] = 3;
	memcpy(m, "RSD PTR ", 8);
	m[15] = 2;
	memcpy(m + 16, &(uint32_t){BASE + 0x80}, 4);
	m[20] = 36;
	memcpy(m + 24, &(uint64_t){BASE + 0x40}, 8);
	memcpy(table(m, 0x40, "XSDT", 36 + 16) + 36, pa, 16);
	memcpy(table(m, 0x80, "RSDT", 36 + 8) + 36, low, 8);
	madt = table(m, 0x100, "APIC", 36 + 8 + 8 + 8 + 16);
	memcpy(madt + 44, "\0\x08\0\0\x01\0\0\0", 8);
	memcpy(madt + 52, "\0\x08\1\1\x01\0\0\0", 8);
	memcpy(madt + 60, "\x09\x10\0\0\x02\x01\0\0\x01\0\0\0\2\0\0\0", 16);
	memcpy(table(m, 0x200, "FACP", 0x100) + 112, "\0\x04\0\0", 4);
	memcpy(m + 0x200 + 116, "\x01\x08\0\1\xf9\x0c\0\0\0\0\0\0\x06", 13);
	fuzz_seed(image, sizeof(image));
	image[3] = 1 | 2 | 8;
	m[15] = 0; /* the old pointer */
	fuzz_seed(image, sizeof(image));
}
