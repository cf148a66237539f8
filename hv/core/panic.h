// SPDX-License-Identifier: Apache-2.0
/*
 * Around nl_panic (core.h): the other CPUs' part, and the record that outlives the reset.
 */
#pragma once

#include <newleaf/panic.h>

/* Where the record is. One that the loader found of the boot before is told to the console first. */
void nl_panic_init(struct nl_panic_record *record);
/* Before each entry to the guest: does not return once another CPU has given up. */
void nl_panic_stop(void);
