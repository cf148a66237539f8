// SPDX-License-Identifier: Apache-2.0
// sources: arch/x86_64/nmi.c arch/x86_64/vmx/nmi.c arch/x86_64/vmx/exit.c hv/core/cpu.c hv/core/clock.c
/*
 * NMIs on VMX: what is made of each exit, and what the next entry finds in the VMCS.
 */
#include "host.h"
#include "../../arch/x86_64/include/host.h"
#include "apic.h"
#include "core/cpu.h"
#include "nmi.h"
#include "vmx.h"
#include <vmx_insn.h>
#include "x86.h"

#define NMI_EVENT (2 | EVENT_NMI | EVENT_VALID)
#define FAULT_EVENT (0x30e | EVENT_HAS_ERROR | EVENT_VALID)

struct nl_cpu *nl_cpus[NL_MAX_CPUS];
unsigned nl_n_cpus;
const struct nl_vendor *nl_vendor;
struct vmx_machine vmx;
static struct nl_cpu table;
static struct nl_cpu *const cpu = &table;
static struct vmx_cpu v;
static uint64_t vmcs[0x7000];
static unsigned sent, opened, handed_over, started;

uint64_t vmx_read(enum vmx_field field) { return vmcs[field]; }
void vmx_write(enum vmx_field field, uint64_t value) { vmcs[field] = value; }
void vmx_wait_for_sipi(struct nl_cpu *c)
{
	(void)c;
	vmcs[GUEST_ACTIVITY] = ACTIVITY_WAIT_SIPI;
	vmcs[GUEST_INTERRUPTIBILITY] = vmcs[ENTRY_EVENT] = 0;
}
void insn_iret(uint64_t cs, uint64_t ss)
{
	assert_true(cs == HOST_CS && ss == HOST_DS);
	opened++;
}
uint8_t x86_inb(uint16_t port) { return port == 0x61 ? 0 : 0xff; }
bool x86_rdmsr_safe(uint32_t index, uint64_t *value) { return (void)index, (void)value, false; }
uint64_t x86_rdmsr(uint32_t index) { return (void)index, 0; }
void x86_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4]) { (void)leaf, (void)sub, memset(r, 0, 16); }
void x86_clear_dr0_3(void) {}
uint32_t apic_read(uint32_t offset) { return (void)offset, 0; }
void apic_send_nmi(uint32_t id) { sent += id == cpu->apic_id; }
void apic_reset_local(void) {}
void host_machine_check(struct nl_cpu *c, const char *where, uint64_t ip)
{
	(void)where, (void)ip;
	c->mc_pending = true;
}
void nl_platform_reset(const char *why)
{
	print_error("%s\n", why);
	abort();
}
void hv_exit(struct nl_cpu *c, const struct nl_exit *exit) { (void)c, handed_over = exit->cause; }
void hv_before_entry(struct nl_cpu *c) /* apic_deliver_init */
{
	if (nl_cpu_init_pending(c)) {
		nl_cpu_stopped(c);
		vmx_wait_for_sipi(c);
	}
}
void vmx_loop(struct vmx_cpu *x, void *stack_top)
{
	(void)x, (void)stack_top;
	abort();
}

static void context(struct nl_cpu *c, struct nl_context *out) { (void)c, memset(out, 0, sizeof(*out)); }
static bool get_msr(struct nl_cpu *c, uint32_t i, uint64_t *x) { return (void)c, (void)i, *x = 0, true; }
static void launch_state(struct nl_cpu *c, const struct nl_launch_state *s)
{
	(void)s;
	vmcs[GUEST_ACTIVITY] = ACTIVITY_ACTIVE;
	vmx_nmi_reset(c);
	started++;
}
static const struct nl_vendor vendor = {
        .context = context, .get_msr = get_msr, .launch_state = launch_state, .kick = nmi_kick, .init_exits = true};

static int setup(void **state)
{
	(void)state;
	memset(&table, 0, sizeof(table));
	memset(vmcs, 0, sizeof(vmcs));
	v = (struct vmx_cpu){.cpu = cpu};
	vmx.controls.proc = PROC_MSR_BITMAPS;
	vmcs[PROC_CONTROLS] = vmx.controls.proc;
	vmcs[GUEST_CR0] = CR0_PE;
	sent = opened = handed_over = started = 0;
	nl_vendor = &vendor;
	nl_cpus[0] = nl_cpus[1] = cpu;
	nl_n_cpus = 2;
	cpu->index = 1;
	cpu->apic_id = 7;
	cpu->vendor = &v;
	nl_cpu_runs(cpu);
	return 0;
}

/* Leave the guest for this reason, and go back in: what the hardware keeps of the entry's event is what it delivered.
 */
static void turn(uint32_t reason, uint64_t qualification, uint32_t vectoring)
{
	vmcs[ENTRY_EVENT] &= ~(uint64_t)EVENT_VALID; /* SDM vol. 3, 28.5 */
	vmcs[EXIT_REASON] = reason;
	vmcs[EXIT_QUALIFICATION] = qualification;
	vmcs[VECTORING_EVENT] = vectoring;
	vmx_after_exit(&v);
	vmx_before_entry(&v);
}

