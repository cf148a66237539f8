// SPDX-License-Identifier: Apache-2.0
// sources: arch/x86_64/svm/svm.c arch/x86_64/svm/nmi.c arch/x86_64/vmx/caps.c arch/x86_64/vmx/ept.c
// sources: arch/x86_64/vmx/exit.c arch/x86_64/vmx/nl_vmx.c arch/x86_64/vmx/nmi.c hv/core/step.c
// sources: arch/x86_64/vmx/state.c arch/x86_64/vmx/vmcs.c
// sources: hv/core/cpu.c hv/exits/exit.c hv/view/current.c hv/view/view.c hv/view/npt.c
// sources: tests/unit/history.c tests/unit/tlb_model.c tests/unit/vendors.c tests/unit/vendor_svm.c
// sources: tests/unit/vendor_vmx.c
// libs: -no-pie -Wl,--unresolved-symbols=ignore-all
/*
 * Flips and the guest's own invalidations on CPUs that keep every translation they ever made (tlb_model.h).
 * The views, the look at the current one before each entry, and what a vendor flushes are the product's own files
 * (vendors.h); of what else those files call nothing is linked: a call of it ends the test. No CPU may
 * ever translate otherwise than the current view shows. Then the mutants: each leaves out one flush, or trusts one tag
 * too much, and the model must catch it.
 */
#include "host.h"
#include "core/cpu.h"
#include "history.h"
#include "core/journal.h"
#include "core/panic.h"
#include "commit/quiesce.h"
#include "commit/standing.h"
#include "tlb_model.h"
#include "vendors.h"
#include "view/current.h"

enum { ADDRESS_BITS = 33, STEPS = 1200, SEEDS = 3 };
#define APIC 0xfee00000ULL
#define HIDDEN 0x40000000ULL
#define SINK 0x7700000000ULL

static const struct nl_type_run pc[] = {
        {0, 0xa0000, NL_MT_WB},
        {0xa0000, 0x60000, NL_MT_UC},
        {0x100000, 0xe0000000 - 0x100000, NL_MT_WB},
        {0xe0000000, 0x20000000, NL_MT_UC},
        {0x100000000, 0x100000000, NL_MT_WB},
};
static const uint64_t patchable[] = {0x1000, 0x1234000, 0x1235000, 0x1600000, 0x80000000, 0x180000000};
static const uint64_t others[] = {APIC, HIDDEN + 0x3000};

struct policy {
	const char *name;
	const struct nl_vendor *vendor;
	bool tagged; /* VPID or FlushByAsid exists */
	/* Mutants, in the place of what the product does: */
	void (*load_root)(unsigned cpu); /* the current view is another than at the CPU's last entry */
	bool parked_trust;               /* a CPU that was away enters with what it has */
};

static struct {
	const struct policy *policy;
	struct nl_npt_format format;
	struct nl_views views;
	struct nl_view base, current, retired; /* current.root 0: the base is current; retired.root 0: none */
	uint64_t generation;
	struct tlb_machine m;
	const char *stale;
} t;

bool nl_standing_holds(void) { return false; }

static struct nl_view *current(void) { return t.current.root.v ? &t.current : &t.base; }
static struct tlb_cpu *tlb(unsigned cpu) { return &t.m.cpus[cpu]; }

/* A freeze: the CPU is held until `flip` is done. */
static void (*flip)(void);
bool nl_quiesce_pending(void) { return flip; }
void nl_quiesce_answer(struct nl_cpu *cpu)
{
	(void)cpu;
	flip();
	flip = NULL;
}
void nl_panic_stop(void) {}
uint64_t nl_own_due = UINT64_MAX; /* see exits/own.h */

void nl_journal_generation(uint64_t generation) { (void)generation; }

static void publish(void)
{
	current()->generation = ++t.generation;
	nl_publish_view(current());
}

static uint64_t shows(uint64_t gpa)
{
	struct nl_shown page;
	assert_true(nl_view_walk(&t.views, current(), GPA(gpa), &page));
	return page.at.v | page.rights;
}

/* --- Mutants --- */

static void load_without_flush(unsigned cpu) { vendor_put(vendor_on(cpu), current()->root, 0); }

static void load_with_flush_on_cpu_0(unsigned cpu)
{
	load_without_flush(cpu);
	vendor_put_flush(vendor_on(cpu), cpu == 0 ? 3 : 0);
}

