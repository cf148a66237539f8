// SPDX-License-Identifier: Apache-2.0
/*
 * Commits while another CPU is in a state from which little gets it out: each reaches it, or is refused by its name
 * with nothing done; and afterwards a commit works as if nothing had been. Which leaf, and for what kernel:
 * fake_linux.h.
 */
#include "kernel.h"
#include "fake_linux.h"

static struct nl_commit_report report;

static void committed(bool applied, const char *when)
{
	enum nl_err err = fake_linux_commit(applied, 5000, &report);

	EXPECT(!err, "commit %s: error %d after %u tries, CPU %d, %u silent", when, err, report.tries,
	       (int)report.blocker.cpu, report.blocker.missing);
	EXPECT(fake_linux_shows(applied), "commit %s: CPU 0 reads other bytes", when);
}

static void read_by(struct cpu *c, bool applied)
{
	EXPECT(smp_call(c, fake_linux_read) && c->result == (applied ? 2 : 1), "CPU %u reads other bytes than CPU 0",
	       c->index);
}

/* All others idle, nothing applied, CPU 1 fresh. */
static bool begin(void)
{
	if (!smp_start_all() || !smp_start(&cpus[1], 0)) {
		fail("%u CPUs of %u run", smp_running(), machine.n_cpus);
		return false;
	}
	if (!fake_linux_begin())
		return false;
	fake_linux_commit(false, 5000, &report);
	EXPECT(fake_linux_shows(false), "what was applied cannot be taken back");
	return !failed();
}

static void idle(void)
{
	if (!begin())
		return;
	for (uint64_t n = 2 * rounds(20) - 1; n && !failed(); n--) {
		committed(n & 1, "with idle CPUs");
		EXPECT(report.cpus_held == machine.n_cpus && report.cpus_total == machine.n_cpus, "%u of %u CPUs held",
		       report.cpus_held, report.cpus_total);
		for (unsigned i = 1; i < machine.n_cpus; i++)
			read_by(&cpus[i], n & 1);
	}
}

/* --- NMI handlers, in which the guest has blocked NMIs and interrupts --- */

extern const uint8_t held_spinning[], held_spinning_end[], held_exiting[], held_exiting_end[];

__attribute__((noinline)) static void spinning(struct cpu *cpu)
{
	cpu->result = 1;
	__asm__ volatile("held_spinning: pause; cmpq $0, %0; je held_spinning; held_spinning_end:" ::"m"(cpu->arg));
}

__attribute__((noinline)) static void exiting(struct cpu *cpu)
{
	cpu->result = 1;
	__asm__ volatile(
	        "held_exiting: xor %%eax, %%eax; cpuid; cmpq $0, %0; je held_exiting; held_exiting_end:" ::"m"(cpu->arg)
	        : "rax", "rbx", "rcx", "rdx");
}

static void halting(struct cpu *cpu)
{
	for (cpu->result = 1;;)
		__asm__ volatile("hlt");
}

/* CPU 1 is in its handler, and another NMI waits. */
static bool enter_handler(struct cpu *c, void (*hook)(struct cpu *))
{
	c->arg = c->result = 0;
	c->nmi_hook = hook;
	apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
	if (!WAIT(c->result)) {
		fail("CPU 1 did not take the NMI");
		return false;
	}
	apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
	return true;
}

/* The kick comes through, and the CPU says where it stands: in the kernel, so the commit is refused, naming it. */
static void refused(void (*hook)(struct cpu *), const uint8_t *from, const uint8_t *to)
{
	struct cpu *c = &cpus[1];
	uint64_t rip, before;
	enum nl_err err;

	if (!begin() || !enter_handler(c, hook))
		return;
	before = c->nmis;
	err = fake_linux_commit(true, 300, &report);
	rip = report.blocker.rip;
	EXPECT(err == NL_EDEADLINE, "error %d, not NL_EDEADLINE", err);
	EXPECT(report.blocker.cpu == 1, "CPU %d is named", (int)report.blocker.cpu);
	EXPECT(rip >= (uint64_t)from && rip < (uint64_t)to, "it stands at %lx, not in %lx..%lx (0: no answer)", rip,
	       (uint64_t)from, (uint64_t)to);
	EXPECT(fake_linux_shows(false), "the commit was refused, and CPU 0 reads the new bytes");
	EXPECT(c->nmis == before, "%lu NMIs came into the handler", c->nmis - before);
	note("%u tries", report.tries);
	c->arg = 1;
	EXPECT(WAIT(c->nmis == before + 1), "the NMI that waited is lost");
	read_by(c, false);
	committed(true, "behind IRET");
	read_by(c, true);
	EXPECT(c->nmis == before + 1, "%lu NMIs were made up", c->nmis - before - 1);
}

static void blocked_spinning(void) { refused(spinning, held_spinning, held_spinning_end); }
static void blocked_exiting(void) { refused(exiting, held_exiting, held_exiting_end); }

