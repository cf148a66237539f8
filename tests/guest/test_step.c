// SPDX-License-Identifier: Apache-2.0
/*
 * Around an emulated instruction: single step traps right behind it, the shadow of STI ends with it, registers and
 * flags are kept.
 */
#include <newleaf/hypercall.h>

#include "kernel.h"

void probe(uint64_t r[16], const void *code);

#define VECTOR 0x51

/* X(name, instruction, rax, rcx, rdx, rdi): each exits on at least one vendor */
#define INSTRUCTIONS(X) \
	X("cpuid", "cpuid", 0, 0, 0, 0) \
	X("rdmsr-efer", "rdmsr", 0, EFER, 0, 0) \
	X("rdmsr-outside", "rdmsr", 0, 0xc0000082, 0, 0) \
	X("wrmsr-apic-base", "wrmsr", (uint32_t)msr(0x1b), 0x1b, msr(0x1b) >> 32, 0) \
	X("wrmsr-efer", "wrmsr", (uint32_t)msr(EFER), EFER, 0, 0) \
	X("out", "out %%eax, (%%dx)", NL_CALL_MAGIC, 0, NL_CALL_PORT, 0) \
	X("out-byte", "out %%al, (%%dx)", 0, 0, NL_CALL_PORT, 0) \
	X("in", "in (%%dx), %%eax", 0, 0, NL_CALL_PORT, 0) \
	X("apic-store", "mov %%eax, (%%rdi)", 0, 0, 0, APIC_BASE + APIC_TPR) \
	X("apic-store-immediate", "movl $0, (%%rdi)", 0, 0, 0, APIC_BASE + APIC_TPR) \
	X("apic-exchange", "xchg %%eax, (%%rdi)", 0, 0, 0, APIC_BASE + APIC_TPR) \
	X("plain", "nop", 0, 0, 0, 0)

static void expect_steps(const char *name, uint64_t first)
{
	struct cpu *cpu = this_cpu();

	EXPECT(cpu->db_count == 2, "%s: %u single-step traps of 2", name, cpu->db_count);
	EXPECT(cpu->db_rip[0] == first, "%s: first trap at %lx, expected %lx", name, cpu->db_rip[0], first);
	EXPECT(cpu->db_rip[1] == first + 1, "%s: second trap at %lx, expected %lx", name, cpu->db_rip[1], first + 1);
	EXPECT((cpu->db_dr6[0] & 0xe00f) == 0x4000, "%s: DR6 %lx", name, cpu->db_dr6[0]);
}

static void single_step(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t behind;

	write_dr6(0xffff0ff0);
	cpu->db_max = 2;
#define STEP(name, insn, ax, cx, dx, di) \
	{ \
		uint64_t a_ = (ax), c_ = (cx), d_ = (dx), di_ = (di); \
		cpu->db_count = 0; \
		__asm__ volatile("lea 1f(%%rip), %0; pushf; orl $0x100, (%%rsp); popf; " insn "; 1: nop; nop" \
		                 : "=&r"(behind), "+a"(a_), "+c"(c_), "+d"(d_), "+D"(di_) \
		                 : \
		                 : "rbx", "memory", "cc"); \
		expect_steps(name, behind); \
	}
	INSTRUCTIONS(STEP)
#undef STEP
	cpu->db_max = 0;
}

/* An interrupt that waits is delivered behind the one instruction that STI protects, not later. */
static void sti_shadow(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t behind, before;

#define SHADOW(name, insn, ax, cx, dx, di) \
	{ \
		uint64_t a_ = (ax), c_ = (cx), d_ = (dx), di_ = (di); \
		before = cpu->irqs[VECTOR]; \
		apic_send(0, ICR_SELF | ICR_ASSERT | VECTOR); \
		EXPECT(WAIT(apic_waits(VECTOR)), "%s: the interrupt does not wait", name); \
		__asm__ volatile("lea 1f(%%rip), %0; sti; " insn "; 1: nop; nop; nop; nop; cli" \
		                 : "=&r"(behind), "+a"(a_), "+c"(c_), "+d"(d_), "+D"(di_) \
		                 : \
		                 : "rbx", "memory", "cc"); \
		EXPECT(cpu->irqs[VECTOR] == before + 1, "%s: %lu interrupts", name, cpu->irqs[VECTOR] - before); \
		EXPECT(cpu->irq_rip == behind, "%s: interrupt at %lx, expected %lx", name, cpu->irq_rip, behind); \
	}
	INSTRUCTIONS(SHADOW)
#undef SHADOW
}

