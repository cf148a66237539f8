// SPDX-License-Identifier: Apache-2.0
/*
 * NMIs on SVM (APM vol. 2, 15.13.2, 15.20, 15.21). They are always intercepted, and after the exit stay pending until
 * GIF opens: the core takes them in a STGI window. One for the guest (cpu->nmi_pending) is injected. An injected NMI
 * blocks nothing, so the blocking of those behind it is kept here (nmi_blocked) and ends when an IRET has completed.
 *
 * The IRET. Its intercept comes before the instruction is executed, so it is stepped over: with TF set for this one
 * instruction, and everything intercepted that could show the guest this TF. #DB: the IRET has completed and the flags
 * that it loaded are the guest's. An exception of the IRET's own, or an interrupt in front of it: the step is undone
 * and the guest gets what came; the blocking stays, and so does the intercept, for the next IRET.
 */
#include "nmi.h"
#include "svm.h"
#include <svm_insn.h>
#include "x86.h"

#define DR6_BREAKPOINTS 15ULL
#define DR6_BS (1ULL << 14)
#define DR7_GD (1ULL << 13)
#define DEBUGCTL_BTF 2ULL
/* #DB, what IRET may raise (#TS #NP #SS #GP #PF #AC #CP), and #MC */
#define STEP_EXCEPTIONS (1u << 1 | 0x1fu << 10 | 3u << 17 | 1u << 21)

void svm_open(struct nl_cpu *cpu, void (*with)(void))
{
	uint32_t before = cpu->nmis;

	insn_stgi(); /* host IF is 0: NMIs come, interrupts only if `with` lets them */
	if (with)
		with();
	insn_clgi();
	for (uint32_t n = *(volatile uint32_t *)&cpu->nmis - before; n; n--)
		cpu->exits[NL_CAUSE_KICK] += nmi_taken(cpu);
}

void svm_nmi_reset(struct nl_cpu *cpu)
{
	struct svm_cpu *s = cpu->vendor;

	s->step.armed = s->nmi_blocked = false;
	s->vmcb->intercept1 &= ~(I1(EXIT_IRET) | I1(EXIT_INTR));
	s->vmcb->intercept_exceptions &= ~STEP_EXCEPTIONS;
	__atomic_store_n(&cpu->nmi_pending, 0, __ATOMIC_SEQ_CST);
}

/* An event that goes first, or the shadow of STI or MOV SS: a kick of this CPU's own is taken behind it. Where hardware
 * does not hold NMIs back in that shadow it comes at the same instruction, and so may the guest's. */
static bool must_wait(struct svm_cpu *s)
{
	const struct vmcb *v = s->vmcb;
	bool wait = v->event_injection & EVENT_VALID || (v->interrupt_shadow & 1 && s->shadow_rip != v->rip);

	s->shadow_rip = wait ? v->rip : UINT64_MAX;
	return wait;
}

void svm_nmi_before_entry(struct nl_cpu *cpu)
{
	struct svm_cpu *s = cpu->vendor;

	if (s->nmi_blocked || !__atomic_load_n(&cpu->nmi_pending, __ATOMIC_SEQ_CST))
		return;
	if (must_wait(s)) {
		nmi_kick(cpu);
		return;
	}
	__atomic_store_n(&cpu->nmi_pending, 0, __ATOMIC_SEQ_CST);
	s->vmcb->event_injection = 2 | EVENT_NMI | EVENT_VALID;
	s->vmcb->intercept1 |= I1(EXIT_IRET);
	s->nmi_blocked = true;
}

void svm_iret(struct nl_cpu *cpu)
{
	struct svm_cpu *s = cpu->vendor;
	struct vmcb *v = s->vmcb;

	s->step = (struct svm_step){true, v->rflags & RFLAGS_TF, v->dr6, v->dr7, x86_rdmsr(MSR_DEBUGCTL)};
	v->intercept1 = (v->intercept1 & ~I1(EXIT_IRET)) | I1(EXIT_INTR);
	v->intercept_exceptions |= STEP_EXCEPTIONS;
	v->rflags |= RFLAGS_TF;
	v->dr6 = DR6_NONE;
	if (s->step.debugctl & DEBUGCTL_BTF) /* or TF would trap at branches only */
		x86_wrmsr(MSR_DEBUGCTL, s->step.debugctl & ~DEBUGCTL_BTF);
}

static void disarm(struct svm_cpu *s)
{
	struct vmcb *v = s->vmcb;

	s->step.armed = false;
	v->intercept1 &= ~I1(EXIT_INTR);
	v->intercept_exceptions &= ~(STEP_EXCEPTIONS & ~(1u << 14)); /* which is hold's */
	v->dr6 = s->step.dr6;
	v->dr7 = s->step.dr7;
	if (s->step.debugctl & DEBUGCTL_BTF)
		x86_wrmsr(MSR_DEBUGCTL, s->step.debugctl);
}

void svm_undo_step(struct nl_cpu *cpu)
{
	struct svm_cpu *s = cpu->vendor;

	if (!s->step.armed)
		return;
	disarm(s);
	if (!s->step.tf)
		s->vmcb->rflags &= ~RFLAGS_TF;
	s->vmcb->intercept1 |= I1(EXIT_IRET);
}

/* The guest gets the #DB that it would have had: if it steps itself, or watches what IRET reads. */
static void stepped(struct nl_cpu *cpu)
{
	struct svm_cpu *s = cpu->vendor;
	struct vmcb *v = s->vmcb;
	uint64_t found = s->step.tf ? v->dr6 & DR6_BS : 0;

	for (unsigned i = 0; i < 4; i++)
		if (s->step.dr7 >> 2 * i & 3)
			found |= v->dr6 & 1u << i;
	/* DR6 is what the handler would see (APM vol. 2, 15.12.2); Bochs leaves it as it was */
	if ((v->dr6 & DR6_BS) || !(v->dr6 & DR6_BREAKPOINTS)) {
		disarm(s);
		s->nmi_blocked = false;
	} else { /* a breakpoint on the IRET, which has not been executed */
		svm_undo_step(cpu);
	}
	if (!found)
		return;
	v->dr6 |= found;
	v->dr7 &= ~DR7_GD; /* as the delivery of #DB does; it ends BTF, too (APM vol. 2, 13.1.1) */
	if (s->step.debugctl & DEBUGCTL_BTF)
		x86_wrmsr(MSR_DEBUGCTL, s->step.debugctl & ~DEBUGCTL_BTF);
	nl_vendor->inject(cpu, 1, false, 0);
}

void svm_step_exception(struct nl_cpu *cpu, uint8_t vector)
{
	struct svm_cpu *s = cpu->vendor;

	if (vector == 1) {
		stepped(cpu);
		return;
	}
	if (vector == 14) /* an intercepted #PF has not written CR2 (APM vol. 2, 15.12.15) */
		s->vmcb->cr2 = s->vmcb->exit_info2;
	nl_vendor->inject(cpu, vector, vector != 18, (uint32_t)s->vmcb->exit_info1); /* undoes the step */
}
