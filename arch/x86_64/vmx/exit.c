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

/* Bit 14 of the exception bitmap is 0: those exit whose masked error code is not what it is compared with, which is 0
 * (25.2). Bit 2 of the code: an access as a user (4.7). */
void vmx_hold(struct nl_cpu *cpu, bool programs)
{
	if (vmx_cpu(cpu)->holds != programs)
		vmx_write(PF_ERROR_MASK, programs ? 4 : 0);
	vmx_cpu(cpu)->holds = programs;
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

/* What each reason is to common code, or is counted as here; 0: anything else. */
#define IS(cause) (NL_CAUSE_##cause + 1)
/* clang-format off */
static const uint8_t causes[REASON_WRMSR_IMM + 1] = {
	[REASON_TRIPLE] = IS(TRIPLE), [REASON_CPUID] = IS(CPUID), [REASON_INVD] = IS(INVD), [REASON_IO] = IS(IO),
	[REASON_RDMSR] = IS(RDMSR), [REASON_WRMSR] = IS(WRMSR), [REASON_EPT_VIOLATION] = IS(NPF),
	[REASON_XSETBV] = IS(XSETBV),
	/* also hidden instructions (cpuid.c), and XSAVES with a component that msr.c refuses, left by the firmware */
	[REASON_GETSEC] = IS(VIRT), [REASON_VMCALL ... REASON_VMXON] = IS(VIRT), [REASON_INVEPT] = IS(VIRT),
	[REASON_INVVPID] = IS(VIRT), [REASON_VMFUNC] = IS(VIRT), [REASON_XSAVES ... REASON_XRSTORS] = IS(VIRT),
	[REASON_SEAMCALL ... REASON_TDCALL] = IS(VIRT), [REASON_URDMSR ... REASON_UWRMSR] = IS(VIRT),
	[REASON_RDMSR_IMM ... REASON_WRMSR_IMM] = IS(VIRT),
	/* ours; a held program's page fault besides (vmx_hold) */
	[REASON_EXCEPTION_NMI] = IS(NMI), [REASON_NMI_WINDOW] = IS(IRET), [REASON_SIPI] = IS(SIPI),
	[REASON_TASK_SWITCH] = IS(EXCEPTION), [REASON_CR] = IS(CR), [REASON_PREEMPTION_TIMER] = IS(PREEMPT)
};
/* clang-format on */

/* false: for common code. */
static bool own(struct vmx_cpu *v, uint32_t reason, uint64_t q)
{
	struct nl_cpu *cpu = v->cpu;

	switch (reason) {
	case REASON_EXCEPTION_NMI:
		vmx_nmi_exit(cpu);
		break;
	case REASON_NMI_WINDOW:
		vmx_write(PROC_CONTROLS, vmx.controls.proc);
		break;
	case REASON_SIPI:
		apic_reset_local();
		nl_cpu_started(cpu, (uint8_t)q);
		v->just_started = true;
		break;
	case REASON_TASK_SWITCH:           /* not emulated */
		vmx_write(ENTRY_EVENT, 0); /* also when it comes from a task gate */
		vmx_inject(cpu, GP, true, 0);
		break;
	case REASON_CR:
		control_register(cpu, q);
		break;
	case REASON_PREEMPTION_TIMER: /* hv_before_entry looks whether there is something to do */
		break;
	default:
		return false;
	}
	return true;
}

void vmx_after_exit(struct vmx_cpu *v)
{
	struct nl_cpu *cpu = v->cpu;
	/* without what the bits between say besides, as that it was an enclave that was left (25.9.1) */
	uint32_t reason = (uint32_t)vmx_read(EXIT_REASON) & (REASON_ENTRY_FAILED | 0xffff);
	uint64_t q = vmx_read(EXIT_QUALIFICATION);
	unsigned known = reason < NL_ARRAY_SIZE(causes) ? causes[reason] : 0;
	bool just_started = v->just_started;
	struct nl_exit e = {.cause = known ? known - 1 : NL_CAUSE_OTHER};

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
	if (reason == REASON_EXCEPTION_NMI && EVENT_TYPE(vmx_read(EXIT_EVENT)) == EVENT_EXCEPTION) {
		iret_again(vmx_read(EXIT_EVENT));
		vmx_write(GUEST_INTERRUPTIBILITY,
		          vmx_read(GUEST_INTERRUPTIBILITY) & BLOCKING_NMI); /* its shadow ends */
		e.cause = NL_CAUSE_EXCEPTION;
	} else if (own(v, reason, q)) {
		cpu->exits[e.cause]++;
		return;
	}
	if (e.cause == NL_CAUSE_OTHER) {
		e.raw.code = reason, e.raw.info1 = q, e.raw.info2 = vmx_read(GUEST_RIP);
	} else if (e.cause == NL_CAUSE_NPF) {
		iret_again(q);
		e.npf.gpa = GPA(vmx_read(GUEST_PHYSICAL_ADDRESS));
		e.npf.read = q & 1, e.npf.write = q >> 1 & 1, e.npf.fetch = q >> 2 & 1;
	} else if (e.cause < NL_CAUSE_NMI || reason == REASON_VMCALL) {
		e.length = (unsigned)vmx_read(EXIT_INSTRUCTION_LENGTH);
	}
	if (e.cause == NL_CAUSE_IO) {
		e.io.port = (uint16_t)(q >> 16), e.io.width = (uint8_t)((q & 7) + 1);
		e.io.in = q >> 3 & 1, e.io.string = q >> 4 & 1;
	} else if (e.cause == NL_CAUSE_RDMSR || e.cause == NL_CAUSE_WRMSR) {
		e.msr.index = (uint32_t)cpu->gprs.rcx, e.msr.write = reason == REASON_WRMSR;
	}
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
