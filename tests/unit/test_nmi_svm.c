// SPDX-License-Identifier: Apache-2.0
// sources: arch/x86_64/nmi.c arch/x86_64/svm/svm.c arch/x86_64/svm/exit.c arch/x86_64/svm/nmi.c
// sources: hv/core/cpu.c hv/core/clock.c hv/view/npt.c
/*
 * NMIs on SVM: what each VMRUN finds, and what is made of each exit, one turn of the vendor's loop after the other. And
 * what both vendors share: which NMI was a kick (nmi.c).
 */
#include "host.h"
#include "../../arch/x86_64/include/host.h"
#include "apic.h"
#include "core/cpu.h"
#include "core/pool.h"
#include "nmi.h"
#include "svm.h"
#include <svm_insn.h>
#include "x86.h"

#define NMI_EVENT (2 | EVENT_NMI | EVENT_VALID)
#define STEP 0x00267c02u /* #DB, #TS to #PF, #AC, #MC, #CP */
#define BS 0x4000ULL

struct nl_cpu *nl_cpus[NL_MAX_CPUS];
unsigned nl_n_cpus;
const struct nl_vendor *nl_vendor;
static struct nl_cpu table;
static struct nl_cpu *const cpu = &table;
static uint8_t pages[16][NL_PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned n_pages, waiting, sent, lvtpc, port61, handed_over;
static uint64_t debugctl;
static struct {
	uint32_t index;
	uint64_t value;
} msrs[4];
static jmp_buf done;
static void (*guest)(struct vmcb *v, unsigned turn); /* runs the guest until its exit; `over` ends the test */
static unsigned turn;

void *nl_pool_page(void) { return pages[n_pages++]; }
void *nl_pool_bytes(size_t n) { return (void)n, nl_pool_page(); }
void *nl_pool_run(size_t n) { return n_pages += n, pages[n_pages - n]; }
hpa_t nl_pool_hpa(const void *va) { return HPA((uintptr_t)va); }
void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]) { (void)leaf, (void)sub, memset(r, 0, 16); }
uint64_t x86_read_cr4(void) { return CR4_PAE; }
uint64_t x86_rdmsr(uint32_t index) { return index == MSR_DEBUGCTL ? debugctl : 0; }
void x86_wrmsr(uint32_t index, uint64_t v)
{
	if (index == MSR_DEBUGCTL)
		debugctl = v;
}
bool x86_wrmsr_safe(uint32_t index, uint64_t v) { return index && v; }
bool x86_rdmsr_safe(uint32_t index, uint64_t *v)
{
	for (unsigned i = 0; i < NL_ARRAY_SIZE(msrs); i++)
		if (msrs[i].index == index)
			return *v = msrs[i].value, true;
	return false;
}
uint8_t x86_inb(uint16_t port) { return port == 0x61 ? (uint8_t)port61 : 0xff; }
uint32_t apic_read(uint32_t offset) { return offset == APIC_LVTPC ? lvtpc : 0; }
void apic_reset_local(void) {}
void apic_send_nmi(uint32_t id)
{
	assert_int_equal(id, cpu->apic_id);
	waiting = 1; /* more merge into it */
	sent++;
}
static bool holds;
void hv_before_entry(struct nl_cpu *c) { nl_vendor->hold(c, holds); }
void hv_exit(struct nl_cpu *c, const struct nl_exit *exit) { (void)c, handed_over = exit->cause; }

void insn_clgi(void) {}
void insn_vmload(uint64_t vmcb) { (void)vmcb; }
void insn_stgi(void) /* host_nmi of entry.S */
{
	cpu->nmis += waiting;
	waiting = 0;
}

void svm_enter(struct nl_gprs *gprs, uint64_t vmcb)
{
	(void)gprs;
	((struct vmcb *)vmcb)->exit_int_info = 0;
	guest((struct vmcb *)vmcb, turn++);
}

static void over(void) { longjmp(done, 1); }

static struct vmcb *vmcb(void) { return ((struct svm_cpu *)cpu->vendor)->vmcb; }

