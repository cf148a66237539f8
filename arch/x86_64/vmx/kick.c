// SPDX-License-Identifier: Apache-2.0
/*
 * What may come to a CPU from outside on VMX: the kick of another CPU of ours, the guest's own INIT, and NMIs.
 *
 * Kick. It is an INIT. INIT always exits from VMX non-root operation, changes no register, and is latched while the CPU
 * is in root operation, to exit at the next entry (SDM vol. 3, 26.2, 24.8). One kick is in flight per CPU at most
 * (cpu->nmi_kick), so that each INIT exit can be told: a kick if one is in flight, else the guest's. If the guest's
 * INIT comes while a kick is in flight, both merge into one and the guest's is lost: it waits 10 ms for the CPU and
 * reports that it did not come up; a retry helps. In wait-for-SIPI INIT is blocked (26.2), and nobody kicks there.
 *
 * NMI. "NMI exiting" and "virtual NMIs" are 0: an NMI in the guest goes through the guest's IDT, blocking is the
 * hardware's own, and its state travels in bit 3 of the interruptibility state: exits save it and leave it as it is,
 * entries set or clear it (SDM vol. 3, 25.4.2, 27.7.1, 28.3.4). An NMI that comes in root operation is taken by vmx_nmi
 * (entry.S), which counts it in cpu->nmis and returns without IRET: NMIs stay blocked. Before the next entry the CPU
 * sends itself an NMI: it is latched, the entry unblocks NMIs (or the guest's IRET does, if the guest was in its
 * handler), and the guest gets it through its own IDT with every rule of priority kept by the hardware. If something in
 * root executed IRET meanwhile (a #GP in x86_rdmsr_safe), the NMI that we send comes back to vmx_nmi once, is blocked
 * from then on, and the second one is latched. An NMI after the last look at nmis sends the entry back to that look
 * (the restart range of entry.S). An NMI is never lost and never made up; several merge into one, as the hardware does.
 * The handler uses neither VMREAD nor VMWRITE.
 */
#include "apic.h"
#include "core/core.h"
#include "vmx.h"
#include "x86.h"

/*
 * Some emulators drop an INIT that comes in root operation instead of latching it. A kick that has been in flight for
 * long is repeated; should the first one be alive after all, the second INIT finds no kick in flight, and kick_spare
 * says that it is not the guest's: until another exit comes long after (vmx_after_exit), since the two may have been
 * latched as one.
 */
void vmx_kick(struct nl_cpu *cpu)
{
	struct vmx_cpu *v = vmx_cpu(cpu);
	bool in_flight = __atomic_exchange_n(&cpu->nmi_kick, 1, __ATOMIC_SEQ_CST);
	uint64_t now = x86_rdtsc();

	if (in_flight && now - __atomic_load_n(&v->kick_sent_tsc, __ATOMIC_RELAXED) < RESEND_TICKS)
		return;
	if (in_flight)
		__atomic_store_n(&v->kick_spare, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->kick_sent_tsc, now, __ATOMIC_RELAXED);
	apic_send_init(cpu->apic_id);
}

bool vmx_take_kick(struct nl_cpu *cpu)
{
	struct vmx_cpu *v = vmx_cpu(cpu);

	if (__atomic_exchange_n(&cpu->nmi_kick, 0, __ATOMIC_SEQ_CST))
		return true;
	return __atomic_exchange_n(&v->kick_spare, 0, __ATOMIC_SEQ_CST);
}

void vmx_resend_nmi(struct vmx_cpu *v)
{
	__atomic_store_n(&v->cpu->nmis, 0, __ATOMIC_SEQ_CST);
	apic_send_nmi(v->cpu->apic_id);
}
