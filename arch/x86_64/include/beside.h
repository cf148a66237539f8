// SPDX-License-Identifier: Apache-2.0
/* Where the network (hv/net) comes in, if there is one: for what runs without it nothing but three questions. */
#pragma once

#include "vendor.h"

/* Who works beside the guest on its CPUs: the network (hv/net), or nobody. Set once, before the first launch. */
extern struct nl_beside {
	void (*turn)(struct nl_cpu *cpu); /* a CPU is on its way into the guest */
	uint64_t poll; /* VMX: the boot CPU comes by so often, in ticks of the TSC; 0: not, there is another way to wake
	                  it */
	bool (*claim)(bool kick); /* an NMI of the boot CPU, maybe a kick: was it from there? */
} nl_beside;