static int setup(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	memset(pages, 0, sizeof(pages));
	memset(msrs, 0, sizeof(msrs));
	n_pages = waiting = sent = lvtpc = port61 = turn = handed_over = 0;
	debugctl = 0;
	holds = false;
	nl_vendor = &nl_svm;
	nl_cpus[0] = cpu;
	nl_n_cpus = 1;
	cpu->apic_id = 7;
	nl_cpu_runs(cpu);
	assert_int_equal(nl_svm.machine_init(), NL_OK);
	assert_int_equal(nl_svm.cpu_init(cpu, HPA(0x1000)), NL_OK);
	nl_svm.launch_state(cpu, &(struct nl_launch_state){.cr0 = CR0_PE, .dr6 = DR6_NONE, .dr7 = DR7_NONE});
	return 0;
}

static void run(void (*how)(struct vmcb *v, unsigned turn))
{
	guest = how;
	turn = 0;
	if (!setjmp(done))
		nl_svm.run(cpu);
}

static void expect_armed(const struct vmcb *v)
{
	assert_int_equal(v->intercept_exceptions & STEP, STEP);
	assert_int_equal(v->intercept1 & (I1(EXIT_IRET) | I1(EXIT_INTR)), I1(EXIT_INTR));
	assert_true(v->rflags & RFLAGS_TF);
}

static void expect_disarmed(const struct vmcb *v, bool blocked)
{
	assert_int_equal(v->intercept_exceptions, 1u << 30);
	assert_int_equal(v->intercept1 & (I1(EXIT_IRET) | I1(EXIT_INTR)), blocked ? I1(EXIT_IRET) : 0);
	assert_true(v->intercept1 & I1(EXIT_NMI));
}

/* A first NMI blocks the second until its IRET has completed, however often the CPU exits meanwhile. */
static void blocks_the_second(struct vmcb *v, unsigned t)
{
	switch (t) {
	case 0:
		assert_int_equal(v->event_injection, NMI_EVENT);
		expect_disarmed(v, true);
		cpu->nmi_pending = 1; /* by the ICR trap on another CPU, */
		nmi_kick(cpu);        /* which kicks */
		v->exit_code = EXIT_NMI;
		break;
	case 1:
	case 2:
		assert_int_equal(v->event_injection, 0);
		expect_disarmed(v, true);
		v->exit_code = t == 1 ? EXIT_CPUID : EXIT_IRET;
		v->rflags = 2;
		v->dr6 = DR6_NONE | 2;
		v->dr7 = DR7_NONE | 0x2000; /* GD */
		break;
	case 3: /* the IRET is executed, with a step */
		expect_armed(v);
		assert_int_equal(v->event_injection, 0);
		assert_int_equal(v->dr6, DR6_NONE);
		v->dr6 |= BS;
		v->dr7 &= ~0x2000ULL;
		v->rflags = 0x202; /* what it has loaded */
		v->exit_code = EXIT_EXCEPTION + 1;
		break;
	default:
		assert_int_equal(v->event_injection, NMI_EVENT);
		expect_disarmed(v, true);
		assert_int_equal(v->rflags, 0x202);
		assert_int_equal(v->dr6, DR6_NONE | 2);
		assert_int_equal(v->dr7, DR7_NONE | 0x2000);
		over();
	}
}

static void one_after_the_other(void **state)
{
	(void)state;
	cpu->nmi_pending = 1;
	run(blocks_the_second);
	assert_int_equal(cpu->exits[NL_CAUSE_KICK], 1);
	assert_int_equal(cpu->nmi_pending, 0);
}

static bool tf;

/* An IRET that faults: the guest gets the fault as if nobody had stepped, and stays blocked. */
static void faults(struct vmcb *v, unsigned t)
{
	static const uint8_t vectors[] = {10, 11, 12, 13, 14, 17, 21};

	if (t > 2 && t % 2) {
		uint8_t vector = vectors[(t - 3) / 2];

		assert_int_equal(v->event_injection,
		                 vector | EVENT_EXCEPTION | EVENT_HAS_ERROR | EVENT_VALID | 0x55ULL << 32);
		expect_disarmed(v, true);
		assert_int_equal(v->rflags, tf ? 0x102 : 2);
		assert_int_equal(v->cr2, vector == 14 ? 0xc0de : 0);
		v->cr2 = 0;
		if ((t - 3) / 2 == NL_ARRAY_SIZE(vectors) - 1)
			over();
	}
	if (t < 1 || t % 2) {
		v->rflags = tf ? 0x102 : 2;
		v->exit_code = t ? EXIT_IRET : EXIT_CPUID;
		return;
	}
	expect_armed(v);
	v->exit_code = EXIT_EXCEPTION + vectors[(t - 2) / 2];
	v->exit_info1 = 0x55;
	v->exit_info2 = 0xc0de;
}

