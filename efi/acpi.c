// SPDX-License-Identifier: Apache-2.0
/*
 * Reads RSDP, XSDT or RSDT, and MADT (ACPI 6.5, 5.2.5 to 5.2.12).
 */
#include "acpi.h"
#include "bytes.h"

#define HEADER_SIZE 36u      /* of every table but the RSDP */
#define HEADER_LENGTH 4u     /* offset */
#define TABLE_MAX (1u << 20) /* longer than any real table: damaged */
#define RSDP_V1_SIZE 20u
#define RSDP_V2_SIZE 36u
#define RSDP_REVISION 15u
#define RSDP_RSDT 16u
#define RSDP_XSDT 24u
#define MADT_ENTRIES 44u
#define MADT_LOCAL_APIC 0u
#define MADT_LOCAL_X2APIC 9u
#define MADT_ENABLED 1u
#define MADT_ONLINE_CAPABLE 2u

static bool sums_up(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return sum == 0;
}

static bool is(const uint8_t *p, const char *signature)
{
	for (; *signature; signature++)
		if (*p++ != (uint8_t)*signature)
			return false;
	return true;
}

static void note_cpu(struct nl_boot_block *b, uint32_t id, uint32_t flags)
{
	b->facts.n_beyond += !nl_is_listed(b, id) && (flags & (MADT_ENABLED | MADT_ONLINE_CAPABLE));
}

static void read_madt(struct nl_boot_block *b, const uint8_t *t, size_t length)
{
	size_t at, size;

	for (at = MADT_ENTRIES; at + 2 <= length; at += size) {
		const uint8_t *e = t + at;

		size = e[1];
		if (size < 2 || size > length - at)
			return;
		if (e[0] == MADT_LOCAL_APIC && size >= 8)
			note_cpu(b, e[3], (uint32_t)nl_number_at(e + 4, 4));
		else if (e[0] == MADT_LOCAL_X2APIC && size >= 16)
			note_cpu(b, (uint32_t)nl_number_at(e + 4, 4), (uint32_t)nl_number_at(e + 8, 4));
	}
}

/* A whole table with a good checksum, or NULL. */
static const uint8_t *table(nl_acpi_map *map, uint64_t pa, size_t *length)
{
	const uint8_t *t = pa ? map(pa, HEADER_SIZE) : NULL;

	if (!t)
		return NULL;
	*length = (size_t)nl_number_at(t + HEADER_LENGTH, 4);
	if (*length < HEADER_SIZE || *length > TABLE_MAX)
		return NULL;
	t = map(pa, *length);
	return t && sums_up(t, *length) ? t : NULL;
}

static void read_root(nl_acpi_map *map, uint64_t pa, const char *signature, unsigned width, struct nl_boot_block *b)
{
	size_t length, n;
	const uint8_t *root = table(map, pa, &length);

	if (!root || !is(root, signature))
		return;
	for (size_t at = HEADER_SIZE; at + width <= length; at += width) {
		const uint8_t *t = table(map, nl_number_at(root + at, width), &n);

		if (t && is(t, "APIC"))
			read_madt(b, t, n);
	}
}

void nl_acpi_read(nl_acpi_map *map, uint64_t rsdp, struct nl_boot_block *b)
{
	const uint8_t *p = rsdp ? map(rsdp, RSDP_V1_SIZE) : NULL;
	uint64_t xsdt = 0, rsdt;

	if (!p || !is(p, "RSD PTR ") || !sums_up(p, RSDP_V1_SIZE))
		return;
	rsdt = nl_number_at(p + RSDP_RSDT, 4);
	if (p[RSDP_REVISION] >= 2) {
		p = map(rsdp, RSDP_V2_SIZE);
		if (p && sums_up(p, RSDP_V2_SIZE))
			xsdt = nl_number_at(p + RSDP_XSDT, 8);
	}
	read_root(map, xsdt ? xsdt : rsdt, xsdt ? "XSDT" : "RSDT", xsdt ? 8 : 4, b);
}
