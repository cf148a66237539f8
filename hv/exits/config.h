// SPDX-License-Identifier: Apache-2.0
/*
 * The one gate of PCI configuration space: the ports CF8 to CFF and the memory-mapped pages of functions that have
 * registers of windows.c. Refused is what that table refuses; all else is done as the guest asked.
 */
#pragma once

#include "vendor.h"

#define NL_CONFIG_PORTS 0xcf8 /* address, data: eight ports */

enum nl_err nl_config_init(void); /* before the base view is used; the ports are intercepted after machine_init */

/* An access that touches a port of NL_CONFIG_PORTS, no string. */
uint32_t nl_config_port(struct nl_cpu *cpu, uint16_t port, unsigned width, bool in, uint32_t value);

/* A write to a page that the base view does not let through. false: not configuration space. */
bool nl_config_store(struct nl_cpu *cpu, gpa_t gpa);
