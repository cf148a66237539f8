// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding SVM's exits (APM vol. 2, appendix C) into struct nl_exit.
 */
#include "svm_exit.h"
#include "apic.h"
#include "core/core.h"
#include <svm_insn.h>
#include "x86.h"

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
		cpu->exits[NL_CAUSE_NMI]++;
		svm_open(cpu, NULL);
		return;
	case EXIT_IRET:
		cpu->exits[NL_CAUSE_IRET]++;
		svm_iret(cpu);
		return;
	case EXIT_INTR: /* intercepted during the step over an IRET only: the guest takes it by itself */
		cpu->exits[NL_CAUSE_IRET]++;
		svm_undo_step(cpu);
		return;
	case EXIT_EXCEPTION + 1:
	case EXIT_EXCEPTION + 10 ... EXIT_EXCEPTION + 14:
	case EXIT_EXCEPTION + 17 ... EXIT_EXCEPTION + 18:
	case EXIT_EXCEPTION + 21:
		cpu->exits[NL_CAUSE_IRET]++;
		svm_step_exception(cpu, (uint8_t)(v->exit_code - EXIT_EXCEPTION));
		return;
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
	case EXIT_EXCEPTION + 30:
	case EXIT_INIT: /* no way for the guest to send one past the ICR trap: the platform resets */
		e = (struct nl_exit){.cause = NL_CAUSE_TRIPLE};
		break;
	}
	hv_exit(cpu, &e);
}
