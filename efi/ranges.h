// SPDX-License-Identifier: Apache-2.0
/*
 * The list of RAM ranges in the boot block. Pure C, tested on the host.
 */
#pragma once

#include <newleaf/bootblock.h>

/* Adds one range to the ascending list, joined with its neighbours; ranges do not overlap. False: the list is full. */
bool nl_ranges_add(struct nl_boot_block *b, uint64_t base, uint64_t size);
