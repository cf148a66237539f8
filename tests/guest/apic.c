// SPDX-License-Identifier: Apache-2.0
/*
 * The local APIC as a kernel uses it.
 */
#include "kernel.h"

bool apic_x2;

void apic_enable(struct cpu *cpu)
{
	if (apic_x2)
		return;
	apic_write(APIC_SVR, 0x1ff);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, 0x10000);
	apic_write(APIC_LVT_LINT0, 0x10000);
	apic_write(APIC_DFR, 0xffffffff);
	apic_write(APIC_LDR, 1u << (24 + cpu->index % 8));
	for (unsigned i = 0; i < 8; i++) /* what the firmware left in service */
		if (apic_read(APIC_ISR + 16 * i))
			apic_write(APIC_EOI, 0);
}

void apic_send(uint32_t dest, uint32_t low)
{
	if (apic_x2) {
		wrmsr(0x830, (uint64_t)dest << 32 | low);
		return;
	}
	apic_write(APIC_ICR_HIGH, dest << 24);
	apic_write(APIC_ICR, low);
	while (apic_read(APIC_ICR) & 0x1000)
		pause();
}

bool apic_waits(unsigned vector) { return apic_read(APIC_IRR + 16 * (vector / 32)) >> vector % 32 & 1; }