static void iret_that_faults(void **state)
{
	(void)state;
	for (tf = false;; tf = true) {
		cpu->nmi_pending = 1;
		run(faults);
		assert_true(((struct svm_cpu *)cpu->vendor)->nmi_blocked);
		if (tf)
			break;
		setup(NULL);
	}
}

/* A machine check has no error code; the interrupt in front of an IRET is the guest's own business. */
static void interrupted(struct vmcb *v, unsigned t)
{
	switch (t) {
	case 0:
	case 2:
		v->exit_code = EXIT_IRET;
		break;
	case 1:
		expect_armed(v);
		v->exit_code = EXIT_INTR;
		break;
	case 3:
		expect_armed(v);
		v->exit_code = EXIT_EXCEPTION + 18;
		break;
	default:
		assert_int_equal(v->event_injection, 18 | EVENT_EXCEPTION | EVENT_VALID);
		expect_disarmed(v, true);
		over();
	}
	if (t == 2) {
		assert_int_equal(v->event_injection, 0);
		expect_disarmed(v, true);
		assert_int_equal(v->rflags & RFLAGS_TF, 0);
	}
}

static void iret_behind_an_interrupt(void **state)
{
	(void)state;
	cpu->nmi_pending = 1;
	run(interrupted);
}

/* A #DB without BS is not the step's: the IRET has not completed (a breakpoint on it, and RF was lost). */
static void breakpoint(struct vmcb *v, unsigned t)
{
	switch (t) {
	case 0:
		v->exit_code = EXIT_IRET;
		v->dr7 = DR7_NONE | 2;
		break;
	case 1:
		v->dr6 |= 1;
		v->exit_code = EXIT_EXCEPTION + 1;
		break;
	default:
		assert_int_equal(v->event_injection, 1 | EVENT_EXCEPTION | EVENT_VALID);
		assert_int_equal(v->dr6, DR6_NONE | 1);
		assert_int_equal(v->rflags & RFLAGS_TF, 0);
		expect_disarmed(v, true);
		over();
	}
}

static void breakpoint_on_iret(void **state)
{
	(void)state;
	cpu->nmi_pending = 1;
	run(breakpoint);
}

/* A guest that steps itself, or watches its stack, gets its own #DB; BTF, which would hide the step, is off for it. */
static uint64_t own;

static void traced(struct vmcb *v, unsigned t)
{
	switch (t) {
	case 0:
		v->rflags = own == BS ? 0x102 : 2;
		v->dr7 = own == 2 ? DR7_NONE | 8 : DR7_NONE;
		debugctl = own == 1 ? 2 : 0;
		v->exit_code = EXIT_IRET;
		break;
	case 1:
		assert_int_equal(debugctl, 0);
		v->dr6 |= BS | 2; /* bits of breakpoints that are off may be set, too (SDM vol. 3, 18.2.3) */
		v->rflags = 0x202;
		v->exit_code = EXIT_EXCEPTION + 1;
		break;
	default:
		assert_int_equal(v->event_injection, own > 1 ? 1 | EVENT_EXCEPTION | EVENT_VALID : 0);
		assert_int_equal(v->dr6, own > 1 ? DR6_NONE | own : DR6_NONE);
		assert_int_equal(debugctl, own == 1 ? 2 : 0);
		expect_disarmed(v, false);
		over();
	}
}

static void iret_of_a_traced_guest(void **state)
{
	static const uint64_t all[] = {0, 1, 2, BS};

	for (unsigned i = 0; i < NL_ARRAY_SIZE(all); i++) {
		setup(state);
		own = all[i];
		cpu->nmi_pending = 1;
		run(traced);
		assert_false(((struct svm_cpu *)cpu->vendor)->nmi_blocked);
	}
}

/* An exit cut the delivery short: it is delivered again, once, and is the same NMI. */
static void cut_short(struct vmcb *v, unsigned t)
{
	assert_int_equal(v->event_injection, t < 3 ? NMI_EVENT : 0);
	expect_disarmed(v, true);
	v->exit_code = EXIT_NPF;
	v->exit_int_info = t < 2 ? NMI_EVENT : 0;
	cpu->nmi_pending = 1;
	if (t == 3)
		over();
}

static void delivery_cut_short(void **state)
{
	(void)state;
	cpu->nmi_pending = 1;
	run(cut_short);
}

