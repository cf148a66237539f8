// SPDX-License-Identifier: Apache-2.0
/*
 * Builds the host page table: the region at NL_CORE_VA, all physical memory at NL_DIRECT_VA, and, for the moment of the
 * launch, the low 512 GiB one to one. The direct map and the one-to-one map share their tables; only the former forbids
 * execution, in its root entry.
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

#define INDEX(va, level) ((unsigned)((va) >> (12 + 9 * (level))) & 511) /* level 0 = page table, 3 = PML4 */

static uint64_t *table(const struct nl_hostmap *m, uint64_t entry)
{
	return (uint64_t *)(m->region + ((entry & ADDRESS) - m->region_pa));
}

/* A zeroed page of the region; 0 when there is none left (no table ever lies at physical 0). */
static uint64_t new_table(struct nl_hostmap *m)
{
	uint64_t offset = m->next;
	uint64_t *t = (uint64_t *)(m->region + offset);

	if (offset + NL_PAGE_SIZE > m->limit)
		return 0;
	m->next += NL_PAGE_SIZE;
	for (unsigned i = 0; i < SPAN; i++)
		t[i] = 0;
	return m->region_pa + offset;
}

/* Puts `leaf` for `va` into the tree below `t`, which is of level `level`; the leaf is of level `at`. */
static bool put(struct nl_hostmap *m, uint64_t *t, unsigned level, unsigned at, uint64_t va, uint64_t leaf)
{
	for (; level > at; level--) {
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

/*
 * Physical memory. Below 4 GiB RAM and devices alternate, and a large page over ranges of different MTRR types is
 * undefined (SDM vol. 3, 12.11.9): 4 KiB pages below 2 MiB (fixed MTRRs), then 2 MiB, then 1 GiB where the CPU has
 * them.
 */
static bool map_direct(struct nl_hostmap *m, uint64_t *pdpt)
{
	uint64_t top = m->phys_bits >= 39 ? SPAN * NL_1G : 1ULL << m->phys_bits;
	uint64_t pa;

	if (!m->has_1g) { /* 2 MiB pages cost tables: as much as there is RAM, and all devices below 4 GiB */
		uint64_t ram = (m->ram_top + NL_1G - 1) & ~(NL_1G - 1);

		if (ram < 4 * NL_1G)
			ram = 4 * NL_1G;
		if (ram < top)
			top = ram;
	}
	for (pa = 0; pa < NL_2M && pa < top; pa += NL_PAGE_SIZE)
		if (!put(m, pdpt, 2, 0, pa, pa | LEAF))
			return false;
	for (; pa < 4 * NL_1G && pa < top; pa += NL_2M)
		if (!put(m, pdpt, 2, 1, pa, pa | LEAF))
			return false;
	while (pa < top) {
		unsigned level = m->has_1g ? 2 : 1;

		if (!put(m, pdpt, 2, level, pa, pa | LEAF))
			return false;
		pa += m->has_1g ? NL_1G : NL_2M;
	}
	return true;
}

/* The region at NL_CORE_VA: executable as far as the core reaches, in 4 KiB pages there, so that nothing behind it can
 * ever run. */
static bool map_core(struct nl_hostmap *m, uint64_t *pml4)
{
	uint64_t small = (m->image_size + NL_2M - 1) & ~(NL_2M - 1);
	uint64_t offset;

	for (offset = 0; offset < small; offset += NL_PAGE_SIZE)
		if (!put(m, pml4, 3, 0, NL_CORE_VA + offset,
		         (m->region_pa + offset) | LEAF | (offset < m->image_size ? 0 : PTE_NX)))
			return false;
	for (; offset < NL_REGION_SIZE; offset += NL_2M)
		if (!put(m, pml4, 3, 1, NL_CORE_VA + offset, (m->region_pa + offset) | LEAF | PTE_NX))
			return false;
	return true;
}

enum nl_err nl_hostmap_build(struct nl_hostmap *m, uint64_t *root)
{
	uint64_t pml4_pa = new_table(m);
	uint64_t pdpt_pa = new_table(m);
	uint64_t *pml4;

	if (!pml4_pa || !pdpt_pa)
		return NL_ENOMEM;
	pml4 = table(m, pml4_pa);
	pml4[INDEX(0ULL, 3)] = pdpt_pa | TABLE;
	pml4[INDEX(NL_DIRECT_VA, 3)] = pdpt_pa | TABLE | PTE_NX;
	if (!map_direct(m, table(m, pdpt_pa)) || !map_core(m, pml4))
		return NL_ENOMEM;
	*root = pml4_pa;
	return NL_OK;
}
