// SPDX-License-Identifier: Apache-2.0
/*
 * See tlb_model.h. Intel: SDM vol. 3, 29.4.1 (what is cached, with which tags), 29.4.2 (what may be used), 29.4.3 (what
 * invalidates). AMD: APM vol. 2, 15.16 (ASIDs tag everything, the nested root is no tag) and 15.25.8 (a change of nCR3
 * flushes nothing).
 */
#include "host.h"
#include "history.h"
#include "tlb_model.h"

static hpa_t root_tag(const struct tlb_cpu *cpu) { return cpu->vendor == TLB_INTEL ? cpu->root : HPA(0); }

/* On Intel, guest-physical mappings and pointers to EPT tables are tagged by the root alone; on AMD everything has the
 * ASID. */
static unsigned id_tag(const struct tlb_cpu *cpu, unsigned kind)
{
	return cpu->vendor == TLB_INTEL && kind != TLB_COMBINED ? 0 : cpu->id;
}

static bool same(const struct tlb_entry *a, const struct tlb_entry *b)
{
	return a->kind == b->kind && a->id == b->id && a->pcid == b->pcid && a->root.v == b->root.v &&
	       a->key == b->key && a->level == b->level && a->value == b->value;
}

static void keep(struct tlb_cpu *cpu, struct tlb_entry e)
{
	e.id = id_tag(cpu, e.kind);
	e.root = root_tag(cpu);
	for (size_t i = 0; i < cpu->n; i++)
		if (same(&cpu->entries[i], &e))
			return;
	assert_true(cpu->n < TLB_ENTRIES);
	cpu->entries[cpu->n++] = e;
}

static bool usable(const struct tlb_cpu *cpu, const struct tlb_entry *e)
{
	return e->id == id_tag(cpu, e->kind) && e->root.v == root_tag(cpu).v;
}

static void forget(struct tlb_cpu *cpu, bool (*which)(const struct tlb_entry *e, const struct tlb_entry *like),
                   struct tlb_entry like)
{
	size_t left = 0;
	for (size_t i = 0; i < cpu->n; i++)
		if (!which(&cpu->entries[i], &like))
			cpu->entries[left++] = cpu->entries[i];
	cpu->n = left;
}

static bool any(const struct tlb_entry *e, const struct tlb_entry *like)
{
	(void)e;
	(void)like;
	return true;
}

static bool of_root(const struct tlb_entry *e, const struct tlb_entry *like) { return e->root.v == like->root.v; }
static bool of_id(const struct tlb_entry *e, const struct tlb_entry *like) { return e->id == like->id; }

static bool combined(const struct tlb_entry *e, const struct tlb_entry *like)
{
	(void)like;
	return e->kind == TLB_COMBINED;
}

static bool combined_of_id(const struct tlb_entry *e, const struct tlb_entry *like)
{
	return e->kind == TLB_COMBINED && e->id == like->id;
}

static bool of_linear_page(const struct tlb_entry *e, const struct tlb_entry *like)
{
	return e->kind == TLB_COMBINED && e->id == like->id && e->pcid == like->pcid && e->key == like->key;
}

/* Guest-physical and combined mappings of that EP4TA, whatever VPID and PCID (29.4.3.1, INVEPT). */
void tlb_invept_single(struct tlb_cpu *cpu, hpa_t root) { forget(cpu, of_root, (struct tlb_entry){.root = root}); }
void tlb_invept_all(struct tlb_cpu *cpu) { forget(cpu, any, (struct tlb_entry){.id = 0}); }
/* Linear and combined mappings of all VPIDs; guest-physical mappings stay. */
void tlb_invvpid_all(struct tlb_cpu *cpu) { forget(cpu, combined, (struct tlb_entry){.id = 0}); }

/* The current VPID or ASID, and PCID; on Intel for all EP4TAs. */
void tlb_guest_invlpg(struct tlb_cpu *cpu, unsigned pcid, unsigned page)
{
	forget(cpu, of_linear_page, (struct tlb_entry){.id = cpu->id, .pcid = pcid, .key = page});
}

