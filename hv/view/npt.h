// SPDX-License-Identifier: Apache-2.0
/*
 * Nested page tables as a vendor-neutral structure: four levels of 512 64-bit entries. EPT and NPT differ only in which
 * bits mean what, so a vendor hands over a struct nl_npt_format of masks and everything else is common (hv/view/npt.c),
 * and runs on the host under test.
 */
#pragma once

#include <newleaf/errors.h>
#include <newleaf/types.h>

/* MTRR encoding, SDM vol. 3, 12.11.2.1 */
enum nl_memtype { NL_MT_UC = 0, NL_MT_WC = 1, NL_MT_WT = 4, NL_MT_WP = 5, NL_MT_WB = 6 };
enum nl_rights { NL_R = 1, NL_W = 2, NL_X = 4, NL_RX = 5, NL_RW = 3, NL_RWX = 7 };

/* What one vendor's entries look like. All entries are written present, accessed and dirty (no hardware writes to
 * shared tables). */
struct nl_npt_format {
	uint64_t table;                     /* bits of an entry that points to a table */
	uint64_t present;                   /* any of these set = present */
	uint64_t leaf;                      /* bits of every leaf, besides rights and type */
	uint64_t right_r, right_w, right_x; /* set when granted */
	uint64_t right_nx;                  /* set when execution is not granted */
	uint64_t large;                     /* set in a 2 MiB or 1 GiB leaf */
	unsigned type_shift;                /* where the memory type goes */
	bool has_type;                      /* false: nested type is always WB (NPT) */
	bool has_1g;
	unsigned address_bits; /* guest-physical, at most 48 */
};

/* The formats there are (hv/view/npt.c); address_bits over 48 is cut to what four levels reach. */
struct nl_npt_format nl_npt_format_ept(bool has_1g, unsigned address_bits);
struct nl_npt_format nl_npt_format_npt(bool has_1g, unsigned address_bits);