static bool window(void) { return vmcs[PROC_CONTROLS] & PROC_NMI_WINDOW; }
static bool injected(void) { return vmcs[ENTRY_EVENT] == NMI_EVENT; }

static void kick_or_not(void **state)
{
	(void)state;
	nmi_kick(cpu);
	nmi_kick(cpu);
	assert_int_equal(sent, 1);
	turn(REASON_EXCEPTION_NMI, 0, 0);
	assert_int_equal(opened, 1); /* or no second one ever comes */
	assert_int_equal(cpu->exits[NL_CAUSE_KICK], 1);
	assert_false(injected() || window());
	turn(REASON_EXCEPTION_NMI, 0, 0);
	assert_true(injected());
	assert_int_equal(cpu->exits[NL_CAUSE_KICK], 1);
	assert_int_equal(cpu->nmi_pending, 0);
	turn(REASON_CPUID, 0, 0);
	assert_false(injected() || window());
}

/* While the guest's are blocked, or an event goes first, an exit is asked for at the end of that. */
static void waits_for_a_window(void **state)
{
	static const uint32_t blocking[] = {BLOCKING_NMI, BLOCKING_MOV_SS, BLOCKING_STI};

	for (unsigned i = 0; i < NL_ARRAY_SIZE(blocking); i++) {
		setup(state);
		vmcs[GUEST_INTERRUPTIBILITY] = blocking[i];
		turn(REASON_EXCEPTION_NMI, 0, 0);
		assert_true(window());
		assert_int_equal(vmcs[ENTRY_EVENT], 0);
		vmcs[GUEST_INTERRUPTIBILITY] = 0;
		turn(REASON_NMI_WINDOW, 0, 0);
		assert_true(injected() && !window());
		turn(REASON_CPUID, 0, 0);
		assert_int_equal(vmcs[ENTRY_EVENT] & EVENT_VALID, 0);
	}
}

/* A CPU may take NMIs in the shadow of STI: then it says so by its exit. An entry takes none with that bit. */
static void in_the_shadow_of_sti(void **state)
{
	(void)state;
	vmcs[GUEST_INTERRUPTIBILITY] = BLOCKING_STI;
	cpu->nmi_pending = 1;
	turn(REASON_NMI_WINDOW, 0, 0);
	assert_true(injected() && !window());
	assert_int_equal(vmcs[GUEST_INTERRUPTIBILITY], 0);
}

static void behind_another_event(void **state)
{
	(void)state;
	cpu->nmi_pending = 1;
	vmcs[VECTORING_EVENT_ERROR] = 6;
	turn(REASON_EPT_VIOLATION, 0, FAULT_EVENT);
	assert_int_equal(vmcs[ENTRY_EVENT], FAULT_EVENT);
	assert_int_equal(vmcs[ENTRY_EVENT_ERROR], 6);
	assert_true(window());
	assert_int_equal(cpu->nmi_pending, 1);
	turn(REASON_NMI_WINDOW, 0, 0);
	assert_true(injected() && !window());
	/* an exit while it is delivered: the same again, and that blocks only once it is */
	vmcs[GUEST_INTERRUPTIBILITY] = BLOCKING_NMI;
	turn(REASON_EPT_VIOLATION, 0, NMI_EVENT);
	assert_true(injected());
	assert_int_equal(vmcs[GUEST_INTERRUPTIBILITY], 0);
}

/* An IRET that has ended the blocking and then faulted in the nested tables is executed again, under blocking. */
static void iret_executed_again(void **state)
{
	(void)state;
	cpu->nmi_pending = 1;
	turn(REASON_EPT_VIOLATION, 1u << 12 | 1, 0);
	assert_int_equal(vmcs[GUEST_INTERRUPTIBILITY], BLOCKING_NMI);
	assert_true(window() && !injected());
	setup(state);
	turn(REASON_EPT_VIOLATION, 1u << 12 | 1, FAULT_EVENT); /* there the bit says nothing (28.2.1) */
	assert_int_equal(vmcs[GUEST_INTERRUPTIBILITY], 0);
}

/* The shadow of STI ends with the HLT behind it; a running guest keeps its own. */
static void wakes_a_halted_guest(void **state)
{
	(void)state;
	nmi_kick(cpu);
	vmcs[GUEST_INTERRUPTIBILITY] = BLOCKING_STI;
	turn(REASON_EXCEPTION_NMI, 0, 0);
	assert_int_equal(vmcs[GUEST_INTERRUPTIBILITY], BLOCKING_STI);
	vmcs[GUEST_ACTIVITY] = ACTIVITY_HLT;
	turn(REASON_EXCEPTION_NMI, 0, 0);
	assert_true(injected());
	assert_int_equal(vmcs[GUEST_INTERRUPTIBILITY], 0);
}

