// SPDX-License-Identifier: Apache-2.0
/*
 * Configuration space as it is, past what the guest is shown: by the gate (hv/exits/config.c), or a test. Whoever calls
 * has the gate's lock, or no guest runs yet. A function is bus << 8 | device << 3 | function, of segment 0.
 */
#pragma once

#include <newleaf/types.h>

/* width 1, 2 or 4, aligned. */
uint32_t nl_config_peek(uint16_t function, unsigned reg, unsigned width);
void nl_config_poke(uint16_t function, unsigned reg, unsigned width, uint32_t value); /* hide.c */

/* The function's page in memory, 0: it has none that is known. */
uint64_t nl_config_page(uint16_t function);

/* An access to such a page, of the form that it wants. width 8, too. */
uint64_t nl_config_memory(uint64_t pa, unsigned width, bool write, uint64_t v);