/* One that halts there stands well. It is reached, and left as it was: halted, with its NMI still waiting. */
static void blocked_halted(void)
{
	struct cpu *c = &cpus[1];
	uint64_t before;

	if (!begin() || !enter_handler(c, halting))
		return;
	settle(1000);
	before = c->nmis;
	for (uint64_t n = 2 * rounds(10) - 1; n && !failed(); n--)
		committed(n & 1, "with NMIs blocked in HLT");
	EXPECT(report.cpus_held == machine.n_cpus, "%u CPUs held", report.cpus_held);
	settle(2000);
	EXPECT(c->nmis == before, "%lu NMIs came into the handler", c->nmis - before);
	REQUIRE(smp_start(c, 0), "CPU 1 did not start again");
	read_by(c, true);
	EXPECT(c->nmis == before, "%lu NMIs came behind INIT", c->nmis - before);
	apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
	EXPECT(WAIT(c->nmis == before + 1), "no NMI behind INIT");
	committed(false, "behind INIT");
	read_by(c, false);
}

/* --- INIT --- */

/* A CPU that waits for SIPI takes no part, and shows the new bytes from its first instruction on. */
static void waiting(void)
{
	struct cpu *c = &cpus[1];

	if (!begin())
		return;
	for (uint64_t n = rounds(10); n && !failed(); n--) {
		read_by(c, false);
		apic_send(c->apic_id, ICR_INIT | ICR_ASSERT);
		settle(1000);
		committed(true, "with a CPU that waits for SIPI");
		EXPECT(report.cpus_total == machine.n_cpus - 1, "%u CPUs of %u took part", report.cpus_total,
		       machine.n_cpus);
		REQUIRE(smp_start(c, 0), "CPU 1 did not start again");
		read_by(c, true);
		committed(false, "behind its start");
	}
}

static volatile uint64_t init_at;

static void init_then(struct cpu *cpu)
{
	for (cpu->result = 1; tsc() < init_at;)
		pause();
	apic_send(cpus[1].apic_id, ICR_INIT | ICR_ASSERT);
	while (cpu == &cpus[1])
		pause();
}

static void stay(struct cpu *cpu)
{
	for (cpu->result = 1;; pause())
		;
}

static bool spins_until_init(struct cpu *c, struct cpu *by)
{
	init_at = UINT64_MAX;
	c->result = by->result = 0;
	if (by != c)
		smp_give(c, stay);
	smp_give(by, init_then);
	return WAIT(by->result && c->result);
}

/* One try that CPU 1 refuses, for it spins in the kernel. */
static uint64_t ticks_of_a_try(struct cpu *by)
{
	uint64_t start;

	EXPECT(spins_until_init(&cpus[1], by), "CPU 1 did not take its job");
	fake_linux_prepare(true, 5000);
	start = tsc();
	fake_linux_try(&report);
	start = tsc() - start;
	smp_start(&cpus[1], 0);
	if (by != &cpus[1])
		smp_start(by, 0);
	return start;
}

/*
 * INIT in every phase of a try to freeze, the kick's among them. CPU 1 spins in the kernel, so the try is refused, and
 * so are those behind it, until INIT has made it wait. From its own hand, or of a third CPU if there is one.
 */
static void meets_init(void)
{
	struct cpu *c = &cpus[1], *by = machine.n_cpus > 2 ? &cpus[2] : c;
	uint64_t n = 20 + rounds(180), tries = 0, ticks = begin() ? ticks_of_a_try(by) : 0;

	for (uint64_t i = 0; i < n && !failed(); i++) {
		uint64_t nmis = c->nmis;
		bool applied = !(i & 1);
		enum nl_err err;

		REQUIRE(spins_until_init(c, by), "CPU 1 did not take its job");
		err = fake_linux_prepare(applied, 5000);
		EXPECT(!err, "PREPARE: error %d", err);
		init_at = tsc() + ticks * i / n;
		do
			err = fake_linux_try(&report);
		while (err == NL_AGAIN);
		EXPECT(!err && fake_linux_shows(applied), "a commit that meets INIT: error %d, CPU %d", err,
		       (int)report.blocker.cpu);
		tries += report.tries;
		EXPECT(report.cpus_total == machine.n_cpus - 1, "%u CPUs of %u took part", report.cpus_total,
		       machine.n_cpus);
		REQUIRE(smp_start(c, 0), "CPU 1 did not start again");
		read_by(c, applied);
		committed(!applied, "behind INIT");
		committed(applied, "behind INIT, again");
		read_by(c, applied);
		EXPECT(c->nmis == nmis, "%lu NMIs were made up", c->nmis - nmis);
	}
	note("%lu tries of %lu ticks in %lu commits", tries, ticks, n);
}

const struct test freeze_tests[] = {
        {"freeze-idle", idle, SMP_ONLY | NEWLEAF_ONLY},
        {"freeze-nmi-blocked-spinning", blocked_spinning, SMP_ONLY | NEWLEAF_ONLY},
        {"freeze-nmi-blocked-exiting", blocked_exiting, SMP_ONLY | NEWLEAF_ONLY},
        {"freeze-nmi-blocked-halted", blocked_halted, SMP_ONLY | NEWLEAF_ONLY},
        {"freeze-waiting", waiting, SMP_ONLY | NEWLEAF_ONLY},
        {"freeze-meets-init", meets_init, SMP_ONLY | NEWLEAF_ONLY},
        {NULL, NULL, 0},
};
