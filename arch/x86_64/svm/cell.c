// SPDX-License-Identifier: Apache-2.0
/*
 * A cell on SVM: a VMCB and an ASID of its own, from which everything exits. VMRUN switches what the VMCB holds;
 * FS, GS, TR, LDTR and the system-call MSRs by VMSAVE and VMLOAD; the general registers svm_enter. What no instruction
 * of a cell can reach stays the guest's: DR0 to DR3, XCR0, the other MSRs (both permission maps are all ones), and
 * x87 and SSE with all behind them (CR0.EM and TS, CR4.OSFXSR and OSXSAVE 0). IF is 0 and nothing sets it at CPL 3, so
 * interrupts of the guest wait in its APIC; an NMI stays pending behind its exit, until svm_open.
 */
#include "cell_ops.h"
#include "core/core.h"
#include "core/pool.h"
#include "svm.h"
#include "view/npt.h"
#include <svm_insn.h>
#include "x86.h"

#define ASID_CELL 2u
#define EXIT_SMI 0x62
/* intercept2 up to RDPRU: besides SVM's own RDTSCP, ICEBP, WBINVD, MONITOR, MWAIT (twice), XSETBV */
#define I2_ALL 0x7fffu

static enum nl_err init(struct nl_cell *cell)
{
	uint64_t *top = (uint64_t *)((uint8_t *)cell->more + 3 * NL_PAGE_SIZE);

	if (x86_cpuid_word(0x8000000a, 0, EBX) <= ASID_CELL)
		return NL_EUNSUPPORTED;
	memset(cell->more, 0xff, 3 * NL_PAGE_SIZE);
	top[0] = cell->root.v | nl_vendor->format()->table;
	return NL_OK;
}

static void build(struct nl_cell *cell)
{
	static const struct nl_segment code = {0x33, 0xafb, UINT32_MAX, 0}, data = {0x2b, 0xcf3, UINT32_MAX, 0};
	hpa_t more = nl_pool_hpa(cell->more);
	struct vmcb *v = cell->control;

	memset(v, 0, sizeof(*v));
	memset(v->page, 0xff, offsetof(struct vmcb, intercept1)); /* CRs, DRs, exceptions */
	v->intercept1 = ~I1(EXIT_SMI);                            /* which are the firmware's, as in the guest */
	v->intercept2 = I2_ALL;
	v->iopm = v->msrpm = more.v;
	v->asid = ASID_CELL;
	/* of a CPU that it was on before nothing is stale, for its tables never change; what was before it may be */
	v->tlb_control = x86_cpuid_word(0x8000000a, 0, EDX) >> 6 & 1 ? TLB_FLUSH_ASID : TLB_FLUSH_ALL;
	v->nested_control = 1;
	/* as many levels as the host's tables have (APM vol. 2, 15.25.3) */
	v->nested_cr3 = x86_read_cr4() & CR4_LA57 ? more.v + 3 * NL_PAGE_SIZE : cell->root.v;
	v->segments[NL_CS] = code;
	v->segments[NL_ES] = v->segments[NL_SS] = v->segments[NL_DS] = data;
	v->cpl = 3;
	v->efer = NL_CELL_EFER | EFER_SVME;
	v->cr0 = NL_CELL_CR0;
	v->cr3 = cell->cr3.v;
	v->cr4 = NL_CELL_CR4;
	v->dr6 = DR6_NONE;
	v->dr7 = DR7_NONE;
	v->g_pat = NL_CELL_PAT;
}

static enum nl_cell_end ended(struct nl_cpu *cpu, struct nl_cell *cell, const struct vmcb *v)
{
	switch ((uint32_t)v->exit_code) {
	case EXIT_VMMCALL:
		cell->rip = v->next_rip ? v->next_rip : v->rip + 3;
		return NL_CELL_CALL;
	case EXIT_NMI: /* pending still: it is taken here, or neither guest nor cell would ever get further */
		cpu->exits[NL_CAUSE_NMI]++;
		svm_open(cpu, NULL);
		return NL_CELL_LEFT;
	case EXIT_EXCEPTION + 18: /* the guest's to hear of; MCG_STATUS says whether the cell can go on */
		cpu->mc_pending = true;
		if (x86_rdmsr(MSR_MCG_STATUS) & MCG_RIPV)
			return NL_CELL_LEFT;
		break;
	case EXIT_INIT: /* as in the guest (exit.c) */
	case EXIT_EXCEPTION + 30:
		nl_platform_reset("INIT of a CPU that runs a cell");
	}
	cell->fault = (struct nl_cell_fault){v->exit_code, v->exit_info1, v->exit_info2};
	return NL_CELL_FAULT;
}

static enum nl_cell_end run(struct nl_cpu *cpu, struct nl_cell *cell, uint64_t ticks)
{
	struct vmcb *v = cell->control;
	uint64_t guest = nl_pool_hpa(((struct svm_cpu *)cpu->vendor)->vmcb).v, own = nl_pool_hpa(v).v;

	(void)ticks; /* nothing in the CPU counts them */
	if (cell->on != cpu->index)
		build(cell);
	cell->on = cpu->index;
	v->efer |= EFER_SVME; /* SMM code entered in the cell may have cleared it */
	v->rip = cell->rip;
	v->rflags = cell->rflags;
	v->rax = cell->gprs.rax;
	v->rsp = cell->gprs.rsp;
	v->interrupt_shadow = 0;
	insn_vmsave(guest);
	insn_vmload(own);
	svm_enter(&cell->gprs, own);
	insn_vmload(guest);
	v->tlb_control = TLB_NOTHING;
	cell->gprs.rax = v->rax;
	cell->gprs.rsp = v->rsp;
	cell->rflags = v->rflags;
	cell->rip = v->rip;
	return ended(cpu, cell, v);
}

const struct nl_cell_ops nl_cell_svm = {.init = init, .run = run};
