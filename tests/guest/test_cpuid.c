// SPDX-License-Identifier: Apache-2.0
/*
 * What CPUID shows: no virtualisation extension, our presence block once, bits that mirror CR4.
 */
#include <newleaf/hypercall.h>

#include "kernel.h"

static void presence(void)
{
	unsigned n = 0;
	uint32_t r[4], at = 0;

	for (uint32_t block = 0x40000000; block <= 0x4000ff00; block += 0x100) {
		cpuid(block, 0, r);
		if (r[1] == NL_CPUID_EBX && r[2] == NL_CPUID_ECX && r[3] == NL_CPUID_EDX) {
			n++;
			at = block;
			EXPECT(r[0] == block + 1, "highest leaf of the block is %x", r[0]);
		}
	}
	REQUIRE(n == (machine.bare ? 0 : 1), "%u presence blocks", n);
	if (machine.bare)
		return;
	cpuid(at + 1, 0, r);
	EXPECT(r[0] == NL_ABI_VERSION && !r[1] && !r[2] && !r[3], "leaf %x: %x %x %x %x", at + 1, r[0], r[1], r[2],
	       r[3]);
	note("block at %x", at);
}

static void no_virtualisation(void)
{
	uint32_t r[4];
	bool vmx, svm;

	cpuid(1, 0, r);
	vmx = r[2] >> 5 & 1;
	EXPECT(machine.bare || !(r[2] >> 6 & 1), "SMX is shown");
	cpuid(0x80000001, 0, r);
	svm = r[2] >> 2 & 1;
	EXPECT(machine.bare || !(r[2] >> 12 & 1), "SKINIT is shown");
	if (machine.bare) {
		EXPECT(vmx || svm, "neither VMX nor SVM: this machine cannot show that they are hidden");
		return;
	}
	EXPECT(!vmx, "VMX is shown");
	EXPECT(!svm, "SVM is shown");
	cpuid(0x80000000, 0, r);
	if (r[0] >= 0x8000000a) {
		cpuid(0x8000000a, 0, r);
		EXPECT(!r[0] && !r[1] && !r[2] && !r[3], "SVM's feature leaf: %x %x %x %x", r[0], r[1], r[2], r[3]);
	}
}

static void mirror(uint32_t leaf, uint32_t has, uint32_t shows, unsigned cr4_bit, const char *what)
{
	uint64_t cr4 = read_cr4();
	uint32_t r[4];

	cpuid(leaf, 0, r);
	if (!(r[2] & has)) {
		skip("the CPU has no XSAVE");
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		bool on = i & 1;

		write_cr4(on ? cr4 | 1ULL << cr4_bit : cr4 & ~(1ULL << cr4_bit));
		cpuid(leaf, 0, r);
		EXPECT(!!(r[2] & shows) == on, "%s shows %d, CR4 says %d", what, !!(r[2] & shows), on);
	}
	write_cr4(cr4);
}

static void osxsave(void) { mirror(1, 1u << 26, 1u << 27, 18, "OSXSAVE"); }

static void ospke(void)
{
	uint32_t r[4];

	cpuid(7, 0, r);
	if (!(r[2] & 1u << 3))
		skip("the CPU has no protection keys");
	else
		mirror(7, 1u << 3, 1u << 4, 22, "OSPKE");
}

/* A leaf out of range, and every subleaf register in full: nothing but EAX..EDX may change, and their upper halves are
 * cleared. */
static void wide_registers(void)
{
	uint64_t a = 0x5555555500000000, b = ~0ULL, c = 0x7777777700000000, d = ~0ULL;

	__asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
	EXPECT(!(a >> 32) && !(b >> 32) && !(c >> 32) && !(d >> 32), "upper halves: %lx %lx %lx %lx", a, b, c, d);
}

const struct test cpuid_tests[] = {
        {"cpuid-presence", presence, 0},
        {"cpuid-no-virtualisation", no_virtualisation, 0},
        {"cpuid-osxsave", osxsave, 0},
        {"cpuid-ospke", ospke, 0},
        {"cpuid-wide-registers", wide_registers, 0},
        {NULL, NULL, 0},
};
