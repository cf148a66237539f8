// SPDX-License-Identifier: Apache-2.0
/*
 * Looks for key IDs and encryption bits in physical addresses. TME with its one key has neither: it is no obstacle.
 */
#include "encryption.h"

#define TME_ACTIVATE 0x982u
#define SYSCFG 0xc0010010u
#define SEV_STATUS 0xc0010131u

/* SDM vol. 4, table 2-2, IA32_TME_ACTIVATE: bit 1 enabled, 35:32 how many address bits are key IDs (TDX's among them).
 */
static const char *intel(const struct nl_probe *p)
{
	uint32_t r[4];
	uint64_t tme;

	p->cpuid(0, 0, r);
	if (r[0] < 7)
		return NULL;
	p->cpuid(7, 0, r);
	if (!(r[2] >> 13 & 1))
		return NULL;
	tme = p->rdmsr(TME_ACTIVATE);
	return (tme >> 1 & 1) && (tme >> 32 & 15) ? "TME-MK (key IDs)" : NULL;
}

/* APM vol. 2, 7.10 and 15.34 to 15.36; CPUID Fn8000_001F. */
static const char *amd(const struct nl_probe *p)
{
	uint32_t r[4];
	uint64_t syscfg;

	p->cpuid(0x80000000, 0, r);
	if (r[0] < 0x8000001f || r[0] > 0x8000ffff)
		return NULL;
	p->cpuid(0x8000001f, 0, r);
	if (!(r[0] & 3)) /* neither SME nor SEV */
		return NULL;
	if (p->rdmsr(SEV_STATUS) & 1)
		return "SEV (this machine is a guest of it)";
	syscfg = p->rdmsr(SYSCFG);
	if (syscfg >> 24 & 1)
		return "SEV-SNP";
	return syscfg >> 23 & 1 ? "SME" : syscfg >> 26 & 1 ? "SME-HMK" : NULL;
}

const char *nl_encryption(const struct nl_probe *p)
{
	const char *found = intel(p);

	return found ? found : amd(p);
}
