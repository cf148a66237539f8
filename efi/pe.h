// SPDX-License-Identifier: Apache-2.0
/*
 * Sections of a PE image as it lies in memory. Pure C, bounds-safe, tested on the host.
 */
#pragma once

#include <newleaf/types.h>

/* The section called `name` (at most eight characters) of the image [base, base + size); NULL when there is none or it
 * does not fit. */
const void *nl_pe_section(const void *base, size_t size, const char *name, size_t *length);
