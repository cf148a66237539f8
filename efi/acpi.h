// SPDX-License-Identifier: Apache-2.0
/*
 * The little of ACPI that the core wants to know: which CPUs there are. Pure C; every read of a table is checked
 * against its length, because these tables are written by strangers.
 */
#pragma once

#include <newleaf/bootblock.h>

/* Is it one of the CPUs in the boot block? */
static inline bool nl_is_listed(const struct nl_boot_block *b, uint32_t id)
{
	for (uint32_t i = 0; i < b->n_cpus; i++)
		if (b->apic_ids[i] == id)
			return true;
	return false;
}

/* `length` bytes of physical memory, or NULL when they cannot be read. Stays valid until nl_acpi_read returns. */
typedef const void *nl_acpi_map(uint64_t pa, size_t length);

/* Into the boot block, whose list of CPUs is made: how many CPUs more there are, or may come. rsdp 0, damaged tables:
 * what the good ones say. Who is in two tables, or twice in one, counts twice. */
void nl_acpi_read(nl_acpi_map *map, uint64_t rsdp, struct nl_boot_block *b);
