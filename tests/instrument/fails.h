// SPDX-License-Identifier: Apache-2.0
/* Included before the files whose looks into the guest's memory can be made to fail (races.c). */
#pragma once

#include "x86.h"

bool race_look_fails(void);

static inline bool race_load_safe(const uint64_t *at, uint64_t *value)
{
	return !race_look_fails() && x86_load_safe(at, value);
}

static inline bool race_copy_safe(void *to, const void *from, size_t n)
{
	return !race_look_fails() && x86_copy_safe(to, from, n);
}

#define x86_load_safe race_load_safe
#define x86_copy_safe race_copy_safe
