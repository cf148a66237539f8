// SPDX-License-Identifier: Apache-2.0
/*
 * Cells (hv/net/cell.h), with the instrument's build below: what an image can do and what is its end, what bounds it,
 * and that the guest beside it keeps its state and all its events. The image is cell/image.S.
 */
#include "kernel.h"
#include "cell/commands.h"
#include "fake_linux.h"

extern const uint8_t cell_image[], cell_image_end[];
void probe(uint64_t r[16], const void *code);
__asm__("cell_door: cpuid; ret\ncell_user: int $0x80\n");
extern const uint8_t cell_door[], cell_user[];

#define X(name) C_##name,
enum command { CELL_GOOD(X) N_GOOD, FIRST_BAD = N_GOOD - 1, CELL_BAD(X) N_COMMANDS };
#undef X
#define X(name) #name,
static const char *const names[] = {CELL_GOOD(X) CELL_BAD(X)};
#undef X

enum end { CALL, FAULT, TIME, LEFT }; /* cell_ops.h */
enum { RAX, RCX, RDX, RBX, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, FLAGS = 15 };

struct answer {
	uint64_t end, result, code, rip, spent;
};

/* All registers besides those of the call must come back as they were. */
static void call(uint64_t r[16])
{
	const uint64_t keep[] = {0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444,
	                         0x5555555555555555, 0x6666666666666666, 0x7777777777777777};

	r[RAX] = CELL_LEAF;
	r[RBP] = 0x8888888888888888;
	memcpy(&r[R8], keep, sizeof(keep));
	r[FLAGS] &= 0x200;
	r[FLAGS] |= 0x8d7; /* all that a program sees */
	const uint64_t flags = r[FLAGS];
	probe(r, cell_door);
	EXPECT(!memcmp(&r[R8], keep, sizeof(keep)) && r[RBP] == 0x8888888888888888, "a register was changed: %lx %lx",
	       r[R8], r[RBP]);
	EXPECT(r[FLAGS] == flags, "RFLAGS were %lx and are %lx", flags, r[FLAGS]);
}

static uint64_t interrupts; /* RFLAGS.IF of the guest while the cell runs */

static struct answer run_cell(uint64_t rax, uint64_t rdx, uint64_t ticks, uint64_t how)
{
	uint64_t r[16] = {[RCX] = CELL_OP_RUN, [RBX] = rax, [RDX] = rdx, [RSI] = ticks, [RDI] = how};

	r[FLAGS] = interrupts;
	call(r);
	return (struct answer){r[RAX], r[RBX], r[RCX], r[RDX], r[RSI]};
}

static uint64_t op(uint64_t what, uint64_t rbx, uint64_t rdx, unsigned answer)
{
	uint64_t r[16] = {[RCX] = what, [RBX] = rbx, [RDX] = rdx};

	call(r);
	return r[answer];
}

bool cell_present(void)
{
	if (machine.bare || op(CELL_OP_ASK, 0, 0, RAX) != CELL_PRESENT)
		return false;
	return op(CELL_OP_IMAGE, (uint64_t)cell_image, (uint64_t)(cell_image_end - cell_image), RAX) == 0;
}

/* Long enough on the slowest emulator; what takes longer is a failure. */
static uint64_t enough(void) { return us(1000000); }

/* Until it calls or is at an end: what comes from outside is taken in between. */
static struct answer until_end(struct answer a)
{
	for (unsigned i = 0; a.end == LEFT && i < 1000; i++)
		a = run_cell(0, 0, enough(), CELL_GO_ON);
	return a;
}

static struct answer fresh(enum command c, uint64_t argument, uint64_t ticks, uint64_t how)
{
	struct answer a;

	op(CELL_OP_START, 0, 0, RAX);
	a = until_end(run_cell(0, 0, enough(), 0));
	EXPECT(a.end == CALL, "%s: a fresh cell does not call: end %lu, code %lx at %lx", names[c], a.end, a.code,
	       a.rip);
	return run_cell(c, argument, ticks, how);
}

static bool is_call(struct answer a, uint64_t result)
{
	a = until_end(a);
	return a.end == CALL && a.result == result;
}

/* --- What it may and what it may not --- */

