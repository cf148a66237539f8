// SPDX-License-Identifier: Apache-2.0
/*
 * Builds the host page tables: the region at NL_CORE_VA, physical memory at NL_DIRECT_VA, and, for the way in and back,
 * one to one as well. The direct map and the one-to-one map share their tables; only the former forbids execution, in
 * its entries of the root. Nothing of the core is both writable and executable. The tables are views (hv/view/): AMD's
 * nested ones have the format of the host's.
 */
#include <newleaf/bootblock.h>

#include "hostmap.h"
#include "view/view.h"

#define PTE_U (1ULL << 2)
#define PTE_NX (1ULL << 63)
#define SPAN 512u /* entries of a table */

/* level 3 = PML4, 4 = PML5, both of whose halves lie in one entry each */
#define INDEX(va, level) ((unsigned)((va) >> (12 + 9 * (level))) & 511)

static struct nl_hostmap *building;

static void *map(hpa_t table) { return building->region + (table.v - building->region_pa); }
static void release(hpa_t table) { (void)table; } /* who fails gives back the whole region */

static bool alloc(hpa_t *out)
{
	if (building->next + NL_PAGE_SIZE > building->region_size)
		return false;
	*out = HPA(building->region_pa + building->next);
	building->next += NL_PAGE_SIZE;
	__builtin_memset(map(*out), 0, NL_PAGE_SIZE);
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

enum nl_err nl_hostmap_build(struct nl_hostmap *m)
{
	struct nl_npt_format format = nl_npt_format_npt(m->has_1g, 48);
	const struct nl_views v = {.format = &format, .ops = {map, alloc, release}};
	const struct nl_type_run all = {0, nl_hostmap_top(m), NL_MT_WB}, region = {0, m->region_size, NL_MT_WB};
	struct nl_view low, core; /* all of memory, the region: from 0 on */
	uint64_t *launch, *host, *gigabytes;
	hpa_t launch5, host5;
	enum nl_err e;

	building = m;
	format.table &= ~PTE_U; /* to nested tables each access is a user's */
	format.leaf &= ~PTE_U;
	e = nl_view_base(&v, &all, 1, &low);
	if (!e)
		e = nl_view_base(&v, &region, 1, &core);
	/* In 4 KiB pages, so that nothing behind the core's code can ever run. */
	for (uint64_t at = 0; at < m->region_size && !e; at += NL_PAGE_SIZE)
		e = nl_view_set_page(&v, &core, NULL, GPA(at), HPA(m->region_pa + at),
		                     at < m->text || at >= m->data ? NL_RW
		                     : at < m->rodata              ? NL_RX
		                                                   : NL_R);
	if (e || (m->la57 && (!alloc(&launch5) || !alloc(&host5))))
		return NL_ENOMEM;
	launch = map(low.root);
	host = map(core.root);
	gigabytes = map(HPA(host[0] & ~NL_PAGE_MASK));
	gigabytes[INDEX(NL_CORE_VA, 2)] = gigabytes[0];
	host[INDEX(NL_CORE_VA, 3)] = host[0];
	gigabytes[0] = host[0] = 0;
	for (unsigned i = 0; i < SPAN / 2 - 1; i++)
		if (launch[i])
			host[INDEX(NL_DIRECT_VA, 3) + i] = launch[i] | PTE_NX;
	if (m->la57) {
		launch = map(launch5);
		launch[0] = format.table | low.root.v;
		host = map(host5);
		host[INDEX(NL_CORE_VA, 4)] = format.table | core.root.v;
	}
	for (unsigned i = SPAN / 2; i < SPAN; i++)
		launch[i] = host[i];
	m->launch_cr3 = m->la57 ? launch5.v : low.root.v;
	m->host_cr3 = m->la57 ? host5.v : core.root.v;
	return NL_OK;
}
