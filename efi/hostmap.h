// SPDX-License-Identifier: Apache-2.0
/*
 * The host page tables that the core runs on, built in the reserved region before the core is entered: of as many
 * levels as the firmware's own, because CR4.LA57 cannot change while paging is on (SDM vol. 3, 4.1.2). Pure C on memory
 * it is given, so that the host tests walk what it wrote.
 */
#pragma once

#include <newleaf/errors.h>
#include <newleaf/types.h>

struct nl_hostmap {
	uint8_t *region;    /* where the region can be written now */
	uint64_t region_pa; /* 2 MiB aligned */
	uint64_t region_size;
	/* Offsets in the region: the core's code, its constants behind it, data behind those. */
	uint64_t text, rodata, data;
	uint64_t next;      /* offset of the next free page in the region; grows */
	uint64_t ram_top;   /* first physical address behind all RAM */
	unsigned phys_bits; /* MAXPHYADDR */
	bool has_1g, la57;
	/* results, physical addresses: the core's root; the same with physical memory one to one */
	uint64_t host_cr3, launch_cr3;
};

/* How much of physical memory will be mapped: all of it with 1 GiB pages, else as much as there is RAM. */
uint64_t nl_hostmap_top(const struct nl_hostmap *m);

/* NL_ENOMEM: the region is too small. */
enum nl_err nl_hostmap_build(struct nl_hostmap *m);