static void calls(void)
{
	uint64_t n = rounds(1000), start;
	struct answer a = until_end(fresh(C_add, 0x700000005, enough(), 0));

	REQUIRE(is_call(a, 12), "5 + 7: end %lu, code %lx at %lx, %lu", a.end, a.code, a.rip, a.result);
	start = tsc();
	for (uint64_t i = 0; i < n && !failed(); i++) {
		a = until_end(run_cell(C_add, i << 32 | 3, enough(), 0));
		EXPECT(is_call(a, i + 3), "%lu + 3: end %lu, %lu", i, a.end, a.result);
	}
	note("%lu calls, %lu ticks each", n, (tsc() - start) / n);
	a = until_end(run_cell(C_mailbox, 0x1234567890, enough(), 0));
	EXPECT(is_call(a, 0x1234567890) && op(CELL_OP_PEEK, 1, 0, RDX) == 0x1234567890, "the mailbox: end %lu, %lx",
	       a.end, a.result);
	EXPECT(is_call(run_cell(C_selectors, 0, enough(), 0), 0), "null selectors");
	EXPECT(is_call(run_cell(C_flags, 0, enough(), 0), 0), "IF can be set");
}

static void ends(void)
{
	for (unsigned c = N_GOOD; c < N_COMMANDS; c++) {
		struct answer a = until_end(fresh((enum command)c, 0, enough(), 0));

		EXPECT(a.end == FAULT, "%s: end %lu at %lx", names[c], a.end, a.rip);
	}
	note("%u ends", N_COMMANDS - N_GOOD);
}

/* Nothing is left of the one before. */
static void anew(void)
{
	uint64_t sum = until_end(fresh(C_sum, 0, enough(), 0)).result;
	struct answer a;

	a = until_end(run_cell(C_dirty, 0, enough(), 0));
	EXPECT(a.end == CALL, "end %lu", a.end);
	a = until_end(run_cell(C_sum, 0, enough(), 0));
	EXPECT(a.end == CALL && a.result != sum, "its memory cannot be written");
	a = until_end(run_cell(C_ud2, 0, enough(), 0));
	EXPECT(a.end == FAULT, "end %lu", a.end);
	a = until_end(fresh(C_sum, 0, enough(), 0));
	EXPECT(a.end == CALL && a.result == sum, "a fresh cell has sum %lx, the first had %lx", a.result, sum);
}

/* --- The guest's state --- */

struct state {
	uint64_t cr0, cr2, cr3, cr4, dr[4], dr6, dr7;
	uint64_t msrs[15];
	uint16_t selectors[8];
	uint8_t tables[4][10];
	uint8_t fpu[512];
};

static const struct {
	uint32_t index;
	uint64_t value; /* 0: left as it is */
} msrs[] = {{0xc0000100, 0x123456789000},
            {0xc0000101, 0}, /* GS: this kernel lives on it */
            {0xc0000102, 0x223456789000},
            {0xc0000081, 0x0023001000000000},
            {0xc0000082, 0xffffffff81234560},
            {0xc0000083, 0xffffffff81234570},
            {0xc0000084, 0x47700},
            {0x174, 0x10},
            {0x175, 0xffffffff81234580},
            {0x176, 0xffffffff81234590},
            {0xc0000103, 0x77},
            {0x277, 0x0007010600070106},
            {0xc0000080, 0},
            {0x1d9, 0},
            {0x48, 0}};
_Static_assert(NL_ARRAY_SIZE(msrs) == 15, "struct state");

static bool has[NL_ARRAY_SIZE(msrs)];
static uint64_t before[NL_ARRAY_SIZE(msrs)];

static void prepare(uint8_t *fpu)
{
	for (unsigned i = 0; i < NL_ARRAY_SIZE(msrs); i++) {
		has[i] = rdmsr(msrs[i].index, &before[i]) == NONE;
		if (has[i] && msrs[i].value)
			has[i] = wrmsr(msrs[i].index, msrs[i].value) == NONE;
	}
	write_cr2(0x123456789abc);
	write_dr0(0x1000);
	write_dr1(0x400000); /* where the cell's image is to it, */
	write_dr2(0x402000);
	write_dr3(0x404000);
	write_dr6(0xffff0ff0);
	write_dr7(0x400 | 0x8 | 0x30000000 | 0x2 | 0x80 | 0x30000000); /* and two are on */
	for (unsigned i = 32; i < 416; i++)
		fpu[i] = (uint8_t)(i * 11 + 7);
	*(uint16_t *)fpu = 0x0e7f;
	fpu[4] = 0xff;
	*(uint32_t *)(fpu + 24) = 0x5fa1;
	for (unsigned i = 0; i < 8; i++)
		memset(fpu + 32 + 16 * i + 10, 0, 6);
	__asm__ volatile("fxrstor (%0)" ::"r"(fpu) : "memory");
}

