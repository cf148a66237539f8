// SPDX-License-Identifier: Apache-2.0
/*
 * The APIC as MSRs, where the CPU has it. Last of all: the way back leads through disabling the APIC, which resets it.
 */
#include "kernel.h"
#include "region.h"

#define APIC_BASE_MSR 0x1bu
#define VECTOR 0x55

static void x2apic(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t base = msr(APIC_BASE_MSR), before, n = rounds(200), v;
	uint32_t r[4], id = apic_read(APIC_ID) >> 24;

	cpuid(1, 0, r);
	if (!(r[2] >> 21 & 1)) {
		skip("the CPU has no x2APIC");
		return;
	}
	EXPECT_VECTOR(wrmsr(APIC_BASE_MSR, base | 0x400), NONE, "x2APIC on");
	REQUIRE(msr(APIC_BASE_MSR) == (base | 0x400), "APIC_BASE %lx", msr(APIC_BASE_MSR));
	apic_x2 = true;
	EXPECT(msr(0x802) == id, "ID %lx, was %x", msr(0x802), id);
	EXPECT_VECTOR(wrmsr(0x802, 5), GP, "write of the ID");
	EXPECT_VECTOR(rdmsr(0x831, &v), GP, "the ICR's high half, which is none");
	EXPECT_VECTOR(wrmsr(APIC_BASE_MSR, base), GP, "x2APIC to xAPIC without disabling");
	if (!machine.bare) {
		EXPECT_VECTOR(wrmsr(APIC_BASE_MSR, (base & 0xfff) | 0x400 | region_base()), GP,
		              "APIC_BASE to the region");
		EXPECT(msr(APIC_BASE_MSR) == (base | 0x400), "APIC_BASE %lx", msr(APIC_BASE_MSR));
	}
	sti();
	before = cpu->irqs[VECTOR];
	for (uint64_t i = 1; i <= n && !failed(); i++) {
		if (i & 1)
			wrmsr(0x83f, VECTOR); /* self IPI */
		else
			apic_send(id, ICR_FIXED | ICR_ASSERT | VECTOR);
		EXPECT(WAIT(cpu->irqs[VECTOR] == before + i), "interrupt %lu: %lu came", i, cpu->irqs[VECTOR] - before);
	}
	cli();
	before = cpu->nmis;
	for (uint64_t i = 1; i <= n && !failed(); i++) {
		apic_send(id, ICR_NMI | ICR_ASSERT);
		EXPECT(WAIT(cpu->nmis == before + i), "NMI %lu: %lu came", i, cpu->nmis - before);
	}
	settle(2000);
	EXPECT(cpu->nmis == before + n, "%lu NMIs of %lu", cpu->nmis - before, n);
}

const struct test x2apic_tests[] = {
        {"x2apic", x2apic, 0},
        {NULL, NULL, 0},
};
