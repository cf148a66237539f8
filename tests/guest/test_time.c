// SPDX-License-Identifier: Apache-2.0
/*
 * HLT, timers and the time stamp counter.
 */
#include "kernel.h"

#define VECTOR 0x52
#define PIC_VECTOR 0x20

static bool halt_until(volatile uint64_t *count, uint64_t wanted)
{
	uint64_t end = tsc() + us(LIMIT_MS * 1000ULL);

	while (*count < wanted && tsc() < end)
		__asm__ volatile("sti; hlt; cli" ::
		                         : "memory"); /* a timer that never comes is ended by the runner's limit */
	return *count >= wanted;
}

/* The 8254 through the 8259 and LINT0, as firmware and early kernels use it. */
static void pit(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t before = cpu->irqs[PIC_VECTOR], n = rounds(10);

	outb(0x20, 0x11); /* 8259: edge, cascade, ICW4; vectors 0x20 and 0x28; only IRQ 0 open */
	outb(0xa0, 0x11);
	outb(0x21, PIC_VECTOR);
	outb(0xa1, PIC_VECTOR + 8);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, 0xfe);
	outb(0xa1, 0xff);
	apic_write(APIC_LVT_LINT0, 0x700); /* ExtINT */
	outb(0x43, 0x34);
	outb(0x40, 11932 & 0xff); /* 100 Hz */
	outb(0x40, 11932 >> 8);
	EXPECT(halt_until(&cpu->irqs[PIC_VECTOR], before + n), "%lu ticks of %lu", cpu->irqs[PIC_VECTOR] - before, n);
	outb(0x21, 0xff);
	apic_write(APIC_LVT_LINT0, 0x10000);
}

static void timer_start(uint32_t mode, uint32_t count)
{
	apic_write(APIC_DIVIDE, 0xb); /* by 1 */
	apic_write(APIC_LVT_TIMER, mode | VECTOR);
	apic_write(APIC_INITIAL, count);
}

static void timer_stop(void)
{
	apic_write(APIC_LVT_TIMER, 0x10000);
	apic_write(APIC_INITIAL, 0);
}

static void apic_timer(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t before = cpu->irqs[VECTOR], n = rounds(50);

	timer_start(0x20000, 1000000); /* periodic */
	EXPECT(halt_until(&cpu->irqs[VECTOR], before + n), "%lu periodic interrupts of %lu", cpu->irqs[VECTOR] - before,
	       n);
	timer_stop();
	sti();
	settle(100);
	cli();
	before = cpu->irqs[VECTOR];
	for (uint64_t i = 0; i < n; i++) {
		timer_start(0, 100000); /* one shot */
		EXPECT(halt_until(&cpu->irqs[VECTOR], before + i + 1), "one shot %lu did not come", i);
		EXPECT(cpu->irqs[VECTOR] == before + i + 1, "one shot %lu came %lu times", i,
		       cpu->irqs[VECTOR] - before - i);
		if (failed())
			break;
	}
	timer_stop();
}

/* Interrupts come at any point of a long run of exits, and the run is not disturbed. */
static void timer_during_exits(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t before = cpu->irqs[VECTOR], n = rounds(20000), ticks;
	uint32_t first[4], r[4];

	cpuid(1, 0, first);
	timer_start(0x20000, 1000000);
	sti();
	for (uint64_t i = 0, end = tsc() + us(LIMIT_MS * 1000ULL);
	     (i < n || cpu->irqs[VECTOR] == before) && tsc() < end && !failed(); i++) {
		cpuid(1, 0, r);
		EXPECT(!memcmp(first, r, sizeof(r)), "CPUID leaf 1 changed: %x %x %x %x", r[0], r[1], r[2], r[3]);
		EXPECT(msr(EFER) & EFER_NXE, "EFER changed: %lx", msr(EFER));
	}
	cli();
	ticks = cpu->irqs[VECTOR] - before;
	timer_stop();
	EXPECT(ticks, "no timer interrupt in %lu rounds", n);
	note("%lu interrupts in %lu rounds", ticks, n);
}

static void tsc_monotonic(void)
{
	uint64_t last = tsc(), now, n = rounds(20000);
	uint32_t r[4];

	for (uint64_t i = 0; i < n; i++) {
		if (i % 4 == 0)
			cpuid(0, 0, r);
		if (i % 4 == 1)
			apic_write(APIC_TPR, 0);
		now = i & 1 || !machine.intel ? tsc() : msr(0x10); /* QEMU reads the MSR as 0 */
		if (now < last) {
			fail("the counter went back by %lu", last - now);
			return;
		}
		last = now;
	}
}

const struct test time_tests[] = {
        {"time-pit", pit, 0},
        {"time-apic-timer", apic_timer, 0},
        {"time-timer-during-exits", timer_during_exits, 0},
        {"time-tsc-monotonic", tsc_monotonic, 0},
        {NULL, NULL, 0},
};
