// SPDX-License-Identifier: Apache-2.0
/*
 * The vendors' own instructions, XSETBV, and control registers: as on a CPU without virtualisation.
 */
#include "kernel.h"

#define ROW(name, bytes) \
	{ \
		name, bytes, sizeof(bytes) - 1 \
	}
static const struct {
	const char *name, *bytes;
	unsigned n;
} virtualisation[] = {
        ROW("VMRUN", "\x0f\x01\xd8"),
        ROW("VMMCALL", "\x0f\x01\xd9"),
        ROW("VMLOAD", "\x0f\x01\xda"),
        ROW("VMSAVE", "\x0f\x01\xdb"),
        ROW("STGI", "\x0f\x01\xdc"),
        ROW("CLGI", "\x0f\x01\xdd"),
        ROW("SKINIT", "\x0f\x01\xde"),
        ROW("INVLPGA", "\x0f\x01\xdf"),
        ROW("VMCALL", "\x0f\x01\xc1"),
        ROW("VMLAUNCH", "\x0f\x01\xc2"),
        ROW("VMRESUME", "\x0f\x01\xc3"),
        ROW("VMXOFF", "\x0f\x01\xc4"),
        ROW("VMFUNC", "\x0f\x01\xd4"),
        ROW("VMXON", "\xf3\x0f\xc7\x30"),
        ROW("VMPTRLD", "\x0f\xc7\x30"),
        ROW("VMCLEAR", "\x66\x0f\xc7\x30"),
        ROW("VMPTRST", "\x0f\xc7\x38"),
        ROW("VMREAD", "\x0f\x78\xc1"),
        ROW("VMWRITE", "\x0f\x79\xc1"),
        ROW("INVEPT", "\x66\x0f\x38\x80\x08"),
        ROW("INVVPID", "\x66\x0f\x38\x81\x08"),
        ROW("GETSEC", "\x0f\x37"),
};

/* Code on a page of its own that ends with a jump to r11: back behind the TRY. */
static uint8_t *code_page(const char *bytes, unsigned n)
{
	static uint8_t *page;

	if (!page)
		page = page_alloc(1);
	memcpy(page, bytes, n);
	memcpy(page + n, "\x41\xff\xe3", 3);
	return page;
}

static void virtualisation_cpl0(void)
{
	uint64_t *operand = page_alloc(1);

	for (unsigned i = 0; i < NL_ARRAY_SIZE(virtualisation); i++) {
		uint64_t rax = (uint64_t)operand;
		uint8_t *code = code_page(virtualisation[i].bytes, virtualisation[i].n);
		int vector = TRY("jmp *%1", ARGS("+a"(rax)), ARGS("r"(code), "c"(0)), "rdx");

		EXPECT(vector == UD, "%s: vector %d, expected #UD", virtualisation[i].name, vector);
		EXPECT(this_cpu()->fault_rip == (uint64_t)code, "%s: fault at %lx, not at the instruction",
		       virtualisation[i].name, this_cpu()->fault_rip);
		EXPECT(rax == (uint64_t)operand, "%s changed RAX to %lx", virtualisation[i].name, rax);
	}
}

/* On a CPU with EFER.SVME = 1 the privilege check of VMRUN and its like comes before #UD: #GP is the one difference. */
static void virtualisation_cpl3(void)
{
	for (unsigned i = 0; i < NL_ARRAY_SIZE(virtualisation); i++) {
		uint8_t *code = code_page(virtualisation[i].bytes, virtualisation[i].n);
		struct user_regs r = {.rax = USER_DATA_VA, .rflags = 2};
		int vector = user_run(code, code + 16, &r);

		EXPECT(vector == UD || vector == GP, "%s at CPL 3: vector %d", virtualisation[i].name, vector);
	}
}

