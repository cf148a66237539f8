// SPDX-License-Identifier: Apache-2.0
/*
 * One access of a card's register, by an lvalue of its width that is volatile. What was stored in memory before is
 * there before the register is written: the compiler must not change that order, the CPU does not (uncacheable
 * registers). Unit tests put a card of their own in their place.
 */
#pragma once

#include <newleaf/types.h>

#define nl_io_get(reg) (reg)
#define nl_io_put(reg, value) (__atomic_signal_fence(__ATOMIC_SEQ_CST), (void)((reg) = (value)))
