// SPDX-License-Identifier: Apache-2.0
/* Host-physical memory through the direct map. Alone in its file so that host tests can put a fake memory in its place.
 */
#include "guest/guestmem.h"
#include "x86.h"

void *nl_phys(hpa_t pa) { return x86_phys(pa); }
