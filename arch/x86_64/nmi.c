// SPDX-License-Identifier: Apache-2.0
/*
 * What an NMI that came to the core stands for: see nmi.h.
 *
 * NMIs carry no source, and two that wait together are one. So a kick is announced before it is sent (cpu->kick), and
 * an NMI that comes unannounced is the guest's: of its hardware, or (VMX) of its own sending. On SVM all that the guest
 * sends passes the ICR trap, which sets cpu->nmi_pending itself. The network's card says of itself whether it has sent
 * one. Where a kick or the card's may have met an NMI of the hardware, the
 * source of the latter is asked whether it has something to say.
 */
#include "nmi.h"
#include "apic.h"
#include "beside.h"
#include "x86.h"

struct nl_beside nl_beside;

void nmi_kick(struct nl_cpu *cpu)
{
	if (!__atomic_exchange_n(&cpu->kick, 1, __ATOMIC_SEQ_CST))
		apic_send_nmi(cpu->apic_id);
}

static bool overflow_mode(uint32_t lvt) { return (lvt & 0x700) == 0x400; /* delivers NMI */ }

/* IA32_PERF_GLOBAL_STATUS (SDM vol. 3, 20.2.4). The LVT masks itself when it delivers (11.5.1). */
static bool intel_counter_overflowed(uint32_t lvt)
{
	uint64_t status;

	return (lvt & 1u << 16) && x86_rdmsr_safe(0x38e, &status) && status;
}

/*
 * On AMD the LVT does not mask itself when it delivers. Linux starts counters below zero, so one whose top bit is clear
 * has overflowed (APM vol. 2, 13.2.1: EN is bit 22, INT bit 20 of PERF_CTL).
 */
static bool amd_counter_overflowed(void)
{
	uint64_t control, counter;

	for (uint32_t i = 0; i < 6; i++)
		if (x86_rdmsr_safe(0xc0010200 + 2 * i, &control) && (control >> 20 & 5) == 5 &&
		    x86_rdmsr_safe(0xc0010201 + 2 * i, &counter) && !(counter >> 47 & 1))
			return true;
	return false;
}

/* Could an NMI of the hardware's own have merged with our kick? Then pass one on: a lost one kills the watchdog. */
static bool hardware_nmi_waits(void)
{
	uint32_t lvt = apic_read(APIC_LVTPC);
	uint64_t ibs;

	if (overflow_mode(lvt) && (intel_counter_overflowed(lvt) || amd_counter_overflowed()))
		return true;
	/* IBS: a sample that nobody has fetched stops it (APM vol. 2, 13.3); it comes by another LVT */
	if ((x86_rdmsr_safe(0xc0011033, &ibs) && ibs >> 18 & 1) || (x86_rdmsr_safe(0xc0011030, &ibs) && ibs >> 49 & 1))
		return true;
	return (x86_inb(0x61) & 0xc0) != 0; /* SERR or IOCHK */
}

bool nmi_taken(struct nl_cpu *cpu)
{
	bool kick = __atomic_exchange_n(&cpu->kick, 0, __ATOMIC_SEQ_CST);

	if (!cpu->index && nl_beside.claim && nl_beside.claim(kick))
		kick = true;
	if (!kick || hardware_nmi_waits())
		__atomic_store_n(&cpu->nmi_pending, 1, __ATOMIC_SEQ_CST);
	return kick;
}
