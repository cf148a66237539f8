// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding SVM's exits (APM vol. 2, appendix C) into struct nl_exit, and the NMI exit, which is SVM's own business.
 */
#include "svm_exit.h"
#include "apic.h"
#include "core/core.h"
#include <svm_insn.h>
#include "x86.h"

/*
 * On AMD the LVT does not mask itself when it delivers. Linux starts counters below zero, so one whose top bit is clear
 * has overflowed (APM vol. 2, 13.2.1: EN is bit 22, INT bit 20 of PERF_CTL).
 */
static bool counter_overflowed(void)
{
	uint64_t control, counter;

	for (uint32_t i = 0; i < 6; i++)
		if (x86_rdmsr_safe(0xc0010200 + 2 * i, &control) && (control >> 20 & 5) == 5 &&
		    x86_rdmsr_safe(0xc0010201 + 2 * i, &counter) && !(counter >> 47 & 1))
			return true;
	return false;
}

/* Could an NMI of the hardware's own have merged with our kick? Then pass one on: a lost one kills the watchdog (SDM
 * vol. 3, 11.5.1). */
static bool hardware_nmi_waits(void)
{
	uint32_t lvt = apic_read(APIC_LVTPC);
	uint64_t ibs;

	if ((lvt & 0x700) == 0x400 && (lvt & 1u << 16 || counter_overflowed()))
		return true;
	/* IBS: a sample that nobody has fetched stops it (APM vol. 2, 13.3); it comes by another LVT */
	if ((x86_rdmsr_safe(0xc0011033, &ibs) && ibs >> 18 & 1) || (x86_rdmsr_safe(0xc0011030, &ibs) && ibs >> 49 & 1))
		return true;
	return (x86_inb(0x61) & 0xc0) != 0; /* SERR or IOCHK */
}

void svm_take_pending(struct nl_cpu *cpu, void (*with)(void), struct svm_nmi *out)
{
	uint32_t before = cpu->nmis;

	insn_stgi(); /* host IF is 0: an NMI comes, interrupts only if `with` lets them */
	if (with)
		with();
	insn_clgi();
	*out = (struct svm_nmi){.taken = *(volatile uint32_t *)&cpu->nmis != before};
	if (!out->taken)
		return;
	out->kick = __atomic_exchange_n(&cpu->nmi_kick, 0, __ATOMIC_SEQ_CST);
	out->guest = __atomic_exchange_n(&cpu->nmi_guest, 0, __ATOMIC_SEQ_CST) || !out->kick || hardware_nmi_waits();
}

static void nmi(struct nl_cpu *cpu)
{
	struct svm_nmi n;

	svm_take_pending(cpu, NULL, &n);
	if (n.kick)
		cpu->exits[NL_CAUSE_KICK]++;
	if (n.guest)
		svm_open_nmi(cpu);
}

static bool no_inject_npf(struct vmcb *v) { return v->exit_info1 >> 33 & 1; } /* fault of a guest page table access */

void svm_exit(struct nl_cpu *cpu, struct vmcb *v)
{
	struct nl_exit e = {.cause = NL_CAUSE_OTHER, .raw = {v->exit_code, v->exit_info1, v->exit_info2}};

	switch ((uint32_t)v->exit_code) {
	case EXIT_CPUID:
		e = (struct nl_exit){.cause = NL_CAUSE_CPUID, .length = 2};
		break;
	case EXIT_MSR:
		e = (struct nl_exit){.cause = v->exit_info1 & 1 ? NL_CAUSE_WRMSR : NL_CAUSE_RDMSR,
		                     .length = 2,
		                     .msr = {(uint32_t)cpu->gprs.rcx, v->exit_info1 & 1}};
		break;
	case EXIT_IO:
		e = (struct nl_exit){.cause = NL_CAUSE_IO,
		                     .length = (unsigned)(v->exit_info2 - v->rip),
		                     .io = {(uint16_t)(v->exit_info1 >> 16), v->exit_info1 >> 4 & 7, v->exit_info1 & 1,
		                            v->exit_info1 >> 2 & 1}};
		break;
	case EXIT_NMI:
		e = (struct nl_exit){.cause = NL_CAUSE_NMI};
		nmi(cpu);
		break;
	case EXIT_IRET: /* not executed yet: NMIs are blocked until it is */
		e = (struct nl_exit){.cause = NL_CAUSE_IRET};
		svm_close_nmi(cpu);
		if (__atomic_load_n(&cpu->nmi_kick, __ATOMIC_SEQ_CST))
			apic_send_nmi(cpu->apic_id); /* a kick may have merged with the guest's: this one exits after
			                                the IRET */
		break;
	case EXIT_NPF:
		e = (struct nl_exit){.cause = NL_CAUSE_NPF,
		                     .npf = {GPA(v->exit_info2), !(v->exit_info1 & 0x12),
		                             v->exit_info1 & 2 && !no_inject_npf(v), v->exit_info1 >> 4 & 1}};
		break;
	case EXIT_INVD:
		e = (struct nl_exit){.cause = NL_CAUSE_INVD, .length = 2};
		break;
	case EXIT_INVLPGA:
	case EXIT_VMRUN ... EXIT_SKINIT:
		e = (struct nl_exit){.cause = NL_CAUSE_VIRT};
		break;
	case EXIT_SHUTDOWN: /* the VMCB's state is undefined from here on */
		e = (struct nl_exit){.cause = NL_CAUSE_TRIPLE};
		break;
	case EXIT_EXCEPTION + 30:
	case EXIT_INIT: /* no way for the guest to send one past the ICR trap: the platform resets */
		e = (struct nl_exit){.cause = NL_CAUSE_TRIPLE};
		break;
	}
	hv_exit(cpu, &e);
}
