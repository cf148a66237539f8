// SPDX-License-Identifier: Apache-2.0
/*
 * The base of all views: who sees what of physical memory before any leaf, and what may change it under use.
 */
#pragma once

#include "vendor.h"
#include "view/view.h"

enum nl_err nl_base_init(void); /* pool, memory types, base view with the region hidden and the APIC page watched */
/* Before first use: what the guest sees there. With NL_R writes exit. */
enum nl_err nl_base_page(gpa_t gpa, hpa_t frame, enum nl_rights rights);
enum nl_err nl_base_cpu_start(struct nl_cpu *cpu); /* on the CPU itself: virtualisation on, current root loaded */
const struct nl_view *nl_base_view(void);
bool nl_is_guest_ram(gpa_t gpa); /* RAM of the firmware's map that the core can reach, outside the reserved region */
