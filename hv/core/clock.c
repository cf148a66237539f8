// SPDX-License-Identifier: Apache-2.0
/* Conversions between ticks and time, and whether an emulator makes the ticks: see clock.h. */
#include "core/clock.h"
#include "core/core.h"
#include "x86.h"

#define SKEW_US 1000000u /* of two CPUs' clocks */

bool nl_emulated;

uint64_t nl_tsc_hz(void) { return nl_boot.facts.tsc_hz ? nl_boot.facts.tsc_hz : 1000000000; }

uint64_t nl_tsc_to_ns(uint64_t ticks)
{
	uint64_t hz = nl_tsc_hz();

	return ticks / hz * 1000000000 + ticks % hz * 1000000000 / hz;
}

uint64_t nl_us_to_tsc(uint64_t us) { return nl_tsc_hz() / 1000 * us / 1000; }

bool nl_passed(uint64_t since_tsc, uint64_t us)
{
	return x86_rdtsc() - since_tsc + nl_us_to_tsc(SKEW_US) > nl_us_to_tsc(us + SKEW_US);
}

/* Emulators tell the truth about themselves in the first hypervisor leaf or in the brand string. */
void nl_clock_init(void)
{
	uint32_t r[4];

	if (x86_cpuid_word(1, 0, ECX) >> 31) {
		x86_cpuid(0x40000000, 0, r);
		nl_emulated = r[EBX] == 0x54474354; /* "TCGT" */
	} else {
		nl_emulated = nl_boot.facts.tsc_hz != 0 &&
		              nl_boot.facts.tsc_hz < 400000000; /* Bochs: its clock follows ips */
	}
}
