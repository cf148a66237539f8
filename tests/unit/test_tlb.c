// SPDX-License-Identifier: Apache-2.0
// sources: hv/view/view.c hv/view/npt.c tests/unit/history.c tests/unit/tlb_model.c
/*
 * Flips, base edits and the guest's own invalidations on CPUs that keep every translation they ever made (tlb_model.h).
 * What is flushed is decided by hv/view/tlb.h; the views are the real ones. No CPU may ever translate otherwise than
 * the current view shows. Then the mutants: each leaves out one flush, or trusts one tag too much, and the model must
 * catch it.
 */
#include "host.h"
#include "history.h"
#include "view/tlb.h"
#include "tlb_model.h"
#include "view/view.h"

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
	enum tlb_vendor vendor;
	void (*load_root)(
	        unsigned cpu); /* the CPU is about to enter, and the current view is another than at its last entry */
	void (*base_edited)(unsigned cpu);
	unsigned id;       /* VPID or ASID at the start */
	bool parked_trust; /* a CPU that was away enters with what it has */
};

static struct {
	const struct policy *policy;
	struct nl_npt_format format;
	struct nl_views views;
	struct nl_view base, current, retired; /* current.root 0: the base is current; retired.root 0: none */
	uint64_t flips;
	struct {
		uint64_t flips; /* what it has loaded */
		bool edited;    /* a base edit since its last entry */
	} cpu[TLB_CPUS];
	struct tlb_machine m;
	const char *stale;
} t;

static struct nl_view *current(void) { return t.current.root.v ? &t.current : &t.base; }
static struct tlb_cpu *tlb(unsigned cpu) { return &t.m.cpus[cpu]; }

static uint64_t shows(uint64_t gpa)
{
	hpa_t frame;
	enum nl_rights rights;
	assert_true(nl_view_walk(&t.views, current(), GPA(gpa), &frame, &rights, NULL, NULL));
	return frame.v | rights;
}

/* --- The vendors, as they are --- */

static void vmx_flush(unsigned cpu, enum nl_flush_scope scope)
{
	if (scope == NL_FLUSH_ROOT) {
		tlb_invept_single(tlb(cpu), tlb(cpu)->root);
		return;
	}
	tlb_invept_all(tlb(cpu));
	tlb_invvpid_all(tlb(cpu));
}

static void vmx_load_root(unsigned cpu)
{
	tlb(cpu)->root = current()->root;
	vmx_flush(cpu, nl_flush_for(NL_ROOT_LOADED));
}

static void vmx_base_edited(unsigned cpu) { vmx_flush(cpu, nl_flush_for(NL_BASE_EDITED)); }

/* Both scopes are the ASID to SVM. */
static void svm_load_root(unsigned cpu)
{
	tlb(cpu)->root = current()->root;
	tlb(cpu)->tlb_control = 3;
}

static void svm_base_edited(unsigned cpu) { tlb(cpu)->tlb_control = 3; }

static void svm_load_root_old_cpu(unsigned cpu)
{
	tlb(cpu)->root = current()->root;
	tlb(cpu)->tlb_control = 1;
}

static void svm_base_edited_old_cpu(unsigned cpu) { tlb(cpu)->tlb_control = 1; }

/* --- Mutants --- */

static void no_flush(unsigned cpu) { (void)cpu; }
static void load_without_flush(unsigned cpu) { tlb(cpu)->root = current()->root; }

static void load_with_flush_on_cpu_0(unsigned cpu)
{
	tlb(cpu)->root = current()->root;
	tlb(cpu)->tlb_control = cpu == 0 ? 3 : 0;
}

static void asid_per_generation(unsigned cpu)
{
	tlb(cpu)->root = current()->root;
	tlb(cpu)->id = 1 + t.flips % 8;
}

/* Every ASID is flushed before another generation gets it. What is forgotten: INVLPG under one ASID does not reach the
 * base's. */
static void asid_of_its_own_for_the_base(unsigned cpu)
{
	const bool base = !t.current.root.v;
	tlb(cpu)->root = current()->root;
	tlb(cpu)->id = base ? 1 : 2;
	tlb(cpu)->tlb_control = base ? 0 : 3;
}

