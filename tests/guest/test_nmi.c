// SPDX-License-Identifier: Apache-2.0
/*
 * NMIs that the guest sends: none lost, none made up, blocking as on bare hardware.
 */
#include "kernel.h"

static void spin(struct cpu *cpu)
{
	while (!cpu->arg)
		pause();
}

static bool begin(struct cpu *cpu, void (*job)(struct cpu *))
{
	cpu->arg = cpu->result = 0;
	cpu->nmi_hook = NULL;
	smp_give(cpu, job);
	return true;
}

static void end(struct cpu *cpu)
{
	cpu->arg = 1;
	EXPECT(smp_wait(cpu), "CPU %u did not come back", cpu->index);
	cpu->nmi_hook = NULL;
}

/* n NMIs to CPU 1, each after the one before was counted. */
static void one_by_one(uint32_t dest, uint32_t low, uint64_t n)
{
	uint64_t before = cpus[1].nmis, mine = cpus[0].nmis;

	for (uint64_t i = 1; i <= n && !failed(); i++) {
		apic_send(dest, low | ICR_NMI | ICR_ASSERT);
		EXPECT(WAIT(cpus[1].nmis >= before + i), "NMI %lu of %lu did not come", i, n);
	}
	settle(2000);
	EXPECT(cpus[1].nmis == before + n, "%lu NMIs sent, %lu counted", n, cpus[1].nmis - before);
	EXPECT(cpus[0].nmis == mine, "the sender got %lu NMIs itself", cpus[0].nmis - mine);
}

static void physical(void)
{
	uint64_t start = tsc(), n = rounds(300);

	begin(&cpus[1], spin);
	one_by_one(cpus[1].apic_id, 0, n);
	end(&cpus[1]);
	note("%lu ticks each", (tsc() - start) / n);
}

static void logical(void)
{
	begin(&cpus[1], spin);
	one_by_one(2, ICR_LOGICAL, rounds(50));
	end(&cpus[1]);
}

static void others(void)
{
	uint64_t before[MAX_CPUS], n = rounds(200), mine = cpus[0].nmis;

	for (unsigned i = 1; i < machine.n_cpus; i++) {
		before[i] = cpus[i].nmis;
		begin(&cpus[i], spin);
	}
	for (uint64_t k = 1; k <= n && !failed(); k++) {
		apic_send(0, ICR_OTHERS | ICR_NMI | ICR_ASSERT);
		for (unsigned i = 1; i < machine.n_cpus; i++)
			EXPECT(WAIT(cpus[i].nmis >= before[i] + k), "CPU %u: NMI %lu did not come", i, k);
	}
	settle(2000);
	for (unsigned i = 1; i < machine.n_cpus; i++) {
		EXPECT(cpus[i].nmis == before[i] + n, "CPU %u counted %lu of %lu", i, cpus[i].nmis - before[i], n);
		end(&cpus[i]);
	}
	EXPECT(cpus[0].nmis == mine, "the sender got %lu itself", cpus[0].nmis - mine);
}

static void self(void)
{
	struct cpu *me = this_cpu();
	uint64_t before = me->nmis, n = rounds(200);

	for (uint64_t i = 1; i <= n && !failed(); i++) {
		apic_send(me->apic_id, ICR_NMI | ICR_ASSERT);
		EXPECT(WAIT(me->nmis >= before + i), "NMI %lu did not come", i);
	}
	settle(2000);
	EXPECT(me->nmis == before + n, "%lu sent, %lu counted", n, me->nmis - before);
}

/* While the handler runs, NMIs are blocked: one that comes meanwhile is latched, more merge into it. */
static volatile uint64_t in_handler, may_leave, max_depth, depth;

static void stay(struct cpu *cpu)
{
	uint64_t d = __atomic_add_fetch(&depth, 1, __ATOMIC_SEQ_CST);

	if (d > max_depth)
		max_depth = d;
	in_handler = cpu->nmis;
	WAIT(may_leave >= cpu->nmis);
	__atomic_sub_fetch(&depth, 1, __ATOMIC_SEQ_CST);
}

static void latched_n(unsigned sent_inside)
{
	struct cpu *c = &cpus[1];
	uint64_t before = c->nmis, n = rounds(50);

	in_handler = depth = max_depth = 0;
	may_leave = before;
	begin(c, spin);
	c->nmi_hook = stay;
	for (uint64_t i = 0; i < n && !failed(); i++) {
		uint64_t first = before + 2 * i + 1;

		apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
		EXPECT(WAIT(in_handler == first), "round %lu: the first NMI did not come", i);
		for (unsigned k = 0; k < sent_inside; k++)
			apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
		settle(100);
		EXPECT(c->nmis == first, "round %lu: an NMI came into the handler", i);
		may_leave = first;
		EXPECT(WAIT(in_handler == first + 1), "round %lu: the latched NMI is lost", i);
		may_leave = first + 1;
		EXPECT(WAIT(!depth), "round %lu: still in the handler", i);
	}
	settle(2000);
	EXPECT(c->nmis == before + 2 * n, "%lu rounds, %lu NMIs", n, c->nmis - before);
	EXPECT(max_depth == 1, "handlers were nested: %lu", max_depth);
	may_leave = ~0ULL;
	end(c);
}

