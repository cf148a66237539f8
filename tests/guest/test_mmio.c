// SPDX-License-Identifier: Apache-2.0
/*
 * Writes to the local APIC by every form of instruction that software uses: value, length and side effects are as on
 * bare hardware.
 */
#include "kernel.h"

void probe(uint64_t r[16], const void *code);
enum { RAX, RCX, RDX, RBX, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, UNUSED, FLAGS };

#define TARGET (APIC_BASE + APIC_INITIAL) /* all 32 bits are kept; the timer is masked */
#define VALUE 0x00abcdefu

struct form {
	const char *name, *bytes;
	unsigned n;
	uint8_t base; /* register that holds the address less `offset` */
	int64_t offset;
	uint8_t index; /* another register for the address, UNUSED = none */
	uint64_t index_value;
	uint8_t source; /* register with the value; UNUSED = VALUE is appended, or stands in the bytes */
	enum { PLAIN, IMMEDIATE, EXCHANGE, RELATIVE, RELATIVE_IMMEDIATE, MOFFS64, MOFFS32, DISP32, GS } kind;
};
#define F(name, bytes, ...) \
	{ \
		name, bytes, sizeof(bytes) - 1, __VA_ARGS__ \
	}

static const struct form forms[] = {
        F("mov %eax,(%rdi)", "\x89\x07", RDI, 0, UNUSED, 0, RAX, PLAIN),
        F("mov %edi,(%rcx)", "\x89\x39", RCX, 0, UNUSED, 0, RDI, PLAIN),
        F("mov %r9d,(%rsi)", "\x44\x89\x0e", RSI, 0, UNUSED, 0, R9, PLAIN),
        F("mov %r14d,(%r8)", "\x45\x89\x30", R8, 0, UNUSED, 0, R14, PLAIN),
        F("mov %ecx,(%r12)", "\x41\x89\x0c\x24", R12, 0, UNUSED, 0, RCX, PLAIN),
        F("mov %ebp,0(%r13)", "\x41\x89\x6d\x00", R13, 0, UNUSED, 0, RBP, PLAIN),
        F("mov %edx,-0x10(%rbp)", "\x89\x55\xf0", RBP, -0x10, UNUSED, 0, RDX, PLAIN),
        F("mov %edx,0x380(%rbx)", "\x89\x93\x80\x03\x00\x00", RBX, 0x380, UNUSED, 0, RDX, PLAIN),
        F("mov %r14d,0x80(%rbx,%rcx,4)", "\x44\x89\xb4\x8b\x80\x00\x00\x00", RBX, 0x80 + 4 * 0x30, RCX, 0x30, R14,
          PLAIN),
        F("mov %eax,(%r10,%r11,8)", "\x43\x89\x04\xda", R10, 8 * 0x21, R11, 0x21, RAX, PLAIN),
        F("mov %esi,8(%r13,%r9)", "\x43\x89\x74\x0d\x08", R13, 8 + 0x100, R9, 0x100, RSI, PLAIN),
        F("mov %eax,abs32 (67)", "\x67\x89\x04\x25", UNUSED, 0, UNUSED, 0, RAX, DISP32),
        F("mov %eax,(%edi) (67)", "\x67\x89\x07", RDI, 0, UNUSED, 0, RAX, PLAIN),
        F("rex mov %eax,(%rdi)", "\x40\x89\x07", RDI, 0, UNUSED, 0, RAX, PLAIN),
        F("ds mov %eax,(%rdi)", "\x3e\x89\x07", RDI, 0, UNUSED, 0, RAX, PLAIN),
        F("mov %eax,%gs:(%rdi)", "\x65\x89\x07", RDI, 0, UNUSED, 0, RAX, GS),
        F("movl $,(%rax)", "\xc7\x00", RAX, 0, UNUSED, 0, UNUSED, IMMEDIATE),
        F("movl $,(%r11)", "\x41\xc7\x03", R11, 0, UNUSED, 0, UNUSED, IMMEDIATE),
        F("movl $,0x10(%rbp)", "\xc7\x45\x10", RBP, 0x10, UNUSED, 0, UNUSED, IMMEDIATE),
        F("movl $,0x380(%rsi)", "\xc7\x86\x80\x03\x00\x00", RSI, 0x380, UNUSED, 0, UNUSED, IMMEDIATE),
        F("movl $,(%rax,%rdx,2)", "\xc7\x04\x50", RAX, 2 * 0x40, RDX, 0x40, UNUSED, IMMEDIATE),
        F("movl $,rip", "\xc7\x05", UNUSED, 0, UNUSED, 0, UNUSED, RELATIVE_IMMEDIATE),
        F("mov %r8d,rip", "\x44\x89\x05", UNUSED, 0, UNUSED, 0, R8, RELATIVE),
        F("xchg %eax,(%rdi)", "\x87\x07", RDI, 0, UNUSED, 0, RAX, EXCHANGE),
        F("xchg %r10d,(%r11)", "\x45\x87\x13", R11, 0, UNUSED, 0, R10, EXCHANGE),
        F("lock xchg %ecx,(%rdi)", "\xf0\x87\x0f", RDI, 0, UNUSED, 0, RCX, EXCHANGE),
        F("movabs %eax,moffs64", "\xa3", UNUSED, 0, UNUSED, 0, RAX, MOFFS64),
        F("mov %eax,moffs32 (67)", "\x67\xa3", UNUSED, 0, UNUSED, 0, RAX, MOFFS32),
};