static void take(struct state *s)
{
	memset(s, 0, sizeof(*s));
	__asm__ volatile("fxsave (%0)" ::"r"(s->fpu) : "memory");
	s->cr0 = read_cr0(), s->cr2 = read_cr2(), s->cr3 = read_cr3(), s->cr4 = read_cr4();
	s->dr[0] = read_dr0(), s->dr[1] = read_dr1(), s->dr[2] = read_dr2(), s->dr[3] = read_dr3();
	s->dr6 = read_dr6(), s->dr7 = read_dr7();
	for (unsigned i = 0; i < NL_ARRAY_SIZE(msrs); i++)
		if (has[i])
			rdmsr(msrs[i].index, &s->msrs[i]);
	__asm__ volatile("mov %%es, %0; mov %%ss, %1; mov %%ds, %2; mov %%fs, %3; mov %%gs, %4; str %5; sldt %6"
	                 : "=m"(s->selectors[0]), "=m"(s->selectors[1]), "=m"(s->selectors[2]), "=m"(s->selectors[3]),
	                   "=m"(s->selectors[4]), "=m"(s->selectors[5]), "=m"(s->selectors[6]));
	__asm__ volatile("sgdt %0; sidt %1" : "=m"(s->tables[0]), "=m"(s->tables[1]));
}

static void restore(void)
{
	write_dr7(0x400);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(msrs); i++)
		if (has[i] && msrs[i].value)
			wrmsr(msrs[i].index, before[i]);
	__asm__ volatile("fninit");
}

static struct state was __attribute__((aligned(16))), is __attribute__((aligned(16)));
static uint8_t fpu_area[512] __attribute__((aligned(16)));

static void same(const char *command)
{
	take(&is);
	if (!memcmp(&was, &is, sizeof(was)))
		return;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(msrs); i++)
		EXPECT(was.msrs[i] == is.msrs[i], "%s: MSR %x was %lx and is %lx", command, msrs[i].index, was.msrs[i],
		       is.msrs[i]);
	EXPECT(was.cr2 == is.cr2, "%s: CR2 was %lx and is %lx", command, was.cr2, is.cr2);
	EXPECT(was.dr6 == is.dr6 && was.dr7 == is.dr7, "%s: DR6 %lx DR7 %lx", command, is.dr6, is.dr7);
	EXPECT(!memcmp(was.dr, is.dr, sizeof(was.dr)), "%s: a debug register was changed", command);
	EXPECT(!memcmp(was.fpu, is.fpu, 512), "%s: x87 or SSE was changed", command);
	fail("%s: control registers, selectors or tables were changed", command);
}

static void state_kept(void)
{
	struct user_regs r = {.rflags = 2};
	unsigned n = 0;

	prepare(fpu_area);
	take(&was);
	for (unsigned c = 0; c < N_COMMANDS && !failed(); c++) {
		if (c == C_spin || c == C_count)
			continue;
		fresh((enum command)c, 1, enough(), c % 3 == 1 ? CELL_KICK : 0);
		same(names[c]);
		n++;
	}
	restore();
	/* the task register's hidden part is what brings a CPU from CPL 3 to its stack */
	EXPECT_VECTOR(user_run(cell_user, cell_user + 2, &r), 0x80, "CPL 3");
	note("%u commands", n);
}

/* --- The guest's events --- */

