// SPDX-License-Identifier: Apache-2.0
/*
 * A guest's store to a page that the core watches: found at RIP, decoded, executed on the guest's registers. What the
 * value does to the device is the caller's business.
 */
#pragma once

#include "store.h"
#include "vendor.h"

/* false: the instruction is not known; the guest gets #GP, and the log a line. */
bool mmio_decode(struct nl_cpu *cpu, gpa_t gpa, struct store *s);

/* The value that goes to the device. `old`: what the device holds, if store_reads(). The guest stands behind the
 * instruction afterwards. */
uint64_t mmio_execute(struct nl_cpu *cpu, const struct store *s, uint64_t old);
