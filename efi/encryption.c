// SPDX-License-Identifier: Apache-2.0
/*
 * Looks for key IDs and encryption bits in physical addresses. TME with its one key has neither: it is no obstacle.
 */
#include "encryption.h"
#include <x86.h>

#define TME_ACTIVATE 0x982u
#define SYSCFG 0xc0010010u
#define SEV_STATUS 0xc0010131u

/* SDM vol. 4, table 2-2, IA32_TME_ACTIVATE: bit 1 enabled, 35:32 how many address bits are key IDs (TDX's among them).
 */
static const char *intel(void)
{
	uint64_t tme;

	if (!(x86_cpuid_word(7, 0, ECX) >> 13 & 1))
		return NULL;
	tme = x86_rdmsr(TME_ACTIVATE);
	return (tme >> 1 & 1) && (tme >> 32 & 15) ? "TME-MK (key IDs)" : NULL;
}

/* APM vol. 2, 7.10 and 15.34 to 15.36; CPUID Fn8000_001F. */
static const char *amd(void)
{
	uint64_t syscfg;

	if (!(x86_cpuid_word(0x8000001f, 0, EAX) & 3)) /* neither SME nor SEV */
		return NULL;
	if (x86_rdmsr(SEV_STATUS) & 1)
		return "SEV (this machine is a guest of it)";
	syscfg = x86_rdmsr(SYSCFG);
	if (syscfg >> 24 & 1)
		return "SEV-SNP";
	return syscfg >> 23 & 1 ? "SME" : syscfg >> 26 & 1 ? "SME-HMK" : NULL;
}

const char *nl_encryption(void)
{
	const char *found = intel();

	return found ? found : amd();
}