static void base_edited_flushes_own_asid_of_two(unsigned cpu) { tlb(cpu)->tlb_control = 1; }

/* The base is never released, so its translations are taken for good for ever. They are, until a base edit. */
static void invept_unless_base(unsigned cpu)
{
	tlb(cpu)->root = current()->root;
	if (t.current.root.v)
		tlb_invept_single(tlb(cpu), tlb(cpu)->root);
}

static void base_edited_invept_current_root(unsigned cpu) { tlb_invept_single(tlb(cpu), tlb(cpu)->root); }
static void base_edited_invvpid(unsigned cpu) { tlb_invvpid_all(tlb(cpu)); }

/* --- The machine --- */

static void enter(unsigned cpu, bool parked)
{
	if (t.stale)
		return;
	if (t.cpu[cpu].edited)
		t.policy->base_edited(cpu);
	if (t.cpu[cpu].flips != t.flips && !(parked && t.policy->parked_trust)) {
		t.policy->load_root(cpu);
		t.cpu[cpu].flips = t.flips;
	}
	t.cpu[cpu].edited = false;
	tlb_enter(tlb(cpu));
	t.stale = tlb_guest_runs(&t.m, tlb(cpu), shows);
}

static void enter_all(void)
{
	for (unsigned i = 0; i < TLB_CPUS; i++)
		enter(i, t.cpu[i].flips != t.flips);
}

/* As hv/commit/commit.c: the superseded view goes when every CPU has loaded a newer root. Here the base stays alive,
 * for a way back to it. */
static void reclaim(void)
{
	if (!t.retired.root.v)
		return;
	enter_all();
	nl_view_release_between(&t.views, &t.retired, &t.base, t.current.root.v ? &t.current : NULL);
}

static void commit(void)
{
	struct nl_view next;
	reclaim();
	assert_int_equal(nl_view_fork(&t.views, current(), &next), NL_OK);
	for (unsigned i = 1 + host_below(3); i; i--) {
		const uint64_t gpa = patchable[host_below(NL_ARRAY_SIZE(patchable))];
		const uint64_t frame = host_below(3) ? 0x5500000000 + host_below(64) * NL_PAGE_SIZE : gpa;
		assert_int_equal(nl_view_set_page(&t.views, &next, current(), GPA(gpa), HPA(frame),
		                                  host_below(2) ? NL_RX : NL_RWX),
		                 NL_OK);
	}
	t.retired = t.current;
	t.current = next;
	t.flips++;
}

static void back_to_base(void)
{
	reclaim();
	t.retired = t.current;
	t.current = (struct nl_view){.root = HPA(0)};
	t.flips++;
}

