// SPDX-License-Identifier: Apache-2.0
/*
 * Decoding SVM's exits (APM vol. 2, appendix C) into struct nl_exit.
 */
#include "svm.h"
#include "core/core.h"
#include "x86.h"

static bool no_inject_npf(struct vmcb *v) { return v->exit_info1 >> 33 & 1; } /* fault of a guest page table access */

/*
 * For an emulator without VM_CR.DIS_A20M (svm.c asks): the gate is held open where it is operated, which is bit 1 of
 * port 92, the keyboard controller's command DD, and bit 1 of its output port, the byte behind command D1.
 */
static void port_with_a20(struct nl_cpu *cpu, const struct nl_exit *e)
{
	static nl_lock_t lock;
	static bool output;
	uint64_t rax = cpu->gprs.rax;

	nl_lock(&lock);
	for (unsigned i = 0; i < e->io.width && !e->io.in && !e->io.string; i++) {
		unsigned port = e->io.port + i, shift = 8 * i;
		bool disable = port == 0x64 && (rax >> shift & 0xff) == 0xdd;

		if (port == 0x92 || (port == 0x60 && output))
			cpu->gprs.rax |= 2ULL << shift;
		if (disable)
			cpu->gprs.rax |= 0xffULL << shift; /* FF does nothing */
		if (port == 0x60 || port == 0x64)
			output = port == 0x64 && (rax >> shift & 0xff) == 0xd1;
	}
	hv_exit(cpu, e);
	if (!e->io.in)
		cpu->gprs.rax = rax;
	nl_unlock(&lock);
}

void svm_exit(struct nl_cpu *cpu, struct vmcb *v)
{
	struct svm_cpu *s = cpu->vendor;
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
		if (svm_a20_gate && e.io.port <= 0x92) {
			port_with_a20(cpu, &e);
			return;
		}
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
	case EXIT_EXCEPTION + 14:
		if (!s->step.armed && v->exit_info1 & 4) { /* of an access as a user (APM vol. 2, 8.4.2) */
			v->interrupt_shadow &= ~1ULL; /* as by a delivery: else no interrupt comes while it is held */
			e = (struct nl_exit){.cause = NL_CAUSE_EXCEPTION};
			break;
		}
		/* fall through */
	case EXIT_EXCEPTION + 1:
	case EXIT_EXCEPTION + 10 ... EXIT_EXCEPTION + 13:
	case EXIT_EXCEPTION + 17 ... EXIT_EXCEPTION + 18:
	case EXIT_EXCEPTION + 21:
		cpu->exits[s->step.armed ? NL_CAUSE_IRET : NL_CAUSE_EXCEPTION]++;
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
		e = (struct nl_exit){.cause = NL_CAUSE_VIRT, .length = v->exit_code == EXIT_VMMCALL ? 3 : 0};
		break;
	case EXIT_SHUTDOWN: /* the VMCB's state is undefined from here on */
	case EXIT_EXCEPTION + 30:
	case EXIT_INIT: /* no way for the guest to send one past the ICR trap: the platform resets */
		e = (struct nl_exit){.cause = NL_CAUSE_TRIPLE};
		break;
	}
	hv_exit(cpu, &e);
}