static void asid_per_generation(unsigned cpu)
{
	vendor_put(vendor_on(cpu), current()->root, 1 + (unsigned)t.generation % 8);
}

/* Every ASID is flushed before another generation gets it. What is forgotten: INVLPG under one ASID does not reach the
 * base's. */
static void asid_of_its_own_for_the_base(unsigned cpu)
{
	const bool base = !t.current.root.v;
	vendor_put(vendor_on(cpu), current()->root, base ? 1 : 2);
	vendor_put_flush(vendor_on(cpu), base ? 0 : 3);
}

/* The base is never released, so its translations are good for ever. */
static void invept_unless_base(unsigned cpu)
{
	load_without_flush(cpu);
	if (t.current.root.v)
		tlb_invept_single(tlb(cpu), tlb(cpu)->root);
}

/* --- The machine --- */

static bool behind(unsigned cpu) { return nl_cpus[cpu]->root_generation != t.generation; }

static void enter(unsigned cpu, bool parked)
{
	const struct policy *p = t.policy;
	struct nl_cpu *c = vendor_on(cpu);
	const uint64_t was = c->root_generation;
	const bool trust = parked && p->parked_trust && behind(cpu);

	if (t.stale)
		return;
	if (trust || (p->load_root && behind(cpu)))
		c->root_generation = t.generation; /* else hv_before_entry loads it */
	if (p->load_root && !trust && was != t.generation)
		p->load_root(cpu);
	vendor_enter(c);
	if (trust)
		c->root_generation = was;
	t.stale = tlb_guest_runs(&t.m, tlb(cpu), shows);
}

static void enter_all(void)
{
	for (unsigned i = 0; i < TLB_CPUS; i++)
		enter(i, behind(i));
}

/* As hv/commit/generation.c: the superseded view goes when every CPU has loaded a newer root. Here the base stays
 * alive, for a way back to it, and every view is forked from it. */
static void reclaim(void)
{
	if (!t.retired.root.v)
		return;
	enter_all();
	nl_view_release(&t.views, &t.retired, &t.base);
}

static void commit(void)
{
	struct nl_view next;
	reclaim();
	assert_int_equal(nl_view_fork(&t.views, &t.base, &next), NL_OK);
	for (unsigned i = 1 + host_below(3); i; i--) {
		const uint64_t gpa = patchable[host_below(NL_ARRAY_SIZE(patchable))];
		const uint64_t frame = host_below(3) ? 0x5500000000 + host_below(64) * NL_PAGE_SIZE : gpa;
		assert_int_equal(nl_view_set_page(&t.views, &next, &t.base, GPA(gpa), HPA(frame),
		                                  host_below(2) ? NL_RX : NL_RWX),
		                 NL_OK);
	}
	t.retired = t.current;
	t.current = next;
	publish();
}

static void back_to_base(void)
{
	reclaim();
	t.retired = t.current;
	t.current = (struct nl_view){.root = HPA(0)};
	publish();
}

/* The guest changes its own page table, and tells all CPUs. */
static void guest_remaps(void)
{
	const unsigned pcid = host_below(TLB_PCIDS), page = host_below(TLB_PAGES);
	enter_all();
	t.m.guest[pcid][page] =
	        page % 2 ? patchable[host_below(NL_ARRAY_SIZE(patchable))] : others[host_below(NL_ARRAY_SIZE(others))];
	for (unsigned i = 0; i < TLB_CPUS; i++)
		tlb_guest_invlpg(tlb(i), pcid, page);
	enter_all();
}

