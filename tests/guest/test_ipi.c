// SPDX-License-Identifier: Apache-2.0
/*
 * Fixed interrupts between CPUs, and what all CPUs must agree on.
 */
#include "kernel.h"

#define VECTOR 0x53

static void open(struct cpu *cpu)
{
	sti();
	while (!cpu->arg)
		pause();
	cli();
}

static void each(void (*job)(struct cpu *), uint64_t arg)
{
	for (unsigned i = 1; i < machine.n_cpus; i++) {
		cpus[i].arg = arg;
		smp_give(&cpus[i], job);
	}
}

static bool all_done(void)
{
	bool ok = true;

	for (unsigned i = 1; i < machine.n_cpus; i++)
		ok &= smp_wait(&cpus[i]);
	return ok;
}

static void close_all(void)
{
	for (unsigned i = 1; i < machine.n_cpus; i++)
		cpus[i].arg = 1;
	EXPECT(all_done(), "a CPU did not come back");
}

static void answer(struct cpu *cpu) /* each interrupt is answered by one */
{
	uint64_t seen = cpu->base;

	sti();
	for (uint64_t i = 0; i < cpu->arg; i++) {
		if (!WAIT(cpu->irqs[VECTOR] > seen + i))
			break;
		apic_send(cpus[0].apic_id, ICR_FIXED | ICR_ASSERT | VECTOR);
	}
	cli();
	cpu->result = cpu->irqs[VECTOR] - seen;
}

static void ping_pong(void)
{
	struct cpu *me = this_cpu();
	uint64_t n = rounds(300), before = me->irqs[VECTOR], start = tsc();

	cpus[1].arg = n;
	cpus[1].base = cpus[1].irqs[VECTOR];
	smp_give(&cpus[1], answer);
	sti();
	for (uint64_t i = 0; i < n && !failed(); i++) {
		apic_send(cpus[1].apic_id, ICR_FIXED | ICR_ASSERT | VECTOR);
		EXPECT(WAIT(me->irqs[VECTOR] >= before + i + 1), "no answer in round %lu", i);
	}
	start = tsc() - start;
	cli();
	REQUIRE(smp_wait(&cpus[1]), "CPU 1 did not come back");
	EXPECT(cpus[1].result == n && me->irqs[VECTOR] - before == n, "%lu sent, CPU 1 got %lu, %lu answers", n,
	       cpus[1].result, me->irqs[VECTOR] - before);
	note("%lu rounds, %lu ticks each", n, start / n);
}

static void halting_answer(struct cpu *cpu)
{
	uint64_t seen = cpu->base;

	for (uint64_t i = 0; i < cpu->arg; i++) {
		while (cpu->irqs[VECTOR] <= seen + i)
			__asm__ volatile("sti; hlt; cli" ::: "memory");
		cpu->result = i + 1;
	}
}

static void wakes_halt(void)
{
	uint64_t n = rounds(200);

	cpus[1].arg = n;
	cpus[1].base = cpus[1].irqs[VECTOR];
	cpus[1].result = 0;
	smp_give(&cpus[1], halting_answer);
	for (uint64_t i = 0; i < n && !failed(); i++) {
		apic_send(cpus[1].apic_id, ICR_FIXED | ICR_ASSERT | VECTOR);
		EXPECT(WAIT(cpus[1].result == i + 1), "CPU 1 did not wake up in round %lu", i);
	}
	if (failed())
		smp_start(&cpus[1], 0);
	EXPECT(smp_wait(&cpus[1]), "CPU 1 did not come back");
}

/* Counts of every CPU for each shorthand and logical destination are exact. */
static void destinations(void)
{
	struct {
		const char *name;
		uint32_t dest, low;
		uint64_t targets;
	} list[] = {
	        {"self", 0, ICR_SELF, 1},
	        {"all", 0, ICR_ALL, ~0ULL},
	        {"others", 0, ICR_OTHERS, ~1ULL},
	        {"physical broadcast", 0xff, 0, ~0ULL},
	        {"logical, CPU 1", 2, ICR_LOGICAL, 2},
	        {"logical, CPUs 0 and 1", 3, ICR_LOGICAL, 3},
	};
	uint64_t before[MAX_CPUS], n = rounds(20);

	each(open, 0);
	sti();
	for (unsigned d = 0; d < (machine.n_cpus <= 8 ? NL_ARRAY_SIZE(list) : 4) && !failed(); d++) {
		for (unsigned i = 0; i < machine.n_cpus; i++)
			before[i] = cpus[i].irqs[VECTOR];
		for (uint64_t k = 1; k <= n && !failed(); k++) {
			apic_send(list[d].dest, list[d].low | ICR_ASSERT | VECTOR);
			for (unsigned i = 0; i < machine.n_cpus; i++)
				if (list[d].targets >> i & 1)
					EXPECT(WAIT(cpus[i].irqs[VECTOR] == before[i] + k), "%s: CPU %u got %lu of %lu",
					       list[d].name, i, cpus[i].irqs[VECTOR] - before[i], k);
		}
		settle(1000);
		for (unsigned i = 0; i < machine.n_cpus; i++)
			EXPECT(cpus[i].irqs[VECTOR] - before[i] == (list[d].targets >> i & 1 ? n : 0),
			       "%s: CPU %u got %lu", list[d].name, i, cpus[i].irqs[VECTOR] - before[i]);
	}
	cli();
	close_all();
}

