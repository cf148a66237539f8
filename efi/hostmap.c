// SPDX-License-Identifier: Apache-2.0
/*
 * Builds the host page tables: the region at NL_CORE_VA, physical memory at NL_DIRECT_VA, and, for the way in and back,
 * one to one as well. The direct map and the one-to-one map share their tables; only the former forbids execution, in
 * its entries of the root. Nothing of the core is both writable and executable.
 */
#include <newleaf/bootblock.h>

#include "hostmap.h"

/* SDM vol. 3, 4.5, tables 4-15 to 4-20. Entries are written accessed and dirty: hardware has nothing to add. */
#define PTE_P (1ULL << 0)
#define PTE_W (1ULL << 1)
#define PTE_A (1ULL << 5)
#define PTE_D (1ULL << 6)
#define PTE_PS (1ULL << 7)
#define PTE_NX (1ULL << 63)
#define TABLE (PTE_P | PTE_W | PTE_A)
#define LEAF (PTE_P | PTE_W | PTE_A | PTE_D)
#define ADDRESS 0x000ffffffffff000ULL
#define SPAN 512ULL /* entries of a table */

/* level 0 = page table, 3 = PML4, 4 = PML5, both of whose halves lie in one entry each */
#define INDEX(va, level) ((unsigned)((va) >> (12 + 9 * (level))) & 511)

static uint64_t *table(const struct nl_hostmap *m, uint64_t entry)
{
	return (uint64_t *)(m->region + ((entry & ADDRESS) - m->region_pa));
}

/* A zeroed page of the region; 0 when there is none left (no table ever lies at physical 0). */
static uint64_t new_table(struct nl_hostmap *m)
{
	uint64_t offset = m->next;
	uint64_t *t = (uint64_t *)(m->region + offset);

	if (offset + NL_PAGE_SIZE > m->region_size)
		return 0;
	m->next += NL_PAGE_SIZE;
	for (unsigned i = 0; i < SPAN; i++)
		t[i] = 0;
	return m->region_pa + offset;
}

/* Puts `leaf` for `va` into the tree below the root `t`; the leaf is of level `at`. */
static bool put(struct nl_hostmap *m, uint64_t *t, unsigned at, uint64_t va, uint64_t leaf)
{
	for (unsigned level = m->la57 ? 4 : 3; level > at; level--) {
		uint64_t *e = &t[INDEX(va, level)];

		if (!(*e & PTE_P)) {
			uint64_t pa = new_table(m);

			if (!pa)
				return false;
			*e = pa | TABLE;
		}
		t = table(m, *e);
	}
	t[INDEX(va, at)] = leaf | (at ? PTE_PS : 0);
	return true;
}

uint64_t nl_hostmap_top(const struct nl_hostmap *m)
{
	uint64_t top = m->phys_bits < 48 ? 1ULL << m->phys_bits : NL_DIRECT_MAX;

	if (!m->has_1g) { /* 2 MiB pages cost tables: as much as there is RAM, and all devices below 4 GiB */
		uint64_t ram = (m->ram_top + NL_1G - 1) & ~(NL_1G - 1);

		if (ram < 4 * NL_1G)
			ram = 4 * NL_1G;
		if (ram < top)
			top = ram;
	}
	return top < NL_DIRECT_MAX ? top : NL_DIRECT_MAX;
}

/*
 * Physical memory. Below 4 GiB RAM and devices alternate, and a large page over ranges of different MTRR types is
 * undefined (SDM vol. 3, 12.11.9): 4 KiB pages below 2 MiB (fixed MTRRs), then 2 MiB, then 1 GiB where the CPU has
 * them.
 */
static bool map_physical(struct nl_hostmap *m, uint64_t *root)
{
	uint64_t top = nl_hostmap_top(m), pa, size;

	for (pa = 0; pa < top; pa += size) {
		unsigned level = pa < NL_2M ? 0 : pa < 4 * NL_1G || !m->has_1g ? 1 : 2;

		if (!put(m, root, level, pa, pa | LEAF))
			return false;
		size = NL_PAGE_SIZE << 9 * level;
	}
	return true;
}

/* The region at NL_CORE_VA, in 4 KiB pages as far as the core reaches, so that nothing behind its code can ever run. */
static bool map_core(struct nl_hostmap *m, uint64_t *root)
{
	uint64_t small_end = (m->data_end + NL_2M - 1) & ~(NL_2M - 1), at, size;

	for (at = 0; at < m->region_size; at += size) {
		bool small = at >= (m->text & ~(NL_2M - 1)) && at < small_end;
		bool code = at >= m->text && at < m->rodata, constant = at >= m->rodata && at < m->data;
		uint64_t leaf = (m->region_pa + at) | LEAF | PTE_NX;

		if (code || constant)
			leaf &= ~PTE_W;
		if (code)
			leaf &= ~PTE_NX;
		if (!put(m, root, small ? 0 : 1, NL_CORE_VA + at, leaf))
			return false;
		size = small ? NL_PAGE_SIZE : NL_2M;
	}
	return true;
}

enum nl_err nl_hostmap_build(struct nl_hostmap *m)
{
	uint64_t *host, *launch, *host4, *launch4;

	m->host_cr3 = new_table(m);
	m->launch_cr3 = new_table(m);
	if (!m->host_cr3 || !m->launch_cr3)
		return NL_ENOMEM;
	host = table(m, m->host_cr3);
	launch = table(m, m->launch_cr3);
	if (!map_physical(m, launch) || !map_core(m, host))
		return NL_ENOMEM;
	host4 = m->la57 ? table(m, host[INDEX(NL_DIRECT_VA, 4)]) : host;
	launch4 = m->la57 ? table(m, launch[0]) : launch;
	for (unsigned i = 0; i < SPAN / 2 - 1; i++)
		if (launch4[i])
			host4[INDEX(NL_DIRECT_VA, 3) + i] = launch4[i] | PTE_NX;
	for (unsigned i = SPAN / 2; i < SPAN; i++)
		launch[i] = host[i];
	return NL_OK;
}
