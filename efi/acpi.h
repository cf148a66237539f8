// SPDX-License-Identifier: Apache-2.0
/*
 * The little of ACPI that the core wants to know: which CPUs there are, and how the machine is reset. Pure C; every
 * read of a table is checked against its length, because these tables are written by strangers.
 */
#pragma once

#include <newleaf/bootblock.h>

struct nl_acpi {
	uint32_t n_cpus;    /* enabled ones and those that may be switched on later, the boot CPU first; at least 1 */
	uint32_t n_enabled; /* of them */
	uint32_t apic_ids[NL_MAX_CPUS];
	bool too_many;       /* there are more than NL_MAX_CPUS */
	uint64_t reset_port; /* 0 = none, or not an I/O port */
	uint32_t reset_value;
};

/* `length` bytes of physical memory, or NULL when they cannot be read. Stays valid until nl_acpi_read returns. */
typedef const void *nl_acpi_map(uint64_t pa, size_t length);

/* rsdp 0, damaged tables: what is left is the boot CPU, and what the good tables say. */
void nl_acpi_read(nl_acpi_map *map, uint64_t rsdp, uint32_t boot_apic_id, struct nl_acpi *out);