static void base_edit(void)
{
	static bool armed;
	struct nl_view *alive[] = {&t.base, &t.retired, &t.current};
	armed = !armed;
	for (size_t i = 0; i < NL_ARRAY_SIZE(alive); i++)
		if (alive[i]->root.v)
			assert_int_equal(nl_view_base_edit_rights(&t.views, alive[i], GPA(APIC), armed ? NL_R : NL_RW),
			                 NL_OK);
	for (unsigned i = 0; i < TLB_CPUS; i++)
		t.cpu[i].edited = true;
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
	t.format = (policy->vendor == TLB_INTEL ? nl_npt_format_ept : nl_npt_format_npt)(seed % 2, ADDRESS_BITS);
	t.views = (struct nl_views){.format = &t.format, .ops = history_ops()};
	t.m.format = &t.format;
	assert_int_equal(nl_view_base(&t.views, pc, NL_ARRAY_SIZE(pc), &t.base), NL_OK);
	assert_int_equal(nl_view_hide(&t.views, &t.base, GPA(HIDDEN), NL_2M, HPA(SINK)), NL_OK);
	for (unsigned pcid = 0; pcid < TLB_PCIDS; pcid++)
		for (unsigned page = 0; page < TLB_PAGES; page++)
			t.m.guest[pcid][page] = page < NL_ARRAY_SIZE(patchable)
			                                ? patchable[page]
			                                : others[page - NL_ARRAY_SIZE(patchable)];
	for (unsigned i = 0; i < TLB_CPUS; i++) {
		tlb(i)->vendor = policy->vendor;
		tlb(i)->id = policy->id;
		tlb(i)->root = t.base.root;
	}
	base_edit(); /* splits the APIC page before the first fork */
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
			base_edit();
			break;
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

static const struct policy right[] = {
        {"VMX with VPID", TLB_INTEL, vmx_load_root, vmx_base_edited, .id = 1},
        {"VMX without VPID", TLB_INTEL, vmx_load_root, vmx_base_edited, .id = 0},
        {"SVM with FlushByAsid", TLB_AMD, svm_load_root, svm_base_edited, .id = 1},
        {"SVM without", TLB_AMD, svm_load_root_old_cpu, svm_base_edited_old_cpu, .id = 1},
        /* What would be lawful too: it shows that the mutant beside it fails for the reason that its name says. */
        {"VMX, the base's translations kept over flips", TLB_INTEL, invept_unless_base, vmx_base_edited, .id = 1},
};

static const struct policy mutants[] = {
        {"SVM, no TLB_CONTROL at a flip", TLB_AMD, load_without_flush, svm_base_edited, .id = 1},
        {"SVM, TLB_CONTROL on the committing CPU only", TLB_AMD, load_with_flush_on_cpu_0, svm_base_edited, .id = 1},
        {"SVM, an ASID per generation, no flush when it comes round", TLB_AMD, asid_per_generation, svm_base_edited,
         .id = 1},
        {"SVM, an ASID for the base, which the guest's INVLPG misses", TLB_AMD, asid_of_its_own_for_the_base,
         base_edited_flushes_own_asid_of_two, .id = 1},
        {"SVM, no flush after a base edit", TLB_AMD, svm_load_root, no_flush, .id = 1},
        {"SVM, a parked CPU enters without comparing", TLB_AMD, svm_load_root, svm_base_edited, .id = 1,
         .parked_trust = true},
        {"VMX, a root page reused without INVEPT", TLB_INTEL, load_without_flush, vmx_base_edited, .id = 1},
        {"VMX, the same without VPID", TLB_INTEL, load_without_flush, vmx_base_edited, .id = 0},
        {"VMX, base edit with INVEPT of the current root only", TLB_INTEL, invept_unless_base,
         base_edited_invept_current_root, .id = 1},
        {"VMX, base edit with INVVPID only", TLB_INTEL, vmx_load_root, base_edited_invvpid, .id = 1},
        {"VMX, no flush after a base edit", TLB_INTEL, vmx_load_root, no_flush, .id = 1},
        {"VMX, a parked CPU enters without comparing", TLB_INTEL, vmx_load_root, vmx_base_edited, .id = 1,
         .parked_trust = true},
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
static void a_started_cpu_keeps_nothing_of_its_former_life(void **state)
{
	(void)state;
	for (size_t i = 0; i < NL_ARRAY_SIZE(right); i++)
		for (unsigned flush = 0; flush < 2; flush++) {
			begin(&right[i], 1);
			struct tlb_cpu *cpu = tlb(0);
			for (size_t e = 0; e < cpu->n; e++)
				if (cpu->entries[e].kind != TLB_TABLE)
					cpu->entries[e].value ^= 0x100000;
			if (flush && right[i].vendor == TLB_INTEL)
				vmx_flush(0, nl_flush_for(NL_CPU_STARTED));
			if (flush && right[i].vendor == TLB_AMD)
				right[i].base_edited(0); /* TLB_CONTROL, whatever the reason */
			enter(0, false);
			assert_int_equal(!t.stale, flush);
			t.stale = NULL;
			end();
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(no_policy_of_ours_leaves_anything_stale),
	        cmocka_unit_test(every_mutant_is_caught),
	        cmocka_unit_test(after_a_commit_all_cpus_show_the_new_view_alone),
	        cmocka_unit_test(a_started_cpu_keeps_nothing_of_its_former_life),
	};
	return cmocka_run_group_tests_name("tlb", tests, NULL, NULL);
}