void tlb_enter(struct tlb_cpu *cpu)
{
	if (cpu->vendor == TLB_INTEL) {
		if (cpu->id ==
		    0) /* without VPIDs every transition invalidates VPID 0, in all PCIDs and for all EP4TAs */
			forget(cpu, combined_of_id, (struct tlb_entry){.id = 0});
		return;
	}
	if (cpu->tlb_control == 1)
		forget(cpu, any, (struct tlb_entry){.id = 0});
	else if (cpu->tlb_control == 3)
		forget(cpu, of_id, (struct tlb_entry){.id = cpu->id});
}

/* --- What a CPU could translate to --- */

struct outcome {
	uint64_t gpa, expected;
	const char *wrong;
};

static uint64_t span(unsigned level) { return NL_PAGE_SIZE << 9 * (level - 1); }

static void judge(struct outcome *o, uint64_t value)
{
	if (value != o->expected)
		o->wrong = "a stale translation";
}

/* From a table on, by memory; every table and the page met on the way are kept, and the combined result as `linear`. */
static void walk_from(struct tlb_machine *m, struct tlb_cpu *cpu, hpa_t table, unsigned level, struct outcome *o,
                      struct tlb_entry linear)
{
	const struct nl_npt_format *f = m->format;

	if (!history_is_table(table)) {
		o->wrong = "a walk through a page that is no table any more";
		return;
	}
	const uint64_t entry = history_map(table)[o->gpa / span(level) % 512];
	const uint64_t address = entry & 0x000ffffffffff000;
	if (!(entry & f->present)) {
		o->wrong = "a walk through a table that serves something else now";
		return;
	}
	if (level > 1 && !(entry & f->large)) {
		keep(cpu, (struct tlb_entry){.kind = TLB_TABLE,
		                             .key = o->gpa & ~(span(level) - 1),
		                             .level = level - 1,
		                             .value = address});
		walk_from(m, cpu, HPA(address), level - 1, o, linear);
		return;
	}
	const uint64_t frame = (address & ~(span(level) - 1)) + (o->gpa & (span(level) - 1) & ~NL_PAGE_MASK);
	const bool executable = f->right_x ? entry & f->right_x : !(entry & f->right_nx);
	const uint64_t value =
	        frame | (entry & f->right_r ? NL_R : 0) | (entry & f->right_w ? NL_W : 0) | (executable ? NL_X : 0);
	keep(cpu, (struct tlb_entry){.kind = TLB_GUEST_PHYSICAL, .key = o->gpa, .value = value});
	linear.value = value;
	keep(cpu, linear);
	judge(o, value);
}

const char *tlb_guest_runs(struct tlb_machine *m, struct tlb_cpu *cpu, uint64_t (*shows)(uint64_t gpa))
{
	for (unsigned pcid = 0; pcid < TLB_PCIDS; pcid++)
		for (unsigned page = 0; page < TLB_PAGES; page++) {
			const uint64_t gpa = m->guest[pcid][page];
			const struct tlb_entry linear = {.kind = TLB_COMBINED, .pcid = pcid, .key = page};
			struct outcome o = {.gpa = gpa, .expected = shows(gpa)};

			const size_t n = cpu->n; /* what was kept before this access */
			for (size_t i = 0; i < n; i++) {
				const struct tlb_entry e = cpu->entries[i];
				if (!usable(cpu, &e))
					continue;
				if ((e.kind == TLB_COMBINED && e.pcid == pcid && e.key == page) ||
				    (e.kind == TLB_GUEST_PHYSICAL && e.key == gpa))
					judge(&o, e.value);
				else if (e.kind == TLB_TABLE && e.key == (gpa & ~(span(e.level + 1) - 1)))
					walk_from(m, cpu, HPA(e.value), e.level, &o, linear);
			}
			walk_from(m, cpu, cpu->root, 4, &o, linear);
			if (o.wrong)
				return o.wrong;
		}
	return NULL;
}