/* With interrupts open all the time and one sent by each instruction before the last: none is lost, none doubled. */
static void interrupts_between_exits(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t before = cpu->irqs[VECTOR], n = rounds(1000);
	uint32_t r[4];

	sti();
	for (uint64_t i = 0; i < n; i++) {
		apic_send(0, ICR_SELF | ICR_ASSERT | VECTOR);
		cpuid(0, 0, r);
		if (!WAIT(cpu->irqs[VECTOR] == before + i + 1))
			break;
	}
	cli();
	EXPECT(cpu->irqs[VECTOR] == before + n, "%lu interrupts of %lu", cpu->irqs[VECTOR] - before, n);
}

/* The instructions that exit, each followed by RET, for probe(). */
__asm__("probe_cpuid: cpuid; ret\n"
        "probe_rdmsr: rdmsr; ret\n"
        "probe_wrmsr: wrmsr; ret\n"
        "probe_out: out %eax, (%dx); ret\n"
        "probe_in: in (%dx), %al; ret\n"
        "probe_invd: invd; ret\n"
        "probe_xsetbv: xsetbv; ret\n"
        "probe_nop: nop; ret\n");
extern const uint8_t probe_cpuid[], probe_rdmsr[], probe_wrmsr[], probe_out[], probe_in[], probe_invd[], probe_xsetbv[],
        probe_nop[];

static void registers(void)
{
	enum { AX = 1, CX = 2, DX = 4, BX = 8 };
	uint64_t cr4 = read_cr4();
	uint32_t features[4];
	cpuid(1, 0, features);
	bool xsave = features[2] >> 26 & 1;
	const struct {
		const char *name;
		const uint8_t *code;
		uint64_t rax, rcx, rdx;
		unsigned changes;
		bool skip;
	} list[] = {
	        {"cpuid", probe_cpuid, 0, 0, 0x3333, AX | BX | CX | DX, false},
	        {"rdmsr", probe_rdmsr, 0, EFER, 0x3333, AX | DX, false},
	        {"wrmsr", probe_wrmsr, (uint32_t)msr(EFER), EFER, 0, 0, false},
	        {"out", probe_out, NL_CALL_MAGIC, 0x2222, NL_CALL_PORT, 0, false},
	        {"in", probe_in, 0x1111111111111111, 0x2222, NL_CALL_PORT, AX, false},
	        {"invd", probe_invd, 0x1111, 0x2222, 0x3333, 0, machine.bare},
	        {"xsetbv", probe_xsetbv, 1, 0, 0, 0, !xsave},
	        {"nop", probe_nop, 0x1111, 0x2222, 0x3333, 0, false},
	};
	static const uint64_t flags[] = {0x2, 0x8d7, 0xcd7, 0x402, 0x40ad7 & ~0x200ULL, 0x200002};

	if (xsave)
		write_cr4(cr4 | CR4_OSXSAVE);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(list); i++) {
		for (unsigned j = 0; j < NL_ARRAY_SIZE(flags) && !list[i].skip; j++) {
			uint64_t before[16], after[16];

			for (unsigned k = 0; k < 16; k++)
				before[k] = 0x0123456789abcdefUL * (k + 3 + j);
			before[0] = list[i].rax;
			before[1] = list[i].rcx;
			before[2] = list[i].rdx;
			before[15] = flags[j];
			memcpy(after, before, sizeof(after));
			probe(after, list[i].code);
			for (unsigned k = 0; k < 16; k++)
				if (k != 14 && !(k < 4 && list[i].changes >> k & 1))
					EXPECT(after[k] == before[k], "%s: register %u was %lx and is %lx",
					       list[i].name, k, before[k], after[k]);
		}
	}
	write_cr4(cr4);
}

const struct test step_tests[] = {
        {"step-single", single_step, 0},
        {"step-sti-shadow", sti_shadow, 0},
        {"step-interrupts", interrupts_between_exits, 0},
        {"step-registers", registers, 0},
        {NULL, NULL, 0},
};