static void latched(void) { latched_n(1); }
static void merged(void) { latched_n(4); }

/* Exits inside the handler do not unblock NMIs. */
static void exit_inside(struct cpu *cpu)
{
	uint32_t r[4];

	(void)cpu;
	for (unsigned i = 0; i < 10; i++) {
		cpuid(0, 0, r);
		apic_write(APIC_TPR, 0);
		outl(0x4e4c, 0);
	}
}

static void exits_in_handler(void)
{
	begin(&cpus[1], spin);
	cpus[1].nmi_hook = exit_inside;
	one_by_one(cpus[1].apic_id, 0, rounds(50));
	end(&cpus[1]);
}

static void latched_exits(struct cpu *cpu)
{
	in_handler = cpu->nmis;
	while (may_leave < cpu->nmis)
		exit_inside(cpu);
}

static void latched_with_exits(void)
{
	struct cpu *c = &cpus[1];
	uint64_t before = c->nmis, n = rounds(50);

	in_handler = 0;
	may_leave = before;
	begin(c, spin);
	c->nmi_hook = latched_exits;
	for (uint64_t i = 0; i < n && !failed(); i++) {
		uint64_t first = before + 2 * i + 1;

		apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
		EXPECT(WAIT(in_handler == first), "round %lu: the first NMI did not come", i);
		apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
		settle(200);
		EXPECT(c->nmis == first, "round %lu: an NMI came into the handler", i);
		may_leave = first + 1;
		EXPECT(WAIT(c->nmis == first + 1), "round %lu: the latched NMI is lost", i);
	}
	settle(2000);
	EXPECT(c->nmis == before + 2 * n, "%lu rounds, %lu NMIs", n, c->nmis - before);
	may_leave = ~0ULL;
	end(c);
}

/* An IRET inside the handler (of a breakpoint there) ends the blocking, as on bare hardware. The count stays exact. */
static void iret_inside(struct cpu *cpu) { cpu->result += (uint64_t)TRY("int3", ARGS(), ARGS()) == BP; }

static void iret_in_handler(void)
{
	uint64_t n = rounds(200);

	begin(&cpus[1], spin);
	cpus[1].nmi_hook = iret_inside;
	one_by_one(cpus[1].apic_id, 0, n);
	end(&cpus[1]);
	EXPECT(cpus[1].result == n, "%lu breakpoints in %lu handlers", cpus[1].result, n);
}

static void halting(struct cpu *cpu)
{
	while (!cpu->arg) {
		__asm__ volatile("cli; hlt");
		cpu->result++;
	}
}

/* An NMI that comes just before HLT wakes nobody: then another one is sent. The count is exact all the same. */
static void halted(void)
{
	struct cpu *c = &cpus[1];
	uint64_t before = c->nmis, sent = 0, n = rounds(200);

	begin(c, halting);
	for (uint64_t i = 1; i <= n && !failed(); i++) {
		do {
			apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
			sent++;
			EXPECT(WAIT(c->nmis == before + sent), "%lu sent, %lu handled", sent, c->nmis - before);
		} while (!failed() && sent < 2 * n && !WAIT_MS(c->result >= i, 50));
	}
	EXPECT(c->result >= n, "%lu sent, %lu wakes", sent, c->result);
	settle(2000);
	EXPECT(c->nmis == before + sent && c->result <= sent, "%lu sent, %lu handled, %lu wakes", sent,
	       c->nmis - before, c->result);
	c->arg = 1;
	apic_send(c->apic_id, ICR_NMI | ICR_ASSERT); /* so that it sees arg */
	if (!WAIT_MS(!c->job, 200))
		apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
	end(c);
	note("%lu NMIs for %lu wakes", sent, c->result);
}

/* The target is busy with exits of every kind, and what it computes stays right. */
static void busy(struct cpu *cpu)
{
	uint32_t first[4], r[4];

	cpuid(0, 0, first);
	while (!cpu->arg) {
		cpuid(0, 0, r);
		if (memcmp(first, r, sizeof(r)) || !(msr(EFER) & EFER_NXE) || rdmsr(0x1b, (uint64_t[]){0}) != NONE)
			cpu->result++;
		apic_write(APIC_TPR, 0);
		outl(0x4e4c, 0x4e4c4631);
	}
}