/* What came in root operation, by entry.S. */
static void in_root_operation(void **state)
{
	(void)state;
	nmi_kick(cpu);
	cpu->nmis = 1;
	vmx_before_entry(&v);
	assert_int_equal(cpu->exits[NL_CAUSE_KICK], 1);
	assert_false(injected());
	nmi_kick(cpu);
	cpu->nmis = 2;
	vmx_before_entry(&v);
	assert_int_equal(cpu->exits[NL_CAUSE_KICK], 2);
	assert_true(injected());
	assert_int_equal(cpu->nmis, 0);
}

/* INIT forgets what waits, also what comes while the CPU waits for SIPI, and a kick that has met it. */
static void forgotten_by_init(void **state)
{
	(void)state;
	cpu->nmi_pending = 1;
	vmcs[GUEST_INTERRUPTIBILITY] = BLOCKING_NMI;
	turn(REASON_INIT, 0, 0);
	assert_true(nl_cpu_waits_for_sipi(cpu));
	assert_int_equal(vmcs[ENTRY_EVENT], 0);
	nmi_kick(cpu);
	cpu->nmis = 1;
	turn(REASON_SIPI, 0x9a, 0);
	assert_int_equal(started, 1);
	assert_int_equal(cpu->nmi_pending, 0);
	assert_int_equal(vmcs[ENTRY_EVENT] & EVENT_VALID, 0);
	assert_false(window());
	nmi_kick(cpu);
	assert_int_equal(sent, 2);
}

/* An exit out of an enclave, or by other means that the reason's upper bits tell of, is the same exit. */
static void reasons_have_modifiers(void **state)
{
	(void)state;
	turn(REASON_EXCEPTION_NMI | 1u << 27, 0, 0);
	assert_true(injected());
	assert_int_equal(handed_over, 0);
}

/* Programs are held back: a fault of theirs is no NMI, and if it was an IRET's that unblocked NMIs, they are blocked
 * again. */
static void programs_held_back(void **state)
{
	(void)state;
	vmx_hold(cpu, true);
	assert_int_equal(vmcs[EXCEPTION_BITMAP] >> 14 & 1, 0);
	for (uint32_t code = 0; code < 0x20; code++) /* as the processor compares (SDM vol. 3, 25.2) */
		assert_int_equal((code & vmcs[PF_ERROR_MASK]) != vmcs[PF_ERROR_MATCH], code >> 2 & 1);
	vmcs[EXIT_EVENT] = FAULT_EVENT;
	turn(REASON_EXCEPTION_NMI, 0x1234000, 0);
	assert_int_equal(handed_over, NL_CAUSE_EXCEPTION);
	assert_int_equal(opened + cpu->exits[NL_CAUSE_NMI], 0);
	assert_int_equal(vmcs[ENTRY_EVENT] & EVENT_VALID, 0);
	assert_int_equal(vmcs[GUEST_INTERRUPTIBILITY], 0);
	vmcs[EXIT_EVENT] = FAULT_EVENT | 1u << 12;
	turn(REASON_EXCEPTION_NMI, 0x1234000, 0);
	assert_int_equal(vmcs[GUEST_INTERRUPTIBILITY], BLOCKING_NMI);
	vmcs[EXIT_EVENT] = NMI_EVENT;
	turn(REASON_EXCEPTION_NMI, 0, 0);
	assert_int_equal(opened, 1);
	vmx_hold(cpu, false);
	assert_int_equal(vmcs[PF_ERROR_MASK], 0);
}

/* A held program's fault in the shadow of a MOV to SS, or of STI: had it been delivered the shadow were over. If the
 * shadow stays, each entry begins with it, and no interrupt and no NMI comes in as long as the program is held. */
static void programs_held_back_in_a_shadow(void **state)
{
	(void)state;
	vmx_hold(cpu, true);
	vmcs[GUEST_INTERRUPTIBILITY] = BLOCKING_MOV_SS;
	vmcs[EXIT_EVENT] = FAULT_EVENT;
	cpu->nmi_pending = 1;
	for (unsigned i = 0; i < 1000; i++) /* as the CPU saves it: it was so before the instruction that faults */
		turn(REASON_EXCEPTION_NMI, 0x1234000, 0);
	assert_int_equal(vmcs[GUEST_INTERRUPTIBILITY] & (BLOCKING_MOV_SS | BLOCKING_STI), 0);
	assert_int_equal(cpu->nmi_pending, 0);
	vmx_hold(cpu, false);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        T(kick_or_not),
	        T(waits_for_a_window),
	        T(in_the_shadow_of_sti),
	        T(behind_another_event),
	        T(iret_executed_again),
	        T(wakes_a_halted_guest),
	        T(in_root_operation),
	        T(forgotten_by_init),
	        T(reasons_have_modifiers),
	        T(programs_held_back),
	        T(programs_held_back_in_a_shadow),
	};

	return cmocka_run_group_tests_name("nmi_vmx", tests, NULL, NULL);
}
