// SPDX-License-Identifier: Apache-2.0
/*
 * CPUID policy. A feature that needs support of the hypervisor and has none yet is hidden; everything else is the
 * hardware's own answer, so that a stock kernel sees the machine it knows. The list of differences is
 * docs/reference/differences.md.
 */
#include "exits/cpuid.h"
#include <newleaf/hypercall.h>
#include "x86.h"

static uint32_t block;

uint32_t nl_cpuid_block(void) { return block; }

void nl_cpuid_init(void)
{
	uint32_t r[4];
	bool outer = x86_cpuid_word(1, 0, ECX) >>
	             31; /* without it these leaves repeat the highest basic leaf: the first block is free */
	for (block = 0x40000000; outer && block < 0x4000ff00; block += 0x100) {
		x86_cpuid(block, 0, r);
		if (r[0] < block || r[0] > block + 0xff)
			break;
	}
}

/* Bits that are hidden. One row per register of a leaf; sub UINT32_MAX: every subleaf. */
static const struct {
	uint32_t leaf, sub;
	uint8_t reg; /* 0 EAX .. 3 EDX */
	uint32_t hide;
} hidden[] = {
        {0x1, UINT32_MAX, 2, 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6}, /* DTES64, DS-CPL, VMX, SMX */
        {0x1, UINT32_MAX, 3, 1u << 21}, /* DS: PEBS may write after the exit, through the core's page table */
        {0x6, UINT32_MAX, 0, 1u << 19 | 1u << 23}, /* hardware feedback, thread director: tables in physical memory */
        {0x7, 0, 1, 1u << 2 | 1u << 25},           /* SGX, Intel PT */
        {0x7, 0, 2, 1u << 13 | 1u << 23 | 1u << 30 | 1u << 31}, /* TME, key locker, SGX_LC, PKS */
        {0x7, 0, 3, 1u << 5 | 1u << 18},                        /* user interrupts, PCONFIG */
        /* leaf 0x23 (architectural PEBS), FRED, LKGS, NMI sources (which NMIs that we inject have not), MSRLIST */
        {0x7, 1, 0, 1u << 8 | 1u << 17 | 1u << 18 | 1u << 20 | 1u << 27},
        {0x7, 1, 2, 1u << 5},                            /* MSRs named by an immediate, */
        {0x7, 1, 3, 1u << 15},                           /* or by user mode: exits of their own */
        {0x80000001, UINT32_MAX, 2, 1u << 2 | 1u << 12}, /* SVM, SKINIT */
        {0x80000008, UINT32_MAX, 1, 1u << 3 | 1u << 21}, /* INVLPGB, its nested form */
        {0x80000021, UINT32_MAX, 0, 1u << 24},           /* ERAPS: the VMCB has a control for it */
};

static const uint32_t emptied[] = {0x12, 0x14, 0x8000000a, 0x8000001f}; /* SGX, Intel PT, SVM features, SME and SEV */

#define CR4_PKE (1ULL << 22)

/* Leaf 0xd (SDM vol. 1, 13.2): sub-leaf 1 lists the supervisor state of IA32_XSS, the others describe one component. */
static void hide_supervisor_state(uint32_t sub, uint32_t r[4])
{
	if (sub == 1) {
		r[2] &= (uint32_t)XSS_MAY;
		r[3] &= (uint32_t)(XSS_MAY >> 32);
	} else if (sub > 1 && (r[2] & 1) && (sub > 63 || !(XSS_MAY >> sub & 1))) { /* ECX bit 0: one of IA32_XSS */
		r[0] = r[1] = r[2] = r[3] = 0;
	}
}

void nl_cpuid_filter(uint32_t leaf, uint32_t sub, uint64_t cr4, uint32_t at, uint32_t r[4])
{
	for (unsigned i = 0; i < NL_ARRAY_SIZE(hidden); i++)
		if (hidden[i].leaf == leaf && (hidden[i].sub == sub || hidden[i].sub == UINT32_MAX))
			r[hidden[i].reg] &= ~hidden[i].hide;
	for (unsigned i = 0; i < NL_ARRAY_SIZE(emptied); i++)
		if (emptied[i] == leaf)
			r[0] = r[1] = r[2] = r[3] = 0;
	if (leaf == 0xd)
		hide_supervisor_state(sub, r);
	/* Bits that mirror CR4 show the core's CR4, not the guest's. */
	if (leaf == 1)
		r[2] = (r[2] & ~(1u << 27)) | (cr4 & CR4_OSXSAVE ? 1u << 27 : 0);
	if (leaf == 7 && sub == 0)
		r[2] = (r[2] & ~(1u << 4)) | (cr4 & CR4_PKE ? 1u << 4 : 0);
	if (leaf == at) {
		r[0] = at + 1;
		r[1] = NL_CPUID_EBX;
		r[2] = NL_CPUID_ECX;
		r[3] = NL_CPUID_EDX;
	} else if (leaf == at + 1) {
		r[0] = NL_ABI_VERSION;
		r[1] = r[2] = r[3] = 0;
	}
}
