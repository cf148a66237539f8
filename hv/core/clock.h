// SPDX-License-Identifier: Apache-2.0
/*
 * Time as the core measures it: ticks of the TSC, which the loader has measured against the firmware's clock.
 */
#pragma once

#include <newleaf/types.h>

uint64_t nl_tsc_hz(void); /* nl_boot.facts.tsc_hz, or a guess where it is unknown */
uint64_t nl_tsc_to_ns(uint64_t ticks);
uint64_t nl_us_to_tsc(uint64_t us);

/* So long since then? A CPU whose TSC is less than a second behind is before none of it; one that is further behind was
 * set back, and has it behind itself. */
bool nl_passed(uint64_t since_tsc, uint64_t us);

/* Emulators schedule their CPUs in slices of milliseconds: limits of time are longer there, and figures say so. */
extern bool nl_emulated;
void nl_clock_init(void); /* recognises an emulator */