/* What waits when the cell is entered: it is left at once, at the same instruction, and the next run gets further. */
static void waiting(uint64_t how, unsigned nmis)
{
	struct cpu *me = this_cpu();
	uint64_t had, n = rounds(50), rip;

	for (uint64_t i = 0; i < n && !failed(); i++) {
		struct answer a = fresh(C_add, i << 32, enough(), 0);

		had = me->nmis;
		EXPECT(is_call(a, i), "round %lu: no call", i);
		rip = until_end(a).rip;
		a = run_cell(C_add, i << 32 | 1, enough(), how);
		EXPECT(a.end == LEFT && a.rip == rip, "round %lu: end %lu at %lx, it stood at %lx", i, a.end, a.rip,
		       rip);
		EXPECT(WAIT_MS(me->nmis == had + nmis, 100), "round %lu: %lu NMIs of %u", i, me->nmis - had, nmis);
		a = run_cell(0, 0, enough(), CELL_GO_ON);
		EXPECT(a.end == CALL && a.result == i + 1, "round %lu: no progress behind it: end %lu", i, a.end);
		EXPECT(me->nmis == had + nmis, "round %lu: %lu NMIs of %u", i, me->nmis - had, nmis);
	}
}

static void kick_waits(void) { waiting(CELL_KICK, 0); }
static void nmi_waits(void) { waiting(CELL_NMI, 1); }

/* It was taken: not even the core has to pass the guest before the cell gets further. */
static void kick_taken(void)
{
	uint64_t n = rounds(50);

	for (uint64_t i = 0; i < n && !failed(); i++) {
		struct answer a = fresh(C_add, i << 32 | 1, enough(), CELL_KICK | CELL_AGAIN);

		EXPECT(a.end == CALL && a.result == i + 1, "round %lu: end %lu", i, a.end);
	}
}

static bool bounded(void) /* by something besides what the test sends? */
{
	if (machine.intel || smp_running() > 1)
		return true;
	skip("SVM with one CPU: nothing bounds a cell");
	return false;
}

/* Exits, at which another CPU looks for a cell that has run too long. */
static void passer(struct cpu *cpu)
{
	uint32_t r[4];

	while (!cpu->arg)
		cpuid(0, 0, r);
}

static void begin_passing(void)
{
	for (unsigned i = 1; i < machine.n_cpus; i++) {
		if (!cpus[i].starts)
			continue;
		cpus[i].arg = 0;
		smp_give(&cpus[i], passer);
	}
}

static void end_passing(void)
{
	for (unsigned i = 1; i < machine.n_cpus; i++) {
		if (!cpus[i].starts)
			continue;
		cpus[i].arg = 1;
		EXPECT(smp_wait(&cpus[i]), "CPU %u did not come back", i);
	}
}

#define SLICE 2000 /* us */

static void bound(void)
{
	uint64_t ticks = us(SLICE), longest = 0, counted = 0;
	struct answer a;

	if (!bounded())
		return;
	begin_passing();
	a = fresh(C_count, 0, ticks, 0);
	for (unsigned i = 1; i <= 20 && !failed(); i++) {
		uint64_t start = tsc(), now, took;

		a = run_cell(0, 0, ticks, CELL_GO_ON);
		while (a.end == LEFT) { /* a kick for the slice before was late */
			start = tsc();
			a = run_cell(0, 0, ticks, CELL_GO_ON);
		}
		took = tsc() - start;
		EXPECT(a.end == TIME, "slice %u: end %lu, code %lx", i, a.end, a.code);
		EXPECT(took >= ticks, "slice %u: %lu ticks of %lu", i, took, ticks);
		longest = took > longest ? took : longest;
		now = op(CELL_OP_PEEK, 0, 0, RDX);
		EXPECT(now > counted, "slice %u: it does not go on", i);
		counted = now;
		EXPECT(a.spent >= i * ticks, "slice %u: %lu ticks in all", i, a.spent);
	}
	end_passing();
	EXPECT(is_call(fresh(C_add, 2ULL << 32 | 2, enough(), 0), 4), "no other behind it");
	note("%lu ticks, longest %lu", ticks, longest);
}

