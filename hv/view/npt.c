// SPDX-License-Identifier: Apache-2.0
/*
 * The two formats of nested page tables that exist, as data. A vendor takes one with what its probe found and hands it
 * to hv/view/view.c.
 */
#include "view/npt.h"

static unsigned four_levels(unsigned address_bits) { return address_bits < 48 ? address_bits : 48; }

/* SDM vol. 3, 29.3.2: entries read, write, execute in bits 0..2, type in 5:3. Accessed and dirty flags stay off in the
 * EPT pointer. */
struct nl_npt_format nl_npt_format_ept(bool has_1g, unsigned address_bits)
{
	return (struct nl_npt_format){
	        .table = 1 << 0 | 1 << 1 | 1 << 2,
	        .present = 1 << 0 | 1 << 1 | 1 << 2,
	        .right_r = 1 << 0,
	        .right_w = 1 << 1,
	        .right_x = 1 << 2,
	        .large = 1 << 7,
	        .type_shift = 3,
	        .has_type = true,
	        .has_1g = has_1g,
	        .address_bits = four_levels(address_bits),
	};
}

/*
 * APM vol. 2, 15.25.5: the format of a long-mode page table. Every nested walk is a user access: U is set throughout. A
 * and D are set from the start, else the CPU would write to tables that generations share. PAT, PCD and PWT stay 0:
 * write-back, and the MTRRs decide.
 */
struct nl_npt_format nl_npt_format_npt(bool has_1g, unsigned address_bits)
{
	const uint64_t user = 1 << 2, accessed = 1 << 5, dirty = 1 << 6;
	return (struct nl_npt_format){
	        .table = 1 << 0 | 1 << 1 | user | accessed | dirty,
	        .present = 1 << 0,
	        .leaf = user | accessed | dirty,
	        .right_r = 1 << 0,
	        .right_w = 1 << 1,
	        .right_nx = 1ULL << 63,
	        .large = 1 << 7,
	        .has_1g = has_1g,
	        .address_bits = four_levels(address_bits),
	};
}
