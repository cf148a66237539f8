// SPDX-License-Identifier: Apache-2.0
/*
 * Memory types from MTRRs (SDM vol. 3, 12.11): pure functions on a snapshot of the registers.
 */
#pragma once

#include "view/view.h"

#define NL_MTRR_MAX_VARIABLE 16
struct nl_mtrrs {
	uint64_t cap, def_type; /* IA32_MTRRCAP, IA32_MTRR_DEF_TYPE */
	uint64_t fixed[11];     /* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 ... 4K_F8000 */
	struct {
		uint64_t base, mask;
	} variable[NL_MTRR_MAX_VARIABLE];
	unsigned n_variable;
	unsigned phys_bits; /* MAXPHYADDR */
};

/* Type of one 4 KiB page, by the precedence rules of 12.11.4.1; undefined overlaps give UC. */
enum nl_memtype nl_mtrr_type(const struct nl_mtrrs *m, gpa_t gpa);

/* The whole space as runs, ascending, merged, 4 KiB granular. NL_ENOMEM when `max` is too small. */
enum nl_err nl_mtrr_runs(const struct nl_mtrrs *m, struct nl_type_run *runs, size_t max, size_t *n);