/* Behind the shadow of STI or MOV SS, by a kick of its own; but not for ever where that does not help. */
static void shadowed(struct vmcb *v, unsigned t)
{
	assert_int_equal(v->event_injection, t == 2 ? NMI_EVENT : 0);
	assert_int_equal(sent, t < 2 ? t : 1);
	v->exit_code = t ? EXIT_NMI : EXIT_CPUID;
	v->interrupt_shadow = t == 0 || own;
	v->rip = own ? 0x1000 : 0x1000 + t;
	if (t == 0)
		cpu->nmi_pending = 1;
	if (t == 2)
		over();
}

static void in_a_shadow(void **state)
{
	for (own = 0; own < 2; own++) {
		setup(state);
		run(shadowed);
	}
}

/* An event that goes first: the NMI comes behind it. */
static void second(struct vmcb *v, unsigned t)
{
	v->exit_code = t ? EXIT_NMI : EXIT_NPF;
	v->exit_int_info = t ? 0 : 0x80000030;
	if (t == 1) {
		assert_int_equal(v->event_injection, 0x80000030);
		assert_int_equal(sent, 1);
	}
	if (t == 2) {
		assert_int_equal(v->event_injection, NMI_EVENT);
		over();
	}
	cpu->nmi_pending = 1;
}

static void behind_another_event(void **state)
{
	(void)state;
	run(second);
}

static void held(void (*how)(struct vmcb *v, unsigned turn), unsigned nmi)
{
	holds = true;
	cpu->nmi_pending = nmi;
	run(how);
}

/* Programs are held back: a fault of theirs is given to nobody, one of the kernel's is, with its address, and one in
 * the middle of a delivery is found again by the hardware, who knows what becomes of two. */
static void held_back(struct vmcb *v, unsigned t)
{
	const uint64_t timer = 0x20 | EVENT_VALID;

	v->exit_code = EXIT_EXCEPTION + 14;
	v->exit_info1 = 6;
	v->exit_info2 = 0x1234000 + t;
	assert_int_equal(v->intercept_exceptions, 1u << 30 | (t == 4 || t == 6 ? 0 : 1u << 14));
	switch (t) {
	case 1: /* a user's */
		assert_int_equal(handed_over, NL_CAUSE_EXCEPTION);
		assert_int_equal(v->event_injection | v->cr2, 0);
		v->exit_info1 = 2;
		break;
	case 2: /* the kernel's */
		assert_int_equal(v->event_injection, 14 | EVENT_EXCEPTION | EVENT_HAS_ERROR | EVENT_VALID | 2ULL << 32);
		assert_int_equal(v->cr2, 0x1234001);
		assert_int_equal(cpu->exits[NL_CAUSE_IRET], 0);
		v->exit_code = EXIT_CPUID;
		break;
	case 3:
		v->exit_info1 = 2;
		v->exit_int_info = timer;
		break;
	case 4:
		assert_int_equal(v->event_injection, timer);
		v->exit_code = EXIT_CPUID;
		break;
	case 5:
		holds = false;
		break;
	case 6:
		over();
	}
}

static void programs_held_back(void **state) { (void)state, held(held_back, 0); }

/* While an IRET is stepped over its faults are its own, at whatever CPL, and no program's. */
static void held_at_an_iret(struct vmcb *v, unsigned t)
{
	switch (t) {
	case 0:
		v->exit_code = EXIT_IRET;
		break;
	case 1:
		expect_armed(v);
		v->exit_code = EXIT_EXCEPTION + 14;
		v->exit_info1 = 6;
		holds = false; /* and the step's intercepts stay while it lasts */
		break;
	case 2:
		assert_int_equal(v->event_injection & 0xff, 14);
		expect_disarmed(v, true);
		v->exit_code = EXIT_IRET;
		break;
	case 3:
		expect_armed(v);
		over();
	}
}

static void programs_held_at_an_iret(void **state) { (void)state, held(held_at_an_iret, 1); }

/* A machine check ends the step over an IRET behind hv_before_entry, and the intercept of held programs stays. */
static void held_beside_a_machine_check(struct vmcb *v, unsigned t)
{
	switch (t) {
	case 0:
		v->exit_code = EXIT_IRET;
		break;
	case 1:
		expect_armed(v);
		v->cr4 |= 1u << 6; /* MCE */
		cpu->mc_pending = true;
		v->exit_code = EXIT_NMI;
		break;
	default:
		assert_int_equal(v->event_injection & 0xff, 18);
		assert_true(v->intercept_exceptions >> 14 & 1);
		over();
	}
}