static void begin(const struct policy *policy, uint64_t seed)
{
	history_reset();
	history_reuse_at_once(true); /* the worst allocator for us: a root just released is the next root */
	host_seed(seed);
	memset(&t, 0, sizeof(t));
	t.policy = policy;
	t.format = (policy->vendor == &nl_vmx ? nl_npt_format_ept : nl_npt_format_npt)(seed % 2, ADDRESS_BITS);
	t.views = (struct nl_views){.format = &t.format, .ops = history_ops()};
	t.m.format = &t.format;
	assert_int_equal(nl_view_base(&t.views, pc, NL_ARRAY_SIZE(pc), &t.base), NL_OK);
	for (uint64_t at = HIDDEN; at < HIDDEN + NL_2M; at += NL_PAGE_SIZE)
		assert_int_equal(nl_view_set_page(&t.views, &t.base, NULL, GPA(at), HPA(SINK), NL_RWX), NL_OK);
	for (unsigned pcid = 0; pcid < TLB_PCIDS; pcid++)
		for (unsigned page = 0; page < TLB_PAGES; page++)
			t.m.guest[pcid][page] = page < NL_ARRAY_SIZE(patchable)
			                                ? patchable[page]
			                                : others[page - NL_ARRAY_SIZE(patchable)];
	assert_int_equal(nl_view_set_page(&t.views, &t.base, NULL, GPA(APIC), HPA(APIC), NL_R), NL_OK);
	vendor_start(&t.m, policy->vendor, policy->tagged);
	nl_views_init(&t.views);
	publish();
	for (unsigned i = 0; i < TLB_CPUS; i++)
		assert_int_equal(nl_vendor->cpu_init(vendor_on(i), t.base.root), NL_OK);
	enter_all();
}

static void end(void)
{
	reclaim();
	if (t.current.root.v)
		nl_view_release(&t.views, &t.current, &t.base);
	nl_view_release(&t.views, &t.base, NULL);
	assert_int_equal(history_used(), 0);
}

/* The number of the step at which the model found something stale; 0 = nothing. */
static unsigned run(const struct policy *policy, uint64_t seed, const char **what)
{
	begin(policy, seed);
	unsigned step = 0;
	while (!t.stale && step++ < STEPS) {
		switch (host_below(10)) {
		case 0:
			back_to_base();
			break;
		case 1:
		case 2:
			guest_remaps();
			break;
		case 3:
		case 4:
		case 5:
			commit();
			break;
		default:
			enter(host_below(TLB_CPUS), false);
		}
		if (host_below(3))
			enter(host_below(TLB_CPUS), true);
	}
	*what = t.stale;
	const unsigned found = t.stale ? step : 0;
	if (!found)
		enter_all();
	t.stale = NULL;
	t.policy = policy;
	end();
	return found;
}

#define ON_VMX .vendor = &nl_vmx, .tagged = true
#define ON_SVM .vendor = &nl_svm, .tagged = true

static const struct policy right[] = {
        {"VMX with VPID", ON_VMX},
        {"VMX without VPID", .vendor = &nl_vmx},
        {"SVM with FlushByAsid", ON_SVM},
        {"SVM without", .vendor = &nl_svm},
        /* What would be lawful too: it shows that the mutant beside it fails for the reason that its name says. */
        {"VMX, the base's translations kept over flips", ON_VMX, .load_root = invept_unless_base},
};

static const struct policy mutants[] = {
        {"SVM, no TLB_CONTROL at a flip", ON_SVM, .load_root = load_without_flush},
        {"SVM, TLB_CONTROL on the committing CPU only", ON_SVM, .load_root = load_with_flush_on_cpu_0},
        {"SVM, an ASID per generation, no flush when it comes round", ON_SVM, .load_root = asid_per_generation},
        {"SVM, an ASID for the base, which the guest's INVLPG misses", ON_SVM,
         .load_root = asid_of_its_own_for_the_base},
        {"SVM, a parked CPU enters without comparing", ON_SVM, .parked_trust = true},
        {"VMX, a root page reused without INVEPT", ON_VMX, .load_root = load_without_flush},
        {"VMX, the same without VPID", .vendor = &nl_vmx, .load_root = load_without_flush},
        {"VMX, a parked CPU enters without comparing", ON_VMX, .parked_trust = true},
};

static void no_policy_of_ours_leaves_anything_stale(void **state)
{
	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(right); i++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			const char *what;
			const unsigned step = run(&right[i], seed, &what);
			if (step)
				fail_msg("%s, seed %lu, step %u: %s", right[i].name, seed, step, what);
		}
}

static void every_mutant_is_caught(void **state)
{
	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(mutants); i++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			const char *what;
			const unsigned step = run(&mutants[i], seed, &what);
			if (!step)
				fail_msg("%s, seed %lu: not caught in %u steps", mutants[i].name, seed, STEPS);
			if (seed == 1)
				print_message("%s: %s, at step %u\n", mutants[i].name, what, step);
		}
}

/* The CPU level of atomicity: once all CPUs have entered after a commit, no cache of any of them can bring back the old
 * generation. */