/* The APIC page once more, near the code: RIP-relative operands reach 2 GiB. */
enum { CODE = 410, ALIAS = 430 }; /* slots of the window */

/* The instruction as it stands at `at`, with a RET behind it. Returns its length. */
static unsigned assemble(const struct form *f, uint8_t *out, uint64_t at)
{
	unsigned n = f->n;
	uint64_t target = TARGET;
	uint32_t value = VALUE, relative;

	memcpy(out, f->bytes, n);
	if (f->kind == MOFFS64) {
		memcpy(out + n, &target, 8);
		n += 8;
	}
	if (f->kind == MOFFS32 || f->kind == DISP32) {
		memcpy(out + n, &target, 4);
		n += 4;
	}
	if (f->kind == RELATIVE || f->kind == RELATIVE_IMMEDIATE) {
		target = WINDOW + ALIAS * NL_PAGE_SIZE + APIC_INITIAL;
		relative = (uint32_t)(target - (at + n + 4 + (f->kind == RELATIVE_IMMEDIATE ? 4 : 0)));
		memcpy(out + n, &relative, 4);
		n += 4;
	}
	if (f->kind == IMMEDIATE || f->kind == RELATIVE_IMMEDIATE) {
		memcpy(out + n, &value, 4);
		n += 4;
	}
	out[n] = 0xc3;
	return n;
}

/* The code at `at` has been put there: run it and compare. */
static void execute(const struct form *f, const void *at)
{
	uint64_t before[16], after[16];
	uint32_t old = 0x13579bdf;

	apic_write(APIC_INITIAL, old);
	for (unsigned i = 0; i < 16; i++)
		before[i] = 0x1111111111111111UL * (i + 1);
	before[FLAGS] = 0x8d7; /* OF SF ZF AF PF CF */
	if (f->base != UNUSED)
		before[f->base] = TARGET - (uint64_t)f->offset;
	if (f->kind == GS)
		before[f->base] -= (uint64_t)this_cpu();
	if (f->index != UNUSED)
		before[f->index] = f->index_value;
	if (f->source != UNUSED)
		before[f->source] = 0xfedcba9800000000 | VALUE;
	memcpy(after, before, sizeof(after));
	probe(after, at);
	EXPECT(apic_read(APIC_INITIAL) == VALUE, "%s: the register holds %x", f->name, apic_read(APIC_INITIAL));
	if (f->kind == EXCHANGE)
		before[f->source] = old;
	for (unsigned i = 0; i < 16; i++)
		if (i != UNUSED)
			EXPECT(after[i] == before[i], "%s: register %u was %lx and is %lx", f->name, i, before[i],
			       after[i]);
}

static void all_forms(void)
{
	uint8_t *code = map_window(CODE, (uint64_t)page_alloc(1), PTE_W);

	map_window(ALIAS, APIC_BASE, PTE_W | PTE_CD);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(forms); i++) {
		memset(code, 0xcc, 32); /* a wrong length ends in a breakpoint */
		assemble(&forms[i], code, (uint64_t)code);
		execute(&forms[i], code);
	}
	apic_write(APIC_INITIAL, 0);
	note("%u forms", (unsigned)NL_ARRAY_SIZE(forms));
}