/* Interrupts that wait, and one that comes while it runs: all are the guest's, behind it. */
static void interrupts_wait(void)
{
	struct cpu *me = this_cpu();
	uint64_t a41 = me->irqs[0x41], a55 = me->irqs[0x55], a66 = me->irqs[0x66];

	cli();
	apic_send(me->apic_id, ICR_FIXED | ICR_ASSERT | 0x41);
	apic_send(me->apic_id, ICR_FIXED | ICR_ASSERT | 0x55);
	for (unsigned i = 0; i < 20; i++)
		EXPECT(is_call(fresh(C_add, 1ULL << 32 | i, enough(), 0), i + 1), "round %u", i);
	EXPECT(apic_waits(0x41) && apic_waits(0x55), "an interrupt does not wait any more");
	sti();
	EXPECT(WAIT(me->irqs[0x41] == a41 + 1 && me->irqs[0x55] == a55 + 1), "%lu and %lu came", me->irqs[0x41] - a41,
	       me->irqs[0x55] - a55);
	if (machine.intel || smp_running() > 1) {
		begin_passing();
		apic_write(APIC_DIVIDE, 0xb);
		for (unsigned i = 1; i <= 10 && !failed(); i++) {
			apic_write(APIC_LVT_TIMER, 0x66);
			apic_write(APIC_INITIAL, 1000);
			interrupts = 0x200;
			struct answer a = fresh(C_spin, 0, us(SLICE), 0);
			interrupts = 0;
			EXPECT(a.end == TIME, "end %lu", a.end);
			EXPECT(WAIT(me->irqs[0x66] == a66 + i), "%lu timers of %u", me->irqs[0x66] - a66, i);
		}
		end_passing();
	}
	cli();
	EXPECT(me->irqs[0x41] == a41 + 1 && me->irqs[0x55] == a55 + 1, "one came twice");
}

/* --- Several CPUs --- */

static void add_here(struct cpu *cpu)
{
	struct answer a = until_end(run_cell(C_add, cpu->arg, enough(), 0));

	cpu->result = a.end == CALL ? a.result : 0;
}

/* Its state goes with it. */
static void in_turn(void)
{
	fresh(C_add, 0, enough(), 0);
	for (unsigned i = 0; i < 20 && !failed(); i++) {
		struct cpu *cpu = &cpus[i % machine.n_cpus];

		cpu->arg = (uint64_t)i << 32 | 5;
		if (cpu->index)
			EXPECT(smp_call(cpu, add_here), "CPU %u did not come back", cpu->index);
		else
			add_here(cpu);
		EXPECT(cpu->result == i + 5, "CPU %u: %lu", cpu->index, cpu->result);
	}
}

static volatile uint64_t lefts, times, slice;

static void spin_here(struct cpu *cpu)
{
	struct answer a = fresh(C_count, 0, slice, 0);

	sti();
	interrupts = 0x200;
	while (!cpu->arg && (a.end == LEFT || a.end == TIME)) {
		lefts += a.end == LEFT;
		times += a.end == TIME;
		cpu->result++;
		a = run_cell(0, 0, slice, CELL_GO_ON);
	}
	interrupts = 0;
	cli();
	EXPECT(cpu->arg, "CPU %u: end %lu, code %lx", cpu->index, a.end, a.code);
}

#define WAIT_PASSING(condition) \
	({ \
		uint64_t end_ = tsc() + us(LIMIT_MS * 1000ULL); \
		uint32_t r_[4]; \
		while (!(condition) && tsc() < end_) \
			cpuid(0, 0, r_); \
		(condition); \
	})

/* NMIs, interrupts and at last an INIT for a CPU whose cell loops for ever. */
static void from_others(void)
{
	struct cpu *c = &cpus[1];
	uint64_t nmis = c->nmis, irqs = c->irqs[0x77], starts;

	lefts = times = 0;
	slice = us(10 * SLICE);
	c->arg = c->result = 0;
	smp_give(c, spin_here);
	REQUIRE(WAIT_PASSING(c->result), "the cell does not run");
	for (unsigned i = 1; i <= 20 && !failed(); i++) {
		uint64_t counted = op(CELL_OP_PEEK, 0, 0, RDX);

		EXPECT(WAIT_PASSING(op(CELL_OP_PEEK, 0, 0, RDX) != counted), "it does not count"); /* it runs now */
		apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
		EXPECT(WAIT_PASSING(c->nmis >= nmis + i), "NMI %u did not come", i);
		apic_send(c->apic_id, ICR_FIXED | ICR_ASSERT | 0x77);
		EXPECT(WAIT_PASSING(c->irqs[0x77] >= irqs + i), "interrupt %u did not come", i);
	}
	EXPECT(c->nmis == nmis + 20 && c->irqs[0x77] == irqs + 20, "%lu NMIs, %lu interrupts of 20", c->nmis - nmis,
	       c->irqs[0x77] - irqs);
	EXPECT(lefts && times, "left %lu times, over %lu times", lefts, times);
	starts = c->starts;
	apic_send(c->apic_id, ICR_INIT | ICR_ASSERT);
	for (unsigned i = 0; i < 2 && c->starts == starts; i++) {
		apic_send(c->apic_id, ICR_SIPI | ICR_ASSERT | (uint32_t)(machine.low[0] >> 12));
		WAIT_MS(c->starts > starts, 1000);
	}
	EXPECT(WAIT_PASSING(c->starts > starts), "INIT and SIPI do not start it");
	c->job = NULL;
	interrupts = 0;
	EXPECT(is_call(fresh(C_add, 1ULL << 32 | 1, enough(), 0), 2), "no cell runs behind it");
}

