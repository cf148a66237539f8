// SPDX-License-Identifier: Apache-2.0
/*
 * NMIs on VMX (SDM vol. 3, 25.6.1, 26.2, 28.2). "NMI exiting" and "virtual NMIs" are 1: every NMI that comes while the
 * guest runs exits, whatever the guest blocks; one for the guest is injected by the entry, and the CPU keeps the
 * guest's blocking in bit 3 of the interruptibility state, with every rule of IRET. While NMIs are blocked there, a
 * pending one asks for an exit at the end of the blocking (NMI-window exiting).
 *
 * An NMI that comes in root operation is counted by host_nmi (entry.S) and looked at before the next entry; one that
 * comes after the last look sends the entry back to it. In wait-for-SIPI NMIs are blocked and come in root operation,
 * behind the exit that SIPI causes: INIT forgets them.
 */
#include "nmi.h"
#include "vmx.h"
#include <vmx_insn.h>

static uint32_t take_count(struct nl_cpu *cpu) { return __atomic_exchange_n(&cpu->nmis, 0, __ATOMIC_SEQ_CST); }

void vmx_nmi_exit(struct nl_cpu *cpu)
{
	/* The exit has left NMIs blocked (28.5.5), and an IRET opens them. Entries do so, too, but not on each
	 * emulator. */
	insn_iret(HOST_CS, HOST_DS);
	cpu->exits[NL_CAUSE_KICK] += nmi_taken(cpu);
	/* STI's shadow covered the HLT and has ended with it, but not every emulator says so; entry wants no shadow in
	 * HLT (27.3.1.5). */
	if (vmx_read(GUEST_ACTIVITY) != ACTIVITY_ACTIVE)
		vmx_write(GUEST_INTERRUPTIBILITY,
		          vmx_read(GUEST_INTERRUPTIBILITY) & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS));
}

void vmx_nmi_reset(struct nl_cpu *cpu)
{
	if (take_count(cpu))
		__atomic_store_n(&cpu->kick, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&cpu->nmi_pending, 0, __ATOMIC_SEQ_CST);
}

void vmx_nmi_in_root(struct nl_cpu *cpu)
{
	for (uint32_t n = take_count(cpu); n; n--)
		cpu->exits[NL_CAUSE_KICK] += nmi_taken(cpu);
}

/* Whether STI's shadow holds NMIs back is the CPU's choice (25.4.2, table 25-3): it exits when it would take one. */
void vmx_nmi_before_entry(struct nl_cpu *cpu, bool window)
{
	uint64_t blocking, stop = BLOCKING_NMI | BLOCKING_MOV_SS | (window ? 0 : BLOCKING_STI);

	if (!__atomic_load_n(&cpu->nmi_pending, __ATOMIC_SEQ_CST))
		return;
	blocking = vmx_read(GUEST_INTERRUPTIBILITY);
	if ((vmx_read(ENTRY_EVENT) & EVENT_VALID) || (blocking & stop)) {
		vmx_write(PROC_CONTROLS, vmx.controls.proc | PROC_NMI_WINDOW);
		return;
	}
	__atomic_store_n(&cpu->nmi_pending, 0, __ATOMIC_SEQ_CST);
	vmx_write(GUEST_INTERRUPTIBILITY, blocking & ~(uint64_t)BLOCKING_STI);
	vmx_write(ENTRY_EVENT, 2 | EVENT_NMI | EVENT_VALID);
}