/*
 * A ring: each CPU sends to the next one; before the next round it waits for its own, and for the one it sent, because
 * two of one vector that wait together are one. All the time exits go on.
 */
static void ring_job(struct cpu *cpu)
{
	struct cpu *next = &cpus[(cpu->index + 1) % machine.n_cpus];
	uint64_t before = cpu->base, sent = next->base;
	uint32_t r[4];

	sti();
	for (uint64_t i = 0; i < cpu->arg; i++) {
		apic_send(next->apic_id, ICR_FIXED | ICR_ASSERT | VECTOR);
		cpuid(0, 0, r);
		if (!WAIT(cpu->irqs[VECTOR] > before + i && next->irqs[VECTOR] > sent + i))
			break;
	}
	settle(1000); /* a doubled one would come now */
	cli();
	cpu->result = cpu->irqs[VECTOR] - before;
}

static void ring(void)
{
	uint64_t n = rounds(200);

	for (unsigned i = 0; i < machine.n_cpus; i++)
		cpus[i].base = cpus[i].irqs[VECTOR];
	cpus[0].arg = n;
	each(ring_job, n);
	ring_job(&cpus[0]);
	EXPECT(all_done(), "a CPU did not come back");
	for (unsigned i = 0; i < machine.n_cpus; i++)
		EXPECT(cpus[i].result == n, "CPU %u got %lu of %lu", i, cpus[i].result, n);
}

/* CPUID of every CPU, less what names the CPU itself or mirrors its XCR0. */
struct leaf {
	uint32_t leaf, sub, r[4];
};
static struct leaf *leaves;
static unsigned n_leaves;

static bool names_cpu(uint32_t leaf)
{
	return leaf == 0xb || leaf == 0x1f || leaf == 0x8000001e || leaf == 0x8000001d || leaf == 4;
}

static void read_leaf(struct leaf *l)
{
	cpuid(l->leaf, l->sub, l->r);
	if (l->leaf == 1)
		l->r[1] &= 0x00ffffff; /* APIC ID */
	if (l->leaf == 0xd && l->sub < 2)
		l->r[1] = 0; /* size by XCR0 */
}

static void compare_leaves(struct cpu *cpu)
{
	cpu->result = 0;
	for (unsigned i = 0; i < n_leaves; i++) {
		struct leaf l = leaves[i];

		read_leaf(&l);
		if (!names_cpu(l.leaf) && memcmp(l.r, leaves[i].r, sizeof(l.r)) && !cpu->result)
			cpu->result = (uint64_t)l.leaf << 32 | l.sub | 1ULL << 31;
	}
}

static void cpuid_equal(void)
{
	static const uint32_t first[] = {0, 0x40000000, 0x40000100, 0x80000000};
	uint32_t r[4];

	leaves = page_alloc(4);
	n_leaves = 0;
	for (unsigned b = 0; b < NL_ARRAY_SIZE(first); b++) {
		cpuid(first[b], 0, r);
		if (r[0] < first[b] || r[0] > first[b] + 0x40)
			continue; /* no such block */
		for (uint32_t leaf = first[b], last = r[0]; leaf <= last; leaf++)
			for (uint32_t sub = 0; sub < (leaf == 7 || leaf == 0xd || leaf == 0x14 ? 4u : 1u) &&
			                       n_leaves < 4 * 4096 / sizeof(*leaves);
			     sub++) {
				leaves[n_leaves] = (struct leaf){leaf, sub, {0}};
				read_leaf(&leaves[n_leaves++]);
			}
	}
	for (unsigned i = 1; i < machine.n_cpus; i++) {
		REQUIRE(smp_call(&cpus[i], compare_leaves), "CPU %u did not answer", i);
		EXPECT(!cpus[i].result, "CPU %u differs in leaf %lx/%lx", i, cpus[i].result >> 32,
		       cpus[i].result & 0xff);
	}
	note("%u leaves", n_leaves);
}

/* Time never runs backwards from one CPU to another: each passes its reading on. */
static volatile uint64_t baton, baton_turn, baton_error;

static void pass_baton(struct cpu *cpu)
{
	uint32_t r[4];

	for (uint64_t i = 0; i < cpu->arg && !baton_error; i++) {
		uint64_t mine = i * machine.n_cpus + cpu->index, now;

		if (!WAIT(baton_turn == mine))
			return;
		now = tsc();
		if (now < baton)
			baton_error = baton - now;
		baton = now;
		baton_turn = mine + 1;
		cpuid(0, 0, r);
	}
}

static void tsc_across(void)
{
	uint64_t n = rounds(200);

	baton = baton_turn = baton_error = 0;
	cpus[0].arg = n;
	each(pass_baton, n);
	pass_baton(&cpus[0]);
	EXPECT(all_done(), "a CPU did not come back");
	EXPECT(!baton_error, "the counter is %lu behind on another CPU", baton_error);
	EXPECT(baton_turn == n * machine.n_cpus, "%lu turns of %lu", baton_turn, n * machine.n_cpus);
}

const struct test ipi_tests[] = {
        {"ipi-ping-pong", ping_pong, SMP_ONLY},
        {"ipi-wakes-halt", wakes_halt, SMP_ONLY},
        {"ipi-destinations", destinations, SMP_ONLY},
        {"ipi-ring", ring, SMP_ONLY},
        {"cpuid-equal", cpuid_equal, SMP_ONLY},
        {"tsc-across-cpus", tsc_across, SMP_ONLY},
        {NULL, NULL, 0},
};