static void programs_held_beside_a_machine_check(void **state) { (void)state, held(held_beside_a_machine_check, 1); }

/* INIT: nothing waits, nothing is blocked, no step is under way. */
static void stepping(struct vmcb *v, unsigned t)
{
	v->exit_code = EXIT_IRET;
	cpu->nmi_pending = 1;
	if (t == 1)
		over();
}

static void forgotten_by_init(void **state)
{
	(void)state;
	cpu->nmi_pending = 1;
	run(stepping);
	expect_armed(vmcb());
	nl_svm.launch_state(cpu, &(struct nl_launch_state){.rflags = 2});
	expect_disarmed(vmcb(), false);
	assert_int_equal(cpu->nmi_pending, 0);
	assert_false(((struct svm_cpu *)cpu->vendor)->nmi_blocked);
	svm_undo_step(cpu);
	expect_disarmed(vmcb(), false);
}

/* Real mode has no error codes. */
static void faults_of_real_mode(void **state)
{
	(void)state;
	nl_svm.inject(cpu, 13, true, 8);
	assert_int_equal(vmcb()->event_injection, 13 | EVENT_EXCEPTION | EVENT_HAS_ERROR | EVENT_VALID | 8ULL << 32);
	vmcb()->event_injection = 0;
	vmcb()->cr0 = 0;
	nl_svm.inject(cpu, 13, true, 8);
	assert_int_equal(vmcb()->event_injection, 13 | EVENT_EXCEPTION | EVENT_VALID);
}

/* One kick is in flight at most. Taken, it is none of the guest's; what comes unannounced is. */
static void kick_or_not(void **state)
{
	(void)state;
	nmi_kick(cpu);
	nmi_kick(cpu);
	assert_int_equal(sent, 1);
	svm_open(cpu, NULL);
	assert_int_equal(cpu->exits[NL_CAUSE_KICK], 1);
	assert_int_equal(cpu->nmi_pending, 0);
	nmi_kick(cpu);
	assert_int_equal(sent, 2);
	waiting = 2; /* and one of the hardware's in its own time */
	svm_open(cpu, NULL);
	assert_int_equal(cpu->exits[NL_CAUSE_KICK], 2);
	assert_int_equal(cpu->nmi_pending, 1);
}

/* Where a kick may have swallowed one of the hardware's, the hardware is asked. */
static bool passed_on(void)
{
	cpu->nmi_pending = 0;
	cpu->kick = 1;
	assert_true(nmi_taken(cpu));
	return cpu->nmi_pending;
}

static void merged_with_the_hardware(void **state)
{
	(void)state;
	assert_false(passed_on());
	lvtpc = 0x10400; /* Intel: masked by its own delivery, and a counter has overflowed */
	msrs[0].index = 0x38e;
	assert_false(passed_on());
	msrs[0].value = 1;
	assert_true(passed_on());
	lvtpc = 0x400;
	assert_false(passed_on());
	lvtpc = 0x100ee; /* counters that send interrupts */
	assert_false(passed_on());
	lvtpc = 0x400; /* AMD: on, to send, and past zero */
	msrs[1].index = 0xc001020a, msrs[1].value = 5u << 20;
	msrs[2].index = 0xc001020b;
	assert_true(passed_on());
	msrs[2].value = 1ULL << 47;
	assert_false(passed_on());
	msrs[2].value = 0;
	msrs[1].value = 1u << 20;
	assert_false(passed_on());
	msrs[3].index = 0xc0011033, msrs[3].value = 1u << 18;
	assert_true(passed_on());
	msrs[3].index = 0xc0011030, msrs[3].value = 1ULL << 49;
	assert_true(passed_on());
	msrs[3].value = 0;
	assert_false(passed_on());
	port61 = 0x40;
	assert_true(passed_on());
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        T(one_after_the_other),
	        T(iret_that_faults),
	        T(iret_behind_an_interrupt),
	        T(breakpoint_on_iret),
	        T(iret_of_a_traced_guest),
	        T(delivery_cut_short),
	        T(in_a_shadow),
	        T(behind_another_event),
	        T(forgotten_by_init),
	        T(programs_held_back),
	        T(programs_held_at_an_iret),
	        T(programs_held_beside_a_machine_check),
	        T(faults_of_real_mode),
	        T(kick_or_not),
	        T(merged_with_the_hardware),
	};

	return cmocka_run_group_tests_name("nmi_svm", tests, NULL, NULL);
}