static void busy_target(void)
{
	begin(&cpus[1], busy);
	one_by_one(cpus[1].apic_id, 0, rounds(300));
	end(&cpus[1]);
	EXPECT(!cpus[1].result, "%lu wrong answers", cpus[1].result);
}

/* Two CPUs send to each other at the same time; each waits for its partner's handler before the next. */
static void duel_job(struct cpu *cpu)
{
	struct cpu *other = &cpus[!cpu->index];
	uint64_t before = other->result;

	for (uint64_t i = 1; i <= rounds(200); i++) {
		apic_send(other->apic_id, ICR_NMI | ICR_ASSERT);
		if (!WAIT(other->nmis >= before + i))
			break;
	}
}

static void duel(void)
{
	uint64_t n = rounds(200), before0, before1;

	before0 = cpus[0].result = cpus[0].nmis;
	before1 = cpus[1].result = cpus[1].nmis;
	cpus[1].nmi_hook = NULL;
	smp_give(&cpus[1], duel_job);
	duel_job(&cpus[0]);
	REQUIRE(smp_wait(&cpus[1]), "CPU 1 did not come back");
	settle(2000);
	EXPECT(cpus[0].nmis - before0 == n && cpus[1].nmis - before1 == n, "of %lu each, CPU 0 got %lu and CPU 1 %lu",
	       n, cpus[0].nmis - before0, cpus[1].nmis - before1);
}

/* An NMI does not end the one-instruction shadow of STI for an interrupt, nor is either lost. */
static void with_interrupts(void)
{
	struct cpu *c = &cpus[0];
	uint64_t nmis = c->nmis, irqs = c->irqs[0x54], n = rounds(200);

	for (uint64_t i = 1; i <= n && !failed(); i++) {
		apic_send(0, ICR_SELF | ICR_ASSERT | 0x54);
		apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
		sti();
		EXPECT(WAIT(c->nmis == nmis + i && c->irqs[0x54] == irqs + i), "round %lu: %lu NMIs, %lu interrupts", i,
		       c->nmis - nmis, c->irqs[0x54] - irqs);
		cli();
	}
}

/* NMIs that no ICR sends: the I/O APIC delivers the 8254's one-shot as NMI. Nobody has announced them, and none may be
 * taken for something else. */
#define IOAPIC 0xfec00000UL
#define PIT_PIN 2 /* as every PC wires it */

static void ioapic_write(uint32_t reg, uint32_t v)
{
	*(volatile uint32_t *)IOAPIC = reg;
	*(volatile uint32_t *)(IOAPIC + 0x10) = v;
}

static void pit_one_shot(void)
{
	outb(0x43, 0x30); /* mode 0: one edge at the end of the count */
	outb(0x40, 2000 & 0xff);
	outb(0x40, 2000 >> 8);
}

static void hardware_to(struct cpu *c, uint64_t n)
{
	uint64_t before = c->nmis;

	ioapic_write(0x11 + 2 * PIT_PIN, c->apic_id << 24);
	ioapic_write(0x10 + 2 * PIT_PIN, ICR_NMI);
	settle(10000); /* an edge of the count before */
	before = c->nmis;
	for (uint64_t i = 1; i <= n && !failed(); i++) {
		pit_one_shot();
		EXPECT(WAIT(c->nmis >= before + i), "CPU %u: NMI %lu of the timer did not come", c->index, i);
	}
	settle(5000);
	EXPECT(c->nmis == before + n, "CPU %u: %lu NMIs of %lu", c->index, c->nmis - before, n);
	ioapic_write(0x10 + 2 * PIT_PIN, 0x10000);
}

static void hardware(void)
{
	hardware_to(this_cpu(), rounds(20));
	if (machine.n_cpus > 1 && !failed()) {
		begin(&cpus[1], busy);
		hardware_to(&cpus[1], rounds(20));
		end(&cpus[1]);
		EXPECT(!cpus[1].result, "%lu wrong answers", cpus[1].result);
	}
}

const struct test nmi_tests[] = {
        {"nmi-self", self, 0},
        {"nmi-with-interrupts", with_interrupts, 0},
        {"nmi-hardware", hardware, 0},
        {"nmi-physical", physical, SMP_ONLY},
        {"nmi-logical", logical, SMP_ONLY},
        {"nmi-others", others, SMP_ONLY},
        {"nmi-latched", latched, SMP_ONLY},
        {"nmi-merged", merged, SMP_ONLY},
        {"nmi-exits-in-handler", exits_in_handler, SMP_ONLY},
        {"nmi-latched-with-exits", latched_with_exits, SMP_ONLY},
        {"nmi-iret-in-handler", iret_in_handler, SMP_ONLY},
        {"nmi-halted", halted, SMP_ONLY},
        {"nmi-busy-target", busy_target, SMP_ONLY},
        {"nmi-duel", duel, SMP_ONLY},
        {NULL, NULL, 0},
};
