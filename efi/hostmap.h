// SPDX-License-Identifier: Apache-2.0
/*
 * The host page table that the core runs on, built in the reserved region before the core is entered: four levels,
 * never five (docs/plan.md). Pure C on memory it is given, so that the host tests walk what it wrote.
 */
#ifndef EFI_HOSTMAP_H
#define EFI_HOSTMAP_H

#include <newleaf/errors.h>
#include <newleaf/types.h>

struct nl_hostmap {
	uint8_t *region;     /* where the region can be written now */
	uint64_t region_pa;  /* 2 MiB aligned, below 4 GiB */
	uint64_t image_size; /* the core with .bss: executable; everything behind it is not */
	uint64_t next;       /* offset of the next free page in the region; grows */
	uint64_t limit;      /* offset behind the last page that may be used */
	uint64_t ram_top;    /* first physical address behind all RAM */
	unsigned phys_bits;  /* MAXPHYADDR */
	bool has_1g;
};

/* Stores the physical address of the root. NL_ENOMEM: limit reached. Memory beyond 512 GiB is not mapped. */
enum nl_err nl_hostmap_build(struct nl_hostmap *m, uint64_t *root);

#endif
