// SPDX-License-Identifier: Apache-2.0
/*
 * What the guest sees of CPUID: the hardware's answer less what this version does not virtualise, plus our presence
 * block.
 */
#pragma once

#include <newleaf/types.h>

void nl_cpuid_init(void); /* finds the first free 0x4000_0x00 block */

/* Pure: edits r[0..3] (EAX, EBX, ECX, EDX), the hardware's answer to leaf/sub. cr4 is the guest's; block is where our
 * leaves stand. */
void nl_cpuid_filter(uint32_t leaf, uint32_t sub, uint64_t cr4, uint32_t block, uint32_t r[4]);

uint32_t nl_cpuid_block(void);
