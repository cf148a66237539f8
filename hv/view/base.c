// SPDX-License-Identifier: Apache-2.0
/*
 * Builds the base view: identity, from the largest pages that the memory types allow; the reserved region shows a sink
 * page, the arena in it shows itself with the rights of what lies there, the local APIC page is read-only where its
 * writes are watched. So is the place of SMIs after reset, and the state that is saved there is hidden.
 */
#include "view/base.h"
#include "apic.h"
#include "core/core.h"
#include "view/current.h"
#include "core/pool.h"
#include "x86.h"

static struct nl_views views;
static struct nl_type_run runs[2 * NL_MAX_RANGES + 1];
static size_t n_runs;
static struct nl_view base;

const struct nl_view *nl_base_view(void) { return &base; }

static void add_run(uint64_t end, enum nl_memtype type)
{
	uint64_t at = n_runs ? runs[n_runs - 1].base + runs[n_runs - 1].size : 0;

	if (end > at)
		runs[n_runs++] = (struct nl_type_run){at, end - at, type};
}

/*
 * What the firmware calls memory is cached, the rest is not; a guest asks for less by its PAT (SDM vol. 3, 29.3.7). Its
 * MTRRs do nothing with EPT, and act by themselves with NPT.
 */
static void find_types(uint64_t end)
{
	n_runs = 0;
	for (uint32_t i = 0; i < nl_boot.n_ranges && nl_boot.ranges[i].base < end; i++) {
		uint64_t top = nl_boot.ranges[i].base + nl_boot.ranges[i].size;

		add_run(nl_boot.ranges[i].base, NL_MT_UC);
		add_run(top < end ? top : end, NL_MT_WB);
	}
	add_run(end, NL_MT_UC);
}

static enum nl_err page(gpa_t gpa, hpa_t frame, enum nl_rights rights)
{
	return nl_view_set_page(&views, &base, NULL, gpa, frame, rights);
}

enum nl_err nl_base_init(void)
{
	void *sink;
	enum nl_err err;
	uint64_t arena_text = nl_boot.region + NL_REGION_ARENA_TEXT, arena_data = nl_boot.region + NL_REGION_ARENA_DATA;

	nl_pool_init((void *)(NL_CORE_VA + nl_boot.free_start), HPA(nl_boot.region + nl_boot.free_start),
	             (nl_boot.region_size - nl_boot.free_start) / NL_PAGE_SIZE);
	views = (struct nl_views){.format = nl_vendor->format(), .ops = nl_pool_tables};
	nl_views_init(&views);
	find_types(1ULL << views.format->address_bits);
	err = nl_view_base(&views, runs, n_runs, &base);
	if (err)
		return err;
	sink = nl_pool_page();
	if (!sink)
		return NL_ENOMEM;
	for (uint64_t at = NL_REGION_CORE; at < nl_boot.region_size && !err; at += NL_PAGE_SIZE)
		err = page(GPA(nl_boot.region + at), nl_pool_hpa(sink), NL_RWX);
	for (uint64_t at = 0; at < NL_2M && !err; at += NL_PAGE_SIZE) {
		err = page(GPA(arena_text + at), HPA(arena_text + at), NL_RX);
		if (!err)
			err = page(GPA(arena_data + at), HPA(arena_data + at), NL_RW);
	}
	for (uint64_t at = NL_SMI_HANDLER; nl_boot.smi_page && at < NL_SMI_END && !err; at += NL_PAGE_SIZE)
		err = at == NL_SMI_HANDLER ? page(GPA(at), HPA(at), NL_RX) : page(GPA(at), nl_pool_hpa(sink), NL_RWX);
	if (!err && apic_is_watched())
		err = page(GPA(APIC_DEFAULT_BASE), HPA(APIC_DEFAULT_BASE), NL_R);
	return err;
}

enum nl_err nl_base_page(gpa_t gpa, hpa_t frame, enum nl_rights rights) { return page(gpa, frame, rights); }

enum nl_err nl_base_cpu_start(struct nl_cpu *cpu)
{
	const struct nl_view *v = nl_current_view();

	cpu->root = v->root;
	cpu->root_generation = v->generation;
	return nl_vendor->cpu_init(cpu, v->root);
}

bool nl_is_guest_ram(gpa_t gpa)
{
	if (gpa.v >= nl_boot.direct_size || gpa.v - nl_boot.region < nl_boot.region_size)
		return false;
	for (uint32_t i = 0; i < nl_boot.n_ranges; i++)
		if (gpa.v - nl_boot.ranges[i].base < nl_boot.ranges[i].size)
			return true;
	return false;
}
