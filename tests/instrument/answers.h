// SPDX-License-Identifier: Apache-2.0
/* Included before hv/commit/quiesce.c: where a CPU stands, and how it is kicked, goes by races.c. */
#pragma once

#include "vendor.h"

const struct nl_vendor *race_vendor(void);
#define nl_vendor race_vendor()
