// SPDX-License-Identifier: Apache-2.0
/*
 * NMIs and the IRET that ends their blocking: it is seen by nobody else, and a CPU that never executes it can still be
 * reached.
 */
#include "kernel.h"

#define TF 0x100ULL
#define DR6_CLEAR 0xffff0ff0ULL
#define DR6_BS 0x4000ULL
#define VECTOR 0x55

_Noreturn void leave_nmi(struct frame *f, const void *last); /* entry.S */
extern const uint8_t leave_by_popf[], leave_by_sti[];

/* One NMI for this CPU itself. */
static void take_nmi(void (*hook)(struct cpu *))
{
	struct cpu *me = this_cpu();
	uint64_t before = me->nmis;

	me->nmi_hook = hook;
	apic_send(me->apic_id, ICR_NMI | ICR_ASSERT);
	EXPECT(WAIT(me->nmis > before), "the NMI did not come");
	me->nmi_hook = NULL;
	settle(200);
	EXPECT(me->nmis == before + 1, "one NMI sent, %lu taken", me->nmis - before);
}

static void expect_db(const char *what, unsigned n, uint64_t dr6)
{
	struct cpu *me = this_cpu();

	EXPECT(me->db_count == n, "%s: %u single-step traps, expected %u", what, me->db_count, n);
	if (n && me->db_count)
		EXPECT((me->db_dr6[0] & (DR6_BS | 15)) == dr6, "%s: DR6 %lx", what, me->db_dr6[0]);
	me->db_count = 0;
}

/* No trace of a step: no trap, no bit in DR6 or in the flags that the interrupted code sees. */
static void unseen(void)
{
	static const uint64_t dr6[] = {DR6_CLEAR, DR6_CLEAR | DR6_BS, DR6_CLEAR | 1};
	struct cpu *me = this_cpu();
	uint64_t flags;

	me->db_count = 0;
	me->db_max = 8;
	for (uint64_t i = 0; i < rounds(60) && !failed(); i++) {
		write_dr6(dr6[i % 3]);
		take_nmi(NULL);
		EXPECT(read_dr6() == dr6[i % 3], "DR6 was %lx and is %lx", dr6[i % 3], read_dr6());
		__asm__ volatile("pushfq; pop %0" : "=r"(flags));
		EXPECT(!(flags & TF), "flags %lx behind the NMI", flags);
	}
	expect_db("nobody steps", 0, 0);
	write_dr6(DR6_CLEAR);
	me->db_max = 0;
}

/* The guest steps over the IRET of its NMI handler itself: trap at the first instruction behind. */
static void step_iret(struct cpu *cpu)
{
	cpu->nmi_frame->error = TF | 2;
	leave_nmi(cpu->nmi_frame, leave_by_popf);
}

static void stepped(void)
{
	struct cpu *me = this_cpu();

	for (uint64_t i = 0; i < rounds(20) && !failed(); i++) {
		me->db_count = 0;
		me->db_max = 8;
		write_dr6(DR6_CLEAR);
		take_nmi(step_iret);
		EXPECT(me->db_rip[0] == me->nmi_rip, "trap at %lx, the IRET went to %lx", me->db_rip[0], me->nmi_rip);
		expect_db("a step over IRET", 1, DR6_BS);
	}
	me->db_max = 0;
}

/* The handler gives the interrupted code TF: trap behind that code's first instruction. */
static void give_tf(struct cpu *cpu) { cpu->nmi_frame->rflags |= TF; }

static void traced(void)
{
	struct cpu *me = this_cpu();

	for (uint64_t i = 0; i < rounds(20) && !failed(); i++) {
		me->db_count = 0;
		me->db_max = 1;
		write_dr6(DR6_CLEAR);
		take_nmi(give_tf);
		EXPECT(me->db_rip[0] != me->nmi_rip, "trap at %lx, before the first instruction", me->db_rip[0]);
		expect_db("IRET sets TF", 1, DR6_BS);
	}
	me->db_max = 0;
}

