// SPDX-License-Identifier: Apache-2.0
/*
 * A cell on VMX: a VMCS and a VPID of its own, from which everything exits. It is current only while the cell runs, and
 * clear in between, so that any CPU can take it (SDM vol. 3, 25.11). Entry and exit switch what the VMCS holds, and
 * vmx_cell_enter the general registers. What no instruction of a cell can reach stays the guest's: CR2 (its page faults
 * exit instead of being delivered, 28.1), DR0 to DR3 and DR6, XCR0, the MSRs that no VMCS switches (without a bitmap
 * every access exits), and x87 and SSE with all behind them (CR0.EM and TS, CR4.OSFXSR and OSXSAVE 0). IF is 0 and
 * nothing sets it at CPL 3, so interrupts of the guest wait in its APIC; NMIs exit, as those of the guest do (nmi.c).
 */
#include "beside.h"
#include "cell_ops.h"
#include "core/core.h"
#include "core/cpu.h"
#include "core/pool.h"
#include "vmx.h"
#include <vmx_insn.h>
#include "x86.h"

#define VPID_CELL 2
/* HLT, RDTSC, ports; INVLPG, MWAIT, RDPMC, CR3 (twice), CR8 (twice), MOV DR, MONITOR, PAUSE */
#define PROC_NEEDED (1u << 7 | 1u << 12 | 1u << 24 | PROC_SECONDARY)
#define PROC_LIKED (7u << 9 | 3u << 15 | 3u << 19 | 1u << 23 | 3u << 29)
#define SECONDARY_LIKED (1u << 2 | 1u << 6) /* descriptor tables, WBINVD */

bool vmx_cell_enter(struct nl_gprs *gprs, const uint32_t *nmis);
void vmx_cell_exit(void);

static uint32_t pin, proc, secondary;

static enum nl_err init(struct nl_cell *cell)
{
	const struct vmx_msrs *m = &vmx.msrs;
	bool ok = vmx_control(m->pin, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER, 0, &pin);

	ok &= vmx_control(m->proc, PROC_NEEDED, PROC_LIKED, &proc);
	ok &= vmx_control(m->secondary, SECONDARY_EPT | (vmx.controls.vpid ? SECONDARY_VPID : 0), SECONDARY_LIKED,
	                  &secondary);
	*(uint32_t *)cell->control = (uint32_t)(m->basic & VMX_BASIC_REVISION);
	return ok && insn_vmclear(nl_pool_hpa(cell->control).v) ? NL_OK : NL_EUNSUPPORTED;
}

static void segment(unsigned n, uint16_t selector, uint32_t rights)
{
	VMX_WRITE_ALL({GUEST_ES_SELECTOR + 2 * n, selector}, {GUEST_ES_RIGHTS + 2 * n, rights},
	              {GUEST_ES_LIMIT + 2 * n, rights == RIGHTS_UNUSABLE ? 0 : UINT32_MAX}, {GUEST_ES_BASE + 2 * n, 0});
}

static void build(struct nl_cpu *cpu, const struct nl_cell *cell)
{
	/* clang-format off */
	static const uint16_t zero[] = {
		PF_ERROR_MASK, PF_ERROR_MATCH, CR3_TARGET_COUNT, EXIT_MSR_STORE_COUNT, EXIT_MSR_LOAD_COUNT,
		ENTRY_MSR_LOAD_COUNT, ENTRY_EVENT, CR0_MASK, CR4_MASK, CR0_SHADOW, CR4_SHADOW,
		GUEST_GDTR_BASE, GUEST_GDTR_LIMIT, GUEST_IDTR_BASE, GUEST_IDTR_LIMIT, GUEST_ACTIVITY,
		GUEST_SYSENTER_CS, GUEST_SYSENTER_ESP, GUEST_SYSENTER_EIP, GUEST_DEBUGCTL};
	/* clang-format on */
	const struct vmx_msrs *m = &vmx.msrs;

	for (size_t i = 0; i < NL_ARRAY_SIZE(zero); i++)
		vmx_write(zero[i], 0);
	vmx_write_host_state(cpu);
	for (unsigned n = NL_ES; n <= NL_GS + 1; n++) /* LDTR follows GS */
		segment(n, 0, RIGHTS_UNUSABLE);
	segment(NL_CS, 0x33, vmx_rights(0xafb));
	segment(NL_SS, 0x2b, vmx_rights(0xcf3));
	segment(NL_GS + 2, 0, vmx_rights(0x08b)); /* TR: entry wants a busy TSS, and nothing uses it */
	vmx_write(GUEST_TR_LIMIT, 0x67);
	VMX_WRITE_ALL({HOST_RIP, (uint64_t)vmx_cell_exit}, {PIN_CONTROLS, pin}, {PROC_CONTROLS, proc},
	              {SECONDARY_CONTROLS, secondary}, {EXIT_CONTROLS, vmx.controls.exit},
	              {ENTRY_CONTROLS, vmx.controls.entry | ENTRY_IA32E}, {EXCEPTION_BITMAP, UINT32_MAX},
	              {VMCS_LINK, UINT64_MAX}, {EPTP, vmx_eptp(cell->root)},
	              {GUEST_CR0, vmx_fix(NL_CELL_CR0, m->cr0_fixed0, m->cr0_fixed1)}, {GUEST_CR3, cell->cr3.v},
	              {GUEST_CR4, vmx_fix(NL_CELL_CR4, m->cr4_fixed0, m->cr4_fixed1)}, {GUEST_DR7, DR7_NONE},
	              {GUEST_PAT, NL_CELL_PAT}, {GUEST_EFER, NL_CELL_EFER});
	if (vmx.controls.vpid)
		vmx_write(VPID, VPID_CELL);
	/* of a CPU that it was on before nothing is stale, for its tables never change; what was before it may be */
	if (!insn_invept(1, vmx_eptp(cell->root)))
		nl_panic("INVEPT of a cell failed");
}

