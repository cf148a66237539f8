// SPDX-License-Identifier: Apache-2.0
/* The registers of the unit tests' network cards: each access is a call of theirs (nic_model.c). */
#ifndef TESTS_UNIT_SEAM_NET_IO_H
#define TESTS_UNIT_SEAM_NET_IO_H

#include <newleaf/types.h>

uint32_t nic_get(const volatile void *reg, unsigned width);
void nic_put(volatile void *reg, unsigned width, uint32_t v);
#define nl_io_get(reg) nic_get(&(reg), sizeof(reg))
#define nl_io_put(reg, value) nic_put(&(reg), sizeof(reg), (uint32_t)(value))

#endif