/* An interrupt that waits at the IRET is taken in front of it or behind: its frame shows no step either. */
static void open_iret(struct cpu *cpu)
{
	apic_send(0, ICR_SELF | ICR_ASSERT | VECTOR);
	leave_nmi(cpu->nmi_frame, leave_by_sti);
}

static void interrupted(void)
{
	struct cpu *me = this_cpu();

	me->db_count = 0;
	me->db_max = 8;
	for (uint64_t i = 0; i < rounds(50) && !failed(); i++) {
		uint64_t before = me->irqs[VECTOR];

		sti();
		take_nmi(open_iret);
		EXPECT(WAIT(me->irqs[VECTOR] > before), "the interrupt did not come");
		cli();
		EXPECT(me->irqs[VECTOR] == before + 1, "%lu interrupts", me->irqs[VECTOR] - before);
		EXPECT(!(me->irq_rflags & TF), "the interrupt's frame shows flags %lx", me->irq_rflags);
	}
	expect_db("an interrupt at the IRET", 0, 0);
	me->db_max = 0;
}

/* An IRET that faults: executed by the handler on a stack of its own, where #GP is then taken. */
static uint64_t iret_cs, iret_ss;
static bool nmi_waits;

static void fault_iret(struct cpu *cpu)
{
	static uint64_t stack[1024] __attribute__((aligned(64)));
	uint64_t *top = stack + 1024 - 8;

	if (cpu->result) /* the second NMI */
		return;
	cpu->result = 1;
	if (nmi_waits)
		apic_send(cpu->apic_id, ICR_NMI | ICR_ASSERT);
	top[0] = (uint64_t)fault_iret;
	top[1] = iret_cs;
	top[2] = 2;
	top[3] = (uint64_t)top;
	top[4] = iret_ss;
	__asm__ volatile(
	        "lea 1f(%%rip), %%r11; movl $-1, %%gs:16; mov %%r11, %%gs:8; mov %%rsp, %%r12; mov %0, %%rsp\n\t"
	        "iretq\n1:\tmov %%r12, %%rsp; movq $0, %%gs:8" ::"r"(top)
	        : "r11", "r12", "memory", "cc");
}

static void faulting(void)
{
	struct cpu *me = this_cpu();

	me->db_count = 0;
	me->db_max = 8;
	for (uint64_t i = 0; i < rounds(40) && !failed(); i++) {
		uint64_t before = me->nmis, wanted = 1 + (i >> 1 & 1);

		iret_cs = i & 1 ? 8 : 0xff8; /* beyond the table's limit */
		iret_ss = i & 1 ? 0xff8 : 0x10;
		nmi_waits = wanted == 2;
		me->result = 0;
		me->nmi_hook = fault_iret;
		apic_send(me->apic_id, ICR_NMI | ICR_ASSERT);
		EXPECT(WAIT(me->nmis >= before + wanted), "%lu NMIs of %lu", me->nmis - before, wanted);
		settle(200);
		EXPECT(me->nmis == before + wanted, "%lu NMIs, expected %lu", me->nmis - before, wanted);
		EXPECT(me->vector == GP && me->error == 0xff8, "vector %d error %x", me->vector, me->error);
		/* AMD: blocked until an IRET completes; Intel: unblocked even by one that faults (SDM vol. 3, 26.3) */
		if (!machine.intel)
			EXPECT(me->fault_nmis == before + 1, "the waiting NMI came into the handler of #GP");
	}
	me->nmi_hook = NULL;
	expect_db("an IRET that faults", 0, 0);
	me->db_max = 0;
}

/* A CPU that stays in its NMI handler, as panic and crash kernels make them: INIT reaches it all the same. */
static void spin_for_ever(struct cpu *cpu)
{
	for (cpu->result = 1;;)
		pause();
}

static void halt_for_ever(struct cpu *cpu)
{
	for (cpu->result = 1;;)
		__asm__ volatile("cli; hlt");
}

static void exit_for_ever(struct cpu *cpu)
{
	uint32_t r[4];

	for (cpu->result = 1;;)
		cpuid(0, 0, r);
}

static void busy(struct cpu *cpu)
{
	while (!cpu->arg)
		pause();
}