static void after_a_commit_all_cpus_show_the_new_view_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(right); i++) {
		begin(&right[i], i + 1);
		for (unsigned round = 0; round < 60; round++) {
			commit();
			for (unsigned order = host_below(TLB_CPUS), n = 0; n < TLB_CPUS; n++)
				enter((order + n) % TLB_CPUS, true);
			assert_null(t.stale);
			enter_all();
			assert_null(t.stale);
		}
		end();
	}
}

/* Caches full of another life, by bad luck with the same tags: VPID or ASID was 1 as well, and a root lay where ours
 * lies now. */
static void pollute(struct tlb_cpu *cpu)
{
	for (size_t e = 0; e < cpu->n; e++)
		if (cpu->entries[e].kind != TLB_TABLE)
			cpu->entries[e].value ^= 0x100000;
}

static void a_started_cpu_keeps_nothing_of_its_former_life(void **state)
{
	enum { NOTHING, LAUNCH, SIPI, WAYS };

	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(right); i++)
		for (unsigned way = NOTHING; way < WAYS; way++) {
			begin(&right[i], 1);
			pollute(tlb(0));
			if (way == LAUNCH)
				assert_int_equal(nl_vendor->cpu_init(vendor_on(0), t.base.root), NL_OK);
			if (way == SIPI)
				nl_cpu_started(vendor_on(0), 0x9a);
			enter(0, false);
			if (!t.stale != (way != NOTHING))
				fail_msg("%s, way %u: %s", right[i].name, way, t.stale);
			t.stale = NULL;
			end();
		}
}

/* What a CPU looks at before it answers is not what it must enter with. */
static void a_flip_inside_the_freeze_is_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(right); i++) {
		begin(&right[i], i + 1);
		for (unsigned round = 0; round < 20; round++) {
			reclaim();
			flip = commit;
			enter(round % TLB_CPUS, false);
			if (t.stale || flip)
				fail_msg("%s, round %u: %s", right[i].name, round, t.stale);
			enter_all();
		}
		end();
	}
}

/* Idle means absent: an entry without a flip or an edit costs no translation. */
static void an_entry_alone_forgets_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(right); i++) {
		begin(&right[i], i + 1);
		const size_t n = tlb(0)->n;
		for (unsigned round = 0; round < 3; round++) {
			vendor_enter(vendor_on(0));
			if (right[i].tagged && tlb(0)->n != n)
				fail_msg("%s: %zu of %zu entries left", right[i].name, tlb(0)->n, n);
		}
		end();
	}
}

/* Text that was written in place: a CPU that enters with another view than before has serialised behind the flip (SDM
 * vol. 3, 9.1.3; APM vol. 2, 7.6.1), once; an entry without a flip costs nothing. */
static void a_cpu_serialises_behind_a_flip(void **state)
{
	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(right); i++) {
		if (right[i].load_root)
			continue;
		begin(&right[i], i + 1);
		commit();
		for (unsigned cpu = 0; cpu < TLB_CPUS; cpu++)
			for (unsigned expected = 2; expected--;) {
				vendor_host.serialised = 0;
				enter(cpu, false);
				assert_int_equal(vendor_host.serialised, expected);
			}
		end();
	}
}

/* With address line 20 masked the core's pages would be others: APM vol. 2, 15.30.1 (R_INIT, DIS_A20M). */
static void svm_shuts_what_passes_by_the_nested_table(void **state)
{
	static struct tlb_machine m;

	(void)state;
	vendor_start(&m, &nl_svm, true);
	assert_int_equal(vendor_host.vm_cr, 0); /* a #GP would be the firmware's to handle until then */
	assert_int_equal(nl_svm.cpu_init(vendor_on(0), HPA(0x1000)), NL_OK);
	assert_int_equal(vendor_host.vm_cr & 6, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(no_policy_of_ours_leaves_anything_stale),
	        cmocka_unit_test(every_mutant_is_caught),
	        cmocka_unit_test(after_a_commit_all_cpus_show_the_new_view_alone),
	        cmocka_unit_test(a_started_cpu_keeps_nothing_of_its_former_life),
	        cmocka_unit_test(a_flip_inside_the_freeze_is_seen),
	        cmocka_unit_test(an_entry_alone_forgets_nothing),
	        cmocka_unit_test(a_cpu_serialises_behind_a_flip),
	        cmocka_unit_test(svm_shuts_what_passes_by_the_nested_table),
	};
	return cmocka_run_group_tests_name("tlb", tests, NULL, NULL);
}