static int xsetbv(uint32_t index, uint64_t v)
{
	return TRY("xsetbv", ARGS(), ARGS("c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))));
}

static uint64_t xgetbv(void)
{
	uint32_t lo, hi;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static void xsetbv_values(void)
{
	uint64_t cr4 = read_cr4(), before, all;
	uint32_t r[4];

	cpuid(1, 0, r);
	if (!(r[2] >> 26 & 1)) {
		skip("the CPU has no XSAVE");
		return;
	}
	write_cr4(cr4 & ~CR4_OSXSAVE);
	EXPECT_VECTOR(xsetbv(0, 1), UD, "XSETBV without OSXSAVE");
	write_cr4(cr4 | CR4_OSXSAVE);
	before = xgetbv();
	cpuid(13, 0, r);
	all = (uint64_t)r[3] << 32 | r[0];
	EXPECT_VECTOR(xsetbv(0, 1), NONE, "XCR0 = 1");
	EXPECT(xgetbv() == 1, "XCR0 reads %lx", xgetbv());
	EXPECT_VECTOR(xsetbv(0, 3), NONE, "XCR0 = 3");
	if (all & 4) {
		EXPECT_VECTOR(xsetbv(0, 7), NONE, "XCR0 = 7");
		EXPECT(xgetbv() == 7, "XCR0 reads %lx", xgetbv());
		EXPECT_VECTOR(xsetbv(0, 5), GP, "AVX without SSE");
	}
	EXPECT_VECTOR(xsetbv(0, 2), GP, "XCR0 without x87");
	EXPECT_VECTOR(xsetbv(0, 1ULL << 62 | 3), GP, "reserved bit of XCR0");
	EXPECT_VECTOR(xsetbv(1, 3), GP, "XCR1");
	EXPECT_VECTOR(xsetbv(0, before), NONE, "XCR0 as it was");
	write_cr4(cr4);
}

static void cr_bits(void)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();
	static const unsigned bits0[] = {1, 3, 5, 16, 18};      /* MP, TS, NE, WP, AM */
	static const unsigned bits4[] = {2, 3, 6, 7, 8, 9, 10}; /* TSD, DE, MCE, PGE, PCE, OSFXSR, OSXMMEXCPT */

	for (unsigned i = 0; i < NL_ARRAY_SIZE(bits0); i++) {
		uint64_t v = cr0 ^ 1ULL << bits0[i];

		EXPECT_VECTOR(TRY("mov %0, %%cr0", ARGS(), ARGS("r"(v))), NONE, "CR0");
		EXPECT(read_cr0() == v, "CR0 was written %lx and reads %lx", v, read_cr0());
		write_cr0(cr0);
	}
	for (unsigned i = 0; i < NL_ARRAY_SIZE(bits4); i++) {
		uint64_t v = cr4 ^ 1ULL << bits4[i];

		EXPECT_VECTOR(TRY("mov %0, %%cr4", ARGS(), ARGS("r"(v))), NONE, "CR4");
		EXPECT(read_cr4() == v, "CR4 was written %lx and reads %lx", v, read_cr4());
		write_cr4(cr4);
	}
	if (!machine.intel)
		return; /* QEMU does not check what follows, with or without Newleaf */
	EXPECT_VECTOR(TRY("mov %0, %%cr0", ARGS(), ARGS("r"(cr0 & ~1ULL))), GP, "paging without protection");
	EXPECT_VECTOR(TRY("mov %0, %%cr4", ARGS(), ARGS("r"(cr4 & ~0x20ULL))), GP, "long mode without PAE");
	EXPECT(read_cr0() == cr0 && read_cr4() == cr4, "CR0 %lx CR4 %lx", read_cr0(), read_cr4());
}

/* VMXE and SMXE belong to features that are hidden. */
static void cr4_vmxe(void)
{
	uint64_t cr4 = read_cr4();

	EXPECT(!(cr4 & 1u << 13), "VMXE is shown");
	if (!machine.intel || machine.bare)
		return; /* QEMU masks what it does not know */
	EXPECT_VECTOR(TRY("mov %0, %%cr4", ARGS(), ARGS("r"(cr4 | 1u << 13))), GP, "CR4.VMXE");
	EXPECT_VECTOR(TRY("mov %0, %%cr4", ARGS(), ARGS("r"(cr4 | 1u << 14))), GP, "CR4.SMXE");
	EXPECT(read_cr4() == cr4, "CR4 was %lx and is %lx", cr4, read_cr4());
}

__asm__(".globl user_invd, user_invd_end, user_hlt, user_hlt_end, user_rdmsr, user_rdmsr_end\n"
        "user_invd: invd\n int $0x80\nuser_invd_end:\n"
        "user_hlt: hlt\n int $0x80\nuser_hlt_end:\n"
        "user_rdmsr: rdmsr\n int $0x80\nuser_rdmsr_end:\n");
extern const uint8_t user_invd[], user_invd_end[], user_hlt[], user_hlt_end[], user_rdmsr[], user_rdmsr_end[];

static void privileged_cpl3(void)
{
	struct user_regs r = {.rcx = EFER, .rflags = 2};

	EXPECT_VECTOR(user_run(user_invd, user_invd_end, &r), GP, "INVD at CPL 3");
	EXPECT_VECTOR(user_run(user_hlt, user_hlt_end, &r), GP, "HLT at CPL 3");
	EXPECT_VECTOR(user_run(user_rdmsr, user_rdmsr_end, &r), GP, "RDMSR at CPL 3");
}

const struct test instruction_tests[] = {
        {"instruction-virtualisation", virtualisation_cpl0, 0},
        {"instruction-virtualisation-cpl3", virtualisation_cpl3, 0},
        {"instruction-xsetbv", xsetbv_values, 0},
        {"instruction-privileged-cpl3", privileged_cpl3, 0},
        {"control-registers", cr_bits, 0},
        {"control-register-vmxe", cr4_vmxe, 0},
        {NULL, NULL, 0},
};