static void reached(void)
{
	static void (*const hooks[])(struct cpu *) = {spin_for_ever, halt_for_ever, exit_for_ever};
	const uint64_t n = machine.intel ? 2 : 3; /* Bochs drops an INIT that comes in root operation */
	struct cpu *c = &cpus[1];

	for (uint64_t i = 0; i < n * rounds(4) && !failed(); i++) {
		uint64_t before;

		c->result = c->arg = 0;
		c->nmi_hook = hooks[i % n];
		smp_give(c, busy);
		apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
		REQUIRE(WAIT(c->result), "CPU 1 did not take the NMI");
		apic_send(c->apic_id, ICR_NMI | ICR_ASSERT); /* latched, and forgotten by INIT */
		settle(100);
		before = c->nmis;
		REQUIRE(smp_start(c, 0), "handler %lu: INIT did not reach CPU 1 in its NMI handler", i % n);
		EXPECT(c->nmis == before, "an NMI from before INIT came behind it");
		smp_give(c, busy); /* and behind INIT NMIs are open again */
		apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
		EXPECT(WAIT(c->nmis == before + 1), "handler %lu: no NMI behind INIT", i % n);
		c->arg = 1;
		EXPECT(smp_wait(c), "CPU 1 did not come back");
	}
}

/* An NMI for a CPU that waits for SIPI is forgotten: it must not come to the fresh CPU, which has no handler yet. */
static void while_waiting(void)
{
	struct cpu *c = &cpus[1];

	for (uint64_t i = 0; i < rounds(20) && !failed(); i++) {
		uint64_t nmis = c->nmis, starts = c->starts;

		apic_send(c->apic_id, ICR_INIT | ICR_ASSERT);
		settle(1000);
		apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
		settle(100);
		apic_send(c->apic_id, ICR_SIPI | ICR_ASSERT | (uint32_t)(machine.low[0] >> 12));
		REQUIRE(smp_wait_started(c, starts), "CPU 1 did not start");
		settle(500);
		EXPECT(c->nmis == nmis && c->starts == starts + 1, "%lu NMIs came behind INIT, %lu starts",
		       c->nmis - nmis, c->starts - starts);
	}
}

/* Everybody sends to CPU 1 at once. Two that wait together are one, but none is lost: behind each comes a handler. */
static void sender(struct cpu *cpu)
{
	for (uint64_t i = 0; i < cpu->arg; i++) {
		uint64_t before = cpus[1].nmis;

		apic_send(cpus[1].apic_id, ICR_NMI | ICR_ASSERT);
		if (!WAIT(cpus[1].nmis > before))
			cpu->result++;
	}
}

static void storm(void)
{
	struct cpu *c = &cpus[1];
	uint64_t n = rounds(300);

	REQUIRE(smp_start_all(), "%u CPUs of %u run", smp_running(), machine.n_cpus);
	c->arg = 0;
	c->nmi_hook = NULL;
	smp_give(c, busy);
	for (unsigned i = 2; i < machine.n_cpus; i++) {
		cpus[i].result = 0;
		cpus[i].arg = n;
		smp_give(&cpus[i], sender);
	}
	cpus[0].arg = n;
	cpus[0].result = 0;
	sender(&cpus[0]);
	for (unsigned i = 2; i < machine.n_cpus; i++)
		EXPECT(smp_wait(&cpus[i]), "CPU %u did not come back", i);
	for (unsigned i = 0; i < machine.n_cpus; i++)
		EXPECT(i == 1 || !cpus[i].result, "CPU %u: %lu NMIs of %lu were lost", i, cpus[i].result, n);
	c->arg = 1;
	EXPECT(smp_wait(c), "CPU 1 did not come back");
}

const struct test iret_tests[] = {
        {"iret-unseen", unseen, 0},
        {"iret-stepped", stepped, 0},
        {"iret-traced", traced, 0},
        {"iret-interrupted", interrupted, 0},
        {"iret-faulting", faulting, 0},
        {"nmi-reached", reached, SMP_ONLY},
        {"nmi-while-waiting", while_waiting, SMP_ONLY},
        {"nmi-storm", storm, SMP_ONLY},
        {NULL, NULL, 0},
};
