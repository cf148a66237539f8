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
#include "view/mtrr.h"
#include "core/pool.h"
#include "x86.h"

#define MAX_RUNS 128

static struct nl_views views;
static struct nl_mtrrs mtrrs;
static struct nl_type_run runs[MAX_RUNS];
static size_t n_runs; /* 0: an edit has failed, the types follow neither the old ones nor the new */
static struct nl_view base;

const struct nl_view *nl_base_view(void) { return &base; }

static void read_mtrrs(struct nl_mtrrs *m)
{
	m->phys_bits = x86_cpuid_word(0x80000008, 0, EAX) & 0xff;
	if (!(x86_cpuid_word(1, 0, EDX) & 1u << 12)) { /* no MTRRs: everything is WB (SDM vol. 3, 12.11.1) */
		m->def_type = 1u << 11 | NL_MT_WB;
		return;
	}
	m->cap = x86_rdmsr(MSR_MTRRCAP);
	m->def_type = x86_rdmsr(MSR_MTRR_DEF_TYPE);
	m->n_variable = m->cap & 0xff;
	if (m->n_variable > NL_MTRR_MAX_VARIABLE)
		m->n_variable = NL_MTRR_MAX_VARIABLE;
	for (unsigned i = 0; i < m->n_variable; i++) {
		m->variable[i].base = x86_rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i);
		m->variable[i].mask = x86_rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i + 1);
	}
	if (!(m->cap & 1u << 8))
		return;
	m->fixed[0] = x86_rdmsr(MSR_MTRR_FIX64K);
	for (unsigned i = 0; i < 2; i++)
		m->fixed[1 + i] = x86_rdmsr(MSR_MTRR_FIX16K_80000 + i);
	for (unsigned i = 0; i < 8; i++)
		m->fixed[3 + i] = x86_rdmsr(MSR_MTRR_FIX4K_C0000 + i);
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
	read_mtrrs(&mtrrs);
	err = nl_mtrr_runs(&mtrrs, runs, MAX_RUNS, &n_runs);
	if (!err)
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

enum nl_err nl_base_watch(gpa_t gpa) { return page(gpa, HPA(gpa.v), NL_R); }

static enum nl_err retype(struct nl_view *view)
{
	static struct nl_type_run fresh[MAX_RUNS]; /* the lock of base edits protects it */
	struct nl_mtrrs now = {0};
	enum nl_err err;
	size_t n;

	read_mtrrs(&now);
	if (!memcmp(&now, &mtrrs, sizeof(now)))
		return NL_OK;
	err = nl_mtrr_runs(&now, fresh, MAX_RUNS, &n);
	if (err)
		return err; /* the next CPU that comes here tries again */
	err = nl_view_retype(&views, view, fresh, n, runs, n_runs);
	n_runs = err ? 0 : n;
	if (!err) {
		memcpy(runs, fresh, sizeof(runs));
		mtrrs = now;
	}
	return err;
}

/* SDM vol. 3, 29.3.7: types come from the EPT entry, so they must follow. An OS writes the MTRRs of every CPU in turn,
 * with all of them waiting. */
void nl_base_mtrrs_changed(struct nl_cpu *cpu)
{
	enum nl_err err = nl_edit_base(retype);

	if (err)
		nl_log("newleaf: CPU %u: memory types do not follow the MTRRs (error %u)\n", cpu->index, err);
	nl_vendor->flush_all(cpu);
}

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