static bool counts(void)
{
	uint64_t counted = op(CELL_OP_PEEK, 0, 0, RDX);

	return WAIT_PASSING(op(CELL_OP_PEEK, 0, 0, RDX) != counted);
}

/* A commit does not wait for a cell: the CPU that runs it answers at once, as what its guest is: in this kernel. */
static void freeze(void)
{
	static struct nl_commit_report report;
	struct cpu *c = &cpus[1];
	enum nl_err err;

	if (!fake_linux_begin())
		return;
	c->arg = c->result = lefts = times = 0;
	slice = us(30000000);
	smp_give(c, spin_here);
	REQUIRE(counts(), "the cell does not run");
	err = fake_linux_commit(true, 300, &report);
	EXPECT(err == NL_EDEADLINE && report.blocker.cpu == 1, "error %d, CPU %d", err, (int)report.blocker.cpu);
	EXPECT(report.blocker.rip - (uint64_t)cell_door < 4, "it stands at %lx (0: no answer)", report.blocker.rip);
	EXPECT(counts(), "the cell does not go on");
	EXPECT(lefts && !times, "left %lu times, over %lu times", lefts, times);
	note("%u tries, left %lu times", report.tries, lefts);
	c->arg = 1;
	apic_send(c->apic_id, ICR_NMI | ICR_ASSERT);
	EXPECT(smp_wait(c), "CPU 1 did not come back");
	err = fake_linux_commit(true, 5000, &report);
	EXPECT(!err, "behind it: error %d", err);
	fake_linux_commit(false, 5000, &report);
}

/* NMIs at every moment of short runs. */
static void storm_from(struct cpu *cpu)
{
	struct cpu *to = &cpus[0];

	for (cpu->result = 0; cpu->result < cpu->arg; cpu->result++) {
		uint64_t had = to->nmis;

		apic_send(to->apic_id, ICR_NMI | ICR_ASSERT);
		if (!WAIT(to->nmis != had))
			return;
	}
}

static void storm(void)
{
	struct cpu *c = &cpus[1], *me = this_cpu();
	uint64_t had = me->nmis, n = rounds(300), runs = 0;

	fresh(C_add, 0, enough(), 0);
	c->arg = n;
	smp_give(c, storm_from);
	while (__atomic_load_n(&c->job, __ATOMIC_SEQ_CST) && !failed()) {
		runs++;
		EXPECT(is_call(run_cell(C_add, runs << 32 | 1, enough(), 0), runs + 1), "run %lu", runs);
	}
	EXPECT(smp_wait(c) && c->result == n && me->nmis == had + n, "%lu NMIs sent, %lu came", c->result,
	       me->nmis - had);
	note("%lu NMIs, %lu runs", n, runs);
}

static void start_others(void) { EXPECT(smp_start_all(), "a CPU does not start"); }

const struct test cell_tests[] = {
        {"cell-calls", calls, 0},
        {"cell-ends", ends, 0},
        {"cell-anew", anew, 0},
        {"cell-state", state_kept, 0},
        {"cell-kick-waits", kick_waits, 0},
        {"cell-nmi-waits", nmi_waits, 0},
        {"cell-kick-taken", kick_taken, 0},
        {"cell-start-others", start_others, SMP_ONLY},
        {"cell-bound", bound, 0},
        {"cell-interrupts", interrupts_wait, 0},
        {"cell-in-turn", in_turn, SMP_ONLY},
        {"cell-storm", storm, SMP_ONLY},
        {"cell-freeze", freeze, SMP_ONLY},
        {"cell-from-others", from_others, SMP_ONLY},
        {NULL, NULL, 0},
};
