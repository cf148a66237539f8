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

/* Instructions that read what they change: value and flags. */
static void modify(void)
{
	static const struct {
		const char *name, *bytes;
		unsigned n;
		uint32_t before, source, after; /* source: ECX */
		uint64_t flags, known;          /* of CF ZF SF OF those that the manuals define */
	} rows[] = {
	        F("orl", "\x09\x0f", 0x100, 1, 0x101, 0, 0x8c1),
	        F("andl", "\x21\x0f", 0xff, 0xf00, 0, 0x40, 0x8c1),
	        F("lock orl imm8", "\xf0\x83\x0f\x80", 1, 0, 0xffffff81, 0x80, 0x8c1),
	        F("andl imm32", "\x81\x27\xff\x00\x00\x80", 0x80000180, 0, 0x80000080, 0x80, 0x8c1),
	        F("orl imm8, nothing", "\x83\x0f\x00", 0, 0, 0, 0x40, 0x8c1),
	        F("xchgl", "\x87\x0f", 5, 9, 9, 1, 1),
	};
	uint8_t *code = map_window(CODE, (uint64_t)page_alloc(1), PTE_W);
	uint64_t r[16];

	for (unsigned i = 0; i < NL_ARRAY_SIZE(rows); i++) {
		memset(code, 0xcc, 32);
		memcpy(code, rows[i].bytes, rows[i].n);
		code[rows[i].n] = 0xc3;
		memset(r, 0, sizeof(r));
		r[RAX] = 7;
		r[RCX] = rows[i].source;
		r[RDI] = TARGET;
		r[FLAGS] = 1;
		apic_write(APIC_INITIAL, rows[i].before);
		probe(r, code);
		EXPECT(apic_read(APIC_INITIAL) == rows[i].after, "%s: the register holds %x", rows[i].name,
		       apic_read(APIC_INITIAL));
		EXPECT(((r[FLAGS] ^ rows[i].flags) & rows[i].known) == 0, "%s: flags %lx", rows[i].name, r[FLAGS]);
		EXPECT(r[RCX] == (rows[i].bytes[0] == '\x87' ? rows[i].before : rows[i].source), "%s: RCX %lx",
		       rows[i].name, r[RCX]);
	}
	apic_write(APIC_INITIAL, 0);
	note("%u forms", (unsigned)NL_ARRAY_SIZE(rows));
}

/*
 * Widths that the manuals leave undefined: nobody may die of them. Newleaf lets them change their bytes of the 32-bit
 * register; what lies behind those 32 bits does nothing.
 */
static void widths(void)
{
	uint64_t wide = 0x1122334455667788;
	bool merged;

	if (machine.intel) { /* nothing of Newleaf's is in the way there */
		skip("not watched on VMX, and Bochs ends when such a store reaches its APIC");
		return;
	}
	apic_write(APIC_INITIAL, 0x01020304);
	EXPECT_VECTOR(TRY("movb $0x99, 1(%0)", ARGS(), ARGS("r"(TARGET))), NONE, "a byte to the APIC");
	merged = apic_read(APIC_INITIAL) == 0x01029904;
	EXPECT(merged || apic_read(APIC_INITIAL) == 0x01020304, "after a byte: %x", apic_read(APIC_INITIAL));
	apic_write(APIC_INITIAL, 0x01020304);
	EXPECT_VECTOR(TRY("movw $0x7788, 2(%0)", ARGS(), ARGS("r"(TARGET))), NONE, "a word to the APIC");
	EXPECT(apic_read(APIC_INITIAL) == (merged ? 0x77880304 : 0x01020304), "after a word: %x",
	       apic_read(APIC_INITIAL));
	apic_write(APIC_INITIAL, 0x01020304);
	EXPECT_VECTOR(TRY("orb $0x80, (%0)", ARGS(), ARGS("r"(TARGET))), NONE, "a byte ORed to the APIC");
	EXPECT(apic_read(APIC_INITIAL) == (merged ? 0x01020384 : 0x01020304), "after OR: %x", apic_read(APIC_INITIAL));
	EXPECT_VECTOR(TRY("mov %1, (%0)", ARGS(), ARGS("r"(TARGET), "r"(wide))), NONE, "64 bits to the APIC");
	if (merged)
		EXPECT(apic_read(APIC_INITIAL) == (uint32_t)wide, "after 64 bits: %x", apic_read(APIC_INITIAL));
	if (merged) {
		EXPECT_VECTOR(TRY("movl $1, 4(%0)", ARGS(), ARGS("r"(TARGET))), NONE, "bytes 4 to 7 of a register");
		EXPECT(apic_read(APIC_INITIAL) == (uint32_t)wide, "bytes 4 to 7: %x", apic_read(APIC_INITIAL));
	}
	apic_write(APIC_INITIAL, 0);
	note(merged ? "merged" : "the hardware's own");
}

/* What no kernel does to its APIC and the core does not decode: #GP while it watches, and the register as it was. */
#define OTHER(insn, done) \
	do { \
		apic_write(APIC_INITIAL, 0x100); \
		vector = TRY(insn, ARGS(), ARGS("D"(TARGET), "a"(2), "c"(1))); \
		EXPECT(vector == NONE || (vector == GP && !machine.bare), insn ": vector %d", vector); \
		EXPECT(apic_read(APIC_INITIAL) == (vector == NONE ? (done) : 0x100), insn ": the register holds %x", \
		       apic_read(APIC_INITIAL)); \
		written += vector == NONE; \
	} while (0)

static void other_forms(void)
{
	int vector, written = 0;

	OTHER("shll $1, (%%rdi)", 0x200);
	OTHER("addl %%ecx, (%%rdi)", 0x101);
	OTHER("subl $1, (%%rdi)", 0xff);
	OTHER("xorl %%ecx, (%%rdi)", 0x101);
	OTHER("decl (%%rdi)", 0xff);
	OTHER("lock btsl %%ecx, (%%rdi)", 0x102);
	OTHER("movntil %%ecx, (%%rdi)", 1);
	OTHER("stosl; sub $4, %%rdi", 2);
	apic_write(APIC_INITIAL, 0);
	note("%d of 8 written", written);
}
#undef OTHER

const struct test mmio_tests[] = {
        {"mmio-forms", all_forms, 0},         {"mmio-page-crossing", page_crossing, 0},
        {"mmio-page-end", page_end, 0},       {"mmio-compatibility-mode", compatibility_mode, 0},
        {"mmio-modify", modify, 0},           {"mmio-widths", widths, 0},
        {"mmio-other-forms", other_forms, 0}, {NULL, NULL, 0},
};
