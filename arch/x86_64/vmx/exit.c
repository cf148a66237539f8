// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding VMX's exits (SDM vol. 3, chapter 28 and appendix C) into struct nl_exit, events on entry, and the loop. What
 * NMI exits mean: nmi.c.
 */
#include "apic.h"
#include "core/core.h"
#include "core/cpu.h"
#include "vmx.h"
#include "x86.h"

enum { UD = 6, GP = 13, MC = 18 };

void vmx_skip(struct nl_cpu *cpu, unsigned length)
{
	uint64_t rip = vmx_read(GUEST_RIP) + (length ? length : vmx_read(EXIT_INSTRUCTION_LENGTH));
	uint64_t blocking = vmx_read(GUEST_INTERRUPTIBILITY);
	bool code64 = vmx_read(GUEST_CS_RIGHTS) >> 13 & 1;

	vmx_write(GUEST_RIP, code64 ? rip : (uint32_t)rip);
	if (blocking & (BLOCKING_STI | BLOCKING_MOV_SS))
		vmx_write(GUEST_INTERRUPTIBILITY, blocking & ~(BLOCKING_STI | BLOCKING_MOV_SS));
	/* The single-step trap that the instruction would have caused (27.3.1.5); with DEBUGCTL.BTF only branches trap.
	 */
	if ((vmx_read(GUEST_RFLAGS) & RFLAGS_TF) && !(vmx_read(GUEST_DEBUGCTL) & 2))
		vmx_write(GUEST_PENDING_DEBUG, vmx_read(GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

void vmx_inject(struct nl_cpu *cpu, uint8_t vector, bool has_error, uint32_t error)
{
	/* An event whose delivery this exit cut short comes first; the fault happens again by itself. */
	if (vmx_read(ENTRY_EVENT) & EVENT_VALID)
		return;
	has_error = has_error && (vmx_read(GUEST_CR0) & CR0_PE); /* real mode has no error codes (27.2.1.3) */
	vmx_write(ENTRY_EVENT_ERROR, error);
	vmx_write(ENTRY_EVENT, vector | EVENT_EXCEPTION | (has_error ? EVENT_HAS_ERROR : 0) | EVENT_VALID);
}

/* An exit in the middle of delivering an event (EPT violation on the stack, INIT): it is delivered by the next entry
 * (28.2.4). */
static void deliver_again(void)
{
	uint32_t event = (uint32_t)vmx_read(VECTORING_EVENT);

	if (!(event & EVENT_VALID))
		return;
	event &= EVENT_VALID | 0xfff;
	vmx_write(ENTRY_EVENT, event);
	if (event & EVENT_HAS_ERROR)
		vmx_write(ENTRY_EVENT_ERROR, vmx_read(VECTORING_EVENT_ERROR));
	if (EVENT_TYPE(event) >= EVENT_SOFT)
		vmx_write(ENTRY_INSTRUCTION_LENGTH, vmx_read(EXIT_INSTRUCTION_LENGTH));
	if (EVENT_TYPE(event) == EVENT_NMI) /* its delivery sets blocking again */
		vmx_write(GUEST_INTERRUPTIBILITY, vmx_read(GUEST_INTERRUPTIBILITY) & ~BLOCKING_NMI);
}

/* IRET unblocked NMIs and then faulted on its stack: it will be executed again, under blocking (28.2.3). */
static void iret_again(uint64_t qualification)
{
	if ((qualification & 1u << 12) && !(vmx_read(VECTORING_EVENT) & EVENT_VALID))
		vmx_write(GUEST_INTERRUPTIBILITY, vmx_read(GUEST_INTERRUPTIBILITY) | BLOCKING_NMI);
}

/*
 * A MOV to CR0 or CR4 that changes a bit of ours. CR0: only the shadow is changed, and the instruction is executed
 * again: now our bits agree with the shadow, it does not exit, and the hardware does all that a change of PG, LMA or
 * PAE paging means. CR4: bits of features that are not there.
 */
static void control_register(struct nl_cpu *cpu, uint64_t qualification)
{
	const uint64_t *registers = &cpu->gprs.rax;

	if ((qualification & 0x3f) == 0)
		vmx_write(CR0_SHADOW, registers[qualification >> 8 & 15]);
	else
		vmx_inject(cpu, GP, true, 0);
}

static void init_exit(struct nl_cpu *cpu, bool just_started)
{
	/* While a CPU waits for SIPI, INIT is blocked (26.2). One that was kept all the same (Bochs does) comes at the
	 * first entry after the SIPI. */
	if (just_started && vmx_read(GUEST_RIP) == 0)
		return;
	cpu->exits[NL_CAUSE_INIT]++;
	nl_cpu_post_init(cpu);
}

static void task_switch(struct nl_cpu *cpu)
{
	static uint32_t logged;

	if (!logged++)
		nl_log("newleaf: a hardware task switch of the guest is refused with #GP: not emulated\n");
	vmx_write(ENTRY_EVENT, 0); /* also when it comes from a task gate */
	vmx_inject(cpu, GP, true, 0);
}

void vmx_after_exit(struct vmx_cpu *v)
{
	struct nl_cpu *cpu = v->cpu;
	/* without what the bits between say besides, as that it was an enclave that was left (25.9.1) */
	uint32_t reason = (uint32_t)vmx_read(EXIT_REASON) & (REASON_ENTRY_FAILED | 0xffff);
	uint64_t q = vmx_read(EXIT_QUALIFICATION);
	bool just_started = v->just_started;
	struct nl_exit e = {.cause = NL_CAUSE_OTHER, .raw = {reason, q, vmx_read(GUEST_RIP)}};

	v->just_started = false;
	if (reason == (REASON_ENTRY_FAILED | REASON_MACHINE_CHECK)) {
		/* Nothing but reason and qualification was written, and what was to be injected still is (27.8) */
		host_machine_check(cpu, "during a VM entry", 0);
		return;
	}
	if (reason & REASON_ENTRY_FAILED)
		nl_panic("VM entry failed: reason %x qualification %lx", reason & 0xffff, q);
	v->launched = true;
	if (reason == REASON_INIT) {
		init_exit(cpu, just_started);
		return;
	}
	v->nmi_window = reason == REASON_NMI_WINDOW;
	cpu->gprs.rsp = vmx_read(GUEST_RSP);
	deliver_again();
	switch (reason) {
	case REASON_TRIPLE:
		e = (struct nl_exit){.cause = NL_CAUSE_TRIPLE};
		break;
	case REASON_EXCEPTION_NMI: /* no exception exits */
		cpu->exits[NL_CAUSE_NMI]++;
		vmx_nmi_exit(cpu);
		return;
	case REASON_NMI_WINDOW:
		cpu->exits[NL_CAUSE_IRET]++;
		vmx_write(PROC_CONTROLS, vmx.controls.proc);
		return;
	case REASON_SIPI:
		cpu->exits[NL_CAUSE_SIPI]++;
		apic_reset_local();
		nl_cpu_started(cpu, (uint8_t)q);
		v->just_started = true;
		return;
	case REASON_TASK_SWITCH:
		cpu->exits[NL_CAUSE_EXCEPTION]++;
		task_switch(cpu);
		return;
	case REASON_CPUID:
		e = (struct nl_exit){.cause = NL_CAUSE_CPUID};
		break;
	case REASON_INVD:
		e = (struct nl_exit){.cause = NL_CAUSE_INVD};
		break;
	case REASON_GETSEC:
	case REASON_VMCALL ... REASON_VMXON:
	case REASON_INVEPT:
	case REASON_INVVPID:
	case REASON_VMFUNC:
	case REASON_XSAVES: /* with a component that msr.c refuses, left in IA32_XSS by the firmware */
	case REASON_XRSTORS:
	case REASON_SEAMCALL:
	case REASON_TDCALL:
	case REASON_URDMSR ... REASON_UWRMSR: /* hidden: cpuid.c */
	case REASON_RDMSR_IMM ... REASON_WRMSR_IMM:
		e = (struct nl_exit){.cause = NL_CAUSE_VIRT};
		if (reason == REASON_VMCALL)
			e.length = (unsigned)vmx_read(EXIT_INSTRUCTION_LENGTH);
		break;
	case REASON_CR:
		cpu->exits[NL_CAUSE_CR]++;
		control_register(cpu, q);
		return;
	case REASON_IO:
		e = (struct nl_exit){.cause = NL_CAUSE_IO,
		                     .io = {(uint16_t)(q >> 16), (uint8_t)((q & 7) + 1), q >> 3 & 1, q >> 4 & 1}};
		break;
	case REASON_RDMSR:
	case REASON_WRMSR:
		e = (struct nl_exit){.cause = reason == REASON_RDMSR ? NL_CAUSE_RDMSR : NL_CAUSE_WRMSR,
		                     .msr = {(uint32_t)cpu->gprs.rcx, reason == REASON_WRMSR}};
		break;
	case REASON_EPT_VIOLATION:
		iret_again(q);
		e = (struct nl_exit){.cause = NL_CAUSE_NPF,
		                     .npf = {GPA(vmx_read(GUEST_PHYSICAL_ADDRESS)), q & 1, q >> 1 & 1, q >> 2 & 1}};
		break;
	case REASON_XSETBV:
		e = (struct nl_exit){.cause = NL_CAUSE_XSETBV};
		break;
	}
	if (e.cause != NL_CAUSE_OTHER && e.cause != NL_CAUSE_NPF && e.cause < NL_CAUSE_NMI)
		e.length = (unsigned)vmx_read(EXIT_INSTRUCTION_LENGTH);
	hv_exit(cpu, &e);
}

void vmx_before_entry(struct vmx_cpu *v)
{
	struct nl_cpu *cpu = v->cpu;

	vmx_nmi_in_root(cpu);
	if (!nl_cpu_waits_for_sipi(cpu))
		hv_before_entry(cpu); /* may make it wait */
	if (nl_cpu_waits_for_sipi(cpu))
		return; /* executes nothing and takes no event; root and requests are looked at when it leaves this
		           state */
	if (cpu->mc_pending && !(vmx_read(ENTRY_EVENT) & EVENT_VALID) &&
	    host_give_machine_check(cpu, vmx_read(GUEST_CR4)))
		vmx_inject(cpu, MC, false, 0);
	vmx_nmi_before_entry(cpu, v->nmi_window);
	vmx_write(GUEST_RSP, cpu->gprs.rsp);
}

/* VMLAUNCH or VMRESUME refused, for a reason of SDM vol. 3, 31.4; CF: no VMCS is current, which is none of them. */
void vmx_entry_failed(struct vmx_cpu *v, uint64_t rflags)
{
	nl_panic("CPU %u: VM entry refused, VM-instruction error %lu", v->cpu->index,
	         rflags & 1 ? 0 : vmx_read(INSTRUCTION_ERROR));
}

void vmx_run(struct nl_cpu *cpu) { vmx_loop(vmx_cpu(cpu), cpu->stack_top); }
