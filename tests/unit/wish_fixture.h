// SPDX-License-Identifier: Apache-2.0
/* A machine whose standing order the core carries out, on a CPU that stands well in the kernel. */
#ifndef TESTS_UNIT_WISH_FIXTURE_H
#define TESTS_UNIT_WISH_FIXTURE_H

#include "standing_fixture.h"

#define BOTH 2

int stopped(void **state);           /* a setup: machine(), and the first CPU in a task of the kernel's */
unsigned pass(void);                 /* a second and a try, as often as it takes, or a hundred times: how often */
void try_after(uint64_t ticks);      /* whatever anybody waits for */
unsigned journaled(enum nl_err err); /* of orders */
unsigned on(void);                   /* leaves */
void boot_with(unsigned leaves);     /* an order of epoch 4 with none, alpha, or BOTH */

#endif
