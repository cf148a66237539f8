// SPDX-License-Identifier: Apache-2.0
/*
 * Registers in configuration space that decide what a physical address means: windows of devices that win over memory,
 * and the map of memory itself. One row each, from the chipsets' datasheets. Knows registers and the region, not how
 * an access comes about (config.c). Pure but for nl_config_peek().
 */
#pragma once

#include "net/hide.h"
#include <newleaf/errors.h>
#include <newleaf/types.h>

/* A function is bus << 8 | device << 3 | function, of segment 0. */

/* Identify the chipset. NL_EWINDOW (logged by name): a window lies over the region already. */
enum nl_err nl_windows_init(void);

/* Base of the memory-mapped configuration space by the chipset's own register, and its buses; 0: none, or not known. */
uint64_t nl_windows_ecam(unsigned *buses);

/* Has this function any such register? Those are watched in memory; by the ports all are. */
bool nl_windows_watched(uint16_t function);

/* What a write of `width` bytes (1..8) at `reg` meets: the name of a register that may not become so, or NULL. The
 * caller holds off other writers. */
const char *nl_windows_refuse(uint16_t function, unsigned reg, unsigned width, uint64_t value);

/* What cannot be decided on this machine: bits of enum nl_undecided (hypercall.h). */
uint32_t nl_windows_undecided(void);