/* Each instruction across a page boundary at each of its bytes; the two pages are not neighbours in physical memory. */
static void page_crossing(void)
{
	uint8_t *physical = page_alloc(3), bytes[32];
	unsigned crossings = 0;

	map_window(CODE, (uint64_t)physical + 2 * NL_PAGE_SIZE, PTE_W);
	map_window(CODE + 1, (uint64_t)physical, PTE_W);
	map_window(ALIAS, APIC_BASE, PTE_W | PTE_CD);
	for (unsigned i = 0; i < NL_ARRAY_SIZE(forms); i++) {
		unsigned n = assemble(&forms[i], bytes, 0);

		for (unsigned k = 0; k <= n && !failed();
		     k++) { /* k bytes on the first page; k = n: only the RET is on the second */
			uint64_t va = WINDOW + (CODE + 1) * NL_PAGE_SIZE - k;

			assemble(&forms[i], bytes, va);
			memset(physical, 0xcc, 64);
			memset(physical + 3 * NL_PAGE_SIZE - 64, 0xcc, 64);
			memcpy(physical + 3 * NL_PAGE_SIZE - k, bytes, k);
			memcpy(physical, bytes + k, n + 1 - k);
			execute(&forms[i], (const void *)va);
			crossings++;
		}
	}
	apic_write(APIC_INITIAL, 0);
	note("%u crossings", crossings);
}

/* An instruction that ends at the end of a page behind which nothing is mapped. The way back is a jump that stands
 * before it. */
static void page_end(void)
{
	uint8_t *physical = page_alloc(1);
	uint8_t *va = map_window(CODE, (uint64_t)physical, PTE_W);

	map_window(CODE + 1, 0, 0);
	apic_write(APIC_INITIAL, 0);
	memcpy(physical + NL_PAGE_SIZE - 2, "\x89\x07", 2); /* mov %eax,(%rdi), then #PF on the fetch behind */
	int vector = TRY("jmp *%0", ARGS(), ARGS("r"(va + NL_PAGE_SIZE - 2), "a"(VALUE), "D"(TARGET)));
	EXPECT_VECTOR(vector, PF, "fetch behind the page");
	EXPECT(this_cpu()->fault_rip == (uint64_t)va + NL_PAGE_SIZE, "fault at %lx", this_cpu()->fault_rip);
	EXPECT(apic_read(APIC_INITIAL) == VALUE, "the register holds %x", apic_read(APIC_INITIAL));
	apic_write(APIC_INITIAL, 0);
}

/* 32-bit code in a compatibility segment, as of a loader's last steps. */
__asm__("compatibility: .code32\n movl %eax, (%edi)\n lretl\n .code64\n");
extern const uint8_t compatibility[];

static void compatibility_mode(void)
{
	struct {
		uint32_t offset;
		uint16_t selector;
	} __attribute__((packed)) far = {(uint32_t)(uint64_t)compatibility, 0x18};

	this_cpu()->gdt[3] = 0x00cf9b000000ffffULL;
	apic_write(APIC_INITIAL, 0);
	/* DS and SS count outside 64-bit mode, and a stay at CPL 3 has left both null. */
	__asm__ volatile("mov %3, %%ss; mov %3, %%ds; lcall *%0" ::"m"(far), "a"(VALUE), "D"(TARGET), "r"(0x10)
	                 : "memory");
	EXPECT(apic_read(APIC_INITIAL) == VALUE, "the register holds %x", apic_read(APIC_INITIAL));
	apic_write(APIC_INITIAL, 0);
	this_cpu()->gdt[3] = 0;
}

/*
 * Forms that no kernel uses for the APIC. While Newleaf watches its page it answers #GP (documented) and the register
 * keeps its value; on VMX it watches only until all CPUs are its own.
 */
static void other_forms(void)
{
	uint64_t rdi = TARGET;
	int or, stos;

	apic_write(APIC_INITIAL, 0x100);
	or = TRY("orl $1, (%0)", ARGS(), ARGS("r"(TARGET)));
	EXPECT(or == NONE || (or == GP && !machine.bare), "or to the APIC: vector %d", or);
	EXPECT(apic_read(APIC_INITIAL) == (or == NONE ? 0x101 : 0x100), "the register holds %x",
	       apic_read(APIC_INITIAL));
	stos = TRY("cld; stosl", ARGS("+D"(rdi)), ARGS("a"(0x202)));
	EXPECT(stos == or, "stos to the APIC: vector %d", stos);
	EXPECT(apic_read(APIC_INITIAL) == (or == NONE ? 0x202 : 0x100), "the register holds %x",
	       apic_read(APIC_INITIAL));
	apic_write(APIC_INITIAL, 0);
	note(or == NONE ? "written" : "#GP");
}

const struct test mmio_tests[] = {
        {"mmio-forms", all_forms, 0},         {"mmio-page-crossing", page_crossing, 0},
        {"mmio-page-end", page_end, 0},       {"mmio-compatibility-mode", compatibility_mode, 0},
        {"mmio-other-forms", other_forms, 0}, {NULL, NULL, 0},
};
