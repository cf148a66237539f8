// SPDX-License-Identifier: Apache-2.0
/*
 * MSR policy: which accesses exit, and what the guest gets.
 */
#pragma once

#include "vendor.h"

void nl_msr_init(void); /* tells the vendor what to intercept */
void nl_msr_exit(struct nl_cpu *cpu, const struct nl_exit *exit);