static enum nl_cell_end exception(struct nl_cpu *cpu, struct nl_cell *cell, uint32_t event)
{
	if (EVENT_TYPE(event) == EVENT_NMI) {
		cpu->exits[NL_CAUSE_NMI]++;
		vmx_nmi_exit(cpu);
		return NL_CELL_LEFT;
	}
	if ((event & 0xff) == 18) { /* the guest's to hear of; MCG_STATUS says whether the cell can go on */
		cpu->mc_pending = true;
		if (x86_rdmsr(MSR_MCG_STATUS) & MCG_RIPV)
			return NL_CELL_LEFT;
	}
	cell->fault = (struct nl_cell_fault){REASON_EXCEPTION_NMI, event, vmx_read(EXIT_QUALIFICATION)};
	return NL_CELL_FAULT;
}

static enum nl_cell_end ended(struct nl_cpu *cpu, struct nl_cell *cell)
{
	uint32_t reason = (uint32_t)vmx_read(EXIT_REASON) & (REASON_ENTRY_FAILED | 0xffff);

	cell->rip = vmx_read(GUEST_RIP);
	cell->rflags = vmx_read(GUEST_RFLAGS);
	cell->gprs.rsp = vmx_read(GUEST_RSP);
	switch (reason) {
	case REASON_VMCALL:
		cell->rip += vmx_read(EXIT_INSTRUCTION_LENGTH);
		return NL_CELL_CALL;
	case REASON_EXCEPTION_NMI:
		return exception(cpu, cell, (uint32_t)vmx_read(EXIT_EVENT));
	case REASON_PREEMPTION_TIMER:
		return NL_CELL_TIME;
	case REASON_INIT: /* it ends with the exit: as one of the guest's (exit.c) */
		cpu->exits[NL_CAUSE_INIT]++;
		nl_cpu_post_init(cpu);
		return NL_CELL_LEFT;
	case REASON_ENTRY_FAILED | REASON_MACHINE_CHECK:
		host_machine_check(cpu, "during a VM entry", 0);
		return NL_CELL_LEFT;
	}
	cell->fault = (struct nl_cell_fault){reason, vmx_read(EXIT_QUALIFICATION), vmx_read(GUEST_LINEAR_ADDRESS)};
	return NL_CELL_FAULT;
}

/* Of the preemption timer: it counts when that bit of the TSC changes (A.6). */
static uint64_t timer(uint64_t ticks)
{
	uint64_t n = ticks >> (vmx.msrs.misc & 31);

	return n < UINT32_MAX ? n : UINT32_MAX;
}

void vmx_poll(uint32_t pin_of_guest)
{
	VMX_WRITE_ALL({PIN_CONTROLS, pin_of_guest | PIN_PREEMPTION_TIMER},
	              {GUEST_PREEMPTION_TIMER, timer(nl_beside.poll)}); /* each entry loads it anew */
}

static enum nl_cell_end run(struct nl_cpu *cpu, struct nl_cell *cell, uint64_t ticks)
{
	uint64_t guest = nl_pool_hpa(vmx_cpu(cpu)->vmcs).v, own = nl_pool_hpa(cell->control).v;
	enum nl_cell_end end = NL_CELL_LEFT;

	if (!insn_vmptrld(own))
		nl_panic("VMPTRLD of a cell failed");
	if (cell->on != cpu->index)
		build(cpu, cell);
	cell->on = cpu->index;
	VMX_WRITE_ALL({GUEST_RIP, cell->rip}, {GUEST_RSP, cell->gprs.rsp}, {GUEST_RFLAGS, cell->rflags},
	              {GUEST_INTERRUPTIBILITY, 0}, {GUEST_PENDING_DEBUG, 0}, {GUEST_PREEMPTION_TIMER, timer(ticks)});
	if (vmx_cell_enter(&cell->gprs, &cpu->nmis))
		end = ended(cpu, cell);
	else if (__atomic_load_n(&cpu->nmis, __ATOMIC_SEQ_CST))
		vmx_nmi_in_root(cpu);
	else
		nl_panic("VM entry of a cell refused, VM-instruction error %lu", vmx_read(INSTRUCTION_ERROR));
	if (!insn_vmclear(own) || !insn_vmptrld(guest))
		nl_panic("the guest's VMCS cannot be loaded again");
	return end;
}

const struct nl_cell_ops nl_cell_vmx = {.init = init, .run = run};
